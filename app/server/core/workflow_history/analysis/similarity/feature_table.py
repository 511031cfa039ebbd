"""Feature table for similarity: store the compared values of many runs as arrays, sorted by key."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...common.column_data import Flags, Integers
from .pair_scores import NO_STATUS, PairSide

Key = Any
"""Run key: hashable and sortable, such as a number, a text or a (project, id) pair."""

Vectors = npt.NDArray[np.int8]  # (runs, dimensions), whole numbers

Codes = dict[str | None, int]  # code by status

_BLOCK_ROWS = 8_192  # rows whose squares are in memory at a time


class RunFeatures(NamedTuple):
    """Values by which one run is compared."""

    key: Key
    vector: bytes | None  # from text_vectors.text_vector; None without text
    status: str | None  # None if unknown
    cost: float | None  # USD, 0 or more; None if unknown
    duration: float | None  # seconds, 0 or more; None if unknown


@dataclass(frozen=True, slots=True)
class SimilarityTable:
    """Features of many runs; a run's row is its position in the sorted keys."""

    keys: Sequence[Key]  # ascending
    vectors: Vectors
    sides: PairSide
    codes: Codes  # code by status, for the statuses in the table

    def row_of(self, key: Key) -> int | None:
        """Return the row of a run, or None if the table does not contain its key."""
        row = bisect_left(self.keys, key)
        return row if row < len(self.keys) and self.keys[row] == key else None


def build_table(runs: Iterable[RunFeatures]) -> SimilarityTable:
    """Build the table of `runs`. Raises ValueError if two runs have the same key."""
    ordered = sorted(runs, key=lambda run: run.key)
    if any(one.key == other.key for one, other in pairwise(ordered)):
        raise ValueError("two runs have one key")
    vectors = unpack_vectors([run.vector for run in ordered])
    codes: Codes = {None: NO_STATUS}
    sides = build_sides(
        vectors,
        [run.status for run in ordered],
        [run.cost for run in ordered],
        [run.duration for run in ordered],
        codes,
    )
    return SimilarityTable([run.key for run in ordered], vectors, sides, codes)


def build_sides(
    vectors: Vectors,
    statuses: Iterable[str | None],
    costs: Sequence[float | None],
    durations: Sequence[float | None],
    codes: Codes,
) -> PairSide:
    """Build the values compared besides the vectors; new statuses get a new code in `codes`."""
    return PairSide(
        norms=squared_norms(vectors),
        statuses=np.array([codes.setdefault(status, len(codes)) for status in statuses], np.int64),
        costs=np.array(costs, np.float64),
        durations=np.array(durations, np.float64),
    )


def unpack_vectors(packed: Sequence[bytes | None]) -> Vectors:
    """Return packed vectors as rows; rows of runs without text are all zero."""
    width = max((len(vector) for vector in packed if vector), default=0)
    empty = bytes(width)
    joined = b"".join([vector or empty for vector in packed])
    return np.frombuffer(joined, np.int8).reshape(len(packed), width)


class UpsertResult(NamedTuple):
    """The updated table and its changed rows."""

    table: SimilarityTable
    rows: Integers  # rows of the inserted or replaced runs, ascending
    kept: Flags  # mask of the rows that the old table already had


def upsert_runs(table: SimilarityTable, runs: Iterable[RunFeatures]) -> UpsertResult:
    """Insert `runs`, or replace those with the same keys. Raises ValueError on duplicate keys in `runs`."""
    new = build_table(runs)
    codes = dict(table.codes)
    recoded = np.array([codes.setdefault(status, len(codes)) for status in new.codes], np.int64)
    insert_at = np.array([bisect_left(table.keys, key) for key in new.keys], np.int64)
    known = np.array([table.row_of(key) is not None for key in new.keys], np.bool_)
    rows = insert_at + np.cumsum(~known) - ~known
    kept = np.ones(len(table.keys) + int((~known).sum()), np.bool_)
    kept[rows[~known]] = False

    def put(old_rows: npt.NDArray[Any], new_rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        result = reindex(old_rows, kept, 0)
        result[rows] = new_rows
        return result

    old_vectors, new_vectors = _equal_widths([table.vectors, new.vectors])
    sides = PairSide(
        put(table.sides.norms, new.sides.norms),
        put(table.sides.statuses, recoded[new.sides.statuses]),
        put(table.sides.costs, new.sides.costs),
        put(table.sides.durations, new.sides.durations),
    )
    keys = sorted(
        [*table.keys, *(key for key, is_known in zip(new.keys, known.tolist(), strict=True) if not is_known)]
    )
    return UpsertResult(SimilarityTable(keys, put(old_vectors, new_vectors), sides, codes), rows, kept)


def reindex(old: npt.NDArray[Any], kept: Flags, fill: float) -> npt.NDArray[Any]:
    """Copy an array of the old table's rows into the rows of the new table; new rows get `fill`."""
    result = np.full((len(kept), *old.shape[1:]), fill, old.dtype)
    result[kept] = old
    return result


def _equal_widths(parts: Sequence[Vectors]) -> list[Vectors]:
    """Return vectors of equal width: if no run has text, their width is 0."""
    width = max(part.shape[1] for part in parts)
    return [part if part.shape[1] == width else np.zeros((len(part), width), np.int8) for part in parts]


def concat_vectors(parts: Sequence[Vectors]) -> Vectors:
    """Concatenate the vectors of all parts."""
    return np.concatenate(_equal_widths(parts or [np.zeros((0, 0), np.int8)]))


def squared_norms(vectors: Vectors) -> Integers:
    """Return the squared length of each vector; 0 for runs without text."""
    norms = np.zeros(len(vectors), np.int64)
    for start in range(0, len(vectors), _BLOCK_ROWS):
        block = vectors[start : start + _BLOCK_ROWS].astype(np.int32)
        norms[start : start + _BLOCK_ROWS] = np.einsum("ij,ij->i", block, block)
    return norms
