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
from ..ingest.runs.discovery import find_runs, walk_agents_folder
from ..ingest.runs.nested_folders import TranscriptFolders
from ..ingest.runs.records import escape_undecodable
from ..ingest.streams import identity_of
from ..storage.history import History
from ..storage.reading.runs import Home

_MAX_COMPARED = 20  # runs of a folder, and streams of a run, that are compared to detect a move


class KnownRun(NamedTuple):
    """Agents folder and id under which the history stores a run of the synced folder."""

    home: Home
    id: str


def runs_known_elsewhere(
    history: History, root: FolderPath, agents_dir: str, host_names: set[str | None]
) -> dict[str, KnownRun]:
    """Return by location the runs that are stored under an agents folder inside or around this one."""
    if not isinstance(root, Path):
        return {}
    root_path = os.path.realpath(root)
    known_runs: dict[str, KnownRun] = {}
    for home in history.homes():
        if home.agents_dir == agents_dir or is_url(home.agents_dir) or home.host not in host_names:
            continue
        home_path = os.path.realpath(home.agents_dir)
        if _is_inside(home_path, root_path) or _is_inside(root_path, home_path):
            known_runs |= {
                run_location(home_path, run_id): KnownRun(home, run_id)
                for run_id in history.ids_at(home)
                if _is_inside(run_location(home_path, run_id), root_path)
            }
    return known_runs


def run_location(agents_dir: str, run_id: str) -> str:
    """Return the path of a run: its folder, or its file without the extension."""
    return f"{agents_dir}/{run_id}"


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def moved_from(
    history: History,
    root: FolderPath,
    agents_dir: str,
    host_names: set[str | None],
    transcript_set: TranscriptFolders | None,
) -> Home | None:
    """Return the stored agents folder that was moved to `root`, or None.

    A folder was moved if it no longer exists and at least half of the compared runs with the same name begin
    with the same lines here. The others may have been retried since. `beside`: as in `walk_agents_folder`.
    """
    if not isinstance(root, Path):
        return None
    homes = history.homes()
    if any(home.agents_dir == agents_dir for home in homes):
        return None
    missing_homes = [
        home
        for home in homes
        if not is_url(home.agents_dir) and home.host in host_names and not Path(home.agents_dir).is_dir()
    ]
    if not missing_homes:
        return None
    try:
        names = {
            escape_undecodable(group[0].name).removesuffix(".jsonl")
            for group in walk_agents_folder(root, transcript_set).groups
        }
    except (AgentsFolderError, WorkflowHistoryError):
        return None
    for home in missing_homes:
        common_ids = sorted(run_id for run_id in history.ids_at(home) if run_id.split("/")[0] in names)
        if common_ids and _shares_streams(history, root, home, common_ids[:_MAX_COMPARED]):
            return home
    return None


def _shares_streams(history: History, root: Path, home: Home, ids: list[str]) -> bool:
    """Return whether at least half of the compared runs share a stream with their stored run."""
    stored_identities = history.stream_identities(home, ids)
    is_shared = [
        not stored_identities[folder.id].isdisjoint(
            identity_of(stream.file, stream.path) for stream in islice(folder.streams, _MAX_COMPARED)
        )
        for folder in find_runs(root, set(ids))
        if stored_identities.get(folder.id)
    ]
    return any(is_shared) and 2 * sum(is_shared) >= len(is_shared)
