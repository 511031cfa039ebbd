"""Prediction intervals: compute quantiles of weighted amounts, some of them lower bounds. Pure.

The bounds are conformal: the new run counts as one more past run beyond the bound, so that the interval is
as wide as a finite sample requires. If the sample is too small for that, there is no interval.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ...common.column_data import MISSING_INT, Flags, Floats, Integers
from ...common.proportions import Z_80, wilson

PRIOR_STRENGTH: Final = 20.0
"""Weight of the overall success rate, in runs: a few runs alone are not a reliable rate."""


class SuccessProbability(NamedTuple):
    """A success probability, 0 to 1, with its 80% interval; None if there is too little data."""

    probability: float | None
    low: float | None
    high: float | None
    completed: int
    ended: int  # completed or failed runs; running and interrupted runs count as neither
    effective_sample_size: float  # effective sample size


def estimate_success(
    completed: Flags, failed: Flags, weights: Floats, base_rate: float | None = None
) -> SuccessProbability:
    """Estimate the success probability from past outcomes, drawn towards the overall rate `base_rate`.

    Without `base_rate`, half a run of each kind is added (Jeffreys), so that the result is never 0 or 1.

    >>> estimate_success(np.array([True] * 9), np.array([False] * 9), np.ones(9)).probability
    0.95
    """
    ended = completed | failed
    sample_size, total = effective_sample_size(weights[ended]), float(weights[ended].sum())
    counts = int(np.count_nonzero(completed)), int(np.count_nonzero(ended))
    if sample_size < MIN_RUNS:
        return SuccessProbability(None, None, None, *counts, sample_size)
    prior_strength, prior = (1.0, 0.5) if base_rate is None else (PRIOR_STRENGTH, base_rate)
    probability = (float(weights[completed].sum()) / total * sample_size + prior * prior_strength) / (
        sample_size + prior_strength
    )
    return SuccessProbability(
        probability, *wilson(probability, sample_size + prior_strength, Z_80), *counts, sample_size
    )


TAIL_PROBABILITY: Final = 0.1
"""Share of runs below the lower bound, and above the upper one."""

MIN_RUNS: Final = 9.0
"""Minimum effective sample size: of fewer runs, even the extremes cover less than 80%: (n - 1) / (n + 1)."""

_ROUNDING = 1e-9


class Interval(NamedTuple):
    """A prediction interval that covers about 80% of the runs."""

    p10: int
    median: int
    p90: int


class IntervalEstimate(NamedTuple):
    """A prediction interval and the data behind it."""

    bounds: Interval | None  # None if there is too little data
    runs: int  # number of runs with a known amount
    lower_bounds: int  # number of these runs whose amount is a lower bound
    effective_sample_size: float  # effective sample size of the exactly known amounts
    minimum: int | None = None  # smallest known amount
    maximum: int | None = None  # largest known amount
    median_is_lower_bound: bool = False
    p90_is_lower_bound: bool = False  # always if the median is one

    @property
    def is_bounded(self) -> bool:
        """Whether there is an interval and its upper end is known."""
        return self.bounds is not None and not self.p90_is_lower_bound


def weighted_interval(values: Integers, exact: Flags, weights: Floats) -> IntervalEstimate:
    """Compute the prediction interval of weighted amounts; unknown amounts are ignored.

    If too many amounts are lower bounds to reach a quantile, it is that of all amounts as they are, which is
    a lower bound of the true one, for any true amounts.

    >>> values = np.arange(1, 20)
    >>> weighted_interval(values, np.ones(19, bool), np.ones(19)).bounds
    Interval(p10=2, median=10, p90=18)
    >>> weighted_interval(values[:8], np.ones(8, bool), np.ones(8)).bounds is None
    True
    """
    known = values != MISSING_INT
    values, exact, weights = values[known], exact[known], weights[known]
    sample_size, total_size = effective_sample_size(weights[exact]), effective_sample_size(weights)
    count, lower_bounds = len(values), int(np.count_nonzero(~exact))
    minimum, maximum = (int(values.min()), int(values.max())) if count else (None, None)
    no_interval = IntervalEstimate(None, count, lower_bounds, sample_size, minimum, maximum)
    if total_size < MIN_RUNS - _ROUNDING:
        return no_interval
    new_run_weight = 1.0 / total_size * float(weights.sum())
    all_exact = np.ones(count, bool)
    low = _quantile(-values, all_exact, weights, new_run_weight, TAIL_PROBABILITY)
    median = high = None
    if sample_size >= MIN_RUNS - _ROUNDING:
        median = _quantile(values, exact, weights, 0.0, 0.5)
        high = _quantile(values, exact, weights, new_run_weight, TAIL_PROBABILITY)
    shown_median = _quantile(values, all_exact, weights, 0.0, 0.5) if median is None else median
    shown_high = (
        _quantile(values, all_exact, weights, new_run_weight, TAIL_PROBABILITY) if high is None else high
    )
    if low is None or shown_median is None or shown_high is None:
        return no_interval
    bounds = Interval(min(-low, shown_median), shown_median, max(shown_median, shown_high))
    return no_interval._replace(
        bounds=bounds,
        median_is_lower_bound=median is None,
        p90_is_lower_bound=median is None or high is None,
    )


def effective_sample_size(weights: Floats) -> float:
    """Return the effective sample size: the squared sum of weights divided by the sum of their squares.

    >>> effective_sample_size(np.array([1.0, 1.0, 0.0])), effective_sample_size(np.array([]))
    (2.0, 0.0)
    """
    squares = float(np.square(weights).sum())
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def _quantile(
    values: Integers, exact: Flags, weights: Floats, new_run_weight: float, tail: float
) -> int | None:
    """Return the smallest value that at most `tail` of the runs exceed (Kaplan-Meier estimate).

    Lower bounds pass their weight on to larger values. `new_run_weight` is the weight of one more run above
    all others; None if only that run would reach the quantile.
    """
    order = np.lexsort((~exact, values))
    values, exact, weights = values[order], exact[order], weights[order]
    at_risk = weights[::-1].cumsum()[::-1] + new_run_weight
    survival = np.cumprod(np.where(exact, 1.0 - weights / at_risk, 1.0))
    reached = np.flatnonzero(survival <= tail + _ROUNDING)
    return int(values[reached[0]]) if len(reached) else None
