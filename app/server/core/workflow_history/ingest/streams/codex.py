"""Parse streams of Codex (`codex exec --json`) into StreamFacts.

Usage is the thread's cumulative total, including turns before the thread was resumed. Input tokens include
cached tokens, which are subtracted here. Lines have no time and rarely a model. A model that a line names
applies to the turns after it, and to the earlier turns of its thread.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from ...common.models import ReportedModelCost, ResultLine, StreamFacts, TokenUsage, ToolCall
from .claude_schema import error_text, parse_count
from .reading import LineParser, decoded


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


_LINE = msgspec.json.Decoder(CodexLine)


@dataclass(slots=True)
class CodexParser(LineParser):
    """Parser of one Codex stream and the facts collected so far."""

    tools: list[ToolCall] = field(default_factory=list)
    threads: dict[str, int] = field(default_factory=dict)  # numbers of threads by id, in order of appearance
    thread: str | None = None
    process: int = 0  # number of the current thread, or of its token count if that restarted
    model: str | None = None  # model of the thread; None: not named so far
    announced: str | None = None  # model named before the thread began
    text: str = ""
    complaint: str | None = None  # message of an error line, which a failed turn may not repeat

    def take_record(self, raw: bytes, number: int) -> None:
        """Parse one record and add its facts; plain text is output for the user and is ignored."""
        line = decoded(raw, _LINE)
        if line is None:
            return
        if line.type == "thread.started":
            self.thread = line.thread_id
            self.process = self.threads.setdefault(line.thread_id or f"line {number}", len(self.threads) + 1)
            self.text = ""
            self.model, self.announced = self.announced, None
        if (model := _model_of(line)) is not None:
            self._name(model, begins=line.type is None)
        if line.type == "error":
            self.complaint = error_text(line.message) or error_text(line.error)
        elif line.type == "item.completed" and line.item is not None:
            self._item(line.item, number)
        elif line.type in ("turn.completed", "turn.failed"):
            self.results.append(self._turn(line, number))
            self.complaint = None

    def _name(self, model: str, *, begins: bool) -> None:
        """Record the model of the current thread, or of the next one (`begins`)."""
        if begins or not self.threads:
            self.announced = model
        if begins:
            return
        if self.model is None:
            self.results = [
                _named(each, model) if each.process == self.process else each for each in self.results
            ]
        self.model = model

    def _item(self, item: CodexItem, number: int) -> None:
        if item.type == "agent_message" and item.text:
            self.text = item.text
        if item.type == "command_execution":
            failed = None if item.exit_code is None else item.exit_code != 0
            self.tools.append(ToolCall("Bash", item.command, number, None, failed))

    def _turn(self, line: CodexLine, number: int) -> ResultLine:
        failed = line.type == "turn.failed"
        usage = _usage(line.usage) if line.usage else None
        before = next((r for r in reversed(self.results) if r.models and r.process == self.process), None)
        if usage is not None and before is not None and _total(before.models).field_max(usage) != usage:
            self.process = len(self.results) + len(self.threads) + 1  # the count restarted
            before = None
        said = (error_text(line.error) or self.complaint) if failed else None
        return ResultLine(
            line=number,
            total_cost=None,
            models=_by_model(before.models if before else (), usage, self.model),
            turns=1,
            is_error=failed,
            subtype="error" if failed else "success",
            text=(said or self.text)[:2000],
            session_id=self.thread,
            process=self.process,
        )

    def _only_model(self) -> str | None:
        named = {part.model for result in self.results for part in result.models} or {self.model}
        return named.pop() if len(named) == 1 else None

    def result(self, agent: str) -> StreamFacts:
        """Build the facts of the lines read so far."""
        return StreamFacts(
            path=self.path,
            format="codex",
            agent=agent,
            model=self._only_model(),
            session_ids=tuple([thread for thread in self.threads if not thread.startswith("line ")]),
            results=tuple(self.results),
            tools=tuple(self.tools),
            last_result_line=self.results[-1].line if self.results else None,
            lines=self.lines,
            problems=(*self.all_problems(), *self.doubtful_results()),
            lost_line=self.missing_since(),
        )


def _usage(given: CodexUsage) -> TokenUsage:
    cached = parse_count(given.cached_input_tokens)
    fresh = max(parse_count(given.input_tokens) - cached, 0)
    return TokenUsage(input=fresh, output=parse_count(given.output_tokens), cache_read=cached)


def _model_of(line: CodexLine) -> str | None:
    """Return the model named in a line or in its nested objects, or None."""
    settings = line.payload.get("thread_settings") if isinstance(line.payload, dict) else None
    about = [each for each in (line.thread, line.payload, settings, line.msg) if isinstance(each, dict)]
    named = (line.model, *[each.get("model") for each in about])
    return next((name for name in named if isinstance(name, str) and name.strip()), None)


def _by_model(
    before: tuple[ReportedModelCost, ...], now: TokenUsage | None, model: str | None
) -> tuple[ReportedModelCost, ...]:
    """Split a thread's total `now` by model; its growth since `before` is attributed to `model`."""
    if now is None:
        return ()
    grown = now.less(_total(before))
    used = {part.model: part.usage for part in before}
    used[model] = used.get(model, TokenUsage()) + grown
    return tuple([ReportedModelCost(name, usage, None) for name, usage in used.items()])


def _named(result: ResultLine, model: str) -> ResultLine:
    models = [ReportedModelCost(part.model or model, part.usage, part.cost) for part in result.models]
    return msgspec.structs.replace(result, models=tuple(models))


def _total(models: tuple[ReportedModelCost, ...]) -> TokenUsage:
    return sum([part.usage for part in models], TokenUsage())
