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
from .measures import MEASURES, Measure
from .periods import Periods


@dataclass(frozen=True, slots=True)
class Card:
    """Chart of one metric over time."""

    measure: Measure
    chart: Markup
    whole: str  # value over all runs of the page


@dataclass(frozen=True, slots=True)
class Row:
    """Table row of one period."""

    name: str
    href: str | None
    figures: GroupStatistics
    cost: str
    thin: tuple[str, ...]  # titles of the metrics with a low n
    unfinished: bool


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One metric in the current and the previous period."""

    title: str
    now: str
    before: str
    signed: str
    change: Change


def cards(found: Timeline, periods: Periods) -> list[Card]:
    """Build a card for each metric."""
    timed = dated_groups(found.whole.groups)
    return [
        Card(measure, chart(measure, timed, periods), measure.format(found.whole.total))
        for measure in MEASURES
    ]


def rows(found: Timeline, periods: Periods) -> list[Row]:
    """Build rows of the periods with runs, newest first; runs without a time come last."""
    timed = [(day, one) for day, one in reversed(dated_groups(found.whole.groups)) if one.runs]
    silent = [one for one in found.whole.groups if one.first_day is None]
    return [*(_row(day, one, periods) for day, one in timed), *(_row(None, one, periods) for one in silent)]


def changes(found: Timeline) -> list[ChangeRow]:
    """Build the changes, in the order of the cards; empty if there is no trend."""
    by_name = {} if found.trend is None else {change.figure: change for change in found.trend.changes}
    return [
        ChangeRow(
            TREND_LABELS[measure.change],
            format_current(change),
            format_previous(change),
            format_change(change),
            change,
        )
        for measure in MEASURES
        if (change := by_name.get(measure.change)) is not None
    ]


def dated_groups(groups: Sequence[GroupStatistics]) -> list[tuple[date, GroupStatistics]]:
    """Return the groups with a known time, each with its first day."""
    return [(one.first_day, one) for one in groups if one.first_day is not None]


def point(measure: Measure, day: date, one: GroupStatistics, periods: Periods) -> Point:
    """Build the data point of one period."""
    unfinished = periods.is_unfinished(day)
    told = measure.describe(one, periods.long(day)) if one.runs else f"{periods.long(day)}: no run"
    return Point(
        periods.short(day),
        told + (", not over yet" if unfinished else ""),
        measure.value(one),
        thin=measure.has_few_runs(one),
        unfinished=unfinished,
        href=periods.address(day) if one.runs else None,
    )


def chart(measure: Measure, timed: Sequence[tuple[date, GroupStatistics]], periods: Periods) -> Markup:
    """Draw the chart of one metric."""
    points = [point(measure, day, one, periods) for day, one in timed]
    return over_time(measure.title, points, measure.unit, measure.kind)


def _row(day: date | None, one: GroupStatistics, periods: Periods) -> Row:
    return Row(
        name="no time known" if day is None else periods.long(day),
        href=None if day is None else periods.address(day),
        figures=one,
        cost=format_cost(one),
        thin=tuple(measure.title for measure in MEASURES if measure.has_few_runs(one)),
        unfinished=day is not None and periods.is_unfinished(day),
    )
