"""Read a Claude Code stream: lines of bytes in, StreamFacts out. Nothing is priced or judged here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from sys import intern
from typing import Any

from ..models import (
    MessageUsage,
    ModelCost,
    Problem,
    ResultSegment,
    StreamFacts,
    TokenUsage,
    ToolCall,
)
from .lines import (
    NO_TIME,
    Block,
    Line,
    LineUnreadableError,
    Message,
    ModelEntry,
    Usage,
    count,
    decode_line,
    instant,
    milliseconds,
    tool_detail,
)
from .noise import BRACE, after_noise
from .plain import PlainAnswers

WANTED = frozenset({"system", "assistant", "user", "result"})
SYNTHETIC = "<synthetic>"
MAX_PROBLEMS = 20  # per file: a garbled file of a million lines is named once, with its first lines
RESULT_TEXT = 2000  # characters kept of an answer


@dataclass(slots=True)
class ClaudeReading:
    """What has been gathered so far from one stream."""

    path: str
    messages: dict[str, MessageUsage] = field(default_factory=dict)
    tools: list[ToolCall] = field(default_factory=list)
    tool_at: dict[str, int] = field(default_factory=dict)
    results: list[ResultSegment] = field(default_factory=list)
    sessions: dict[str, None] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unreadable: int = 0
    model: str | None = None
    transcript: bool = False
    first: datetime | None = None
    last: datetime | None = None
    first_type: str | None = None
    messages_before_init: bool = False
    lines: int = 0
    usage: tuple[str, Usage] | None = None  # of the message read last: its next line mostly says the same

    def take_block(self, block: bytes, number: int) -> int:
        """Put the facts of lines where they belong; the first follows line `number`. Return the last's."""
        start, find, answers = 0, block.find, PlainAnswers()
        while (end := find(b"\n", start)) >= 0 or start < len(block):
            end = end if end >= 0 else len(block)
            if block[start] != BRACE and (after := self._after_noise(block, start)) > start:
                number += block.count(b"\n", start, after)
                start = after
                continue
            number += 1
            plain = answers.answer(block, start, end)
            if plain is None:
                raw = block[start:end]
                if raw and not raw.isspace():
                    self._take(raw, number)
            else:
                self.lines = number
                self.sessions[answers.session] = None
                self.first_type = self.first_type or "user"
                _answered(self, *plain, number)
            start = end + 1
        return number

    def _after_noise(self, block: bytes, start: int) -> int:
        """Return where the next line stands that says something; garbled ones do, while they are named."""
        return after_noise(block, start, text=len(self.problems) >= MAX_PROBLEMS)

    def _take(self, raw: bytes, number: int) -> None:
        self.lines = number
        try:
            line = decode_line(raw, WANTED)
            if line is not None:
                _take(self, line, number)
        except LineUnreadableError as error:
            self.trouble(f"unreadable line: {error}", number)
        if not raw.isascii():
            _check_text(self, raw, number)

    def trouble(self, reason: str, line: int | None, *, doubtful: bool = False) -> None:
        """Note what is wrong with a line, up to a bound."""
        self.unreadable += not doubtful
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(self.path, reason, line, "warning" if doubtful else "error"))

    def unread_time(self, value: Any, line: int) -> None:
        """Name the first timestamp that is no time, or that names no zone."""
        if not any(problem.reason.startswith(NO_TIME) for problem in self.problems):
            self.trouble(f"{NO_TIME}: {value!r:.60}", line, doubtful=True)

    def facts(self, agent: str) -> StreamFacts:
        """Return what the stream says so far."""
        messages = tuple(self.messages.values())
        return StreamFacts(
            path=self.path,
            format="claude_transcript" if self.transcript else "claude",
            agent=agent,
            session_ids=tuple(self.sessions),
            model=self.model or next((m.model for m in messages if m.model), None),
            results=tuple(self.results),
            messages=messages,
            tools=tuple(self.tools),
            started_at=self.first,
            ended_at=self.last,
            last_result_line=self.results[-1].line if self.results else None,
            lines=self.lines,
            problems=(*self.problems, *_out_of_order(self)),
        )


def _check_text(reading: ClaudeReading, raw: bytes, number: int) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        reading.trouble(f"not UTF-8 at byte {error.start} of the line", number, doubtful=True)


def _take(reading: ClaudeReading, line: Line, number: int) -> None:
    """Put one decoded line's facts where they belong."""
    session = line.session_id or line.sessionId
    if session:
        reading.sessions[session] = None
    if line.sessionId:
        reading.transcript = True
    reading.first_type = reading.first_type or line.type
    if line.timestamp is not None and (when := instant(line.timestamp)) is not None:
        reading.first = min(reading.first or when, when)
        reading.last = max(reading.last or when, when)
    else:
        when = None
        if line.timestamp is not None:
            reading.unread_time(line.timestamp, number)
    if line.type == "result":
        reading.results.append(_result(reading, line, number, session))
    elif isinstance(line.message, Message):
        if line.type == "assistant":
            _assistant(reading, line.message, number, when)
        elif isinstance(line.message.content, list):
            _tool_results(reading, line.message.content, number)
    elif line.subtype == "init" and line.model and line.model != SYNTHETIC:
        reading.model = reading.model or line.model
        reading.messages_before_init = reading.messages_before_init or bool(reading.messages)


