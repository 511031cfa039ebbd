"""PostgreSQL backend.

Only one writer runs at a time, as in a SQLite file: there is one lock per history, kept to the end of the
transaction. Keys, sums, lists and packed columns can therefore be computed from the stored rows, and
writers cannot deadlock. Readers never wait.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    URL,
    BigInteger,
    Connection,
    Engine,
    FromClause,
    NullPool,
    Select,
    and_,
    column,
    create_engine,
    event,
    func,
    literal,
    literal_column,
    select,
    table,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

from ....common.errors import WorkflowHistoryError
from ....common.file_lock import ReleaseLock
from ...reading.search_query import SearchTerm, normalize
from ...tables.fulltext_index import SEARCH_INDEX, SEARCH_TABLE
from ...tables.schema import metadata, workflows
from ...writing.pattern_totals import TOTALS_TRIGGERS
from .base import MALFORMED_MESSAGE, Backend

LOCK_WAIT_SECONDS: Final = 600
CONNECT_SECONDS: Final = 10
MIN_SERVER_VERSION: Final = 130000  # PostgreSQL 13, the first with normalize(), which strips accents

VERSION_COUNTER: Final = "workflow_history_changes"
_COUNTING: Final = (
    f"CREATE TABLE {VERSION_COUNTER} (number bigint NOT NULL)",
    f"INSERT INTO {VERSION_COUNTER} (number) VALUES (0)",  # noqa: S608 - a name
    f"COMMENT ON TABLE {VERSION_COUNTER} IS 'how many transactions have written to this history'",
)
_TURN: Final = "SELECT pg_advisory_xact_lock(1464230227, hashtext(coalesce(current_schema(), '')))"
_IS_COUNTING: Final = f"SELECT to_regclass('{VERSION_COUNTER}') IS NOT NULL"
_COUNT: Final = f"UPDATE {VERSION_COUNTER} SET number = number + 1"  # noqa: S608 - a name
_VERSION: Final = f"SELECT number FROM {VERSION_COUNTER}"  # noqa: S608 - a name
_SETTINGS: Final = (
    f"SELECT set_config('lock_timeout', '{LOCK_WAIT_SECONDS}s', false),"
    " set_config('jit', 'off', false)"  # JIT compilation takes longer than any of our queries
)
_HOLDS: Final = "workflow-history "  # application name of a session with a lock; the owner follows
_LONGEST_WORD: Final = 200  # maximum length of an indexed word; longer words are searched in the run's text


# --- connections


def _engine(url: URL, read_only: bool) -> Engine:  # noqa: ARG001 - the role's privileges decide
    try:
        import_module("psycopg")
    except ImportError as error:  # also if its library libpq is missing
        raise WorkflowHistoryError(
            'a history on PostgreSQL needs the driver psycopg: pip install "workflow-history[postgres]"'
        ) from error
    usual = {"application_name": "workflow-history", "connect_timeout": CONNECT_SECONDS}
    given = {name: value for name, value in usual.items() if name not in url.query}
    # No pool: a history is one connection, and a server process keeps histories open itself.
    engine = create_engine(
        url, poolclass=NullPool, connect_args={**given, "client_encoding": "utf8"}, use_native_hstore=False
    )
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    event.listen(engine, "commit", _on_commit)
    event.listen(engine, "rollback", _on_rollback)
    return engine


def _on_connect(connection: Any, record: Any) -> None:
    from psycopg.adapt import Loader  # noqa: PLC0415 - the driver is an extra

    class Number(Loader):
        """Loader of `numeric`, the type of sums: returns a whole number as an int, as SQLite does."""

        def load(self, data: Any) -> int | float:
            text = bytes(data)
            return int(text) if text.lstrip(b"-").isdigit() else float(text)

    connection.adapters.register_loader("numeric", Number)
    connection.execute(_SETTINGS)
    connection.commit()
    record.info["own"] = 0


def _on_begin(connection: Connection) -> None:
    # A reader sees a single snapshot. Each statement of a writer sees all rows stored before the writer got
    # the lock; a single snapshot would date from the start of its wait and show older rows.
    from psycopg import IsolationLevel  # noqa: PLC0415 - the driver is an extra

    writes = connection.get_execution_options().get("writes", False)
    raw: Any = connection.connection.dbapi_connection
    raw.isolation_level = IsolationLevel.READ_COMMITTED if writes else IsolationLevel.REPEATABLE_READ
    raw.read_only = not writes
    if writes:
        _take_turn(connection, connection.info)


def _take_turn(connection: Connection, known: dict[Any, Any]) -> None:
    connection.exec_driver_sql(_TURN)
    if not known.get("counting"):
        known["counting"] = connection.exec_driver_sql(_IS_COUNTING).scalar()
    if known["counting"]:
        connection.exec_driver_sql(_COUNT)
        known["own"] += 1
        known["pending"] = True


def _on_commit(connection: Connection) -> None:
    connection.info["pending"] = False


def _on_rollback(connection: Connection) -> None:
    if connection.invalidated:
        return
    if connection.info.pop("pending", False):
        connection.info["own"] -= 1
    connection.info["counting"] = False  # the rollback may have removed the counter table


def _prepare(connection: Connection) -> None:
    raw: Any = connection.connection.dbapi_connection
    about = raw.info
    encoding = about.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise WorkflowHistoryError(
            f"the database {about.dbname!r} holds its text as {encoding}; make one with ENCODING 'UTF8'"
        )
    if about.server_version < MIN_SERVER_VERSION:
        raise WorkflowHistoryError("this PostgreSQL is too old; a history needs version 13 or newer")


def _version(connection: Connection) -> int:
    if connection.in_transaction():
        number: Any = connection.exec_driver_sql(_VERSION).scalar_one()
    else:
        number = _alone(connection, _VERSION)
    return int(number) - int(connection.info["own"])  # own writes are not changes by others


def _alone(connection: Connection, statement: str) -> Any:
    """Run a statement without SQLAlchemy, which would begin a transaction first; return its first value."""
    import psycopg  # noqa: PLC0415 - the driver is an extra

    raw: Any = connection.connection.dbapi_connection
    try:
        raw.autocommit = True
        try:
            cursor = raw.execute(statement)
            return cursor.fetchone()[0] if cursor.description else None
        finally:
            if not raw.closed:
                raw.autocommit = False
    except psycopg.Error as error:
        raise DBAPIError(statement, None, error, connection_invalidated=bool(raw.closed)) from error


# --- queries and maintenance


def _is_read_only(url: URL) -> bool:  # noqa: ARG001 - see below
    return False  # a read-only role can read up-to-date tables; the server refuses its writes


def _settle(connection: Connection) -> None:
    """Do nothing: the server maintains its tables itself."""


def _damages(connection: Connection) -> list[str]:
    broken = connection.exec_driver_sql(
        "SELECT c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid"
        " WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace ORDER BY c.relname"
    ).scalars()
    lost = connection.exec_driver_sql(
        f"SELECT w.project, w.id FROM workflows AS w LEFT JOIN {SEARCH_TABLE} AS s"  # noqa: S608 - a name
        " ON s.workflow_key = w.key WHERE s.workflow_key IS NULL ORDER BY w.key"
    ).all()
    found = [f"index {name} is not valid: REINDEX INDEX {name}" for name in broken]
    return found + [f"{project}/{run_id}: no search finds it" for project, run_id in lost]


def _compact(connection: Connection) -> None:
    """Free the space of deleted rows for new rows, without blocking readers and writers."""
    _vacuum(connection, "ANALYZE")


def _erase(connection: Connection) -> None:
    """Rewrite the tables without deleted rows; the server's own log and backups still contain them."""
    _vacuum(connection, "FULL, ANALYZE")


