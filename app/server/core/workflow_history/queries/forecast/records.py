"""Result records of forecasts: money in US dollars, time in seconds. No computation.

If the data is insufficient, a value is None and `reason` is the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from ...analysis.forecast.past_runs import Kind
from ...common.field_docs import Doc
from ...common.shared_fields import (
    RunCreatedTime,
    RunDuration,
    RunId,
    RunProject,
    RunRequest,
    RunStatusOrNull,
    RunWorkflow,
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimate of a cost or duration: about 80% of comparable runs are between `p10` and `p90`."""

    median: Annotated[float | None, Doc("median, USD or seconds; null: too few runs")]
    p10: Annotated[float | None, Doc("10th percentile, USD or seconds; null: too few runs")]
    p90: Annotated[float | None, Doc("90th percentile, USD or seconds; null: too few runs")]
    runs: Annotated[int, Doc("number of past runs with a known value")]
    lower_bounds: Annotated[int, Doc("number of past runs with only a lower bound")]
    effective_n: Annotated[float, Doc("effective sample size, in equally weighted runs with exact values")]
    reason: Annotated[str | None, Doc("reason why there is no estimate; null: there is one")]
    least: Annotated[float | None, Doc("lowest value of these runs, USD or seconds; null: unknown")] = None
    most: Annotated[
        float | None, Doc("highest value of these runs, a lower bound, USD or seconds; null: unknown")
    ] = None
    median_is_lower_bound: Annotated[
        bool, Doc("whether the median is at least this: too many runs have only a lower bound")
    ] = False
    p90_is_lower_bound: Annotated[
        bool, Doc("whether the 90th percentile is at least this: too many runs have only a lower bound")
    ] = False


@dataclass(frozen=True, slots=True)
class SuccessChance:
    """Success probability among runs that complete or fail."""

    probability: Annotated[float | None, Doc("success probability, 0 to 1; null: too few runs")]
    low: Annotated[float | None, Doc("lower end of the 80% interval of the probability; null: too few runs")]
    high: Annotated[float | None, Doc("upper end of the 80% interval of the probability; null: too few runs")]
    completed: Annotated[int, Doc("number of past runs that completed")]
    ended: Annotated[int, Doc("number of past runs that completed or failed")]
    effective_n: Annotated[float, Doc("effective sample size, in equally weighted runs")]
    reason: Annotated[str | None, Doc("reason why there is no probability; null: there is one")]


@dataclass(frozen=True, slots=True)
class PhaseForecast:
    """Forecast of one phase, for runs with this phase."""

    phase: Annotated[str, Doc("name of the phase")]
    share: Annotated[float, Doc("weighted share of past runs with the phase, 0 to 1")]
    runs: Annotated[int, Doc("number of past runs with the phase")]
    cost: Annotated[Estimate, Doc("cost of the phase, USD")]
    duration: Annotated[Estimate, Doc("working time of the phase, in seconds")]


@dataclass(frozen=True, slots=True)
class ComparableRun:
    """One comparable run that a forecast is based on."""

    id: RunId
    project: RunProject
    weight: Annotated[float, Doc("weight of the run, 0 to 1; 1: same request, now")]
    similarity: Annotated[float, Doc("similarity of the request texts, 0 to 1")]
    status: RunStatusOrNull
    cost: Annotated[float | None, Doc("cost of the run, USD; null: unknown")]
    cost_is_lower_bound: Annotated[bool, Doc("whether the cost is a lower bound")]
    duration_seconds: RunDuration
    created_at: RunCreatedTime
    template: RunWorkflow
    request: RunRequest


@dataclass(frozen=True, slots=True)
class ForecastRequest:
    """Input of a forecast."""

    text: Annotated[str | None, Doc("text of the request; null: not given")]
    template: Annotated[str | None, Doc("name of the workflow; null: not given")]
    issue_class: Annotated[str | None, Doc("issue class without a slash; null: not given")]
    project: Annotated[str | None, Doc("name of the project; null: not given")]
    before: Annotated[datetime | None, Doc("only runs that had ended by this time are used; null: all")]


