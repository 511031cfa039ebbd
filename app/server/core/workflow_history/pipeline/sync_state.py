"""State of one sync: its inputs, progress, statistics and problems."""

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
from ..ingest.runs.file_times import FileTimes
from ..ingest.runs.folder_walk import FolderScan
from ..ingest.runs.git_commits import Commits
from ..ingest.runs.nested_folders import NOT_SEARCHED, TranscriptFolders
from ..ingest.runs.records import RunFolder, escape_undecodable
from ..ingest.sources.scan import folders_of
from ..storage.history import History
from ..storage.reading.runs import AgentsDirectory, StoredRunState
from .known_places import KnownRun, place_of
from .similarity_update import SimilarityUpdater
from .workers.executors import LOCAL_PROCESSES, ExecutorBackend

logger = logging.getLogger("workflow_history")

Progress = Callable[[str, int, int], None]
"""Callback for progress: name of the sync stage, units done, estimated total of units."""


class CountedRuns(NamedTuple):
    """Runs whose costs are summed in the statistics of a sync."""

    project: str
    agents_dir: str
    keys: list[int] | None  # database keys; None: all runs present in the folder


@dataclass(slots=True)
class SyncContext:
    """State of one sync of one agents folder."""

    root: FolderPath
    project: str
    host: str
    history: History
    now: datetime
    started: float  # monotonic clock, in seconds
    progress: Progress | None
    stats: dict[str, Any]
    similarity: SimilarityUpdater
    engine: ExecutorBackend = LOCAL_PROCESSES  # executor backend that reads the runs
    transcript_set: TranscriptFolders | None = NOT_SEARCHED  # folders of which only transcripts are read
    store: FolderScan | None = None  # the sessions, if the folder is an agent program's store
    projects: Sequence[str] = ()  # projects of the runs in the folder
    is_project_named: bool = False  # whether the caller names the project of all runs
    version: int = 0  # data version of the history when its runs were last read
    keeps_text: bool = True  # whether requests, messages and commands are stored
    known: dict[str, StoredRunState] = field(default_factory=dict)  # stored runs of the project, by id
    seen_ids: set[str] = field(default_factory=set)  # ids of runs in the folder, readable or not
    unchanged_ids: set[str] = field(default_factory=set)  # ids of runs whose files did not change
    file_times: dict[str, FileTimes] = field(default_factory=dict)  # by id, of stored and read runs
    undated: set[str] = field(
        default_factory=set
    )  # ids of read runs dated only by file times, maybe a copy's
    is_read: bool = False  # whether the whole folder was read once; later reads only correct dates
    commits: Commits | None = None  # git commits of the folder; None: git was not queried yet
    ids_dated_by_commit: set[str] = field(default_factory=set)  # ids of runs that were dated by their commit
    keys: dict[str, int] = field(default_factory=dict)  # keys of the runs that this sync stored, by id
    # Names of this machine in stored runs; None: no name was stored. Runs whose files here are unchanged add
    # more names, since a container has a different name each time.
    host_names: set[str | None] = field(default_factory=lambda: {None})
    with_pruned: bool = False  # whether runs that were pruned may be stored again
    pruned: frozenset[str] = frozenset()  # ids of pruned runs, which are skipped
    only_ids: frozenset[str] | None = None  # ids of runs to look at, in the sync of another folder; None: all
    former_ids: set[str] = field(default_factory=set)  # former ids of runs that this sync renamed
    known_places: Mapping[str, KnownRun] = field(
        default_factory=dict
    )  # runs of other agents folders, by location
    copy_fingerprints: Mapping[int, str] = field(
        default_factory=dict
    )  # fingerprints of copies in this folder, by key
    keys_to_reread: set[int] = field(default_factory=set)  # keys of runs to read again for their patterns
    runs_of_other_directories: dict[AgentsDirectory, set[str]] = field(
        default_factory=dict
    )  # ids of runs here that belong to other directories
    unreadable: set[str] = field(default_factory=set)  # folders that could not be listed
    other_problems: list[tuple[str | None, Problem]] = field(
        default_factory=list
    )  # problems without a stored run: run id or None, problem
    non_runs: list[tuple[Problem, tuple[Problem, ...]]] = field(
        default_factory=list
    )  # files and folders that are not runs: the problem that names each, and the problems inside
    ignored_ids: set[str] = field(
        default_factory=set
    )  # ids of runs that are pruned or belong to other directories
    files_walked: float = 0.0  # share of the folder that was scanned, 0 to 1
    counted: list[CountedRuns] = field(default_factory=list)  # runs whose costs are summed in the statistics
    ordered: int = 0  # number of runs to read found so far
    read: int = 0  # number of runs read so far

    @property
    def agents_dir(self) -> str:
        """The agents folder as named in the history."""
        return escape_undecodable(str(self.root.absolute()))

    def known_place_of(self, folder: RunFolder) -> KnownRun | None:
        """Return the stored place of a run that is stored under another agents folder, or None."""
        known = self.known.get(folder.id)
        if not self.known_places or (known is not None and known.agents_dir == self.agents_dir):
            return None
        root = os.path.realpath(str(self.root))
        return self.known_places.get(place_of(root, folder.id, folder.files_folder))

    def find_projects(self) -> list[str]:
        """Return the projects of the runs in the folder: one, or in a store those of its sessions."""
        if self.store is None:
            return [self.project]
        listed = (run.project for run in self.store)
        directories = self.history.agents_directories()
        stored = (each.project for each in directories if each.agents_dir == self.agents_dir)
        return sorted({*filter(None, listed), *stored, self.project})

    def project_of(self, folder: RunFolder) -> str:
        """Return the project under which a run is stored; a session keeps its first one."""
        known = self.known.get(folder.id)
        if known is not None and (known.agents_dir == self.agents_dir or folder.project is None):
            return known.project
        return self.project if self.is_project_named else folder.project or self.project

    def load_known(self) -> dict[str, StoredRunState]:
        """Return the stored runs of the folder's projects by id; one stored from this folder has priority."""
        known: dict[str, StoredRunState] = {}
        for project in self.projects:
            for run_id, run in self.history.stored_runs(project).items():
                if run_id not in known or run.agents_dir == self.agents_dir:
                    known[run_id] = run
        return known

    def load_pruned(self) -> frozenset[str]:
        """Return the ids of pruned runs, which are skipped unless they are to be stored again."""
        if self.with_pruned:
            return frozenset()
        return frozenset().union(*map(self.history.pruned_ids, self.projects))

    def for_directory(self, directory: AgentsDirectory, ids: Iterable[str]) -> SyncContext:
        """Build the state for syncing some runs of another agents folder in the same sync."""
        root = to_path(directory.agents_dir)
        stats = empty_stats(root, directory.project)
        shared = (self.history, self.now, self.started, self.progress, stats, self.similarity)
        other = SyncContext(
            root, directory.project, self.host, *shared, engine=self.engine, keeps_text=self.keeps_text
        )
        other.with_pruned, other.only_ids = self.with_pruned, frozenset(ids)
        return other

    def add(self, other: SyncContext) -> None:
        """Add the counts and errors of another agents folder; costs are summed once all runs are stored."""
        for name, value in other.stats.items():
            if name in _SUMMED:
                self.stats[name] += value
        self.stats["errors"] += [
            {**entry, "path": self._relative_path(other.agents_dir, entry["path"])}
            for entry in other.stats["errors"]
        ]
        self.counted += other.counted
        self.count_redactions(other.stats["secrets"])

    def _relative_path(self, agents_dir: str, path: str) -> str:
        """Return a path of another agents folder relative to this one, or absolute if it is outside."""
        full_path, root_path = join_url(os.path.realpath(agents_dir), path), os.path.realpath(str(self.root))
        return (
            os.path.relpath(full_path, root_path)
            if full_path.startswith(f"{root_path.rstrip('/')}/")
            else full_path
        )

    @property
    def seconds(self) -> float:
        """Seconds since the sync began."""
        return time.monotonic() - self.started

    @property
    def estimated_total(self) -> int:
        """Estimated number of runs to read, extrapolated from the scanned part of the folder."""
        return (
            max(self.ordered, round(self.ordered / self.files_walked)) if self.files_walked else self.ordered
        )

    def report_progress(self, stage: str, done: int, total: int) -> None:
        """Report the progress of a sync stage to the callback, if there is one."""
        if self.progress is not None:
            self.progress(stage, done, total)

    def add_problem(self, run_id: str | None, problems: Iterable[Problem]) -> None:
        """Record and log problems that belong to no stored run."""
        for problem_found in problems:
            problem = replace(problem_found, reason=self._redact(problem_found.reason))
            self.other_problems.append((run_id, problem))
            logger.error("read_error path=%s line=%s reason=%s", problem.path, problem.line, problem.reason)

    def record_skipped_paths(self) -> None:
        """Record skipped paths once the whole folder is read; in a folder of runs only broken files."""
        run_folders = folders_of((*self.seen_ids, *self.ignored_ids))
        for problem, inner_problems in self.non_runs:
            if problem.path in run_folders:
                self.add_problem(None, inner_problems)
            else:
                self.add_skipped(problem)
        self.non_runs.clear()

    def add_skipped(self, problem: Problem) -> None:
        """Record a path that is not a run; a folder is recorded once, however many of its files were read."""
        entry = {"path": problem.path, "reason": problem.reason}
        if entry not in self.stats["skipped_paths"]:
            self.stats["skipped"] += 1
            self.stats["skipped_paths"].append(entry)

    def record_failure(self, run_id: str, reason: str, *, again: bool = False) -> Problem:
        """Count and log a failure of one run and return it as a problem; `again`: it was counted before."""
        reason = self._redact(reason)
        if again:
            return Problem(run_id, reason)
        self.stats["failed"] += 1
        logger.error("run_failed id=%s reason=%s", run_id, reason)
        return Problem(run_id, reason)

    def count_redactions(self, counts: Mapping[str, int]) -> None:
        """Add the number of redactions in one run's texts, by kind."""
        for kind, count in counts.items():
            self.stats["secrets"][kind] = self.stats["secrets"].get(kind, 0) + count

    def _redact(self, reason: str) -> str:
        """Remove secrets from a reason, or all quoted text if no text is stored: it may quote a file."""
        return redact_text(reason) if self.keeps_text else strip_quotes(reason)

    def record_conflict(self, run_id: str, twin: str) -> None:
        """Count a run that has the project and id of a different run in another folder as failed."""
        reason = f"{twin} is a run of the same project and id: name a project for one of them (--project)"
        self.other_problems.append((run_id, self.record_failure(run_id, reason)))


