"""Place runs in time: columns and the clock in; the same, and by name those without a possible time, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from ..columns import UNKNOWN, Columns, Integers, known
from ..dating import AHEAD, FIRST, Misdated, MisdatedRun, micros
from ..store.history import History

SHOWN: Final = 5
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def with_plausible_times(history: History, runs: Columns, now: datetime) -> tuple[Columns, Misdated]:
    """Return runs, the time of those that are misdated unknown, and which these are."""
    placed, rows = dated(runs, now)
    return placed, _named(history, runs, rows)


def _named(history: History, runs: Columns, rows: Integers) -> Misdated:
    made, keys = runs.whole["created_at"], runs.whole["key"]
    latest = rows[np.argsort(-made[rows], kind="stable")][:SHOWN].tolist()
    names = names_of(history, [int(keys[row]) for row in latest])
    shown = (MisdatedRun(*names[int(keys[row])], moment_of(int(made[row]))) for row in latest)
    return Misdated(len(rows), tuple(shown))


def names_of(history: History, keys: Sequence[int]) -> dict[int, tuple[str, str | None]]:
    """Return id and project of some runs by key."""
    read = history.read(sorted(set(keys)))
    return {key: (run["id"], run.get("project") or None) for key, run in read.items()}


def moment_of(microseconds: int) -> datetime:
    """Return a moment, UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def dated(runs: Columns, now: datetime) -> tuple[Columns, Integers]:
    """Return runs with times that they can have been made at, else unknown, and the rows that were others."""
    made: Integers = runs.whole["created_at"]
    last = micros(now) + AHEAD // timedelta(microseconds=1)
    odd = known(made) & ((made < micros(FIRST)) | (made > last))
    if not odd.any():
        return runs, odd.nonzero()[0]
    whole: Mapping[str, Integers] = {**runs.whole, "created_at": made.copy()}
    whole["created_at"][odd] = UNKNOWN
    return replace(runs, whole=whole), odd.nonzero()[0]
