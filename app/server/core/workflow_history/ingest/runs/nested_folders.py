"""Find agents directories and transcripts inside a project directory. Opens no file."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .grouping import AGENTS_FOLDER, is_session
from .records import STATE_FILE

MAX_FOLDER_DEPTH: Final = 3
"""Maximum number of directories between a project and a directory to find, not counting date directories."""

_MAX_DATE_FOLDERS: Final = 3  # maximum number of date directories: year, month and day
PRUNED: Final = frozenset({".git", "node_modules", "__pycache__", ".venv"})
_SKIPPED_FOLDERS: Final = PRUNED | {
    ".cache", ".mypy_cache", ".next", ".nox", ".pytest_cache", ".ruff_cache", ".tox", "build", "dist", "env",
    "site-packages", "target", "vendor", "venv",
}  # fmt: skip
_FOREIGN_MARKERS: Final = (".git", STATE_FILE)
"""Entries of a directory that is another repository, a worktree, or a run."""


@dataclass(frozen=True, slots=True)
class Inside:
    """Agents directories and transcripts found inside a project directory."""

    agents: list[Path] = field(default_factory=list)
    """Directories named "agents", except inside another one, a run or another repository."""

    transcripts: list[str] = field(default_factory=list)
    """Other directories with loose sessions, relative to the project; "": the project, with any `.jsonl`."""

    other_files: dict[str, list[str]] = field(default_factory=dict)
    """Names of `.jsonl` and `.ndjson` files in directories without a session, by directory as above."""

    @property
    def beside_agents(self) -> TranscriptFolders | None:
        """Transcripts to read if the project also has agents directories; None if there are none."""
        return TranscriptFolders(tuple(self.transcripts), alone=True) if self.transcripts else None

    @property
    def hidden(self) -> TranscriptFolders | None:
        """Transcripts in hidden directories, which are not searched for other runs; None if none."""
        folders = tuple([shown for shown in self.transcripts if shown.startswith(".")])
        return TranscriptFolders(folders, alone=False) if folders else None


@dataclass(frozen=True, slots=True)
class TranscriptFolders:
    """Directories inside another directory of which only transcripts are read."""

    folders: tuple[str, ...] = ()  # relative to the outer directory; "": the outer directory itself
    alone: bool = False  # nothing else in it is read, as its agents directories are read separately

    def watched(self) -> list[str]:
        """Return the directories to watch for transcripts; for a hidden one, its topmost directory.

        That way, a session that begins in another directory of the same program is noticed.
        """
        return sorted({self._top_folder(shown) if shown.startswith(".") else shown for shown in self.folders})

    @property
    def tops(self) -> set[str]:
        """Entries of the outer directory that contain the directories."""
        return set(map(self._top_folder, self.folders))

    @staticmethod
    def _top_folder(shown: str) -> str:
        return shown.partition("/")[0]


NOT_SEARCHED: Final = TranscriptFolders()
"""Default argument: the caller has not looked for transcripts yet."""


def look_inside(folder: Path) -> Inside:
    """Find agents directories and transcripts up to DEEPEST levels deep; ignore unreadable directories."""
    inside = Inside()
    _search(str(folder), "", MAX_FOLDER_DEPTH, _MAX_DATE_FOLDERS, inside)
    return inside


def _search(folder: str, path: str, depth: int, date_depth: int, inside: Inside) -> None:
    try:
        with os.scandir(folder) as listing:
            entries = list(listing)
    except OSError:
        return
    folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    streams = [name for entry in entries if (name := entry.name).endswith(".jsonl") and entry not in folders]
    sessions = [entry.name for entry in folders] + [name.removesuffix(".jsonl") for name in streams]
    if any(map(is_session, sessions)) or (streams and not path):
        inside.transcripts.append(path)
    elif other := [e.name for e in entries if e.name.endswith((".jsonl", ".ndjson")) and e not in folders]:
        inside.other_files[path] = sorted(other)
    for entry in folders:
        is_date = date_depth > 0 and entry.name.isdigit()
        if entry.name == AGENTS_FOLDER:
            inside.agents.append(Path(entry.path))
        elif (depth or is_date) and not is_session(entry.name) and _belongs_to_project(entry):
            child_path = f"{path}/{entry.name}" if path else entry.name
            _search(entry.path, child_path, depth if is_date else depth - 1, date_depth - is_date, inside)


def _belongs_to_project(entry: os.DirEntry[str]) -> bool:
    return entry.name not in _SKIPPED_FOLDERS and not any(
        Path(entry.path, name).exists() for name in _FOREIGN_MARKERS
    )
