"""Mergeable aggregates: measurements in, sums and values by group out.

A median needs every value, so an aggregate keeps the values; everything else is a sum of whole numbers.
Merging the aggregates of disjoint sets of runs gives exactly the aggregate of all these runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ...common.column_data import ColumnTable, Flags, Floats, Integers, is_known
from ...common.models import RunStatus
from .grouped_sums import Codes, as_summable, narrow_codes, widen_for_sum
from .grouping import Group
from .measurements import TOKENS, Measurements

_TOKEN_SUMS: Final = (*TOKENS, "total_tokens")
_PROMPT_TOKENS: Final = ("input_tokens", "cache_read_tokens", "cache_creation_tokens")

SUMS: Final = (
    "runs", "copies", "completed", "failed", "without_cost", "partial", "attempts", "attempts_known",
    "lower_bound", "lower_bound_known",
    *_TOKEN_SUMS, *(f"{name}_known" for name in _TOKEN_SUMS),
    *(f"prompt_{name}" for name in _PROMPT_TOKENS),  # of measurements in which all three are known
)  # fmt: skip
"""Names of the rows of an aggregate of measurements."""


@dataclass(frozen=True, slots=True)
class GroupedValues:
    """Known values, ordered by group: those of the first group, then those of the second, and so on."""

    sizes: Integers  # number of values in each group
    values: Any  # whole nanodollars, or seconds

    def by_group(self) -> list[Any]:
        """Return one array of values for each group."""
        ends = np.cumsum(self.sizes).tolist()
        return [self.values[end - size : end] for end, size in zip(ends, self.sizes.tolist(), strict=True)]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Sums by group, and the values that medians and percentiles are computed from."""

    groups: tuple[Group, ...]  # distinct
    sums: Any  # one row per sum, one column per group; Python integers if 64 bits might overflow
    values: tuple[GroupedValues, ...] = ()  # costs in nanodollars, durations in seconds; empty for waste


def aggregate_measurements(
    measurements: Measurements, codes: Codes, groups: Sequence[Group], runs: ColumnTable
) -> Aggregate:
    """Aggregate measurements of `runs` by group; `codes` has the group of each measurement.

    Copies of other runs are only counted in the row `spent_nothing`, and in no other figure.
    """
    copies = np.zeros(len(groups), np.int64)
    is_copy = runs.integers["is_copy"][measurements.runs] == 1
    if is_copy.any():
        copies += np.bincount(codes[is_copy], minlength=len(groups))
        measurements, codes = measurements.take(~is_copy), codes[~is_copy]
    sorted_groups = _SortedGroups(codes, len(groups))
    status = runs.categorical["status"].take(measurements.runs)
    lower_bound, lower_bound_known = sorted_groups.known_sum(measurements.lower_bound)
    tokens = {name: sorted_groups.known_sum(values) for name, values in measurements.tokens.items()}
    kinds = [tokens[name] for name in TOKENS]
    zeros = np.zeros_like(sorted_groups.sizes)
    total, total_known = tokens.get("total_tokens") or _sum_kinds(kinds)
    rows = [
        sorted_groups.sizes,
        copies,
        sorted_groups.count(status.equals(RunStatus.COMPLETED)),
        sorted_groups.count(status.equals(RunStatus.FAILED)),
        sorted_groups.count(
            ~(is_known(measurements.cost) | is_known(measurements.lower_bound) | measurements.spent_nothing)
        ),
        sorted_groups.count(measurements.is_partial),
        *(
            (zeros, zeros)
            if measurements.attempts is None
            else (sorted_groups.sum(measurements.attempts), sorted_groups.sizes)
        ),
        lower_bound,
        lower_bound_known,
        *(sums for sums, _ in kinds),
        total,
        *(known_counts for _, known_counts in kinds),
        total_known,
        *_prompt_sums(measurements, sorted_groups, tokens),
    ]
    return Aggregate(
        tuple(groups),
        np.array(rows),
        (sorted_groups.values(measurements.cost), sorted_groups.values(measurements.duration)),
    )


