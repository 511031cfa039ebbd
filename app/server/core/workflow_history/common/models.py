"""Data records that pass from the stream readers to storage, in the order in which they are created.

No behaviour beyond sums. Units are on the line of each field. Money is Decimal US dollars. None is
"unknown" and is never 0. Records that a stream has by the thousands are a msgspec.Struct, which is created
ten times as fast as a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypedDict

import msgspec

Workflow = dict[str, Any]
"""One run at the public interface, with the keys of docs/database-schema.md; unknown keys are kept."""


class RunStatus(StrEnum):
    """State of a run. A stored run may have another word of its state file instead."""

    COMPLETED = "completed"
    FAILED = "failed"
    ENDED = "ended"  # an agent's session ended with an answer; nothing shows whether its work succeeded
    STOPPED = "stopped"  # by the user
    RUNNING = "running"
    INCOMPLETE = "incomplete"  # ended without a result or an error
    UNKNOWN = "unknown"


INTERACTIVE: Final = "interactive"
"""Workflow of sessions that a person started."""

HEADLESS: Final = "headless"
"""Workflow of sessions that a script started; no workflow script is known."""


class CostBasis(StrEnum):
    """Source of a cost."""

    REPORTED = "reported"  # result of the agent program
    COMPUTED = "computed"  # tokens x dated price
    LOWER_BOUND = "lower_bound"  # minimum of an interrupted stream
    UNPRICED = "unpriced"  # no price is known


RECORDED_BASES: Final = (CostBasis.REPORTED, CostBasis.COMPUTED)
"""Bases of a recorded cost, which is no lower bound."""


class TimeBasis(StrEnum):
    """Source of the times of a run or agent run."""

    REPORTED = "reported"  # times in the files
    DERIVED = "derived"  # ids or file times


class DurationBasis(StrEnum):
    """Source of the duration of a run."""

    REPORTED = "reported"
    DERIVED = "derived"
    LOWER_BOUND = "lower_bound"  # agent runs may be missing


class SourceState(StrEnum):
    """Whether the files of a stored run still exist."""

    PRESENT = "present"
    MISSING = "missing"


class Severity(StrEnum):
    """Severity of a problem."""

    ERROR = "error"  # data is missing
    WARNING = "warning"  # data is doubtful


class PatternKind(StrEnum):
    """Kind of a recurring pattern."""

    OPERATION = "operation"  # one normalized tool call
    SEQUENCE = "sequence"  # two to four operations in a row
    PHASES = "phases"  # the phases of a run


class PatternStatus(StrEnum):
    """Decision on a pattern."""

    DETECTED = "detected"  # none yet
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"


class Ending(StrEnum):
    """State of a stream after its last line."""

    ANSWERED = "answered"  # ends with an answer
    UNANSWERED = "unanswered"  # ends with a prompt, a tool call or its result
    STOPPED = "stopped"  # interrupted by the user
    ERROR = "error"  # ends with an API error


class StreamFormat(StrEnum):
    """Format of a stream."""

    CLAUDE = "claude"
    CLAUDE_TRANSCRIPT = "claude_transcript"
    GEMINI = "gemini"
    CODEX = "codex"
    CURSOR = "cursor"
    OPENCODE = "opencode"
    CODEX_SESSION = "codex_session"  # rollout file of Codex
    GEMINI_CHAT = "gemini_chat"
    COPILOT_SESSION = "copilot_session"
    OPENCODE_SESSION = "opencode_session"
    UNKNOWN = "unknown"  # JSON of an unsupported agent program
    EMPTY = "empty"
    UNREADABLE = "unreadable"  # contains no JSON
    UNREAD = "unread"  # the system denied access, which may succeed in the next sync


SESSION_FORMATS: Final = frozenset({
    StreamFormat.CLAUDE_TRANSCRIPT, StreamFormat.CODEX_SESSION, StreamFormat.GEMINI_CHAT,
    StreamFormat.COPILOT_SESSION, StreamFormat.OPENCODE_SESSION,
})  # fmt: skip
"""Formats of sessions that agent programs store themselves; they have no result line."""


class TokenUsage(msgspec.Struct, frozen=True, gc=False):
    """Token counts; `input` excludes cache reads and writes, as Anthropic counts (OpenAI includes them).

    >>> (TokenUsage(input=1) + TokenUsage(input=2, cache_write_1h=3)).total
    6
    """

    input: int = 0  # uncached input tokens
    output: int = 0  # output tokens
    cache_read: int = 0  # cache read tokens
    cache_write_5m: int = 0  # tokens written to the 5-minute cache
    cache_write_1h: int = 0  # tokens written to the 1-hour cache
    web_searches: int = 0  # requests

    @property
    def cache_write(self) -> int:
        """Tokens written to the 5-minute and the 1-hour cache."""
        return self.cache_write_5m + self.cache_write_1h

    @property
    def total(self) -> int:
        """All tokens, cached or not, without web searches."""
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
        """Subtract another usage field by field, but not below 0."""
        return TokenUsage(
            max(self.input - other.input, 0),
            max(self.output - other.output, 0),
            max(self.cache_read - other.cache_read, 0),
            max(self.cache_write_5m - other.cache_write_5m, 0),
            max(self.cache_write_1h - other.cache_write_1h, 0),
            max(self.web_searches - other.web_searches, 0),
        )

    def field_max(self, other: TokenUsage) -> TokenUsage:
        """Return the field-wise maximum, which merges a message's partial lines with its final line."""
        return TokenUsage(
            max(self.input, other.input),
            max(self.output, other.output),
            max(self.cache_read, other.cache_read),
            max(self.cache_write_5m, other.cache_write_5m),
            max(self.cache_write_1h, other.cache_write_1h),
            max(self.web_searches, other.web_searches),
        )


