"""Parse streams of Cursor's CLI (`cursor-agent --output-format stream-json`) into StreamFacts.

Lines are similar to those of Claude Code, but without usage per message and without cost. A result has the
tokens of its process; input tokens exclude cache tokens, as with Claude.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from ...common.models import ReportedModelCost, ResultLine, StreamFacts, StreamFormat, TokenUsage, ToolCall
from ...common.outcomes import subtype_message
from .claude_schema import answer_text, error_text, parse_count, parse_duration, time_from_ms
from .line_parser import LineParser, decode_record

_DETAIL_FIELDS = ("command", "path", "filePath", "pattern", "globPattern", "query", "url")
_FAILURE_KEYS = ("error", "rejected", "failure", "permissionDenied")


class CursorUsage(msgspec.Struct):
    """Tokens of one process; input tokens exclude cache tokens."""

    inputTokens: int | float | None = None  # noqa: N815 - the stream's own spelling
    outputTokens: int | float | None = None  # noqa: N815
    cacheReadTokens: int | float | None = None  # noqa: N815
    cacheWriteTokens: int | float | None = None  # noqa: N815


class CursorLine(msgspec.Struct):
    """One line of the stream."""

    type: str | None = None
    subtype: str | None = None
    session_id: str | None = None
    model: str | None = None
    call_id: str | None = None
    tool_call: Any = None
    timestamp_ms: int | float | None = None
    usage: CursorUsage | None = None
    duration_ms: int | float | None = None
    duration_api_ms: int | float | None = None
    is_error: bool | None = None
    result: Any = None
    error: Any = None


_LINE_DECODER = msgspec.json.Decoder(CursorLine)


@dataclass(slots=True)
class CursorParser(LineParser):
    """Parser of one Cursor stream and the facts collected so far."""

    tools: dict[str, ToolCall] = field(default_factory=dict)
    sessions: dict[str, None] = field(default_factory=dict)
    model: str | None = None

    def parse_record(self, raw: bytes, number: int) -> None:
        """Parse one record and add its facts."""
        line = decode_record(raw, _LINE_DECODER)
        if line is None:
            return
        if line.session_id:
            self.sessions[line.session_id] = None
        self.record_time(time_from_ms(line.timestamp_ms), line.timestamp_ms, number)
        if line.type == "system":
            self.model = line.model or self.model
        elif line.type == "tool_call" and isinstance(line.tool_call, dict):
            self._add_tool_call(line, line.tool_call, number)
        elif line.type == "result":
            self.results.append(self._build_result(line, number))

    def _add_tool_call(self, line: CursorLine, tool_call: dict[str, Any], number: int) -> None:
        name, call = next(((k, v) for k, v in tool_call.items() if isinstance(v, dict)), ("", {}))
        key = line.call_id or f"line {number}"
        known = self.tools.get(key)
        result = call.get("result")
        failed = any(word in result for word in _FAILURE_KEYS) if isinstance(result, dict) else None
        tool = known or ToolCall(name.removesuffix("ToolCall") or "tool", _detail(call.get("args")), number)
        self.tools[key] = ToolCall(tool.tool, tool.detail, tool.line, None, failed)

    def _build_result(self, line: CursorLine, number: int) -> ResultLine:
        usage = _token_usage(line.usage) if line.usage else None
        failed = bool(line.is_error) or (line.subtype or "").startswith("error")
        answer = answer_text(line.result) if isinstance(line.result, str) or not failed else ""
        return ResultLine(
            line=number,
            total_cost=None,
            models=(ReportedModelCost(self.model, usage, None),) if usage is not None else (),
            duration_ms=parse_duration(line.duration_ms),
            duration_api_ms=parse_duration(line.duration_api_ms),
            is_error=failed,
            subtype=line.subtype,
            text=(answer or (_failure_text(line) if failed else None) or "")[:2000],
            session_id=line.session_id,
            process=len(self.results) + 1,
        )

    def _end_time(self) -> datetime | None:
        """Return the end time, from the times of tool lines and the durations of results."""
        if self.first_time is None or self.last_time is None:
            return None
        total_ms = sum([result.duration_ms or 0.0 for result in self.results])
        return max(self.last_time, self.first_time + timedelta(milliseconds=total_ms))

    def build_facts(self, agent: str) -> StreamFacts:
        """Build the facts of the lines read so far."""
        return StreamFacts(
            path=self.path,
            format=StreamFormat.CURSOR,
            agent=agent,
            session_ids=tuple(self.sessions),
            model=self.model,
            results=tuple(self.results),
            tools=tuple(self.tools.values()),
            started_at=self.first_time,
            ended_at=self._end_time(),
            last_result_line=self.results[-1].line if self.results else None,
            lines=self.lines,
            problems=(*self.all_problems(), *self.doubtful_results()),
            lost_line=self.last_lost_line(),
        )


def _failure_text(line: CursorLine) -> str | None:
    return error_text(line.error) or subtype_message(line.subtype)


def _detail(arguments: Any) -> str | None:
    values = [arguments.get(key) for key in _DETAIL_FIELDS] if isinstance(arguments, dict) else []
    return next((value[:4000] for value in values if isinstance(value, str) and value), None)


def _token_usage(usage: CursorUsage) -> TokenUsage:
    return TokenUsage(
        input=parse_count(usage.inputTokens),
        output=parse_count(usage.outputTokens),
        cache_read=parse_count(usage.cacheReadTokens),
        cache_write_5m=parse_count(usage.cacheWriteTokens),
    )