_SUMMED = (
    "scanned", "inserted", "updated", "unchanged", "changed", "failed", "unread", "missing", "newly_missing",
    "returned", "patterns", "new_problems",
)  # fmt: skip


FOLDER_STATISTICS = (
    "requests", "statuses", "copies", "repeating", "success_rate", "success_rate_of", "undated",
    "first_created_at", "last_created_at",
)  # fmt: skip
"""Statistics of all runs in the folder, changed or not; None if the sync did not finish."""


def empty_stats(root: FolderPath, project: str) -> dict[str, Any]:
    """Return the initial statistics of a sync."""
    counts = ("scanned", "enriched", "inserted", "updated", "unchanged", "changed", "failed", "unread")
    more_counts = ("missing", "newly_missing", "returned", "skipped", "pruned", "patterns", "partial_costs",
            "runs_without_cost", "new_problems")  # fmt: skip
    return {
        **dict.fromkeys((*counts, *more_counts), 0),
        "duration_seconds": 0.0,
        "project": project,
        "agents_dir": escape_undecodable(str(root)),
        "folders": [escape_undecodable(str(root))],
        "total_cost": None,
        "lower_bound_cost": None,
        **dict.fromkeys(FOLDER_STATISTICS),
        "errors": [],
        "skipped_paths": [],
        "secrets": {},
    }


