"""File locks that store their owner's name, so that a waiting process can report it.

The operating system releases a lock when its process ends, however it ends: no lock outlives its process.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

ReleaseLock = Callable[[], None]

_LOCKED_ERRNOS: Final = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
_LOCK_OFFSET: Final = 1 << 30  # far behind the text, because Windows denies reads of locked bytes
_MAX_OWNER_LENGTH: Final = 8_192  # bytes; maximum length of the text that an owner writes


def try_lock(file: Path, owner: str | None = None) -> ReleaseLock | None:
    """Lock a file, create it if needed, and write `owner` into it; return None if it is locked.

    Without `owner`, the file's content stays. The returned function releases the lock and removes the file.

    Raises OSError if the file cannot be created or its file system has no locks.
    """
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            is_acquired = _acquire(handle)
            if is_acquired and _is_same_file(handle, file):
                break
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if not is_acquired:
            return None
        # The last owner removed the file after we opened it and before we locked it: retry with a new one.
    if owner is not None:
        os.ftruncate(handle, 0)
        os.write(handle, os.fsencode(owner)[:_MAX_OWNER_LENGTH])

    def release() -> None:
        if sys.platform != "win32":
            file.unlink(missing_ok=True)
            os.close(handle)
        else:  # Windows cannot remove an open file
            os.close(handle)
            with suppress(OSError):  # another process may have opened it in between
                file.unlink()

    return release


def read_owner(file: Path) -> str:
    """Return the text that the owner of a lock wrote into its file, or "" if the file is missing."""
    try:
        return os.fsdecode(file.read_bytes()[:_MAX_OWNER_LENGTH])
    except OSError:
        return ""


def has_lock(file: Path, byte: int) -> bool:
    """Return whether another process has locked a byte of a file, as SQLite locks bytes of its database.

    The check releases all locks that this process has on the file. Raises OSError if the file cannot be
    opened for writing.
    """
    handle = os.open(file, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    try:
        return not _acquire(handle, byte)
    finally:
        os.close(handle)


def _acquire(handle: int, byte: int | None = None) -> bool:
    """Lock an open file, or one byte of it for this process; return False if another owner has the lock."""
    try:
        if sys.platform == "win32":
            os.lseek(handle, _LOCK_OFFSET if byte is None else byte, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        elif byte is None:
            # flock belongs to the open file, not to the process, so it also separates two threads.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
    except OSError as error:
        if error.errno in _LOCKED_ERRNOS:
            return False
        raise
    return True


def _is_same_file(handle: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), file.stat())
    except FileNotFoundError:
        return False
