"""Nearest neighbours of one run: find the most similar rows with exact scores. Uses no text, file or SQL.

Scores are identical to those of the stored lists to the last bit: same integers, same formula.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...common.column_data import Flags, Floats, Integers
from .pair_scores import COSINE_FLOOR, PairSide, pair_parts, pair_scores

_BLOCK_ROWS = 1_024  # vectors converted to single precision at a time: they fit into a CPU cache


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
    index: RunIndex, candidates: Flags, vector: bytes, side: PairSide, *, threshold: float, limit: int
) -> Neighbours:
    """Return the `limit` rows most similar to one run among the rows of `candidates`, with ties of the last.

    `vector` is the vector of that run, `side` its side.
    """
    sides = index.sides
    dots = _dot_products(index.vectors, np.frombuffer(vector, np.int8))
    min_dots = COSINE_FLOOR * np.sqrt(sides.norms * float(side.norms[0])) * 0.9999
    rows = np.flatnonzero(candidates & (sides.norms > 0) & (dots > min_dots))
    scores = pair_scores(dots[rows], side.take(np.zeros(len(rows), np.int64)), sides.take(rows))
    accepted = (scores > 0.0) & (scores >= threshold)
    rows, scores = rows[accepted], scores[accepted]
    if len(rows) > limit:
        last = np.partition(scores, -limit)[-limit]
        rows, scores = rows[scores >= last], scores[scores >= last]
    order = np.argsort(-scores, kind="stable")
    return Neighbours(rows[order], scores[order], dots[rows[order]])


def score_parts(neighbours: Neighbours, position: int, sides: PairSide, side: PairSide) -> list[float]:
    """Return the values of PARTS for one pair; NaN if one side lacks the component."""
    single = slice(position, position + 1)
    values = pair_parts(neighbours.dots[single], side, sides.take(neighbours.rows[single]))
    return [float(value[0]) for value in values]


def _dot_products(vectors: npt.NDArray[np.int8], vector: npt.NDArray[np.int8]) -> Floats:
    """Return dot products with one vector: whole numbers below 2**24, exact in single precision."""
    dots = np.zeros(len(vectors))
    if not vectors.shape[1]:  # no run has text
        return dots
    single = vector.astype(np.float32)
    block = np.empty((_BLOCK_ROWS, vectors.shape[1]), np.float32)
    for start in range(0, len(vectors), _BLOCK_ROWS):
        rows = vectors[start : start + _BLOCK_ROWS]
        np.copyto(block[: len(rows)], rows)
        dots[start : start + len(rows)] = block[: len(rows)] @ single
    return dots
