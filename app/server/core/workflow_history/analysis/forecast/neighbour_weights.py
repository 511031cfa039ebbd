"""Weigh past runs for one that is to be forecast: a question in, runs and their weights out. Pure.

A weight of 1 is a run that asks for the same, now. See docs/forecasts.md for how the constants were found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...common.column_data import MISSING_INT, CategoricalColumn, Flags, Floats, Integers
from ..similarity.pair_scores import COSINE_FLOOR
from ..similarity.portable_numerics import halved
from .past_runs import Past, Vectors

MIN_SIMILARITY: Final = 0.3
"""Similarity of texts up to which a run is no neighbour: a common vocabulary brings tasks so near."""

SAME_TASK_SIMILARITY: Final = 0.6
"""Similarity of texts from which a run counts in full."""

HALF_LIFE: Final = 60 * 86_400 * 1_000_000
"""Age at which a neighbour counts half, µs before the latest candidate: prices, models, prompts change."""

ENOUGH_NEIGHBOURS: Final = 10.0
"""Sum of weights up to which neighbours are filled up with the level: the latest runs of the template."""

BASELINE_HALF_LIFE: Final = 30
"""Runs of the level after which weight is halved: the latest tell most."""

OTHER_CONTEXT_WEIGHT: Final = 0.5
"""What a run counts that is of another class of issue, and again of another project."""

MIN_WEIGHT: Final = 0.01
"""A run that counts less is left out."""

MAX_RUNS: Final = 200
"""Only so many runs are looked at, those that count most: more would hardly change a figure."""

MAX_CANDIDATES: Final = 20_000
"""Only so many runs are weighed, the latest: in so long a history the older ones tell of other times."""

NOW: Final = int(np.iinfo(np.int64).max)
"""The moment of a question about a task of now, µs: every stored run is before it, whatever its date."""

STEPS: Final = 1 << 20
"""Weights are whole multiples of 1 / STEPS, so that their sums, and those of their squares, are exact."""

MIN_NEIGHBOUR_SIMILARITY: Final = 1.0
"""Sum of the neighbours' weights without which a request of no known template is not forecast."""


@dataclass(frozen=True, slots=True)
class ForecastTarget:
    """What is to be forecast, and when that is asked."""

    at: int  # µs since 1970, or NOW; only runs that had ended before are looked at
    template: str | None = None
    issue_class: str | None = None  # without a slash
    project: str | None = None
    without: int | None = None  # key of the run itself, where it is stored


@dataclass(frozen=True, slots=True)
class WeightedRuns:
    """Past runs and how much each counts, in the order of time."""

    rows: Integers  # places in the past
    weights: Floats  # 0 to 1
    alike: Floats  # similarity of the texts, 0 to 1
    neighbours: float  # sum of the weights that the texts alone gave


def ended_before(past: Past, at: int) -> Flags:
    """Tell which runs had ended before a moment; of a run without a date that is known for NOW alone."""
    ended: Flags = (past.ended != MISSING_INT) & (past.ended < at) & (past.started < at)
    return ended if at == NOW else ended & past.dated


def select_candidates(past: Past, question: ForecastTarget) -> Integers:
    """Return the runs that had ended before the question, of its template where it names one.

    A run that began at that very moment, or ended at it, is not before it.
    """
    fit = ended_before(past, question.at)
    if question.template is not None:
        fit &= past.templates.equals(question.template)
    if question.without is not None:
        fit &= past.keys != question.without
    return np.flatnonzero(fit)[-MAX_CANDIDATES:]


def cosine_similarity(vectors: Vectors, others: Vectors) -> Vectors:
    """Return how alike texts are, 0 to 1: a row for each of `vectors`, a column for each of `others`.

    Two texts are as alike in a table of any size: what is added up are whole numbers, without rounding.
    """
    cosines = vectors @ others.T
    cosines *= _shrink(vectors)[:, None]
    cosines *= _shrink(others)
    cosines -= np.float32(COSINE_FLOOR)
    cosines /= np.float32(1.0 - COSINE_FLOOR)
    return np.clip(cosines, 0.0, 1.0, out=cosines)


def _shrink(vectors: Vectors) -> Vectors:
    """Return what makes each vector one of length 1; one without words stays zero."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return (1 / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def weigh_neighbours(past: Past, question: ForecastTarget, rows: Integers, alike: Floats) -> WeightedRuns:
    """Weigh candidates by text and age, and fill up with the level as far as neighbours are few."""
    context = _context(past.classes, question.issue_class, rows)
    context *= _context(past.projects, question.project, rows)
    near = np.clip((alike - MIN_SIMILARITY) / (SAME_TASK_SIMILARITY - MIN_SIMILARITY), 0.0, 1.0)
    began = past.started[rows]
    near = _stepped(near * context * halved((began.max(initial=0) - began) / HALF_LIFE))
    level = _stepped((1.0 - near) * context * halved(np.arange(len(rows) - 1, -1, -1.0) / BASELINE_HALF_LIFE))
    neighbours, most = float(near.sum()), float(level.sum())
    share = min(1.0, max(0.0, ENOUGH_NEIGHBOURS - neighbours) / most) if most > 0 else 0.0
    weights = _stepped(near + share * level)
    kept = _heaviest(weights)
    return WeightedRuns(rows[kept], weights[kept], alike[kept], neighbours)


def _stepped(weights: Floats) -> Floats:
    """Return weights as multiples of a step."""
    found: Floats = np.rint(weights * STEPS) / STEPS
    return found


def _heaviest(weights: Floats) -> Integers:
    """Return what is worth looking at, in the order of time; of equal weights the latest."""
    there = np.flatnonzero(weights >= MIN_WEIGHT)
    order = np.lexsort((-there, -weights[there]))
    return np.sort(there[order[:MAX_RUNS]])


def _context(words: CategoricalColumn, asked: str | None, rows: Integers) -> Floats:
    if asked is None:
        return np.ones(len(rows))
    same = words.codes[rows] == words.code_of(asked)
    return np.where(same, 1.0, OTHER_CONTEXT_WEIGHT)
