"""Take runs out of a history on purpose, and remember which: in the caller's transaction."""

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
    """Take runs out with all that belongs to them, and note that; return how many there were.

    `passed`: nanodollars by key that other runs come to count. Sums of patterns are moved by the database
    itself.
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
    """Take runs out with all that belongs to them, and note nothing.

    The lists that they stood on stay whole, without them, and are marked to be made anew.
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
    """Forget that these runs were pruned: they are wanted again."""
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
    """Return the ids of a project's runs that were pruned."""
    return frozenset(connection.scalars(select(pruned_runs.c.id).where(pruned_runs.c.project == project)))


def list_pruned(connection: Connection) -> dict[Name, dict[str, Any]]:
    """Return all that is noted of pruned runs, by project and id."""
    rows = connection.execute(select(pruned_runs)).mappings()
    return {(row["project"], row["id"]): dict(row) for row in rows}
