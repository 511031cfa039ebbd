"""What a forecast answers with: typed values, money in US dollars, time in seconds. No rule, no number made.

Where too little is known a figure is None, and `why_not` says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an amount will be: about 8 in 10 of the runs it rests on lie from `p10` to `p90`."""

    median: float | None  # US dollars, or seconds
    p10: float | None
    p90: float | None
    runs: int  # past runs in which it is known
    at_least: int  # of those, known only as "at least"
    worth: float  # as many equally weighted, fully known runs would say as much
    why_not: str | None  # None: there is a figure
    least: float | None = None  # that any of these runs came to, US dollars or seconds; None: unknown
    most: float | None = None  # that any of them came to, at least


@dataclass(frozen=True, slots=True)
class SuccessChance:
    """How likely it completes, of runs that complete or fail."""

    share: float | None  # 0 to 1
    low: float | None  # 80% interval of the share
    high: float | None
    completed: int  # past runs
    ended: int  # past runs that completed or failed
    worth: float  # as many equally weighted runs would say as much
    why_not: str | None


@dataclass(frozen=True, slots=True)
class PhaseForecast:
    """One phase of the run, where it has that phase."""

    phase: str
    share: float  # of the runs, 0 to 1, that go through it
    runs: int  # past runs that did
    cost: Estimate  # US dollars
    duration: Estimate  # seconds of work


@dataclass(frozen=True, slots=True)
class ComparableRun:
    """One run that a forecast rests on."""

    id: str
    project: str  # empty: none named
    weight: float  # 1: asks for the same, now
    similarity: float  # of the texts, 0 to 1
    status: str | None
    cost: float | None  # US dollars
    cost_at_least: bool  # more was spent than is known
    duration_seconds: float | None
    created_at: datetime | None
    template: str | None
    request: str | None  # its beginning


@dataclass(frozen=True, slots=True)
class ForecastRequest:
    """What a forecast is for."""

    text: str | None
    template: str | None
    issue_class: str | None  # without a slash
    project: str | None
    before: datetime | None  # only runs that had ended by then were looked at; None: all


Basis = Literal["alike", "alike and latest", "latest"]
"""Which runs it rests on: those that asked for the like, these filled up with the latest, or the latest."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run will cost, how long it will take and how likely it succeeds."""

    asked: ForecastRequest
    cost: Estimate  # US dollars, all attempts
    duration: Estimate  # seconds
    success: SuccessChance
    phases: tuple[PhaseForecast, ...]  # in the usual order
    runs: tuple[ComparableRun, ...]  # the heaviest of those it rests on
    rests_on: int  # past runs with any weight; without a forecast those that ask for the like, if any
    basis: Basis | None  # runs that asked for the like, the latest of its template, or both; None: none
    neighbours: float  # what the runs with a like text count together
    weak: tuple[str, ...]  # what must be known about it, a sentence each


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is still to come of a run that has not ended."""

    phase: str | None  # that it is in; None: it has not begun
    spent: float | None  # US dollars so far
    spent_at_least: bool
    elapsed_seconds: float | None  # so far, at the last sync
    rest_cost: Estimate
    rest_duration: Estimate  # seconds of work
    total_cost: Estimate
    total_duration: Estimate
    success: SuccessChance
    runs: int  # past runs that came as far


@dataclass(frozen=True, slots=True)
class RunForecast:
    """What would have been forecast before a stored run, beside what came or is still to come."""

    id: str
    project: str  # empty: none named
    status: str | None
    cost: float | None  # US dollars spent
    cost_at_least: bool
    duration_seconds: float | None
    cost_was: str | None  # below, within or above the forecast; None: not known or not to be said yet
    duration_was: str | None
    forecast: Forecast  # from the runs that had ended before it began
    flight: Remaining | None  # None: it has ended
