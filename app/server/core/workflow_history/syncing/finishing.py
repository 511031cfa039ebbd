"""Finish what a command that was stopped left undone: an open history in, its derived rows up to date.

Every step of every command leaves a history that `db check` finds whole, and marks in it what is still to do.
"""

from __future__ import annotations

import logging

from ..errors import WorkflowHistoryError
from ..store.history import History
from .related import Relations

logger = logging.getLogger("workflow_history")


def finish(history: History) -> None:
    """Bring lists of similar runs and packed figures up to date, and finish a scrub."""
    relations = Relations(history)
    if relations.outdated or history.has_unpacked_columns():
        with history.transaction():
            relations.changes_after().save(history, {})
            history.pack_columns()
    finish_erasing(history)


def finish_erasing(history: History) -> None:
    """Erase from the files what a stopped scrub took out; if that fails, the next command tries again."""
    try:
        history.finish_erasing()
    except WorkflowHistoryError as error:
        logger.warning("erasing_left error=%s", error)
