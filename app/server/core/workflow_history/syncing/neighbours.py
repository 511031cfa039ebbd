"""All runs of a history in memory, as arrays: changed runs in, the lists that change with them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..likeness.matches import Lists, brought_up_to_date, complete, entering
from ..likeness.pair_scores import NO_STATUS, Floats, Integers, Sides
from ..likeness.table import (
    Codes,
    Flags,
    RunFeatures,
    SimilarityTable,
    Vectors,
    joined_vectors,
    sides_of,
    spread,
    vectors_of,
    with_runs,
)
from ..likeness.version import MODEL_VERSION
from ..store.likeness import LikenessRow, PairRow
from ..store.similar import Similarity
from ..store.values import to_dollars, to_nanodollars

THRESHOLD = 0.5
LIMIT = 5

Identity = tuple[str, str]  # project, id

_NOT_STORED = -1  # in the place of a key
_ELSEWHERE = -2  # in the place of a row: a place that is none of ours
_MANY = 10_000  # lists that are held as Python objects at a time


class Found(NamedTuple):
    """What becomes of the lists."""

    changed: Integers  # rows of the runs that changed
    listed: Integers  # rows whose lists are not as stored
    lists: Lists  # of those
    least: Floats  # score of each full list's last place, row by row; 0: the list has room


class Neighbours:
    """What runs are compared by, in the order of project and id."""

    def __init__(self, similarity: Similarity, table: SimilarityTable, keys: Integers, least: Floats) -> None:
        self._similarity = similarity
        self._table = table
        self._keys = keys  # of the database, row by row
        self._least = least  # score of a full list's last place; 0: the list has room
        self.taken: set[Identity] = set()
        """The runs that changed since the lists were last made."""

    @classmethod
    def load(cls, similarity: Similarity) -> Neighbours:
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
        vectors = joined_vectors([part.vectors for part in parts])[order]
        sides = Sides.joined([part.sides for part in parts]).take(order)
        least = np.concatenate([part.least for part in parts])[order]
        return cls(similarity, SimilarityTable(names, vectors, sides, codes), by_key[order], least)

    def take(self, changed: Sequence[RunFeatures]) -> None:
        """Put changed runs in; of two with one name the later counts."""
        latest = {run.key: run for run in changed}
        self._table, _, kept = with_runs(self._table, latest.values())
        self._keys = spread(self._keys, kept, _NOT_STORED)
        self._least = spread(self._least, kept, 0.0)
        self.taken.update(latest)

    def identify(self, keys: Mapping[Identity, int]) -> None:
        """Note the keys that the database has for runs taken in."""
        for name in self.taken & keys.keys():
            row = self._table.row_of(name)
            if row is not None:
                self._keys[row] = keys[name]

    def found(self) -> Found:
        """Return the lists that the runs taken in change, their own among them."""
        changed = np.array([self._table.row_of(name) for name in sorted(self.taken)], np.int64)
        moved = np.zeros(len(self._keys), np.bool_)
        moved[changed] = True
        news = entering(self._table, changed, self._least, THRESHOLD, LIMIT)
        by_key = _ByKey(self._keys)
        affected = (news.columns[:, 0] >= 0) | self._holders(moved, by_key)
        touched, rows = np.flatnonzero(~moved & affected), np.flatnonzero(moved | affected)
        stored = self._stored(rows, by_key)
        lists, anew = brought_up_to_date(stored.take(touched), news.take(touched), moved)
        news.put(touched, lists)
        if anew.any():
            news.put(touched[anew], complete(self._table, touched[anew], THRESHOLD, LIMIT))
        least = self._least.copy()
        least[rows] = np.maximum(news.scores[rows, -1], 0.0)
        listed = rows[news.take(rows).differ(stored.take(rows))]
        return Found(changed, listed, news.take(listed), least)

    def save(self, similarity: Similarity, found: Found, keys: Mapping[Identity, int]) -> None:
        """Store what was found; `keys` names the changed runs, which are stored by now."""
        self.identify(keys)
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
        self.taken.clear()

    def _likeness(self, found: Found) -> Iterator[LikenessRow]:
        """Yield what the changed runs were compared by."""
        words = {code: word for word, code in self._table.codes.items()}
        sides = self._table.sides
        for row in found.changed[self._keys[found.changed] != _NOT_STORED].tolist():
            cost, duration = float(sides.costs[row]), float(sides.durations[row])
            yield LikenessRow(
                int(self._keys[row]),
                self._table.vectors[row].tobytes() if sides.norms[row] else None,
                words[int(sides.statuses[row])],
                None if np.isnan(cost) else to_nanodollars(cost),
                None if np.isnan(duration) else duration,
                float(found.least[row]) or None,
            )

    def _pairs(self, found: Found) -> Iterator[PairRow]:
        """Yield the lists place by place; a run that could not be stored is left out."""
        for start in range(0, len(found.listed), _MANY):
            some = slice(start, start + _MANY)
            columns, scores = found.lists.columns[some], found.lists.scores[some]
            mine, others = self._keys[found.listed[some]], self._keys[columns]
            stored = (columns >= 0) & (others != _NOT_STORED) & (mine != _NOT_STORED)[:, None]
            at, place = np.nonzero(stored)
            ranks = stored.cumsum(axis=1)
            values = (mine[at], ranks[at, place], others[at, place], scores[at, place])
            yield from map(PairRow, *(value.tolist() for value in values))

    def _holders(self, moved: Flags, by_key: _ByKey) -> Flags:
        """Tell on which rows' lists a moved run stands."""
        result = np.zeros(len(moved), np.bool_)
        stored = self._keys[moved & (self._keys != _NOT_STORED)]
        if len(stored) and not moved.all():
            holders = np.array(sorted(self._similarity.lists_with(stored.tolist())), np.int64)
            rows, there = by_key.rows(holders)
            result[rows[there]] = True
        return result

    def _stored(self, rows: Integers, by_key: _ByKey) -> Lists:
        """Return the stored lists of some rows, and empty ones in the place of all others."""
        lists = Lists.empty(len(self._keys), LIMIT)
        keys = self._keys[rows]
        for pairs in self._similarity.lists(keys[keys != _NOT_STORED].tolist()):
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
    sides: Sides
    least: Floats


def _part(rows: Sequence[LikenessRow], codes: Codes) -> _Part:
    keys, packed, statuses, costs, durations, least = zip(*rows, strict=True) if rows else ((),) * 6
    vectors = vectors_of(packed)
    dollars = [None if cost is None else to_dollars(cost) for cost in costs]
    return _Part(
        np.array(keys, np.int64),
        vectors,
        sides_of(vectors, statuses, dollars, durations, codes),
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
