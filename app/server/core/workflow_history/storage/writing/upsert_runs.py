"""Insert or merge workflows in batches, in the caller's transaction; null never overwrites a value."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    and_,
    case,
    cast,
    delete,
    false,
    func,
    insert,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.sql.dml import Insert

from ...common.models import SourceState
from ..column_cache.blocks import invalidate_blocks
from ..connection.dialects import DIALECTS
from ..reading.runs import AgentsDirectory
from ..rows.column_types import MAX_INTEGER, encode_json, sanitize_text
from ..rows.row_codec import WORKFLOW, Row, merge_extra
from ..rows.run_rows import RunRows
from ..tables.schema import agent_runs, model_usage, problems, silent_agents, similar_pairs, workflows
from .bulk_insert import batched, execute_many, insert_rows
from .pruning import Identity, unprune
from .row_keys import new_keys
from .similarity_rows import mark_stale

_COLUMNS = tuple(column.name for column in workflows.columns)
_COST_COLUMNS = ("recorded_cost_nanodollars", "lower_bound_cost_nanodollars")
_EXTRA_INDEX, _FIRST_SEEN_INDEX, _LAST_CHANGED_INDEX, _RECORDED_INDEX, _LOWER_BOUND_INDEX = (
    _COLUMNS.index(name) - 1 for name in ("extra", "first_seen_at", "last_changed_at", *_COST_COLUMNS)
)  # indexes in a row, which lacks the key


class ExistingRun(NamedTuple):
    """Stored key and extra keys of a workflow, before it is merged."""

    key: int
    extra: str | None  # JSON


class UpsertResult(NamedTuple):
    """Keys of all workflows of a batch, and the names of those that were stored before."""

    keys: dict[Identity, int]
    existing: frozenset[Identity]


def find_existing(connection: Connection, identities: Sequence[Identity]) -> dict[Identity, ExistingRun]:
    """Return the stored workflows with these names."""
    by_project: dict[str, list[str]] = defaultdict(list)
    for project, run_id in identities:
        by_project[project].append(run_id)
    existing: dict[Identity, ExistingRun] = {}
    # As text: most extras are unchanged when stored again, and only the others need decoding.
    query = select(workflows.c.id, workflows.c.key, cast(workflows.c.extra, Text))
    for project, ids in by_project.items():
        for batch in batched(ids):
            rows = connection.execute(query.where(workflows.c.project == project, workflows.c.id.in_(batch)))
            existing |= {(project, run_id): ExistingRun(key, extra) for run_id, key, extra in rows}
    return existing


def keys_of(connection: Connection, identities: Sequence[Identity]) -> dict[Identity, int]:
    """Return the keys of the stored workflows with these names."""
    return {name: run.key for name, run in find_existing(connection, identities).items()}


def merge_duplicates(batch: Sequence[RunRows]) -> dict[Identity, RunRows]:
    """Return one entry per workflow; duplicates in a batch are merged in their order."""
    result: dict[Identity, RunRows] = {}
    for rows in batch:
        name = (rows.project, rows.id)
        previous = result.get(name)
        result[name] = rows if previous is None else _merge_rows(previous, rows)
    return result


def _merge_rows(previous: RunRows, new_rows: RunRows) -> RunRows:
    row = [old if new is None else new for old, new in zip(previous.row, new_rows.row, strict=True)]
    row[_EXTRA_INDEX] = _merge_extra_text(previous.row[_EXTRA_INDEX], new_rows.row[_EXTRA_INDEX])
    agents_source = new_rows if new_rows.agents is not None else previous
    similar = new_rows.similar if new_rows.similar is not None else previous.similar
    silent = new_rows.silent if new_rows.silent is not None else previous.silent
    return RunRows(
        new_rows.project, new_rows.id, tuple(row), agents_source.agents, agents_source.models, similar, silent
    )


def _merge_extra_text(
    old: str | None, new: str | None, replaceable: frozenset[str] = frozenset()
) -> str | None:
    """Merge two JSON texts of extra keys; for the keys in `replaceable`, null overwrites, too."""
    if old is None or new is None or old == new:
        return old if new is None else new
    new_extra = json.loads(new)
    overwritten = {key: value for key, value in new_extra.items() if key in replaceable}
    return encode_json({**merge_extra(json.loads(old), new_extra), **overwritten})


def upsert_runs(
    connection: Connection, batch: Mapping[Identity, RunRows], now: str, replace: Sequence[str] = ()
) -> UpsertResult:
    """Insert or merge workflows with their agent runs and lists of similar runs.

    For the keys in `replace`, null overwrites stored values; for all others it never does.
    """
    replaced = WORKFLOW.columns(replace)
    without_column = frozenset(replace) - WORKFLOW.fields.keys()
    existing = find_existing(connection, list(batch))
    new = [name for name in batch if name not in existing]
    new_numbers = new_keys(connection, workflows, len(new))
    keys = {name: run.key for name, run in existing.items()} | dict(zip(new, new_numbers, strict=True))
    stored_rows = [
        _stored_row(keys[name], rows.row, existing.get(name), now, without_column)
        for name, rows in batch.items()
    ]
    execute_many(connection, _upsert_statement(connection.dialect.name, replaced), _COLUMNS, stored_rows)
    mark_stale(connection, list(keys.values()))
    invalidate_blocks(connection, keys.values())
    unprune(connection, new)
    rows_by_key = {keys[name]: rows for name, rows in batch.items()}
    _replace_agent_runs(connection, rows_by_key, frozenset(new_numbers))
    _save_similar(connection, rows_by_key)
    return UpsertResult(keys, frozenset(existing))


def _stored_row(key: int, row: Row, existing: ExistingRun | None, now: str, replaced: frozenset[str]) -> Row:
    """Return a workflow's row with its key, its total spend, and the history's own times."""
    amounts = [amount for amount in (row[_RECORDED_INDEX], row[_LOWER_BOUND_INDEX]) if amount is not None]
    values = [key, *row, min(sum(amounts), MAX_INTEGER) if amounts else None]
    values[_FIRST_SEEN_INDEX + 1] = row[_FIRST_SEEN_INDEX] or now
    values[_LAST_CHANGED_INDEX + 1] = now
    if existing is not None:
        values[_EXTRA_INDEX + 1] = _merge_extra_text(existing.extra, row[_EXTRA_INDEX], replaced)
    return tuple(values)


@lru_cache(maxsize=16)
def _upsert_statement(dialect: str, replaced: frozenset[str]) -> Insert:
    """Build the upsert statement of a batch: a new value if it is known, otherwise the stored one."""
    statement = DIALECTS[dialect].insert(workflows)
    new, old = statement.excluded, workflows.c
    names = set(_COLUMNS) - {"key", "project", "id"}
    changes: dict[str, Any] = {name: func.coalesce(new[name], old[name]) for name in sorted(names - replaced)}
    changes |= {name: new[name] for name in replaced}
    recorded, bound = (new[name] for name in _COST_COLUMNS)
    only_bound: ColumnElement[str] = literal_column("'lower_bound'")
    if not replaced.issuperset(_COST_COLUMNS):
        # A total that was or becomes a lower bound changes its column: clear it in the previous one.
        was_bound, becomes_bound = (
            and_(
                row.cost_basis == only_bound,
                row[_COST_COLUMNS[0]].is_(None),
                row[_COST_COLUMNS[1]].is_not(None),
            )
            for row in (old, new)
        )
        changes[_COST_COLUMNS[0]] = case(
            (func.coalesce(becomes_bound, false()), null()), else_=changes[_COST_COLUMNS[0]]
        )
        is_now_recorded = and_(func.coalesce(was_bound, false()), recorded.is_not(None))
        changes[_COST_COLUMNS[1]] = case((is_now_recorded, bound), else_=changes[_COST_COLUMNS[1]])
    new_recorded, new_bound = (changes[name] for name in _COST_COLUMNS)
    changes["spent_nanodollars"] = func.coalesce(new_recorded + new_bound, new_recorded, new_bound)
    changes["copy_of"] = case((new.cost_basis.is_(None), changes["copy_of"]), else_=null())
    changes["first_seen_at"] = func.coalesce(old.first_seen_at, new.first_seen_at)
    changes["missing_since"] = case(
        (new.source_state == literal_column("'present'"), null()), else_=changes["missing_since"]
    )
    upsert: Insert = statement.on_conflict_do_update(index_elements=["key"], set_=changes)
    return upsert


def _replace_agent_runs(
    connection: Connection, rows_by_key: Mapping[int, RunRows], new: frozenset[int]
) -> None:
    """Replace the stored agent runs, and agents without a stream, if new ones are given."""
    replaced = {key: run_rows for key, run_rows in rows_by_key.items() if run_rows.agents is not None}
    for batch in batched([key for key in replaced if key not in new]):
        connection.execute(delete(agent_runs).where(agent_runs.c.workflow_key.in_(batch)))
    for table, lists in (
        (agent_runs, [(key, run_rows.agents or ()) for key, run_rows in replaced.items()]),
        (model_usage, [(key, run_rows.models or ()) for key, run_rows in replaced.items()]),
    ):
        rows = [(key, *row) for key, agents in lists for row in agents]
        execute_many(connection, insert(table), table.columns.keys(), rows)
    silent = {key: run_rows.silent for key, run_rows in rows_by_key.items() if run_rows.silent is not None}
    for batch in batched([key for key in silent if key not in new]):
        connection.execute(delete(silent_agents).where(silent_agents.c.workflow_key.in_(batch)))
    rows = [(key, *row) for key, agents in silent.items() for row in agents]
    execute_many(connection, insert(silent_agents), silent_agents.columns.keys(), rows)


def _save_similar(connection: Connection, rows_by_key: Mapping[int, RunRows]) -> None:
    """Replace lists of similar runs, in order of rank; the id of a run that is not stored is kept as text."""
    lists = {
        key: [(project or run_rows.project, run_id, score) for project, run_id, score in run_rows.similar]
        for key, run_rows in rows_by_key.items()
        if run_rows.similar is not None
    }
    for batch in batched(list(lists)):
        connection.execute(delete(similar_pairs).where(similar_pairs.c.workflow_key.in_(batch)))
    names = {(project, run_id) for pairs in lists.values() for project, run_id, _ in pairs}
    keys = keys_of(connection, sorted(names))
    rows = []
    for key, pairs in lists.items():
        for rank, (project, run_id, score) in enumerate(pairs, start=1):
            similar_key = keys.get((project, run_id))
            rows.append(
                {
                    "workflow_key": key,
                    "rank": rank,
                    "similar_key": similar_key,
                    "similar_id": run_id if similar_key is None else None,
                    "score": score,
                }
            )
    insert_rows(connection, similar_pairs, rows)


def clear_fingerprints(connection: Connection, keys: Sequence[int]) -> None:
    """Clear the file fingerprints of these runs, so that the next sync reads them again."""
    for batch in batched(keys):
        connection.execute(update(workflows).where(workflows.c.key.in_(batch)).values(fingerprint=None))


def move_directory(connection: Connection, directory: AgentsDirectory, agents_dir: str) -> None:
    """Record that an agents directory was moved: update it in its runs and problems."""
    is_moved = (
        workflows.c.project == directory.project,
        workflows.c.agents_dir == directory.agents_dir,
        workflows.c.host.is_not_distinct_from(directory.host),
    )
    connection.execute(update(workflows).where(*is_moved).values(agents_dir=sanitize_text(agents_dir)))
    problem_update = update(problems).where(problems.c.agents_dir == directory.agents_dir)
    connection.execute(problem_update.values(agents_dir=sanitize_text(agents_dir)))


def move_run(connection: Connection, key: int, project: str, run_id: str, agents_dir: str) -> None:
    """Record that one run was moved or renamed; no other run may have the new name."""
    invalidate_blocks(connection, [key])
    name_values = {"project": sanitize_text(project), "id": sanitize_text(run_id)}
    location_values = {"agents_dir": sanitize_text(agents_dir), "fingerprint": None}
    connection.execute(
        update(workflows).where(workflows.c.key == key).values(**name_values, **location_values)
    )
    mark_stale(connection, [key])


def mark_deleted(connection: Connection, keys: Sequence[int], at: str) -> None:
    """Record that the files of these runs are missing; a time recorded before is kept."""
    invalidate_blocks(connection, keys)
    values = {
        "source_state": SourceState.MISSING,
        "missing_since": func.coalesce(workflows.c.missing_since, at),
    }
    for batch in batched(keys):
        connection.execute(update(workflows).where(workflows.c.key.in_(batch)).values(values))


def mark_restored(connection: Connection, keys: Sequence[int]) -> None:
    """Record that the files of these runs are present again."""
    invalidate_blocks(connection, keys)
    values = {"source_state": SourceState.PRESENT, "missing_since": None}
    for batch in batched(keys):
        connection.execute(update(workflows).where(workflows.c.key.in_(batch)).values(values))
