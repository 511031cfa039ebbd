"""Record a command's phase in shared memory, where the parent process can read it even after a kill."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

from app.server.core.workflow_history import resync, sync
from app.server.core.workflow_history.maintenance.merge.merge_history import Merge
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.tables import migrate
from app.server.core.workflow_history.storage.writing import redact_stored

WATCHED: tuple[tuple[Any, str, str], ...] = (
    (sync, "_run_stages", "reading"),
    (sync, "_phase_3e_relate", "comparing"),
    (sync, "_phase_4_store", "storing"),
    (sync, "_phase_5_learn", "storing patterns"),
    (sync, "finalize", "finishing the sync"),
    (resync, "_resync_run", "repricing"),
    (migrate, "create_tables", "creating tables"),
    (DefaultDialect, "do_commit", "committing"),
    (History, "flush", "flushing"),
    (Merge, "_merge_names", "merging"),
    (History, "prune", "pruning"),
    (History, "copy_to", "copying"),
    (History, "vacuum", "vacuuming"),
    (redact_stored, "redact_all", "redacting"),
    (History, "finish_erasing", "erasing"),
    (DefaultDialect, "do_close", "closing"),
)
"""Owner and name of each watched function, and its phase."""

PHASES = ("opening", *(phase for _, _, phase in WATCHED), "exiting")


def watch(seen: mmap.mmap, log: Path) -> None:
    """Record the phase, the number of SQL statements and the final log size of this process.

    `seen` layout: byte 0 index in PHASES, bytes 8-15 statements, bytes 16-23 size of the log (little-endian).
    """
    for number, (owner, name, _) in enumerate(WATCHED, 1):
        setattr(owner, name, _noted(seen, number, getattr(owner, name)))
    closing: Callable[..., None] = DefaultDialect.do_close

    def close(self: Any, connection: Any) -> None:
        if log.exists():
            seen[16:24] = log.stat().st_size.to_bytes(8, "little")
        closing(self, connection)
        seen[0] = len(PHASES) - 1

    setattr(DefaultDialect, "do_close", close)
    parent = os.getpid()

    def count(*_: Any) -> None:
        if os.getpid() == parent:
            seen[8:16] = (int.from_bytes(seen[8:16], "little") + 1).to_bytes(8, "little")

    event.listen(Engine, "before_cursor_execute", count)


def _noted(seen: mmap.mmap, number: int, work: Callable[..., Any]) -> Callable[..., Any]:
    parent = os.getpid()

    def noted(*given: Any, **named: Any) -> Any:
        if os.getpid() != parent:
            return work(*given, **named)
        before, seen[0] = seen[0], number
        done = work(*given, **named)
        seen[0] = before
        return done

    return noted
