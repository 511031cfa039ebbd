"""The best matches of many runs: a table of runs in, lists of keys and scores out. No text, file or SQL.

Vectors hold small integers, so their dot products are exact in float32 whatever the order of the
sums. That makes a stored list, a list brought up to date and a list computed anew equal to the bit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .pair_scores import NO_STATUS, Floats, Integers, Sides, least_cosine, pair_scores

Key = Any
"""Hashable, and sortable among its like: a number, a text, a (project, id) pair."""

Matches = list[tuple[Key, float]]
"""Best first; equal scores in the order of their keys."""

_ROW_BLOCK = 512
_COLUMN_BLOCK = 8_192  # with the rows above: 16 MB of dot products at a time


class RunFeatures(NamedTuple):
    """What one run is compared by."""

    key: Key
    vector: bytes | None  # of text.vectors.text_vector; None: no text
    status: str | None  # None: unknown
    cost: float | None  # USD, 0 or more; None: unknown
    duration: float | None  # seconds, 0 or more; None: unknown


@dataclass(frozen=True, slots=True)
class SimilarityTable:
    """Runs ready to be compared, in the order of their keys."""

    keys: tuple[Key, ...]
    row_of: Mapping[Key, int]
    vectors: npt.NDArray[np.float32]  # (runs, dimensions), whole numbers
    sides: Sides


class _Best(NamedTuple):
    """The best columns found so far, row by row; free places have column -1 and the least score."""

    columns: Integers  # (rows, limit)
    scores: Floats  # (rows, limit), falling


def build_table(runs: Iterable[RunFeatures]) -> SimilarityTable:
    """Return the table of `runs`. Raises ValueError where two runs have one key."""
    ordered = sorted(runs, key=lambda run: run.key)
    row_of = {run.key: row for row, run in enumerate(ordered)}
    if len(row_of) != len(ordered):
        raise ValueError("two runs have one key")
    width = max((len(run.vector) for run in ordered if run.vector), default=1)
    empty = bytes(width)
    raw = np.frombuffer(b"".join(run.vector or empty for run in ordered), np.int8).reshape(
        len(ordered), width
    )
    vectors = raw.astype(np.float32)
    codes: dict[str | None, int] = {None: NO_STATUS}
    sides = Sides(
        norms=np.einsum("ij,ij->i", vectors, vectors).astype(np.int64),
        statuses=np.array([codes.setdefault(run.status, len(codes)) for run in ordered], np.int64),
        costs=np.array([run.cost for run in ordered], np.float64),
        durations=np.array([run.duration for run in ordered], np.float64),
    )
    return SimilarityTable(tuple(run.key for run in ordered), row_of, vectors, sides)


def best_matches(
    table: SimilarityTable, rows: Collection[Key] | None = None, threshold: float = 0.5, limit: int = 5
) -> dict[Key, Matches]:
    """Return each asked run's `limit` best matches of at least `threshold`; all runs where none is named."""
    asked = range(len(table.keys)) if rows is None else sorted({table.row_of[key] for key in rows})
    numbers = np.array(asked, np.int64)
    best = _improve(table, numbers, np.arange(len(table.keys)), _nothing(len(numbers), limit), threshold)
    return {table.keys[row]: _matches(table, best, at) for at, row in enumerate(asked)}


def updated_matches(
    table: SimilarityTable,
    stored: Mapping[Key, Sequence[tuple[Key, float]]],
    changed: Collection[Key],
    threshold: float = 0.5,
    limit: int = 5,
) -> dict[Key, Matches]:
    """Return the lists that are no longer as `stored`, with every run of `changed` as `table` now has it.

    `stored` must be what this function or `best_matches` gave for the same threshold and limit; scores
    must not have been rounded. New runs, and runs that left the table, count as changed by themselves.
    """
    moved = set(changed) | (stored.keys() - table.row_of.keys()) | (table.row_of.keys() - stored.keys())
    anew = {key for key in moved if key in table.row_of}
    kept: dict[Key, Matches] = {}
    for key, old in stored.items():
        if key in moved:
            continue
        left = [(other, score) for other, score in old if other not in moved]
        if len(old) == limit and len(left) < limit:
            anew.add(key)
        else:
            kept[key] = left
    lists = best_matches(table, anew, threshold, limit) | _merged(table, kept, moved, threshold, limit)
    return {key: found for key, found in lists.items() if key not in stored or found != list(stored[key])}


