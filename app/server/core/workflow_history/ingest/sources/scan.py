"""Find the runs in an agents directory and read them. Never writes there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ...common.errors import AgentsFolderError
from ...common.models import Problem, ScannedRun, Severity
from ..files import FolderPath
from ..runs.build_run import RunFacts, build_run, read_run, shows_a_run
from ..runs.file_times import LIVE, FileTimeJudge, FileTimes, judge_file_times
from ..runs.git_commits import NO_COMMITS, Commits, commits_of
from ..runs.records import RunFolder
from .discovery import find_run, walk_agents_folder

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Scan:
    """Result of one scan of an agents directory."""

    root: FolderPath
    runs: list[ScannedRun] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)  # ids of directories without any readable run data
    skipped: list[Problem] = field(default_factory=list)  # skipped directories and files, with reasons
    problems: list[Problem] = field(default_factory=list)


def scan(root: FolderPath, now: datetime, progress: Progress | None = None) -> Scan:
    """Read all runs below `root` completely.

    Raises AgentsFolderError if `root` is not a directory that can be listed.
    """
    walk = walk_agents_folder(root)
    result = Scan(root)
    facts: list[RunFacts] = []
    folders = list(walk)
    for number, folder in enumerate(folders, 1):
        facts.append(read_run(folder))
        if progress is not None:
            progress(number, len(folders))
    # A copied tree is only recognized when all of it is read.
    neighbours = FileTimeJudge(_own_file_times(run) for run in facts)
    commits = commits_of(root) if any(map(_needs_git, facts)) else NO_COMMITS
    non_runs = [run for run in facts if not _add_run(result, run, (neighbours, commits), now)]
    run_folders = folders_of([*result.failed, *(run.workflow["id"] for run in result.runs)])
    for run in non_runs:
        skipped = not_a_run_problem(run)
        if skipped is not None and skipped.path in run_folders:
            result.problems.extend(run.problems)
        elif skipped is not None and skipped not in result.skipped:
            result.skipped.append(skipped)
    result.skipped[:0] = walk.skipped
    result.problems[:0] = walk.problems
    return result


def folders_of(ids: Iterable[str]) -> set[str]:
    """Return the directories that contain runs, which are not reported as skipped for their other contents.

    >>> sorted(folders_of(["a1", "logs/may/b2"]))
    ['logs', 'logs/may']
    """
    return {run_id[:index] for run_id in ids for index, char in enumerate(run_id) if char == "/"}


def _add_run(result: Scan, run: RunFacts, dating: tuple[FileTimeJudge, Commits], now: datetime) -> bool:
    """Add a run to the scan's runs or failed ids; return False if it is not a run."""
    if shows_a_run(run):
        result.runs.append(_build_scanned_run(run, dating, now))
    elif run.is_broken:
        result.failed.append(run.id)
        result.problems.extend(run.problems)
    else:
        return False
    return True


def _build_scanned_run(
    run: RunFacts,
    dating: tuple[FileTimeJudge, Commits],
    now: datetime,
    known_agents: AbstractSet[str] = frozenset(),
) -> ScannedRun:
    neighbours, commits = dating
    committed = commits.time_of(run.folder)
    verdict = judge_file_times(run.evidence, run.folder, neighbours.judge(_own_file_times(run)), committed)
    file_times = FileTimes(verdict, *run.folder.file_times)
    return build_run(run, file_times, now=now, committed=committed, known_agents=known_agents)


def _own_file_times(run: RunFacts) -> FileTimes:
    return FileTimes(run.evidence, *run.folder.file_times)


def _needs_git(run: RunFacts) -> bool:
    """Return whether git is needed because a run's own files don't prove their times."""
    return run.evidence != LIVE


def not_a_run_problem(run: RunFacts) -> Problem | None:
    """Return why a folder is skipped; None for a loose `.json` file in the root that is not a stream."""
    reason = "neither a state, an agent's transcript nor a failed log"
    parent, _, _ = run.id.rpartition("/")
    if not run.folder.files and [f"{run.id}.json"] == [file.shown for file in run.folder.others or ()]:
        return Problem(parent, reason, None, Severity.WARNING) if parent else None
    if run.problems:
        reason = f"{reason}: {run.problems[0].path} {run.problems[0].reason}"
    return Problem(run.id, reason, None, Severity.WARNING)


def read_one(root: FolderPath, run_id: str, now: datetime) -> ScannedRun | None:
    """Read one run below `root` without opening other runs' files; None if there is no such run."""
    return Surroundings(root).read(run_id, now)


@dataclass(slots=True)
class Surroundings:
    """Reader of single runs of an agents directory; data that they share is computed only once.

    A remote directory is also listed only once, so its runs are those at the time of the listing.
    """

    root: FolderPath
    _folders: dict[str, RunFolder] | None = None
    _dating: tuple[FileTimeJudge, Commits] | None = None

    def read(
        self, run_id: str, now: datetime, known_agents: AbstractSet[str] = frozenset()
    ) -> ScannedRun | None:
        """Read one run; None if there is no such run. `known_agents`: see `build_run`."""
        folder = (
            find_run(self.root, run_id) if isinstance(self.root, Path) else self._run_folders().get(run_id)
        )
        facts = read_run(folder) if folder is not None else None
        if facts is None or not shows_a_run(facts):
            return None
        if not _needs_git(facts):
            return _build_scanned_run(facts, (FileTimeJudge(()), NO_COMMITS), now, known_agents)
        if self._dating is None:  # without evidence: a run's own doesn't matter here, others aren't read
            all_times = (FileTimes(None, *folder.file_times) for folder in self._run_folders().values())
            self._dating = FileTimeJudge(all_times), commits_of(self.root)
        return _build_scanned_run(facts, self._dating, now, known_agents)

    def _run_folders(self) -> dict[str, RunFolder]:
        if self._folders is None:
            try:
                self._folders = {folder.id: folder for folder in walk_agents_folder(self.root)}
            except AgentsFolderError:
                self._folders = {}
        return self._folders
