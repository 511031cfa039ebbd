"""The four scores of one run: compute each number and its reasons from a workflow dict.

A score depends only on its own run, so that a stored score never becomes outdated. Nothing here reads
other runs, the clock, files or the database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from . import clarity, cost_efficiency, performance, quality
from .base import Score, ScorePart
from .constants import SCORE_VERSION
from .phases import phase_metrics

__all__ = [
    "SCORES",
    "SCORE_VERSION",
    "Score",
    "ScorePart",
    "calculate_workflow_scores",
    "explain_workflow_scores",
    "phase_metrics",
    "score_parts",
]

SCORES: Final[Mapping[str, Callable[[Mapping[str, Any]], Score]]] = {
    "nl_clarity_score": clarity.score,
    "cost_efficiency_score": cost_efficiency.score,
    "performance_score": performance.score,
    "quality_score": quality.score,
}
"""Score functions by workflow key; a new score needs a new file and a new line here."""


def explain_workflow_scores(workflow: Mapping[str, Any]) -> dict[str, Score]:
    """Compute all scores with their components and missing evidence."""
    return {name: score(workflow) for name, score in SCORES.items()}


def calculate_workflow_scores(workflow: Mapping[str, Any]) -> dict[str, float | None]:
    """Compute the four scores of one run, 0 to 100 with one decimal; None without the needed evidence.

    >>> scores = calculate_workflow_scores({"total_cost": 2.0, "duration_seconds": 200})
    >>> scores["nl_clarity_score"], scores["cost_efficiency_score"], scores["performance_score"]
    (None, 50.0, 75.0)
    """
    return {name: score.value for name, score in explain_workflow_scores(workflow).items()}


def score_parts(workflow: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return all scores as JSON types: version, value, completeness, components and missing evidence."""
    return {name: score.as_dict() for name, score in explain_workflow_scores(workflow).items()}
