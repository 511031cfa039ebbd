"""Where the runs of one series stopped being like those before: a lane in, its latest lasting change out.

The series is cut at its most significant split, each side again, until no cut is left that matters;
what is compared is the stretch since the last cut with the stretch before it. So an older change does not
blur the comparison, and what was mended since is no news.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from ...common.column_data import Floats, Integers
from ..similarity.portable_numerics import log
from .rank_tests import SplitPoint, best_rate_split, max_rank_split, max_split_p_value, rate_split_p_value
from .series import MEASURES, Measure, SeriesKey, TemplateSeries

MIN_BEFORE: Final = 10  # runs
MIN_AFTER: Final = 5  # runs
ALPHA: Final = 0.01  # chance below which a series is cut; all series together are judged later
MIN_ROBUST_Z: Final = 1.0  # robust standard deviations of the runs before, which a median must move at least
MAD_SCALE: Final = 1.4826  # of a normal distribution
LEAST_AMOUNT: Final = 2e-9  # smaller ones count as this one: 0 has no logarithm
MIN_SPREAD: Final = 0.05  # of logarithms and of shares: among equal values every other one is far off


@dataclass(frozen=True, slots=True)
class Segment:
    """A series, and the stretch that its recent runs belong to."""

    name: SeriesKey
    rows: Integers  # places in the lane of the runs with a known value
    values: Floats
    starts_at: int  # the first value of the last stretch


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A lasting change among the recent runs of one series."""

    name: SeriesKey
    since: int  # place in the lane of the first run after it
    chance: float
    before: float  # median; of yes and no the share
    after: float
    before_rows: Integers  # places in the lane, oldest first
    after_rows: Integers
    after_values: Floats
    distance: float | None  # of the medians, in robust standard deviations before; None: a rate

    @property
    def measure(self) -> str:
        """What changed."""
        return self.name[1]

    @property
    def phase(self) -> str | None:
        """Where; None: the run as a whole."""
        return self.name[0]

    @property
    def is_worse(self) -> bool:
        """Whether it is a change for the worse."""
        return (self.after > self.before) == (MEASURES[self.measure].worse == "more")

    @property
    def ratio(self) -> float | None:
        """After by before; None where nothing was there before."""
        return self.after / self.before if self.before > 0 else None

    @property
    def excess_cost(self) -> float:
        """What the runs since cost more than before, all together; below 0: less."""
        return (self.after - self.before) * len(self.after_rows)


def segments_and_changes(lane: TemplateSeries) -> Iterator[tuple[Segment, ChangePoint | None]]:
    """Yield every series that is long enough to be judged, and its change among the recent runs."""
    for name, figures in lane.figures.items():
        rows = np.flatnonzero(~np.isnan(figures))
        if len(rows) < MIN_BEFORE + MIN_AFTER or rows[-1] < lane.recent_from:
            continue
        values, measure = figures[rows], MEASURES[name[1]]
        cuts = significant_splits(values, measure)
        starts_at = cuts[-1].place if cuts else 0
        steady = Segment(name, rows, values, starts_at)
        recent = bool(cuts) and rows[starts_at] >= lane.recent_from
        yield steady, _change(steady, cuts) if recent else None


def _change(series: Segment, cuts: list[SplitPoint]) -> ChangePoint:
    start = cuts[-2].place if len(cuts) > 1 else 0
    place, measure = series.starts_at, MEASURES[series.name[1]]
    chances = rate_split_p_value if measure.kind == "rate" else max_split_p_value
    values = series.values[start:]
    chance = chances(values, place - start, _places(len(values)))
    return make_change_point(series.name, series.rows[start:], values, place - start, chance)


def make_change_point(
    name: SeriesKey, rows: Integers, values: Floats, place: int, chance: float
) -> ChangePoint:
    """Return both sides of a place in a series as a change."""
    before, after, measure = values[:place], values[place:], MEASURES[name[1]]
    return ChangePoint(
        name, int(rows[place]), chance, center(before, measure), center(after, measure),
        rows[:place], rows[place:], after, robust_z(before, after, measure),
    )  # fmt: skip


def co_movement(lane: TemplateSeries, name: SeriesKey, main: ChangePoint) -> ChangePoint | None:
    """Return how another measure of the same runs moved at the same moment; None where it hardly did."""
    figures = lane.figures.get(name)
    if figures is None:
        return None
    rows = np.flatnonzero(~np.isnan(figures))
    rows = rows[rows >= main.before_rows[0]]
    place = int(np.searchsorted(rows, main.since))
    values, measure = figures[rows], MEASURES[name[1]]
    if min(place, len(rows) - place) < MIN_AFTER or not is_material(values[:place], values[place:], measure):
        return None
    return make_change_point(name, rows, values, place, main.chance)


def significant_splits(values: Floats, measure: Measure) -> list[SplitPoint]:
    """Return where the series changes by as much as anybody cares for, and how likely that is by chance."""
    cuts = sorted(_cuts(values, measure, 0))
    while cuts:
        edges = [0, *(cut.place for cut in cuts), len(values)]
        parts = [values[start:end] for start, end in pairwise(edges)]
        small = [
            place for place in range(len(cuts)) if not is_material(parts[place], parts[place + 1], measure)
        ]
        if not small:
            return cuts
        del cuts[max(small, key=lambda place: cuts[place].chance)]  # the least certain one first
    return []


def _cuts(values: Floats, measure: Measure, offset: int) -> Iterator[SplitPoint]:
    search = best_rate_split if measure.kind == "rate" else max_rank_split
    split = search(values, _places(len(values)))
    if split is None or split.chance > ALPHA:
        return
    yield SplitPoint(offset + split.place, split.chance)
    yield from _cuts(values[: split.place], measure, offset)
    yield from _cuts(values[split.place :], measure, offset + split.place)


def _places(count: int) -> Integers:
    """Return where a series of so many values may be cut."""
    return np.arange(MIN_BEFORE, count - MIN_AFTER + 1)


def is_material(before: Floats, after: Floats, measure: Measure) -> bool:
    """Return whether two stretches differ by as much as anybody cares for, and beyond their usual spread."""
    old, new = center(before, measure), center(after, measure)
    if measure.kind != "amount":
        large = abs(new - old) >= measure.least
    elif min(old, new) <= 0:
        large = old != new
    else:
        large = max(old, new) >= measure.least * min(old, new)
    away = robust_z(before, after, measure)
    return large and (away is None or abs(away) >= MIN_ROBUST_Z)


def center(values: Floats, measure: Measure) -> float:
    """Return the median; of yes and no the share of yes."""
    return float(values.mean() if measure.kind == "rate" else np.median(values))


def robust_z(before: Floats, after: Floats, measure: Measure) -> float | None:
    """Return how far the median moved, in robust standard deviations (MAD) of the values before."""
    if measure.kind == "rate":
        return None
    old, new = to_scale(before, measure), to_scale(after, measure)
    return float((np.median(new) - np.median(old)) / robust_sd(old))


def to_scale(values: Floats, measure: Measure) -> Floats:
    """Return amounts as logarithms, on which twice and half are as far away; shares as they are."""
    if measure.kind != "amount":
        return values
    return log(np.maximum(values, LEAST_AMOUNT))


def robust_sd(values: Floats) -> float:
    """Return the robust standard deviation."""
    away = np.abs(values - np.median(values))
    return max(MIN_SPREAD, MAD_SCALE * float(np.median(away)))
