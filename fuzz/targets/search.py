"""Fuzz target: search terms. Any text gives matching runs and never a database error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.server.core.workflow_history import database
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.queries.list_runs import find_runs
from app.server.core.workflow_history.queries.similar import similar_runs
from app.server.core.workflow_history.storage.reading.search_query import parse_search

from .. import histories, hostile
from ..dice import Dice
from ..oracle import Broken

_PARTS = (
    "csv",
    "export",
    "due date",
    "or",
    "AND",
    "NOT",
    "NEAR",
    '"',
    "*",
    "-",
    "^",
    ":",
    "(",
    ")",
    "+",
    "'",
    " ",
    "\x00",
)


def made(folder: Path) -> Callable[[bytes], None]:
    """Return a function that runs a text search, its negation and sometimes a similarity search."""
    histories.make(folder)
    everything = database.get_workflow_history()["total"]

    def once(data: bytes) -> None:
        dice = Dice(data)
        typed = "".join(
            dice.pick(_PARTS) if dice.one_in(2) else hostile.text(dice) for _ in range(dice.whole(1, 8))
        )
        page = find_runs(RunFilter(search=typed))
        if len(page.workflows) > page.total or page.total > everything:
            raise Broken("more runs than there are")
        if typed.strip() and not parse_search(typed) and page.total:
            raise Broken(f"a search without a word finds runs: {typed!r}")
        left_out = find_runs(RunFilter(search=f'-"{typed}"')) if '"' not in typed else None
        if left_out is not None and left_out.total > everything:
            raise Broken("more runs than there are")
        if typed.strip() and dice.one_in(4):
            similar_runs(text=typed)

    return once
