"""Two runs side by side, phase by phase, and where their difference comes from: `compare_runs`."""

from __future__ import annotations

from .. import database
from ..analysis.comparison import Comparison, compare
from ..common.errors import WorkflowNotFoundError

__all__ = ["Comparison", "compare_runs"]


def compare_runs(a: str, b: str) -> Comparison:
    """Return the runs that two references name side by side; every difference is B less A.

    Raises WorkflowNotFoundError or AmbiguousWorkflowError.
    """
    with database.open_if_exists() as history:
        if history is None:
            raise WorkflowNotFoundError(
                f"no run {a!r}: there is no history yet; workflow-history sync makes one"
            )
        keys = [history.find(reference).key for reference in (a, b)]
        runs = history.read(keys)
        return compare(runs[keys[0]], runs[keys[1]])
