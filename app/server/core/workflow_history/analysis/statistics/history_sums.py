"""Totals for the analytics of a whole history: columns of all runs in, GroupTotals out."""

from __future__ import annotations

import sys
from datetime import datetime
from decimal import Decimal
from typing import Final

import numpy as np

from ...common.column_data import MISSING_CODE, CategoricalColumn, ColumnTable, Floats, Integers, is_known
from ...common.plausible_dates import from_microseconds
from .grouped_sums import Codes, grouped_counts, grouped_sums, mask_invalid, mask_negative
from .measurements import TOKENS
from .workflow_totals import GroupTotals

COLUMNS: Final = (
    "status", "model_used", "workflow_template", "cost_basis", "created_at", "total_cost",
    "lower_bound_cost", *TOKENS, "total_tokens", "duration_seconds", "is_copy",
)  # fmt: skip
"""Columns needed of runs."""

_GROUP_COLUMNS: Final = COLUMNS[:4]


def group_totals(runs: ColumnTable) -> list[GroupTotals]:
    """Return the totals of runs by status, model, template and cost basis, without copies."""
    runs = runs.take(runs.integers["is_copy"] != 1)
    combined = _combine_categories([runs.categorical[name] for name in _GROUP_COLUMNS])
    groups, codes = np.unique(combined, return_inverse=True)
    if not len(groups):
        return []
    count = len(groups)
    status, model, template, basis = (
        _categories_by_group(runs.categorical[name], codes, count) for name in _GROUP_COLUMNS
    )
    cost, lower_bound = (
        [
            (Decimal(nanodollars).scaleb(-9), known)
            for nanodollars, known in grouped_sums(mask_negative(runs.integers[name]), codes, count)
        ]
        for name in ("total_cost", "lower_bound_cost")
    )
    token_counts: dict[str, Floats] = {}
    for name in (*TOKENS, "total_tokens"):
        counts = runs.integers[name]
        token_counts[name] = np.where(counts < 0, np.nan, counts.astype(np.float64))
    seconds = mask_invalid(runs.floats["duration_seconds"])
    duration, tokens, cache_percent = (
        [(min(total, sys.float_info.max), known) for total, known in grouped_sums(values, codes, count)]
        for values in (seconds, _total_tokens(token_counts), _cache_percent(token_counts))
    )
    times = _first_and_last_times(runs.integers["created_at"], codes, count)
    return [
        GroupTotals(
            status[group], model[group], template[group], basis[group], size,
            cost[group], lower_bound[group], duration[group], tokens[group], cache_percent[group],
            *times[group],
        )
        for group, size in enumerate(grouped_counts(codes, count))
    ]  # fmt: skip


def _combine_categories(columns: list[CategoricalColumn]) -> Integers:
    """Return one number for each combination of categories."""
    combined = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        _, combined = np.unique(combined, return_inverse=True)  # keeps the numbers within 64 bits
        combined = combined * (len(column.categories) + 1) + column.codes - MISSING_CODE
    return combined


def _categories_by_group(column: CategoricalColumn, codes: Codes, count: int) -> list[str | None]:
    """Return the category of each group."""
    group_codes = np.full(count, MISSING_CODE, np.int32)
    group_codes[codes] = column.codes
    return CategoricalColumn(group_codes, column.categories).to_list()


def _total_tokens(token_counts: dict[str, Floats]) -> Floats:
    """Return total tokens, or the sum of the four kinds if the total is unknown and all kinds are known."""
    reported, total = token_counts["total_tokens"], np.sum([token_counts[name] for name in TOKENS], axis=0)
    return np.where(is_known(reported), reported, total)


def _cache_percent(token_counts: dict[str, Floats]) -> Floats:
    read = token_counts["cache_read_tokens"]
    prompt = read + token_counts["input_tokens"] + token_counts["cache_creation_tokens"]
    rate: Floats = np.divide(read, prompt, out=np.full(len(read), np.nan), where=prompt > 0)
    return 100.0 * rate


def _first_and_last_times(
    values: Integers, codes: Codes, count: int
) -> list[tuple[datetime | None, datetime | None]]:
    """Return the first and last time of each group."""
    known = is_known(values)
    order = np.argsort(codes[known], kind="stable")
    sorted_codes, times = codes[known][order], values[known][order]
    starts = np.flatnonzero(np.diff(sorted_codes, prepend=-1))
    result: list[tuple[datetime | None, datetime | None]] = [(None, None)] * count
    first, last = np.minimum.reduceat(times, starts), np.maximum.reduceat(times, starts)
    for group, oldest, newest in zip(
        sorted_codes[starts].tolist(), first.tolist(), last.tolist(), strict=True
    ):
        result[group] = from_microseconds(oldest), from_microseconds(newest)
    return result
