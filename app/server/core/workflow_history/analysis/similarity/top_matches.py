"""Best matches of many runs: compute lists of similar rows with scores. Uses no text, file or SQL.

Vectors contain small integers, so their dot products are exact in float32 in any order of summation.
Stored, updated and recomputed lists are therefore equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .feature_table import Flags, Key, SimilarityTable
from .pair_scores import (
    NO_STATUS,
    Floats,
    Integers,
    PairSide,
    coarse_side,
    min_cosine,
    pair_scores,
    upper_bound_scores,
)

Matches = list[tuple[Key, float]]
"""Matches, best first; equal scores are sorted by key."""

_ROW_BLOCK = 512
_COLUMN_BLOCK = 4_096  # with _ROW_BLOCK rows: 8 MB of dot products at a time
_FIRST_BLOCK = 256
_MOST_PAIRS = 131_072  # pairs scored at a time


@dataclass(frozen=True, slots=True)
class TopK:
    """Lists of similar runs, one per row; free places have column -1 and score -1."""

    columns: Integers  # (rows, limit), rows of the table
    scores: Floats  # (rows, limit), descending; equal scores have ascending columns

    @classmethod
    def empty(cls, rows: int, limit: int) -> TopK:
        """Return lists without a match; raises ValueError if `limit` is below 1."""
        if limit < 1:
            raise ValueError(f"limit must be 1 or more, not {limit}")
        return cls(np.full((rows, limit), -1, np.int64), np.full((rows, limit), -1.0))

    def take(self, rows: Integers) -> TopK:
        """Return the lists of `rows`."""
        return TopK(self.columns[rows], self.scores[rows])

    @property
    def is_full(self) -> Flags:
        """Mask of the lists without a free place: runs not on such a list are no better than its last."""
        return self.columns[:, -1] >= 0

    def set_rows(self, rows: Integers, lists: TopK) -> None:
        """Replace the lists of `rows`."""
        self.columns[rows] = lists.columns
        self.scores[rows] = lists.scores

    def differs(self, other: TopK) -> Flags:
        """Return a mask of the lists that differ from the other's."""
        differs: Flags = ((self.columns != other.columns) | (self.scores != other.scores)).any(axis=1)
        return differs


def best_matches(
    table: SimilarityTable, rows: Collection[Key] | None = None, threshold: float = 0.5, limit: int = 5
) -> dict[Key, Matches]:
    """Return the `limit` best matches with at least `threshold` of each given run; None means all runs.

    Raises KeyError for an unknown run.
    """
    if rows is None:
        asked = np.arange(len(table.keys))
        lists = incremental_matches(table, asked, np.zeros(len(table.keys)), threshold, limit)
    else:
        asked = np.array(sorted({_known_row(table, key) for key in rows}), np.int64)
        lists = full_matches(table, asked, threshold, limit)
    return {
        table.keys[row]: [
            (table.keys[column], score) for column, score in zip(columns, scores, strict=True) if column >= 0
        ]
        for row, columns, scores in zip(
            asked.tolist(), lists.columns.tolist(), lists.scores.tolist(), strict=True
        )
    }


def _known_row(table: SimilarityTable, key: Key) -> int:
    row = table.row_of(key)
    if row is None:
        raise KeyError(key)
    return row


def incremental_matches(
    table: SimilarityTable, changed: Integers, least: Floats, threshold: float = 0.5, limit: int = 5
) -> TopK:
    """Return for each row of the table the matches with the `changed` rows, which are ascending and unique.

    A changed row gets its complete list. Other rows get the best of the changed runs that score at least
    their `least`: the score of the last place of a full list, and 0 for a list with free places.
    """
    lists = TopK.empty(len(table.keys), limit)
    floor = np.maximum(least, threshold)
    floor[changed] = threshold
    with_text = table.sides.norms > 0
    others = with_text.copy()
    others[changed] = False
    rest, changed = np.flatnonzero(others), changed[with_text[changed]]
    for start in range(0, len(changed), _ROW_BLOCK):
        left = changed[start : start + _ROW_BLOCK]
        for right in (*_blocks(rest), *_blocks(changed[:start])):
            _compare(table, lists, floor, left, right, both_ways=True)
        _compare(table, lists, floor, left, left, both_ways=False)
    return lists


def full_matches(table: SimilarityTable, rows: Integers, threshold: float = 0.5, limit: int = 5) -> TopK:
    """Return the complete lists of the given rows, in their order."""
    lists = TopK.empty(len(table.keys), limit)
    floor = np.full(len(table.keys), threshold)
    with_text = np.flatnonzero(table.sides.norms > 0)
    asked = np.intersect1d(rows, with_text)
    for start in range(0, len(asked), _ROW_BLOCK):
        for right in _blocks(with_text):
            _compare(table, lists, floor, asked[start : start + _ROW_BLOCK], right, both_ways=False)
    return lists.take(rows)


