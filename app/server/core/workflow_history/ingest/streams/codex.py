"""Parse streams of Codex (`codex exec --json`) into StreamFacts.

Usage is the thread's cumulative total, including turns before the thread was resumed. Input tokens include
cached tokens, which are subtracted here. Lines have no time and rarely a model. A model that a line names
applies to the turns after it, and to the earlier turns of its thread.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from ...common.models import ReportedModelCost, ResultLine, StreamFacts, StreamFormat, TokenUsage, ToolCall
from .claude_schema import error_text, parse_count
from .line_parser import LineParser, decode_record


class CodexUsage(msgspec.Struct):
    """Cumulative token counts of a thread."""

    input_tokens: int | float | None = None
    cached_input_tokens: int | float | None = None
    output_tokens: int | float | None = None  # includes reasoning tokens


class CodexItem(msgspec.Struct):
    """One step of a turn."""

    type: str | None = None
    id: str | None = None
    command: str | None = None
    exit_code: int | None = None
    text: str | None = None


class CodexLine(msgspec.Struct):
    """One line of the stream."""

    type: str | None = None
    thread_id: str | None = None
    item: CodexItem | None = None
    usage: CodexUsage | None = None
    error: Any = None
    message: Any = None
    model: Any = None
    thread: Any = None  # the thread that begins: an object that may name the model
    payload: Any = None  # content of a session file's line: session_meta, turn_context, event_msg
    msg: Any = None  # content of an older version's line: session_configured


_LINE_DECODER = msgspec.json.Decoder(CodexLine)


@dataclass(slots=True)
class CodexParser(LineParser):
    """Parser of one Codex stream and the facts collected so far."""

    tools: list[ToolCall] = field(default_factory=list)
    threads: dict[str, int] = field(default_factory=dict)  # numbers of threads by id, in order of appearance
    thread: str | None = None
    process: int = 0  # number of the current thread, or of its token count if that restarted
    model: str | None = None  # model of the thread; None: not named so far
    next_model: str | None = None  # model named before the thread began
    text: str = ""
    error_message: str | None = None  # message of an error line, which a failed turn may not repeat

    def parse_record(self, raw: bytes, number: int) -> None:
        """Parse one record and add its facts; plain text is output for the user and is ignored."""
        line = decode_record(raw, _LINE_DECODER)
        if line is None:
            return
        if line.type == "thread.started":
            self.thread = line.thread_id
            self.process = self.threads.setdefault(line.thread_id or f"line {number}", len(self.threads) + 1)
            self.text = ""
            self.model, self.next_model = self.next_model, None
        if (model := _model_of(line)) is not None:
            self._set_model(model, for_next_thread=line.type is None)
        if line.type == "error":
            self.error_message = error_text(line.message) or error_text(line.error)
        elif line.type == "item.completed" and line.item is not None:
            self._add_item(line.item, number)
        elif line.type in ("turn.completed", "turn.failed"):
            self.results.append(self._build_turn(line, number))
            self.error_message = None

    def _set_model(self, model: str, *, for_next_thread: bool) -> None:
        """Record the model of the current thread, or of the next one (`for_next_thread`)."""
        if for_next_thread or not self.threads:
            self.next_model = model
        if for_next_thread:
            return
        if self.model is None:
            self.results = [
                _with_model(result, model) if result.process == self.process else result
                for result in self.results
            ]
        self.model = model

    def _add_item(self, item: CodexItem, number: int) -> None:
        if item.type == "agent_message" and item.text:
            self.text = item.text
        if item.type == "command_execution":
            failed = None if item.exit_code is None else item.exit_code != 0
            self.tools.append(ToolCall("Bash", item.command, number, None, failed))

    def _build_turn(self, line: CodexLine, number: int) -> ResultLine:
        failed = line.type == "turn.failed"
        usage = _token_usage(line.usage) if line.usage else None
        earlier = next((r for r in reversed(self.results) if r.models and r.process == self.process), None)
        if (
            usage is not None
            and earlier is not None
            and _total_usage(earlier.models).field_max(usage) != usage
        ):
            self.process = len(self.results) + len(self.threads) + 1  # the count restarted
            earlier = None
        error = (error_text(line.error) or self.error_message) if failed else None
        return ResultLine(
            line=number,
            total_cost=None,
            models=_split_by_model(earlier.models if earlier else (), usage, self.model),
            turns=1,
            is_error=failed,
            subtype="error" if failed else "success",
            text=(error or self.text)[:2000],
            session_id=self.thread,
            process=self.process,
        )

    def _only_model(self) -> str | None:
        models = {part.model for result in self.results for part in result.models} or {self.model}
        return models.pop() if len(models) == 1 else None

    def build_facts(self, agent: str) -> StreamFacts:
        """Build the facts of the lines read so far."""
        return StreamFacts(
            path=self.path,
            format=StreamFormat.CODEX,
            agent=agent,
            model=self._only_model(),
            session_ids=tuple([thread for thread in self.threads if not thread.startswith("line ")]),
            results=tuple(self.results),
            tools=tuple(self.tools),
            last_result_line=self.results[-1].line if self.results else None,
            lines=self.lines,
            problems=(*self.all_problems(), *self.doubtful_results()),
            lost_line=self.last_lost_line(),
        )


def _token_usage(usage: CodexUsage) -> TokenUsage:
    cached = parse_count(usage.cached_input_tokens)
    uncached = max(parse_count(usage.input_tokens) - cached, 0)
    return TokenUsage(input=uncached, output=parse_count(usage.output_tokens), cache_read=cached)


def _model_of(line: CodexLine) -> str | None:
    """Return the model named in a line or in its nested objects, or None."""
    settings = line.payload.get("thread_settings") if isinstance(line.payload, dict) else None
    objects = [
        holder for holder in (line.thread, line.payload, settings, line.msg) if isinstance(holder, dict)
    ]
    names = (line.model, *[holder.get("model") for holder in objects])
    return next((name for name in names if isinstance(name, str) and name.strip()), None)


def _split_by_model(
    earlier: tuple[ReportedModelCost, ...], total: TokenUsage | None, model: str | None
) -> tuple[ReportedModelCost, ...]:
    """Split a thread's `total` by model; its growth since `earlier` is attributed to `model`."""
    if total is None:
        return ()
    growth = total.less(_total_usage(earlier))
    usage_by_model = {part.model: part.usage for part in earlier}
    usage_by_model[model] = usage_by_model.get(model, TokenUsage()) + growth
    return tuple([ReportedModelCost(name, usage, None) for name, usage in usage_by_model.items()])


def _with_model(result: ResultLine, model: str) -> ResultLine:
    models = [ReportedModelCost(part.model or model, part.usage, part.cost) for part in result.models]
    return msgspec.structs.replace(result, models=tuple(models))


def _total_usage(models: tuple[ReportedModelCost, ...]) -> TokenUsage:
    return sum([part.usage for part in models], TokenUsage())
