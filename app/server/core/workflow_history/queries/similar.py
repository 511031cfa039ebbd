"""Find the past runs most similar to a run or to the text of a request, with reasons: `similar_runs`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, NamedTuple

import numpy as np

from .. import database
from ..analysis.similarity.feature_table import squared_norms, unpack_vectors
from ..analysis.similarity.nearest_neighbours import RunIndex, nearest_neighbours, score_parts
from ..analysis.similarity.pair_scores import NO_STATUS, PARTS, WEIGHTS, PairSide
from ..analysis.similarity.shared_words import shared_words
from ..analysis.similarity.text_vectors import text_vector
from ..analysis.similarity.version import MODEL_VERSION
from ..common.column_data import MISSING_INT, ColumnTable, Flags, Integers
from ..common.errors import InvalidQueryError, InvalidValueError, WorkflowNotFoundError
from ..common.field_docs import Doc
from ..common.filters import RunFilter
from ..common.models import RunStatus, Workflow
from ..common.shared_fields import (
    LowerBoundCost,
    RunCreatedAt,
    RunDuration,
    RunId,
    RunProject,
    RunRequest,
    RunStatusOrNull,
    RunWorkflow,
    Similarity,
)
from ..common.spending import NANODOLLARS
from ..storage.history import History
from .check_names import matching_keys

DEFAULT_RUN_THRESHOLD: Final = 0.5
RUN_LIMIT: Final = 5
"""Maximum number of similar runs; the threshold and this limit are those of the stored lists."""

DEFAULT_TEXT_THRESHOLD: Final = 0.3
TEXT_LIMIT: Final = 10
"""Maximum number of runs similar to a text, scored by words only; values explained in docs/provenance.md."""

MAX_REQUEST_CHARS: Final = 2_000


@dataclass(frozen=True, slots=True)
class SharedWord:
    """A word of the request with its equivalent in the other run's request."""

    word: Annotated[str, Doc("word of the request")]
    other: Annotated[str, Doc("same word in another form, or a word with a similar meaning")]
    gave: Annotated[float, Doc("contribution to the similarity of the texts, before its floor is subtracted")]


@dataclass(frozen=True, slots=True)
class ScorePart:
    """One component of a score."""

    name: Annotated[str, Doc("name of the component: text, status, cost, duration")]
    weight: Annotated[float, Doc("weight of the component, 0 to 1, before missing components are left out")]
    value: Annotated[float | None, Doc("similarity, 0 to 1; null: one of the two runs has no value")]
    gave: Annotated[float | None, Doc("part of the score, which is the sum of all; null: not compared")]


@dataclass(frozen=True, slots=True)
class SimilarRun:
    """One similar run with its score and the reasons for it."""

    id: RunId
    project: RunProject
    score: Similarity
    parts: Annotated[tuple[ScorePart, ...], Doc("components of the score")]
    shared: Annotated[tuple[SharedWord, ...], Doc("words in both requests, highest contribution first")]
    related: Annotated[tuple[SharedWord, ...], Doc("related words, highest contribution first")]
    status: RunStatusOrNull
    template: RunWorkflow
    request: RunRequest
    created_at: RunCreatedAt
    cost: Annotated[float | None, Doc("recorded cost, else the lower bound, USD; null: unknown")]
    cost_basis: Annotated[
        str | None, Doc("basis of the cost: reported, computed, lower_bound or unpriced; null: none")
    ]
    lower_bound_cost: LowerBoundCost
    duration_seconds: RunDuration


@dataclass(frozen=True, slots=True)
class SimilarRuns:
    """The most similar runs, best first."""

    id: Annotated[str | None, Doc("id of the given run; null: a text was given")]
    project: Annotated[str | None, Doc("project of the given run; null: the text of a request was given")]
    request: Annotated[str | None, Doc("beginning of the compared request; null: unknown")]
    basis: Annotated[str, Doc("run: all four components are compared; text: only words")]
    threshold: Annotated[float, Doc("minimum score, 0 to 1")]
    limit: Annotated[int, Doc("maximum number of similar runs")]
    compared: Annotated[int, Doc("number of runs that were compared")]
    without_request: Annotated[int, Doc("number of compared runs without words in their request")]
    runs: Annotated[tuple[SimilarRun, ...], Doc("the similar runs")]
    note: Annotated[str | None, Doc("limitation of the comparison; null: none")]


