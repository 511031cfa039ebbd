"""Where files lie: an address in, folders, listings and open files out. Only reads.

Everything that is read of agents folders goes through here, from this machine's disk as directly as can be
(`local.py`), from anywhere else through fsspec (`remote.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from os import DirEntry, scandir
from pathlib import Path
from typing import BinaryIO

from ..addresses import below, is_remote
from ..errors import AgentsFolderError, PlaceUnreachableError
from .local import born_ns, open_regular
from .remote import RemoteEntry, RemoteFolder, RemoteListing, entry_of, open_remote, remote_folder
from .stamps import Stamp, Status

__all__ = [
    "Entry",
    "Listing",
    "Place",
    "RemoteFolder",
    "RemoteListing",
    "Stamp",
    "Status",
    "born",
    "child_of",
    "entry_of",
    "is_file",
    "listing_of",
    "opened",
    "place",
]

Place = Path | RemoteFolder
"""A folder or file, there or not; both kinds have `name`, `/`, `exists`, `is_dir`, `is_file`, `absolute`."""

Entry = DirEntry[str] | RemoteEntry
"""One entry of a folder that was listed."""

Listing = Callable[[str], AbstractContextManager[Iterable[Entry]]]
"""Lists a folder by its address, as `os.scandir` does."""

_HERE = ("file://", "local://")


def place(address: Path | str | Place) -> Place:
    """Return what an address names; also a `UPath`, by its text.

    Raises AgentsFolderError for a URL that nothing here can read, or that holds a password.
    """
    if isinstance(address, Path | RemoteFolder):
        return address
    _refuse_own_settings(address)
    text = str(address)
    if text.startswith(_HERE):
        from urllib.parse import unquote  # noqa: PLC0415 - hardly anybody writes a path so

        return Path(unquote(text.partition("://")[2]))
    return remote_folder(text) if is_remote(text) else Path(text)


def _refuse_own_settings(address: object) -> None:
    if getattr(address, "storage_options", None):
        raise AgentsFolderError(
            f"{address} comes with settings of its own, which other processes and the next sync do not know: "
            "keep them in the environment or in fsspec's configuration"
        )


def child_of(folder: str, name: str) -> str:
    """Return the address of an entry of a folder."""
    return below(folder, name) if is_remote(folder) else str(Path(folder) / name)


def listing_of(root: Place) -> Listing:
    """Return what lists the folders below `root`: those of this machine one by one, others all at once."""
    return scandir if isinstance(root, Path) else RemoteListing()


def opened(file: Path | str, stamp: Stamp | None = None) -> tuple[BinaryIO, Status]:
    """Open a regular file for reading, unbuffered, and tell what is known of it; close it afterwards.

    Of a file that lies elsewhere `stamp` saves asking for its size.
    Raises OSError where the file itself is the trouble, PlaceUnreachableError where its whole place is.
    """
    address = str(file)
    return open_remote(address, stamp) if is_remote(address) else open_regular(address)


def born(file: Path | str) -> int | None:
    """Return when a file was made, in nanoseconds since 1970; None if its place or system does not know."""
    address = str(file)
    return None if is_remote(address) else born_ns(address)


def is_file(address: str) -> bool | None:
    """Tell whether a file is there now; None where its place does not answer."""
    try:
        return place(address).is_file()
    except (AgentsFolderError, PlaceUnreachableError):
        return None
    except (OSError, ValueError):  # no permission, or no path at all
        return False
