"""Find runs below an agents folder by their files' names and stamps alone. Opens no file, follows no link."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..errors import AgentsFolderError
from ..models import FileStamp, Problem

STATE_FILE = "adw_state.json"
SUMMARY_FILES = ("workflow_summary.json", "custom_summary_output.json")
LOG_FILES = ("execution.log", "error.log")
NOT_RUNS = frozenset({"security_logs", "context_bundles"})
PRUNED = frozenset({".git", "node_modules", "__pycache__", ".venv"})
MAX_DEPTH = 6  # folders below a run: an agent's own checkout is not its record

READER_VERSION = 1
"""Raised when the same files would be read differently: every run is then read anew."""

_ID_LIKE = re.compile(r"\d{4,}|[0-9a-f]{8}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file that tells something about a run."""

    path: str  # relative to the run's folder, POSIX separators
    file: Path
    stamp: FileStamp


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One candidate for a run: its id and its telling files."""

    id: str
    folder: Path
    files: tuple[FoundFile, ...]

    @property
    def fingerprint(self) -> str:
        """One word for the state of the run's files; the same word: nothing was written."""
        stamps = (found.stamp for found in self.files)
        text = "\n".join(f"{s.path}\t{s.size}\t{s.mtime_ns}\t{s.inode}\t{s.mode}" for s in stamps)
        digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
        return f"{READER_VERSION}-{digest}"

    def named(self, *names: str) -> Iterator[FoundFile]:
        """Yield the files with one of these names, in any folder of the run."""
        return (found for found in self.files if PurePosixPath(found.path).name in names)

    @property
    def streams(self) -> Iterator[FoundFile]:
        """The files that may be streams."""
        return (found for found in self.files if found.path.endswith(".jsonl"))

    @property
    def state(self) -> FoundFile | None:
        """The state file, where there is one."""
        return next((found for found in self.files if found.path == STATE_FILE), None)


@dataclass(slots=True)
class Walk:
    """What one walk saw."""

    root: Path
    runs: list[RunFolder] = field(default_factory=list)
    left_out: list[Problem] = field(default_factory=list)  # no runs, and why
    problems: list[Problem] = field(default_factory=list)

    def trouble(self, path: Path | str, error: OSError) -> None:
        """Note a folder or file that the system would not show."""
        self.problems.append(Problem(self.relative(path), f"cannot be read: {error.strerror or error}"))

    def skip(self, path: Path | str, reason: str) -> None:
        """Note what is left out, and why."""
        self.left_out.append(Problem(self.relative(path), reason, severity="warning"))

    def relative(self, path: Path | str) -> str:
        """Return a path as records carry it: relative, POSIX separators, storable as text."""
        return storable(Path(path).relative_to(self.root).as_posix())


def storable(text: str) -> str:
    r"""Return text that any database holds: bytes of a name that are no UTF-8 are written as \xNN.

    >>> storable("caf" + chr(0xDCE9))
    'caf\\xe9'
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def walk_agents_folder(root: Path) -> Walk:
    """Return the candidates for runs below `root`, by id.

    Raises AgentsFolderError where `root` is no folder that can be listed.
    """
    walk = Walk(root)
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError as error:
        raise AgentsFolderError(
            f"{root} is not a folder that can be read ({error.strerror}): name your agents folder, "
            "the one that holds a folder per run"
        ) from error
    for entry in entries:
        _take(walk, entry)
    walk.runs.sort(key=lambda run: run.id)
    return walk


def find_run(root: Path, run_id: str) -> RunFolder | None:
    """Return one run's files without walking the others; None where `root` holds no such run."""
    name = run_id.split("/", maxsplit=1)[0]
    walk = Walk(root)
    try:
        with os.scandir(root) as entries:
            wanted = [e for e in entries if storable(e.name) in (name, f"{name}.jsonl")]
    except OSError:
        return None
    for entry in wanted:
        _take(walk, entry)
    return next((run for run in walk.runs if run.id == run_id), None)


