"""Group the files of a directory into runs. Pure, except that `session_of` reads subagents' first lines.

A run depends only on its own files, never on the number of files next to it:

- A directory with a state file is one run, including everything below it.
- A session's loose transcript (`<id>.jsonl`) is a run. Its subagents' transcripts belong to it:
  `<id>/subagents/…`, and `agent-….jsonl` next to it, which contains the session's id.
- A loose stream in a directory without a run's state, log or agents is a run if its name is that of a run.
- Any other directory with streams, a log or a summary is one run, unless it only contains run directories.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ...common.phases import classify_phase
from ..files import join_address
from .records import (
    RUN_FILE_NAMES,
    STATE_FILE,
    RunFolder,
    ScannedFile,
    is_run_name,
    is_stream_by_name,
    stem_of,
)

SessionOf = Callable[[ScannedFile], str | None]
"""Function that returns the session named in a subagent's transcript, or None if it names none."""

AGENTS_FOLDER = "agents"

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_SESSION_NAME = re.compile(rf"(?:.*[-_])?{_UUID}", re.IGNORECASE)
_ID_LIKE = re.compile(r"\d{4,}|[0-9a-f]{8}", re.IGNORECASE)
_SUB_AGENT = re.compile(r"agent-[0-9a-z]+", re.IGNORECASE)
_PROJECT_SLUG = re.compile(r"-|[A-Za-z]--")
"""A path in Claude Code's notation: -home-me-shop, C--Users-me-shop."""

_DATE = re.compile(r"(?:19|20)\d{6}")
_RUN_ID = re.compile(rf"[0-9a-f]{{8}}|{_UUID}|adw[-_]\w.*|.*\d{{8,}}.*", re.IGNORECASE)
_OWN_ID = re.compile(r"[0-9a-f]{8}|adw[-_]\w*\d\w*", re.IGNORECASE)  # a run's id even in a nested directory


def group_into_runs(
    name: str, folder: str, files: Sequence[ScannedFile], session_of: SessionOf
) -> Iterator[RunFolder]:
    """Yield the runs of a directory: itself or inside it; `name` is its path below the agents directory."""
    if any(file.path == STATE_FILE for file in files):
        yield RunFolder(name, folder, tuple(files))
        return
    children = _group_by_subfolder(files)
    run_folders: set[str] = set()
    if not _is_run_id(name) and (_contain_only_logs(children) or _contain_runs(children)):
        run_folders = {child for child in children if child and not is_session(child)}
    for child in sorted(run_folders):
        yield from group_into_runs(
            f"{name}/{child}",
            join_address(folder, child),
            [_relative_to_subfolder(file) for file in children[child]],
            session_of,
        )
    remaining = [
        file for child, own_files in children.items() if child not in run_folders for file in own_files
    ]
    if not _is_run_id(name) and not _has_run_files(remaining):
        sessions, remaining = split_sessions(
            remaining, session_of, by_name=not any(map(_is_agent_stream, remaining))
        )
        for session, own_files in sorted(sessions.items()):
            yield RunFolder(f"{name}/{session}", folder, tuple(sorted(own_files)))
    if any(_is_run_file(file) or file.is_unsure for file in remaining):
        yield RunFolder(name, folder, tuple(sorted(remaining)))


def split_sessions(
    files: Iterable[ScannedFile], session_of: SessionOf, *, by_name: bool = False
) -> tuple[dict[str, list[ScannedFile]], list[ScannedFile]]:
    """Return the files of each loose session in a directory, by its name, and all other files.

    With `by_name`, a stream that has a run's name and contains a session id also counts as a session.
    """
    sessions: dict[str, list[ScannedFile]] = {}
    others: list[ScannedFile] = []
    for file in files:
        stem = stem_of(file.path)
        if "/" in file.path or not is_stream_by_name(file.path):
            others.append(file)
        elif is_sub_agent(stem):
            sessions.setdefault(session_of(file) or stem, []).append(file)
        elif _ID_LIKE.search(stem) or (by_name and is_run_name(stem) and session_of(file)):
            sessions.setdefault(stem, []).append(file)
        else:
            others.append(file)
    remaining = []
    for file in others:
        child = file.path.partition("/")[0]
        if child in sessions or (is_session(child) and "/subagents/" in file.path):
            sessions.setdefault(child, []).append(file)
        else:
            remaining.append(file)
    return sessions, remaining


