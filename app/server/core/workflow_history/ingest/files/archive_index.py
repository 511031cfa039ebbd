"""Remember what is in an archive from one process to the next: a word for its state in, a list of files out.

To list a tar file all of it has to be read, and unpacked where it is packed. The lists lie in the user's
cache folder; without them archives are only slower. They hold names, sizes and times, nothing that files say.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import msgspec
from platformdirs import user_cache_path

MOST = 64  # lists that are kept: the one that was not written for longest goes first


class Index(msgspec.Struct):
    """What is in one archive."""

    state: str  # of the archive, and of how it was read
    files: list[tuple[int, int, dict[str, Any]]]  # of each its bytes, unpacked and packed, and what is known
    names: list[str]
    trouble: str  # why not all files are here


_INDEX = msgspec.msgpack.Decoder(Index)


def kept_index(address: str, state: str) -> Index | None:
    """Return the list of an archive in this state; None where there is none."""
    try:
        index = _INDEX.decode(_file_of(address).read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None
    return index if index.state == state else None


def keep_index(address: str, index: Index) -> None:
    """Keep the list of an archive in the place of an older one; where nothing can be written, don't."""
    file = _file_of(address)
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with NamedTemporaryFile(dir=file.parent, delete=False) as part:
            part.write(msgspec.msgpack.encode(index))
        Path(part.name).replace(file)
        _remove_oldest(file.parent)


def _remove_oldest(folder: Path) -> None:
    every = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime)
    for file in every[:-MOST]:
        file.unlink(missing_ok=True)


def _file_of(address: str) -> Path:
    name = hashlib.blake2b(address.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return user_cache_path("workflow-history", appauthor=False) / "archives" / name
