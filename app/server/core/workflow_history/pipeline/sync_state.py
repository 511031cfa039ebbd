"""One sync's work order and its tally: where it reads and writes, what it has done and could not do."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from ..common.models import Problem
from ..common.redaction import redact_text, strip_quotes
from ..common.urls import join_url
from ..ingest.files import FolderPath, to_path
from ..ingest.runs import folders_of
from ..ingest.runs.file_times import FileTimes
from ..ingest.runs.git_commits import Commits
from ..ingest.runs.nested_folders import NOT_LOOKED, Beside
from ..ingest.runs.records import escape_undecodable
from ..storage.history import History
from ..storage.reading.runs import Home, StoredRunState
from .known_places import KnownRun, location
from .similarity_update import SimilarityUpdater
from .workers.executors import LOCAL_PROCESSES, ExecutorBackend

logger = logging.getLogger("workflow_history")

Progress = Callable[[str, int, int], None]
"""Called with a phase's name, how much of it is done, and how much there is as far as is known."""


class Counted(NamedTuple):
    """Runs whose costs the statistics add up."""

    project: str
    agents_dir: str
    keys: list[int] | None  # None: all runs that the folder holds now


@dataclass(slots=True)
class SyncContext:
    """One sync."""

    root: FolderPath
    project: str
    host: str
    history: History
    now: datetime
    started: float  # seconds of the monotonic clock
    progress: Progress | None
    stats: dict[str, Any]
    relations: SimilarityUpdater
    engine: ExecutorBackend = LOCAL_PROCESSES  # who reads
    beside: Beside | None = NOT_LOOKED  # folders inside of which only transcripts are read
    version: int = 0  # of the history when its runs were last looked at
    keeps_text: bool = True  # what was asked, said and typed is stored
    known: dict[str, StoredRunState] = field(default_factory=dict)  # the project's runs, as they were stored
    seen_ids: set[str] = field(default_factory=set)  # ids that the folder holds, readable or not
    unchanged_ids: set[str] = field(default_factory=set)  # of these, the ones whose files are as stored
    file_times: dict[str, FileTimes] = field(
        default_factory=dict
    )  # this folder's runs, stored or read by now
    undated: set[str] = field(
        default_factory=set
    )  # read runs that only file times date, which may be a copy's
    is_read: bool = False  # all of the folder was read once: what remains is dated anew
    commits: Commits | None = None  # what git knows of the folder; None: it was not asked
    by_commit: set[str] = field(default_factory=set)  # runs that were read with the time of their commit
    keys: dict[str, int] = field(default_factory=dict)  # of the runs that this sync stored
    # What this machine is called in stored runs: None is not known, and runs whose files here are as stored
    # tell more names. A container has another one each time.
    host_names: set[str | None] = field(default_factory=lambda: {None})
    with_pruned: bool = False  # runs that were taken out of the history on purpose may come back
    pruned: frozenset[str] = frozenset()  # their ids, else
    only: frozenset[str] | None = None  # ids: of the runs to look at, in a folder that another sync reads
    moved_away: set[str] = field(default_factory=set)  # ids of runs that other ones took the places of
    places: Mapping[str, KnownRun] = field(default_factory=dict)  # by location, runs of other agents folders
    copied: Mapping[int, str] = field(default_factory=dict)  # by key: fingerprints of copies that lie here
    unlearnt: set[int] = field(default_factory=set)  # keys of runs to be read again for their patterns
    elsewhere: dict[Home, set[str]] = field(default_factory=dict)  # ids of those that lie in this folder
    unreadable: set[str] = field(default_factory=set)  # folders that the system would not show
    other_problems: list[tuple[str | None, Problem]] = field(
        default_factory=list
    )  # what is wrong beside stored runs
    no_runs: list[tuple[Problem, tuple[Problem, ...]]] = field(
        default_factory=list
    )  # what is no run: how that is named, and what is wrong in it
    left_alone: set[str] = field(default_factory=set)  # ids of known runs that are others' or pruned
    files_walked: float = 0.0  # share of the folder that was looked through
    counted: list[Counted] = field(default_factory=list)  # whose costs the statistics add up
    ordered: int = 0  # runs to read, as far as the folder was looked through
    read: int = 0

    @property
    def agents_dir(self) -> str:
        """The agents folder as the history names it."""
        return escape_undecodable(str(self.root.absolute()))

    def known_at(self, run_id: str) -> KnownRun | None:
        """Return where the history has a run of this folder, if it is another agents folder."""
        if not self.places or run_id in self.known:
            return None
        return self.places.get(location(os.path.realpath(str(self.root)), run_id))

    def at(self, home: Home, ids: Iterable[str]) -> SyncContext:
        """Return the job of looking at some runs of another agents folder, in the same sync."""
        root = to_path(home.agents_dir)
        stats = empty_stats(root, home.project)
        same = (self.history, self.now, self.started, self.progress, stats, self.relations)
        other = SyncContext(
            root, home.project, self.host, *same, engine=self.engine, keeps_text=self.keeps_text
        )
        other.with_pruned, other.only = self.with_pruned, frozenset(ids)
        return other

    def add(self, other: SyncContext) -> None:
        """Add what was done in another agents folder; what runs cost is added up when all are stored."""
        for name, value in other.stats.items():
            if name in _ADDED:
                self.stats[name] += value
        self.stats["errors"] += [
            {**entry, "path": self._seen_from_here(other.agents_dir, entry["path"])}
            for entry in other.stats["errors"]
        ]
        self.counted += other.counted
        self.count_redactions(other.stats["secrets"])

    def _seen_from_here(self, home: str, path: str) -> str:
        """Return a path below another agents folder as one below this one; whole where it lies outside."""
        whole, here = join_url(os.path.realpath(home), path), os.path.realpath(str(self.root))
        return os.path.relpath(whole, here) if whole.startswith(f"{here.rstrip('/')}/") else whole

    @property
    def seconds(self) -> float:
        """How long the sync has taken so far."""
        return time.monotonic() - self.started

    @property
    def estimated_total(self) -> int:
        """How many runs there will be to read, if the rest of the folder is like what was looked through."""
        return (
            max(self.ordered, round(self.ordered / self.files_walked)) if self.files_walked else self.ordered
        )

    def report_progress(self, phase: str, done: int, total: int) -> None:
        """Show how far a phase is."""
        if self.progress is not None:
            self.progress(phase, done, total)

    def add_problem(self, run_id: str | None, problems: Iterable[Problem]) -> None:
        """Keep what is wrong with something that is no stored run."""
        for found in problems:
            problem = replace(found, reason=self._told(found.reason))
            self.other_problems.append((run_id, problem))
            logger.error("unreadable path=%s line=%s reason=%s", problem.path, problem.line, problem.reason)

    def name_no_runs(self) -> None:
        """Name what is no run once all of the folder is read; in a folder of runs the files alone."""
        taken = folders_of((*self.seen_ids, *self.left_alone))
        for problem, inside in self.no_runs:
            if problem.path in taken:
                self.add_problem(None, inside)
            else:
                self.add_skipped(problem)
        self.no_runs.clear()

    def add_skipped(self, problem: Problem) -> None:
        """Name what is no run; a folder once, however many files of it were read."""
        named = {"path": problem.path, "reason": problem.reason}
        if named not in self.stats["left_out_paths"]:
            self.stats["left_out"] += 1
            self.stats["left_out_paths"].append(named)

    def record_failure(self, run_id: str, reason: str, *, again: bool = False) -> Problem:
        """Count one run's trouble and log it; it stops nothing. Return it as a problem of the run."""
        reason = self._told(reason)
        if again:
            return Problem(run_id, reason)
        self.stats["failed"] += 1
        logger.error("run_failed id=%s reason=%s", run_id, reason)
        return Problem(run_id, reason)

    def count_redactions(self, found: Mapping[str, int]) -> None:
        """Count what was taken out of one run's texts."""
        for kind, count in found.items():
            self.stats["secrets"][kind] = self.stats["secrets"].get(kind, 0) + count

    def _told(self, reason: str) -> str:
        """Return what is wrong without what must not be stored or logged: it may quote a file."""
        return redact_text(reason) if self.keeps_text else strip_quotes(reason)

    def record_conflict(self, run_id: str, twin: str) -> None:
        """Count a run that must not be mixed up with another folder's."""
        reason = f"{twin} is a run of the same project and id: name a project for one of them (--project)"
        self.other_problems.append((run_id, self.record_failure(run_id, reason)))


