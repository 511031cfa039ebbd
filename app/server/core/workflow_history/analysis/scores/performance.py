"""Performance score: rate the speed of a run from its seconds, not its outcome.

More wall time, idle time or time in retries never raises the score.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...common.coercion import coerce_number, coerce_word, list_agent_runs, sum_floats
from ...common.models import RunStatus
from ...common.outcomes import DID_NOTHING, Outcome
from .base import Score, ScorePart, decay_curve, no_score, weighted_mean
from .constants import HALF_RETRY_SECONDS, HALF_SECONDS, PERFORMANCE_WEIGHTS

_UNKNOWN_OUTCOMES = frozenset({Outcome.UNREADABLE, Outcome.UNKNOWN})
"""Outcomes of agent runs without known work."""

_WORK_FIELDS = ("cost", "lower_bound_cost", "output_tokens", "tool_calls")


def score(workflow: Mapping[str, Any]) -> Score:
    """Score the wall time (80%) and the time spent on retries (20%).

    None for running runs, and for runs that did no work: those have no speed.
    """
    if coerce_word(workflow.get("status")) == RunStatus.RUNNING:
        return no_score("the end of the run")
    agents = list_agent_runs(workflow)
    if agents and all(map(_did_nothing, agents)):
        return no_score("work done by an agent")
    duration = coerce_number(workflow.get("duration_seconds"))
    if duration is None:
        return no_score("duration_seconds")
    idle = coerce_number(workflow.get("idle_time_seconds"))
    retries_part = _retries_part(workflow)
    missing = ["idle_time_seconds"] if idle is None else []
    return weighted_mean(
        [_pace_part(duration, idle), retries_part],
        missing=missing if retries_part else [*missing, "retry durations"],
    )


def _did_nothing(entry: Mapping[str, Any]) -> bool:
    """Return whether no work of an agent run is known; an error counts as work only with signs of work."""
    outcome = coerce_word(entry.get("outcome"))
    if outcome == Outcome.ERROR:
        return not any(coerce_number(entry.get(key)) for key in _WORK_FIELDS)
    return outcome in DID_NOTHING or outcome in _UNKNOWN_OUTCOMES


def _pace_part(duration: float, idle: float | None) -> ScorePart:
    """Score the wall time; idle time counts twice: it is part of the duration and added once more."""
    seconds = sum_floats([duration, idle or 0.0])
    inputs = {"duration_seconds": duration, "effective_seconds": seconds}
    if idle is not None:
        inputs["idle_time_seconds"] = idle
    return ScorePart(
        "pace",
        PERFORMANCE_WEIGHTS["pace"],
        decay_curve(seconds, HALF_SECONDS),
        inputs,
        f"{seconds:,.0f} s, idle time counted twice; {HALF_SECONDS:,.0f} s would be 50.",
    )


def _retries_part(workflow: Mapping[str, Any]) -> ScorePart | None:
    """Score the seconds in retries; None without marked agent runs or if a retry's duration is unknown."""
    marked = [entry for entry in list_agent_runs(workflow) if isinstance(entry.get("is_retry"), bool)]
    seconds = [coerce_number(entry.get("duration_seconds")) for entry in marked if entry["is_retry"]]
    if not marked or None in seconds:
        return None
    total = sum_floats(second for second in seconds if second is not None)
    return ScorePart(
        "retries",
        PERFORMANCE_WEIGHTS["retries"],
        decay_curve(total, HALF_RETRY_SECONDS),
        {"retry_seconds": total, "retries": len(seconds)},
        f"{total:,.0f} s spent on retries; {HALF_RETRY_SECONDS:,.0f} s would be 50.",
    )
