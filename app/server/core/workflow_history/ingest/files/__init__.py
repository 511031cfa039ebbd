"""Read-only access to directories and files, by local path or URL.

All reads of agents directories go through this package. Local files are read directly (`open_local.py`), the
sessions in opencode's store as files (`opencode_store.py`), all others through fsspec (`remote.py`).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import cache
from os import DirEntry, scandir
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from ...common.errors import AgentsFolderError, StorageUnreachableError
from ...common.urls import is_url, join_url
from .file_stat import FileStamp, OpenFileStat
from .open_local import open_no_follow
from .opencode_store import is_session_address, open_session, session_exists
from .packed import PACKED_SUFFIX, unpack, unpacked_name
from .remote import RemoteEntry, RemoteFolder, RemoteListing, find_entry, open_remote, remote_folder


def local_birth_time_ns(file: str) -> int | None:
    """Return a file's creation time in nanoseconds since 1970, or None if the system does not provide it.

    `os.stat` has it on macOS, FreeBSD and Windows. Linux needs `statx`, which Python lacks before 3.15.
    """
    try:
        status: Any = os.stat(file, follow_symlinks=False)  # noqa: PTH116 - a name may be no valid text
    except (OSError, ValueError):
        return None
    seconds = getattr(status, "st_birthtime", None)
    if seconds is not None:
        return int(getattr(status, "st_birthtime_ns", seconds * 1e9))
    return _linux_birth_time_ns(file) if "\0" not in file else None


class _StatxTime(ctypes.Structure):
    _fields_: ClassVar = [
        ("seconds", ctypes.c_int64),
        ("nanoseconds", ctypes.c_uint32),
        ("_", ctypes.c_int32),
    ]


class _Statx(ctypes.Structure):
    """`struct statx` of linux/stat.h: fields up to the creation time; padding for the rest."""

    _fields_: ClassVar = [
        ("mask", ctypes.c_uint32),
        ("_sizes_and_owners", ctypes.c_uint8 * 60),
        ("access_time", _StatxTime),
        ("birth_time", _StatxTime),
        ("_rest", ctypes.c_uint8 * 160),
    ]


_AT_FDCWD, _AT_SYMLINK_NOFOLLOW, _STATX_BTIME = -100, 0x100, 0x800


@cache
def _load_statx() -> Any:
    """Return the C library's `statx` function, or None if it has none."""
    try:
        return ctypes.CDLL(None, use_errno=True).statx
    except (AttributeError, OSError, TypeError):
        return None


def _linux_birth_time_ns(file: str) -> int | None:
    statx, result = _load_statx(), _Statx()
    if statx is None:
        return None
    error = statx(_AT_FDCWD, os.fsencode(file), _AT_SYMLINK_NOFOLLOW, _STATX_BTIME, ctypes.byref(result))
    if error or not result.mask & _STATX_BTIME or result.birth_time.seconds <= 0:
        return None
    return int(result.birth_time.seconds * 10**9 + result.birth_time.nanoseconds)


__all__ = [
    "DirLister",
    "FileEntry",
    "FileStamp",
    "FolderPath",
    "OpenFileStat",
    "RemoteFolder",
    "RemoteListing",
    "birth_time_ns",
    "directory_lister",
    "file_exists",
    "find_entry",
    "join_address",
    "open_file",
    "to_path",
    "unpacked_name",
]

FolderPath = Path | RemoteFolder
"""Path of a directory or file that may not exist.

Both types have `name`, `/`, `exists`, `is_dir`, `is_file` and `absolute`.
"""

FileEntry = DirEntry[str] | RemoteEntry
"""One entry of a directory listing."""

DirLister = Callable[[str], AbstractContextManager[Iterable[FileEntry]]]
"""Function that lists a directory by its address, as `os.scandir` does."""

_LOCAL_SCHEMES = ("file://", "local://")


def to_path(address: Path | str | FolderPath) -> FolderPath:
    """Parse an address into a local or remote path; a `UPath` of universal-pathlib by its text.

    Raises AgentsFolderError for a URL that cannot be read or that contains a password, and for a `UPath` with
    its own storage options.
    """
    if isinstance(address, Path | RemoteFolder):
        return address
    if getattr(address, "storage_options", None):
        raise AgentsFolderError(
            f"{address} has its own settings, which other processes and the next sync lack. Keep them in the "
            "environment or in the configuration of fsspec."
        )
    text = str(address)
    if text.startswith(_LOCAL_SCHEMES):
        from urllib.parse import unquote  # noqa: PLC0415 - hardly anybody writes a path so

        return Path(unquote(text.partition("://")[2]))
    return remote_folder(text) if is_url(text) else Path(text)


def join_address(folder: str, name: str) -> str:
    """Return the address of an entry of a directory."""
    return join_url(folder, name) if is_url(folder) else str(Path(folder) / name)


def directory_lister(root: FolderPath) -> DirLister:
    """Return the function that lists directories below `root`.

    Local directories are listed one by one. Remote ones are all requested with the first listing.
    """
    return scandir if isinstance(root, Path) else RemoteListing()


def open_file(file: Path | str, stamp: FileStamp | None = None) -> tuple[BinaryIO, OpenFileStat]:
    """Open a regular file for reading, unbuffered, and return it with its status. The caller closes it.

    A file that is packed by its name is unpacked, and its status has the unpacked size. For a remote file,
    `stamp` saves a request for its size and time.
    Raises OSError if the file cannot be read, StorageUnreachableError if its storage cannot be reached.
    """
    address = str(file)
    if is_session_address(address):
        return open_session(address)
    handle, status = open_remote(address, stamp) if is_url(address) else open_no_follow(address)
    return unpack(handle, status) if address.endswith(PACKED_SUFFIX) else (handle, status)


def birth_time_ns(file: Path | str) -> int | None:
    """Return a file's creation time in nanoseconds since 1970; None if unavailable, as for every URL."""
    address = str(file)
    return None if is_url(address) else local_birth_time_ns(address)


def file_exists(address: str) -> bool | None:
    """Return whether a file exists now; None if its storage cannot be reached or read."""
    if is_session_address(address):
        return session_exists(address)
    try:
        return to_path(address).is_file()
    except (AgentsFolderError, StorageUnreachableError):
        return None
    except (OSError, ValueError):  # no permission, or not a valid path
        return False
