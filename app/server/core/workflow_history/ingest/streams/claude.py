"""Parse Claude Code streams and transcripts into StreamFacts. Calculates no costs and judges no outcome."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Final

import msgspec

from ...common.models import (
    LIST_PRICE,
    MessageUsage,
    Problem,
    ReportedModelCost,
    ResultLine,
    Severity,
    StreamFacts,
    StreamFormat,
    Subagent,
    TokenUsage,
    ToolCall,
)
from ...common.outcomes import subtype_message
from ...costs.accounting.reported_totals import reports_spending
from .block_reader import BRACE, skip_noise
from .claude_schema import (
    Block,
    Line,
    LineUnreadableError,
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
from .endings import REFUSAL, SYNTHETIC, UNANSWERED, StreamEnding, ending_of, refusal_text
from .line_parser import MAX_PROBLEMS, LineParser
from .session_info import SessionCollector
from .tokens import calls_of, entry_usage, terms_of, token_usage
from .tool_result_fast_path import ToolResultMatcher

_METADATA_TYPES = frozenset({"custom-title", "ai-title", "summary", "pr-link"})
PARSED_TYPES = frozenset({"system", "assistant", "user", "result", *_METADATA_TYPES})
_TITLE_KINDS = ("custom-title", "ai-title", "summary")  # types of lines with a title, the best first
_HEADLESS = re.compile(r"sdk\b|.*\baction\b", re.IGNORECASE)  # entry points of scripts, such as sdk-py
_AGENT_TOOLS = frozenset({"Task", "Agent"})
_NEVER_STARTED = re.compile(
    rb"<tool_use_error>|InputValidationError|No such tool available|Agent type '[^']*' not found"
    rb"|doesn't want to proceed with this tool use|The tool use was rejected"
    rb"|[Pp]ermissions? to use (?:Task|Agent)\b|PreToolUse|operation blocked by hook"
)
"""Beginnings of Claude Code's answers to calls of a subagent that it refused."""

