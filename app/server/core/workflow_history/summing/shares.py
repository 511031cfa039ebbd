"""What each run spent in each of its phases, agents or models: their rows in, a row for each of these out.

What the attempts of one phase of a run spent is put together, so that a median is one over runs. The rows are
kept, for they take longest of all: whoever changes how they are made gives their families another name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..columns import UNKNOWN, Columns, Family, Flags, Floats, Integers, known
from .arithmetic import amounts, lengths, roomy, small
from .entries import BASES_OF_MORE, TOKENS, any_word
from .grouping import by_words

SHARED_OUT: Final[Mapping[Family, tuple[Family, str]]] = {
    "run_phases": ("agent_runs", "phase"),
    "run_agents": ("agent_runs", "agent"),
    "run_models": ("models", "model"),
}
"""Of which family's rows each of these is made, and what they are put together by."""

_OF_A_PART: Final = ("cost", "cost_basis", "lower_bound_cost", *TOKENS)
PART_COLUMNS: Final[Mapping[Family, tuple[str, ...]]] = {
    "agent_runs": (*_OF_A_PART, "outcome", "duration_seconds", "is_copy"),
    "models": (*_OF_A_PART, "is_copy"),
}
"""What is needed of these rows beside it."""


def spent(parts: Columns) -> tuple[Integers, Integers, Flags]:
    """Return what parts spent on record, at least beyond, and which spent more; a copy spends nothing."""
    recorded = any_word(parts.words["cost_basis"], ("reported", "computed"))
    cost, bound = amounts(parts.whole["cost"]), amounts(parts.whole["lower_bound_cost"])
    beyond = np.where(recorded, bound, _both(cost, bound))
    cost = np.where(recorded, cost, UNKNOWN)
    more = any_word(parts.words["cost_basis"], BASES_OF_MORE) | known(beyond)
    copied = _copies(parts)
    return _unless(copied, cost), _unless(copied, beyond), more if copied is None else more & ~copied


def _copies(parts: Columns) -> Flags | None:
    """Tell which parts are copies; None where none is."""
    copied = parts.whole["is_copy"] == 1 if "is_copy" in parts.whole else np.zeros(0, np.bool_)
    return copied if copied.any() else None


def _are_copies(parts: Columns, total: _Together) -> Flags:
    """Tell of which groups other streams count everything; an empty stream spent nothing."""
    copied = parts.whole["is_copy"] == 1
    own = ~copied & ~parts.words["outcome"].are("empty") if "outcome" in parts.words else ~copied
    return total.any(copied) & ~total.any(own)


def shares_of(parts: Columns, by: str, family: Family) -> Columns:
    """Return what each run spent by `by`, group by group."""
    grouping = by_words(parts.words[by])
    codes = small(grouping.codes, len(grouping.names))
    order = np.argsort(codes, kind="stable")  # runs rise already, so they do within each group
    run, codes = parts.whole["workflow_key"][order], codes[order]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (run[1:] != run[:-1]) | (codes[1:] != codes[:-1])
    starts = np.flatnonzero(begins)
    cost, beyond, more = spent(parts)
    total = _Together(order, starts)
    copied = _copies(parts)
    whole = {
        "workflow_key": run[starts],
        "cost": total.known(cost),
        "lower_bound_cost": total.known(beyond),
        "costs_more": total.any(more).astype(np.int64),
        "is_copy": _are_copies(parts, total).astype(np.int64),
        **{name: total.known(_unless(copied, amounts(parts.whole[name]))) for name in TOKENS},
    }
    real = {}
    if "duration_seconds" in parts.real:
        real["duration_seconds"] = total.seconds(lengths(parts.real["duration_seconds"]))
        whole["attempts"] = total.sizes
    return Columns(family, len(starts), {"name": parts.words[by].take(order[starts])}, whole, real)


class _Together:
    """Puts together what lies side by side once rows are in order."""

    def __init__(self, order: Integers, starts: Integers) -> None:
        self.sizes: Integers = np.diff(starts, append=len(order))
        self._order, self._starts = order, starts
        self._lasts = starts + self.sizes - 1
        self._longest = int(self.sizes.max(initial=0))

    def any(self, flags: Flags) -> Flags:
        """Tell where one is set."""
        return self._any(flags[self._order]) if flags.any() else np.zeros(len(self._starts), np.bool_)

    def known(self, values: Integers) -> Integers:
        """Add up what is known; unknown where nothing is."""
        if self._longest <= 1:
            return values[self._order]
        there = known(values)
        if not there.any():
            return np.full(len(self._starts), UNKNOWN)
        if there.all():
            return self._sum(roomy(values, self._longest)[self._order])
        total = self._sum(roomy(np.where(there, values, 0), self._longest)[self._order])
        found: Integers = np.where(self._any(there[self._order]), total, UNKNOWN)
        return found

    def seconds(self, values: Floats) -> Floats:
        """Add up what is known; unknown where nothing is."""
        laid = values[self._order]
        there = known(laid)
        if there.all():
            return self._sum(laid)
        return np.where(self._any(there), self._sum(np.where(there, laid, 0.0)), np.nan)

    def _any(self, laid: Flags) -> Flags:
        return self._sum(laid.view(np.int8)) > 0

    def _sum(self, laid: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return each entry's sum of values in order."""
        found: npt.NDArray[Any]
        if laid.dtype.kind == "i" and len(laid):
            # Several times as fast; where 64 bits run over on the way, the difference takes it back.
            found = np.diff(np.cumsum(laid, dtype=np.int64)[self._lasts], prepend=0)
        else:
            found = np.add.reduceat(laid, self._starts) if len(laid) else laid
        return found


def _both(one: Integers, other: Integers) -> Integers:
    """Return the sum where both are known, else the one that is."""
    first, second = (np.where(known(values), values, 0) for values in (one, other))
    total: Integers = roomy(first, 2) + roomy(second, 2)
    return np.where(known(one) | known(other), total, UNKNOWN)


def _unless(left_out: Flags | None, values: Integers) -> Integers:
    return values if left_out is None else np.where(left_out, UNKNOWN, values)
