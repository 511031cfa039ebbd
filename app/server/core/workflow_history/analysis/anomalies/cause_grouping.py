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
_BY_WEIGHT: Final = {name: place for place, name in enumerate(MEASURES)}


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """Changes of one template with one cause."""

    lane: TemplateSeries
    main: ChangePoint
    along: tuple[
        ChangePoint, ...
    ]  # changes of other measures of this phase, and of the run's cost, at that moment
    others: tuple[ChangePoint, ...]  # changes of other phases at about the same time
    extra: float | None  # excess cost of all runs since, nanodollars; None: unrelated to cost
    models: tuple[str | None, str | None] | None  # usual model just before and since; None if equal
    projects: tuple[str | None, str | None] | None


def group_changes(
    lane: TemplateSeries, projects: CategoricalColumn, changes: Sequence[ChangePoint]
) -> list[ChangeGroup]:
    """Return the findings of one template."""
    return [_group(lane, projects, some) for some in _clusters(lane, changes)]


def _clusters(lane: TemplateSeries, changes: Sequence[ChangePoint]) -> list[list[ChangePoint]]:
    found: list[list[ChangePoint]] = []
    for change in sorted(changes, key=lambda change: (change.chance, change.name[1], str(change.name[0]))):
        for cluster in found:
            if cluster[0].is_worse == change.is_worse and _together(lane, cluster[0], change):
                cluster.append(change)
                break
        else:
            found.append([change])
    return found


def _together(lane: TemplateSeries, one: ChangePoint, other: ChangePoint) -> bool:
    since = sorted(len(lane.rows) - change.since for change in (one, other))
    return since[0] >= SAME_TIME_WINDOW * since[1]


def _group(lane: TemplateSeries, projects: CategoricalColumn, changes: Sequence[ChangePoint]) -> ChangeGroup:
    reason = _reason(changes)
    main = _priced(lane, reason)
    same = [(main.phase, measure) for measure in MEASURES]
    names = [name for name in (*same, (None, "cost")) if name != main.name]
    along = [change for name in dict.fromkeys(names) if (change := co_movement(lane, name, main))]
    told = {main.name, *(change.name for change in along)}
    told |= {
        (None, measure) for phase, measure in told if phase is not None
    }  # the whole run changes with its phase
    return ChangeGroup(
        lane,
        main,
        tuple(along),
        tuple(sorted((change for change in changes if change.name not in told), key=_weight)),
        _extra(lane, main),
        _switch(lane.models.get(main.phase), main),
        _switch(projects, main),
    )


def _priced(lane: TemplateSeries, reason: ChangePoint) -> ChangePoint:
    """Replace a change by the change of its phase's cost if that moved too; the p-value stays the same."""
    cost = None if reason.measure == "cost" else co_movement(lane, (reason.phase, "cost"), reason)
    return reason if cost is None or cost.is_worse != reason.is_worse else cost


def _weight(change: ChangePoint) -> tuple[bool, int, float]:
    return change.phase is None, _BY_WEIGHT[change.measure], -abs(change.excess_cost)


def _reason(changes: Sequence[ChangePoint]) -> ChangePoint:
    """Return the change that causes the others.

    Phases come before the whole run, and cost before other measures.
    """
    measure = min((change.measure for change in changes), key=_BY_WEIGHT.__getitem__)
    same = [change for change in changes if change.measure == measure]
    parts = [change for change in same if change.phase is not None]
    whole = [change for change in same if change.phase is None]
    if not parts:
        phases = [change for change in changes if change.phase is not None and change.measure != "cost"]
        return whole[0] if measure == "cost" or not phases else min(phases, key=_certainty)
    largest = max(parts, key=lambda change: abs(change.excess_cost))
    if measure == "cost" and whole:
        total = fsum(abs(change.excess_cost) for change in parts)
        return largest if abs(largest.excess_cost) >= MIN_MAIN_SHARE * total else whole[0]
    return largest


def _certainty(change: ChangePoint) -> tuple[int, float]:
    return _BY_WEIGHT[change.measure], change.chance


def _extra(lane: TemplateSeries, main: ChangePoint) -> float | None:
    """Return the excess cost: of the cost change itself, or of the additional failures."""
    if main.measure == "cost":
        return main.excess_cost
    costs = lane.figures.get((main.phase, "cost"))
    if main.measure != "failures" or costs is None:
        return None
    spent = costs[main.after_rows[main.after_values == 1.0]]
    spent = spent[~np.isnan(spent)]
    return mean_of(spent) * main.excess_cost if len(spent) and main.is_worse else None


def _switch(words: CategoricalColumn | None, main: ChangePoint) -> tuple[str | None, str | None] | None:
    """Return the usual value just before and since the change, if they differ."""
    if words is None:
        return None
    before = _usual(words, main.before_rows[-RECENT_BEFORE:].tolist())
    after = _usual(words, main.after_rows.tolist())
    return None if before is None or after is None or before == after else (before, after)


def _usual(words: CategoricalColumn, rows: Sequence[int]) -> str | None:
    """Return the value of more than half of the runs, or None."""
    counts = Counter(words.codes[rows].tolist())
    code, count = counts.most_common(1)[0] if counts else (MISSING_CODE, 0)
    return words.categories[code] if code != MISSING_CODE and count * 2 > len(rows) else None