_SUBAGENT_DECODER = msgspec.json.Decoder(SubagentResult)
MAX_RESULT_CHARS = 2000  # characters kept of a result's text
_SESSION_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(slots=True)
class ClaudeParser(LineParser):
    """Parser of one Claude Code stream and the facts collected so far."""

    messages: dict[str, MessageUsage] = field(default_factory=dict)
    tools: list[ToolCall] = field(default_factory=list)
    tool_at: dict[str, int] = field(default_factory=dict)
    early_results: dict[str, tuple[bool, int]] = field(default_factory=dict)
    """Tool results read before their call, by call id: whether it failed, and the line."""

    sessions: dict[str, None] = field(default_factory=dict)
    started_sessions: dict[str, None] = field(default_factory=dict)
    """Sessions whose init line is in this stream."""

    last_init: int = 0  # number of the last init line

    model: str | None = None
    is_transcript: bool = False
    first_type: str | None = None
    messages_before_init: bool = False
    last_usage: tuple[str, Usage] | None = None
    """Id and usage of the latest message, which its next line repeats."""

    subagents: list[Subagent] = field(default_factory=list)
    agent_ids: dict[str, None] = field(default_factory=dict)
    sidechains: bool = False
    ending: StreamEnding | None = None  # ending according to the last line that shows one
    sidechain_ending: StreamEnding | None = None  # ending according to subagents' lines
    asked_at: datetime | None = None  # time of the latest prompt that has no answer yet
    has_copied: bool = False  # whether some lines are marked as another session's
    own_first: datetime | None = None  # earliest time of a message that is not another session's
    collector: SessionCollector = field(
        default_factory=SessionCollector
    )  # metadata of a transcript's session

    def feed(self, block: bytes, number: int) -> int:
        """Parse a block of lines, the first of which follows line `number`; return the last line's number."""
        start, find, matcher = 0, block.find, ToolResultMatcher()
        while (end := find(b"\n", start)) >= 0 or start < len(block):
            end = end if end >= 0 else len(block)
            if block[start] != BRACE and (after := self._skip_noise(block, start)) > start:
                number += block.count(b"\n", start, after)
                start = after
                continue
            number += 1
            tool_result = matcher.match(block, start, end) if self.partial_record is None else None
            if tool_result is None:
                self.parse_line(block[start:end], number)
            else:
                self.lines = number
                self.sessions[matcher.session] = None
                self.first_type = self.first_type or "user"
                self.ending = UNANSWERED
                _add_tool_outcome(self, *tool_result, number)
            start = end + 1
        return number

    def _skip_noise(self, block: bytes, start: int) -> int:
        """Return the offset of the next line to parse; lines without JSON count until MAX_PROBLEMS."""
        skip_text = len(self.problems) >= MAX_PROBLEMS and self.partial_record is None
        return skip_noise(block, start, skip_text=skip_text)

    def parse_record(self, raw: bytes, number: int) -> None:
        """Parse one record and add its facts."""
        line = decode_line(raw, PARSED_TYPES)
        if line is not None and line.type in _METADATA_TYPES:
            _add_metadata(self, line)
        elif line is not None:
            _add_line(self, line, number)
        if not raw.isascii():
            _report_invalid_utf8(self, raw, number)

    def record_timestamp(self, line: Line, number: int) -> datetime | None:
        """Return and record when a line was written; None if it has no valid time."""
        when = None if line.timestamp is None else parse_timestamp(line.timestamp)
        self.record_time(when, line.timestamp, number)
        return when

    def record_ending(self, line: Line, ending: StreamEnding | None) -> None:
        """Record how the stream ends if this is its last line; subagents' lines are kept apart."""
        if ending is not None and line.isSidechain:
            self.sidechain_ending = ending
        elif ending is not None:
            self.ending = ending

    def record_transcript_line(
        self, line: Line, ending: StreamEnding | None, when: datetime | None, *, copied: bool
    ) -> None:
        """Record place and time of a transcript's line; `copied`: it is marked as another session's."""
        self.collector.record_place(line.cwd, line.gitBranch)
        self.collector.record_time(when)
        if isinstance(line.entrypoint, str):
            self.collector.is_headless = _HEADLESS.match(line.entrypoint) is not None
        if copied:
            self.has_copied = True
        elif when is not None and isinstance(line.message, Message):
            self.own_first = min(self.own_first or when, when)
        if when is not None and ending is UNANSWERED and _is_prompt(line):
            self.asked_at = when

    def add_problem(
        self, reason: str, line: int | None, *, warning: bool = False, keeps_end: bool = False
    ) -> None:
        """Record a problem with a line, up to MAX_PROBLEMS; after a lost line, the ending is unknown."""
        if not warning and not keeps_end:
            self.ending = self.sidechain_ending = None
        LineParser.add_problem(self, reason, line, warning=warning, keeps_end=keeps_end)

    def build_facts(self, agent: str) -> StreamFacts:
        """Build the facts of the lines read so far."""
        messages = tuple(self.messages.values())
        model = self.model or next((m.model for m in messages if m.model), None)
        results = self.results if self.is_transcript else with_message_usage(self.results, messages)
        ending, ending_text = self.ending or self.sidechain_ending or (None, "")
        return StreamFacts(
            path=self.path,
            format=StreamFormat.CLAUDE_TRANSCRIPT if self.is_transcript else StreamFormat.CLAUDE,
            agent=agent,
            session_ids=tuple(self.sessions),
            model=model,
            results=tuple(results),
            messages=messages,
            tools=tuple(self.tools),
            started_at=self.own_first if self.has_copied and self.own_first else self.first_time,
            ended_at=self.last_time,
            last_result_line=self.results[-1].line if self.results else None,
            lines=self.lines,
            problems=(
                *self.all_problems(),
                *_order_problems(self),
                *self.doubtful_results(
                    results,
                    model=model,
                    has_spending=any(message.usage != TokenUsage() for message in messages),
                ),
            ),
            lost_line=self.last_lost_line(),
            unended=self.unended_sessions(),
            subagents=(*self.subagents, *_unanswered_subagents(self)),
            agent_ids=tuple(self.agent_ids),
            sidechains=self.sidechains,
            ending=None if self.partial_record else ending,
            ending_text=ending_text,
            session=self.collector.build(next(iter(self.sessions), None), title_kinds=_TITLE_KINDS)
            if self.is_transcript
            else None,
        )

    def unended_sessions(self) -> tuple[str, ...]:
        """Return the sessions that began before the last one and have no result, if another one has."""
        ended = {
            result.session_id for result in self.results if result.session_id and reports_spending(result)
        }
        *earlier_sessions, _ = self.started_sessions or (None,)
        return (
            tuple([session for session in earlier_sessions if session and session not in ended])
            if ended
            else ()
        )


