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
from .past_runs import PartlyKnown, Past, Vectors
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
    chance: SuccessProbability


def target_of(past: Past, row: int) -> ForecastTarget:
    """Return the forecast target of a stored run, as of its start."""
    return ForecastTarget(
        int(past.started[row]),
        _word(past.templates, row),
        _word(past.classes, row),
        _word(past.projects, row),
    )


def _word(words: CategoricalColumn, row: int) -> str | None:
    code = int(words.codes[row])
    return None if code == MISSING_CODE else words.categories[code]


def has_no_comparable_runs(question: ForecastTarget, evidence: WeightedRuns) -> bool:
    """Return whether the target has neither a template nor enough runs with a similar text."""
    return question.template is None and evidence.neighbours < MIN_NEIGHBOUR_SIMILARITY


def backtests(
    past: Past, vectors: Vectors, rows: Integers, told: ProgressCallback | None = None
) -> Iterator[Backtest]:
    """Yield the forecasts of the given runs, template by template."""
    done = 0
    for code in np.unique(past.templates.codes[rows]).tolist():
        own = rows[past.templates.codes[rows] == code]
        pool = np.arange(len(past)) if code == MISSING_CODE else np.flatnonzero(past.templates.codes == code)
        texts = vectors[pool]
        for start in range(0, len(own), BLOCK):
            block = own[start : start + BLOCK]
            alike = cosine_similarity(vectors[block], texts)
            for row, scores in zip(block.tolist(), alike, strict=True):
                yield _backtest(past, row, pool, scores)
            done += len(block)
            if told is not None:
                told(done, len(rows))


def _backtest(past: Past, row: int, pool: Integers, scores: Vectors) -> Backtest:
    question = target_of(past, row)
    before = select_candidates(past, question)
    alike = scores[np.searchsorted(pool, before)].astype(np.float64)
    evidence = weigh_neighbours(past, question, before, alike)
    return Backtest(row, evidence, *estimate(past, question, evidence))


def estimate(
    past: Past, question: ForecastTarget, evidence: WeightedRuns
) -> tuple[IntervalEstimate, IntervalEstimate, SuccessProbability]:
    """Estimate cost, duration and success probability from weighted runs."""
    rows, weights = evidence.rows, evidence.weights
    if has_no_comparable_runs(question, evidence):
        rows, weights = rows[:0], weights[:0]
    return (
        _read(past.cost, rows, weights),
        _read(past.duration, rows, weights),
        estimate_success(past.completed[rows], past.failed[rows], weights, base_rate(past, question.at)),
    )


def base_rate(past: Past, at: int) -> float:
    """Return the success rate of all runs that ended before a time, with half a run of each kind added."""
    before = ended_before(past, at)
    good, bad = np.count_nonzero(past.completed & before), np.count_nonzero(past.failed & before)
    return float((good + 0.5) / (good + bad + 1))


def _read(amounts: PartlyKnown, rows: Integers, weights: Floats) -> IntervalEstimate:
    return weighted_interval(amounts.values[rows], amounts.is_exact[rows], weights)


class Baselines:
    """Baseline forecasts: means and medians of the earlier runs."""

    def __init__(self, past: Past, amounts: PartlyKnown) -> None:
        self._past = past
        self._amounts = amounts
        self._known = (
            (amounts.values != MISSING_INT) & amounts.is_exact & (past.ended != MISSING_INT) & past.dated
        )

    def case_for(self, row: int, read: IntervalEstimate) -> ForecastCase | None:
        """Return a forecast with the actual and baseline values; None if forecast or actual is unknown."""
        if read.bounds is None or not self._known[row]:
            return None
        past, began = self._past, self._past.started[row]
        earlier = self._known & (past.ended < began) & (past.started < began)
        values = self._amounts.values[earlier]
        code = past.templates.codes[row]
        same = values[past.templates.codes[earlier] == code] if code != MISSING_CODE else values[:0]
        middle = float(np.median(same)) if len(same) else float("nan")
        came = int(self._amounts.values[row])
        mean = exact_sum(values) / len(values)
        return ForecastCase(came, *read.bounds, mean, float(np.median(values)), middle)


def success_outcome(past: Past, test: Backtest) -> OutcomeCase | None:
    """Return a success probability with the actual outcome; None if either is unknown."""
    row, share = test.row, test.chance.share
    if share is None or not (past.completed[row] or past.failed[row]):
        return None
    return OutcomeCase(share, base_rate(past, int(past.started[row])), bool(past.completed[row]))


def latest_rows(past: Past, most: int | None) -> Integers:
    """Return the rows to backtest: the latest `most` ended runs, ordered by time."""
    rows = np.flatnonzero((past.ended != MISSING_INT) & past.dated)
    return rows if most is None else rows[-most:]


def count_missing(tests: Sequence[Backtest], past: Past) -> tuple[int, int]:
    """Count the runs without comparable runs, and those with too few."""
    unlike = sum(has_no_comparable_runs(target_of(past, test.row), test.evidence) for test in tests)
    silent = sum(test.cost.bounds is None for test in tests)
    return unlike, silent - unlike
