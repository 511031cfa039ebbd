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
from .grouped_sums import mask_invalid, mask_negative, narrow_codes, widen_for_sum
from .grouping import group_by_category
from .measurements import PARTIAL_BASES, TOKENS, isin

PART_TABLES: Final[Mapping[TableName, tuple[TableName, str]]] = {
    "run_phases": ("agent_runs", "phase"),
    "run_agents": ("agent_runs", "agent"),
    "run_models": ("models", "model"),
}
"""For each table of parts: the table that it is computed from, and the column to group by."""

_OF_A_PART: Final = ("cost", "cost_basis", "lower_bound_cost", *TOKENS)
PART_COLUMNS: Final[Mapping[TableName, tuple[str, ...]]] = {
    "agent_runs": (*_OF_A_PART, "outcome", "started_at", "duration_seconds", "is_copy"),
    "models": (*_OF_A_PART, "outcome", "is_copy"),
}
"""Columns needed of these tables, besides the column to group by."""


def recorded_and_bound(parts: ColumnTable) -> tuple[Integers, Integers, Flags]:
    """Return the recorded cost of each part, the lower bound beyond it, and whether more was spent.

    Both costs are in nanodollars. Those of a copy are unknown, and its flag is false.
    """
    recorded = isin(parts.categorical["cost_basis"], ("reported", "computed"))
    cost, bound = mask_negative(parts.integers["cost"]), mask_negative(parts.integers["lower_bound_cost"])
    beyond = np.where(recorded, bound, _both(cost, bound))
    cost = np.where(recorded, cost, MISSING_INT)
    more = isin(parts.categorical["cost_basis"], PARTIAL_BASES) | is_known(beyond)
    copied = _copies(parts)
    return _unless(copied, cost), _unless(copied, beyond), more if copied is None else more & ~copied


def _copies(parts: ColumnTable) -> Flags | None:
    """Return which parts are copies; None if there are none."""
    copied = parts.integers["is_copy"] == 1 if "is_copy" in parts.integers else np.zeros(0, np.bool_)
    return copied if copied.any() else None


def _spent_nothing(parts: ColumnTable) -> Flags:
    """Return which parts spent nothing of their own: copies, and empty streams of runs that have others."""
    copied: Flags = parts.integers["is_copy"] == 1
    empty = parts.categorical["outcome"].equals("empty")
    if not empty.any():
        return copied
    told = np.unique(parts.integers["workflow_key"][~empty])
    found: Flags = copied | (empty & np.isin(parts.integers["workflow_key"], told))
    return found


def are_unknown(parts: ColumnTable) -> Flags:
    """Return which parts have an unknown cost; empty streams and copies spent nothing."""
    unknown = parts.categorical["cost_basis"].codes == MISSING_CODE
    found: Flags = unknown & (parts.integers["is_copy"] != 1) & ~parts.categorical["outcome"].equals("empty")
    return found


def _with_silent(parts: ColumnTable, by: str, silent: ColumnTable) -> ColumnTable:
    """Return the parts with one more row for each agent without a stream, whose model is unknown."""
    nothing = CategoricalColumn(np.full(len(silent), MISSING_CODE, np.int32), ())
    more = {**silent.integers, "is_copy": np.zeros(len(silent), np.int64)}
    unknown = np.full(len(silent), MISSING_INT)
    names = {by: silent.categorical.get(by, nothing)}
    return ColumnTable(
        parts.family,
        len(parts) + len(silent),
        {
            name: concat_categories([words, names.get(name, nothing)])
            for name, words in parts.categorical.items()
        },
        {name: np.concatenate([column, more.get(name, unknown)]) for name, column in parts.integers.items()},
        {name: np.concatenate([column, silent.floats[name]]) for name, column in parts.floats.items()},
    )


def cost_by_part(parts: ColumnTable, by: str, family: TableName, silent: ColumnTable) -> ColumnTable:
    """Compute the cost of each run by `by`, ordered by group; `silent` are the agents without a stream."""
    heard = len(parts)
    parts = _with_silent(parts, by, silent) if len(silent) else parts
    grouping = group_by_category(parts.categorical[by])
    codes = narrow_codes(grouping.codes, len(grouping.names))
    order = np.lexsort((parts.integers["workflow_key"], codes))
    run, codes = parts.integers["workflow_key"][order], codes[order]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (run[1:] != run[:-1]) | (codes[1:] != codes[:-1])
    starts = np.flatnonzero(begins)
    cost, beyond, more = recorded_and_bound(parts)
    total = _AdjacentSums(order, starts)
    copied = _copies(parts)
    costs, bounds = total.known(cost), total.known(beyond)
    beside = total.any(are_unknown(parts)) & (is_known(costs) | is_known(bounds))
    whole = {
        "workflow_key": run[starts],
        "cost": costs,
        "lower_bound_cost": bounds,
        "costs_more": (total.any(more) | beside).astype(np.int64),
        "is_nothing": (~total.any(~_spent_nothing(parts))).astype(np.int64),
        **{name: total.known(_unless(copied, mask_negative(parts.integers[name]))) for name in TOKENS},
    }
    real = {}
    if "duration_seconds" in parts.floats:
        seconds = mask_invalid(parts.floats["duration_seconds"])
        real["duration_seconds"] = total.worked(seconds, parts.integers["started_at"])
        whole["attempts"] = total.count(np.arange(len(parts)) < heard)
    return ColumnTable(family, len(starts), {"name": parts.categorical[by].take(order[starts])}, whole, real)


