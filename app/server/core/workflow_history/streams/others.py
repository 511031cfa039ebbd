"""Read the streams of other agents' CLIs that turn up in the same folders: lines in, StreamFacts out.

Gemini CLI (`--output-format stream-json`) and Codex (`codex exec --json`) give token totals and no
cost. Both count cached tokens inside their input tokens; here they are taken out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from ..models import Problem, ResultSegment, StreamFacts, TokenUsage, ToolCall
from .blocks import lines_of
from .lines import NO_TIME, LineUnreadableError, count, instant, milliseconds

MAX_PROBLEMS = 20


class GeminiStats(msgspec.Struct):
    """Totals of a Gemini session; tokens, milliseconds."""

    input_tokens: int | float | None = None
    output_tokens: int | float | None = None
    cached: int | float | None = None
    cached_tokens: int | float | None = None
    duration_ms: int | float | None = None


class GeminiParameters(msgspec.Struct):
    """What a Gemini tool call was about."""

    command: str | None = None
    file_path: str | None = None
    path: str | None = None
    pattern: str | None = None


class GeminiLine(msgspec.Struct):
    """One line of a Gemini stream."""

    type: str | None = None
    timestamp: Any = None
    session_id: str | None = None
    model: str | None = None
    role: str | None = None
    content: Any = None
    tool_name: str | None = None
    tool_id: str | None = None
    parameters: GeminiParameters | None = None
    status: str | None = None
    stats: GeminiStats | None = None
    error: Any = None


class CodexUsage(msgspec.Struct):
    """Token totals of a Codex thread so far."""

    input_tokens: int | float | None = None
    cached_input_tokens: int | float | None = None
    output_tokens: int | float | None = None


class CodexItem(msgspec.Struct):
    """One step of a Codex turn."""

    type: str | None = None
    id: str | None = None
    command: str | None = None
    exit_code: int | None = None
    text: str | None = None


class CodexLine(msgspec.Struct):
    """One line of a Codex stream."""

    type: str | None = None
    thread_id: str | None = None
    item: CodexItem | None = None
    usage: CodexUsage | None = None
    error: Any = None


@dataclass(slots=True)
class GeminiReading:
    """What has been gathered so far from one Gemini stream."""

    path: str
    tools: dict[str, ToolCall] = field(default_factory=dict)
    results: list[ResultSegment] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unreadable: int = 0
    usage: TokenUsage | None = None
    model: str | None = None
    session: str | None = None
    text: str = ""
    first: datetime | None = None
    last: datetime | None = None
    lines: int = 0

    def take_block(self, block: bytes, number: int) -> int:
        """Put the facts of lines where they belong; the first follows line `number`. Return the last's."""
        return _line_by_line(self._take, block, number)

    def _take(self, number: int, raw: bytes) -> None:
        line = _decoded(self, number, raw, _GEMINI)
        if line is None:
            return
        self.lines = number
        if (when := instant(line.timestamp)) is not None:
            self.first = min(self.first or when, when)
            self.last = max(self.last or when, when)
        elif line.timestamp is not None and not any(p.reason.startswith(NO_TIME) for p in self.problems):
            reason = f"{NO_TIME}: {line.timestamp!r:.60}"
            self.problems.append(Problem(self.path, reason, number, "warning"))
        self.model, self.session = line.model or self.model, line.session_id or self.session
        if line.type == "tool_use" and line.tool_name:
            call = ToolCall(line.tool_name, _gemini_detail(line.parameters), number)
            self.tools[line.tool_id or f"line {number}"] = call
        elif line.type == "tool_result" and line.tool_id in self.tools:
            call = self.tools[line.tool_id]
            failed = line.status == "error"
            self.tools[line.tool_id] = ToolCall(call.tool, call.detail, call.line, None, failed)
        elif line.type == "message" and line.role == "assistant" and isinstance(line.content, str):
            self.text = (self.text + line.content)[-2000:]
        elif line.type == "result":
            self.usage = _gemini_usage(self, line.stats, number) or self.usage
            self.results.append(_gemini_result(line, number, self.session, self.text))

    def facts(self, agent: str) -> StreamFacts:
        """Return what the stream says so far."""
        return StreamFacts(
            path=self.path,
            format="gemini",
            agent=agent,
            session_ids=(self.session,) if self.session else (),
            model=self.model,
            results=tuple(self.results),
            tools=tuple(self.tools.values()),
            started_at=self.first,
            ended_at=self.last,
            last_result_line=self.results[-1].line if self.results else None,
            lines=self.lines,
            problems=tuple(self.problems),
            usage=self.usage,
        )