def similar_runs(
    reference: str | None = None,
    text: str | None = None,
    where: RunFilter | None = None,
    limit: int | None = None,
    threshold: float | None = None,
) -> SimilarRuns:
    """Find the runs most similar to the run `reference`, or to the text of a request.

    `where` selects the runs to compare with. A text has no status, cost or duration, so only words are
    compared. Raises InvalidQueryError unless exactly one of the two is given, and WorkflowNotFoundError if
    there is no such run.
    """
    _check_arguments(reference, text, limit, threshold)
    with database.open_if_exists() as history:
        if history is None:
            if reference is not None:
                raise WorkflowNotFoundError(reference)
            return _to_result(_Subject(None, None, text), _Limits.of(text, limit, threshold), (0, 0), [])
        subject = _load_subject(history, reference, text)
        return _find_similar(history, subject, where or RunFilter(), _Limits.of(text, limit, threshold))


def count_unindexed_runs() -> int:
    """Count the runs without a stored text vector, whose requests `similar_runs` must read."""
    with database.open_if_exists() as history:
        return 0 if history is None else history.similarity().count_uncompared(MODEL_VERSION)


class _Subject(NamedTuple):
    """The run or text that is compared."""

    key: int | None
    run: Workflow | None
    text: str | None


class _Limits(NamedTuple):
    limit: int
    threshold: float

    @classmethod
    def of(cls, text: str | None, limit: int | None, threshold: float | None) -> _Limits:
        defaults = (
            (RUN_LIMIT, DEFAULT_RUN_THRESHOLD) if text is None else (TEXT_LIMIT, DEFAULT_TEXT_THRESHOLD)
        )
        return cls(
            defaults[0] if limit is None else limit,
            defaults[1] if threshold is None else threshold,
        )


def _check_arguments(
    reference: str | None, text: str | None, limit: int | None, threshold: float | None
) -> None:
    if (reference is None) == (text is None):
        raise InvalidQueryError("Use either a run ID or --text. Put -- before an ID that starts with a dash.")
    if text is not None and not text.strip():
        raise InvalidQueryError("The request text is empty. Describe the task in words.")
    if limit is not None and limit < 1:
        raise InvalidValueError("limit", limit, "Use a whole number of 1 or more.")
    if threshold is not None and not 0.0 <= threshold <= 1.0:
        raise InvalidValueError("threshold", threshold, "Use a number from 0 to 1.")


def _load_subject(history: History, reference: str | None, text: str | None) -> _Subject:
    if reference is None:
        return _Subject(None, None, text)
    key = history.find(reference).key
    run = history.read([key])[key]
    return _Subject(key, run, run.get("nl_input"))


def _find_similar(history: History, subject: _Subject, where: RunFilter, limits: _Limits) -> SimilarRuns:
    columns, index = _load_index(history)
    keys = columns.integers["key"]
    is_candidate = _candidate_mask(history, columns, subject.key, where)
    counts = int(np.count_nonzero(is_candidate)), int(np.count_nonzero(index.sides.norms[is_candidate] == 0))
    vector = text_vector(subject.text) if subject.text else None
    if vector is None:
        return _to_result(subject, limits, counts, [])
    sides = index.sides
    side = _text_side(vector) if subject.key is None else sides.take(np.searchsorted(keys, [subject.key]))
    neighbours = nearest_neighbours(
        index, is_candidate, vector, side, threshold=limits.threshold, limit=limits.limit
    )
    best_keys = keys[neighbours.rows].tolist()
    names = history.similarity().names_of(best_keys)  # equal scores come in the order of project and id
    order = sorted(
        range(len(best_keys)), key=lambda position: (-neighbours.scores[position], names[best_keys[position]])
    )[: limits.limit]
    runs = history.read([best_keys[position] for position in order])
    similar = [
        _to_similar_run(
            subject.text or "",
            runs[best_keys[position]],
            float(neighbours.scores[position]),
            score_parts(neighbours, position, sides, side),
        )
        for position in order
    ]
    return _to_result(subject, limits, counts, similar)


