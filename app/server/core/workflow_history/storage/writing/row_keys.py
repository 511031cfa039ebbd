"""Number new rows: a table in, keys out that no row of it ever had.

A key stands for one row as long as the history lasts: whoever listed some before another program stored and
took out rows never means a row that came later. Called in a transaction that writes; its lock lasts to the
end of it, so nobody else takes the same keys.
"""

from __future__ import annotations

from sqlalchemy import Connection, Table, func, select

from ..connection.engine import get_backend
from ..tables.schema import last_keys


def last_key(connection: Connection, table: Table) -> int:
    """Return the highest key that a row of this table ever had; 0: it never had one."""
    noted = connection.scalar(select(last_keys.c.key).where(last_keys.c.name == table.name))
    stored = connection.scalar(select(func.max(table.c.key)))
    return max(noted or 0, stored or 0)


def new_keys(connection: Connection, table: Table, count: int) -> range:
    """Return so many new keys, and note that they are taken."""
    first = last_key(connection, table) + 1
    keys = range(first, first + count)
    if keys:
        note = get_backend(connection).insert(last_keys).values(name=table.name, key=keys[-1])
        connection.execute(
            note.on_conflict_do_update(index_elements=["name"], set_={"key": note.excluded.key})
        )
    return keys
