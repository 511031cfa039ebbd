"""Decide the status of a run, with a reason, from the evidence in its files.

Nothing is guessed from words in an agent's answer, and nothing here reads the clock: `now` is a parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from ...common.models import StreamFacts
from ...common.outcomes import DID_NOTHING, classify_outcome, has_answer
from ...common.phases import PHASES, classify_phase, split_name
from ...common.plausible_dates import SILENCE_TIMEOUT, is_plausible
from ..streams.claude_schema import error_text
from .run_times import state_phases
from .state_words import quoted, stated_status, status_word, word

_PREPARING: Final = frozenset({"classify", "branch", "ops"})
"""Phases that only prepare a run's work: a run with no other phases is not completed."""

_UNPLACED: Final = frozenset({"ops", "other"})
"""Phases that may come at any time of a run."""

_WORK: Final = frozenset({"plan", "build", "test", "review", "patch", "document"})
"""Phases that need an agent if the workflow's name contains them."""

_BAD: Final = {
    "error": "ended with an error",
    "empty": "left an empty stream",
    "false_success": "says success, but did nothing",
}


class StatusDecision(NamedTuple):
    """Status of a run, and the reason for it."""

    status: str  # completed, failed, stopped, running, incomplete, unknown, or the state's own word
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
    rules = (_stated, _failed, _goes_on, _unfinished, _completed, _ended_well)
    for rule in rules:
        verdict = rule(evidence, now)
        if verdict is not None:
            return verdict
    return StatusDecision("unknown", _why_unknown(evidence))


def _why_unknown(evidence: StatusEvidence) -> str:
    if not evidence.streams:
        return "no stream and no word of an end"
    last = furthest_stream(evidence.streams, in_order=evidence.in_order)
    if not last or any(classify_outcome(stream) != "success" for stream in last):
        return "nothing tells how its last agent ended"
    more = _more_planned(evidence)
    return f"its last agent ended well, but {more or 'without an answer'}"


def _stated(evidence: StatusEvidence, now: datetime) -> StatusDecision | None:
    given = status_word(evidence.state)
    if given is None:
        return None
    status = stated_status(evidence.state) or given
    if status == "running" and not _is_at_work(evidence, now):
        return StatusDecision(
            "incomplete", f"the state says {given!r}, but nothing shows that anybody writes now"
        )
    phase = _failed_phase(evidence.state) if status == "failed" else None
    said = f"the state says {given!r}" + (f"; its phase {phase!r} failed" if phase else "")
    return StatusDecision(status, said, state_error(evidence.state))


def _failed_phase(state: dict[str, Any]) -> str | None:
    """Return the last failed phase according to the state, or None."""
    failed = [entry.get("phase") for entry in state_phases(state) if entry.get("success") is False]
    return word(failed[-1]) if failed else None


def state_error(state: dict[str, Any]) -> str | None:
    """Return the error in a state file: its own, or that of its last failed phase with one; None if none."""
    for key in ("error_message", "error", "last_error"):
        if said := _message_of(state.get(key)):
            return said
    for phase in reversed(state_phases(state)):
        if phase.get("success") is False and (said := _message_of(phase.get("error_message"))):
            return said
    return None


def _message_of(error: Any) -> str | None:
    if isinstance(error, dict | list):
        return error_text(error)
    return error.strip() or None if isinstance(error, str) else None


def _failed(evidence: StatusEvidence, now: datetime) -> StatusDecision | None:
    if evidence.error_log is not None:
        path, line = evidence.error_log
        return StatusDecision("failed", f"there is an error log: {path}", line)
    if evidence.summary is not None and evidence.summary[1] is False:
        return StatusDecision("failed", f"its summary says that it failed: {evidence.summary[0]}")
    if evidence.state.get("completed_at") and not evidence.streams:
        return None
    for stream in furthest_stream(evidence.streams, in_order=evidence.in_order):
        outcome = classify_outcome(stream)
        if outcome in _BAD:
            why = f"{stream.agent} {_BAD[outcome]} ({stream.path})"
            return StatusDecision("failed", why, _last_words(stream) or None)
    return _failed_by_its_log(evidence, now)


def _last_words(stream: StreamFacts) -> str:
    return (stream.results[-1].text if stream.results else stream.ending_text).strip()


def _failed_by_its_log(evidence: StatusEvidence, now: datetime) -> StatusDecision | None:
    """Decide "failed" if the workflow's own log has an error and nothing shows that the run continued."""
    error = evidence.log_error
    if error is None or evidence.state.get("completed_at") or evidence.summary is not None:
        return None
    if (evidence.streams or not error.is_last) and _is_at_work(evidence, now):
        return None
    why = "ends with an error" if error.is_last else "has an error, and no agent worked"
    return StatusDecision("failed", f"{error.path} {why}", error.text)


def _unfinished(evidence: StatusEvidence, now: datetime) -> StatusDecision | None:
    """Decide "running", "stopped" or "incomplete" for a last agent without a result."""
    if not evidence.streams or evidence.state.get("completed_at"):
        return None
    last = furthest_stream(evidence.streams, in_order=evidence.in_order)
    stopped = [stream for stream in last if classify_outcome(stream) == "stopped"]
    if stopped:
        return StatusDecision(
            "stopped", f"{stopped[0].agent} was interrupted by the user ({stopped[0].path})"
        )
    if any(map(_ends_garbled, last[:1])):  # that line may have been a result, so the agent isn't running
        why = f"the last line of {last[0].agent} cannot be read ({last[0].path})"
        return None if evidence.completion or evidence.summary else StatusDecision("incomplete", why)
    every = _by_time(evidence.streams) if evidence.in_order else sorted(evidence.streams, key=_rank)
    if _is_at_work(evidence, now):
        for stream in (every[-1], *last[:1]):
            if classify_outcome(stream) == "incomplete":
                return StatusDecision("running", f"{stream.agent} has no result yet ({stream.path})")
    elif last and classify_outcome(last[0]) == "incomplete":
        return StatusDecision("incomplete", f"{last[0].agent} was cut off: no result ({last[0].path})")
    return None


