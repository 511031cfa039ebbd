"""Detect all anomalies of a history: rank regressions, improvements and outliers from columns of runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ...common.column_data import ColumnTable
from .cause_grouping import ChangeGroup, group_changes
from .change_points import ChangePoint, Segment, segments_and_changes
from .outliers import Outlier, find_outliers
from .rank_tests import benjamini_hochberg
from .series import TemplateSeries, template_series

FALSE_DISCOVERY_RATE: Final = 0.05  # share of the reported changes that may be due to chance


@dataclass(frozen=True, slots=True)
class DetectedAnomalies:
    """All detected anomalies."""

    series_count: int  # number of series tested
    regressions: tuple[ChangeGroup, ...]  # largest excess cost first
    improvements: tuple[ChangeGroup, ...]
    outliers: tuple[Outlier, ...]


def detect_anomalies(
    runs: ColumnTable, agents: ColumnTable, since: int, phases: Collection[str] = ()
) -> DetectedAnomalies:
    """Return the regressions and improvements since a time, and the outliers.

    `since` is in µs since 1970; `phases` restricts the result to these phases.
    """
    segments: list[tuple[TemplateSeries, Segment, ChangePoint | None]] = []
    for series in template_series(runs, agents, since):
        segments += [
            (series, segment, change)
            for segment, change in segments_and_changes(series)
            if not phases or segment.name[0] in phases
        ]
    changes = [(series, change) for series, _, change in segments if change is not None]
    significant = benjamini_hochberg(
        [change.p_value for _, change in changes], FALSE_DISCOVERY_RATE, len(segments)
    )
    by_template: dict[int, tuple[TemplateSeries, list[Segment], list[ChangePoint]]] = {}
    for series, segment, _ in segments:
        by_template.setdefault(id(series), (series, [], []))[1].append(segment)
    for (series, change), is_significant in zip(changes, significant, strict=True):
        if is_significant:
            by_template[id(series)][2].append(change)
    projects = runs.categorical["project"]
    groups = [
        group
        for series, _, own_changes in by_template.values()
        for group in group_changes(series, projects.take(series.rows), own_changes)
    ]
    return DetectedAnomalies(
        len(segments),
        tuple(sorted((group for group in groups if group.main.is_worse), key=_excess_cost_order)),
        tuple(sorted((group for group in groups if not group.main.is_worse), key=_excess_cost_order)),
        tuple(sorted(
            (outlier for series, own, _ in by_template.values() for outlier in find_outliers(series, own)),
            key=lambda outlier: (-outlier.excess_cost, -outlier.score),
        )),
    )  # fmt: skip


def _excess_cost_order(group: ChangeGroup) -> tuple[bool, float, float]:
    """Sort by excess cost, then by p-value; changes without an excess cost come last."""
    return group.excess_cost is None, -abs(group.excess_cost or 0.0), group.main.p_value
