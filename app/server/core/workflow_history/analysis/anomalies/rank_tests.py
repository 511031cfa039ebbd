"""How surprising a difference between two sides would be if nothing had changed: values in, chances out.

Ranks only: a run that cost a hundred times as much counts as one large run, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, fsum, pi, sqrt
from typing import Final, NamedTuple

import numpy as np

from ...common.column_data import Floats, Integers
from ..similarity.portable_numerics import exp, log

EXACT_MAX_N: Final = 20  # runs on the smaller side; the normal curve is good enough beyond


class SplitPoint(NamedTuple):
    """The place in a series where its two sides differ most."""

    place: int  # values before it
    chance: float  # of a difference as large anywhere in the series, if nothing changed; 0 to 1


def mid_ranks(values: Floats) -> Floats:
    """Return the rank of each value from 1 on; equal ones share the mean of theirs.

    >>> mid_ranks(np.array([3.0, 1.0, 3.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    shared: Floats = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return shared


def max_rank_split(values: Floats, places: Integers) -> SplitPoint | None:
    """Return at which of some places the ranks of both sides differ most.

    A maximally selected Mann-Whitney statistic; None where there is no place, or all values are the same.
    """
    scores = _scores(values, places)
    if scores is None:
        return None
    place = int(places[np.argmax(scores)])
    return SplitPoint(place, max_split_p_value(values, place, places))


def max_split_p_value(values: Floats, place: int, places: Integers) -> float:
    """Return the chance that both sides of any of the places differ as much as those of this one do."""
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
    """Return how far the rank sum before each place is from its mean, in standard deviations."""
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
    """Return at which place the shares of ones on both sides differ most."""
    told = _turns(values, places)
    if not len(told):
        return None
    gaps = np.cumsum(values)[told - 1] - told * values.mean()
    place = int(told[np.argmax(np.abs(gaps) / np.sqrt(told * (len(values) - told)))])
    return SplitPoint(place, rate_split_p_value(values, place, places))


def rate_split_p_value(values: Floats, place: int, places: Integers) -> float:
    """Return the chance of such a difference of shares at any of the places: Fisher, and Bonferroni."""
    chance = fisher_exact_p_value(int(values[:place].sum()), place, int(values.sum()), len(values))
    return min(1.0, chance * max(1, len(_turns(values, places))))


def _turns(values: Floats, places: Integers) -> Integers:
    """Return the places where the value changes: the largest difference always stands at one of them."""
    found: Integers = places[values[places - 1] != values[np.minimum(places, len(values) - 1)]]
    return found


def _chance_of_maximum(score: float, first: float, last: float) -> float:
    """Return the chance of such a score anywhere from `first` to `last`, as shares of the series.

    Miller and Siegmund (1982), as Lausen and Schumacher (1992) use it for ranks.
    """
    if score <= 1.0:
        return 1.0
    density = exp(-score * score / 2) / sqrt(2 * pi)
    odds = float(log(np.array(last * (1 - first) / ((1 - last) * first))))
    return min(1.0, density * ((score - 1 / score) * odds + 4 / score))


def rank_sum_p_value(distance: float, one: int, other: int) -> float:
    """Return the two-sided chance that a rank sum is as far from its mean: exact without equal values.

    With equal values it errs on the side of silence.

    >>> round(rank_sum_p_value(4.5, 3, 3), 6)  # three above three: 2 of 20 orders
    0.1
    """
    few, many = sorted((one, other))
    lowest = int(few * many / 2 - distance + 1e-9)  # of the Mann-Whitney count, 0 to few * many
    if lowest < 0:
        return 0.0
    ways = np.zeros(lowest + 1)
    ways[0] = 1.0
    for size in range(1, few + 1):  # a Gaussian binomial, factor by factor
        if many + size <= lowest:
            ways[many + size :] -= ways[: lowest + 1 - many - size].copy()
        ways = _every(ways, size)
    return min(1.0, 2.0 * fsum(ways.tolist()) / comb(few + many, few))


def _every(ways: Floats, step: int) -> Floats:
    """Add up each entry and those `step`, 2 `step` ... before it."""
    padded = np.append(ways, np.zeros(-len(ways) % step))
    added: Floats = padded.reshape(-1, step).cumsum(axis=0).ravel()[: len(ways)]
    return added


def fisher_exact_p_value(hits: int, drawn: int, ones: int, count: int) -> float:
    """Return the two-sided chance of a table as uneven: `hits` of `ones` among `drawn` of `count`.

    >>> round(fisher_exact_p_value(3, 4, 4, 8), 4)
    0.4857
    """
    least, most = max(0, drawn - (count - ones)), min(drawn, ones)
    usual = (drawn + 1) * (ones + 1) // (count + 2)  # the likeliest number of hits
    weights = {usual: 1.0}  # how likely each number is, by the likeliest one
    for number in range(usual, most):
        rise = (ones - number) * (drawn - number) / ((number + 1) * (count - ones - drawn + number + 1))
        weights[number + 1] = weights[number] * rise
    for number in range(usual, least, -1):
        fall = number * (count - ones - drawn + number) / ((ones - number + 1) * (drawn - number + 1))
        weights[number - 1] = weights[number] * fall
    as_rare = weights[hits] * (1 + 1e-9)
    return min(1.0, fsum(one for one in weights.values() if one <= as_rare) / fsum(weights.values()))


def benjamini_hochberg(chances: Sequence[float], rate: float, tested: int) -> list[bool]:
    """Tell which chances stand when `tested` series were looked at, of which `rate` may be false.

    Benjamini and Hochberg (1995); series that are not given count as chances of 1.

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
