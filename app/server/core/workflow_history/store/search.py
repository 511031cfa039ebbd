"""The full-text index over runs as it is now, by kind of database: its SQL. It keeps itself up to date."""

from __future__ import annotations

from typing import Final

SEARCHED: Final = (
    "nl_input", "error_message", "branch_name", "plan_file", "id", "adw_id", "issue_number",
)  # fmt: skip
"""The columns that a search looks through."""

SEARCH_TABLE: Final = "run_search"

_TOKENS: Final = "unicode61 remove_diacritics 2"


def _sqlite() -> tuple[str, ...]:
    columns = ", ".join(SEARCHED)
    new, old = (", ".join(f"{row}.{name}" for name in SEARCHED) for row in ("new", "old"))
    changed = " OR ".join(f"old.{name} IS NOT new.{name}" for name in SEARCHED)
    add = f"INSERT INTO run_search (rowid, {columns}) VALUES (new.key, {new});"  # noqa: S608 - names, no values
    drop = f"INSERT INTO run_search (run_search, rowid, {columns}) VALUES ('delete', old.key, {old});"  # noqa: S608
    table = f"fts5({columns}, content='workflows', content_rowid='key', tokenize='{_TOKENS}')"
    changes = f"AFTER UPDATE OF {columns} ON workflows WHEN {changed}"
    return (
        f"CREATE VIRTUAL TABLE run_search USING {table}",
        f"CREATE TRIGGER run_search_add AFTER INSERT ON workflows BEGIN {add} END",
        f"CREATE TRIGGER run_search_drop AFTER DELETE ON workflows BEGIN {drop} END",
        f"CREATE TRIGGER run_search_change {changes} BEGIN {drop} {add} END",
    )


SEARCH_INDEX: Final = {"sqlite": _sqlite()}
"""By dialect: what makes the index. Triggers keep it, so that whoever writes a run cannot forget it."""
