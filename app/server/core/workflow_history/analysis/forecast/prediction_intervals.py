"""Read an interval off weighted amounts, some known only as "at least": arrays in, three amounts out. Pure.

The bounds are conformal: the run to come is counted among the past ones, beyond the bound, so that the
interval is as wide as a finite sample demands. Where the sample is too small for that there is none.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ...common.column_data import MISSING_INT, Flags, Floats, Integers
from ...common.proportions import Z_80, wilson

PRIOR_STRENGTH: Final = 20.0
"""As many runs the share of all runs is worth: few runs tell little of how often such work fails."""


class SuccessProbability(NamedTuple):
    """A share of runs that succeed, 0 to 1, with its 80% interval; None where too little speaks."""

    share: float | None
    low: float | None
    high: float | None
    completed: int
    ended: int  # completed or failed; what was cut off or runs tells neither
    worth: float  # as many equally weighted runs would say as much


def estimate_success(
    completed: Flags, failed: Flags, weights: Floats, base: float | None = None
) -> SuccessProbability:
    """Return the chance of success after some endings, drawn towards the share `base` of all runs.

    Without a `base` half a run of each kind is added (Jeffreys), so that the share is never 0 or 1.

    >>> estimate_success(np.array([True] * 9), np.array([False] * 9), np.ones(9)).share
    0.95
    """
    ended = completed | failed
    worth, total = effective_sample_size(weights[ended]), float(weights[ended].sum())
    counts = int(np.count_nonzero(completed)), int(np.count_nonzero(ended))
    if worth < MIN_RUNS:
        return SuccessProbability(None, None, None, *counts, worth)
    pull, towards = (1.0, 0.5) if base is None else (PRIOR_STRENGTH, base)
    share = (float(weights[completed].sum()) / total * worth + towards * pull) / (worth + pull)
    return SuccessProbability(share, *wilson(share, worth + pull, Z_80), *counts, worth)


TAIL_PROBABILITY: Final = 0.1
"""Share of runs below the lower bound, and above the upper one."""

MIN_RUNS: Final = 9.0
"""Runs that must speak, in equal runs: of fewer not even the extremes hold 80%: (n - 1) / (n + 1)."""

_ROUNDING = 1e-9


class Interval(NamedTuple):
    """An interval that holds about 80% of the runs."""

    p10: int
    median: int
    p90: int


class IntervalEstimate(NamedTuple):
    """What some amounts say."""

    bounds: Interval | None  # None: too little speaks
    runs: int  # with a known amount
    at_least: int  # of those, known only as "at least"
    worth: float  # as many equally weighted, fully known runs would say as much
    least: int | None = None  # of the known amounts
    most: int | None = None


def weighted_interval(values: Integers, exact: Flags, weights: Floats) -> IntervalEstimate:
    """Return the interval of amounts; unknown ones say nothing.

    >>> values = np.arange(1, 20)
    >>> weighted_interval(values, np.ones(19, bool), np.ones(19)).bounds
    Interval(p10=2, median=10, p90=18)
    >>> weighted_interval(values[:8], np.ones(8, bool), np.ones(8)).bounds is None
    True
    """
    there = values != MISSING_INT
    values, exact, weights = values[there], exact[there], weights[there]
    worth = effective_sample_size(weights[exact])
    runs, weak = len(values), int(np.count_nonzero(~exact))
    ends = (int(values.min()), int(values.max())) if runs else (None, None)
    if worth < MIN_RUNS - _ROUNDING:
        return IntervalEstimate(None, runs, weak, worth, *ends)
    newcomer = 1.0 / effective_sample_size(weights) * float(weights.sum())
    low = _reached(-values, np.ones(runs, bool), weights, newcomer, TAIL_PROBABILITY)
    median = _reached(values, exact, weights, 0.0, 0.5)
    high = _reached(values, exact, weights, newcomer, TAIL_PROBABILITY)
    if low is None or median is None or high is None:
        return IntervalEstimate(None, runs, weak, worth, *ends)
    bounds = Interval(min(-low, median), median, max(median, high))
    return IntervalEstimate(bounds, runs, weak, worth, *ends)


def effective_sample_size(weights: Floats) -> float:
    """Return how many equally weighted runs say as much: the square of the sum by the sum of squares.

    >>> effective_sample_size(np.array([1.0, 1.0, 0.0])), effective_sample_size(np.array([]))
    (2.0, 0.0)
    """
    squares = float(np.square(weights).sum())
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def _reached(values: Integers, exact: Flags, weights: Floats, newcomer: float, tail: float) -> int | None:
    """Return the least value that at most `tail` of the runs exceed (Kaplan and Meier's estimate).

    What is known as "at least" hands its weight on to the larger ones. `newcomer`: weight of a run
    larger than all; None where only that one would do.
    """
    order = np.lexsort((~exact, values))
    values, exact, weights = values[order], exact[order], weights[order]
    left = weights[::-1].cumsum()[::-1] + newcomer
    beyond = np.cumprod(np.where(exact, 1.0 - weights / left, 1.0))
    found = np.flatnonzero(beyond <= tail + _ROUNDING)
    return int(values[found[0]]) if len(found) else None
