"""Explain the provenance of a run's values (file, line and rule): `explain_run`."""

from __future__ import annotations

from .. import database
from ..analysis.explanation import Explanation, ExplanationContext, explain_field
from ..analysis.patterns.sequences import drop_subsequences
from ..common.errors import WorkflowNotFoundError
from ..costs.pricing import price_version
from ..ingest.config.own_prices import use_configured_prices
from ..ingest.files import file_exists
from .similar_links import resolve_similar_in

__all__ = ["Explanation", "explain_run"]


def explain_run(reference: str, field: str | None = None) -> Explanation:
    """Return the provenance of one value of a run; without `field`, of its main values.

    `field` is any key of the run, a phase or an agent. Files are checked for existence but not read. Raises
    InvalidQueryError, which lists the fields, WorkflowNotFoundError or AmbiguousWorkflowError.
    """
    with use_configured_prices(), database.open_if_exists() as history:
        if history is None:
            raise WorkflowNotFoundError(reference)
        key = history.find(reference).key
        run = history.read([key])[key]
        context = ExplanationContext(
            run,
            file_exists=file_exists,
            installed_price_version=price_version(),
            similar_links=tuple(resolve_similar_in(history, run)),
            patterns=tuple(drop_subsequences(history.patterns(key))),
        )
        return explain_field(context, field)
