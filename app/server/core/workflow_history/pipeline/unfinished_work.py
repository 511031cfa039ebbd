"""Finish the work of an interrupted command: update the derived rows of an open history.

After every step of every command `db check` finds no fault in the history. Remaining work is marked in it.
"""

from __future__ import annotations

import logging

from ..common.errors import WorkflowHistoryError
from ..storage.history import History
from .similarity_update import SimilarityUpdater

logger = logging.getLogger("workflow_history")


def finish(history: History) -> None:
    """Update the lists of similar runs and the column cache, and finish an interrupted redaction."""
    similarity = SimilarityUpdater(history)
    if similarity.is_stale or history.column_cache_is_stale():
        with history.transaction():
            similarity.compute_changes().save(history, {})
            history.build_column_cache()
    finish_erasing(history)


def finish_erasing(history: History) -> None:
    """Erase redacted text from the database files; if that fails, the next command tries again."""
    try:
        history.finish_erasing()
    except WorkflowHistoryError as error:
        logger.warning("erasure_postponed error=%s", error)
