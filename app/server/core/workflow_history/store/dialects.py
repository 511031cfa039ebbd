"""All that differs between databases, by dialect name: a second engine is one more entry in DIALECTS."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    ExceptionContext,
    NullPool,
    Select,
    Table,
    create_engine,
    event,
    func,
    literal_column,
    select,
    table,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import DatabaseError

from .search import SEARCH_TABLE
from .search_words import Piece, fts5

LOCK_WAIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one kind of database does in its own way."""

    create_engine: Callable[[URL, bool], Engine]  # True: to read alone
    is_read_only: Callable[[URL], bool]  # nothing can be written there
    insert: Callable[..., Any]  # an insert with ON CONFLICT
    new_keys: Callable[[Connection, Table, int], range]  # of rows to come, in a transaction that writes
    prepare: Callable[[Connection], None]  # on a new connection, outside a transaction
    settle: Callable[[Connection], None]  # after the last write, outside a transaction
    damages: Callable[[Connection], list[str]]  # what the database itself finds broken
    file: Callable[[URL], Path | None]  # the file behind the URL, where it is a file
    with_words: Callable[[Sequence[Piece]], Select[Any]]  # keys of the runs that hold all of these words
    version: Callable[[Connection], int]  # changes when another connection has stored something


class _HintingCompiler(SQLiteCompiler):
    """SQLAlchemy's compiler for SQLite, which leaves out a hint at the index to use."""

    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:  # noqa: ARG002 - given
        """Return the hint as it stands behind a table."""
        return text


def _sqlite_engine(url: URL, read_only: bool) -> Engine:
    # No pool: a closed history leaves no open file behind, so a deleted or replaced file is never stale.
    # To connect makes no file: one that was deleted a moment ago must not come back empty.
    file = Path(str(url.database))
    creator = partial(_sqlite_to_read, file) if read_only else partial(_sqlite_opened, file, "mode=rw")
    engine = create_engine(url, poolclass=NullPool, creator=creator, json_deserializer=_stored_json)
    engine.dialect.statement_compiler = _HintingCompiler
    event.listen(engine, "connect", _sqlite_connect)
    event.listen(engine, "begin", _sqlite_begin)
    event.listen(engine, "handle_error", _sqlite_error)
    return engine


def _stored_json(text: str) -> Any:
    """Read JSON of a column; this package wrote it, so that any that is none is damaged."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(error) from error


def _sqlite_error(context: ExceptionContext) -> None:
    """Name the damage where the driver stumbles over its own message, which quotes damaged bytes."""
    if isinstance(context.original_exception, UnicodeDecodeError):
        raise _damaged(context.original_exception) from context.original_exception


def _damaged(error: Exception) -> DatabaseError:
    return DatabaseError("", None, sqlite3.DatabaseError(f"what it holds is malformed ({error})"))


def _sqlite_is_read_only(url: URL) -> bool:
    file = Path(str(url.database))
    return file.exists() and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK))


def _sqlite_to_read(file: Path) -> sqlite3.Connection:
    """Open a file that cannot be written, or whose folder cannot.

    SQLite reads it beside others as long as it finds their shared memory or may make its own. Where it
    does not, the file is read as it lies there: that is all of it only if no changes wait in its log.
    """
    try:
        connection = _sqlite_opened(file, "mode=ro")
        connection.execute("SELECT 1 FROM sqlite_schema")
    except sqlite3.OperationalError:
        log = file.with_name(f"{file.name}-wal")
        if log.exists() and log.stat().st_size:
            raise
        return _sqlite_opened(file, "immutable=1")
    return connection


def _sqlite_opened(file: Path, how: str) -> sqlite3.Connection:
    # Any thread may use it, one at a time: a kept history is lent to whoever asks next.
    where = f"{file.as_uri()}?{how}"
    return sqlite3.connect(where, uri=True, timeout=LOCK_WAIT_SECONDS, check_same_thread=False)


def _sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    # The driver would begin late and commit around DDL by itself; with None it leaves that to us.
    connection.isolation_level = None
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
    except UnicodeDecodeError as error:  # see _sqlite_error, which hears of no connection that failed
        raise _damaged(error) from error


def _sqlite_begin(connection: Connection) -> None:
    # A writer takes the lock at once: a reader that turns writer halfway could only fail.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _sqlite_prepare(connection: Connection) -> None:
    if _pragma(connection, "journal_mode") == "wal":
        return
    try:
        _pragma(connection, "journal_mode = WAL")
    except DatabaseError as error:
        if "locked" not in str(error.orig):
            raise
        # Another process is in the file. It did the same before, or the next one to open does.


def _sqlite_new_keys(connection: Connection, table: Table, count: int) -> range:
    # What SQLite would do by itself. Asked before, no row needs to be looked up after its insert;
    # a writer holds the lock from its transaction's begin on, so nobody takes them meanwhile.
    first = (connection.scalar(select(func.max(table.c.key))) or 0) + 1
    return range(first, first + count)


def _sqlite_settle(connection: Connection) -> None:
    _pragma(connection, "wal_checkpoint(PASSIVE)")  # waits for no reader; the last to close does the rest


def _sqlite_damages(connection: Connection) -> list[str]:
    whole = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    damaged = [f"database file: {line}" for line in whole if line != "ok"]
    return damaged + [f"{table} row {row}: its {parent} row is missing" for table, row, parent, _ in orphans]


def _sqlite_file(url: URL) -> Path | None:
    return Path(url.database) if url.database else None


def _sqlite_with_words(pieces: Sequence[Piece]) -> Select[Any]:
    found = table(SEARCH_TABLE)
    matches = literal_column(SEARCH_TABLE).op("MATCH")(fts5(pieces))
    return select(literal_column("rowid")).select_from(found).where(matches)


def _sqlite_version(connection: Connection) -> int:
    return int(_pragma(connection, "data_version"))


def _pragma(connection: Connection, name: str) -> Any:
    """Run a pragma past SQLAlchemy, which would begin a transaction first; return its first value."""
    statement = f"PRAGMA {name}"
    try:
        return connection.connection.cursor().execute(statement).fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise DatabaseError(statement, None, error) from error
    except UnicodeDecodeError as error:
        raise _damaged(error) from error


DIALECTS = {
    "sqlite": Dialect(
        create_engine=_sqlite_engine,
        is_read_only=_sqlite_is_read_only,
        insert=sqlite.insert,
        new_keys=_sqlite_new_keys,
        prepare=_sqlite_prepare,
        settle=_sqlite_settle,
        damages=_sqlite_damages,
        file=_sqlite_file,
        with_words=_sqlite_with_words,
        version=_sqlite_version,
    ),
}