_ADDED = (
    "scanned", "inserted", "updated", "unchanged", "changed", "failed", "unread", "gone", "newly_gone",
    "returned", "patterns", "new_problems",
)  # fmt: skip


FOUND = (
    "requests", "statuses", "copies", "repeating", "success_rate", "success_rate_of", "undated",
    "first_created_at", "last_created_at",
)  # fmt: skip
"""What the folder's runs are, changed or not; None where the sync did not come to its end."""


def empty_stats(root: FolderPath, project: str) -> dict[str, Any]:
    """Return the statistics of a sync that has not begun."""
    counts = ("scanned", "enriched", "inserted", "updated", "unchanged", "changed", "failed", "unread")
    more = ("gone", "newly_gone", "returned", "left_out", "pruned", "patterns", "partial_costs",
            "runs_without_cost", "new_problems")  # fmt: skip
    return {
        **dict.fromkeys((*counts, *more), 0),
        "duration_seconds": 0.0,
        "project": project,
        "agents_dir": escape_undecodable(str(root)),
        "folders": [escape_undecodable(str(root))],
        "total_cost": None,
        "lower_bound_cost": None,
        **dict.fromkeys(FOUND),
        "errors": [],
        "left_out_paths": [],
        "secrets": {},
    }


def has_news(stats: Mapping[str, Any]) -> bool:
    """Return whether a sync found anything that the history did not know."""
    return any(stats.get(name) for name in ("inserted", "changed", "newly_gone", "returned", "new_problems"))


def together(every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the statistics of several folders' syncs as one; paths then start with their folder's."""
    first, *others = every
    if not others:
        return dict(first)
    whole = dict(first)
    for key in first:
        values = [stats[key] for stats in every]
        if key == "project":
            whole[key] = ", ".join(dict.fromkeys(values))
        elif isinstance(first[key], int | float) and key not in ("total_cost", "lower_bound_cost"):
            whole[key] = sum(values)
        elif key == "secrets":
            whole[key] = dict(sum(map(Counter, values), Counter[str]()))
        elif key == "folders":
            whole[key] = [folder for folders in values for folder in folders]
        elif key in ("errors", "left_out_paths"):
            whole[key] = [
                {**entry, "path": join_url(stats["agents_dir"], entry["path"])}
                for stats in every
                for entry in stats[key]
            ]
    return whole


def to_error(run_id: str | None, problem: Problem) -> dict[str, Any]:
    """Return a problem as the statistics name it."""
    return {"id": run_id, **problem.as_dict()}
