"""The contract's analytics functions: scores, phase metrics and statistics of workflow dicts.

This module computes nothing itself: it wraps `scores` and `statistics`. Malformed data never raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import database
from .analysis.scores import calculate_workflow_scores, explain_workflow_scores, phase_metrics, score_parts

__all__ = [
    "calculate_phase_metrics",
    "calculate_workflow_scores",
    "explain_workflow_scores",
    "get_history_analytics",
    "get_temporal_analytics",
    "score_parts",
]


def calculate_phase_metrics(cost_data: Mapping[str, Any] | None) -> dict[str, Any]:
    """Compute phase_durations (seconds by phase), bottleneck_phase and idle_time_seconds of one run.

    >>> calculate_phase_metrics(None)
    {'phase_durations': {}, 'bottleneck_phase': None, 'idle_time_seconds': None}
    """
    return phase_metrics(cost_data)


def get_history_analytics(workflows: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """Summarize the given runs, or all stored runs: counts, US dollars, seconds, tokens, percent, dates."""
    # importing numpy takes longer than most commands
    from .analysis.statistics import workflow_totals  # noqa: PLC0415

    if workflows is not None:
        return workflow_totals.summarize_workflows(workflows)
    with database.open_if_exists(may_be_assigned=True) as history:
        if history is None:
            return workflow_totals.summarize_workflows([])
        return workflow_totals.summarize_columns(history.columns("runs", workflow_totals.COLUMNS))


def get_temporal_analytics(workflows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Count runs by hour of day (0 to 23) and weekday, in each run's local time, with the peak hours."""
    from .analysis.statistics.workflow_totals import temporal_distributions  # noqa: PLC0415 - see above

    return temporal_distributions(workflows)
