"""Prepare runs over time for a page: charts, changes and table rows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from ...analysis.statistics.records import Change, GroupStatistics, Timeline
from ...presentation.statistics import (
    TREND_LABELS,
    format_change,
    format_cost,
    format_current,
    format_previous,
)
from ..charts.time_series import Point, over_time
from ..rendering import capitalize
from .measures import MEASURES, Measure
from .periods import Periods


@dataclass(frozen=True, slots=True)
class MeasureCard:
    """Chart of one metric over time."""

    measure: Measure
    chart: Markup
    total: str  # value over all runs of the page


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """Table row of one period."""

    name: str
    href: str | None
    statistics: GroupStatistics
    cost: str
    low_n: tuple[str, ...]  # titles of the metrics with a low n
    unfinished: bool


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One metric in the current and the previous period."""

    title: str
    now: str
    before: str
    difference: str
    change: Change


def measure_cards(timeline: Timeline, periods: Periods) -> list[MeasureCard]:
    """Build a card for each metric."""
    dated = dated_groups(timeline.whole.groups)
    return [
        MeasureCard(measure, chart(measure, dated, periods), measure.format(timeline.whole.total))
        for measure in MEASURES
    ]


def period_rows(timeline: Timeline, periods: Periods) -> list[PeriodRow]:
    """Build rows of the periods with runs, newest first; runs without a time come last."""
    dated = [(day, group) for day, group in reversed(dated_groups(timeline.whole.groups)) if group.runs]
    undated = [group for group in timeline.whole.groups if group.first_day is None]
    return [
        *(_period_row(day, group, periods) for day, group in dated),
        *(_period_row(None, group, periods) for group in undated),
    ]


def change_rows(timeline: Timeline) -> list[ChangeRow]:
    """Build the changes, in the order of the cards; empty if there is no trend."""
    changes = {} if timeline.trend is None else {change.figure: change for change in timeline.trend.changes}
    return [
        ChangeRow(
            capitalize(TREND_LABELS[measure.key]),
            format_current(change),
            format_previous(change),
            format_change(change),
            change,
        )
        for measure in MEASURES
        if (change := changes.get(measure.key)) is not None
    ]


def dated_groups(groups: Sequence[GroupStatistics]) -> list[tuple[date, GroupStatistics]]:
    """Return the groups with a known time, each with its first day."""
    return [(group.first_day, group) for group in groups if group.first_day is not None]


def data_point(measure: Measure, day: date, group: GroupStatistics, periods: Periods) -> Point:
    """Build the data point of one period."""
    unfinished = periods.is_unfinished(day)
    title = measure.describe(group, periods.long(day)) if group.runs else f"{periods.long(day)}: no runs"
    return Point(
        periods.short(day),
        title + (", period not complete" if unfinished else ""),
        measure.value(group),
        low_n=measure.has_few_runs(group),
        unfinished=unfinished,
        href=periods.url(day) if group.runs else None,
    )


def chart(measure: Measure, dated: Sequence[tuple[date, GroupStatistics]], periods: Periods) -> Markup:
    """Draw the chart of one metric."""
    points = [data_point(measure, day, group, periods) for day, group in dated]
    return over_time(measure.title, points, measure.unit, measure.kind)


def _period_row(day: date | None, group: GroupStatistics, periods: Periods) -> PeriodRow:
    return PeriodRow(
        name="unknown date" if day is None else periods.long(day),
        href=None if day is None else periods.url(day),
        statistics=group,
        cost=format_cost(group),
        low_n=tuple(measure.title for measure in MEASURES if measure.has_few_runs(group)),
        unfinished=day is not None and periods.is_unfinished(day),
    )
