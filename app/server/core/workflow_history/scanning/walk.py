"""Find runs below an agents folder by their files' names and stamps alone. Opens no file, follows no link."""

from __future__ import annotations

import errno
import hashlib
import re
import stat
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple

from ..errors import AgentsFolderError, WorkflowHistoryError
from ..models import Problem
from ..places import Entry, Listing, Place, RemoteFolder, child_of, entry_of, listing_of

STATE_FILE = "adw_state.json"
SUMMARY_FILES = ("workflow_summary.json", "custom_summary_output.json")
LOG_FILES = ("execution.log", "error.log")
NOT_RUNS = frozenset({"security_logs", "context_bundles"})
PRUNED = frozenset({".git", "node_modules", "__pycache__", ".venv"})
MAX_DEPTH = 6  # folders below a run: an agent's own checkout is not its record

_TELLING = frozenset({STATE_FILE, *SUMMARY_FILES, *LOG_FILES})

_SHORT_OF = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO})
"""Errors that are no fault of the folder's."""

READER_VERSION = 3
"""Raised when the same files would be read differently: every run is then read anew."""

_ID_LIKE = re.compile(r"\d{4,}|[0-9a-f]{8}", re.IGNORECASE)


class FoundFile(NamedTuple):
    """One file that tells something about a run, as `stat` saw it: enough to know whether it changed."""

    path: str  # relative to the run's folder, POSIX separators
    shown: str  # relative to the agents folder, POSIX separators: the name in records and problems
    file: str  # as the system knows it
    size: int  # bytes
    mtime_ns: int
    inode: int
    mode: int  # type and permissions: a file that could not be read is tried again when these change


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One candidate for a run: its id and its telling files, in the order of their paths."""

    id: str
    folder: str
    files: tuple[FoundFile, ...]

    @property
    def fingerprint(self) -> str:
        """One word for the state of the run's files; the same word: nothing was written."""
        text = "\n".join([f"{f[1]}\t{f[3]}\t{f[4]}\t{f[5]}\t{f[6]}" for f in self.files])
        digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
        return f"{READER_VERSION}-{digest}"

    @property
    def written(self) -> tuple[int, int]:
        """When the first and the last of its files was written: nanoseconds since 1970."""
        times = [found[4] for found in self.files]
        return min(times), max(times)

    @property
    def size(self) -> int:
        """The bytes of its files."""
        return sum([found[3] for found in self.files])

    def named(self, *names: str) -> Iterator[FoundFile]:
        """Yield the files with one of these names, in any folder of the run."""
        return (found for found in self.files if found.path.rpartition("/")[2] in names)

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
    """One walk over an agents folder: runs come out as they are met; what is no run is noted."""

    root: Place
    listing: Listing  # of any folder below
    entries: list[Entry] = field(default_factory=list)
    left_out: list[Problem] = field(default_factory=list)  # no runs, and why
    problems: list[Problem] = field(default_factory=list)

    def __iter__(self) -> Iterator[RunFolder]:
        """Yield the candidates for runs, folder by folder in the order of their names."""
        for entry in self.entries:
            yield from self.runs_of(entry)

    def runs_of(self, entry: Entry) -> Iterator[RunFolder]:
        """Yield the candidates for runs that one entry of the agents folder is or holds."""
        return _take(self, entry)

    def trouble(self, shown: str, error: OSError) -> None:
        """Note a folder or file that the system would not show."""
        self.problems.append(Problem(shown, f"cannot be read: {error.strerror or error}", refused=True))

    def skip(self, shown: str, reason: str) -> None:
        """Note what is left out, and why."""
        self.left_out.append(Problem(shown, reason, severity="warning"))


def storable(text: str) -> str:
    r"""Return text that any database holds: bytes of a name that are no UTF-8 are written as \xNN.

    >>> storable("caf" + chr(0xDCE9))
    'caf\\xe9'
    """
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a pair, which stands for no byte
        return text.encode("utf-8", "replace").decode()


def walk_agents_folder(root: Place) -> Walk:
    """Return the walk over the candidates for runs below `root`; only their names are known yet.

    Raises AgentsFolderError where `root` is no folder that can be listed, WorkflowHistoryError where the
    system is short of what that takes.
    """
    listing = listing_of(root)
    try:
        with listing(str(root)) as entries:
            return Walk(root, listing, sorted(entries, key=lambda entry: entry.name))
    except OSError as error:
        if error.errno in _SHORT_OF:
            raise WorkflowHistoryError(f"{root} cannot be listed now: {error.strerror}") from error
        raise AgentsFolderError(
            f"{root} is not a folder that can be read ({error.strerror or error}): name your agents folder, "
            "the one that holds a folder per run"
        ) from error


def find_run(root: Place, run_id: str) -> RunFolder | None:
    """Return one run's files without walking the others; None where `root` holds no such run."""
    name = run_id.split("/", maxsplit=1)[0]
    folder = root / name
    if "\0" not in name and not _is_no_run(name) and folder.is_dir() and not folder.is_symlink():
        runs = _take_folder(Walk(root, listing_of(root)), str(folder), name)
        if (found := next((run for run in runs if run.id == run_id), None)) is not None:
            return found
    return next((run for run in _among(root, name) if run.id == run_id), None)


