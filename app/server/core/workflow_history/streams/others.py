"""Read the streams of other agents' CLIs that turn up in the same folders: lines in, StreamFacts out.

Gemini CLI (`--output-format stream-json`) and Codex (`codex exec --json`) give token totals and no
cost. Both count cached tokens inside their input tokens; here they are taken out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from ..models import Problem, ResultSegment, StreamFacts, TokenUsage, ToolCall
from .lines import LineUnreadableError, count

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
    timestamp: str | None = None
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


LineT = TypeVar("LineT", GeminiLine, CodexLine)


def _decoded(
    path: str, lines: Iterable[tuple[int, bytes]], kind: type[LineT], problems: list[Problem]
) -> Iterator[tuple[int, LineT]]:
    """Yield the lines that are JSON objects; plain text between them is the CLI talking to a person."""
    decoder = msgspec.json.Decoder(kind)
    for number, raw in lines:
        if not raw.lstrip().startswith(b"{"):
            continue
        try:
            yield number, decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            if len(problems) < MAX_PROBLEMS:
                problems.append(Problem(path, f"unreadable line: {error}", number))


def read_gemini(path: str, agent: str, lines: Iterable[tuple[int, bytes]]) -> StreamFacts:
    """Return the facts of a Gemini stream."""
    problems: list[Problem] = []
    tools: dict[str, ToolCall] = {}
    results: list[ResultSegment] = []
    usage: TokenUsage | None = None
    model, session, text, last = None, None, "", 0
    times: list[datetime] = []
    for number, line in _decoded(path, lines, GeminiLine, problems):
        last = number
        times.extend(_instants(line.timestamp))
        model, session = line.model or model, line.session_id or session
        if line.type == "tool_use" and line.tool_name:
            call = ToolCall(line.tool_name, _gemini_detail(line.parameters), number)
            tools[line.tool_id or f"line {number}"] = call
        elif line.type == "tool_result" and line.tool_id in tools:
            call = tools[line.tool_id]
            failed = line.status == "error"
            tools[line.tool_id] = ToolCall(call.tool, call.detail, call.line, None, failed)
        elif line.type == "message" and line.role == "assistant" and isinstance(line.content, str):
            text = (text + line.content)[-2000:]
        elif line.type == "result":
            usage = _gemini_usage(line.stats, path, number, problems) or usage
            results.append(_gemini_result(line, number, session, text))
    return StreamFacts(
        path=path,
        format="gemini",
        agent=agent,
        session_ids=(session,) if session else (),
        model=model,
        results=tuple(results),
        tools=tuple(tools.values()),
        started_at=min(times, default=None),
        ended_at=max(times, default=None),
        last_result_line=results[-1].line if results else None,
        lines=last,
        problems=tuple(problems),
        usage=usage,
    )


def _instants(stamp: str | None) -> list[datetime]:
    try:
        when = datetime.fromisoformat(stamp) if stamp else None
    except ValueError:
        return []
    return [when.astimezone(UTC)] if when is not None and when.tzinfo else []


def _gemini_detail(given: GeminiParameters | None) -> str | None:
    return (given.command or given.file_path or given.path or given.pattern) if given else None


def _gemini_usage(
    stats: GeminiStats | None, path: str, number: int, problems: list[Problem]
) -> TokenUsage | None:
    if stats is None or (stats.input_tokens is None and stats.output_tokens is None):
        return None
    try:
        cached = count(stats.cached if stats.cached is not None else stats.cached_tokens)
        given = count(stats.input_tokens)
        return TokenUsage(input=max(given - cached, 0), output=count(stats.output_tokens), cache_read=cached)
    except LineUnreadableError as error:
        problems.append(Problem(path, f"unreadable line: {error}", number))
        return None


def _gemini_result(line: GeminiLine, number: int, session: str | None, text: str) -> ResultSegment:
    failed = line.status not in (None, "success")
    return ResultSegment(
        line=number,
        total_cost=None,
        duration_ms=line.stats.duration_ms if line.stats else None,
        is_error=failed,
        subtype=line.status,
        text=str(line.error)[:2000] if failed and line.error else text,
        session_id=session,
    )


def read_codex(path: str, agent: str, lines: Iterable[tuple[int, bytes]]) -> StreamFacts:
    """Return the facts of a Codex stream; its usage is the thread's total so far, so the last counts."""
    problems: list[Problem] = []
    tools: list[ToolCall] = []
    results: list[ResultSegment] = []
    usage: TokenUsage | None = None
    session, text, last = None, "", 0
    for number, line in _decoded(path, lines, CodexLine, problems):
        last = number
        session = line.thread_id or session
        if line.type == "item.completed" and line.item is not None:
            text = line.item.text if line.item.type == "agent_message" and line.item.text else text
            if line.item.type == "command_execution":
                failed = None if line.item.exit_code is None else line.item.exit_code != 0
                tools.append(ToolCall("Bash", line.item.command, number, None, failed))
        elif line.type in ("turn.completed", "turn.failed"):
            usage = _codex_usage(line.usage, path, number, problems) or usage
            results.append(_codex_result(line, number, session, text))
    return StreamFacts(
        path=path,
        format="codex",
        agent=agent,
        session_ids=(session,) if session else (),
        results=tuple(results),
        tools=tuple(tools),
        last_result_line=results[-1].line if results else None,
        lines=last,
        problems=tuple(problems),
        usage=usage,
    )


def _codex_usage(
    given: CodexUsage | None, path: str, number: int, problems: list[Problem]
) -> TokenUsage | None:
    if given is None:
        return None
    try:
        cached = count(given.cached_input_tokens)
        fresh = max(count(given.input_tokens) - cached, 0)
        return TokenUsage(input=fresh, output=count(given.output_tokens), cache_read=cached)
    except LineUnreadableError as error:
        problems.append(Problem(path, f"unreadable line: {error}", number))
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
