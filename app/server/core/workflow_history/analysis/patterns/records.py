"""Records of pattern detection, in the order in which they come to be, and the shape that a hook is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypedDict

import msgspec

from ...common.models import AgentRun, StreamFacts, TokenUsage, ToolCall

PatternStatus = Literal["detected", "accepted", "dismissed"]


@dataclass(frozen=True, slots=True)
class PatternTotals:
    """One pattern over many runs. Sums of sequences overlap with those of operations: never add them up."""

    id: str  # 16 hexadecimal digits: `pattern_id` of kind and signature, the same in every history
    kind: str  # operation, sequence, phases
    signature: str
    status: PatternStatus
    note: str | None  # why it was accepted or dismissed
    decided_at: str | None  # ISO 8601 UTC
    first_seen_at: str | None  # ISO 8601 UTC, when it was first stored
    runs: int  # runs that show it
    count: int  # times in all of them
    successes: int
    failures: int  # unknown outcomes are in neither
    nanodollars: int  # an estimate, of the runs whose part is known
    unpriced_runs: int  # runs whose part is unknown; runs == unpriced_runs: the cost is unknown, not 0
    seconds: float  # likewise
    untimed_runs: int


PatternKind = Literal["operation", "sequence", "phases"]

INPUT, OUTPUT, CACHE_READ, CACHE_WRITE_5M, CACHE_WRITE_1H = 1.0, 5.0, 0.1, 1.25, 2.0
"""What a token of each kind typically costs beside an uncached input token. Proportions, no money."""


class CallRecord(TypedDict):
    """One tool call, as JSON can hold it; the fields of ToolCall."""

    tool: str
    detail: str | None
    line: int  # 1-based
    message_id: str | None
    failed: bool | None  # None: no tool result was seen


class MessageShare(TypedDict):
    """One message's part of its stream, to be held against the stream's other messages."""

    message_id: str
    weight: float  # tokens, weighed by kind


class AgentOperations(TypedDict):
    """One agent run as pattern detection needs it: JSON-able, and the same for a hook and for the sync."""

    phase: str | None
    agent: str | None
    path: str | None  # the stream, relative to the run's folder
    cost: float | None  # USD; None: unknown
    duration_seconds: float | None
    outcome: str | None  # success, error, false_success, stopped, incomplete, empty
    timestamp: str | None  # start, ISO 8601 UTC
    calls: list[CallRecord]
    messages: list[MessageShare]


class AgentActivity(NamedTuple):
    """One agent run as detection reads it: a RunOperations entry, or what such an entry is made of."""

    about: Mapping[str, Any]  # the fields of RunOperations but the last two
    calls: Sequence[ToolCall]
    weights: Sequence[tuple[str, float]]  # message id, weight


class OperationCost(msgspec.Struct, frozen=True, gc=False):
    """One operation of one call with its part of the stream's cost and time, or equal ones in a row."""

    operation: str
    command: bool  # a shell command, MCP tool or skill; else work on files and notes
    failed: bool  # one of them
    succeeded: bool  # all of them, as far as is known
    line: int  # of the first, 1-based
    nanodollars: int | None  # an estimate, of those whose cost is known
    unpriced: int  # those whose cost is unknown, count
    seconds: tuple[float, ...]  # estimates, of each whose time is known


@dataclass(frozen=True, slots=True)
class PatternOccurrence:
    """What one workflow says of one pattern. Costs of sequences overlap: never add them up over patterns."""

    kind: PatternKind
    signature: str  # for people: `git add → git commit`, `plan > build`
    key: str  # 16 hex digits, the same wherever the same kind and signature occur
    count: int  # times in this workflow
    successes: int  # times in which nothing failed
    failures: int  # times in which a call failed; unknown outcomes are in neither
    cost: Decimal | None  # USD, an estimate, of the places whose cost is known; None: of none
    cost_complete: bool  # the cost of every place is known
    seconds: float | None  # an estimate, of the places whose time is known; None: of none
    agents: tuple[str, ...]  # in alphabetical order
    example_path: str | None  # the first place: a stream, relative to the run's folder
    example_line: int | None  # 1-based


