"""Days and hours in a time zone, of many moments at once: µs since 1970 in, µs of local time out. No clock.

A zone's offset is asked for at both ends of each day that occurs; only on a day on which it changes is the
moment of the change looked for. So a hundred thousand runs take milliseconds.
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
"""Offset from UTC at a moment, both in µs."""


def to_local(moments: Integers, zone: str) -> Integers:
    """Return moments (µs since 1970, UTC) as they are on a zone's clock; unknown stays unknown.

    Raises InvalidQueryError where there is no such zone.

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
    """Return what tells a zone's offset from UTC; raises InvalidQueryError where there is no such zone."""
    info = zone_named(zone)
    return lambda moment: _microseconds(_datetime(moment).astimezone(info).utcoffset())


def _offsets(moments: Integers, offset: OffsetFunction) -> Integers:
    offset = cache(offset)  # one day's end is mostly the next one's beginning
    days, places = np.unique(moments // DAY, return_inverse=True)
    first = np.array([offset(day * DAY) for day in days.tolist()], np.int64)
    last = np.array([offset((day + 1) * DAY) for day in days.tolist()], np.int64)
    found: Integers = first[places]
    for place in np.flatnonzero(first != last).tolist():
        change = _change(int(days[place]) * DAY, offset)
        found[(places == place) & (moments >= change)] = last[place]
    return found


def _change(day: int, offset: OffsetFunction) -> int:
    """Return the first moment of a day that has the offset of its end."""
    before, after, new = day, day + DAY, offset(day + DAY)
    while after - before > 1:
        middle = (before + after) // 2
        if offset(middle) == new:
            after = middle
        else:
            before = middle
    return after


def _datetime(moment: int) -> datetime:
    """Return a moment, held where its local time is still in the calendar."""
    return _EPOCH + timedelta(microseconds=min(max(moment, _FIRST), _LAST))


def _microseconds(offset: timedelta | None) -> int:
    return 0 if offset is None else offset // timedelta(microseconds=1)
