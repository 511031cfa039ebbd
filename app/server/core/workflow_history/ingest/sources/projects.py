"""Name the project of a working directory: its repository, with worktrees folded into the main checkout."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

_IN_PROJECT: Final = re.compile(r"(.+?)(?:/(?:\.claude/worktrees|\.?worktrees?|trees)|[-_.]worktrees?)/.+")
_IN_HOME: Final = re.compile(r".*/\.(?:codex|cursor)/worktrees/(.+)")
"""Usual places of worktrees, by which those are recognized that no longer exist."""

_HOMES: Final = ("home", "Users")  # directories that contain home directories
_HASH: Final = re.compile(r"[0-9a-f]{4,}")


def main_checkout(folder: Path) -> Path:
    """Map a directory in a git worktree to its path in the main checkout; others stay unchanged."""
    for parent in (folder, *folder.parents):
        git_path = parent / ".git"
        if git_path.is_dir():
            break
        if not git_path.is_file():
            continue
        try:
            pointer = git_path.read_text(errors="replace").strip()
        except OSError:
            break
        git_dir = Path(parent, pointer.removeprefix("gitdir:").strip())
        if git_dir.parent.name == "worktrees" and git_dir.parent.parent.name == ".git":
            return git_dir.parent.parent.parent / folder.relative_to(parent)
        break
    return folder


@lru_cache(maxsize=4096)
def project_of(folder: str) -> str:
    r"""Return the name of a working directory's project, or "" if it has none.

    That is the name of the repository around it. For a directory that no longer exists, or on another
    machine, it is the name of the directory, without the usual places of worktrees.

    >>> project_of("/nowhere/shop"), project_of("/nowhere/shop/.claude/worktrees/calm-otter")
    ('shop', 'shop')
    >>> project_of("/nowhere/.codex/worktrees/3f2a/shop"), project_of(r"C:\Users\me\shop"), project_of("/")
    ('shop', 'shop', '')
    """
    path = Path(folder)
    if path.is_absolute() and path.exists():
        checkout = main_checkout(path)
        folders = (checkout, *checkout.parents)
        return next((each for each in folders if (each / ".git").exists()), checkout).name
    pure = PureWindowsPath(folder) if re.match(r"[A-Za-z]:[\\/]|\\\\", folder) else PurePosixPath(folder)
    shown = pure.as_posix()
    if match := _IN_HOME.fullmatch(shown):
        names = [part for part in match[1].split("/") if not _HASH.fullmatch(part)]
        return names[0] if names else ""
    match = _IN_PROJECT.fullmatch(shown)
    if match and PurePosixPath(match[1]).parent.name not in _HOMES:
        shown = match[1]
    return PurePosixPath(shown).name
