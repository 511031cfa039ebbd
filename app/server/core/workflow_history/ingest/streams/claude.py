"""Parse Claude Code streams and transcripts into StreamFacts. Calculates no costs and judges no outcome."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import islice
from sys import intern

import msgspec

from ...common.models import (
    LIST_PRICE,
    MessageUsage,
    Problem,
    ReportedModelCost,
    ResultLine,
    StreamFacts,
    Subagent,
    TokenUsage,
    ToolCall,
)
from ...costs.accounting.reported_totals import is_telling
from .block_reader import BRACE, skip_noise
from .claude_schema import (
    Block,
    Line,
    Message,
    SubagentResult,
    Usage,
    answer_text,
    decode_line,
    error_text,
    parse_count,
    parse_duration,
    parse_timestamp,
    parse_usd,
    tool_detail,
)
from .endings import REFUSAL, UNANSWERED, Ended, ending_of, refused
from .reading import MAX_PROBLEMS, LineParser
from .tokens import calls_of, entry_usage, terms_of, token_usage
from .tool_result_fast_path import ToolResultMatcher

PARSED_TYPES = frozenset({"system", "assistant", "user", "result"})
SYNTHETIC = "<synthetic>"
_AGENT_TOOLS = frozenset({"Task", "Agent"})
_SUBAGENT = msgspec.json.Decoder(SubagentResult)
MAX_RESULT_CHARS = 2000  # characters kept of a result's text
_SESSION = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(slots=True)
class ClaudeParser(LineParser):
    """Parser of one Claude Code stream and the facts collected so far."""

    messages: dict[str, MessageUsage] = field(default_factory=dict)
    tools: list[ToolCall] = field(default_factory=list)
    tool_at: dict[str, int] = field(default_factory=dict)
    early: dict[str, tuple[bool, int]] = field(
        default_factory=dict
    )  # tool results read before their call, by call id: failed, line
    sessions: dict[str, None] = field(default_factory=dict)
    opened: dict[str, None] = field(default_factory=dict)  # sessions whose init line is in this stream
    model: str | None = None
    transcript: bool = False
    first_type: str | None = None
    messages_before_init: bool = False
    usage: tuple[str, Usage] | None = None  # id and usage of the latest message, which its next line repeats
    subagents: list[Subagent] = field(default_factory=list)
    agent_ids: dict[str, None] = field(default_factory=dict)
    sidechains: bool = False
    ended: Ended | None = None  # ending according to the last line that shows one
    side_ended: Ended | None = None  # ending according to subagents' lines
    asked_at: datetime | None = None  # time of the latest prompt that has no answer yet
    has_copied: bool = False  # whether some lines are marked as another session's
    own_first: datetime | None = None  # earliest time of a message that is not another session's

    def feed(self, block: bytes, number: int) -> int:
        """Parse a block of lines, the first of which follows line `number`; return the last line's number."""
        start, find, answers = 0, block.find, ToolResultMatcher()
        while (end := find(b"\n", start)) >= 0 or start < len(block):
            end = end if end >= 0 else len(block)
            if block[start] != BRACE and (after := self._after_noise(block, start)) > start:
                number += block.count(b"\n", start, after)
                start = after
                continue
            number += 1
            plain = answers.match(block, start, end) if self.begun is None else None
            if plain is None:
                self.take_line(block[start:end], number)
            else:
                self.lines = number
                self.sessions[answers.session] = None
                self.first_type = self.first_type or "user"
                self.ended = UNANSWERED
                _answered(self, *plain, number)
            start = end + 1
        return number

    def _after_noise(self, block: bytes, start: int) -> int:
        """Return the offset of the next line to parse; lines without JSON count until MAX_PROBLEMS."""
        text = len(self.problems) >= MAX_PROBLEMS and self.begun is None
        return skip_noise(block, start, text=text)

    def take_record(self, raw: bytes, number: int) -> None:
        """Parse one record and add its facts."""
        line = decode_line(raw, PARSED_TYPES)
        if line is not None:
            _take(self, line, number)
        if not raw.isascii():
            _check_text(self, raw, number)

    def moment(self, line: Line, number: int) -> datetime | None:
        """Return and record when a line was written; None if it has no valid time."""
        when = None if line.timestamp is None else parse_timestamp(line.timestamp)
        self.note_time(when, line.timestamp, number)
        return when

    def note_ending(self, line: Line, ended: Ended | None) -> None:
        """Record how the stream ends if this is its last line; subagents' lines are kept apart."""
        if ended is not None and line.isSidechain:
            self.side_ended = ended
        elif ended is not None:
            self.ended = ended

    def note_said(self, line: Line, ended: Ended | None, when: datetime | None, *, copied: bool) -> None:
        """Record the time of a message or prompt; `copied`: the line is marked as another session's."""
        if copied:
            self.has_copied = True
        elif when is not None and isinstance(line.message, Message):
            self.own_first = min(self.own_first or when, when)
        if when is not None and ended is UNANSWERED and _is_prompt(line):
            self.asked_at = when

    def add_problem(self, reason: str, line: int | None, *, doubtful: bool = False) -> None:
        """Record a problem with a line, up to MAX_PROBLEMS; after a lost line, the ending is unknown."""
        if not doubtful:
            self.ended = self.side_ended = None
        LineParser.add_problem(self, reason, line, doubtful=doubtful)

    def result(self, agent: str) -> StreamFacts:
        """Build the facts of the lines read so far."""
        messages = tuple(self.messages.values())
        ending, ending_text = self.ended or self.side_ended or (None, "")
        return StreamFacts(
            path=self.path,
            format="claude_transcript" if self.transcript else "claude",
            agent=agent,
            session_ids=tuple(self.sessions),
            model=self.model or next((m.model for m in messages if m.model), None),
            results=tuple(self.results),
            messages=messages,
            tools=tuple(self.tools),
            started_at=self.own_first if self.has_copied and self.own_first else self.first,
            ended_at=self.last,
            last_result_line=self.results[-1].line if self.results else None,
            lines=self.lines,
            problems=(
                *self.all_problems(),
                *_out_of_order(self),
                *self.doubtful_results(spent=any(map(_used, messages))),
            ),
            lost_line=self.missing_since(),
            unended=self.unended(),
            subagents=tuple(self.subagents),
            agent_ids=tuple(self.agent_ids),
            sidechains=self.sidechains,
            ending=None if self.begun else ending,
            ending_text=ending_text,
        )

    def unended(self) -> tuple[str, ...]:
        """Return the sessions that began before the last one and have no result, if another one has."""
        ended = {result.session_id for result in self.results if result.session_id and is_telling(result)}
        *before, _ = self.opened or (None,)
        return tuple([session for session in before if session and session not in ended]) if ended else ()


