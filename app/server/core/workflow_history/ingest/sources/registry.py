"""Registry of the stores in which agent programs keep their sessions.

A source names where its stores usually are, recognizes a store by its contents, and lists its sessions. All
other directories are agents directories, which `discovery.py` lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from ..files import FolderPath
from . import claude, codex, copilot, gemini, opencode
from .source import Source

SOURCES: Final[dict[str, Source]] = {
    module.SOURCE.name: module.SOURCE for module in (claude, codex, gemini, opencode, copilot)
}
"""Sources by the name that `--source` takes."""


class Store(NamedTuple):
    """Usual place of a source's sessions on this machine, whether or not it exists."""

    source: Source
    path: Path


def source_of(root: FolderPath) -> Source | None:
    """Return the source that wrote the sessions in a directory; None if it is an agents directory."""
    if not isinstance(root, Path):
        return None
    try:
        return next((source for source in SOURCES.values() if source.is_store(root)), None)
    except OSError:
        return None  # listing the directory reports the reason


def store_inside(folder: FolderPath) -> Path | None:
    """Return the store in the directory of an agent program, such as `~/.claude`; None if it has none."""
    if not isinstance(folder, Path):
        return None
    inner = (folder / source.inner for source in SOURCES.values() if source.inner)
    return next((path for path in inner if path.is_dir() and source_of(path) is not None), None)


def find_stores(environment: Mapping[str, str], home: Path) -> list[Store]:
    """Return the usual places of all sources' sessions, each place once."""
    stores = [Store(source, path) for source in SOURCES.values() for path in source.places(environment, home)]
    return list({store.path: store for store in stores}.values())
