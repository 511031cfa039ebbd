"""Find agents folders and transcripts inside a project: a folder in, folders out. Opens no file."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .grouping import AGENTS_FOLDER, is_session
from .records import STATE_FILE

DEEPEST: Final = 3
"""How many folders may stand between a project and what is looked for; folders of dates come on top."""

_DATES: Final = 3  # folders of a year, a month and a day
PRUNED: Final = frozenset({".git", "node_modules", "__pycache__", ".venv"})
_NO_PROJECT: Final = PRUNED | {
    ".cache", ".mypy_cache", ".next", ".nox", ".pytest_cache", ".ruff_cache", ".tox", "build", "dist", "env",
    "site-packages", "target", "vendor", "venv",
}  # fmt: skip
_ANOTHER: Final = (".git", STATE_FILE)
"""What shows another repository, a worktree, or a run."""


@dataclass(frozen=True, slots=True)
class Inside:
    """What a project's folder holds."""

    agents: list[Path] = field(default_factory=list)
    """Folders called agents, not those inside one of them, inside a run or inside another repository."""

    transcripts: list[str] = field(default_factory=list)
    """Other folders in which sessions lie loose, relative to the project's; "": itself, with any `.jsonl`."""


def look_inside(folder: Path) -> Inside:
    """Return what lies up to DEEPEST folders deep; folders that cannot be listed hold nothing."""
    found = Inside()
    _look(str(folder), "", DEEPEST, _DATES, found)
    return found


def _look(folder: str, inside: str, deep: int, dates: int, found: Inside) -> None:
    try:
        with os.scandir(folder) as listed:
            entries = list(listed)
    except OSError:
        return
    folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    streams = [name for entry in entries if (name := entry.name).endswith(".jsonl") and entry not in folders]
    sessions = [entry.name for entry in folders] + [name.removesuffix(".jsonl") for name in streams]
    if any(map(is_session, sessions)) or (streams and not inside):
        found.transcripts.append(inside)
    for entry in folders:
        is_date = dates > 0 and entry.name.isdigit()
        if entry.name == AGENTS_FOLDER:
            found.agents.append(Path(entry.path))
        elif (deep or is_date) and not is_session(entry.name) and _is_of_the_project(entry):
            below = f"{inside}/{entry.name}" if inside else entry.name
            _look(entry.path, below, deep if is_date else deep - 1, dates - is_date, found)


def _is_of_the_project(entry: os.DirEntry[str]) -> bool:
    return entry.name not in _NO_PROJECT and not any(Path(entry.path, name).exists() for name in _ANOTHER)
