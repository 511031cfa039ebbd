"""Back up the history in use to one file, while other processes may write to it; also vacuum it.

A backup is complete or missing: it is written next to its target, checked, and then moved to its name.
The next command removes the leftovers of a killed backup.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .. import database
from ..common.errors import InvalidQueryError, WorkflowHistoryError
from ..common.temporary_files import scratch_folder
from ..common.urls import refuse_url
from ..pipeline.unfinished_work import finish
from ..pipeline.workers.gc_tuning import relaxed_gc
from ..storage.connection.engine import display_name
from ..storage.connection.url import database_url
from ..storage.history import History
from .merge.merge_history import Merge
from .records import BackupResult, VacuumResult


def vacuum_history() -> VacuumResult:
    """Vacuum the history in use; raise WorkflowHistoryError if there is none."""
    started = time.monotonic()
    with database.open_required() as history:
        bytes_before = history.size()
        finish(history)  # first, because it inserts and deletes rows
        history.vacuum()
        bytes_after = history.size()
    return VacuumResult(bytes_before, bytes_after, time.monotonic() - started)


def backup_history(file: Path | str, *, force: bool = False) -> BackupResult:
    """Write a copy of the history in use to `file`, as an SQLite database, from any kind of database.

    An existing file is only replaced with `force`. Raises WorkflowHistoryError if there is no history, its
    copy is damaged, or the file cannot be written.
    """
    started = time.monotonic()
    refuse_url(file)
    target = Path(file).expanduser().absolute()
    if target.is_dir():
        raise InvalidQueryError(f"{target} is a directory. Name a file in it.")
    if target.exists() and not force:
        raise WorkflowHistoryError(f"{target} exists. Use --force to overwrite it.")
    with relaxed_gc(), database.open_required() as history:
        if (url := database.current_url()) == database_url(target):
            raise WorkflowHistoryError(f"{target} is the history in use. Name another file.")
        try:
            with _new_file(target, force=force) as temporary:
                _copy(history, temporary)
                runs = verify_copy(temporary)
        except OSError as error:
            raise WorkflowHistoryError(f"Cannot write {target}: {error.strerror}.") from error
    return BackupResult(
        file=str(target),
        source=display_name(url),
        runs=runs,
        bytes=target.stat().st_size,
        duration_seconds=time.monotonic() - started,
    )


@contextmanager
def _new_file(target: Path, *, force: bool) -> Iterator[Path]:
    """Yield a temporary file that becomes `target` once it is flushed to disk; on errors nothing is left."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(target.parent) as folder:
        temporary = folder / "history.db"
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        yield temporary
        flush_to_disk(temporary)
        if force:
            temporary.replace(target)
        else:
            os.link(temporary, target)  # fails if another file got this name meanwhile
        flush_to_disk(target.parent)


def _copy(history: History, target: Path) -> None:
    if history.copy_to(target):
        return
    with History.open(target) as copy:
        Merge(copy, history).run()
        copy.vacuum()


def verify_copy(file: Path) -> int:
    """Check a copy and return its number of runs; raises WorkflowHistoryError if it is damaged."""
    with History.open(file) as copy:
        problems = copy.check()
        runs = len(copy.merge_store().refs())
        copy.checkpoint_wal()
    if problems:
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise WorkflowHistoryError(
            f"The copy is damaged and was deleted: {problems[0]}{more}. Check the history with: db verify"
        )
    return runs


def flush_to_disk(path: Path) -> None:
    """Flush a file or directory to disk."""
    if os.name == "nt" and path.is_dir():
        return  # directories cannot be opened there
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
