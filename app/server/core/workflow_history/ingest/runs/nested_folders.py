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

    @property
    def beside_agents(self) -> Beside | None:
        """The transcripts to read of a folder that holds agents folders; None: no others."""
        return Beside(tuple(self.transcripts), alone=True) if self.transcripts else None

    @property
    def hidden(self) -> Beside | None:
        """The transcripts in hidden folders, in which no other runs are looked for; None: none."""
        found = tuple([shown for shown in self.transcripts if shown.startswith(".")])
        return Beside(found, alone=False) if found else None


@dataclass(frozen=True, slots=True)
class Beside:
    """Folders inside another one of which only transcripts are read."""

    folders: tuple[str, ...] = ()  # relative to the folder around; "": itself
    alone: bool = (
        False  # nothing else of the folder around is read: its agents folders are read by themselves
    )

    def watched(self) -> list[str]:
        """Return the folders to watch for transcripts; of a program's own folder all of it.

        A session that begins in another folder of the same program is seen so.
        """
        return sorted({self._top(shown) if shown.startswith(".") else shown for shown in self.folders})

    @property
    def tops(self) -> set[str]:
        """The entries of the folder around in which the others lie."""
        return set(map(self._top, self.folders))

    @staticmethod
    def _top(shown: str) -> str:
        return shown.partition("/")[0]


NOT_LOOKED: Final = Beside()
"""Stands for what is read beside other runs of a folder into which nobody has looked yet."""


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
