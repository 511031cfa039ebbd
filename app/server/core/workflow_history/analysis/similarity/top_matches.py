"""Best matches of many runs: compute lists of similar rows with scores. Uses no text, file or SQL.

Vectors contain small integers, so their dot products are exact in float32 in any order of summation.
Stored, updated and recomputed lists are therefore equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...common.column_data import Flags, Floats, Integers
from .feature_table import Key, SimilarityTable
from .pair_scores import (
    NO_STATUS,
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
_MAX_PAIRS = 131_072  # pairs scored at a time


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
        selected = np.arange(len(table.keys))
        lists = incremental_matches(table, selected, np.zeros(len(table.keys)), threshold, limit)
    else:
        selected = np.array(sorted({_require_row(table, key) for key in rows}), np.int64)
        lists = full_matches(table, selected, threshold, limit)
    return {
        table.keys[row]: [
            (table.keys[column], score) for column, score in zip(columns, scores, strict=True) if column >= 0
        ]
        for row, columns, scores in zip(
            selected.tolist(), lists.columns.tolist(), lists.scores.tolist(), strict=True
        )
    }


def _require_row(table: SimilarityTable, key: Key) -> int:
    row = table.row_of(key)
    if row is None:
        raise KeyError(key)
    return row


def incremental_matches(
    table: SimilarityTable, changed: Integers, min_scores: Floats, threshold: float = 0.5, limit: int = 5
) -> TopK:
    """Return for each row of the table the matches with the `changed` rows, which are ascending and unique.

    A changed row gets its complete list. Other rows get the best of the changed runs that score at least
    their `min_scores`: the score of the last place of a full list, and 0 for a list with free places.
    """
    lists = TopK.empty(len(table.keys), limit)
    floors = np.maximum(min_scores, threshold)
    floors[changed] = threshold
    with_text = table.sides.norms > 0
    is_other = with_text.copy()
    is_other[changed] = False
    unchanged, changed = np.flatnonzero(is_other), changed[with_text[changed]]
    for start in range(0, len(changed), _ROW_BLOCK):
        left = changed[start : start + _ROW_BLOCK]
        for right in (*_blocks(unchanged), *_blocks(changed[:start])):
            _compare(table, lists, floors, left, right, both_ways=True)
        _compare(table, lists, floors, left, left, both_ways=False)
    return lists


def full_matches(table: SimilarityTable, rows: Integers, threshold: float = 0.5, limit: int = 5) -> TopK:
    """Return the complete lists of the given rows, in their order."""
    lists = TopK.empty(len(table.keys), limit)
    floors = np.full(len(table.keys), threshold)
    with_text = np.flatnonzero(table.sides.norms > 0)
    selected = np.intersect1d(rows, with_text)
    for start in range(0, len(selected), _ROW_BLOCK):
        for right in _blocks(with_text):
            _compare(table, lists, floors, selected[start : start + _ROW_BLOCK], right, both_ways=False)
    return lists.take(rows)


def update_matches(stored: TopK, news: TopK, changed: Flags) -> tuple[TopK, Flags]:
    """Merge `news` of the changed runs into the `stored` lists; also return a mask of lists to recompute.

    `changed` is a mask of the table's rows; both kinds of lists are for the same rows, none of them changed.
    A full list that loses a member stays correct while it can be refilled with matches no worse than its last
    place: all runs on neither list rank after that.
    """
    is_kept = (stored.columns >= 0) & ~changed[stored.columns]
    last_score, last_column = stored.scores[:, -1:], stored.columns[:, -1:]
    is_certain = (news.scores > last_score) | ((news.scores == last_score) & (news.columns <= last_column))
    is_known = (news.columns >= 0) & (is_certain | ~stored.is_full[:, None])
    rows, limit = stored.columns.shape
    result = TopK.empty(rows, limit)
    for lists, mask in ((stored, is_kept), (news, is_known)):
        list_rows, positions = np.nonzero(mask)
        if len(list_rows):
            _insert_pairs(
                result, list_rows, lists.columns[list_rows, positions], lists.scores[list_rows, positions]
            )
    return result, stored.is_full & ~result.is_full


def _blocks(columns: Integers) -> Iterable[Integers]:
    """Yield `columns` in blocks, small ones first: once lists are full, few pairs need a second check."""
    start, size = 0, _FIRST_BLOCK
    while start < len(columns):
        yield columns[start : start + size]
        start += size
        size = min(size * 2, _COLUMN_BLOCK)


def _compare(
    table: SimilarityTable, lists: TopK, floors: Floats, left: Integers, right: Integers, *, both_ways: bool
) -> None:
    """Compare `left` with `right`, and add good matches to the lists of `left`, or of both.

    The dot product alone rules out most pairs, an upper bound most of the others; the rest are scored.
    """
    sides = table.sides
    dots = _float_vectors(table, left) @ _float_vectors(table, right).T
    left_min, right_min = _min_scores(lists, floors, left, right), _min_scores(lists, floors, right, left)
    is_candidate = dots >= _min_dots(sides, left, left_min, right)[:, None]
    if both_ways:
        is_candidate |= dots >= _min_dots(sides, right, right_min, left)
    coarse = coarse_side(sides.take(left)), coarse_side(sides.take(right))
    pair_indices = np.flatnonzero(is_candidate)
    left_index = np.repeat(np.arange(len(left)), np.count_nonzero(is_candidate, axis=1))
    right_index = pair_indices - left_index * len(right)
    pair_dots = dots.ravel()[pair_indices]
    for start in range(0, len(pair_indices), _MAX_PAIRS):
        block = slice(start, start + _MAX_PAIRS)
        left_part, right_part = left_index[block], right_index[block]
        min_scores = (
            np.minimum(left_min[left_part], right_min[right_part]) if both_ways else left_min[left_part]
        )
        hopeless = (
            upper_bound_scores(pair_dots[block], coarse[0].take(left_part), coarse[1].take(right_part))
            < min_scores
        )
        promising = np.flatnonzero(~hopeless)
        rows, columns = left[left_part[promising]], right[right_part[promising]]
        scores = pair_scores(
            pair_dots[block][promising].astype(np.float64), sides.take(rows), sides.take(columns)
        )
        _insert_good_pairs(lists, floors, rows, columns, scores)
        if both_ways:
            _insert_good_pairs(lists, floors, columns, rows, scores)


def _float_vectors(table: SimilarityTable, rows: Integers) -> npt.NDArray[np.float32]:
    return table.vectors[rows].astype(np.float32)


def _min_scores(lists: TopK, floors: Floats, rows: Integers, others: Integers) -> Floats:
    """Return for each row the minimum score with which one of the `others` can enter its list.

    No score is above a last place of 1, and an equal score ranks after it by key.
    """
    last_scores = lists.scores[rows, -1]
    hopeless = (last_scores >= 1.0) & (lists.columns[rows, -1] < others[0])
    return np.where(hopeless, np.inf, np.maximum(last_scores, floors[rows]))


def _min_dots(
    sides: PairSide, rows: Integers, min_scores: Floats, others: Integers
) -> npt.NDArray[np.float32]:
    """Return dot products below which no pair can reach `min_scores`; never too high."""
    shortest = float(np.sqrt(sides.norms[others].min()))
    own_sides = sides.take(rows)
    known = (
        (own_sides.statuses != NO_STATUS).astype(np.int64)
        + ~np.isnan(own_sides.costs)
        + ~np.isnan(own_sides.durations)
    )
    bound = min_cosine(min_scores, known) * np.sqrt(own_sides.norms) * (shortest * 0.9999)
    return np.where(np.isinf(min_scores), np.inf, bound).astype(np.float32)


def _insert_good_pairs(
    lists: TopK, floors: Floats, rows: Integers, columns: Integers, scores: Floats
) -> None:
    """Add pairs with sufficient scores to the lists of `rows`; a run is not similar to itself."""
    min_scores = np.maximum(lists.scores[rows, -1], floors[rows])
    is_good = (scores > 0.0) & (scores >= min_scores) & (rows != columns)
    if is_good.any():
        _insert_pairs(lists, rows[is_good], columns[is_good], scores[is_good])


def _insert_pairs(lists: TopK, list_rows: Integers, columns: Integers, scores: Floats) -> None:
    """Merge pairs into the lists of `list_rows`, sorted by score, then by key."""
    limit = lists.scores.shape[1]
    unique_rows, _ = np.unique(list_rows, return_counts=True)  # else numpy imports its masked arrays first
    rows = np.concatenate((np.repeat(unique_rows, limit), list_rows))
    columns = np.concatenate((lists.columns[unique_rows].ravel(), columns))
    scores = np.concatenate((lists.scores[unique_rows].ravel(), scores))
    order = np.lexsort((columns, -scores, rows))
    rows, columns, scores = rows[order], columns[order], scores[order]
    position = np.arange(len(rows)) - np.searchsorted(rows, rows)
    fits = position < limit
    lists.columns[rows[fits], position[fits]] = columns[fits]
    lists.scores[rows[fits], position[fits]] = scores[fits]
