"""Stage 1, scan: read the runs of an agents directory as workflow dicts. Never writes there."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path, PurePath, PurePosixPath
from typing import NamedTuple

from .common.models import Problem, Workflow
from .common.urls import is_url, url_path
from .ingest.files import FolderPath, to_path
from .ingest.runs.build_run import read_run, read_stream, shows_a_run
from .ingest.runs.nested_folders import Inside, TranscriptFolders, look_inside
from .ingest.runs.records import STATE_FILE
from .ingest.sources.discovery import (
    agents_folders_inside,
    unread_stream_folders,
    usual_folders,
    walk_agents_folder,
)
from .ingest.sources.projects import main_checkout
from .ingest.sources.registry import source_of, store_inside
from .ingest.sources.scan import Scan, read_one, scan

_CONFIGURED_AGENTS_DIR = os.environ.get("WORKFLOW_HISTORY_AGENTS") or "agents"
_DEFAULT_AGENTS_DIR = (
    _CONFIGURED_AGENTS_DIR if is_url(_CONFIGURED_AGENTS_DIR) else Path(_CONFIGURED_AGENTS_DIR)
)

AGENTS_DIR: FolderPath | str = _DEFAULT_AGENTS_DIR
"""The agents directory, a path or a URL.

A patched value takes precedence; otherwise the environment variable WORKFLOW_HISTORY_AGENTS, then `agents`.
"""

_ARCHIVE_EXTENSION = re.compile(r"(?<=.)\.(?:zip|tar|tgz|tar\.\w{1,4})$", re.IGNORECASE)
_SCRIPTS_FOLDER = re.compile(r"\.?adws?(?:[-_]\w+)?", re.IGNORECASE)

__all__ = [
    "AGENTS_DIR",
    "Scan",
    "agents_dir",
    "contains_runs",
    "default_agents_dir",
    "find_agents_folders",
    "parse_workflow_directory",
    "project_name",
    "scan",
    "scan_agents_directory",
    "search_project",
    "unread_files",
    "validate_workflow_data",
]


def agents_dir(path: FolderPath | str | None = None) -> FolderPath:
    """Return the first agents directory of a path or project; None means the default one."""
    return find_agents_folders(default_agents_dir() if path is None else to_path(path))[0]


def default_agents_dir() -> FolderPath:
    """Return the default agents directory or project, evaluated on each call."""
    if AGENTS_DIR is not _DEFAULT_AGENTS_DIR:
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
    return list(search_project(path).folders)


class ProjectFolders(NamedTuple):
    """Directories to read for a path."""

    path: FolderPath
    folders: dict[FolderPath, TranscriptFolders | None]
    """Directories of `find_agents_folders`; the value lists those inside it read only for transcripts."""

    inside: Inside | None = None  # directories inside the project; None: none of them is skipped

    def unread(self) -> list[Problem]:
        """Return a warning for each directory of transcripts that is not read; opens three files of each."""
        return [] if self.inside is None else unread_stream_folders(self.path, self.inside)


def search_project(path: FolderPath) -> ProjectFolders:
    """Find the directories to read for a path, as `find_agents_folders` does."""
    if path.name == "agents" or source_of(path) is not None:
        return ProjectFolders(path, {path: None})
    if (store := store_inside(path)) is not None:
        return ProjectFolders(path, {store: None})
    if not isinstance(path, Path):
        existing = [folder for folder in usual_folders(path) if folder.is_dir()]
        return ProjectFolders(path, dict.fromkeys(existing or [path]))
    nested_folders = look_inside(path)
    folders: dict[FolderPath, TranscriptFolders | None] = dict.fromkeys(
        agents_folders_inside(path, nested_folders)
    )
    if not folders:
        return ProjectFolders(path, {path: nested_folders.hidden})
    if transcript_set := nested_folders.beside_agents:
        folders[path] = transcript_set
    return ProjectFolders(path, folders, nested_folders)


def project_name(path: FolderPath) -> str:
    """Return the project of an agents directory: its parent's name, or its own if it is not named `agents`.

    Hidden directories and directories of workflow scripts belong to the project around them, a git worktree
    to its repository's project. The file extension of an archive is dropped.

    >>> project_name(Path("/home/me/shop/adws/agents")), project_name(Path("/archive/shop-2025"))
    ('shop', 'shop-2025')
    >>> project_name(Path("/me/shop/.claude/agents")), project_name(Path("/me/shop/adws/functional/agents"))
    ('shop', 'shop')
    """
    if isinstance(path, Path):
        directory: PurePath = main_checkout(path.absolute())
    else:
        directory = PurePosixPath(url_path(str(path)))
    parent = directory.parent
    if directory.name != "agents" or not parent.name:
        return _ARCHIVE_EXTENSION.sub("", directory.name)
    candidates = [parent, *parent.parents][:2]
    scripts_dir = next((folder for folder in candidates if _SCRIPTS_FOLDER.fullmatch(folder.name)), None)
    project_dir = scripts_dir.parent if scripts_dir is not None and scripts_dir.parent.name else parent
    while project_dir.name.startswith(".") and project_dir.parent.name:
        project_dir = project_dir.parent
    return _ARCHIVE_EXTENSION.sub("", project_dir.name)


def scan_agents_directory() -> list[Workflow]:
    """Return all runs in AGENTS_DIR, or an empty list if the directory does not exist."""
    root = agents_dir()
    if not root.exists():
        return []
    return [run.workflow for run in scan(root, datetime.now(UTC)).runs]


def contains_runs(root: FolderPath) -> bool:
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
    files = sorted({file for folder in walk_agents_folder(root) for file in folder.files})
    stream_files = [file for file in files if file.is_of_lines]
    problems = ((file, read_stream(file).problem) for file in stream_files)
    reasons = [
        Problem(file.shown, problem.reason if problem else "nothing in it is a run's")
        for file, problem in problems
    ]
    json_files = (file for file in files if file.is_unsure)
    return reasons or [
        Problem(file.shown, "not read: nothing in it is of a known kind") for file in json_files
    ]


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
    workflow_id = workflow.get("id") if isinstance(workflow, dict) else None
    return (
        isinstance(workflow_id, str)
        and bool(workflow_id.strip())
        and workflow_id != STATE_FILE
        and "\0" not in workflow_id
    )
