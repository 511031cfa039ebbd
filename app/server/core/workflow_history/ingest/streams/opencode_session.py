"""Parse sessions of opencode's own store, as `files/opencode_store.py` presents them, into StreamFacts.

A message has the tokens and the cost of its last request; each request also has a step with its own. Input
tokens exclude cache tokens. A cost of 0 means a subscription, or a model that opencode has no price for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from ...common.models import (
    Ending,
    MessageUsage,
    SessionInfo,
    StreamFacts,
    StreamFormat,
    ToolCall,
)
from .active_time import sum_active_seconds
from .claude_schema import LineUnreadableError, error_text, parse_usd, time_from_ms, tool_detail
from .endings import ANSWERED, STOPPED, UNANSWERED, StreamEnding, refusal_text
from .line_parser import LineParser, decode_record
from .opencode import Part, Tokens, model_name, step_name, token_usage

_TOOL_NAMES = {"bash": "Bash"}  # tools that other agent CLIs have under another name
_FAILED = {"completed": False, "error": True}
_ABORTED = "MessageAbortedError"
_FINISHED = frozenset({"stop", "end_turn", None})  # None: written by older versions
_MAX_ERROR_CHARS = 2_000


class Times(msgspec.Struct):
    """Times of a message or a tool call, in milliseconds since 1970."""

    created: int | float | None = None
    completed: int | float | None = None


class SessionRecord(msgspec.Struct):
    """One line: the session, its details that change, or a message."""

    type: str | None = None
    id: str | None = None
    created: int | float | None = None
    parentID: str | None = None  # noqa: N815 - opencode's own spelling
    directory: str | None = None
    title: str | None = None
    role: str | None = None
    time: Times | None = None
    modelID: str | None = None  # noqa: N815
    providerID: str | None = None  # noqa: N815
    agent: str | None = None
    mode: str | None = None
    cost: int | float | None = None
    tokens: Tokens | None = None
    finish: str | None = None
    error: Any = None
    parts: list[Part] = []
    isCopy: bool = False  # noqa: N815 - whether a fork copied it from the session before
    copyOf: str | None = None  # noqa: N815 - id of the message that was copied
    unreadable: bool = False
    problems: list[str] = []  # parts and answers that cannot be read


_DECODER = msgspec.json.Decoder(SessionRecord)


@dataclass(slots=True)
class OpencodeSessionParser(LineParser):
    """Parser of one session and the facts collected so far."""

    messages: dict[str, MessageUsage] = field(default_factory=dict)
    tools: dict[str, ToolCall] = field(default_factory=dict)
    times: list[datetime] = field(default_factory=list)
    ending: StreamEnding | None = None
    session: str | None = None
    parent: str | None = None
    folder: str | None = None
    title: str | None = None
    role: str | None = None  # agent that answers

    def parse_record(self, raw: bytes, number: int) -> None:
        """Parse one record and add its facts."""
        record = decode_record(raw, _DECODER)
        if record is None:
            return
        if record.unreadable:
            raise LineUnreadableError(f"the message {record.id} is not JSON of a message")
        for problem in record.problems:
            self.add_problem(problem, number, keeps_end=True)
        if record.type == "opencode.session":
            self.session = record.id
            self._add_time(record.created, number)
        elif record.type == "opencode.info":
            self.parent, self.folder, self.title = record.parentID, record.directory, record.title
        elif record.type == "opencode.message" and record.id:
            self._add_message(record, record.id, number)

    def _add_time(self, value: float | None, number: int) -> datetime | None:
        when = time_from_ms(value)
        self.record_time(when, value, number)
        if when is not None:
            self.times.append(when)
        return when

    def _add_message(self, record: SessionRecord, record_id: str, number: int) -> None:
        self.ending = _ending_of(record)
        times = record.time or Times()
        created = time_from_ms(times.created)
        if not record.isCopy:
            self._add_time(times.created, number)
            self._add_time(times.completed, number)
        if record.role != "assistant":
            return
        self.role = record.agent or record.mode or self.role
        message_id = record.copyOf or record_id
        is_final = times.completed is not None and not _is_aborted(record.error)
        steps = [part for part in record.parts if part.type == "step-finish" and part.tokens is not None]
        for position, step in enumerate(steps or [Part(tokens=record.tokens, cost=record.cost)]):
            name = step_name(message_id, position)
            self.messages[name] = MessageUsage(
                name,
                model_name(record.modelID, record.providerID),
                token_usage(step.tokens),
                number,
                is_final=is_final,
                timestamp=created,
                session=self.session,
                copied=record.isCopy,
                cost=parse_usd(step.cost) or None,
            )
        for part in record.parts if not record.isCopy else ():
            if part.type == "tool" and part.tool:
                self.tools[part.callID or part.id or f"line {number}"] = _tool_call(part, number, message_id)

    def build_facts(self, agent: str) -> StreamFacts:
        """Build the facts of the lines read so far."""
        messages = tuple(self.messages.values())
        ending, ending_text = self._ending()
        return StreamFacts(
            path=self.path,
            format=StreamFormat.OPENCODE_SESSION,
            agent=agent,
            session_ids=(self.session,) if self.session else (),
            model=next((message.model for message in messages if message.model), None),
            messages=messages,
            tools=tuple(self.tools.values()),
            started_at=self.first_time,
            ended_at=self.last_time,
            lines=self.lines,
            problems=tuple(self.all_problems()),
            lost_line=self.last_lost_line(),
            ending=ending,
            ending_text=ending_text,
            session=SessionInfo(
                id=self.session,
                parent=self.parent,
                role=self.role if self.parent else None,
                folder=self.folder,
                title=self.title,
                active_seconds=sum_active_seconds(self.times),
            ),
        )

    def _ending(self) -> tuple[Ending | None, str]:
        """Return how the session ends; unknown if its last message is unreadable."""
        is_lost = self.partial_record is not None or (self.bad_line and self.bad_line == self.lines)
        return (None, "") if is_lost or self.ending is None else self.ending


def _tool_call(part: Part, number: int, message_id: str) -> ToolCall:
    tool = part.tool or ""
    return ToolCall(
        _TOOL_NAMES.get(tool, tool),
        tool_detail(part.state.input) if part.state else None,
        number,
        message_id,
        _FAILED.get(part.state.status or "") if part.state else None,
    )


def _is_aborted(error: Any) -> bool:
    return isinstance(error, dict) and error.get("name") == _ABORTED


def _ending_of(record: SessionRecord) -> StreamEnding:
    """Return how a session ends with this message."""
    if record.role != "assistant":
        return UNANSWERED
    if _is_aborted(record.error):
        return STOPPED
    if record.error:
        return Ending.ERROR, (error_text(record.error) or "")[:_MAX_ERROR_CHARS]
    contents = [part for part in record.parts if part.type in ("text", "tool")]
    if record.finish == "content-filter":
        return Ending.ERROR, refusal_text((contents[-1].text or "").strip() if contents else "")
    is_completed = record.time is not None and record.time.completed is not None
    calls_tool = bool(contents) and contents[-1].type == "tool"
    return ANSWERED if is_completed and not calls_tool and record.finish in _FINISHED else UNANSWERED
