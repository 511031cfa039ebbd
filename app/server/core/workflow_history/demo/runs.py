"""Generate one run: its plan in, its files with their times out. Nothing is written."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from .agents import ROLES, TEMPLATES, Agent
from .catalogue import model_on
from .gemini import gemini_stream
from .plan import RunPlan
from .records import AgentRunRecord, execution_log, final_answer, prompt, state_text
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
_FINAL_ENDINGS = frozenset({"failed", "false_success"})
_FAILURE_WEIGHTS = {"limit": 8, "overloaded": 5, "too_long": 3, "timeout": 2, "credit": 1}
"""Relative frequency of each cause of failure; the sum is 19."""


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
    reported_cost: Decimal  # sum of the costs in the result messages of its streams, US dollars
    odd_stream: str | None = None  # path of the stream that is unusual because of a failure
    plan_cost: Decimal | None = None  # US dollars of sdlc_planner; None if the run has none


@dataclass(slots=True)
class _RunDraft:
    """State of the generation so far; `clock` is the start of the next agent."""

    plan: RunPlan
    sizes: StreamSizes
    source: Random
    clock: datetime
    files: list[GeneratedFile] = field(default_factory=list)
    agent_runs: list[AgentRunRecord] = field(default_factory=list)
    reported_cost: Decimal = Decimal()
    odd_stream: str | None = None
    plan_cost: Decimal | None = None


def make_run(plan: RunPlan, sizes: StreamSizes, *, end: datetime) -> GeneratedRun:
    """Generate a run; a running one writes its last line at `end`."""
    source = Random(plan.seed)  # noqa: S311 - a demo's dice, no secret
    draft = _RunDraft(plan, sizes, source, clock=plan.started)
    for agent, ending in _scheduled_agents(source, plan):
        _run_agent(draft, agent, ending)
    if plan.mishap == "running":
        draft = _shift_times(draft, end - draft.agent_runs[-1].ended)
    files = (*draft.files, *_state_files(draft), *_log_files(draft))
    return GeneratedRun(
        draft.plan, files, len(draft.agent_runs), draft.reported_cost, draft.odd_stream, draft.plan_cost
    )


def _scheduled_agents(source: Random, plan: RunPlan) -> Iterator[tuple[Agent, StreamEnding]]:
    """Yield the agents that run, each with the ending of its stream."""
    agents = [agent for agent in TEMPLATES[plan.template] if _is_needed(source, plan, agent)]
    failing = None
    if plan.mishap == "failed":  # an agent of the second half, but not a committer
        late = agents[len(agents) // 2 :]
        failing = source.choice([agent for agent in late if agent.role != "committer"])
    odd_agent, odd_ending = _ENDINGS.get(plan.mishap or "", ("", "done"))
    for agent in agents:
        is_odd = agent.name == odd_agent
        ending: StreamEnding = "failed" if agent is failing else odd_ending if is_odd else "done"
        yield agent, ending
        if ending in _FINAL_ENDINGS or (is_odd and plan.mishap == "running"):
            return


def _is_needed(source: Random, plan: RunPlan, agent: Agent) -> bool:
    if agent.chance == 1.0:
        return True
    return source.random() < agent.chance and not plan.request.family


def _run_agent(draft: _RunDraft, agent: Agent, ending: StreamEnding) -> None:
    """Add one agent's prompt and stream to `draft`, and advance the clock."""
    plan, started = draft.plan, draft.clock
    stream = _make_stream(draft, agent, ending)
    ended = started + timedelta(seconds=stream.seconds)
    path = f"{plan.run_id}/{agent.name}/{agent.file}"
    if plan.template != "adw_quick":
        command, text = prompt(plan, agent)
        draft.files.append(GeneratedFile(f"{plan.run_id}/{agent.name}/prompts/{command}.txt", text, started))
    draft.files.append(GeneratedFile(path, stream.text, ended))
    error = _failure_text(draft) if ending == "failed" else None
    succeeded = ending not in _FINAL_ENDINGS
    draft.agent_runs.append(AgentRunRecord(agent, started, ended, succeeded=succeeded, error=error))
    draft.reported_cost += stream.reported_cost
    if agent.name == "sdlc_planner":
        draft.plan_cost = stream.reported_cost
    if ending != "done" or _is_gemini(plan, agent) or _segments(plan, agent) > 1:
        draft.odd_stream = path
    draft.clock = ended + timedelta(seconds=draft.source.uniform(0.5, 6.0))


def _make_stream(draft: _RunDraft, agent: Agent, ending: StreamEnding) -> StreamText:
    if _is_gemini(draft.plan, agent):
        seconds = draft.source.uniform(60, 180)
        text = gemini_stream(draft.source, draft.plan.request, draft.clock, seconds)
        return StreamText(text, seconds, Decimal())
    return write_stream(_stream_job(draft, agent, ending))


