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
    DurationBasis.REPORTED: "written in its files",
    DurationBasis.DERIVED: "derived: a transcript without times ends at its file time, or before its commit",
    DurationBasis.LOWER_BOUND: "lower bound: the duration of some agent runs is unknown",
    None: "not in any file",
}
_TIMESTAMP_RULES = {
    "created_at": (
        "first source that has it: state file, its phases, log, run id, timestamps in transcripts, "
        "file times, commit"
    ),
    "started_at": "from the state file, else the time of creation",
    "completed_at": "from the state file, its phases or the log; else the last transcript time, or file time",
}


_AGENT_SUM_RULES = {
    True: "sum of its agent runs: without timestamps, pauses and parallel work are unknown",
    False: "not the sum of its agent runs, which may pause or run in parallel",
}


def explain_timestamp(context: ExplanationContext, name: str) -> Explanation:
    """Explain one timestamp of the run."""
    run, notes = context.run, _copied_notes(context)
    if run.get("time_zone_known") is False:
        notes = ("the times have no time zone and are taken as UTC", *notes)
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
            rule="sum of the durations in its result messages",
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
            rule="no transcript; duration from the state file"
            if agent.get("duration_seconds") is not None
            else "no transcript: duration unknown",
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
        why_unknown="no file records its duration" if run.get("duration_seconds") is None else None,
        notes=_copied_notes(context),
    )


def explain_phase_durations(context: ExplanationContext) -> Explanation:
    """Explain the seconds of each phase."""
    return context.explain_value(
        "phase_durations",
        "time in which an agent run of the phase ran, with superseded attempts; parallel work counts once, "
        "unknown durations are left out",
        unit="seconds",
        docs="docs/scores.md",
        parts=_phase_parts(context),
        why_unknown=None if context.run.get("phase_durations") else "no agent run has a known duration",
    )


def explain_bottleneck(context: ExplanationContext) -> Explanation:
    """Explain which phase took the most time."""
    durations = context.run.get("phase_durations") or {}
    total_seconds = fsum(seconds for seconds in durations.values() if coerce_number(seconds) is not None)
    return context.explain_value(
        "bottleneck_phase",
        f"longest phase, if it takes more than {BOTTLENECK_SHARE:.0%} of the duration of all phases",
        docs="docs/scores.md",
        inputs={"all_phases_seconds": total_seconds},
        parts=_phase_parts(context),
        why_unknown=None
        if context.run.get("bottleneck_phase")
        else "no phase took that much, or no duration is known",
    )


def explain_idle_time(context: ExplanationContext) -> Explanation:
    """Explain the time in which no agent ran."""
    agents = [agent for agent in context.agents if agent.get("superseded") is not True]
    parts = tuple(
        Component(
            agent_name(agent),
            None,
            adds=False,
            rule=f"running; times {agent.get('time_basis') or 'unknown'}",
            inputs={"from": agent.get("timestamp"), "to": agent.get("ended_at")},
            sources=sources_of(context, agent),
        )
        for agent in agents
    )
    recomputed = phase_metrics(context.run)["idle_time_seconds"]
    return context.explain_value(
        "idle_time_seconds",
        "time between the first start and the last end in which no agent ran",
        unit="seconds",
        docs="docs/scores.md",
        inputs={"counted_again_seconds": recomputed},
        parts=parts,
        why_unknown=None
        if context.run.get("idle_time_seconds") is not None
        else "the start or end of an agent run is unknown",
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
    return (context.source(file, None, description if key else "its content"),)


def _phase_parts(context: ExplanationContext) -> tuple[Component, ...]:
    durations = context.run.get("phase_durations") or {}
    return tuple(
        Component(str(phase), coerce_number(seconds), adds=False, rule="duration of its agent runs")
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
        return f"the status is {context.run['status']}: no end is known"
    return "no file contains it, and the file times are those of a copy or missing"


def _copied_notes(context: ExplanationContext) -> tuple[str, ...]:
    if any(agent.get("inherited") for agent in context.agents):
        return ("messages counted in another session are not part of its time",)
    return ()


def _inputs(context: ExplanationContext, *names: str) -> dict[str, JsonValue]:
    return {name: context.run.get(name) for name in names}
