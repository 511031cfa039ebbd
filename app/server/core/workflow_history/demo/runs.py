"""Generate one run: its plan in, its files with their times out. Nothing is written."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from .agents import ROLES, TEMPLATES, Agent
from .catalogue import model_on
from .failures import failure_text
from .gemini import gemini_stream
from .plan import RunPlan
from .records import AgentWork, execution_log, final_answer, prompt, state_text
from .scripts import ToolStep, steps_for
from .spending import TokenProfile
from .streams import StreamEnding, StreamJob, StreamText, write_stream

_REGRESSED_PLANNER = TokenProfile(growth=4_800, output=460, missed_cache=0.31)
_REGRESSED_TURNS = 1.35
_ENDINGS: dict[str, tuple[str, StreamEnding]] = {
    "cut_committer": ("sdlc_implementor_committer", "cut"),
    "half_line": ("sdlc_planner_committer", "half_line"),
    "empty_stream": ("reviewer_committer", "empty"),
    "false_success": ("reviewer", "false_success"),
    "running": ("sdlc_implementor", "cut"),
}
_LAST_ENDINGS = frozenset({"failed", "false_success"})


@dataclass(frozen=True, slots=True)
class StreamSizes:
    """Sizes of the generated streams."""

    stream_kb: int  # average size of a stream, in units of 1,024 characters
    base64_share: float  # share of streams with a screenshot, 0 to 1


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """A file to write; its path is relative to the agents directory."""

    path: str
    text: str
    modified: datetime  # aware


@dataclass(frozen=True, slots=True)
class GeneratedRun:
    """One generated run with all its files, in memory."""

    plan: RunPlan
    files: tuple[GeneratedFile, ...]
    streams: int
    reported: Decimal  # sum of the costs in the result messages of its streams, US dollars
    odd_stream: str | None = None  # path of the stream that is unusual because of a failure
    plan_cost: Decimal | None = None  # US dollars of sdlc_planner; None if the run has none


@dataclass(slots=True)
class _Work:
    """State of the generation so far; `clock` is the start of the next agent."""

    plan: RunPlan
    sizes: StreamSizes
    source: Random
    clock: datetime
    files: list[GeneratedFile] = field(default_factory=list)
    done: list[AgentWork] = field(default_factory=list)
    reported: Decimal = Decimal()
    odd_stream: str | None = None
    plan_cost: Decimal | None = None


def make_run(plan: RunPlan, sizes: StreamSizes, *, end: datetime) -> GeneratedRun:
    """Generate a run; a running one writes its last line at `end`."""
    source = Random(plan.seed)  # noqa: S311 - a demo's dice, no secret
    work = _Work(plan, sizes, source, clock=plan.started)
    for agent, ending in _cast(source, plan):
        _run_agent(work, agent, ending)
    if plan.mishap == "running":
        work = _shifted(work, end - work.done[-1].ended)
    files = (*work.files, *_state_files(work), *_log_files(work))
    return GeneratedRun(work.plan, files, len(work.done), work.reported, work.odd_stream, work.plan_cost)


def _cast(source: Random, plan: RunPlan) -> Iterator[tuple[Agent, StreamEnding]]:
    """Yield the agents that run, each with the ending of its stream."""
    agents = [agent for agent in TEMPLATES[plan.template] if _needed(source, plan, agent)]
    failing = _failing(source, agents) if plan.mishap == "failed" else None
    odd_name, odd_ending = _ENDINGS.get(plan.mishap or "", ("", "done"))
    for agent in agents:
        odd = agent.name == odd_name
        ending: StreamEnding = "failed" if agent is failing else odd_ending if odd else "done"
        yield agent, ending
        if ending in _LAST_ENDINGS or (odd and plan.mishap == "running"):
            return


def _failing(source: Random, agents: list[Agent]) -> Agent:
    """Choose the agent that fails: from the second half of the agents, but not a committer."""
    late = agents[len(agents) // 2 :]
    return source.choice([agent for agent in late if agent.role != "committer"])


def _needed(source: Random, plan: RunPlan, agent: Agent) -> bool:
    if agent.chance == 1.0:
        return True
    return source.random() < agent.chance and not plan.request.family


def _run_agent(work: _Work, agent: Agent, ending: StreamEnding) -> None:
    """Add one agent's prompt and stream to `work`, and advance the clock."""
    plan, started = work.plan, work.clock
    stream = _stream(work, agent, ending)
    ended = started + timedelta(seconds=stream.seconds)
    path = f"{plan.run_id}/{agent.name}/{agent.file}"
    if plan.template != "adw_quick":
        command, text = prompt(plan, agent)
        work.files.append(GeneratedFile(f"{plan.run_id}/{agent.name}/prompts/{command}.txt", text, started))
    work.files.append(GeneratedFile(path, stream.text, ended))
    error = _failure(work) if ending == "failed" else None
    work.done.append(AgentWork(agent, started, ended, good=ending not in _LAST_ENDINGS, error=error))
    work.reported += stream.reported
    if agent.name == "sdlc_planner":
        work.plan_cost = stream.reported
    if ending != "done" or _is_gemini(plan, agent) or _segments(plan, agent) > 1:
        work.odd_stream = path
    work.clock = ended + timedelta(seconds=work.source.uniform(0.5, 6.0))


