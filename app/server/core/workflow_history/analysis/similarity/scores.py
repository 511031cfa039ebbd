"""Similarity scores: compare workflow dicts, from 0 to 1. Never reads files or the database.

The weights are 0.40 for text, 0.20 for equal status, and 0.20 each for the ratios of costs and durations.
Only components known for both runs count, rescaled to 1. The score is 0 if a run has no text or if the
texts have nothing in common.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypedDict

import numpy as np

from ...common.coercion import is_duration_lower_bound
from ...common.models import RunStatus, Workflow
from ...common.spending import has_recorded_cost
from .feature_table import Key, RunFeatures, build_table
from .pair_scores import PARTS, WEIGHTS, PairSide, pair_parts, pair_scores
from .text_vectors import text_vector
from .top_matches import best_matches


class SimilarityPart(TypedDict):
    """One component of a score; it contributes weight x value, divided by the sum of all weights."""

    name: str  # component: text, status, cost or duration
    weight: float
    value: float | None  # 0 to 1; None if one of the runs lacks it


class Explanation(TypedDict):
    """A score and its components."""

    score: float  # 0 to 1
    parts: list[SimilarityPart]


def calculate_similarity_score(a: Workflow, b: Workflow) -> float:
    """Return the similarity of two runs, 0 to 1; symmetric.

    >>> calculate_similarity_score({"nl_input": "Sort the orders"}, {"nl_input": "sort orders"})
    1.0
    >>> calculate_similarity_score({"status": "completed"}, {"status": "completed"})
    0.0
    """
    return float(pair_scores(*_build_pair(a, b))[0])


def explain_similarity(a: Workflow, b: Workflow) -> Explanation:
    """Return the score of two runs with its components.

    >>> explain_similarity({"nl_input": "x", "total_cost": 1}, {"nl_input": "x", "total_cost": 4})["parts"][2]
    {'name': 'cost', 'weight': 0.2, 'value': 0.25}
    """
    values = [float(value[0]) for value in pair_parts(*_build_pair(a, b))]
    parts: list[SimilarityPart] = [
        {"name": name, "weight": weight, "value": None if math.isnan(value) else value}
        for name, weight, value in zip(PARTS, WEIGHTS, values, strict=True)
    ]
    return {"score": calculate_similarity_score(a, b), "parts": parts}


def find_similar_workflows(
    workflow: Workflow, workflows: Iterable[Workflow], threshold: float = 0.5, limit: int = 5
) -> list[tuple[Workflow, float]]:
    """Return the runs most similar to `workflow`, best first, excluding itself (same project and id)."""
    own_identity = _identity(workflow)
    others = [
        other
        for other in workflows
        if other is not workflow and (own_identity[1] is None or _identity(other) != own_identity)
    ]
    others.sort(key=_sort_key)
    table = build_table(
        [run_features(-1, workflow), *(run_features(index, other) for index, other in enumerate(others))]
    )
    matches = best_matches(table, [-1], threshold, limit)[-1]
    return [(others[index], score) for index, score in matches]


def calculate_all_similarities(
    workflows: Iterable[Workflow], threshold: float = 0.5, limit: int = 5
) -> dict[str, list[tuple[str, float]]]:
    """Return each run's most similar runs by id, best first; of duplicate ids, the later run counts."""
    by_id = {str(workflow["id"]): workflow for workflow in workflows if workflow.get("id") is not None}
    ordered = sorted(by_id.values(), key=_sort_key)
    ids = [str(workflow["id"]) for workflow in ordered]
    table = build_table(run_features(index, workflow) for index, workflow in enumerate(ordered))
    matches_by_row = best_matches(table, None, threshold, limit)
    return {
        ids[row]: [(ids[index], score) for index, score in matches] for row, matches in matches_by_row.items()
    }


def run_features(key: Key, workflow: Workflow) -> RunFeatures:
    """Return the features of `workflow`; a cost or duration that is only a lower bound is unknown."""
    text, status = workflow.get("nl_input"), workflow.get("status")
    status_name = str(status).strip().lower() if status is not None else ""
    return RunFeatures(
        key,
        text_vector(text) if isinstance(text, str) else None,
        status_name if status_name not in ("", RunStatus.UNKNOWN) else None,
        _nonnegative(workflow.get("total_cost")) if has_recorded_cost(workflow) else None,
        None if is_duration_lower_bound(workflow) else _nonnegative(workflow.get("duration_seconds")),
    )


def _nonnegative(value: object) -> float | None:
    """Return a number of 0 or more; None for all else, including NaN, infinity and bool."""
    try:
        number = float(value) if not isinstance(value, bool) else math.nan  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0.0 else None


def _build_pair(
    a: Workflow, b: Workflow
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], PairSide, PairSide]:
    table = build_table([run_features(0, a), run_features(1, b)])
    left, right = table.vectors.astype(np.int64)
    dots = np.array([float(left @ right)])
    return dots, table.sides.take(np.array([0])), table.sides.take(np.array([1]))


def _identity(workflow: Workflow) -> tuple[object, object]:
    return workflow.get("project"), workflow.get("id")


def _sort_key(workflow: Workflow) -> tuple[str, str]:
    project, key = workflow.get("project"), workflow.get("id")
    return ("" if project is None else str(project), "" if key is None else str(key))
