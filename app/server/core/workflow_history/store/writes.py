"""Store workflows by the batch, in the caller's transaction; null never overwrites a value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, case, delete, func, literal_column, null, select, update

from .bulk import chunks, columns_of, execute_rows, insert_rows
from .codec import merged
from .engine import dialect_of
from .records import Pair, Parts, Row
from .schema import agent_runs, model_usage, similar_pairs, workflows

Identity = tuple[str, str]  # project, id


class Stored(NamedTuple):
    """What the database holds of a workflow before it is written again."""

    key: int
    extra: Row | None


def stored(connection: Connection, identities: Sequence[Identity]) -> dict[Identity, Stored]:
    """Return what is stored under these names."""
    by_project: dict[str, list[str]] = defaultdict(list)
    for project, run_id in identities:
        by_project[project].append(run_id)
    found: dict[Identity, Stored] = {}
    for project, ids in by_project.items():
        for some in chunks(ids):
            query = select(workflows.c.key, workflows.c.id, workflows.c.extra)
            query = query.where(workflows.c.project == project, workflows.c.id.in_(some)).with_for_update()
            found |= {(project, row.id): Stored(row.key, row.extra) for row in connection.execute(query)}
    return found


def folded(parts: Sequence[Parts]) -> dict[Identity, Parts]:
    """Return one entry per workflow: what is named twice in a batch is laid over itself in order."""
    result: dict[Identity, Parts] = {}
    for part in parts:
        name = (part.project, part.id)
        before = result.get(name)
        result[name] = part if before is None else _over(before, part)
    return result


def _over(before: Parts, part: Parts) -> Parts:
    known = {column: value for column, value in part.row.items() if value is not None}
    row = {**before.row, **known, "extra": merged(before.row.get("extra"), part.row.get("extra")) or None}
    newer = part if part.agents is not None else before
    similar = part.similar if part.similar is not None else before.similar
    return Parts(part.project, part.id, row, newer.agents, newer.models, similar)


def store(
    connection: Connection, parts: Mapping[Identity, Parts], now: str, replaced: frozenset[str] = frozenset()
) -> dict[Identity, Stored]:
    """Insert or merge workflows with their agent runs and links; return what was there before.

    The columns in `replaced` are taken as they come; in all others null never overwrites.
    """
    before = stored(connection, list(parts))
    rows = [_with_history(part, before.get(name), now) for name, part in parts.items()]
    _upsert(connection, rows, replaced)
    with_children = {
        name: part for name, part in parts.items() if part.agents is not None or part.similar is not None
    }
    if with_children:
        keys = {name: found.key for name, found in stored(connection, list(with_children)).items()}
        _replace_agent_runs(connection, {keys[name]: part for name, part in with_children.items()})
        _link_similar(connection, {keys[name]: part for name, part in with_children.items()})
    return before


def _with_history(part: Parts, before: Stored | None, now: str) -> Row:
    row = {"first_seen_at": now, **part.row, "last_changed_at": now}
    if before is not None and before.extra and row.get("extra"):
        row["extra"] = merged(before.extra, row["extra"])
    return row


def _upsert(connection: Connection, rows: Sequence[Row], replaced: frozenset[str]) -> None:
    columns = columns_of(rows) | replaced
    statement = dialect_of(connection).insert(workflows)
    changes = _merge(statement.excluded, columns - {"project", "id"}, replaced)
    merge = statement.on_conflict_do_update(index_elements=["project", "id"], set_=changes)
    execute_rows(connection, merge, rows, columns)


def _merge(new: Any, columns: Set[str], replaced: frozenset[str]) -> dict[str, Any]:
    """Say for each column what stays: the new value where it is known, else the stored one."""
    changes: dict[str, Any] = {name: func.coalesce(new[name], workflows.c[name]) for name in sorted(columns)}
    changes.update({name: new[name] for name in replaced})
    changes["first_seen_at"] = func.coalesce(workflows.c.first_seen_at, new.first_seen_at)
    if "source_state" in columns:
        gone_at = changes.get("gone_at", workflows.c.gone_at)
        changes["gone_at"] = case((new.source_state == literal_column("'present'"), null()), else_=gone_at)
    return changes


def _replace_agent_runs(connection: Connection, parts: Mapping[int, Parts]) -> None:
    """Put the given agent runs in the place of the stored ones; their models go along."""
    given = {key: part for key, part in parts.items() if part.agents is not None}
    for some in chunks(list(given)):
        connection.execute(delete(agent_runs).where(agent_runs.c.workflow_key.in_(some)))
    agents = [
        {**agent, "workflow_key": key, "ordinal": ordinal}
        for key, part in given.items()
        for ordinal, agent in enumerate(part.agents or ())
    ]
    models = [
        {**model, "workflow_key": key, "agent_ordinal": agent_ordinal, "ordinal": ordinal}
        for key, part in given.items()
        for agent_ordinal, some_models in enumerate(part.models or ())
        for ordinal, model in enumerate(some_models)
    ]
    insert_rows(connection, agent_runs, agents)
    insert_rows(connection, model_usage, models)


def _link_similar(connection: Connection, parts: Mapping[int, Parts]) -> None:
    """Store lists that name the similar runs by id; an id that no stored run has stays text."""
    given = {key: (part.project, part.similar) for key, part in parts.items() if part.similar is not None}
    wanted = {(named or own, run_id) for own, pairs in given.values() for named, run_id, _ in pairs or ()}
    known = {name: found.key for name, found in stored(connection, sorted(wanted)).items()}
    replace_similar(
        connection,
        {key: [_pair_row(pair, own, known) for pair in pairs or ()] for key, (own, pairs) in given.items()},
    )


def _pair_row(pair: Pair, own: str, known: Mapping[Identity, int]) -> Row:
    project, run_id, score = pair
    key = known.get((project or own, run_id))
    return {"similar_key": key, "similar_id": None if key is not None else run_id, "score": score}


def replace_similar(connection: Connection, lists: Mapping[int, Sequence[Row]]) -> None:
    """Put new lists of similar runs in the place of the stored ones; ranks follow the order given."""
    for some in chunks(list(lists)):
        connection.execute(delete(similar_pairs).where(similar_pairs.c.workflow_key.in_(some)))
    rows = [
        {**row, "workflow_key": key, "rank": rank}
        for key, pairs in lists.items()
        for rank, row in enumerate(pairs, start=1)
    ]
    insert_rows(connection, similar_pairs, rows)


def save_text_vectors(connection: Connection, vectors: Mapping[int, bytes | None], model: str) -> None:
    """Store the text vectors of these runs, and the model that made them."""
    rows = [{"of_key": key, "vector": vector} for key, vector in vectors.items()]
    if rows:
        change = update(workflows).where(workflows.c.key == bindparam("of_key"))
        connection.execute(change.values(text_vector=bindparam("vector"), text_model=model), rows)


def forget_fingerprints(connection: Connection, keys: Sequence[int]) -> None:
    """Forget what these runs' files looked like: the next sync reads them again."""
    for some in chunks(keys):
        connection.execute(update(workflows).where(workflows.c.key.in_(some)).values(fingerprint=None))


def mark_gone(connection: Connection, keys: Sequence[int], at: str) -> None:
    """Note that the files of these runs are no longer there; a first time noted stays."""
    values = {"source_state": "gone", "gone_at": func.coalesce(workflows.c.gone_at, at)}
    for some in chunks(keys):
        connection.execute(update(workflows).where(workflows.c.key.in_(some)).values(values))


def mark_present(connection: Connection, keys: Sequence[int]) -> None:
    """Note that the files of these runs are there again."""
    values = {"source_state": "present", "gone_at": None}
    for some in chunks(keys):
        connection.execute(update(workflows).where(workflows.c.key.in_(some)).values(values))
