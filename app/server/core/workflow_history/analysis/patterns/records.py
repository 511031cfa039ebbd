"""Records of pattern detection, in order of processing, and the input format of a detector hook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, TypedDict

import msgspec

from ...common.models import AgentRun, PatternKind, PatternStatus, StreamFacts, TokenUsage, ToolCall


@dataclass(frozen=True, slots=True)
class PatternTotals:
    """Totals of one pattern over many runs. Sums of sequences and operations overlap: never add them up."""

    id: str  # id of the pattern, 16 hexadecimal digits of kind and signature, the same in every history
    kind: PatternKind
    signature: str  # readable name, such as `git add → git commit`
    status: PatternStatus
    note: str | None  # reason of the decision
    decided_at: str | None  # time of the decision, ISO 8601 UTC
    first_seen_at: str | None  # time when the pattern was first stored, ISO 8601 UTC
    runs: int  # number of runs with the pattern
    count: int  # number of occurrences in all runs
    successes: int  # number of successful occurrences
    failures: int  # number of failed occurrences; those of unknown outcome are in neither
    nanodollars: int  # estimated cost of the occurrences, in runs where it is known
    unpriced_runs: int  # number of runs with an unknown cost; if equal to `runs`, the total is unknown, not 0
    seconds: float  # estimated duration of the occurrences, in runs where it is known
    untimed_runs: int  # number of runs with unknown duration of the pattern


INPUT, OUTPUT, CACHE_READ, CACHE_WRITE_5M, CACHE_WRITE_1H = 1.0, 5.0, 0.1, 1.25, 2.0
"""Typical price of a token of each kind, relative to an uncached input token. Ratios, not money."""


class CallRecord(TypedDict):
    """One tool call, JSON-serializable; the fields of ToolCall."""

    tool: str  # name of the tool
    detail: str | None  # argument of the call: command line, file path or skill name
    line: int  # line of the call in the transcript, 1-based
    message_id: str | None  # id of the message with the call
    failed: bool | None  # whether the call failed; None: no tool result was found


class MessageShare(TypedDict):
    """Weight of one message, relative to the other messages of its stream."""

    message_id: str  # id of the message
    weight: float  # tokens of the message, weighted by kind


class AgentOperations(TypedDict):
    """Input of pattern detection for one agent run: JSON-serializable, the same for a hook and the sync."""

    phase: str | None  # phase of the agent run
    agent: str | None  # name of the agent
    path: str | None  # path of the transcript, relative to the run's directory
    cost: float | None  # cost of the agent run, US dollars; None: unknown
    duration_seconds: float | None  # duration of the agent run; None: unknown
    outcome: str | None  # outcome: success, error, false_success, stopped, incomplete, empty
    timestamp: str | None  # start of the agent run, ISO 8601 UTC
    calls: list[CallRecord]  # tool calls, in order
    messages: list[MessageShare]  # weights of the messages


class AgentActivity(NamedTuple):
    """One agent run in the internal form of detection, from an AgentOperations entry or from its sources."""

    about: Mapping[str, Any]  # the fields of AgentOperations except calls and messages
    calls: Sequence[ToolCall]
    weights: Sequence[tuple[str, float]]  # message id and weight of each message


class OperationCost(msgspec.Struct, frozen=True, gc=False):
    """One operation, or equal ones in a row, with its share of the stream's cost and time."""

    operation: str
    command: bool  # whether it is a shell command, MCP tool or skill; otherwise work on files and notes
    failed: bool  # whether any of the operations failed
    succeeded: bool  # whether all of the operations are known to have succeeded
    line: int  # line of the first operation in the transcript, 1-based
    nanodollars: int | None  # estimated cost of the operations with a known cost
    unpriced: int  # number of operations with an unknown cost
    seconds: tuple[float, ...]  # estimated duration of each operation with a known duration


@dataclass(frozen=True, slots=True)
class PatternOccurrence:
    """Occurrences of one pattern in one run. Costs of sequences overlap: never add them up over patterns."""

    kind: PatternKind
    signature: str  # readable name, such as `git add → git commit` or `plan > build`
    key: str  # id of the pattern, 16 hexadecimal digits of kind and signature
    count: int  # number of occurrences in this run
    successes: int  # number of occurrences in which nothing failed
    failures: int  # number of occurrences in which a call failed; those of unknown outcome are in neither
    cost: Decimal | None  # estimated cost of the occurrences with a known cost, US dollars; None: of none
    cost_complete: bool  # whether the cost of every occurrence is known
    seconds: float | None  # estimated duration of the occurrences with a known duration; None: of none
    agents: tuple[str, ...]  # names of the agents, in alphabetical order
    example_path: str | None  # path of the first occurrence's transcript, relative to the run's directory
    example_line: int | None  # line of the first occurrence, 1-based


