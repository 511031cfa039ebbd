"""Find the agents folders that a command is to read: a typed path in, folders out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import scanner
from ..common.errors import AgentsFolderError, WorkflowHistoryError
from ..ingest.files import FolderPath, to_path
from ..ingest.runs.records import STATE_FILE
from ..presentation.sync_summary import no_runs_words

_HERE = Path("agents")  # where a folder is looked for that nobody named

Directory = Annotated[
    str | None,  # a Path would take an empty word for the current folder
    typer.Argument(
        metavar="DIR",
        help="A project or its agents folder, also s3://…. Without: WORKFLOW_HISTORY_AGENTS, else ./agents.",
        show_default=False,
    ),
]
"""What a command that reads a folder is told."""


def resolve_agents_folders(given: str | None) -> list[FolderPath]:
    """Return the agents folders that are meant; raises AgentsFolderError where a named one is none."""
    return scanner.find_agents_folders(folder_of(given))


def folder_of(given: str | None) -> FolderPath:
    """Return the project or agents folder that is meant; raises AgentsFolderError where it is none."""
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
    """Return the error that says that a folder holds no run, and which files lie there instead."""
    folders = scanner.find_agents_folders(folder)
    unread = [file for each in folders if each.is_dir() for file in scanner.unread_files(each)]
    return WorkflowHistoryError(no_runs_words(folders[0], unread))


def resolve_watched_folders(given: str | None) -> list[FolderPath]:
    """Return the agents folders to follow, if any: one that is named need not be there yet."""
    if given is not None:
        is_there = not given.strip() or (folder := to_path(given)).exists()
        return resolve_agents_folders(given) if is_there else [folder]
    folders = scanner.find_agents_folders(scanner.place_to_scan())
    there = [folder for folder in folders if folder.is_dir()]
    return there or [folder for folder in folders[:1] if folder != _HERE]
