"""Group rows: columns and a grouping's name in, the group of each row and the groups' names out."""

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
from ...common.errors import InvalidQueryError, InvalidValueError
from ...common.grouping_names import TYPED_NAMES
from .grouped_sums import Codes
from .time_zones import DAY, HOUR, to_local

MAX_GROUPS: Final = 5_000
"""Maximum number of time groups: more can be neither read nor drawn."""

RUN_GROUPINGS: Final[Mapping[str, str]] = {
    "status": "status",
    "project": "project",
    "template": "workflow_template",
    "issue_class": "issue_class",
    "branch": "branch_name",
    "issue": "issue_number",
    "pr": "pull_request",
}
"""Groupings by a property of the run, with its column."""

PART_GROUPINGS: Final[Mapping[str, TableName]] = {
    "phase": "run_phases",
    "agent": "run_agents",
    "model": "run_models",
}
"""Groupings that split a run into parts, with the table of the parts."""

TIME_GROUPINGS: Final = ("day", "week", "month", "hour", "weekday")

GROUPINGS: Final = (*TIME_GROUPINGS, *RUN_GROUPINGS, *PART_GROUPINGS)

TYPED_GROUPINGS: Final = tuple(TYPED_NAMES.get(name, name) for name in GROUPINGS)
"""Groupings as they are typed; `resolve_grouping` accepts these names and those in GROUPINGS."""

Group = tuple[str | None, str | None]
"""Name of a group, and name of the second grouping's group within it."""

_MAX_TABLE_SIZE: Final = 1 << 18  # maximum number of pairs of groups for a lookup table
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FIRST_DAY: Final = date.min.toordinal() - date(1970, 1, 1).toordinal()  # days since 1970
_LAST_DAY: Final = date.max.toordinal() - date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Grouping:
    """The group of each row."""

    codes: Codes  # index into `names`
    names: tuple[str | None, ...]  # None: the unknown group, always last
    days: tuple[date | None, ...] | None = None  # first day of each group; None: not grouped by date
    in_order: bool = False  # the groups are in order of time
    keeps_empty: bool = False  # groups without rows are kept

    def take(self, rows: Integers) -> Grouping:
        """Return the grouping of the rows at these positions."""
        return replace(self, codes=self.codes[rows])


def resolve_grouping(by: str) -> str:
    """Return the full name of a grouping; raises InvalidQueryError if there is none.

    >>> resolve_grouping("class"), resolve_grouping("workflow")
    ('issue_class', 'template')
    """
    name = dict(zip(TYPED_GROUPINGS, GROUPINGS, strict=True)).get(by, by)
    if name not in GROUPINGS:
        raise InvalidValueError("by", by, f"Use one of: {', '.join(TYPED_GROUPINGS)}.")
    return name


def group_by_category(column: CategoricalColumn) -> Grouping:
    """Group rows by category."""
    codes = np.where(column.codes == MISSING_CODE, len(column.categories), column.codes)
    return Grouping(codes, (*column.categories, None))


def group_runs(runs: ColumnTable, by: str, zone: str) -> Grouping:
    """Group runs by a property, or by their time of creation in the time zone `zone`."""
    if by in RUN_GROUPINGS:
        return group_by_category(runs.categorical[RUN_GROUPINGS[by]])
    return _group_by_time(to_local(runs.integers["created_at"], zone), by)


def encode_groups(by: Grouping, across: Grouping | None = None) -> tuple[Codes, list[Group]]:
    """Return the group code of each row, and the groups; of two crossed groupings only pairs that occur."""
    if across is None:
        return by.codes, [(name, None) for name in by.names]
    width = len(across.names)
    pairs = by.codes.astype(np.int64) * width + across.codes
    if len(by.names) * width <= _MAX_TABLE_SIZE:  # far faster than sorting
        occurring = np.flatnonzero(np.bincount(pairs))
        table = np.zeros(len(by.names) * width, np.int64)
        table[occurring] = np.arange(len(occurring))
        codes = table[pairs]
    else:
        occurring, codes = np.unique(pairs, return_inverse=True)
    positions = (divmod(pair, width) for pair in occurring.tolist())
    return codes, [(by.names[first], across.names[second]) for first, second in positions]


def _group_by_time(local: Integers, by: str) -> Grouping:
    known = is_known(local)
    days = np.clip(local // DAY, _FIRST_DAY, _LAST_DAY)
    if by == "hour":
        return _cycle(local % DAY // HOUR, known, tuple(f"{hour:02}" for hour in range(24)))
    if by == "weekday":
        return _cycle((days + 3) % 7, known, _WEEKDAYS)  # 1970 began on a Thursday
    number_days, first_day_of = _CALENDAR_UNITS[by]
    numbers = number_days(days)
    first, last = (int(numbers[known].min()), int(numbers[known].max())) if known.any() else (0, -1)
    _check_group_count(by, first_day_of(first), first_day_of(last), last - first + 1)
    first_days = tuple(first_day_of(number) for number in range(first, last + 1))
    names = tuple(_UNIT_NAMES[by](day) for day in first_days)
    codes = np.where(known, numbers - first, len(names))
    return Grouping(codes, (*names, None), (*first_days, None), in_order=True, keeps_empty=True)


def _cycle(numbers: Integers, known: Flags, names: tuple[str, ...]) -> Grouping:
    return Grouping(np.where(known, numbers, len(names)), (*names, None), in_order=True, keeps_empty=True)


def _check_group_count(by: str, first: date, last: date, count: int) -> None:
    if count > MAX_GROUPS:
        raise InvalidQueryError(
            f"Too many groups: {count:,} by {by} from {first} to {last}, at most {MAX_GROUPS:,}. "
            "Use a longer unit, or fewer runs with --since."
        )


def _to_date(number: int) -> date:
    return date.fromordinal(date(1970, 1, 1).toordinal() + min(max(number, _FIRST_DAY), _LAST_DAY))


_CALENDAR_UNITS: Mapping[str, tuple[Callable[[Integers], Integers], Callable[[int], date]]] = {
    "day": (lambda days: days, _to_date),
    "week": (lambda days: (days + 3) // 7, lambda number: _to_date(number * 7 - 3)),
    "month": (
        lambda days: days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64),
        lambda number: date(1970 + number // 12, number % 12 + 1, 1),
    ),
}
"""By unit of time: a function that numbers its groups without gaps, and one for the first day of each."""

_UNIT_NAMES: Mapping[str, Callable[[date], str]] = {
    "day": date.isoformat,
    "week": lambda day: f"{day.isocalendar().year}-W{day.isocalendar().week:02}",
    "month": lambda day: f"{day:%Y-%m}",
}
