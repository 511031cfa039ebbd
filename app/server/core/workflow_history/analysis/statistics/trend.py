"""Compare a period with the previous one of equal length: runs and a period in, changes out. No clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from ...common.column_data import ColumnTable, Integers, is_known
from ...common.errors import InvalidQueryError
from ...common.plausible_dates import ImplausibleDates, to_microseconds
from .group_statistics import aggregate_all, build_total
from .records import Change, GroupStatistics, Trend

MIN_RUNS: Final = 10
"""Number of runs: the change of a metric that is based on fewer may be noise."""


class _Metric(NamedTuple):
    """A metric to compare."""

    name: str
    unit: str
    value: Callable[[GroupStatistics], float | None]
    runs: Callable[[GroupStatistics], int]  # number of runs that the value is based on


_METRICS: Final = (
    _Metric("runs", "runs", lambda f: f.runs, lambda f: f.runs),
    _Metric("success_rate", "share", lambda f: f.success_rate, lambda f: f.completed + f.failed),
    _Metric("cost", "USD", lambda f: f.cost.total, lambda f: f.cost.runs),
    _Metric("cost_per_run", "USD", lambda f: f.cost.median, lambda f: f.cost.runs),
    _Metric("duration", "seconds", lambda f: f.duration.median, lambda f: f.duration.runs),
    _Metric("tokens", "tokens", lambda f: f.tokens.total, lambda f: f.runs),
    _Metric("cache_hit_rate", "share", lambda f: f.cache_hit_rate, lambda f: f.runs),
)
"""Metrics to compare: cost per run and duration by their medians, which one outlier does not move."""


def compare_periods(
    runs: ColumnTable, period: timedelta, now: datetime, invalid_timestamps: ImplausibleDates
) -> Trend:
    """Compare the period that ends at `now` with the previous one; `invalid_timestamps` runs are in neither.

    Raises InvalidQueryError if the period is not positive or starts before the calendar does.
    """
    if period <= timedelta(0):
        raise InvalidQueryError(f"Invalid period {period}. Use a period longer than 0, such as 30d.")
    try:
        begin, before_begin = now - period, now - 2 * period
    except OverflowError as error:
        raise InvalidQueryError(
            f"Invalid period {period}: it starts before year 1. Use a shorter one."
        ) from error
    times = runs.integers["created_at"]
    current, previous = _statistics_between(runs, begin, now), _statistics_between(runs, before_begin, begin)
    first = times[is_known(times)].min(initial=to_microseconds(now))
    return Trend(
        begins=begin.astimezone(UTC),
        ends=now.astimezone(UTC),
        before_begins=before_begin.astimezone(UTC),
        before_is_whole=bool(first <= to_microseconds(before_begin)),
        changes=tuple(_change(metric, current, previous) for metric in _METRICS),
        invalid_timestamps=invalid_timestamps,
    )


def _statistics_between(runs: ColumnTable, begin: datetime, end: datetime) -> GroupStatistics:
    """Return the statistics of the runs created from `begin` (inclusive) to `end` (exclusive)."""
    times: Integers = runs.integers["created_at"]
    selected = runs.take((times >= to_microseconds(begin)) & (times < to_microseconds(end)))
    return build_total(aggregate_all(selected))


def _change(metric: _Metric, current: GroupStatistics, previous: GroupStatistics) -> Change:
    now, before = metric.value(current), metric.value(previous)
    change = None if now is None or before is None else round(now - before, 9)
    runs_now, runs_before = metric.runs(current), metric.runs(previous)
    return Change(
        figure=metric.name,
        unit=metric.unit,
        now=now,
        before=before,
        change=change,
        change_percent=None if change is None or not before else 100 * change / before,
        runs_now=runs_now,
        runs_before=runs_before,
        low_n=min(runs_now, runs_before) < MIN_RUNS,
    )
