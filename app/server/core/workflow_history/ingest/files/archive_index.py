"""Cache the file lists of archives on disk, keyed by the archive's address and state.

Listing a tar file takes reading all of it, and decompressing it if it is compressed. The lists are in the
user's cache directory; without them, archives are only slower. They contain names, sizes and times, but no
file contents.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import msgspec
from platformdirs import user_cache_path

MAX_LISTS = 64  # lists to keep; the one written longest ago is deleted first


class Index(msgspec.Struct):
    """List of the files in one archive."""

    state: str  # fingerprint of the archive and of the settings it was read with
    files: list[tuple[int, int, dict[str, Any]]]  # per file: unpacked bytes, packed bytes, fsspec info
    names: list[str]
    missing_reason: str  # why files are missing from the list; "" if none are


_DECODER = msgspec.msgpack.Decoder(Index)


def load_index(address: str, state: str) -> Index | None:
    """Load the cached list of an archive in this state; None if there is none."""
    try:
        index = _DECODER.decode(_index_path(address).read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None
    return index if index.state == state else None


def store_index(address: str, index: Index) -> None:
    """Store the list of an archive, replacing an older one; do nothing if the cache is not writable."""
    file = _index_path(address)
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with NamedTemporaryFile(dir=file.parent, delete=False) as part:
            part.write(msgspec.msgpack.encode(index))
        Path(part.name).replace(file)
        oldest_first = sorted(file.parent.iterdir(), key=lambda path: path.stat().st_mtime)
        for outdated in oldest_first[:-MAX_LISTS]:
            outdated.unlink(missing_ok=True)


def _index_path(address: str) -> Path:
    name = hashlib.blake2b(address.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return user_cache_path("workflow-history", appauthor=False) / "archives" / name
