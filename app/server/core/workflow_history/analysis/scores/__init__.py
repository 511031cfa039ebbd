"""The four scores of one run: a workflow dict in, numbers with their reasons out.

A score depends on its own run alone, so that a stored score never goes stale. Nothing here knows
another run, a clock, a file or the database.
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
"""Every score by its key in the workflow; a new score is a new file and a new line here."""


def explain_workflow_scores(workflow: Mapping[str, Any]) -> dict[str, Score]:
    """Explain every score: its parts, and the evidence that was missing."""
    return {name: score(workflow) for name, score in SCORES.items()}


def calculate_workflow_scores(workflow: Mapping[str, Any]) -> dict[str, float | None]:
    """Score one run four times, 0 to 100 with one decimal; None where the evidence is missing.

    >>> scores = calculate_workflow_scores({"total_cost": 2.0, "duration_seconds": 200})
    >>> scores["nl_clarity_score"], scores["cost_efficiency_score"], scores["performance_score"]
    (None, 50.0, 75.0)
    """
    return {name: score.value for name, score in explain_workflow_scores(workflow).items()}


def score_parts(workflow: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give every score in JSON's types: version, value, coverage, parts and missing evidence."""
    return {name: score.as_dict() for name, score in explain_workflow_scores(workflow).items()}
