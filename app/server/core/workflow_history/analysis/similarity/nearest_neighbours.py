"""Nearest neighbours of one run: find the most similar rows with exact scores. Uses no text, file or SQL.

Scores are identical to those of the stored lists to the last bit: same integers, same formula.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .feature_table import Flags
from .pair_scores import COSINE_FLOOR, Floats, Integers, PairSide, pair_parts, pair_scores

_BLOCK = 1_024  # vectors converted to single precision at a time: they fit into a CPU cache


class RunIndex(NamedTuple):
    """Features of all runs, row by row."""

    vectors: npt.NDArray[np.int8]
    sides: PairSide


class Neighbours(NamedTuple):
    """The most similar rows, best first, including all ties with the last one."""

    rows: Integers
    scores: Floats
    dots: Floats  # exact integers


def nearest_neighbours(
    everyone: RunIndex, meant: Flags, wanted: bytes, mine: PairSide, *, threshold: float, limit: int
) -> Neighbours:
    """Return the `limit` rows most similar to one run among the rows of `meant`, with ties of the last.

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
    """Return the values of PARTS for one pair; NaN if one side lacks the component."""
    some = slice(place, place + 1)
    values = pair_parts(found.dots[some], mine, sides.take(found.rows[some]))
    return [float(value[0]) for value in values]


def _dots(vectors: npt.NDArray[np.int8], wanted: npt.NDArray[np.int8]) -> Floats:
    """Return dot products with one vector: whole numbers below 2**24, exact in single precision."""
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
