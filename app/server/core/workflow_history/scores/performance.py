"""Score how fast a run was: its seconds in, a Score out. Says nothing of how well it ended.

More wall time, more idle time and more time in retries never raise the score.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..evidence import agent_runs, number, total, word
from ..outcomes import DID_NOTHING
from .base import Part, Score, falling, mean, unknown
from .constants import HALF_RETRY_SECONDS, HALF_SECONDS, PERFORMANCE_WEIGHTS

_UNKNOWN_WORK = frozenset({"unreadable", "unknown"})
"""Outcomes of agents of whom no work is known."""

_SIGNS_OF_WORK = ("cost", "lower_bound_cost", "output_tokens", "tool_calls")


def score(workflow: Mapping[str, Any]) -> Score:
    """Score the wall time (80%) and the time spent on retries (20%).

    None while the run goes on, and for a run that did nothing: that is no pace.
    """
    if word(workflow.get("status")) == "running":
        return unknown("the end of the run")
    agents = agent_runs(workflow)
    if agents and all(map(_did_nothing, agents)):
        return unknown("work done by an agent")
    duration = number(workflow.get("duration_seconds"))
    if duration is None:
        return unknown("duration_seconds")
    idle = number(workflow.get("idle_time_seconds"))
    retries = _retries(workflow)
    missing = ["idle_time_seconds"] if idle is None else []
    return mean(
        [_pace(duration, idle), retries],
        missing=missing if retries else [*missing, "retry durations"],
    )


def _did_nothing(entry: Mapping[str, Any]) -> bool:
    """Return whether no work of an agent is known; an error is none without any sign of work before it."""
    outcome = word(entry.get("outcome"))
    if outcome == "error":
        return not any(number(entry.get(key)) for key in _SIGNS_OF_WORK)
    return outcome in DID_NOTHING or outcome in _UNKNOWN_WORK


def _pace(duration: float, idle: float | None) -> Part:
    """Count time in which no agent worked twice: it is in the duration, and it is added once more."""
    seconds = total([duration, idle or 0.0])
    inputs = {"duration_seconds": duration, "effective_seconds": seconds}
    if idle is not None:
        inputs["idle_time_seconds"] = idle
    return Part(
        "pace",
        PERFORMANCE_WEIGHTS["pace"],
        falling(seconds, HALF_SECONDS),
        inputs,
        f"{seconds:,.0f} s, idle time counted twice; {HALF_SECONDS:,.0f} s would be 50.",
    )


def _retries(workflow: Mapping[str, Any]) -> Part | None:
    """Sum the seconds in agent runs that tried again; None where no agent run or not every retry tells."""
    known = [entry for entry in agent_runs(workflow) if isinstance(entry.get("is_retry"), bool)]
    seconds = [number(entry.get("duration_seconds")) for entry in known if entry["is_retry"]]
    if not known or None in seconds:
        return None
    spent = total(second for second in seconds if second is not None)
    return Part(
        "retries",
        PERFORMANCE_WEIGHTS["retries"],
        falling(spent, HALF_RETRY_SECONDS),
        {"retry_seconds": spent, "retries": len(seconds)},
        f"{spent:,.0f} s spent on retries; {HALF_RETRY_SECONDS:,.0f} s would be 50.",
    )
