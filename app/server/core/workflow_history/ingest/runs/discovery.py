"""Find runs in an agents directory by file names and stats. Opens few files, follows no link.

Only the beginnings of two kinds of files are read: loose transcripts of subagents, which contain their
session's id, and loose files whose name doesn't show whether they are streams.
"""

from __future__ import annotations

import errno
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ...common.errors import AgentsFolderError, StorageUnreachableError, WorkflowHistoryError
from ...common.models import Problem
from ..files import DirLister, FileEntry, FolderPath, RemoteListing, directory_lister, join_address, open_file
from ..streams.block_reader import BlockReader
from ..streams.format_detection import shows_stream
from .grouping import AGENTS_FOLDER, is_session, is_sub_agent, runs_in, split_sessions
from .nested_folders import NOT_LOOKED, PRUNED, Beside, Inside, look_inside
from .records import (
    STATE_FILE,
    STREAMS,
    TELLING,
    RunFolder,
    ScannedFile,
    escape_undecodable,
    is_stream_by_name,
    stem_of,
)

NON_RUN_FOLDERS = frozenset({"security_logs", "context_bundles"})
MAX_DEPTH = 6  # levels below a run's directory: deeper files belong to an agent's checkout, not to the run

_SHORT_OF = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO})
"""Error codes caused by the system's state, not by the directory."""

_HEAD = 65_536  # bytes read from a loose file to find its session or its kind
_LINES = ".ndjson"  # another extension of streams
_TEXTS = (".log", ".out", ".txt")  # extensions of text files that often contain streams
_SET_ASIDE = re.compile(r"\.(?:jsonl|ndjson)[.~]|~$")
_SESSION = re.compile(rb'"session(?:Id|_id|ID)"\s*:\s*"([0-9A-Za-z_-]{1,200})"')


@dataclass(slots=True)
class FolderScan:
    """One walk over an agents directory, which yields candidates for runs and records skipped entries."""

    root: FolderPath
    listing: DirLister  # lists any directory below `root`
    groups: list[list[FileEntry]] = field(default_factory=list)  # entries that belong together
    left_out: list[Problem] = field(default_factory=list)  # skipped entries, with reasons
    problems: list[Problem] = field(default_factory=list)

    def __iter__(self) -> Iterator[RunFolder]:
        """Yield the candidates for runs, directory by directory, sorted by name."""
        for group in self.groups:
            yield from self.iter_runs(group)

    def iter_runs(self, group: Sequence[FileEntry]) -> Iterator[RunFolder]:
        """Yield the candidates for runs in a group of entries that belong together."""
        return _take(self, group)

    def add_problem(self, shown: str, error: OSError) -> None:
        """Record a directory or file that cannot be read."""
        self.problems.append(Problem(shown, f"cannot be read: {error.strerror or error}", refused=True))

    def add_skipped(self, shown: str, reason: str) -> None:
        """Record a skipped entry and the reason."""
        self.left_out.append(Problem(shown, reason, severity="warning"))


def walk_agents_folder(root: FolderPath, beside: Beside | None = NOT_LOOKED) -> FolderScan:
    """List `root` and return the walk over its candidates for runs, whose directories are not yet listed.

    `beside` is the result of `transcripts_beside` if the caller already has it.
    Raises AgentsFolderError if `root` is not a directory that can be listed, WorkflowHistoryError if the
    system lacks memory or file handles, or has an I/O error.
    """
    listing = directory_lister(root)
    try:
        with listing(str(root)) as entries:
            walk = FolderScan(root, listing, _grouped(_without_copies(entries)))
    except OSError as error:
        if error.errno in _SHORT_OF:
            raise WorkflowHistoryError(f"{root} cannot be listed now: {error.strerror}") from error
        raise AgentsFolderError(
            f"{root} is not a folder that can be read ({error.strerror or error}): name your agents folder, "
            "the one that holds a folder per run"
        ) from error
    if isinstance(listing, RemoteListing) and listing.missing_reason:
        walk.problems.append(
            Problem(".", f"the archive is read in part: {listing.missing_reason}", refused=True)
        )
    there = transcripts_beside(root) if beside is NOT_LOOKED else beside
    if there is not None:
        others = (group for group in walk.groups if group[0].name not in there.tops)
        own = _transcripts_among(walk.groups) if there.alone else others
        walk.groups = [*own, *_folders_of_transcripts(root, there)]
    return walk


