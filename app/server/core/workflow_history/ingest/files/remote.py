"""Read-only access to remote directories, files and archives by URL, through fsspec.

Keys and endpoints come from the environment or fsspec's configuration, never from a URL.
"""

from __future__ import annotations

import errno
import hashlib
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from ...common.errors import AgentsFolderError, StorageUnreachableError
from ...common.urls import has_password, join_url, parent_url, url_path
from .archives import ARCHIVE_ERRORS, ARCHIVE_SCHEMES, Archive, SizedFile, open_archive
from .file_stat import FileStamp, RemoteStatus

_MTIME_FIELDS = (
    "mtime", "LastModified", "last_modified", "updated", "modified", "time", "date_time", "created",
)  # fmt: skip
"""Names of the modification time in the info of fsspec's file systems, in order of preference."""

UNKNOWN_TIME = -1


def mtime_ns(system: Any, path: str, info: Mapping[str, Any]) -> int:
    """Return a file's modification time in nanoseconds since 1970, or UNKNOWN.

    Requests it from the file system if `info` has none.
    """
    value = next((info[name] for name in _MTIME_FIELDS if info.get(name) is not None), None)
    if value is None:
        try:
            value = system.modified(path)
        except (NotImplementedError, OSError, KeyError, ValueError):
            return UNKNOWN_TIME
    return _to_nanoseconds(value)


def _to_nanoseconds(value: Any) -> int:
    """Convert a time in any of fsspec's forms to nanoseconds since 1970; a time without a zone is UTC.

    >>> _to_nanoseconds("2026-01-31T12:00:00Z"), _to_nanoseconds((2026, 1, 31, 12, 0, 0))
    (1769860800000000000, 1769860800000000000)
    >>> _to_nanoseconds(1.5)
    1500000000
    """
    try:
        if isinstance(value, int | float):
            return round(value * 1e9)
        when = datetime.fromisoformat(value) if isinstance(value, str) else value
        when = datetime(*when[:6], tzinfo=UTC) if isinstance(when, tuple) else when  # type: ignore[misc]
        return round(when.replace(tzinfo=when.tzinfo or UTC).timestamp() * 1e6) * 1_000
    except (TypeError, ValueError, OverflowError, AttributeError):
        return UNKNOWN_TIME


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
            system, path = _open_file_system(self.address, refresh=True)
            with _convert_storage_errors(self.address):
                system.invalidate_cache()
                return str(system.info(path)["type"])
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            raise StorageUnreachableError(f"No permission to list {self.address}: {error}") from error


def remote_folder(address: str) -> RemoteFolder:
    """Parse a URL into a remote path; raises AgentsFolderError if it cannot be read or has a password."""
    if has_password(address):
        raise AgentsFolderError(
            "The address of the agents directory contains a password. Keep it in the environment or in the "
            "configuration of fsspec, and remove it from the address."
        )
    folder = RemoteFolder(_canonical_address(address))
    kind, target = _split_archive_address(folder.address)
    _file_system(target if kind else folder.address)
    return folder


def _canonical_address(address: str) -> str:
    """Return the same address for every way to write it: one folder is stored under one address.

    The path of a local archive becomes absolute. Memory and archives have no host: slashes around a path in
    them mean nothing.

    >>> _canonical_address("memory:///shop/agents/"), _canonical_address("zip:///agents::file:///old/shop.zip")
    ('memory://shop/agents', 'zip://agents::file:///old/shop.zip')
    """
    first, *others = address.split("::")
    if others and ("://" not in others[-1] or others[-1].startswith("file://")):
        others[-1] = f"file://{Path(others[-1].removeprefix('file://')).absolute()}"
    scheme, _, path = first.partition("://")
    path = path.strip("/") if scheme in ("memory", *ARCHIVE_SCHEMES) else path
    text = "::".join([f"{scheme}://{path}", *others])
    return text if text.endswith("://") else text.rstrip("/")


def _open_file_system(address: str, *, refresh: bool = False) -> tuple[Any, str]:
    """Return the file system of a URL and the path within it.

    An archive is opened if it isn't open, or if it changed and `refresh` is set. Otherwise nothing is
    requested.
    """
    kind, target = _split_archive_address(address)
    if not kind:
        return _file_system(address)
    with _convert_storage_errors(target):
        archive = open_archive(kind, target, _file_system, refresh=refresh)
    return archive, address.partition("://")[2].partition("::")[0].strip("/")


