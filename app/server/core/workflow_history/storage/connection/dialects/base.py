"""Interface of a database backend: one record with the operations that differ between databases."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, FromClause, Select
from sqlalchemy.exc import DatabaseError

from ....common.file_lock import ReleaseLock
from ...reading.search_query import SearchTerm

MALFORMED_MESSAGE: Final = (
    "the history is damaged; put a backup in its place (db restore FILE), or move it away and sync anew "
    "(that knows nothing of runs whose files are gone)"
)
"""Explanation for stored values that this package cannot have written."""


def malformed_error(error: Exception) -> DatabaseError:
    """Return the error for a stored value that this package cannot have written."""
    return DatabaseError("", None, ValueError(f"what it holds is malformed ({error})"))


@dataclass(frozen=True, slots=True)
class Backend:
    """Operations that are specific to one kind of database."""

    create_engine: Callable[[URL, bool], Engine]  # URL, whether read-only
    is_read_only: Callable[[URL], bool]  # whether the database cannot be written
    insert: Callable[..., Any]  # INSERT statement with ON CONFLICT
    integer_rows: Callable[[Sequence[int]], FromClause]  # integers as rows with one column `value`
    on_connect: Callable[[Connection], None]  # called for a new connection, outside a transaction
    after_last_write: Callable[[Connection], None]  # called after the last write, outside a transaction
    integrity_errors: Callable[[Connection], list[str]]  # damage that the database itself finds
    file: Callable[[URL], Path | None]  # the database file; None for a server
    identity: Callable[[URL], tuple[Hashable, ...]]  # identity of the database, changes with its file
    before_close: Callable[[Connection], None]  # called before closing, as the file may have been replaced
    replace_file: Callable[[Path, Path, Path], None] | None  # replace a file, keep the old; None for a server
    fulltext_query: Callable[[Sequence[SearchTerm]], Select[Any]]  # keys of the runs that contain all terms
    data_version: Callable[[Connection], int]  # changes when another connection commits changes
    copy_to: Callable[[Connection, Path], None] | None  # copy the current state without blocking writers
    checkpoint_wal: Callable[[Connection], None]  # merge the log into the database file, if any
    vacuum: Callable[[Connection], None]  # release unused space, outside a transaction
    secure_delete: Callable[[Connection], None]  # erase deleted data from the files, outside a transaction
    size: Callable[[Connection], int]  # size of the history, bytes
    try_lock: Callable[[Connection, str, str], ReleaseLock | None]  # lock name, owner; None if already locked
    lock_owner: Callable[[Connection, str], str]  # owner as given to `try_lock`; empty if unknown
    explain_error: Callable[[str], str]  # explanation of a database message, and the remedy
    extra_ddl: tuple[str, ...]  # DDL beyond the schema's tables: search index, triggers, counter
