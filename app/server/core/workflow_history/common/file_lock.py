"""A lock in a file: whoever holds it has the system's lock on the file, and stands in it by name.

The system lets go of it when its holder ends, however that ends: no lock outlives its process.
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
_BEYOND: Final = 1 << 30  # Windows keeps others from reading what is locked: this byte, and no text
_LONGEST: Final = 8_192  # bytes of what a holder writes into it


def try_lock(file: Path, told: str | None = None) -> ReleaseLock | None:
    """Take the lock of a file, which is made, and leave `told` in it; None where another holds it.

    Without `told`, what stands in it stays. To release the lock removes the file.

    Raises OSError where the file cannot be made, or its system knows no locks.
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
        # Its last holder took the file away between our opening and locking it: once more, with a new one.
    if told is not None:
        os.ftruncate(handle, 0)
        os.write(handle, os.fsencode(told)[:_LONGEST])

    def release() -> None:
        if sys.platform != "win32":
            file.unlink(missing_ok=True)
            os.close(handle)
        else:  # there, a file that is open cannot be removed
            os.close(handle)
            with suppress(OSError):  # another process may have opened it by now
                file.unlink()

    return release


def read_owner(file: Path) -> str:
    """Return what the holder of a file's lock left in it; empty where nobody holds it any more."""
    try:
        return os.fsdecode(file.read_bytes()[:_LONGEST])
    except OSError:
        return ""


def has_lock(file: Path, byte: int) -> bool:
    """Return whether another process has a lock on a byte of a file, as SQLite has of its own.

    All locks that this process has on the file are lost. Raises OSError where it cannot be opened to write.
    """
    handle = os.open(file, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    try:
        return not _taken(handle, byte)
    finally:
        os.close(handle)


def _taken(handle: int, byte: int | None = None) -> bool:
    """Take the lock of an open file, or of a byte of it for this process; False where another has it."""
    try:
        if sys.platform == "win32":
            os.lseek(handle, _BEYOND if byte is None else byte, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        elif byte is None:
            # Of the open file, not of the process: two threads keep each other out, too.
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