def find_runs(root: Place, ids: AbstractSet[str]) -> Iterator[RunFolder]:
    """Yield some runs' files, in the order of ids: a folder that lies elsewhere is listed once for all."""
    if isinstance(root, RemoteFolder):
        found = {run.id: run for run in walk_agents_folder(root) if run.id in ids}
        yield from (found[run_id] for run_id in sorted(found))
    else:
        yield from (run for run_id in sorted(ids) if (run := find_run(root, run_id)) is not None)


def _among(root: Place, name: str) -> Walk:
    """Return the walk over those entries of the agents folder alone that this name may stand for."""
    walk = Walk(root, listing_of(root))
    if isinstance(root, RemoteFolder):
        found = entry_of(root, f"{name}.jsonl")
        walk.entries = [found] if found else []
        return walk
    try:
        with walk.listing(str(root)) as entries:
            walk.entries = [entry for entry in entries if storable(entry.name) in (name, f"{name}.jsonl")]
    except OSError:
        return walk
    return walk


def _take(walk: Walk, entry: Entry) -> Iterator[RunFolder]:
    """Sort one entry of the agents folder: a run, a group of runs, a loose stream, or none of these."""
    name = storable(entry.name)
    if entry.is_symlink():
        walk.skip(name, "a symbolic link: links are not followed")
    elif entry.is_dir(follow_symlinks=False):
        if _is_no_run(entry.name):
            walk.skip(name, "no run by its name")
        else:
            yield from _take_folder(walk, entry.path, name)
    elif entry.name.endswith(".jsonl"):
        found = _found(walk, entry, name, name)
        if found is not None:
            yield RunFolder(storable(PurePosixPath(entry.name).stem), str(walk.root), (found,))


def _is_no_run(name: str) -> bool:
    return not name or name.startswith(("_", ".")) or name in NOT_RUNS


def _take_folder(walk: Walk, folder: str, name: str) -> Iterator[RunFolder]:
    found: list[FoundFile] = []
    _collect(walk, folder, name, "", found)
    found.sort()
    files = tuple(found)
    if any(file.path == STATE_FILE for file in files):
        yield RunFolder(name, folder, files)
        return
    streams = [file for file in files if file.path.endswith(".jsonl")]
    if inner := _groups(files):
        for child, own in inner.items():
            yield _regrouped(name, folder, child, own)
    elif _one_run_each(streams):
        for file in streams:
            yield RunFolder(f"{name}/{_stem(file)}", folder, (file,))
    elif streams or any(file.path.rpartition("/")[2] in (STATE_FILE, *SUMMARY_FILES) for file in files):
        yield RunFolder(name, folder, files)
    else:
        walk.skip(name, "neither a state file nor a stream")


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


def _regrouped(name: str, folder: str, child: str, own: Iterable[FoundFile]) -> RunFolder:
    files = tuple(found._replace(path=found.path.partition("/")[2]) for found in own)
    return RunFolder(f"{name}/{child}", child_of(folder, child), files)


def _one_run_each(streams: list[FoundFile]) -> bool:
    """Several streams loose in one folder, each named by an id or a stamp, are runs of their own."""
    return len(streams) > 1 and all("/" not in file.path and _ID_LIKE.search(_stem(file)) for file in streams)


def _stem(found: FoundFile) -> str:
    return PurePosixPath(found.path).stem


def _collect(walk: Walk, folder: str, shown: str, inside: str, into: list[FoundFile]) -> None:
    """Put the telling files of a folder into the list; `inside` is its path in the run, with its slash."""
    try:
        with walk.listing(folder) as listed:
            entries = list(listed)
    except OSError as error:
        walk.trouble(shown, error)
        return
    prompts = inside == "prompts/" or inside.endswith("/prompts/")
    for entry in entries:
        name = entry.name
        plain = name if name.isascii() else storable(name)
        if entry.is_dir(follow_symlinks=False):
            if inside.count("/") < MAX_DEPTH and name not in PRUNED:
                _collect(walk, entry.path, f"{shown}/{plain}", f"{inside}{plain}/", into)
        elif name.endswith(".jsonl") or name in _TELLING or (prompts and name.endswith((".txt", ".md"))):
            if entry.is_symlink():
                walk.skip(f"{shown}/{plain}", "a symbolic link: links are not followed")
            elif found := _found(walk, entry, f"{shown}/{plain}", f"{inside}{plain}"):
                into.append(found)


def _found(walk: Walk, entry: Entry, shown: str, path: str) -> FoundFile | None:
    try:
        seen = entry.stat(follow_symlinks=False)
    except OSError as error:
        walk.trouble(shown, error)
        return None
    if not stat.S_ISREG(seen.st_mode):
        walk.skip(shown, "no regular file")
        return None
    return FoundFile(path, shown, entry.path, seen.st_size, seen.st_mtime_ns, seen.st_ino, seen.st_mode)
