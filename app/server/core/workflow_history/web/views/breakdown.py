"""Prepare groups of runs over time for a page: stacked columns and rows of small plots. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from markupsafe import Markup

from ...analysis.statistics.records import GroupStatistics, RunStatistics, Timeline
from ...common.formatting.numbers import pluralize
from ...common.formatting.text import single_line, truncate
from ...common.grouping_names import GROUPING_LABELS, TYPED_NAMES
from ...presentation.statistics import group_name
from ..charts.axis_units import MONEY, max_known
from ..charts.inline_charts import sparkline
from ..charts.stacked import MAX_SERIES, Look, Series, legend_swatch, series_look, stacked, status_look
from ..charts.time_series import Point
from ..rendering import url_for
from .measures import MEASURES, Measure
from .periods import Periods
from .timeline import data_point, dated_groups

MAX_GROUPS: Final = 12
"""Maximum number of rows of small plots. The most expensive groups are shown."""

SMALL_MULTIPLE_MEASURES: Final = tuple(
    measure for measure in MEASURES if measure.key in {"cost", "cost_per_run", "success_rate", "duration"}
)
"""Metrics that are plotted for each group."""

_MAX_NAME_WIDTH: Final = 48  # cells

_FILTER_PARAMETERS: Final = {
    "template", "model", "phase", "issue_class", "project", "status", "branch", "issue", "pr",
}  # fmt: skip

Cells = dict[str | None, dict[date, GroupStatistics]]
"""Statistics by group and first day of the period."""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group with its small plots."""

    name: str
    title: str  # full name
    href: str | None
    swatch: Markup | None  # None: merged into "others" in the stacked chart
    statistics: GroupStatistics
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


def build_breakdown(timeline: Timeline, periods: Periods) -> Breakdown | None:
    """Build the breakdown; None if no second grouping was requested or there are no groups."""
    groups, crossed = timeline.groups, timeline.crossed
    if groups is None or crossed is None or not groups.groups:
        return None
    return _BreakdownBuilder(timeline, groups, crossed, periods).build()


class _BreakdownBuilder:
    """Builder of the breakdown of one timeline."""

    def __init__(
        self, timeline: Timeline, groups: RunStatistics, crossed: RunStatistics, periods: Periods
    ) -> None:
        self._dated = dated_groups(timeline.whole.groups)
        self._groups = groups
        self._periods = periods
        self._cells: Cells = defaultdict(dict)
        for cell in crossed.groups:
            if cell.first_day is not None:
                self._cells[cell.across][cell.first_day] = cell
        self._visible = groups.groups[:MAX_GROUPS]
        visible_cells = [cell for group in self._visible for cell in self._cells[group.name].values()]
        self._scale_ends = [
            measure.unit.fixed_end or max_known(measure.value(cell) for cell in visible_cells)
            for measure in SMALL_MULTIPLE_MEASURES
        ]

    def build(self) -> Breakdown:
        """Build the breakdown."""
        by = self._groups.by
        name, points, series = GROUPING_LABELS.get(by, by), self._points(), self._series()
        return Breakdown(
            name,
            shared=by in {"phase", "model"},
            wide=stacked(f"Cost by {name}", points, series, MONEY),
            narrow=stacked(f"Cost by {name}", points, series, MONEY, narrow=True),
            legend=tuple((legend_swatch(each.look), each.name) for each in series),
            titles=tuple(measure.title for measure in SMALL_MULTIPLE_MEASURES),
            rows=tuple(self._row(index, group) for index, group in enumerate(self._visible)),
            hidden=len(self._groups.groups) - len(self._visible),
        )

    def _points(self) -> list[Point]:
        cost = SMALL_MULTIPLE_MEASURES[0]
        return [data_point(cost, day, group, self._periods) for day, group in self._dated]

    def _series(self) -> list[Series]:
        """Return a series for each of the most expensive groups, and one for all others."""
        groups, by = self._groups.groups, self._groups.by
        largest = groups[: MAX_SERIES - 1] if len(groups) > MAX_SERIES else groups
        rest = groups[len(largest) :]
        series = [
            Series(_short_name(by, group.name), self._costs([group.name]), self._look(index, group.name))
            for index, group in enumerate(largest)
        ]
        if rest:
            costs = self._costs([group.name for group in rest])
            series.append(Series(pluralize(len(rest), "other"), costs, series_look(len(largest))))
        return series

    def _look(self, index: int, name: str | None) -> Look:
        return status_look(name) if self._groups.by == "status" else series_look(index)

    def _costs(self, names: Sequence[str | None]) -> tuple[float, ...]:
        """Return the total cost of some groups in each period, in USD."""
        return tuple(
            sum(self._cells[name][day].minimum_cost for name in names if day in self._cells[name])
            for day, _ in self._dated
        )

    def _row(self, index: int, group: GroupStatistics) -> GroupRow:
        by, in_chart = self._groups.by, index < MAX_SERIES - 1 or len(self._groups.groups) <= MAX_SERIES
        name = _short_name(by, group.name)
        is_filterable = group.name is not None and by in _FILTER_PARAMETERS
        parameter = TYPED_NAMES.get(by, by)
        return GroupRow(
            name,
            title=single_line(group.name) if group.name else name,
            href=url_for("/", {**self._periods.filter_params, parameter: [group.name]})
            if is_filterable
            else None,
            swatch=legend_swatch(self._look(index, group.name)) if in_chart else None,
            statistics=group,
            cells=tuple(
                (measure.format(group), self._sparkline(measure, end, group.name, name))
                for measure, end in zip(SMALL_MULTIPLE_MEASURES, self._scale_ends, strict=True)
            ),
        )

    def _sparkline(self, measure: Measure, end: float, group: str | None, name: str) -> Markup:
        """Return one group's sparkline. In a period without runs, sums are 0, medians and rates unknown."""
        cells, empty = self._cells[group], 0.0 if measure.kind == "columns" else None
        points = [
            data_point(measure, day, cells[day], self._periods)
            if day in cells
            else Point(self._periods.short(day), f"{self._periods.long(day)}: no runs", empty)
            for day, _ in self._dated
        ]
        return sparkline(points, end, f"{measure.title}, {name}", measure.unit)


def _short_name(by: str, name: str | None) -> str:
    return truncate(group_name(by, name), _MAX_NAME_WIDTH)
