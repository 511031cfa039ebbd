"""Everything that is worth a look in a history: columns and what is recent in, ranked findings out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ..columns import Columns
from .changes import Change, Steady, steady_and_changes
from .grouping import Group, groups
from .outliers import Outlier, outliers
from .series import Lane, lanes
from .significance import discoveries

FALSE_DISCOVERIES: Final = 0.05  # share of the reported changes that may be chance


@dataclass(frozen=True, slots=True)
class Watched:
    """What was found."""

    series: int  # looked at
    regressions: tuple[Group, ...]  # the most money first
    improvements: tuple[Group, ...]
    outliers: tuple[Outlier, ...]


def watch(runs: Columns, agents: Columns, since: int, phases: Collection[str] = ()) -> Watched:
    """Return what changed for the worse or the better since, and which runs stand out.

    `since` in µs since 1970; `phases` narrows to these phases.
    """
    series: list[tuple[Lane, Steady, Change | None]] = []
    for lane in lanes(runs, agents, since):
        series += [
            (lane, steady, change)
            for steady, change in steady_and_changes(lane)
            if not phases or steady.name[0] in phases
        ]
    changes = [(lane, change) for lane, _, change in series if change is not None]
    kept = discoveries([change.chance for _, change in changes], FALSE_DISCOVERIES, len(series))
    by_lane: dict[int, tuple[Lane, list[Steady], list[Change]]] = {}
    for lane, steady, _ in series:
        by_lane.setdefault(id(lane), (lane, [], []))[1].append(steady)
    for (lane, change), real in zip(changes, kept, strict=True):
        if real:
            by_lane[id(lane)][2].append(change)
    projects = runs.words["project"]
    found = [
        group for lane, _, some in by_lane.values() for group in groups(lane, projects.take(lane.rows), some)
    ]
    return Watched(
        len(series),
        tuple(sorted((group for group in found if group.main.is_worse), key=_rank)),
        tuple(sorted((group for group in found if not group.main.is_worse), key=_rank)),
        tuple(sorted(
            (one for lane, steady, _ in by_lane.values() for one in outliers(lane, steady)),
            key=lambda one: (-one.extra, -one.score),
        )),
    )  # fmt: skip


def _rank(group: Group) -> tuple[bool, float, float]:
    """By money, then by certainty; what has no money in it comes last."""
    return group.extra is None, -abs(group.extra or 0.0), group.main.chance
