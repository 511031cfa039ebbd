"""Backtest: forecast stored runs from earlier runs only, and compare with the actual values. Pure.

A stored run is weighed by the same functions as a new one, as of the time it began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from ...common.column_data import MISSING_CODE, MISSING_INT, CategoricalColumn, Floats, Integers
from ..similarity.portable_numerics import exact_sum
from .calibration_metrics import ForecastCase, OutcomeCase
from .neighbour_weights import (
    MIN_NEIGHBOUR_SIMILARITY,
    ForecastTarget,
    WeightedRuns,
    cosine_similarity,
    ended_before,
    select_candidates,
    weigh_neighbours,
)
from .past_runs import Amounts, PastRuns, Vectors
from .prediction_intervals import IntervalEstimate, SuccessProbability, estimate_success, weighted_interval

BLOCK: Final = 64
"""Number of runs whose texts are compared at a time: a larger block would only use more memory."""

ProgressCallback = Callable[[int, int], None]
"""Callback with the number of processed runs and the total."""


class Backtest(NamedTuple):
    """One run's forecast from the runs before it."""

    row: int  # row in the past runs
    evidence: WeightedRuns
    cost: IntervalEstimate
    duration: IntervalEstimate
    success: SuccessProbability


def target_of(past: PastRuns, row: int) -> ForecastTarget:
    """Return the forecast target of a stored run, as of its start."""
    return ForecastTarget(
        int(past.started[row]),
        _category_at(past.templates, row),
        _category_at(past.classes, row),
        _category_at(past.projects, row),
    )


def _category_at(column: CategoricalColumn, row: int) -> str | None:
    code = int(column.codes[row])
    return None if code == MISSING_CODE else column.categories[code]


def has_no_comparable_runs(target: ForecastTarget, evidence: WeightedRuns) -> bool:
    """Return whether the target has neither a template nor enough runs with a similar text."""
    return target.template is None and evidence.neighbours < MIN_NEIGHBOUR_SIMILARITY


def backtests(
    past: PastRuns, vectors: Vectors, rows: Integers, progress: ProgressCallback | None = None
) -> Iterator[Backtest]:
    """Yield the forecasts of the given runs, template by template."""
    done = 0
    for code in np.unique(past.templates.codes[rows]).tolist():
        template_rows = rows[past.templates.codes[rows] == code]
        candidates = (
            np.arange(len(past)) if code == MISSING_CODE else np.flatnonzero(past.templates.codes == code)
        )
        candidate_vectors = vectors[candidates]
        for start in range(0, len(template_rows), BLOCK):
            block = template_rows[start : start + BLOCK]
            similarities = cosine_similarity(vectors[block], candidate_vectors)
            for row, row_similarities in zip(block.tolist(), similarities, strict=True):
                yield _backtest(past, row, candidates, row_similarities)
            done += len(block)
            if progress is not None:
                progress(done, len(rows))


def _backtest(past: PastRuns, row: int, candidates: Integers, pool_similarities: Vectors) -> Backtest:
    target = target_of(past, row)
    rows = select_candidates(past, target)
    similarities = pool_similarities[np.searchsorted(candidates, rows)].astype(np.float64)
    evidence = weigh_neighbours(past, target, rows, similarities)
    return Backtest(row, evidence, *estimate(past, target, evidence))


def estimate(
    past: PastRuns, target: ForecastTarget, evidence: WeightedRuns
) -> tuple[IntervalEstimate, IntervalEstimate, SuccessProbability]:
    """Estimate cost, duration and success probability from weighted runs."""
    rows, weights = evidence.rows, evidence.weights
    rate = base_rate(past, target)
    if has_no_comparable_runs(target, evidence):
        rows, weights = rows[:0], weights[:0]
    return (
        _estimate_interval(past.cost, rows, weights),
        _estimate_interval(past.duration, rows, weights),
        estimate_success(past.completed[rows], past.failed[rows], weights, rate),
    )


def base_rate(past: PastRuns, target: ForecastTarget) -> float:
    """Return the success rate of earlier runs of the target's kind, with half a run added of each result."""
    before = ended_before(past, target.at) & past.is_kind(target.kind)
    completed, failed = np.count_nonzero(past.completed & before), np.count_nonzero(past.failed & before)
    return float((completed + 0.5) / (completed + failed + 1))


def _estimate_interval(amounts: Amounts, rows: Integers, weights: Floats) -> IntervalEstimate:
    return weighted_interval(amounts.values[rows], amounts.is_exact[rows], weights)


class Baselines:
    """Baseline forecasts: means and medians of the earlier runs."""

    def __init__(self, past: PastRuns, amounts: Amounts) -> None:
        self._past = past
        self._amounts = amounts
        self._known = (
            (amounts.values != MISSING_INT) & amounts.is_exact & (past.ended != MISSING_INT) & past.dated
        )

    def case_for(self, row: int, interval: IntervalEstimate) -> ForecastCase | None:
        """Return a forecast with the actual and baseline values; None if forecast or actual is unknown."""
        if interval.bounds is None or interval.p90_is_lower_bound or not self._known[row]:
            return None
        past, started = self._past, self._past.started[row]
        earlier = self._known & (past.ended < started) & (past.started < started)
        values = self._amounts.values[earlier]
        code = past.templates.codes[row]
        template_values = (
            values[past.templates.codes[earlier] == code] if code != MISSING_CODE else values[:0]
        )
        template_median = float(np.median(template_values)) if len(template_values) else float("nan")
        actual = int(self._amounts.values[row])
        mean = exact_sum(values) / len(values)
        return ForecastCase(actual, *interval.bounds, mean, float(np.median(values)), template_median)


def success_outcome(past: PastRuns, test: Backtest) -> OutcomeCase | None:
    """Return a success probability with the actual outcome; None if either is unknown."""
    row, probability = test.row, test.success.probability
    if probability is None or not (past.completed[row] or past.failed[row]):
        return None
    return OutcomeCase(probability, base_rate(past, target_of(past, row)), bool(past.completed[row]))


def latest_rows(past: PastRuns, limit: int | None) -> Integers:
    """Return the rows to backtest: the latest `limit` ended runs, ordered by time."""
    rows = np.flatnonzero((past.ended != MISSING_INT) & past.dated)
    return rows if limit is None else rows[-limit:]


def count_missing(tests: Sequence[Backtest], past: PastRuns) -> tuple[int, int]:
    """Count the runs without comparable runs, and those with too few for a whole interval of the cost."""
    without_comparable = sum(
        has_no_comparable_runs(target_of(past, test.row), test.evidence) for test in tests
    )
    without_interval = sum(not test.cost.is_bounded for test in tests)
    return without_comparable, without_interval - without_comparable
