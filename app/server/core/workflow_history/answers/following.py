"""How a server's following stands: shapes only; times aware UTC. A server fills them in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SyncResult:
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
class SyncNow:
    """What a server follows, and how its sync stands."""

    state: str  # off: there is no folder; idle, running, or failed: it is tried again
    agents_dir: str | None  # folder that is synced; null: none
    project: str | None  # that its runs are stored under; null: there is no folder
    watch: str | None  # events, polling, listing (it lies elsewhere), waiting (one is not there); null: no
    phase: str | None = None  # of the sync that runs: scan, enrich, store ...
    done: int | None = None  # of the phase, in runs or folders
    total: int | None = None  # as far as is known; it may grow
    started_at: datetime | None = None  # of the sync that runs
    last: SyncResult | None = None  # null: none has ended well since the server's start
    error: str | None = None  # why the last one failed, and what to do; null: it did not
    next_retry_at: datetime | None = None  # when it is tried again by itself
    folders: tuple[str, ...] = ()  # all that are synced: agents_dir, and the project's others
