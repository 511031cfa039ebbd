"""Parse streams of opencode (`opencode run --format json`) into StreamFacts.

Each step has its tokens and its cost, and counts once, like a message. Usually no line names a model.
Input tokens exclude cache tokens. Reasoning tokens are separate from output tokens, and are billed as output.
A cost of 0 means a subscription, or a model that opencode has no price for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from ...common.models import (
    MessageUsage,
    ReportedModelCost,
    ResultLine,
    StreamFacts,
    StreamFormat,
    TokenUsage,
    ToolCall,
)
from .claude_schema import error_text, parse_count, parse_usd, time_from_ms, tool_detail
from .endings import refusal_text
from .line_parser import LineParser, decode_record

_ERROR_TEXTS = {"content-filter": refusal_text(""), "error": "its last step ended with an error"}
"""Error texts by the finish reason of a last step without an answer."""

_CONTINUING_REASONS = frozenset({"tool-calls", "unknown", None})
"""Finish reasons of a step that is not the last one."""

_SUBAGENT_TOOL = "task"  # tool that starts a subagent, whose steps are in a separate session


class Cache(msgspec.Struct):
    """Cache tokens of a step."""

    read: int | float | None = None
    write: int | float | None = None


class Tokens(msgspec.Struct):
    """Token counts of a step."""

    input: int | float | None = None
    output: int | float | None = None
    reasoning: int | float | None = None
    cache: Cache | None = None


class State(msgspec.Struct):
    """State of a tool call."""

    status: str | None = None
    input: msgspec.Raw = msgspec.Raw()


class Part(msgspec.Struct):
    """Content of a line: a tool call, a text or a step."""

    id: str | None = None
    messageID: str | None = None  # noqa: N815 - the stream's own spelling
    type: str | None = None
    text: str | None = None
    tool: str | None = None
    callID: str | None = None  # noqa: N815
    state: State | None = None
    reason: str | None = None
    tokens: Tokens | None = None
    cost: int | float | None = None
    model: Any = None
    modelID: Any = None  # noqa: N815
    providerID: Any = None  # noqa: N815


class OpencodeLine(msgspec.Struct):
    """One line of the stream."""

    type: str | None = None
    timestamp: int | float | None = None
    sessionID: str | None = None  # noqa: N815
    part: Part | None = None
    error: Any = None
    info: Any = None  # a message object, which names its model
    model: Any = None
    modelID: Any = None  # noqa: N815
    providerID: Any = None  # noqa: N815


_LINE_DECODER = msgspec.json.Decoder(OpencodeLine)


@dataclass(slots=True)
class OpencodeParser(LineParser):
    """Parser of one opencode stream and the facts collected so far."""

    tools: dict[str, ToolCall] = field(default_factory=dict)
    sessions: dict[str, None] = field(default_factory=dict)
    steps: dict[str, MessageUsage] = field(default_factory=dict)  # each counts once, like a message
    steps_of: dict[str, list[str]] = field(default_factory=dict)  # ids of steps, by message
    models: dict[str, str] = field(default_factory=dict)  # last named model, by session
    last_step: int = 0  # line of the last step's end or of an error; 0: none
    reason: str | None = None  # finish reason of the last step; None while a step runs
    error_message: str | None = None
    text: str = ""

    def parse_record(self, raw: bytes, number: int) -> None:
        """Parse one record and add its facts."""
        line = decode_record(raw, _LINE_DECODER)
        if line is None:
            return
        if line.sessionID:
            self.sessions[line.sessionID] = None
        self.record_time(time_from_ms(line.timestamp), line.timestamp, number)
        part = line.part or Part()
        session = line.sessionID or ""
        if (model := _model_of(part) or _model_of(line)) is not None:
            self._set_model(model, session)
        if line.type == "tool_use" and part.tool:
            status = part.state.status if part.state else None
            failed = {"completed": False, "error": True}.get(status or "")
            detail = tool_detail(part.state.input) if part.state else None
            self.tools[part.callID or f"line {number}"] = ToolCall(part.tool, detail, number, None, failed)
        elif line.type == "text" and part.text:
            self.text = part.text[-2000:]
        elif line.type == "step_start":
            self.reason = None
        elif line.type == "step_finish":
            step = self._name_step(part, number)
            self.steps[step] = MessageUsage(
                step,
                self.models.get(session),
                token_usage(part.tokens),
                number,
                is_final=True,
                timestamp=time_from_ms(line.timestamp),
                session=line.sessionID,
                cost=parse_usd(part.cost) or None,
            )
            self.last_step, self.reason = number, part.reason
        elif line.type == "error":
            self.error_message, self.last_step = error_text(line.error) or "error", number

    def _name_step(self, part: Part, number: int) -> str:
        """Return the id of a step, by which its message is known in opencode's own store too."""
        if not part.messageID:
            return part.id or f"line {number}"
        steps = self.steps_of.setdefault(part.messageID, [])
        if (key := part.id or f"line {number}") not in steps:
            steps.append(key)
        return step_name(part.messageID, steps.index(key))

    def _set_model(self, model: str, session: str) -> None:
        """Record a session's model; the first one named in the first session applies to earlier steps."""
        if session not in self.models and len(self.sessions) <= 1:
            self.steps = {
                key: msgspec.structs.replace(step, model=step.model or model)
                for key, step in self.steps.items()
            }
        self.models[session] = model

    def build_facts(self, agent: str) -> StreamFacts:
        """Build the facts of the lines read so far."""
        results = (self._build_result(),) if self.last_step else ()
        return StreamFacts(
            path=self.path,
            format=StreamFormat.OPENCODE,
            agent=agent,
            model=self._only_model(),
            session_ids=tuple(self.sessions),
            results=results,
            messages=tuple(self.steps.values()),
            tools=tuple(self.tools.values()),
            started_at=self.first_time,
            ended_at=self.last_time,
            last_result_line=self.last_step or None,
            lines=self.lines,
            problems=(*self.all_problems(), *self.doubtful_results(results)),
            lost_line=self.last_lost_line(),
        )

    def _only_model(self) -> str | None:
        models = {*self.models.values(), *(step.model for step in self.steps.values())}
        return models.pop() if len(models) == 1 else None

    def _build_result(self) -> ResultLine:
        costs = [step.cost for step in self.steps.values() if step.cost]
        error_message = self.error_message or _ERROR_TEXTS.get(self.reason or "")
        ended = error_message is not None or self.reason not in _CONTINUING_REASONS
        return ResultLine(
            line=self.last_step,
            total_cost=sum(costs, Decimal(0)) if costs else None,
            models=self._usage_by_model(),
            turns=len(self.steps) or None,
            is_error=error_message is not None,
            subtype="error" if error_message else "success",
            text=(error_message or self.text)[:2000],
            session_id=next(iter(self.sessions), None),
            process=1,
            incomplete_reason=self._missing_cost(len(costs), ended=ended),
            ended=ended,
            is_sum=True,
        )

    def _usage_by_model(self) -> tuple[ReportedModelCost, ...]:
        steps_by_model: dict[str | None, list[tuple[TokenUsage, Decimal | None]]] = {}
        for step in self.steps.values():
            steps_by_model.setdefault(step.model, []).append((step.usage, step.cost))
        return tuple([_total_cost(model, steps) for model, steps in steps_by_model.items()])

    def _missing_cost(self, priced: int, *, ended: bool) -> str | None:
        if any(call.tool == _SUBAGENT_TOOL for call in self.tools.values()):
            return "the cost of its subagents is in their own sessions"
        if priced and priced < sum(step.usage != TokenUsage() for step in self.steps.values()):
            return "some of its steps give no cost"
        return None if ended else "the transcript ends before its last step"


