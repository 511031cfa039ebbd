"""What tells whether a file changed, as a listing and as an open file show it. No behaviour."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class FileStamp(Protocol):
    """A file's size and time, as a listing told them."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def mtime_ns(self) -> int:
        """When it was written: nanoseconds since 1970."""


class OpenFileStat(Protocol):
    """What is known of an open file; `os.stat_result` is one."""

    @property
    def st_size(self) -> int:
        """Bytes."""

    @property
    def st_mtime(self) -> float:
        """When it was written: seconds since 1970."""

    @property
    def st_ino(self) -> int:
        """The number by which its disk knows it; 0: it has none."""


class RemoteStatus(NamedTuple):
    """What is known of a file that lies elsewhere."""

    st_size: int
    st_mtime: float
    st_ino: int = 0  # its place has no numbers: its bytes alone tell whether it is the same file