def _stream(work: _Work, agent: Agent, ending: StreamEnding) -> StreamText:
    if _is_gemini(work.plan, agent):
        seconds = work.source.uniform(60, 180)
        text = gemini_stream(work.source, work.plan.request, work.clock, seconds)
        return StreamText(text, seconds, Decimal())
    return write_stream(_job(work, agent, ending))


def _job(work: _Work, agent: Agent, ending: StreamEnding) -> StreamJob:
    source, plan, role = work.source, work.plan, ROLES[agent.role]
    day = work.clock.astimezone(UTC).date()
    regressed = plan.regressed and agent.role == "planner"
    return StreamJob(
        source=source,
        steps=_steps(work, agent, ending),
        answer=_answer(work, agent, ending),
        model=model_on(day, plan.model_set if role.heavy else "base"),
        helper=model_on(day, "helper") if agent.role != "classifier" else None,
        day=day,
        spending=_REGRESSED_PLANNER if regressed else role.spending,
        size=int(work.sizes.stream_kb * 1024 * role.size * source.uniform(0.7, 1.3)),
        ending=ending,
        segments=_segments(plan, agent),
        compact=plan.template == "adw_patch",
        hook=source.random() < 0.1,
        sub_agent=agent.role == "implementor" and not plan.request.family and source.random() < 0.3,
        image=work.sizes.stream_kb * 2048 if source.random() < work.sizes.base64_share else 0,
    )


def _answer(work: _Work, agent: Agent, ending: StreamEnding) -> str:
    if ending == "failed":
        return _failure(work)
    if ending == "false_success":
        return f"Unknown skill: {ROLES[agent.role].command}"
    return final_answer(work.plan, agent)


def _failure(work: _Work) -> str:
    """Return the error message of the failing agent that starts now; the cause has its own random source."""
    return failure_text(Random(f"{work.plan.seed}:failure"), work.clock)  # noqa: S311 - see make_run


def _steps(work: _Work, agent: Agent, ending: StreamEnding) -> list[ToolStep]:
    """Return the agent's steps: fewer for short streams, and half of them for a failing agent."""
    plan, stream_kb = work.plan, work.sizes.stream_kb
    turns = min(1.0, max(0.15, stream_kb / 15))
    if plan.regressed and agent.role == "planner":
        turns *= _REGRESSED_TURNS
    loops = min(plan.build_loops, 2) if stream_kb < 10 else plan.build_loops
    steps = steps_for(work.source, agent.role, plan.request, turns=turns, loops=loops)
    return steps[: len(steps) // 2] if ending == "failed" else steps


def _segments(plan: RunPlan, agent: Agent) -> int:
    return 3 if plan.mishap == "resumed" and agent.name == "sdlc_implementor" else 1


def _is_gemini(plan: RunPlan, agent: Agent) -> bool:
    return plan.mishap == "gemini" and agent.name == "reviewer"


def _shifted(work: _Work, shift: timedelta) -> _Work:
    """Shift the work in time; this is possible because no line of a Claude stream contains a time."""
    files = [replace(file, modified=file.modified + shift) for file in work.files]
    done = [replace(item, started=item.started + shift, ended=item.ended + shift) for item in work.done]
    plan = replace(work.plan, started=work.plan.started + shift)
    return replace(work, plan=plan, files=files, done=done)


def _state_files(work: _Work) -> list[GeneratedFile]:
    """Return the state file if the run has one; it was modified at the end of the last finished agent."""
    plan = work.plan
    if plan.mishap == "stateless":
        return []
    last = work.done[-2 if plan.mishap == "running" else -1]
    text = state_text(plan, work.done)
    return [GeneratedFile(f"{plan.run_id}/adw_state.json", text, last.ended)]


def _log_files(work: _Work) -> list[GeneratedFile]:
    plan = work.plan
    always = plan.template == "adw_sdlc_iso"
    if plan.mishap == "stateless" or plan.template in {"adw_quick", "adw_complete"}:
        return []
    if not always and work.source.random() < 0.3:
        return []
    path = f"{plan.run_id}/{plan.template}/execution.log"
    return [GeneratedFile(path, execution_log(plan, work.done), work.done[-1].ended)]
