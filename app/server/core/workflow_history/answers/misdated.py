"""Place runs in time: columns and the clock in; the same, and by name those without a possible time, out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from ..columns import Columns, Integers
from ..dating import Misdated, MisdatedRun, dated
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