@dataclass(slots=True)
class CodexReading:
    """What has been gathered so far from one Codex stream; its usage is the thread's total so far."""

    path: str
    tools: list[ToolCall] = field(default_factory=list)
    results: list[ResultSegment] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unreadable: int = 0
    usage: TokenUsage | None = None
    session: str | None = None
    text: str = ""
    lines: int = 0

    def take_block(self, block: bytes, number: int) -> int:
        """Put the facts of lines where they belong; the first follows line `number`. Return the last's."""
        return _line_by_line(self._take, block, number)

    def _take(self, number: int, raw: bytes) -> None:
        line = _decoded(self, number, raw, _CODEX)
        if line is None:
            return
        self.lines = number
        self.session = line.thread_id or self.session
        if line.type == "item.completed" and line.item is not None:
            said = line.item.type == "agent_message" and line.item.text
            self.text = line.item.text or "" if said else self.text
            if line.item.type == "command_execution":
                failed = None if line.item.exit_code is None else line.item.exit_code != 0
                self.tools.append(ToolCall("Bash", line.item.command, number, None, failed))
        elif line.type in ("turn.completed", "turn.failed"):
            self.usage = _codex_usage(self, line.usage, number) or self.usage
            self.results.append(_codex_result(line, number, self.session, self.text))

    def facts(self, agent: str) -> StreamFacts:
        """Return what the stream says so far."""
        return StreamFacts(
            path=self.path,
            format="codex",
            agent=agent,
            session_ids=(self.session,) if self.session else (),
            results=tuple(self.results),
            tools=tuple(self.tools),
            last_result_line=self.results[-1].line if self.results else None,
            lines=self.lines,
            problems=tuple(self.problems),
            usage=self.usage,
        )


def _line_by_line(take: Callable[[int, bytes], None], block: bytes, number: int) -> int:
    for raw in lines_of(block):
        number += 1
        take(number, raw)
    return number


LineT = TypeVar("LineT", GeminiLine, CodexLine)

_GEMINI = msgspec.json.Decoder(GeminiLine)
_CODEX = msgspec.json.Decoder(CodexLine)


def _decoded(
    reading: GeminiReading | CodexReading, number: int, raw: bytes, decoder: msgspec.json.Decoder[LineT]
) -> LineT | None:
    """Return a line that is a JSON object; plain text between them is the CLI talking to a person."""
    if not raw.lstrip().startswith(b"{"):
        return None
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        _trouble(reading, f"unreadable line: {error}", number)
        return None


def _trouble(reading: GeminiReading | CodexReading, reason: str, number: int) -> None:
    reading.unreadable += 1
    if len(reading.problems) < MAX_PROBLEMS:
        reading.problems.append(Problem(reading.path, reason, number))


def _gemini_detail(given: GeminiParameters | None) -> str | None:
    return (given.command or given.file_path or given.path or given.pattern) if given else None


def _gemini_usage(reading: GeminiReading, stats: GeminiStats | None, number: int) -> TokenUsage | None:
    if stats is None or (stats.input_tokens is None and stats.output_tokens is None):
        return None
    try:
        cached = count(stats.cached if stats.cached is not None else stats.cached_tokens)
        given = count(stats.input_tokens)
        return TokenUsage(input=max(given - cached, 0), output=count(stats.output_tokens), cache_read=cached)
    except LineUnreadableError as error:
        _trouble(reading, f"unreadable line: {error}", number)
        return None


def _gemini_result(line: GeminiLine, number: int, session: str | None, text: str) -> ResultSegment:
    failed = line.status not in (None, "success")
    return ResultSegment(
        line=number,
        total_cost=None,
        duration_ms=milliseconds(line.stats.duration_ms) if line.stats else None,
        is_error=failed,
        subtype=line.status,
        text=str(line.error)[:2000] if failed and line.error else text,
        session_id=session,
    )


def _codex_usage(reading: CodexReading, given: CodexUsage | None, number: int) -> TokenUsage | None:
    if given is None:
        return None
    try:
        cached = count(given.cached_input_tokens)
        fresh = max(count(given.input_tokens) - cached, 0)
        return TokenUsage(input=fresh, output=count(given.output_tokens), cache_read=cached)
    except LineUnreadableError as error:
        _trouble(reading, f"unreadable line: {error}", number)
        return None


def _codex_result(line: CodexLine, number: int, session: str | None, text: str) -> ResultSegment:
    failed = line.type == "turn.failed"
    return ResultSegment(
        line=number,
        total_cost=None,
        turns=1,
        is_error=failed,
        subtype="error" if failed else "success",
        text=str(line.error)[:2000] if failed and line.error else text[:2000],
        session_id=session,
    )