def _assistant(reading: ClaudeReading, message: Message, number: int, when: datetime | None) -> None:
    if message.model == SYNTHETIC:
        return
    message_id = message.id or f"line {number}"
    known = reading.messages.get(message_id)
    if known is not None:
        message_id = known.message_id  # one text for all that name it: a long stream names it often
    again = known is not None and known.model is not None and reading.usage == (message_id, message.usage)
    if message.usage is not None and (reading.transcript or not again):
        final = reading.transcript and message.stop_reason is not None
        model = intern(message.model) if message.model else message.model
        new = MessageUsage(message_id, model, token_usage(message.usage), number, final, when)
        reading.messages[message_id] = new if known is None else _merged(known, new)
        reading.usage = message_id, message.usage
    for block in message.content if isinstance(message.content, list) else ():
        if isinstance(block, Block) and block.type == "tool_use" and block.name:
            if block.id:
                if block.id in reading.tool_at:
                    continue  # the same call, repeated on a later line of its message
                reading.tool_at[block.id] = len(reading.tools)
            reading.tools.append(ToolCall(intern(block.name), tool_detail(block.input), number, message_id))


def _merged(known: MessageUsage, new: MessageUsage) -> MessageUsage:
    """Take a message's partial lines as one message: the largest of each field counts."""
    if known.usage == new.usage and known.final == new.final and known.model is not None:
        return known
    usage = known.usage.largest(new.usage)
    return MessageUsage(
        known.message_id,
        known.model or new.model,
        usage,
        known.line,
        known.final or new.final,
        known.timestamp or new.timestamp,
    )


def _tool_results(reading: ClaudeReading, blocks: list[Block | str], number: int) -> None:
    for block in blocks:
        if not isinstance(block, Block) or block.type != "tool_result" or not block.tool_use_id:
            continue
        _answered(reading, block.tool_use_id, bool(block.is_error), number)


def _answered(reading: ClaudeReading, tool_use_id: str, failed: bool, number: int) -> None:
    at = reading.tool_at.get(tool_use_id)
    if at is None:
        reading.trouble("a tool result stands before its call", number, doubtful=True)
        return
    call = reading.tools[at]
    reading.tools[at] = ToolCall(call.tool, call.detail, call.line, call.message_id, failed)


def _result(reading: ClaudeReading, line: Line, number: int, session: str | None) -> ResultSegment:
    models = tuple(
        ModelCost(name, _entry_usage(entry), money(entry.costUSD))
        for name, entry in (line.modelUsage or {}).items()
        if name != SYNTHETIC
    )
    total = money(line.total_cost_usd)
    reported = [model.cost for model in models if model.cost is not None]
    if total is not None and reported and abs(total - sum(reported)) > Decimal("0.000001"):
        reading.trouble(
            f"total_cost_usd {total} is not the sum of its models' costUSD {sum(reported)}",
            number,
            doubtful=True,
        )
    return ResultSegment(
        line=number,
        total_cost=total,
        models=models,
        main_usage=token_usage(line.usage) if line.usage else TokenUsage(),
        duration_ms=milliseconds(line.duration_ms),
        duration_api_ms=milliseconds(line.duration_api_ms),
        turns=count(line.num_turns) if line.num_turns is not None else None,
        is_error=bool(line.is_error),
        subtype=line.subtype,
        text=line.result[:RESULT_TEXT] if isinstance(line.result, str) else "",
        session_id=session,
        uuid=line.uuid,
        permission_denials=len(line.permission_denials or ()),
    )


def token_usage(usage: Usage) -> TokenUsage:
    """Return the counts of one usage block; cache writes without a split count as 5-minute ones."""
    split, tools = usage.cache_creation, usage.server_tool_use
    written = count(usage.cache_creation_input_tokens)
    one_hour = count(split.ephemeral_1h_input_tokens) if split else 0
    five_minutes = count(split.ephemeral_5m_input_tokens) if split else 0
    return TokenUsage(
        count(usage.input_tokens),
        count(usage.output_tokens),
        count(usage.cache_read_input_tokens),
        max(five_minutes, written - one_hour),
        one_hour,
        count(tools.web_search_requests) if tools else 0,
    )


def _entry_usage(entry: ModelEntry) -> TokenUsage:
    return TokenUsage(
        input=count(entry.inputTokens),
        output=count(entry.outputTokens),
        cache_read=count(entry.cacheReadInputTokens),
        cache_write_5m=count(entry.cacheCreationInputTokens),
        web_searches=count(entry.webSearchRequests),
    )


def money(value: float | None) -> Decimal | None:
    """Return USD as the line's own decimal digits; None stays unknown.

    >>> money(0.1)
    Decimal('0.1')
    """
    if value is None:
        return None
    if not 0 <= value < 1e9:
        raise LineUnreadableError(f"a cost is {value}")
    return Decimal(str(value))


def _out_of_order(reading: ClaudeReading) -> Iterator[Problem]:
    """Tell what shows that lines are missing or stand in another order than they were written in."""
    if len(reading.problems) >= MAX_PROBLEMS:
        return
    last_result = reading.results[-1].line if reading.results else None
    later = [m.line for m in reading.messages.values() if last_result and m.line > last_result]
    if later:
        yield Problem(reading.path, "messages stand after the last result", min(later), "warning")
    if reading.transcript or reading.first_type in (None, "system"):
        return
    if reading.messages and (reading.messages_before_init or reading.first_type == "result"):
        yield Problem(reading.path, "the stream does not begin with its init line", 1, "warning")
