"""What is added up: each run once, or what each run spent in each of its phases, agents or models.

What the attempts of one phase of a run spent is put together first, so that a median is one over runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..columns import UNKNOWN, Columns, Flags, Floats, Integers, Words, known
from .arithmetic import Codes, amounts, lengths, roomy, small
from .grouping import Grouping

TOKENS: Final = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")
RUN_COLUMNS: Final = (
    "key", "status", "project", "workflow_template", "issue_class", "created_at", "total_cost",
    "lower_bound_cost", "cost_basis", *TOKENS, "total_tokens", "duration_seconds",
)  # fmt: skip
"""What statistics need of runs."""

_OF_A_PART: Final = ("cost", "cost_basis", "lower_bound_cost", *TOKENS)
PART_COLUMNS: Final = {
    "agent_runs": (*_OF_A_PART, "duration_seconds", "is_copy"),
    "models": _OF_A_PART,
}
"""What they need of agent runs and of models' shares, beside what is grouped by."""

_BASES_OF_MORE: Final = ("lower_bound", "unpriced")


@dataclass(frozen=True, slots=True)
class Entries:
    """Amounts, each of one run in one group."""

    runs: Integers  # each entry's run, its place among all runs asked for
    cost: Integers  # nanodollars on record
    beyond: Integers  # nanodollars, spent at least beyond
    more: Flags  # more was spent than is on record
    tokens: dict[str, Integers]  # TOKENS; of runs total_tokens too
    duration: Floats  # seconds
    attempts: Integers | None = None  # agent runs


def entries_of_runs(runs: Columns) -> Entries:
    """Return each run once."""
    beyond = amounts(runs.whole["lower_bound_cost"])
    return Entries(
        runs=np.arange(len(runs)),
        cost=amounts(runs.whole["total_cost"]),
        beyond=beyond,
        more=_any_word(runs.words["cost_basis"], _BASES_OF_MORE) | known(beyond),
        tokens={name: amounts(runs.whole[name]) for name in (*TOKENS, "total_tokens")},
        duration=lengths(runs.real["duration_seconds"]),
    )


def places(keys: Integers, wanted: Integers) -> tuple[Integers, Flags]:
    """Return of each row's run its place among those wanted, which rise, and whether it is one."""
    if not len(wanted):
        return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
    first, number = int(wanted[0]), int(wanted[-1] - wanted[0]) + 1
    table = np.full(number + 2, -1)  # by key, with a place before and one behind for all others
    table[wanted - (first - 1)] = np.arange(len(wanted))
    found: Integers = table[np.clip(keys - (first - 1), 0, number + 1)]
    return found, found >= 0


def spent(parts: Columns) -> tuple[Integers, Integers, Flags]:
    """Return what parts spent on record, at least beyond, and which spent more; a copy spends nothing."""
    recorded = _any_word(parts.words["cost_basis"], ("reported", "computed"))
    cost, bound = amounts(parts.whole["cost"]), amounts(parts.whole["lower_bound_cost"])
    beyond = np.where(recorded, bound, _both(cost, bound))
    cost = np.where(recorded, cost, UNKNOWN)
    more = _any_word(parts.words["cost_basis"], _BASES_OF_MORE) | known(beyond)
    copied = _copies(parts)
    return _unless(copied, cost), _unless(copied, beyond), more if copied is None else more & ~copied


def _copies(parts: Columns) -> Flags | None:
    """Tell which parts are copies; None where none is."""
    copied = parts.whole["is_copy"] == 1 if "is_copy" in parts.whole else np.zeros(0, np.bool_)
    return copied if copied.any() else None


def entries_of_parts(parts: Columns, groups: Grouping, wanted: Integers) -> tuple[Entries, Codes]:
    """Return what each run wanted spent in each group of its parts, group by group, and their groups."""
    run, there = places(parts.whole["workflow_key"], wanted)
    codes = small(groups.codes, len(groups.names))
    if not there.all():
        parts, run, codes = parts.take(there), run[there], codes[there]
    order = np.argsort(codes, kind="stable")  # runs rise already, so they do within each group
    run, codes = run[order], codes[order]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (run[1:] != run[:-1]) | (codes[1:] != codes[:-1])
    starts = np.flatnonzero(begins)
    cost, beyond, more = spent(parts)
    total = _Together(order, starts)
    copied = _copies(parts)
    found = Entries(
        runs=run[starts],
        cost=total.known(cost),
        beyond=total.known(beyond),
        more=total.any(more),
        tokens={name: total.known(_unless(copied, amounts(parts.whole[name]))) for name in TOKENS},
        duration=_durations(parts, total),
        attempts=total.sizes if parts.family == "agent_runs" else None,
    )
    return found, codes[starts]


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

    def unknown(self) -> Floats:
        """Return seconds that nobody knows."""
        return np.full(len(self._starts), np.nan)

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


def _durations(parts: Columns, total: _Together) -> Floats:
    if "duration_seconds" in parts.real:
        return total.seconds(lengths(parts.real["duration_seconds"]))
    return total.unknown()  # how long a model took


def _both(one: Integers, other: Integers) -> Integers:
    """Return the sum where both are known, else the one that is."""
    first, second = (np.where(known(values), values, 0) for values in (one, other))
    total: Integers = roomy(first, 2) + roomy(second, 2)
    return np.where(known(one) | known(other), total, UNKNOWN)


def _unless(left_out: Flags | None, values: Integers) -> Integers:
    return values if left_out is None else np.where(left_out, UNKNOWN, values)


def _any_word(words: Words, wanted: Sequence[str]) -> Flags:
    table = np.array([*(word in wanted for word in words.words), False])  # the last: of no word
    found: Flags = table[words.codes]
    return found
