"""A lasting history of AI developer workflow runs: folders of runs in, answers out.

This is the public API. Everything takes and returns dicts in one vocabulary; see docs/schema.md.

>>> sorted(__all__)[:3]
['calculate_phase_metrics', 'calculate_workflow_scores', 'get_history_analytics']
"""

from .analytics import calculate_phase_metrics, calculate_workflow_scores, get_history_analytics
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
