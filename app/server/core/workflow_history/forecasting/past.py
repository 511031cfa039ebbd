"""Past runs as a forecast sees them: columns and text vectors in, arrays in the order of time out. Pure.

What a run that was cut off or left no full record spent is known only as "at least": it is kept as that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from ..columns import UNKNOWN, Columns, Flags, Floats, Integers, Words, known

Vectors = npt.NDArray[np.float32]

COLUMNS: Final = (
    "key", "project", "status", "workflow_template", "issue_class", "cost_basis", "created_at",
    "total_cost", "lower_bound_cost", "duration_seconds", "is_copy",
)  # fmt: skip
"""The columns of `runs` that are looked at."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_MICROSECONDS = 1_000_000  # in a second


@dataclass(frozen=True, slots=True)
class Amounts:
    """One figure of many runs."""

    values: Integers  # nanodollars or microseconds; UNKNOWN where nothing is known
    exact: Flags  # False: at least so much


@dataclass(frozen=True, slots=True)
class Past:
    """Runs in the order in which they began, those without a date first; all arrays are equally long."""

    keys: Integers
    dated: Flags  # False: nothing tells when it was
    began: Integers  # µs since 1970; of runs without a date just before the first that has one
    ended: Integers  # µs since 1970, as far as is known; UNKNOWN: it runs, or copies a run that tells it
    templates: Words
    classes: Words  # without a slash
    projects: Words
    cost: Amounts  # nanodollars
    duration: Amounts  # microseconds
    completed: Flags
    failed: Flags
    undated: int  # runs of which nothing tells when they were
    misdated: int  # runs that cannot have been when they say; like those without a date

    def __len__(self) -> int:
        return len(self.keys)

    def place(self, key: int) -> int | None:
        """Return where a run stands; None where it has no date."""
        found = np.flatnonzero((self.keys == key) & self.dated)
        return int(found[0]) if len(found) else None


def past_of(runs: Columns, misdated: int = 0) -> Past:
    """Return the past that some columns of runs hold; `misdated`: of those without a time."""
    created = runs.whole["created_at"]
    dated = known(created)
    undated = len(runs) - int(np.count_nonzero(dated)) - misdated
    oldest = int(created[dated].min()) if dated.any() else 1
    began = np.where(dated, created, oldest - 1)
    order = np.lexsort((runs.whole["key"], began))
    runs, began, dated = runs.take(order), began[order], dated[order]
    statuses = runs.words["status"]
    cut_off = statuses.are("incomplete") | statuses.are("stopped")
    duration = _microseconds(runs.real["duration_seconds"])
    lasted = np.where(duration == UNKNOWN, 0, duration)
    return Past(
        runs.whole["key"],
        dated,
        began,
        np.where(
            statuses.are("running") | (runs.whole["is_copy"] == 1),
            UNKNOWN,
            np.where(dated, began + lasted, began),
        ),
        runs.words["workflow_template"],
        _without_slash(runs.words["issue_class"]),
        runs.words["project"],
        Amounts(spent(runs.whole["total_cost"], runs.whole["lower_bound_cost"]), _recorded(runs) & ~cut_off),
        Amounts(duration, ~cut_off),
        statuses.are("completed"),
        statuses.are("failed"),
        undated,
        misdated,
    )


def spent(recorded: Integers, beyond: Integers) -> Integers:
    """Return what is on record and what is known beyond it together, nanodollars.

    >>> spent(np.array([5, UNKNOWN, UNKNOWN]), np.array([2, 3, UNKNOWN])).tolist()[:2]
    [7, 3]
    """
    there = known(recorded) | known(beyond)
    total = np.where(known(recorded), recorded, 0) + np.where(known(beyond), beyond, 0)
    return np.where(there, total, UNKNOWN)


def bare_class(name: str) -> str:
    """Return a class of issue without its slash."""
    return name.strip().removeprefix("/")


def text_vectors(vectors: npt.NDArray[np.int8]) -> Vectors:
    """Return vectors to multiply: whole numbers still, whose products a float of 32 bits holds exactly."""
    return vectors.astype(np.float32)


def _recorded(runs: Columns) -> Flags:
    basis = runs.words["cost_basis"]
    whole: Flags = (basis.are("reported") | basis.are("computed")) & ~known(runs.whole["lower_bound_cost"])
    return whole


def _microseconds(seconds: Floats) -> Integers:
    there = known(seconds) & (seconds >= 0) & (seconds < 1e9)
    return np.where(there, np.rint(np.where(there, seconds, 0) * _MICROSECONDS), UNKNOWN).astype(np.int64)


def _without_slash(classes: Words) -> Words:
    places: dict[str, int] = {}
    table = [places.setdefault(bare_class(word), len(places)) for word in classes.words]
    return Words(np.array([*table, -1], np.int32)[classes.codes], tuple(places))
