"""List the usual places of runs and sessions on this machine, with the number of runs in each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from .. import scanner
from ..common.errors import InvalidQueryError, WorkflowHistoryError
from ..common.field_docs import Doc
from ..ingest.files import FolderPath
from ..ingest.sources.discovery import walk_agents_folder
from ..ingest.sources.registry import SOURCES, find_stores, source_of

ADW: Final = "adw"
SOURCE_NAMES: Final = (ADW, *SOURCES)
"""Names of all sources: directories of workflow runs, and the agent programs."""

_ADW_TITLE: Final = "Workflow runs"


class PlaceState(StrEnum):
    """State of a place."""

    FOUND = "found"
    EMPTY = "empty"
    MISSING = "missing"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """One usual place of a source on this machine."""

    source: Annotated[str, Doc("name of the source, as for sync --source")]
    title: Annotated[str, Doc("name of the agent program")]
    path: Annotated[str, Doc("directory or URL")]
    state: Annotated[PlaceState, Doc("found, empty, missing or unreadable")]
    runs: Annotated[int | None, Doc("number of runs in the directory, readable or not; null: not readable")]
    reason: Annotated[str | None, Doc("reason why the directory cannot be read; null: it can")]


@dataclass(frozen=True, slots=True)
class SourceReport:
    """All places that a sync without a directory looks at."""

    places: Annotated[list[SourcePlace], Doc("places, in the order in which they are synced")]


def find_sources(names: Sequence[str] = ()) -> SourceReport:
    """Look at the usual places of runs and sessions on this machine; `names` limits the sources.

    The directories are listed, and no transcript is read. Raises InvalidQueryError for an unknown name.
    """
    _check_names(names)
    places: list[SourcePlace] = []
    if not names or ADW in names:
        places.append(_look_at(ADW, _ADW_TITLE, scanner.default_agents_dir()))
    places += [
        _look_at(store.source.name, store.source.title, store.path)
        for store in find_stores(os.environ, Path.home())
        if not names or store.source.name in names
    ]
    return SourceReport(places)


def existing_places(names: Sequence[str] = ()) -> list[str]:
    """Return the places that a sync of these sources reads; without `names`, of all sources.

    Raises InvalidQueryError for an unknown name.
    """
    _check_names(names)
    agents_dir = scanner.default_agents_dir()
    has_agents = (not names or ADW in names) and agents_dir.exists()
    return [*([str(agents_dir)] if has_agents else ()), *map(str, existing_stores(names))]


def existing_stores(names: Sequence[str] = ()) -> list[Path]:
    """Return the usual stores of these sources that have sessions; without `names`, of all sources."""
    stores = find_stores(os.environ, Path.home())
    named = (store for store in stores if not names or store.source.name in names)
    return [store.path for store in named if source_of(store.path) is not None]


def _check_names(names: Sequence[str]) -> None:
    if unknown := [name for name in names if name not in SOURCE_NAMES]:
        raise InvalidQueryError(f"Unknown source {unknown[0]!r}. Use one of: {', '.join(SOURCE_NAMES)}")


def _look_at(name: str, title: str, path: FolderPath) -> SourcePlace:
    def place(state: PlaceState, runs: int | None, reason: str | None = None) -> SourcePlace:
        return SourcePlace(name, title, str(path), state, runs, reason)

    try:
        if not path.exists():
            return place(PlaceState.MISSING, 0)
        source = source_of(path)
        if name != ADW and source is None:
            return place(PlaceState.EMPTY, 0) if _is_listable(path) else place(PlaceState.UNREADABLE, None)
        roots = scanner.find_agents_folders(path) if name == ADW else [path]
        runs = sum(len(list(walk_agents_folder(root))) for root in roots if root.is_dir())
    except (OSError, WorkflowHistoryError) as error:
        return place(PlaceState.UNREADABLE, None, str(getattr(error, "strerror", None) or error))
    return place(PlaceState.FOUND if runs else PlaceState.EMPTY, runs)


def _is_listable(path: FolderPath) -> bool:
    """Return True if a local directory can be listed; raises OSError if not."""
    os.listdir(str(path))  # noqa: PTH208 - its error is the reason
    return True