def operation_records(
    streams: Iterable[StreamFacts], agent_runs: Iterable[AgentRun]
) -> list[AgentOperations]:
    """Return what `agent_activities` does as a hook is given it."""
    return [_record(work) for work in agent_activities(streams, agent_runs)]


def agent_activities(streams: Iterable[StreamFacts], agent_runs: Iterable[AgentRun]) -> list[AgentActivity]:
    """Return what detection needs of a workflow, in the order in which its agents ran.

    An agent run without a stream (its file is gone) keeps its phase and cost, and has no calls. Attempts
    that a later one overwrote, and copies of another stream, are left out.
    """
    by_path = {stream.path: stream for stream in streams}
    current = [run for run in agent_runs if not run.get("superseded")]
    pairs: list[tuple[StreamFacts | None, Mapping[str, Any]]] = [
        (by_path.pop(run.get("path") or "", None), run) for run in current
    ]
    loose = [(stream, {"agent": stream.agent, "path": stream.path}) for stream in by_path.values()]
    return _in_time_order(
        [_work(stream, run) for stream, run in [*pairs, *loose] if not run.get("duplicate_of")]
    )


def phases_only(phase_costs: Iterable[Mapping[str, Any]]) -> list[AgentOperations]:
    """Return what `phase_costs` alone tell: phases with their cost and time, and no calls."""
    current = [_work(None, run) for run in phase_costs if not run.get("superseded")]
    return [_record(work) for work in _in_time_order(current)]


def activity_from_record(run: AgentOperations) -> AgentActivity:
    """Return what an entry tells of its agent run."""
    calls = [
        ToolCall(call["tool"], call["detail"], call["line"], call["message_id"], call["failed"])
        for call in run["calls"]
    ]
    return AgentActivity(run, calls, [(said["message_id"], said["weight"]) for said in run["messages"]])


def _in_time_order(runs: list[AgentActivity]) -> list[AgentActivity]:
    """Sort by start, where every start is known; else the given order stands, rather than a mixture."""
    if all(run.about.get("timestamp") for run in runs):
        return sorted(runs, key=lambda run: str(run.about["timestamp"]))
    return runs


def message_weight(usage: TokenUsage) -> float:
    """Return how much a message weighs in its stream.

    >>> message_weight(TokenUsage(input=100, output=10, cache_read=1000))
    250.0
    """
    read = usage.input * INPUT + usage.cache_read * CACHE_READ
    written = usage.cache_write_5m * CACHE_WRITE_5M + usage.cache_write_1h * CACHE_WRITE_1H
    return read + written + usage.output * OUTPUT


def _work(stream: StreamFacts | None, run: Mapping[str, Any]) -> AgentActivity:
    """Put one agent run and its stream together."""
    if stream is None:
        return AgentActivity(run, (), ())
    return AgentActivity(
        run, stream.tools, [(said.message_id, message_weight(said.usage)) for said in stream.messages]
    )


def _record(work: AgentActivity) -> AgentOperations:
    """Return an agent run as JSON can hold it."""
    run = work.about
    return {
        "phase": run.get("phase"),
        "agent": run.get("agent"),
        "path": run.get("path"),
        "cost": run.get("cost"),
        "duration_seconds": run.get("duration_seconds"),
        "outcome": run.get("outcome"),
        "timestamp": run.get("timestamp"),
        "calls": [_call(call) for call in work.calls],
        "messages": [{"message_id": name, "weight": weight} for name, weight in work.weights],
    }


def _call(call: ToolCall) -> CallRecord:
    return {
        "tool": call.tool,
        "detail": call.detail,
        "line": call.line,
        "message_id": call.message_id,
        "failed": call.failed,
    }
