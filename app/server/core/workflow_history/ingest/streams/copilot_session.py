"""Parse sessions of Copilot CLI (`session-state/<id>/events.jsonl`) into StreamFacts.

Only `session.shutdown` has token counts, by model. They are cumulative over resumes, or begin again with
each, depending on the version: a count that falls, or that is too low to include the last one and the answers
since, is a new one. A session that was killed has no counts after its last shutdown. The input
includes cache tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from ...common.models import (
    Ending,
    MessageUsage,
    Problem,
    SessionInfo,
    Severity,
    StreamFacts,
    StreamFormat,
    TokenUsage,
    ToolCall,
)
from .active_time import active_gap
from .claude_schema import error_text, parse_count, parse_timestamp, tool_detail
from .cut_json import decode_first_record
from .endings import ANSWERED, STOPPED, UNANSWERED, StreamEnding
from .line_parser import LineParser, decode_record

_TOOLS = {"bash": "Bash", "powershell": "Bash", "shell": "Bash"}
_MAX_ERROR_CHARS = 2000
NO_COUNTS = "its token counts are unknown: the session was not shut down after its last answer"


class ModelCounts(msgspec.Struct):
    """Token counts of a model; the input includes the cached and written ones."""

    inputTokens: int | float | None = None  # noqa: N815 - the file's own spelling
    outputTokens: int | float | None = None  # noqa: N815
    cacheReadTokens: int | float | None = None  # noqa: N815
    cacheWriteTokens: int | float | None = None  # noqa: N815


class ModelMetrics(msgspec.Struct):
    """Requests and tokens of a model."""

    usage: ModelCounts | None = None


class Data(msgspec.Struct):
    """Content of an event, of any type."""

    sessionId: Any = None  # noqa: N815
    context: Any = None
    cwd: Any = None
    title: Any = None
    messageId: Any = None  # noqa: N815
    outputTokens: int | float | None = None  # noqa: N815
    toolRequests: Any = None  # noqa: N815
    toolCallId: Any = None  # noqa: N815
    parentToolCallId: Any = None  # noqa: N815
    toolName: Any = None  # noqa: N815
    arguments: msgspec.Raw = msgspec.Raw()
    success: Any = None
    message: Any = None
    newModel: Any = None  # noqa: N815
    selectedModel: Any = None  # noqa: N815
    modelMetrics: dict[str, ModelMetrics] | None = None  # noqa: N815


class Event(msgspec.Struct):
    """One line of a session."""

    type: Any = None
    timestamp: Any = None
    agentId: Any = None  # noqa: N815 - subagent
    data: Data | None = None


_EVENT_DECODER = msgspec.json.Decoder(Event)


def read_session_head(start: bytes) -> SessionInfo | None:
    """Read the metadata at the beginning of a session from its first bytes; None if they are no session's."""
    event = decode_first_record(start, _EVENT_DECODER)
    if event is None or event.type != "session.start" or event.data is None:
        return None
    return _session_info(event.data)


