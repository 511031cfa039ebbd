"""Unpack single files that are compressed with Zstandard, such as older sessions of Codex (`.jsonl.zst`)."""

from __future__ import annotations

import tempfile
from importlib import import_module
from typing import BinaryIO, NamedTuple, cast

from ...common.formatting.numbers import format_bytes
from .file_stat import OpenFileStat

PACKED_SUFFIX = ".zst"

MAX_RATIO = 1_000  # maximum ratio of unpacked to packed bytes; transcripts repeat themselves
_MIN_LIMIT = 64 << 20  # bytes that any file may unpack to
_IN_MEMORY = 16 << 20  # bytes; a larger file is unpacked into an unnamed temporary file
_EMPTY_SIZE = 18  # bytes; maximum size of an empty file when packed
_CHUNK_SIZE = 1 << 20  # bytes unpacked at a time


class UnpackedStat(NamedTuple):
    """Status of an unpacked file."""

    st_size: int  # bytes, unpacked
    st_mtime: float
    st_ino: int


def unpacked_name(name: str) -> str:
    """Return the name that a file has when it is not packed.

    >>> unpacked_name("a.jsonl.zst"), unpacked_name("a.jsonl")
    ('a.jsonl', 'a.jsonl')
    """
    return name.removesuffix(PACKED_SUFFIX)


def unpack(packed: BinaryIO, status: OpenFileStat) -> tuple[BinaryIO, OpenFileStat]:
    """Unpack an open file, close it, and return the unpacked file with its status.

    Of a file that is cut off, the complete blocks before the cut are returned. Raises OSError if it is
    damaged or unpacks to an absurd size.
    """
    unpacked = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115
    try:
        with packed:
            size = _copy_unpacked(packed, unpacked, status.st_size)
    except BaseException:
        unpacked.close()
        raise
    unpacked.seek(0)
    return unpacked, UnpackedStat(size, status.st_mtime, status.st_ino)


def _copy_unpacked(packed: BinaryIO, target: BinaryIO, packed_size: int) -> int:
    """Write the unpacked bytes to a file and return their number."""
    zstandard = import_module("zstandard")  # here, because few commands read a packed file
    limit = max(_MIN_LIMIT, packed_size * MAX_RATIO)
    try:
        reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
        while chunk := reader.read(_CHUNK_SIZE):
            target.write(chunk)
            if target.tell() > limit:
                raise OSError(0, f"it unpacks to more than {format_bytes(limit)}")
    except zstandard.ZstdError as error:
        raise OSError(0, f"it cannot be unpacked: {error}") from error
    if target.tell() == 0 and packed_size > _EMPTY_SIZE:
        raise OSError(0, "it is cut off")
    return target.tell()