def _split_archive_address(address: str) -> tuple[str, str]:
    """Return the kind and the address of the archive that an address points into; "" and "" if none."""
    first, _, target = address.partition("::")
    kind = first.partition("://")[0]
    return (kind, target) if target and kind in ARCHIVE_SCHEMES else ("", "")


def _file_system(address: str) -> tuple[Any, str]:
    with _convert_address_errors(address):
        try:
            from fsspec.core import url_to_fs  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise AgentsFolderError(f"{address} is remote. To read it, install: {REQUIRED_EXTRAS}") from error
        return cast("tuple[Any, str]", url_to_fs(address))


@contextmanager
def _convert_address_errors(address: str) -> Iterator[None]:
    try:
        yield
    except (ImportError, ValueError) as error:
        hint = f" For s3://, install: {REQUIRED_EXTRAS}" if isinstance(error, ImportError) else ""
        raise AgentsFolderError(f"Cannot read the address {address}: {error}.{hint}") from error


class FileDamagedError(OSError):
    """A file in an archive cannot be unpacked."""


_FILE_ERRORS = (
    FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, FileDamagedError, MemoryError,
)  # fmt: skip


@contextmanager
def _convert_storage_errors(address: str) -> Iterator[None]:
    """Let a single file's errors (OSError, MemoryError) pass; turn others into StorageUnreachableError."""
    try:
        yield
    except _FILE_ERRORS:
        raise
    except Exception as error:  # each file system raises its own library's exceptions
        reason = str(error).strip() or type(error).__name__
        raise StorageUnreachableError(f"Cannot reach {address}: {reason}.") from error


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
    status: RemoteStat | None  # None: a directory
    refusal: str = ""  # why the file is not read; "" if it is

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002 - as os.DirEntry has it
        """Return whether it is a directory."""
        return self.status is None

    def is_symlink(self) -> bool:
        """Return whether it is a link."""
        return self.status is not None and stat.S_ISLNK(self.status.st_mode)

    def stat(self, *, follow_symlinks: bool = True) -> RemoteStat:  # noqa: ARG002 - as os.DirEntry has it
        """Return the status from the listing; raises OSError if it has no time or the file is refused."""
        if self.refusal:
            raise OSError(0, self.refusal)
        if self.status is None or self.status.st_mtime_ns < 0:
            raise OSError(0, "the storage gives no write time for it")
        return self.status


class RemoteListing:
    """Lists the directories below one root: the first call requests them all, each is dropped when read."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, RemoteEntry]] = {}
        self.missing_reason = ""
        """Why files of an archive are missing from the listing; "" if none are."""

    @contextmanager
    def __call__(self, folder: str) -> Iterator[Iterable[RemoteEntry]]:
        """Return a directory's entries; raises OSError if there is no such directory."""
        address = str(folder)
        if address not in self._folders:
            self._load(address)
        yield self._folders.pop(address).values()

    def _load(self, root: str) -> None:
        system, path = _open_file_system(root, refresh=True)
        self.missing_reason = getattr(system, "missing_reason", "")
        with _convert_storage_errors(root):
            system.invalidate_cache()
            infos: dict[str, dict[str, Any]] = system.find(path, detail=True)
            system.invalidate_cache()  # it would keep a second copy of the listing
            if not infos and system.info(path)["type"] != "directory":
                raise FileNotFoundError(errno.ENOENT, "No such folder")
        if path in infos:
            raise NotADirectoryError(errno.ENOTDIR, "Not a folder")
        self._folders[root] = {}
        addresses = {"": root}  # addresses of directories, by their paths below the root
        prefix_length = len(path.rstrip("/")) + 1 if path.strip("/") else len(path)
        while infos:
            name, info = infos.popitem()
            folder, _, file_name = name[prefix_length:].rpartition("/")
            if info.get("type") == "directory":
                continue
            parent = self._add_folder(addresses, folder)
            if parent is not None and _is_valid_name(file_name):
                self._folders[parent][file_name] = _file_entry(system, parent, file_name, name, info)

    def _add_folder(self, addresses: dict[str, str], path: str) -> str | None:
        """Add a directory to its parent's entries and return its address; None if a part is no valid name."""
        if (address := addresses.get(path)) is not None:
            return address
        parent_path, _, folder_name = path.rpartition("/")
        parent = self._add_folder(addresses, parent_path)
        if parent is None or not _is_valid_name(folder_name):
            return None
        addresses[path] = address = join_url(parent, folder_name)
        self._folders[parent][f"{folder_name}/"] = RemoteEntry(folder_name, address, None)
        self._folders[address] = {}
        return address


def _is_valid_name(name: str) -> bool:
    return name not in {"", ".", ".."}


