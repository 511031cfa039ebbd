"""Judge honestly how a run stands: what its files say goes in, a status and the reason for it come out.

Nothing is guessed from words in an agent's answer, and nothing here reads the clock: `now` comes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from ..dating import is_plausible
from ..models import StreamFacts
from ..outcomes import outcome_of
from ..phases import PHASES, phase_of, words_of
from .times import phase_results

SILENT_AFTER = timedelta(minutes=30)  # a tool call may take long; an agent that writes nothing longer is gone

STATED = {
    "completed": "completed", "complete": "completed", "success": "completed", "succeeded": "completed",
    "successful": "completed", "done": "completed", "finished": "completed", "passed": "completed",
    "failed": "failed", "failure": "failed", "error": "failed", "errored": "failed", "aborted": "failed",
    "running": "running", "in_progress": "running", "started": "running", "active": "running",
}  # fmt: skip


class Verdict(NamedTuple):
    """A run's status, and why it is thought so."""

    status: str  # completed, failed, running, incomplete, unknown, or the state's own word
    reason: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that speaks for a status."""

    state: dict[str, Any]
    streams: Sequence[StreamFacts]
    summary: tuple[str, bool | None] | None = None  # a workflow summary's path, and its word on success
    error_log: tuple[str, str] | None = None  # (path, its last line)
    completion: tuple[str, str] | None = None  # (path, the log line that says so)
    written_at: datetime | None = None  # aware UTC, the newest file; None: file times tell nothing
    in_order: bool = False  # the files' times tell which agent came last


def judge(evidence: Evidence, now: datetime) -> Verdict:
    """Return the status by the first rule that speaks."""
    rules = (_stated, _failed, _unfinished, _completed)
    for rule in rules:
        verdict = rule(evidence, now)
        if verdict is not None:
            return verdict
    if not evidence.streams:
        return Verdict("unknown", "no stream and no word of an end")
    return Verdict("unknown", "its agents ended well, but nothing says that the workflow did")


def _stated(evidence: Evidence, now: datetime) -> Verdict | None:
    given = evidence.state.get("status")
    if not isinstance(given, str) or not given.strip():
        return None
    word = given.strip().lower().replace(" ", "_").replace("-", "_")
    status = STATED.get(word, given.strip())
    if status == "running" and _silent(evidence, now):
        return Verdict("incomplete", f"the state says {given!r}, but nothing was written for long")
    phase = _failed_phase(evidence.state) if status == "failed" else None
    said = f"the state says {given!r}" + (f"; its phase {phase!r} failed" if phase else "")
    return Verdict(status, said, state_error(evidence.state))


def _failed_phase(state: dict[str, Any]) -> str | None:
    """Return the last phase that the state says failed."""
    failed = [entry.get("phase") for entry in phase_results(state) if entry.get("success") is False]
    return failed[-1] if failed and isinstance(failed[-1], str) else None


def state_error(state: dict[str, Any]) -> str | None:
    """Return the error that a state file tells of: its own, or its last failed phase's."""
    for key in ("error_message", "error", "last_error"):
        if isinstance(value := state.get(key), str) and value.strip():
            return value.strip()
    for phase in reversed(phase_results(state)):
        if phase.get("success") is False:
            message = phase.get("error_message")
            if isinstance(message, str) and message.strip():
                return message.strip()
    return None


def _failed(evidence: Evidence, _now: datetime) -> Verdict | None:
    if evidence.error_log is not None:
        path, line = evidence.error_log
        return Verdict("failed", f"there is an error log: {path}", line)
    if evidence.summary is not None and evidence.summary[1] is False:
        return Verdict("failed", f"its summary says that it failed: {evidence.summary[0]}")
    if evidence.state.get("completed_at") and not evidence.streams:
        return None
    for stream in furthest(evidence.streams, in_order=evidence.in_order):
        outcome = outcome_of(stream)
        if outcome not in ("error", "empty", "false_success"):
            continue
        text = stream.results[-1].text.strip() if stream.results else ""
        why = {
            "error": "ended with an error",
            "empty": "left an empty stream",
            "false_success": "says success, but did nothing",
        }[outcome]
        return Verdict("failed", f"{stream.agent} {why} ({stream.path})", text or None)
    return None


