"""Many rows with one statement: a statement and rows go in; knows no table, and opens no transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, insert
from sqlalchemy.sql.dml import Insert

T = TypeVar("T")

_MOST_PARAMETERS = 5_000  # values in one IN list; SQLite takes 32,766, PostgreSQL 65,535


def chunks(items: Sequence[T], size: int = _MOST_PARAMETERS) -> Iterator[Sequence[T]]:
    """Cut `items` into pieces that fit one statement."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def columns_of(rows: Sequence[Mapping[str, Any]]) -> Set[str]:
    """Return the columns that at least one row fills."""
    return set().union(*rows)


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert new rows; a column that a row does not fill is null."""
    execute_rows(connection, insert(table), rows, columns_of(rows))


def execute_rows(
    connection: Connection, statement: Insert, rows: Sequence[Mapping[str, Any]], columns: Set[str]
) -> None:
    """Run `statement` once for each row.

    SQLAlchemy writes the SQL, the driver gets the rows: through `execute` with a list, each row
    would be copied three times, which takes longer than SQLite does to store it.
    """
    if not rows:
        return
    compiled = statement.compile(dialect=connection.dialect, column_keys=sorted(columns))
    names = list(compiled.params)
    if compiled.positiontup is None:
        dicts = [{name: _value(row.get(name)) for name in names} for row in rows]
        connection.exec_driver_sql(str(compiled), dicts)
    else:
        values = [tuple([_value(row.get(name)) for name in compiled.positiontup]) for row in rows]
        connection.exec_driver_sql(str(compiled), values)


def _value(value: Any) -> Any:
    return json.dumps(value) if type(value) is dict else value
