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
from ...common.models import CostBasis
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

PARTIAL_BASES: Final = (CostBasis.LOWER_BOUND, CostBasis.UNPRICED)


@dataclass(frozen=True, slots=True)
class Measurements:
    """Amounts of runs, one row for each run or part of a run."""

    runs: Integers  # position of each measurement's run among the selected runs
    cost: Integers  # recorded cost, nanodollars
    lower_bound: Integers  # lower bound of the cost beyond the recorded cost, nanodollars
    is_partial: Flags  # more was spent than is recorded
    spent_nothing: Flags  # counted entirely elsewhere, or nothing was spent
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
            self.spent_nothing[rows],
            {name: values[rows] for name, values in self.tokens.items()},
            self.duration[rows],
            None if self.attempts is None else self.attempts[rows],
        )


def measurements_by_run(runs: ColumnTable) -> Measurements:
    """Return one measurement for each run."""
    lower_bound = mask_negative(runs.integers["lower_bound_cost"])
    return Measurements(
        runs=np.arange(len(runs)),
        cost=mask_negative(runs.integers["total_cost"]),
        lower_bound=lower_bound,
        spent_nothing=runs.integers["is_copy"] == 1,
        is_partial=is_any_of(runs.categorical["cost_basis"], PARTIAL_BASES) | is_known(lower_bound),
        tokens={name: mask_negative(runs.integers[name]) for name in (*TOKENS, "total_tokens")},
        duration=mask_invalid(runs.floats["duration_seconds"]),
    )


def measurements_by_part(parts: ColumnTable, run_keys: Integers) -> tuple[Measurements, Grouping]:
    """Return the measurements of the wanted runs by phase, agent or model, and their grouping."""
    runs, is_selected = row_positions(parts.integers["workflow_key"], run_keys)
    if not is_selected.all():
        parts, runs = parts.take(is_selected), runs[is_selected]
    no_durations = np.full(len(parts), np.nan)  # durations, which models do not have
    measurements = Measurements(
        runs=runs,
        cost=parts.integers["cost"],
        lower_bound=parts.integers["lower_bound_cost"],
        spent_nothing=parts.integers["is_nothing"] == 1,
        is_partial=parts.integers["costs_more"] == 1,
        tokens={name: parts.integers[name] for name in TOKENS},
        duration=parts.floats.get("duration_seconds", no_durations),
        attempts=parts.integers.get("attempts"),
    )
    return measurements, group_by_category(parts.categorical["name"])


def row_positions(keys: Integers, run_keys: Integers) -> tuple[Integers, Flags]:
    """Return the position of each row's run in `run_keys`, which is ascending, and whether it is there."""
    if not len(run_keys):
        return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
    first, size = int(run_keys[0]), int(run_keys[-1] - run_keys[0]) + 1
    table = np.full(size + 2, -1)  # by key, with one entry before and one after for all other keys
    table[run_keys - (first - 1)] = np.arange(len(run_keys))
    positions: Integers = table[np.clip(keys - (first - 1), 0, size + 1)]
    return positions, positions >= 0


def is_any_of(column: CategoricalColumn, names: Sequence[str]) -> Flags:
    """Return which rows have one of these categories."""
    table = np.array(
        [*(category in names for category in column.categories), False]
    )  # the last entry: unknown
    matches: Flags = table[column.codes]
    return matches
