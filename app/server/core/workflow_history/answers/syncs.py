"""The syncs on record: how many in, one page of them out, the latest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from .. import database
from ..errors import InvalidQueryError

MOST: Final = 2**63 - 1  # the highest number of a sync
MOST_ERRORS: Final = 100  # of one sync that are named


@dataclass(frozen=True, slots=True)
class SyncPage:
    """One page of the syncs on record."""

    syncs: list[dict[str, Any]]  # SyncRecord, see given.py
    total: int  # syncs on all pages
    limit: int
    next_cursor: str | None  # gives the next page; None: this is the last


def find_syncs(*, limit: int = 20, cursor: str | None = None) -> SyncPage:
    """Return one page of the recorded syncs, the latest first; a sync that changed nothing is not on record.

    `cursor` is the `next_cursor` of the page before. Raises InvalidQueryError.
    """
    before = MOST if cursor is None else _number(cursor)
    with database.existing() as history:
        if history is None:
            return SyncPage([], 0, limit, None)
        found, total = history.syncs(limit + 1, before)
    shown = [_record(sync) for sync in found[:limit]]
    more = str(shown[-1]["number"]) if shown and len(found) > limit else None
    return SyncPage(shown, total, limit, more)


def _record(sync: dict[str, Any]) -> dict[str, Any]:
    """Return a sync without the rest of a long list of errors."""
    errors = sync.get("errors") or []
    return {**sync, "errors_found": len(errors), "errors": errors[:MOST_ERRORS]}


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 20 and int(cursor) <= MOST):
        raise InvalidQueryError(f"{cursor[:40]!r} is no cursor of this list; start without it")
    return int(cursor)