def operation_records(
    streams: Iterable[StreamFacts], agent_runs: Iterable[AgentRun]
) -> list[AgentOperations]:
    """Return the agent runs of `agent_activities` in the input format of a hook."""
    return [_to_record(activity) for activity in agent_activities(streams, agent_runs)]


def agent_activities(streams: Iterable[StreamFacts], agent_runs: Iterable[AgentRun]) -> list[AgentActivity]:
    """Return the agent runs of a run for detection, in the order in which they ran.

    An agent run whose stream is missing keeps its phase and cost, and has no calls. Superseded attempts and
    copies of another stream are skipped.
    """
    by_path = {stream.path: stream for stream in streams}
    current_runs = [run for run in agent_runs if not run.get("superseded")]
    pairs: list[tuple[StreamFacts | None, Mapping[str, Any]]] = [
        (by_path.pop(run.get("path") or "", None), run) for run in current_runs
    ]
    without_run = [(stream, {"agent": stream.agent, "path": stream.path}) for stream in by_path.values()]
    return _in_time_order(
        [_to_activity(stream, run) for stream, run in [*pairs, *without_run] if not run.get("duplicate_of")]
    )


def phases_only(phase_costs: Iterable[Mapping[str, Any]]) -> list[AgentOperations]:
    """Build the input of detection from `phase_costs` only: phases with cost and duration, without calls."""
    activities = [_to_activity(None, run) for run in phase_costs if not run.get("superseded")]
    return [_to_record(activity) for activity in _in_time_order(activities)]


def activity_from_record(run: AgentOperations) -> AgentActivity:
    """Convert an AgentOperations entry to the internal form."""
    calls = [
        ToolCall(call["tool"], call["detail"], call["line"], call["message_id"], call["failed"])
        for call in run["calls"]
    ]
    return AgentActivity(
        run, calls, [(message["message_id"], message["weight"]) for message in run["messages"]]
    )


def _in_time_order(activities: list[AgentActivity]) -> list[AgentActivity]:
    """Sort by start if every start is known; otherwise keep the given order instead of mixing both."""
    if all(activity.about.get("timestamp") for activity in activities):
        return sorted(activities, key=lambda activity: str(activity.about["timestamp"]))
    return activities


def message_weight(usage: TokenUsage) -> float:
    """Return the weight of a message: its tokens, weighted by their relative price.

    >>> message_weight(TokenUsage(input=100, output=10, cache_read=1000))
    250.0
    """
    read = usage.input * INPUT + usage.cache_read * CACHE_READ
    written = usage.cache_write_5m * CACHE_WRITE_5M + usage.cache_write_1h * CACHE_WRITE_1H
    return read + written + usage.output * OUTPUT


def _to_activity(stream: StreamFacts | None, run: Mapping[str, Any]) -> AgentActivity:
    """Combine one agent run and its stream."""
    if stream is None:
        return AgentActivity(run, (), ())
    return AgentActivity(
        run,
        stream.tools,
        [(message.message_id, message_weight(message.usage)) for message in stream.messages],
    )


def _to_record(activity: AgentActivity) -> AgentOperations:
    """Convert an agent run to its JSON-serializable form."""
    run = activity.about
    return {
        "phase": run.get("phase"),
        "agent": run.get("agent"),
        "path": run.get("path"),
        "cost": run.get("cost"),
        "duration_seconds": run.get("duration_seconds"),
        "outcome": run.get("outcome"),
        "timestamp": run.get("timestamp"),
        "calls": [_call_record(call) for call in activity.calls],
        "messages": [{"message_id": name, "weight": weight} for name, weight in activity.weights],
    }


def _call_record(call: ToolCall) -> CallRecord:
    return {
        "tool": call.tool,
        "detail": call.detail,
        "line": call.line,
        "message_id": call.message_id,
        "failed": call.failed,
    }
