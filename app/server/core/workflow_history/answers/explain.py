"""From which file, line and rule a figure of a run comes: `explain_run`."""

from __future__ import annotations

from .. import database
from ..errors import WorkflowNotFoundError
from ..explaining import Explanation, Known, explained
from ..patterns.sequences import without_parts
from ..places import is_file
from ..pricing import price_version
from .likes import likes_in

__all__ = ["Explanation", "explain_run"]


def explain_run(reference: str, field: str | None = None) -> Explanation:
    """Return where a figure of a run comes from; without `field`, where its main figures come from.

    `field` is any key of the run, a phase or an agent. Whether a file is still there is looked up; none
    is read. Raises InvalidQueryError, which names the fields, WorkflowNotFoundError or
    AmbiguousWorkflowError.
    """
    with database.existing() as history:
        if history is None:
            raise WorkflowNotFoundError(
                f"no run {reference!r}: there is no history yet; workflow-history sync makes one"
            )
        key = history.find(reference).key
        run = history.read([key])[key]
        known = Known(
            run,
            is_there=is_file,
            installed=price_version(),
            likes=tuple(likes_in(history, run)),
            patterns=tuple(without_parts(history.patterns(key))),
        )
    return explained(known, field)
