"""Delete runs from a history and record them as pruned, in the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, delete, func, select

from ..column_cache.blocks import invalidate_blocks
from ..tables.schema import pruned_runs, similar_pairs, workflows
from .bulk_insert import batched, insert_rows
from .message_claims import delete_claims
from .similarity_rows import close_gaps, mark_stale

Identity = tuple[str, str]  # project, id

_RECORDED_COLUMNS = ("project", "id", "created_at", "spent_nanodollars")


def prune(connection: Connection, keys: Sequence[int], now: str, transferred: Mapping[int, int]) -> int:
    """Delete runs with all their rows, record them as pruned, and return their number.

    `transferred` is the cost by key, in nanodollars, that other runs count from now on. Database triggers
    update the totals of patterns.
    """
    count = 0
    query = select(workflows.c.key, *(workflows.c[name] for name in _RECORDED_COLUMNS))
    for batch in batched(sorted(keys)):
        rows = [
            {**row, "pruned_at": now}
            for row in connection.execute(query.where(workflows.c.key.in_(batch))).mappings()
        ]
        for row in rows:
            key, spent = row.pop("key"), row["spent_nanodollars"]
            row["spent_nanodollars"] = None if spent is None else spent - transferred.get(key, 0)
        unprune(connection, [(row["project"], row["id"]) for row in rows])
        insert_rows(connection, pruned_runs, rows)
        delete_runs(connection, batch)
        count += len(rows)
    return count


def delete_runs(connection: Connection, keys: Sequence[int]) -> None:
    """Delete runs with all their rows, without recording them as pruned.

    The lists of similar runs that contained them are renumbered without them and marked as stale.
    """
    for batch in batched(keys):
        columns = similar_pairs.c
        affected = connection.scalars(
            select(columns.workflow_key).where(columns.similar_key.in_(batch))
        ).all()
        invalidate_blocks(connection, batch)
        delete_claims(connection, batch)
        connection.execute(delete(workflows).where(workflows.c.key.in_(batch)))
        remaining = sorted(set(affected) - set(batch))
        close_gaps(connection, remaining)
        mark_stale(connection, remaining)


def unprune(connection: Connection, names: Iterable[Identity]) -> None:
    """Delete the records that these runs were pruned, so that they can be stored again."""
    if not connection.scalar(select(func.count()).select_from(pruned_runs)):
        return
    by_project: dict[str, list[str]] = defaultdict(list)
    for project, run_id in names:
        by_project[project].append(run_id)
    for project, ids in by_project.items():
        for batch in batched(ids):
            is_row = (pruned_runs.c.project == project) & pruned_runs.c.id.in_(batch)
            connection.execute(delete(pruned_runs).where(is_row))


def pruned_ids(connection: Connection, project: str) -> frozenset[str]:
    """Return the ids of the pruned runs of a project."""
    return frozenset(connection.scalars(select(pruned_runs.c.id).where(pruned_runs.c.project == project)))
