"""Sum the time in which a session was active, from the times in its transcript. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise

MAX_GAP = 300.0  # seconds; a longer gap is a break


def sum_active_seconds(times: Iterable[datetime]) -> float | None:
    """Return the sum of the gaps under five minutes, in seconds; None without any time.

    >>> sum_active_seconds(datetime(2026, 1, 2, hour, minute) for hour, minute in [(9, 2), (9, 0), (12, 0)])
    120.0
    """
    ordered = sorted(times)
    return sum([active_gap(*pair) for pair in pairwise(ordered)], 0.0) if ordered else None


def active_gap(earlier: datetime | None, later: datetime | None) -> float:
    """Return the seconds between two times if they are a gap under five minutes, otherwise 0.0."""
    gap = (later - earlier).total_seconds() if earlier and later else 0.0
    return gap if 0 < gap < MAX_GAP else 0.0