def step_name(message_id: str, position: int) -> str:
    """Return the id of the usage of a message's step, counted from 0; most messages have one.

    >>> step_name("msg_1", 0), step_name("msg_1", 1)
    ('msg_1', 'msg_1#2')
    """
    return f"{message_id}#{position + 1}" if position else message_id


def token_usage(tokens: Tokens | None) -> TokenUsage:
    """Return the usage of a step or a message; reasoning tokens are billed as output."""
    tokens = tokens or Tokens()
    cache = tokens.cache or Cache()
    return TokenUsage(
        input=parse_count(tokens.input),
        output=parse_count(tokens.output) + parse_count(tokens.reasoning),
        cache_read=parse_count(cache.read),
        cache_write_5m=parse_count(cache.write),
    )


def _model_of(holder: Part | OpencodeLine) -> str | None:
    """Return the model that a part or line names, or None."""
    info = holder.info if isinstance(holder, OpencodeLine) else None
    objects = [holder.model, info, info.get("model") if isinstance(info, dict) else None]
    candidates = [(holder.modelID, holder.providerID), (holder.model, holder.providerID)]
    candidates += [
        (named.get("modelID"), named.get("providerID")) for named in objects if isinstance(named, dict)
    ]
    return next(filter(None, (model_name(name, provider) for name, provider in candidates)), None)


def model_name(name: Any, provider: Any) -> str | None:
    """Return the name of a model, prefixed by its provider if that is known; None without a name.

    >>> model_name("claude-sonnet-4-5", "anthropic"), model_name("kimi-k2", None), model_name(None, "openai")
    ('anthropic/claude-sonnet-4-5', 'kimi-k2', None)
    """
    if not isinstance(name, str) or not name.strip():
        return None
    return f"{provider}/{name}" if isinstance(provider, str) and provider else name


def _total_cost(model: str | None, steps: Sequence[tuple[TokenUsage, Decimal | None]]) -> ReportedModelCost:
    """Return the usage of a model, and its cost if every step has one."""
    costs = [cost for _, cost in steps if cost]
    cost = sum(costs, Decimal(0)) if len(costs) == len(steps) else None
    return ReportedModelCost(model, sum([usage for usage, _ in steps], TokenUsage()), cost)
