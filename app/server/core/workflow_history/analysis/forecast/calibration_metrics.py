"""Hold forecasts against what came: pairs in, shares and errors with their sample sizes out. Pure."""

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
    """One figure of one run: what was forecast and what came. In nanodollars or microseconds."""

    came: int
    p10: int
    median: int
    p90: int
    mean: float  # of all earlier runs
    plain_median: float  # of all earlier runs
    template_median: float  # of the earlier runs of its template; NaN where it names none


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often an interval held."""

    count: int
    held: int
    below: int  # came below p10
    above: int  # came above p90
    share: float
    low: float  # 95% interval of the share
    high: float


@dataclass(frozen=True, slots=True)
class ErrorSummary:
    """How far off one way of forecasting was, over `count` cases."""

    count: int
    absolute: float  # median of the absolute errors, in the unit of the figure
    log: float  # median of the absolute errors of the logarithm: 0.1 is about 10% off


def coverage(cases: Sequence[ForecastCase]) -> Coverage | None:
    """Return how often the interval held; None without a case."""
    if not cases:
        return None
    below = sum(case.came < case.p10 for case in cases)
    above = sum(case.came > case.p90 for case in cases)
    inside = len(cases) - below - above
    share = inside / len(cases)
    return Coverage(len(cases), inside, below, above, share, *wilson(share, len(cases), Z_95))


def error_summary(came: Floats, told: Floats) -> ErrorSummary | None:
    """Return how far off told amounts were; the logarithm is of amounts above 0. None without a case.

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
    """How often one way of forecasting came closer than another; of equal ones each is closer by half."""

    count: int
    share: float  # 0 to 1
    low: float  # 95% interval of the share
    high: float


def win_rate(came: Floats, told: Floats, other: Floats) -> WinRate | None:
    """Return how often `told` was closer to what came than `other`; None without a case.

    >>> win_rate(np.array([1.0, 2.0]), np.array([1.0, 2.0]), np.array([1.0, 4.0])).share
    0.75
    """
    if not len(came):
        return None
    own, others = np.abs(came - told), np.abs(came - other)
    share = (int(np.count_nonzero(own < others)) + int(np.count_nonzero(own == others)) / 2) / len(came)
    return WinRate(len(came), share, *wilson(share, len(came), Z_95))


class BrierGain(NamedTuple):
    """How much less Brier's score is than another's, over the same cases."""

    mean: float
    low: float  # 95% interval of the mean
    high: float


def brier_gain(told: Sequence[float], base: Sequence[float], completed: Sequence[bool]) -> BrierGain:
    """Return how much less the score of `told` is than that of `base`.

    >>> brier_gain([1.0, 0.0], [0.5, 0.5], [True, False])
    BrierGain(mean=0.25, low=0.25, high=0.25)
    """
    came = np.array(completed, np.float64)
    gains = np.square(np.array(base) - came) - np.square(np.array(told) - came)
    mean = mean_of(gains)
    spread = sqrt(mean_of(np.square(gains - mean)) / len(gains)) * Z_95
    return BrierGain(mean, mean - spread, mean + spread)


class OutcomeCase(NamedTuple):
    """The chance that a run was given, that of all earlier runs, and what became of it."""

    told: float  # 0 to 1
    base: float  # 0 to 1
    completed: bool


def brier(told: Sequence[float], completed: Sequence[bool]) -> float:
    """Return Brier's score, 0 (sure and right) to 1; saying one half always makes 0.25.

    >>> brier([1.0, 0.5], [True, False])
    0.125
    """
    return mean_of(np.square(np.array(told) - np.array(completed, np.float64)))