def _merged(
    table: SimilarityTable, kept: Mapping[Key, Matches], moved: Collection[Key], threshold: float, limit: int
) -> dict[Key, Matches]:
    """Return the kept lists with the changed runs put in where they belong."""
    best = _nothing(len(kept), limit)
    for at, matches in enumerate(kept.values()):
        for place, (other, score) in enumerate(matches):
            best.columns[at, place] = table.row_of[other]
            best.scores[at, place] = score
    rows = np.array([table.row_of[key] for key in kept], np.int64)
    columns = np.array(sorted(table.row_of[key] for key in moved if key in table.row_of), np.int64)
    best = _improve(table, rows, columns, best, threshold)
    return {key: _matches(table, best, at) for at, key in enumerate(kept)}


def _nothing(rows: int, limit: int) -> _Best:
    if limit < 1:
        raise ValueError(f"limit must be 1 or more, not {limit}")
    return _Best(np.full((rows, limit), -1, np.int64), np.full((rows, limit), -1.0))


def _matches(table: SimilarityTable, best: _Best, at: int) -> Matches:
    places = zip(best.columns[at].tolist(), best.scores[at].tolist(), strict=True)
    return [(table.keys[column], score) for column, score in places if column >= 0]


def _improve(
    table: SimilarityTable, rows: Integers, columns: Integers, best: _Best, threshold: float
) -> _Best:
    """Return `best` after all `columns` were held against all `rows`, block by block."""
    columns = columns[table.sides.norms[columns] > 0]
    if not len(columns):
        return best
    limit = best.scores.shape[1]
    for right in np.split(columns, range(_COLUMN_BLOCK, len(columns), _COLUMN_BLOCK)):
        vectors = np.ascontiguousarray(table.vectors[right].T)
        shortest = float(np.sqrt(table.sides.norms[right].min()))
        for start in range(0, len(rows), _ROW_BLOCK):
            span = slice(start, start + _ROW_BLOCK)
            left = rows[span]
            least = np.maximum(best.scores[span, -1], threshold)
            dots = table.vectors[left] @ vectors
            at, column = np.nonzero(dots >= _least_dots(table.sides.take(left), least, shortest)[:, None])
            found = right[column]
            other = found != left[at]
            at, column, found = at[other], column[other], found[other]
            scores = pair_scores(
                dots[at, column].astype(np.float64), table.sides.take(left[at]), table.sides.take(found)
            )
            good = (scores > 0.0) & (scores >= least[at])
            if good.any():
                _put(best, start, _top(best, span, at[good], found[good], scores[good], limit))
    return best


def _least_dots(left: Sides, least: Floats, shortest: float) -> npt.NDArray[np.float32]:
    """Return the dot products below which no pair can reach `least`, a little too low rather than too high."""
    known = (left.statuses != NO_STATUS).astype(np.int64) + ~np.isnan(left.costs) + ~np.isnan(left.durations)
    bound = least_cosine(least, known) * np.sqrt(left.norms) * (shortest * 0.9999)
    return np.where(left.norms > 0, bound, np.inf).astype(np.float32)


def _top(
    best: _Best, span: slice, at: Integers, columns: Integers, scores: Floats, limit: int
) -> tuple[Integers, Integers, Integers, Floats]:
    """Merge what was found into the block's lists; return row, place, column, score of every entry."""
    touched = np.unique(at)
    old = np.repeat(touched, limit)
    at = np.concatenate((old, at))
    columns = np.concatenate((best.columns[span][touched].ravel(), columns))
    scores = np.concatenate((best.scores[span][touched].ravel(), scores))
    order = np.lexsort((columns, -scores, at))
    at, columns, scores = at[order], columns[order], scores[order]
    place = np.arange(len(at)) - np.searchsorted(at, at)
    kept = place < limit
    return at[kept], place[kept], columns[kept], scores[kept]


def _put(best: _Best, start: int, entries: tuple[Integers, Integers, Integers, Floats]) -> None:
    at, place, columns, scores = entries
    best.columns[start + at, place] = columns
    best.scores[start + at, place] = scores
