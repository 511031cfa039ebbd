"""Load and store the features of runs and their lists of similar runs, in the caller's transaction.

Writing a run clears the `text_model` of its features; the next sync finds such stale runs by an index.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, null, or_, select, update
from sqlalchemy.sql.dml import Insert, Update

from ..column_cache.blocks import VECTORS, invalidate_blocks
from ..connection.engine import fetch_raw_rows, get_dialect
from ..reading.cost_sql import whole_duration
from ..tables.schema import similar_pairs, similarity_features, workflows
from .bulk_insert import batched, execute_many

_BATCH_SIZE = 10_000  # rows in memory as Python objects at a time


class FeatureRow(NamedTuple):
    """Features by which one run was compared when its list was computed."""

    key: int
    vector: bytes | None  # vector of the request; None: no text
    status: str | None  # None: unknown
    cost: int | None  # nanodollars; None: unknown
    duration: float | None  # seconds; None: unknown
    least: float | None  # score of the last place; None: the list is not full


class SimilarPairRow(NamedTuple):
    """One place of one list of similar runs."""

    key: int
    rank: int  # from 1
    similar_key: int | None  # None: the similar run is not stored
    score: float


class StaleRun(NamedTuple):
    """A run that was written since its list was computed, or that never had one."""

    key: int
    project: str
    id: str


def mark_stale(connection: Connection, keys: Sequence[int]) -> None:
    """Mark the lists of these runs as stale, as the runs may have changed; drop their packed vectors."""
    statement = get_dialect(connection).insert(similarity_features)
    mark = statement.on_conflict_do_update(index_elements=["workflow_key"], set_={"text_model": null()})
    execute_many(connection, mark, ["workflow_key"], [(key,) for key in keys])
    invalidate_blocks(connection, keys, family=VECTORS)


def stale_query(model: str) -> Select[Any]:
    """Return a query for the runs without a current list by `model`; it takes two index searches."""
    model_column = similarity_features.c.text_model
    stale = or_(model_column.is_(None), model_column < model, model_column > model)
    stale_keys = select(similarity_features.c.workflow_key).where(stale)
    return select(workflows.c.key, workflows.c.project, workflows.c.id).where(workflows.c.key.in_(stale_keys))


def stale_runs(connection: Connection, model: str) -> list[StaleRun]:
    """Return the runs whose lists must be computed again."""
    query = stale_query(model).order_by(workflows.c.key)
    return [StaleRun._make(row) for row in fetch_raw_rows(connection, query)]


def compared_values(connection: Connection, keys: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    """Yield key, request, status, recorded cost (nanodollars) and whole duration (seconds) of some runs."""
    columns = workflows.c
    query = select(
        columns.key, columns.nl_input, columns.status, columns.recorded_cost_nanodollars, whole_duration()
    )
    for batch in batched(keys):
        yield from fetch_raw_rows(connection, query.where(columns.key.in_(batch)))


def run_names(connection: Connection) -> Iterator[list[tuple[int, str, str]]]:
    """Yield key, project and id of every run in batches, ordered by project and id."""
    columns = workflows.c
    query = select(columns.key, columns.project, columns.id).order_by(columns.project, columns.id)
    return _row_batches(connection, query)


def names_of(connection: Connection, keys: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Return the projects and ids of these runs, by key."""
    columns = workflows.c
    names: dict[int, tuple[str, str]] = {}
    for batch in batched(keys):
        query = select(columns.key, columns.project, columns.id).where(columns.key.in_(batch))
        names.update({key: (project, run_id) for key, project, run_id in fetch_raw_rows(connection, query)})
    return names


def feature_rows(connection: Connection, model: str) -> Iterator[list[FeatureRow]]:
    """Yield the features of every run with a current list by `model` in batches, ordered by key."""
    query = (
        select(*_FEATURE_COLUMNS)
        .where(similarity_features.c.text_model == model)
        .order_by(similarity_features.c.workflow_key)
    )
    return _row_batches(connection, query)


def text_vectors(
    connection: Connection, model: str, keys: Sequence[int]
) -> tuple[list[int], list[bytes | None]]:
    """Return keys and text vectors of those of these runs that have a current list by `model`."""
    columns = similarity_features.c
    query = select(columns.workflow_key, columns.text_vector).where(columns.text_model == model)
    rows = [
        row
        for batch in batched(keys)
        for row in fetch_raw_rows(connection, query.where(columns.workflow_key.in_(batch)))
    ]
    return [key for key, _ in rows], [vector for _, vector in rows]


