"""Parse sessions that Codex stores itself (`sessions/YYYY/MM/DD/rollout-….jsonl`) into StreamFacts.

Token counts are totals of the thread and are written repeatedly: each growth is one message, a lower total
begins a new count. Cached tokens are included in the input and reasoning tokens in the output.

A fork and a spawned thread may begin with lines of another thread, mostly with new times. A growth has the
same id in every copy: its turn and the total. A replayed growth was spent by the other thread, so here it is
a copied message without tokens. Replayed tool calls and times are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from ...common.models import (
    LIST_PRICE,
    Ending,
    MessageUsage,
    SessionInfo,
    StreamFacts,
    StreamFormat,
    Terms,
    TokenUsage,
    ToolCall,
)
from ...costs.accounting.thread_turns import growth_name
from .active_time import active_gap
from .claude_schema import error_text, parse_count, parse_timestamp
from .codex_tools import ToolItem, called_tool, completed_command, has_failed
from .cut_json import decode_first_record
from .endings import ANSWERED, STOPPED, UNANSWERED, StreamEnding
from .line_parser import LineParser, decode_record

_UUID7 = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_REPLAY_PAUSE = timedelta(milliseconds=250)
"""Pause that ends a replay without turn ids: it is written at once, and a model takes longer to answer."""

_FAST_TIERS = frozenset({"fast", "priority"})
_MAX_ERROR_CHARS = 2000


class Counts(msgspec.Struct, frozen=True):
    """Token counts; the input includes the cached and written ones, the output the reasoning."""

    input_tokens: int | float | None = None
    cached_input_tokens: int | float | None = None
    cache_write_input_tokens: int | float | None = None
    output_tokens: int | float | None = None


class CountInfo(msgspec.Struct):
    """Token counts of a thread and of its last request."""

    total_token_usage: Counts | None = None
    last_token_usage: Counts | None = None


class Payload(ToolItem):
    """Content of a line, of any type; fields that differ between versions are checked when used."""

    session_id: Any = None
    timestamp: Any = None
    cwd: Any = None
    originator: Any = None
    source: Any = None
    git: Any = None
    forked_from_id: Any = None
    parent_thread_id: Any = None
    agent_role: Any = None
    history_base: Any = None
    subagent_history_start_ordinal: Any = None
    turn_id: Any = None
    model: Any = None
    thread_settings: Any = None
    thread_name: Any = None
    info: CountInfo | None = None
    usage: Counts | None = None
    response_id: Any = None
    compaction_response_id: Any = None
    item: msgspec.Raw = msgspec.Raw()
    message: msgspec.Raw = msgspec.Raw()
    error: Any = None
    last_agent_message: msgspec.Raw = msgspec.Raw()


class RolloutLine(msgspec.Struct):
    """One line of a session."""

    timestamp: Any = None
    type: Any = None
    ordinal: Any = None
    payload: Payload | None = None


_LINE_DECODER = msgspec.json.Decoder(RolloutLine)
_ITEM_DECODER = msgspec.json.Decoder(ToolItem)


def read_session_head(start: bytes) -> SessionInfo | None:
    """Read the metadata at the beginning of a session from its first bytes; None if they are no session's."""
    line = decode_first_record(start, _LINE_DECODER)
    if line is None or line.type != "session_meta" or line.payload is None:
        return None
    return _session_info(line.payload)


