"""Engines and connections: a URL goes in, a connection comes out; the one place where driver errors end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..errors import WorkflowHistoryError
from .dialects import DIALECTS, Dialect


def dialect_of(source: URL | Connection) -> Dialect:
    """Return what the database behind a URL or connection does in its own way."""
    name = source.get_backend_name() if isinstance(source, URL) else source.dialect.name
    return DIALECTS[name]


def engine_for(url: URL, *, read_only: bool = False) -> Engine:
    """Return this process's engine for `url`; a forked child gets its own."""
    return _engine(url, read_only, os.getpid())


@lru_cache(maxsize=8)
def _engine(url: URL, read_only: bool, _process: int) -> Engine:
    return dialect_of(url).create_engine(url, read_only)


def is_read_only(url: URL) -> bool:
    """Say whether the database can be read and not written."""
    return dialect_of(url).is_read_only(url)


def exists(url: URL) -> bool:
    """Say whether there may be something to read: a server always, a file when it is there."""
    file = dialect_of(url).file(url)
    return file is None or file.exists()


def make_file(url: URL) -> None:
    """Make the database's file, if it is one and missing, with its folders; only its owner may read it."""
    file = dialect_of(url).file(url)
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
    with naming_database(url), engine_for(url, read_only=read_only).connect() as connection:
        yield connection


@contextmanager
def naming_database(url: URL) -> Iterator[None]:
    """Turn a driver's error into one that says which database it was."""
    try:
        yield
    except SQLAlchemyError as error:
        why = _reason(error) if exists(url) else "there is no such file; a sync makes one"
        raise WorkflowHistoryError(f"{_name(url)}: {why}") from error


@contextmanager
def reading(connection: Connection) -> Iterator[Connection]:
    """One transaction that only reads: all its queries see the same rows."""
    connection.execution_options(writes=False)
    with connection.begin():
        yield connection


@contextmanager
def writing(connection: Connection) -> Iterator[Connection]:
    """One transaction that writes: all of it is stored, or nothing."""
    connection.execution_options(writes=True)
    with connection.begin():
        yield connection


def _name(url: URL) -> str:
    file = dialect_of(url).file(url)
    return str(Path(file)) if file else url.render_as_string(hide_password=True)


def _reason(error: SQLAlchemyError) -> str:
    text = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    if "not a database" in text:
        return "this file is no SQLite database; name another file or move this one away"
    if "readonly" in text:
        return "it can only be read here: the file or its folder cannot be written"
    if "unable to open" in text:
        return "it cannot be opened here; where changes wait in its -wal file, its folder has to be writable"
    if "malformed" in text:
        return f"the history is damaged: {text}; put a backup in its place, or move it away and sync anew"
    if "locked" in text:
        return "another program is writing to it; try again when it is done"
    return text
