"""Records of the data's way, in the order in which they come to be. No behaviour beyond sums.

Units stand on each field's line. Money is Decimal US dollars. None is "unknown" and is never 0.
What a stream has thousands of is a msgspec.Struct: made ten times as fast as a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypedDict

import msgspec

Workflow = dict[str, Any]
"""One run at the public interface: the vocabulary of docs/schema.md, unknown state keys kept."""

CostBasis = Literal["reported", "computed", "lower_bound", "unpriced"]
"""Where a cost comes from: the agent's own result, tokens x dated price, a cut-off stream, or nowhere."""

Ending = Literal["answered", "unanswered", "stopped", "error"]
"""How a stream's last line ends it: an answer; a prompt, a tool call or its result; the user's interruption;
an error of the API."""

StreamFormat = Literal[
    "claude",
    "claude_transcript",
    "gemini",
    "codex",
    "cursor",
    "opencode",
    "unknown",
    "empty",
    "unreadable",
    "unread",
]
"""Unknown: of an agent's program that is not known. Unreadable: there is no JSON in it. Unread: the system
would not show it, and may the next time."""


class TokenUsage(msgspec.Struct, frozen=True, gc=False):
    """Token counts; `input` leaves cache reads and writes out, as Anthropic counts (OpenAI includes them).

    >>> (TokenUsage(input=1) + TokenUsage(input=2, cache_write_1h=3)).total
    6
    """

    input: int = 0  # tokens, uncached
    output: int = 0  # tokens
    cache_read: int = 0  # tokens
    cache_write_5m: int = 0  # tokens written to the 5-minute cache
    cache_write_1h: int = 0  # tokens written to the 1-hour cache
    web_searches: int = 0  # requests

    @property
    def cache_write(self) -> int:
        """Tokens written to a cache of either lifetime."""
        return self.cache_write_5m + self.cache_write_1h

    @property
    def total(self) -> int:
        """All tokens, cached or not; web searches are no tokens."""
        return self.input + self.output + self.cache_read + self.cache_write

    def __add__(self, other: TokenUsage) -> TokenUsage:
        return TokenUsage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write_5m + other.cache_write_5m,
            self.cache_write_1h + other.cache_write_1h,
            self.web_searches + other.web_searches,
        )

    def less(self, other: TokenUsage) -> TokenUsage:
        """Return how much each count is above another's; where it is not, 0."""
        return TokenUsage(
            max(self.input - other.input, 0),
            max(self.output - other.output, 0),
            max(self.cache_read - other.cache_read, 0),
            max(self.cache_write_5m - other.cache_write_5m, 0),
            max(self.cache_write_1h - other.cache_write_1h, 0),
            max(self.web_searches - other.web_searches, 0),
        )

    def field_max(self, other: TokenUsage) -> TokenUsage:
        """Field-wise maximum: a message's partial lines and its final line are one message."""
        return TokenUsage(
            max(self.input, other.input),
            max(self.output, other.output),
            max(self.cache_read, other.cache_read),
            max(self.cache_write_5m, other.cache_write_5m),
            max(self.cache_write_1h, other.cache_write_1h),
            max(self.web_searches, other.web_searches),
        )


class Terms(msgspec.Struct, frozen=True, gc=False):
    """On what terms requests were answered; None is the usual one, which costs the list price."""

    speed: str | None = None  # fast
    inference_geo: str | None = None  # us: answered in the United States alone
    processing: str | None = None  # batch


LIST_PRICE = Terms()
"""The usual terms."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read, or looks wrong: shown to the user, stops nothing."""

    path: str  # relative to the agents folder, POSIX separators
    reason: str
    line: int | None = None  # 1-based
    severity: Literal["error", "warning"] = "error"  # error: data is missing; warning: data is doubtful
    refused: bool = False  # by the system, which may allow it the next time; not stored

    def as_dict(self) -> dict[str, Any]:
        """Return the problem as JSON can hold it."""
        return {"path": self.path, "line": self.line, "reason": self.reason, "severity": self.severity}


class Call(msgspec.Struct, frozen=True, gc=False):
    """One request of the several that one message took: an advisor's, a compaction's, or its own."""

    model: str | None  # None: the message's
    usage: TokenUsage
    terms: Terms = LIST_PRICE


