"""SQLite backend."""

from __future__ import annotations

import json
import logging
import os
import re
import sqlite3
import time
from collections.abc import Hashable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    ExceptionContext,
    FromClause,
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

from ....common.errors import ConnectionLostError, WorkflowHistoryError
from ....common.file_lock import ReleaseLock, read_owner, try_lock
from ...reading.search_query import SearchTerm, to_fts5
from ...tables.fulltext_index import SEARCH_CHECK, SEARCH_INDEX, SEARCH_TABLE, STALE_ENTRIES_SQL
from ...writing.pattern_totals import TOTALS_TRIGGERS
from .base import MALFORMED_MESSAGE, Dialect, malformed_error
from .sqlite_files import (
    DatabaseConnection,
    file_identity,
    is_replaced,
    is_without_wal,
    open_database,
    remove_replaced_wal,
    replace_file,
)

WRITE_LOCK_TIMEOUT_SECONDS = 600.0
"""Maximum wait of a writer for a lock while others store nothing, seconds; no limit while they store."""

logger = logging.getLogger("workflow_history")


class _HintingCompiler(SQLiteCompiler):
    """SQLAlchemy's compiler for SQLite with index hints, which SQLAlchemy omits."""

    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:  # noqa: ARG002 - given
        """Return the hint unchanged; it follows the table in the SQL."""
        return text


def _parse_json(text: str) -> Any:
    """Parse the JSON of a column; this package wrote it, so invalid JSON is damage."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise malformed_error(error) from error


def _on_error(context: ExceptionContext) -> None:
    """Report damage if the driver cannot decode its own error message, which quotes damaged bytes."""
    if isinstance(context.original_exception, UnicodeDecodeError):
        raise malformed_error(context.original_exception) from context.original_exception


def _database_file(url: URL) -> Path:
    return Path(str(url.database))


def _open_read_only(file: Path) -> sqlite3.Connection:
    """Open a file that is read-only or in a read-only directory.

    SQLite can read it together with other processes if it finds their shared memory or can create its own.
    Otherwise the file is read as immutable; that is complete only if no changes are pending in its log.
    """
    try:
        connection = _open(file, "mode=ro")
        connection.execute("SELECT 1 FROM sqlite_schema")
    except sqlite3.OperationalError:
        log = file.with_name(f"{file.name}-wal")
        if log.exists() and log.stat().st_size:
            raise
        return _open(file, "immutable=1")
    return connection


def _open(file: Path, parameter: str) -> sqlite3.Connection:
    try:
        return open_database(file, parameter)
    except UnicodeDecodeError as error:  # see _on_error, which is not called for failed connections
        raise malformed_error(error) from error


def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
    # By default the driver begins transactions late and commits around DDL; None turns that off.
    connection.isolation_level = None
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
    except UnicodeDecodeError as error:  # see _on_error, which is not called for failed connections
        raise malformed_error(error) from error


def _on_begin(connection: Connection) -> None:
    # A writer takes the lock at once: a read transaction cannot always become a write transaction.
    if connection.get_execution_options().get("writes", False):
        _begin_write(connection)
    else:
        connection.exec_driver_sql("BEGIN")


def _begin_write(connection: Connection) -> None:
    """Take the write lock; wait as long as other writers store something now and then.

    SQLite's own timeout is the same for any number of writers. It has no queue, so unlucky writers wait long.
    """
    last_version, last_change = None, time.monotonic()
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except DatabaseError as error:
            version = _pragma(connection, "data_version")
            if version != last_version:
                last_version, last_change = version, time.monotonic()
            if (
                "locked" not in str(error.orig)
                or time.monotonic() - last_change >= WRITE_LOCK_TIMEOUT_SECONDS
            ):
                raise
            logger.warning("waiting_for_write_lock database=%s", connection.engine.url.database)
        else:
            break
    _check_not_replaced(connection)


def _check_not_replaced(connection: Connection) -> None:
    """Raise ConnectionLostError if the file was replaced: writes to the old file would be lost."""
    file = _database_file(connection.engine.url)
    if is_replaced(connection.connection.dbapi_connection, file):
        connection.exec_driver_sql("ROLLBACK")
        raise ConnectionLostError(
            f"{file}: another history was put in its place meanwhile; what is stored of this one is kept "
            "there, try again"
        )

        # Another process uses the file. It has set WAL before, or the next process to open the file does.


def _search_index_errors(connection: Connection) -> list[str]:
    """Compare the search index with a new one, built in the connection's own temporary database."""
    for statement in SEARCH_CHECK:
        connection.exec_driver_sql(statement)
    differing = connection.exec_driver_sql(STALE_ENTRIES_SQL).scalar_one()
    for name in ("stored_terms", "fresh_terms", "fresh_search"):
        connection.exec_driver_sql(f"DROP TABLE temp.{name}")
    return [f"search index: {differing} words are not as in the runs' rows"] if differing else []


