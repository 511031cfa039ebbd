"""Calibration metrics: compare forecasts with actual values; shares and errors with sample sizes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np

from ...common.column_data import Floats
from ...common.proportions import Z_95, wilson
from ..similarity.portable_numerics import log, mean_of


class ForecastCase(NamedTuple):
    """One forecast number of one run and its actual value, in nanodollars or microseconds."""

    actual: int  # actual value
    p10: int
    median: int
    p90: int
    mean: float  # mean of all earlier runs
    plain_median: float  # median of all earlier runs
    template_median: float  # median of the earlier runs of its template; NaN without a template


@dataclass(frozen=True, slots=True)
class Coverage:
    """Share of actual values inside the prediction interval."""

    count: int
    inside: int  # actual values inside the interval
    below: int  # actual values below p10
    above: int  # actual values above p90
    share: float
    low: float  # 95% interval of the share
    high: float


@dataclass(frozen=True, slots=True)
class ErrorSummary:
    """Errors of one forecasting method over `count` cases."""

    count: int
    absolute: float  # median absolute error, in the unit of the values
    log: float  # median absolute error of the logarithm: 0.1 is about 10%


def coverage(cases: Sequence[ForecastCase]) -> Coverage | None:
    """Return the coverage of the intervals; None without a case."""
    if not cases:
        return None
    below = sum(case.actual < case.p10 for case in cases)
    above = sum(case.actual > case.p90 for case in cases)
    inside = len(cases) - below - above
    share = inside / len(cases)
    return Coverage(len(cases), inside, below, above, share, *wilson(share, len(cases), Z_95))


def error_summary(actual: Floats, predicted: Floats) -> ErrorSummary | None:
    """Return the median errors of forecasts; logarithms use values above 0 only. None without a case.

    >>> error_summary(np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.0, 4.0])).absolute
    0.0
    """
    known = ~np.isnan(predicted)
    actual, predicted = actual[known], predicted[known]
    if not len(actual):
        return None
    positive = (actual > 0) & (predicted > 0)
    logs = np.abs(log(actual[positive] / predicted[positive]))
    median_log = float(np.median(logs)) if len(logs) else float("nan")
    return ErrorSummary(len(actual), float(np.median(np.abs(actual - predicted))), median_log)


@dataclass(frozen=True, slots=True)
class WinRate:
    """How often one method was closer to the actual value than another; ties count half."""

    count: int
    share: float  # 0 to 1
    low: float  # 95% interval of the share
    high: float


def win_rate(actual: Floats, predicted: Floats, other: Floats) -> WinRate | None:
    """Return how often `predicted` was closer to the actual value than `other`; None without a case.

    >>> win_rate(np.array([1.0, 2.0]), np.array([1.0, 2.0]), np.array([1.0, 4.0])).share
    0.75
    """
    if not len(actual):
        return None
    errors, other_errors = np.abs(actual - predicted), np.abs(actual - other)
    share = (
        int(np.count_nonzero(errors < other_errors)) + int(np.count_nonzero(errors == other_errors)) / 2
    ) / len(actual)
    return WinRate(len(actual), share, *wilson(share, len(actual), Z_95))


class BrierGain(NamedTuple):
    """Reduction of one Brier score against another over the same cases."""

    mean: float
    low: float  # 95% interval of the mean
    high: float


def brier_gain(
    predicted: Sequence[float], base_rates: Sequence[float], completed: Sequence[bool]
) -> BrierGain:
    """Return by how much the Brier score of `predicted` is lower than that of `base_rates`.

    >>> brier_gain([1.0, 0.0], [0.5, 0.5], [True, False])
    BrierGain(mean=0.25, low=0.25, high=0.25)
    """
    outcomes = np.array(completed, np.float64)
    gains = np.square(np.array(base_rates) - outcomes) - np.square(np.array(predicted) - outcomes)
    mean = mean_of(gains)
    spread = sqrt(mean_of(np.square(gains - mean)) / len(gains)) * Z_95
    return BrierGain(mean, mean - spread, mean + spread)


class OutcomeCase(NamedTuple):
    """The predicted success probability, the rate of all earlier runs, and the actual outcome."""

    probability: float  # 0 to 1
    base_rate: float  # 0 to 1
    completed: bool


def brier(predicted: Sequence[float], completed: Sequence[bool]) -> float:
    """Return the Brier score, 0 (certain and right) to 1; predicting one half always scores 0.25.

    >>> brier([1.0, 0.5], [True, False])
    0.125
    """
    return mean_of(np.square(np.array(predicted) - np.array(completed, np.float64)))
