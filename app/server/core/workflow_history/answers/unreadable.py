"""What could not be read at the last sync of each agents folder: the history in, problems out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from .. import database

MOST_NAMED: Final = 500


@dataclass(frozen=True, slots=True)
class Unreadable:
    """All that could not be read, or looks wrong."""

    errors: int  # data is missing
    warnings: int  # data is doubtful
    folders: dict[str, list[dict[str, Any]]]  # the first by agents folder: rows of the view
    left_out: int  # of them that are not named here


def find_unreadable(*, most: int = MOST_NAMED) -> Unreadable:
    """Return what is wrong, by agents folder; in each errors come first, then paths and lines rise."""
    with database.existing() as history:
        rows = [] if history is None else history.view("unreadable")
    errors = sum(1 for row in rows if row["severity"] == "error")
    folders: dict[str, list[dict[str, Any]]] = {}
    for row in rows[:most]:
        folders.setdefault(row["agents_dir"], []).append(row)
    return Unreadable(errors, len(rows) - errors, folders, max(0, len(rows) - most))
