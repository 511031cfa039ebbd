"""Find the agents directories that a command reads: a typed path in, directories out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import scanner
from ..common.errors import AgentsFolderError, WorkflowHistoryError
from ..ingest.files import FolderPath, to_path
from ..ingest.runs.records import STATE_FILE
from ..presentation.sync_summary import no_runs_message

_DEFAULT_FOLDER = Path("agents")

Directory = Annotated[
    str | None,  # not Path: it turns an empty string into the current directory
    typer.Argument(
        metavar="DIR",
        help="Project or agents directory, also s3://…; default: WORKFLOW_HISTORY_AGENTS, else ./agents.",
        show_default=False,
    ),
]
"""DIR argument of commands that read an agents directory."""

ProjectToStore = Annotated[
    str | None, typer.Option(metavar="NAME", help="Project name to store the runs under.")
]
"""--project option of commands that store runs."""


def resolve_folder(path: str | None) -> FolderPath:
    """Return the given project or agents directory; None: the default one.

    Raises AgentsFolderError if the name is empty, not a directory, or the directory of a single run.
    """
    if path is not None and not path.strip():
        raise AgentsFolderError("The directory name is empty. Name a project or its agents directory.")
    folder = scanner.default_agents_dir() if path is None else to_path(path)
    if not folder.is_dir():
        if folder.exists():
            raise AgentsFolderError(f"{folder} is a file. Use its directory: {folder.parent}")
        raise AgentsFolderError(f"{folder} does not exist. Name a project or its agents directory.")
    if (folder / STATE_FILE).exists():
        raise AgentsFolderError(f"{folder} is a run. Name the directory that contains it: {folder.parent}")
    return folder


def no_runs_error(folder: FolderPath) -> WorkflowHistoryError:
    """Build the error for a directory without runs; it lists files there that are not read."""
    folders = scanner.find_agents_folders(folder)
    unread = [file for each in folders if each.is_dir() for file in scanner.unread_files(each)]
    return WorkflowHistoryError(no_runs_message(folders[0], unread))


def resolve_watched_folders(path: str | None) -> list[FolderPath]:
    """Return the agents directories to watch, possibly none; a named directory need not exist yet.

    Raises AgentsFolderError if the named one is invalid.
    """
    if path is not None:
        if path.strip() and not (folder := to_path(path)).exists():
            return [folder]
        return scanner.find_agents_folders(resolve_folder(path))
    folders = scanner.find_agents_folders(scanner.default_agents_dir())
    existing = [folder for folder in folders if folder.is_dir()]
    return existing or [folder for folder in folders[:1] if folder != _DEFAULT_FOLDER]