def transcripts_beside(root: FolderPath) -> Beside | None:
    """Return the directories inside `root` of which only transcripts are read; None if there are none.

    If `root` contains agents directories, only transcripts are read: these directories are read separately.
    """
    if not isinstance(root, Path) or root.name == AGENTS_FOLDER:
        return None
    inside = look_inside(root)
    if not agents_folders_inside(root, inside):
        return inside.hidden
    return inside.beside_agents or Beside(alone=True)


def usual_folders(project: FolderPath) -> list[FolderPath]:
    """Return the usual paths of a project's agents directory, which count as one even while empty."""
    return [project / AGENTS_FOLDER, project / "adws" / AGENTS_FOLDER]


def agents_folders_inside(project: Path, inside: Inside) -> list[FolderPath]:
    """Return the agents directories of a project: the usual ones, and others that may contain runs."""
    usual = usual_folders(project)
    others = (each for each in inside.agents if each not in usual)
    held = sorted(each for each in others if next(iter(walk_agents_folder(each)), None) is not None)
    return [*(folder for folder in usual if folder.is_dir()), *held]


def _transcripts_among(groups: list[list[FileEntry]]) -> Iterator[list[FileEntry]]:
    """Yield the loose transcripts of a project directory, each with its subagents' directory."""
    for group in groups:
        if found := [entry for entry in group if _is_of_sessions(entry)]:
            yield found


def _folders_of_transcripts(root: FolderPath, beside: Beside) -> Iterator[list[FileEntry]]:
    for shown in sorted(filter(None, beside.folders)):
        yield [_Transcripts(shown.partition("/")[0], join_address(str(root), shown), shown)]  # type: ignore[list-item]


def _grouped(entries: Iterable[FileEntry]) -> list[list[FileEntry]]:
    """Group the entries of the agents directory; the files of a loose session form one group."""
    groups: dict[str, list[FileEntry]] = {}
    for entry in entries:
        name = entry.name
        if name.endswith(STREAMS) and not entry.is_dir(follow_symlinks=False):
            name = stem_of(name)
            if is_sub_agent(name):
                name = _session_in(entry.path) or name
        groups.setdefault(name, []).append(entry)
    return list(groups.values())


def find_run(root: FolderPath, run_id: str) -> RunFolder | None:
    """Return one run's files without walking the others; None if `root` has no such run."""
    return next(find_runs(root, {run_id}), None)


def find_runs(
    root: FolderPath, ids: AbstractSet[str], beside: Beside | None = NOT_LOOKED
) -> Iterator[RunFolder]:
    """Yield the files of the runs with these ids, sorted by id, without listing other runs' directories.

    `beside`: see `walk_agents_folder`.
    """
    names = {run_id.split("/", maxsplit=1)[0] for run_id in ids}
    found = {run.id: run for run in _among(root, names, beside) if run.id in ids}
    homes = {run_id.rpartition("/")[0] for run_id in ids - found.keys()} - {""}
    if isinstance(root, Path) and homes:  # maybe transcripts next to agents directories: folders aren't runs
        folders = tuple([home for home in homes if "\0" not in home and (root / home).is_dir()])
        walk = FolderScan(root, directory_lister(root), list(_folders_of_transcripts(root, Beside(folders))))
        found |= {run.id: run for run in walk if run.id in ids - found.keys()}
    yield from (found[run_id] for run_id in sorted(found))


def _among(root: FolderPath, names: AbstractSet[str], beside: Beside | None) -> FolderScan:
    """Return a walk over only the entries of the agents directory that these names may refer to."""
    if isinstance(root, Path) and all(_is_plain_folder(root, name) for name in names):
        walk = FolderScan(root, directory_lister(root))
        walk.groups = [[_Folder(name, str(root / name))] for name in sorted(names)]  # type: ignore[list-item]
        return walk
    try:
        walk = walk_agents_folder(root, beside)
    except (AgentsFolderError, WorkflowHistoryError):
        return FolderScan(root, directory_lister(root))
    walk.groups = [group for group in walk.groups if not names.isdisjoint(map(_name_of, group))]
    return walk


