"""Phase 1, scan: read the runs of an agents directory as workflow dicts. Never writes there."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path, PurePath, PurePosixPath

from .common.models import Problem, Workflow
from .common.urls import is_url, url_path
from .ingest.files import FolderPath, to_path
from .ingest.runs import Scan, read_one, scan
from .ingest.runs.build_run import read_run, read_stream, shows_a_run
from .ingest.runs.discovery import agents_folders_inside, usual_folders, walk_agents_folder
from .ingest.runs.nested_folders import Beside, look_inside
from .ingest.runs.records import STATE_FILE

_NAMED = os.environ.get("WORKFLOW_HISTORY_AGENTS") or "agents"
_DEFAULT = _NAMED if is_url(_NAMED) else Path(_NAMED)

AGENTS_DIR: FolderPath | str = _DEFAULT
"""The agents directory, a path or a URL.

A patched value takes precedence; otherwise the environment variable WORKFLOW_HISTORY_AGENTS, then `agents`.
"""

_ARCHIVE = re.compile(r"(?<=.)\.(?:zip|tar|tgz|tar\.\w{1,4})$", re.IGNORECASE)
_SCRIPTS_FOLDER = re.compile(r"\.?adws?(?:[-_]\w+)?", re.IGNORECASE)

__all__ = [
    "AGENTS_DIR",
    "Scan",
    "agents_dir",
    "find_agents_folders",
    "folders_meant",
    "holds_runs",
    "parse_workflow_directory",
    "place_to_scan",
    "project_name",
    "scan",
    "scan_agents_directory",
    "unread_files",
    "validate_workflow_data",
]


def agents_dir(given: FolderPath | str | None = None) -> FolderPath:
    """Return the first agents directory of a path or project; None means the default one."""
    return find_agents_folders(place_to_scan() if given is None else to_path(given))[0]


def place_to_scan() -> FolderPath:
    """Return the default agents directory or project, evaluated on each call."""
    if AGENTS_DIR is not _DEFAULT:
        return to_path(AGENTS_DIR)
    return to_path(os.environ.get("WORKFLOW_HISTORY_AGENTS") or "agents")


def find_agents_folders(path: FolderPath) -> list[FolderPath]:
    """Return the agents directories of a path: the path itself, or all inside a project directory.

    Inside a project, they are named `agents`. Besides `agents` and `adws/agents`, only those that may contain
    runs count: `.claude/agents` mostly has definitions of agents. A nested repository is another project.
    If the project has transcripts outside its agents directories, the project directory itself comes last;
    only these transcripts are read from it. Without any agents directory, the directory itself is read,
    and the transcripts in hidden directories such as `.claude`.
    """
    return list(folders_meant(path))


def folders_meant(path: FolderPath) -> dict[FolderPath, Beside | None]:
    """Return the directories of `find_agents_folders`, each with its transcript directories.

    The value lists the directories inside it that are read only for transcripts, or is None.
    """
    if path.name == "agents":
        return {path: None}
    if not isinstance(path, Path):
        return dict.fromkeys([folder for folder in usual_folders(path) if folder.is_dir()] or [path])
    inside = look_inside(path)
    found: dict[FolderPath, Beside | None] = dict.fromkeys(agents_folders_inside(path, inside))
    if not found:
        return {path: inside.hidden}
    return found | {path: beside} if (beside := inside.beside_agents) else found


def project_name(agents: FolderPath) -> str:
    """Return the project of an agents directory: its parent's name, or its own if it is not named `agents`.

    Hidden directories and directories of workflow scripts belong to the project around them, a git worktree
    to its repository's project. The file extension of an archive is dropped.

    >>> project_name(Path("/home/me/shop/adws/agents")), project_name(Path("/archive/shop-2025"))
    ('shop', 'shop-2025')
    >>> project_name(Path("/me/shop/.claude/agents")), project_name(Path("/me/shop/adws/functional/agents"))
    ('shop', 'shop')
    """
    if isinstance(agents, Path):
        folder: PurePath = _in_main_checkout(agents.absolute())
    else:
        folder = PurePosixPath(url_path(str(agents)))
    parent = folder.parent
    if folder.name != "agents" or not parent.name:
        return _ARCHIVE.sub("", folder.name)
    around = list(parent.parents)
    scripts = next((each for each in (parent, *around[:1]) if _SCRIPTS_FOLDER.fullmatch(each.name)), None)
    holder = scripts.parent if scripts is not None and scripts.parent.name else parent
    while holder.name.startswith(".") and holder.parent.name:
        holder = holder.parent
    return _ARCHIVE.sub("", holder.name)


def _in_main_checkout(folder: Path) -> Path:
    """Map a directory in a git worktree to its path in the main checkout; others stay unchanged."""
    for parent in folder.parents:
        marker = parent / ".git"
        if marker.is_dir():
            break
        if not marker.is_file():
            continue
        try:
            named = marker.read_text(errors="replace").strip()
        except OSError:
            break
        git = Path(parent, named.removeprefix("gitdir:").strip())
        if git.parent.name == "worktrees" and git.parent.parent.name == ".git":
            return git.parent.parent.parent / folder.relative_to(parent)
        break
    return folder


def scan_agents_directory() -> list[Workflow]:
    """Return all runs in AGENTS_DIR, or an empty list if the directory does not exist."""
    root = agents_dir()
    if not root.exists():
        return []
    return [run.workflow for run in scan(root, datetime.now(UTC)).runs]


def holds_runs(root: FolderPath) -> bool:
    """Return whether a directory contains a run or an unreadable possible run; stops at the first."""
    walk = walk_agents_folder(root)
    for folder in walk:
        facts = read_run(folder)
        if shows_a_run(facts) or facts.is_broken:
            return True
    return bool(walk.problems)


def unread_files(root: FolderPath) -> list[Problem]:
    """List the files of a directory without runs, each with the reason why no run was found in it.

    These are its stream files, or, if there are none, its `.json` files.
    """
    files = sorted({found for folder in walk_agents_folder(root) for found in folder.files})
    lines = [found for found in files if found.is_of_lines]
    whys = ((found, read_stream(found).problem) for found in lines)
    known = [Problem(found.shown, why.reason if why else "nothing in it is a run's") for found, why in whys]
    arrays = (found for found in files if found.is_unsure)
    return known or [Problem(found.shown, "not read: nothing in it is of a known kind") for found in arrays]


def parse_workflow_directory(path: FolderPath | str) -> Workflow | None:
    """Return the run in one subdirectory of an agents directory, or None if it contains no run."""
    folder = to_path(path)
    run = read_one(folder.parent, folder.name, datetime.now(UTC)) if folder.is_dir() else None
    return run.workflow if run is not None else None


def validate_workflow_data(workflow: Workflow) -> bool:
    """Return whether a workflow dict can be stored: its id is nonblank text and a usable name.

    The name of the state file and ids with a NUL character are invalid.

    >>> validate_workflow_data({"id": "a1b2c3d4"}), validate_workflow_data({"status": "completed"})
    (True, False)
    """
    given = workflow.get("id") if isinstance(workflow, dict) else None
    return isinstance(given, str) and bool(given.strip()) and given != STATE_FILE and "\0" not in given
