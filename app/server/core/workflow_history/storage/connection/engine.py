"""Engines and connections: a URL goes in, a connection comes out; the one place where driver errors end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, inspect
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from ...common.errors import ConnectionLostError, WorkflowHistoryError
from .dialects import DIALECTS, Backend

VERSION_TABLE: Final = "workflow_history_version"
"""The table that every history has; its own name: a server's database may be shared."""


def get_backend(source: URL | Connection) -> Backend:
    """Return what the database behind a URL or connection does in its own way."""
    name = source.get_backend_name() if isinstance(source, URL) else source.dialect.name
    return DIALECTS[name]


def engine_for(url: URL, *, read_only: bool = False) -> Engine:
    """Return this process's engine for `url`; a forked child gets its own."""
    return _engine(url, read_only, os.getpid())


@lru_cache(maxsize=8)
def _engine(url: URL, read_only: bool, _process: int) -> Engine:
    return get_backend(url).create_engine(url, read_only)


def is_read_only(url: URL) -> bool:
    """Return whether the database can be read and not written."""
    return get_backend(url).is_read_only(url)


def exists(url: URL) -> bool:
    """Return whether there may be something to read: a file that is there, a server that has a history.

    Raises WorkflowHistoryError where a server cannot be asked.
    """
    file = get_backend(url).file(url)
    return _is_served(url) if file is None else file.exists()


_SERVED: set[URL] = set()
"""Servers that have a history, as far as was seen: nobody takes one away but by hand."""


def _is_served(url: URL) -> bool:
    if url not in _SERVED:
        with connect(url) as connection, read_transaction(connection):
            if inspect(connection).has_table(VERSION_TABLE):
                _SERVED.add(url)
    return url in _SERVED


def make_file(url: URL) -> None:
    """Make the database's file, if it is one and missing, with its folders; only its owner may read it."""
    file = get_backend(url).file(url)
    if file is None or file.exists():
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise WorkflowHistoryError(f"cannot make the database {file}: {error.strerror}") from error


@contextmanager
def connect(url: URL, *, read_only: bool = False) -> Iterator[Connection]:
    """Give one connection; what the database refuses becomes a WorkflowHistoryError that names it."""
    with translate_errors(url), engine_for(url, read_only=read_only).connect() as connection:
        yield connection


@contextmanager
def translate_errors(url: URL) -> Iterator[None]:
    """Turn a driver's error into one that says which database it was."""
    try:
        yield
    except (SQLAlchemyError, _driver_error(url)) as error:
        file = get_backend(url).file(url)
        is_there = file is None or file.exists()
        why = _reason(url, error) if is_there else "there is no such file; a sync makes one"
        # Without a statement it is connecting that failed.
        unreachable = file is None and isinstance(error, OperationalError) and error.statement is None
        is_lost = unreachable or (isinstance(error, DBAPIError) and error.connection_invalidated)
        raise (ConnectionLostError if is_lost else WorkflowHistoryError)(
            f"{display_name(url)}: {why}"
        ) from error


@contextmanager
def read_transaction(connection: Connection) -> Iterator[Connection]:
    """One transaction that only reads: all its queries see the same rows."""
    connection.execution_options(writes=False)
    with _undone_if_stopped(connection), connection.begin():
        yield connection


@contextmanager
def write_transaction(connection: Connection) -> Iterator[Connection]:
    """One transaction that writes: all of it is stored, or nothing."""
    connection.execution_options(writes=True)
    with _undone_if_stopped(connection), connection.begin():
        yield connection


@contextmanager
def _undone_if_stopped(connection: Connection) -> Iterator[None]:
    """Roll back a transaction that was stopped at its commit, which SQLAlchemy takes for ended."""
    try:
        yield
    except BaseException:
        if not connection.closed and not connection.invalidated:
            with suppress(_driver_error(connection.engine.url)):
                raw: Any = connection.connection.dbapi_connection
                raw.rollback()
        raise


def display_name(url: URL) -> str:
    """Return how people call a database: a file's path, or a URL without what is secret in it."""
    file = get_backend(url).file(url)
    if file is not None:
        return str(file)
    shown = {key: value for key, value in url.query.items() if "pass" not in key and "@" not in value}
    account = "***" if "@" in (url.username or "") else url.username
    return url.set(username=account, query=shown).render_as_string(hide_password=True)


def _driver_error(url: URL) -> type[Exception]:
    """Return what a driver raises by itself, where its own rows are read past SQLAlchemy."""
    found: type[Exception] = engine_for(url).dialect.loaded_dbapi.Error
    return found


def _reason(url: URL, error: Exception) -> str:
    text = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return get_backend(url).explain_error(text)
