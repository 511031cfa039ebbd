"""SQLite's files: open one, never beside the log of another, and put another in its place.

A log (-wal) names no database. Beside a file that was put in the place of another, SQLite would write the old
changes into it. A backup that has never been opened keeps no log, and says so in its first bytes: a log
beside it is another's. A file that was copied by hand may not say so: a log with which it makes no whole
database, while it is one by itself, is another's.
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
"""How long SQLite itself waits for another writer."""

_KEEPS_NO_LOG: Final = 1  # in the byte of the header that says how changes are written
_HOW_WRITTEN: Final = 18  # the place of that byte
_PAUSE: Final = 0.02  # seconds between two looks whether another file has been put in place
_TRIES: Final = 5  # to find the log empty with nobody writing
_ENDINGS: Final = ("-wal", "-journal", "-shm")
_IN_USE: Final = 128  # the byte of the -shm file on which everybody has a lock who has the log open


class FilePlace(NamedTuple):
    """Which file lies somewhere, whatever it is called."""

    device: int
    inode: int


class OpenFile(sqlite3.Connection):
    """A connection that knows which file it is to."""

    place: FilePlace | None = None

    def close(self) -> None:
        """Close it; the last one to a file gives up what is held of the file beside it."""
        with _GUARD:
            super().close()
            if self.place is not None and (known := _KNOWN.get(self.place)) is not None:
                known.connections.discard(self)
                known.give_up()
                if not known.connections:
                    del _KNOWN[self.place]


class _Known:
    """What this process has open of one file.

    To close any handle of a file takes away all locks that the process has on it, those of SQLite, too. So
    the handle by which the header is read stays open as long as there are connections.
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
    """Return which file lies there; None: none does."""
    try:
        found = file.stat()
    except OSError:
        return None
    return FilePlace(found.st_dev, found.st_ino)


def keeps_no_log(file: Path) -> bool:
    """Return whether a database has not been opened by this program since it was made or copied."""
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
    """Open a database; raises WorkflowHistoryError where the log of another lies beside it."""
    while True:
        _wait_until_in_place(file)
        _look_beside(file)
        connection = _connected(file, how, LOCK_WAIT_SECONDS)
        try:
            connection.execute("PRAGMA schema_version")  # from now on it has its log open, too
        except BaseException:
            connection.close()
            raise
        if connection.place == place_of(file) and not _lock_file(file).exists():
            return connection
        connection.close()  # another file was put in its place at this very moment


def _connected(file: Path, how: str, timeout: float) -> OpenFile:
    # Any thread may use it, one at a time: a kept history is lent to whoever asks next.
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
    """Raise WorkflowHistoryError where another's log lies beside a file; an empty one is removed."""
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
    """Return whether changes wait in a log beside a database that are not its own; neither is written.

    One that somebody has open was looked at when it was opened.
    """
    if not _size(file.with_name(f"{file.name}-wal")):
        return False
    if keeps_no_log(file):
        return True
    return not _is_in_use(file) and not _is_whole(file, "mode=ro") and _is_whole(file, "immutable=1")


def _is_in_use(file: Path) -> bool:
    """Return whether anybody has a database open with its log; where that cannot be told, somebody has."""
    with _GUARD:  # to close a handle takes away this process's own locks: it must have none
        if place_of(file) in _KNOWN:
            return True
        try:
            return has_lock(file.with_name(f"{file.name}-shm"), _IN_USE)
        except FileNotFoundError:
            return False
        except OSError:
            return True


def _is_whole(file: Path, how: str) -> bool:
    """Return whether a database is undamaged; `immutable=1`: by itself, without its log."""
    try:
        connection = _connected(file, how, LOCK_WAIT_SECONDS)
        try:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
        finally:
            connection.close()
    except sqlite3.OperationalError:  # it cannot be opened here, or is in use: whoever opens it is told why
        return True
    except (sqlite3.DatabaseError, UnicodeDecodeError):  # see _on_error in sqlite.py
        return False


def leave(connection: OpenFile) -> None:
    """Before a connection is closed: where another file took the place of its own, take its log along."""
    file = Path(str(connection.execute("PRAGMA database_list").fetchone()[2]))
    if connection.place == place_of(file) or not keeps_no_log(file):
        return
    _, written, kept = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if written == kept:  # all of it is in the file that is no longer called so
        for ending in ("-wal", "-shm"):
            file.with_name(file.name + ending).unlink(missing_ok=True)


# --- another file in its place


def put_in_place(part: Path, target: Path, aside: Path) -> None:
    """Give a whole database the name of another, which is called `aside` from then on, its log with it.

    Raises WorkflowHistoryError while another program writes to it, or reads it all the time.
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
    """Move what lies beside a database along with it, where there is anything in it."""
    for ending in _ENDINGS:
        beside = target.with_name(target.name + ending)
        if ending != "-shm" and _size(beside):
            beside.replace(aside.with_name(aside.name + ending))
        else:
            beside.unlink(missing_ok=True)


@contextmanager
def _quiet(target: Path) -> Iterator[bool]:
    """Let nobody write to a database while the block runs; say whether all of it is in the file itself.

    To one that cannot be opened nobody writes.
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
    """Be the only one who changes what lies beside a database."""
    release: ReleaseLock | None = None
    while release is None:
        try:
            release = try_lock(_lock_file(file))
        except OSError:  # no locks there, or nothing can be written
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
    """Return whether another file took the place of the one that a connection is to."""
    place = getattr(connection, "place", None)
    return place is not None and place != place_of(file)
