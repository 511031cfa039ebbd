"""Parse streams of Gemini CLI (`--output-format stream-json`) into StreamFacts.

A result has the token totals of one process and no cost. Input tokens include cached tokens, which are
subtracted here. Thinking tokens are only in the total, and are billed as output.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ...common.models import (
    Ending,
    ReportedModelCost,
    ResultLine,
    StreamFacts,
    StreamFormat,
    TokenUsage,
    ToolCall,
)
from .claude_schema import error_text, parse_count, parse_duration, parse_timestamp
from .line_parser import LineParser, decode_record

_RESUMED_PROBLEM = "the session was resumed: whether this total holds the earlier one is unknown"
_ANY_MODEL = frozenset({"auto", "auto-gemini-3", "auto-gemini-2.5"})  # the CLI chooses a model per request


class Counts(msgspec.Struct):
    """Token counts of a session, or of one model in it."""

    total_tokens: int | float | None = None
    input_tokens: int | float | None = None
    output_tokens: int | float | None = None
    cached: int | float | None = None
    cached_tokens: int | float | None = None


class Stats(Counts):
    """Totals of a session: tokens, and duration in milliseconds."""

    duration_ms: int | float | None = None
    models: dict[str, Counts] | None = None


class Parameters(msgspec.Struct):
    """Parameters that describe a tool call."""

    command: str | None = None
    file_path: str | None = None
    path: str | None = None
    pattern: str | None = None


class GeminiLine(msgspec.Struct):
    """One line of the stream."""

    type: str | None = None
    timestamp: Any = None
    session_id: str | None = None
    model: str | None = None
    role: str | None = None
    content: Any = None
    tool_name: str | None = None
    tool_id: str | None = None
    parameters: Parameters | None = None
    status: str | None = None
    stats: Stats | None = None
    error: Any = None
    severity: str | None = None
    message: Any = None


_LINE_DECODER = msgspec.json.Decoder(GeminiLine)


@dataclass(slots=True)
class GeminiParser(LineParser):
    """Parser of one Gemini stream and the facts collected so far."""

    tools: dict[str, ToolCall] = field(default_factory=dict)
    sessions: dict[str, None] = field(default_factory=dict)
    processes: int = 0
    model: str | None = None
    session: str | None = None
    text: str = ""
    error: str = ""  # message of this process's last error event
    ends_with_error: bool = False  # whether the last line is an error event

    def parse_record(self, raw: bytes, number: int) -> None:
        """Parse one record and add its facts; plain text is output for the user and is ignored."""
        line = decode_record(raw, _LINE_DECODER)
        if line is None:
            return
        self.record_time(parse_timestamp(line.timestamp), line.timestamp, number)
        if line.type == "init":
            self.processes += 1
            self.text = self.error = ""
        self.ends_with_error = line.type == "error" and line.severity != "warning"
        if self.ends_with_error:
            self.error = (error_text(line.message) or error_text(line.error) or "")[:2000]
        self.model, self.session = line.model or self.model, line.session_id or self.session
        if self.session:
            self.sessions[self.session] = None
        if line.type == "tool_use" and line.tool_name:
            call = ToolCall(line.tool_name, _detail(line.parameters), number)
            self.tools[line.tool_id or f"line {number}"] = call
        elif line.type == "tool_result" and line.tool_id in self.tools:
            call = self.tools[line.tool_id]
            self.tools[line.tool_id] = ToolCall(
                call.tool, call.detail, call.line, None, line.status == "error"
            )
        elif line.type == "message" and line.role == "assistant" and isinstance(line.content, str):
            self.text = (self.text + line.content)[-2000:]
        elif line.type == "result":
            self._add_result(line, number)

    def _add_result(self, line: GeminiLine, number: int) -> None:
        failed = line.status not in (None, "success")
        models, incomplete_reason = _usage_by_model(line.stats, self.model)
        if failed and not _total_usage(models).total:
            models = ()  # after an error, zeros mean that nothing was counted
        earlier = self._included_result(models)
        if any(result.process == self.processes for result in self.results):
            self.processes += 1  # a result ends a process
        self.results.append(
            ResultLine(
                line=number,
                total_cost=None,
                models=models,
                duration_ms=parse_duration(line.stats.duration_ms) if line.stats else None,
                is_error=failed,
                subtype=line.status,
                text=((error_text(line.error) or self.error if failed else None) or self.text)[:2000],
                session_id=self.session,
                process=self.processes if earlier is None else earlier.process,
                incomplete_reason=incomplete_reason if earlier is None else _RESUMED_PROBLEM,
            )
        )

    def _included_result(self, models: tuple[ReportedModelCost, ...]) -> ResultLine | None:
        """Return the session's last result if these totals may include it, as they are at least as high."""
        earlier = [r for r in self.results if r.models and r.session_id and r.session_id == self.session]
        total = _total_usage(models)
        return (
            earlier[-1]
            if models and earlier and total.field_max(_total_usage(earlier[-1].models)) == total
            else None
        )

    def build_facts(self, agent: str) -> StreamFacts:
        """Build the facts of the lines read so far."""
        return StreamFacts(
            path=self.path,
            format=StreamFormat.GEMINI,
            agent=agent,
            session_ids=tuple(self.sessions),
            model=None if self.model in _ANY_MODEL else self.model,
            results=tuple(self.results),
            tools=tuple(self.tools.values()),
            started_at=self.first_time,
            ended_at=self.last_time,
            last_result_line=self.results[-1].line if self.results else None,
            ending=Ending.ERROR if self.ends_with_error and not self.partial_record else None,
            ending_text=self.error if self.ends_with_error else "",
            lines=self.lines,
            problems=(*self.all_problems(), *self.doubtful_results()),
            lost_line=self.last_lost_line(),
        )


