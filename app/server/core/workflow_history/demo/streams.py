"""Generate one Claude Code stream: a job in, its text, duration and cost out. No file or clock."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from random import Random
from typing import Literal

from ..common.models import TokenUsage
from .catalogue import rates_on
from .lines import (
    Line,
    Session,
    Totals,
    assistant_line,
    hook_line,
    init_line,
    random_uuid,
    result_line,
    text_content,
    tool_content,
)
from .scripts import ToolStep
from .spending import TokenProfile, helper_usage, message_usages, partial_outputs, sub_agent_usage
from .tool_results import image_line, step_result_line

StreamEnding = Literal["done", "failed", "false_success", "cut", "half_line", "empty"]

_OVERHEAD = {"step": 1_650, "stream": 2_900}  # characters that lines need in addition to tool output
_SLOW_COMMANDS = ("npm ", "uv run pytest")


@dataclass(frozen=True, slots=True)
class StreamJob:
    """All parameters of a stream."""

    source: Random
    steps: Sequence[ToolStep]
    answer: str  # final text of the agent, or of the CLI if it failed
    model: str
    helper: str | None  # the small helper model; None: not used
    day: date  # UTC, for the prices
    spending: TokenProfile
    size: int  # approximate size in characters
    ending: StreamEnding = "done"
    segments: int = 1  # number of sessions in one file, each with a result
    compact: bool = False  # whether JSON has no spaces after separators
    hook: bool = False  # whether it starts with a hook line
    sub_agent: bool = False  # whether a sub-agent adds usage
    image: int = 0  # bytes of a screenshot; 0: none


@dataclass(frozen=True, slots=True)
class StreamText:
    """Text of a stream, with its duration and cost."""

    text: str
    seconds: float
    reported_cost: Decimal  # US dollars in the last result; 0 without a result


@dataclass(frozen=True, slots=True)
class _Segment:
    """The lines of one session up to its result, with their usage."""

    lines: list[Line]
    usage: TokenUsage
    seconds: float
    turns: int


def write_stream(job: StreamJob) -> StreamText:
    """Generate the stream of `job`."""
    session = Session(job.source, job.model, random_uuid(job.source), job.compact)
    if job.ending == "empty":
        return StreamText("", job.source.uniform(2, 5), Decimal())
    if job.ending == "false_success":
        return _false_success(session, job)
    lines: list[Line] = [hook_line(session)] if job.hook else []
    usage_by_model = _hidden_usage(job)
    seconds = 0.0
    for steps in _split_steps(job.steps, job.segments):
        segment = _write_segment(session, job, steps)
        usage_by_model[job.model] = usage_by_model.get(job.model, TokenUsage()) + segment.usage
        lines += segment.lines
        seconds += segment.seconds
        totals = _totals(job, usage_by_model, segment)
        lines.append(result_line(session, totals))
    text, finished = _interrupt([session.encode(line) for line in lines], job)
    return StreamText(text, seconds, totals.cost if finished else Decimal())


def _write_segment(session: Session, job: StreamJob, steps: Sequence[ToolStep]) -> _Segment:
    """Generate one session: init, rounds of tool calls, final text."""
    rounds = _rounds(job.source, steps)
    usages = message_usages(job.source, job.spending, len(rounds) + 1)
    budget = max(0, job.size // job.segments - _OVERHEAD["stream"] - _OVERHEAD["step"] * len(steps))
    weights = sum(step.weight for step in steps if step.filler) or 1.0
    lines = [init_line(session)]
    seconds = 2.0
    for calls, usage in zip(rounds, usages, strict=False):
        lines += _round_lines(session, calls, usage, budget / weights)
        seconds += sum(_step_seconds(job.source, step) for step in calls)
    if job.image:
        lines += _image_lines(session, job.image)
    lines += _final_lines(session, job, usages[-1])
    return _Segment(lines, sum(usages, TokenUsage()), seconds, len(steps) + 1)


def _round_lines(
    session: Session, calls: Sequence[ToolStep], usage: TokenUsage, padding: float
) -> list[Line]:
    """Return one message, a line per tool call with the same id, followed by the results."""
    message_id = session.short_id("msg")
    ids = [session.short_id("toolu") for _ in calls]
    parts = [
        tool_content(tool_id, step.tool, step.arguments) for tool_id, step in zip(ids, calls, strict=True)
    ]
    if session.source.random() < 0.35:
        parts.insert(0, text_content(f"Next: {calls[0].tool} to see how this is done today."))
    usages = partial_outputs(session.source, usage, len(parts))
    lines = [assistant_line(session, message_id, *pair) for pair in zip(parts, usages, strict=True)]
    for tool_id, step in zip(ids, calls, strict=True):
        size = int(padding * step.weight * session.source.uniform(0.6, 1.4))
        lines.append(step_result_line(session, tool_id, step, size))
    return lines


def _image_lines(session: Session, size: int) -> list[Line]:
    path = "agents/review_img/01_page.png"
    tool_id = session.short_id("toolu")
    call = tool_content(tool_id, "Read", {"file_path": path})
    # The last message includes its tokens: the sums must not depend on whether there is a picture.
    call_line = assistant_line(session, session.short_id("msg"), call, TokenUsage(output=1))
    return [call_line, image_line(session, tool_id, path, size)]


def _final_lines(session: Session, job: StreamJob, usage: TokenUsage) -> list[Line]:
    if job.ending == "failed":
        # This text is from the CLI, not from the model: no tokens and no model name.
        synthetic = replace(session, model="<synthetic>")
        return [assistant_line(synthetic, session.short_id("msg"), text_content(job.answer), TokenUsage())]
    usage = partial_outputs(job.source, usage, 1)[0]
    return [assistant_line(session, session.short_id("msg"), text_content(job.answer), usage)]


def _hidden_usage(job: StreamJob) -> dict[str, TokenUsage]:
    """Return the usage that no message of the main thread shows: of a sub-agent and the helper model."""
    usage_by_model = (
        {job.model: sub_agent_usage(job.source, job.spending)} if job.sub_agent else {job.model: TokenUsage()}
    )
    if job.helper:
        usage_by_model[job.helper] = helper_usage(job.source)
    return usage_by_model


def _totals(job: StreamJob, usage_by_model: dict[str, TokenUsage], segment: _Segment) -> Totals:
    return Totals(
        models={
            model: (usage, rates_on(job.day, model).cost(usage)) for model, usage in usage_by_model.items()
        },
        main_usage=segment.usage,
        duration_ms=round(segment.seconds * 1000),
        turns=segment.turns,
        text=job.answer,
        is_error=job.ending == "failed",
    )


def _false_success(session: Session, job: StreamJob) -> StreamText:
    """Return a session that did nothing and reports success."""
    totals = Totals({}, TokenUsage(), 41, 0, job.answer)
    lines = [session.encode(line) for line in (init_line(session), result_line(session, totals))]
    return StreamText("".join(lines), 1.0, Decimal())


def _interrupt(lines: list[str], job: StreamJob) -> tuple[str, bool]:
    """Return the text up to its interruption, and whether it includes the result."""
    if job.ending == "cut":
        return "".join(lines[:-2]), False
    if job.ending == "half_line":
        return "".join(lines[:-2]) + lines[-2][: len(lines[-2]) // 2], False
    return "".join(lines), True


def _rounds(source: Random, steps: Sequence[ToolStep]) -> list[Sequence[ToolStep]]:
    """Group steps into messages; a message can have two Read or Grep calls, or one call of any kind."""
    rounds: list[Sequence[ToolStep]] = []
    turn = 0
    while turn < len(steps):
        pair = steps[turn : turn + 2]
        can_be_joined = len(pair) == 2 and all(step.tool in {"Read", "Grep"} for step in pair)
        count = 2 if can_be_joined and source.random() < 0.6 else 1
        rounds.append(steps[turn : turn + count])
        turn += count
    return rounds


def _split_steps(steps: Sequence[ToolStep], count: int) -> list[Sequence[ToolStep]]:
    size = -(-len(steps) // count)
    return [steps[start : start + size] for start in range(0, max(1, len(steps)), max(1, size))]


def _step_seconds(source: Random, step: ToolStep) -> float:
    is_slow = step.tool == "Bash" and str(step.arguments["command"]).startswith(_SLOW_COMMANDS)
    return source.uniform(8, 30) if is_slow else source.uniform(3, 9)
