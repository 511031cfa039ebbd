"""Types for the size and modification time of a file, from a listing or from an open file."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class FileStamp(Protocol):
    """Size and modification time of a file, from a listing."""

    @property
    def size(self) -> int:
        """Size in bytes."""

    @property
    def mtime_ns(self) -> int:
        """Modification time in nanoseconds since 1970."""


class OpenFileStat(Protocol):
    """Status of an open file; `os.stat_result` implements it."""

    @property
    def st_size(self) -> int:
        """Size in bytes."""

    @property
    def st_mtime(self) -> float:
        """Modification time in seconds since 1970."""

    @property
    def st_ino(self) -> int:
        """Inode number, or 0 if the storage has none."""


class RemoteStatus(NamedTuple):
    """Status of an open remote file."""

    st_size: int
    st_mtime: float
    st_ino: int = 0  # remote storage has no inodes: only its bytes identify the file
