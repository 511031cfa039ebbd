"""Fuzz target: cursor, offset, limit and sort of lists. The result is a page or a documented error."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.queries.list_runs import (
    AGENT_SORT_KEYS,
    SORT_ALIASES,
    find_runs,
    list_run_summaries,
)
from app.server.core.workflow_history.storage.reading.page_query import query_fingerprint

from .. import histories, hostile
from ..dice import Dice
from ..oracle import Broken
from .asking import answered

SORTS = (*SORT_ALIASES, *AGENT_SORT_KEYS, "id", "nl_input", "issue_number")


def made(folder: Path) -> Callable[[bytes], None]:
    """Return a function that requests one page of runs."""
    histories.make(folder)

    def once(data: bytes) -> None:
        dice = Dice(data)
        sort = hostile.text(dice) if dice.one_in(6) else dice.pick(SORTS)
        order = hostile.text(dice) if dice.one_in(6) else dice.pick(("asc", "desc"))
        limit = dice.pick((1, 5, 0, -1, 10**9, 2**63)) if dice.one_in(4) else 5
        offset = dice.pick((0, 3, -1, 2**31, 2**63, 2**64)) if dice.one_in(4) else 0
        cursor = _cursor(dice, query_fingerprint(RunFilter(), SORT_ALIASES.get(sort, sort), order))
        ask = dice.pick((find_runs, list_run_summaries))
        page = answered(lambda: ask(None, sort=sort, order=order, limit=limit, offset=offset, cursor=cursor))
        if page is not None and not 0 <= len(page.workflows) <= max(limit, 0):
            raise Broken("a page is longer than it was asked to be")

    return once


def _cursor(dice: Dice, name: str) -> str | None:
    match dice.whole(0, 4):
        case 0:
            return None
        case 1:
            return hostile.text(dice)
        case 2:
            return base64.urlsafe_b64encode(dice.taken(60)).decode().rstrip("=")
    place: list[Any] = [name, _plain(dice), hostile.text(dice), hostile.text(dice)]
    if dice.one_in(6):
        place[dice.whole(0, 3)] = _plain(dice)
    try:
        packed = msgspec.msgpack.encode(place)
    except (OverflowError, UnicodeEncodeError):
        return "_" * dice.whole(0, 40)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _plain(dice: Dice) -> Any:
    return dice.pick(
        (None, 1, -1, 0.5, float("nan"), float("inf"), 2**63, 2**64 - 1, "2026", b"\x00", True, [1], {})
    )