def _unfinished(evidence: Evidence, now: datetime) -> Verdict | None:
    """Without a result the last agent is still at work, or was cut off."""
    if not evidence.streams or evidence.state.get("completed_at"):
        return None
    last = furthest(evidence.streams, in_order=evidence.in_order)[:1]
    if any(map(_ends_garbled, last)):  # it may have had a result, so that nobody is at work
        why = f"the last line of {last[0].agent} cannot be read ({last[0].path})"
        return None if evidence.completion or evidence.summary else Verdict("incomplete", why)
    every = _by_time(evidence.streams) if evidence.in_order else sorted(evidence.streams, key=_rank)
    fresh = not _silent(evidence, now)
    if fresh and outcome_of(every[-1]) == "incomplete":
        return Verdict("running", f"{every[-1].agent} has no result yet ({every[-1].path})")
    for stream in last:
        if outcome_of(stream) == "incomplete":
            if fresh:
                return Verdict("running", f"{stream.agent} has no result yet ({stream.path})")
            return Verdict("incomplete", f"{stream.agent} was cut off: no result ({stream.path})")
    return None


def _completed(evidence: Evidence, _now: datetime) -> Verdict | None:
    if evidence.state.get("completed_at"):
        return Verdict("completed", "the state has a completed_at")
    if evidence.summary is not None:
        return Verdict("completed", f"there is a workflow summary: {evidence.summary[0]}")
    if evidence.completion is not None:
        path, line = evidence.completion
        return Verdict("completed", f"{path} says: {line}")
    for stream in evidence.streams:
        if phase_of(stream.agent) == "ship" and outcome_of(stream) == "success":
            return Verdict("completed", f"{stream.agent} ended well ({stream.path})")
    return None


def _ends_garbled(stream: StreamFacts) -> bool:
    """Tell whether a stream's last line is whole and cannot be read: it may be the result."""
    unread = any(found.line == stream.lines and found.severity == "error" for found in stream.problems)
    return unread and not stream.cut and outcome_of(stream) == "incomplete"


def _silent(evidence: Evidence, now: datetime) -> bool:
    return evidence.written_at is None or is_silent(evidence.written_at, now)


def is_early(written: datetime, now: datetime) -> bool:
    """Tell whether something was written so far in the future that a clock must be wrong; both aware."""
    return written > now and not is_plausible(written, now)


def is_silent(written: datetime, now: datetime) -> bool:
    """Tell whether nothing was written for so long that nobody can be at work; both aware."""
    return now - written > SILENT_AFTER or not is_plausible(written, now)


def furthest(streams: Sequence[StreamFacts], *, in_order: bool) -> list[StreamFacts]:
    """Return the stream that the run came furthest with, and a pull request's beside it.

    By file times where these tell an order; otherwise by the usual order of phases. A committer's
    stream is often cut by its own commit: that decides nothing.
    """
    working = [
        stream
        for stream in streams
        if phase_of(stream.agent) != "commit" or outcome_of(stream) != "incomplete"
    ]
    if not working:
        return []
    if in_order:
        return _by_time(working)[-1:]
    makers = [stream for stream in working if phase_of(stream.agent) != "ship"]
    openers = [stream for stream in working if phase_of(stream.agent) == "ship"]
    last = max(makers, key=lambda stream: (_rank(stream), stream.agent), default=None)
    return [*([last] if last else []), *openers]


def _by_time(streams: Iterable[StreamFacts]) -> list[StreamFacts]:
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(
        streams,
        key=lambda stream: (
            stream.modified_at or oldest,
            _rank(stream),
            stream.agent,
        ),
    )


def _rank(stream: StreamFacts) -> float:
    """Return a stream's place in the usual order; a committer comes right after the agent it commits for."""
    phase = phase_of(stream.agent)
    if phase != "commit":
        return PHASES.index(phase)
    base = "_".join(word for word in words_of(stream.agent) if phase_of(word) != "commit")
    return PHASES.index(phase_of(base)) + 0.5 if phase_of(base) != "other" else PHASES.index(phase)
