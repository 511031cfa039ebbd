"""Account for one stream: its facts in, one agent run with its cost out. No other stream is looked at."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from ..models import AgentRun, ResultSegment, StreamFacts
from ..outcomes import outcome_of
from ..phases import phase_of
from ..scrubbing import scrub
from .fields import cost_fields
from .spending import last_result_line, loose_messages, spending_of

ERROR_LENGTH = 500  # characters of a result's text kept as the error


def agent_run(
    facts: StreamFacts,
    at: datetime | None,
    *,
    lacking: bool = False,
    repeated: AbstractSet[str] = frozenset(),
) -> AgentRun:
    """Return the agent run of one stream with its whole cost, priced at its own start, else at `at`.

    `lacking`: more was spent than it shows. `repeated`: ids of messages that are another run's work, whose
    calls are no calls of this one.
    """
    spent = spending_of(facts, loose_messages(facts), facts.started_at or at, lacking=lacking)
    fields = {
        "phase": phase_of(facts.agent),
        "agent": facts.agent,
        **cost_fields(spent, facts.model),
        **_work_fields(facts, repeated),
        **time_fields(facts),
        **_outcome_fields(facts),
        **_source_fields(facts),
        "is_retry": spent.restarts > 0,
        "attempt": 1,
        "superseded": False,
        "duplicate_of": None,
    }
    return cast("AgentRun", fields)


def _outcome_fields(facts: StreamFacts) -> dict[str, Any]:
    outcome = outcome_of(facts)
    last = facts.results[-1] if facts.results else None
    failed = outcome in {"error", "false_success"}
    text = (last.text.strip() or last.subtype) if last else facts.ending_text
    return {
        "outcome": outcome,
        "is_error": last.is_error if last else (True if outcome == "error" else None),
        "error": scrub(text)[:ERROR_LENGTH] if failed and text else None,
    }


def _work_fields(facts: StreamFacts, repeated: AbstractSet[str]) -> dict[str, Any]:
    calls = [call for call in facts.tools if call.message_id not in repeated]
    return {
        "duration_api_seconds": _seconds(facts, lambda result: result.duration_api_ms),
        "turns": _sum(facts, lambda result: result.turns),
        "tool_calls": len(calls),
        "tool_errors": sum(1 for call in calls if call.failed),
    }


def _source_fields(facts: StreamFacts) -> dict[str, Any]:
    sessions = [*facts.session_ids, *(result.session_id for result in facts.results if result.session_id)]
    return {
        "path": facts.path,
        "line": last_result_line(facts) or facts.last_result_line,
        "identity": facts.identity,
        "session_id": sessions[0] if sessions else None,
        "format": facts.format,
    }


def time_fields(facts: StreamFacts) -> dict[str, Any]:
    """Return start and end: as the lines say, else the file's time as the end and the duration before it."""
    duration = _duration(facts)
    start, end, basis = facts.started_at, facts.ended_at, "reported"
    if not (start or end):
        end, basis = facts.modified_at, "derived"
        start = None if end is None or duration is None else end - timedelta(seconds=duration)
    return {
        "timestamp": _iso(start),
        "ended_at": _iso(end),
        "time_basis": basis if start or end else None,
        "duration_seconds": duration,
    }


def _duration(facts: StreamFacts) -> float | None:
    """Return how long the stream took in seconds: the results' sum, else from its first to its last time."""
    seconds = _seconds(facts, lambda result: result.duration_ms)
    if seconds is None and facts.started_at and facts.ended_at:
        return (facts.ended_at - facts.started_at).total_seconds()
    return seconds


def _seconds(facts: StreamFacts, of: Callable[[ResultSegment], float | None]) -> float | None:
    milliseconds = _sum(facts, of)
    return None if milliseconds is None else milliseconds / 1000


def _sum(facts: StreamFacts, of: Callable[[ResultSegment], float | None]) -> float | None:
    known = [value for value in map(of, facts.results) if value is not None]
    return sum(known) if known else None


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()
