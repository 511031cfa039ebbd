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

from .archive_index import Index, keep_index, kept_index

KINDS = ("zip", "tar")
"""URL schemes of archive addresses."""

MOST_TIMES = 200  # maximum ratio of a file's unpacked to its packed bytes
FREE = 64 << 20  # bytes: total of files above that ratio that are read nevertheless
MOST_UNPACKED = 4 << 30  # bytes: minimum limit for decompressing an archive compressed as a whole

_TELLING = ("size", "mtime", "created", "ino", "ETag", "etag", "LastModified")
"""fsspec info fields that change when an archive does; for local files, `created` is the `st_ctime`."""

_SETTLED = (
    2.0  # seconds: a more recent file may be written again within the same tick of its file system's clock
)
_INDEX_VERSION = 1  # increase whenever archives are read differently

_OPEN_AT_ONCE = 2  # archives kept open
_PIECE = 1 << 20  # bytes unpacked at a time
_READ_AHEAD = 128 << 10  # bytes of an archive that the decompressor may already have read for the file before
_SLOWLY = 4096  # bytes per read: bzip2 and xz inside a zip file unpack all their input at once
_UNPACKERS: tuple[tuple[bytes, Callable[[Any], BinaryIO]], ...] = (
    (b"\x1f\x8b", lambda packed: cast("BinaryIO", gzip.GzipFile(fileobj=packed))),
    (b"BZh", lambda packed: cast("BinaryIO", bz2.BZ2File(packed))),
    (b"\xfd7zXZ", lambda packed: cast("BinaryIO", lzma.LZMAFile(packed))),  # noqa: SIM115
)
"""Decompressors of archives compressed as a whole, by the archive's first bytes."""

