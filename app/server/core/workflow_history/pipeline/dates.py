"""Find the runs whose dates must be computed again after a folder was read: a sync in, run ids out.

Only runs that are read later may show that file times are those of a copy. Git is queried at most once, and
only if a commit may date a run better than its files.
"""

from __future__ import annotations

from ..ingest.runs.file_times import LIVE, FileTimeJudge
from ..ingest.runs.git_commits import Commits, commits_of
from ..ingest.sources.discovery import find_runs
from .sync_state import SyncContext


def runs_to_redate(job: SyncContext) -> set[str]:
    """Return ids of runs whose file times were misjudged, or which git can date."""
    misjudged_ids = {
        run_id
        for run_id in FileTimeJudge(job.file_times.values()).misjudged(job.file_times)
        if run_id in job.seen_ids
    }
    undated_ids = job.undated - job.ids_dated_by_commit
    doubtful_ids = {
        run_id for run_id in misjudged_ids | undated_ids if job.file_times[run_id].file_times != LIVE
    }
    if doubtful_ids and load_commits(job).times:
        misjudged_ids |= {
            run.id
            for run in find_runs(job.root, doubtful_ids, job.transcript_set)
            if load_commits(job).time_of(run) is not None
        }
    return misjudged_ids


def load_commits(job: SyncContext) -> Commits:
    """Return the folder's git commits; git is queried once and the result cached."""
    if job.commits is None:
        job.commits = commits_of(job.root)
    return job.commits