def _is_plain_folder(root: Path, name: str) -> bool:
    """Return whether a name refers to just one directory, so that nothing else needs to be listed."""
    folder = root / name
    if "\0" in name or folder.is_symlink() or not folder.is_dir():
        return False
    loose = (root / f"{name}{ending}" for ending in STREAMS)
    return not any(file.exists() for file in loose) and not (folder / "subagents").is_dir()


class _Folder(NamedTuple):
    """Directory entry built from a known path, with the interface of `os.DirEntry`."""

    name: str
    path: str

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002 - as os.DirEntry has it
        """Return True: it is a directory."""
        return True

    def is_symlink(self) -> bool:
        """Return False: it is not a link."""
        return False


class _Transcripts(NamedTuple):
    """Directory of which only loose sessions are read, as an entry of the outer directory."""

    name: str  # first part of `shown`
    path: str
    shown: str  # path below the outer directory


def _take(walk: FolderScan, group: Sequence[FileEntry]) -> Iterator[RunFolder]:
    """Yield the runs of a group of entries: a run, a directory of runs, a session, or none of these."""
    if isinstance(group[0], _Transcripts):
        yield from _take_sessions(walk, group[0])
        return
    usable = [entry for entry in group if _is_usable(walk, entry)]
    files = [entry for entry in usable if not entry.is_dir(follow_symlinks=False)]
    loose = [found for entry in files if (found := _loose_stream(walk, entry))]
    for entry in usable:
        if entry not in files:
            yield from _take_folder(walk, entry, loose)
    sessions, others = split_sessions(loose, _session_of)
    sessions |= {_name_of(found): [found] for found in others}
    for session, own in sorted(sessions.items()):
        yield RunFolder(session, str(walk.root), tuple(sorted(own)))


def _is_usable(walk: FolderScan, entry: FileEntry) -> bool:
    """Return whether an entry may be or contain a run; record why if not."""
    name = escape_undecodable(entry.name)
    if entry.is_symlink():
        walk.add_skipped(name, "a symbolic link: links are not followed")
        return False
    if entry.is_dir(follow_symlinks=False) and _is_no_run(entry.name):
        walk.add_skipped(name, "no run by its name")
        return False
    return True


def _loose_stream(walk: FolderScan, entry: FileEntry) -> ScannedFile | None:
    """Return a loose file if it may be a stream, else None; record why a possible stream is skipped."""
    name = escape_undecodable(entry.name)
    if is_stream_by_name(entry.name):
        return _found(walk, entry, name, name)
    if name.startswith(".") or name in TELLING or _is_special(entry):
        return None
    if _SET_ASIDE.search(name):
        walk.add_skipped(
            name, "by its name a copy or a packed stream: only files that end in .jsonl are read"
        )
        return None
    if not name.endswith(_LINES):
        if not isinstance(walk.root, Path):
            if name.endswith(_TEXTS):
                walk.add_skipped(
                    name, "of an archive or an object store only *.jsonl, *.ndjson, *.json are read"
                )
            return None
        if not _begins_as_stream(walk, entry, name):
            return None
    found = _found(walk, entry, name, name)
    return found and found._replace(is_told=True)


def _is_special(entry: FileEntry) -> bool:
    try:
        return not stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode)
    except OSError:
        return True


def _begins_as_stream(walk: FolderScan, entry: FileEntry, name: str) -> bool:
    try:
        handle, status = open_file(entry.path)
        with handle:
            begin = next(BlockReader(handle, min(status.st_size, _HEAD)).pieces(), b"")
    except OSError as error:
        walk.add_skipped(name, f"cannot be read: {error.strerror or error}")
        return False
    if not shows_stream(begin):
        return False
    if begin.lstrip()[:1] != b"{":
        walk.add_skipped(name, "a stream after other text: call it *.jsonl if it is to be read")
        return False
    return True


def _without_copies(entries: Iterable[FileEntry]) -> list[FileEntry]:
    """Return entries sorted by name, without a `.json` file that repeats the `.jsonl` file of its name."""
    by_name = {entry.name: entry for entry in entries}
    return [
        by_name[name] for name in sorted(by_name) if not (name.endswith(".json") and f"{name}l" in by_name)
    ]


def _is_no_run(name: str) -> bool:
    return not name or name.startswith(("_", ".")) or name in NON_RUN_FOLDERS


