"""Find the runs whose dates must be computed again after a folder was read: a sync in, run ids out.

Only runs that are read later may show that file times are those of a copy. Git is queried at most once, and
only if a commit may date a run better than its files.
"""

from __future__ import annotations

from ..ingest.runs.discovery import find_runs
from ..ingest.runs.file_times import LIVE, Neighbourhood
from ..ingest.runs.git_commits import Commits, commits_of
from .sync_state import SyncContext


def to_date_anew(job: SyncContext) -> set[str]:
    """Return ids of runs whose file times were misjudged, or which git can date."""
    wrong = {
        name
        for name in Neighbourhood(job.file_times.values()).misjudged(job.file_times)
        if name in job.seen_ids
    }
    undated = job.undated - job.by_commit
    doubtful = {name for name in wrong | undated if job.file_times[name].file_times != LIVE}
    if doubtful and ask_git(job).times:
        wrong |= {
            run.id
            for run in find_runs(job.root, doubtful, job.beside)
            if ask_git(job).time_of(run) is not None
        }
    return wrong


def ask_git(job: SyncContext) -> Commits:
    """Return the folder's git commits; git is queried once and the result cached."""
    if job.commits is None:
        job.commits = commits_of(job.root)
    return job.commits
