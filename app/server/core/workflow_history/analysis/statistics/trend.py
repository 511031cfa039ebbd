"""Compare a period with the previous one of equal length: runs and a period in, changes out. No clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from ...common.column_data import ColumnTable, Integers, is_known
from ...common.errors import InvalidQueryError
from ...common.plausible_dates import ImplausibleDates, to_microseconds
from .group_statistics import aggregate_all, total_figures
from .records import Change, GroupStatistics, Trend

MIN_RUNS: Final = 10
"""Number of runs: the change of a metric that is based on fewer may be noise."""


class _Figure(NamedTuple):
    """A metric to compare."""

    name: str
    unit: str
    value: Callable[[GroupStatistics], float | None]
    runs: Callable[[GroupStatistics], int]  # number of runs that the value is based on


_FIGURES: Final = (
    _Figure("runs", "runs", lambda f: f.runs, lambda f: f.runs),
    _Figure("success_rate", "share", lambda f: f.success_rate, lambda f: f.completed + f.failed),
    _Figure("cost", "USD", lambda f: f.cost.total, lambda f: f.cost.runs),
    _Figure("cost_per_run", "USD", lambda f: f.cost.median, lambda f: f.cost.runs),
    _Figure("duration", "seconds", lambda f: f.duration.median, lambda f: f.duration.runs),
    _Figure("tokens", "tokens", lambda f: f.tokens.total, lambda f: f.runs),
    _Figure("cache_hit_share", "share", lambda f: f.cache_hit_share, lambda f: f.runs),
)
"""Metrics to compare: cost per run and duration by their medians, which one outlier does not move."""


def compare_periods(runs: ColumnTable, period: timedelta, now: datetime, misdated: ImplausibleDates) -> Trend:
    """Compare the period that ends at `now` with the previous one; `misdated` runs are in neither.

    Raises InvalidQueryError if the period is not positive or starts before the calendar does.
    """
    if period <= timedelta(0):
        raise InvalidQueryError(f"a period of {period} has no length; say a number of days above 0")
    try:
        begins, before = now - period, now - 2 * period
    except OverflowError as error:
        raise InvalidQueryError(f"a period of {period} goes back before the calendar began") from error
    moments = runs.integers["created_at"]
    current, former = _between(runs, begins, now), _between(runs, before, begins)
    first = moments[is_known(moments)].min(initial=to_microseconds(now))
    return Trend(
        begins=begins.astimezone(UTC),
        ends=now.astimezone(UTC),
        before_begins=before.astimezone(UTC),
        before_is_whole=bool(first <= to_microseconds(before)),
        changes=tuple(_change(figure, current, former) for figure in _FIGURES),
        misdated=misdated,
    )


def _between(runs: ColumnTable, begin: datetime, end: datetime) -> GroupStatistics:
    """Return the statistics of the runs created from `begin` (inclusive) to `end` (exclusive)."""
    moments: Integers = runs.integers["created_at"]
    there = runs.take((moments >= to_microseconds(begin)) & (moments < to_microseconds(end)))
    return total_figures(aggregate_all(there))


def _change(figure: _Figure, current: GroupStatistics, former: GroupStatistics) -> Change:
    now, before = figure.value(current), figure.value(former)
    change = None if now is None or before is None else round(now - before, 9)
    rests = figure.runs(current), figure.runs(former)
    return Change(
        figure=figure.name,
        unit=figure.unit,
        now=now,
        before=before,
        change=change,
        change_percent=None if change is None or not before else 100 * change / before,
        runs_now=rests[0],
        runs_before=rests[1],
        thin=min(rests) < MIN_RUNS,
    )
