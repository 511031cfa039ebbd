"""Where files lie: an address in, folders, listings and open files out. Only reads.

Everything that is read of agents folders goes through here, from this machine's disk as directly as can be
(`local.py`), from anywhere else through fsspec (`remote.py`).
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import cache
from os import DirEntry, scandir
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from ...common.errors import AgentsFolderError, StorageUnreachableError
from ...common.urls import is_url, join_url
from .file_stat import FileStamp, OpenFileStat
from .remote import RemoteEntry, RemoteFolder, RemoteListing, find_entry, open_remote, remote_folder


def open_no_follow(file: str) -> tuple[BinaryIO, os.stat_result]:
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


__all__ = [
    "DirLister",
    "FileEntry",
    "FileStamp",
    "FolderPath",
    "OpenFileStat",
    "RemoteFolder",
    "RemoteListing",
    "born",
    "file_exists",
    "find_entry",
    "join",
    "lister",
    "open_file",
    "to_path",
]

FolderPath = Path | RemoteFolder
"""A folder or file, there or not; both kinds have `name`, `/`, `exists`, `is_dir`, `is_file`, `absolute`."""

FileEntry = DirEntry[str] | RemoteEntry
"""One entry of a folder that was listed."""

DirLister = Callable[[str], AbstractContextManager[Iterable[FileEntry]]]
"""Lists a folder by its address, as `os.scandir` does."""

_HERE = ("file://", "local://")


def to_path(address: Path | str | FolderPath) -> FolderPath:
    """Return what an address names; also a `UPath`, by its text.

    Raises AgentsFolderError for a URL that nothing here can read, or that holds a password.
    """
    if isinstance(address, Path | RemoteFolder):
        return address
    _refuse_own_settings(address)
    text = str(address)
    if text.startswith(_HERE):
        from urllib.parse import unquote  # noqa: PLC0415 - hardly anybody writes a path so

        return Path(unquote(text.partition("://")[2]))
    return remote_folder(text) if is_url(text) else Path(text)


def _refuse_own_settings(address: object) -> None:
    if getattr(address, "storage_options", None):
        raise AgentsFolderError(
            f"{address} comes with settings of its own, which other processes and the next sync do not know: "
            "keep them in the environment or in fsspec's configuration"
        )


def join(folder: str, name: str) -> str:
    """Return the address of an entry of a folder."""
    return join_url(folder, name) if is_url(folder) else str(Path(folder) / name)


def lister(root: FolderPath) -> DirLister:
    """Return what lists the folders below `root`: those of this machine one by one, others all at once."""
    return scandir if isinstance(root, Path) else RemoteListing()


def open_file(file: Path | str, stamp: FileStamp | None = None) -> tuple[BinaryIO, OpenFileStat]:
    """Open a regular file for reading, unbuffered, and tell what is known of it; close it afterwards.

    Of a file that lies elsewhere `stamp` saves asking for its size.
    Raises OSError where the file itself is the trouble, PlaceUnreachableError where its whole place is.
    """
    address = str(file)
    return open_remote(address, stamp) if is_url(address) else open_no_follow(address)


def born(file: Path | str) -> int | None:
    """Return when a file was made, in nanoseconds since 1970; None if its place or system does not know."""
    address = str(file)
    return None if is_url(address) else born_ns(address)


def file_exists(address: str) -> bool | None:
    """Return whether a file is there now; None where its place does not answer."""
    try:
        return to_path(address).is_file()
    except (AgentsFolderError, StorageUnreachableError):
        return None
    except (OSError, ValueError):  # no permission, or no path at all
        return False