DAMAGES = (
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
    packed: int  # bytes in the archive
    info: dict[str, Any]  # as returned by fsspec's file systems, and `refused`: why it is not read
    source: Any  # argument of the archive's `opener` that opens it

    @property
    def times(self) -> int:
        """Ratio of unpacked to packed bytes, rounded down."""
        return self.size // max(self.packed, 1)


@dataclass(slots=True)
class Archive:
    """Files of one archive, by path; implements the part of fsspec's interface that is needed."""

    members: dict[str, Member]
    opener: Callable[[Any], BinaryIO]
    handle: Any  # open file of the archive or of its decompressed copy
    trouble: str = ""  # why files are missing; "" if none are
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
        below = f"{path}/" if path else ""
        return {
            name: member.info
            for name, member in self.members.items()
            if name.startswith(below) or name == path
        }

    def info(self, path: str) -> dict[str, Any]:
        """Return the info of a file or directory; raises FileNotFoundError."""
        if path in self.members:
            return self.members[path].info
        if path in self.folders:
            return {"name": path, "type": "directory", "size": 0}
        raise FileNotFoundError(path)

    def invalidate_cache(self) -> None:
        """Do nothing: `archive_of` already checks whether the archive changed."""

    def open(self, path: str) -> BinaryIO:
        """Open a file; reading forward is cheap, seeking back is not. Raises FileNotFoundError."""
        if path not in self.members:
            raise FileNotFoundError(path)
        return self.opener(self.members[path].source)


_open: OrderedDict[tuple[str, str], tuple[object, Archive]] = OrderedDict()
_lock = threading.Lock()


def archive_of(kind: str, target: str, find: Callable[[str], tuple[Any, str]], *, anew: bool) -> Archive:
    """Return the archive at an address, from the cache if it is open.

    With `anew`, an open archive is checked first, and read again if it changed.
    `find` returns the file system of an address and the path within it.
    """
    with _lock:
        known = _open.get((kind, target))
        if known is not None and not anew:
            _open.move_to_end((kind, target))
            return known[1]
        found = _Found(kind, target, *find(target))
        if known is None or known[0] != found.version:
            known = found.version, found.listed()
        _open[kind, target] = known
        _open.move_to_end((kind, target))
        while len(_open) > _OPEN_AT_ONCE:
            _open.popitem(last=False)
        return known[1]


class _Found:
    """An archive file in its current state, before its files are listed."""

    def __init__(self, kind: str, target: str, system: Any, path: str) -> None:
        self._kind, self._target, self._system, self._path = kind, target, system, path
        self._info = self._look()
        self.version = _version(self._info)

    def _look(self) -> dict[str, Any]:
        self._system.invalidate_cache()
        return dict(self._system.info(self._path))

    def listed(self) -> Archive:
        """Return the archive's files; an unchanged tar file is read only when one of them is opened."""
        if self._kind == "zip":
            return self._read()
        address, state = f"{self._kind}://::{self._target}", self._state()
        if state and (index := kept_index(address, state)) is not None:
            later = _Later(self._read_unchanged)
            known = zip(index.names, index.files, strict=True)
            members = {name: Member(*file, name) for name, file in known}
            return Archive(members, later.open, ExitStack(), index.trouble)
        archive = self._read()
        if state:
            files = [(member.size, member.packed, member.info) for member in archive.members.values()]
            keep_index(address, Index(state, files, list(archive.members), archive.trouble))
        return archive

    def _state(self) -> str:
        """Return a fingerprint of everything the file list depends on; "" if it could be ambiguous."""
        times = [
            when for name in ("mtime", "created") if isinstance(when := self._info.get(name), int | float)
        ]
        is_sure = bool(times) and time.time() - max(times) > _SETTLED
        if not is_sure and not any(self._info.get(name) for name in ("ETag", "etag")):
            return ""
        return repr((*self.version, MOST_TIMES, FREE, MOST_UNPACKED, _READ_AHEAD, _INDEX_VERSION))

    def _read_unchanged(self) -> Archive:
        if _version(self._look()) != self.version:
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


def _version(info: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple([info.get(name) for name in _TELLING])


class _Later:
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


def _name(path: str) -> str:
    """Normalize a path: drop empty and "." parts.

    >>> _name("./agents//a1/"), _name("/agents/a1")
    ('agents/a1', 'agents/a1')
    """
    return "/".join(part for part in path.split("/") if part not in {"", "."})


def _read_zip(handle: BinaryIO, size: int) -> Archive:
    archive = zipfile.ZipFile(handle)
    members: dict[str, Member] = {}
    for found in archive.infolist():
        if not found.is_dir() and (name := _name(found.filename)):
            kind = "link" if stat.S_ISLNK(found.external_attr >> 16) else "file"
            info: dict[str, Any] = {
                "name": name, "type": kind, "size": found.file_size, "date_time": found.date_time,
            }  # fmt: skip
            if found.flag_bits & 1:
                info["refused"] = "it is encrypted"
            members[name] = Member(found.file_size, found.compress_size, info, found)
    _refuse(members.values(), size)
    return Archive(members, lambda found: _in_zip(archive, found), handle)


def _in_zip(archive: zipfile.ZipFile, found: zipfile.ZipInfo) -> BinaryIO:
    opened = archive.open(found)
    if found.compress_type in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return cast("BinaryIO", opened)
    return cast("BinaryIO", io.BufferedReader(_Slowly(opened), _SLOWLY))


class _Slowly(io.RawIOBase):
    """File that reads at most `_SLOWLY` bytes at a time, however many are requested."""

    def __init__(self, opened: Any) -> None:
        self._opened = opened

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._opened.seek(offset, whence))

    def readinto(self, buffer: Any) -> int:
        some = self._opened.read(min(len(buffer), _SLOWLY))
        buffer[: len(some)] = some
        return len(some)


def _refuse(members: Iterable[Member], size: int) -> None:
    """Mark files to skip because they unpack to too many bytes; the largest are skipped first."""
    absurd = whole = 0
    limit = max(FREE, size * MOST_TIMES)
    for member in sorted(members, key=lambda member: member.size):
        is_absurd = member.times > MOST_TIMES
        if is_absurd and absurd + member.size > FREE:
            member.info["refused"] = (
                f"it would unpack to {_mb(member.size)}, {member.times:,} times the {_mb(member.packed)} "
                f"that it takes in the archive; the limit is {MOST_TIMES} times"
            )
        elif whole + member.size > limit:
            member.info["refused"] = f"with it the archive would unpack to more than {_mb(limit)}"
        else:
            whole += member.size
            absurd += member.size if is_absurd else 0


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"


def _read_tar(handle: BinaryIO, size: int) -> Archive:
    begin = handle.read(6)
    handle.seek(0)
    unpacker = next((make for first, make in _UNPACKERS if begin.startswith(first)), None)
    if unpacker is None:
        return _Tar(handle, size).plain()
    return _Tar(handle, size).unpacked(unpacker)


class _Tar:
    """Reads the files of a tar file; damage or excessive size ends the list, files before it are kept."""

    def __init__(self, handle: BinaryIO, size: int) -> None:
        self._handle, self._size = handle, size
        self._members: dict[str, Member] = {}
        self._damage: list[str] = []
        self._absurd = 0  # bytes of files that exceed MOST_TIMES and are read nevertheless

    def plain(self) -> Archive:
        """Return the files of an uncompressed tar file; each is read in place."""
        with tarfile.open(fileobj=self._handle, mode="r:", tarinfo=self._noting()) as tar:
            self._take_all(tar, lambda found: self._add(found, found.size, found.offset_data))
        return self._archive(self._handle)

    def unpacked(self, unpacker: Callable[[Any], BinaryIO]) -> Archive:
        """Decompress the whole tar file once, into a temporary file, and return its files."""
        packed = _Counted(self._handle)
        whole = _Unpacked(unpacker(packed), max(MOST_UNPACKED, self._size * MOST_TIMES))
        spool = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the archive is

        def take(found: tarfile.TarInfo) -> None:
            if found.isreg() and not found.issparse():
                self._unpack(tar, found, packed, spool)
            else:
                self._add(found, 0, 0)

        try:
            with tarfile.open(
                fileobj=cast("BinaryIO", whole), mode="r|", bufsize=_PIECE, tarinfo=self._noting()
            ) as tar:
                self._take_all(tar, take)
            if whole.damage is not None and not self._damage:
                self._damage.append(f"it is damaged: {whole.damage}")
            return self._archive(spool)
        except BaseException:
            spool.close()
            raise
        finally:
            self._handle.close()

    def _take_all(self, tar: tarfile.TarFile, take: Callable[[tarfile.TarInfo], None]) -> None:
        last = "its beginning"
        try:
            for found in tar:
                last = found.name
                take(found)
                tar.members = []  # type: ignore[attr-defined]  # tarfile would keep a TarInfo of every file
        except TooLargeError as error:
            self._damage.append(f"{error} than {last}")
        except DAMAGES as error:
            self._damage.append(f"it is damaged after {last}: {error}")
        else:
            self._damage[:] = [f"it is damaged after {last}: {reason}" for reason in self._damage]

    def _unpack(self, tar: tarfile.TarFile, found: tarfile.TarInfo, packed: _Counted, spool: Any) -> None:
        """Copy a file's bytes to `spool`; skip the file if it exceeds MOST_TIMES and FREE is used up."""
        source = cast("BinaryIO", tar.extractfile(found))
        begin, before = spool.tell(), packed.count
        done = 0
        try:
            while piece := source.read(_PIECE):
                done += len(piece)
                takes = packed.count - before + _READ_AHEAD
                if done > takes * MOST_TIMES and self._absurd + done > FREE:
                    spool.seek(begin)
                    spool.truncate()
                    self._add(
                        found,
                        0,
                        begin,
                        f"it would unpack to {_mb(found.size)}, more than {MOST_TIMES} times the "
                        "bytes that it takes in the archive: that is the limit",
                    )
                    return
                spool.write(piece)
        except DAMAGES:
            self._add(found, done, begin)  # keep the part before the damage
            raise
        takes = packed.count - before + _READ_AHEAD
        self._absurd += done if done > takes * MOST_TIMES else 0
        self._add(found, done, begin)

    def _add(self, found: tarfile.TarInfo, size: int, at: int, refused: str = "") -> None:
        name = _name(found.name)
        if found.islnk():  # a hard link to an earlier file
            if (same := self._members.get(_name(found.linkname))) is not None:
                self._members[name] = same
            return
        if not name or not (found.isreg() or found.issym()):
            return
        info: dict[str, Any] = {"name": name, "type": "link" if found.issym() else "file", "size": size}
        info["mtime"] = float(found.mtime)
        if refused or found.issparse():
            info["refused"] = refused or "it is a sparse file"
        self._members[name] = Member(size, size, info, (at, size))

    def _archive(self, handle: BinaryIO) -> Archive:
        if not self._members and self._damage:
            raise tarfile.ReadError(self._damage[0])
        lock = threading.Lock()
        return Archive(
            self._members,
            lambda place: cast("BinaryIO", _Slice(handle, lock, *place)),
            handle,
            "; ".join(self._damage),
        )

    def _noting(self) -> type[tarfile.TarInfo]:
        damage = self._damage

        class Noting(tarfile.TarInfo):
            """TarInfo that records damaged headers, which tarfile takes for the archive's end."""

            @classmethod
            def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Any:
                try:
                    return super().frombuf(buf, encoding, errors)
                except tarfile.HeaderError as error:
                    if type(error).__name__ in {"InvalidHeaderError", "TruncatedHeaderError"}:
                        damage.append(str(error))
                    raise

        return Noting


class _Counted:
    """File that counts the bytes read from it."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        """Read from the file."""
        some: bytes = self._handle.read(size)
        self.count += len(some)
        return some


class _Unpacked:
    """Decompressed bytes up to a limit; damage ends the file, and the bytes before it are kept."""

    def __init__(self, unpacker: Any, limit: int) -> None:
        self._unpacker, self._limit = unpacker, limit
        self.count = 0
        self.damage: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes; raises TooLargeError beyond the limit."""
        try:
            some: bytes = self._unpacker.read1(size)
        except DAMAGES as error:
            self.damage = error
            return b""
        self.count += len(some)
        if self.count > self._limit:
            raise TooLargeError(f"it unpacks to more than {_mb(self._limit)}, and is read no further")
        return some


class _Slice(io.RawIOBase):
    """Byte range of a shared file, as a file; a lock guards the shared position."""

    def __init__(self, handle: Any, lock: threading.Lock, begin: int, size: int) -> None:
        self._handle, self._lock = handle, lock
        self._begin, self._size, self._at = begin, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = max(min(len(buffer), self._size - self._at), 0)
        with self._lock:
            self._handle.seek(self._begin + self._at)
            some = self._handle.read(wanted)
        buffer[: len(some)] = some
        self._at += len(some)
        return len(some)
