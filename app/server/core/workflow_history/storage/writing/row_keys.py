"""Allocate keys for new rows that no row of the table ever had.

A key identifies one row for the lifetime of the history: a key that was read before another program deleted
and stored rows never refers to a newer row. Call it in a write transaction, whose lock lasts to its end, so
that no other writer gets the same keys.
"""

from __future__ import annotations

from sqlalchemy import Connection, Table, func, select

from ..connection.engine import get_dialect
from ..tables.schema import last_keys


def last_key(connection: Connection, table: Table) -> int:
    """Return the highest key that a row of this table ever had, or 0 if there was none."""
    recorded = connection.scalar(select(last_keys.c.key).where(last_keys.c.name == table.name))
    stored = connection.scalar(select(func.max(table.c.key)))
    return max(recorded or 0, stored or 0)


def new_keys(connection: Connection, table: Table, count: int) -> range:
    """Return `count` new keys and record them as used."""
    first = last_key(connection, table) + 1
    keys = range(first, first + count)
    if keys:
        statement = get_dialect(connection).insert(last_keys).values(name=table.name, key=keys[-1])
        connection.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_={"key": statement.excluded.key})
        )
    return keys
