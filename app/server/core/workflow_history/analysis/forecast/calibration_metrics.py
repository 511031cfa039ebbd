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

    came: int  # actual value
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
    held: int  # actual values inside the interval
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
    below = sum(case.came < case.p10 for case in cases)
    above = sum(case.came > case.p90 for case in cases)
    inside = len(cases) - below - above
    share = inside / len(cases)
    return Coverage(len(cases), inside, below, above, share, *wilson(share, len(cases), Z_95))


def error_summary(came: Floats, told: Floats) -> ErrorSummary | None:
    """Return the median errors of forecasts; logarithms use values above 0 only. None without a case.

    >>> error_summary(np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.0, 4.0])).absolute
    0.0
    """
    there = ~np.isnan(told)
    came, told = came[there], told[there]
    if not len(came):
        return None
    above = (came > 0) & (told > 0)
    logs = np.abs(log(came[above] / told[above]))
    middle = float(np.median(logs)) if len(logs) else float("nan")
    return ErrorSummary(len(came), float(np.median(np.abs(came - told))), middle)


@dataclass(frozen=True, slots=True)
class WinRate:
    """How often one method was closer to the actual value than another; ties count half."""

    count: int
    share: float  # 0 to 1
    low: float  # 95% interval of the share
    high: float


def win_rate(came: Floats, told: Floats, other: Floats) -> WinRate | None:
    """Return how often `told` was closer to the actual value than `other`; None without a case.

    >>> win_rate(np.array([1.0, 2.0]), np.array([1.0, 2.0]), np.array([1.0, 4.0])).share
    0.75
    """
    if not len(came):
        return None
    own, others = np.abs(came - told), np.abs(came - other)
    share = (int(np.count_nonzero(own < others)) + int(np.count_nonzero(own == others)) / 2) / len(came)
    return WinRate(len(came), share, *wilson(share, len(came), Z_95))


class BrierGain(NamedTuple):
    """Reduction of one Brier score against another over the same cases."""

    mean: float
    low: float  # 95% interval of the mean
    high: float


def brier_gain(told: Sequence[float], base: Sequence[float], completed: Sequence[bool]) -> BrierGain:
    """Return by how much the Brier score of `told` is lower than that of `base`.

    >>> brier_gain([1.0, 0.0], [0.5, 0.5], [True, False])
    BrierGain(mean=0.25, low=0.25, high=0.25)
    """
    came = np.array(completed, np.float64)
    gains = np.square(np.array(base) - came) - np.square(np.array(told) - came)
    mean = mean_of(gains)
    spread = sqrt(mean_of(np.square(gains - mean)) / len(gains)) * Z_95
    return BrierGain(mean, mean - spread, mean + spread)


class OutcomeCase(NamedTuple):
    """The predicted success probability, the rate of all earlier runs, and the actual outcome."""

    told: float  # 0 to 1
    base: float  # 0 to 1
    completed: bool


def brier(told: Sequence[float], completed: Sequence[bool]) -> float:
    """Return the Brier score, 0 (certain and right) to 1; predicting one half always scores 0.25.

    >>> brier([1.0, 0.5], [True, False])
    0.125
    """
    return mean_of(np.square(np.array(told) - np.array(completed, np.float64)))