@dataclass(slots=True)
class CopilotSessionParser(LineParser):
    """Parser of one Copilot CLI session and the facts collected so far."""

    messages: dict[str, MessageUsage] = field(default_factory=dict)  # sums of the requests of a model, by id
    tools: dict[str, ToolCall] = field(default_factory=dict)
    session: SessionInfo | None = None
    model: str | None = None
    title: str | None = None
    answers: dict[str, int] = field(default_factory=dict)  # output tokens of answers since the last shutdown
    counts: dict[str, TokenUsage] = field(default_factory=dict)  # of the last shutdown, by model
    count: int = 0  # number of times that counting began again
    last_answer: int = 0  # line of the last answer
    last_shutdown: int = 0
    ending: StreamEnding | None = None
    active_seconds: float = 0.0

    def parse_record(self, raw: bytes, number: int) -> None:
        """Parse one record and add its facts."""
        event = decode_record(raw, _EVENT_DECODER)
        if event is None:
            return
        when = parse_timestamp(event.timestamp)
        self.active_seconds += active_gap(self.last_time, when)
        self.record_time(when, event.timestamp, number)
        if event.data is not None:
            self._add_event(event, event.data, when, number)

    def _add_event(self, event: Event, data: Data, when: datetime | None, number: int) -> None:
        kind = event.type
        if kind == "session.start":
            self.session = self.session or _session_info(data)
            self.model = _name_of_model(data.selectedModel) or self.model
        elif kind == "session.shutdown":
            self._add_counts(data, when, number)
        elif kind == "session.model_change":
            self.model = _name_of_model(data.newModel) or self.model
        elif kind == "session.title_changed":
            self.title = _text(data.title) or self.title
        elif kind == "tool.execution_start":
            self._add_tool(data, number)
        elif kind == "tool.execution_complete":
            self._set_outcome(data)
        elif kind == "assistant.message":
            self._add_answer(data, number)
        if not event.agentId and not data.parentToolCallId:
            self._record_ending(kind, data)

    def _record_ending(self, kind: Any, data: Data) -> None:
        if kind in ("user.message", "tool.execution_start", "tool.execution_complete"):
            self.ending = UNANSWERED
        elif kind == "assistant.message":
            self.ending = UNANSWERED if data.toolRequests else ANSWERED
        elif kind == "abort":
            self.ending = STOPPED
        elif kind == "session.error":
            self.ending = Ending.ERROR, (error_text(data.message) or "")[:_MAX_ERROR_CHARS]

    def _add_answer(self, data: Data, number: int) -> None:
        """Record the output tokens of an answer, of which one may have several lines."""
        self.last_answer = number
        if name := _text(data.messageId):
            self.answers[name] = max(self.answers.get(name, 0), parse_count(data.outputTokens))

    def _add_tool(self, data: Data, number: int) -> None:
        if (name := _text(data.toolName)) is not None:
            key = _text(data.toolCallId) or f"line {number}"
            self.tools[key] = ToolCall(_TOOLS.get(name, name), tool_detail(data.arguments), number)

    def _set_outcome(self, data: Data) -> None:
        call = self.tools.get(data.toolCallId) if isinstance(data.toolCallId, str) else None
        if call is not None and isinstance(data.success, bool):
            self.tools[data.toolCallId] = replace(call, failed=not data.success)

    def _add_counts(self, data: Data, when: datetime | None, number: int) -> None:
        """Record the counts of a shutdown in place of those that they include."""
        self.last_shutdown = number
        if data.modelMetrics is None:
            return
        counts = {
            _model_name(name): _token_usage(metrics.usage)
            for name, metrics in data.modelMetrics.items()
            if metrics.usage is not None
        }
        if self.counts and self._is_new_count(counts):
            self.count += 1
        self.counts, self.answers = counts, {}
        session = self.session.id if self.session else None
        for model, usage in counts.items():
            name = f"{session or f'line {number}'}:{self.count}:{model}"
            self.messages[name] = MessageUsage(
                name, model, usage, number, timestamp=when, session=session, is_sum=True
            )

    def _is_new_count(self, counts: dict[str, TokenUsage]) -> bool:
        """Return whether the counts of a shutdown do not include those of the last one."""
        if any(
            counts.get(model, TokenUsage()).field_max(usage) != counts.get(model)
            for model, usage in self.counts.items()
        ):
            return True
        output = sum(usage.output for usage in counts.values())
        return output < sum(usage.output for usage in self.counts.values()) + sum(self.answers.values())

    def build_facts(self, agent: str) -> StreamFacts:
        """Build the facts of the lines read so far."""
        ending, ending_text = self.ending or UNANSWERED
        session = self.session or SessionInfo()
        is_complete = self.last_shutdown > self.last_answer
        lost = (
            []
            if is_complete or not self.last_answer
            else [Problem(self.path, NO_COUNTS, self.last_answer, Severity.WARNING)]
        )
        return StreamFacts(
            path=self.path,
            format=StreamFormat.COPILOT_SESSION,
            agent=agent,
            model=self._main_model(),
            session_ids=(session.id,) if session.id else (),
            messages=tuple([replace(message, is_final=is_complete) for message in self.messages.values()]),
            tools=tuple(self.tools.values()),
            started_at=self.first_time,
            ended_at=self.last_time,
            lines=self.lines,
            problems=(*self.all_problems(), *lost),
            lost_line=self.last_lost_line(),
            ending=None if self.partial_record else ending,
            ending_text=ending_text,
            session=replace(
                session, title=self.title, active_seconds=self.active_seconds if self.last_time else None
            ),
        )

    def _main_model(self) -> str | None:
        """Return the model that was chosen last, or the one with the most output tokens."""
        outputs = {message.model: message.usage.output for message in self.messages.values()}
        return self.model or max(outputs, key=lambda name: outputs[name], default=None)


def _session_info(data: Data) -> SessionInfo:
    context = data.context if isinstance(data.context, dict) else {}
    return SessionInfo(
        id=_text(data.sessionId),
        folder=_text(context.get("cwd")) or _text(data.cwd),
        branch=_text(context.get("branch")),
    )


def _model_name(name: str) -> str:
    """Return a model's name as its vendor spells it.

    >>> _model_name("claude-sonnet-4.5"), _model_name("claude-opus-4.6-1m"), _model_name("gpt-5.4")
    ('claude-sonnet-4-5', 'claude-opus-4-6', 'gpt-5.4')
    """
    plain = name.removesuffix("-internal").removesuffix("-1m")
    return plain.replace(".", "-") if plain.startswith("claude-") else plain


def _name_of_model(value: Any) -> str | None:
    name = _text(value)
    return None if name is None or name == "auto" else _model_name(name)


def _token_usage(counts: ModelCounts) -> TokenUsage:
    cached, written = parse_count(counts.cacheReadTokens), parse_count(counts.cacheWriteTokens)
    return TokenUsage(
        input=max(parse_count(counts.inputTokens) - cached - written, 0),
        output=parse_count(counts.outputTokens),
        cache_read=cached,
        cache_write_5m=written,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
