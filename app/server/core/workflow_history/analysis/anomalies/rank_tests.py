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

    place: int  # number of values before the split
    chance: float  # p-value of a difference as large anywhere in the series, 0 to 1


def mid_ranks(values: Floats) -> Floats:
    """Return the rank of each value, starting at 1; ties share the mean of their ranks.

    >>> mid_ranks(np.array([3.0, 1.0, 3.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    shared: Floats = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return shared


def max_rank_split(values: Floats, places: Integers) -> SplitPoint | None:
    """Return the position, among those given, at which the ranks of both sides differ most.

    Uses a maximally selected Mann-Whitney statistic; None without positions or if all values are equal.
    """
    scores = _scores(values, places)
    if scores is None:
        return None
    place = int(places[np.argmax(scores)])
    return SplitPoint(place, max_split_p_value(values, place, places))


def max_split_p_value(values: Floats, place: int, places: Integers) -> float:
    """Return the probability that the sides of any position differ as much as at `place` by chance.

    1.0 if all values are equal.
    """
    own = np.array([place])
    scores = _scores(values, own)
    if scores is None:
        return 1.0
    count = len(values)
    smooth = _chance_of_maximum(float(scores[0]), places[0] / count, places[-1] / count)
    if min(place, count - place) > EXACT_MAX_N:
        return smooth
    distance = abs(float(mid_ranks(values)[:place].sum()) - place * (count + 1) / 2)
    return min(smooth, len(places) * rank_sum_p_value(distance, place, count - place))


def _scores(values: Floats, places: Integers) -> Floats | None:
    """Return the distance of each position's rank sum from its mean, in standard deviations.

    None without positions or if all values are equal.
    """
    count = len(values)
    ranked = mid_ranks(values) - (count + 1) / 2
    deviation = float(ranked @ ranked)
    if not len(places) or deviation == 0.0:
        return None
    scores: Floats = np.abs(np.cumsum(ranked)[places - 1]) / np.sqrt(
        places * (count - places) * (deviation / (count * (count - 1)))
    )
    return scores


def best_rate_split(values: Floats, places: Integers) -> SplitPoint | None:
    """Return the position at which the rates of both sides differ most, or None if none changes."""
    told = _turns(values, places)
    if not len(told):
        return None
    gaps = np.cumsum(values)[told - 1] - told * values.mean()
    place = int(told[np.argmax(np.abs(gaps) / np.sqrt(told * (len(values) - told)))])
    return SplitPoint(place, rate_split_p_value(values, place, places))


def rate_split_p_value(values: Floats, place: int, places: Integers) -> float:
    """Return the p-value of such a difference in rates at any position: Fisher, with Bonferroni."""
    chance = fisher_exact_p_value(int(values[:place].sum()), place, int(values.sum()), len(values))
    return min(1.0, chance * max(1, len(_turns(values, places))))


def _turns(values: Floats, places: Integers) -> Integers:
    """Return the positions at which the value changes: the largest difference is always at one of them."""
    found: Integers = places[values[places - 1] != values[np.minimum(places, len(values) - 1)]]
    return found


def _chance_of_maximum(score: float, first: float, last: float) -> float:
    """Return the p-value of a maximal score over positions from `first` to `last`, as shares of the series.

    Miller and Siegmund (1982), as applied to ranks by Lausen and Schumacher (1992).
    """
    if score <= 1.0:
        return 1.0
    density = exp(-score * score / 2) / sqrt(2 * pi)
    odds = float(log(np.array(last * (1 - first) / ((1 - last) * first))))
    return min(1.0, density * ((score - 1 / score) * odds + 4 / score))


def rank_sum_p_value(distance: float, one: int, other: int) -> float:
    """Return the two-sided p-value of a rank sum at this distance from its mean: exact without ties.

    With ties it is conservative: too large rather than too small.

    >>> round(rank_sum_p_value(4.5, 3, 3), 6)  # three above three: 2 of 20 orders
    0.1
    """
    few, many = sorted((one, other))
    lowest = int(few * many / 2 - distance + 1e-9)  # Mann-Whitney U, 0 to few * many
    if lowest < 0:
        return 0.0
    ways = np.zeros(lowest + 1)
    ways[0] = 1.0
    for size in range(1, few + 1):  # Gaussian binomial coefficients, factor by factor
        if many + size <= lowest:
            ways[many + size :] -= ways[: lowest + 1 - many - size].copy()
        ways = _every(ways, size)
    return min(1.0, 2.0 * fsum(ways.tolist()) / comb(few + many, few))


def _every(ways: Floats, step: int) -> Floats:
    """Return for each entry the sum of it and all entries `step`, 2 `step`, ... before it."""
    padded = np.append(ways, np.zeros(-len(ways) % step))
    added: Floats = padded.reshape(-1, step).cumsum(axis=0).ravel()[: len(ways)]
    return added


def fisher_exact_p_value(hits: int, drawn: int, ones: int, count: int) -> float:
    """Return the two-sided p-value of a table: `hits` of `ones` among `drawn` of `count`.

    >>> round(fisher_exact_p_value(3, 4, 4, 8), 4)
    0.4857
    """
    least, most = max(0, drawn - (count - ones)), min(drawn, ones)
    usual = (drawn + 1) * (ones + 1) // (count + 2)  # the most likely number of hits
    weights = {usual: 1.0}  # probability of each number, relative to the most likely one
    for number in range(usual, most):
        rise = (ones - number) * (drawn - number) / ((number + 1) * (count - ones - drawn + number + 1))
        weights[number + 1] = weights[number] * rise
    for number in range(usual, least, -1):
        fall = number * (count - ones - drawn + number) / ((ones - number + 1) * (drawn - number + 1))
        weights[number - 1] = weights[number] * fall
    as_rare = weights[hits] * (1 + 1e-9)
    return min(1.0, fsum(one for one in weights.values() if one <= as_rare) / fsum(weights.values()))


def benjamini_hochberg(chances: Sequence[float], rate: float, tested: int) -> list[bool]:
    """Return for each p-value whether it is significant at the false discovery rate `rate`.

    Benjamini and Hochberg (1995) for `tested` series; series that are not passed count as p = 1.

    >>> benjamini_hochberg([0.001, 0.04, 0.02], 0.05, 3)
    [True, True, True]
    >>> benjamini_hochberg([0.001, 0.04, 0.02], 0.05, 100)
    [False, False, False]
    """
    ordered = np.sort(np.array(chances, np.float64))
    lines = rate * np.arange(1, len(ordered) + 1) / max(1, tested)
    under: Integers = np.flatnonzero(ordered <= lines)
    limit = float(ordered[under[-1]]) if len(under) else -1.0
    return [chance <= limit for chance in chances]
