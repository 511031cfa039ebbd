"""Phase 1, scan: an agents folder in, workflow dicts out; the contract's names for it. Never writes there."""

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
"""The agents folder, a path or a URL: a patched value wins; else WORKFLOW_HISTORY_AGENTS, else `agents`."""

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
    """Return the agents folder that a path means, the first one of a project's; None: the one to scan now."""
    return find_agents_folders(place_to_scan() if given is None else to_path(given))[0]


def place_to_scan() -> FolderPath:
    """Return the agents folder or project that is scanned if nobody names one, read at call time."""
    if AGENTS_DIR is not _DEFAULT:
        return to_path(AGENTS_DIR)
    return to_path(os.environ.get("WORKFLOW_HISTORY_AGENTS") or "agents")


def find_agents_folders(path: FolderPath) -> list[FolderPath]:
    """Return the agents folders that a path means: itself, or all inside a project's folder, if any.

    Inside a project they are called `agents`. Beside `agents` and `adws/agents`, only those count that may
    hold runs: `.claude/agents` mostly has definitions of agents. A repository inside is another project.
    Where transcripts lie beside them, the project's folder itself comes last: of it only these are read.
    Without agents folders the folder itself is read, and the transcripts in hidden folders: `.claude`, say.
    """
    return list(folders_meant(path))


def folders_meant(path: FolderPath) -> dict[FolderPath, Beside | None]:
    """Return the same folders, each with the folders inside it of which only transcripts are read."""
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
    """Return the project of an agents folder: the folder that holds it; its own name if it is no `agents`.

    Hidden folders and folders of workflow scripts belong to the project around them, a git worktree to its
    repository's. An archive's name counts without its ending.

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
    """Return the path that a folder of a git worktree has in the repository's main checkout; else itself."""
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
    """Return every run below AGENTS_DIR; an agents folder that does not exist holds none."""
    root = agents_dir()
    if not root.exists():
        return []
    return [run.workflow for run in scan(root, datetime.now(UTC)).runs]


def holds_runs(root: FolderPath) -> bool:
    """Return whether a folder holds a run, or what may be one and cannot be read; stops at the first."""
    walk = walk_agents_folder(root)
    for folder in walk:
        facts = read_run(folder)
        if shows_a_run(facts) or facts.is_broken:
            return True
    return bool(walk.problems)


def unread_files(root: FolderPath) -> list[Problem]:
    """Return why the streams' files of a folder without runs tell none, else its `.json` files."""
    files = sorted({found for folder in walk_agents_folder(root) for found in folder.files})
    lines = [found for found in files if found.is_of_lines]
    whys = ((found, read_stream(found).problem) for found in lines)
    known = [Problem(found.shown, why.reason if why else "nothing in it is a run's") for found, why in whys]
    arrays = (found for found in files if found.is_unsure)
    return known or [Problem(found.shown, "not read: nothing in it is of a known kind") for found in arrays]


def parse_workflow_directory(path: FolderPath | str) -> Workflow | None:
    """Return the run in one folder of an agents folder, or None where it holds none."""
    folder = to_path(path)
    run = read_one(folder.parent, folder.name, datetime.now(UTC)) if folder.is_dir() else None
    return run.workflow if run is not None else None


def validate_workflow_data(workflow: Workflow) -> bool:
    """Return whether a workflow dict can be stored: it has an id that is text and no path out of its folder.

    >>> validate_workflow_data({"id": "a1b2c3d4"}), validate_workflow_data({"status": "completed"})
    (True, False)
    """
    given = workflow.get("id") if isinstance(workflow, dict) else None
    return isinstance(given, str) and bool(given.strip()) and given != STATE_FILE and "\0" not in given