def _take(walk: Walk, entry: os.DirEntry[str]) -> None:
    """Sort one entry of the agents folder: a run, a group of runs, a loose stream, or none of these."""
    if entry.is_symlink():
        walk.skip(entry.path, "a symbolic link: links are not followed")
    elif entry.is_dir(follow_symlinks=False):
        if entry.name.startswith(("_", ".")) or entry.name in NOT_RUNS:
            walk.skip(entry.path, "no run by its name")
        else:
            _take_folder(walk, Path(entry.path))
    elif entry.name.endswith(".jsonl"):
        found = _found(walk, entry, walk.root)
        if found is not None:
            walk.runs.append(RunFolder(storable(Path(entry.name).stem), walk.root, (found,)))


def _take_folder(walk: Walk, folder: Path) -> None:
    files = tuple(sorted(_files(walk, folder, folder, 0), key=lambda found: found.path))
    name = walk.relative(folder)
    telling = [found for found in files if found.path == STATE_FILE or found.path.endswith(".jsonl")]
    if any(found.path == STATE_FILE for found in files):
        walk.runs.append(RunFolder(name, folder, files))
    elif inner := _groups(files):
        for child, own in inner.items():
            walk.runs.append(_regrouped(name, folder, child, own))
    elif _one_run_each(telling):
        for found in telling:
            walk.runs.append(RunFolder(f"{name}/{storable(found.file.stem)}", folder, (found,)))
    elif any(PurePosixPath(found.path).name in (STATE_FILE, *SUMMARY_FILES) for found in files) or telling:
        walk.runs.append(RunFolder(name, folder, files))
    else:
        walk.skip(folder, "neither a state file nor a stream")


def _groups(files: Iterable[FoundFile]) -> dict[str, list[FoundFile]]:
    """Return the files of each child folder that has a state file of its own: a folder of runs."""
    children: dict[str, list[FoundFile]] = {}
    for found in files:
        child, _, rest = found.path.partition("/")
        if rest:
            children.setdefault(child, []).append(found)
    return {
        child: own
        for child, own in children.items()
        if any(found.path == f"{child}/{STATE_FILE}" for found in own)
    }


def _regrouped(name: str, folder: Path, child: str, own: Iterable[FoundFile]) -> RunFolder:
    files = tuple(FoundFile(found.path.partition("/")[2], found.file, found.stamp) for found in own)
    return RunFolder(f"{name}/{child}", folder / child, files)


def _one_run_each(streams: list[FoundFile]) -> bool:
    """Several streams loose in one folder, each named by an id or a stamp, are runs of their own."""
    return len(streams) > 1 and all(
        "/" not in found.path and _ID_LIKE.search(found.file.stem) for found in streams
    )


def _files(walk: Walk, base: Path, folder: Path, depth: int) -> Iterator[FoundFile]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        walk.trouble(folder, error)
        return
    for entry in entries:
        if entry.is_symlink():
            if _telling(entry.name, folder.name):
                walk.skip(entry.path, "a symbolic link: links are not followed")
        elif entry.is_dir(follow_symlinks=False):
            if depth < MAX_DEPTH and entry.name not in PRUNED:
                yield from _files(walk, base, Path(entry.path), depth + 1)
        elif _telling(entry.name, folder.name):
            found = _found(walk, entry, base)
            if found is not None:
                yield found


def _telling(name: str, folder: str) -> bool:
    """Tell whether a file of this name says something about its run."""
    if name == STATE_FILE or name in SUMMARY_FILES or name in LOG_FILES or name.endswith(".jsonl"):
        return True
    return folder == "prompts" and name.endswith((".txt", ".md"))


def _found(walk: Walk, entry: os.DirEntry[str], base: Path) -> FoundFile | None:
    try:
        seen = entry.stat(follow_symlinks=False)
    except OSError as error:
        walk.trouble(entry.path, error)
        return None
    if not stat.S_ISREG(seen.st_mode):
        walk.skip(entry.path, "no regular file")
        return None
    inside = storable(Path(entry.path).relative_to(base).as_posix())
    stamp = FileStamp(walk.relative(entry.path), seen.st_size, seen.st_mtime_ns, seen.st_ino, seen.st_mode)
    return FoundFile(inside, Path(entry.path), stamp)
