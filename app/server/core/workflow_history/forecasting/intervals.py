"""Read an interval off weighted amounts, some known only as "at least": arrays in, three amounts out. Pure.

The bounds are conformal: the run to come is counted among the past ones, beyond the bound, so that the
interval is as wide as a finite sample demands. Where the sample is too small for that there is none.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ..columns import UNKNOWN, Flags, Floats, Integers

TAIL: Final = 0.1
"""Share of runs below the lower bound, and above the upper one."""

LEAST_RUNS: Final = 9.0
"""Runs that must speak, in equal runs: of fewer not even the extremes hold 80%: (n - 1) / (n + 1)."""

_ROUNDING = 1e-9


class Bounds(NamedTuple):
    """An interval that holds about 80% of the runs."""

    p10: int
    median: int
    p90: int


class Read(NamedTuple):
    """What some amounts say."""

    bounds: Bounds | None  # None: too little speaks
    runs: int  # with a known amount
    at_least: int  # of those, known only as "at least"
    worth: float  # as many equally weighted, fully known runs would say as much


def read_bounds(values: Integers, exact: Flags, weights: Floats) -> Read:
    """Return the interval of amounts; unknown ones say nothing.

    >>> values = np.arange(1, 20)
    >>> read_bounds(values, np.ones(19, bool), np.ones(19)).bounds
    Bounds(p10=2, median=10, p90=18)
    >>> read_bounds(values[:8], np.ones(8, bool), np.ones(8)).bounds is None
    True
    """
    there = values != UNKNOWN
    values, exact, weights = values[there], exact[there], weights[there]
    worth = kish(weights[exact])
    runs, weak = len(values), int(np.count_nonzero(~exact))
    if worth < LEAST_RUNS - _ROUNDING:
        return Read(None, runs, weak, worth)
    newcomer = 1.0 / kish(weights) * float(weights.sum())
    low = _reached(-values, np.ones(runs, bool), weights, newcomer, TAIL)
    median = _reached(values, exact, weights, 0.0, 0.5)
    high = _reached(values, exact, weights, newcomer, TAIL)
    if low is None or median is None or high is None:
        return Read(None, runs, weak, worth)
    return Read(Bounds(min(-low, median), median, max(median, high)), runs, weak, worth)


def kish(weights: Floats) -> float:
    """Return how many equally weighted runs say as much: the square of the sum by the sum of squares.

    >>> kish(np.array([1.0, 1.0, 0.0])), kish(np.array([]))
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
