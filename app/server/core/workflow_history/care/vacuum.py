"""Give back the space that the history in use takes and does not need: how many bytes it took and takes."""

from __future__ import annotations

import time
from typing import Any

from .. import database
from ..syncing.finishing import finish


def vacuum_history() -> dict[str, Any]:
    """Return {bytes_before, bytes_after, duration_seconds}; WorkflowHistoryError where there is none."""
    started = time.monotonic()
    with database.required() as history:
        before = history.size()
        finish(history)  # it makes new rows, and drops old ones
        history.compact()
        after = history.size()
    seconds = time.monotonic() - started
    return {"bytes_before": before, "bytes_after": after, "duration_seconds": seconds}
