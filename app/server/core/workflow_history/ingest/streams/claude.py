"""Read a Claude Code stream: lines of bytes in, StreamFacts out. Nothing is priced or judged here."""

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
MAX_RESULT_CHARS = 2000  # characters kept of an answer
_SESSION = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(slots=True)
class ClaudeParser(LineParser):
    """What has been gathered so far from one stream."""

    messages: dict[str, MessageUsage] = field(default_factory=dict)
    tools: list[ToolCall] = field(default_factory=list)
    tool_at: dict[str, int] = field(default_factory=dict)
    early: dict[str, tuple[bool, int]] = field(
        default_factory=dict
    )  # answers before their call: failed, line
    sessions: dict[str, None] = field(default_factory=dict)
    opened: dict[str, None] = field(default_factory=dict)  # sessions of which the init line stands here
    model: str | None = None
    transcript: bool = False
    first_type: str | None = None
    messages_before_init: bool = False
    usage: tuple[str, Usage] | None = None  # of the message read last: its next line mostly says the same
    subagents: list[Subagent] = field(default_factory=list)
    agent_ids: dict[str, None] = field(default_factory=dict)
    sidechains: bool = False
    ended: Ended | None = None  # by the last line that tells of an end
    side_ended: Ended | None = None  # the same of subagents' lines
    asked_at: datetime | None = None  # of the last prompt that no message has answered yet
    has_copied: bool = False  # lines that say that they are another session's
    own_first: datetime | None = None  # earliest time of what was said or asked in all other lines

    def feed(self, block: bytes, number: int) -> int:
        """Put the facts of lines where they belong; the first follows line `number`. Return the last's."""
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
        """Return where the next line stands that says something; garbled ones do, while they are named."""
        text = len(self.problems) >= MAX_PROBLEMS and self.begun is None
        return skip_noise(block, start, text=text)

    def take_record(self, raw: bytes, number: int) -> None:
        """Put one record's facts where they belong."""
        line = decode_line(raw, PARSED_TYPES)
        if line is not None:
            _take(self, line, number)
        if not raw.isascii():
            _check_text(self, raw, number)

    def moment(self, line: Line, number: int) -> datetime | None:
        """Return when a line was written, and note it; None if it does not show."""
        when = None if line.timestamp is None else parse_timestamp(line.timestamp)
        self.note_time(when, line.timestamp, number)
        return when

    def note_ending(self, line: Line, ended: Ended | None) -> None:
        """Note how the stream ends, if this is its last line."""
        if ended is not None and line.isSidechain:
            self.side_ended = ended
        elif ended is not None:
            self.ended = ended

    def note_said(self, line: Line, ended: Ended | None, when: datetime | None, *, copied: bool) -> None:
        """Note when something was said or asked; `copied`: the line says that it is another session's."""
        if copied:
            self.has_copied = True
        elif when is not None and isinstance(line.message, Message):
            self.own_first = min(self.own_first or when, when)
        if when is not None and ended is UNANSWERED and _is_prompt(line):
            self.asked_at = when

    def add_problem(self, reason: str, line: int | None, *, doubtful: bool = False) -> None:
        """Note what is wrong with a line, up to a bound; how the stream ends is unknown after a lost line."""
        if not doubtful:
            self.ended = self.side_ended = None
        LineParser.add_problem(self, reason, line, doubtful=doubtful)

    def result(self, agent: str) -> StreamFacts:
        """Return what the stream says so far."""
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
        """Return the sessions that left no result before another one began here and left one."""
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
    """Put one decoded line's facts where they belong."""
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
        message_id = known.message_id  # one text for all that name it: a long stream names it often
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
    """Take a message's lines as one message; in a transcript its last line tells whether it is final."""
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
    """Return whether a line of a transcript says that it was copied from another session's."""
    own = _session_named(path) if session else None
    return forked_from is not None or (own is not None and session != own)


@lru_cache(maxsize=64)
def _session_named(path: str) -> str | None:
    """Return the session that a transcript is called after."""
    stem = path.rpartition("/")[2].partition(".")[0]
    return stem if _SESSION.fullmatch(stem) else None


def _is_prompt(line: Line) -> bool:
    """Return whether a line holds what a person asked for, and no tool's answer."""
    if line.type != "user" or line.isSidechain:
        return False
    content = line.message.content if isinstance(line.message, Message) else None
    blocks = content if isinstance(content, list) else ()
    return not any(isinstance(block, Block) and block.type == "tool_result" for block in blocks)


def _sidechain(reading: ClaudeParser, line: Line) -> None:
    """Note whose messages stand here, if a sub-agent's do."""
    if isinstance(line.agentId, str):
        reading.agent_ids[line.agentId] = None
    elif line.isSidechain is True:
        reading.sidechains = True


def _agents_calls(reading: ClaudeParser, blocks: list[Block | str]) -> Iterator[ToolCall | None]:
    """Yield the calls of tool results that may be a sub-agent's answer; one without its call may be."""
    for block in blocks:
        at = reading.tool_at.get(block.tool_use_id or "") if isinstance(block, Block) else None
        call = None if at is None else reading.tools[at]
        if isinstance(block, Block) and (call is None or call.tool in _AGENT_TOOLS):
            yield call


def _subagent(reading: ClaudeParser, call: ToolCall | None, result: msgspec.Raw, number: int) -> None:
    """Note a sub-agent's answer: what it spent stands in its own transcript."""
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
    """Tell what shows that lines are missing or stand in another order than they were written in."""
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