def _used(message: MessageUsage) -> bool:
    return message.usage != TokenUsage()


def _check_text(reading: ClaudeParser, raw: bytes, number: int) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        reading.add_problem(f"not UTF-8 at byte {error.start} of the line", number, doubtful=True)


def _take(reading: ClaudeParser, line: Line, number: int) -> None:
    """Add one decoded line's facts."""
    session = line.session_id or line.sessionId
    if session:
        reading.sessions[session] = None
    if line.sessionId:
        reading.transcript = True
    reading.first_type = reading.first_type or line.type
    if line.subtype == "init" and session:
        reading.opened[session] = None
    when = reading.moment(line, number)
    ended = ending_of(line)
    reading.note_ending(line, ended)
    copied = is_copied(reading.path, line.sessionId, line.forkedFrom)
    if reading.transcript:
        reading.note_said(line, ended, when, copied=copied)
    if line.type == "result":
        reading.results.append(_result(line, number, session))
    elif isinstance(line.message, Message):
        if line.type == "assistant":
            _assistant(reading, line.message, number, when, session, copied=copied)
            _sidechain(reading, line)
        elif isinstance(line.message.content, list):
            _tool_results(reading, line, line.message.content, number)
    elif line.subtype == "init" and line.model and line.model != SYNTHETIC:
        reading.model = reading.model or line.model
        reading.messages_before_init = reading.messages_before_init or bool(reading.messages)


