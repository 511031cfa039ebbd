"""Find runs that are stored under another agents folder: one inside or around this one, or a moved one.

A run stays the same run whichever parent folder is synced and wherever its project is moved to. Only names
are read, plus the first lines of a few streams if a project was moved.
"""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ..common.errors import AgentsFolderError, WorkflowHistoryError
from ..common.urls import is_url
from ..ingest.files import FolderPath
from ..ingest.runs.nested_folders import TranscriptFolders
from ..ingest.runs.records import escape_undecodable
from ..ingest.sources.discovery import find_runs, walk_agents_folder
from ..ingest.streams import identity_of
from ..storage.history import History
from ..storage.reading.runs import AgentsDirectory

_MAX_COMPARED = 20  # runs of a folder, and streams of a run, that are compared to detect a move


class KnownRun(NamedTuple):
    """Agents folder and id under which the history stores a run of the synced folder."""

    directory: AgentsDirectory
    id: str


def runs_of_overlapping_directories(
    history: History, root: FolderPath, agents_dir: str, host_names: set[str | None]
) -> dict[str, KnownRun]:
    """Return by location the runs that are stored under an agents folder inside or around this one."""
    if not isinstance(root, Path):
        return {}
    root_path = os.path.realpath(root)
    known_runs: dict[str, KnownRun] = {}
    for directory in history.agents_directories():
        if (
            directory.agents_dir == agents_dir
            or is_url(directory.agents_dir)
            or directory.host not in host_names
        ):
            continue
        directory_path = os.path.realpath(directory.agents_dir)
        if _is_inside(directory_path, root_path) or _is_inside(root_path, directory_path):
            known_runs |= {
                place: KnownRun(directory, run_id)
                for run_id, files_folder in history.run_ids_in(directory).items()
                if _is_inside(place := place_of(directory_path, run_id, files_folder), root_path)
            }
    return known_runs


def place_of(directory: str, run_id: str, files_folder: str | None) -> str:
    """Return a path that identifies a run on this machine, from whichever directory it was read.

    >>> place_of("/a", "b/0e5f", None), place_of("/a/b", "0e5f", ""), place_of("/a", "0e5f", "b")
    ('/a/b/0e5f', '/a/b/0e5f', '/a/b/0e5f')
    """
    if files_folder is None or files_folder == run_id:
        return f"{directory}/{run_id}"
    return "/".join(filter(None, (directory, files_folder, run_id.rpartition("/")[2])))


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def find_moved_directory(
    history: History,
    root: FolderPath,
    agents_dir: str,
    host_names: set[str | None],
    transcript_set: TranscriptFolders | None,
) -> AgentsDirectory | None:
    """Return the stored agents folder that was moved to `root`, or None.

    A folder was moved if it no longer exists and at least half of the compared runs with the same name begin
    with the same lines here. The others may have been retried since. `transcript_set` is that of
    `walk_agents_folder`.
    """
    if not isinstance(root, Path):
        return None
    directories = history.agents_directories()
    if any(directory.agents_dir == agents_dir for directory in directories):
        return None
    missing_directories = [
        directory
        for directory in directories
        if not is_url(directory.agents_dir)
        and directory.host in host_names
        and not Path(directory.agents_dir).is_dir()
    ]
    if not missing_directories:
        return None
    try:
        names = {
            escape_undecodable(group[0].name).removesuffix(".jsonl")
            for group in walk_agents_folder(root, transcript_set).groups
        }
    except (AgentsFolderError, WorkflowHistoryError):
        return None
    for directory in missing_directories:
        common_ids = sorted(
            run_id for run_id in history.run_ids_in(directory) if run_id.split("/")[0] in names
        )
        if common_ids and _shares_streams(history, root, directory, common_ids[:_MAX_COMPARED]):
            return directory
    return None


def _shares_streams(history: History, root: Path, directory: AgentsDirectory, ids: list[str]) -> bool:
    """Return whether at least half of the compared runs share a stream with their stored run."""
    stored_identities = history.stream_identities(directory, ids)
    is_shared = [
        not stored_identities[folder.id].isdisjoint(
            identity_of(stream.file, stream.path) for stream in islice(folder.streams, _MAX_COMPARED)
        )
        for folder in find_runs(root, set(ids))
        if stored_identities.get(folder.id)
    ]
    return any(is_shared) and 2 * sum(is_shared) >= len(is_shared)