def update_matches(stored: TopK, news: TopK, changed: Flags) -> tuple[TopK, Flags]:
    """Merge `news` of the changed runs into the `stored` lists; also return a mask of lists to recompute.

    `changed` is a mask of the table's rows; both kinds of lists are for the same rows, none of them changed.
    A full list that loses a member stays correct while it can be refilled with matches no worse than its last
    place: all runs on neither list rank after that.
    """
    kept = (stored.columns >= 0) & ~changed[stored.columns]
    last_score, last_column = stored.scores[:, -1:], stored.columns[:, -1:]
    sure = (news.scores > last_score) | ((news.scores == last_score) & (news.columns <= last_column))
    known = (news.columns >= 0) & (sure | ~stored.is_full[:, None])
    rows, limit = stored.columns.shape
    result = TopK.empty(rows, limit)
    for lists, places in ((stored, kept), (news, known)):
        at, place = np.nonzero(places)
        if len(at):
            _put(result, at, lists.columns[at, place], lists.scores[at, place])
    return result, stored.is_full & ~result.is_full


def _blocks(columns: Integers) -> Iterable[Integers]:
    """Yield `columns` in blocks, small ones first: once lists are full, few pairs need a second check."""
    start, size = 0, _FIRST_BLOCK
    while start < len(columns):
        yield columns[start : start + size]
        start += size
        size = min(size * 2, _COLUMN_BLOCK)


def _compare(
    table: SimilarityTable, lists: TopK, floor: Floats, left: Integers, right: Integers, *, both_ways: bool
) -> None:
    """Compare `left` with `right`, and add good matches to the lists of `left`, or of both.

    The dot product alone rules out most pairs, an upper bound most of the others; the rest are scored.
    """
    sides = table.sides
    dots = _whole(table, left) @ _whole(table, right).T
    mine, theirs = _least(lists, floor, left, right), _least(lists, floor, right, left)
    enough = dots >= _least_dots(sides, left, mine, right)[:, None]
    if both_ways:
        enough |= dots >= _least_dots(sides, right, theirs, left)
    rough = coarse_side(sides.take(left)), coarse_side(sides.take(right))
    found = np.flatnonzero(enough)
    at = np.repeat(np.arange(len(left)), np.count_nonzero(enough, axis=1))
    place = found - at * len(right)
    found_dots = dots.ravel()[found]
    for start in range(0, len(found), _MOST_PAIRS):
        some = slice(start, start + _MOST_PAIRS)
        one, other = at[some], place[some]
        least = np.minimum(mine[one], theirs[other]) if both_ways else mine[one]
        hopeless = upper_bound_scores(found_dots[some], rough[0].take(one), rough[1].take(other)) < least
        kept = np.flatnonzero(~hopeless)
        rows, columns = left[one[kept]], right[other[kept]]
        scores = pair_scores(found_dots[some][kept].astype(np.float64), sides.take(rows), sides.take(columns))
        _put_good(lists, floor, rows, columns, scores)
        if both_ways:
            _put_good(lists, floor, columns, rows, scores)


def _whole(table: SimilarityTable, rows: Integers) -> npt.NDArray[np.float32]:
    return table.vectors[rows].astype(np.float32)


def _least(lists: TopK, floor: Floats, rows: Integers, others: Integers) -> Floats:
    """Return for each row the minimum score with which one of the `others` can enter its list.

    No score is above a last place of 1, and an equal score ranks after it by key.
    """
    last = lists.scores[rows, -1]
    hopeless = (last >= 1.0) & (lists.columns[rows, -1] < others[0])
    return np.where(hopeless, np.inf, np.maximum(last, floor[rows]))


def _least_dots(sides: PairSide, rows: Integers, least: Floats, others: Integers) -> npt.NDArray[np.float32]:
    """Return dot products below which no pair can reach `least`; never too high."""
    shortest = float(np.sqrt(sides.norms[others].min()))
    mine = sides.take(rows)
    known = (mine.statuses != NO_STATUS).astype(np.int64) + ~np.isnan(mine.costs) + ~np.isnan(mine.durations)
    bound = min_cosine(least, known) * np.sqrt(mine.norms) * (shortest * 0.9999)
    return np.where(np.isinf(least), np.inf, bound).astype(np.float32)


def _put_good(lists: TopK, floor: Floats, rows: Integers, columns: Integers, scores: Floats) -> None:
    """Add pairs with sufficient scores to the lists of `rows`; a run is not similar to itself."""
    least = np.maximum(lists.scores[rows, -1], floor[rows])
    good = (scores > 0.0) & (scores >= least) & (rows != columns)
    if good.any():
        _put(lists, rows[good], columns[good], scores[good])


def _put(lists: TopK, at: Integers, columns: Integers, scores: Floats) -> None:
    """Merge pairs into the lists of `at`, sorted by score, then by key."""
    limit = lists.scores.shape[1]
    touched, _ = np.unique(at, return_counts=True)  # else numpy imports its masked arrays first
    rows = np.concatenate((np.repeat(touched, limit), at))
    columns = np.concatenate((lists.columns[touched].ravel(), columns))
    scores = np.concatenate((lists.scores[touched].ravel(), scores))
    order = np.lexsort((columns, -scores, rows))
    rows, columns, scores = rows[order], columns[order], scores[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = place < limit
    lists.columns[rows[kept], place[kept]] = columns[kept]
    lists.scores[rows[kept], place[kept]] = scores[kept]