def _assistant(
    reading: ClaudeParser,
    message: Message,
    number: int,
    when: datetime | None,
    session: str | None,
    *,
    copied: bool,
) -> None:
    if message.model == SYNTHETIC:
        return
    message_id = message.id or f"line {number}"
    known = reading.messages.get(message_id)
    if known is not None:
        message_id = known.message_id  # reuse one string: a long stream repeats the id often
    again = known is not None and known.model is not None and reading.usage == (message_id, message.usage)
    if message.usage is not None and (reading.transcript or not again):
        new = _spent(message, message.usage, message_id, number, when)
        if reading.transcript or session:
            final = reading.transcript and message.stop_reason is not None
            new = msgspec.structs.replace(
                new,
                is_final=final,
                session=session and intern(session),
                asked_at=reading.asked_at,
                copied=copied,
            )
        reading.asked_at = None
        reading.messages[message_id] = new if known is None else _merged(known, new, whole=reading.transcript)
        reading.usage = message_id, message.usage
    for block in message.content if isinstance(message.content, list) else ():
        if isinstance(block, Block) and block.type == "tool_use" and block.name:
            _called(reading, block, block.name, number, message_id)


def _spent(
    message: Message, given: Usage, message_id: str, number: int, when: datetime | None
) -> MessageUsage:
    terms, usage = terms_of(given), token_usage(given)
    return MessageUsage(
        message_id,
        intern(message.model) if message.model else message.model,
        usage,
        number,
        timestamp=when,
        terms=terms,
        calls=calls_of(given, usage, terms) if given.iterations else (),
    )


def _merged(known: MessageUsage, new: MessageUsage, *, whole: bool) -> MessageUsage:
    """Merge two lines of one message; in a transcript, the later one decides whether it is final."""
    if known.usage == new.usage and known.is_final == new.is_final and known.model is not None:
        return known
    merged = known.merged(new, whole=whole)
    return (
        merged if merged.is_final == new.is_final else msgspec.structs.replace(merged, is_final=new.is_final)
    )


def _called(reading: ClaudeParser, block: Block, tool: str, number: int, message_id: str) -> None:
    failed = None
    if block.id:
        if block.id in reading.tool_at:
            return  # the same call, repeated on a later line of its message
        reading.tool_at[block.id] = len(reading.tools)
        failed, _ = reading.early.pop(block.id, (None, 0))
    reading.tools.append(ToolCall(intern(tool), tool_detail(block.input), number, message_id, failed))


def is_copied(path: str, session: object, forked_from: object) -> bool:
    """Return whether a transcript's line is marked as copied from another session's transcript."""
    own = _session_named(path) if session else None
    return forked_from is not None or (own is not None and session != own)


@lru_cache(maxsize=64)
def _session_named(path: str) -> str | None:
    """Return the session id in a transcript's file name, or None."""
    stem = path.rpartition("/")[2].partition(".")[0]
    return stem if _SESSION.fullmatch(stem) else None


def _is_prompt(line: Line) -> bool:
    """Return whether a line is a prompt of the main thread, without tool results."""
    if line.type != "user" or line.isSidechain:
        return False
    content = line.message.content if isinstance(line.message, Message) else None
    blocks = content if isinstance(content, list) else ()
    return not any(isinstance(block, Block) and block.type == "tool_result" for block in blocks)


def _sidechain(reading: ClaudeParser, line: Line) -> None:
    """Record the subagent that wrote the line, if one did."""
    if isinstance(line.agentId, str):
        reading.agent_ids[line.agentId] = None
    elif line.isSidechain is True:
        reading.sidechains = True


