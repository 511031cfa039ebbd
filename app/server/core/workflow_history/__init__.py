"""A lasting history of AI developer workflow runs: folders of runs in, answers out.

This is the public API. Everything takes and returns dicts in one vocabulary; see docs/schema.md.

>>> sorted(__all__)[:3]
['calculate_phase_metrics', 'calculate_workflow_scores', 'get_history_analytics']
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what type checkers see; at run time a name's module is imported when it is first used
    from .analytics import calculate_phase_metrics, calculate_workflow_scores, get_history_analytics
    from .answers.export import export
    from .database import (
        get_workflow_by_id,
        get_workflow_history,
        init_db,
        insert_workflow,
        update_workflow,
    )
    from .resync import resync_all_completed_workflows, resync_workflow_cost
    from .sync import sync_workflow_history

__all__ = [
    "calculate_phase_metrics",
    "calculate_workflow_scores",
    "export",
    "get_history_analytics",
    "get_workflow_by_id",
    "get_workflow_history",
    "init_db",
    "insert_workflow",
    "resync_all_completed_workflows",
    "resync_workflow_cost",
    "sync_workflow_history",
    "update_workflow",
]

_HOMES = {
    "calculate_phase_metrics": "analytics",
    "calculate_workflow_scores": "analytics",
    "export": "answers.export",
    "get_history_analytics": "analytics",
    "get_workflow_by_id": "database",
    "get_workflow_history": "database",
    "init_db": "database",
    "insert_workflow": "database",
    "resync_all_completed_workflows": "resync",
    "resync_workflow_cost": "resync",
    "sync_workflow_history": "sync",
    "update_workflow": "database",
}
"""Where each public name lives. Importing them all takes longer than most commands take to run."""


def __getattr__(name: str) -> Any:
    """Import a public name's module when the name is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