class Terms(msgspec.Struct, frozen=True, gc=False):
    """Request options that change the price; None is the default option, billed at the list price."""

    speed: str | None = None  # fast
    inference_geo: str | None = None  # us: answered only in the United States
    processing: str | None = None  # batch


LIST_PRICE = Terms()
"""Default terms."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A read error or a warning about doubtful data; it is shown to the user and stops nothing."""

    path: str  # relative to the agents directory, POSIX separators
    reason: str
    line: int | None = None  # 1-based
    severity: Severity = Severity.ERROR
    refused: bool = False  # whether the system denied access, which may succeed next time; not stored

    def as_dict(self) -> dict[str, Any]:
        """Return the problem as a JSON-serializable dict."""
        return {"path": self.path, "line": self.line, "reason": self.reason, "severity": self.severity.value}


class Call(msgspec.Struct, frozen=True, gc=False):
    """One of several requests behind one message: an advisor's, a compaction's or the message's own."""

    model: str | None  # None: the model of the message
    usage: TokenUsage
    terms: Terms = LIST_PRICE


class MessageUsage(msgspec.Struct, frozen=True, gc=False):
    """Token usage of one assistant message, one record per message id with its lines merged."""

    message_id: str
    model: str | None  # None if the stream names no model; "<synthetic>" is never stored
    usage: TokenUsage  # usage of `model`
    line: int  # 1-based, the first line of the message
    is_final: bool = False  # whether the usage is final (native transcript: a line with a stop reason)
    timestamp: datetime | None = None  # aware UTC
    terms: Terms = LIST_PRICE
    calls: tuple[Call, ...] = ()  # all requests of the message; empty: a single one with `usage`
    session: str | None = None
    asked_at: datetime | None = None  # aware UTC, time of the prompt that this message answers first
    copied: bool = False  # whether its lines name another session as their origin
    cost: Decimal | None = None  # USD, as reported in the stream; None: not reported, or reported as 0
    is_sum: bool = False  # whether `usage` is the sum of several requests, not all of which are known

    def merged(self, other: MessageUsage, *, whole: bool = False) -> MessageUsage:
        """Merge two records of one message: maximum of each count, or with `whole` the fuller record's."""
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
            fuller.is_sum,
        )


class ReportedModelCost(msgspec.Struct, frozen=True):
    """Cost of one model, as reported in modelUsage of a result line."""

    model: str | None  # None: the stream names no model
    usage: TokenUsage
    cost: Decimal | None  # USD; None: not reported


