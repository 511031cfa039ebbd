"""Describe the history database: its location, size, schema revision, runs and last sync."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from .. import database
from ..common.field_docs import Doc
from ..common.shared_fields import DatabaseRevision, HistoryPath
from ..storage.reading.page_query import PageQuery
from .sync_status import MAX_LIMIT


@dataclass(frozen=True, slots=True)
class DatabaseInfo:
    """Location, size and content of the history database."""

    path: HistoryPath
    bytes: Annotated[int | None, Doc("size of the database in bytes; null: no history yet")]
    database_version: DatabaseRevision
    runs: Annotated[int, Doc("number of stored runs")]
    last_sync_at: Annotated[str | None, Doc("start of the last sync with changes, ISO 8601, UTC; null: none")]


def database_info() -> DatabaseInfo:
    """Return facts about the history database in use; it need not exist."""
    path = database.database_name()
    with database.open_if_exists() as history:
        if history is None:
            return DatabaseInfo(path, bytes=None, database_version=None, runs=0, last_sync_at=None)
        syncs, _ = history.syncs(1, MAX_LIMIT)
        return DatabaseInfo(
            path,
            bytes=history.size(),
            database_version=history.schema_version(),
            runs=history.summary_page(PageQuery(limit=0)).total,
            last_sync_at=syncs[0]["started_at"] if syncs else None,
        )
