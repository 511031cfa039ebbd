"""Result records of statistics. Money in US dollars; None is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from ...common.field_docs import Doc
from ...common.plausible_dates import ImplausibleDates
from ...common.shared_fields import (
    CacheReadTokens,
    CacheWriteTokens,
    EndedRuns,
    InputTokens,
    LowerBoundCost,
    OutputTokens,
    RunCount,
    RunsWithoutCost,
    SuccessRate,
    TotalTokens,
)

WasteShare = Annotated[float | None, Doc("wasted share of the spent dollars, 0 to 1; null: no known cost")]
RunsCostingMore = Annotated[int, Doc("number of runs that spent more than the recorded cost")]
MoreWasSpent = Annotated[bool, Doc("true if more was spent")]


@dataclass(frozen=True, slots=True)
class Distribution:
    """Distribution of an amount over runs: cost in US dollars, duration in seconds."""

    total: Annotated[float | None, Doc("sum of the known values, 0 without runs; null: all are unknown")]
    mean: Annotated[float | None, Doc("mean of the known values; null: unknown")]
    median: Annotated[float | None, Doc("median of the known values; null: unknown")]
    p90: Annotated[float | None, Doc("90th percentile of the known values, interpolated; null: unknown")]
    runs: Annotated[int, Doc("number of runs with a known value, the base of mean, median and p90")]


@dataclass(frozen=True, slots=True)
class TokenTotals:
    """Total tokens by kind, over the runs in which that kind is known."""

    input: InputTokens
    output: OutputTokens
    cache_read: CacheReadTokens
    cache_creation: CacheWriteTokens
    total: TotalTokens


@dataclass(frozen=True, slots=True)
class RunsOfGroup:
    """Name of one group of runs, and how many runs it has."""

    name: Annotated[str | None, Doc("name of the group; null: unknown")]
    across: Annotated[str | None, Doc("name of the second grouping's group; null: unknown, or not requested")]
    first_day: Annotated[
        date | None,
        Doc("first day of the day, week or month, in the requested time zone; null: not grouped by time"),
    ]
    runs: RunCount
    copies: Annotated[int, Doc("number of copies of other runs, which count their cost")]
    agent_runs: Annotated[
        int | None, Doc("number of agent runs with a transcript; null: not grouped by phase or agent")
    ]
    completed: Annotated[int, Doc("number of completed runs")]
    failed: Annotated[int, Doc("number of failed runs")]
    success_rate: SuccessRate
    success_rate_of: EndedRuns


@dataclass(frozen=True, slots=True)
class GroupStatistics(RunsOfGroup):
    """Statistics of one group of runs."""

    cost: Annotated[Distribution, Doc("recorded cost, USD")]
    lower_bound_cost: LowerBoundCost
    runs_without_cost: RunsWithoutCost
    runs_costing_more: RunsCostingMore
    tokens: Annotated[TokenTotals, Doc("total tokens by kind")]
    cache_hit_rate: Annotated[
        float | None, Doc("cache hit rate of runs with all kinds of input tokens known, 0 to 1; null: no run")
    ]
    duration: Annotated[Distribution, Doc("duration of the runs, seconds")]

    @property
    def minimum_cost(self) -> float:
        """The known cost of the group, recorded cost and lower bound, in US dollars; 0 if none is known."""
        return (self.cost.total or 0.0) + (self.lower_bound_cost or 0.0)


@dataclass(frozen=True, slots=True)
class RunStatistics:
    """Statistics of selected runs, by group."""

    by: Annotated[str, Doc("name of the grouping")]
    across: Annotated[str | None, Doc("name of the second grouping; null: not requested")]
    time_zone: Annotated[str | None, Doc("time zone of days and hours; null: not grouped by time")]
    total: Annotated[GroupStatistics, Doc("statistics of all runs, each counted once")]
    groups: Annotated[tuple[GroupStatistics, ...], Doc("groups by time or descending cost; unknown last")]
    invalid_timestamps: Annotated[
        ImplausibleDates | None, Doc("runs with invalid timestamps; null: not by time")
    ]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Statistics of selected runs over time, and by a second grouping."""

    by: str  # unit of time: day, week or month
    whole: RunStatistics  # statistics by period
    groups: RunStatistics | None  # statistics by the second grouping alone; None: not requested
    crossed: RunStatistics | None  # statistics by period and second grouping; None: not requested
    trend: Trend | None  # comparison of the last period with the previous one; None if dates are filtered


