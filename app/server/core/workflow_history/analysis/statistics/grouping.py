"""Put rows into groups: columns and what to group by in, each row's group and the groups' names out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np

from ...common.column_data import (
    MISSING_CODE,
    CategoricalColumn,
    ColumnTable,
    Flags,
    Integers,
    TableName,
    is_known,
)
from ...common.errors import InvalidQueryError
from .grouped_sums import Codes
from .time_zones import DAY, HOUR, to_local

MAX_GROUPS: Final = 5_000
"""Of time: more can neither be read nor drawn."""

RUN_GROUPINGS: Final[Mapping[str, str]] = {
    "status": "status",
    "project": "project",
    "template": "workflow_template",
    "issue_class": "issue_class",
}
"""Groupings by a word of the run, and its column."""

PART_GROUPINGS: Final[Mapping[str, TableName]] = {
    "phase": "run_phases",
    "agent": "run_agents",
    "model": "run_models",
}
"""Groupings that share a run out, and the family that does."""

TIME_GROUPINGS: Final = ("day", "week", "month", "hour", "weekday")

GROUPINGS: Final = (*TIME_GROUPINGS, *RUN_GROUPINGS, *PART_GROUPINGS)
"""Everything that can be grouped by."""

Group = tuple[str | None, str | None]
"""The name of a group, and that of the second grouping's group within it."""

_IN_A_TABLE: Final = 1 << 18  # pairs of groups
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FIRST_DAY: Final = date.min.toordinal() - date(1970, 1, 1).toordinal()  # days since 1970
_LAST_DAY: Final = date.max.toordinal() - date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which group each row is in."""

    codes: Codes  # place in `names`
    names: tuple[str | None, ...]  # None: unknown, always the last
    days: tuple[date | None, ...] | None = None  # first day of each group; None: no grouping by day
    in_order: bool = False  # the groups stand in the order of time
    keeps_empty: bool = False  # a group without a row is there too

    def take(self, rows: Integers) -> Grouping:
        """Return the grouping of the rows that numbers name."""
        return replace(self, codes=self.codes[rows])


def get_grouping(by: str) -> str:
    """Return the grouping that is meant; raises InvalidQueryError where there is none.

    >>> get_grouping("class")
    'issue_class'
    """
    name = "issue_class" if by == "class" else by
    if name not in GROUPINGS:
        raise InvalidQueryError(f"no grouping {by!r}; use one of: {', '.join(GROUPINGS)}")
    return name


def group_by_category(words: CategoricalColumn) -> Grouping:
    """Group by a word."""
    codes = np.where(words.codes == MISSING_CODE, len(words.categories), words.codes)
    return Grouping(codes, (*words.categories, None))


def group_runs(runs: ColumnTable, by: str, zone: str) -> Grouping:
    """Group runs by what each of them is or when it was made."""
    if by in RUN_GROUPINGS:
        return group_by_category(runs.categorical[RUN_GROUPINGS[by]])
    return _by_time(to_local(runs.integers["created_at"], zone), by)


def encode_groups(by: Grouping, across: Grouping | None = None) -> tuple[Codes, list[Group]]:
    """Return each row's group and the groups, by one thing or two that are crossed: then only what occurs."""
    if across is None:
        return by.codes, [(name, None) for name in by.names]
    width = len(across.names)
    pairs = by.codes.astype(np.int64) * width + across.codes
    if len(by.names) * width <= _IN_A_TABLE:  # far faster than to put them in order
        occurring = np.flatnonzero(np.bincount(pairs))
        table = np.zeros(len(by.names) * width, np.int64)
        table[occurring] = np.arange(len(occurring))
        codes = table[pairs]
    else:
        occurring, codes = np.unique(pairs, return_inverse=True)
    places = (divmod(pair, width) for pair in occurring.tolist())
    return codes, [(by.names[first], across.names[second]) for first, second in places]


def _by_time(local: Integers, by: str) -> Grouping:
    there = is_known(local)
    days = np.clip(local // DAY, _FIRST_DAY, _LAST_DAY)
    if by == "hour":
        return _cycle(local % DAY // HOUR, there, tuple(f"{hour:02}" for hour in range(24)))
    if by == "weekday":
        return _cycle((days + 3) % 7, there, _WEEKDAYS)  # 1970 began on a Thursday
    numbers, first_day = _NUMBERED[by]
    found = numbers(days)
    first, last = (int(found[there].min()), int(found[there].max())) if there.any() else (0, -1)
    _check_number(by, first_day(first), first_day(last), last - first + 1)
    begins = tuple(first_day(number) for number in range(first, last + 1))
    names = tuple(_NAMES[by](begin) for begin in begins)
    codes = np.where(there, found - first, len(names))
    return Grouping(codes, (*names, None), (*begins, None), in_order=True, keeps_empty=True)


def _cycle(numbers: Integers, there: Flags, names: tuple[str, ...]) -> Grouping:
    return Grouping(np.where(there, numbers, len(names)), (*names, None), in_order=True, keeps_empty=True)


def _check_number(by: str, first: date, last: date, number: int) -> None:
    if number > MAX_GROUPS:
        raise InvalidQueryError(
            f"{number:,} groups from {first} to {last} are too many by {by}, {MAX_GROUPS:,} at most; "
            "take a longer unit, or only runs since a certain day"
        )


def _day(number: int) -> date:
    return date.fromordinal(date(1970, 1, 1).toordinal() + min(max(number, _FIRST_DAY), _LAST_DAY))


def _month(number: int) -> date:
    return date(1970 + number // 12, number % 12 + 1, 1)


def _months(days: Integers) -> Integers:
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


_NUMBERED: Mapping[str, tuple[Callable[[Integers], Integers], Callable[[int], date]]] = {
    "day": (lambda days: days, _day),
    "week": (lambda days: (days + 3) // 7, lambda number: _day(number * 7 - 3)),
    "month": (_months, _month),
}
"""How the groups of a unit of time are numbered without a gap, and on which day each begins."""

_NAMES: Mapping[str, Callable[[date], str]] = {
    "day": date.isoformat,
    "week": lambda day: f"{day.isocalendar().year}-W{day.isocalendar().week:02}",
    "month": lambda day: f"{day:%Y-%m}",
}
