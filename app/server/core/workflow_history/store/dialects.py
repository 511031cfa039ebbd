"""All that differs between databases, by dialect name: a second engine is one more entry in DIALECTS."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import OperationalError

LOCK_WAIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one kind of database does in its own way."""

    create_engine: Callable[[URL], Engine]
    insert: Callable[..., Any]  # an insert with ON CONFLICT
    prepare: Callable[[Connection], None]  # once, before the first table is made or changed
    settle: Callable[[Connection], None]  # after the last write, outside a transaction
    damages: Callable[[Connection], list[str]]  # what the database itself finds broken
    file: Callable[[URL], Path | None]  # the file behind the URL, where it is a file


def _sqlite_engine(url: URL) -> Engine:
    # No pool: a closed history leaves no open file behind, so a deleted or replaced file is never stale.
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": LOCK_WAIT_SECONDS})
    event.listen(engine, "connect", _sqlite_connect)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    # The driver would begin late and commit around DDL by itself; with None it leaves that to us.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")


def _sqlite_begin(connection: Connection) -> None:
    # A writer takes the lock at once: a reader that turns writer halfway could only fail.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _sqlite_prepare(connection: Connection) -> None:
    driver = _driver(connection)
    if driver.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        return
    try:
        driver.execute("PRAGMA journal_mode = WAL").fetchone()
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):  # locked: another process is here first and does the same
            raise OperationalError("PRAGMA journal_mode = WAL", None, error) from error


def _sqlite_settle(connection: Connection) -> None:
    # PASSIVE waits for no reader; the last connection to close does the rest.
    _driver(connection).execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _sqlite_damages(connection: Connection) -> list[str]:
    whole = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    damaged = [f"database file: {line}" for line in whole if line != "ok"]
    return damaged + [f"{table} row {row}: its {parent} row is missing" for table, row, parent, _ in orphans]


def _sqlite_file(url: URL) -> Path | None:
    return Path(url.database) if url.database else None


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError(f"expected an sqlite3 connection, got {type(driver).__name__}")
    return driver


DIALECTS = {
    "sqlite": Dialect(
        create_engine=_sqlite_engine,
        insert=sqlite.insert,
        prepare=_sqlite_prepare,
        settle=_sqlite_settle,
        damages=_sqlite_damages,
        file=_sqlite_file,
    ),
}
