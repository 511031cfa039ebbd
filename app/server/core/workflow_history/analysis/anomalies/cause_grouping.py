"""Put changes of one cause together: single changes of a template in, findings with one reason each out.

When a planner misses the cache, its cost, its cache hits and the cost of the whole run change at once: that
is one finding, of the planner.
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

SAME_TIME_WINDOW: Final = 0.5  # share of the runs since the earlier change that came since the later one too
MIN_MAIN_SHARE: Final = 0.6  # of the extra cost, from which on one phase is the reason
RECENT_BEFORE: Final = 10  # runs that tell what was usual when the change came
_BY_WEIGHT: Final = {name: place for place, name in enumerate(MEASURES)}


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """Changes of one template with one cause."""

    lane: TemplateSeries
    main: ChangePoint
    along: tuple[
        ChangePoint, ...
    ]  # what else of this phase, and of the whole run's cost, moved at that moment
    others: tuple[ChangePoint, ...]  # changes of other phases at about the same time
    extra: float | None  # nanodollars more than before, all runs since; None: not a matter of cost
    models: tuple[str | None, str | None] | None  # usual just before and since, where they differ
    projects: tuple[str | None, str | None] | None


def group_changes(
    lane: TemplateSeries, projects: CategoricalColumn, changes: Sequence[ChangePoint]
) -> list[ChangeGroup]:
    """Return the findings of a template."""
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
    }  # the whole run follows its phase
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
    """Return a change as one of its phase's cost, where that moved too; the chance stays the reason's."""
    cost = None if reason.measure == "cost" else co_movement(lane, (reason.phase, "cost"), reason)
    return reason if cost is None or cost.is_worse != reason.is_worse else cost


def _weight(change: ChangePoint) -> tuple[bool, int, float]:
    return change.phase is None, _BY_WEIGHT[change.measure], -abs(change.excess_cost)


def _reason(changes: Sequence[ChangePoint]) -> ChangePoint:
    """Return the change the others follow from: a phase's before the whole run's, money before the rest."""
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
    """Return the money of it: what costs more, or what the additional failures cost."""
    if main.measure == "cost":
        return main.excess_cost
    costs = lane.figures.get((main.phase, "cost"))
    if main.measure != "failures" or costs is None:
        return None
    spent = costs[main.after_rows[main.after_values == 1.0]]
    spent = spent[~np.isnan(spent)]
    return mean_of(spent) * main.excess_cost if len(spent) and main.is_worse else None


def _switch(words: CategoricalColumn | None, main: ChangePoint) -> tuple[str | None, str | None] | None:
    """Return what was usual just before and what is now, where that is another."""
    if words is None:
        return None
    before = _usual(words, main.before_rows[-RECENT_BEFORE:].tolist())
    after = _usual(words, main.after_rows.tolist())
    return None if before is None or after is None or before == after else (before, after)


def _usual(words: CategoricalColumn, rows: Sequence[int]) -> str | None:
    """Return what more than half of the runs have."""
    counts = Counter(words.codes[rows].tolist())
    code, count = counts.most_common(1)[0] if counts else (MISSING_CODE, 0)
    return words.categories[code] if code != MISSING_CODE and count * 2 > len(rows) else None