def _report_invalid_utf8(parser: ClaudeParser, raw: bytes, number: int) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        parser.add_problem(f"not UTF-8 at byte {error.start} of the line", number, warning=True)


_BACKGROUND: Final = "bg"
"""Kind of a background session, which may be a fork: another session counts the messages that both have."""


def _add_line(parser: ClaudeParser, line: Line, number: int) -> None:
    """Add one decoded line's facts."""
    session = line.session_id or line.sessionId
    if session:
        parser.sessions[session] = None
    if line.sessionId:
        parser.is_transcript = True
    parser.first_type = parser.first_type or line.type
    if line.subtype == "init" and session:
        parser.started_sessions[session] = None
        parser.last_init = number
    when = parser.record_timestamp(line, number)
    ending = ending_of(line)
    parser.record_ending(line, ending)
    is_copied_line = is_copied(parser.path, line.sessionId, line.forkedFrom)
    if parser.is_transcript:
        parser.record_transcript_line(line, ending, when, copied=is_copied_line)
    if line.type == "result":
        begin = max(parser.last_init, parser.results[-1].line if parser.results else 0)
        parser.results.append(_build_result(line, number, session, begin))
    elif isinstance(line.message, Message):
        if line.type == "assistant":
            may_be_copied = is_copied_line or line.sessionKind == _BACKGROUND
            _add_assistant_message(parser, line.message, number, when, session, copied=may_be_copied)
            _record_subagent_line(parser, line)
        elif isinstance(line.message.content, list):
            _add_tool_results(parser, line, line.message.content, number)
    elif line.subtype == "init" and line.model and line.model != SYNTHETIC:
        parser.model = parser.model or line.model
        parser.messages_before_init = parser.messages_before_init or bool(parser.messages)


def _add_metadata(parser: ClaudeParser, line: Line) -> None:
    """Add the title or the pull request of a transcript's session."""
    if line.type == "pr-link":
        parser.collector.record_pull_request(line.prNumber, line.prUrl, line.prRepository)
    else:
        parser.collector.record_title(str(line.type), line.customTitle or line.aiTitle or line.summary)


