"""Statistics of runs by group: an aggregate in, GroupStatistics out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from ...common.coercion import sum_floats as sum_of
from ...common.column_data import ColumnTable
from ..similarity.portable_numerics import exact_sum
from .aggregates import SUMS, Aggregate, aggregate
from .grouped_sums import MEDIAN, NANODOLLARS, P90, quantiles, to_usd
from .grouping import Group, Grouping
from .measurements import TOKENS, measurements_by_run
from .records import Distribution, GroupStatistics, TokenTotals

ALL: Group = ("all", None)
"""The only group of all runs together."""

_Sums = dict[str, int]


def build_figures(
    digest: Aggregate, by: Grouping | None = None, across: Grouping | None = None
) -> list[GroupStatistics]:
    """Build the statistics of each group: time groups in order, others by descending cost; unknown last.

    The groupings define which groups are in order of time, and the first day of each.
    """
    days = dict(zip(by.names, by.days, strict=True)) if by and by.days else {}
    sums = [dict(zip(SUMS, column, strict=True)) for column in digest.sums.T.tolist()]
    costs, seconds = (values.by_group() for values in digest.values)
    found = [
        _figures(group, days.get(group[0]), *of_group)
        for group, *of_group in zip(digest.groups, sums, costs, seconds, strict=True)
    ]
    # Periods without runs are shown; an empty unknown group and empty cells of a cross table are not.
    keeps_empty = by is not None and by.keeps_empty and across is None
    shown = [one for one in found if one.runs or (one.name is not None and keeps_empty)]
    return _in_order(shown, _places(by), _places(across))


def aggregate_all(runs: ColumnTable) -> Aggregate:
    """Aggregate all runs in one group."""
    return aggregate(measurements_by_run(runs), np.zeros(len(runs), np.int8), [ALL], runs)


def total_figures(digest: Aggregate) -> GroupStatistics:
    """Build the statistics of all runs together."""
    sums, (costs, seconds) = digest.sums.T.tolist()[0], digest.values
    return _figures(ALL, None, dict(zip(SUMS, sums, strict=True)), costs.values, seconds.values)


def _places(grouping: Grouping | None) -> dict[str | None, int]:
    """Return the position of each group of a grouping in order of time; empty for other groupings."""
    return (
        {name: place for place, name in enumerate(grouping.names)} if grouping and grouping.in_order else {}
    )


def _in_order(
    found: Sequence[GroupStatistics], first: dict[str | None, int], second: dict[str | None, int]
) -> list[GroupStatistics]:
    """Sort groups, and those of the second grouping within the first."""
    whole: dict[str | None, float] = defaultdict(float)
    for figures in found:
        whole[figures.name] += minimum_cost(figures)

    def key(figures: GroupStatistics) -> tuple[object, ...]:
        return (
            figures.name is None,
            first.get(figures.name, -whole[figures.name]),
            figures.name or "",
            figures.across is None,
            second.get(figures.across, -minimum_cost(figures)),
            figures.across or "",
        )

    return sorted(found, key=key)


def minimum_cost(figures: GroupStatistics) -> float:
    """Return the known cost of a group, recorded cost and lower bound, in US dollars."""
    return (figures.cost.total or 0.0) + (figures.lower_bound_cost or 0.0)


def _figures(group: Group, first_day: date | None, sums: _Sums, costs: Any, seconds: Any) -> GroupStatistics:
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
        cost=_cost(costs, runs),
        lower_bound_cost=to_usd(sums["beyond"]) if sums["beyond_known"] else None,
        runs_without_cost=sums["without_cost"],
        runs_costing_more=sums["more"],
        tokens=_tokens(sums),
        cache_hit_share=_cache_hits(sums),
        duration=_duration(seconds, runs),
    )


def _cost(nanodollars: Any, runs: int) -> Distribution:
    total, count = exact_sum(nanodollars), len(nanodollars)
    mean = total / (count * NANODOLLARS) if count else None
    median, p90 = quantiles(np.sort(nanodollars), [MEDIAN, P90], NANODOLLARS)
    return Distribution(to_usd(total) if count or not runs else None, mean, median, p90, count)


def _duration(seconds: Any, runs: int) -> Distribution:
    rising, count = np.sort(seconds), len(seconds)
    total = sum_of(seconds.tolist())
    mean = total / count if count else None
    median, p90 = quantiles(rising, [MEDIAN, P90])
    return Distribution(total if count or not runs else None, mean, median, p90, count)


def _tokens(sums: _Sums) -> TokenTotals:
    def known_only(name: str) -> int | None:
        return sums[name] if sums[f"{name}_known"] or not sums["runs"] else None

    return TokenTotals(*map(known_only, (*TOKENS, "total_tokens")))


def _cache_hits(sums: _Sums) -> float | None:
    read = sums["prompt_cache_read_tokens"]
    prompt = sums["prompt_input_tokens"] + read + sums["prompt_cache_creation_tokens"]
    return read / prompt if prompt else None
