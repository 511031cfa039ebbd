"""SQLAlchemy engines, connections and transactions; the only module that translates driver errors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, Select, inspect
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from ...common.errors import ConnectionLostError, WorkflowHistoryError
from .dialects import DIALECTS, Dialect

_ROWS_PER_FETCH: Final = 500
"""Few enough that their memory is used again for the next ones, which takes a third less time."""

TransactionFactory = Callable[[], AbstractContextManager[Connection]]
"""Function that opens a transaction, or returns the caller's own one, as a context manager."""

VERSION_TABLE: Final = "workflow_history_version"
"""Schema revision table of every history; not Alembic's default name, as a server database may be shared."""


def get_dialect(source: URL | Connection) -> Dialect:
    """Return the `Dialect` of the database behind a URL or connection."""
    name = source.get_backend_name() if isinstance(source, URL) else source.dialect.name
    return DIALECTS[name]


def engine_for(url: URL, *, read_only: bool = False) -> Engine:
    """Return this process's engine for `url`; a forked child gets its own."""
    return _cached_engine(url, read_only, os.getpid())


@lru_cache(maxsize=8)
def _cached_engine(url: URL, read_only: bool, _process: int) -> Engine:
    return get_dialect(url).create_engine(url, read_only)


def is_read_only(url: URL) -> bool:
    """Return whether the database can be read but not written."""
    return get_dialect(url).is_read_only(url)


def exists(url: URL) -> bool:
    """Return whether the database file exists, or the server has a history.

    Raises WorkflowHistoryError if the server cannot be reached.
    """
    file = get_dialect(url).file(url)
    return _has_history(url) if file is None else file.exists()


_KNOWN_SERVERS: set[URL] = set()
"""Cache of server URLs that have a history; no command of the program removes one."""


def _has_history(url: URL) -> bool:
    if url not in _KNOWN_SERVERS:
        with connect(url) as connection, read_transaction(connection):
            if inspect(connection).has_table(VERSION_TABLE):
                _KNOWN_SERVERS.add(url)
    return url in _KNOWN_SERVERS


def make_file(url: URL) -> None:
    """Create a missing database file, readable by its owner only, and its directories; skips servers."""
    file = get_dialect(url).file(url)
    if file is None or file.exists():
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise WorkflowHistoryError(f"Cannot create the database {file}: {error.strerror}.") from error


@contextmanager
def connect(url: URL, *, read_only: bool = False) -> Iterator[Connection]:
    """Yield one connection; database errors become a WorkflowHistoryError that names the database."""
    with translate_errors(url), engine_for(url, read_only=read_only).connect() as connection:
        yield connection


@contextmanager
def translate_errors(url: URL) -> Iterator[None]:
    """Convert driver errors to a WorkflowHistoryError that names the database."""
    try:
        yield
    except (SQLAlchemyError, _driver_error_class(url)) as error:
        file = get_dialect(url).file(url)
        if file is not None and file.is_dir():
            explanation = "it is a directory; name a file in it"
        elif file is None or file.exists():
            text = str(error.orig) if isinstance(error, DBAPIError) else str(error)
            explanation = get_dialect(url).explain_error(text)
        else:
            explanation = "the file does not exist; create it with: workflow-history sync DIR"
        # An error without a statement comes from a failed attempt to connect.
        unreachable = file is None and isinstance(error, OperationalError) and error.statement is None
        is_lost = unreachable or (isinstance(error, DBAPIError) and error.connection_invalidated)
        raise (ConnectionLostError if is_lost else WorkflowHistoryError)(
            f"{display_name(url)}: {explanation}"
        ) from error


@contextmanager
def read_transaction(connection: Connection) -> Iterator[Connection]:
    """Run the block in a read-only transaction: all its queries see the same rows."""
    connection.execution_options(writes=False)
    with _rollback_on_error(connection), connection.begin():
        yield connection


@contextmanager
def write_transaction(connection: Connection) -> Iterator[Connection]:
    """Run the block in a write transaction: all of its changes are stored, or none."""
    connection.execution_options(writes=True)
    with _rollback_on_error(connection), connection.begin():
        yield connection


@contextmanager
def _rollback_on_error(connection: Connection) -> Iterator[None]:
    """Roll back a transaction that was interrupted at its commit, which SQLAlchemy considers ended."""
    try:
        yield
    except BaseException:
        if not connection.closed and not connection.invalidated:
            with suppress(_driver_error_class(connection.engine.url)):
                raw: Any = connection.connection.dbapi_connection
                raw.rollback()
        raise


def fetch_raw_rows(
    connection: Connection, query: Select[Any], parameters: Mapping[str, Any] | None = None
) -> list[Any]:
    """Return the driver's own tuples, undecoded; row objects would double the time for many rows."""
    cursor: Any = connection.execute(query, parameters).cursor
    rows: list[Any] = cursor.fetchall()
    return rows


def fetch_raw_columns(connection: Connection, query: Select[Any]) -> list[list[Any]]:
    """Return one list of undecoded values for each column: few rows exist at the same time."""
    cursor: Any = connection.execute(query).cursor
    columns: list[list[Any]] = [[] for _ in query.selected_columns]
    while rows := cursor.fetchmany(_ROWS_PER_FETCH):
        for column, values in zip(columns, zip(*rows, strict=True), strict=True):
            column.extend(values)
    return columns


def display_name(url: URL) -> str:
    """Return the name of a database for messages: the path of a file, or a URL without secrets."""
    file = get_dialect(url).file(url)
    if file is not None:
        return str(file)
    shown = {key: value for key, value in url.query.items() if "pass" not in key and "@" not in value}
    account = "***" if "@" in (url.username or "") else url.username
    return url.set(username=account, query=shown).render_as_string(hide_password=True)


def _driver_error_class(url: URL) -> type[Exception]:
    """Return the driver's error class, which is raised directly if code bypasses SQLAlchemy."""
    error_class: type[Exception] = engine_for(url).dialect.loaded_dbapi.Error
    return error_class
