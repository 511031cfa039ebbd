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
from ..common.spending import to_usd
from ..storage.rows.column_types import to_stored_money
from ..storage.similarity_store import SimilarityStore
from ..storage.writing.similarity_rows import FeatureRow, SimilarPairRow

THRESHOLD = 0.5
LIMIT = 5

Identity = tuple[str, str]  # project, id

_NOT_STORED = -1  # instead of the key of a run that is not stored
_NOT_INDEXED = -2  # instead of the row of a run that is not in the index
_CHUNK_SIZE = 10_000  # number of lists that are Python objects at a time


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
        parts = [_to_arrays(rows, codes) for rows in similarity.rows(MODEL_VERSION)] or [
            _to_arrays([], codes)
        ]
        part_keys = np.concatenate([part.keys for part in parts])
        names: list[Identity] = []
        keys: list[int] = []
        for name_rows in similarity.names():
            names.extend([(project, run_id) for _, project, run_id in name_rows])
            keys.extend([key for key, _, _ in name_rows])
        order, is_indexed = _RowLookup(part_keys).rows(np.array(keys, np.int64))
        if not is_indexed.all():
            names = [name for name, is_kept in zip(names, is_indexed.tolist(), strict=True) if is_kept]
        order = order[is_indexed]
        vectors = concat_vectors([part.vectors for part in parts])[order]
        sides = PairSide.joined([part.sides for part in parts]).take(order)
        least = np.concatenate([part.least for part in parts])[order]
        return cls(similarity, SimilarityTable(names, vectors, sides, codes), part_keys[order], least)

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
        is_changed = np.zeros(len(self._keys), np.bool_)
        is_changed[changed] = True
        new_lists = incremental_matches(self._table, changed, self._least, THRESHOLD, LIMIT)
        row_lookup = _RowLookup(self._keys)
        is_affected = (new_lists.columns[:, 0] >= 0) | self._rows_with_changed_run(is_changed, row_lookup)
        affected_rows = np.flatnonzero(~is_changed & is_affected)
        rows = np.flatnonzero(is_changed | is_affected)
        stored_lists = self._stored_lists(rows, row_lookup)
        lists, must_recompute = update_matches(
            stored_lists.take(affected_rows), new_lists.take(affected_rows), is_changed
        )
        new_lists.set_rows(affected_rows, lists)
        if must_recompute.any():
            new_lists.set_rows(
                affected_rows[must_recompute],
                full_matches(self._table, affected_rows[must_recompute], THRESHOLD, LIMIT),
            )
        least = self._least.copy()
        least[rows] = np.maximum(new_lists.scores[rows, -1], 0.0)
        listed = rows[new_lists.take(rows).differs(stored_lists.take(rows))]
        return IndexChanges(changed, listed, new_lists.take(listed), least)

    def save(self, similarity: SimilarityStore, changes: IndexChanges, keys: Mapping[Identity, int]) -> None:
        """Store the changes; `keys` are the database keys of the changed runs, which are already stored."""
        self.set_keys(keys)
        differs = changes.least != self._least
        differs[changes.changed] = False
        other_rows = np.flatnonzero(differs)
        least = [None if score == 0.0 else score for score in changes.least[other_rows].tolist()]
        listed_keys = self._keys[changes.listed]
        similarity.save(
            MODEL_VERSION,
            self._feature_rows(changes),
            zip(self._keys[other_rows].tolist(), least, strict=True),
            listed_keys[listed_keys != _NOT_STORED].tolist(),
            self._pair_rows(changes),
        )
        self._least = changes.least
        self.pending.clear()

    def _feature_rows(self, changes: IndexChanges) -> Iterator[FeatureRow]:
        """Yield the feature rows of the changed runs."""
        words = {code: word for word, code in self._table.codes.items()}
        sides = self._table.sides
        for row in changes.changed[self._keys[changes.changed] != _NOT_STORED].tolist():
            cost, duration = float(sides.costs[row]), float(sides.durations[row])
            yield FeatureRow(
                int(self._keys[row]),
                self._table.vectors[row].tobytes() if sides.norms[row] else None,
                words[int(sides.statuses[row])],
                None if np.isnan(cost) else to_stored_money(cost),
                None if np.isnan(duration) else duration,
                float(changes.least[row]) or None,
            )

    def _pair_rows(self, changes: IndexChanges) -> Iterator[SimilarPairRow]:
        """Yield one row per list entry; runs that could not be stored are skipped."""
        for start in range(0, len(changes.listed), _CHUNK_SIZE):
            chunk = slice(start, start + _CHUNK_SIZE)
            columns, scores = changes.lists.columns[chunk], changes.lists.scores[chunk]
            own_keys, other_keys = self._keys[changes.listed[chunk]], self._keys[columns]
            is_stored = (columns >= 0) & (other_keys != _NOT_STORED) & (own_keys != _NOT_STORED)[:, None]
            pairs = np.nonzero(is_stored)
            ranks = is_stored.cumsum(axis=1)
            values = (own_keys[pairs[0]], ranks[pairs], other_keys[pairs], scores[pairs])
            yield from map(SimilarPairRow, *(value.tolist() for value in values))

    def _rows_with_changed_run(self, is_changed: Flags, row_lookup: _RowLookup) -> Flags:
        """Return a mask of the rows whose stored lists contain a changed run."""
        result = np.zeros(len(is_changed), np.bool_)
        changed_keys = self._keys[is_changed & (self._keys != _NOT_STORED)]
        if len(changed_keys) and not is_changed.all():
            holders = np.array(sorted(self._similarity.lists_with(changed_keys.tolist())), np.int64)
            rows, is_found = row_lookup.rows(holders)
            result[rows[is_found]] = True
        return result

    def _stored_lists(self, rows: Integers, row_lookup: _RowLookup) -> TopK:
        """Return the stored lists of some rows; the lists of all other rows are empty."""
        lists = TopK.empty(len(self._keys), LIMIT)
        keys = self._keys[rows]
        for pairs in self._similarity.similar_lists(keys[keys != _NOT_STORED].tolist()):
            list_keys, ranks, other_keys, scores = zip(*pairs, strict=True)
            known_keys = np.array([_NOT_STORED if key is None else key for key in other_keys], np.int64)
            list_rows, _ = row_lookup.rows(np.array(list_keys, np.int64))
            columns, is_found = row_lookup.rows(known_keys)
            rank = np.array(ranks, np.int64)
            position = np.minimum(rank, LIMIT) - 1
            is_valid = is_found & (rank <= LIMIT)
            lists.columns[list_rows, position] = np.where(is_valid, columns, _NOT_INDEXED)
            lists.scores[list_rows, position] = scores
        return lists


class _FeatureArrays(NamedTuple):
    """Arrays of some feature rows."""

    keys: Integers
    vectors: Vectors
    sides: PairSide
    least: Floats


def _to_arrays(rows: Sequence[FeatureRow], codes: Codes) -> _FeatureArrays:
    keys, packed_vectors, statuses, costs, durations, least = zip(*rows, strict=True) if rows else ((),) * 6
    vectors = unpack_vectors(packed_vectors)
    dollars = [to_usd(cost) for cost in costs]
    return _FeatureArrays(
        np.array(keys, np.int64),
        vectors,
        build_sides(vectors, statuses, dollars, durations, codes),
        np.array([score or 0.0 for score in least], np.float64),
    )


class _RowLookup:
    """Index from database keys to rows."""

    def __init__(self, keys: Integers) -> None:
        self._order = np.argsort(keys)
        self._keys = keys[self._order]

    def rows(self, keys: Integers) -> tuple[Integers, Flags]:
        """Return the row of each key and a mask of found keys; rows of keys not found are arbitrary."""
        if not len(self._keys):
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
        positions = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return self._order[positions], (self._keys[positions] == keys) & (keys != _NOT_STORED)
