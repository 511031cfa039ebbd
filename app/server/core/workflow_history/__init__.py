"""Workflow History: store the runs of AI developer workflows, and query, compare and forecast them.

This is the public API. All functions take and return dicts with the same field names; see
docs/database-schema.md.

>>> {"sync_workflow_history", "find_runs", "WorkflowHistoryError"} <= set(__all__)
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers; at run time, a name's module is imported on first use
    from .analytics import calculate_phase_metrics, calculate_workflow_scores, get_history_analytics
    from .common.errors import (
        AgentsFolderError,
        AmbiguousPatternError,
        AmbiguousWorkflowError,
        BusyError,
        ConfigError,
        ConfigMissingError,
        ConnectionLostError,
        DatabaseTooNewError,
        ExecutorError,
        InvalidQueryError,
        InvalidValueError,
        NotFoundError,
        PatternNotFoundError,
        PriceUnknownError,
        StorageUnreachableError,
        WorkflowHistoryError,
        WorkflowNotFoundError,
    )
    from .common.filters import Range, RunFilter
    from .database import get_workflow_by_id, get_workflow_history, init_db, insert_workflow, update_workflow
    from .maintenance.backup import backup_history
    from .maintenance.merge.merge_history import merge_history
    from .maintenance.restore import restore_history
    from .queries.anomalies import find_anomalies
    from .queries.budgets import check_budgets
    from .queries.compare import compare_runs
    from .queries.explain import explain_run
    from .queries.export import export
    from .queries.forecast import calibration, forecast, forecast_run
    from .queries.list_runs import find_runs
    from .queries.open_history import open_history
    from .queries.patterns import decide_pattern, find_patterns, show_pattern
    from .queries.settings_file import read_config
    from .queries.similar import similar_runs
    from .queries.statistics import overview, run_statistics, trend, waste
    from .resync import resync_all_completed_workflows, resync_workflow_cost
    from .sync import sync_workflow_history

__all__ = [
    "AgentsFolderError",
    "AmbiguousPatternError",
    "AmbiguousWorkflowError",
    "BusyError",
    "ConfigError",
    "ConfigMissingError",
    "ConnectionLostError",
    "DatabaseTooNewError",
    "ExecutorError",
    "InvalidQueryError",
    "InvalidValueError",
    "NotFoundError",
    "PatternNotFoundError",
    "PriceUnknownError",
    "Range",
    "RunFilter",
    "StorageUnreachableError",
    "WorkflowHistoryError",
    "WorkflowNotFoundError",
    "backup_history",
    "calculate_phase_metrics",
    "calculate_workflow_scores",
    "calibration",
    "check_budgets",
    "compare_runs",
    "decide_pattern",
    "explain_run",
    "export",
    "find_anomalies",
    "find_patterns",
    "find_runs",
    "forecast",
    "forecast_run",
    "get_history_analytics",
    "get_workflow_by_id",
    "get_workflow_history",
    "init_db",
    "insert_workflow",
    "merge_history",
    "open_history",
    "overview",
    "read_config",
    "restore_history",
    "resync_all_completed_workflows",
    "resync_workflow_cost",
    "run_statistics",
    "show_pattern",
    "similar_runs",
    "sync_workflow_history",
    "trend",
    "update_workflow",
    "waste",
]

_MODULES = {
    "AgentsFolderError": "common.errors",
    "AmbiguousPatternError": "common.errors",
    "AmbiguousWorkflowError": "common.errors",
    "BusyError": "common.errors",
    "ConfigError": "common.errors",
    "ConfigMissingError": "common.errors",
    "ConnectionLostError": "common.errors",
    "DatabaseTooNewError": "common.errors",
    "ExecutorError": "common.errors",
    "InvalidQueryError": "common.errors",
    "InvalidValueError": "common.errors",
    "NotFoundError": "common.errors",
    "PatternNotFoundError": "common.errors",
    "StorageUnreachableError": "common.errors",
    "PriceUnknownError": "common.errors",
    "Range": "common.filters",
    "RunFilter": "common.filters",
    "WorkflowHistoryError": "common.errors",
    "WorkflowNotFoundError": "common.errors",
    "backup_history": "maintenance.backup",
    "calculate_phase_metrics": "analytics",
    "calculate_workflow_scores": "analytics",
    "calibration": "queries.forecast",
    "check_budgets": "queries.budgets",
    "compare_runs": "queries.compare",
    "decide_pattern": "queries.patterns",
    "explain_run": "queries.explain",
    "export": "queries.export",
    "find_anomalies": "queries.anomalies",
    "find_patterns": "queries.patterns",
    "find_runs": "queries.list_runs",
    "forecast": "queries.forecast",
    "forecast_run": "queries.forecast",
    "get_history_analytics": "analytics",
    "get_workflow_by_id": "database",
    "get_workflow_history": "database",
    "init_db": "database",
    "insert_workflow": "database",
    "merge_history": "maintenance.merge.merge_history",
    "open_history": "queries.open_history",
    "overview": "queries.statistics",
    "read_config": "queries.settings_file",
    "restore_history": "maintenance.restore",
    "resync_all_completed_workflows": "resync",
    "resync_workflow_cost": "resync",
    "run_statistics": "queries.statistics",
    "show_pattern": "queries.patterns",
    "similar_runs": "queries.similar",
    "sync_workflow_history": "sync",
    "trend": "queries.statistics",
    "update_workflow": "database",
    "waste": "queries.statistics",
}
"""Module of each public name. Importing all of them takes longer than most commands take to run."""


def __getattr__(name: str) -> Any:
    """Import the module of a public name on first access."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
