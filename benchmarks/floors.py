"""Floors, the minimum work of any implementation: a bare walk, a raw read, a raw insert of the same rows."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20

Rows = dict[str, tuple[str, list[tuple[Any, ...]]]]
"""Insert statement and rows by table name."""


def walk(root: Path) -> int:
    """Stat every file below a directory and return their number."""
    count = 0
    folders = [str(root)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)
                    count += 1
    return count


def streams_below(root: Path) -> list[str]:
    """Return the paths of all streams below a directory."""
    return [
        os.path.join(folder, name)  # noqa: PTH118 - only the work that a raw read needs
        for folder, _, names in os.walk(root)
        for name in names
        if name.endswith(".jsonl")
    ]


def raw_read(files: list[str]) -> int:
    """Read files completely into one reused buffer; return the number of bytes."""
    buffer = bytearray(_CHUNK)
    total = 0
    for file in files:
        with open(file, "rb", buffering=0) as handle:  # noqa: PTH123
            while size := handle.readinto(buffer):
                total += size
    return total


def schema_and_rows(database: Path) -> tuple[list[str], Rows]:
    """Return the SQL that creates a history's tables, indexes and triggers, and all rows of its tables."""
    with closing(sqlite3.connect(database)) as connection:
        master = (
            "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        )
        objects = connection.execute(master).fetchall()
        virtual = [name for _, name, sql in objects if sql.upper().startswith("CREATE VIRTUAL")]
        usual = [o for o in objects if not any(o[1].startswith(f"{name}_") for name in virtual)]
        rows: Rows = {}
        for kind, name, _ in usual:
            if kind != "table" or name in virtual:
                continue
            cursor = connection.execute(f"SELECT * FROM {name}")
            marks = ",".join("?" * len(cursor.description))
            rows[name] = (f"INSERT OR REPLACE INTO {name} VALUES ({marks})", cursor.fetchall())
    return [sql for kind, _, sql in usual if kind in ("table", "index", "trigger")], rows


def raw_insert(database: Path, rows: Rows) -> None:
    """Write the rows into existing tables, in one transaction."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        for statement, values in rows.values():
            connection.executemany(statement, values)
        connection.execute("COMMIT")


def make_tables(database: Path, statements: list[str]) -> None:
    """Create an empty database with the given schema statements, in WAL mode like the history."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in statements:
            connection.execute(statement)


if __name__ == "__main__":
    sys.stdout.write(f"{raw_read(streams_below(Path(sys.argv[1])))}\n")
