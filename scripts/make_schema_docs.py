"""Generate docs/database-schema.md from the comments of the tables."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sqlalchemy import Column, Table, create_engine, inspect

from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.tables.schema import metadata
from app.server.core.workflow_history.storage.tables.views import VIEW_COLUMNS

PAGE = Path(__file__).parents[1] / "docs" / "database-schema.md"
_ORDER = (
    "workflows",
    "agent_runs",
    "model_usage",
    "similarity_features",
    "similar_pairs",
    "patterns",
    "occurrences",
    "problems",
    "sync_runs",
    "pruned_runs",
    "unfinished",
)
_HEAD = """\
# Database schema

With this page you find the tables and columns of a history, to query it with any SQL tool. The history is one
SQLite file, or the same tables on PostgreSQL ([postgresql.md](postgresql.md)). Start with the views, which
show money in US dollars.

In the tables:

- Money is a whole number of nanodollars: 1,000,000,000 are 1 USD. Sums are exact.
- Times are text, ISO 8601 in UTC with microseconds, so sorting the text sorts by time.
- Null means unknown and never stands for 0.
- `key` numbers a row in this database. `project` and `id` together identify a run permanently.
- A column's key in the program's dicts is its name without `_nanodollars`, unless the table says otherwise.
  There, money is a float of US dollars.

This page is generated from the tables by `python -m scripts.make_schema_docs`; do not edit it by hand.
"""


def render() -> str:
    """Format the whole page."""
    tables = [_table(metadata.tables[name]) for name in _ORDER]
    return "\n".join([_HEAD, "## Views\n", *_views(), *tables]).rstrip() + "\n"


def _table(table: Table) -> str:
    lines = [f"## {table.name}\n", f"{_sentence(table.comment)}\n"]
    lines += ["| column | type | meaning |", "|---|---|---|"]
    lines += [f"| {column.name} | {_type(column)} | {_meaning(column)} |" for column in table.columns]
    return "\n".join(lines) + "\n"


def _type(column: Column[object]) -> str:
    kind = type(column.type).__name__
    names = {"BigInteger": "integer", "Integer": "integer", "Double": "real", "LargeBinary": "bytes"}
    return names.get(kind, kind if kind == "JSON" else kind.lower())


def _meaning(column: Column[object]) -> str:
    key = column.info.get("key", column.name.removesuffix("_nanodollars"))
    usual = column.name.removesuffix("_nanodollars")
    return str(column.comment) + (f"; key `{key}`" if key != usual else "")


def _sentence(text: str | None) -> str:
    return f"{str(text)[0].upper()}{str(text)[1:]}."


def _views() -> list[str]:
    """Format a table of the views, with the columns that they have in a new database."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "history.db"
        with History.open(file):
            pass
        engine = create_engine(f"sqlite:///{file}")
        columns = {name: [c["name"] for c in inspect(engine).get_columns(name)] for name in VIEW_COLUMNS}
        engine.dispose()
    rows = [f"| {name} | {meaning} | {', '.join(columns[name])} |" for name, meaning in VIEW_COLUMNS.items()]
    return ["| view | rows | columns |", "|---|---|---|", *rows, ""]


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
