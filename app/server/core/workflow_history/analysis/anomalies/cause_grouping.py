"""Group changes with the same cause: merge the changes of one template into findings.

If a planner misses the cache, its cost, its cache hit rate and the cost of the whole run change at once:
that is one finding about the planner.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import Final

import numpy as np

from ...common.column_data import MISSING_CODE, CategoricalColumn
from ..similarity.portable_numerics import mean_of
from .change_points import ChangePoint, co_movement
from .series import MEASURES, TemplateSeries

SAME_TIME_WINDOW: Final = 0.5  # minimum share of the runs since the earlier change that follow the later one
MIN_MAIN_SHARE: Final = 0.6  # minimum share of the excess cost for one phase to be the cause
RECENT_BEFORE: Final = 10  # number of runs before the change that define the usual value
_MEASURE_ORDER: Final = {name: position for position, name in enumerate(MEASURES)}


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """Changes of one template with one cause."""

    series: TemplateSeries
    main: ChangePoint
    along: tuple[
        ChangePoint, ...
    ]  # changes of other measures of this phase, and of the run's cost, at that moment
    others: tuple[ChangePoint, ...]  # changes of other phases at about the same time
    excess_cost: float | None  # excess cost of all runs since, nanodollars; None: unrelated to cost
    models: tuple[str | None, str | None] | None  # usual model just before and since; None if equal
    projects: tuple[str | None, str | None] | None


def group_changes(
    series: TemplateSeries, projects: CategoricalColumn, changes: Sequence[ChangePoint]
) -> list[ChangeGroup]:
    """Return the findings of one template."""
    clusters: list[list[ChangePoint]] = []
    for change in sorted(changes, key=lambda change: (change.p_value, change.name[1], str(change.name[0]))):
        for cluster in clusters:
            if cluster[0].is_worse == change.is_worse and _is_same_time(series, cluster[0], change):
                cluster.append(change)
                break
        else:
            clusters.append([change])
    return [_build_group(series, projects, cluster) for cluster in clusters]


def _is_same_time(series: TemplateSeries, first: ChangePoint, second: ChangePoint) -> bool:
    run_counts = sorted(len(series.rows) - change.since for change in (first, second))
    return run_counts[0] >= SAME_TIME_WINDOW * run_counts[1]


def _build_group(
    series: TemplateSeries, projects: CategoricalColumn, changes: Sequence[ChangePoint]
) -> ChangeGroup:
    cause = _find_cause(changes)
    main = _prefer_cost(series, cause)
    same_phase = [(main.phase, measure) for measure in MEASURES]
    keys = [key for key in (*same_phase, (None, "cost")) if key != main.name]
    along = [change for key in dict.fromkeys(keys) if (change := co_movement(series, key, main))]
    reported = {main.name, *(change.name for change in along)}
    # The whole run changes with its phase.
    reported |= {(None, measure) for phase, measure in reported if phase is not None}
    return ChangeGroup(
        series,
        main,
        tuple(along),
        tuple(sorted((change for change in changes if change.name not in reported), key=_importance_order)),
        _excess_cost(series, main),
        _usual_change(series.models.get(main.phase), main),
        _usual_change(projects, main),
    )


def _prefer_cost(series: TemplateSeries, cause: ChangePoint) -> ChangePoint:
    """Replace a change by the change of its phase's cost if that moved too; the p-value stays the same."""
    cost = None if cause.measure == "cost" else co_movement(series, (cause.phase, "cost"), cause)
    return cause if cost is None or cost.is_worse != cause.is_worse else cost


def _importance_order(change: ChangePoint) -> tuple[bool, int, float]:
    return change.phase is None, _MEASURE_ORDER[change.measure], -abs(change.excess_cost)


def _find_cause(changes: Sequence[ChangePoint]) -> ChangePoint:
    """Return the change that causes the others.

    Phases come before the whole run, and cost before other measures.
    """
    measure = min((change.measure for change in changes), key=_MEASURE_ORDER.__getitem__)
    same_measure = [change for change in changes if change.measure == measure]
    phase_changes = [change for change in same_measure if change.phase is not None]
    run_changes = [change for change in same_measure if change.phase is None]
    if not phase_changes:
        others = [change for change in changes if change.phase is not None and change.measure != "cost"]
        return (
            run_changes[0]
            if measure == "cost" or not others
            else min(others, key=lambda change: (_MEASURE_ORDER[change.measure], change.p_value))
        )
    largest = max(phase_changes, key=lambda change: abs(change.excess_cost))
    if measure == "cost" and run_changes:
        total = fsum(abs(change.excess_cost) for change in phase_changes)
        return largest if abs(largest.excess_cost) >= MIN_MAIN_SHARE * total else run_changes[0]
    return largest


def _excess_cost(series: TemplateSeries, main: ChangePoint) -> float | None:
    """Return the excess cost: of the cost change itself, or of the additional failures."""
    if main.measure == "cost":
        return main.excess_cost
    costs = series.values.get((main.phase, "cost"))
    if main.measure != "failures" or costs is None:
        return None
    failed_costs = costs[main.after_rows[main.after_values == 1.0]]
    failed_costs = failed_costs[~np.isnan(failed_costs)]
    return mean_of(failed_costs) * main.excess_cost if len(failed_costs) and main.is_worse else None


def _usual_change(
    column: CategoricalColumn | None, main: ChangePoint
) -> tuple[str | None, str | None] | None:
    """Return the usual value just before and since the change, if they differ."""
    if column is None:
        return None
    before = _majority_value(column, main.before_rows[-RECENT_BEFORE:].tolist())
    after = _majority_value(column, main.after_rows.tolist())
    return None if before is None or after is None or before == after else (before, after)


def _majority_value(column: CategoricalColumn, rows: Sequence[int]) -> str | None:
    """Return the value of more than half of the runs, or None."""
    counts = Counter(column.codes[rows].tolist())
    code, count = counts.most_common(1)[0] if counts else (MISSING_CODE, 0)
    return column.categories[code] if code != MISSING_CODE and count * 2 > len(rows) else None
