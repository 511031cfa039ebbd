"""A lasting history of AI developer workflow runs: folders of runs in, answers out.

This is the public API. Everything takes and returns dicts in one vocabulary; see docs/schema.md.

>>> {"sync_workflow_history", "find_runs", "WorkflowHistoryError"} <= set(__all__)
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what type checkers see; at run time a name's module is imported when it is first used
    from .analytics import calculate_phase_metrics, calculate_workflow_scores, get_history_analytics
    from .answers.automate import decide_pattern, find_patterns, show_pattern
    from .answers.budgets import check_budgets
    from .answers.compare import compare_runs
    from .answers.explain import explain_run
    from .answers.export import export
    from .answers.finding import find_runs
    from .answers.forecast import calibration, forecast, forecast_run
    from .answers.similar import similar_runs
    from .answers.statistics import overview, run_statistics, trend, waste
    from .answers.watch import find_anomalies
    from .care.backup import backup_history
    from .care.merging import merge_history
    from .care.restoring import restore_history
    from .config import read_config
    from .database import (
        get_workflow_by_id,
        get_workflow_history,
        init_db,
        insert_workflow,
        update_workflow,
    )
    from .errors import (
        AgentsFolderError,
        AmbiguousPatternError,
        AmbiguousWorkflowError,
        BusyError,
        ConfigError,
        ConfigMissingError,
        ConnectionLostError,
        DatabaseTooNewError,
        EngineError,
        InvalidQueryError,
        PatternNotFoundError,
        PlaceUnreachableError,
        PriceUnknownError,
        WorkflowHistoryError,
        WorkflowNotFoundError,
    )
    from .filters import Range, RunFilter
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
    "EngineError",
    "InvalidQueryError",
    "PatternNotFoundError",
    "PlaceUnreachableError",
    "PriceUnknownError",
    "Range",
    "RunFilter",
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

_HOMES = {
    "AgentsFolderError": "errors",
    "AmbiguousPatternError": "errors",
    "AmbiguousWorkflowError": "errors",
    "BusyError": "errors",
    "ConfigError": "errors",
    "ConfigMissingError": "errors",
    "ConnectionLostError": "errors",
    "DatabaseTooNewError": "errors",
    "EngineError": "errors",
    "InvalidQueryError": "errors",
    "PatternNotFoundError": "errors",
    "PlaceUnreachableError": "errors",
    "PriceUnknownError": "errors",
    "Range": "filters",
    "RunFilter": "filters",
    "WorkflowHistoryError": "errors",
    "WorkflowNotFoundError": "errors",
    "backup_history": "care.backup",
    "calculate_phase_metrics": "analytics",
    "calculate_workflow_scores": "analytics",
    "calibration": "answers.forecast",
    "check_budgets": "answers.budgets",
    "compare_runs": "answers.compare",
    "decide_pattern": "answers.automate",
    "explain_run": "answers.explain",
    "export": "answers.export",
    "find_anomalies": "answers.watch",
    "find_patterns": "answers.automate",
    "find_runs": "answers.finding",
    "forecast": "answers.forecast",
    "forecast_run": "answers.forecast",
    "get_history_analytics": "analytics",
    "get_workflow_by_id": "database",
    "get_workflow_history": "database",
    "init_db": "database",
    "insert_workflow": "database",
    "merge_history": "care.merging",
    "overview": "answers.statistics",
    "read_config": "config",
    "restore_history": "care.restoring",
    "resync_all_completed_workflows": "resync",
    "resync_workflow_cost": "resync",
    "run_statistics": "answers.statistics",
    "show_pattern": "answers.automate",
    "similar_runs": "answers.similar",
    "sync_workflow_history": "sync",
    "trend": "answers.statistics",
    "update_workflow": "database",
    "waste": "answers.statistics",
}
"""Where each public name lives. Importing them all takes longer than most commands take to run."""


def __getattr__(name: str) -> Any:
    """Import a public name's module when the name is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
