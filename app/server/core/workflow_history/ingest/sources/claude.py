"""Sessions of Claude Code: `projects/<working directory>/<session>.jsonl`, with subagents below `<session>/`.

A session is a run with everything below its directory, wherever the number and shape of the directories
around it. Claude Code deletes sessions after 30 days.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

from ..files import FileEntry, join_address
from ..runs.folder_walk import FolderScan, collect_files, read_start, session_of_file
from ..runs.grouping import group_into_runs, split_sessions
from ..runs.records import RunFolder, ScannedFile, escape_undecodable, stem_of
from .projects import project_of
from .source import Source

_SLUG: Final = re.compile(r"-|[A-Za-z]--")  # a working directory in Claude Code's notation: -home-me-shop
_NATIVE: Final = re.compile(rb'"sessionId"\s*:\s*"')
_FOLDER: Final = re.compile(rb'"cwd"\s*:\s*"((?:[^"\\]|\\.)+)"')
_SAMPLE: Final = 20  # entries of a directory, and files of each, that are looked at to recognize a store
_JOURNAL: Final = "/journal.jsonl"  # of a workflow of subagents; it has no messages
_UNKNOWN_PROJECT: Final = "claude"


def _places(environment: Mapping[str, str], home: Path) -> list[Path]:
    """Return CLAUDE_CONFIG_DIR/projects (a comma separates several), or else the two default paths."""
    if configured := environment.get("CLAUDE_CONFIG_DIR", "").strip():
        return [
            Path(part.strip()).expanduser() / "projects" for part in configured.split(",") if part.strip()
        ]
    config_home = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    return [home / ".claude" / "projects", config_home / "claude" / "projects"]


def _is_store(root: Path) -> bool:
    """Return whether a directory, or one of its directories with a slug's name, has native transcripts."""
    if _SLUG.match(root.name):
        return _has_transcripts(str(root))
    with os.scandir(root) as listing:
        folders = [entry for entry in islice(listing, _SAMPLE) if _SLUG.match(entry.name) and entry.is_dir()]
    return any(_has_transcripts(folder.path) for folder in folders)


def _has_transcripts(folder: str) -> bool:
    """Return whether sessions or, if only these are left, transcripts of subagents are in a directory."""
    with suppress(OSError), os.scandir(folder) as listing:
        entries = list(listing)
        if _has_native_files(entries):
            return True
        for session in [entry.path for entry in entries if entry.is_dir()][:_SAMPLE]:
            with suppress(OSError), os.scandir(Path(session, "subagents")) as subagents:
                if _has_native_files(list(subagents)):
                    return True
    return False


def _has_native_files(entries: Sequence[os.DirEntry[str]]) -> bool:
    files = [entry for entry in entries if entry.name.endswith(".jsonl")]
    return any(_is_native(file.path) for file in files[:_SAMPLE])


def _is_native(file: str) -> bool:
    try:
        return _NATIVE.search(read_start(file)) is not None
    except OSError:
        return False  # a directory, or unreadable: the files beside it show whether this is a store


def _find_runs(walk: FolderScan) -> Iterator[RunFolder]:
    taken: set[str] = set()
    for folder, shown in _slug_folders(walk):
        files: list[ScannedFile] = []
        collect_files(walk, folder, shown or ".", "", files, is_included=_is_session_entry)
        files = [
            file._replace(shown=file.shown.removeprefix("./"))
            for file in files
            if not file.path.endswith(_JOURNAL)
        ]
        sessions, others = split_sessions(files, session_of_file)
        project = _project(files)
        for session, own_files in sorted(sessions.items()):
            if not any(file.size for file in own_files):
                walk.add_skipped(own_files[0].shown, "the session is empty")
                continue
            run_id = session if session not in taken else f"{shown}/{session}"
            taken.add(run_id)
            yield RunFolder(run_id, folder, tuple(sorted(own_files)), project=project)
        for run in _other_runs(folder, shown, others):
            yield replace(run, project=project)
        if not files and not _SLUG.match(shown or walk.root.name):
            walk.add_skipped(shown, "no session is in it")


def _other_runs(folder: str, shown: str, files: Sequence[ScannedFile]) -> Iterator[RunFolder]:
    """Yield runs beside the sessions: loose transcripts with other names, and directories of runs."""
    children: dict[str, list[ScannedFile]] = {}
    for file in files:
        child, slash, below = file.path.partition("/")
        if slash:
            children.setdefault(child, []).append(file._replace(path=below))
        else:
            yield RunFolder(f"{shown}/{stem_of(file.path)}".lstrip("/"), folder, (file,))
    for child, own_files in children.items():
        name = f"{shown}/{child}".lstrip("/")
        yield from group_into_runs(name, join_address(folder, child), own_files, session_of_file)


def _slug_folders(walk: FolderScan) -> Iterator[tuple[str, str]]:
    """Yield path and shown name of the directories with sessions: the root itself, or those in it."""
    if _SLUG.match(walk.root.name):
        yield str(walk.root), ""
        return
    with walk.listing(str(walk.root)) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        shown = escape_undecodable(entry.name)
        if entry.is_symlink():
            walk.add_skipped(shown, "a symbolic link: links are not followed")
        elif entry.is_dir(follow_symlinks=False):
            yield entry.path, shown


def _is_session_entry(entry: FileEntry) -> bool:
    """Return whether an entry may be a session or its directory; `.json` files are indexes."""
    return entry.name.endswith(".jsonl") or entry.is_dir(follow_symlinks=False)


def _project(files: list[ScannedFile]) -> str:
    """Return the project of a slug's sessions, all of which began in one working directory."""
    for file in files:
        try:
            match = _FOLDER.search(read_start(file.file))
        except OSError:
            continue  # reading the run reports the reason
        if match:
            folder = match[1].decode("utf-8", "replace").replace("\\\\", "\\")
            return project_of(folder) or _UNKNOWN_PROJECT
    return _UNKNOWN_PROJECT


SOURCE: Final = Source("claude", "Claude Code", _places, "projects", _is_store, _find_runs)