def _run_outside_transaction(connection: Connection, *statements: str) -> None:
    """Run statements without SQLAlchemy, which would begin a transaction first."""
    for statement in statements:
        try:
            connection.connection.cursor().execute(statement)
        except sqlite3.DatabaseError as error:
            raise DatabaseError(statement, None, error) from error


def _remove_stale_lock_files(database: Path) -> None:
    """Remove the lock files that killed processes left next to a history."""
    pattern = re.compile(rf"{re.escape(database.name)}-sync-[0-9a-f]{{16}}\.lock")
    with suppress(OSError), os.scandir(database.parent) as entries:
        for file in [Path(entry.path) for entry in entries if pattern.fullmatch(entry.name)]:
            if (release := try_lock(file)) is not None:
                release()


def _lock_file(connection: Connection, name: str) -> Path:
    file = _database_file(connection.engine.url)
    return file.with_name(f"{file.name}-{name}.lock")


def _pragma(connection: Connection, name: str) -> Any:
    """Run a pragma without SQLAlchemy, which would begin a transaction first; return its first value."""
    statement = f"PRAGMA {name}"
    try:
        return connection.connection.cursor().execute(statement).fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise DatabaseError(statement, None, error) from error
    except UnicodeDecodeError as error:
        raise malformed_error(error) from error


_EXPLANATIONS = (
    ("is full", "free disk space and sync again; everything stored before is kept"),
    ("disk I/O error", "the disk is full, over its quota, or failing; everything stored before is kept"),
    ("malformed", MALFORMED_MESSAGE),
    ("vtable constructor failed", MALFORMED_MESSAGE),
    ("corrupt", MALFORMED_MESSAGE),
)
"""Fragments of SQLite messages, and the remedies."""


