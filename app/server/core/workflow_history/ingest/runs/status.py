"""Decide the status of a run, with a reason, from the evidence in its files.

Nothing is guessed from words in an agent's answer, and nothing here reads the clock: `now` is a parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from ...common.models import SESSION_FORMATS, RunStatus, Severity, StreamFacts
from ...common.outcomes import DID_NOTHING, Outcome, classify_outcome, has_answer, subtype_message
from ...common.phases import PHASES, classify_phase, split_name
from ...common.plausible_dates import SILENCE_TIMEOUT, is_plausible
from ..streams.claude_schema import error_text
from .run_times import state_phases
from .state_words import clean_text, quote_value, stated_status, status_word

_PREPARING_PHASES: Final = frozenset({"classify", "branch", "ops"})
"""Phases that only prepare a run's work: a run with no other phases is not completed."""

_UNORDERED_PHASES: Final = frozenset({"ops", "other"})
"""Phases that may come at any time of a run."""

_WORK_PHASES: Final = frozenset({"plan", "build", "test", "review", "patch", "document"})
"""Phases that need an agent if the workflow's name contains them."""

_FAILURE_REASONS: Final = {
    Outcome.ERROR: "ended with an error",
    Outcome.EMPTY: "left an empty transcript",
    Outcome.FALSE_SUCCESS: "says success, but did nothing",
}


class StatusDecision(NamedTuple):
    """Status of a run, and the reason for it."""

    status: RunStatus | str  # a str is the state's own word
    reason: str
    error: str | None = None
    inferred: bool = False  # True: inferred from how the agents ended, not stated in a file


class LogError(NamedTuple):
    """The last error of the log that was written last."""

    path: str
    text: str
    is_last: bool = True  # whether the log ends with it; False: the log continued, and no agent ran


@dataclass(frozen=True, slots=True)
class StatusEvidence:
    """All evidence for the status of a run."""

    state: dict[str, Any]
    streams: Sequence[StreamFacts]
    summary: tuple[str, bool | None] | None = None  # path and success of a workflow summary
    error_log: tuple[str, str] | None = None  # path and last error of an error log
    log_error: LogError | None = None
    completion: tuple[str, str] | None = None  # path of a log and its completion line
    written_at: datetime | None = None  # aware UTC, of the newest file; None: file times can't be used
    being_written: bool = False  # whether more than a recent file time shows that files are being written
    in_order: bool = False  # whether times show which agent ran last
    silent_agents: Sequence[str] = ()  # agents with a prompt and without a stream
    scripts: Sequence[str] = ()  # names of the workflow's scripts from the state and the logs


def decide_status(evidence: StatusEvidence, now: datetime) -> StatusDecision:
    """Return the decision of the first rule that applies; "unknown" if none does."""
    rules = (
        _decide_by_state,
        _decide_session,
        _decide_failed,
        _decide_running_by_log,
        _decide_unfinished,
        _decide_completed,
        _decide_completed_by_answer,
    )
    for rule in rules:
        verdict = rule(evidence, now)
        if verdict is not None:
            return verdict
    return StatusDecision(RunStatus.UNKNOWN, _unknown_reason(evidence))


def _decide_session(evidence: StatusEvidence, now: datetime) -> StatusDecision | None:
    """Decide by the last line of a session's own transcript, if nothing but transcripts is there.

    The transcripts of its subagents do not count. An answer at the end is no proof of success.
    """
    others = (evidence.summary, evidence.error_log, evidence.log_error, evidence.completion)
    stream = session_stream(evidence.streams)
    if stream is None or evidence.state or any(others):
        return None
    outcome = classify_outcome(stream)
    if outcome == Outcome.SUCCESS:
        return StatusDecision(RunStatus.ENDED, f"the session ended with an answer ({stream.path})")
    if outcome == Outcome.STOPPED:
        return StatusDecision(RunStatus.STOPPED, f"the session was interrupted by the user ({stream.path})")
    if outcome == Outcome.ERROR:
        reason = f"the session ended with an error ({stream.path})"
        return StatusDecision(RunStatus.FAILED, reason, stream.ending_text.strip() or None)
    if outcome == Outcome.INCOMPLETE and _is_being_written(evidence, now):
        return StatusDecision(RunStatus.RUNNING, f"the session has no answer yet ({stream.path})")
    return None


