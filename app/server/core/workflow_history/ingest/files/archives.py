"""Read-only access to zip and tar files as directories, by their address.

Each archive is opened once, not once per file. Archives compressed as a whole (tar.gz, tar.xz …) are
decompressed once, in sequence, into an unnamed temporary file. Files that unpack to absurd sizes are skipped.
The file list of an unchanged tar file comes from a cache; its bytes are read when one of its files is opened.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import tempfile
import threading
import time
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from ...common.formatting.numbers import format_bytes
from .archive_index import Index, load_index, store_index

ARCHIVE_SCHEMES = ("zip", "tar")
"""URL schemes of archive addresses."""

MAX_RATIO = 200  # maximum ratio of a file's unpacked to its packed bytes
MAX_EXCESS = 64 << 20  # bytes: total of files above that ratio that are read nevertheless
MIN_UNPACKED_LIMIT = 4 << 30  # bytes: minimum limit for decompressing an archive compressed as a whole

_VERSION_FIELDS = ("size", "mtime", "created", "ino", "ETag", "etag", "LastModified")
"""fsspec info fields that change when an archive does; for local files, `created` is the `st_ctime`."""

_MIN_AGE = 2.0
"""Seconds: a more recent file may be written again within the same tick of its file system's clock."""

_INDEX_VERSION = 1  # increase whenever archives are read differently

_MAX_OPEN = 2  # archives kept open
_CHUNK_SIZE = 1 << 20  # bytes unpacked at a time
_READ_AHEAD = 128 << 10  # bytes of an archive that the decompressor may already have read for the file before
_SMALL_READ = 4096  # bytes per read: bzip2 and xz inside a zip file unpack all their input at once
_DECOMPRESSORS: tuple[tuple[bytes, Callable[[Any], BinaryIO]], ...] = (
    (b"\x1f\x8b", lambda packed: cast("BinaryIO", gzip.GzipFile(fileobj=packed))),
    (b"BZh", lambda packed: cast("BinaryIO", bz2.BZ2File(packed))),
    (b"\xfd7zXZ", lambda packed: cast("BinaryIO", lzma.LZMAFile(packed))),  # noqa: SIM115
)
"""Decompressors of archives compressed as a whole, by the archive's first bytes."""

ARCHIVE_ERRORS = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, EOFError,
    NotImplementedError, RuntimeError,
)  # fmt: skip
"""Exceptions raised for damaged, encrypted or unsupported archives."""


class ArchiveChangedError(Exception):
    """An archive changed after it was listed."""


class TooLargeError(Exception):
    """An archive unpacks to more than the limit."""


@dataclass(slots=True)
class Member:
    """One file of an archive."""

    size: int  # bytes, unpacked
    packed_size: int  # bytes in the archive
    info: dict[str, Any]  # as returned by fsspec's file systems, and `refused`: why it is not read
    source: Any  # argument of the archive's `opener` that opens it

    @property
    def ratio(self) -> int:
        """Ratio of unpacked to packed bytes, rounded down."""
        return self.size // max(self.packed_size, 1)


@dataclass(slots=True)
class Archive:
    """Files of one archive, by path; implements the part of fsspec's interface that is needed."""

    members: dict[str, Member]
    opener: Callable[[Any], BinaryIO]
    handle: Any  # open file of the archive or of its decompressed copy
    missing_reason: str = ""  # why files are missing; "" if none are
    folders: set[str] = field(init=False)

    def __post_init__(self) -> None:
        """Collect the directories of its files."""
        self.folders = {""}
        for name in self.members:
            while (name := name.rpartition("/")[0]) not in self.folders:
                self.folders.add(name)

    def __del__(self) -> None:
        """Close the file when the archive is no longer used."""
        self.handle.close()

    def find(self, path: str, *, detail: bool = True) -> dict[str, dict[str, Any]]:  # noqa: ARG002 - as fsspec's
        """Return the info of the files below a directory, by path."""
        prefix = f"{path}/" if path else ""
        return {
            name: member.info
            for name, member in self.members.items()
            if name.startswith(prefix) or name == path
        }

    def info(self, path: str) -> dict[str, Any]:
        """Return the info of a file or directory; raises FileNotFoundError."""
        if path in self.members:
            return self.members[path].info
        if path in self.folders:
            return {"name": path, "type": "directory", "size": 0}
        raise FileNotFoundError(path)

    def invalidate_cache(self) -> None:
        """Do nothing: `open_archive` already checks whether the archive changed."""

    def open(self, path: str) -> BinaryIO:
        """Open a file; reading forward is cheap, seeking back is not. Raises FileNotFoundError."""
        if path not in self.members:
            raise FileNotFoundError(path)
        return self.opener(self.members[path].source)