class MessageUsage(msgspec.Struct, frozen=True, gc=False):
    """What one assistant message spent, once per message id, its lines merged."""

    message_id: str
    model: str | None  # None where the stream names none; "<synthetic>" is never stored
    usage: TokenUsage  # of its model
    line: int  # 1-based, the first line of the message
    is_final: bool = False  # usage known to be final (a native transcript's line with a stop reason)
    timestamp: datetime | None = None  # aware UTC
    terms: Terms = LIST_PRICE
    calls: tuple[Call, ...] = ()  # all requests it took, if there were several; none: one of `usage`
    session: str | None = None
    asked_at: datetime | None = None  # aware UTC, of the prompt that it is the first to answer
    copied: bool = False  # its lines say that they are another session's
    cost: Decimal | None = None  # USD, as the stream says; None: it does not, or says 0

    def merged(self, other: MessageUsage, *, whole: bool = False) -> MessageUsage:
        """Return one message of two records of it: the largest counts, or the fuller record `whole`."""
        size = self.usage.output, len(self.calls)
        fuller = other if (other.usage.output, len(other.calls)) > size else self
        usage = fuller.usage if whole else self.usage.field_max(other.usage)
        return MessageUsage(
            self.message_id,
            self.model or other.model,
            usage,
            self.line,
            self.is_final or other.is_final,
            self.timestamp or other.timestamp,
            fuller.terms,
            fuller.calls,
            self.session,
            self.asked_at or other.asked_at,
            self.copied,
            fuller.cost or self.cost or other.cost,
        )


class ReportedModelCost(msgspec.Struct, frozen=True):
    """One model's share, as a result line's modelUsage reports it."""

    model: str | None  # None: the stream names none
    usage: TokenUsage
    cost: Decimal | None  # USD; None where the line gives none


class ResultLine(msgspec.Struct, frozen=True):
    """One result line. Cost and `models` are cumulative in a process; duration and turns are its own."""

    line: int  # 1-based
    total_cost: Decimal | None  # USD, cumulative since the process started
    models: tuple[ReportedModelCost, ...] = ()
    main_usage: TokenUsage = TokenUsage()  # main thread only, of this segment
    duration_ms: float | None = None
    duration_api_ms: float | None = None
    turns: int | None = None
    is_error: bool = False
    subtype: str | None = None
    text: str = ""  # the first 2,000 characters of the answer
    session_id: str | None = None
    uuid: str | None = None
    permission_denials: int = 0
    terms: Terms = LIST_PRICE  # of the main thread
    process: int | None = None  # which one of those that wrote the file wrote it; None: the totals tell
    lacking: str | None = None  # why its totals may be less than what was spent
    ended: bool = True  # False: the totals so far of a stream without an end
    is_sum: bool = False  # the sum of the stream's messages, which count by themselves: no total of its own


class Subagent(msgspec.Struct, frozen=True):
    """A sub-agent whose answer stands in a stream; what it spent stands in its own."""

    line: int  # 1-based, of the answer
    id: str | None
    tokens: int | None  # of its last request
    message_id: str | None = None  # that called it; None: its call does not stand here


class ToolCall(msgspec.Struct, frozen=True, gc=False):
    """One tool call of an agent, with the little that patterns need."""

    tool: str  # Bash, Read, Edit, mcp__server__tool ...
    detail: str | None  # Bash: the command; file tools: the path; Skill and SlashCommand: its name
    line: int  # 1-based
    message_id: str | None = None
    failed: bool | None = None  # None: no tool result was seen


class StreamFacts(msgspec.Struct, frozen=True):
    """What one stream file says, read once. Paths are relative to the run's folder, POSIX separators."""

    path: str
    format: StreamFormat
    agent: str  # the folder that holds the stream, or the file's stem where it lies loose
    size: int = 0  # bytes
    modified_at: datetime | None = None  # aware UTC, the file's mtime
    identity: str | None = None  # hash of the first complete line: another line, another attempt
    session_ids: tuple[str, ...] = ()
    model: str | None = None  # the main thread's model
    results: tuple[ResultLine, ...] = ()
    messages: tuple[MessageUsage, ...] = ()
    tools: tuple[ToolCall, ...] = ()
    started_at: datetime | None = None  # aware UTC, only where lines carry timestamps
    ended_at: datetime | None = None  # aware UTC, only where lines carry timestamps
    last_result_line: int | None = None
    is_truncated: bool = False  # the last line is not whole
    lines: int = 0
    problems: tuple[Problem, ...] = ()
    lost_line: int = 0  # the last one on which something is missing, 1-based; 0: none
    unended: tuple[str, ...] = ()  # sessions that began here and left no result, where others did
    subagents: tuple[Subagent, ...] = ()  # that answered here
    agent_ids: tuple[str, ...] = ()  # sub-agents whose own messages stand here
    sidechains: bool = False  # messages of sub-agents without an id stand here
    ending: Ending | None = None  # of Claude Code's streams; None: unknown
    ending_text: str = ""  # the error that the stream ends with, at most 2,000 characters


