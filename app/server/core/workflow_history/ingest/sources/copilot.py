"""Sessions of Copilot CLI: `session-state/<session>/events.jsonl`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from ...common.models import SessionInfo
from ..runs.folder_walk import FolderScan, read_start, scan_file
from ..runs.records import RunFolder, escape_undecodable
from ..streams.copilot_session import read_session_head
from .projects import project_of
from .source import Source

_EVENTS: Final = "events.jsonl"
_SAMPLE: Final = 20  # directories that are looked at to recognize a store
_UNKNOWN_PROJECT: Final = "copilot"


def _places(_environment: Mapping[str, str], home: Path) -> list[Path]:
    return [home / ".copilot" / "session-state"]


def _is_store(root: Path) -> bool:
    with os.scandir(root) as listing:
        folders = [entry.path for entry in islice(listing, _SAMPLE) if entry.is_dir(follow_symlinks=False)]
    files = (Path(folder, _EVENTS) for folder in folders)
    return any(file.is_file() and _read_head(file) is not None for file in files)


def _read_head(file: Path) -> SessionInfo | None:
    try:
        return read_session_head(read_start(str(file)))
    except OSError:
        return None


def _find_runs(walk: FolderScan) -> Iterator[RunFolder]:
    with walk.listing(str(walk.root)) as listing:
        sessions = sorted(entry.name for entry in listing if entry.is_dir(follow_symlinks=False))
    for session in sessions:
        folder, shown = str(Path(str(walk.root), session)), escape_undecodable(session)
        try:
            with walk.listing(folder) as listing:
                events = next((entry for entry in listing if entry.name == _EVENTS), None)
        except OSError as error:
            walk.add_problem(shown, error)
            continue
        if events is None or (file := scan_file(walk, events, f"{shown}/{_EVENTS}", _EVENTS)) is None:
            continue
        head = _read_head(Path(events.path))
        project = project_of(head.folder) if head and head.folder else ""
        yield RunFolder(shown, folder, (file,), project=project or _UNKNOWN_PROJECT)


SOURCE: Final = Source("copilot", "Copilot CLI", _places, "session-state", _is_store, _find_runs)