def _detail(parameters: Parameters | None) -> str | None:
    return (
        (parameters.command or parameters.file_path or parameters.path or parameters.pattern)
        if parameters
        else None
    )


def _usage_by_model(
    stats: Stats | None, model: str | None
) -> tuple[tuple[ReportedModelCost, ...], str | None]:
    """Return the usage of each model, and why it may be incomplete; None if it is complete."""
    if stats is None or (stats.input_tokens is None and stats.output_tokens is None and not stats.models):
        return (), None
    name = None if model in _ANY_MODEL else model
    total, incomplete_reason = _token_usage(stats)
    model_totals = [(key, *_token_usage(counts)) for key, counts in (stats.models or {}).items()]
    incomplete_reason = incomplete_reason or next((reason for _, _, reason in model_totals if reason), None)
    models = [ReportedModelCost(key, usage, None) for key, usage, _ in model_totals if usage != TokenUsage()]
    if not models:
        return (ReportedModelCost(name, total, None),), incomplete_reason
    attributed = _total_usage(models)
    if attributed == total:
        return tuple(models), incomplete_reason
    rest = total.less(attributed)
    unattributed = [ReportedModelCost(name, rest, None)] if rest.total else []
    return (*models, *unattributed), "its totals are not the sum of its models' tokens"


def _token_usage(counts: Counts) -> tuple[TokenUsage, str | None]:
    cached = parse_count(counts.cached if counts.cached is not None else counts.cached_tokens)
    input_tokens, output_tokens = parse_count(counts.input_tokens), parse_count(counts.output_tokens)
    total = input_tokens + output_tokens if counts.total_tokens is None else parse_count(counts.total_tokens)
    thinking_tokens = max(total - input_tokens - output_tokens, 0)
    usage = TokenUsage(
        input=max(input_tokens - cached, 0), output=output_tokens + thinking_tokens, cache_read=cached
    )
    return (
        usage,
        "its total_tokens are less than its input and output"
        if total < input_tokens + output_tokens
        else None,
    )


def _total_usage(models: Iterable[ReportedModelCost]) -> TokenUsage:
    return sum([model.usage for model in models], TokenUsage())
