"""Find runs below an agents folder and read them: a path in, scanned runs out. Never writes there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ..models import Problem, ScannedRun
from .describe import RUNNING, describe, is_run, read_run
from .status import SILENT_AFTER
from .times import is_copied
from .walk import RunFolder, find_run, walk_agents_folder

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Scan:
    """What one scan found."""

    root: Path
    runs: list[ScannedRun] = field(default_factory=list)  # new or changed
    unchanged: list[str] = field(default_factory=list)  # ids whose files are as stored
    failed: list[str] = field(default_factory=list)  # ids of folders that hold nothing readable
    left_out: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def found(self) -> int:
        """The number of runs that the folder holds, readable or not."""
        return len(self.runs) + len(self.unchanged) + len(self.failed)


def scan(
    root: Path, now: datetime, known: Mapping[str, str | None] | None = None, progress: Progress | None = None
) -> Scan:
    """Return the runs below `root`; those whose fingerprint is as in `known` are not opened.

    Raises AgentsFolderError where `root` is no folder that can be listed.
    """
    walk = walk_agents_folder(root)
    found = Scan(root, left_out=walk.left_out, problems=walk.problems)
    stored = known or {}
    fresh: list[RunFolder] = []
    for folder in walk.runs:
        if _as_stored(folder, stored.get(folder.id), now):
            found.unchanged.append(folder.id)
        else:
            fresh.append(folder)
    _read(found, fresh, now, progress)
    return found


def read_one(root: Path, run_id: str, now: datetime) -> ScannedRun | None:
    """Return one run below `root` without reading the others; None where it holds no such run."""
    folder = find_run(root, run_id)
    facts = read_run(folder) if folder is not None else None
    if facts is None or not is_run(facts):
        return None
    return describe(facts, copied=facts.contradicts_its_file_times, now=now)


def _as_stored(folder: RunFolder, word: str | None, now: datetime) -> bool:
    """Tell whether a run needs no reading: nothing was written, and time alone changes nothing."""
    if word is None or not word.endswith(folder.fingerprint):
        return False
    if not word.startswith(RUNNING):
        return True
    newest = max(found.stamp.mtime_ns for found in folder.files) / 1e9
    return now.timestamp() - newest <= SILENT_AFTER.total_seconds()


def _read(found: Scan, folders: list[RunFolder], now: datetime, progress: Progress | None) -> None:
    """Read the folders; a copied tree shows only when all of them are read."""
    facts = []
    for number, folder in enumerate(folders, 1):
        facts.append(read_run(folder))
        if progress is not None:
            progress(number, len(folders))
    copies = [run.window for run in facts if run.window is not None and run.contradicts_its_file_times]
    for run in facts:
        if is_run(run):
            found.runs.append(describe(run, copied=is_copied(run.window, copies), now=now))
        elif run.problems:
            found.failed.append(run.id)
            found.problems.extend(run.problems)
        else:
            found.left_out.append(Problem(run.id, "neither a state nor an agent's stream", None, "warning"))
