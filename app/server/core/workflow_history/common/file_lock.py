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

_TAKEN: Final = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
_BEYOND: Final = 1 << 30  # Windows denies reads of locked bytes, so the locked byte is far behind the text
_LONGEST: Final = 8_192  # bytes; maximum length of the text that an owner writes


def try_lock(file: Path, told: str | None = None) -> ReleaseLock | None:
    """Lock a file, create it if needed, and write `told` into it; return None if another owner has the lock.

    Without `told`, the file's content stays. The returned function releases the lock and removes the file.

    Raises OSError if the file cannot be created or its file system has no locks.
    """
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            taken = _taken(handle)
            if taken and _is_still(handle, file):
                break
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if not taken:
            return None
        # The last owner removed the file after we opened it and before we locked it: retry with a new one.
    if told is not None:
        os.ftruncate(handle, 0)
        os.write(handle, os.fsencode(told)[:_LONGEST])

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
        return os.fsdecode(file.read_bytes()[:_LONGEST])
    except OSError:
        return ""


def has_lock(file: Path, byte: int) -> bool:
    """Return whether another process has locked a byte of a file, as SQLite locks bytes of its database.

    The check releases all locks that this process has on the file. Raises OSError if the file cannot be
    opened for writing.
    """
    handle = os.open(file, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    try:
        return not _taken(handle, byte)
    finally:
        os.close(handle)


def _taken(handle: int, byte: int | None = None) -> bool:
    """Lock an open file, or one byte of it for this process; return False if another owner has the lock."""
    try:
        if sys.platform == "win32":
            os.lseek(handle, _BEYOND if byte is None else byte, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        elif byte is None:
            # flock belongs to the open file, not to the process, so it also separates two threads.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def _is_still(handle: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), file.stat())
    except FileNotFoundError:
        return False
