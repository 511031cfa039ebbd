"""Detect change points: find the latest lasting change of each time series.

A series is split at its most significant point, and each side again, until no significant split is left.
The segment since the last split is compared with the segment before it. So an older change does not blur
the comparison, and a regression that was fixed since is not reported.
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
ALPHA: Final = 0.01  # p-value up to which a series is split; multiple testing is corrected later
MIN_ROBUST_Z: Final = 1.0  # minimum shift of the median, in robust standard deviations of the runs before
MAD_SCALE: Final = 1.4826  # standard deviation of a normal distribution divided by its MAD
MIN_AMOUNT: Final = 2e-9  # smaller amounts are raised to this one: 0 has no logarithm
MIN_SPREAD: Final = 0.05  # of logarithms and shares: without it, any deviation from equal values is extreme


@dataclass(frozen=True, slots=True)
class Segment:
    """A series and its latest segment, to which its recent runs belong."""

    name: SeriesKey
    rows: Integers  # positions in the series of the runs with a known value
    values: Floats
    starts_at: int  # index of the first value of the last segment


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A lasting change among the recent runs of one series."""

    name: SeriesKey
    since: int  # position in the series of the first run after the change
    p_value: float  # p-value, 0 to 1
    before: float  # median before the change; for rates the mean
    after: float
    before_rows: Integers  # positions in the series, oldest first
    after_rows: Integers
    after_values: Floats
    distance: float | None  # shift of the median, in robust standard deviations before; None for rates

    @property
    def measure(self) -> str:
        """The measure that changed."""
        return self.name[1]

    @property
    def phase(self) -> str | None:
        """The phase that changed; None for the run as a whole."""
        return self.name[0]

    @property
    def is_worse(self) -> bool:
        """Whether the change is a regression."""
        return (self.after > self.before) == (MEASURES[self.measure].worse == "more")

    @property
    def ratio(self) -> float | None:
        """The value after divided by the value before; None if the value before is 0."""
        return self.after / self.before if self.before > 0 else None

    @property
    def excess_cost(self) -> float:
        """Additional cost of all runs since the change; negative for savings."""
        return (self.after - self.before) * len(self.after_rows)


def segments_and_changes(series: TemplateSeries) -> Iterator[tuple[Segment, ChangePoint | None]]:
    """Yield each series that is long enough, with its change among the recent runs or None."""
    for name, values in series.values.items():
        rows = np.flatnonzero(~np.isnan(values))
        if len(rows) < MIN_BEFORE + MIN_AFTER or rows[-1] < series.recent_from:
            continue
        known_values, measure = values[rows], MEASURES[name[1]]
        splits = significant_splits(known_values, measure)
        start = splits[-1].position if splits else 0
        segment = Segment(name, rows, known_values, start)
        recent = bool(splits) and rows[start] >= series.recent_from
        yield segment, _latest_change(segment, splits) if recent else None


def _latest_change(segment: Segment, splits: list[SplitPoint]) -> ChangePoint:
    first = splits[-2].position if len(splits) > 1 else 0
    split_at, measure = segment.starts_at, MEASURES[segment.name[1]]
    p_value_of = rate_split_p_value if measure.kind == "rate" else max_split_p_value
    values = segment.values[first:]
    chance = p_value_of(values, split_at - first, _split_positions(len(values)))
    return make_change_point(segment.name, segment.rows[first:], values, split_at - first, chance)


def make_change_point(
    key: SeriesKey, rows: Integers, values: Floats, split_at: int, p_value: float
) -> ChangePoint:
    """Build the change between the two sides of a split."""
    before, after, measure = values[:split_at], values[split_at:], MEASURES[key[1]]
    return ChangePoint(
        key, int(rows[split_at]), p_value, center(before, measure), center(after, measure),
        rows[:split_at], rows[split_at:], after, robust_z(before, after, measure),
    )  # fmt: skip


def co_movement(series: TemplateSeries, key: SeriesKey, main: ChangePoint) -> ChangePoint | None:
    """Return the change of another measure of the same runs at the same time; None if it hardly moved."""
    values = series.values.get(key)
    if values is None:
        return None
    rows = np.flatnonzero(~np.isnan(values))
    rows = rows[rows >= main.before_rows[0]]
    split_at = int(np.searchsorted(rows, main.since))
    known_values, measure = values[rows], MEASURES[key[1]]
    if min(split_at, len(rows) - split_at) < MIN_AFTER or not is_material(
        known_values[:split_at], known_values[split_at:], measure
    ):
        return None
    return make_change_point(key, rows, known_values, split_at, main.p_value)


def significant_splits(values: Floats, measure: Measure) -> list[SplitPoint]:
    """Return the splits of a series with a relevant and significant difference, with their p-values."""
    splits = sorted(_split_recursively(values, measure, 0))
    while splits:
        edges = [0, *(split.position for split in splits), len(values)]
        parts = [values[start:end] for start, end in pairwise(edges)]
        immaterial = [
            index for index in range(len(splits)) if not is_material(parts[index], parts[index + 1], measure)
        ]
        if not immaterial:
            return splits
        del splits[
            max(immaterial, key=lambda index: splits[index].p_value)
        ]  # the least significant one first
    return []


def _split_recursively(values: Floats, measure: Measure, offset: int) -> Iterator[SplitPoint]:
    search = best_rate_split if measure.kind == "rate" else max_rank_split
    split = search(values, _split_positions(len(values)))
    if split is None or split.p_value > ALPHA:
        return
    yield SplitPoint(offset + split.position, split.p_value)
    yield from _split_recursively(values[: split.position], measure, offset)
    yield from _split_recursively(values[split.position :], measure, offset + split.position)


def _split_positions(count: int) -> Integers:
    """Return the possible split positions of a series with this many values."""
    return np.arange(MIN_BEFORE, count - MIN_AFTER + 1)


def is_material(before: Floats, after: Floats, measure: Measure) -> bool:
    """Return whether two segments differ by a relevant amount and by more than their usual spread."""
    old, new = center(before, measure), center(after, measure)
    if measure.kind != "amount":
        large = abs(new - old) >= measure.min_difference
    elif min(old, new) <= 0:
        large = old != new
    else:
        large = max(old, new) >= measure.min_difference * min(old, new)
    shift = robust_z(before, after, measure)
    return large and (shift is None or abs(shift) >= MIN_ROBUST_Z)


def center(values: Floats, measure: Measure) -> float:
    """Return the median; for rates, the mean."""
    return float(values.mean() if measure.kind == "rate" else np.median(values))


def robust_z(before: Floats, after: Floats, measure: Measure) -> float | None:
    """Return the median's shift in robust standard deviations (MAD) of the values before; None for rates."""
    if measure.kind == "rate":
        return None
    old, new = to_scale(before, measure), to_scale(after, measure)
    return float((np.median(new) - np.median(old)) / robust_sd(old))


def to_scale(values: Floats, measure: Measure) -> Floats:
    """Return amounts as logarithms, on which doubling and halving are equal steps; shares unchanged."""
    if measure.kind != "amount":
        return values
    return log(np.maximum(values, MIN_AMOUNT))


def robust_sd(values: Floats) -> float:
    """Return the robust standard deviation (scaled MAD), at least MIN_SPREAD."""
    deviations = np.abs(values - np.median(values))
    return max(MIN_SPREAD, MAD_SCALE * float(np.median(deviations)))