def _add_assistant_message(
    parser: ClaudeParser,
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
    known = parser.messages.get(message_id)
    if known is not None:
        message_id = known.message_id  # reuse one string: a long stream repeats the id often
    is_repeated = (
        known is not None and known.model is not None and parser.last_usage == (message_id, message.usage)
    )
    if message.usage is not None and (parser.is_transcript or not is_repeated):
        new = message_usage(message, message.usage, message_id, number, when)
        if parser.is_transcript or session:
            is_final = parser.is_transcript and message.stop_reason is not None
            new = msgspec.structs.replace(
                new,
                is_final=is_final,
                session=session and intern(session),
                asked_at=parser.asked_at,
                copied=copied,
            )
        parser.asked_at = None
        parser.messages[message_id] = (
            new if known is None else _merge_usage(known, new, is_transcript=parser.is_transcript)
        )
        parser.last_usage = message_id, message.usage
    for block in message.content if isinstance(message.content, list) else ():
        if isinstance(block, Block) and block.type == "tool_use" and block.name:
            _add_tool_call(parser, block, block.name, number, message_id)


def message_usage(
    message: Message, reported: Usage, message_id: str, number: int, when: datetime | None
) -> MessageUsage:
    """Return the usage of one line of a message; raises LineUnreadableError for an impossible count."""
    terms, tokens = terms_of(reported), token_usage(reported)
    return MessageUsage(
        message_id,
        intern(message.model) if message.model else message.model,
        tokens,
        number,
        timestamp=when,
        terms=terms,
        calls=calls_of(reported, tokens, terms) if reported.iterations else (),
    )


def _merge_usage(known: MessageUsage, new: MessageUsage, *, is_transcript: bool) -> MessageUsage:
    """Merge two lines of one message; in a transcript, the later one decides whether it is final."""
    if known.usage == new.usage and known.is_final == new.is_final and known.model is not None:
        return known
    merged = known.merged(new, whole=is_transcript)
    return (
        merged if merged.is_final == new.is_final else msgspec.structs.replace(merged, is_final=new.is_final)
    )


def _add_tool_call(parser: ClaudeParser, block: Block, tool: str, number: int, message_id: str) -> None:
    failed = None
    if block.id:
        if block.id in parser.tool_at:
            return  # the same call, repeated on a later line of its message
        parser.tool_at[block.id] = len(parser.tools)
        failed, _ = parser.early_results.pop(block.id, (None, 0))
    parser.tools.append(ToolCall(intern(tool), tool_detail(block.input), number, message_id, failed))


def is_copied(path: str, session: object, forked_from: object) -> bool:
    """Return whether a transcript's line is marked as copied from another session's transcript."""
    own_session = _session_of_file(path) if session else None
    return forked_from is not None or (own_session is not None and session != own_session)


@lru_cache(maxsize=64)
def _session_of_file(path: str) -> str | None:
    """Return the session id in a transcript's file name, or None."""
    stem = path.rpartition("/")[2].partition(".")[0]
    return stem if _SESSION_ID.fullmatch(stem) else None


def _is_prompt(line: Line) -> bool:
    """Return whether a line is a prompt of the main thread, without tool results."""
    if line.type != "user" or line.isSidechain:
        return False
    content = line.message.content if isinstance(line.message, Message) else None
    blocks = content if isinstance(content, list) else ()
    return not any(isinstance(block, Block) and block.type == "tool_result" for block in blocks)


def _record_subagent_line(parser: ClaudeParser, line: Line) -> None:
    """Record the subagent that wrote the line, if one did."""
    if isinstance(line.agentId, str):
        parser.agent_ids[line.agentId] = None
    elif line.isSidechain is True:
        parser.sidechains = True


def _subagent_calls(
    parser: ClaudeParser, blocks: list[Block | str]
) -> Iterator[tuple[Block, ToolCall | None]]:
    """Yield each result that may be a subagent's answer with its tool call; None if the call is missing."""
    for block in blocks:
        index = parser.tool_at.get(block.tool_use_id or "") if isinstance(block, Block) else None
        call = None if index is None else parser.tools[index]
        if isinstance(block, Block) and (call is None or call.tool in _AGENT_TOOLS):
            yield block, call


def _add_subagents(parser: ClaudeParser, line: Line, blocks: list[Block | str], number: int) -> None:
    """Record the subagents that answered on a line, or failed to; their usage is in their own transcripts."""
    answer = None
    for position, (block, call) in enumerate(_subagent_calls(parser, blocks)):
        caller = None if call is None else call.message_id
        answer = _decode_answer(line.toolUseResult) if position == 0 else None
        if answer is not None and (answer.agentId or answer.totalTokens):
            prompt_tokens = _prompt_tokens(answer)
            parser.subagents.append(
                Subagent(number, answer.agentId, answer.totalTokens, caller, prompt_tokens)
            )
        elif call is not None and call.failed is None and not _was_never_started(block):
            parser.subagents.append(Subagent(number, None, None, caller))


def _decode_answer(raw: msgspec.Raw) -> SubagentResult | None:
    try:
        return _SUBAGENT_DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _prompt_tokens(answer: SubagentResult) -> int | None:
    """Return the tokens of a subagent's last request without its output; None if that is unclear."""
    try:
        usage = token_usage(msgspec.convert(answer.usage, Usage))
    except (msgspec.ValidationError, LineUnreadableError):
        return None
    return usage.total - usage.output if usage.total == answer.totalTokens else None


def _was_never_started(block: Block) -> bool:
    """Return whether a failed call spent nothing, because it was refused before a subagent worked."""
    return bool(block.is_error) and _NEVER_STARTED.search(block.content) is not None


def _unanswered_subagents(parser: ClaudeParser) -> Iterator[Subagent]:
    """Yield the subagents that were called and have no answer: they were killed, or still work."""
    for call in parser.tools if parser.is_transcript else ():
        if call.tool in _AGENT_TOOLS and call.failed is None:
            yield Subagent(call.line, None, None, call.message_id)


def _add_tool_results(parser: ClaudeParser, line: Line, blocks: list[Block | str], number: int) -> None:
    if parser.is_transcript:
        _add_subagents(parser, line, blocks, number)
    for block in blocks:
        if not isinstance(block, Block) or block.type != "tool_result" or not block.tool_use_id:
            continue
        _add_tool_outcome(parser, block.tool_use_id, bool(block.is_error), number)


def _add_tool_outcome(parser: ClaudeParser, tool_use_id: str, failed: bool, number: int) -> None:
    index = parser.tool_at.get(tool_use_id)
    if index is None:
        parser.early_results[tool_use_id] = failed, number
        return
    call = parser.tools[index]
    parser.tools[index] = ToolCall(call.tool, call.detail, call.line, call.message_id, failed)


def _build_result(line: Line, number: int, session: str | None, begin: int) -> ResultLine:
    models = tuple(
        ReportedModelCost(name, entry_usage(entry), parse_usd(entry.costUSD))
        for name, entry in (line.modelUsage or {}).items()
        if name != SYNTHETIC
    )
    text = line.result if isinstance(line.result, str) else ""
    if line.stop_reason == REFUSAL:
        text = refusal_text(text.strip())
    elif not text and (line.is_error or (line.subtype or "").startswith("error")):
        text = error_text(line.errors) or error_text(line.result) or subtype_message(line.subtype) or ""
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
        lists_models=line.modelUsage is not None,
        begin=begin,
    )