class SqliteDialect(Dialect):
    """SQLite: a file, its log, and lock files next to it."""

    extra_ddl = (*SEARCH_INDEX["sqlite"], *TOTALS_TRIGGERS["sqlite"])

    def create_engine(self, url: URL, read_only: bool) -> Engine:
        # No pool: a closed history leaves no file open, so a deleted or replaced file is never used again.
        # Connecting creates no file: one that was just deleted must not come back empty.
        file = _database_file(url)
        creator = partial(_open_read_only, file) if read_only else partial(_open, file, "mode=rw")
        engine = create_engine(url, poolclass=NullPool, creator=creator, json_deserializer=_parse_json)
        engine.dialect.statement_compiler = _HintingCompiler
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
        event.listen(engine, "handle_error", _on_error)
        return engine

    def is_read_only(self, url: URL) -> bool:
        file = _database_file(url)
        return file.exists() and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK))

    def file(self, url: URL) -> Path | None:
        return _database_file(url) if url.database else None

    def identity(self, url: URL) -> tuple[Hashable, ...]:
        file = _database_file(url)
        return (file_identity(file), is_without_wal(file))

    def on_connect(self, connection: Connection) -> None:
        _remove_stale_lock_files(_database_file(connection.engine.url))
        if _pragma(connection, "journal_mode") == "wal":
            return
        try:
            _pragma(connection, "journal_mode = WAL")
        except DatabaseError as error:
            if "locked" not in str(error.orig):
                raise

    def before_close(self, connection: Connection) -> None:
        raw = connection.connection.dbapi_connection
        if isinstance(raw, DatabaseConnection):
            remove_replaced_wal(raw)

    def after_last_write(self, connection: Connection) -> None:
        # It doesn't wait for readers; the last connection to close does the rest.
        _pragma(connection, "wal_checkpoint(PASSIVE)")

    def insert(self, into: Table) -> sqlite.Insert:
        return sqlite.insert(into)

    def integer_rows(self, values: Sequence[int]) -> FromClause:
        # SQLite allows 32,766 parameters per statement.
        return func.json_each(json.dumps(list(values))).table_valued("value", name="integers")

    def fulltext_query(self, terms: Sequence[SearchTerm]) -> Select[Any]:
        matches = literal_column(SEARCH_TABLE).op("MATCH")(to_fts5(terms))
        return select(literal_column("rowid")).select_from(table(SEARCH_TABLE)).where(matches)

    def data_version(self, connection: Connection) -> int:
        return int(_pragma(connection, "data_version"))

    def integrity_errors(self, connection: Connection) -> list[str]:
        damages = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        messages = [f"database file: {line}" for line in damages if line != "ok"]
        messages += [f"{table} row {row}: its {parent} row is missing" for table, row, parent, _ in orphans]
        return messages or _search_index_errors(connection)

    def copy_to(self, connection: Connection, file: Path) -> bool:
        # The driver's own connection: SQLite copies page by page and includes concurrent writes.
        source: Any = connection.connection.driver_connection
        with closing(sqlite3.connect(file)) as copy:
            source.backup(copy)
        return True

    def replace_file(self, new_file: Path, target: Path, backup: Path) -> None:
        replace_file(new_file, target, backup)

    def checkpoint_wal(self, connection: Connection) -> None:
        _pragma(connection, "journal_mode = DELETE")

    def vacuum(self, connection: Connection) -> None:
        _run_outside_transaction(connection, "VACUUM", "PRAGMA optimize")
        _pragma(connection, "wal_checkpoint(TRUNCATE)")

    def secure_delete(self, connection: Connection) -> None:
        # Deleted data remains in the index until it is merged, in free pages of the file, and in the log.
        rebuild = f"INSERT INTO {SEARCH_TABLE} ({SEARCH_TABLE}) VALUES ('rebuild')"  # noqa: S608 - a name
        _run_outside_transaction(connection, rebuild, "VACUUM")
        if _pragma(connection, "wal_checkpoint(TRUNCATE)"):
            raise WorkflowHistoryError(
                "redacted text may still be in the log, because another program has the history open. "
                "Stop it, and redact again: workflow-history db redact"
            )

    def size(self, connection: Connection) -> int:
        return int(_pragma(connection, "page_count")) * int(_pragma(connection, "page_size"))

    def try_lock(self, connection: Connection, name: str, owner: str) -> ReleaseLock | None:
        try:
            return try_lock(_lock_file(connection, name), owner)
        except OSError as error:
            # If files cannot be locked, the stored rows are checked again before anything is written.
            logger.warning("lock_unavailable name=%s error=%s", name, error)
            return lambda: None

    def lock_owner(self, connection: Connection, name: str) -> str:
        return read_owner(_lock_file(connection, name))

    def explain_error(self, text: str) -> str:
        if "not a database" in text:
            return (
                "it is not an SQLite database. Restore a backup with db restore FILE, or choose another "
                "file with --db. A new sync cannot recover runs whose files are missing."
            )
        if "readonly" in text:
            return "it is read-only: the file or its directory cannot be written"
        if "unable to open" in text:
            return (
                "it cannot be opened, or too many files are open; if it has a -wal file, its directory must "
                "be writable"
            )
        if "locked" in text:
            return "another program is writing to it; retry later"
        return next(
            (f"{text}: {explanation}" for fragment, explanation in _EXPLANATIONS if fragment in text), text
        )
