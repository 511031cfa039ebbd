"""What is added up: each run once, or what each run spent in each of its phases, agents or models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ...common.column_data import (
    CategoricalColumn,
    ColumnTable,
    Flags,
    Floats,
    Integers,
    is_known,
)
from .grouped_sums import mask_invalid, mask_negative
from .grouping import Grouping, group_by_category

TOKENS: Final = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")
RUN_NAMES: Final = (
    "key", "status", "project", "workflow_template", "issue_class", "created_at", "is_copy",
)  # fmt: skip
"""What runs are grouped by, and which of them count."""

RUN_COLUMNS: Final = (
    *RUN_NAMES, "total_cost", "lower_bound_cost", "cost_basis", *TOKENS, "total_tokens", "duration_seconds",
)  # fmt: skip
"""What statistics need of runs."""

PARTIAL_BASES: Final = ("lower_bound", "unpriced")


@dataclass(frozen=True, slots=True)
class Measurements:
    """Amounts, each of one run in one group."""

    runs: Integers  # each entry's run, its place among all runs asked for
    cost: Integers  # nanodollars on record
    lower_bound: Integers  # nanodollars, spent at least beyond
    is_partial: Flags  # more was spent than is on record
    copies: Flags  # others count all of it, or it spent nothing
    tokens: dict[str, Integers]  # TOKENS; of runs total_tokens too
    duration: Floats  # seconds
    attempts: Integers | None = None  # agent runs

    def take(self, rows: Flags) -> Measurements:
        """Return the entries that a mask names."""
        return Measurements(
            self.runs[rows],
            self.cost[rows],
            self.lower_bound[rows],
            self.is_partial[rows],
            self.copies[rows],
            {name: values[rows] for name, values in self.tokens.items()},
            self.duration[rows],
            None if self.attempts is None else self.attempts[rows],
        )


def measurements_by_run(runs: ColumnTable) -> Measurements:
    """Return each run once."""
    beyond = mask_negative(runs.integers["lower_bound_cost"])
    return Measurements(
        runs=np.arange(len(runs)),
        cost=mask_negative(runs.integers["total_cost"]),
        lower_bound=beyond,
        copies=runs.integers["is_copy"] == 1,
        is_partial=isin(runs.categorical["cost_basis"], PARTIAL_BASES) | is_known(beyond),
        tokens={name: mask_negative(runs.integers[name]) for name in (*TOKENS, "total_tokens")},
        duration=mask_invalid(runs.floats["duration_seconds"]),
    )


def measurements_by_part(shares: ColumnTable, wanted: Integers) -> tuple[Measurements, Grouping]:
    """Return what each run wanted spent in each of its phases, agents or models, and which one that is."""
    runs, there = row_of(shares.integers["workflow_key"], wanted)
    if not there.all():
        shares, runs = shares.take(there), runs[there]
    unknown = np.full(len(shares), np.nan)  # how long a model took
    found = Measurements(
        runs=runs,
        cost=shares.integers["cost"],
        lower_bound=shares.integers["lower_bound_cost"],
        copies=shares.integers["is_nothing"] == 1,
        is_partial=shares.integers["costs_more"] == 1,
        tokens={name: shares.integers[name] for name in TOKENS},
        duration=shares.floats.get("duration_seconds", unknown),
        attempts=shares.integers.get("attempts"),
    )
    return found, group_by_category(shares.categorical["name"])


def row_of(keys: Integers, wanted: Integers) -> tuple[Integers, Flags]:
    """Return of each row's run its place among those wanted, which rise, and whether it is one."""
    if not len(wanted):
        return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
    first, number = int(wanted[0]), int(wanted[-1] - wanted[0]) + 1
    table = np.full(number + 2, -1)  # by key, with a place before and one behind for all others
    table[wanted - (first - 1)] = np.arange(len(wanted))
    found: Integers = table[np.clip(keys - (first - 1), 0, number + 1)]
    return found, found >= 0


def isin(words: CategoricalColumn, wanted: Sequence[str]) -> Flags:
    """Tell which rows hold one of some words."""
    table = np.array([*(word in wanted for word in words.categories), False])  # the last: of no word
    found: Flags = table[words.codes]
    return found