class _AdjacentSums:
    """Sums of adjacent rows of the same run and part, after sorting."""

    def __init__(self, order: Integers, starts: Integers) -> None:
        self.sizes: Integers = np.diff(starts, append=len(order))
        self._order, self._starts = order, starts
        self._lasts = starts + self.sizes - 1
        self._longest = int(self.sizes.max(initial=0))

    def any(self, flags: Flags) -> Flags:
        """Return which sums have at least one flagged row."""
        return self._any(flags[self._order]) if flags.any() else np.zeros(len(self._starts), np.bool_)

    def count(self, flags: Flags) -> Integers:
        """Return the number of flagged rows of each sum."""
        return self.sizes if flags.all() else self._sum(flags[self._order].astype(np.int64))

    def known(self, values: Integers) -> Integers:
        """Add up the known values; a sum without any is unknown."""
        if self._longest <= 1:
            return values[self._order]
        there = is_known(values)
        if not there.any():
            return np.full(len(self._starts), MISSING_INT)
        if there.all():
            return self._sum(widen_for_sum(values, self._longest)[self._order])
        total = self._sum(widen_for_sum(np.where(there, values, 0), self._longest)[self._order])
        found: Integers = np.where(self._any(there[self._order]), total, MISSING_INT)
        return found

    def worked(self, seconds: Floats, started: Integers) -> Floats:
        """Add up the known durations as `coercion.worked_seconds` does: overlapping time counts once."""
        laid = self._one_after_the_other(seconds[self._order], started[self._order])
        there = is_known(laid)
        if there.all():
            return self._sum(laid)
        return np.where(self._any(there), self._sum(np.where(there, laid, 0.0)), np.nan)

    def _one_after_the_other(self, seconds: Floats, started: Integers) -> Floats:
        """Subtract from each duration the time that others of its group already cover; all rows sorted."""
        timed = is_known(seconds) & is_known(started)
        if self._longest <= 1 or not timed.any():
            return seconds
        group = np.repeat(np.arange(len(self._starts)), self.sizes)
        order = np.lexsort((started, ~timed, group))  # in each group: known starts first, ascending
        left, start, timed = seconds[order], started[order], timed[order]
        lasts = np.rint(np.where(timed, np.minimum(left, LONGEST_SECONDS), 0.0) * 1e6).astype(np.int64)
        end = np.where(timed, start, 0) + lasts
        until = np.full(len(self._starts), MISSING_INT)
        for place in range(self._longest):
            groups = np.flatnonzero(self.sizes > place)
            rows = self._starts[groups] + place
            groups, rows = groups[timed[rows]], rows[timed[rows]]
            beside = start[rows] < until[groups]
            more = np.maximum(end[rows] - np.where(beside, until[groups], 0), 0) / 1e6
            left[rows] = np.where(beside, more, left[rows])
            until[groups] = np.maximum(until[groups], end[rows])
        found = np.empty_like(left)
        found[order] = left
        return found

    def _any(self, laid: Flags) -> Flags:
        return self._sum(laid.view(np.int8)) > 0

    def _sum(self, laid: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the sum of each entry's values, which are sorted already."""
        found: npt.NDArray[Any]
        if laid.dtype.kind == "i" and len(laid):
            # Several times as fast; if the running sum overflows 64 bits, the difference cancels that out.
            found = np.diff(np.cumsum(laid, dtype=np.int64)[self._lasts], prepend=0)
        else:
            found = np.add.reduceat(laid, self._starts) if len(laid) else laid
        return found


def _both(one: Integers, other: Integers) -> Integers:
    """Return the sum if both are known, otherwise the known one."""
    first, second = (np.where(is_known(values), values, 0) for values in (one, other))
    total: Integers = widen_for_sum(first, 2) + widen_for_sum(second, 2)
    return np.where(is_known(one) | is_known(other), total, MISSING_INT)


def _unless(left_out: Flags | None, values: Integers) -> Integers:
    return values if left_out is None else np.where(left_out, MISSING_INT, values)
