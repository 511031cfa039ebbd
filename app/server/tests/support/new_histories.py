"""Make new histories in less time: SQL that was compiled for one engine serves all later ones.

Each test has its own history and so its own engine, for which SQLAlchemy would compile every statement again.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.util import LRUCache

from app.server.core.workflow_history.storage.tables import migrate

_REAL_CREATE_TABLES: Final = migrate.create_tables
_DDL: Final[dict[str, list[str]]] = {}  # statements that create the tables, by the name of the dialect


class _SharedCache(LRUCache[Any, Any]):
    """Compiled statements of all engines with the same dialect; the key begins with the engine's own one."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get((type(key[0]), *key[1:]), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__((type(key[0]), *key[1:]), value)


_COMPILED: Final = _SharedCache(2_000)


def share_statements() -> None:
    """Let all engines of this process share their compiled statements, and tables be created from text."""
    event.listen(Engine, "engine_connect", _use_shared)
    migrate.create_tables = _create_tables


def _use_shared(connection: Connection) -> None:
    connection.execution_options(compiled_cache=_COMPILED)


def _create_tables(connection: Connection) -> None:
    """Run the statements of the first call again; it runs the real function."""
    dialect = connection.dialect.name
    if dialect in _DDL:
        for statement in _DDL[dialect]:
            connection.exec_driver_sql(statement)
        return
    statements: list[str] = []

    def keep(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(connection, "before_cursor_execute", keep)
    try:
        _REAL_CREATE_TABLES(connection)
    finally:
        event.remove(connection, "before_cursor_execute", keep)
    _DDL[dialect] = statements
