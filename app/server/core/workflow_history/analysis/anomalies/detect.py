"""Detect all anomalies of a history: rank regressions, improvements and outliers from columns of runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ...common.column_data import ColumnTable
from .cause_grouping import ChangeGroup, group_changes
from .change_points import ChangePoint, Segment, segments_and_changes
from .outliers import Outlier, outliers
from .rank_tests import benjamini_hochberg
from .series import TemplateSeries, template_series

FALSE_DISCOVERY_RATE: Final = 0.05  # share of the reported changes that may be due to chance


@dataclass(frozen=True, slots=True)
class Detected:
    """All detected anomalies."""

    series: int  # number of series tested
    regressions: tuple[ChangeGroup, ...]  # largest excess cost first
    improvements: tuple[ChangeGroup, ...]
    outliers: tuple[Outlier, ...]


def detect(runs: ColumnTable, agents: ColumnTable, since: int, phases: Collection[str] = ()) -> Detected:
    """Return the regressions and improvements since a time, and the outliers.

    `since` is in µs since 1970; `phases` restricts the result to these phases.
    """
    series: list[tuple[TemplateSeries, Segment, ChangePoint | None]] = []
    for lane in template_series(runs, agents, since):
        series += [
            (lane, steady, change)
            for steady, change in segments_and_changes(lane)
            if not phases or steady.name[0] in phases
        ]
    changes = [(lane, change) for lane, _, change in series if change is not None]
    kept = benjamini_hochberg([change.chance for _, change in changes], FALSE_DISCOVERY_RATE, len(series))
    by_lane: dict[int, tuple[TemplateSeries, list[Segment], list[ChangePoint]]] = {}
    for lane, steady, _ in series:
        by_lane.setdefault(id(lane), (lane, [], []))[1].append(steady)
    for (lane, change), real in zip(changes, kept, strict=True):
        if real:
            by_lane[id(lane)][2].append(change)
    projects = runs.categorical["project"]
    found = [
        group
        for lane, _, some in by_lane.values()
        for group in group_changes(lane, projects.take(lane.rows), some)
    ]
    return Detected(
        len(series),
        tuple(sorted((group for group in found if group.main.is_worse), key=_rank)),
        tuple(sorted((group for group in found if not group.main.is_worse), key=_rank)),
        tuple(sorted(
            (one for lane, steady, _ in by_lane.values() for one in outliers(lane, steady)),
            key=lambda one: (-one.extra, -one.score),
        )),
    )  # fmt: skip


def _rank(group: ChangeGroup) -> tuple[bool, float, float]:
    """Sort by excess cost, then by p-value; changes without an excess cost come last."""
    return group.extra is None, -abs(group.extra or 0.0), group.main.chance