def session_stream(streams: Iterable[StreamFacts]) -> StreamFacts | None:
    """Return the transcript of a run's session without its subagents; None if the run is no single session.

    Of a session in several files, because it was resumed or migrated, it is the one that ended last.
    """
    own = [stream for stream in streams if not stream.is_subagent]
    sessions = {stream.session.id if stream.session else None for stream in own}
    if len(sessions) != 1 or any(stream.format not in SESSION_FORMATS for stream in own):
        return None
    return _sort_by_time(own)[-1] if len(own) == 1 or None not in sessions else None


def _unknown_reason(evidence: StatusEvidence) -> str:
    if not evidence.streams:
        return "no transcript and no sign of an end"
    last = furthest_stream(evidence.streams, in_order=evidence.in_order)
    if not last or any(classify_outcome(stream) != Outcome.SUCCESS for stream in last):
        return "the end of its last agent is unknown"
    unfinished = _unfinished_reason(evidence)
    return f"its last agent succeeded, but {unfinished or 'without an answer'}"


def _decide_by_state(evidence: StatusEvidence, now: datetime) -> StatusDecision | None:
    stated_word = status_word(evidence.state)
    if stated_word is None:
        return None
    status = stated_status(evidence.state) or stated_word
    if status == RunStatus.RUNNING and not _is_being_written(evidence, now):
        return StatusDecision(
            RunStatus.INCOMPLETE, f"the state says {stated_word!r}, but no file is being written"
        )
    failed = [entry for entry in state_phases(evidence.state) if entry.get("success") is False]
    phase = clean_text(failed[-1].get("phase")) if failed and status == RunStatus.FAILED else None
    reason = f"the state says {stated_word!r}" + (f"; its phase {phase!r} failed" if phase else "")
    return StatusDecision(status, reason, state_error(evidence.state))


def state_error(state: dict[str, Any]) -> str | None:
    """Return the error in a state file: its own, or that of its last failed phase with one; None if none."""
    for key in ("error_message", "error", "last_error"):
        if message := _error_message(state.get(key)):
            return message
    for phase in reversed(state_phases(state)):
        if phase.get("success") is False and (message := _error_message(phase.get("error_message"))):
            return message
    return None


def _error_message(error: Any) -> str | None:
    if isinstance(error, dict | list):
        return error_text(error)
    return error.strip() or None if isinstance(error, str) else None


def _decide_failed(evidence: StatusEvidence, now: datetime) -> StatusDecision | None:
    if evidence.error_log is not None:
        path, error = evidence.error_log
        return StatusDecision(RunStatus.FAILED, f"there is an error log: {path}", error)
    if evidence.summary is not None and evidence.summary[1] is False:
        return StatusDecision(RunStatus.FAILED, f"its summary says that it failed: {evidence.summary[0]}")
    if evidence.state.get("completed_at") and not evidence.streams:
        return None
    for stream in furthest_stream(evidence.streams, in_order=evidence.in_order):
        outcome = classify_outcome(stream)
        if outcome == Outcome.EMPTY and evidence.written_at and not is_timed_out(evidence.written_at, now):
            reason = f"{stream.agent} has written nothing yet ({stream.path})"
            return StatusDecision(RunStatus.INCOMPLETE, reason)
        if outcome in _FAILURE_REASONS:
            last = stream.results[-1] if stream.results else None
            message = subtype_message(last.subtype) if last and outcome == Outcome.ERROR else None
            end = _FAILURE_REASONS[outcome] + (f": {message}" if message else "")
            reason = f"{stream.agent} {end} ({stream.path})"
            text = last.text if last else stream.ending_text
            return StatusDecision(RunStatus.FAILED, reason, text.strip() or None)
    return _decide_failed_by_log(evidence, now)


def _decide_failed_by_log(evidence: StatusEvidence, now: datetime) -> StatusDecision | None:
    """Decide "failed" if the workflow's own log has an error and nothing shows that the run continued."""
    error = evidence.log_error
    if error is None or evidence.state.get("completed_at") or evidence.summary is not None:
        return None
    if (evidence.streams or not error.is_last) and _is_being_written(evidence, now):
        return None
    reason = "ends with an error" if error.is_last else "has an error, and no agent worked"
    return StatusDecision(RunStatus.FAILED, f"{error.path} {reason}", error.text)


