"""Neighbour weights: weigh past runs by their similarity to a forecast target. Pure.

A weight of 1 is a run with the same request, now. See docs/forecasts.md for the choice of the constants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...common.column_data import MISSING_INT, CategoricalColumn, Flags, Floats, Integers
from ..similarity.pair_scores import COSINE_FLOOR
from ..similarity.portable_numerics import half_power
from .past_runs import SCRIPTED, Kind, PastRuns, Vectors, kind_of

MIN_SIMILARITY: Final = 0.3
"""Text similarity up to which a run is no neighbour: a common vocabulary alone reaches this."""

SAME_TASK_SIMILARITY: Final = 0.6
"""Text similarity from which a run counts in full."""

HALF_LIFE: Final = 60 * 86_400 * 1_000_000
"""Age at which a neighbour counts half, µs before the latest candidate: prices, models, prompts change."""

ENOUGH_NEIGHBOURS: Final = 10.0
"""Sum of neighbour weights below which baseline runs are added.

The baseline (level) is the latest runs of the template.
"""

BASELINE_HALF_LIFE: Final = 30
"""Number of baseline runs after which the weight is halved: the latest are the most informative."""

OTHER_CONTEXT_WEIGHT: Final = 0.5
"""Weight factor for a run of another issue class, and again for one of another project."""

MIN_WEIGHT: Final = 0.01
"""Runs with a smaller weight are dropped."""

MAX_RUNS: Final = 200
"""Maximum number of runs used, the heaviest ones: more would hardly change the result."""

MAX_CANDIDATES: Final = 20_000
"""Maximum number of runs weighed, the latest ones: in so long a history, older ones are outdated."""

NOW: Final = int(np.iinfo(np.int64).max)
"""Time of a target for a new task, µs: all stored runs are before it, even if dated in the future."""

STEPS: Final = 1 << 20
"""Weights are integer multiples of 1 / STEPS, so that sums of weights and of their squares are exact."""

MIN_NEIGHBOUR_SIMILARITY: Final = 1.0
"""Minimum sum of neighbour weights to forecast a request without a known template."""


@dataclass(frozen=True, slots=True)
class ForecastTarget:
    """The task to forecast, and the time of the forecast."""

    at: int  # µs since 1970, or NOW; only runs that ended before are used
    template: str | None = None
    issue_class: str | None = None  # without a slash
    project: str | None = None
    excluded_key: int | None = None  # key of the run itself to exclude, if it is stored
    default_kind: Kind = SCRIPTED  # kind of its runs if it has no template

    @property
    def kind(self) -> Kind:
        """The kind of the runs that it is compared with."""
        return self.default_kind if self.template is None else kind_of(self.template)


@dataclass(frozen=True, slots=True)
class WeightedRuns:
    """Past runs and their weights, ordered by time."""

    rows: Integers  # rows in the past runs
    weights: Floats  # 0 to 1
    similarities: Floats  # text similarities, 0 to 1
    neighbours: float  # sum of the neighbour weights, without the baseline


def ended_before(past: PastRuns, at: int) -> Flags:
    """Return a mask of the runs that ended before a time; runs without a date only count for NOW."""
    ended: Flags = (past.ended != MISSING_INT) & (past.ended < at) & (past.started < at)
    return ended if at == NOW else ended & past.dated


def select_candidates(past: PastRuns, target: ForecastTarget) -> Integers:
    """Return the rows of runs that ended before the target's time, of its template or else of its kind.

    Runs that began or ended exactly at that time are excluded.
    """
    is_candidate = ended_before(past, target.at)
    if target.template is None:
        is_candidate &= past.is_kind(target.kind)
    else:
        is_candidate &= past.templates.equals(target.template)
    if target.excluded_key is not None:
        is_candidate &= past.keys != target.excluded_key
    return np.flatnonzero(is_candidate)[-MAX_CANDIDATES:]


def cosine_similarity(vectors: Vectors, others: Vectors) -> Vectors:
    """Return text similarities, 0 to 1: one row per vector of `vectors`, one column per vector of `others`.

    The result for two texts does not depend on the table: sums of whole numbers need no rounding.
    """
    cosines = vectors @ others.T
    cosines *= _reciprocal_lengths(vectors)[:, None]
    cosines *= _reciprocal_lengths(others)
    cosines -= np.float32(COSINE_FLOOR)
    cosines /= np.float32(1.0 - COSINE_FLOOR)
    return np.clip(cosines, 0.0, 1.0, out=cosines)


def _reciprocal_lengths(vectors: Vectors) -> Vectors:
    """Return the factor that scales each vector to length 1; vectors without words stay zero."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return (1 / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def weigh_neighbours(
    past: PastRuns, target: ForecastTarget, rows: Integers, similarities: Floats
) -> WeightedRuns:
    """Weigh candidates by text and age, and add baseline runs if there are few neighbours."""
    context = _context_weights(past.classes, target.issue_class, rows)
    context *= _context_weights(past.projects, target.project, rows)
    neighbour_weights = np.clip(
        (similarities - MIN_SIMILARITY) / (SAME_TASK_SIMILARITY - MIN_SIMILARITY), 0.0, 1.0
    )
    started = past.started[rows]
    neighbour_weights = _round_weights(
        neighbour_weights * context * half_power((started.max(initial=0) - started) / HALF_LIFE)
    )
    baseline_weights = _round_weights(
        (1.0 - neighbour_weights)
        * context
        * half_power(np.arange(len(rows) - 1, -1, -1.0) / BASELINE_HALF_LIFE)
    )
    neighbour_sum, baseline_sum = float(neighbour_weights.sum()), float(baseline_weights.sum())
    factor = min(1.0, max(0.0, ENOUGH_NEIGHBOURS - neighbour_sum) / baseline_sum) if baseline_sum > 0 else 0.0
    weights = _round_weights(neighbour_weights + factor * baseline_weights)
    heaviest = _select_heaviest(weights)
    return WeightedRuns(rows[heaviest], weights[heaviest], similarities[heaviest], neighbour_sum)


def _round_weights(weights: Floats) -> Floats:
    """Round weights to multiples of 1 / STEPS."""
    stepped: Floats = np.rint(weights * STEPS) / STEPS
    return stepped


def _select_heaviest(weights: Floats) -> Integers:
    """Return the heaviest runs, ordered by time; of equal weights the latest."""
    heavy_enough = np.flatnonzero(weights >= MIN_WEIGHT)
    order = np.lexsort((-heavy_enough, -weights[heavy_enough]))
    return np.sort(heavy_enough[order[:MAX_RUNS]])


def _context_weights(column: CategoricalColumn, wanted_value: str | None, rows: Integers) -> Floats:
    if wanted_value is None:
        return np.ones(len(rows))
    matches = column.codes[rows] == column.code_of(wanted_value)
    return np.where(matches, 1.0, OTHER_CONTEXT_WEIGHT)
