"""Find the runs that are to be dated anew when all of a folder was read: a job in, ids out.

Whether file times are a copy's may only show by a run that is read later. Git is asked at most once, and only
if it may know more than the files' times.
"""

from __future__ import annotations

from ..scanning.commits import Commits, commits_of
from ..scanning.filetimes import LIVE, Neighbourhood
from ..scanning.walk import find_runs
from .job import Job


def to_date_anew(job: Job) -> set[str]:
    """Return the runs whose file times were misjudged, or that git can date."""
    wrong = {name for name in Neighbourhood(job.dated.values()).misjudged(job.dated) if name in job.seen}
    undated = job.undated - job.by_commit
    doubtful = {name for name in wrong | undated if job.dated[name].file_times != LIVE}
    if doubtful and ask_git(job).times:
        wrong |= {run.id for run in find_runs(job.root, doubtful) if ask_git(job).time_of(run) is not None}
    return wrong


def ask_git(job: Job) -> Commits:
    """Return what git knows of the folder; it is asked but once."""
    if job.commits is None:
        job.commits = commits_of(job.root)
    return job.commits
