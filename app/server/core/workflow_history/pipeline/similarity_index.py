"""All runs of a history in memory, as arrays: changed runs in, the lists that change with them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..analysis.similarity.feature_table import (
    Codes,
    Flags,
    RunFeatures,
    SimilarityTable,
    Vectors,
    build_sides,
    concat_vectors,
    reindex,
    unpack_vectors,
    upsert_runs,
)
from ..analysis.similarity.pair_scores import NO_STATUS, Floats, Integers, PairSide
from ..analysis.similarity.top_matches import TopK, full_matches, incremental_matches, update_matches
from ..analysis.similarity.version import MODEL_VERSION
from ..storage.rows.column_types import to_dollars, to_nanodollars
from ..storage.similarity_store import SimilarityStore
from ..storage.writing.similarity_rows import FeatureRow, SimilarPairRow

THRESHOLD = 0.5
LIMIT = 5

Identity = tuple[str, str]  # project, id

_NOT_STORED = -1  # in the place of a key
_ELSEWHERE = -2  # in the place of a row: a place that is none of ours
_MANY = 10_000  # lists that are held as Python objects at a time


class IndexChanges(NamedTuple):
    """What becomes of the lists."""

    changed: Integers  # rows of the runs that changed
    listed: Integers  # rows whose lists are not as stored
    lists: TopK  # of those
    least: Floats  # score of each full list's last place, row by row; 0: the list has room


class SimilarityIndex:
    """What runs are compared by, in the order of project and id."""

    def __init__(
        self, similarity: SimilarityStore, table: SimilarityTable, keys: Integers, least: Floats
    ) -> None:
        self._similarity = similarity
        self._table = table
        self._keys = keys  # of the database, row by row
        self._least = least  # score of a full list's last place; 0: the list has room
        self.pending: set[Identity] = set()
        """The runs that changed since the lists were last made."""

    @classmethod
    def load(cls, similarity: SimilarityStore) -> SimilarityIndex:
        """Load what the present model made of the runs whose lists are up to date."""
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
        """Put changed runs in; of two with one name the later counts."""
        latest = {run.key: run for run in changed}
        self._table, _, kept = upsert_runs(self._table, latest.values())
        self._keys = reindex(self._keys, kept, _NOT_STORED)
        self._least = reindex(self._least, kept, 0.0)
        self.pending.update(latest)

    def set_keys(self, keys: Mapping[Identity, int]) -> None:
        """Note the keys that the database has for runs taken in."""
        for name in self.pending & keys.keys():
            row = self._table.row_of(name)
            if row is not None:
                self._keys[row] = keys[name]

    def compute_changes(self) -> IndexChanges:
        """Return the lists that the runs taken in change, their own among them."""
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
        """Store what was found; `keys` names the changed runs, which are stored by now."""
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
        """Yield what the changed runs were compared by."""
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
        """Yield the lists place by place; a run that could not be stored is left out."""
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
        """Tell on which rows' lists a moved run stands."""
        result = np.zeros(len(moved), np.bool_)
        stored = self._keys[moved & (self._keys != _NOT_STORED)]
        if len(stored) and not moved.all():
            holders = np.array(sorted(self._similarity.lists_with(stored.tolist())), np.int64)
            rows, there = by_key.rows(holders)
            result[rows[there]] = True
        return result

    def _stored(self, rows: Integers, by_key: _ByKey) -> TopK:
        """Return the stored lists of some rows, and empty ones in the place of all others."""
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
    """Some rows as arrays."""

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
    """Finds rows by the keys of the database."""

    def __init__(self, keys: Integers) -> None:
        self._order = np.argsort(keys)
        self._keys = keys[self._order]

    def rows(self, wanted: Integers) -> tuple[Integers, Flags]:
        """Return the row of each key, and whether there is one; the other rows mean nothing."""
        if not len(self._keys):
            return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        return self._order[at], (self._keys[at] == wanted) & (wanted != _NOT_STORED)
