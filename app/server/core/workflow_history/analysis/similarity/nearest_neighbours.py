"""The runs nearest to one: what all are compared by in, rows and exact scores out. No text, file or SQL.

The scores are those of the stored lists to the bit: the same integers, the same formula.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .feature_table import Flags
from .pair_scores import COSINE_FLOOR, Floats, Integers, PairSide, pair_parts, pair_scores

_BLOCK = 1_024  # vectors that are held in single precision at a time: they fit a processor's cache


class RunIndex(NamedTuple):
    """What all runs are compared by, row by row."""

    vectors: npt.NDArray[np.int8]
    sides: PairSide


class Neighbours(NamedTuple):
    """The best rows, best first; all that score as much as the last one are there."""

    rows: Integers
    scores: Floats
    dots: Floats  # exact integers


def nearest_neighbours(
    everyone: RunIndex, meant: Flags, wanted: bytes, mine: PairSide, *, threshold: float, limit: int
) -> Neighbours:
    """Return the `limit` rows most like one run, and those that equal the last, of the `meant` ones.

    `wanted` is the vector of that run, `mine` its side.
    """
    sides = everyone.sides
    dots = _dots(everyone.vectors, np.frombuffer(wanted, np.int8))
    least = COSINE_FLOOR * np.sqrt(sides.norms * float(mine.norms[0])) * 0.9999
    rows = np.flatnonzero(meant & (sides.norms > 0) & (dots > least))
    scores = pair_scores(dots[rows], mine.take(np.zeros(len(rows), np.int64)), sides.take(rows))
    good = (scores > 0.0) & (scores >= threshold)
    rows, scores = rows[good], scores[good]
    if len(rows) > limit:
        last = np.partition(scores, -limit)[-limit]
        rows, scores = rows[scores >= last], scores[scores >= last]
    order = np.argsort(-scores, kind="stable")
    return Neighbours(rows[order], scores[order], dots[rows[order]])


def score_parts(found: Neighbours, place: int, sides: PairSide, mine: PairSide) -> list[float]:
    """Return the values of PARTS of one pair, NaN where one side lacks the part."""
    some = slice(place, place + 1)
    values = pair_parts(found.dots[some], mine, sides.take(found.rows[some]))
    return [float(value[0]) for value in values]


def _dots(vectors: npt.NDArray[np.int8], wanted: npt.NDArray[np.int8]) -> Floats:
    """Return the dot products with one vector: whole numbers below 2**24, exact in single precision."""
    dots = np.zeros(len(vectors))
    if not vectors.shape[1]:  # no run has text
        return dots
    single = wanted.astype(np.float32)
    block = np.empty((_BLOCK, vectors.shape[1]), np.float32)
    for start in range(0, len(vectors), _BLOCK):
        some = vectors[start : start + _BLOCK]
        np.copyto(block[: len(some)], some)
        dots[start : start + len(some)] = block[: len(some)] @ single
    return dots
