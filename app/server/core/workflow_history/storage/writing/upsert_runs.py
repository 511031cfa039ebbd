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

from ..column_cache.blocks import invalidate_blocks
from ..connection.dialects import DIALECTS
from ..reading.runs import Home
from ..rows.column_types import encode_json, sanitize_text
from ..rows.row_codec import WORKFLOW, Row, merge_extra
from ..rows.run_rows import RunRows, SimilarPair
from ..tables.schema import agent_runs, model_usage, problems, silent_agents, similar_pairs, workflows
from .bulk_insert import batched, execute_many, insert_rows
from .pruning import unprune
from .row_keys import new_keys
from .similarity_rows import mark_stale

Identity = tuple[str, str]  # project, id

_COLUMNS = tuple(column.name for column in workflows.columns)
_COSTS = ("recorded_cost_nanodollars", "lower_bound_cost_nanodollars")
_EXTRA, _FIRST_SEEN, _LAST_CHANGED, _TOTAL, _BEYOND = (
    _COLUMNS.index(name) - 1 for name in ("extra", "first_seen_at", "last_changed_at", *_COSTS)
)  # indexes in a row, which lacks the key
_LARGEST = 2**63 - 1


class ExistingRun(NamedTuple):
    """Stored key and extra keys of a workflow, before it is merged."""

    key: int
    extra: str | None  # JSON


class SaveResult(NamedTuple):
    """Keys of all workflows of a batch, and the names of those that were stored before."""

    keys: dict[Identity, int]
    before: frozenset[Identity]


def find_existing(connection: Connection, identities: Sequence[Identity]) -> dict[Identity, ExistingRun]:
    """Return the stored workflows with these names."""
    by_project: dict[str, list[str]] = defaultdict(list)
    for project, run_id in identities:
        by_project[project].append(run_id)
    found: dict[Identity, ExistingRun] = {}
    # As text: most extras are unchanged when stored again, and only the others need decoding.
    query = select(workflows.c.id, workflows.c.key, cast(workflows.c.extra, Text))
    for project, ids in by_project.items():
        for some in batched(ids):
            rows = connection.execute(query.where(workflows.c.project == project, workflows.c.id.in_(some)))
            found |= {(project, run_id): ExistingRun(key, extra) for run_id, key, extra in rows}
    return found


def keys_of(connection: Connection, identities: Sequence[Identity]) -> dict[Identity, int]:
    """Return the keys of the stored workflows with these names."""
    return {name: found.key for name, found in find_existing(connection, identities).items()}


def merge_duplicates(parts: Sequence[RunRows]) -> dict[Identity, RunRows]:
    """Return one entry per workflow; duplicates in a batch are merged in their order."""
    result: dict[Identity, RunRows] = {}
    for part in parts:
        name = (part.project, part.id)
        before = result.get(name)
        result[name] = part if before is None else _over(before, part)
    return result


def _over(before: RunRows, part: RunRows) -> RunRows:
    row = [old if new is None else new for old, new in zip(before.row, part.row, strict=True)]
    row[_EXTRA] = _merged_text(before.row[_EXTRA], part.row[_EXTRA])
    newer = part if part.agents is not None else before
    similar = part.similar if part.similar is not None else before.similar
    silent = part.silent if part.silent is not None else before.silent
    return RunRows(part.project, part.id, tuple(row), newer.agents, newer.models, similar, silent)


def _merged_text(old: str | None, new: str | None, replaced: frozenset[str] = frozenset()) -> str | None:
    """Merge two JSON texts of extra keys; for the keys in `replaced`, null overwrites, too."""
    if old is None or new is None or old == new:
        return old if new is None else new
    come = json.loads(new)
    taken = {key: value for key, value in come.items() if key in replaced}
    return encode_json({**merge_extra(json.loads(old), come), **taken})