@dataclass(frozen=True, slots=True)
class ScannedRun:
    """One run read off the disk: what its files say, before any money is counted."""

    workflow: Workflow
    streams: tuple[StreamFacts, ...]
    fingerprint: str  # one word for its files' stamps
    problems: tuple[Problem, ...] = ()
    inferred: bool = False  # no file says how the run stands: that follows from how its agents ended
    written: Mapping[str, float] = field(default_factory=dict)  # mtimes by path, seconds since 1970


class AgentRun(TypedDict, total=False):
    """One stream with its cost: an agent's work in one phase. A phase_costs entry is a part of it."""

    phase: str  # plan, build, test, review, document ...; "other" where no word of the name tells
    agent: str
    model: str | None  # the costliest model
    cost: float | None  # USD; None: unknown
    cost_basis: CostBasis
    computed_cost: float | None  # USD, tokens x dated price, to hold against a reported cost
    lower_bound_cost: float | None  # USD spent at least, beyond `cost`, after the last result or without one
    input_tokens: int | None  # uncached
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_creation_tokens: int | None  # the sum of the next two
    cache_creation_5m_tokens: int | None
    cache_creation_1h_tokens: int | None
    web_searches: int | None
    unpriced_tokens: int  # tokens of models without a known price
    duration_seconds: float | None
    duration_api_seconds: float | None
    turns: int | None
    tool_calls: int
    tool_errors: int
    timestamp: str | None  # start, ISO 8601 UTC
    ended_at: str | None  # ISO 8601 UTC
    time_basis: str | None  # reported, derived
    is_error: bool | None
    error: str | None
    outcome: str  # success, error, false_success, stopped, incomplete, empty, unreadable, unknown
    is_retry: bool
    attempt: int  # 1 for the first content of this file, 2 after it was overwritten ...
    superseded: bool  # a later attempt overwrote the file
    path: str | None  # the stream, relative to the run's folder
    line: int | None  # where the cost stands
    identity: str | None
    session_id: str | None
    format: str
    models: list[dict[str, Any]]  # {model, cost, cost_basis, computed_cost, the token fields}
    cost_disputed: bool  # our own sum differs from the reported cost by more than 1%
    cost_difference_percent: float | None  # percent of the reported cost; None: nothing to compare
    duplicate_of: str | None  # the stream in which the same spending is counted already
    inherited: list[
        dict[str, Any]
    ]  # {stream, messages}: streams of other runs that count some of its messages
    restarts: int  # processes that wrote into this file after the first one
    restart_cost: float | None  # USD, the cost of those; None: unknown
    retries: int  # 1 for a stream that repeats earlier work, and its restarts
    retry_cost: float | None  # USD of those, 0.0 without any; None: unknown


class CostData(TypedDict, total=False):
    """All that is known of what a run spent."""

    total_cost: float | None  # USD on record (reported or computed); the lower bound where nothing is
    cost_basis: CostBasis | None  # of the whole run: the weakest of its parts
    lower_bound_cost: float | None  # USD spent at least beyond `total_cost`: never the same dollar
    computed_cost: float | None  # USD, our own sum
    cost_disputed: bool  # some stream's reported cost is disputed
    cost_difference_percent: float | None  # percent of the reported sum, of the streams that have both
    web_searches: int | None
    cache_creation_5m_tokens: int | None
    cache_creation_1h_tokens: int | None
    unpriced_tokens: int
    phase_costs: list[AgentRun]
    models: list[dict[str, Any]]
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_creation_tokens: int | None
    total_tokens: int | None
    retry_count: int
    retry_cost: float | None
    price_version: str