def find_entry(folder: RemoteFolder, name: str) -> RemoteEntry | None:
    """Return one file of a directory without listing the others; None if there is no such file."""
    file = folder / name
    system, path = _open_file_system(file.address)
    with _convert_storage_errors(file.address):
        if not file.is_file():
            return None
        info = system.info(path)
        return _file_entry(system, folder.address, name, path, info)


def _file_entry(system: Any, parent: str, name: str, path: str, info: Mapping[str, Any]) -> RemoteEntry:
    status = _status_from_info(system, path, info)
    return RemoteEntry(name, join_url(parent, name), status, info.get("refused", ""))


def _status_from_info(system: Any, path: str, info: Mapping[str, Any]) -> RemoteStat:
    version = str(
        next((info[name] for name in ("ETag", "etag", "md5Hash", "VersionId") if info.get(name)), "")
    )
    digest = hashlib.blake2b(version.encode(), digest_size=7).digest() if version else b""
    kind = {"file": stat.S_IFREG, "link": stat.S_IFLNK}.get(str(info.get("type")), 0)
    return RemoteStat(int(info.get("size") or 0), mtime_ns(system, path, info), int.from_bytes(digest), kind)


def open_remote(address: str, stamp: FileStamp | None) -> tuple[BinaryIO, RemoteStatus]:
    """Open a remote file; bytes are requested as they are read. `stamp` saves a request for its status."""
    system, path = _open_file_system(address)
    if stamp is not None:
        size, modified_ns = stamp.size, stamp.mtime_ns
    else:
        with _convert_storage_errors(address):
            status = _status_from_info(system, path, system.info(path))
        size, modified_ns = status.st_size, status.st_mtime_ns
    return cast("BinaryIO", RemoteFile(address, size)), RemoteStatus(size, modified_ns / 1e9)


class RemoteFile(SizedFile):
    """Remote file of known size.

    The first and the latest chunk are kept in memory. Chunks double in size while it is read in sequence.
    """

    def __init__(self, address: str, size: int) -> None:
        super().__init__(size)
        self._address = address
        self._system, self._path = _open_file_system(address)
        self._member: BinaryIO | None = None  # open file of an archive: it is unpacked in sequence
        self._chunk, self._chunk_start, self._fetch_size = b"", 0, MIN_READ_AHEAD
        self._first_chunk = b""  # kept because a stream's beginning is read again to identify it

    def tell(self) -> int:
        """Return the position of the next read."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer up to its end or the file's; return the number of bytes read."""
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view) and self._position < self._size:
            chunk, chunk_start = self._current_chunk()
            if not chunk:
                break  # the file is shorter than when it was listed
            start = self._position - chunk_start
            part = chunk[start : start + len(view) - filled]
            view[filled : filled + len(part)] = part
            filled += len(part)
            self._position += len(part)
        return filled

    def _current_chunk(self) -> tuple[bytes, int]:
        """Return a chunk that contains the current position, and its offset; an empty chunk at the end."""
        if self._position < len(self._first_chunk):
            return self._first_chunk, 0
        if not self._chunk_start <= self._position < self._chunk_start + len(self._chunk):
            self._fetch_chunk()
        return self._chunk, self._chunk_start

    def _fetch_chunk(self) -> None:
        is_sequential = self._chunk and self._position == self._chunk_start + len(self._chunk)
        self._fetch_size = min(self._fetch_size * 2, MAX_READ_AHEAD) if is_sequential else MIN_READ_AHEAD
        end = min(self._position + self._fetch_size, self._size)
        with _convert_storage_errors(self._address):
            if isinstance(self._system, Archive):
                self._chunk = self._read_member(end - self._position)
            else:
                self._chunk = self._system.cat_file(self._path, start=self._position, end=end)
        self._chunk_start = self._position
        self._first_chunk = self._first_chunk or (self._chunk if self._chunk_start == 0 else b"")

    def _read_member(self, size: int) -> bytes:
        """Return the next `size` bytes of a file in an archive; raises FileDamagedError."""
        try:
            if self._member is None:
                self._member = self._system.open(self._path)
            self._member.seek(self._position)
            parts = []
            while size and (part := self._member.read(size)):
                parts.append(part)
                size -= len(part)
            return b"".join(parts)
        except ARCHIVE_ERRORS as error:
            raise FileDamagedError(0, f"it is damaged in the archive: {error}") from error

    def close(self) -> None:
        """Close the file, and its archive member if one is open."""
        if self._member is not None:
            self._member.close()
        super().close()
