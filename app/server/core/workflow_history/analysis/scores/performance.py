"""Performance score: rate the speed of a run from its seconds, not its outcome.

More wall time, idle time or time in retries never raises the score.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...common.coercion import coerce_number, coerce_word, list_agent_runs, sum_floats
from ...common.outcomes import DID_NOTHING
from .base import Score, ScorePart, decay_curve, no_score, weighted_mean
from .constants import HALF_RETRY_SECONDS, HALF_SECONDS, PERFORMANCE_WEIGHTS

_UNKNOWN_WORK = frozenset({"unreadable", "unknown"})
"""Outcomes of agent runs without known work."""

_SIGNS_OF_WORK = ("cost", "lower_bound_cost", "output_tokens", "tool_calls")


def score(workflow: Mapping[str, Any]) -> Score:
    """Score the wall time (80%) and the time spent on retries (20%).

    None for running runs, and for runs that did no work: those have no speed.
    """
    if coerce_word(workflow.get("status")) == "running":
        return no_score("the end of the run")
    agents = list_agent_runs(workflow)
    if agents and all(map(_did_nothing, agents)):
        return no_score("work done by an agent")
    duration = coerce_number(workflow.get("duration_seconds"))
    if duration is None:
        return no_score("duration_seconds")
    idle = coerce_number(workflow.get("idle_time_seconds"))
    retries = _retries(workflow)
    missing = ["idle_time_seconds"] if idle is None else []
    return weighted_mean(
        [_pace(duration, idle), retries],
        missing=missing if retries else [*missing, "retry durations"],
    )


def _did_nothing(entry: Mapping[str, Any]) -> bool:
    """Return whether no work of an agent run is known; an error counts as work only with signs of work."""
    outcome = coerce_word(entry.get("outcome"))
    if outcome == "error":
        return not any(coerce_number(entry.get(key)) for key in _SIGNS_OF_WORK)
    return outcome in DID_NOTHING or outcome in _UNKNOWN_WORK


def _pace(duration: float, idle: float | None) -> ScorePart:
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


def _retries(workflow: Mapping[str, Any]) -> ScorePart | None:
    """Score the seconds in retries; None without marked agent runs or if a retry's duration is unknown."""
    known = [entry for entry in list_agent_runs(workflow) if isinstance(entry.get("is_retry"), bool)]
    seconds = [coerce_number(entry.get("duration_seconds")) for entry in known if entry["is_retry"]]
    if not known or None in seconds:
        return None
    spent = sum_floats(second for second in seconds if second is not None)
    return ScorePart(
        "retries",
        PERFORMANCE_WEIGHTS["retries"],
        decay_curve(spent, HALF_RETRY_SECONDS),
        {"retry_seconds": spent, "retries": len(seconds)},
        f"{spent:,.0f} s spent on retries; {HALF_RETRY_SECONDS:,.0f} s would be 50.",
    )
