"""Sessions of Gemini CLI: `tmp/<project>/chats/session-*.json`, newer `.jsonl`, with subagents' directories.

A run is a session with the sessions of its subagents (`chats/<session>/<id>.jsonl`). A session that was
migrated from `.json` to `.jsonl` is one run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from ..runs.folder_walk import FolderScan, collect_files, read_start
from ..runs.records import RunFolder, ScannedFile, escape_undecodable
from ..streams.gemini_chat import read_chat_head
from .projects import project_of
from .source import Source

_CHATS: Final = "chats"
_SESSION: Final = re.compile(r"session-.*\.jsonl?")
_HASH: Final = re.compile(r"[0-9a-f]{32,}")
_PROJECT_ROOT: Final = ".project_root"  # file with the working directory, of newer versions
_SAMPLE: Final = 20  # directories that are looked at to recognize a store
_UNKNOWN_PROJECT: Final = "gemini"


def _places(_environment: Mapping[str, str], home: Path) -> list[Path]:
    return [home / ".gemini" / "tmp"]


def _is_store(root: Path) -> bool:
    with os.scandir(root) as listing:
        folders = [entry.path for entry in islice(listing, _SAMPLE) if entry.is_dir(follow_symlinks=False)]
    return any(_has_chats(Path(folder, _CHATS)) for folder in folders)


def _has_chats(chats: Path) -> bool:
    try:
        return any(_SESSION.fullmatch(name) for name in os.listdir(chats))  # noqa: PTH208 - names suffice
    except OSError:
        return False


def _find_runs(walk: FolderScan) -> Iterator[RunFolder]:
    with walk.listing(str(walk.root)) as listing:
        projects = sorted(entry.name for entry in listing if entry.is_dir(follow_symlinks=False))
    for name in projects:
        folder = Path(str(walk.root), name)
        if not _has_chats(folder / _CHATS):
            continue
        files: list[ScannedFile] = []
        shown = f"{escape_undecodable(name)}/{_CHATS}"
        collect_files(walk, str(folder / _CHATS), shown, "", files)
        project = _project(folder)
        for session, own_files in sorted(_group(files).items()):
            yield RunFolder(session, str(folder / _CHATS), tuple(sorted(own_files)), project=project)


def _group(files: list[ScannedFile]) -> dict[str, list[ScannedFile]]:
    """Group the files of a project by session; a subagent's belong to the session of its directory."""
    groups: dict[str, list[ScannedFile]] = {}
    subagents: list[ScannedFile] = []
    for file in files:
        if "/" in file.path:
            subagents.append(file)
        else:
            groups.setdefault(_session_of(file), []).append(file)
    for file in subagents:
        groups.setdefault(file.path.partition("/")[0], []).append(file)
    return groups


def _session_of(file: ScannedFile) -> str:
    """Return the id of a file's session, or its name if it has none."""
    try:
        head = read_chat_head(read_start(file.file))
    except OSError:
        head = None  # reading the run reports the reason
    return head.session if head is not None else file.path.partition(".json")[0]


def _project(folder: Path) -> str:
    try:
        root = (folder / _PROJECT_ROOT).read_text(errors="replace").strip()
    except OSError:
        root = ""
    name = escape_undecodable(folder.name)
    return (project_of(root) if root else "") or (_UNKNOWN_PROJECT if _HASH.fullmatch(name) else name)


SOURCE: Final = Source("gemini", "Gemini CLI", _places, "tmp", _is_store, _find_runs)
