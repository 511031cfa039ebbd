"""What a database does in its own way, as fields of one record: each kind of database fills it in once."""

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
"""What is said where a database holds what nobody stored."""


def malformed_error(error: Exception) -> DatabaseError:
    """Return the error of a value in the tables that this package cannot have written."""
    return DatabaseError("", None, ValueError(f"what it holds is malformed ({error})"))


@dataclass(frozen=True, slots=True)
class Backend:
    """What one kind of database does in its own way."""

    create_engine: Callable[[URL, bool], Engine]  # True: to read alone
    is_read_only: Callable[[URL], bool]  # nothing can be written there
    insert: Callable[..., Any]  # an insert with ON CONFLICT
    numbers: Callable[[Sequence[int]], FromClause]  # whole numbers as rows, in a column `value`
    on_connect: Callable[[Connection], None]  # on a new connection, outside a transaction
    after_last_write: Callable[[Connection], None]  # after the last write, outside a transaction
    integrity_errors: Callable[[Connection], list[str]]  # what the database itself finds broken
    file: Callable[[URL], Path | None]  # the file behind the URL, where it is a file
    place: Callable[[URL], tuple[Hashable, ...]]  # equal as long as the same database lies there
    leave: Callable[[Connection], None]  # before it is closed: another database may be in its place
    put_in_place: Callable[[Path, Path, Path], None] | None  # a whole file, where one is, which is kept
    fulltext_query: Callable[
        [Sequence[SearchTerm]], Select[Any]
    ]  # keys of the runs that hold all of these words
    version: Callable[[Connection], int]  # changes when another connection has stored something
    copy_to: Callable[[Connection, Path], None] | None  # as it is now, into a new file; others may write
    into_one_file: Callable[[Connection], None]  # all of it in the file itself, where it is one
    vacuum: Callable[[Connection], None]  # give unused space back, outside a transaction
    secure_delete: Callable[[Connection], None]  # what was deleted, from its files; outside a transaction
    size: Callable[[Connection], int]  # bytes that it takes
    try_lock: Callable[[Connection, str, str], ReleaseLock | None]  # what it is called, and who holds it
    lock_holder: Callable[[Connection, str], str]  # as it was told; empty: not known
    explain_error: Callable[[str], str]  # what the database's own message means, and what to do
    extra_ddl: tuple[str, ...]  # SQL that makes what no table of the schema is; all of it is kept by triggers
