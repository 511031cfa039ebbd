"""Find the agents directories that a command reads: a typed path in, directories out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import scanner
from ..common.errors import AgentsFolderError, WorkflowHistoryError
from ..ingest.files import FolderPath, to_path
from ..ingest.runs.records import STATE_FILE
from ..presentation.sync_summary import no_runs_words

_HERE = Path("agents")  # the default agents directory

Directory = Annotated[
    str | None,  # not Path: it turns an empty string into the current directory
    typer.Argument(
        metavar="DIR",
        help="A project or its agents folder, also s3://…. Without: WORKFLOW_HISTORY_AGENTS, else ./agents.",
        show_default=False,
    ),
]
"""DIR argument of commands that read an agents directory."""


def resolve_agents_folders(given: str | None) -> list[FolderPath]:
    """Return the agents directories of a path, or the default ones; raises AgentsFolderError if invalid."""
    return scanner.find_agents_folders(folder_of(given))


def folder_of(given: str | None) -> FolderPath:
    """Return the given project or agents directory; None: the default one.

    Raises AgentsFolderError if the name is empty, not a directory, or the directory of a single run.
    """
    if given is not None and not given.strip():
        raise AgentsFolderError("the folder's name is empty; name a project or its agents folder")
    directory = scanner.place_to_scan() if given is None else to_path(given)
    if not directory.is_dir():
        what = f"{directory} is a file" if directory.exists() else f"no such folder: {directory}"
        raise AgentsFolderError(f"{what}; name a project or its agents folder")
    if (directory / STATE_FILE).exists():
        raise AgentsFolderError(f"{directory} is one run; name the folder that holds it: {directory.parent}")
    return directory


def no_runs_in(folder: FolderPath) -> WorkflowHistoryError:
    """Build the error for a directory without runs; it lists files there that are not read."""
    folders = scanner.find_agents_folders(folder)
    unread = [file for each in folders if each.is_dir() for file in scanner.unread_files(each)]
    return WorkflowHistoryError(no_runs_words(folders[0], unread))


def resolve_watched_folders(given: str | None) -> list[FolderPath]:
    """Return the agents directories to watch, possibly none; a named directory need not exist yet."""
    if given is not None:
        is_there = not given.strip() or (folder := to_path(given)).exists()
        return resolve_agents_folders(given) if is_there else [folder]
    folders = scanner.find_agents_folders(scanner.place_to_scan())
    there = [folder for folder in folders if folder.is_dir()]
    return there or [folder for folder in folders[:1] if folder != _HERE]