Basis = Literal["similar", "similar and latest", "latest"]
"""Runs a forecast is based on: with similar requests, these plus the latest ones, or only the latest."""


@dataclass(frozen=True, slots=True)
class LeftOutKind:
    """Earlier runs of another kind than those a forecast is based on."""

    kind: Annotated[Kind, Doc("kind: scripted, interactive or headless")]
    runs: Annotated[int, Doc("number of these runs")]


@dataclass(frozen=True, slots=True)
class Forecast:
    """Forecast of a run's cost, duration and success probability."""

    asked: Annotated[ForecastRequest, Doc("input of the forecast")]
    cost: Annotated[Estimate, Doc("cost, USD, including all attempts")]
    duration: Annotated[Estimate, Doc("duration, in seconds")]
    success: Annotated[SuccessChance, Doc("success probability")]
    phases: Annotated[tuple[PhaseForecast, ...], Doc("forecasts of the phases, in the usual order")]
    runs: Annotated[tuple[ComparableRun, ...], Doc("comparable runs with the highest weight")]
    based_on: Annotated[
        int, Doc("number of weighted past runs; without a forecast, of those with a similar request")
    ]
    basis: Annotated[
        Basis | None, Doc("basis: runs with a similar request, the latest runs, or both; null: no forecast")
    ]
    neighbours: Annotated[float, Doc("combined weight of the runs with a similar request")]
    weak: Annotated[tuple[str, ...], Doc("limitations of the forecast, one sentence each")]
    kind: Annotated[
        Kind | None,
        Doc("kind of the runs: scripted (workflows), interactive or headless (sessions); null: no runs"),
    ] = None
    left_out: Annotated[
        tuple[LeftOutKind, ...],
        Doc("earlier runs of the other kinds; specify a workflow to use them; empty if it is specified"),
    ] = ()


@dataclass(frozen=True, slots=True)
class Remaining:
    """Forecast of the remaining work of a run that has not ended."""

    phase: Annotated[str | None, Doc("current phase; null: the run has not begun")]
    spent: Annotated[float | None, Doc("cost so far, USD; null: unknown")]
    spent_is_lower_bound: Annotated[bool, Doc("whether the cost so far is a lower bound")]
    elapsed_seconds: Annotated[float | None, Doc("elapsed time at the last sync, in seconds; null: unknown")]
    remaining_cost: Annotated[Estimate, Doc("remaining cost, USD")]
    remaining_duration: Annotated[Estimate, Doc("remaining working time, in seconds")]
    total_cost: Annotated[Estimate, Doc("total cost at the end, USD")]
    total_duration: Annotated[Estimate, Doc("total duration at the end, in seconds")]
    success: Annotated[SuccessChance, Doc("success probability")]
    runs: Annotated[int, Doc("number of past runs that reached this phase")]


@dataclass(frozen=True, slots=True)
class RunForecast:
    """Forecast of a stored run as of its start, with its actual values or remaining work."""

    id: RunId
    project: RunProject
    status: RunStatusOrNull
    cost: Annotated[float | None, Doc("actual cost so far, USD; null: unknown")]
    cost_is_lower_bound: Annotated[bool, Doc("whether the actual cost is a lower bound")]
    duration_seconds: Annotated[float | None, Doc("actual duration so far, in seconds; null: unknown")]
    cost_verdict: Annotated[
        str | None, Doc("actual cost: below, within or above the interval; null: unknown or too early")
    ]
    duration_verdict: Annotated[
        str | None, Doc("actual duration: below, within or above the interval; null: unknown or too early")
    ]
    forecast: Annotated[Forecast, Doc("forecast from the runs that had ended before this one began")]
    flight: Annotated[Remaining | None, Doc("forecast of the remaining work; null: the run has ended")]
