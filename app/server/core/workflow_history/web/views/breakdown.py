"""Prepare groups of runs over time for a page: stacked columns and rows of small plots. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from markupsafe import Markup

from ...analysis.statistics.records import GroupStatistics, RunStatistics, Timeline
from ...common.formatting.agents import short_model
from ...common.formatting.numbers import pluralize
from ...common.formatting.text import single_line, truncate
from ...presentation.statistics import minimum_cost
from ..charts.axis_units import MONEY, max_known
from ..charts.inline_charts import sparkline
from ..charts.stacked import MAX_SERIES, Series, legend_swatch, stacked
from ..charts.time_series import Point
from ..rendering import url_for
from .measures import MEASURES, Measure
from .periods import Periods
from .timeline import dated_groups, point

MOST_GROUPS: Final = 12
"""Maximum number of rows of small plots. The most expensive groups are shown."""

SMALL_MULTIPLE_MEASURES: Final = tuple(
    one for one in MEASURES if one.change in {"cost", "cost_per_run", "success_rate", "duration"}
)
"""Metrics that are plotted for each group."""

NAMES: Final = {"template": "workflow", "issue_class": "class"}
"""Display names of groupings, if they differ from the key."""

_PARAMETERS: Final = {"template", "model", "phase", "issue_class", "project", "status"}

Cells = dict[str | None, dict[date, GroupStatistics]]
"""Statistics by group and first day of the period."""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group with its small plots."""

    name: str
    title: str  # full name
    href: str | None
    swatch: Markup | None  # None: merged into "others" in the stacked chart
    figures: GroupStatistics
    cells: tuple[tuple[str, Markup], ...]  # by metric: value over all its runs, sparkline


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Chart, legend and rows of groups over time."""

    name: str  # display name of the grouping
    shared: bool  # whether a run may be in several groups
    wide: Markup
    narrow: Markup
    legend: tuple[tuple[Markup, str], ...]
    titles: tuple[str, ...]  # column titles of the cells
    rows: tuple[GroupRow, ...]
    hidden: int  # number of groups without a row


def build_breakdown(found: Timeline, periods: Periods) -> Breakdown | None:
    """Build the breakdown; None if no second grouping was requested or there are no groups."""
    groups, crossed = found.groups, found.crossed
    if groups is None or crossed is None or not groups.groups:
        return None
    return _Splitting(found, groups, crossed, periods).split()


class _Splitting:
    """Builder of the breakdown of one timeline."""

    def __init__(
        self, found: Timeline, groups: RunStatistics, crossed: RunStatistics, periods: Periods
    ) -> None:
        self._timed = dated_groups(found.whole.groups)
        self._groups = groups
        self._periods = periods
        self._cells: Cells = defaultdict(dict)
        for one in crossed.groups:
            if one.first_day is not None:
                self._cells[one.across][one.first_day] = one
        self._shown = groups.groups[:MOST_GROUPS]
        every = [figures for one in self._shown for figures in self._cells[one.name].values()]
        self._ends = [
            one.unit.most or max_known(one.value(figures) for figures in every)
            for one in SMALL_MULTIPLE_MEASURES
        ]

    def split(self) -> Breakdown:
        """Build the breakdown."""
        by = self._groups.by
        name, points, series = NAMES.get(by, by), self._points(), self._series()
        return Breakdown(
            name,
            shared=by in {"phase", "model"},
            wide=stacked(f"Cost by {name}", points, series, MONEY),
            narrow=stacked(f"Cost by {name}", points, series, MONEY, narrow=True),
            legend=tuple((legend_swatch(place), one.name) for place, one in enumerate(series)),
            titles=tuple(measure.title for measure in SMALL_MULTIPLE_MEASURES),
            rows=tuple(self._row(place, one) for place, one in enumerate(self._shown)),
            hidden=len(self._groups.groups) - len(self._shown),
        )

    def _points(self) -> list[Point]:
        cost = SMALL_MULTIPLE_MEASURES[0]
        return [point(cost, day, one, self._periods) for day, one in self._timed]

    def _series(self) -> list[Series]:
        """Return a series for each of the most expensive groups, and one for all others."""
        groups, by = self._groups.groups, self._groups.by
        first = groups[: MAX_SERIES - 1] if len(groups) > MAX_SERIES else groups
        rest = groups[len(first) :]
        found = [Series(name_of(by, one.name), self._spent([one.name])) for one in first]
        if rest:
            found.append(Series(pluralize(len(rest), "other"), self._spent([one.name for one in rest])))
        return found

    def _spent(self, names: Sequence[str | None]) -> tuple[float, ...]:
        """Return the total cost of some groups in each period, in USD."""
        return tuple(
            sum(minimum_cost(self._cells[name][day]) for name in names if day in self._cells[name])
            for day, _ in self._timed
        )

    def _row(self, place: int, one: GroupStatistics) -> GroupRow:
        by, drawn = self._groups.by, place < MAX_SERIES - 1 or len(self._groups.groups) <= MAX_SERIES
        name = name_of(by, one.name)
        known = one.name is not None and by in _PARAMETERS
        parameter = NAMES["issue_class"] if by == "issue_class" else by
        return GroupRow(
            name,
            title=single_line(one.name) if one.name else "unknown",
            href=url_for("/", {**self._periods.given, parameter: [one.name]}) if known else None,
            swatch=legend_swatch(place) if drawn else None,
            figures=one,
            cells=tuple(
                (measure.format(one), self._line(measure, end, one.name, name))
                for measure, end in zip(SMALL_MULTIPLE_MEASURES, self._ends, strict=True)
            ),
        )

    def _line(self, measure: Measure, end: float, group: str | None, name: str) -> Markup:
        """Return one group's sparkline. In a period without runs, sums are 0, medians and rates unknown."""
        cells, empty = self._cells[group], 0.0 if measure.kind == "columns" else None
        points = [
            point(measure, day, cells[day], self._periods)
            if day in cells
            else Point(self._periods.short(day), f"{self._periods.long(day)}: no run", empty)
            for day, _ in self._timed
        ]
        return sparkline(points, end, f"{measure.title}, {name}", measure.unit)


def name_of(by: str, name: str | None) -> str:
    """Return a group's display name.

    >>> name_of("model", "claude-sonnet-4-5-20250929"), name_of("template", None)
    ('sonnet-4-5', 'unknown')
    """
    if name is None:
        return "unknown"
    return short_model(name) if by == "model" else truncate(single_line(name), 48) or "unknown"
