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
from ...common.plausible_dates import from_microseconds, to_microseconds
from ...common.time_zones import zone_named

HOUR: Final = 3_600_000_000  # µs
DAY: Final = 24 * HOUR
_FIRST_TIME: Final = to_microseconds(datetime(2, 1, 1, tzinfo=UTC))
_LAST_TIME: Final = to_microseconds(datetime(9998, 1, 1, tzinfo=UTC))

OffsetFunction = Callable[[int], int]
"""Returns the offset from UTC at a given time, both in µs."""


def to_local(times: Integers, zone: str) -> Integers:
    """Convert times (µs since 1970, UTC) to local time in a zone; unknown stays unknown.

    Raises InvalidQueryError if there is no such zone.

    >>> to_local(np.array([0, DAY]), "Asia/Kolkata").tolist()
    [19800000000, 106200000000]
    """
    offset = offset_function(zone)
    local = times.copy()
    known = is_known(times)
    if known.any():
        local[known] += _offsets_at(times[known], offset)
    return local


def offset_function(zone: str) -> OffsetFunction:
    """Return the offset function of a zone; raises InvalidQueryError if there is no such zone."""
    info = zone_named(zone)

    def offset_at(time: int) -> int:
        # Limited so that the local time in any zone is a valid date.
        utc = from_microseconds(min(max(time, _FIRST_TIME), _LAST_TIME))
        return (utc.astimezone(info).utcoffset() or timedelta(0)) // timedelta(microseconds=1)

    return offset_at


def _offsets_at(times: Integers, offset: OffsetFunction) -> Integers:
    offset = cache(offset)  # the end of a day is mostly the start of the next one
    days, day_positions = np.unique(times // DAY, return_inverse=True)
    first = np.array([offset(day * DAY) for day in days.tolist()], np.int64)
    last = np.array([offset((day + 1) * DAY) for day in days.tolist()], np.int64)
    offsets: Integers = first[day_positions]
    for position in np.flatnonzero(first != last).tolist():
        change = _find_change(int(days[position]) * DAY, offset)
        offsets[(day_positions == position) & (times >= change)] = last[position]
    return offsets


def _find_change(day: int, offset: OffsetFunction) -> int:
    """Return the first time of a day with the offset of its end, found by bisection."""
    low, high, new_offset = day, day + DAY, offset(day + DAY)
    while high - low > 1:
        middle = (low + high) // 2
        if offset(middle) == new_offset:
            high = middle
        else:
            low = middle
    return high
