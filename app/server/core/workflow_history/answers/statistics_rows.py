"""Statistics as a flat table: how to group in, one row for each group out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ..filters import RunFilter
from ..zones import LOCAL
from .statistics import Figures, run_statistics
from .tables import Table, of_records


@dataclass(frozen=True, slots=True)
class StatisticsRow:
    """What one group of runs adds up to."""

    name: str | None  # of the group; null: its runs do not say
    across: str | None  # of the second grouping
    first_day: date | None  # of a day, week or month
    runs: int  # how many, without copies of other runs
    copies: int  # runs left out: other runs count all that they spent
    agent_runs: int | None  # attempts that left a stream, by phase and agent
    completed: int  # runs
    failed: int  # runs
    success_rate: float | None  # 0 to 1: completed of those that completed or failed
    success_rate_of: int  # runs that completed or failed
    cost: float | None  # USD on record, all runs
    cost_mean: float | None  # USD a run
    cost_median: float | None  # USD a run
    cost_p90: float | None  # USD: nine of ten runs cost at most so much
    cost_runs: int  # runs whose cost is known
    lower_bound_cost: float | None  # USD, spent at least beyond `cost`
    runs_without_cost: int  # of which nothing is known to have been spent, but for copies of other runs
    runs_costing_more: int  # runs that spent more than is on record
    input_tokens: int | None  # read uncached
    output_tokens: int | None  # written by the models
    cache_read_tokens: int | None  # read from the cache
    cache_creation_tokens: int | None  # written to the cache
    total_tokens: int | None  # of all four kinds
    cache_hit_share: float | None  # 0 to 1: cache read of all tokens read
    duration_seconds: float | None  # seconds, all runs
    duration_mean_seconds: float | None  # seconds a run
    duration_median_seconds: float | None  # seconds a run
    duration_p90_seconds: float | None  # seconds


def statistics_table(by: str, across: str | None = None, tz: str = LOCAL) -> Table:
    """Return statistics, grouped as `run_statistics` groups them, as something that can be taken out."""

    def ask(where: RunFilter) -> list[StatisticsRow]:
        return [_row(group) for group in run_statistics(by, where, across=across, tz=tz).groups]

    return of_records(StatisticsRow, ask, money=("cost", "lower_bound_cost"))


def _row(group: Figures) -> StatisticsRow:
    cost, tokens, duration = group.cost, group.tokens, group.duration
    return StatisticsRow(
        name=group.name,
        across=group.across,
        first_day=group.first_day,
        runs=group.runs,
        copies=group.copies,
        agent_runs=group.agent_runs,
        completed=group.completed,
        failed=group.failed,
        success_rate=group.success_rate,
        success_rate_of=group.success_rate_of,
        cost=cost.total,
        cost_mean=cost.mean,
        cost_median=cost.median,
        cost_p90=cost.p90,
        cost_runs=cost.runs,
        lower_bound_cost=group.lower_bound_cost,
        runs_without_cost=group.runs_without_cost,
        runs_costing_more=group.runs_costing_more,
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cache_read,
        cache_creation_tokens=tokens.cache_creation,
        total_tokens=tokens.total,
        cache_hit_share=group.cache_hit_share,
        duration_seconds=duration.total,
        duration_mean_seconds=duration.mean,
        duration_median_seconds=duration.median,
        duration_p90_seconds=duration.p90,
    )
