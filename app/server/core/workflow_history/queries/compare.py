"""Compare two runs phase by phase and explain their difference: `compare_runs`."""

from __future__ import annotations

from .. import database
from ..analysis.comparison import Comparison, compare
from ..common.errors import WorkflowNotFoundError
from ..ingest.config.own_prices import use_configured_prices

__all__ = ["Comparison", "compare_runs"]


def compare_runs(a: str, b: str) -> Comparison:
    """Compare the two referenced runs; every difference is B minus A.

    Raises WorkflowNotFoundError or AmbiguousWorkflowError.
    """
    with database.open_if_exists() as history:
        if history is None:
            raise WorkflowNotFoundError(a)
        keys = [history.find(reference).key for reference in (a, b)]
        runs = history.read(keys)
    with use_configured_prices():
        return compare(runs[keys[0]], runs[keys[1]])
