"""Find runs in an agents directory by file names and stats. Opens few files, follows no link.

Only the beginnings of two kinds of files are read: loose transcripts of subagents, which contain their
session's id, and loose files whose name doesn't show whether they are streams.
"""

from __future__ import annotations

import errno
import re
import shlex
import stat
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from ...common.errors import AgentsFolderError, WorkflowHistoryError
from ...common.formatting.numbers import pluralize
from ...common.models import Problem, Severity
from ..files import FileEntry, FolderPath, RemoteListing, directory_lister, join_address, unpacked_name
from ..runs.folder_walk import (
    FolderScan,
    collect_files,
    read_session_id,
    read_start,
    scan_file,
    session_of_file,
    sort_without_copies,
)
from ..runs.grouping import AGENTS_FOLDER, group_into_runs, is_session, is_sub_agent, split_sessions
from ..runs.nested_folders import NOT_SEARCHED, Inside, TranscriptFolders, look_inside
from ..runs.records import (
    RUN_FILE_NAMES,
    STATE_FILE,
    STREAM_SUFFIXES,
    RunFolder,
    ScannedFile,
    escape_undecodable,
    is_stream_by_name,
    stem_of,
)
from ..streams.format_detection import contains_stream
from .registry import source_of

NON_RUN_FOLDERS = frozenset({"security_logs", "context_bundles"})

_SYSTEM_ERRORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO})
"""Error codes caused by the system's state, not by the directory."""

_SAMPLE_FILES = 3  # files of a directory that are opened to see whether it contains streams
_NDJSON = ".ndjson"  # another extension of streams
_TEXT_SUFFIXES = (".log", ".out", ".txt")  # extensions of text files that often contain streams
_COPY_OR_PACKED = re.compile(r"\.(?:jsonl|ndjson)[.~]|~$")


def walk_agents_folder(
    root: FolderPath, transcript_set: TranscriptFolders | None = NOT_SEARCHED
) -> FolderScan:
    """List `root` and return the walk over its candidates for runs, whose directories are not yet listed.

    `transcript_set` is the result of `find_transcripts` if the caller already has it.
    Raises AgentsFolderError if `root` is not a directory that can be listed, WorkflowHistoryError if the
    system lacks memory or file handles, or has an I/O error.
    """
    if (source := source_of(root)) is not None:
        return source.walk(root)
    listing = directory_lister(root)
    try:
        with listing(str(root)) as entries:
            groups = _group_entries(sort_without_copies(entries))
    except OSError as error:
        if error.errno in _SYSTEM_ERRORS:
            raise WorkflowHistoryError(f"Cannot list {root}: {error.strerror}.") from error
        raise AgentsFolderError(
            f"Cannot read {root}: {error.strerror or error}. Name your agents directory, the one with a "
            "subdirectory per run."
        ) from error
    walk = FolderScan(root, listing, _find_runs_in_group, groups)
    if isinstance(listing, RemoteListing) and listing.missing_reason:
        walk.problems.append(
            Problem(".", f"the archive is read in part: {listing.missing_reason}", refused=True)
        )
    transcripts = find_transcripts(root) if transcript_set is NOT_SEARCHED else transcript_set
    if transcripts is not None:
        if transcripts.alone:  # loose transcripts, each with its subagents' directory
            sessions = ([entry for entry in group if _is_session_entry(entry)] for group in groups)
            groups = [group for group in sessions if group]
        else:
            groups = [group for group in groups if group[0].name not in transcripts.tops]
        walk.groups = [*groups, *_transcript_groups(root, transcripts)]
    return walk


def find_transcripts(root: FolderPath) -> TranscriptFolders | None:
    """Return the directories inside `root` of which only transcripts are read; None if there are none.

    If `root` contains agents directories, only transcripts are read: these directories are read separately.
    """
    if not isinstance(root, Path) or root.name == AGENTS_FOLDER or source_of(root) is not None:
        return None
    inside = look_inside(root)
    if not agents_folders_inside(root, inside):
        return inside.hidden
    return inside.beside_agents or TranscriptFolders(alone=True)


def usual_folders(project: FolderPath) -> list[FolderPath]:
    """Return the usual paths of a project's agents directory, which count as one even while empty."""
    return [project / AGENTS_FOLDER, project / "adws" / AGENTS_FOLDER]


def agents_folders_inside(project: Path, inside: Inside) -> list[FolderPath]:
    """Return the agents directories of a project: the usual ones, and others that may contain runs."""
    usual = usual_folders(project)
    others = (path for path in inside.agents if path not in usual)
    with_runs = sorted(path for path in others if next(iter(walk_agents_folder(path)), None) is not None)
    return [*(folder for folder in usual if folder.is_dir()), *with_runs]


