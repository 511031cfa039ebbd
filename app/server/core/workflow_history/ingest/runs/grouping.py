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
    STATE_FILE,
    TELLING,
    RunFolder,
    ScannedFile,
    is_run_of_its_own,
    is_stream_by_name,
    stem_of,
)

SessionOf = Callable[[ScannedFile], str | None]
"""Function that returns the session named in a subagent's transcript, or None if it names none."""

AGENTS_FOLDER = "agents"

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_SESSION = re.compile(rf"(?:.*[-_])?{_UUID}", re.IGNORECASE)
_ID_LIKE = re.compile(r"\d{4,}|[0-9a-f]{8}", re.IGNORECASE)
_SUB_AGENT = re.compile(r"agent-[0-9a-z]+", re.IGNORECASE)
_SLUG = re.compile(r"-|[A-Za-z]--")  # a path in Claude Code's notation: -home-me-shop, C--Users-me-shop
_DATE = re.compile(r"(?:19|20)\d{6}")
_RUN_ID = re.compile(rf"[0-9a-f]{{8}}|{_UUID}|adw[-_]\w.*|.*\d{{8,}}.*", re.IGNORECASE)
_OWN_ID = re.compile(r"[0-9a-f]{8}|adw[-_]\w*\d\w*", re.IGNORECASE)  # a run's id even in a nested directory


def runs_in(
    name: str, folder: str, files: Sequence[ScannedFile], session_of: SessionOf
) -> Iterator[RunFolder]:
    """Yield the runs of a directory: itself or inside it; `name` is its path below the agents directory."""
    if any(found.path == STATE_FILE for found in files):
        yield RunFolder(name, folder, tuple(files))
        return
    children = _children(files)
    inner: set[str] = set()
    if not _is_run_id(name) and (_hold_logs(children) or _hold_runs(children)):
        inner = {child for child in children if child and not is_session(child)}
    for child in sorted(inner):
        yield from runs_in(
            f"{name}/{child}",
            join_address(folder, child),
            [_below(found) for found in children[child]],
            session_of,
        )
    rest = [found for child, own in children.items() if child not in inner for found in own]
    if not _is_run_id(name) and not _is_worked_in(rest):
        sessions, rest = split_sessions(rest, session_of, by_name=not any(map(_is_agents, rest)))
        for session, own in sorted(sessions.items()):
            yield RunFolder(f"{name}/{session}", folder, tuple(sorted(own)))
    if any(_shows_a_run(found) or found.is_unsure for found in rest):
        yield RunFolder(name, folder, tuple(sorted(rest)))


def split_sessions(
    files: Iterable[ScannedFile], session_of: SessionOf, *, by_name: bool = False
) -> tuple[dict[str, list[ScannedFile]], list[ScannedFile]]:
    """Return the files of each loose session in a directory, by its name, and all other files.

    With `by_name`, a stream that has a run's name and contains a session id also counts as a session.
    """
    every = list(files)
    sessions: dict[str, list[ScannedFile]] = {}
    others: list[ScannedFile] = []
    for found in every:
        stem = stem_of(found.path)
        if "/" in found.path or not is_stream_by_name(found.path):
            others.append(found)
        elif is_sub_agent(stem):
            sessions.setdefault(session_of(found) or stem, []).append(found)
        elif _ID_LIKE.search(stem) or (by_name and is_run_of_its_own(stem) and session_of(found)):
            sessions.setdefault(stem, []).append(found)
        else:
            others.append(found)
    rest = []
    for found in others:
        child = found.path.partition("/")[0]
        if child in sessions or (is_session(child) and "/subagents/" in found.path):
            sessions.setdefault(child, []).append(found)
        else:
            rest.append(found)
    return sessions, rest


def is_session(name: str) -> bool:
    """Return whether the name of a transcript, or of the directory next to it, is or ends in a session id.

    >>> is_session("rollout-2026-01-01T10-00-00-8c5b0a1e-0000-4000-8000-000000000001"), is_session("a1b2c3d4")
    (True, False)
    """
    return _SESSION.fullmatch(name) is not None


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
    last = name.rpartition("/")[2]
    return not _SLUG.match(last) and not _DATE.fullmatch(last) and _RUN_ID.fullmatch(last) is not None


def _is_worked_in(files: Iterable[ScannedFile]) -> bool:
    """Return whether files are those of a single run's directory: a log, a summary, prompts."""
    return any(
        found.path.rpartition("/")[2] in TELLING
        or found.path.startswith("prompts/")
        or "/prompts/" in found.path
        for found in files
    )


def _is_agents(found: ScannedFile) -> bool:
    """Return whether a stream is an agent's, by its name or by being in a subdirectory."""
    stem = stem_of(found.path.rpartition("/")[2])
    if not found.path.endswith(".jsonl") or _ID_LIKE.search(stem) or is_sub_agent(stem):
        return False
    return "/" in found.path or not is_run_of_its_own(stem)


def _hold_logs(children: Mapping[str, Sequence[ScannedFile]]) -> bool:
    """Return whether directories contain only streams with names of runs, such as logs by month or team."""
    inner = [(child, list(map(_below, own))) for child, own in children.items() if child]
    logs = [(child, own) for child, own in inner if any(found.path.endswith(".jsonl") for found in own)]
    return bool(logs) and all(
        classify_phase(child) == "other"
        and not _is_worked_in(own)
        and not any(map(_is_agents, _children(own).get("", [])))
        and (_hold_logs(deeper) if any(deeper := _children(own)) else True)
        for child, own in logs
    )


def _hold_runs(children: Mapping[str, Sequence[ScannedFile]]) -> bool:
    return any(_holds_runs(child, own) for child, own in children.items() if child)


def _holds_runs(child: str, files: Sequence[ScannedFile]) -> bool:
    """Return whether a subdirectory is a run of its own or contains runs."""
    below = [found.path.partition("/")[2] for found in files]
    if STATE_FILE in below:
        return True
    if _OWN_ID.fullmatch(child) and not _DATE.fullmatch(child) and any(map(_shows_a_run, files)):
        return True
    if child == AGENTS_FOLDER or any(f"/{AGENTS_FOLDER}/" in f"/{path}" for path in below):
        return True
    loose = [path for path in below if "/" not in path and path.endswith(".jsonl")]
    if any(is_session(path.removesuffix(".jsonl")) for path in loose):
        return True
    return _hold_runs(_children(map(_below, files)))


def _children(files: Iterable[ScannedFile]) -> dict[str, list[ScannedFile]]:
    """Group files by their first directory; "" for loose files."""
    children: dict[str, list[ScannedFile]] = {}
    for found in files:
        child, slash, _ = found.path.partition("/")
        children.setdefault(child if slash else "", []).append(found)
    return children


def _below(found: ScannedFile) -> ScannedFile:
    return found._replace(path=found.path.partition("/")[2])


def _shows_a_run(found: ScannedFile) -> bool:
    name = found.path.rpartition("/")[2]
    return name.endswith(".jsonl") or name in TELLING
