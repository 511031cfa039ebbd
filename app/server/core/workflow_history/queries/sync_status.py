"""List recorded syncs and read errors, and define the status of a server's sync. Times are aware UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from .. import database
from ..common.errors import InvalidValueError
from ..common.field_docs import Doc
from ..common.models import Severity
from ..common.shared_fields import BrokenRuns, FoundRuns, NewRuns, NextCursor, SyncDuration, UnchangedRuns

MAX_PROBLEMS: Final = 500


@dataclass(frozen=True, slots=True)
class ReadErrors:
    """Problems found while reading."""

    errors: int  # number of errors: data is missing
    warnings: int  # number of warnings: data is doubtful
    folders: dict[str, list[dict[str, Any]]]  # first problems by agents folder: rows of `unreadable`
    more: int  # number of problems that are not included here


def list_read_errors(*, most: int = MAX_PROBLEMS) -> ReadErrors:
    """Return the read problems by agents folder: errors first, then sorted by path and line."""
    with database.open_if_exists() as history:
        rows = [] if history is None else history.view("unreadable")
    errors = sum(1 for row in rows if row["severity"] == Severity.ERROR)
    folders: dict[str, list[dict[str, Any]]] = {}
    for row in rows[:most]:
        folders.setdefault(row["agents_dir"], []).append(row)
    return ReadErrors(errors, len(rows) - errors, folders, max(0, len(rows) - most))


MAX_LIMIT: Final = 2**63 - 1  # highest possible number of a sync
MAX_ERRORS: Final = 100  # maximum number of errors returned per sync


@dataclass(frozen=True, slots=True)
class SyncPage:
    """One page of the recorded syncs."""

    syncs: Annotated[list[dict[str, Any]], Doc("syncs on this page, latest first")]
    total: Annotated[int, Doc("number of syncs on all pages")]
    limit: Annotated[int, Doc("maximum number of syncs per page")]
    next_cursor: NextCursor


def find_syncs(*, limit: int = 20, cursor: str | None = None) -> SyncPage:
    """Return one page of the recorded syncs, latest first; a sync that changed nothing is not recorded.

    `cursor` is the `next_cursor` of the previous page. Raises InvalidQueryError.
    """
    before = MAX_LIMIT if cursor is None else _parse_cursor(cursor)
    with database.open_if_exists() as history:
        if history is None:
            return SyncPage([], 0, limit, None)
        syncs, total = history.syncs(limit + 1, before)
    page = [_limit_errors(sync) for sync in syncs[:limit]]
    next_cursor = str(page[-1]["number"]) if page and len(syncs) > limit else None
    return SyncPage(page, total, limit, next_cursor)


def _limit_errors(sync: dict[str, Any]) -> dict[str, Any]:
    """Return a sync with its errors limited to MAX_ERRORS."""
    errors = sync.get("errors") or []
    return {**sync, "errors_found": len(errors), "errors": errors[:MAX_ERRORS]}


def _parse_cursor(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 20 and int(cursor) <= MAX_LIMIT):
        raise InvalidValueError("cursor", cursor[:40], "Omit it to start with the first page.")
    return int(cursor)


@dataclass(frozen=True, slots=True)
class LastSync:
    """Result of the last sync."""

    ended_at: Annotated[datetime, Doc("time at which the sync ended")]
    duration_seconds: SyncDuration
    scanned: FoundRuns
    inserted: NewRuns
    changed: Annotated[int, Doc("number of stored runs that were written again")]
    unchanged: UnchangedRuns
    failed: BrokenRuns
    newly_missing: Annotated[int, Doc("number of runs whose files went missing since the sync before")]
    problems: Annotated[int, Doc("number of problems found while reading")]


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """Status of a server's sync and the folders it follows."""

    state: Annotated[str, Doc("off (no directory), idle, running or failed (the sync is retried)")]
    agents_dir: Annotated[str | None, Doc("agents directory that is synced; null: none")]
    project: Annotated[str | None, Doc("project under which the runs are stored; null: no directory")]
    watch: Annotated[
        str | None,
        Doc("events, polling, listing (remote directory) or waiting (missing directory); null: off"),
    ]
    phase: Annotated[
        str | None, Doc("stage of the running sync: scan, enrich, store ...; null: not running")
    ] = None
    done: Annotated[
        int | None, Doc("progress of the sync stage, in runs or directories; null: not running")
    ] = None
    total: Annotated[
        int | None, Doc("estimated total of the sync stage, which may grow; null: not running")
    ] = None
    started_at: Annotated[
        datetime | None, Doc("start of the running sync, ISO 8601, UTC; null: not running")
    ] = None
    last: Annotated[LastSync | None, Doc("last successful sync since the server's start; null: none")] = None
    error: Annotated[str | None, Doc("reason and remedy of the last failure; null: none")] = None
    next_retry_at: Annotated[
        datetime | None, Doc("time of the next automatic retry, ISO 8601, UTC; null: none")
    ] = None
    folders: Annotated[tuple[str, ...], Doc("all synced directories of the project")] = ()
