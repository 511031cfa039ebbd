"""Read evidence off a workflow dict of any origin: a clean value, or None where there is none.

Never guesses and never raises: a text where a number belongs, a NaN or a negative amount is no evidence.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from math import fsum, isfinite
from typing import Any

_NUMBERS = (int, float, Decimal)  # a tuple: `int | float` is put together anew at each call
_LISTS = (list, tuple)
_LONGEST_DATE = 10  # characters of a date alone


def number(value: object) -> float | None:
    """Read a finite number from 0 on; everything else, bools too, is None.

    >>> number(0), number(1.5), number(-1), number(True), number("2"), number(float("nan"))
    (0.0, 1.5, None, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        return None
    try:
        amount = float(value)
    except (OverflowError, ValueError):  # an int beyond floats; a signalling NaN
        return None
    return amount + 0.0 if isfinite(amount) and amount >= 0 else None


def total(amounts: Iterable[float]) -> float:
    """Sum exactly, whatever the order, held at the largest float instead of infinity."""
    try:
        amount = fsum(amounts)
    except OverflowError:
        return sys.float_info.max
    return min(amount, sys.float_info.max)


def word(value: object) -> str | None:
    """Read a name, without outer spaces and in lower case; None where it is empty or no text."""
    return (value.strip().lower() or None) if isinstance(value, str) else None


def agent_runs(costs: object, key: str = "phase_costs") -> list[Mapping[str, Any]]:
    """List the agent runs under `key`; what is no dict is left out."""
    entries = costs.get(key) if isinstance(costs, Mapping) else None
    if not isinstance(entries, _LISTS):
        return []
    return [entry for entry in entries if type(entry) is dict or isinstance(entry, Mapping)]


def moment(value: object) -> datetime | None:
    """Read the time in an ISO 8601 text, with its offset as given; a date alone is no time.

    >>> moment("2025-01-01T09:30:00+02:00").hour
    9
    >>> moment("2025-01-01") is None
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
    when = moment(value)
    if when is None:
        return None
    try:
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except OverflowError:
        return None


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