_open_archives: OrderedDict[tuple[str, str], tuple[object, Archive]] = OrderedDict()
_lock = threading.Lock()


def open_archive(
    kind: str, target: str, resolve: Callable[[str], tuple[Any, str]], *, refresh: bool
) -> Archive:
    """Return the archive at an address, from the cache if it is open.

    With `refresh`, an open archive is checked first, and read again if it changed.
    `resolve` returns the file system of an address and the path within it.
    """
    with _lock:
        cached = _open_archives.get((kind, target))
        if cached is not None and not refresh:
            _open_archives.move_to_end((kind, target))
            return cached[1]
        archive_file = _ArchiveFile(kind, target, *resolve(target))
        if cached is None or cached[0] != archive_file.version:
            cached = archive_file.version, archive_file.list_files()
        _open_archives[kind, target] = cached
        _open_archives.move_to_end((kind, target))
        while len(_open_archives) > _MAX_OPEN:
            _open_archives.popitem(last=False)
        return cached[1]


class _ArchiveFile:
    """An archive file in its current state, before its files are listed."""

    def __init__(self, kind: str, target: str, system: Any, path: str) -> None:
        self._kind, self._target, self._system, self._path = kind, target, system, path
        self._info = self._fetch_info()
        self.version = _version_of(self._info)

    def _fetch_info(self) -> dict[str, Any]:
        self._system.invalidate_cache()
        return dict(self._system.info(self._path))

    def list_files(self) -> Archive:
        """Return the archive's files; an unchanged tar file is read only when one of them is opened."""
        if self._kind == "zip":
            return self._read()
        address, fingerprint = f"{self._kind}://::{self._target}", self._fingerprint()
        if fingerprint and (index := load_index(address, fingerprint)) is not None:
            lazy = _LazyArchive(self._read_unchanged)
            entries = zip(index.names, index.files, strict=True)
            members = {name: Member(*file, name) for name, file in entries}
            return Archive(members, lazy.open, ExitStack(), index.missing_reason)
        archive = self._read()
        if fingerprint:
            files = [(member.size, member.packed_size, member.info) for member in archive.members.values()]
            store_index(address, Index(fingerprint, files, list(archive.members), archive.missing_reason))
        return archive

    def _fingerprint(self) -> str:
        """Return a fingerprint of everything the file list depends on; "" if it could be ambiguous."""
        times = [
            when for name in ("mtime", "created") if isinstance(when := self._info.get(name), int | float)
        ]
        is_sure = bool(times) and time.time() - max(times) > _MIN_AGE
        if not is_sure and not any(self._info.get(name) for name in ("ETag", "etag")):
            return ""
        return repr((*self.version, MAX_RATIO, MAX_EXCESS, MIN_UNPACKED_LIMIT, _READ_AHEAD, _INDEX_VERSION))

    def _read_unchanged(self) -> Archive:
        if _version_of(self._fetch_info()) != self.version:
            raise ArchiveChangedError("it was changed after it was listed")
        return self._read()

    def _read(self) -> Archive:
        handle = self._system.open(self._path, "rb")
        try:
            read = _read_zip if self._kind == "zip" else _read_tar
            return read(handle, int(self._info.get("size") or 0))
        except BaseException:
            handle.close()
            raise


