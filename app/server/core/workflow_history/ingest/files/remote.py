"""Read-only access to remote directories, files and archives by URL, through fsspec.

Keys and endpoints come from the environment or fsspec's configuration, never from a URL.
"""

from __future__ import annotations

import errno
import hashlib
import io
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from ...common.errors import AgentsFolderError, StorageUnreachableError
from ...common.urls import has_password, join_url, parent_url, url_path
from .archives import DAMAGES, KINDS, Archive, archive_of
from .file_stat import FileStamp, RemoteStatus

_NAMES = (
    "mtime", "LastModified", "last_modified", "updated", "modified", "time", "date_time", "created",
)  # fmt: skip
"""Names of the modification time in the info of fsspec's file systems, in order of preference."""

UNKNOWN = -1


def mtime_ns(system: Any, path: str, info: Mapping[str, Any]) -> int:
    """Return a file's modification time in nanoseconds since 1970, or UNKNOWN.

    Requests it from the file system if `info` has none.
    """
    told = next((info[name] for name in _NAMES if info.get(name) is not None), None)
    if told is None:
        try:
            told = system.modified(path)
        except (NotImplementedError, OSError, KeyError, ValueError):
            return UNKNOWN
    return _nanoseconds(told)


def _nanoseconds(told: Any) -> int:
    """Convert a time in any of fsspec's forms to nanoseconds since 1970; a time without a zone is UTC.

    >>> _nanoseconds("2026-01-31T12:00:00Z"), _nanoseconds((2026, 1, 31, 12, 0, 0)), _nanoseconds(1.5)
    (1769860800000000000, 1769860800000000000, 1500000000)
    """
    try:
        if isinstance(told, int | float):
            return round(told * 1e9)
        when = datetime.fromisoformat(told) if isinstance(told, str) else told
        when = datetime(*when[:6], tzinfo=UTC) if isinstance(when, tuple) else when  # type: ignore[misc]
        return round(when.replace(tzinfo=when.tzinfo or UTC).timestamp() * 1e6) * 1_000
    except (TypeError, ValueError, OverflowError, AttributeError):
        return UNKNOWN


REQUIRED_EXTRAS = 'pip install "workflow-history[remote]"'

MIN_READ_AHEAD, MAX_READ_AHEAD = 1 << 20, 8 << 20  # bytes per request


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """URL of a remote directory or file, with the part of `Path`'s interface that a sync needs."""

    address: str

    def __str__(self) -> str:
        return self.address

    def __truediv__(self, name: str) -> RemoteFolder:
        return RemoteFolder(join_url(self.address, name))

    @property
    def name(self) -> str:
        """The last part of its path."""
        return url_path(self.address).rpartition("/")[2]

    @property
    def parent(self) -> RemoteFolder:
        """The directory that contains it."""
        return RemoteFolder(parent_url(self.address))

    def absolute(self) -> RemoteFolder:
        """Return the URL itself, which is always absolute."""
        return self

    def resolve(self) -> RemoteFolder:
        """Return the URL itself: links are not followed."""
        return self

    def is_symlink(self) -> bool:
        """Return False: links are not detected here."""
        return False

    def exists(self) -> bool:
        """Return whether a file or directory exists; raises StorageUnreachableError."""
        return self._kind() is not None

    def is_dir(self) -> bool:
        """Return whether it is a directory or a prefix of other names; raises StorageUnreachableError."""
        return self._kind() == "directory"

    def is_file(self) -> bool:
        """Return whether it is a file; raises StorageUnreachableError."""
        return self._kind() == "file"

    def _kind(self) -> str | None:
        """Return "file" or "directory", or None if it does not exist; raises StorageUnreachableError.

        fsspec's own `exists`, `isdir` and `isfile` return False even if the storage cannot be reached.
        """
        try:
            system, path = _system(self.address, anew=True)
            with _troubles(self.address):
                system.invalidate_cache()
                return str(system.info(path)["type"])
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            raise StorageUnreachableError(f"{self.address} may not be looked at: {error}") from error


def remote_folder(address: str) -> RemoteFolder:
    """Parse a URL into a remote path; raises AgentsFolderError if it cannot be read or has a password."""
    if has_password(address):
        raise AgentsFolderError(
            "the address of the agents folder holds a password: keep it in the environment or in fsspec's "
            "configuration, and name the folder without it"
        )
    text = str(_upath(_from_the_root(address)))
    folder = RemoteFolder(text if text.endswith("://") else text.rstrip("/"))
    kind, target = _archive_in(folder.address)
    _file_system(target if kind else folder.address)
    return folder


def _from_the_root(address: str) -> str:
    """Return the address with the path of a local archive in it made absolute."""
    *links, last = address.split("::")
    if not links or ("://" in last and not last.startswith("file://")):
        return address
    return "::".join([*links, f"file://{Path(last.removeprefix('file://')).absolute()}"])


