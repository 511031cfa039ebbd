"""Read values from a workflow dict of unknown origin: a valid value, or None.

Never guesses and never raises: text in place of a number, NaN and negative amounts are invalid.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from math import fsum, isfinite
from typing import Any, Final

from ..common.plausible_dates import to_microseconds
from .models import DurationBasis

_NUMBER_TYPES = (int, float, Decimal)  # a tuple, because `int | float` is built again at each call
_LIST_TYPES = (list, tuple)
_DATE_LENGTH = 10  # length of a date without a time

LONGEST_SECONDS: Final = 1e9
"""Maximum duration of an agent run when overlapping agent runs are merged."""


def coerce_number(value: object) -> float | None:
    """Return a finite number of at least 0 as a float; None for everything else, including bools.

    >>> (coerce_number(0), coerce_number(1.5), coerce_number(-1), coerce_number(True),
    ...  coerce_number("2"), coerce_number(float("nan")))
    (0.0, 1.5, None, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, _NUMBER_TYPES):
        return None
    try:
        amount = float(value)
    except (OverflowError, ValueError):  # an int too large for a float, or a signalling NaN
        return None
    return amount + 0.0 if isfinite(amount) and amount >= 0 else None


def sum_floats(amounts: Iterable[float]) -> float:
    """Sum floats exactly, independent of their order; return the largest float instead of infinity."""
    try:
        amount = fsum(amounts)
    except OverflowError:
        return sys.float_info.max
    return min(amount, sys.float_info.max)


def coerce_word(value: object) -> str | None:
    """Return a name stripped and in lower case, or None if it is empty or not a string."""
    return (value.strip().lower() or None) if isinstance(value, str) else None


def list_agent_runs(costs: object, key: str = "phase_costs") -> list[Mapping[str, Any]]:
    """Return the agent runs under `key`; entries that are not mappings are skipped."""
    entries = costs.get(key) if isinstance(costs, Mapping) else None
    if not isinstance(entries, _LIST_TYPES):
        return []
    return [entry for entry in entries if type(entry) is dict or isinstance(entry, Mapping)]


def parse_timestamp(value: object) -> datetime | None:
    """Parse an ISO 8601 time and keep its offset; return None for anything else, including a date alone.

    >>> parse_timestamp("2025-01-01T09:30:00+02:00").hour
    9
    >>> parse_timestamp("2025-01-01") is None
    True
    """
    if not isinstance(value, str):
        return None
    text = value.strip()
    if len(text) <= _DATE_LENGTH and _is_date(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def moment_in_utc(value: object) -> datetime | None:
    """Parse an ISO 8601 time and convert it to UTC; a time without a zone is taken as UTC.

    >>> moment_in_utc("2025-01-01T09:30:00").isoformat()
    '2025-01-01T09:30:00+00:00'
    """
    moment = parse_timestamp(value)
    if moment is None:
        return None
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        return None


def is_duration_lower_bound(run: Mapping[str, Any]) -> bool:
    """Return whether a run's duration is known only as a lower bound, as some agents' work is missing."""
    return (
        run.get("duration_basis") == DurationBasis.LOWER_BOUND
        and coerce_number(run.get("duration_seconds")) is not None
    )


def worked_seconds(agents: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the total working time of agents in seconds; overlapping time counts once.

    An agent works from its start for its own duration. The duration of an agent without a start is added.
    Returns None if no duration is known.

    >>> main = {"timestamp": "2026-07-01T09:00:00Z", "duration_seconds": 180}
    >>> worked_seconds([main, {"timestamp": "2026-07-01T09:01:00Z", "duration_seconds": 90}])
    180.0
    """
    durations: list[float] = []
    timed: list[tuple[int, float]] = []  # start in microseconds since 1970, duration
    for agent in agents:
        if (seconds := _agent_duration(agent)) is None:
            continue
        moment = moment_in_utc(agent.get("timestamp"))
        if moment is None:
            durations.append(seconds)
        else:
            timed.append((to_microseconds(moment), seconds))
    busy_until: int | None = None
    for start, seconds in sorted(timed):
        end = start + round(min(seconds, LONGEST_SECONDS) * 1_000_000)
        overlaps = busy_until is not None and start < busy_until
        durations.append(max(0, end - (busy_until or 0)) / 1_000_000 if overlaps else seconds)
        busy_until = end if busy_until is None else max(busy_until, end)
    return sum_floats(durations) if durations else None


def _agent_duration(agent: Mapping[str, Any]) -> float | None:
    """Return an agent's own duration, or else the time between its start and end."""
    seconds = coerce_number(agent.get("duration_seconds"))
    if seconds is not None:
        return seconds
    start, end = moment_in_utc(agent.get("timestamp")), moment_in_utc(agent.get("ended_at"))
    return (end - start).total_seconds() if start and end and start <= end else None


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