def _decide_unfinished(evidence: StatusEvidence, now: datetime) -> StatusDecision | None:
    """Decide "running", "stopped" or "incomplete" for a last agent without a result."""
    if not evidence.streams or evidence.state.get("completed_at"):
        return None
    last = furthest_stream(evidence.streams, in_order=evidence.in_order)
    stopped = [stream for stream in last if classify_outcome(stream) == Outcome.STOPPED]
    if stopped:
        return StatusDecision(
            RunStatus.STOPPED, f"{stopped[0].agent} was interrupted by the user ({stopped[0].path})"
        )
    if any(
        map(_has_unreadable_end, last[:1])
    ):  # that line may have been a result, so the agent isn't running
        reason = f"the last line of {last[0].agent} cannot be read ({last[0].path})"
        return (
            None if evidence.completion or evidence.summary else StatusDecision(RunStatus.INCOMPLETE, reason)
        )
    in_sequence = (
        _sort_by_time(evidence.streams) if evidence.in_order else sorted(evidence.streams, key=_phase_rank)
    )
    if _is_being_written(evidence, now):
        for stream in (in_sequence[-1], *last[:1]):
            if classify_outcome(stream) == Outcome.INCOMPLETE:
                return StatusDecision(RunStatus.RUNNING, f"{stream.agent} has no result yet ({stream.path})")
    elif last and classify_outcome(last[0]) == Outcome.INCOMPLETE:
        return StatusDecision(
            RunStatus.INCOMPLETE, f"{last[0].agent} ended without a result ({last[0].path})"
        )
    return None


def _decide_running_by_log(evidence: StatusEvidence, now: datetime) -> StatusDecision | None:
    """Decide "running" for a run without an agent whose log continued after an error."""
    error = evidence.log_error  # not at the log's end: an earlier rule has decided "failed" for that
    is_over = evidence.streams or evidence.summary is not None or evidence.state.get("completed_at")
    if error is None or is_over or not _is_being_written(evidence, now):
        return None
    return StatusDecision(RunStatus.RUNNING, f"{error.path} continues after an error")


def _decide_completed(evidence: StatusEvidence, _now: datetime) -> StatusDecision | None:
    if evidence.state.get("completed_at"):
        return StatusDecision(RunStatus.COMPLETED, "the state has a completed_at")
    if evidence.summary is not None:
        return StatusDecision(RunStatus.COMPLETED, f"there is a workflow summary: {evidence.summary[0]}")
    if evidence.completion is not None:
        path, line = evidence.completion
        return StatusDecision(RunStatus.COMPLETED, f"{path} says: {line}")
    for stream in evidence.streams:
        if classify_phase(stream.agent) == "ship" and classify_outcome(stream) == Outcome.SUCCESS:
            return StatusDecision(RunStatus.COMPLETED, f"{stream.agent} succeeded ({stream.path})")
    return None


def _decide_completed_by_answer(evidence: StatusEvidence, _now: datetime) -> StatusDecision | None:
    """Decide "completed" if the last agent succeeded with an answer and no more work was planned."""
    last = furthest_stream(evidence.streams, in_order=evidence.in_order)[-1:]
    if not last or classify_outcome(last[0]) != Outcome.SUCCESS or not has_answer(last[0]):
        return None
    if _unfinished_reason(evidence) is not None:
        return None
    (stream,) = last
    if len(evidence.streams) == 1:
        agent = "the transcript" if not stream.results else f"{stream.agent}, its only agent,"
        return StatusDecision(
            RunStatus.COMPLETED, f"{agent} ended with an answer ({stream.path})", inferred=True
        )
    if all(classify_outcome(other) == Outcome.SUCCESS for other in evidence.streams):
        return StatusDecision(
            RunStatus.COMPLETED, f"all its {len(evidence.streams)} agents succeeded", inferred=True
        )
    reason = f"{stream.agent}, its last agent, ended with an answer ({stream.path})"
    return StatusDecision(RunStatus.COMPLETED, reason, inferred=True)


