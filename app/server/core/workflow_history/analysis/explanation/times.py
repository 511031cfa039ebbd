"""Explain times and durations of a run: their source, or why they are unknown. Pure."""

from __future__ import annotations

from math import fsum
from typing import Any

from ...common.coercion import coerce_number, is_duration_lower_bound
from ...common.models import DurationBasis, RunStatus
from ...common.plausible_dates import SUMMED_DURATIONS
from ..scores import phase_metrics
from ..scores.constants import BOTTLENECK_SHARE
from .context import ExplanationContext, agent_name
from .costs import sources_of
from .records import Component, Explanation, JsonValue, Source

DOCS = "docs/runs.md"

_BASIS_RULES = {
    DurationBasis.REPORTED: "as its files report it",
    DurationBasis.DERIVED: "derived: a stream without a clock ends at its file's time, or before its commit",
    DurationBasis.LOWER_BOUND: "at least: nothing tells how long some of its agents worked",
    None: "no file tells it",
}
_TIMESTAMP_RULES = {
    "created_at": (
        "the first there is of: the state, its phases, the log, the run's id, the streams' own times, the "
        "files' times, the commit"
    ),
    "started_at": "the state's word, else when the run was made",
    "completed_at": "the state's word, its phases or the log; else the last stream's own time or its file's",
}


_AGENT_SUM_RULES = {
    True: "the sum of what its agents took: without a clock, pauses and work side by side do not show",
    False: "not the sum of its agents, which pause and may work side by side",
}


def explain_timestamp(context: ExplanationContext, name: str) -> Explanation:
    """Explain one timestamp of the run."""
    run, notes = context.run, _copied_notes(context)
    if run.get("time_zone_known") is False:
        notes = ("the times were written without a zone and stand as if they were UTC", *notes)
    return context.explain_value(
        name,
        f"{_TIMESTAMP_RULES[name]}; {_BASIS_RULES.get(run.get('times_basis'), 'as given')}",
        docs=DOCS,
        inputs=_inputs(context, "times_basis", "times_source", "utc_offset_minutes", "time_zone_known"),
        sources=source_file(context, run.get("times_source")),
        why_unknown=_why_no_time(context, name),
        notes=notes,
    )


def explain_duration(context: ExplanationContext) -> Explanation:
    """Explain the duration of the run, with the durations of its agent runs."""
    run = context.run
    parts = tuple(
        Component(
            agent_name(agent),
            agent.get("duration_seconds"),
            adds=False,
            rule="the sum of its results' own durations",
            sources=sources_of(context, agent),
        )
        for agent in context.agents
    )
    is_sum = run.get("duration_source") == SUMMED_DURATIONS
    silent_parts = tuple(
        Component(
            agent["agent"],
            agent.get("duration_seconds"),
            adds=False,
            rule="it left no stream; the state tells how long it worked"
            if agent.get("duration_seconds") is not None
            else "it left no stream: unknown how long it worked",
        )
        for agent in context.silent_agents
    )
    return context.explain_value(
        "duration_seconds",
        f"{_BASIS_RULES.get(run.get('duration_basis'), 'as given')}; {_AGENT_SUM_RULES[is_sum]}",
        unit="seconds",
        docs=DOCS,
        inputs=_inputs(context, "duration_basis", "duration_source", "started_at", "completed_at"),
        sources=source_file(context, run.get("duration_source")),
        parts=parts + silent_parts,
        is_lower_bound=is_duration_lower_bound(run),
        why_unknown="nothing tells how long it ran" if run.get("duration_seconds") is None else None,
        notes=_copied_notes(context),
    )


def explain_phase_durations(context: ExplanationContext) -> Explanation:
    """Explain the seconds of each phase."""
    return context.explain_value(
        "phase_durations",
        "the seconds in which an agent run of the phase worked, overwritten attempts too; work side by side "
        "counts once, unknown ones stay out",
        unit="seconds",
        docs="docs/scores.md",
        parts=_phase_parts(context),
        why_unknown=None if context.run.get("phase_durations") else "no agent run tells how long it took",
    )


def explain_bottleneck(context: ExplanationContext) -> Explanation:
    """Explain which phase took the most time."""
    durations = context.run.get("phase_durations") or {}
    total_seconds = fsum(seconds for seconds in durations.values() if coerce_number(seconds) is not None)
    return context.explain_value(
        "bottleneck_phase",
        f"the longest phase, where it takes more than {BOTTLENECK_SHARE:.0%} of all phases' seconds",
        docs="docs/scores.md",
        inputs={"all_phases_seconds": total_seconds},
        parts=_phase_parts(context),
        why_unknown=None
        if context.run.get("bottleneck_phase")
        else "no phase took that much, or no agent run tells how long it took",
    )


def explain_idle_time(context: ExplanationContext) -> Explanation:
    """Explain the time in which no agent ran."""
    agents = [agent for agent in context.agents if agent.get("superseded") is not True]
    parts = tuple(
        Component(
            agent_name(agent),
            None,
            adds=False,
            rule=f"at work, its times {agent.get('time_basis') or 'unknown'}",
            inputs={"from": agent.get("timestamp"), "to": agent.get("ended_at")},
            sources=sources_of(context, agent),
        )
        for agent in agents
    )
    recomputed = phase_metrics(context.run)["idle_time_seconds"]
    return context.explain_value(
        "idle_time_seconds",
        "the seconds between the first agent's start and the last one's end in which none worked",
        unit="seconds",
        docs="docs/scores.md",
        inputs={"counted_again_seconds": recomputed},
        parts=parts,
        why_unknown=None
        if context.run.get("idle_time_seconds") is not None
        else "some agent's start or end is unknown: its work would pass for idle time",
    )


def source_file(context: ExplanationContext, source: Any) -> tuple[Source, ...]:
    """Return the file named in a source description, or an empty tuple if it names none.

    >>> source_file(ExplanationContext({"id": "a"}), "adw_state.json: created_at")[0].path
    'adw_state.json'
    >>> source_file(ExplanationContext({"id": "a"}), "a.jsonl: its first message")[0].says
    'its first message'
    """
    if not isinstance(source, str):
        return ()
    file, _, key = source.partition(": ")
    if not file.endswith((".json", ".txt", ".jsonl", ".ndjson", ".log", ".out", ".md")):
        return ()
    description = f"its {key.removeprefix('its ')}"
    return (context.source(file, None, description if key else "what it says"),)


def _phase_parts(context: ExplanationContext) -> tuple[Component, ...]:
    durations = context.run.get("phase_durations") or {}
    return tuple(
        Component(str(phase), coerce_number(seconds), adds=False, rule="its agent runs' seconds")
        for phase, seconds in durations.items()
    )


def _why_no_time(context: ExplanationContext, name: str) -> str | None:
    if context.run.get(name) is not None:
        return None
    if name == "completed_at" and context.run.get("status") in (
        RunStatus.RUNNING,
        RunStatus.INCOMPLETE,
        RunStatus.UNKNOWN,
    ):
        return f"the run's status is {context.run['status']}: no end is known"
    return "no file tells it, and the files' own times are those of a copy or are missing"


def _copied_notes(context: ExplanationContext) -> tuple[str, ...]:
    if any(agent.get("inherited") for agent in context.agents):
        return ("messages that another session counts are no part of its time",)
    return ()


def _inputs(context: ExplanationContext, *names: str) -> dict[str, JsonValue]:
    return {name: context.run.get(name) for name in names}
