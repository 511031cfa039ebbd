"""The analytics of the contract: workflow dicts in, scores, phase metrics and statistics out.

Computes nothing itself: it names what `scores` and `statistics` do, and never raises for odd data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .scores import calculate_workflow_scores, explain_workflow_scores, phase_metrics, score_parts
from .statistics import history_statistics, temporal_distributions

__all__ = [
    "calculate_phase_metrics",
    "calculate_workflow_scores",
    "explain_workflow_scores",
    "get_history_analytics",
    "get_temporal_analytics",
    "score_parts",
]


def calculate_phase_metrics(cost_data: Mapping[str, Any] | None) -> dict[str, Any]:
    """Measure phase_durations (seconds by phase), bottleneck_phase and idle_time_seconds of one run.

    >>> calculate_phase_metrics(None)
    {'phase_durations': {}, 'bottleneck_phase': None, 'idle_time_seconds': None}
    """
    return phase_metrics(cost_data)


def get_history_analytics(workflows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sum up the runs given: counts, money in US dollars, seconds, tokens, percent, and the date range."""
    return history_statistics(workflows)


def get_temporal_analytics(workflows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Count runs by hour of day (0 to 23) and weekday, each in its own local time; name the peak hours."""
    return temporal_distributions(workflows)
