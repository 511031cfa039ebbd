"""Describe the history database: its location, size, schema revision, runs and last sync."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from .. import database
from ..common.field_docs import Doc
from .list_runs import find_runs
from .sync_status import find_syncs


@dataclass(frozen=True, slots=True)
class DatabaseInfo:
    """Location, size and content of the history database."""

    path: Annotated[str, Doc("path of the database file, or database URL without its password")]
    bytes: Annotated[int | None, Doc("size of the database in bytes; null: no history yet")]
    database_version: Annotated[str | None, Doc("revision of the database tables; null: no history yet")]
    runs: Annotated[int, Doc("number of stored runs")]
    last_sync_at: Annotated[str | None, Doc("start of the last sync with changes, ISO 8601, UTC; null: none")]


def database_info() -> DatabaseInfo:
    """Return facts about the history database in use; it need not exist."""
    with database.open_if_exists() as history:
        size, version = (None, None) if history is None else (history.size(), history.schema_version())
    syncs = find_syncs(limit=1).syncs
    return DatabaseInfo(
        path=database.database_name(),
        bytes=size,
        database_version=version,
        runs=find_runs(limit=0).total,
        last_sync_at=syncs[0]["started_at"] if syncs else None,
    )