def _vacuum(connection: Connection, how: str) -> None:
    tables = ", ".join(f"{{schema}}.{name}" for name in (*metadata.tables, SEARCH_TABLE, VERSION_COUNTER))
    schema = _alone(connection, "SELECT quote_ident(current_schema())")
    _alone(connection, f"VACUUM ({how}) {tables.format(schema=schema)}")


def _size(connection: Connection) -> int:
    names = ", ".join(f"('{name}')" for name in (*metadata.tables, SEARCH_TABLE, VERSION_COUNTER))
    sizes = "sum(pg_total_relation_size(to_regclass(name)))"
    return int(_alone(connection, f"SELECT {sizes} FROM (VALUES {names}) AS ours (name)"))  # noqa: S608 - names


def _try_lock(connection: Connection, name: str, told: str) -> ReleaseLock | None:
    """Take a session lock, which the server releases when the connection ends for any reason."""
    if not _alone(connection, f"SELECT pg_try_advisory_lock({_lock_key(name)})"):
        return None
    _call_session(connection, f"{_HOLDS}{told}")

    def release() -> None:
        try:
            _alone(connection, f"SELECT pg_advisory_unlock({_lock_key(name)})")
            _call_session(connection, "workflow-history")
        except DBAPIError as error:
            if not error.connection_invalidated:  # otherwise the server has released it already
                raise

    return release


