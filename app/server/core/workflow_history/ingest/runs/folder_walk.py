"""Walk over a directory that contains runs: list its files, and record skipped and unreadable entries."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...common.errors import StorageUnreachableError
from ...common.models import Problem, Severity
from ..files import DirLister, FileEntry, FolderPath, open_file, unpacked_name
from ..streams.block_reader import BlockReader
from .nested_folders import PRUNED
from .records import RUN_FILE_NAMES, STREAM_SUFFIXES, RunFolder, ScannedFile, escape_undecodable

MAX_DEPTH = 6  # levels below a run's directory: deeper files belong to an agent's checkout, not to the run

_HEAD_BYTES = 65_536  # bytes read from a loose file to find its session or its kind
_SESSION_FIELD = re.compile(rb'"session(?:Id|_id|ID)"\s*:\s*"([0-9A-Za-z_-]{1,200})"')


Group = Sequence[Any]
"""Entries that belong together: `FileEntry` objects, or the runs of a store."""

FindRuns = Callable[["FolderScan", Group], Iterator[RunFolder]]
"""Function that yields the runs of a group, and records skipped entries in the walk."""


@dataclass(slots=True)
class FolderScan:
    """One walk over an agents directory, which yields candidates for runs and records skipped entries."""

    root: FolderPath
    listing: DirLister  # lists any directory below `root`
    find_runs: FindRuns  # finds the runs in a group
    groups: Sequence[Group] = ()
    skipped: list[Problem] = field(default_factory=list)  # skipped entries, with reasons
    problems: list[Problem] = field(default_factory=list)

    def __iter__(self) -> Iterator[RunFolder]:
        """Yield the candidates for runs, directory by directory, sorted by name."""
        for group in self.groups:
            yield from self.iter_runs(group)

    def iter_runs(self, group: Group) -> Iterator[RunFolder]:
        """Yield the candidates for runs in a group of entries that belong together."""
        return self.find_runs(self, group)

    def add_problem(self, shown: str, error: OSError) -> None:
        """Record a directory or file that cannot be read."""
        self.problems.append(Problem(shown, f"cannot be read: {error.strerror or error}", refused=True))

    def add_skipped(self, shown: str, reason: str) -> None:
        """Record a skipped entry and the reason."""
        self.skipped.append(Problem(shown, reason, severity=Severity.WARNING))


def read_start(path: str) -> bytes:
    """Return the first bytes of a file, at most `_HEAD_BYTES` of them are read; raise OSError."""
    handle, status = open_file(path)
    with handle:
        return next(BlockReader(handle, min(status.st_size, _HEAD_BYTES)).pieces(), b"")


def sort_without_copies(entries: Iterable[FileEntry]) -> list[FileEntry]:
    """Return entries sorted by name, without a `.json` or packed file that repeats its `.jsonl` file."""
    by_name = {entry.name: entry for entry in entries}
    return [
        by_name[name]
        for name in sorted(by_name)
        if not (name.endswith(".json") and f"{name}l" in by_name)
        and (unpacked_name(name) == name or unpacked_name(name) not in by_name)
    ]


def session_of_file(file: ScannedFile) -> str | None:
    """Return the session id in the first lines of a listed transcript, or None."""
    return read_session_id(file.file)


def read_session_id(file: str) -> str | None:
    """Return the session id in the first lines of a subagent's transcript, or None."""
    try:
        handle, _ = open_file(file)
        with handle:
            match = _SESSION_FIELD.search(handle.read(_HEAD_BYTES))
    except (OSError, StorageUnreachableError):
        return None  # reading it whole reports the reason
    return match.group(1).decode() if match else None


def collect_files(
    walk: FolderScan,
    folder: str,
    shown: str,
    prefix: str,
    files: list[ScannedFile],
    *,
    is_included: Callable[[FileEntry], bool] = lambda _entry: True,
) -> None:
    """Add the data files of a directory to the list, recursively.

    `prefix` is the directory's path in the run, with a final slash. `is_included` selects entries.
    """
    try:
        with walk.listing(folder) as listing:
            entries = [entry for entry in sort_without_copies(listing) if is_included(entry)]
    except OSError as error:
        walk.add_problem(shown, error)
        return
    has_prompts = prefix == "prompts/" or prefix.endswith("/prompts/")
    for entry in entries:
        name = entry.name
        display_name = name if name.isascii() else escape_undecodable(name)
        if entry.is_dir(follow_symlinks=False):
            if prefix.count("/") < MAX_DEPTH and name not in PRUNED:
                known = len(files)
                collect_files(walk, entry.path, f"{shown}/{display_name}", f"{prefix}{display_name}/", files)
                if name.endswith(".jsonl") and len(files) == known:
                    walk.add_skipped(f"{shown}/{display_name}", "no regular file")
        elif (
            name.endswith(STREAM_SUFFIXES)
            or name in RUN_FILE_NAMES
            or (has_prompts and name.endswith((".txt", ".md")))
        ):
            if entry.is_symlink():
                walk.add_skipped(f"{shown}/{display_name}", "a symbolic link: links are not followed")
            elif file := scan_file(walk, entry, f"{shown}/{display_name}", f"{prefix}{display_name}"):
                files.append(file)


def scan_file(walk: FolderScan, entry: FileEntry, shown: str, path: str) -> ScannedFile | None:
    """Return an entry as a listed file; None if it cannot be read, which the walk records."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        walk.add_problem(shown, error)
        return None
    if not stat.S_ISREG(status.st_mode):
        walk.add_skipped(shown, "no regular file")
        return None
    return ScannedFile(
        unpacked_name(path),
        unpacked_name(shown),
        entry.path,
        status.st_size,
        status.st_mtime_ns,
        status.st_ino,
        status.st_mode,
    )
