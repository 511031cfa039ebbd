"""Sessions of Codex: `sessions/<year>/<month>/<day>/rollout-*.jsonl`, `.jsonl.zst` after seven days.

A run is a thread with the threads that it spawned, on any day. A thread that was
resumed in another file, or packed, is the same run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final

from ...common.models import SessionInfo
from ..files import FileEntry
from ..runs.folder_walk import FolderScan, read_start, scan_file, sort_without_copies
from ..runs.records import RunFolder, ScannedFile, escape_undecodable
from ..streams.codex_session import read_session_head
from .projects import project_of
from .source import Source

_ROLLOUT: Final = re.compile(r"rollout-.+\.jsonl(?:\.zst)?")
_DATE: Final = re.compile(r"\d{1,4}")
_SAMPLE: Final = 50  # entries of a directory that are looked at to recognize a store
_UNKNOWN_PROJECT: Final = "codex"


def _places(environment: Mapping[str, str], home: Path) -> list[Path]:
    codex_home = Path(environment.get("CODEX_HOME") or home / ".codex").expanduser()
    return [codex_home / "sessions", codex_home / "archived_sessions"]


def _is_store(root: Path) -> bool:
    """Return whether a directory, or one of its directories by date, has a rollout."""
    return _has_rollouts(str(root), 3)


def _has_rollouts(folder: str, depth: int) -> bool:
    with os.scandir(folder) as listing:
        entries = list(islice(listing, _SAMPLE))
    files = [entry for entry in entries if _ROLLOUT.fullmatch(entry.name)]
    if any(_read_head(file.path) is not None for file in files):
        return True
    dates = (entry.path for entry in entries if depth and _is_date_folder(entry))
    return any(_has_rollouts(date, depth - 1) for date in dates)


def _is_date_folder(entry: FileEntry) -> bool:
    return _DATE.fullmatch(entry.name) is not None and entry.is_dir(follow_symlinks=False)


@lru_cache(maxsize=100_000)
def _read_head(file: str) -> SessionInfo | None:
    """Return the metadata of a rollout, which never changes; None if it has none, or cannot be read."""
    try:
        return read_session_head(read_start(file))
    except OSError:
        return None  # reading the run reports the reason


def _find_runs(walk: FolderScan) -> Iterator[RunFolder]:
    files: list[ScannedFile] = []
    _collect_rollouts(walk, str(walk.root), "", files)
    threads: dict[str, list[ScannedFile]] = {}
    heads: dict[str, SessionInfo] = {}
    for file in files:
        head = _read_head(file.file)
        thread = (head.id if head else None) or file.path.partition(".jsonl")[0].rpartition("/")[2]
        threads.setdefault(thread, []).append(file)
        if head is not None:
            heads.setdefault(thread, head)
    runs: dict[str, list[ScannedFile]] = {}
    for thread, own_files in sorted(threads.items()):
        runs.setdefault(_root_of(thread, heads), []).extend(own_files)
    for thread, own_files in runs.items():
        head = heads.get(thread)
        project = project_of(head.folder) if head and head.folder else ""
        yield RunFolder(thread, str(walk.root), tuple(sorted(own_files)), project=project or _UNKNOWN_PROJECT)


def _collect_rollouts(walk: FolderScan, folder: str, prefix: str, files: list[ScannedFile]) -> None:
    """Add the rollouts of a directory and its directories by date."""
    try:
        with walk.listing(folder) as listing:
            entries = sort_without_copies(listing)
    except OSError as error:
        if not prefix:
            raise
        walk.add_problem(prefix.rstrip("/"), error)
        return
    for entry in entries:
        shown = f"{prefix}{escape_undecodable(entry.name)}"
        if _is_date_folder(entry):
            _collect_rollouts(walk, entry.path, f"{shown}/", files)
        elif _ROLLOUT.fullmatch(entry.name):
            file = scan_file(walk, entry, shown, shown)
            files += [file] if file else []


def _root_of(thread: str, heads: Mapping[str, SessionInfo]) -> str:
    """Return the thread that spawned a thread, directly or not, as far as the threads are known."""
    seen = {thread}
    while (head := heads.get(thread)) and head.parent in heads and head.parent not in seen:
        thread = str(head.parent)
        seen.add(thread)
    return thread


SOURCE: Final = Source("codex", "Codex", _places, "sessions", _is_store, _find_runs)