def _agents_calls(reading: ClaudeParser, blocks: list[Block | str]) -> Iterator[ToolCall | None]:
    """Yield the tool call of each result that may be a subagent's answer; None if the call is missing."""
    for block in blocks:
        at = reading.tool_at.get(block.tool_use_id or "") if isinstance(block, Block) else None
        call = None if at is None else reading.tools[at]
        if isinstance(block, Block) and (call is None or call.tool in _AGENT_TOOLS):
            yield call


def _subagent(reading: ClaudeParser, call: ToolCall | None, result: msgspec.Raw, number: int) -> None:
    """Record a subagent's answer; its usage is in its own transcript."""
    try:
        told = _SUBAGENT.decode(result)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    if told.agentId or told.totalTokens:
        caller = None if call is None else call.message_id
        reading.subagents.append(Subagent(number, told.agentId, told.totalTokens, caller))


def _tool_results(reading: ClaudeParser, line: Line, blocks: list[Block | str], number: int) -> None:
    if reading.transcript:
        for call in islice(_agents_calls(reading, blocks), 1):
            _subagent(reading, call, line.toolUseResult, number)
    for block in blocks:
        if not isinstance(block, Block) or block.type != "tool_result" or not block.tool_use_id:
            continue
        _answered(reading, block.tool_use_id, bool(block.is_error), number)


def _answered(reading: ClaudeParser, tool_use_id: str, failed: bool, number: int) -> None:
    at = reading.tool_at.get(tool_use_id)
    if at is None:
        reading.early[tool_use_id] = failed, number
        return
    call = reading.tools[at]
    reading.tools[at] = ToolCall(call.tool, call.detail, call.line, call.message_id, failed)


def _result(line: Line, number: int, session: str | None) -> ResultLine:
    models = tuple(
        ReportedModelCost(name, entry_usage(entry), parse_usd(entry.costUSD))
        for name, entry in (line.modelUsage or {}).items()
        if name != SYNTHETIC
    )
    text = line.result if isinstance(line.result, str) else ""
    if line.stop_reason == REFUSAL:
        text = refused(text.strip())
    elif not text and (line.is_error or (line.subtype or "").startswith("error")):
        text = error_text(line.errors) or error_text(line.result) or ""
    elif not text:
        text = answer_text(line.result) or answer_text(line.structured_output)
    return ResultLine(
        line=number,
        total_cost=parse_usd(line.total_cost_usd),
        models=models,
        main_usage=token_usage(line.usage) if line.usage else TokenUsage(),
        duration_ms=parse_duration(line.duration_ms),
        duration_api_ms=parse_duration(line.duration_api_ms),
        turns=parse_count(line.num_turns) if line.num_turns is not None else None,
        is_error=bool(line.is_error) or line.stop_reason == REFUSAL,
        subtype=line.subtype,
        text=text[:MAX_RESULT_CHARS],
        session_id=session,
        uuid=line.uuid,
        permission_denials=len(line.permission_denials or ()),
        terms=terms_of(line.usage) if line.usage else LIST_PRICE,
    )


def _out_of_order(reading: ClaudeParser) -> Iterator[Problem]:
    """Yield problems that show missing lines or lines in the wrong order."""
    if len(reading.problems) >= MAX_PROBLEMS:
        return
    for _, number in list(reading.early.values())[:MAX_PROBLEMS]:
        yield Problem(reading.path, "a tool result stands without its call", number, "warning")
    last_result = reading.results[-1].line if reading.results else None
    later = [m.line for m in reading.messages.values() if last_result and m.line > last_result]
    if later:
        yield Problem(reading.path, "messages stand after the last result", min(later), "warning")
    if reading.transcript or reading.first_type in (None, "system"):
        return
    if reading.messages and (reading.messages_before_init or reading.first_type == "result"):
        yield Problem(reading.path, "the stream does not begin with its init line", 1, "warning")
