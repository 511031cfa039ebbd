"""Statistics of runs by group: an aggregate in, GroupStatistics out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from ...common.coercion import sum_floats
from ...common.column_data import ColumnTable
from ...common.spending import NANODOLLARS, to_usd
from ..similarity.portable_numerics import exact_sum
from .aggregates import SUMS, Aggregate, aggregate_measurements
from .grouped_sums import MEDIAN, P90, quantiles
from .grouping import Group, Grouping
from .measurements import TOKENS, measurements_by_run
from .records import Distribution, GroupStatistics, TokenTotals

ALL: Group = ("all", None)
"""The only group of all runs together."""

_Sums = dict[str, int]


def build_group_statistics(
    aggregate: Aggregate,
    by: Grouping | None = None,
    across: Grouping | None = None,
    *,
    is_crossed: bool = False,
) -> list[GroupStatistics]:
    """Build the statistics of each group: time groups in order, others by descending cost; unknown last.

    The groupings define which groups are in order of time, and the first day of each. A grouping by parts of
    runs is None in a cross table, too.
    """
    days = dict(zip(by.names, by.days, strict=True)) if by and by.days else {}
    sums = [dict(zip(SUMS, column, strict=True)) for column in aggregate.sums.T.tolist()]
    costs, seconds = (values.by_group() for values in aggregate.values)
    statistics = [
        _build_statistics(group, days.get(group[0]), *amounts)
        for group, *amounts in zip(aggregate.groups, sums, costs, seconds, strict=True)
    ]
    # Periods without runs are shown; an empty unknown group and empty cells of a cross table are not.
    shows_empty = by is not None and by.keeps_empty and not is_crossed
    shown = [group for group in statistics if group.runs or (group.name is not None and shows_empty)]
    return _sort_groups(shown, _time_positions(by), _time_positions(across))


def aggregate_all(runs: ColumnTable) -> Aggregate:
    """Aggregate all runs in one group."""
    return aggregate_measurements(measurements_by_run(runs), np.zeros(len(runs), np.int8), [ALL], runs)


def build_total(aggregate: Aggregate) -> GroupStatistics:
    """Build the statistics of all runs together."""
    sums, (costs, seconds) = aggregate.sums.T.tolist()[0], aggregate.values
    return _build_statistics(ALL, None, dict(zip(SUMS, sums, strict=True)), costs.values, seconds.values)


def _time_positions(grouping: Grouping | None) -> dict[str | None, int]:
    """Return the position of each group of a grouping in order of time; empty for other groupings."""
    names = grouping.names if grouping and grouping.in_order else ()
    return {name: position for position, name in enumerate(names)}


def _sort_groups(
    statistics: Sequence[GroupStatistics],
    first_positions: dict[str | None, int],
    second_positions: dict[str | None, int],
) -> list[GroupStatistics]:
    """Sort groups, and those of the second grouping within the first."""
    cost_by_name: dict[str | None, float] = defaultdict(float)
    for group in statistics:
        cost_by_name[group.name] += group.minimum_cost

    def key(group: GroupStatistics) -> tuple[object, ...]:
        return (
            group.name is None,
            first_positions.get(group.name, -cost_by_name[group.name]),
            group.name or "",
            group.across is None,
            second_positions.get(group.across, -group.minimum_cost),
            group.across or "",
        )

    return sorted(statistics, key=key)


def _build_statistics(
    group: Group, first_day: date | None, sums: _Sums, costs: Any, durations: Any
) -> GroupStatistics:
    runs, completed, failed = sums["runs"], sums["completed"], sums["failed"]
    name, across = group
    return GroupStatistics(
        name=name,
        across=across,
        first_day=first_day,
        runs=runs,
        copies=sums["copies"],
        agent_runs=sums["attempts"] if sums["attempts_known"] else None,
        completed=completed,
        failed=failed,
        success_rate=completed / (completed + failed) if completed + failed else None,
        success_rate_of=completed + failed,
        cost=_cost_distribution(costs, runs),
        lower_bound_cost=to_usd(sums["lower_bound"]) if sums["lower_bound_known"] else None,
        runs_without_cost=sums["without_cost"],
        runs_costing_more=sums["partial"],
        tokens=_token_totals(sums),
        cache_hit_rate=_cache_hit_rate(sums),
        duration=_duration_distribution(durations, runs),
    )


def _cost_distribution(nanodollars: Any, runs: int) -> Distribution:
    total, count = exact_sum(nanodollars), len(nanodollars)
    mean = total / (count * NANODOLLARS) if count else None
    median, p90 = quantiles(np.sort(nanodollars), [MEDIAN, P90], NANODOLLARS)
    return Distribution(to_usd(total) if count or not runs else None, mean, median, p90, count)


def _duration_distribution(seconds: Any, runs: int) -> Distribution:
    total, count = sum_floats(seconds.tolist()), len(seconds)
    mean = total / count if count else None
    median, p90 = quantiles(np.sort(seconds), [MEDIAN, P90])
    return Distribution(total if count or not runs else None, mean, median, p90, count)


def _token_totals(sums: _Sums) -> TokenTotals:
    def known_only(name: str) -> int | None:
        return sums[name] if sums[f"{name}_known"] or not sums["runs"] else None

    return TokenTotals(*map(known_only, (*TOKENS, "total_tokens")))


def _cache_hit_rate(sums: _Sums) -> float | None:
    read = sums["prompt_cache_read_tokens"]
    prompt = sums["prompt_input_tokens"] + read + sums["prompt_cache_creation_tokens"]
    return read / prompt if prompt else None
