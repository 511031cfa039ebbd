"""Statistical tests for differences between two sides of a series: compute p-values from values.

Based on ranks only: a run that cost a hundred times as much counts as one large run and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, fsum, pi, sqrt
from typing import Final, NamedTuple

import numpy as np

from ...common.column_data import Floats, Integers
from ..similarity.portable_numerics import exp, log

EXACT_MAX_N: Final = 20  # runs on the smaller side; above, the normal approximation is good enough


class SplitPoint(NamedTuple):
    """The position in a series at which its two sides differ most."""

    position: int  # number of values before the split
    p_value: float  # p-value of a difference as large anywhere in the series, 0 to 1


def mid_ranks(values: Floats) -> Floats:
    """Return the rank of each value, starting at 1; ties share the mean of their ranks.

    >>> mid_ranks(np.array([3.0, 1.0, 3.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


def max_rank_split(values: Floats, positions: Integers) -> SplitPoint | None:
    """Return the position, among those given, at which the ranks of both sides differ most.

    Uses a maximally selected Mann-Whitney statistic; None without positions or if all values are equal.
    """
    scores = _scores(values, positions)
    if scores is None:
        return None
    position = int(positions[np.argmax(scores)])
    return SplitPoint(position, max_split_p_value(values, position, positions))


def max_split_p_value(values: Floats, position: int, positions: Integers) -> float:
    """Return the probability that the sides of any position differ as much as at `position` by chance.

    1.0 if all values are equal.
    """
    scores = _scores(values, np.array([position]))
    if scores is None:
        return 1.0
    count = len(values)
    asymptotic = _max_score_p_value(float(scores[0]), positions[0] / count, positions[-1] / count)
    if min(position, count - position) > EXACT_MAX_N:
        return asymptotic
    distance = abs(float(mid_ranks(values)[:position].sum()) - position * (count + 1) / 2)
    return min(asymptotic, len(positions) * rank_sum_p_value(distance, position, count - position))


def _scores(values: Floats, positions: Integers) -> Floats | None:
    """Return the distance of each position's rank sum from its mean, in standard deviations.

    None without positions or if all values are equal.
    """
    count = len(values)
    ranked = mid_ranks(values) - (count + 1) / 2
    deviation = float(ranked @ ranked)
    if not len(positions) or deviation == 0.0:
        return None
    scores: Floats = np.abs(np.cumsum(ranked)[positions - 1]) / np.sqrt(
        positions * (count - positions) * (deviation / (count * (count - 1)))
    )
    return scores


def best_rate_split(values: Floats, positions: Integers) -> SplitPoint | None:
    """Return the position at which the rates of both sides differ most, or None if none changes."""
    changes = _change_positions(values, positions)
    if not len(changes):
        return None
    gaps = np.cumsum(values)[changes - 1] - changes * values.mean()
    position = int(changes[np.argmax(np.abs(gaps) / np.sqrt(changes * (len(values) - changes)))])
    return SplitPoint(position, rate_split_p_value(values, position, positions))


def rate_split_p_value(values: Floats, position: int, positions: Integers) -> float:
    """Return the p-value of such a difference in rates at any position: Fisher, with Bonferroni."""
    p_value = fisher_exact_p_value(int(values[:position].sum()), position, int(values.sum()), len(values))
    return min(1.0, p_value * max(1, len(_change_positions(values, positions))))


def _change_positions(values: Floats, positions: Integers) -> Integers:
    """Return the positions at which the value changes: the largest difference is always at one of them."""
    changes: Integers = positions[values[positions - 1] != values[np.minimum(positions, len(values) - 1)]]
    return changes


def _max_score_p_value(score: float, first: float, last: float) -> float:
    """Return the p-value of a maximal score over positions from `first` to `last`, as shares of the series.

    Miller and Siegmund (1982), as applied to ranks by Lausen and Schumacher (1992).
    """
    if score <= 1.0:
        return 1.0
    density = exp(-score * score / 2) / sqrt(2 * pi)
    odds = float(log(np.array(last * (1 - first) / ((1 - last) * first))))
    return min(1.0, density * ((score - 1 / score) * odds + 4 / score))


def rank_sum_p_value(distance: float, left_size: int, right_size: int) -> float:
    """Return the two-sided p-value of a rank sum at this distance from its mean: exact without ties.

    With ties it is conservative: too large rather than too small.

    >>> round(rank_sum_p_value(4.5, 3, 3), 6)  # three above three: 2 of 20 orders
    0.1
    """
    smaller, larger = sorted((left_size, right_size))
    lowest = int(smaller * larger / 2 - distance + 1e-9)  # Mann-Whitney U, 0 to smaller * larger
    if lowest < 0:
        return 0.0
    ways = np.zeros(lowest + 1)
    ways[0] = 1.0
    for size in range(1, smaller + 1):  # Gaussian binomial coefficients, factor by factor
        if larger + size <= lowest:
            ways[larger + size :] -= ways[: lowest + 1 - larger - size].copy()
        ways = _strided_sums(ways, size)
    return min(1.0, 2.0 * fsum(ways.tolist()) / comb(smaller + larger, smaller))


def _strided_sums(ways: Floats, step: int) -> Floats:
    """Return for each entry the sum of it and all entries `step`, 2 `step`, ... before it."""
    padded = np.append(ways, np.zeros(-len(ways) % step))
    added: Floats = padded.reshape(-1, step).cumsum(axis=0).ravel()[: len(ways)]
    return added


def fisher_exact_p_value(hits: int, drawn: int, ones: int, count: int) -> float:
    """Return the two-sided p-value of a table: `hits` of `ones` among `drawn` of `count`.

    >>> round(fisher_exact_p_value(3, 4, 4, 8), 4)
    0.4857
    """
    lowest, highest = max(0, drawn - (count - ones)), min(drawn, ones)
    mode = (drawn + 1) * (ones + 1) // (count + 2)  # the most likely number of hits
    weights = {mode: 1.0}  # probability of each number, relative to the most likely one
    for number in range(mode, highest):
        ratio = (ones - number) * (drawn - number) / ((number + 1) * (count - ones - drawn + number + 1))
        weights[number + 1] = weights[number] * ratio
    for number in range(mode, lowest, -1):
        ratio = number * (count - ones - drawn + number) / ((ones - number + 1) * (drawn - number + 1))
        weights[number - 1] = weights[number] * ratio
    as_rare = weights[hits] * (1 + 1e-9)
    return min(1.0, fsum(weight for weight in weights.values() if weight <= as_rare) / fsum(weights.values()))


def benjamini_hochberg(p_values: Sequence[float], rate: float, tested: int) -> list[bool]:
    """Return for each p-value whether it is significant at the false discovery rate `rate`.

    Benjamini and Hochberg (1995) for `tested` series; series that are not passed count as p = 1.

    >>> benjamini_hochberg([0.001, 0.04, 0.02], 0.05, 3)
    [True, True, True]
    >>> benjamini_hochberg([0.001, 0.04, 0.02], 0.05, 100)
    [False, False, False]
    """
    ordered = np.sort(np.array(p_values, np.float64))
    thresholds = rate * np.arange(1, len(ordered) + 1) / max(1, tested)
    significant: Integers = np.flatnonzero(ordered <= thresholds)
    limit = float(ordered[significant[-1]]) if len(significant) else -1.0
    return [p_value <= limit for p_value in p_values]