def unread_stream_folders(project: FolderPath, inside: Inside) -> list[Problem]:
    """Return a warning for each directory of streams beside agents directories, with the command to read it.

    They are not runs by themselves: a repository may contain transcripts as test data.
    """
    return [
        Problem(
            str(project / folder),
            f"{pluralize(len(names), 'file')} of agents' transcripts not read, as the project has an agents "
            f"directory; to store them: workflow-history sync {shlex.quote(str(project / folder))}",
            severity=Severity.WARNING,
        )
        for folder, names in sorted(inside.other_files.items())
        if any(_file_contains_stream(project / folder / name) for name in names[:_SAMPLE_FILES])
    ]


def _file_contains_stream(path: FolderPath) -> bool:
    try:
        return contains_stream(read_start(str(path)))
    except OSError:
        return False


def _transcript_groups(root: FolderPath, transcripts: TranscriptFolders) -> Iterator[list[FileEntry]]:
    for shown in sorted(filter(None, transcripts.folders)):
        yield [_TranscriptFolderEntry(shown.partition("/")[0], join_address(str(root), shown), shown)]  # type: ignore[list-item]


def _group_entries(entries: Iterable[FileEntry]) -> list[list[FileEntry]]:
    """Group the entries of the agents directory; the files of a loose session form one group."""
    groups: dict[str, list[FileEntry]] = {}
    for entry in entries:
        name = entry.name
        if name.endswith(STREAM_SUFFIXES) and not entry.is_dir(follow_symlinks=False):
            name = stem_of(name)
            if is_sub_agent(name):
                name = read_session_id(entry.path) or name
        groups.setdefault(name, []).append(entry)
    return list(groups.values())


def find_run(root: FolderPath, run_id: str) -> RunFolder | None:
    """Return one run's files without walking the others; None if `root` has no such run."""
    return next(find_runs(root, {run_id}), None)


def find_runs(
    root: FolderPath, ids: AbstractSet[str], transcript_set: TranscriptFolders | None = NOT_SEARCHED
) -> Iterator[RunFolder]:
    """Yield the files of the runs with these ids, sorted by id, without listing other runs' directories.

    `transcript_set`: see `walk_agents_folder`.
    """
    if (source := source_of(root)) is not None:
        yield from sorted((run for run in source.walk(root) if run.id in ids), key=lambda run: run.id)
        return
    names = {run_id.split("/", maxsplit=1)[0] for run_id in ids}
    runs = {run.id: run for run in _walk_names(root, names, transcript_set) if run.id in ids}
    parents = {run_id.rpartition("/")[0] for run_id in ids - runs.keys()} - {""}
    if isinstance(root, Path) and parents:
        # These may be transcripts next to agents directories, whose folders are not runs.
        folders = tuple([parent for parent in parents if "\0" not in parent and (root / parent).is_dir()])
        groups = list(_transcript_groups(root, TranscriptFolders(folders)))
        walk = FolderScan(root, directory_lister(root), _find_runs_in_group, groups)
        runs |= {run.id: run for run in walk if run.id in ids - runs.keys()}
    yield from (runs[run_id] for run_id in sorted(runs))


def _walk_names(
    root: FolderPath, names: AbstractSet[str], transcript_set: TranscriptFolders | None
) -> FolderScan:
    """Return a walk over only the entries of the agents directory that these names may refer to."""
    if isinstance(root, Path) and all(_is_plain_folder(root, name) for name in names):
        walk = FolderScan(root, directory_lister(root), _find_runs_in_group)
        walk.groups = [[_FolderEntry(name, str(root / name))] for name in sorted(names)]
        return walk
    try:
        walk = walk_agents_folder(root, transcript_set)
    except (AgentsFolderError, WorkflowHistoryError):
        return FolderScan(root, directory_lister(root), _find_runs_in_group)
    walk.groups = [group for group in walk.groups if not names.isdisjoint(map(_run_name, group))]
    return walk


def _is_plain_folder(root: Path, name: str) -> bool:
    """Return whether a name refers to just one directory, so that nothing else needs to be listed."""
    folder = root / name
    if "\0" in name or folder.is_symlink() or not folder.is_dir():
        return False
    loose_files = (root / f"{name}{suffix}" for suffix in STREAM_SUFFIXES)
    return not any(file.exists() for file in loose_files) and not (folder / "subagents").is_dir()


class _FolderEntry(NamedTuple):
    """Directory entry built from a known path, with the interface of `os.DirEntry`."""

    name: str
    path: str

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002 - as os.DirEntry has it
        """Return True: it is a directory."""
        return True

    def is_symlink(self) -> bool:
        """Return False: it is not a link."""
        return False


class _TranscriptFolderEntry(NamedTuple):
    """Directory of which only loose sessions are read, as an entry of the outer directory."""

    name: str  # first part of `shown`
    path: str
    shown: str  # path below the outer directory


