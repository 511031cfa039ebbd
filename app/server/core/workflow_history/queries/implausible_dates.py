"""Remove implausible dates: columns of runs and the current time in, cleaned columns and run names out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from ..common.column_data import MISSING_INT, ColumnTable, Integers, is_known
from ..common.plausible_dates import (
    EARLIEST,
    MAX_CLOCK_SKEW,
    ImplausibleDates,
    RunWithImplausibleDate,
    from_microseconds,
    to_microseconds,
)
from ..storage.history import History

MAX_NAMED: Final = 5


def drop_implausible_dates(
    history: History, runs: ColumnTable, now: datetime
) -> tuple[ColumnTable, ImplausibleDates]:
    """Replace implausible dates by unknown ones; return the runs and the names of those affected."""
    cleaned, rows = mask_implausible_dates(runs, now)
    return cleaned, _describe_implausible_dates(history, runs, rows)


def _describe_implausible_dates(history: History, runs: ColumnTable, rows: Integers) -> ImplausibleDates:
    created, keys = runs.integers["created_at"], runs.integers["key"]
    latest = rows[np.argsort(-created[rows], kind="stable")][:MAX_NAMED].tolist()
    names = run_names(history, [int(keys[row]) for row in latest])
    latest_runs = (
        RunWithImplausibleDate(*names[int(keys[row])], from_microseconds(int(created[row]))) for row in latest
    )
    return ImplausibleDates(len(rows), tuple(latest_runs))


def run_names(history: History, keys: Sequence[int]) -> dict[int, tuple[str, str | None]]:
    """Return the id and project of some runs by key."""
    runs = history.read(sorted(set(keys)))
    return {key: (run["id"], run.get("project") or None) for key, run in runs.items()}


def mask_implausible_dates(runs: ColumnTable, now: datetime) -> tuple[ColumnTable, Integers]:
    """Replace implausible dates by unknown ones; return the runs and the rows that were changed."""
    created: Integers = runs.integers["created_at"]
    last = to_microseconds(now) + MAX_CLOCK_SKEW // timedelta(microseconds=1)
    is_implausible = is_known(created) & ((created < to_microseconds(EARLIEST)) | (created > last))
    if not is_implausible.any():
        return runs, is_implausible.nonzero()[0]
    integers: Mapping[str, Integers] = {**runs.integers, "created_at": created.copy()}
    integers["created_at"][is_implausible] = MISSING_INT
    return replace(runs, integers=integers), is_implausible.nonzero()[0]
