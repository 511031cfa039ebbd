"""Build StreamFacts for the cost tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from app.server.core.workflow_history.common.models import (
    MessageUsage,
    ReportedModelCost,
    ResultLine,
    StreamFacts,
    StreamFormat,
    TokenUsage,
)

SONNET = "claude-sonnet-4-5-20250929"
OPUS = "claude-opus-4-5-20251101"
THOUSAND_EACH = TokenUsage(input=1_000, output=1_000)  # 0.018 USD with Sonnet 4.5


def message(message_id: str, usage: TokenUsage = THOUSAND_EACH, **more: Any) -> MessageUsage:
    return MessageUsage(**{"message_id": message_id, "model": SONNET, "usage": usage, "line": 2, **more})


def result(cost: str | None, *models: ReportedModelCost, line: int = 9, **more: Any) -> ResultLine:
    total_cost = None if cost is None else Decimal(cost)
    return ResultLine(**{"line": line, "total_cost": total_cost, "models": models, "text": "done", **more})


def spent(
    model: str = SONNET, usage: TokenUsage = THOUSAND_EACH, cost: str | None = "0.018"
) -> ReportedModelCost:
    return ReportedModelCost(model, usage, None if cost is None else Decimal(cost))


def stream(
    agent: str = "planner",
    *,
    format: str = StreamFormat.CLAUDE,  # noqa: A002 - the name of the field
    results: tuple[ResultLine, ...] = (),
    messages: tuple[MessageUsage, ...] = (),
    **more: Any,
) -> StreamFacts:
    fields = {
        "path": f"{agent}/raw_output.jsonl",
        "format": StreamFormat(format),
        "agent": agent,
        "model": SONNET,
        "lines": 10,
        "results": results,
        "messages": messages,
        "last_result_line": results[-1].line if results else None,
        "identity": f"first line of {agent}",
    }
    return StreamFacts(**{**fields, **more})
