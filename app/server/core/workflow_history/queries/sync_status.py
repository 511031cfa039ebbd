"""How a server's following stands: shapes only; times aware UTC. A server fills them in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from .. import database
from ..common.errors import InvalidQueryError

MAX_PROBLEMS: Final = 500


@dataclass(frozen=True, slots=True)
class ReadErrors:
    """All that could not be read, or looks wrong."""

    errors: int  # data is missing
    warnings: int  # data is doubtful
    folders: dict[str, list[dict[str, Any]]]  # the first by agents folder: rows of the view
    left_out: int  # of them that are not named here


def list_read_errors(*, most: int = MAX_PROBLEMS) -> ReadErrors:
    """Return what is wrong, by agents folder; in each errors come first, then paths and lines rise."""
    with database.open_if_exists() as history:
        rows = [] if history is None else history.view("unreadable")
    errors = sum(1 for row in rows if row["severity"] == "error")
    folders: dict[str, list[dict[str, Any]]] = {}
    for row in rows[:most]:
        folders.setdefault(row["agents_dir"], []).append(row)
    return ReadErrors(errors, len(rows) - errors, folders, max(0, len(rows) - most))


MAX_LIMIT: Final = 2**63 - 1  # the highest number of a sync
MAX_ERRORS: Final = 100  # of one sync that are named


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
    before = MAX_LIMIT if cursor is None else _number(cursor)
    with database.open_if_exists() as history:
        if history is None:
            return SyncPage([], 0, limit, None)
        found, total = history.syncs(limit + 1, before)
    shown = [_record(sync) for sync in found[:limit]]
    more = str(shown[-1]["number"]) if shown and len(found) > limit else None
    return SyncPage(shown, total, limit, more)


def _record(sync: dict[str, Any]) -> dict[str, Any]:
    """Return a sync without the rest of a long list of errors."""
    errors = sync.get("errors") or []
    return {**sync, "errors_found": len(errors), "errors": errors[:MAX_ERRORS]}


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 20 and int(cursor) <= MAX_LIMIT):
        raise InvalidQueryError(f"{cursor[:40]!r} is no cursor of this list; start without it")
    return int(cursor)


@dataclass(frozen=True, slots=True)
class LastSync:
    """What the last sync did."""

    ended_at: datetime
    duration_seconds: float
    scanned: int  # runs found
    inserted: int  # runs that are new
    changed: int  # known runs that were written anew
    unchanged: int  # known runs that needed no write
    failed: int  # runs in trouble
    newly_gone: int  # runs whose files were there at the sync before
    problems: int  # things that could not be read, or look wrong


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """What a server follows, and how its sync stands."""

    state: str  # off: there is no folder; idle, running, or failed: it is tried again
    agents_dir: str | None  # folder that is synced; null: none
    project: str | None  # that its runs are stored under; null: there is no folder
    watch: str | None  # events, polling, listing (it lies elsewhere), waiting (one is not there); null: no
    phase: str | None = None  # of the sync that runs: scan, enrich, store ...
    done: int | None = None  # of the phase, in runs or folders
    total: int | None = None  # as far as is known; it may grow
    started_at: datetime | None = None  # of the sync that runs
    last: LastSync | None = None  # null: none has ended well since the server's start
    error: str | None = None  # why the last one failed, and what to do; null: it did not
    next_retry_at: datetime | None = None  # when it is tried again by itself
    folders: tuple[str, ...] = ()  # all that are synced: agents_dir, and the project's others
