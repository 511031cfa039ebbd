"""Find runs below an agents folder and read them: a path in, scanned runs out. Never writes there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ...common.errors import AgentsFolderError
from ...common.models import Problem, ScannedRun
from ..files import FolderPath
from .build_run import RunFacts, build_run, read_run, shows_a_run
from .discovery import find_run, walk_agents_folder
from .file_times import LIVE, FileTimes, Neighbourhood, taken_for
from .git_commits import NO_COMMITS, Commits, commits_of
from .records import RunFolder

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Scan:
    """What one scan found."""

    root: FolderPath
    runs: list[ScannedRun] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)  # ids of folders that hold nothing readable
    left_out: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def scan(root: FolderPath, now: datetime, progress: Progress | None = None) -> Scan:
    """Return all runs below `root`, read whole.

    Raises AgentsFolderError where `root` is no folder that can be listed.
    """
    walk = walk_agents_folder(root)
    found = Scan(root)
    facts: list[RunFacts] = []
    folders = list(walk)
    for number, folder in enumerate(folders, 1):
        facts.append(read_run(folder))
        if progress is not None:
            progress(number, len(folders))
    # A copied tree shows only when all of it is read.
    around = Neighbourhood(_dated(run) for run in facts)
    commits = commits_of(root) if any(map(_asks_git, facts)) else NO_COMMITS
    none = [run for run in facts if not _sort(found, run, (around, commits), now)]
    taken = folders_of([*found.failed, *(run.workflow["id"] for run in found.runs)])
    for run in none:
        left_out = not_a_run_problem(run)
        if left_out is not None and left_out.path in taken:
            found.problems.extend(run.problems)
        elif left_out is not None and left_out not in found.left_out:
            found.left_out.append(left_out)
    found.left_out[:0] = walk.left_out
    found.problems[:0] = walk.problems
    return found


def folders_of(ids: Iterable[str]) -> set[str]:
    """Return the folders in which runs lie: what else is in them is no reason to call them left out.

    >>> sorted(folders_of(["a1", "logs/may/b2"]))
    ['logs', 'logs/may']
    """
    return {run_id[:at] for run_id in ids for at, sign in enumerate(run_id) if sign == "/"}


def _sort(found: Scan, run: RunFacts, around: tuple[Neighbourhood, Commits], now: datetime) -> bool:
    """Return whether it is a run, or may be one, and put it where it belongs."""
    if shows_a_run(run):
        found.runs.append(_described(run, around, now))
    elif run.is_broken:
        found.failed.append(run.id)
        found.problems.extend(run.problems)
    else:
        return False
    return True


def _described(
    run: RunFacts,
    around: tuple[Neighbourhood, Commits],
    now: datetime,
    known_agents: AbstractSet[str] = frozenset(),
) -> ScannedRun:
    neighbours, commits = around
    committed = commits.time_of(run.folder)
    taken = taken_for(run.evidence, run.folder, neighbours.judge(_dated(run)), committed)
    dated = FileTimes(taken, *run.folder.file_times)
    return build_run(run, dated, now=now, committed=committed, known_agents=known_agents)


def _dated(run: RunFacts) -> FileTimes:
    return FileTimes(run.evidence, *run.folder.file_times)


def _asks_git(run: RunFacts) -> bool:
    """Return whether a run's file times cannot be trusted by themselves."""
    return run.evidence != LIVE


def not_a_run_problem(run: RunFacts) -> Problem | None:
    """Return why what was read is left out; None for a loose `.json` file that is no stream of a run."""
    reason = "neither a state, an agent's stream nor a failed log"
    home, _, _ = run.id.rpartition("/")
    if not run.folder.files and [f"{run.id}.json"] == [found.shown for found in run.folder.others or ()]:
        return Problem(home, reason, None, "warning") if home else None
    if run.problems:
        reason = f"{reason}: {run.problems[0].path} {run.problems[0].reason}"
    return Problem(run.id, reason, None, "warning")


def read_one(root: FolderPath, run_id: str, now: datetime) -> ScannedRun | None:
    """Return one run below `root` without opening the others' files; None if it has no such run."""
    return Surroundings(root).read(run_id, now)


@dataclass(slots=True)
class Surroundings:
    """An agents folder of which runs are read one by one: what they share is found but once.

    A folder that lies elsewhere is listed but once as well: its runs are those of that moment.
    """

    root: FolderPath
    _folders: dict[str, RunFolder] | None = None
    _around: tuple[Neighbourhood, Commits] | None = None

    def read(
        self, run_id: str, now: datetime, known_agents: AbstractSet[str] = frozenset()
    ) -> ScannedRun | None:
        """Return one run, or None if there is no such run; `known_agents`: as in `build_run`."""
        folder = find_run(self.root, run_id) if isinstance(self.root, Path) else self._all().get(run_id)
        facts = read_run(folder) if folder is not None else None
        if facts is None or not shows_a_run(facts):
            return None
        if not _asks_git(facts):
            return _described(facts, (Neighbourhood(()), NO_COMMITS), now, known_agents)
        if self._around is None:  # how a run itself was judged makes no difference to how it is
            every = (FileTimes(None, *folder.file_times) for folder in self._all().values())
            self._around = Neighbourhood(every), commits_of(self.root)
        return _described(facts, self._around, now, known_agents)

    def _all(self) -> dict[str, RunFolder]:
        if self._folders is None:
            try:
                self._folders = {folder.id: folder for folder in walk_agents_folder(self.root)}
            except AgentsFolderError:
                self._folders = {}
        return self._folders
