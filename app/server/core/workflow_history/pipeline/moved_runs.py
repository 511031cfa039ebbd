"""Detect moved and renamed runs and update their place in the history, so that they stay the same runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from ..common.models import SourceState
from ..common.urls import is_url
from ..costs.accounting.deduplication import Unit
from ..costs.accounting.message_claims import Claim, parts_of, units_of
from ..ingest.runs.grouping import AGENTS_FOLDER
from ..ingest.sources.discovery import find_runs
from ..ingest.streams import identity_of
from ..storage.reading.runs import RunLocation
from .known_places import KnownRun, find_moved_directory, runs_of_overlapping_directories
from .sync_state import SyncContext
from .tasks import ReadResult


def set_project(job: SyncContext, *, named: str | None) -> None:
    """Set the project under which the runs of the folder are stored, also if the folder was moved.

    If the caller names a project (`named`), stored runs of the folder are moved to it. A moved folder keeps
    its project.
    """
    if named is not None:
        _move_to_project(job)
        return
    projects = {
        directory.project
        for directory in job.history.agents_directories()
        if directory.agents_dir == job.agents_dir
    }
    if len(projects) == 1:
        job.project = projects.pop()
    elif not projects and (
        directory := find_moved_directory(
            job.history, job.root, job.agents_dir, job.host_names | {job.host}, job.transcript_set
        )
    ):
        job.history.move_directory(directory, job.agents_dir)
        job.project = directory.project
    job.stats["project"] = job.project


def _move_to_project(job: SyncContext) -> None:
    """Move stored runs of the folder to the sync's project and rename them relative to this folder.

    A run is not moved to a name that another run of the project already has. If only transcripts beside
    nested agents folders are read, the runs in those agents folders are not moved.
    """
    host_names = job.host_names | {job.host}
    known = runs_of_overlapping_directories(job.history, job.root, job.agents_dir, host_names)
    root_path = os.path.realpath(str(job.root))
    run_by_id = {os.path.relpath(path, root_path): run for path, run in known.items()}
    for directory in job.history.agents_directories():
        if (
            directory.agents_dir == job.agents_dir
            and directory.host in host_names
            and directory.project != job.project
        ):
            run_by_id |= {run_id: KnownRun(directory, run_id) for run_id in job.history.run_ids_in(directory)}
    if job.transcript_set is not None and job.transcript_set.alone:
        run_by_id = {
            run_id: run for run_id, run in run_by_id.items() if AGENTS_FOLDER not in run_id.split("/")
        }
    taken_ids = job.history.stored_runs(job.project)
    ids_here = (
        {folder.id for folder in find_runs(job.root, run_by_id.keys() - taken_ids.keys(), job.transcript_set)}
        if run_by_id
        else set()
    )
    if not ids_here:
        return
    keys = job.history.keys_of(
        [(run_by_id[run_id].directory.project, run_by_id[run_id].id) for run_id in ids_here]
    )
    with job.history.transaction():
        for run_id in sorted(ids_here):
            run = run_by_id[run_id]
            job.history.move_run(keys[run.directory.project, run.id], job.project, run_id, job.agents_dir)


def rename_moved_runs(job: SyncContext, batch: Sequence[ReadResult]) -> set[str]:
    """Rename moved runs in the history and return the ids to read again, since the names changed.

    A new run may be stored under another name whose files are missing or now belong to another run. Then
    the stored run gets the new name.
    """
    stale_ids = {run.id for run in batch} & job.former_ids
    job.former_ids -= stale_ids
    results = [run for run in batch if run.claims and run.id not in job.keys and run.id not in stale_ids]
    new_runs = [run for run in results if run.id not in job.known or run.is_different_run]
    units = units_of(claim for run in new_runs for claim in run.claims)
    if not units:
        return stale_ids
    stored_runs = job.history.locations_of_units(units)
    claims = job.history.claims([stored.key for stored in stored_runs]) if stored_runs else {}
    replaced_ids = {run.id for run in new_runs if run.is_different_run}
    replaced_ids |= _ids_without_session(job) if stored_runs else set()
    left_runs = [
        stored for stored in stored_runs if _has_left(job, stored, claims.get(stored.key, ()), replaced_ids)
    ]
    moved: dict[str, RunLocation] = {}
    for run in new_runs:
        parts = parts_of(run.claims)
        for stored in left_runs:
            if stored not in moved.values() and _contains_last_attempts(
                claims.get(stored.key, ()), run, parts
            ):
                moved[run.id] = stored
                break
    moved = _with_free_names(job, moved)
    if not moved:
        return stale_ids
    _store_moves(job, moved)
    left_ids = {stored.id for stored in moved.values() if stored.project in job.projects} - moved.keys()
    job.former_ids |= left_ids - {run.id for run in batch}
    return stale_ids | moved.keys() | (left_ids & {run.id for run in batch})


def delete_absorbed_runs(job: SyncContext, batch: Sequence[ReadResult]) -> None:
    """Delete the stored runs of a store whose files are now a part of another run, and nothing else.

    A spawned thread is a run of its own until the session of its parent is there. Its run gets the new name,
    unless the run with that name is stored already.
    """
    left_ids = _ids_without_session(job)
    results = [run for run in batch if run.claims and run.id not in left_ids] if left_ids else []
    units = units_of(claim for run in results for claim in run.claims)
    stored_runs = [
        stored
        for stored in (job.history.locations_of_units(units) if units else ())
        if stored.id in left_ids and stored.agents_dir == job.agents_dir and stored.project in job.projects
    ]
    claims = job.history.claims([stored.key for stored in stored_runs]) if stored_runs else {}
    attempts = [{claim.name: claim.spender.parts for claim in run.claims} for run in results]
    absorbed = [
        stored
        for stored in stored_runs
        if (own_claims := claims.get(stored.key))
        and any(
            all(claim.spender.parts <= others.get(claim.name, set()) for claim in own_claims)
            and {claim.name for claim in own_claims} <= others.keys()
            for others in attempts
        )
    ]
    if not absorbed:
        return
    with job.history.transaction():
        job.history.delete_runs([stored.key for stored in absorbed])
    for stored in absorbed:
        job.known.pop(stored.id, None)
    job.version = job.history.data_version()


def _ids_without_session(job: SyncContext) -> set[str]:
    """Return the ids of the stored runs of a store that are no runs of it any more; empty if no store."""
    if job.store is None:
        return set()
    stored_ids = {
        run.id
        for run in job.known.values()
        if run.agents_dir == job.agents_dir and run.source_state == SourceState.PRESENT
    }
    return stored_ids - {run.id for run in job.store}


def _contains_last_attempts(
    stored_claims: Sequence[Claim], run: ReadResult, parts: AbstractSet[Unit]
) -> bool:
    """Return whether a run contains the last attempts of a stored run; earlier attempts are in no file."""
    attempts: dict[str, list[Claim]] = {}
    for claim in stored_claims:
        if claim.spender.parts <= parts:
            attempts.setdefault(claim.path, []).append(claim)
    last_claims = [claim for claims in attempts.values() for claim in claims]
    if not parts_of(last_claims) or attempts.keys() != {claim.path for claim in stored_claims}:
        return False
    # A fork that was continued has another session.
    return {claim.session for claim in last_claims} <= {claim.session for claim in run.claims}


def _with_free_names(job: SyncContext, moved: Mapping[str, RunLocation]) -> dict[str, RunLocation]:
    """Return the moves whose new names are free or become free by another move."""
    while True:
        leaving_ids = {stored.id for stored in moved.values() if stored.project in job.projects}
        free = {
            new_id: stored
            for new_id, stored in moved.items()
            if new_id not in job.known or new_id in leaving_ids
        }
        if len(free) == len(moved):
            return free
        moved = free


def _store_moves(job: SyncContext, moved: Mapping[str, RunLocation]) -> None:
    with job.history.transaction():
        for stored in moved.values():  # two runs may have swapped names
            if stored.project in job.projects and stored.id in moved:
                temporary_id = f"{stored.id} {stored.key}"
                job.history.move_run(stored.key, stored.project, temporary_id, job.agents_dir)
        for run_id, stored in moved.items():
            project = job.project if job.store is None else stored.project
            job.history.move_run(stored.key, project, run_id, job.agents_dir)
    current_runs = job.load_known()
    for stored in moved.values():
        if stored.project in job.projects:
            job.known.pop(stored.id, None)
    job.known.update({run_id: current_runs[run_id] for run_id in moved})
    job.version = job.history.data_version()


def _has_left(
    job: SyncContext, stored: RunLocation, claims: Sequence[Claim], replaced_ids: AbstractSet[str]
) -> bool:
    """Return whether a stored run was on this machine and its files are no longer at their place.

    `replaced_ids`: ids of runs of this folder whose files share nothing with the run stored under their id,
    or whose files are another run's.
    """
    if stored.agents_dir is None or is_url(stored.agents_dir):
        return False
    if stored.host not in job.host_names | {job.host}:
        return False
    is_here = stored.agents_dir == job.agents_dir and stored.project in job.projects
    if is_here and stored.id in replaced_ids:
        return True
    folder = stored.id if stored.files_folder is None else stored.files_folder
    streams = [(Path(stored.agents_dir, folder, claim.path), claim) for claim in claims]
    existing = [(file, claim) for file, claim in streams if file.exists()]
    if existing:
        return is_here and all(identity_of(file, claim.path) != claim.identity for file, claim in existing)
    return not Path(stored.agents_dir, stored.id).exists()
