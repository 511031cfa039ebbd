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
from contextlib import closing, contextmanager, suppress
from glob import escape
from pathlib import Path
from threading import RLock
from typing import Any, Final, NamedTuple
from weakref import WeakSet

from ....common.errors import WorkflowHistoryError
from ....common.file_lock import ReleaseLock, has_lock, try_lock

LOCK_WAIT_SECONDS: Final = 30.0
"""SQLite's own timeout for other writers, seconds."""

_NO_WAL: Final = 1  # header byte of a file without a write-ahead log
_WRITE_VERSION_OFFSET: Final = 18  # offset of that byte, the file format write version
_POLL_SECONDS: Final = 0.02  # seconds between two checks whether a replacement is finished
_MAX_ATTEMPTS: Final = 5  # attempts to find the log empty and no other writer
_LOG_SUFFIXES: Final = ("-wal", "-journal", "-shm")
_SHM_LOCK_OFFSET: Final = 128  # offset in the -shm file that each process with an open log locks


class FileIdentity(NamedTuple):
    """Identity of a file, independent of its name."""

    device: int
    inode: int


class DatabaseConnection(sqlite3.Connection):
    """SQLite connection with the identity of its file."""

    identity: FileIdentity | None = None

    def close(self) -> None:
        """Close the connection; the last one to a file also closes the handle for its header."""
        with _REGISTRY_LOCK:
            super().close()
            if self.identity is not None and (opened := _OPEN_FILES.get(self.identity)) is not None:
                opened.connections.discard(self)
                opened.close_if_unused()
                if not opened.connections:
                    del _OPEN_FILES[self.identity]


class _OpenConnections:
    """Open connections of this process to one file.

    Closing any handle of a file releases all locks of the process on it, including those of SQLite. The
    handle for reading the header therefore stays open as long as there are connections.
    """

    def __init__(self) -> None:
        self.connections: WeakSet[DatabaseConnection] = WeakSet()
        self._handle: int | None = None

    def header(self, file: Path) -> bytes:
        if self._handle is None:
            self._handle = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        os.lseek(self._handle, 0, os.SEEK_SET)
        content = os.read(self._handle, _WRITE_VERSION_OFFSET + 1)
        self.close_if_unused()
        return content

    def close_if_unused(self) -> None:
        if self._handle is not None and not self.connections:
            os.close(self._handle)
            self._handle = None


_REGISTRY_LOCK: Final = RLock()
_OPEN_FILES: Final[dict[FileIdentity, _OpenConnections]] = {}


def file_identity(file: Path) -> FileIdentity | None:
    """Return the identity of the file at a path, or None if there is none."""
    try:
        status = file.stat()
    except OSError:
        return None
    return FileIdentity(status.st_dev, status.st_ino)


def is_without_wal(file: Path) -> bool:
    """Return whether a file uses no log, as it was not opened by this program since it was made or copied."""
    with _REGISTRY_LOCK:
        identity = file_identity(file)
        if identity is None:
            return False
        try:
            header = _OPEN_FILES.get(identity, _OpenConnections()).header(file)
        except OSError:
            return False
    return len(header) > _WRITE_VERSION_OFFSET and header[_WRITE_VERSION_OFFSET] == _NO_WAL


def open_database(file: Path, parameter: str) -> DatabaseConnection:
    """Open a database; raises WorkflowHistoryError if the log of another database is next to it."""
    while True:
        if _replacement_lock_file(file).exists():
            with _lock_replacement(file):
                pass  # wait until the replacement is finished
        _check_wal(file)
        connection = _connect(file, parameter, LOCK_WAIT_SECONDS)
        try:
            connection.execute("PRAGMA schema_version")  # opens the log, too
        except BaseException:
            connection.close()
            raise
        if connection.identity == file_identity(file) and not _replacement_lock_file(file).exists():
            return connection
        connection.close()  # the file was replaced in this moment


def _connect(file: Path, parameter: str, timeout: float) -> DatabaseConnection:
    # Any thread may use the connection, one at a time: the pool passes a history from caller to caller.
    uri = f"{file.as_uri()}?{parameter}"
    while True:
        with _REGISTRY_LOCK:
            identity = file_identity(file)
            connection = sqlite3.connect(
                uri, uri=True, timeout=timeout, check_same_thread=False, factory=DatabaseConnection
            )
            if identity is not None and identity == file_identity(file):
                connection.identity = identity
                _OPEN_FILES.setdefault(identity, _OpenConnections()).connections.add(connection)
                return connection
            connection.close()


def _check_wal(file: Path) -> None:
    """Raise WorkflowHistoryError if the log of another database is next to a file; remove an empty one."""
    log_files = [file.with_name(file.name + suffix) for suffix in ("-wal", "-shm")]
    if not any(path.exists() for path in log_files):
        return
    if _has_foreign_wal(file):
        raise WorkflowHistoryError(
            f"{log_files[0]} is the log of another database than {file.name}, and would damage it: move "
            f"{file.name} away, and bring it back with workflow-history db restore FILE"
        )
    if not is_without_wal(file):
        return
    with _lock_replacement(file):
        if is_without_wal(file) and not _size_or_zero(log_files[0]):
            for path in log_files:
                path.unlink(missing_ok=True)


