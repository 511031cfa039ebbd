"""Result records of statistics. Money in US dollars; None is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from ...common.plausible_dates import ImplausibleDates


@dataclass(frozen=True, slots=True)
class Distribution:
    """Distribution of an amount over runs: cost in US dollars, duration in seconds."""

    total: float | None  # sum of the known values; 0.0 if there are no runs
    mean: float | None  # mean of the known values
    median: float | None  # median of the known values
    p90: float | None  # 90th percentile of the known values, linearly interpolated
    runs: int  # number of runs with a known value, the base of mean, median and p90


@dataclass(frozen=True, slots=True)
class TokenTotals:
    """Total tokens by kind, over the runs in which that kind is known."""

    input: int | None  # uncached input tokens
    output: int | None  # output tokens
    cache_read: int | None  # cache read tokens
    cache_creation: int | None  # cache write tokens
    total: int | None  # tokens of all kinds


@dataclass(frozen=True, slots=True)
class GroupStatistics:
    """Statistics of one group of runs."""

    name: str | None  # name of the group; None: unknown
    across: str | None  # name of the second grouping's group; None: unknown, or no second grouping
    first_day: date | None  # first day of the day, week or month, in the requested time zone
    runs: int  # number of runs without copies of other runs, which are in no other figure
    copies: int  # number of skipped runs, whose whole cost other runs count
    agent_runs: int | None  # number of agent runs with a transcript; None unless by phase or agent
    completed: int  # number of completed runs
    failed: int  # number of failed runs
    success_rate: float | None  # completed runs divided by completed plus failed runs, 0 to 1; None if none
    success_rate_of: int  # number of completed and failed runs; others are running, incomplete or unknown
    cost: Distribution  # recorded cost, US dollars
    lower_bound_cost: float | None  # US dollars spent at least beyond the recorded cost
    runs_without_cost: int  # number of runs without any known cost
    runs_costing_more: int  # number of runs that cost more than recorded: interrupted, no transcript or price
    tokens: TokenTotals  # total tokens by kind
    cache_hit_rate: float | None  # cache hit rate, 0 to 1, over runs with all input token kinds known
    duration: Distribution  # duration of the runs, seconds


@dataclass(frozen=True, slots=True)
class RunStatistics:
    """Statistics of selected runs, by group."""

    by: str  # name of the grouping
    across: str | None  # name of the second grouping; None: not requested
    time_zone: str | None  # time zone of days and hours; None: not grouped by time
    total: GroupStatistics  # statistics of all runs, each counted once
    groups: tuple[GroupStatistics, ...]  # groups in order of time, or by descending cost; unknown last
    invalid_timestamps: ImplausibleDates | None  # runs with invalid timestamps; None: not grouped by time


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

    kind: str  # waste category: failed_runs, retries, false_successes, errors, interrupted
    runs: int  # number of runs with waste of this category, of known cost or not
    cost: float | None  # US dollars, lower bound, without costs of earlier categories; None: unknown
    counted_above: float  # US dollars of this category that an earlier category counts
    partial: bool  # true if it cost more, which no earlier category counts


@dataclass(frozen=True, slots=True)
class WasteLocation:
    """Wasted cost of one workflow or phase."""

    name: str | None  # name of the workflow or phase; None: unknown
    wasted: float  # wasted US dollars, lower bound
    spent: float  # US dollars spent in the workflow or phase, lower bound
    share: float | None  # wasted share of the spent dollars, 0 to 1; None: no known cost
    wasted_partial: bool  # true if more was wasted
    partial: bool  # true if more was spent


@dataclass(frozen=True, slots=True)
class Waste:
    """Wasted cost: spent on work that failed or had to be repeated; each dollar is counted once."""

    runs: int  # number of runs, without copies
    wasted: float  # wasted US dollars, lower bound: the sum over all categories
    spent: float  # US dollars spent, lower bound: recorded costs plus lower bounds beyond them
    partial: bool  # true if more was spent
    share: float | None  # wasted share of the spent dollars, 0 to 1; None: no known cost
    kinds: tuple[WasteKind, ...]  # waste by category, in the order in which a dollar is counted
    doubtful_runs: int  # number of completed runs with a false success
    doubtful_cost: float  # US dollars that the doubtful runs cost at least; not part of the waste
    doubtful_partial: bool  # true if the doubtful runs cost more
    by_template: tuple[WasteLocation, ...]  # waste by workflow, most wasteful first
    by_phase: tuple[WasteLocation, ...]  # waste by phase, most wasteful first; name None: no agent's cost


@dataclass(frozen=True, slots=True)
class Change:
    """One metric in a period and in the previous one."""

    figure: str  # metric: runs, success_rate, cost, cost_per_run, duration, tokens, cache_hit_rate
    unit: str  # unit of the values: runs, share (0 to 1), USD, seconds, tokens
    now: float | None  # value in the period; None: unknown
    before: float | None  # value in the previous period; None: unknown
    change: float | None  # `now` minus `before`, in the unit; None if one is unknown
    change_percent: float | None  # change in percent of `before`; None if that is 0 or unknown
    runs_now: int  # number of runs that `now` is based on
    runs_before: int  # number of runs that `before` is based on
    low_n: bool  # true if one value is based on so few runs that the change may be noise


@dataclass(frozen=True, slots=True)
class Trend:
    """Comparison of a period with the previous one of equal length."""

    begins: datetime  # start of the period, UTC, inclusive
    ends: datetime  # end of the period, UTC, exclusive
    before_begins: datetime  # start of the previous period, UTC; it ends when this one begins
    before_is_whole: bool  # false if the first run is later than the start of the previous period
    changes: tuple[Change, ...]  # changes by metric
    invalid_timestamps: ImplausibleDates  # runs with invalid timestamps, in neither period


@dataclass(frozen=True, slots=True)
class Overview:
    """Overview of selected runs: totals, statistics by group, waste and trend."""

    total: GroupStatistics  # statistics of all runs
    weeks: RunStatistics  # statistics by week
    templates: RunStatistics  # statistics by workflow
    models: RunStatistics  # statistics by model
    phases: RunStatistics  # statistics by phase
    waste: Waste  # wasted cost
    trend: Trend | None  # comparison of the last period with the previous one; None if dates are filtered