def _stream_job(draft: _RunDraft, agent: Agent, ending: StreamEnding) -> StreamJob:
    source, plan, role = draft.source, draft.plan, ROLES[agent.role]
    day = draft.clock.astimezone(UTC).date()
    regressed = plan.regressed and agent.role == "planner"
    return StreamJob(
        source=source,
        steps=_steps(draft, agent, ending),
        answer=_final_text(draft, agent, ending),
        model=model_on(day, plan.model_set if role.heavy else "base"),
        helper=model_on(day, "helper") if agent.role != "classifier" else None,
        day=day,
        spending=_REGRESSED_PLANNER if regressed else role.spending,
        size=int(draft.sizes.stream_kb * 1024 * role.size * source.uniform(0.7, 1.3)),
        ending=ending,
        segments=_segments(plan, agent),
        compact=plan.template == "adw_patch",
        hook=source.random() < 0.1,
        sub_agent=agent.role == "implementor" and not plan.request.family and source.random() < 0.3,
        image=draft.sizes.stream_kb * 2048 if source.random() < draft.sizes.base64_share else 0,
    )


def _final_text(draft: _RunDraft, agent: Agent, ending: StreamEnding) -> str:
    if ending == "failed":
        return _failure_text(draft)
    if ending == "false_success":
        return f"Unknown skill: {ROLES[agent.role].command}"
    return final_answer(draft.plan, agent)


def _failure_text(draft: _RunDraft) -> str:
    """Return the error message with which Claude Code fails; the cause has its own random source."""
    source = Random(f"{draft.plan.seed}:failure")  # noqa: S311 - see make_run
    cause = source.choices(list(_FAILURE_WEIGHTS), weights=list(_FAILURE_WEIGHTS.values()))[0]
    if cause == "limit":
        reset = (draft.clock + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
        return f"Claude AI usage limit reached|{int(reset.timestamp())}"
    if cause == "overloaded":
        return (
            'API Error: 529 {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},'
            f'"request_id":"req_{source.getrandbits(64):016x}"}}'
        )
    return {
        "too_long": "Prompt is too long",
        "timeout": "API Error: Request timed out.",
        "credit": "Credit balance is too low",
    }[cause]


def _steps(draft: _RunDraft, agent: Agent, ending: StreamEnding) -> list[ToolStep]:
    """Return the agent's steps: fewer for short streams, and half of them for a failing agent."""
    plan, stream_kb = draft.plan, draft.sizes.stream_kb
    turns = min(1.0, max(0.15, stream_kb / 15))
    if plan.regressed and agent.role == "planner":
        turns *= _REGRESSED_TURNS
    loops = min(plan.build_loops, 2) if stream_kb < 10 else plan.build_loops
    steps = steps_for(draft.source, agent.role, plan.request, turns=turns, loops=loops)
    return steps[: len(steps) // 2] if ending == "failed" else steps


def _segments(plan: RunPlan, agent: Agent) -> int:
    return 3 if plan.mishap == "resumed" and agent.name == "sdlc_implementor" else 1


def _is_gemini(plan: RunPlan, agent: Agent) -> bool:
    return plan.mishap == "gemini" and agent.name == "reviewer"


def _shift_times(draft: _RunDraft, shift: timedelta) -> _RunDraft:
    """Shift a run in time; this is possible because no line of a Claude stream contains a time."""
    files = [replace(file, modified=file.modified + shift) for file in draft.files]
    agent_runs = [
        replace(agent_run, started=agent_run.started + shift, ended=agent_run.ended + shift)
        for agent_run in draft.agent_runs
    ]
    plan = replace(draft.plan, started=draft.plan.started + shift)
    return replace(draft, plan=plan, files=files, agent_runs=agent_runs)


def _state_files(draft: _RunDraft) -> list[GeneratedFile]:
    """Return the state file if the run has one; it was modified at the end of the last finished agent."""
    plan = draft.plan
    if plan.mishap == "stateless":
        return []
    last = draft.agent_runs[-2 if plan.mishap == "running" else -1]
    text = state_text(plan, draft.agent_runs)
    return [GeneratedFile(f"{plan.run_id}/adw_state.json", text, last.ended)]


def _log_files(draft: _RunDraft) -> list[GeneratedFile]:
    plan = draft.plan
    if plan.mishap == "stateless" or plan.template in {"adw_quick", "adw_complete"}:
        return []
    if plan.template != "adw_sdlc_iso" and draft.source.random() < 0.3:
        return []
    path = f"{plan.run_id}/{plan.template}/execution.log"
    return [GeneratedFile(path, execution_log(plan, draft.agent_runs), draft.agent_runs[-1].ended)]
