"""Find the runs that are to be dated anew when all of a folder was read: a job in, ids out.

Whether file times are a copy's may only show by a run that is read later. Git is asked at most once, and only
if it may know more than the files' times.
"""

from __future__ import annotations

from ..ingest.runs.discovery import find_runs
from ..ingest.runs.file_times import LIVE, Neighbourhood
from ..ingest.runs.git_commits import Commits, commits_of
from .sync_state import SyncContext


def to_date_anew(job: SyncContext) -> set[str]:
    """Return the runs whose file times were misjudged, or that git can date."""
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
    """Return what git knows of the folder; it is asked but once."""
    if job.commits is None:
        job.commits = commits_of(job.root)
    return job.commits