def upsert_runs(
    connection: Connection, parts: Mapping[Identity, RunRows], now: str, replace: Sequence[str] = ()
) -> SaveResult:
    """Insert or merge workflows with their agent runs and lists of similar runs.

    For the keys in `replace`, null overwrites stored values; for all others it never does.
    """
    replaced = WORKFLOW.columns(replace)
    without_column = frozenset(replace) - WORKFLOW.fields.keys()
    before = find_existing(connection, list(parts))
    new = [name for name in parts if name not in before]
    numbers = new_keys(connection, workflows, len(new))
    keys = {name: found.key for name, found in before.items()} | dict(zip(new, numbers, strict=True))
    rows = [_row(keys[name], part.row, before.get(name), now, without_column) for name, part in parts.items()]
    execute_many(connection, _upsert(connection.dialect.name, replaced), _COLUMNS, rows)
    mark_stale(connection, list(keys.values()))
    invalidate_blocks(connection, keys.values())
    unprune(connection, new)
    _replace_agent_runs(connection, {keys[name]: part for name, part in parts.items()}, frozenset(numbers))
    _link_similar(connection, {keys[name]: part for name, part in parts.items()})
    return SaveResult(keys, frozenset(before))


def _row(key: int, row: Row, before: ExistingRun | None, now: str, replaced: frozenset[str]) -> Row:
    """Return a workflow's row with its key, its total spend, and the history's own times."""
    known = [amount for amount in (row[_TOTAL], row[_BEYOND]) if amount is not None]
    whole = [key, *row, min(sum(known), _LARGEST) if known else None]
    whole[_FIRST_SEEN + 1] = row[_FIRST_SEEN] or now
    whole[_LAST_CHANGED + 1] = now
    if before is not None:
        whole[_EXTRA + 1] = _merged_text(before.extra, row[_EXTRA], replaced)
    return tuple(whole)


@lru_cache(maxsize=16)
def _upsert(dialect: str, replaced: frozenset[str]) -> Insert:
    """Build the upsert statement of a batch: a new value if it is known, otherwise the stored one."""
    statement = DIALECTS[dialect].insert(workflows)
    new, old = statement.excluded, workflows.c
    names = set(_COLUMNS) - {"key", "project", "id"}
    changes: dict[str, Any] = {name: func.coalesce(new[name], old[name]) for name in sorted(names - replaced)}
    changes |= {name: new[name] for name in replaced}
    recorded, bound = (new[name] for name in _COSTS)
    only_bound: ColumnElement[str] = literal_column("'lower_bound'")
    if not replaced.issuperset(_COSTS):
        # A total that was or becomes a lower bound changes its column: clear it in the previous one.
        was, becomes = (
            and_(row.cost_basis == only_bound, row[_COSTS[0]].is_(None), row[_COSTS[1]].is_not(None))
            for row in (old, new)
        )
        changes[_COSTS[0]] = case((func.coalesce(becomes, false()), null()), else_=changes[_COSTS[0]])
        returns = and_(func.coalesce(was, false()), recorded.is_not(None))
        changes[_COSTS[1]] = case((returns, bound), else_=changes[_COSTS[1]])
    total, beyond = (changes[name] for name in _COSTS)
    changes["spent_nanodollars"] = func.coalesce(total + beyond, total, beyond)
    changes["copy_of"] = case((new.cost_basis.is_(None), changes["copy_of"]), else_=null())
    changes["first_seen_at"] = func.coalesce(old.first_seen_at, new.first_seen_at)
    changes["gone_at"] = case(
        (new.source_state == literal_column("'present'"), null()), else_=changes["gone_at"]
    )
    found: Insert = statement.on_conflict_do_update(index_elements=["key"], set_=changes)
    return found


def _replace_agent_runs(connection: Connection, parts: Mapping[int, RunRows], new: frozenset[int]) -> None:
    """Replace the stored agent runs, and agents without a stream, if new ones are given."""
    given = {key: part for key, part in parts.items() if part.agents is not None}
    for some in batched([key for key in given if key not in new]):
        connection.execute(delete(agent_runs).where(agent_runs.c.workflow_key.in_(some)))
    for table, lists in (
        (agent_runs, [(key, part.agents or ()) for key, part in given.items()]),
        (model_usage, [(key, part.models or ()) for key, part in given.items()]),
    ):
        rows = [(key, *row) for key, some_rows in lists for row in some_rows]
        execute_many(connection, insert(table), table.columns.keys(), rows)
    silent = {key: part.silent for key, part in parts.items() if part.silent is not None}
    for some in batched([key for key in silent if key not in new]):
        connection.execute(delete(silent_agents).where(silent_agents.c.workflow_key.in_(some)))
    rows = [(key, *row) for key, some_rows in silent.items() for row in some_rows]
    execute_many(connection, insert(silent_agents), silent_agents.columns.keys(), rows)