def is_session(name: str) -> bool:
    """Return whether the name of a transcript, or of the directory next to it, is or ends in a session id.

    >>> is_session("rollout-2026-01-01T10-00-00-8c5b0a1e-0000-4000-8000-000000000001"), is_session("a1b2c3d4")
    (True, False)
    """
    return _SESSION_NAME.fullmatch(name) is not None


def is_sub_agent(stem: str) -> bool:
    """Return whether a transcript's name is that of a subagent's transcript.

    >>> is_sub_agent("agent-ab12cd3"), is_sub_agent("agent_output")
    (True, False)
    """
    return _SUB_AGENT.fullmatch(stem) is not None


def _is_run_id(name: str) -> bool:
    """Return whether a directory has the name of a run: it is then one run, regardless of its contents.

    >>> [_is_run_id(name) for name in ("a1b2c3d4", "audit_20260120061706", "-home-me-shop", "20260120")]
    [True, True, False, False]
    """
    last_part = name.rpartition("/")[2]
    return (
        not _PROJECT_SLUG.match(last_part)
        and not _DATE.fullmatch(last_part)
        and _RUN_ID.fullmatch(last_part) is not None
    )


def _has_run_files(files: Iterable[ScannedFile]) -> bool:
    """Return whether files are those of a single run's directory: a log, a summary, prompts."""
    return any(
        file.path.rpartition("/")[2] in RUN_FILE_NAMES
        or file.path.startswith("prompts/")
        or "/prompts/" in file.path
        for file in files
    )


def _is_agent_stream(file: ScannedFile) -> bool:
    """Return whether a stream is an agent's, by its name or by being in a subdirectory."""
    stem = stem_of(file.path.rpartition("/")[2])
    if not file.path.endswith(".jsonl") or _ID_LIKE.search(stem) or is_sub_agent(stem):
        return False
    return "/" in file.path or not is_run_name(stem)


def _contain_only_logs(children: Mapping[str, Sequence[ScannedFile]]) -> bool:
    """Return whether directories contain only streams with names of runs, such as logs by month or team."""
    subfolders = [
        (child, list(map(_relative_to_subfolder, own_files)))
        for child, own_files in children.items()
        if child
    ]
    stream_folders = [
        (child, own_files)
        for child, own_files in subfolders
        if any(file.path.endswith(".jsonl") for file in own_files)
    ]
    return bool(stream_folders) and all(
        classify_phase(child) == "other"
        and not _has_run_files(own_files)
        and not any(map(_is_agent_stream, _group_by_subfolder(own_files).get("", [])))
        and (not any(deeper := _group_by_subfolder(own_files)) or _contain_only_logs(deeper))
        for child, own_files in stream_folders
    )


def _contain_runs(children: Mapping[str, Sequence[ScannedFile]]) -> bool:
    return any(_contains_runs(child, own_files) for child, own_files in children.items() if child)


def _contains_runs(child: str, files: Sequence[ScannedFile]) -> bool:
    """Return whether a subdirectory is a run of its own or contains runs."""
    below = [file.path.partition("/")[2] for file in files]
    if STATE_FILE in below:
        return True
    if _OWN_ID.fullmatch(child) and not _DATE.fullmatch(child) and any(map(_is_run_file, files)):
        return True
    if child == AGENTS_FOLDER or any(f"/{AGENTS_FOLDER}/" in f"/{path}" for path in below):
        return True
    loose = [path for path in below if "/" not in path and path.endswith(".jsonl")]
    if any(is_session(path.removesuffix(".jsonl")) for path in loose):
        return True
    return _contain_runs(_group_by_subfolder(map(_relative_to_subfolder, files)))


def _group_by_subfolder(files: Iterable[ScannedFile]) -> dict[str, list[ScannedFile]]:
    """Group files by their first directory; "" for loose files."""
    children: dict[str, list[ScannedFile]] = {}
    for file in files:
        child, slash, _ = file.path.partition("/")
        children.setdefault(child if slash else "", []).append(file)
    return children


def _relative_to_subfolder(file: ScannedFile) -> ScannedFile:
    return file._replace(path=file.path.partition("/")[2])


def _is_run_file(file: ScannedFile) -> bool:
    name = file.path.rpartition("/")[2]
    return name.endswith(".jsonl") or name in RUN_FILE_NAMES