def _unfinished_reason(evidence: StatusEvidence) -> str | None:
    """Return the evidence that the run should have continued after its agents ended, or None."""
    if evidence.silent_agents:
        return f"{evidence.silent_agents[-1]} has a prompt but no transcript"
    phases = {classify_phase(stream.agent) for stream in evidence.streams}
    if phases and phases <= _PREPARING_PHASES:
        return "they only prepared its work"
    completed, current = evidence.state.get("completed_phases"), evidence.state.get("current_phase")
    if isinstance(completed, list) and isinstance(current, str) and current and current not in completed:
        return f"the state has not completed its phase {quote_value(current)}"
    if "other" in phases:  # the purpose of such an agent is unknown: it may have covered a missing phase
        return None
    for script in evidence.scripts:
        missing = [phase for phase in _planned_phases(script) if phase not in phases]
        if missing:
            return f"{script} was to {missing[0]}, and no agent of that phase is there"
    return None


def _planned_phases(script: str) -> list[str]:
    """Return the phases in a workflow's name that need an agent.

    >>> _planned_phases("adw_plan_build_iso"), _planned_phases("adw_sdlc"), _planned_phases("nightly")
    (['plan', 'build'], ['plan', 'build'], [])
    """
    names = [
        name for part in split_name(script) for name in (("plan", "build") if part == "sdlc" else (part,))
    ]
    return [phase for name in names if (phase := classify_phase(name)) in _WORK_PHASES]


def _has_unreadable_end(stream: StreamFacts) -> bool:
    """Return whether a stream's last line is complete but unreadable: it may be the result."""
    is_unreadable = any(
        problem.line == stream.lines and problem.severity == Severity.ERROR for problem in stream.problems
    )
    return is_unreadable and not stream.is_truncated and classify_outcome(stream) == Outcome.INCOMPLETE


def _is_being_written(evidence: StatusEvidence, now: datetime) -> bool:
    written_at = evidence.written_at
    return evidence.being_written and written_at is not None and not is_timed_out(written_at, now)


def is_in_future(written: datetime, now: datetime) -> bool:
    """Return whether a file time is so far in the future that a clock must be wrong; both times are aware."""
    return written > now and not is_plausible(written, now)


def is_timed_out(written: datetime, now: datetime) -> bool:
    """Return whether nothing was written for so long that no agent can be running; both times are aware."""
    return now - written > SILENCE_TIMEOUT or not is_plausible(written, now)


def furthest_stream(streams: Sequence[StreamFacts], *, in_order: bool) -> list[StreamFacts]:
    """Return the stream of the furthest phase, and without times also those of ship phases (pull requests).

    Streams are ordered by their times if `in_order`, otherwise by the usual order of phases. A committer's
    incomplete stream is ignored, as its own commit often cuts it off. So is a preparing or cleaning step that
    did nothing, if others worked.
    """
    working = [
        stream
        for stream in streams
        if classify_phase(stream.agent) != "commit" or classify_outcome(stream) != "incomplete"
    ]
    idle = {"ops"} if in_order else _UNORDERED_PHASES
    needed = [
        stream
        for stream in working
        if classify_phase(stream.agent) not in idle or classify_outcome(stream) not in DID_NOTHING
    ]
    working = needed or working
    if not working:
        return []
    if in_order:
        return _sort_by_time(working)[-1:]
    makers = [stream for stream in working if classify_phase(stream.agent) != "ship"]
    openers = [stream for stream in working if classify_phase(stream.agent) == "ship"]
    last = max(makers, key=lambda stream: (_phase_rank(stream), stream.agent), default=None)
    return [*([last] if last else []), *openers]


def _sort_by_time(streams: Iterable[StreamFacts]) -> list[StreamFacts]:
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(
        streams,
        key=lambda stream: (
            stream.ended_at or stream.modified_at or oldest,
            _phase_rank(stream),
            stream.agent,
        ),
    )


def _phase_rank(stream: StreamFacts) -> float:
    """Return a stream's rank in the usual order of phases; a committer follows the agent it commits for."""
    phase = classify_phase(stream.agent)
    if phase != "commit":
        return PHASES.index(phase)
    agent_name = "_".join(part for part in split_name(stream.agent) if classify_phase(part) != "commit")
    committed_phase = classify_phase(agent_name)
    return PHASES.index(phase) if committed_phase == "other" else PHASES.index(committed_phase) + 0.5
