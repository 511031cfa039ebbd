"""Delete runs from a history and record them as pruned, in the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, select

from ..column_cache.blocks import invalidate_blocks
from ..tables.schema import pruned_runs, similar_pairs, workflows
from .bulk_insert import batched, insert_rows
from .message_claims import forget_claims
from .similarity_rows import close_gaps, mark_stale

Name = tuple[str, str]  # project, id

_NOTED = ("project", "id", "created_at", "spent_nanodollars")


def prune(connection: Connection, keys: Sequence[int], now: str, passed: Mapping[int, int]) -> int:
    """Delete runs with all their rows, record them as pruned, and return their number.

    `passed` is the cost by key, in nanodollars, that other runs count from now on. The totals of patterns
    are updated by database triggers.
    """
    count = 0
    for some in batched(sorted(keys)):
        query = select(workflows.c.key, *(workflows.c[name] for name in _NOTED))
        found = connection.execute(query.where(workflows.c.key.in_(some))).mappings()
        rows = [{**_noted(row, passed), "pruned_at": now} for row in found]
        unprune(connection, [(row["project"], row["id"]) for row in rows])
        insert_rows(connection, pruned_runs, rows)
        delete_runs(connection, some)
        count += len(rows)
    return count


def _noted(run: RowMapping, passed: Mapping[int, int]) -> dict[str, Any]:
    spent, less = run["spent_nanodollars"], passed.get(run["key"], 0)
    return {
        **{name: run[name] for name in _NOTED},
        "spent_nanodollars": None if spent is None else spent - less,
    }


def delete_runs(connection: Connection, keys: Sequence[int]) -> None:
    """Delete runs with all their rows, without recording them as pruned.

    The lists of similar runs that contained them are renumbered without them and marked as stale.
    """
    for some in batched(keys):
        similar = similar_pairs.c
        near = connection.scalars(select(similar.workflow_key).where(similar.similar_key.in_(some))).all()
        invalidate_blocks(connection, some)
        forget_claims(connection, some)
        connection.execute(delete(workflows).where(workflows.c.key.in_(some)))
        left = sorted(set(near) - set(some))
        close_gaps(connection, left)
        mark_stale(connection, left)


def unprune(connection: Connection, names: Iterable[Name]) -> None:
    """Delete the records that these runs were pruned, so that they can be stored again."""
    if not connection.scalar(select(func.count()).select_from(pruned_runs)):
        return
    by_project: dict[str, list[str]] = defaultdict(list)
    for project, run_id in names:
        by_project[project].append(run_id)
    for project, ids in by_project.items():
        for some in batched(ids):
            mine = (pruned_runs.c.project == project) & pruned_runs.c.id.in_(some)
            connection.execute(delete(pruned_runs).where(mine))


def pruned_ids(connection: Connection, project: str) -> frozenset[str]:
    """Return the ids of the pruned runs of a project."""
    return frozenset(connection.scalars(select(pruned_runs.c.id).where(pruned_runs.c.project == project)))


def list_pruned(connection: Connection) -> dict[Name, dict[str, Any]]:
    """Return the records of all pruned runs, by project and id."""
    rows = connection.execute(select(pruned_runs)).mappings()
    return {(row["project"], row["id"]): dict(row) for row in rows}
