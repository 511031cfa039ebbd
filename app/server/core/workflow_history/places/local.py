"""Open a file of this machine: a path in, an open file out. Follows no link, waits for no pipe."""

from __future__ import annotations

import ctypes
import os
import stat
from functools import cache
from typing import Any, BinaryIO, ClassVar


def open_regular(file: str) -> tuple[BinaryIO, os.stat_result]:
    """Open without following a link that was put in the file's place, and without waiting for a pipe."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    number = os.open(file, flags | getattr(os, "O_BINARY", 0))
    status = os.fstat(number)
    if not stat.S_ISREG(status.st_mode):
        os.close(number)
        raise OSError(0, "it is no regular file")
    return os.fdopen(number, "rb", buffering=0), status


def born_ns(file: str) -> int | None:
    """Return when a file was made, in nanoseconds since 1970; None if the system does not know.

    macOS, FreeBSD and Windows give it with `os.stat`, Linux by its own call, which Python lacks before 3.15.
    """
    try:
        status: Any = os.stat(file, follow_symlinks=False)  # noqa: PTH116 - a name may be no valid text
    except (OSError, ValueError):
        return None
    seconds = getattr(status, "st_birthtime", None)
    if seconds is not None:
        return int(getattr(status, "st_birthtime_ns", seconds * 1e9))
    return _born_on_linux(file) if "\0" not in file else None


class _Moment(ctypes.Structure):
    _fields_: ClassVar = [
        ("seconds", ctypes.c_int64),
        ("nanoseconds", ctypes.c_uint32),
        ("_", ctypes.c_int32),
    ]


class _Statx(ctypes.Structure):
    """`struct statx` of linux/stat.h, as far as the time of birth; the rest is left room for."""

    _fields_: ClassVar = [
        ("mask", ctypes.c_uint32),
        ("_sizes_and_owners", ctypes.c_uint8 * 60),
        ("accessed", _Moment),
        ("born", _Moment),
        ("_rest", ctypes.c_uint8 * 160),
    ]


_AT_FDCWD, _AT_SYMLINK_NOFOLLOW, _STATX_BTIME = -100, 0x100, 0x800


@cache
def _statx() -> Any:
    """Return the C library's function; None where there is none."""
    try:
        return ctypes.CDLL(None, use_errno=True).statx
    except (AttributeError, OSError, TypeError):
        return None


def _born_on_linux(file: str) -> int | None:
    call, found = _statx(), _Statx()
    if call is None:
        return None
    failed = call(_AT_FDCWD, os.fsencode(file), _AT_SYMLINK_NOFOLLOW, _STATX_BTIME, ctypes.byref(found))
    if failed or not found.mask & _STATX_BTIME or found.born.seconds <= 0:
        return None
    return int(found.born.seconds * 10**9 + found.born.nanoseconds)
