"""Input of statistics: one measurement per run, or one per run and phase, agent or model."""

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
"""Columns that group and select runs."""

RUN_COLUMNS: Final = (
    *RUN_NAMES, "total_cost", "lower_bound_cost", "cost_basis", *TOKENS, "total_tokens", "duration_seconds",
)  # fmt: skip
"""Columns of runs that statistics need."""

PARTIAL_BASES: Final = ("lower_bound", "unpriced")


@dataclass(frozen=True, slots=True)
class Measurements:
    """Amounts of runs, one row for each run or part of a run."""

    runs: Integers  # position of each measurement's run among the selected runs
    cost: Integers  # recorded cost, nanodollars
    lower_bound: Integers  # lower bound of the cost beyond the recorded cost, nanodollars
    is_partial: Flags  # more was spent than is recorded
    copies: Flags  # counted entirely elsewhere, or nothing was spent
    tokens: dict[str, Integers]  # by TOKENS; for whole runs also total_tokens
    duration: Floats  # seconds
    attempts: Integers | None = None  # number of agent runs; None: not counted

    def take(self, rows: Flags) -> Measurements:
        """Return the measurements that a mask selects."""
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
    """Return one measurement for each run."""
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
    """Return the measurements of the wanted runs by phase, agent or model, and their grouping."""
    runs, there = row_of(shares.integers["workflow_key"], wanted)
    if not there.all():
        shares, runs = shares.take(there), runs[there]
    unknown = np.full(len(shares), np.nan)  # durations, which models do not have
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
    """Return the position of each row's run in `wanted`, which is ascending, and whether it is there."""
    if not len(wanted):
        return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
    first, number = int(wanted[0]), int(wanted[-1] - wanted[0]) + 1
    table = np.full(number + 2, -1)  # by key, with one entry before and one after for all other keys
    table[wanted - (first - 1)] = np.arange(len(wanted))
    found: Integers = table[np.clip(keys - (first - 1), 0, number + 1)]
    return found, found >= 0


def isin(words: CategoricalColumn, wanted: Sequence[str]) -> Flags:
    """Return which rows have one of these categories."""
    table = np.array([*(word in wanted for word in words.categories), False])  # the last entry: unknown
    found: Flags = table[words.codes]
    return found
