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

from ..columns import Floats, Integers
from ..numerics import log
from .series import MEASURES, Lane, Measure, Name
from .significance import Split, best_rate_split, best_split, chance_at, rate_chance_at

LEAST_BEFORE: Final = 10  # runs
LEAST_SINCE: Final = 5  # runs
CUT: Final = 0.01  # chance below which a series is cut; all series together are judged later
FAR: Final = 1.0  # robust standard deviations of the runs before, which a median must move at least
MAD_TO_SIGMA: Final = 1.4826  # of a normal distribution
LEAST_AMOUNT: Final = 2e-9  # smaller ones count as this one: 0 has no logarithm
LEAST_SPREAD: Final = 0.05  # of logarithms and of shares: among equal values every other one is far off


@dataclass(frozen=True, slots=True)
class Steady:
    """A series, and the stretch that its recent runs belong to."""

    name: Name
    rows: Integers  # places in the lane of the runs with a known value
    values: Floats
    starts_at: int  # the first value of the last stretch


@dataclass(frozen=True, slots=True)
class Change:
    """A lasting change among the recent runs of one series."""

    name: Name
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
    def extra(self) -> float:
        """What the runs since cost more than before, all together; below 0: less."""
        return (self.after - self.before) * len(self.after_rows)


def steady_and_changes(lane: Lane) -> Iterator[tuple[Steady, Change | None]]:
    """Yield every series that is long enough to be judged, and its change among the recent runs."""
    for name, figures in lane.figures.items():
        rows = np.flatnonzero(~np.isnan(figures))
        if len(rows) < LEAST_BEFORE + LEAST_SINCE or rows[-1] < lane.recent_from:
            continue
        values, measure = figures[rows], MEASURES[name[1]]
        cuts = cuts_that_matter(values, measure)
        starts_at = cuts[-1].place if cuts else 0
        steady = Steady(name, rows, values, starts_at)
        recent = bool(cuts) and rows[starts_at] >= lane.recent_from
        yield steady, _change(steady, cuts) if recent else None


def _change(series: Steady, cuts: list[Split]) -> Change:
    start = cuts[-2].place if len(cuts) > 1 else 0
    place, measure = series.starts_at, MEASURES[series.name[1]]
    chances = rate_chance_at if measure.kind == "rate" else chance_at
    values = series.values[start:]
    chance = chances(values, place - start, _places(len(values)))
    return compared(series.name, series.rows[start:], values, place - start, chance)


def compared(name: Name, rows: Integers, values: Floats, place: int, chance: float) -> Change:
    """Return both sides of a place in a series as a change."""
    before, after, measure = values[:place], values[place:], MEASURES[name[1]]
    return Change(
        name, int(rows[place]), chance, middle(before, measure), middle(after, measure),
        rows[:place], rows[place:], after, distance(before, after, measure),
    )  # fmt: skip


def along_with(lane: Lane, name: Name, main: Change) -> Change | None:
    """Return how another measure of the same runs moved at the same moment; None where it hardly did."""
    figures = lane.figures.get(name)
    if figures is None:
        return None
    rows = np.flatnonzero(~np.isnan(figures))
    rows = rows[rows >= main.before_rows[0]]
    place = int(np.searchsorted(rows, main.since))
    values, measure = figures[rows], MEASURES[name[1]]
    if min(place, len(rows) - place) < LEAST_SINCE or not matters(values[:place], values[place:], measure):
        return None
    return compared(name, rows, values, place, main.chance)


def cuts_that_matter(values: Floats, measure: Measure) -> list[Split]:
    """Return where the series changes by as much as anybody cares for, and how likely that is by chance."""
    cuts = sorted(_cuts(values, measure, 0))
    while cuts:
        edges = [0, *(cut.place for cut in cuts), len(values)]
        parts = [values[start:end] for start, end in pairwise(edges)]
        small = [place for place in range(len(cuts)) if not matters(parts[place], parts[place + 1], measure)]
        if not small:
            return cuts
        del cuts[max(small, key=lambda place: cuts[place].chance)]  # the least certain one first
    return []


def _cuts(values: Floats, measure: Measure, offset: int) -> Iterator[Split]:
    search = best_rate_split if measure.kind == "rate" else best_split
    split = search(values, _places(len(values)))
    if split is None or split.chance > CUT:
        return
    yield Split(offset + split.place, split.chance)
    yield from _cuts(values[: split.place], measure, offset)
    yield from _cuts(values[split.place :], measure, offset + split.place)


def _places(count: int) -> Integers:
    """Return where a series of so many values may be cut."""
    return np.arange(LEAST_BEFORE, count - LEAST_SINCE + 1)


def matters(before: Floats, after: Floats, measure: Measure) -> bool:
    """Tell whether two stretches differ by as much as anybody cares for, and beyond their usual spread."""
    old, new = middle(before, measure), middle(after, measure)
    if measure.kind != "amount":
        large = abs(new - old) >= measure.least
    elif min(old, new) <= 0:
        large = old != new
    else:
        large = max(old, new) >= measure.least * min(old, new)
    away = distance(before, after, measure)
    return large and (away is None or abs(away) >= FAR)


def middle(values: Floats, measure: Measure) -> float:
    """Return the median; of yes and no the share of yes."""
    return float(values.mean() if measure.kind == "rate" else np.median(values))


def distance(before: Floats, after: Floats, measure: Measure) -> float | None:
    """Return how far the median moved, in robust standard deviations (MAD) of the values before."""
    if measure.kind == "rate":
        return None
    old, new = on_scale(before, measure), on_scale(after, measure)
    return float((np.median(new) - np.median(old)) / spread(old))


def on_scale(values: Floats, measure: Measure) -> Floats:
    """Return amounts as logarithms, on which twice and half are as far away; shares as they are."""
    if measure.kind != "amount":
        return values
    return log(np.maximum(values, LEAST_AMOUNT))


def spread(values: Floats) -> float:
    """Return the robust standard deviation."""
    away = np.abs(values - np.median(values))
    return max(LEAST_SPREAD, MAD_TO_SIGMA * float(np.median(away)))