def _link_similar(connection: Connection, parts: Mapping[int, RunRows]) -> None:
    """Store lists of similar runs given by id; an id without a stored run is kept as text."""
    given = {key: (part.project, part.similar) for key, part in parts.items() if part.similar is not None}
    wanted = {(named or own, run_id) for own, pairs in given.values() for named, run_id, _ in pairs or ()}
    known = keys_of(connection, sorted(wanted))
    replace_similar(
        connection,
        {key: [_pair_row(pair, own, known) for pair in pairs or ()] for key, (own, pairs) in given.items()},
    )


def _pair_row(pair: SimilarPair, own: str, known: Mapping[Identity, int]) -> dict[str, Any]:
    project, run_id, score = pair
    key = known.get((project or own, run_id))
    return {"similar_key": key, "similar_id": None if key is not None else run_id, "score": score}


def replace_similar(connection: Connection, lists: Mapping[int, Sequence[Mapping[str, Any]]]) -> None:
    """Replace the stored lists of similar runs; ranks follow the given order."""
    for some in batched(list(lists)):
        connection.execute(delete(similar_pairs).where(similar_pairs.c.workflow_key.in_(some)))
    rows = [
        {**row, "workflow_key": key, "rank": rank}
        for key, pairs in lists.items()
        for rank, row in enumerate(pairs, start=1)
    ]
    insert_rows(connection, similar_pairs, rows)


def forget_fingerprints(connection: Connection, keys: Sequence[int]) -> None:
    """Clear the file fingerprints of these runs, so that the next sync reads them again."""
    for some in batched(keys):
        connection.execute(update(workflows).where(workflows.c.key.in_(some)).values(fingerprint=None))


def move_home(connection: Connection, home: Home, agents_dir: str) -> None:
    """Record that an agents directory was moved: update it in its runs and problems."""
    mine = (
        workflows.c.project == home.project,
        workflows.c.agents_dir == home.agents_dir,
        workflows.c.found_on.is_not_distinct_from(home.found_on),
    )
    connection.execute(update(workflows).where(*mine).values(agents_dir=sanitize_text(agents_dir)))
    noted = update(problems).where(problems.c.agents_dir == home.agents_dir)
    connection.execute(noted.values(agents_dir=sanitize_text(agents_dir)))


def move_run(connection: Connection, key: int, project: str, run_id: str, agents_dir: str) -> None:
    """Record that one run was moved or renamed; no other run may have the new name."""
    invalidate_blocks(connection, [key])
    named = {"project": sanitize_text(project), "id": sanitize_text(run_id)}
    place = {"agents_dir": sanitize_text(agents_dir), "fingerprint": None}
    connection.execute(update(workflows).where(workflows.c.key == key).values(**named, **place))
    mark_stale(connection, [key])


def mark_deleted(connection: Connection, keys: Sequence[int], at: str) -> None:
    """Record that the files of these runs are missing; a time recorded before is kept."""
    invalidate_blocks(connection, keys)
    values = {"source_state": "gone", "gone_at": func.coalesce(workflows.c.gone_at, at)}
    for some in batched(keys):
        connection.execute(update(workflows).where(workflows.c.key.in_(some)).values(values))


def mark_restored(connection: Connection, keys: Sequence[int]) -> None:
    """Record that the files of these runs are present again."""
    invalidate_blocks(connection, keys)
    values = {"source_state": "present", "gone_at": None}
    for some in batched(keys):
        connection.execute(update(workflows).where(workflows.c.key.in_(some)).values(values))
