"""Give back the space that the history in use takes and does not need: how many bytes it took and takes."""

from __future__ import annotations

import time
from typing import Any

from .. import database
from ..errors import WorkflowHistoryError
from ..store.history import History


def vacuum_history() -> dict[str, Any]:
    """Return {bytes_before, bytes_after, duration_seconds}; WorkflowHistoryError where there is none."""
    started = time.monotonic()
    if not database.is_there():
        raise WorkflowHistoryError(f"there is no history at {database.location()} yet")
    with History.open(database.current_url(), make=False) as history:
        before = history.size()
        history.compact()
        after = history.size()
    seconds = time.monotonic() - started
    return {"bytes_before": before, "bytes_after": after, "duration_seconds": seconds}
