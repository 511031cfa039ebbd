"""Totals for the analytics of a whole history: columns of all runs in, GroupTotals out."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np

from ...common.column_data import MISSING_CODE, CategoricalColumn, ColumnTable, Floats, Integers, is_known
from .grouped_sums import Codes, Sum, grouped_counts, grouped_sums, mask_invalid, mask_negative
from .measurements import TOKENS
from .workflow_totals import GroupTotals

COLUMNS: Final = (
    "status", "model_used", "workflow_template", "cost_basis", "created_at", "total_cost",
    "lower_bound_cost", *TOKENS, "total_tokens", "duration_seconds", "is_copy",
)  # fmt: skip
"""Columns needed of runs."""

_NAMES: Final = COLUMNS[:4]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def group_totals(runs: ColumnTable) -> list[GroupTotals]:
    """Return the totals of runs by status, model, template and cost basis, without copies."""
    runs = runs.take(runs.integers["is_copy"] != 1)
    groups, codes = np.unique(_combined([runs.categorical[name] for name in _NAMES]), return_inverse=True)
    if not len(groups):
        return []
    number = len(groups)
    status, model, template, basis = (_by_group(runs.categorical[name], codes, number) for name in _NAMES)
    cost, beyond = (_money(runs.integers[name], codes, number) for name in ("total_cost", "lower_bound_cost"))
    kinds = {name: _real(runs.integers[name]) for name in (*TOKENS, "total_tokens")}
    duration, tokens, cached = (
        [_bounded(found) for found in grouped_sums(values, codes, number)]
        for values in (mask_invalid(runs.floats["duration_seconds"]), _tokens(kinds), _cache_percent(kinds))
    )
    moments = _moments(runs.integers["created_at"], codes, number)
    return [
        GroupTotals(
            status[group], model[group], template[group], basis[group], size,
            cost[group], beyond[group], duration[group], tokens[group], cached[group], *moments[group],
        )
        for group, size in enumerate(grouped_counts(codes, number))
    ]  # fmt: skip


def _combined(words: list[CategoricalColumn]) -> Integers:
    """Return one number for each combination of categories."""
    combined = np.zeros(len(words[0]), np.int64)
    for column in words:
        _, combined = np.unique(combined, return_inverse=True)  # keeps the numbers within 64 bits
        combined = combined * (len(column.categories) + 1) + column.codes - MISSING_CODE
    return combined


def _by_group(words: CategoricalColumn, codes: Codes, groups: int) -> list[str | None]:
    """Return the category of each group."""
    found = np.full(groups, MISSING_CODE, np.int32)
    found[codes] = words.codes
    return CategoricalColumn(found, words.categories).to_list()


def _money(values: Integers, codes: Codes, groups: int) -> list[tuple[Decimal, int]]:
    return [
        (Decimal(total).scaleb(-9), count)
        for total, count in grouped_sums(mask_negative(values), codes, groups)
    ]


def _bounded(found: Sum) -> tuple[float, int]:
    """Limit a sum to the largest float."""
    return min(found.total, sys.float_info.max), found.known


def _real(values: Integers) -> Floats:
    return np.where(values < 0, np.nan, values.astype(np.float64))


def _tokens(kinds: dict[str, Floats]) -> Floats:
    """Return total tokens, or the sum of the four kinds if the total is unknown and all kinds are known."""
    stated, total = kinds["total_tokens"], np.sum([kinds[name] for name in TOKENS], axis=0)
    return np.where(is_known(stated), stated, total)


def _cache_percent(kinds: dict[str, Floats]) -> Floats:
    read = kinds["cache_read_tokens"]
    prompt = read + kinds["input_tokens"] + kinds["cache_creation_tokens"]
    found: Floats = np.divide(read, prompt, out=np.full(len(read), np.nan), where=prompt > 0)
    return 100.0 * found


def _moments(values: Integers, codes: Codes, groups: int) -> list[tuple[datetime | None, datetime | None]]:
    """Return the first and last time of each group."""
    there = is_known(values)
    order = np.argsort(codes[there], kind="stable")
    of, moments = codes[there][order], values[there][order]
    starts = np.flatnonzero(np.diff(of, prepend=-1))
    found: list[tuple[datetime | None, datetime | None]] = [(None, None)] * groups
    first, last = np.minimum.reduceat(moments, starts), np.maximum.reduceat(moments, starts)
    for group, oldest, newest in zip(of[starts].tolist(), first.tolist(), last.tolist(), strict=True):
        found[group] = _moment(oldest), _moment(newest)
    return found


def _moment(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)