def _take_folder(walk: FolderScan, entry: FileEntry, loose: list[ScannedFile]) -> Iterator[RunFolder]:
    """Yield the runs of a directory; its files are added to `loose` instead if they belong to that run."""
    name, files = escape_undecodable(entry.name), list[ScannedFile]()
    _collect(walk, entry.path, name, "", files)
    files.sort()
    if loose and not any(found.path == STATE_FILE for found in files):
        loose += [found._replace(path=f"{name}/{found.path}") for found in files]
        return
    runs = list(runs_in(name, entry.path, files, _session_of))
    yield from runs
    if not runs:
        walk.add_skipped(name, "neither a state file nor a stream")
    elif loose:  # a run and a loose stream of one name
        yield RunFolder(f"{name}.jsonl", str(walk.root), tuple(sorted(loose)))
        loose.clear()


def _take_sessions(walk: FolderScan, folder: _Transcripts) -> Iterator[RunFolder]:
    """Yield the loose sessions in a directory next to agents directories; record other streams as skipped."""
    shown = escape_undecodable(folder.shown)
    if any(_is_no_run(part) and not part.startswith(".") for part in folder.shown.split("/")):
        walk.add_skipped(shown, "no run by its name")
        return
    files: list[ScannedFile] = []
    _collect(walk, folder.path, shown, "", files, among=_is_of_sessions)
    sessions, others = split_sessions(files, _session_of)
    for session, own in sorted(sessions.items()):
        yield RunFolder(f"{shown}/{session}", folder.path, tuple(sorted(own)))
    for found in (each for each in others if "/" not in each.path):
        walk.add_skipped(
            found.shown, "beside an agents folder only transcripts called by a session's id are runs"
        )


def _name_of(found: ScannedFile | FileEntry) -> str:
    """Return the name of a loose run: its file name without extension."""
    path = found.path if isinstance(found, ScannedFile) else escape_undecodable(found.name)
    return stem_of(path)


def _session_of(found: ScannedFile) -> str | None:
    return _session_in(found.file)


def _session_in(file: str) -> str | None:
    """Return the session id in the first lines of a subagent's transcript, or None."""
    try:
        handle, _ = open_file(file)
        with handle:
            named = _SESSION.search(handle.read(_HEAD))
    except (OSError, StorageUnreachableError):
        return None  # reading it whole reports the reason
    return named.group(1).decode() if named else None


def _is_of_sessions(entry: FileEntry) -> bool:
    """Return whether an entry may be a loose transcript, or a session's directory next to its transcript."""
    is_folder = entry.is_dir(follow_symlinks=False)
    return is_session(entry.name) if is_folder else entry.name.endswith(".jsonl")


def _collect(
    walk: FolderScan,
    folder: str,
    shown: str,
    inside: str,
    into: list[ScannedFile],
    *,
    among: Callable[[FileEntry], bool] = lambda _entry: True,
) -> None:
    """Add the data files of a directory to the list, recursively.

    `inside` is the directory's path in the run, with a final slash. `among` selects the entries to include.
    """
    try:
        with walk.listing(folder) as listed:
            entries = [entry for entry in _without_copies(listed) if among(entry)]
    except OSError as error:
        walk.add_problem(shown, error)
        return
    prompts = inside == "prompts/" or inside.endswith("/prompts/")
    for entry in entries:
        name = entry.name
        plain = name if name.isascii() else escape_undecodable(name)
        if entry.is_dir(follow_symlinks=False):
            if inside.count("/") < MAX_DEPTH and name not in PRUNED:
                _collect(walk, entry.path, f"{shown}/{plain}", f"{inside}{plain}/", into)
        elif name.endswith(STREAMS) or name in TELLING or (prompts and name.endswith((".txt", ".md"))):
            if entry.is_symlink():
                walk.add_skipped(f"{shown}/{plain}", "a symbolic link: links are not followed")
            elif found := _found(walk, entry, f"{shown}/{plain}", f"{inside}{plain}"):
                into.append(found)


def _found(walk: FolderScan, entry: FileEntry, shown: str, path: str) -> ScannedFile | None:
    try:
        seen = entry.stat(follow_symlinks=False)
    except OSError as error:
        walk.add_problem(shown, error)
        return None
    if not stat.S_ISREG(seen.st_mode):
        walk.add_skipped(shown, "no regular file")
        return None
    return ScannedFile(path, shown, entry.path, seen.st_size, seen.st_mtime_ns, seen.st_ino, seen.st_mode)
