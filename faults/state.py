"""Read all rows of a history in a form that can be compared: no internal keys, no own timestamps."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, select

from app.server.core.workflow_history.common.errors import WorkflowHistoryError
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.tables import schema

OWN_TIMES = frozenset({"first_seen_at", "last_changed_at", "missing_since", "decided_at", "pruned_at"})
"""Columns with the time at which a history recorded something; they differ between any two histories."""

LEFT_OUT = frozenset({"column_blocks", "sync_runs", "last_keys"})
"""Tables that are not compared.

`column_blocks` is derived from other tables (`db check` verifies it), `sync_runs` is the log of all syncs,
and `last_keys` stores the last keys given.
"""

State = Counter[tuple[str, str]]
"""Number of occurrences by table name and row, the row as JSON."""


def state_of(database: Path | str | URL) -> State:
    """Return all compared rows of a history, with foreign keys replaced by project/id or kind/signature."""
    with History.open(database) as history, history._reading() as connection:
        runs = _names(connection, schema.workflows, "project", "id")
        names = {
            "workflow_key": runs,
            "similar_key": runs,
            "pattern_key": _names(connection, schema.patterns, "kind", "signature"),
        }
        return Counter(
            (table.name, _row(dict(row), names))
            for table in schema.metadata.sorted_tables
            if table.name not in LEFT_OUT
            for row in connection.execute(select(table)).mappings()
            if table is not schema.patterns or row["runs"]  # a pattern without runs carries no information
        )


def damages_of(database: Path, scratch: Path) -> list[str]:
    """Return the problems of a history, empty if there is no file.

    Checks a copy, so that the files that a kill left behind stay unchanged.
    """
    copy = scratch / "looked-at.db"
    copy_history(database, copy)
    if not copy.exists():
        return []
    try:
        with History.open(copy) as history:
            return history.check()
    except WorkflowHistoryError as error:
        return [str(error)]


def copy_history(source: Path, target: Path) -> None:
    """Replace `target` by a copy of the history `source` and its write-ahead log."""
    remove_history(target)
    for ending in ("", "-wal"):
        if (file := source.with_name(source.name + ending)).exists():
            shutil.copy2(file, target.with_name(target.name + ending))


def remove_history(database: Path) -> None:
    """Delete a history file with its write-ahead log and shared-memory file."""
    for ending in ("", "-wal", "-shm"):
        database.with_name(database.name + ending).unlink(missing_ok=True)


def _names(connection: Connection, table: Any, *columns: str) -> dict[int, str]:
    rows = connection.execute(select(table.c.key, *(table.c[name] for name in columns)))
    return {key: "/".join(words) for key, *words in rows}


def _row(row: dict[str, Any], names: Mapping[str, Mapping[int, str]]) -> str:
    told = {
        name: names[name].get(value) if name in names and value is not None else value
        for name, value in row.items()
        if name != "key" and name not in OWN_TIMES
    }
    return json.dumps(told, sort_keys=True, default=lambda value: bytes(value).hex())