def with_message_usage(results: Sequence[ResultLine], messages: Iterable[MessageUsage]) -> list[ResultLine]:
    """Return the results with the usage of the messages that they should include.

    These stand between the program's start, or its last result, and the result. Messages of other sessions
    are excluded, and messages without an id, because their lines repeat the same usage.
    """
    lines = [result.line for result in results]
    shown: list[dict[str | None, TokenUsage]] = [{} for _ in results]
    for message in messages:
        index = bisect_left(lines, message.line)
        if index == len(lines) or message.copied or message.message_id.startswith("line "):
            continue
        result = results[index]
        sessions = {message.session, result.session_id} - {None}
        if message.line > result.begin and len(sessions) <= 1:
            usage = shown[index].get(message.model, TokenUsage())
            shown[index][message.model] = usage + message.usage
    return [
        msgspec.structs.replace(
            result,
            message_usage=tuple([ReportedModelCost(model, usage, None) for model, usage in usages.items()]),
        )
        for result, usages in zip(results, shown, strict=True)
    ]


def _order_problems(parser: ClaudeParser) -> Iterator[Problem]:
    """Yield problems that show missing lines or lines in the wrong order."""
    if len(parser.problems) >= MAX_PROBLEMS:
        return
    for _, number in list(parser.early_results.values())[:MAX_PROBLEMS]:
        yield Problem(parser.path, "a tool result stands without its call", number, Severity.WARNING)
    last_result = parser.results[-1].line if parser.results else None
    late_lines = [m.line for m in parser.messages.values() if last_result and m.line > last_result]
    if late_lines:
        yield Problem(parser.path, "messages stand after the last result", min(late_lines), Severity.WARNING)
    if parser.is_transcript or parser.first_type in (None, "system"):
        return
    if parser.messages and (parser.messages_before_init or parser.first_type == "result"):
        yield Problem(parser.path, "the transcript does not begin with its init line", 1, Severity.WARNING)