def has_news(stats: Mapping[str, Any]) -> bool:
    """Return whether a sync changed the history or found new problems."""
    return any(
        stats.get(name) for name in ("inserted", "changed", "newly_missing", "returned", "new_problems")
    )


def merge_stats(all_stats: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge the statistics of syncs of several folders; paths then start with the path of their folder."""
    first, *others = all_stats
    if not others:
        return dict(first)
    merged = dict(first)
    for key in first:
        values = [stats[key] for stats in all_stats]
        if key == "project":
            merged[key] = ", ".join(dict.fromkeys(values))
        elif isinstance(first[key], int | float) and key not in ("total_cost", "lower_bound_cost"):
            merged[key] = sum(values)
        elif key == "secrets":
            merged[key] = dict(sum(map(Counter, values), Counter[str]()))
        elif key == "folders":
            merged[key] = [folder for folders in values for folder in folders]
        elif key in ("errors", "skipped_paths"):
            merged[key] = [
                {**entry, "path": join_url(stats["agents_dir"], entry["path"])}
                for stats in all_stats
                for entry in stats[key]
            ]
    return merged


def to_error(run_id: str | None, problem: Problem) -> dict[str, Any]:
    """Return a problem as an entry of `errors` in the statistics."""
    return {"id": run_id, **problem.as_dict()}