def _version_of(info: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple([info.get(name) for name in _VERSION_FIELDS])


class _LazyArchive:
    """An archive that is read when its first file is opened."""

    def __init__(self, read: Callable[[], Archive]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._archive: Archive | None = None

    def open(self, name: str) -> BinaryIO:
        """Open one of the archive's files."""
        with self._lock:
            if self._archive is None:
                self._archive = self._read()
        return self._archive.open(name)


def _normalize_path(path: str) -> str:
    """Normalize a path: drop empty and "." parts.

    >>> _normalize_path("./agents//a1/"), _normalize_path("/agents/a1")
    ('agents/a1', 'agents/a1')
    """
    return "/".join(part for part in path.split("/") if part not in {"", "."})


def _read_zip(handle: BinaryIO, size: int) -> Archive:
    archive = zipfile.ZipFile(handle)
    members: dict[str, Member] = {}
    for entry in archive.infolist():
        if not entry.is_dir() and (name := _normalize_path(entry.filename)):
            kind = "link" if stat.S_ISLNK(entry.external_attr >> 16) else "file"
            info: dict[str, Any] = {
                "name": name, "type": kind, "size": entry.file_size, "date_time": entry.date_time,
            }  # fmt: skip
            if entry.flag_bits & 1:
                info["refused"] = "it is encrypted"
            members[name] = Member(entry.file_size, entry.compress_size, info, entry)
    _refuse_too_large(members.values(), size)
    return Archive(members, lambda entry: _open_zip_entry(archive, entry), handle)


def _open_zip_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> BinaryIO:
    opened = archive.open(entry)
    if entry.compress_type in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return cast("BinaryIO", opened)
    return cast("BinaryIO", io.BufferedReader(_SmallReadFile(opened), _SMALL_READ))


class _SmallReadFile(io.RawIOBase):
    """File that reads at most `_SMALL_READ` bytes at a time, however many are requested."""

    def __init__(self, opened: Any) -> None:
        self._opened = opened

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._opened.seek(offset, whence))

    def readinto(self, buffer: Any) -> int:
        data = self._opened.read(min(len(buffer), _SMALL_READ))
        buffer[: len(data)] = data
        return len(data)


def _refuse_too_large(members: Iterable[Member], size: int) -> None:
    """Mark files to skip because they unpack to too many bytes; the largest are skipped first."""
    excess = total = 0
    limit = max(MAX_EXCESS, size * MAX_RATIO)
    for member in sorted(members, key=lambda member: member.size):
        is_excessive = member.ratio > MAX_RATIO
        if is_excessive and excess + member.size > MAX_EXCESS:
            member.info["refused"] = (
                f"it would unpack to {format_bytes(member.size)}, {member.ratio:,} times the "
                f"{format_bytes(member.packed_size)} that it takes in the archive; "
                f"the limit is {MAX_RATIO} times"
            )
        elif total + member.size > limit:
            member.info["refused"] = f"with it the archive would unpack to more than {format_bytes(limit)}"
        else:
            total += member.size
            excess += member.size if is_excessive else 0


def _read_tar(handle: BinaryIO, size: int) -> Archive:
    start = handle.read(6)
    handle.seek(0)
    decompressor = next((decompress for magic, decompress in _DECOMPRESSORS if start.startswith(magic)), None)
    if decompressor is None:
        return _TarReader(handle, size).read_uncompressed()
    return _TarReader(handle, size).decompress(decompressor)


class _TarReader:
    """Reads the files of a tar file; damage or excessive size ends the list, files before it are kept."""

    def __init__(self, handle: BinaryIO, size: int) -> None:
        self._handle, self._size = handle, size
        self._members: dict[str, Member] = {}
        self._damage: list[str] = []
        self._excess = 0  # bytes of files that exceed MAX_RATIO and are read nevertheless

    def read_uncompressed(self) -> Archive:
        """Return the files of an uncompressed tar file; each is read in place."""
        with tarfile.open(fileobj=self._handle, mode="r:", tarinfo=self._recording_tarinfo()) as tar:
            self._add_entries(tar, lambda entry: self._add_member(entry, entry.size, entry.offset_data))
        return self._build_archive(self._handle)

    def decompress(self, decompressor: Callable[[Any], BinaryIO]) -> Archive:
        """Decompress the whole tar file once, into a temporary file, and return its files."""
        packed_file = _CountingFile(self._handle)
        decompressed = _LimitedDecompressor(
            decompressor(packed_file), max(MIN_UNPACKED_LIMIT, self._size * MAX_RATIO)
        )
        spool = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the archive is

        def add_entry(entry: tarfile.TarInfo) -> None:
            if entry.isreg() and not entry.issparse():
                self._copy_entry(tar, entry, packed_file, spool)
            else:
                self._add_member(entry, 0, 0)

        try:
            with tarfile.open(
                fileobj=cast("BinaryIO", decompressed),
                mode="r|",
                bufsize=_CHUNK_SIZE,
                tarinfo=self._recording_tarinfo(),
            ) as tar:
                self._add_entries(tar, add_entry)
            if decompressed.damage is not None and not self._damage:
                self._damage.append(f"it is damaged: {decompressed.damage}")
            return self._build_archive(spool)
        except BaseException:
            spool.close()
            raise
        finally:
            self._handle.close()

    def _add_entries(self, tar: tarfile.TarFile, add_entry: Callable[[tarfile.TarInfo], None]) -> None:
        last = "its beginning"
        try:
            for entry in tar:
                last = entry.name
                add_entry(entry)
                tar.members = []  # type: ignore[attr-defined]  # tarfile would keep a TarInfo of every file
        except TooLargeError as error:
            self._damage.append(f"{error} than {last}")
        except ARCHIVE_ERRORS as error:
            self._damage.append(f"it is damaged after {last}: {error}")
        else:
            self._damage[:] = [f"it is damaged after {last}: {reason}" for reason in self._damage]

    def _copy_entry(
        self, tar: tarfile.TarFile, entry: tarfile.TarInfo, packed_file: _CountingFile, spool: Any
    ) -> None:
        """Copy a file's bytes to `spool`; skip the file if it exceeds MAX_RATIO and MAX_EXCESS."""
        source = cast("BinaryIO", tar.extractfile(entry))
        start, packed_before = spool.tell(), packed_file.count
        size = 0
        try:
            while chunk := source.read(_CHUNK_SIZE):
                size += len(chunk)
                packed_size = packed_file.count - packed_before + _READ_AHEAD
                if size > packed_size * MAX_RATIO and self._excess + size > MAX_EXCESS:
                    spool.seek(start)
                    spool.truncate()
                    self._add_member(
                        entry,
                        0,
                        start,
                        f"it would unpack to {format_bytes(entry.size)}, more than {MAX_RATIO} times the "
                        "bytes that it takes in the archive: that is the limit",
                    )
                    return
                spool.write(chunk)
        except ARCHIVE_ERRORS:
            self._add_member(entry, size, start)  # keep the part before the damage
            raise
        packed_size = packed_file.count - packed_before + _READ_AHEAD
        self._excess += size if size > packed_size * MAX_RATIO else 0
        self._add_member(entry, size, start)

    def _add_member(self, entry: tarfile.TarInfo, size: int, offset: int, refused: str = "") -> None:
        name = _normalize_path(entry.name)
        if entry.islnk():  # a hard link to an earlier file
            if (target := self._members.get(_normalize_path(entry.linkname))) is not None:
                self._members[name] = target
            return
        if not name or not (entry.isreg() or entry.issym()):
            return
        info: dict[str, Any] = {"name": name, "type": "link" if entry.issym() else "file", "size": size}
        info["mtime"] = float(entry.mtime)
        if refused or entry.issparse():
            info["refused"] = refused or "it is a sparse file"
        self._members[name] = Member(size, size, info, (offset, size))

    def _build_archive(self, handle: BinaryIO) -> Archive:
        if not self._members and self._damage:
            raise tarfile.ReadError(self._damage[0])
        lock = threading.Lock()
        return Archive(
            self._members,
            lambda span: cast("BinaryIO", _Slice(handle, lock, *span)),
            handle,
            "; ".join(self._damage),
        )

    def _recording_tarinfo(self) -> type[tarfile.TarInfo]:
        damage = self._damage

        class RecordingTarInfo(tarfile.TarInfo):
            """TarInfo that records damaged headers, which tarfile takes for the archive's end."""

            @classmethod
            def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Any:
                try:
                    return super().frombuf(buf, encoding, errors)
                except tarfile.HeaderError as error:
                    if type(error).__name__ in {"InvalidHeaderError", "TruncatedHeaderError"}:
                        damage.append(str(error))
                    raise

        return RecordingTarInfo


class _CountingFile:
    """File that counts the bytes read from it."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        """Read from the file."""
        data: bytes = self._handle.read(size)
        self.count += len(data)
        return data


class _LimitedDecompressor:
    """Decompressed bytes up to a limit; damage ends the file, and the bytes before it are kept."""

    def __init__(self, decompressor: Any, limit: int) -> None:
        self._decompressor, self._limit = decompressor, limit
        self.count = 0
        self.damage: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes; raises TooLargeError beyond the limit."""
        try:
            data: bytes = self._decompressor.read1(size)
        except ARCHIVE_ERRORS as error:
            self.damage = error
            return b""
        self.count += len(data)
        if self.count > self._limit:
            raise TooLargeError(
                f"it unpacks to more than {format_bytes(self._limit)}, and is read no further"
            )
        return data


class SizedFile(io.RawIOBase):
    """Readable file of known size; subclasses read at its position."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size, self._position = size, 0

    def readable(self) -> bool:
        """Return True: the file can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: reading can start anywhere."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(base + offset, 0)
        return self._position


class _Slice(SizedFile):
    """Byte range of a shared file, as a file; a lock guards the shared position."""

    def __init__(self, handle: Any, lock: threading.Lock, start: int, size: int) -> None:
        super().__init__(size)
        self._handle, self._lock, self._start = handle, lock, start

    def readinto(self, buffer: Any) -> int:
        size = max(min(len(buffer), self._size - self._position), 0)
        with self._lock:
            self._handle.seek(self._start + self._position)
            data = self._handle.read(size)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
