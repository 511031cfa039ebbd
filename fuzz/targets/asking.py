"""How a question is put: a call in; the answer out, or nothing where it was refused in plain words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.server.core.workflow_history.common.errors import WorkflowHistoryError

from ..oracle import Broken


def answered(ask: Callable[[], Any]) -> Any:
    """Return what is answered; None where it was refused with a reason that a person can read."""
    try:
        return ask()
    except WorkflowHistoryError as error:
        if not str(error).strip() or len(str(error)) > 100_000:
            raise Broken(f"the refusal is no sentence: {str(error)[:200]!r}") from error
        return None
