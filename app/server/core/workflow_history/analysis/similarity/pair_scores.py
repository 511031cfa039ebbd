"""The similarity formula, elementwise over arrays of pairs: same bits for one pair or a million.

Uses only operations that IEEE 754 rounds correctly (+ - * / sqrt), on float64, in one fixed order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...common.column_data import Floats, Integers

Float32Array = npt.NDArray[np.float32]

TEXT_WEIGHT = 0.4
NON_TEXT_WEIGHT = 0.2  # each of status, cost, duration
PARTS = ("text", "status", "cost", "duration")
WEIGHTS = (TEXT_WEIGHT, NON_TEXT_WEIGHT, NON_TEXT_WEIGHT, NON_TEXT_WEIGHT)

COSINE_FLOOR = 0.2
"""Cosine up to which two texts count as unrelated: chance alone brings different tasks this close."""

NO_STATUS = 0
"""Code of a missing or "unknown" status: it is no evidence, so it equals nothing."""


@dataclass(frozen=True, slots=True)
class PairSide:
    """One side of many pairs; all arrays have equal length."""

    norms: Integers  # squared length of the text vector; 0 without text
    statuses: Integers  # codes, NO_STATUS if unknown
    costs: Floats  # USD, NaN if unknown
    durations: Floats  # seconds, NaN if unknown

    @classmethod
    def joined(cls, parts: Sequence[PairSide]) -> PairSide:
        """Concatenate the entries of all parts."""
        return cls(
            np.concatenate([part.norms for part in parts]),
            np.concatenate([part.statuses for part in parts]),
            np.concatenate([part.costs for part in parts]),
            np.concatenate([part.durations for part in parts]),
        )

    def take(self, rows: Integers) -> PairSide:
        """Return the entries at `rows`."""
        return PairSide(self.norms[rows], self.statuses[rows], self.costs[rows], self.durations[rows])


def pair_parts(dots: Floats, left: PairSide, right: PairSide) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the values of PARTS, 0 to 1; NaN if one side lacks the component.

    `dots` are exact integers.
    """
    known = (left.statuses != NO_STATUS) & (right.statuses != NO_STATUS)
    status = np.where(known, (left.statuses == right.statuses).astype(np.float64), np.nan)
    return (
        _text_similarity(dots, left.norms, right.norms),
        status,
        _amount_ratio(left.costs, right.costs),
        _amount_ratio(left.durations, right.durations),
    )


def pair_scores(dots: Floats, left: PairSide, right: PairSide) -> Floats:
    """Return the scores of pairs: 0 for unrelated or missing texts, 1 for equal runs.

    The sums of weights and of weighted values use the same order, so equal runs get exactly 1.
    """
    parts = pair_parts(dots, left, right)
    total = np.zeros_like(dots)
    weights = np.zeros_like(dots)
    for value, weight in zip(parts, WEIGHTS, strict=True):
        known = ~np.isnan(value)
        total += np.where(known, value, 0.0) * weight
        weights += np.where(known, weight, 0.0)
    has_shared_text = parts[0] > 0.0
    return np.where(has_shared_text, total / np.where(has_shared_text, weights, 1.0), 0.0)


class CoarseSide(NamedTuple):
    """One side of pairs in single precision, for a fast upper bound."""

    lengths: Float32Array  # reciprocal lengths of the text vectors
    statuses: Integers  # codes
    costs: Float32Array
    durations: Float32Array

    def take(self, rows: Integers) -> CoarseSide:
        """Return the entries at `rows`."""
        return CoarseSide(self.lengths[rows], self.statuses[rows], self.costs[rows], self.durations[rows])


def coarse_side(sides: PairSide) -> CoarseSide:
    """Convert `sides`, all with text, to single precision; clipping amounts can only raise the similarity."""
    return CoarseSide(
        (1.0 / np.sqrt(sides.norms)).astype(np.float32),
        sides.statuses,
        np.clip(sides.costs, 1e-30, 1e30).astype(np.float32),
        np.clip(sides.durations, 1e-30, 1e30).astype(np.float32),
    )


def upper_bound_scores(dots: Float32Array, left: CoarseSide, right: CoarseSide) -> Float32Array:
    """Return upper bounds of the scores, never too low; NaN if neither side has an amount.

    A missing component counts as equal: leaving it out cannot raise a score more.
    """
    score = dots * left.lengths
    score *= right.lengths
    score -= np.float32(COSINE_FLOOR)
    score *= np.float32(TEXT_WEIGHT / (1.0 - COSINE_FLOOR))
    np.maximum(score, np.float32(0.0), out=score)
    same = left.statuses == right.statuses
    same |= (left.statuses == NO_STATUS) | (right.statuses == NO_STATUS)
    score += same * np.float32(NON_TEXT_WEIGHT)
    for left_amount, right_amount in ((left.costs, right.costs), (left.durations, right.durations)):
        ratio = np.fmin(left_amount, right_amount)
        ratio /= np.fmax(left_amount, right_amount)
        ratio *= np.float32(NON_TEXT_WEIGHT)
        score += ratio
    score += np.float32(1e-5)
    return score


def min_cosine(score: Floats, known_parts: Integers) -> Floats:
    """Return the cosine needed to reach `score`, given the number of other components of one side."""
    others = known_parts * NON_TEXT_WEIGHT
    text = (score * (TEXT_WEIGHT + others) - others) / TEXT_WEIGHT
    bound: Floats = COSINE_FLOOR + (1.0 - COSINE_FLOOR) * np.clip(text, 0.0, 1.0)
    return bound


def _text_similarity(dots: Floats, left: Integers, right: Integers) -> Floats:
    squares = left.astype(np.float64) * right.astype(np.float64)
    both_known = squares > 0.0
    cosine = dots / np.sqrt(np.where(both_known, squares, 1.0))
    return np.where(both_known, np.clip((cosine - COSINE_FLOOR) / (1.0 - COSINE_FLOOR), 0.0, 1.0), np.nan)


def _amount_ratio(left: Floats, right: Floats) -> Floats:
    """Return the smaller divided by the larger value: 1 if both are 0, NaN if one is unknown."""
    larger = np.maximum(left, right)
    both_zero = larger == 0.0
    return np.where(both_zero, 1.0, np.minimum(left, right) / np.where(both_zero, 1.0, larger))
