"""Current status of stored runs: a running run that fell silent since the last sync is shown as incomplete.

The database has the status at the last sync. There may be no further sync, and a dead agent writes nothing
more. This rule therefore applies, with the current time, whenever a status is read, filtered by or counted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, case, or_

from ...common.plausible_dates import SILENCE_TIMEOUT
from ..rows.column_types import sanitize_text
from ..tables.schema import workflows

RUNNING: Final = "running"
SILENT: Final = "incomplete"
"""Status that is shown for a running run that fell silent."""

_SILENT_NS: Final = int(SILENCE_TIMEOUT.total_seconds()) * 10**9

_own = workflows.c

FELL_SILENT: Final[ColumnElement[bool]] = and_(
    _own.status == RUNNING,
    _own.last_written_ns.is_not(None),
    _own.last_written_ns < bindparam("silent_before", callable_=lambda: time.time_ns() - _SILENT_NS),
)
"""Condition that a run stored as running wrote nothing for long; without known write times it is false."""

SHOWN: Final[dict[str, ColumnElement[Any]]] = {
    "status": case((FELL_SILENT, SILENT), else_=_own.status).label("status"),
    "status_reason": case(
        (FELL_SILENT, _own.status_reason + ", and nothing was written for long"), else_=_own.status_reason
    ).label("status_reason"),
}
"""Columns of runs that are not shown as stored."""


def shown(column: str) -> ColumnElement[Any]:
    """Return a column of runs as it is shown."""
    return SHOWN.get(column, _own[column])


def stands_so(statuses: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a run is shown with one of these statuses."""
    words = [sanitize_text(word) for word in statuses]
    is_stored_so = _own.status.in_(words)
    if RUNNING in words and SILENT not in words:
        return and_(is_stored_so, ~FELL_SILENT)
    if SILENT in words and RUNNING not in words:
        return and_(_own.status.in_([*words, RUNNING]), or_(_own.status != RUNNING, FELL_SILENT))
    return is_stored_so