def _load_index(history: History) -> tuple[ColumnTable, RunIndex]:
    """Return the columns of all runs, by key, and their features.

    Vectors of runs that were stored since the last comparison are computed now.
    """
    columns = history.columns("runs", ["key", "status", "total_cost", "duration_seconds", "is_copy"])
    stored = history.similarity().vectors(MODEL_VERSION)
    keys = columns.integers["key"]
    rows = np.searchsorted(keys, stored.keys)
    is_current = rows < len(keys)
    is_current[is_current] = keys[rows[is_current]] == stored.keys[is_current]
    if len(stored.keys) == len(keys) and is_current.all():
        return columns, RunIndex(stored.vectors, _to_pair_side(columns, stored.norms))
    vectors: list[bytes | None] = [None] * len(keys)
    for row, vector in zip(rows[is_current].tolist(), stored.vectors[is_current], strict=True):
        vectors[row] = vector.tobytes() if vector.any() else None
    new_keys = np.setdiff1d(keys, stored.keys)
    for key, request, *_ in history.similarity().features(new_keys.tolist()):
        vectors[int(np.searchsorted(keys, key))] = text_vector(request) if request else None
    vectors_array = unpack_vectors(vectors)
    return columns, RunIndex(vectors_array, _to_pair_side(columns, squared_norms(vectors_array)))


def _to_pair_side(columns: ColumnTable, norms: Integers) -> PairSide:
    status, nanodollars = columns.categorical["status"], columns.integers["total_cost"]
    codes = np.where(status.equals(RunStatus.UNKNOWN), NO_STATUS, status.codes.astype(np.int64) + 1)
    costs = np.where(nanodollars == MISSING_INT, np.nan, nanodollars / NANODOLLARS)
    return PairSide(norms, codes, costs, columns.floats["duration_seconds"])


def _text_side(vector: bytes) -> PairSide:
    """Return the features of a request that has not run."""
    norms = squared_norms(unpack_vectors([vector]))
    unknown = np.array([np.nan])
    return PairSide(norms, np.array([NO_STATUS], np.int64), unknown, unknown)


def _candidate_mask(history: History, runs: ColumnTable, own_key: int | None, where: RunFilter) -> Flags:
    """Return which runs to compare with; copies are left out, as their originals are compared."""
    keys: Integers = runs.integers["key"]
    is_candidate: Flags = runs.integers["is_copy"] != 1
    if not where.is_empty:
        is_candidate &= np.isin(keys, matching_keys(history, where))
    return is_candidate & (keys != own_key) if own_key is not None else is_candidate


def _to_similar_run(text: str, run: Workflow, score: float, part_values: Sequence[float]) -> SimilarRun:
    words = shared_words(text, run.get("nl_input") or "")
    request = run.get("nl_input")
    return SimilarRun(
        id=str(run["id"]),
        project=str(run.get("project") or ""),
        score=score,
        parts=to_similarity_parts(part_values),
        shared=tuple(SharedWord(*word_pair) for word_pair in words.shared),
        related=tuple(SharedWord(*word_pair) for word_pair in words.related),
        status=run.get("status"),
        template=run.get("workflow_template"),
        request=request[:MAX_REQUEST_CHARS] if request else None,
        created_at=run.get("created_at"),
        cost=run.get("total_cost"),
        cost_basis=run.get("cost_basis"),
        lower_bound_cost=run.get("lower_bound_cost"),
        duration_seconds=run.get("duration_seconds"),
    )


def to_similarity_parts(values: Sequence[float]) -> tuple[ScorePart, ...]:
    """Build the components of a score; weights are relative to the components with evidence.

    >>> [part.gave for part in to_similarity_parts([0.5, 1.0, math.nan, math.nan])]
    [0.3333333333333333, 0.3333333333333333, None, None]
    """
    total_weight = math.fsum(
        weight for weight, value in zip(WEIGHTS, values, strict=True) if not math.isnan(value)
    )
    return tuple(
        ScorePart(name, weight, None, None)
        if math.isnan(value)
        else ScorePart(name, weight, value, weight * value / total_weight)
        for name, weight, value in zip(PARTS, WEIGHTS, values, strict=True)
    )


def _to_result(
    subject: _Subject, limits: _Limits, counts: tuple[int, int], similar: Sequence[SimilarRun]
) -> SimilarRuns:
    run: Mapping[str, Any] = subject.run or {}
    return SimilarRuns(
        id=run.get("id"),
        project=run.get("project"),
        request=subject.text[:MAX_REQUEST_CHARS] if subject.text else None,
        basis="text" if subject.run is None else "run",
        threshold=limits.threshold,
        limit=limits.limit,
        compared=counts[0],
        without_request=counts[1],
        runs=tuple(similar),
        note=_note(subject),
    )


def _note(subject: _Subject) -> str | None:
    if not (subject.text and text_vector(subject.text)):
        return "The run has no request." if subject.run is not None else "The text has no words."
    if subject.run is None:
        return "Only the request text is compared: a new task has no status, cost or duration."
    return None
