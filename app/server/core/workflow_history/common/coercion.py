"""Read evidence off a workflow dict of any origin: a clean value, or None where there is none.

Never guesses and never raises: a text where a number belongs, a NaN or a negative amount is no evidence.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import fsum, isfinite
from typing import Any, Final

_NUMBERS = (int, float, Decimal)  # a tuple: `int | float` is put together anew at each call
_LISTS = (list, tuple)
_LONGEST_DATE = 10  # characters of a date alone
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LONGEST_SECONDS: Final = 1e9
"""Where it is looked up which agents worked side by side, none lasts longer."""


def coerce_number(value: object) -> float | None:
    """Read a finite number from 0 on; everything else, bools too, is None.

    >>> (coerce_number(0), coerce_number(1.5), coerce_number(-1), coerce_number(True),
    ...  coerce_number("2"), coerce_number(float("nan")))
    (0.0, 1.5, None, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        return None
    try:
        amount = float(value)
    except (OverflowError, ValueError):  # an int beyond floats; a signalling NaN
        return None
    return amount + 0.0 if isfinite(amount) and amount >= 0 else None


def sum_floats(amounts: Iterable[float]) -> float:
    """Sum exactly, whatever the order, held at the largest float instead of infinity."""
    try:
        amount = fsum(amounts)
    except OverflowError:
        return sys.float_info.max
    return min(amount, sys.float_info.max)


def coerce_word(value: object) -> str | None:
    """Read a name, without outer spaces and in lower case; None where it is empty or no text."""
    return (value.strip().lower() or None) if isinstance(value, str) else None


def list_agent_runs(costs: object, key: str = "phase_costs") -> list[Mapping[str, Any]]:
    """List the agent runs under `key`; what is no dict is left out."""
    entries = costs.get(key) if isinstance(costs, Mapping) else None
    if not isinstance(entries, _LISTS):
        return []
    return [entry for entry in entries if type(entry) is dict or isinstance(entry, Mapping)]


def parse_timestamp(value: object) -> datetime | None:
    """Read the time in an ISO 8601 text, with its offset as given; a date alone is no time.

    >>> parse_timestamp("2025-01-01T09:30:00+02:00").hour
    9
    >>> parse_timestamp("2025-01-01") is None
    True
    """
    if not isinstance(value, str):
        return None
    text = value.strip()
    if len(text) <= _LONGEST_DATE and _is_date(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def moment_in_utc(value: object) -> datetime | None:
    """Read the same time as UTC; one without a zone is taken for UTC, since nothing else is known.

    >>> moment_in_utc("2025-01-01T09:30:00").isoformat()
    '2025-01-01T09:30:00+00:00'
    """
    when = parse_timestamp(value)
    if when is None:
        return None
    try:
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except OverflowError:
        return None


def is_at_least_so_long(run: Mapping[str, Any]) -> bool:
    """Return whether a run's known duration leaves out the work of some of its agents."""
    return (
        run.get("duration_basis") == "lower_bound" and coerce_number(run.get("duration_seconds")) is not None
    )


def worked_seconds(agents: Iterable[Mapping[str, Any]]) -> float | None:
    """Return how long some agents worked, in seconds; what several did side by side counts once.

    Each works from its start for its own duration; without a start it adds that. None: no duration is known.

    >>> main = {"timestamp": "2026-07-01T09:00:00Z", "duration_seconds": 180}
    >>> worked_seconds([main, {"timestamp": "2026-07-01T09:01:00Z", "duration_seconds": 90}])
    180.0
    """
    spans = [(_microseconds(agent), seconds) for agent in agents if (seconds := _lasted(agent)) is not None]
    parts = [seconds for start, seconds in spans if start is None]
    until: int | None = None
    for start, seconds in sorted((start, seconds) for start, seconds in spans if start is not None):
        end = start + round(min(seconds, LONGEST_SECONDS) * 1_000_000)
        beside = until is not None and start < until
        parts.append(max(0, end - (until or 0)) / 1_000_000 if beside else seconds)
        until = end if until is None else max(until, end)
    return sum_floats(parts) if parts else None


def _lasted(agent: Mapping[str, Any]) -> float | None:
    """Return an agent's own duration, else what lies between its start and end."""
    seconds = coerce_number(agent.get("duration_seconds"))
    if seconds is not None:
        return seconds
    start, end = moment_in_utc(agent.get("timestamp")), moment_in_utc(agent.get("ended_at"))
    return (end - start).total_seconds() if start and end and start <= end else None


def _microseconds(agent: Mapping[str, Any]) -> int | None:
    """Return when an agent began, in microseconds since 1970."""
    start = moment_in_utc(agent.get("timestamp"))
    return None if start is None else (start - _EPOCH) // timedelta(microseconds=1)


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