_STORED_NAMES = {"incomplete_reason": "lacking", "message_usage": "shown"}
"""Names of fields of a result line in stored claims and checkpoints, if they differ."""


class ResultLine(msgspec.Struct, frozen=True, rename=_STORED_NAMES):
    """One result line. Cost and `models` are cumulative per process; duration and turns of one segment."""

    line: int  # 1-based
    total_cost: Decimal | None  # USD, cumulative since the process started
    models: tuple[ReportedModelCost, ...] = ()
    main_usage: TokenUsage = TokenUsage()  # usage of the main thread only, of this segment
    duration_ms: float | None = None
    duration_api_ms: float | None = None
    turns: int | None = None
    is_error: bool = False
    subtype: str | None = None
    text: str = ""  # first 2,000 characters of the answer
    session_id: str | None = None
    uuid: str | None = None
    permission_denials: int = 0
    terms: Terms = LIST_PRICE  # terms of the main thread
    process: int | None = None  # index of the process that wrote the line; None: derived from the totals
    incomplete_reason: str | None = None  # reason why its totals may be too low
    ended: bool = True  # False: preliminary totals of a stream without an end
    is_sum: bool = False  # whether the totals only add up the stream's messages, which count by themselves
    lists_models: bool = False  # whether it has a list of models, even if that is empty
    begin: int = 0  # line after which the messages of this segment stand
    message_usage: tuple[ReportedModelCost, ...] = ()  # of these messages, by model; outputs may be too low


class Subagent(msgspec.Struct, frozen=True):
    """A sub-agent that a stream called; its own spending is in another stream."""

    line: int  # line of the answer, or of the call if there is no answer, 1-based
    id: str | None
    tokens: int | None  # tokens of its last request
    message_id: str | None = None  # message that called the sub-agent; None: the call is not in this stream
    prompt_tokens: int | None = None  # the part of `tokens` without the output
    found_tokens: int | None = None  # tokens in its transcript, if more were used; None: it has no transcript


class ToolCall(msgspec.Struct, frozen=True, gc=False):
    """One tool call of an agent, reduced to the fields that pattern detection needs."""

    tool: str  # Bash, Read, Edit, mcp__server__tool ...
    detail: str | None  # Bash: the command; file tools: the path; Skill and SlashCommand: the name
    line: int  # 1-based
    message_id: str | None = None
    failed: bool | None = None  # None: no tool result was seen


class PullRequest(msgspec.Struct, frozen=True):
    """A pull request that a session opened or worked on."""

    number: int
    url: str | None = None
    repository: str | None = None  # owner/name


class SessionInfo(msgspec.Struct, frozen=True):
    """Metadata of a session that agent programs keep beside its messages; None: not recorded."""

    id: str | None = None
    parent: str | None = None  # id of the session that started this one as a subagent
    role: str | None = None  # name or kind of a subagent
    folder: str | None = None  # working directory at the start
    branch: str | None = None  # last git branch
    title: str | None = None
    is_headless: bool | None = None  # whether a script started the session, not a person
    pull_requests: tuple[PullRequest, ...] = ()  # in the order of the file, each once
    active_seconds: float | None = None  # sum of the gaps between lines that are shorter than five minutes


