"""Cost of each run by phase, agent or model: agent runs or model shares in, one row per run and part out.

An agent without a stream becomes a row of unknown values: the cost of its phase is a lower bound. The
attempts of one phase of a run are added up, so that a median is over runs. The rows are cached, because
they take longest of all to compute. If you change how they are computed, give their blocks another name
(`storage.column_cache.blocks.STORED_AS`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ...common.coercion import LONGEST_SECONDS
from ...common.column_data import (
    MISSING_CODE,
    MISSING_INT,
    CategoricalColumn,
    ColumnTable,
    Flags,
    Floats,
    Integers,
    TableName,
    concat_categories,
    is_known,
)
from ...common.models import RECORDED_BASES
from ...common.outcomes import Outcome
from .grouped_sums import mask_invalid, mask_negative, narrow_codes, widen_for_sum
from .grouping import group_by_category
from .measurements import PARTIAL_BASES, TOKENS, is_any_of

PART_TABLES: Final[Mapping[TableName, tuple[TableName, str]]] = {
    "run_phases": ("agent_runs", "phase"),
    "run_agents": ("agent_runs", "agent"),
    "run_models": ("models", "model"),
}
"""For each table of parts: the table that it is computed from, and the column to group by."""

_COMMON_COLUMNS: Final = ("cost", "cost_basis", "lower_bound_cost", *TOKENS)
PART_COLUMNS: Final[Mapping[TableName, tuple[str, ...]]] = {
    "agent_runs": (*_COMMON_COLUMNS, "outcome", "started_at", "duration_seconds", "is_copy"),
    "models": (*_COMMON_COLUMNS, "outcome", "is_copy"),
}
"""Columns needed of these tables, besides the column to group by."""


def split_cost(parts: ColumnTable) -> tuple[Integers, Integers, Flags]:
    """Return the recorded cost of each part, the lower bound beyond it, and whether more was spent.

    Both costs are in nanodollars. Those of a copy are unknown, and its flag is false.
    """
    is_recorded = is_any_of(parts.categorical["cost_basis"], RECORDED_BASES)
    cost, lower_bound_cost = (
        mask_negative(parts.integers["cost"]),
        mask_negative(parts.integers["lower_bound_cost"]),
    )
    lower_bound = np.where(is_recorded, lower_bound_cost, _sum_known(cost, lower_bound_cost))
    cost = np.where(is_recorded, cost, MISSING_INT)
    is_partial = is_any_of(parts.categorical["cost_basis"], PARTIAL_BASES) | is_known(lower_bound)
    is_copy = _find_copies(parts)
    return (
        _mask_out(is_copy, cost),
        _mask_out(is_copy, lower_bound),
        is_partial if is_copy is None else is_partial & ~is_copy,
    )


def _find_copies(parts: ColumnTable) -> Flags | None:
    """Return which parts are copies; None if there are none."""
    is_copy = parts.integers["is_copy"] == 1 if "is_copy" in parts.integers else np.zeros(0, np.bool_)
    return is_copy if is_copy.any() else None


def _find_nothing_spent(parts: ColumnTable) -> Flags:
    """Return which parts spent nothing of their own: copies, and empty streams of runs that have others."""
    is_copy: Flags = parts.integers["is_copy"] == 1
    is_empty = parts.categorical["outcome"].equals(Outcome.EMPTY)
    if not is_empty.any():
        return is_copy
    runs_with_streams = np.unique(parts.integers["workflow_key"][~is_empty])
    spent_nothing: Flags = is_copy | (is_empty & np.isin(parts.integers["workflow_key"], runs_with_streams))
    return spent_nothing


def is_cost_unknown(parts: ColumnTable) -> Flags:
    """Return which parts have an unknown cost; empty streams and copies spent nothing."""
    has_no_basis = parts.categorical["cost_basis"].codes == MISSING_CODE
    is_unknown: Flags = (
        has_no_basis & (parts.integers["is_copy"] != 1) & ~parts.categorical["outcome"].equals(Outcome.EMPTY)
    )
    return is_unknown


def _append_silent(parts: ColumnTable, by: str, silent: ColumnTable) -> ColumnTable:
    """Return the parts with one more row for each agent without a stream, whose model is unknown."""
    missing = CategoricalColumn(np.full(len(silent), MISSING_CODE, np.int32), ())
    known = {**silent.integers, "is_copy": np.zeros(len(silent), np.int64)}
    missing_integers = np.full(len(silent), MISSING_INT)
    names = {by: silent.categorical.get(by, missing)}
    return ColumnTable(
        parts.family,
        len(parts) + len(silent),
        {
            name: concat_categories([column, names.get(name, missing)])
            for name, column in parts.categorical.items()
        },
        {
            name: np.concatenate([column, known.get(name, missing_integers)])
            for name, column in parts.integers.items()
        },
        {name: np.concatenate([column, silent.floats[name]]) for name, column in parts.floats.items()},
    )


def cost_by_part(parts: ColumnTable, by: str, family: TableName, silent: ColumnTable) -> ColumnTable:
    """Compute the cost of each run by `by`, ordered by group; `silent` are the agents without a stream."""
    with_stream = len(parts)
    parts = _append_silent(parts, by, silent) if len(silent) else parts
    grouping = group_by_category(parts.categorical[by])
    codes = narrow_codes(grouping.codes, len(grouping.names))
    order = np.lexsort((parts.integers["workflow_key"], codes))
    run, codes = parts.integers["workflow_key"][order], codes[order]
    is_start = np.ones(len(order), np.bool_)
    is_start[1:] = (run[1:] != run[:-1]) | (codes[1:] != codes[:-1])
    starts = np.flatnonzero(is_start)
    recorded, lower_bound, is_partial = split_cost(parts)
    sums = _AdjacentSums(order, starts)
    is_copy = _find_copies(parts)
    recorded_sums, lower_bound_sums = sums.known(recorded), sums.known(lower_bound)
    has_unknown_part = sums.any(is_cost_unknown(parts)) & (
        is_known(recorded_sums) | is_known(lower_bound_sums)
    )
    integers = {
        "workflow_key": run[starts],
        "cost": recorded_sums,
        "lower_bound_cost": lower_bound_sums,
        "costs_more": (sums.any(is_partial) | has_unknown_part).astype(np.int64),
        "is_nothing": (~sums.any(~_find_nothing_spent(parts))).astype(np.int64),
        **{name: sums.known(_mask_out(is_copy, mask_negative(parts.integers[name]))) for name in TOKENS},
    }
    floats = {}
    if "duration_seconds" in parts.floats:
        seconds = mask_invalid(parts.floats["duration_seconds"])
        floats["duration_seconds"] = sums.elapsed(seconds, parts.integers["started_at"])
        integers["attempts"] = sums.count(np.arange(len(parts)) < with_stream)
    return ColumnTable(
        family, len(starts), {"name": parts.categorical[by].take(order[starts])}, integers, floats
    )


class _AdjacentSums:
    """Sums of adjacent rows of the same run and part, after sorting."""

    def __init__(self, order: Integers, starts: Integers) -> None:
        self.sizes: Integers = np.diff(starts, append=len(order))
        self._order, self._starts = order, starts
        self._ends = starts + self.sizes - 1
        self._largest_size = int(self.sizes.max(initial=0))

    def any(self, flags: Flags) -> Flags:
        """Return which sums have at least one flagged row."""
        return self._any_sorted(flags[self._order]) if flags.any() else np.zeros(len(self._starts), np.bool_)

    def count(self, flags: Flags) -> Integers:
        """Return the number of flagged rows of each sum."""
        return self.sizes if flags.all() else self._sum_sorted(flags[self._order].astype(np.int64))

    def known(self, values: Integers) -> Integers:
        """Add up the known values; a sum without any is unknown."""
        if self._largest_size <= 1:
            return values[self._order]
        known = is_known(values)
        if not known.any():
            return np.full(len(self._starts), MISSING_INT)
        if known.all():
            return self._sum_sorted(widen_for_sum(values, self._largest_size)[self._order])
        total = self._sum_sorted(widen_for_sum(np.where(known, values, 0), self._largest_size)[self._order])
        sums: Integers = np.where(self._any_sorted(known[self._order]), total, MISSING_INT)
        return sums

    def elapsed(self, seconds: Floats, started: Integers) -> Floats:
        """Add up the known durations as `coercion.worked_seconds` does: overlapping time counts once."""
        distinct = self._drop_overlap(seconds[self._order], started[self._order])
        known = is_known(distinct)
        if known.all():
            return self._sum_sorted(distinct)
        return np.where(self._any_sorted(known), self._sum_sorted(np.where(known, distinct, 0.0)), np.nan)

    def _drop_overlap(self, seconds: Floats, started: Integers) -> Floats:
        """Subtract from each duration the time that others of its group already cover; all rows sorted."""
        is_timed = is_known(seconds) & is_known(started)
        if self._largest_size <= 1 or not is_timed.any():
            return seconds
        group = np.repeat(np.arange(len(self._starts)), self.sizes)
        order = np.lexsort((started, ~is_timed, group))  # in each group: known starts first, ascending
        remaining, start, is_timed = seconds[order], started[order], is_timed[order]
        lengths = np.rint(np.where(is_timed, np.minimum(remaining, LONGEST_SECONDS), 0.0) * 1e6).astype(
            np.int64
        )
        end = np.where(is_timed, start, 0) + lengths
        covered_until = np.full(len(self._starts), MISSING_INT)
        for position in range(self._largest_size):
            groups = np.flatnonzero(self.sizes > position)
            rows = self._starts[groups] + position
            groups, rows = groups[is_timed[rows]], rows[is_timed[rows]]
            overlaps = start[rows] < covered_until[groups]
            uncovered = np.maximum(end[rows] - np.where(overlaps, covered_until[groups], 0), 0) / 1e6
            remaining[rows] = np.where(overlaps, uncovered, remaining[rows])
            covered_until[groups] = np.maximum(covered_until[groups], end[rows])
        result = np.empty_like(remaining)
        result[order] = remaining
        return result

    def _any_sorted(self, flags: Flags) -> Flags:
        return self._sum_sorted(flags.view(np.int8)) > 0

    def _sum_sorted(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the sum of each entry's values, which are sorted already."""
        sums: npt.NDArray[Any]
        if values.dtype.kind == "i" and len(values):
            # Several times as fast; if the running sum overflows 64 bits, the difference cancels that out.
            sums = np.diff(np.cumsum(values, dtype=np.int64)[self._ends], prepend=0)
        else:
            sums = np.add.reduceat(values, self._starts) if len(values) else values
        return sums


def _sum_known(one: Integers, other: Integers) -> Integers:
    """Return the sum if both are known, otherwise the known one."""
    first, second = (np.where(is_known(values), values, 0) for values in (one, other))
    total: Integers = widen_for_sum(first, 2) + widen_for_sum(second, 2)
    return np.where(is_known(one) | is_known(other), total, MISSING_INT)


def _mask_out(mask: Flags | None, values: Integers) -> Integers:
    return values if mask is None else np.where(mask, MISSING_INT, values)
