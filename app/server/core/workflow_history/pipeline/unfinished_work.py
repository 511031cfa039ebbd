"""Finish what a command that was stopped left undone: an open history in, its derived rows up to date.

Every step of every command leaves a history that `db check` finds whole, and marks in it what is still to do.
"""

from __future__ import annotations

import logging

from ..common.errors import WorkflowHistoryError
from ..storage.history import History
from .similarity_update import SimilarityUpdater

logger = logging.getLogger("workflow_history")


def finish(history: History) -> None:
    """Bring lists of similar runs and packed figures up to date, and finish a scrub."""
    relations = SimilarityUpdater(history)
    if relations.is_stale or history.column_cache_is_stale():
        with history.transaction():
            relations.compute_changes().save(history, {})
            history.build_column_cache()
    finish_erasing(history)


def finish_erasing(history: History) -> None:
    """Erase from the files what a stopped scrub took out; if that fails, the next command tries again."""
    try:
        history.finish_erasing()
    except WorkflowHistoryError as error:
        logger.warning("erasing_left error=%s", error)
