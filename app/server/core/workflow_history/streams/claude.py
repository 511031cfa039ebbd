"""Read a Claude Code stream: lines of bytes in, StreamFacts out. Nothing is priced or judged here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from ..models import (
    MessageUsage,
    ModelCost,
    Problem,
    ResultSegment,
    StreamFacts,
    StreamFormat,
    TokenUsage,
    ToolCall,
)
from .lines import (
    Block,
    Line,
    LineUnreadableError,
    Message,
    ModelEntry,
    Usage,
    count,
    decode_line,
    tool_detail,
)

WANTED = frozenset({"system", "assistant", "user", "result"})
SYNTHETIC = "<synthetic>"
MAX_PROBLEMS = 20  # per file: a garbled file of a million lines is named once, with its first lines
RESULT_TEXT = 2000  # characters kept of an answer


@dataclass(slots=True)
class Reading:
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

    def trouble(self, reason: str, line: int | None, *, doubtful: bool = False) -> None:
        """Note what is wrong with a line, up to a bound."""
        self.unreadable += not doubtful
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(self.path, reason, line, "warning" if doubtful else "error"))


def read_claude(path: str, agent: str, lines: Iterable[tuple[int, bytes]]) -> StreamFacts:
    """Return the facts of one stream, its lines numbered from 1."""
    reading = Reading(path)
    number = 0
    for number, raw in lines:
        try:
            line = decode_line(raw, WANTED)
            if line is not None:
                _take(reading, line, number)
        except LineUnreadableError as error:
            reading.trouble(f"unreadable line: {error}", number)
        if not raw.isascii():
            _check_text(reading, raw, number)
    _check_order(reading)
    return _facts(reading, agent, number)


def _check_text(reading: Reading, raw: bytes, number: int) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        reading.trouble(f"not UTF-8 at byte {error.start} of the line", number, doubtful=True)


def _take(reading: Reading, line: Line, number: int) -> None:
    """Put one line's facts where they belong."""
    session = line.session_id or line.sessionId
    if session:
        reading.sessions[session] = None
    if line.sessionId:
        reading.transcript = True
    reading.first_type = reading.first_type or line.type
    when = _instant(line.timestamp)
    if when is not None:
        reading.first = min(reading.first or when, when)
        reading.last = max(reading.last or when, when)
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


def _assistant(reading: Reading, message: Message, number: int, when: datetime | None) -> None:
    if message.model == SYNTHETIC:
        return
    message_id = message.id or f"line {number}"
    if message.usage is not None:
        final = reading.transcript and message.stop_reason is not None
        new = MessageUsage(message_id, message.model, token_usage(message.usage), number, final, when)
        known = reading.messages.get(message_id)
        reading.messages[message_id] = new if known is None else _merged(known, new)
    for block in message.content if isinstance(message.content, list) else ():
        if isinstance(block, Block) and block.type == "tool_use" and block.name:
            if block.id:
                if block.id in reading.tool_at:
                    continue  # the same call, repeated on a later line of its message
                reading.tool_at[block.id] = len(reading.tools)
            reading.tools.append(ToolCall(block.name, tool_detail(block.input), number, message_id))


def _merged(known: MessageUsage, new: MessageUsage) -> MessageUsage:
    """Take a message's partial lines as one message: the largest of each field counts."""
    usage = known.usage.largest(new.usage)
    return MessageUsage(
        known.message_id,
        known.model or new.model,
        usage,
        known.line,
        known.final or new.final,
        known.timestamp or new.timestamp,
    )


def _tool_results(reading: Reading, blocks: list[Block | str], number: int) -> None:
    for block in blocks:
        if not isinstance(block, Block) or block.type != "tool_result" or not block.tool_use_id:
            continue
        at = reading.tool_at.get(block.tool_use_id)
        if at is None:
            reading.trouble("a tool result stands before its call", number, doubtful=True)
            continue
        call = reading.tools[at]
        reading.tools[at] = ToolCall(call.tool, call.detail, call.line, call.message_id, bool(block.is_error))


def _result(reading: Reading, line: Line, number: int, session: str | None) -> ResultSegment:
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
        duration_ms=_duration(line.duration_ms),
        duration_api_ms=_duration(line.duration_api_ms),
        turns=line.num_turns,
        is_error=bool(line.is_error),
        subtype=line.subtype,
        text=line.result[:RESULT_TEXT] if isinstance(line.result, str) else "",
        session_id=session,
        uuid=line.uuid,
        permission_denials=len(line.permission_denials or ()),
    )


def token_usage(usage: Usage) -> TokenUsage:
    """Return the counts of one usage block; cache writes without a split count as 5-minute ones."""
    written = count(usage.cache_creation_input_tokens)
    split = usage.cache_creation
    one_hour = count(split.ephemeral_1h_input_tokens) if split else 0
    five_minutes = count(split.ephemeral_5m_input_tokens) if split else 0
    searches = usage.server_tool_use.web_search_requests if usage.server_tool_use else 0
    return TokenUsage(
        input=count(usage.input_tokens),
        output=count(usage.output_tokens),
        cache_read=count(usage.cache_read_input_tokens),
        cache_write_5m=max(five_minutes, written - one_hour),
        cache_write_1h=one_hour,
        web_searches=count(searches),
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


def _duration(value: float | None) -> float | None:
    return float(value) if value is not None and 0 <= value < 1e12 else None


def _instant(value: str | float | None) -> datetime | None:
    """Return an aware UTC time from an ISO string with an offset; anything else tells no instant."""
    if not isinstance(value, str):
        return None
    try:
        when = datetime.fromisoformat(value)
        return when.astimezone(UTC) if when.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _check_order(reading: Reading) -> None:
    """Note what shows that lines are missing or stand in another order than they were written in."""
    last_result = reading.results[-1].line if reading.results else None
    later = [m.line for m in reading.messages.values() if last_result and m.line > last_result]
    if later:
        reading.trouble("messages stand after the last result", min(later), doubtful=True)
    if reading.transcript or reading.first_type in (None, "system"):
        return
    if reading.messages and (reading.messages_before_init or reading.first_type == "result"):
        reading.trouble("the stream does not begin with its init line", 1, doubtful=True)


def _facts(reading: Reading, agent: str, lines: int) -> StreamFacts:
    kind: StreamFormat = "claude_transcript" if reading.transcript else "claude"
    messages = tuple(reading.messages.values())
    model = reading.model or next((m.model for m in messages if m.model), None)
    return StreamFacts(
        path=reading.path,
        format=kind,
        agent=agent,
        session_ids=tuple(reading.sessions),
        model=model,
        results=tuple(reading.results),
        messages=messages,
        tools=tuple(reading.tools),
        started_at=reading.first,
        ended_at=reading.last,
        last_result_line=reading.results[-1].line if reading.results else None,
        lines=lines,
        problems=tuple(reading.problems),
    )
