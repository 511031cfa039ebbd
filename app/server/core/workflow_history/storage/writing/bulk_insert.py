"""Insert or update many rows with one statement, for any table and in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    JSON,
    Connection,
    Table,
    Text,
    bindparam,
    cast,
    column,
    func,
    insert,
    select,
)
from sqlalchemy.sql.dml import Insert, Update
from sqlalchemy.types import TypeEngine

T = TypeVar("T")

_MAX_PARAMETERS = 5_000  # values in one IN list; SQLite takes 32,766, PostgreSQL 65,535


def batched(items: Sequence[T], size: int = _MAX_PARAMETERS) -> Iterator[Sequence[T]]:
    """Yield slices of `items` that fit into one statement."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert new rows; columns that a row lacks are null."""
    names = [column.name for column in table.columns if any(column.name in row for row in rows)]
    execute_many(connection, insert(table), names, [tuple([row.get(name) for name in names]) for row in rows])


def execute_many(
    connection: Connection, statement: Insert | Update, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Run `statement` once for each row; a row has the values of `names`, in that order.

    `names` are the columns of an insert, or the bound parameters of an update.

    SQLAlchemy compiles the SQL, but the driver gets the rows directly: `execute` with a list would copy
    each row three times, which takes longer than SQLite needs to store it.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql" and isinstance(statement, Insert):
        _insert_arrays(connection, statement, names, rows)
        return
    columns = list(names) if isinstance(statement, Insert) else None
    compiled = statement.compile(dialect=connection.dialect, column_keys=columns)
    if compiled.positiontup is None:
        connection.exec_driver_sql(str(compiled), [dict(zip(names, row, strict=True)) for row in rows])
    elif compiled.positiontup == list(names):
        connection.exec_driver_sql(str(compiled), rows)
    else:
        indexes = [names.index(name) for name in compiled.positiontup]
        connection.exec_driver_sql(str(compiled), [tuple([row[index] for index in indexes]) for row in rows])


def _insert_arrays(
    connection: Connection, statement: Insert, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows as one array per column; otherwise a server plans and answers a statement for each row."""
    types: dict[str, TypeEngine[Any]] = {name: statement.table.c[name].type for name in names}
    elements = {name: Text() if isinstance(kind, Text | JSON) else kind for name, kind in types.items()}
    arrays = func.unnest(*(bindparam(f"of_{name}", type_=ARRAY(kind)) for name, kind in elements.items()))
    source = arrays.table_valued(*(column(name, kind) for name, kind in elements.items()))
    source = source.render_derived(name="source")
    values = [
        cast(source.c[name], kind) if isinstance(kind, JSON) else source.c[name]
        for name, kind in types.items()
    ]
    insert_select = statement.from_select(list(names), select(*values))
    for batch in batched(rows):
        arrays_by_name = zip(names, zip(*batch, strict=True), strict=True)
        connection.execute(insert_select, {f"of_{name}": list(array) for name, array in arrays_by_name})
