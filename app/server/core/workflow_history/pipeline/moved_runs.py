"""Detect moved and renamed runs and update their place in the history, so that they stay the same runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from ..common.urls import is_url
from ..costs.accounting.deduplication import Unit
from ..costs.accounting.message_claims import Claim, parts_of, units_of
from ..ingest.runs.discovery import find_runs
from ..ingest.runs.grouping import AGENTS_FOLDER
from ..ingest.streams import identity_of
from ..storage.reading.runs import WhereStored
from .known_places import KnownRun, location, moved_from, runs_known_elsewhere
from .sync_state import SyncContext
from .tasks import ReadResult


def find_home(job: SyncContext, *, named: str | None) -> None:
    """Set the project under which the runs of the folder are stored, also if the folder was moved.

    If the caller names a project (`named`), stored runs of the folder are moved to it. A moved folder keeps
    its project.
    """
    if named is not None:
        _bring_to_project(job)
        return
    known = {home.project for home in job.history.homes() if home.agents_dir == job.agents_dir}
    if len(known) == 1:
        job.project = known.pop()
    elif not known and (
        home := moved_from(job.history, job.root, job.agents_dir, job.host_names | {job.host}, job.beside)
    ):
        job.history.move_home(home, job.agents_dir)
        job.project = home.project
    job.stats["project"] = job.project


def _bring_to_project(job: SyncContext) -> None:
    """Move stored runs of the folder to the sync's project and rename them relative to this folder.

    A run is not moved to a name that another run of the project already has. If only transcripts beside
    nested agents folders are read, the runs in those agents folders are not moved.
    """
    machines = job.host_names | {job.host}
    known = runs_known_elsewhere(job.history, job.root, job.agents_dir, machines)
    here = os.path.realpath(str(job.root))
    names = {os.path.relpath(path, here): run for path, run in known.items()}
    for home in job.history.homes():
        if home.agents_dir == job.agents_dir and home.found_on in machines and home.project != job.project:
            names |= {run_id: KnownRun(home, run_id) for run_id in job.history.ids_at(home)}
    if job.beside is not None and job.beside.alone:
        names = {run_id: run for run_id, run in names.items() if AGENTS_FOLDER not in run_id.split("/")}
    taken = job.history.stored_runs(job.project)
    there = (
        {folder.id for folder in find_runs(job.root, names.keys() - taken.keys(), job.beside)}
        if names
        else set()
    )
    if not there:
        return
    keys = job.history.keys_of([(names[run_id].home.project, names[run_id].id) for run_id in there])
    with job.history.transaction():
        for run_id in sorted(there):
            run = names[run_id]
            job.history.move_run(keys[run.home.project, run.id], job.project, run_id, job.agents_dir)


def moved_here(job: SyncContext, batch: Sequence[ReadResult]) -> set[str]:
    """Rename moved runs in the history and return the ids to read again, since the names changed.

    A new run may be stored under another name whose files are missing or now belong to another run. Then
    the stored run gets the new name.
    """
    stale = {run.id for run in batch} & job.moved_away
    job.moved_away -= stale
    read = [run for run in batch if run.claims and run.id not in job.keys and run.id not in stale]
    new = [run for run in read if run.id not in job.known or run.is_another]
    every = units_of(claim for run in new for claim in run.claims)
    if not every:
        return stale
    there = job.history.runs_with(every)
    claims = job.history.claims([stored.key for stored in there]) if there else {}
    others = {run.id for run in new if run.is_another}
    known = [stored for stored in there if _has_left(job, stored, claims.get(stored.key, ()), others)]
    moved: dict[str, WhereStored] = {}
    for run in new:
        parts = parts_of(run.claims)
        for stored in known:
            if stored not in moved.values() and _is_whole(claims.get(stored.key, ()), run, parts):
                moved[run.id] = stored
                break
    moved = _with_free_names(job, moved)
    if not moved:
        return stale
    _rename(job, moved)
    left = {stored.id for stored in moved.values() if stored.project == job.project} - moved.keys()
    job.moved_away |= left - {run.id for run in batch}
    return stale | moved.keys() | (left & {run.id for run in batch})


def _is_whole(stored: Sequence[Claim], run: ReadResult, parts: AbstractSet[Unit]) -> bool:
    """Return whether a run contains the last attempts of a stored run; earlier attempts are in no file."""
    attempts: dict[str, list[Claim]] = {}
    for claim in stored:
        if claim.spender.parts <= parts:
            attempts.setdefault(claim.path, []).append(claim)
    found = [claim for own in attempts.values() for claim in own]
    if not parts_of(found) or attempts.keys() != {claim.path for claim in stored}:
        return False
    # A fork that was continued has another session.
    return {claim.session for claim in found} <= {claim.session for claim in run.claims}


def _with_free_names(job: SyncContext, moved: Mapping[str, WhereStored]) -> dict[str, WhereStored]:
    """Return the moves whose new names are free or become free by another move."""
    while True:
        leaving = {stored.id for stored in moved.values() if stored.project == job.project}
        free = {to: stored for to, stored in moved.items() if to not in job.known or to in leaving}
        if len(free) == len(moved):
            return free
        moved = free


def _rename(job: SyncContext, moved: Mapping[str, WhereStored]) -> None:
    with job.history.transaction():
        for stored in moved.values():  # two runs may have swapped names
            if stored.project == job.project and stored.id in moved:
                aside = f"{stored.id} {stored.key}"
                job.history.move_run(stored.key, job.project, aside, job.agents_dir)
        for run_id, stored in moved.items():
            job.history.move_run(stored.key, job.project, run_id, job.agents_dir)
    again = job.history.stored_runs(job.project)
    for stored in moved.values():
        if stored.project == job.project:
            job.known.pop(stored.id, None)
    job.known.update({run_id: again[run_id] for run_id in moved})
    job.version = job.history.data_version()


def _has_left(
    job: SyncContext, stored: WhereStored, claims: Sequence[Claim], others: AbstractSet[str]
) -> bool:
    """Return whether a stored run was on this machine and its files are no longer at their place.

    `others`: ids of runs of this folder whose files share nothing with the run stored under their id.
    """
    if stored.agents_dir is None or is_url(stored.agents_dir):
        return False
    if stored.found_on not in job.host_names | {job.host}:
        return False
    is_here = stored.agents_dir == job.agents_dir and stored.project == job.project
    if is_here and stored.id in others:
        return True
    folder = stored.id if stored.files_folder is None else stored.files_folder
    streams = [(Path(stored.agents_dir, folder, claim.path), claim) for claim in claims]
    there = [(file, claim) for file, claim in streams if file.exists()]
    if there:
        return is_here and all(identity_of(file, claim.path) != claim.identity for file, claim in there)
    return not Path(location(stored.agents_dir, stored.id)).exists()
