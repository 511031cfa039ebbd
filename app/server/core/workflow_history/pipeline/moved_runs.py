"""Follow runs that were moved or renamed: they stay the same runs, and their history goes on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..common.urls import is_url
from ..costs.accounting.deduplication import Unit
from ..costs.accounting.message_claims import Claim, units_of
from ..ingest.runs.discovery import find_runs
from ..ingest.runs.grouping import AGENTS_FOLDER
from ..storage.reading.runs import WhereStored
from .known_places import KnownRun, location, moved_from, runs_known_elsewhere
from .sync_state import SyncContext
from .tasks import ReadResult


def find_home(job: SyncContext, *, named: str | None) -> None:
    """Find out under which project the runs of the folder are stored, and whether it was moved here.

    `named` is the project that the caller named: known runs of the folder are brought to it. A moved folder
    keeps its project.
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
    """Give known runs that lie in the folder the job's project and their name in this folder.

    A name that a run of the project has already stays that run's. Runs in agents folders inside the folder
    stay theirs: it is read for the transcripts beside them alone.
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
    """Return the new runs that are known by another name whose files are gone, renamed in the history.

    They are to be read again, now that it is known what the history has of them.
    """
    new = [run for run in batch if run.claims and run.id not in job.known and run.id not in job.keys]
    units = {run.id: units_of(run.claims) for run in new}
    every: set[Unit] = set().union(*units.values())
    if not every:
        return set()
    moved: dict[str, WhereStored] = {}
    there = job.history.runs_with(every)
    claims = job.history.claims([stored.key for stored in there]) if there else {}
    known = [stored for stored in there if _is_gone(job, stored, claims.get(stored.key, ()))]
    theirs = {stored.key: units_of(claims.get(stored.key, ())) for stored in known}
    for run in new:
        for stored in known:
            # All that the gone run had is in the new one: a fork of it that goes on has another session.
            whole = theirs[stored.key] and theirs[stored.key] <= units[run.id]
            if whole and stored not in moved.values() and _same_sessions(claims[stored.key], run):
                moved[run.id] = stored
                break
    for run_id, stored in moved.items():
        job.history.move_run(stored.key, job.project, run_id, job.agents_dir)
        if stored.project == job.project:
            job.known.pop(stored.id, None)
    if moved:
        again = job.history.stored_runs(job.project)
        job.known.update({run_id: again[run_id] for run_id in moved})
        job.version = job.history.data_version()
    return set(moved)


def _same_sessions(stored: Sequence[object], run: ReadResult) -> bool:
    there = {getattr(claim, "session", None) for claim in stored}
    return there <= {claim.session for claim in run.claims}


def _is_gone(job: SyncContext, stored: WhereStored, claims: Sequence[Claim]) -> bool:
    """Return whether a stored run was on this machine, and its files are there no more."""
    if stored.agents_dir is None or is_url(stored.agents_dir):
        return False
    if stored.found_on not in job.host_names | {job.host}:
        return False
    folder = stored.id if stored.files_folder is None else stored.files_folder
    streams = (Path(stored.agents_dir, folder, claim.path) for claim in claims)
    return not Path(location(stored.agents_dir, stored.id)).exists() and not any(
        stream.exists() for stream in streams
    )
