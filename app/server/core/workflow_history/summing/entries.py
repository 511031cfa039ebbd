"""What is added up: each run once, or what each run spent in each of its phases, agents or models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..columns import UNKNOWN, Columns, Flags, Floats, Integers, Words, known
from .arithmetic import amounts, lengths
from .grouping import Grouping, by_words

TOKENS: Final = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")
RUN_NAMES: Final = (
    "key", "status", "project", "workflow_template", "issue_class", "created_at", "is_copy",
)  # fmt: skip
"""What runs are grouped by, and which of them count."""

RUN_COLUMNS: Final = (
    *RUN_NAMES, "total_cost", "lower_bound_cost", "cost_basis", *TOKENS, "total_tokens", "duration_seconds",
    "only_bound",
)  # fmt: skip
"""What statistics need of runs."""

BASES_OF_MORE: Final = ("lower_bound", "unpriced")


@dataclass(frozen=True, slots=True)
class Entries:
    """Amounts, each of one run in one group."""

    runs: Integers  # each entry's run, its place among all runs asked for
    cost: Integers  # nanodollars on record
    beyond: Integers  # nanodollars, spent at least beyond
    more: Flags  # more was spent than is on record
    copies: Flags  # others count all of it, or it spent nothing
    tokens: dict[str, Integers]  # TOKENS; of runs total_tokens too
    duration: Floats  # seconds
    attempts: Integers | None = None  # agent runs

    def take(self, rows: Flags) -> Entries:
        """Return the entries that a mask names."""
        return Entries(
            self.runs[rows],
            self.cost[rows],
            self.beyond[rows],
            self.more[rows],
            self.copies[rows],
            {name: values[rows] for name, values in self.tokens.items()},
            self.duration[rows],
            None if self.attempts is None else self.attempts[rows],
        )


def entries_of_runs(runs: Columns) -> Entries:
    """Return each run once."""
    total, beyond = amounts(runs.whole["total_cost"]), amounts(runs.whole["lower_bound_cost"])
    bound = runs.whole["only_bound"] == 1
    if bound.any():
        total, beyond = np.where(bound, UNKNOWN, total), np.where(bound, total, beyond)
    return Entries(
        runs=np.arange(len(runs)),
        cost=total,
        beyond=beyond,
        copies=runs.whole["is_copy"] == 1,
        more=any_word(runs.words["cost_basis"], BASES_OF_MORE) | known(beyond),
        tokens={name: amounts(runs.whole[name]) for name in (*TOKENS, "total_tokens")},
        duration=lengths(runs.real["duration_seconds"]),
    )


def entries_of_shares(shares: Columns, wanted: Integers) -> tuple[Entries, Grouping]:
    """Return what each run wanted spent in each of its phases, agents or models, and which one that is."""
    runs, there = places(shares.whole["workflow_key"], wanted)
    if not there.all():
        shares, runs = shares.take(there), runs[there]
    unknown = np.full(len(shares), np.nan)  # how long a model took
    found = Entries(
        runs=runs,
        cost=shares.whole["cost"],
        beyond=shares.whole["lower_bound_cost"],
        copies=shares.whole["is_nothing"] == 1,
        more=shares.whole["costs_more"] == 1,
        tokens={name: shares.whole[name] for name in TOKENS},
        duration=shares.real.get("duration_seconds", unknown),
        attempts=shares.whole.get("attempts"),
    )
    return found, by_words(shares.words["name"])


def places(keys: Integers, wanted: Integers) -> tuple[Integers, Flags]:
    """Return of each row's run its place among those wanted, which rise, and whether it is one."""
    if not len(wanted):
        return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
    first, number = int(wanted[0]), int(wanted[-1] - wanted[0]) + 1
    table = np.full(number + 2, -1)  # by key, with a place before and one behind for all others
    table[wanted - (first - 1)] = np.arange(len(wanted))
    found: Integers = table[np.clip(keys - (first - 1), 0, number + 1)]
    return found, found >= 0


def any_word(words: Words, wanted: Sequence[str]) -> Flags:
    """Tell which rows hold one of some words."""
    table = np.array([*(word in wanted for word in words.words), False])  # the last: of no word
    found: Flags = table[words.codes]
    return found
