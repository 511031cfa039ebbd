"""Open SQLite files safely, never next to the log of another database, and replace one file by another.

A log (-wal) does not identify its database. If a file was replaced, SQLite would write the changes of the old
file's log into the new one. A backup that has never been opened uses no log, as its header shows: a log next
to it belongs to another database. The header of a file that was copied by hand may not show that. In this
case, a log belongs to another database if the file is intact without it, but damaged with it.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from threading import RLock
from typing import Any, Final, NamedTuple
from weakref import WeakSet

from ....common.errors import WorkflowHistoryError
from ....common.file_lock import ReleaseLock, has_lock, try_lock

LOCK_WAIT_SECONDS: Final = 30.0
"""SQLite's own timeout for other writers, seconds."""

_KEEPS_NO_LOG: Final = 1  # header byte of a file without a write-ahead log
_HOW_WRITTEN: Final = 18  # offset of that byte, the file format write version
_PAUSE: Final = 0.02  # seconds between two checks whether a replacement is finished
_TRIES: Final = 5  # attempts to find the log empty and no other writer
_ENDINGS: Final = ("-wal", "-journal", "-shm")
_IN_USE: Final = 128  # offset in the -shm file that each process with an open log locks


class FilePlace(NamedTuple):
    """Identity of a file, independent of its name."""

    device: int
    inode: int


class OpenFile(sqlite3.Connection):
    """SQLite connection with the identity of its file."""

    place: FilePlace | None = None

    def close(self) -> None:
        """Close the connection; the last one to a file also closes the handle for its header."""
        with _GUARD:
            super().close()
            if self.place is not None and (known := _KNOWN.get(self.place)) is not None:
                known.connections.discard(self)
                known.give_up()
                if not known.connections:
                    del _KNOWN[self.place]


class _Known:
    """Open connections of this process to one file.

    Closing any handle of a file releases all locks of the process on it, including those of SQLite. The
    handle for reading the header therefore stays open as long as there are connections.
    """

    def __init__(self) -> None:
        self.connections: WeakSet[OpenFile] = WeakSet()
        self._handle: int | None = None

    def header(self, file: Path) -> bytes:
        if self._handle is None:
            self._handle = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        os.lseek(self._handle, 0, os.SEEK_SET)
        found = os.read(self._handle, _HOW_WRITTEN + 1)
        self.give_up()
        return found

    def give_up(self) -> None:
        if self._handle is not None and not self.connections:
            os.close(self._handle)
            self._handle = None


_GUARD: Final = RLock()
_KNOWN: Final[dict[FilePlace, _Known]] = {}


