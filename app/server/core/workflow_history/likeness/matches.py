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
    vector: bytes | None  # of vectors.text_vector; None: no text
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


class _Found(NamedTuple):
    """Pairs that may enter a list."""

    rows: Integers  # places in the lists, not in the table
    columns: Integers  # rows of the table
    scores: Floats


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
    for right in _blocks(columns):
        vectors = np.ascontiguousarray(table.vectors[right].T)
        for start in range(0, len(rows), _ROW_BLOCK):
            left = rows[start : start + _ROW_BLOCK]
            least = np.maximum(best.scores[start : start + _ROW_BLOCK, -1], threshold)
            found = _found(table, left, right, vectors, least)
            if len(found.rows):
                _put(best, found._replace(rows=found.rows + start))
    return best


def _found(
    table: SimilarityTable, left: Integers, right: Integers, vectors: npt.NDArray[np.float32], least: Floats
) -> _Found:
    """Return the pairs of `left` and `right` that score above 0 and at least `least`, which has one per row.

    The dot product alone rules out most pairs; the rest are scored in full.
    """
    dots = (table.vectors[left] @ vectors).ravel()
    shortest = float(np.sqrt(table.sides.norms[right].min()))
    enough = dots.reshape(len(left), -1) >= _least_dots(table.sides.take(left), least, shortest)[:, None]
    flat = np.flatnonzero(enough)
    at, place = np.divmod(flat, len(right))
    other = left[at] != right[place]
    flat, at, columns = flat[other], at[other], right[place[other]]
    scores = pair_scores(dots[flat].astype(np.float64), table.sides.take(left[at]), table.sides.take(columns))
    good = (scores > 0.0) & (scores >= least[at])
    return _Found(at[good], columns[good], scores[good])


def _blocks(columns: Integers) -> Iterable[Integers]:
    """Yield `columns` in blocks, the first ones small: once lists are full, few pairs need a second look."""
    start, size = 0, 256
    while start < len(columns):
        yield columns[start : start + size]
        start += size
        size = min(size * 2, _COLUMN_BLOCK)


def _least_dots(left: Sides, least: Floats, shortest: float) -> npt.NDArray[np.float32]:
    """Return the dot products below which no pair can reach `least`; rather too low than too high."""
    known = (left.statuses != NO_STATUS).astype(np.int64) + ~np.isnan(left.costs) + ~np.isnan(left.durations)
    bound = least_cosine(least, known) * np.sqrt(left.norms) * (shortest * 0.9999)
    return np.where(left.norms > 0, bound, np.inf).astype(np.float32)


def _put(best: _Best, found: _Found) -> None:
    """Merge what was found into the lists of its rows: score first, then the order of keys."""
    limit = best.scores.shape[1]
    touched = np.unique(found.rows)
    rows = np.concatenate((np.repeat(touched, limit), found.rows))
    columns = np.concatenate((best.columns[touched].ravel(), found.columns))
    scores = np.concatenate((best.scores[touched].ravel(), found.scores))
    order = np.lexsort((columns, -scores, rows))
    rows, columns, scores = rows[order], columns[order], scores[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = place < limit
    best.columns[rows[kept], place[kept]] = columns[kept]
    best.scores[rows[kept], place[kept]] = scores[kept]
