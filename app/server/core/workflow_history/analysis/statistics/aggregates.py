"""What runs add up to by group, so that it adds up again: entries in, digests out; many digests in, one out.

A median needs every value, so a digest keeps them; all else is whole numbers. The digests of some runs and of
others make, merged, the very digest of them all.
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
    *(f"prompt_{name}" for name in _PROMPT),  # of entries that know all three
)  # fmt: skip
"""The rows of a digest of entries."""


@dataclass(frozen=True, slots=True)
class GroupedValues:
    """Known values: those of the first group, then those of the second, and so on."""

    sizes: Integers  # how many each group has
    values: Any  # whole numbers or seconds

    def by_group(self) -> list[Any]:
        """Return each group's values."""
        ends = np.cumsum(self.sizes).tolist()
        return [self.values[end - size : end] for end, size in zip(ends, self.sizes.tolist(), strict=True)]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Sums by group, and the values of which a place in their order is asked for."""

    groups: tuple[Group, ...]  # distinct
    sums: Any  # a row for each sum, a column for each group; Python's own numbers where 64 bits might fail
    values: tuple[GroupedValues, ...] = ()  # of a digest of entries: nanodollars and seconds


def aggregate(entries: Measurements, codes: Codes, groups: Sequence[Group], runs: ColumnTable) -> Aggregate:
    """Return what entries add up to; `codes` tell each one's group, `runs` are those that they are of.

    Copies of other runs are counted by themselves, and are in no other figure.
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
    """Return the digest of all runs of one digest or more, each run of which is in one only."""
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
    """Entries as they lie group by group."""

    def __init__(self, codes: Codes, groups: int) -> None:
        codes = narrow_codes(codes, groups)
        self.sizes: Integers = np.bincount(codes, minlength=groups).astype(np.int64)
        self._there = np.flatnonzero(self.sizes)
        self._starts = (np.cumsum(self.sizes) - self.sizes)[self._there]
        self._order = None if (codes[1:] >= codes[:-1]).all() else np.argsort(codes, kind="stable")

    def sum(self, values: Any) -> Any:
        """Return each group's sum."""
        laid = self._laid(as_summable(values))
        found = np.zeros(len(self.sizes), laid.dtype)
        if len(self._starts):
            found[self._there] = np.add.reduceat(laid, self._starts)
        return found

    def count(self, flags: Flags) -> Integers:
        """Return how many of each group are flagged."""
        if not flags.any():
            return np.zeros_like(self.sizes)
        return self.sizes if flags.all() else self.sum(flags.astype(np.int64))

    def known_sum(self, values: Integers) -> tuple[Any, Integers]:
        """Return each group's sum of what is known, and how many are."""
        there = is_known(values)
        return self.sum(values if there.all() else np.where(there, values, 0)), self.count(there)

    def values(self, values: Integers | Floats) -> GroupedValues:
        """Return what is known, group by group."""
        there, laid = is_known(values), self._laid(values)
        return GroupedValues(self.count(there), laid if there.all() else laid[is_known(laid)])

    def _laid(self, values: Any) -> Any:
        return values if self._order is None else values[self._order]


def _all_kinds(kinds: Sequence[tuple[Any, Integers]]) -> tuple[Any, Integers]:
    """Return all tokens; some are known where those of a kind are."""
    total = np.add.reduce([widen_for_sum(each, len(kinds)) for each, _ in kinds])
    return total, np.maximum.reduce([there for _, there in kinds])


def _prompt(
    entries: Measurements, lying: _SortedGroups, tokens: dict[str, tuple[Any, Integers]]
) -> list[Any]:
    """Return the sums of all tokens read, where every kind of them is known."""
    kinds: list[Integers] = [entries.tokens[name] for name in _PROMPT]
    there: Flags = np.logical_and.reduce([is_known(kind) for kind in kinds])
    if there.all():
        return [tokens[name][0] for name in _PROMPT]
    return [lying.sum(np.where(there, kind, 0)) for kind in kinds]