def place_of(file: Path) -> FilePlace | None:
    """Return the identity of the file at a path, or None if there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return FilePlace(found.st_dev, found.st_ino)


def keeps_no_log(file: Path) -> bool:
    """Return whether a file uses no log, as it was not opened by this program since it was made or copied."""
    with _GUARD:
        place = place_of(file)
        if place is None:
            return False
        try:
            header = _KNOWN.get(place, _Known()).header(file)
        except OSError:
            return False
    return len(header) > _HOW_WRITTEN and header[_HOW_WRITTEN] == _KEEPS_NO_LOG


def opened(file: Path, how: str) -> OpenFile:
    """Open a database; raises WorkflowHistoryError if the log of another database is next to it."""
    while True:
        _wait_until_in_place(file)
        _look_beside(file)
        connection = _connected(file, how, LOCK_WAIT_SECONDS)
        try:
            connection.execute("PRAGMA schema_version")  # opens the log, too
        except BaseException:
            connection.close()
            raise
        if connection.place == place_of(file) and not _lock_file(file).exists():
            return connection
        connection.close()  # the file was replaced in this moment


def _connected(file: Path, how: str, timeout: float) -> OpenFile:
    # Any thread may use the connection, one at a time: the pool passes a history from caller to caller.
    where = f"{file.as_uri()}?{how}"
    while True:
        with _GUARD:
            before = place_of(file)
            connection = sqlite3.connect(
                where, uri=True, timeout=timeout, check_same_thread=False, factory=OpenFile
            )
            if before is not None and before == place_of(file):
                connection.place = before
                _KNOWN.setdefault(before, _Known()).connections.add(connection)
                return connection
            connection.close()


def _look_beside(file: Path) -> None:
    """Raise WorkflowHistoryError if the log of another database is next to a file; remove an empty one."""
    beside = [file.with_name(file.name + ending) for ending in ("-wal", "-shm")]
    if not any(path.exists() for path in beside):
        return
    if _has_log_of_another(file):
        raise WorkflowHistoryError(
            f"{beside[0]} is the log of another database than {file.name}, and would damage it: move "
            f"{file.name} away, and bring it back with workflow-history db restore FILE"
        )
    if not keeps_no_log(file):
        return
    with _locked(file):
        if keeps_no_log(file) and not _size(beside[0]):
            for path in beside:
                path.unlink(missing_ok=True)


def _has_log_of_another(file: Path) -> bool:
    """Return whether the log next to a file has changes of another database; writes to neither.

    A file that is in use was checked when it was opened.
    """
    if not _size(file.with_name(f"{file.name}-wal")):
        return False
    if keeps_no_log(file):
        return True
    return not _is_in_use(file) and not _is_whole(file, "mode=ro") and _is_whole(file, "immutable=1")


def _is_in_use(file: Path) -> bool:
    """Return whether any process has a database and its log open; True if that cannot be determined."""
    with _GUARD:  # closing a handle releases this process's own locks: it must have none
        if place_of(file) in _KNOWN:
            return True
        try:
            return has_lock(file.with_name(f"{file.name}-shm"), _IN_USE)
        except FileNotFoundError:
            return False
        except OSError:
            return True


def _is_whole(file: Path, how: str) -> bool:
    """Return whether a database is undamaged; `immutable=1` checks the file without its log."""
    try:
        connection = _connected(file, how, LOCK_WAIT_SECONDS)
        try:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
        finally:
            connection.close()
    except sqlite3.OperationalError:  # it cannot be opened here, or is in use: `opened` reports the reason
        return True
    except (sqlite3.DatabaseError, UnicodeDecodeError):  # see _on_error in sqlite.py
        return False


def leave(connection: OpenFile) -> None:
    """Remove the log of a replaced file before its connection is closed, if the old file has all changes."""
    file = Path(str(connection.execute("PRAGMA database_list").fetchone()[2]))
    if connection.place == place_of(file) or not keeps_no_log(file):
        return
    _, written, kept = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if written == kept:  # all changes are in the old file, which now has another name
        for ending in ("-wal", "-shm"):
            file.with_name(file.name + ending).unlink(missing_ok=True)


# --- replacing a file


def put_in_place(part: Path, target: Path, aside: Path) -> None:
    """Replace the database `target` by the complete file `part`; keep the old file and its log as `aside`.

    Raises WorkflowHistoryError if another program writes to `target`, or reads it all the time.
    """
    with _locked(target), _quiet(target) as is_in_one_file:
        if not is_in_one_file:
            _move_beside(target, aside)
        if target.exists():
            os.link(target, aside)
        try:
            part.replace(target)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        _move_beside(target, aside)


def _move_beside(target: Path, aside: Path) -> None:
    """Move the log files of a database along with it; remove empty ones and the shared memory."""
    for ending in _ENDINGS:
        beside = target.with_name(target.name + ending)
        if ending != "-shm" and _size(beside):
            beside.replace(aside.with_name(aside.name + ending))
        else:
            beside.unlink(missing_ok=True)


@contextmanager
def _quiet(target: Path) -> Iterator[bool]:
    """Block writers of a database while the block runs; yield whether the file itself has all changes.

    A database that cannot be opened has no writers.
    """
    for lock in target.parent.glob(f"{escape(target.name)}-sync-*.lock"):
        with suppress(OSError):
            if (release := try_lock(lock)) is None:
                raise _busy(target)
            release()
    connection = None
    log = target.with_name(f"{target.name}-wal")
    if target.exists() and not _has_log_of_another(target):
        try:
            connection = _connected(target, "mode=rw", 0.0)
            _begin(connection, log)
        except sqlite3.DatabaseError as error:
            if connection is not None:
                connection.close()
                connection = None
            if "locked" in str(error):
                raise _busy(target) from error
    try:
        yield connection is not None
    finally:
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            connection.close()


def _begin(connection: sqlite3.Connection, log: Path) -> None:
    connection.isolation_level = None
    for _ in range(_TRIES):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("BEGIN IMMEDIATE")
        if not _size(log):
            return
        connection.execute("ROLLBACK")
    raise sqlite3.OperationalError("locked by a reader")


def _busy(target: Path) -> WorkflowHistoryError:
    return WorkflowHistoryError(f"{target}: another program is at work in it; try again when it is done")


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Lock the files next to a database against changes by other processes."""
    release: ReleaseLock | None = None
    while release is None:
        try:
            release = try_lock(_lock_file(file))
        except OSError:  # files cannot be locked there, or nothing can be written
            release = _nothing
        if release is None:
            time.sleep(_PAUSE)
    try:
        yield
    finally:
        release()


def _nothing() -> None:
    pass


def _wait_until_in_place(file: Path) -> None:
    if _lock_file(file).exists():
        with _locked(file):
            pass


def _lock_file(file: Path) -> Path:
    return file.with_name(f"{file.name}-place.lock")


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def moved(connection: Any, file: Path) -> bool:
    """Return whether the file of a connection was replaced."""
    place = getattr(connection, "place", None)
    return place is not None and place != place_of(file)
