"""PostgreSQL backend.

Only one writer runs at a time, as in a SQLite file: there is one lock per history, kept to the end of the
transaction. Keys, sums, lists and packed columns can therefore be computed from the stored rows, and
writers cannot deadlock. Readers never wait.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
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
    Table,
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
from .base import MALFORMED_MESSAGE, Dialect

LOCK_WAIT_SECONDS: Final = 600
CONNECT_SECONDS: Final = 10
MIN_SERVER_VERSION: Final = 130000  # PostgreSQL 13, the first with normalize(), which strips accents

VERSION_COUNTER: Final = "workflow_history_changes"
_TABLES: Final = (*metadata.tables, SEARCH_TABLE, VERSION_COUNTER)
_CREATE_COUNTER: Final = (
    f"CREATE TABLE {VERSION_COUNTER} (number bigint NOT NULL)",
    f"INSERT INTO {VERSION_COUNTER} (number) VALUES (0)",  # noqa: S608 - a name
    f"COMMENT ON TABLE {VERSION_COUNTER} IS 'number of transactions that have written to this history'",
)
_WRITE_LOCK: Final = "SELECT pg_advisory_xact_lock(1464230227, hashtext(coalesce(current_schema(), '')))"
_COUNTER_EXISTS: Final = f"SELECT to_regclass('{VERSION_COUNTER}') IS NOT NULL"
_INCREMENT_COUNTER: Final = f"UPDATE {VERSION_COUNTER} SET number = number + 1"  # noqa: S608 - a name
_READ_COUNTER: Final = f"SELECT number FROM {VERSION_COUNTER}"  # noqa: S608 - a name
_SETTINGS: Final = (
    f"SELECT set_config('lock_timeout', '{LOCK_WAIT_SECONDS}s', false),"
    " set_config('jit', 'off', false)"  # JIT compilation takes longer than any of our queries
)
_LOCK_PREFIX: Final = "workflow-history "  # application name of a session with a lock; the owner follows
_MAX_WORD_LENGTH: Final = 200  # characters of an indexed word; longer words are searched in the run's text


# --- connections


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
    record.info["own_writes"] = 0


def _on_begin(connection: Connection) -> None:
    # A reader sees a single snapshot. Each statement of a writer sees all rows stored before the writer got
    # the lock; a single snapshot would date from the start of its wait and show older rows.
    from psycopg import IsolationLevel  # noqa: PLC0415 - the driver is an extra

    writes = connection.get_execution_options().get("writes", False)
    raw: Any = connection.connection.dbapi_connection
    raw.isolation_level = IsolationLevel.READ_COMMITTED if writes else IsolationLevel.REPEATABLE_READ
    raw.read_only = not writes
    if writes:
        _lock_for_writing(connection, connection.info)


def _lock_for_writing(connection: Connection, info: dict[Any, Any]) -> None:
    connection.exec_driver_sql(_WRITE_LOCK)
    if not info.get("has_counter"):
        info["has_counter"] = connection.exec_driver_sql(_COUNTER_EXISTS).scalar()
    if info["has_counter"]:
        connection.exec_driver_sql(_INCREMENT_COUNTER)
        info["own_writes"] += 1
        info["is_pending"] = True


def _on_commit(connection: Connection) -> None:
    connection.info["is_pending"] = False


def _on_rollback(connection: Connection) -> None:
    if connection.invalidated:
        return
    if connection.info.pop("is_pending", False):
        connection.info["own_writes"] -= 1
    connection.info["has_counter"] = False  # the rollback may have removed the counter table


def _run_autocommit(connection: Connection, statement: str) -> Any:
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


def _run_vacuum(connection: Connection, options: str) -> None:
    schema = _run_autocommit(connection, "SELECT quote_ident(current_schema())")
    tables = ", ".join(f"{schema}.{name}" for name in _TABLES)
    _run_autocommit(connection, f"VACUUM ({options}) {tables}")


def _lock_key(name: str) -> str:
    """Return the SQL for the number of a lock, specific to this history."""
    return f"hashtextextended(coalesce(current_schema(), '') || '/{_safe_literal(name)}', 0)"


def _name_session(connection: Connection, name: str) -> None:
    _run_autocommit(connection, f"SELECT set_config('application_name', '{_safe_literal(name)}', false)")


def _safe_literal(text: str) -> str:
    """Return text that is safe in an SQL literal; other characters become `_`."""
    return re.sub(r"[^ \w./:-]", "_", text, flags=re.ASCII)


_EXPLANATIONS: Final = (
    ("what it holds is malformed", MALFORMED_MESSAGE),
    ("Connection refused", "no PostgreSQL server answers there; start it, or check host and port of the URL"),
    ("could not translate host name", "unknown host; check the URL"),
    ("failed to resolve host", "unknown host; check the URL"),
    ("timeout expired", "no PostgreSQL server answers in time; check host and port"),
    ("password authentication failed", "the server refuses this user and password"),
    ("no password supplied", "the server needs a password; set it in ~/.pgpass or PGPASSWORD"),
    ("lock timeout", "another program is writing to it; retry later"),
    ("permission denied for schema", "this role may not create tables; grant it CREATE on the schema"),
    ("permission denied", "this role is read-only; use one with write permission"),
    ("read-only transaction", "this server is read-only; use the primary server"),
    ('"und-x-icu" for encoding', "this PostgreSQL was built without ICU, which full-text search needs"),
    ("terminating connection", "the server closed the connection; retry when it is running"),
    ("server closed the connection", "the server closed the connection; retry when it is running"),
    ("the connection is lost", "connection lost; retry when the server is running"),
    ("the connection is closed", "connection lost; retry when the server is running"),
    ("the database system is", "the server is starting or stopping; retry when it is running"),
)
"""Fragments of error messages, and their explanations for users."""


class PostgresqlDialect(Dialect):
    """PostgreSQL."""

    extra_ddl = (*_CREATE_COUNTER, *SEARCH_INDEX["postgresql"], *TOTALS_TRIGGERS["postgresql"])

    def create_engine(self, url: URL, read_only: bool) -> Engine:  # noqa: ARG002 - the role's privileges decide
        try:
            import_module("psycopg")
        except ImportError as error:  # also if its library libpq is missing
            raise WorkflowHistoryError(
                'PostgreSQL needs psycopg. Install it with: pip install "workflow-history[postgres]"'
            ) from error
        defaults = {"application_name": "workflow-history", "connect_timeout": CONNECT_SECONDS}
        connect_args = {name: value for name, value in defaults.items() if name not in url.query}
        # No pool: a history is one connection, and a server process keeps histories open itself.
        engine = create_engine(
            url,
            poolclass=NullPool,
            connect_args={**connect_args, "client_encoding": "utf8"},
            use_native_hstore=False,
        )
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
        event.listen(engine, "commit", _on_commit)
        event.listen(engine, "rollback", _on_rollback)
        return engine

    def on_connect(self, connection: Connection) -> None:
        raw: Any = connection.connection.dbapi_connection
        info = raw.info
        encoding = info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise WorkflowHistoryError(
                f"The database {info.dbname!r} has the encoding {encoding}. Create one with ENCODING 'UTF8'."
            )
        if info.server_version < MIN_SERVER_VERSION:
            raise WorkflowHistoryError("This PostgreSQL server is too old. Use version 13 or newer.")

    def insert(self, into: Table) -> postgresql.Insert:
        return postgresql.insert(into)

    def fulltext_query(self, terms: Sequence[SearchTerm]) -> Select[Any]:
        search_table = table(SEARCH_TABLE, column("workflow_key"), column("words"))
        run = workflows.alias("searched")
        matches: list[Any] = []
        phrases: list[Any] = []
        for term in terms:
            words = normalize(term.text)
            matches.append(search_table.c.words.op("@@")(func.run_search_query(words, term.is_prefix)))
            if not (words.isascii() and words.isalnum() and len(words) <= _MAX_WORD_LENGTH):
                # The index has a run's words but not their order, so a phrase is matched in the run's text.
                text = literal("% ") + func.run_search_text(words) + ("%" if term.is_prefix else " %")
                phrases.append(func.run_search_line(literal_column("searched")).like(text))
        query = select(search_table.c.workflow_key).where(*matches)
        if phrases:
            query = query.join(run, run.c.key == search_table.c.workflow_key).where(and_(*phrases))
        return query

    def integer_rows(self, values: Sequence[int]) -> FromClause:
        rows = func.unnest(literal(list(values), ARRAY(BigInteger)))
        return rows.table_valued(column("value", BigInteger)).render_derived(name="integers")

    def data_version(self, connection: Connection) -> int:
        if connection.in_transaction():
            number: Any = connection.exec_driver_sql(_READ_COUNTER).scalar_one()
        else:
            number = _run_autocommit(connection, _READ_COUNTER)
        return int(number) - int(connection.info["own_writes"])  # own writes are not changes by others

    def integrity_errors(self, connection: Connection) -> list[str]:
        invalid_indexes = connection.exec_driver_sql(
            "SELECT c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid"
            " WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace ORDER BY c.relname"
        ).scalars()
        unindexed = connection.exec_driver_sql(
            f"SELECT w.project, w.id FROM workflows AS w LEFT JOIN {SEARCH_TABLE} AS s"  # noqa: S608 - a name
            " ON s.workflow_key = w.key WHERE s.workflow_key IS NULL ORDER BY w.key"
        ).all()
        messages = [f"index {name} is not valid: REINDEX INDEX {name}" for name in invalid_indexes]
        return messages + [f"{project}/{run_id}: no search finds it" for project, run_id in unindexed]

    def vacuum(self, connection: Connection) -> None:
        # Frees the space of deleted rows for new rows, without blocking readers and writers.
        _run_vacuum(connection, "ANALYZE")

    def secure_delete(self, connection: Connection) -> None:
        # Rewrites the tables without deleted rows; the server's own log and backups still contain them.
        _run_vacuum(connection, "FULL, ANALYZE")

    def size(self, connection: Connection) -> int:
        names = ", ".join(f"('{name}')" for name in _TABLES)
        sizes = "sum(pg_total_relation_size(to_regclass(name)))"
        return int(_run_autocommit(connection, f"SELECT {sizes} FROM (VALUES {names}) AS ours (name)"))  # noqa: S608 - names

    def try_lock(self, connection: Connection, name: str, owner: str) -> ReleaseLock | None:
        # A session lock, which the server releases when the connection ends for any reason.
        if not _run_autocommit(connection, f"SELECT pg_try_advisory_lock({_lock_key(name)})"):
            return None
        _name_session(connection, f"{_LOCK_PREFIX}{owner}")

        def release() -> None:
            try:
                _run_autocommit(connection, f"SELECT pg_advisory_unlock({_lock_key(name)})")
                _name_session(connection, "workflow-history")
            except DBAPIError as error:
                if not error.connection_invalidated:  # otherwise the server has released it already
                    raise

        return release

    def lock_owner(self, connection: Connection, name: str) -> str:
        session_name = _run_autocommit(
            connection,
            "SELECT max(a.application_name) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"  # noqa: S608
            " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            f" AND (l.classid::bigint << 32) | l.objid::bigint = {_lock_key(name)}",
        )
        return str(session_name or "").removeprefix(_LOCK_PREFIX)

    def explain_error(self, text: str) -> str:
        summary = " ".join(text.split("\n", maxsplit=1)[0].split())
        return next(
            (f"{explanation} ({summary})" for fragment, explanation in _EXPLANATIONS if fragment in text),
            summary,
        )