def _has_foreign_wal(file: Path) -> bool:
    """Return whether the log next to a file has changes of another database; writes to neither.

    A file that is in use was checked when it was opened.
    """
    if not _size_or_zero(file.with_name(f"{file.name}-wal")):
        return False
    if is_without_wal(file):
        return True
    return not _is_in_use(file) and not _is_intact(file, "mode=ro") and _is_intact(file, "immutable=1")


def _is_in_use(file: Path) -> bool:
    """Return whether any process has a database and its log open; True if that cannot be determined."""
    with _REGISTRY_LOCK:  # closing a handle releases this process's own locks: it must have none
        if file_identity(file) in _OPEN_FILES:
            return True
        try:
            return has_lock(file.with_name(f"{file.name}-shm"), _SHM_LOCK_OFFSET)
        except FileNotFoundError:
            return False
        except OSError:
            return True


def _is_intact(file: Path, parameter: str) -> bool:
    """Return whether a database is undamaged; `immutable=1` checks the file without its log."""
    try:
        with closing(_connect(file, parameter, LOCK_WAIT_SECONDS)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.OperationalError:  # not openable, or in use: `open_database` reports the reason
        return True
    except (sqlite3.DatabaseError, UnicodeDecodeError):  # see _on_error in sqlite.py
        return False


def remove_replaced_wal(connection: DatabaseConnection) -> None:
    """Remove the log of a replaced file before its connection is closed, if the old file has all changes."""
    file = Path(str(connection.execute("PRAGMA database_list").fetchone()[2]))
    if connection.identity == file_identity(file) or not is_without_wal(file):
        return
    _, frames, checkpointed = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if frames == checkpointed:  # all changes are in the old file, which now has another name
        for suffix in ("-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)


# --- replacing a file


def replace_file(new_file: Path, target: Path, backup: Path) -> None:
    """Replace the database `target` by the complete `new_file`; keep the old file and its log as `backup`.

    Raises WorkflowHistoryError if another program writes to `target`, or reads it all the time.
    """
    with _lock_replacement(target), _block_writers(target) as is_complete:
        if not is_complete:
            _move_log_files(target, backup)
        if target.exists():
            os.link(target, backup)
        try:
            new_file.replace(target)
        except BaseException:
            backup.unlink(missing_ok=True)
            raise
        _move_log_files(target, backup)


def _move_log_files(target: Path, backup: Path) -> None:
    """Move the log files of a database along with it; remove empty ones and the shared memory."""
    for suffix in _LOG_SUFFIXES:
        log_file = target.with_name(target.name + suffix)
        if suffix != "-shm" and _size_or_zero(log_file):
            log_file.replace(backup.with_name(backup.name + suffix))
        else:
            log_file.unlink(missing_ok=True)


@contextmanager
def _block_writers(target: Path) -> Iterator[bool]:
    """Block writers of a database while the block runs; yield whether the file itself has all changes.

    A database that cannot be opened has no writers.
    """
    for lock in target.parent.glob(f"{escape(target.name)}-sync-*.lock"):
        with suppress(OSError):
            if (release := try_lock(lock)) is None:
                raise _busy_error(target)
            release()
    connection = None
    log = target.with_name(f"{target.name}-wal")
    if target.exists() and not _has_foreign_wal(target):
        try:
            connection = _connect(target, "mode=rw", 0.0)
            _begin_with_empty_wal(connection, log)
        except sqlite3.DatabaseError as error:
            if connection is not None:
                connection.close()
                connection = None
            if "locked" in str(error):
                raise _busy_error(target) from error
    try:
        yield connection is not None
    finally:
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            connection.close()


def _begin_with_empty_wal(connection: sqlite3.Connection, log: Path) -> None:
    connection.isolation_level = None
    for _ in range(_MAX_ATTEMPTS):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("BEGIN IMMEDIATE")
        if not _size_or_zero(log):
            return
        connection.execute("ROLLBACK")
    raise sqlite3.OperationalError("locked by a reader")


def _busy_error(target: Path) -> WorkflowHistoryError:
    return WorkflowHistoryError(f"{target}: another program is using it; retry later")


@contextmanager
def _lock_replacement(file: Path) -> Iterator[None]:
    """Lock the files next to a database against changes by other processes."""
    release: ReleaseLock | None = None
    while release is None:
        try:
            release = try_lock(_replacement_lock_file(file))
        except OSError:  # files cannot be locked there, or nothing can be written
            release = _release_nothing
        if release is None:
            time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        release()


def _release_nothing() -> None:
    pass


def _replacement_lock_file(file: Path) -> Path:
    return file.with_name(f"{file.name}-place.lock")


def _size_or_zero(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def is_replaced(connection: Any, file: Path) -> bool:
    """Return whether the file of a connection was replaced."""
    identity = getattr(connection, "identity", None)
    return identity is not None and identity != file_identity(file)