def _lock_holder(connection: Connection, name: str) -> str:
    said = _alone(
        connection,
        "SELECT max(a.application_name) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"  # noqa: S608
        " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        f" AND (l.classid::bigint << 32) | l.objid::bigint = {_lock_key(name)}",
    )
    return str(said or "").removeprefix(_HOLDS)


def _lock_key(name: str) -> str:
    """Return the SQL for the number of a lock, specific to this history."""
    return f"hashtextextended(coalesce(current_schema(), '') || '/{_plain(name)}', 0)"


def _call_session(connection: Connection, name: str) -> None:
    _alone(connection, f"SELECT set_config('application_name', '{_plain(name)}', false)")


def _plain(text: str) -> str:
    """Return text that is safe in an SQL literal; other characters become `_`."""
    return re.sub(r"[^ \w./:-]", "_", text, flags=re.ASCII)


def _no_file(url: URL) -> Path | None:  # noqa: ARG001 - a server has none
    return None


def _no_place(url: URL) -> tuple[Hashable, ...]:
    return (url,)


def _with_words(pieces: Sequence[SearchTerm]) -> Select[Any]:
    found = table(SEARCH_TABLE, column("workflow_key"), column("words"))
    run = workflows.alias("searched")
    holds: list[Any] = []
    itself: list[Any] = []
    for piece in pieces:
        said = normalize(piece.text)
        holds.append(found.c.words.op("@@")(func.run_search_query(said, piece.begins)))
        if not (said.isascii() and said.isalnum() and len(said) <= _LONGEST_WORD):
            # The index has the words of a run but not their order, so a phrase is matched in the run's text.
            text = literal("% ") + func.run_search_text(said) + ("%" if piece.begins else " %")
            itself.append(func.run_search_line(literal_column("searched")).like(text))
    query = select(found.c.workflow_key).where(*holds)
    if itself:
        query = query.join(run, run.c.key == found.c.workflow_key).where(and_(*itself))
    return query


_REASONS: Final[tuple[tuple[str, str | Callable[[str], str]], ...]] = (
    ("what it holds is malformed", MALFORMED_MESSAGE),
    ("Connection refused", "no PostgreSQL answers there; start it, or mend host and port of the URL"),
    ("could not translate host name", "there is no such host; mend the URL"),
    ("failed to resolve host", "there is no such host; mend the URL"),
    ("timeout expired", "no PostgreSQL answers there in time; look whether host and port are right"),
    ("password authentication failed", "the server refuses this user and password"),
    ("no password supplied", "the server wants a password; put it into ~/.pgpass or PGPASSWORD"),
    ("lock timeout", "another program has been writing to it for too long; try again when it is done"),
    ("permission denied for schema", "this role may make no tables there; see docs/postgresql.md"),
    ("permission denied", "this role may only read it; name one that may write"),
    ("read-only transaction", "this server can only be read; name the one that can be written"),
    ('"und-x-icu" for encoding', "this PostgreSQL was built without ICU, which full-text search needs"),
    ("terminating connection", "the server closed the connection; try again when it is up"),
    ("server closed the connection", "the server closed the connection; try again when it is up"),
    ("the connection is lost", "the connection is lost; try again when the server is up"),
    ("the connection is closed", "the connection is lost; try again when the server is up"),
    ("the database system is", "the server is starting or stopping; try again when it is up"),
)
"""Fragments of error messages, and their explanations for users."""


def _reason(text: str) -> str:
    first = " ".join(text.split("\n", maxsplit=1)[0].split())
    return next((f"{why} ({first})" for sign, why in _REASONS if sign in text), first)


def _numbers(values: Sequence[int]) -> FromClause:
    """Return integers as rows, from one parameter."""
    given = func.unnest(literal(list(values), ARRAY(BigInteger)))
    return given.table_valued(column("value", BigInteger)).render_derived(name="given")


POSTGRESQL: Final = Backend(
    create_engine=_engine,
    is_read_only=_is_read_only,
    insert=postgresql.insert,
    numbers=_numbers,
    on_connect=_prepare,
    after_last_write=_settle,
    integrity_errors=_damages,
    file=_no_file,
    place=_no_place,
    leave=_settle,
    put_in_place=None,
    fulltext_query=_with_words,
    version=_version,
    copy_to=None,  # merging a history into an empty file makes a copy
    into_one_file=_settle,
    vacuum=_compact,
    secure_delete=_erase,
    size=_size,
    try_lock=_try_lock,
    lock_holder=_lock_holder,
    explain_error=_reason,
    extra_ddl=(*_COUNTING, *SEARCH_INDEX["postgresql"], *TOTALS_TRIGGERS["postgresql"]),
)
