"""Current status of stored runs: a running run that fell silent since the last sync is shown as incomplete.

The database has the status at the last sync. There may be no further sync, and a dead agent writes nothing
more. This rule therefore applies, with the current time, whenever a status is read, filtered by or counted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, case, or_

from ...common.models import RunStatus
from ...common.plausible_dates import SILENCE_TIMEOUT
from ..rows.column_types import sanitize_text
from ..tables.schema import workflows

RUNNING: Final = RunStatus.RUNNING
INCOMPLETE: Final = RunStatus.INCOMPLETE
"""Status that is shown for a running run that fell silent."""

_SILENCE_TIMEOUT_NS: Final = int(SILENCE_TIMEOUT.total_seconds()) * 10**9

_run = workflows.c

FELL_SILENT: Final[ColumnElement[bool]] = and_(
    _run.status == RUNNING,
    _run.last_written_ns.is_not(None),
    _run.last_written_ns < bindparam("silent_before", callable_=lambda: time.time_ns() - _SILENCE_TIMEOUT_NS),
)
"""Condition that a run stored as running wrote nothing for long; without known write times it is false."""

CURRENT_COLUMNS: Final[dict[str, ColumnElement[Any]]] = {
    "status": case((FELL_SILENT, INCOMPLETE), else_=_run.status).label("status"),
    "status_reason": case(
        (FELL_SILENT, _run.status_reason + ", and nothing was written for long"), else_=_run.status_reason
    ).label("status_reason"),
}
"""Columns of runs that are not shown as stored."""


def current_column(column: str) -> ColumnElement[Any]:
    """Return a column of runs as it is shown."""
    return CURRENT_COLUMNS.get(column, _run[column])


def has_status(statuses: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a run is shown with one of these statuses."""
    words = [sanitize_text(word) for word in statuses]
    is_stored = _run.status.in_(words)
    if RUNNING in words and INCOMPLETE not in words:
        return and_(is_stored, ~FELL_SILENT)
    if INCOMPLETE in words and RUNNING not in words:
        return and_(_run.status.in_([*words, RUNNING]), or_(_run.status != RUNNING, FELL_SILENT))
    return is_stored
