"""Result records of forecasts: money in US dollars, time in seconds. No computation.

If the data is insufficient, a value is None and `reason` is the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimate of a cost or duration: about 80% of comparable runs are between `p10` and `p90`."""

    median: float | None  # median, US dollars or seconds
    p10: float | None  # 10th percentile, US dollars or seconds
    p90: float | None  # 90th percentile, US dollars or seconds
    runs: int  # number of past runs with a known value
    lower_bounds: int  # number of past runs with only a lower bound
    effective_n: float  # effective sample size, in equally weighted runs with exact values
    reason: str | None  # reason why there is no estimate; None: there is one
    least: float | None = None  # lowest value of these runs, US dollars or seconds; None: unknown
    most: float | None = None  # highest value of these runs, a lower bound, US dollars or seconds


@dataclass(frozen=True, slots=True)
class SuccessChance:
    """Success probability among runs that complete or fail."""

    probability: float | None  # success probability, 0 to 1; None: insufficient data
    low: float | None  # lower end of the 80% interval of the probability
    high: float | None  # upper end of the 80% interval of the probability
    completed: int  # number of past runs that completed
    ended: int  # number of past runs that completed or failed
    effective_n: float  # effective sample size, in equally weighted runs
    reason: str | None  # reason why there is no probability; None: there is one


@dataclass(frozen=True, slots=True)
class PhaseForecast:
    """Forecast of one phase, for runs with this phase."""

    phase: str  # name of the phase
    share: float  # weighted share of past runs with the phase, 0 to 1
    runs: int  # number of past runs with the phase
    cost: Estimate  # cost of the phase, US dollars
    duration: Estimate  # working time of the phase, in seconds


@dataclass(frozen=True, slots=True)
class ComparableRun:
    """One comparable run that a forecast is based on."""

    id: str  # id of the run
    project: str  # project of the run; empty: no project is named
    weight: float  # weight of the run, 0 to 1; 1: same request, now
    similarity: float  # similarity of the request texts, 0 to 1
    status: str | None  # status of the run
    cost: float | None  # cost of the run, US dollars
    cost_is_lower_bound: bool  # whether the cost is a lower bound
    duration_seconds: float | None  # duration of the run, in seconds
    created_at: datetime | None  # creation time of the run
    template: str | None  # name of the workflow
    request: str | None  # beginning of the request


@dataclass(frozen=True, slots=True)
class ForecastRequest:
    """Input of a forecast."""

    text: str | None  # request text
    template: str | None  # name of the workflow
    issue_class: str | None  # issue class without a slash
    project: str | None  # name of the project
    before: datetime | None  # only runs that had ended by this time are used; None: all


Basis = Literal["alike", "alike and latest", "latest"]
"""Runs a forecast is based on: with similar requests, these plus the latest ones, or only the latest."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Forecast of a run's cost, duration and success probability."""

    asked: ForecastRequest  # input of the forecast
    cost: Estimate  # cost, US dollars, including all attempts
    duration: Estimate  # duration, in seconds
    success: SuccessChance  # success probability
    phases: tuple[PhaseForecast, ...]  # forecasts of the phases, in the usual order
    runs: tuple[ComparableRun, ...]  # comparable runs with the highest weight
    based_on: int  # number of weighted past runs; without a forecast, of those with a similar request
    basis: Basis | None  # basis: runs with a similar request, the latest runs, or both; None: no forecast
    neighbours: float  # combined weight of the runs with a similar request
    weak: tuple[str, ...]  # limitations of the forecast, one sentence each


@dataclass(frozen=True, slots=True)
class Remaining:
    """Forecast of the remaining work of a run that has not ended."""

    phase: str | None  # current phase; None: the run has not begun
    spent: float | None  # cost so far, US dollars
    spent_is_lower_bound: bool  # whether the cost so far is a lower bound
    elapsed_seconds: float | None  # elapsed time at the last sync, in seconds
    remaining_cost: Estimate  # remaining cost, US dollars
    remaining_duration: Estimate  # remaining working time, in seconds
    total_cost: Estimate  # total cost at the end, US dollars
    total_duration: Estimate  # total duration at the end, in seconds
    success: SuccessChance  # success probability
    runs: int  # number of past runs that reached this phase


@dataclass(frozen=True, slots=True)
class RunForecast:
    """Forecast of a stored run as of its start, with its actual values or remaining work."""

    id: str  # id of the run
    project: str  # project of the run; empty: no project is named
    status: str | None  # status of the run
    cost: float | None  # actual cost so far, US dollars
    cost_is_lower_bound: bool  # whether the actual cost is a lower bound
    duration_seconds: float | None  # actual duration so far, in seconds
    cost_verdict: str | None  # actual cost: below, within or above the interval; None: unknown or too early
    duration_verdict: (
        str | None
    )  # actual duration: below, within or above the interval; None: unknown, too early
    forecast: Forecast  # forecast from the runs that had ended before this one began
    flight: Remaining | None  # forecast of the remaining work; None: the run has ended
