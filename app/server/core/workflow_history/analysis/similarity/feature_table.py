"""Runs ready to be compared: what each is compared by goes in, arrays in the order of their keys come out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .pair_scores import NO_STATUS, Integers, PairSide

Key = Any
"""Hashable, and sortable among its like: a number, a text, a (project, id) pair."""

Vectors = npt.NDArray[np.int8]  # (runs, dimensions), whole numbers

Flags = npt.NDArray[np.bool_]

Codes = dict[str | None, int]  # of status words

_BLOCK = 8_192  # rows whose squares are held at a time


class RunFeatures(NamedTuple):
    """What one run is compared by."""

    key: Key
    vector: bytes | None  # of vectors.text_vector; None: no text
    status: str | None  # None: unknown
    cost: float | None  # USD, 0 or more; None: unknown
    duration: float | None  # seconds, 0 or more; None: unknown


@dataclass(frozen=True, slots=True)
class SimilarityTable:
    """Runs ready to be compared; a run's row is its place in the order of keys."""

    keys: Sequence[Key]  # rising
    vectors: Vectors
    sides: PairSide
    codes: Codes  # of the statuses met

    def row_of(self, key: Key) -> int | None:
        """Return the row of a run, None where the table has none of that key."""
        row = bisect_left(self.keys, key)
        return row if row < len(self.keys) and self.keys[row] == key else None


def build_table(runs: Iterable[RunFeatures]) -> SimilarityTable:
    """Return the table of `runs`. Raises ValueError where two runs have one key."""
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
    """Return what is compared beside the vectors; statuses that are new get a code."""
    return PairSide(
        norms=squared_norms(vectors),
        statuses=np.array([codes.setdefault(status, len(codes)) for status in statuses], np.int64),
        costs=np.array(costs, np.float64),
        durations=np.array(durations, np.float64),
    )


def unpack_vectors(packed: Sequence[bytes | None]) -> Vectors:
    """Return packed vectors as rows; those of runs without text are all zero."""
    width = max((len(vector) for vector in packed if vector), default=0)
    empty = bytes(width)
    joined = b"".join([vector or empty for vector in packed])
    return np.frombuffer(joined, np.int8).reshape(len(packed), width)


class UpsertResult(NamedTuple):
    """A table that runs were put into."""

    table: SimilarityTable
    rows: Integers  # of the runs that were put in, rising
    kept: Flags  # tells of each row whether the table had it before


def upsert_runs(table: SimilarityTable, runs: Iterable[RunFeatures]) -> UpsertResult:
    """Put `runs` in, in the place of those of their keys. Raises ValueError where two have one key."""
    new = build_table(runs)
    codes = dict(table.codes)
    recoded = np.array([codes.setdefault(word, len(codes)) for word in new.codes], np.int64)
    before = np.array([bisect_left(table.keys, key) for key in new.keys], np.int64)
    known = np.array([table.row_of(key) is not None for key in new.keys], np.bool_)
    rows = before + np.cumsum(~known) - ~known
    kept = np.ones(len(table.keys) + int((~known).sum()), np.bool_)
    kept[rows[~known]] = False

    def put(old: npt.NDArray[Any], given: npt.NDArray[Any]) -> npt.NDArray[Any]:
        result = reindex(old, kept, 0)
        result[rows] = given
        return result

    old_vectors, new_vectors = _equally_wide([table.vectors, new.vectors])
    sides = PairSide(
        put(table.sides.norms, new.sides.norms),
        put(table.sides.statuses, recoded[new.sides.statuses]),
        put(table.sides.costs, new.sides.costs),
        put(table.sides.durations, new.sides.durations),
    )
    keys = sorted([*table.keys, *(key for key, old in zip(new.keys, known.tolist(), strict=True) if not old)])
    return UpsertResult(SimilarityTable(keys, put(old_vectors, new_vectors), sides, codes), rows, kept)


def reindex(old: npt.NDArray[Any], kept: Flags, fill: float) -> npt.NDArray[Any]:
    """Return an array of a table's rows for the table that runs were put into."""
    result = np.full((len(kept), *old.shape[1:]), fill, old.dtype)
    result[kept] = old
    return result


def _equally_wide(parts: Sequence[Vectors]) -> list[Vectors]:
    """Return vectors of one width: where no run has text, nothing told it."""
    width = max(part.shape[1] for part in parts)
    return [part if part.shape[1] == width else np.zeros((len(part), width), np.int8) for part in parts]


def concat_vectors(parts: Sequence[Vectors]) -> Vectors:
    """Return the vectors of all parts, one after the other."""
    return np.concatenate(_equally_wide(parts or [np.zeros((0, 0), np.int8)]))


def squared_norms(vectors: Vectors) -> Integers:
    """Return the squared length of each vector; 0: no text."""
    norms = np.zeros(len(vectors), np.int64)
    for start in range(0, len(vectors), _BLOCK):
        some = vectors[start : start + _BLOCK].astype(np.int32)
        norms[start : start + _BLOCK] = np.einsum("ij,ij->i", some, some)
    return norms