class StreamFacts(msgspec.Struct, frozen=True):
    """Facts of one stream file, read once. Paths are relative to the run's directory, POSIX separators."""

    path: str
    format: StreamFormat
    agent: str  # directory that contains the stream, or the file's stem for a loose file
    size: int = 0  # bytes
    modified_at: datetime | None = None  # aware UTC, the file's mtime
    identity: str | None = None  # hash of the first complete line; a different line means a different attempt
    session_ids: tuple[str, ...] = ()
    model: str | None = None  # model of the main thread
    results: tuple[ResultLine, ...] = ()
    messages: tuple[MessageUsage, ...] = ()
    tools: tuple[ToolCall, ...] = ()
    started_at: datetime | None = None  # aware UTC; None if lines have no timestamps
    ended_at: datetime | None = None  # aware UTC; None if lines have no timestamps
    last_result_line: int | None = None
    is_truncated: bool = False  # whether the last line is incomplete
    lines: int = 0
    problems: tuple[Problem, ...] = ()
    lost_line: int = 0  # last line with missing data, 1-based; 0: none
    unended: tuple[str, ...] = ()  # sessions that started here without a result, although others have one
    subagents: tuple[Subagent, ...] = ()  # sub-agents that this stream called
    agent_ids: tuple[str, ...] = ()  # ids of sub-agents whose own messages are in this stream
    sidechains: bool = False  # whether messages of sub-agents without an id are in this stream
    ending: Ending | None = None  # state after the last line, only of Claude Code's streams; None: unknown
    ending_text: str = ""  # error at the end of the stream, at most 2,000 characters
    session: SessionInfo | None = None  # only of a session that an agent program keeps itself

    @property
    def is_subagent(self) -> bool:
        """Whether a subagent of a session wrote the stream, by its place or its metadata."""
        has_parent = self.session is not None and self.session.parent is not None
        return has_parent or "subagents" in self.path.split("/")[:-1]


@dataclass(frozen=True, slots=True)
class ScannedRun:
    """One run as read from its files, before its cost is calculated."""

    workflow: Workflow
    streams: tuple[StreamFacts, ...]
    fingerprint: str  # reader version and hash of the metadata of the run's files
    problems: tuple[Problem, ...] = ()
    inferred: bool = False  # whether the status is derived from agent outcomes, as no file contains it
    written: Mapping[str, float] = field(default_factory=dict)  # mtimes in seconds since 1970, by path


class AgentRun(TypedDict, total=False):
    """One agent run with its cost, from one stream. An entry of `phase_costs` is a part of it."""

    phase: str  # plan, build, test, review, document ...; "other" if the agent's name contains no known word
    agent: str
    model: str | None  # most expensive model
    cost: float | None  # USD; None: unknown
    cost_basis: str | None  # CostBasis; None: it contains no spending
    computed_cost: float | None  # USD, tokens x dated price, to compare with a reported cost
    lower_bound_cost: float | None  # USD, minimum beyond `cost`: after the last result, or without any result
    input_tokens: int | None  # tokens, not cached
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_creation_tokens: int | None  # sum of the 5-minute and 1-hour cache writes
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
    time_basis: str | None  # TimeBasis
    is_error: bool | None
    error: str | None
    outcome: str  # Outcome
    is_retry: bool
    attempt: int  # 1 for the first content of this file, 2 after it was overwritten ...
    superseded: bool  # whether a later attempt overwrote the file
    path: str | None  # path of the stream, relative to the run's directory
    line: int | None  # line of the stream with the cost, 1-based
    identity: str | None
    session_id: str | None
    format: str  # StreamFormat
    models: list[dict[str, Any]]  # {model, cost, cost_basis, computed_cost, the token fields}
    cost_disputed: bool  # whether the computed cost differs from the reported cost by more than 1%
    cost_difference_percent: float | None  # difference in percent of the reported cost; None: not comparable
    duplicate_of: str | None  # stream that already counts the same cost
    inherited: list[
        dict[str, Any]
    ]  # {stream, messages}: streams of other runs that count some of this stream's messages
    restarts: int  # number of processes that wrote to this file after the first one
    restart_cost: float | None  # USD, cost of the restarts; None: unknown
    failed_process_cost: float | None  # USD, cost of processes that failed before the last one; None: unknown
    retries: int  # number of retries: 1 if the stream repeats earlier work, plus its restarts
    retry_cost: float | None  # USD, cost of the retries, 0.0 without any; None: unknown


class CostData(TypedDict, total=False):
    """All known cost data of one run."""

    total_cost: float | None  # USD, recorded cost (reported or computed); the lower bound if there is none
    cost_basis: str | None  # CostBasis: basis of the whole run's cost: the weakest basis of its parts
    lower_bound_cost: float | None  # USD, minimum beyond `total_cost`: no dollar is in both
    computed_cost: float | None  # USD, tokens x dated price
    cost_disputed: bool  # whether the reported cost of any stream is disputed
    cost_difference_percent: float | None  # difference in percent of the reported sum of streams with both
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
