"""Compute statistics of runs, wasted spend and trends: a filter in, typed results out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from .. import database
from ..analysis.statistics.aggregate_codec import (
    ALL,
    WASTE,
    ColumnReader,
    aggregates_by_part,
    compute_aggregate,
)
from ..analysis.statistics.aggregates import Aggregate, aggregate_measurements, merge_aggregates
from ..analysis.statistics.group_statistics import build_group_statistics, build_total
from ..analysis.statistics.grouping import (
    GROUPINGS,
    PART_GROUPINGS,
    RUN_GROUPINGS,
    TIME_GROUPINGS,
    TYPED_GROUPINGS,
    Grouping,
    encode_groups,
    group_runs,
    resolve_grouping,
)
from ..analysis.statistics.measurements import RUN_COLUMNS, RUN_NAMES, measurements_by_run
from ..analysis.statistics.records import (
    Change,
    Distribution,
    GroupStatistics,
    Overview,
    RunStatistics,
    Timeline,
    TokenTotals,
    Trend,
    Waste,
    WasteKind,
    WasteLocation,
)
from ..analysis.statistics.time_zones import DAY, offset_function
from ..analysis.statistics.trend import compare_periods
from ..analysis.statistics.waste import build_waste
from ..common.column_data import (
    COLUMNS,
    CategoricalColumn,
    ColumnTable,
    Floats,
    Integers,
    TableName,
    is_known,
)
from ..common.errors import InvalidQueryError, InvalidValueError
from ..common.filters import RunFilter, to_timedelta
from ..common.plausible_dates import NO_IMPLAUSIBLE_DATES, ImplausibleDates, resolve_now
from ..common.time_zones import LOCAL_ZONE
from .check_names import matching_keys
from .implausible_dates import drop_implausible_dates

if TYPE_CHECKING:
    from ..storage.history import History

__all__ = [
    "GROUPINGS",
    "TYPED_GROUPINGS",
    "Change",
    "Distribution",
    "GroupStatistics",
    "Overview",
    "RunStatistics",
    "Timeline",
    "TokenTotals",
    "Trend",
    "Waste",
    "WasteKind",
    "WasteLocation",
    "overview",
    "run_statistics",
    "timeline",
    "trend",
    "waste",
]

NO_FILTER = RunFilter()
DEFAULT_PERIOD = timedelta(days=30)
TIME_UNITS: Final[Mapping[str, int]] = {"day": 45, "week": 400, "month": 400 * 366}
"""Time units of a timeline, with the maximum number of days each unit is used for by default."""

NON_TIME_GROUPINGS: Final = tuple(name for name in GROUPINGS if name not in TIME_GROUPINGS)
"""Groupings that are not by time."""


def run_statistics(
    by: str = "month",
    where: RunFilter = NO_FILTER,
    *,
    across: str | None = None,
    tz: str = LOCAL_ZONE,
    now: datetime | None = None,
) -> RunStatistics:
    """Compute statistics of runs grouped by one of GROUPINGS, and optionally by a second one (`across`).

    `tz` is the time zone of days and hours, such as Europe/Berlin; "local" is that of this machine.
    Raises InvalidQueryError if a grouping or time zone is unknown, or for more than 5,000 time groups.
    """
    with _open_query(where, tz, now) as query:
        return query.statistics(by, across)


def timeline(
    where: RunFilter = NO_FILTER,
    *,
    by: str | None = None,
    across: str | None = None,
    tz: str = LOCAL_ZONE,
    period: timedelta | str = DEFAULT_PERIOD,
    now: datetime | None = None,
) -> Timeline:
    """Compute statistics over time, by one of TIME_UNITS; None selects a unit that gives a few dozen groups.

    `across` is a second grouping, not by time. `period` and `now` are those of `trend`. Raises
    InvalidQueryError.
    """
    if by not in (None, *TIME_UNITS):
        raise InvalidValueError("by", by, f"Use one of: {', '.join(TIME_UNITS)}.")
    length = to_timedelta(period, "period")
    if across is not None and resolve_grouping(across) in TIME_GROUPINGS:
        raise InvalidValueError("across", across, f"Use one of: {', '.join(NON_TIME_GROUPINGS)}.")
    with _open_query(where, tz, now) as query:
        unit = by or query.unit()
        return Timeline(
            by=unit,
            whole=query.statistics(unit),
            groups=query.statistics(across) if across else None,
            crossed=query.statistics(unit, across) if across else None,
            trend=None if where.has_dates else query.trend(length),
        )


def waste(where: RunFilter = NO_FILTER) -> Waste:
    """Compute the wasted spend: failed runs, retries, false successes, errors, interrupted agent runs."""
    with _open_query(where) as query:
        return query.waste()


def trend(
    period: timedelta | str = DEFAULT_PERIOD, where: RunFilter = NO_FILTER, *, now: datetime | None = None
) -> Trend:
    """Compare the runs of the period that ends now with those of the equally long period before.

    `period` is a timedelta, or text such as 36h, 30d or 4w. Raises InvalidQueryError.
    """
    length = to_timedelta(period, "period")
    if where.has_dates:
        raise InvalidQueryError("--trend sets the period itself. Omit --since and --until.")
    with _open_query(where, now=now) as query:
        return query.trend(length)


def overview(where: RunFilter = NO_FILTER, *, tz: str = LOCAL_ZONE, now: datetime | None = None) -> Overview:
    """Compute an overview: totals, groups by week, workflow, model and phase, wasted spend, and trend."""
    with _open_query(where, tz, now) as query:
        query.load_aggregates(ALL, "model", "phase", WASTE)
        weeks, templates, models, phases = (
            query.statistics(by) for by in ("week", "template", "model", "phase")
        )
        return Overview(
            total=query.total,
            weeks=weeks,
            templates=templates,
            models=models,
            phases=phases,
            waste=query.waste(),
            trend=None if where.has_dates else query.trend(DEFAULT_PERIOD),
        )


class _Query:
    """The runs of a query: cached aggregates if it has no filter, else the columns of its runs."""

    def __init__(self, history: History | None, where: RunFilter, tz: str, now: datetime) -> None:
        self._history = history
        self._where = where
        self._tz = tz
        self._now = now
        self._aggregates: dict[str, Aggregate] = {}

    def statistics(self, by: str, across: str | None = None) -> RunStatistics:
        """Compute statistics by one or two groupings."""
        names = [resolve_grouping(name) for name in (by, across) if name is not None]
        parts = [name for name in names if name in PART_GROUPINGS]
        if len(parts) > 1 or len(set(names)) < len(names):
            raise InvalidQueryError(
                f"Cannot group by {names[0]} and {names[1]}. Use two different groupings, at most one of "
                f"{', '.join(PART_GROUPINGS)}."
            )
        groups = (
            build_group_statistics(self.load_aggregates(ALL, *parts)[parts[0]])
            if names == parts
            else self._group_statistics(names, *parts)
        )
        is_by_time = any(name in TIME_GROUPINGS for name in names)
        return RunStatistics(
            names[0],
            names[1] if across else None,
            self._tz if is_by_time else None,
            self.total,
            tuple(groups),
            self._without_implausible_dates(self._named_runs)[1] if is_by_time else None,
        )

    @cached_property
    def total(self) -> GroupStatistics:
        """Statistics of all these runs together."""
        return build_total(self.load_aggregates(ALL)[ALL])

    def _group_statistics(self, names: Sequence[str], part: str | None = None) -> list[GroupStatistics]:
        runs = self._with_names(self._runs if part is None else self._named_runs, names)
        dated_runs = self._without_implausible_dates(runs)[0] if set(TIME_GROUPINGS) & set(names) else runs
        groupings = {name: group_runs(dated_runs, name, self._tz) for name in names if name != part}
        if part is None:
            entries = measurements_by_run(runs)
            totals = aggregate_measurements(entries, *encode_groups(*groupings.values()), runs)
        else:
            totals = merge_aggregates(
                [self._aggregate_part(names, part, groupings, span) for span in self._spans(runs)]
            )
        in_order = [groupings.get(name) for name in names]
        return build_group_statistics(totals, *in_order, is_crossed=len(names) > 1)

    def _aggregate_part(
        self, names: Sequence[str], part: str, groupings_by_name: Mapping[str, Grouping], span: _Span
    ) -> Aggregate:
        entries, part_grouping = aggregates_by_part(part, span.read)
        groupings = [
            part_grouping if name == part else groupings_by_name[name].take(span.places[entries.runs])
            for name in names
        ]
        return aggregate_measurements(entries, *encode_groups(*groupings), span.read("runs", RUN_COLUMNS))

    def unit(self) -> str:
        """Return the time unit that gives a few dozen groups."""
        created = self._without_implausible_dates(self._runs)[0].integers["created_at"]
        created = created[is_known(created)]
        days = (int(created.max()) - int(created.min())) / DAY if len(created) else 0.0
        return next((unit for unit, max_days in TIME_UNITS.items() if days <= max_days), "month")

    def waste(self) -> Waste:
        """Compute the wasted spend of these runs."""
        aggregates = self.load_aggregates(ALL, WASTE)
        partial = bool(self.total.runs_costing_more or self.total.runs_without_cost)
        return build_waste(aggregates[WASTE], partial=partial)

    def trend(self, period: timedelta) -> Trend:
        """Compare these runs by period."""
        runs, invalid_timestamps = self._without_implausible_dates(self._runs)
        return compare_periods(runs, period, self._now, invalid_timestamps)

    def _without_implausible_dates(self, runs: ColumnTable) -> tuple[ColumnTable, ImplausibleDates]:
        """Return the runs without implausible dates, and the runs that had one."""
        return (
            (runs, NO_IMPLAUSIBLE_DATES)
            if self._history is None
            else drop_implausible_dates(self._history, runs, self._now)
        )

    def load_aggregates(self, *names: str) -> Mapping[str, Aggregate]:
        """Load these aggregates, which is faster than one after the other, and return all loaded ones."""
        names = tuple(name for name in names if name not in self._aggregates)
        parts: Mapping[str, Sequence[Aggregate]] = {}
        if names and self._history is not None and self._where.is_empty:
            parts = self._history.aggregates(names)
        if names and not any(parts.values()):  # there is a filter, or no run
            spans = [
                {name: compute_aggregate(name, span.read) for name in names}
                for span in self._spans(self._runs)
            ]
            parts = {name: [span[name] for span in spans] for name in names}
        self._aggregates.update({name: merge_aggregates(of_runs) for name, of_runs in parts.items()})
        return self._aggregates

    def _spans(self, runs: ColumnTable) -> Iterator[_Span]:
        """Yield these runs in spans; if there are none, yield one empty span."""
        keys, spans = runs.integers["key"], [] if self._history is None else self._history.key_ranges()
        spans_with_places = [
            (span, np.arange(*np.searchsorted(keys, (span.start, span.stop)))) for span in spans
        ]
        for span, places in [pair for pair in spans_with_places if len(pair[1])] or [
            (range(1), np.arange(0))
        ]:
            yield _Span(places, self._span_reader(runs.take(places), span))

    def _span_reader(self, runs: ColumnTable, keys: range) -> ColumnReader:
        read = _empty_columns if self._history is None else self._history.column_reader(keys)
        return lambda family, names: runs if family == "runs" else read(family, names)

    @cached_property
    def _named_runs(self) -> ColumnTable:
        """Columns for grouping these runs; without a filter no others, which are slower to read."""
        return self._columns("runs", RUN_NAMES) if self._where.is_empty else self._runs

    @cached_property
    def _runs(self) -> ColumnTable:
        runs = self._columns("runs", RUN_COLUMNS)
        if self._history is None or self._where.is_empty:
            return runs
        return runs.take(np.isin(runs.integers["key"], matching_keys(self._history, self._where)))

    def _with_names(self, runs: ColumnTable, groupings: Sequence[str]) -> ColumnTable:
        """Add the columns of these groupings to runs that were read without them."""
        names = [RUN_GROUPINGS[by] for by in groupings if by in RUN_GROUPINGS]
        missing = [name for name in names if name not in runs.categorical]
        if not missing:
            return runs
        columns = self._columns("runs", ("key", *missing))
        if len(columns) > len(runs):
            columns = columns.take(np.isin(columns.integers["key"], runs.integers["key"]))
        return replace(runs, categorical={**runs.categorical, **columns.categorical})

    def _columns(self, family: TableName, names: Sequence[str]) -> ColumnTable:
        if self._history is None:
            return _empty_columns(family, names)
        return self._history.columns(family, names)


class _Span(NamedTuple):
    """Some of the runs of a query."""

    places: Integers  # positions among the runs of the query
    read: ColumnReader


@contextmanager
def _open_query(where: RunFilter, tz: str = LOCAL_ZONE, now: datetime | None = None) -> Iterator[_Query]:
    if not isinstance(where, RunFilter):
        raise InvalidValueError("where", where, "Use a RunFilter.")
    offset_function(tz)  # raises an error for an unknown zone, even if there are no runs
    current_time = resolve_now(now)
    with database.open_if_exists() as history, nullcontext() if history is None else history.snapshot():
        yield _Query(history, where.at(current_time), tz, current_time)


def _empty_columns(family: TableName, names: Sequence[str]) -> ColumnTable:
    """Return empty columns, so that a missing history gives the same results as an empty one."""
    kinds = {name: COLUMNS[family][name] for name in names}
    categorical = {name: CategoricalColumn.from_values(()) for name, kind in kinds.items() if kind == "words"}
    floats: dict[str, Floats] = {
        name: np.empty(0, np.float64) for name, kind in kinds.items() if kind == "real"
    }
    integers: dict[str, Integers] = {
        name: np.empty(0, np.int64) for name in kinds if name not in categorical and name not in floats
    }
    return ColumnTable(family, 0, categorical, integers, floats)
