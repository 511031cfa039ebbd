"""Call the program and accept its documented errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.server.core.workflow_history.common.errors import WorkflowHistoryError

from ..oracle import Broken


def answered(ask: Callable[[], Any]) -> Any:
    """Return the result of `ask`, or None if it raised a WorkflowHistoryError.

    Raises Broken if the message of that error is empty or longer than 100,000 characters.
    """
    try:
        return ask()
    except WorkflowHistoryError as error:
        if not str(error).strip() or len(str(error)) > 100_000:
            raise Broken(f"the refusal is no sentence: {str(error)[:200]!r}") from error
        return None