def count_uncompared(connection: Connection, model: str) -> int:
    """Count the runs that `model` has not compared, or that were written since."""
    compared = (
        select(func.count()).select_from(similarity_features).where(similarity_features.c.text_model == model)
    )
    runs = connection.execute(select(func.count()).select_from(workflows)).scalar_one()
    return int(runs - connection.execute(compared).scalar_one())


_FEATURE_COLUMNS = [column for column in similarity_features.columns if column.name != "text_model"]


def similar_lists(connection: Connection, keys: Sequence[int]) -> Iterator[list[SimilarPairRow]]:
    """Yield the places of the lists of these runs in batches, ordered by run and rank."""
    columns = similar_pairs.c
    for batch in batched(keys):
        query = select(columns.workflow_key, columns.rank, columns.similar_key, columns.score)
        batch_query = query.where(columns.workflow_key.in_(batch))
        yield from _row_batches(connection, batch_query.order_by(columns.workflow_key, columns.rank))


def lists_containing(connection: Connection, keys: Sequence[int]) -> set[int]:
    """Return the keys of the runs whose lists contain any of these runs."""
    columns = similar_pairs.c
    runs: set[int] = set()
    for batch in batched(keys):
        rows = fetch_raw_rows(connection, select(columns.workflow_key).where(columns.similar_key.in_(batch)))
        runs.update(key for (key,) in rows)
    return runs


def save_features(connection: Connection, rows: Iterable[FeatureRow], model: str) -> None:
    """Store the features of runs whose lists are current."""
    names = [*(column.name for column in _FEATURE_COLUMNS), "text_model"]
    statement = get_dialect(connection).insert(similarity_features)
    new_values = {name: statement.excluded[name] for name in names[1:]}
    upsert = statement.on_conflict_do_update(index_elements=["workflow_key"], set_=new_values)
    keys: list[int] = []
    _execute_batches(connection, upsert, names, ((*row, model) for row in _collect_keys(rows, keys)))
    invalidate_blocks(connection, keys, family=VECTORS)


def _collect_keys(rows: Iterable[FeatureRow], keys: list[int]) -> Iterator[FeatureRow]:
    for row in rows:
        keys.append(row[0])
        yield row


def save_min_scores(connection: Connection, min_scores: Iterable[tuple[int, float | None]]) -> None:
    """Store the scores of the last places of lists that changed while their runs did not."""
    statement = (
        update(similarity_features)
        .where(similarity_features.c.workflow_key == bindparam("of"))
        .values(least=bindparam("score"))
    )
    _execute_batches(connection, statement, ["of", "score"], min_scores)


def save_lists(connection: Connection, keys: Sequence[int], pairs: Iterable[SimilarPairRow]) -> None:
    """Replace the lists of these runs by `pairs`; a run without any gets an empty list."""
    for batch in batched(keys):
        connection.execute(delete(similar_pairs).where(similar_pairs.c.workflow_key.in_(batch)))
    names = ["workflow_key", "rank", "similar_key", "score"]
    _execute_batches(connection, insert(similar_pairs), names, pairs)


def close_gaps(connection: Connection, keys: Sequence[int]) -> None:
    """Renumber the lists of these runs from 1, as runs on them may have been deleted."""
    columns = similar_pairs.c
    changes: list[tuple[int, int, int]] = []
    for batch in batched(keys):
        query = select(columns.workflow_key, columns.rank).where(columns.workflow_key.in_(batch))
        rows = fetch_raw_rows(connection, query.order_by(columns.workflow_key, columns.rank))
        for key, ranks in groupby(rows, itemgetter(0)):
            changes += [(key, old, new) for new, (_, old) in enumerate(ranks, 1) if new != old]
    # In ascending order, row by row: the new rank of a row is free by then.
    statement = update(similar_pairs).where(
        columns.workflow_key == bindparam("of"), columns.rank == bindparam("old")
    )
    execute_many(connection, statement.values(rank=bindparam("new")), ["of", "old", "new"], changes)


def _execute_batches(
    connection: Connection, statement: Insert | Update, names: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Run `statement` once for each row, in batches."""
    rows = iter(rows)
    while batch := list(islice(rows, _BATCH_SIZE)):
        execute_many(connection, statement, names, batch)


def _row_batches(connection: Connection, query: Select[Any]) -> Iterator[list[Any]]:
    """Yield rows in batches of the driver's own tuples, as a row object for each would double the time."""
    result = connection.execute(query)
    cursor: Any = result.cursor
    while rows := cursor.fetchmany(_BATCH_SIZE):
        yield rows
    result.close()