def merge_aggregates(aggregates: Sequence[Aggregate]) -> Aggregate:
    """Merge one or more aggregates of disjoint sets of runs into one."""
    positions: dict[Group, int] = {}
    codes = np.array(
        [
            positions.setdefault(group, len(positions))
            for aggregate in aggregates
            for group in aggregate.groups
        ],
        np.int64,
    )
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))

    def merge_sums(sums: Any) -> Any:
        ordered = as_summable(sums)[..., order]
        return np.add.reduceat(ordered, starts, axis=-1) if len(starts) else ordered

    def merge_values(parts: Sequence[GroupedValues]) -> GroupedValues:
        pieces = [piece for part in parts for piece in part.by_group()]
        sizes = merge_sums(np.concatenate([part.sizes for part in parts]))
        values = [pieces[position] for position in order.tolist()] or [parts[0].values]
        return GroupedValues(sizes, np.concatenate(values))

    return Aggregate(
        tuple(positions),
        merge_sums(np.concatenate([aggregate.sums for aggregate in aggregates], axis=1)),
        tuple(map(merge_values, zip(*(aggregate.values for aggregate in aggregates), strict=True))),
    )


class _SortedGroups:
    """Measurements sorted by group."""

    def __init__(self, codes: Codes, groups: int) -> None:
        codes = narrow_codes(codes, groups)
        self.sizes: Integers = np.bincount(codes, minlength=groups).astype(np.int64)
        self._nonempty = np.flatnonzero(self.sizes)
        self._starts = (np.cumsum(self.sizes) - self.sizes)[self._nonempty]
        self._order = None if (codes[1:] >= codes[:-1]).all() else np.argsort(codes, kind="stable")

    def sum(self, values: Any) -> Any:
        """Return the sum of each group."""
        ordered = self._ordered(as_summable(values))
        totals = np.zeros(len(self.sizes), ordered.dtype)
        if len(self._starts):
            totals[self._nonempty] = np.add.reduceat(ordered, self._starts)
        return totals

    def count(self, flags: Flags) -> Integers:
        """Return the number of flagged measurements in each group."""
        if not flags.any():
            return np.zeros_like(self.sizes)
        return self.sizes if flags.all() else self.sum(flags.astype(np.int64))

    def known_sum(self, values: Integers) -> tuple[Any, Integers]:
        """Return the sum of the known values in each group, and their number."""
        known = is_known(values)
        return self.sum(values if known.all() else np.where(known, values, 0)), self.count(known)

    def values(self, values: Integers | Floats) -> GroupedValues:
        """Return the known values, ordered by group."""
        known, ordered = is_known(values), self._ordered(values)
        return GroupedValues(self.count(known), ordered if known.all() else ordered[is_known(ordered)])

    def _ordered(self, values: Any) -> Any:
        return values if self._order is None else values[self._order]


def _sum_kinds(kinds: Sequence[tuple[Any, Integers]]) -> tuple[Any, Integers]:
    """Return the sum of all kinds of tokens; its count is the largest count of any kind."""
    total = np.add.reduce([widen_for_sum(sums, len(kinds)) for sums, _ in kinds])
    return total, np.maximum.reduce([known_counts for _, known_counts in kinds])


def _prompt_sums(
    measurements: Measurements, sorted_groups: _SortedGroups, tokens: dict[str, tuple[Any, Integers]]
) -> list[Any]:
    """Return the sums of the input token kinds, over measurements in which all of them are known."""
    kinds: list[Integers] = [measurements.tokens[name] for name in _PROMPT_TOKENS]
    all_known: Flags = np.logical_and.reduce([is_known(kind) for kind in kinds])
    if all_known.all():
        return [tokens[name][0] for name in _PROMPT_TOKENS]
    return [sorted_groups.sum(np.where(all_known, kind, 0)) for kind in kinds]
