"""Forecast stored runs from the runs before them alone: the past in, forecasts beside what came out. Pure.

A run is weighed by the same functions as one that has not run yet, its question asked when it began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from ..columns import NO_WORD, UNKNOWN, Floats, Integers, Words
from ..numerics import exact_sum
from .chances import Chance, chance_of
from .intervals import Read, read_bounds
from .measuring import Case, Ending
from .past import Amounts, Past, Vectors
from .weights import LEAST_LIKENESS, Evidence, Question, candidates, ended_before, likeness, weigh

BLOCK: Final = 64
"""Runs whose texts are compared at a time: more would only take memory."""

Told = Callable[[int, int], None]
"""Called with how many runs are done, and of how many."""


class Backtest(NamedTuple):
    """One run's forecast from the runs before it."""

    row: int  # its place in the past
    evidence: Evidence
    cost: Read
    duration: Read
    chance: Chance


def question_of(past: Past, row: int) -> Question:
    """Return what would have been asked when a stored run began."""
    return Question(
        int(past.began[row]),
        _word(past.templates, row),
        _word(past.classes, row),
        _word(past.projects, row),
    )


def _word(words: Words, row: int) -> str | None:
    code = int(words.codes[row])
    return None if code == NO_WORD else words.words[code]


def is_unlike(question: Question, evidence: Evidence) -> bool:
    """Tell whether nothing links a request with the runs: no template, and no text that is like it."""
    return question.template is None and evidence.neighbours < LEAST_LIKENESS


def backtests(past: Past, vectors: Vectors, rows: Integers, told: Told | None = None) -> Iterator[Backtest]:
    """Yield the forecasts of some runs, template by template."""
    done = 0
    for code in np.unique(past.templates.codes[rows]).tolist():
        own = rows[past.templates.codes[rows] == code]
        pool = np.arange(len(past)) if code == NO_WORD else np.flatnonzero(past.templates.codes == code)
        texts = vectors[pool]
        for start in range(0, len(own), BLOCK):
            block = own[start : start + BLOCK]
            alike = likeness(vectors[block], texts)
            for row, scores in zip(block.tolist(), alike, strict=True):
                yield _backtest(past, row, pool, scores)
            done += len(block)
            if told is not None:
                told(done, len(rows))


def _backtest(past: Past, row: int, pool: Integers, scores: Vectors) -> Backtest:
    question = question_of(past, row)
    before = candidates(past, question)
    alike = scores[np.searchsorted(pool, before)].astype(np.float64)
    evidence = weigh(past, question, before, alike)
    return Backtest(row, evidence, *figures(past, question, evidence))


def figures(past: Past, question: Question, evidence: Evidence) -> tuple[Read, Read, Chance]:
    """Return what weighed runs say of cost, duration and success."""
    rows, weights = evidence.rows, evidence.weights
    if is_unlike(question, evidence):
        rows, weights = rows[:0], weights[:0]
    return (
        _read(past.cost, rows, weights),
        _read(past.duration, rows, weights),
        chance_of(past.completed[rows], past.failed[rows], weights, base_share(past, question.at)),
    )


def base_share(past: Past, at: int) -> float:
    """Return the share of all runs ended before a time that succeeded; half a run of each kind is added."""
    before = ended_before(past, at)
    good, bad = np.count_nonzero(past.completed & before), np.count_nonzero(past.failed & before)
    return float((good + 0.5) / (good + bad + 1))


def _read(amounts: Amounts, rows: Integers, weights: Floats) -> Read:
    return read_bounds(amounts.values[rows], amounts.exact[rows], weights)


class Baselines:
    """What whoever has no forecast would say: means and medians of the earlier runs."""

    def __init__(self, past: Past, amounts: Amounts) -> None:
        self._past = past
        self._amounts = amounts
        self._known = (amounts.values != UNKNOWN) & amounts.exact & (past.ended != UNKNOWN) & past.dated

    def case(self, row: int, read: Read) -> Case | None:
        """Return a forecast beside what came; None where either is not known."""
        if read.bounds is None or not self._known[row]:
            return None
        past, began = self._past, self._past.began[row]
        earlier = self._known & (past.ended < began) & (past.began < began)
        values = self._amounts.values[earlier]
        code = past.templates.codes[row]
        same = values[past.templates.codes[earlier] == code] if code != NO_WORD else values[:0]
        middle = float(np.median(same)) if len(same) else float("nan")
        came = int(self._amounts.values[row])
        mean = exact_sum(values) / len(values)
        return Case(came, *read.bounds, mean, float(np.median(values)), middle)


def ending_of(past: Past, test: Backtest) -> Ending | None:
    """Return a chance beside what became of the run; None where either is not known."""
    row, share = test.row, test.chance.share
    if share is None or not (past.completed[row] or past.failed[row]):
        return None
    return Ending(share, base_share(past, int(past.began[row])), bool(past.completed[row]))


def latest(past: Past, most: int | None) -> Integers:
    """Return the runs to forecast: the latest `most` that have ended, in the order of time."""
    rows = np.flatnonzero((past.ended != UNKNOWN) & past.dated)
    return rows if most is None else rows[-most:]


def reasons(tests: Sequence[Backtest], past: Past) -> tuple[int, int]:
    """Return how many runs had no like run at all, and how many too few."""
    unlike = sum(is_unlike(question_of(past, test.row), test.evidence) for test in tests)
    silent = sum(test.cost.bounds is None for test in tests)
    return unlike, silent - unlike