def _upath(address: str) -> Any:
    try:
        from upath import UPath  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise AgentsFolderError(f"{address} lies elsewhere; to read it: {REQUIRED_EXTRAS}") from error
    with _usable(address):
        return UPath(address)


def _system(address: str, *, anew: bool = False) -> tuple[Any, str]:
    """Return the file system of a URL and the path within it.

    An archive is opened if it isn't open, or if it changed and `anew` is set. Otherwise nothing is requested.
    """
    kind, target = _archive_in(address)
    if not kind:
        return _file_system(address)
    with _troubles(target):
        archive = archive_of(kind, target, _file_system, anew=anew)
    return archive, address.partition("://")[2].partition("::")[0].strip("/")


def _archive_in(address: str) -> tuple[str, str]:
    """Return the kind and the address of the archive that an address points into; "" and "" if none."""
    first, _, target = address.partition("::")
    kind = first.partition("://")[0]
    return (kind, target) if target and kind in KINDS else ("", "")


def _file_system(address: str) -> tuple[Any, str]:
    with _usable(address):
        from fsspec.core import url_to_fs  # noqa: PLC0415 - an extra

        return cast("tuple[Any, str]", url_to_fs(address))


@contextmanager
def _usable(address: str) -> Iterator[None]:
    try:
        yield
    except (ImportError, ValueError) as error:
        hint = f"; for s3:// {REQUIRED_EXTRAS}" if isinstance(error, ImportError) else ""
        raise AgentsFolderError(f"{address} is no address that can be read ({error}){hint}") from error


class FileDamagedError(OSError):
    """A file in an archive cannot be unpacked."""


_OF_A_FILE = (
    FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, FileDamagedError, MemoryError,
)  # fmt: skip


@contextmanager
def _troubles(address: str) -> Iterator[None]:
    """Let a single file's errors (OSError, MemoryError) pass; turn others into StorageUnreachableError."""
    try:
        yield
    except _OF_A_FILE:
        raise
    except Exception as error:  # each file system raises its own library's exceptions
        reason = str(error).strip() or type(error).__name__
        raise StorageUnreachableError(f"{address} cannot be reached: {reason}") from error


class RemoteStat(NamedTuple):
    """Status of a file in a listing, with the field names of `os.stat_result`."""

    st_size: int
    st_mtime_ns: int
    st_ino: int  # digest of the file's version (ETag …), which changes with its bytes; 0 if it has none
    st_mode: int


@dataclass(frozen=True, slots=True)
class RemoteEntry:
    """One entry of a remote directory, with the interface of `os.DirEntry`."""

    name: str
    path: str
    found: RemoteStat | None  # None: a directory
    refused: str = ""  # why the file is not read; "" if it is

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002 - as os.DirEntry has it
        """Return whether it is a directory."""
        return self.found is None

    def is_symlink(self) -> bool:
        """Return whether it is a link."""
        return self.found is not None and stat.S_ISLNK(self.found.st_mode)

    def stat(self, *, follow_symlinks: bool = True) -> RemoteStat:  # noqa: ARG002 - as os.DirEntry has it
        """Return the status from the listing; raises OSError if it has no time or the file is refused."""
        if self.refused:
            raise OSError(0, self.refused)
        if self.found is None or self.found.st_mtime_ns < 0:
            raise OSError(0, "its place does not tell when it was written")
        return self.found


class RemoteListing:
    """Lists the directories below one root: the first call requests them all, each is dropped when read."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, RemoteEntry]] = {}
        self.trouble = ""
        """Why files of an archive are missing from the listing; "" if none are."""

    @contextmanager
    def __call__(self, folder: str) -> Iterator[Iterable[RemoteEntry]]:
        """Return a directory's entries; raises OSError if there is no such directory."""
        address = str(folder)
        if address not in self._folders:
            self._load(address)
        yield self._folders.pop(address).values()

    def _load(self, root: str) -> None:
        system, path = _system(root, anew=True)
        self.trouble = getattr(system, "trouble", "")
        with _troubles(root):
            system.invalidate_cache()
            found: dict[str, dict[str, Any]] = system.find(path, detail=True)
            system.invalidate_cache()  # it would keep a second copy of the listing
            if not found and system.info(path)["type"] != "directory":
                raise FileNotFoundError(errno.ENOENT, "No such folder")
        if path in found:
            raise NotADirectoryError(errno.ENOTDIR, "Not a folder")
        self._folders[root] = {}
        met = {"": root}  # addresses of directories, by their paths below the root
        start = len(path.rstrip("/")) + 1 if path.strip("/") else len(path)
        while found:
            name, info = found.popitem()
            folder, _, own = name[start:].rpartition("/")
            if info.get("type") != "directory" and (home := self._folder(met, folder)) and _is_name(own):
                file = join_url(home, own)
                told = _told(system, name, info)
                self._folders[home][own] = RemoteEntry(own, file, told, info.get("refused", ""))

    def _folder(self, met: dict[str, str], inside: str) -> str | None:
        """Add a directory to its parent's entries and return its address; None if a part is no valid name."""
        if (address := met.get(inside)) is not None:
            return address
        above, _, own = inside.rpartition("/")
        home = self._folder(met, above)
        if home is None or not _is_name(own):
            return None
        met[inside] = address = join_url(home, own)
        self._folders[home][f"{own}/"] = RemoteEntry(own, address, None)
        self._folders[address] = {}
        return address


