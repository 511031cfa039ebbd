"""Past runs for forecasts: convert columns of runs to arrays ordered by time. Pure.

The cost of an interrupted or incompletely recorded run is only a lower bound, and is kept as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from ...common.column_data import (
    MISSING_INT,
    CategoricalColumn,
    ColumnTable,
    Flags,
    Floats,
    Integers,
    is_known,
)
from ...common.models import HEADLESS, INTERACTIVE, CostBasis, RunStatus
from ...common.plausible_dates import MICROSECONDS

Vectors = npt.NDArray[np.float32]

COLUMNS: Final = (
    "key", "project", "status", "workflow_template", "issue_class", "cost_basis", "created_at",
    "total_cost", "lower_bound_cost", "duration_seconds", "is_copy",
)  # fmt: skip
"""Columns of `runs` that are read."""


Kind = Literal["scripted", "interactive", "headless"]
"""Kind of a run: of a workflow script or of an unknown workflow, or a session of a person or of a script."""

SCRIPTED: Final = "scripted"
KINDS: Final[tuple[Kind, ...]] = (SCRIPTED, INTERACTIVE, HEADLESS)
"""All kinds. Their costs and durations have nothing in common, so a forecast is based on one kind only."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """One number of many runs, exact or a lower bound."""

    values: Integers  # nanodollars or microseconds; MISSING_INT if unknown
    is_exact: Flags  # False for a lower bound


@dataclass(frozen=True, slots=True)
class PastRuns:
    """Runs ordered by start, those without a date first; all arrays have equal length."""

    keys: Integers
    dated: Flags  # False if the date is unknown
    started: Integers  # µs since 1970; runs without a date come just before the first dated one
    ended: Integers  # µs since 1970, by the known duration; MISSING_INT for running runs and copies
    templates: CategoricalColumn
    classes: CategoricalColumn  # without a slash
    projects: CategoricalColumn
    cost: Amounts  # nanodollars
    duration: Amounts  # microseconds
    completed: Flags
    failed: Flags
    undated: int  # number of runs without a date
    invalid_timestamps: int  # number of runs with an invalid timestamp, treated as undated

    def __len__(self) -> int:
        return len(self.keys)

    def is_kind(self, kind: Kind) -> Flags:
        """Return a mask of the runs of a kind."""
        if kind != SCRIPTED:
            return self.templates.equals(kind)
        return ~(self.templates.equals(INTERACTIVE) | self.templates.equals(HEADLESS))

    def row_of(self, key: int) -> int | None:
        """Return the row of a run; None if it is missing or has no date."""
        rows = np.flatnonzero((self.keys == key) & self.dated)
        return int(rows[0]) if len(rows) else None


def kind_of(template: str | None) -> Kind:
    """Return the kind of the runs of a workflow.

    >>> kind_of("interactive"), kind_of("adw_patch"), kind_of(None)
    ('interactive', 'scripted', 'scripted')
    """
    return next((kind for kind in KINDS if kind == template), SCRIPTED)


def build_past(runs: ColumnTable, invalid_timestamps: int = 0) -> PastRuns:
    """Build the past runs from columns; `invalid_timestamps` is the number of runs with one."""
    created = runs.integers["created_at"]
    dated = is_known(created)
    undated = len(runs) - int(np.count_nonzero(dated)) - invalid_timestamps
    oldest = int(created[dated].min()) if dated.any() else 1
    started = np.where(dated, created, oldest - 1)
    order = np.lexsort((runs.integers["key"], started))
    runs, started, dated = runs.take(order), started[order], dated[order]
    statuses = runs.categorical["status"]
    interrupted = statuses.equals(RunStatus.INCOMPLETE) | statuses.equals(RunStatus.STOPPED)
    duration = _to_microseconds(runs.floats["duration_seconds"])
    known_duration = np.where(duration == MISSING_INT, 0, duration)
    return PastRuns(
        runs.integers["key"],
        dated,
        started,
        np.where(
            statuses.equals(RunStatus.RUNNING) | (runs.integers["is_copy"] == 1),
            MISSING_INT,
            np.where(dated, started + known_duration, started),
        ),
        runs.categorical["workflow_template"],
        _strip_slashes(runs.categorical["issue_class"]),
        runs.categorical["project"],
        Amounts(
            total_cost(runs.integers["total_cost"], runs.integers["lower_bound_cost"]),
            _is_recorded(runs) & ~interrupted,
        ),
        Amounts(duration, ~interrupted),
        statuses.equals(RunStatus.COMPLETED),
        statuses.equals(RunStatus.FAILED),
        undated,
        invalid_timestamps,
    )


def total_cost(recorded: Integers, lower_bounds: Integers) -> Integers:
    """Return recorded cost plus lower bound, in nanodollars.

    >>> total_cost(np.array([5, MISSING_INT, MISSING_INT]), np.array([2, 3, MISSING_INT])).tolist()[:2]
    [7, 3]
    """
    known = is_known(recorded) | is_known(lower_bounds)
    total = np.where(is_known(recorded), recorded, 0) + np.where(is_known(lower_bounds), lower_bounds, 0)
    return np.where(known, total, MISSING_INT)


def strip_slash(name: str) -> str:
    """Return an issue class without its leading slash."""
    return name.strip().removeprefix("/")


def to_float32(vectors: npt.NDArray[np.int8]) -> Vectors:
    """Convert vectors to float32: still whole numbers, whose products it represents exactly."""
    return vectors.astype(np.float32)


def _is_recorded(runs: ColumnTable) -> Flags:
    basis = runs.categorical["cost_basis"]
    recorded: Flags = (basis.equals(CostBasis.REPORTED) | basis.equals(CostBasis.COMPUTED)) & ~is_known(
        runs.integers["lower_bound_cost"]
    )
    return recorded


def _to_microseconds(seconds: Floats) -> Integers:
    plausible = is_known(seconds) & (seconds >= 0) & (seconds < 1e9)
    return np.where(plausible, np.rint(np.where(plausible, seconds, 0) * MICROSECONDS), MISSING_INT).astype(
        np.int64
    )


def _strip_slashes(classes: CategoricalColumn) -> CategoricalColumn:
    codes: dict[str, int] = {}
    new_codes = [codes.setdefault(strip_slash(category), len(codes)) for category in classes.categories]
    return CategoricalColumn(np.array([*new_codes, -1], np.int32)[classes.codes], tuple(codes))