@dataclass(slots=True)
class CodexSessionParser(LineParser):
    """Parser of one Codex session and the facts collected so far."""

    messages: dict[str, MessageUsage] = field(default_factory=dict)
    tools: dict[str, ToolCall] = field(default_factory=dict)
    session: SessionInfo | None = None  # according to the first line that describes a session
    created_at: datetime | None = None
    continues: bool = False  # whether the thread began in another file
    history_start: int | None = None  # ordinal of the first line that is not replayed; None: not given
    is_replaying: bool = False  # whether the current line is another thread's
    has_turn_times: bool = False  # whether the ids of turns contain their time
    thread: str | None = None  # thread whose lines are read: this one, or the replayed one
    turn: str | None = None
    model: str | None = None
    terms: Terms = LIST_PRICE
    total: TokenUsage | None = None  # last total of the thread; None: none so far
    uncounted: dict[str, TokenUsage] = field(default_factory=dict)
    """Usage of requests by response id, of which no total has been read since."""

    ending: StreamEnding | None = None
    has_turn_ends: bool = False  # whether a line marks the beginning or end of a turn
    title: str | None = None
    asked_at: datetime | None = None  # time of the latest prompt that has no answer yet
    previous_time: datetime | None = None  # time of the line before
    active_seconds: float = 0.0
    has_command_items: bool = False  # whether commands are recorded as they were run

    def parse_record(self, raw: bytes, number: int) -> None:
        """Parse one record and add its facts."""
        line = decode_record(raw, _LINE_DECODER)
        if line is None or line.payload is None:
            return
        payload, when = line.payload, parse_timestamp(line.timestamp)
        if line.type == "session_meta":
            self._add_session(payload, when)
        elif self.is_replaying and not self._is_replayed(line, payload, when):
            self._end_replay()
        if not self.is_replaying:
            self._record_time(when, line.timestamp, number)
        self.previous_time = when or self.previous_time
        self._add_payload(line.type, payload, when, number)

    def _add_payload(self, kind: Any, payload: Payload, when: datetime | None, number: int) -> None:
        if kind == "turn_context":
            self._begin_turn(payload)
        elif kind == "event_msg":
            self._add_event(payload, when, number)
        elif kind == "response_item":
            self._add_item(payload, number)
        elif kind == "token_usage_record":
            if payload.usage is not None and isinstance(payload.response_id, str):
                self.uncounted[payload.response_id] = _token_usage(payload.usage)
        elif kind == "compacted" and isinstance(payload.compaction_response_id, str):
            usage = self.uncounted.pop(payload.compaction_response_id, None)
            if usage is not None:  # a compaction that the totals leave out
                self._add_message(payload.compaction_response_id, usage, when, number)

    def _add_session(self, payload: Payload, when: datetime | None) -> None:
        """Record the session of the first line; those of other sessions come before their replayed lines."""
        info = _session_info(payload)
        if self.session is None:
            self.session = info
            self.created_at = parse_timestamp(payload.timestamp) or when
            origin = _text(payload.forked_from_id) or _text(payload.parent_thread_id) or info.parent
            self.continues = bool(origin or payload.history_base)
            self.is_replaying = origin is not None
            self.thread = origin or info.id
            if isinstance(payload.subagent_history_start_ordinal, int):
                self.history_start = payload.subagent_history_start_ordinal
        elif info.id != self.session.id:
            self.is_replaying = self.continues = True
            self.thread = info.id
        else:
            self._end_replay()

    def _end_replay(self) -> None:
        if self.is_replaying:
            self.is_replaying, self.turn = False, None
            self.thread = self.session.id if self.session else None

    def _is_replayed(self, line: RolloutLine, payload: Payload, when: datetime | None) -> bool:
        """Return whether a line after replayed ones, or after the first line, is replayed too."""
        if self.history_start is not None and isinstance(line.ordinal, int):
            return line.ordinal < self.history_start
        if (began := _time_of_id(payload.turn_id)) is not None:
            self.has_turn_times = True
            created = _time_of_id(self.session.id if self.session else None) or self.created_at
            return created is None or began < created
        if self.has_turn_times or when is None:
            return True
        is_older = self.created_at is not None and when < self.created_at
        return is_older or self.previous_time is None or when - self.previous_time < _REPLAY_PAUSE

    def _record_time(self, when: datetime | None, value: Any, number: int) -> None:
        self.active_seconds += active_gap(self.last_time, when)
        self.record_time(when, value, number)

    def _begin_turn(self, payload: Payload) -> None:
        self.turn = _text(payload.turn_id) or self.turn
        if (model := _text(payload.model)) is not None:
            self._set_model(model)

    def _set_model(self, model: str) -> None:
        """Record the model from now on; the first one applies to earlier messages too."""
        if self.model is None:
            self.messages = {
                key: message if message.model else replace(message, model=model)
                for key, message in self.messages.items()
            }
        self.model = model

    def _add_event(self, payload: Payload, when: datetime | None, number: int) -> None:
        kind = payload.type
        if kind == "token_count":
            if payload.info is not None:
                self._add_counts(payload.info, when, number)
        elif kind == "thread_settings_applied":
            self._apply_settings(payload.thread_settings)
        elif kind in ("task_started", "turn_started"):
            self._begin_turn(payload)
        if self.is_replaying:
            return
        if kind == "thread_name_updated":
            self.title = _text(payload.thread_name) or self.title
        elif kind == "item_completed":
            self._add_completed_item(payload.item, when, number)
        elif kind == "user_message":
            self._ask(when)
        elif kind in ("exec_command_end", "patch_apply_end"):
            self._set_outcome(payload)
        else:
            self._record_ending(payload)

    def _ask(self, when: datetime | None) -> None:
        self.asked_at, self.ending = when, UNANSWERED

    def _apply_settings(self, settings: Any) -> None:
        if not isinstance(settings, dict):
            return
        if (model := _text(settings.get("model"))) is not None:
            self._set_model(model)
        if (tier := _text(settings.get("service_tier"))) is not None:
            self.terms = Terms(speed="fast") if tier in _FAST_TIERS else LIST_PRICE

    def _add_counts(self, info: CountInfo, when: datetime | None, number: int) -> None:
        """Add the growth of the thread's total as a message."""
        last = _token_usage(info.last_token_usage) if info.last_token_usage else None
        before = self.total or TokenUsage()
        total = _token_usage(info.total_token_usage) if info.total_token_usage else before + (last or before)
        if total == self.total:
            return
        growth = total.less(before) if before.field_max(total) == total else total
        if self.total is None and self.continues and last is not None:
            growth = last  # the total may include requests of another file
        self.total = total
        self.uncounted = {key: usage for key, usage in self.uncounted.items() if usage != growth}
        name = growth_name(self.turn or self.thread, total)
        if growth.total and name not in self.messages:
            self._add_message(name, growth, when, number, is_sum=growth != last)

    def _add_message(
        self, name: str, usage: TokenUsage, when: datetime | None, number: int, *, is_sum: bool = False
    ) -> None:
        if self.is_replaying and not usage.output:
            return  # of two records of a message, the one with more output tokens is used
        self.messages[name] = MessageUsage(
            name,
            self.model,
            TokenUsage() if self.is_replaying else usage,
            number,
            is_final=True,
            timestamp=when,
            terms=self.terms,
            session=self.thread,
            asked_at=None if self.is_replaying else self.asked_at,
            copied=self.is_replaying,
            is_sum=is_sum,
        )
        if not self.is_replaying:
            self.asked_at = None

    def _add_item(self, payload: Payload, number: int) -> None:
        if self.is_replaying:
            return
        if (call := called_tool(payload, number)) is not None:
            self.tools[_text(payload.call_id) or f"line {number}"] = call
            self.ending = UNANSWERED
        elif payload.type in ("function_call_output", "custom_tool_call_output"):
            self._set_outcome(payload)
            self.ending = UNANSWERED

    def _add_completed_item(self, raw: msgspec.Raw, when: datetime | None, number: int) -> None:
        try:
            item = _ITEM_DECODER.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        if item.type == "UserMessage":
            self._ask(when)
        elif item.type == "CommandExecution":
            key = _text(item.id) or f"line {number}"
            self.has_command_items = True
            self.tools[key] = completed_command(item, number, self.tools.get(key))

    def _set_outcome(self, payload: Payload) -> None:
        """Record whether a tool call failed, if its output shows it."""
        call = self.tools.get(payload.call_id) if isinstance(payload.call_id, str) else None
        if call is not None and (failed := has_failed(payload, call)) is not None:
            self.tools[payload.call_id] = replace(call, failed=failed)

    def _record_ending(self, payload: Payload) -> None:
        kind = payload.type
        if kind in ("task_started", "turn_started"):
            self.has_turn_ends, self.ending = True, UNANSWERED
        elif kind in ("task_complete", "turn_complete"):
            self.has_turn_ends = True
            if payload.error:
                self.ending = Ending.ERROR, (error_text(payload.error) or "")[:_MAX_ERROR_CHARS]
            elif (
                self.ending is None or self.ending[0] != Ending.ERROR or _has_text(payload.last_agent_message)
            ):
                self.ending = ANSWERED
        elif kind == "turn_aborted":
            self.has_turn_ends, self.ending = True, STOPPED
        elif kind == "error":
            self.ending = Ending.ERROR, (error_text(_decode(payload.message)) or "")[:_MAX_ERROR_CHARS]
        elif kind == "agent_message":
            self.ending = UNANSWERED if self.has_turn_ends else ANSWERED

    def build_facts(self, agent: str) -> StreamFacts:
        """Build the facts of the lines read so far."""
        ending, ending_text = self.ending or UNANSWERED
        session = self.session or SessionInfo()
        tools = self.tools.values()
        return StreamFacts(
            path=self.path,
            format=StreamFormat.CODEX_SESSION,
            agent=agent,
            model=self._main_model(),
            session_ids=(session.id,) if session.id else (),
            messages=tuple(self.messages.values()),
            tools=tuple([call for call in tools if call.tool != "exec" or not self.has_command_items]),
            started_at=self.first_time or self.created_at,
            ended_at=self.last_time or self.created_at,
            lines=self.lines,
            problems=tuple(self.all_problems()),
            lost_line=self.last_lost_line(),
            ending=None if self.partial_record else ending,
            ending_text=ending_text,
            session=replace(
                session, title=self.title, active_seconds=self.active_seconds if self.last_time else None
            ),
        )

    def _main_model(self) -> str | None:
        own = [message.model for message in self.messages.values() if message.model and not message.copied]
        return own[0] if own else self.model


