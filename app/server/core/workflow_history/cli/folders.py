"""Find the agents directories that a command reads: a typed path in, directories out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from .. import scanner
from ..common.errors import AgentsFolderError, InvalidQueryError, WorkflowHistoryError
from ..common.formatting.text import single_line
from ..ingest.files import FolderPath, to_path
from ..ingest.runs.records import STATE_FILE
from ..presentation.sync_summary import no_runs_message
from ..queries.sources import existing_places, existing_stores, find_sources

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


def resolve_folders(path: str | None, sources: Sequence[str]) -> list[FolderPath]:
    """Return the given directory, or without one all places on this machine with runs of these sources.

    Without `sources`, those are all sources. Raises InvalidQueryError for an unknown source or if both are
    given, and AgentsFolderError if there is nothing to read.
    """
    if path is not None:
        if sources:
            raise InvalidQueryError("Use either DIR or --source.")
        return [resolve_folder(path)]
    if found := existing_places(sources):
        return [resolve_folder(place) for place in found]
    if not sources and os.environ.get("WORKFLOW_HISTORY_AGENTS"):
        return [resolve_folder(None)]
    places = find_sources(sources).places
    looked_at = ", ".join(single_line(place.path) for place in places)
    unreadable = [f"{single_line(place.path)}: {place.reason}" for place in places if place.reason]
    raise AgentsFolderError(
        f"No runs or sessions found. Places: {looked_at}. {' '.join(unreadable)}".rstrip()
        + " Name a directory: workflow-history sync path/to/project"
    )


def no_runs_error(folder: FolderPath) -> WorkflowHistoryError:
    """Build the error for a directory without runs; it lists files there that are not read."""
    folders = scanner.find_agents_folders(folder)
    unread = [file for each in folders if each.is_dir() for file in scanner.unread_files(each)]
    return WorkflowHistoryError(no_runs_message(folders[0], unread))


def resolve_watched_folders(path: str | None) -> list[FolderPath]:
    """Return the directories to watch, possibly none; a named directory need not exist yet.

    Without a name, these are the agents directories and the stores of agent programs that exist.

    Raises AgentsFolderError if the named one is invalid.
    """
    if path is not None:
        if path.strip() and not (folder := to_path(path)).exists():
            return [folder]
        return scanner.find_agents_folders(resolve_folder(path))
    folders = scanner.find_agents_folders(scanner.default_agents_dir())
    existing = [*(folder for folder in folders if folder.is_dir()), *existing_stores()]
    return existing or [folder for folder in folders[:1] if folder != _DEFAULT_FOLDER]
