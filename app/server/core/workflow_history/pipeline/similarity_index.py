"""In-memory index of all runs of a history, as arrays: changed runs in, changed lists of similar runs out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..analysis.similarity.feature_table import (
    Codes,
    RunFeatures,
    SimilarityTable,
    Vectors,
    build_sides,
    concat_vectors,
    reindex,
    unpack_vectors,
    upsert_runs,
)
from ..analysis.similarity.pair_scores import NO_STATUS, PairSide
from ..analysis.similarity.top_matches import TopK, full_matches, incremental_matches, update_matches
from ..analysis.similarity.version import MODEL_VERSION
from ..common.column_data import Flags, Floats, Integers
from ..storage.rows.column_types import to_dollars, to_nanodollars
from ..storage.similarity_store import SimilarityStore
from ..storage.writing.similarity_rows import FeatureRow, SimilarPairRow

THRESHOLD = 0.5
LIMIT = 5

Identity = tuple[str, str]  # project, id

_NOT_STORED = -1  # instead of the key of a run that is not stored
_ELSEWHERE = -2  # instead of the row of a run that is not in the index
_MANY = 10_000  # number of lists that are Python objects at a time


class IndexChanges(NamedTuple):
    """Changed runs and changed lists of similar runs."""

    changed: Integers  # rows of the runs that changed
    listed: Integers  # rows of the runs whose lists changed
    lists: TopK  # new lists of the rows in `listed`
    least: Floats  # last score of each run's full list, row by row; 0: the list has free places


class SimilarityIndex:
    """Features of all runs, one row per run, sorted by project and id."""

    def __init__(
        self, similarity: SimilarityStore, table: SimilarityTable, keys: Integers, least: Floats
    ) -> None:
        self._similarity = similarity
        self._table = table
        self._keys = keys  # database keys, row by row
        self._least = least  # last score of a full list; 0: the list has free places
        self.pending: set[Identity] = set()
        """Runs that changed since the lists were last computed."""

    @classmethod
    def load(cls, similarity: SimilarityStore) -> SimilarityIndex:
        """Load the features of the runs whose lists are up to date and made by the current model."""
        codes: Codes = {None: NO_STATUS}
        parts = [_part(rows, codes) for rows in similarity.rows(MODEL_VERSION)] or [_part([], codes)]
        by_key = np.concatenate([part.keys for part in parts])
        names: list[Identity] = []
        keys: list[int] = []
        for named in similarity.names():
            names.extend([(project, run_id) for _, project, run_id in named])
            keys.extend([key for key, _, _ in named])
        order, there = _ByKey(by_key).rows(np.array(keys, np.int64))
        if not there.all():
            names = [name for name, here in zip(names, there.tolist(), strict=True) if here]
        order = order[there]
        vectors = concat_vectors([part.vectors for part in parts])[order]
        sides = PairSide.joined([part.sides for part in parts]).take(order)
        least = np.concatenate([part.least for part in parts])[order]
        return cls(similarity, SimilarityTable(names, vectors, sides, codes), by_key[order], least)

    def add(self, changed: Sequence[RunFeatures]) -> None:
        """Add changed runs; of two with the same project and id the later one counts."""
        latest = {run.key: run for run in changed}
        self._table, _, kept = upsert_runs(self._table, latest.values())
        self._keys = reindex(self._keys, kept, _NOT_STORED)
        self._least = reindex(self._least, kept, 0.0)
        self.pending.update(latest)

    def set_keys(self, keys: Mapping[Identity, int]) -> None:
        """Set the database keys of the pending runs."""
        for name in self.pending & keys.keys():
            row = self._table.row_of(name)
            if row is not None:
                self._keys[row] = keys[name]

    def compute_changes(self) -> IndexChanges:
        """Compute the lists that change because of the pending runs, including their own."""
        changed = np.array([self._table.row_of(name) for name in sorted(self.pending)], np.int64)
        moved = np.zeros(len(self._keys), np.bool_)
        moved[changed] = True
        news = incremental_matches(self._table, changed, self._least, THRESHOLD, LIMIT)
        by_key = _ByKey(self._keys)
        affected = (news.columns[:, 0] >= 0) | self._holders(moved, by_key)
        touched, rows = np.flatnonzero(~moved & affected), np.flatnonzero(moved | affected)
        stored = self._stored(rows, by_key)
        lists, anew = update_matches(stored.take(touched), news.take(touched), moved)
        news.set_rows(touched, lists)
        if anew.any():
            news.set_rows(touched[anew], full_matches(self._table, touched[anew], THRESHOLD, LIMIT))
        least = self._least.copy()
        least[rows] = np.maximum(news.scores[rows, -1], 0.0)
        listed = rows[news.take(rows).differs(stored.take(rows))]
        return IndexChanges(changed, listed, news.take(listed), least)

    def save(self, similarity: SimilarityStore, found: IndexChanges, keys: Mapping[Identity, int]) -> None:
        """Store the changes; `keys` are the database keys of the changed runs, which are already stored."""
        self.set_keys(keys)
        differs = found.least != self._least
        differs[found.changed] = False
        others = np.flatnonzero(differs)
        least = [None if score == 0.0 else score for score in found.least[others].tolist()]
        listed = self._keys[found.listed]
        similarity.save(
            MODEL_VERSION,
            self._likeness(found),
            zip(self._keys[others].tolist(), least, strict=True),
            listed[listed != _NOT_STORED].tolist(),
            self._pairs(found),
        )
        self._least = found.least
        self.pending.clear()

    def _likeness(self, found: IndexChanges) -> Iterator[FeatureRow]:
        """Yield the feature rows of the changed runs."""
        words = {code: word for word, code in self._table.codes.items()}
        sides = self._table.sides
        for row in found.changed[self._keys[found.changed] != _NOT_STORED].tolist():
            cost, duration = float(sides.costs[row]), float(sides.durations[row])
            yield FeatureRow(
                int(self._keys[row]),
                self._table.vectors[row].tobytes() if sides.norms[row] else None,
                words[int(sides.statuses[row])],
                None if np.isnan(cost) else to_nanodollars(cost),
                None if np.isnan(duration) else duration,
                float(found.least[row]) or None,
            )

    def _pairs(self, found: IndexChanges) -> Iterator[SimilarPairRow]:
        """Yield one row per list entry; runs that could not be stored are skipped."""
        for start in range(0, len(found.listed), _MANY):
            some = slice(start, start + _MANY)
            columns, scores = found.lists.columns[some], found.lists.scores[some]
            mine, others = self._keys[found.listed[some]], self._keys[columns]
            stored = (columns >= 0) & (others != _NOT_STORED) & (mine != _NOT_STORED)[:, None]
            at, place = np.nonzero(stored)
            ranks = stored.cumsum(axis=1)
            values = (mine[at], ranks[at, place], others[at, place], scores[at, place])
            yield from map(SimilarPairRow, *(value.tolist() for value in values))

    def _holders(self, moved: Flags, by_key: _ByKey) -> Flags:
        """Return a mask of the rows whose stored lists contain a changed run."""
        result = np.zeros(len(moved), np.bool_)
        stored = self._keys[moved & (self._keys != _NOT_STORED)]
        if len(stored) and not moved.all():
            holders = np.array(sorted(self._similarity.lists_with(stored.tolist())), np.int64)
            rows, there = by_key.rows(holders)
            result[rows[there]] = True
        return result

    def _stored(self, rows: Integers, by_key: _ByKey) -> TopK:
        """Return the stored lists of some rows; the lists of all other rows are empty."""
        lists = TopK.empty(len(self._keys), LIMIT)
        keys = self._keys[rows]
        for pairs in self._similarity.similar_lists(keys[keys != _NOT_STORED].tolist()):
            of, ranks, others, scores = zip(*pairs, strict=True)
            numbers = np.array([_NOT_STORED if key is None else key for key in others], np.int64)
            at, _ = by_key.rows(np.array(of, np.int64))
            columns, there = by_key.rows(numbers)
            rank = np.array(ranks, np.int64)
            place = np.minimum(rank, LIMIT) - 1
            ours = there & (rank <= LIMIT)
            lists.columns[at, place] = np.where(ours, columns, _ELSEWHERE)
            lists.scores[at, place] = scores
        return lists


class _Part(NamedTuple):
    """Arrays of some feature rows."""

    keys: Integers
    vectors: Vectors
    sides: PairSide
    least: Floats


def _part(rows: Sequence[FeatureRow], codes: Codes) -> _Part:
    keys, packed, statuses, costs, durations, least = zip(*rows, strict=True) if rows else ((),) * 6
    vectors = unpack_vectors(packed)
    dollars = [None if cost is None else to_dollars(cost) for cost in costs]
    return _Part(
        np.array(keys, np.int64),
        vectors,
        build_sides(vectors, statuses, dollars, durations, codes),
        np.array([score or 0.0 for score in least], np.float64),
    )


class _ByKey:
    """Index from database keys to rows."""

    def __init__(self, keys: Integers) -> None:
        self._order = np.argsort(keys)
        self._keys = keys[self._order]

    def rows(self, wanted: Integers) -> tuple[Integers, Flags]:
        """Return the row of each key and a mask of found keys; rows of keys not found are arbitrary."""
        if not len(self._keys):
            return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        return self._order[at], (self._keys[at] == wanted) & (wanted != _NOT_STORED)