def _session_info(payload: Payload) -> SessionInfo:
    source = payload.source
    subagent = source.get("subagent") if isinstance(source, dict) else None
    spawn = subagent.get("thread_spawn") if isinstance(subagent, dict) else None
    spawn = spawn if isinstance(spawn, dict) else {}
    kind = subagent if isinstance(subagent, str) else None
    parent = spawn.get("parent_thread_id") or payload.parent_thread_id
    git = payload.git if isinstance(payload.git, dict) else {}
    return SessionInfo(
        id=_session_id(payload),
        parent=_text(parent),
        role=_text(spawn.get("agent_role")) or _text(payload.agent_role) or kind,
        folder=_text(payload.cwd),
        branch=_text(git.get("branch")),
        is_headless=_is_headless(source, payload.originator),
    )


def _is_headless(source: Any, originator: Any) -> bool | None:
    """Return whether a script started the session; None for other programs that embed Codex."""
    if source == "exec" or originator == "codex_exec":
        return True
    return False if source in ("cli", "vscode") else None


def _session_id(payload: Payload) -> str | None:
    """Return the id of a thread; the session of a spawned thread is its root thread."""
    return _text(payload.id) or _text(payload.session_id)


def _time_of_id(value: Any) -> datetime | None:
    """Return the time in a UUID of version 7, in which Codex's ids of threads and turns are; None if other.

    >>> _time_of_id("019c0000-0000-7000-8000-000000000001").isoformat()
    '2026-01-27T15:08:45.952000+00:00'
    """
    match = _UUID7.fullmatch(value) if isinstance(value, str) else None
    return datetime.fromtimestamp(int(match[1] + match[2], 16) / 1000, UTC) if match else None


def _token_usage(counts: Counts) -> TokenUsage:
    cached, written = parse_count(counts.cached_input_tokens), parse_count(counts.cache_write_input_tokens)
    return TokenUsage(
        input=max(parse_count(counts.input_tokens) - cached - written, 0),
        output=parse_count(counts.output_tokens),
        cache_read=cached,
        cache_write_5m=written,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _has_text(raw: msgspec.Raw) -> bool:
    return bytes(memoryview(raw)[:2]) not in (b"", b'""', b"nu")


def _decode(raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