def _goes_on(evidence: StatusEvidence, now: datetime) -> StatusDecision | None:
    """Decide "running" for a run without an agent whose log continued after an error."""
    error = evidence.log_error  # not at the log's end: an earlier rule has decided "failed" for that
    is_over = evidence.streams or evidence.summary is not None or evidence.state.get("completed_at")
    if error is None or is_over or not _is_at_work(evidence, now):
        return None
    return StatusDecision("running", f"{error.path} goes on after an error")


def _completed(evidence: StatusEvidence, _now: datetime) -> StatusDecision | None:
    if evidence.state.get("completed_at"):
        return StatusDecision("completed", "the state has a completed_at")
    if evidence.summary is not None:
        return StatusDecision("completed", f"there is a workflow summary: {evidence.summary[0]}")
    if evidence.completion is not None:
        path, line = evidence.completion
        return StatusDecision("completed", f"{path} says: {line}")
    for stream in evidence.streams:
        if classify_phase(stream.agent) == "ship" and classify_outcome(stream) == "success":
            return StatusDecision("completed", f"{stream.agent} ended well ({stream.path})")
    return None


def _ended_well(evidence: StatusEvidence, _now: datetime) -> StatusDecision | None:
    """Decide "completed" if the last agent succeeded with an answer and no more work was planned."""
    last = furthest_stream(evidence.streams, in_order=evidence.in_order)[-1:]
    if not last or classify_outcome(last[0]) != "success" or not has_answer(last[0]):
        return None
    if _more_planned(evidence) is not None:
        return None
    (stream,) = last
    if len(evidence.streams) == 1:
        what = "the transcript" if not stream.results else f"{stream.agent}, its only agent,"
        return StatusDecision("completed", f"{what} ended with an answer ({stream.path})", inferred=True)
    if all(classify_outcome(each) == "success" for each in evidence.streams):
        return StatusDecision(
            "completed", f"all its {len(evidence.streams)} agents ended well", inferred=True
        )
    why = f"{stream.agent}, its last agent, ended with an answer ({stream.path})"
    return StatusDecision("completed", why, inferred=True)


def _more_planned(evidence: StatusEvidence) -> str | None:
    """Return the evidence that the run should have continued after its agents ended, or None."""
    if evidence.silent_agents:
        return f"{evidence.silent_agents[-1]} was given a prompt and left no stream"
    heard = {classify_phase(stream.agent) for stream in evidence.streams}
    if heard and heard <= _PREPARING:
        return "they only prepared its work"
    done, current = evidence.state.get("completed_phases"), evidence.state.get("current_phase")
    if isinstance(done, list) and isinstance(current, str) and current and current not in done:
        return f"the state has not completed its phase {quoted(current)}"
    if "other" in heard:  # the purpose of such an agent is unknown: it may have covered a missing phase
        return None
    for script in evidence.scripts:
        missing = [phase for phase in _promised(script) if phase not in heard]
        if missing:
            return f"{script} was to {missing[0]}, and no agent of that phase is there"
    return None


def _promised(script: str) -> list[str]:
    """Return the phases in a workflow's name that need an agent.

    >>> _promised("adw_plan_build_iso"), _promised("adw_sdlc"), _promised("nightly")
    (['plan', 'build'], ['plan', 'build'], [])
    """
    words = [
        each for word in split_name(script) for each in (("plan", "build") if word == "sdlc" else (word,))
    ]
    return [phase for word in words if (phase := classify_phase(word)) in _WORK]


def _ends_garbled(stream: StreamFacts) -> bool:
    """Return whether a stream's last line is complete but unreadable: it may be the result."""
    unread = any(found.line == stream.lines and found.severity == "error" for found in stream.problems)
    return unread and not stream.is_truncated and classify_outcome(stream) == "incomplete"


def _is_at_work(evidence: StatusEvidence, now: datetime) -> bool:
    written = evidence.written_at
    return evidence.being_written and written is not None and not is_timed_out(written, now)


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
    idle = {"ops"} if in_order else _UNPLACED
    needed = [
        stream
        for stream in working
        if classify_phase(stream.agent) not in idle or classify_outcome(stream) not in DID_NOTHING
    ]
    working = needed or working
    if not working:
        return []
    if in_order:
        return _by_time(working)[-1:]
    makers = [stream for stream in working if classify_phase(stream.agent) != "ship"]
    openers = [stream for stream in working if classify_phase(stream.agent) == "ship"]
    last = max(makers, key=lambda stream: (_rank(stream), stream.agent), default=None)
    return [*([last] if last else []), *openers]


def _by_time(streams: Iterable[StreamFacts]) -> list[StreamFacts]:
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(
        streams,
        key=lambda stream: (
            stream.ended_at or stream.modified_at or oldest,
            _rank(stream),
            stream.agent,
        ),
    )


def _rank(stream: StreamFacts) -> float:
    """Return a stream's rank in the usual order of phases; a committer follows the agent it commits for."""
    phase = classify_phase(stream.agent)
    if phase != "commit":
        return PHASES.index(phase)
    base = "_".join(word for word in split_name(stream.agent) if classify_phase(word) != "commit")
    return (
        PHASES.index(classify_phase(base)) + 0.5 if classify_phase(base) != "other" else PHASES.index(phase)
    )
