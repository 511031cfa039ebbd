"""Convert many UTC times to local time at once: µs since 1970 in, µs of local time out. No clock.

The zone's offset is computed at both ends of each day that occurs. Only if the two differ, the time of the
change is searched. So a hundred thousand runs take milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

import numpy as np

from ...common.column_data import Integers, is_known
from ...common.time_zones import zone_named

HOUR: Final = 3_600_000_000  # µs
DAY: Final = 24 * HOUR
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = (datetime(2, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LAST: Final = (datetime(9998, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)

OffsetFunction = Callable[[int], int]
"""Returns the offset from UTC at a given time, both in µs."""


def to_local(moments: Integers, zone: str) -> Integers:
    """Convert times (µs since 1970, UTC) to local time in a zone; unknown stays unknown.

    Raises InvalidQueryError if there is no such zone.

    >>> to_local(np.array([0, DAY]), "Asia/Kolkata").tolist()
    [19800000000, 106200000000]
    """
    offset = get_zone(zone)
    local = moments.copy()
    there = is_known(moments)
    if there.any():
        local[there] += _offsets(moments[there], offset)
    return local


def get_zone(zone: str) -> OffsetFunction:
    """Return the offset function of a zone; raises InvalidQueryError if there is no such zone."""
    info = zone_named(zone)
    return lambda moment: _microseconds(_datetime(moment).astimezone(info).utcoffset())


def _offsets(moments: Integers, offset: OffsetFunction) -> Integers:
    offset = cache(offset)  # the end of a day is mostly the start of the next one
    days, places = np.unique(moments // DAY, return_inverse=True)
    first = np.array([offset(day * DAY) for day in days.tolist()], np.int64)
    last = np.array([offset((day + 1) * DAY) for day in days.tolist()], np.int64)
    found: Integers = first[places]
    for place in np.flatnonzero(first != last).tolist():
        change = _change(int(days[place]) * DAY, offset)
        found[(places == place) & (moments >= change)] = last[place]
    return found


def _change(day: int, offset: OffsetFunction) -> int:
    """Return the first time of a day with the offset of its end, found by bisection."""
    before, after, new = day, day + DAY, offset(day + DAY)
    while after - before > 1:
        middle = (before + after) // 2
        if offset(middle) == new:
            after = middle
        else:
            before = middle
    return after


def _datetime(moment: int) -> datetime:
    """Convert µs since 1970, limited so that the local time in any zone is a valid date."""
    return _EPOCH + timedelta(microseconds=min(max(moment, _FIRST), _LAST))


def _microseconds(offset: timedelta | None) -> int:
    return 0 if offset is None else offset // timedelta(microseconds=1)