@dataclass(frozen=True, slots=True)
class WasteKind:
    """Wasted cost of one category."""

    kind: Annotated[str, Doc("waste category: failed_runs, retries, false_successes, errors, interrupted")]
    runs: Annotated[int, Doc("number of runs with waste of this category, of known cost or not")]
    cost: Annotated[float | None, Doc("USD, lower bound, without costs of earlier categories; null: unknown")]
    counted_above: Annotated[float, Doc("USD of this category that an earlier category counts")]
    partial: Annotated[bool, Doc("true if it cost more, which no earlier category counts")]


@dataclass(frozen=True, slots=True)
class WasteLocation:
    """Wasted cost of one workflow or phase."""

    name: Annotated[str | None, Doc("name of the workflow or phase; null: unknown")]
    wasted: Annotated[float, Doc("wasted USD, lower bound")]
    spent: Annotated[float, Doc("USD spent in the workflow or phase, lower bound")]
    share: WasteShare
    wasted_partial: Annotated[bool, Doc("true if more was wasted")]
    partial: MoreWasSpent


@dataclass(frozen=True, slots=True)
class Waste:
    """Wasted cost: spent on work that failed or had to be repeated; each dollar is counted once."""

    runs: Annotated[int, Doc("number of runs, without copies")]
    wasted: Annotated[float, Doc("wasted USD, lower bound: the sum over all categories")]
    spent: Annotated[float, Doc("USD spent, a lower bound: also beyond the recorded costs")]
    partial: MoreWasSpent
    share: WasteShare
    kinds: Annotated[tuple[WasteKind, ...], Doc("waste by category, in the order of counting")]
    doubtful_runs: Annotated[int, Doc("number of completed runs with a false success")]
    doubtful_cost: Annotated[
        float, Doc("lower bound of the cost of the doubtful runs, USD; not in the waste")
    ]
    doubtful_partial: Annotated[bool, Doc("true if the doubtful runs cost more")]
    by_template: Annotated[tuple[WasteLocation, ...], Doc("waste by workflow, most wasteful first")]
    by_phase: Annotated[
        tuple[WasteLocation, ...], Doc("waste by phase, most wasteful first; name null: no agent's cost")
    ]


@dataclass(frozen=True, slots=True)
class Change:
    """One metric in a period and in the previous one."""

    figure: Annotated[
        str, Doc("metric: runs, success_rate, cost, cost_per_run, duration, tokens, cache_hit_rate")
    ]
    unit: Annotated[str, Doc("unit of the values: runs, share (0 to 1), USD, seconds, tokens")]
    now: Annotated[float | None, Doc("value in the period; null: unknown")]
    before: Annotated[float | None, Doc("value in the previous period; null: unknown")]
    change: Annotated[float | None, Doc("`now` minus `before`, in the unit; null: one is unknown")]
    change_percent: Annotated[float | None, Doc("change in percent of `before`; null: that is 0 or unknown")]
    runs_now: Annotated[int, Doc("number of runs that `now` is based on")]
    runs_before: Annotated[int, Doc("number of runs that `before` is based on")]
    low_n: Annotated[bool, Doc("true if one value is based on so few runs that the change may be noise")]


@dataclass(frozen=True, slots=True)
class Trend:
    """Comparison of a period with the previous one of equal length."""

    begins: Annotated[datetime, Doc("start of the period, UTC, inclusive")]
    ends: Annotated[datetime, Doc("end of the period, UTC, exclusive")]
    before_begins: Annotated[datetime, Doc("start of the previous period, UTC; it ends when this one begins")]
    before_is_whole: Annotated[bool, Doc("false: the first run is later than the previous period's start")]
    changes: Annotated[tuple[Change, ...], Doc("changes by metric")]
    invalid_timestamps: Annotated[ImplausibleDates, Doc("runs with invalid timestamps, in neither period")]


@dataclass(frozen=True, slots=True)
class Overview:
    """Overview of selected runs: totals, statistics by group, waste and trend."""

    total: Annotated[GroupStatistics, Doc("statistics of all runs")]
    weeks: Annotated[RunStatistics, Doc("statistics by week")]
    templates: Annotated[RunStatistics, Doc("statistics by workflow")]
    models: Annotated[RunStatistics, Doc("statistics by model")]
    phases: Annotated[RunStatistics, Doc("statistics by phase")]
    waste: Annotated[Waste, Doc("wasted cost")]
    trend: Annotated[Trend | None, Doc("last period and the one before; null: dates are filtered")]
