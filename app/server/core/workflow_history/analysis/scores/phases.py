"""Phase metrics of one run: compute seconds by phase, bottleneck and idle time from its cost data.

An unknown duration is left out of the sums; it is never inferred from neighbouring times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from ...common.coercion import (
    coerce_number,
    coerce_word,
    list_agent_runs,
    parse_timestamp,
    sum_floats,
    worked_seconds,
)
from .constants import BOTTLENECK_SHARE

Interval = tuple[datetime, datetime]


def phase_metrics(cost_data: object) -> dict[str, Any]:
    """Return the seconds by phase in order of first appearance, the bottleneck, and the idle seconds.

    >>> plan = {"phase": "plan", "duration_seconds": 60, "timestamp": "2025-01-01T10:00:00Z"}
    >>> build = {"phase": "build", "duration_seconds": 90, "timestamp": "2025-01-01T10:02:00Z"}
    >>> phase_metrics({"phase_costs": [plan, build]})
    {'phase_durations': {'plan': 60.0, 'build': 90.0}, 'bottleneck_phase': 'build', 'idle_time_seconds': 60.0}
    """
    entries = list_agent_runs(cost_data) or list_agent_runs(cost_data, "phases")
    durations = _durations(entries)
    return {
        "phase_durations": durations,
        "bottleneck_phase": _bottleneck(durations),
        "idle_time_seconds": _idle_seconds(entry for entry in entries if entry.get("superseded") is not True),
    }


def _durations(entries: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Sum the seconds of each phase, superseded attempts included: their time was spent."""
    by_phase: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        by_phase.setdefault(coerce_word(entry.get("phase")) or "other", []).append(entry)
    seconds_by_phase = ((phase, worked_seconds(members)) for phase, members in by_phase.items())
    return {phase: seconds for phase, seconds in seconds_by_phase if seconds is not None}


def _bottleneck(durations: Mapping[str, float]) -> str | None:
    """Return the longest phase if it takes more than 30% of the time; the earlier one of equals."""
    longest = max(durations, key=lambda phase: durations[phase], default=None)
    if longest is None or durations[longest] <= BOTTLENECK_SHARE * sum_floats(durations.values()):
        return None
    return longest


def _idle_seconds(entries: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the seconds without a running agent between the first start and the last end.

    None if times of an agent run are missing: its work would count as idle time.
    """
    intervals_or_none = [_interval(entry) for entry in entries]
    intervals = [interval for interval in intervals_or_none if interval is not None]
    if not intervals or len(intervals) < len(intervals_or_none):
        return None
    if len({start.tzinfo is None for start, _ in intervals}) > 1:
        return None  # times with and without an offset cannot be compared
    intervals.sort()
    idle, covered_until = timedelta(), intervals[0][0]
    for start, end in intervals:
        idle += max(start - covered_until, timedelta())
        covered_until = max(covered_until, end)
    return idle.total_seconds()


def _interval(entry: Mapping[str, Any]) -> Interval | None:
    """Return start and end; a missing one is computed from the other and the entry's duration."""
    start, end = parse_timestamp(entry.get("timestamp")), parse_timestamp(entry.get("ended_at"))
    seconds = coerce_number(entry.get("duration_seconds"))
    if start is None:
        start = _shift(end, seconds, -1)
    if end is None:
        end = _shift(start, seconds, 1)
    if start is None or end is None or (start.tzinfo is None) != (end.tzinfo is None):
        return None
    return (start, end) if start <= end else None


def _shift(time: datetime | None, seconds: float | None, sign: int) -> datetime | None:
    """Add seconds to a time; None if either is unknown or the result overflows."""
    if time is None or seconds is None:
        return None
    try:
        return time + sign * timedelta(seconds=seconds)
    except OverflowError:
        return None