def _find_runs_in_group(walk: FolderScan, group: Sequence[FileEntry]) -> Iterator[RunFolder]:
    """Yield the runs of a group of entries: a run, a directory of runs, a session, or none of these."""
    if isinstance(group[0], _TranscriptFolderEntry):
        yield from _find_sessions(walk, group[0])
        return
    usable = [entry for entry in group if _is_usable(walk, entry)]
    files = [entry for entry in usable if not entry.is_dir(follow_symlinks=False)]
    loose = [file for entry in files if (file := _loose_stream(walk, entry))]
    for entry in usable:
        if entry not in files:
            yield from _find_runs_in_folder(walk, entry, loose)
    sessions, others = split_sessions(loose, session_of_file)
    sessions |= {_run_name(file): [file] for file in others}
    for session, own_files in sorted(sessions.items()):
        yield RunFolder(session, str(walk.root), tuple(sorted(own_files)))


def _is_usable(walk: FolderScan, entry: FileEntry) -> bool:
    """Return whether an entry may be or contain a run; record why if not."""
    name = escape_undecodable(entry.name)
    if entry.is_symlink():
        walk.add_skipped(name, "a symbolic link: links are not followed")
        return False
    if entry.is_dir(follow_symlinks=False) and _is_ignored_folder(entry.name):
        walk.add_skipped(name, "no run by its name")
        return False
    return True


def _loose_stream(walk: FolderScan, entry: FileEntry) -> ScannedFile | None:
    """Return a loose file if it may be a stream, else None; record why a possible stream is skipped."""
    name = escape_undecodable(entry.name)
    if is_stream_by_name(entry.name):
        return scan_file(walk, entry, name, name)
    if name.startswith(".") or name in RUN_FILE_NAMES or _is_special_file(entry):
        return None
    if _COPY_OR_PACKED.search(name):
        walk.add_skipped(
            name, "by its name a copy or a packed transcript: only files that end in .jsonl are read"
        )
        return None
    if not name.endswith(_NDJSON):
        if not isinstance(walk.root, Path):
            if name.endswith(_TEXT_SUFFIXES):
                walk.add_skipped(
                    name, "of an archive or an object store only *.jsonl, *.ndjson, *.json are read"
                )
            return None
        if not _begins_as_stream(walk, entry, name):
            return None
    file = scan_file(walk, entry, name, name)
    return file and file._replace(is_stream_by_content=True)


def _is_special_file(entry: FileEntry) -> bool:
    try:
        return not stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode)
    except OSError:
        return True


def _begins_as_stream(walk: FolderScan, entry: FileEntry, name: str) -> bool:
    try:
        start = read_start(entry.path)
    except OSError as error:
        walk.add_skipped(name, f"cannot be read: {error.strerror or error}")
        return False
    if not contains_stream(start):
        return False
    if start.lstrip()[:1] != b"{":
        walk.add_skipped(name, "a transcript after other text: call it *.jsonl if it is to be read")
        return False
    return True


def _is_ignored_folder(name: str) -> bool:
    return not name or name.startswith(("_", ".")) or name in NON_RUN_FOLDERS


def _find_runs_in_folder(walk: FolderScan, entry: FileEntry, loose: list[ScannedFile]) -> Iterator[RunFolder]:
    """Yield the runs of a directory; its files are added to `loose` instead if they belong to that run."""
    name, files = escape_undecodable(entry.name), list[ScannedFile]()
    collect_files(walk, entry.path, name, "", files)
    files.sort()
    if loose and not any(file.path == STATE_FILE for file in files):
        loose += [file._replace(path=f"{name}/{file.path}") for file in files]
        return
    runs = list(group_into_runs(name, entry.path, files, session_of_file))
    yield from runs
    if not runs:
        walk.add_skipped(name, "neither a state file nor a transcript")
    elif loose:  # a run and a loose stream of one name
        yield RunFolder(f"{name}.jsonl", str(walk.root), tuple(sorted(loose)))
        loose.clear()


def _find_sessions(walk: FolderScan, folder: _TranscriptFolderEntry) -> Iterator[RunFolder]:
    """Yield the loose sessions in a directory next to agents directories; record other streams as skipped."""
    shown = escape_undecodable(folder.shown)
    if any(_is_ignored_folder(part) and not part.startswith(".") for part in folder.shown.split("/")):
        walk.add_skipped(shown, "no run by its name")
        return
    files: list[ScannedFile] = []
    collect_files(walk, folder.path, shown, "", files, is_included=_is_session_entry)
    sessions, others = split_sessions(files, session_of_file)
    for session, own_files in sorted(sessions.items()):
        yield RunFolder(f"{shown}/{session}", folder.path, tuple(sorted(own_files)))
    for file in (other for other in others if "/" not in other.path):
        walk.add_skipped(
            file.shown, "beside an agents folder only transcripts called by a session's id are runs"
        )


def _run_name(entry: ScannedFile | FileEntry) -> str:
    """Return the name of a loose run: its file name without extension."""
    path = entry.path if isinstance(entry, ScannedFile) else escape_undecodable(entry.name)
    return stem_of(path)


def _is_session_entry(entry: FileEntry) -> bool:
    """Return whether an entry may be a loose transcript, or a session's directory next to its transcript."""
    is_folder = entry.is_dir(follow_symlinks=False)
    return is_session(entry.name) if is_folder else unpacked_name(entry.name).endswith(".jsonl")
