"""From which file, line and rule a figure of a run comes: `explain_run`."""

from __future__ import annotations

from .. import database
from ..analysis.explanation import Explanation, ExplanationContext, explain_field
from ..analysis.patterns.sequences import drop_subsequences
from ..common.errors import WorkflowNotFoundError
from ..costs.pricing import price_version
from ..ingest.files import file_exists
from .similar_links import resolve_similar_in

__all__ = ["Explanation", "explain_run"]


def explain_run(reference: str, field: str | None = None) -> Explanation:
    """Return where a figure of a run comes from; without `field`, where its main figures come from.

    `field` is any key of the run, a phase or an agent. Whether a file is still there is looked up; none
    is read. Raises InvalidQueryError, which names the fields, WorkflowNotFoundError or
    AmbiguousWorkflowError.
    """
    with database.open_if_exists() as history:
        if history is None:
            raise WorkflowNotFoundError(
                f"no run {reference!r}: there is no history yet; workflow-history sync makes one"
            )
        key = history.find(reference).key
        run = history.read([key])[key]
        known = ExplanationContext(
            run,
            file_exists=file_exists,
            installed_price_version=price_version(),
            similar_links=tuple(resolve_similar_in(history, run)),
            patterns=tuple(drop_subsequences(history.patterns(key))),
        )
    return explain_field(known, field)
