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
from .grouped_sums import Codes, as_summable, narrow_codes, widen_for_sum
from .grouping import Group
from .measurements import TOKENS, Measurements

_ALL_TOKENS: Final = (*TOKENS, "total_tokens")
_PROMPT: Final = ("input_tokens", "cache_read_tokens", "cache_creation_tokens")

SUMS: Final = (
    "runs", "copies", "completed", "failed", "without_cost", "more", "attempts", "attempts_known",
    "beyond", "beyond_known",
    *_ALL_TOKENS, *(f"{name}_known" for name in _ALL_TOKENS),
    *(f"prompt_{name}" for name in _PROMPT),  # of measurements in which all three are known
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


def aggregate(entries: Measurements, codes: Codes, groups: Sequence[Group], runs: ColumnTable) -> Aggregate:
    """Aggregate measurements of `runs` by group; `codes` has the group of each measurement.

    Copies of other runs are only counted in the row `copies`, and in no other figure.
    """
    copies = np.zeros(len(groups), np.int64)
    copied = runs.integers["is_copy"][entries.runs] == 1
    if copied.any():
        copies += np.bincount(codes[copied], minlength=len(groups))
        entries, codes = entries.take(~copied), codes[~copied]
    lying = _SortedGroups(codes, len(groups))
    status = runs.categorical["status"].take(entries.runs)
    beyond, beyond_known = lying.known_sum(entries.lower_bound)
    tokens = {name: lying.known_sum(values) for name, values in entries.tokens.items()}
    kinds = [tokens[name] for name in TOKENS]
    none = np.zeros_like(lying.sizes)
    total, total_known = tokens.get("total_tokens") or _all_kinds(kinds)
    rows = [
        lying.sizes,
        copies,
        lying.count(status.equals("completed")),
        lying.count(status.equals("failed")),
        lying.count(~(is_known(entries.cost) | is_known(entries.lower_bound) | entries.copies)),
        lying.count(entries.is_partial),
        *((none, none) if entries.attempts is None else (lying.sum(entries.attempts), lying.sizes)),
        beyond,
        beyond_known,
        *(each for each, _ in kinds),
        total,
        *(there for _, there in kinds),
        total_known,
        *_prompt(entries, lying, tokens),
    ]
    return Aggregate(
        tuple(groups), np.array(rows), (lying.values(entries.cost), lying.values(entries.duration))
    )


def merge(digests: Sequence[Aggregate]) -> Aggregate:
    """Merge one or more aggregates of disjoint sets of runs into one."""
    places: dict[Group, int] = {}
    found = [places.setdefault(group, len(places)) for digest in digests for group in digest.groups]
    codes = np.array(found, np.int64)
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))

    def together(sums: Any) -> Any:
        laid = as_summable(sums)[..., order]
        return np.add.reduceat(laid, starts, axis=-1) if len(starts) else laid

    def laid(parts: Sequence[GroupedValues]) -> GroupedValues:
        pieces = [piece for part in parts for piece in part.by_group()]
        sizes = together(np.concatenate([part.sizes for part in parts]))
        values = [pieces[place] for place in order.tolist()] or [parts[0].values]
        return GroupedValues(sizes, np.concatenate(values))

    return Aggregate(
        tuple(places),
        together(np.concatenate([digest.sums for digest in digests], axis=1)),
        tuple(map(laid, zip(*(digest.values for digest in digests), strict=True))),
    )


class _SortedGroups:
    """Measurements sorted by group."""

    def __init__(self, codes: Codes, groups: int) -> None:
        codes = narrow_codes(codes, groups)
        self.sizes: Integers = np.bincount(codes, minlength=groups).astype(np.int64)
        self._there = np.flatnonzero(self.sizes)
        self._starts = (np.cumsum(self.sizes) - self.sizes)[self._there]
        self._order = None if (codes[1:] >= codes[:-1]).all() else np.argsort(codes, kind="stable")

    def sum(self, values: Any) -> Any:
        """Return the sum of each group."""
        laid = self._laid(as_summable(values))
        found = np.zeros(len(self.sizes), laid.dtype)
        if len(self._starts):
            found[self._there] = np.add.reduceat(laid, self._starts)
        return found

    def count(self, flags: Flags) -> Integers:
        """Return the number of flagged measurements in each group."""
        if not flags.any():
            return np.zeros_like(self.sizes)
        return self.sizes if flags.all() else self.sum(flags.astype(np.int64))

    def known_sum(self, values: Integers) -> tuple[Any, Integers]:
        """Return the sum of the known values in each group, and their number."""
        there = is_known(values)
        return self.sum(values if there.all() else np.where(there, values, 0)), self.count(there)

    def values(self, values: Integers | Floats) -> GroupedValues:
        """Return the known values, ordered by group."""
        there, laid = is_known(values), self._laid(values)
        return GroupedValues(self.count(there), laid if there.all() else laid[is_known(laid)])

    def _laid(self, values: Any) -> Any:
        return values if self._order is None else values[self._order]


def _all_kinds(kinds: Sequence[tuple[Any, Integers]]) -> tuple[Any, Integers]:
    """Return the sum of all kinds of tokens; its count is the largest count of any kind."""
    total = np.add.reduce([widen_for_sum(each, len(kinds)) for each, _ in kinds])
    return total, np.maximum.reduce([there for _, there in kinds])


def _prompt(
    entries: Measurements, lying: _SortedGroups, tokens: dict[str, tuple[Any, Integers]]
) -> list[Any]:
    """Return the sums of the input token kinds, over measurements in which all of them are known."""
    kinds: list[Integers] = [entries.tokens[name] for name in _PROMPT]
    there: Flags = np.logical_and.reduce([is_known(kind) for kind in kinds])
    if there.all():
        return [tokens[name][0] for name in _PROMPT]
    return [lying.sum(np.where(there, kind, 0)) for kind in kinds]