def _is_name(name: str) -> bool:
    return name not in {"", ".", ".."}


def find_entry(folder: RemoteFolder, name: str) -> RemoteEntry | None:
    """Return one file of a directory without listing the others; None if there is no such file."""
    file = folder / name
    system, path = _system(file.address)
    with _troubles(file.address):
        if not file.is_file():
            return None
        info = system.info(path)
        return RemoteEntry(name, file.address, _told(system, path, info), info.get("refused", ""))


def _told(system: Any, path: str, info: Mapping[str, Any]) -> RemoteStat:
    version = str(
        next((info[name] for name in ("ETag", "etag", "md5Hash", "VersionId") if info.get(name)), "")
    )
    digest = hashlib.blake2b(version.encode(), digest_size=7).digest() if version else b""
    kind = {"file": stat.S_IFREG, "link": stat.S_IFLNK}.get(str(info.get("type")), 0)
    return RemoteStat(int(info.get("size") or 0), mtime_ns(system, path, info), int.from_bytes(digest), kind)


def open_remote(address: str, stamp: FileStamp | None) -> tuple[BinaryIO, RemoteStatus]:
    """Open a remote file; bytes are requested as they are read. `stamp` saves a request for its status."""
    system, path = _system(address)
    if stamp is not None:
        size, written = stamp.size, stamp.mtime_ns
    else:
        with _troubles(address):
            told = _told(system, path, system.info(path))
        size, written = told.st_size, told.st_mtime_ns
    return cast("BinaryIO", RemoteFile(address, size)), RemoteStatus(size, written / 1e9)


class RemoteFile(io.RawIOBase):
    """Remote file of known size.

    The first and the latest piece are kept in memory. Pieces double in size while it is read in sequence.
    """

    def __init__(self, address: str, size: int) -> None:
        super().__init__()
        self._address, self._size = address, size
        self._system, self._path = _system(address)
        self._member: BinaryIO | None = None  # open file of an archive: it is unpacked in sequence
        self._at, self._piece, self._begin, self._fetch = 0, b"", 0, MIN_READ_AHEAD
        self._head = b""  # first piece, kept because a stream's beginning is read again to identify it

    def readable(self) -> bool:
        """Return True: the file can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: reading can start anywhere."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        """Return the position of the next read."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer up to its end or the file's; return the number of bytes read."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and self._at < self._size:
            piece, begin = self._piece_here()
            if not piece:
                break  # the file is shorter than when it was listed
            start = self._at - begin
            some = piece[start : start + len(view) - done]
            view[done : done + len(some)] = some
            done += len(some)
            self._at += len(some)
        return done

    def _piece_here(self) -> tuple[bytes, int]:
        """Return a piece that contains the current position, and its offset; an empty piece at the end."""
        if self._at < len(self._head):
            return self._head, 0
        if not self._begin <= self._at < self._begin + len(self._piece):
            self._ask()
        return self._piece, self._begin

    def _ask(self) -> None:
        follows = self._piece and self._at == self._begin + len(self._piece)
        self._fetch = min(self._fetch * 2, MAX_READ_AHEAD) if follows else MIN_READ_AHEAD
        end = min(self._at + self._fetch, self._size)
        with _troubles(self._address):
            if isinstance(self._system, Archive):
                self._piece = self._unpacked(end - self._at)
            else:
                self._piece = self._system.cat_file(self._path, start=self._at, end=end)
        self._begin = self._at
        self._head = self._head or (self._piece if self._begin == 0 else b"")

    def _unpacked(self, size: int) -> bytes:
        """Return the next `size` bytes of a file in an archive; raises FileDamagedError."""
        try:
            if self._member is None:
                self._member = self._system.open(self._path)
            self._member.seek(self._at)
            pieces = []
            while size and (some := self._member.read(size)):
                pieces.append(some)
                size -= len(some)
            return b"".join(pieces)
        except DAMAGES as error:
            raise FileDamagedError(0, f"it is damaged in the archive: {error}") from error

    def close(self) -> None:
        """Close the file, and its archive member if one is open."""
        if self._member is not None:
            self._member.close()
        super().close()
