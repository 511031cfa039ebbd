"""Differences of two runs in words: a comparison in, names, amounts and sentences out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ..analysis.comparison.records import Comparison, NumberComparison, PriceChange
from ..common.formatting.agents import short_model
from ..common.formatting.numbers import format_duration, format_percent_change, format_tokens, pluralize
from ..common.formatting.text import single_line
from ..common.spending import UNKNOWN, format_fraction, format_usd, number
from .scores import SCORES

COMPARISON_LABELS: Final = {
    "cost": "cost",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "cache_read_tokens": "cache read tokens",
    "cache_creation_tokens": "cache write tokens",
    "total_tokens": "total tokens",
    "cache_hit_rate": "cache hit rate",
    "duration_seconds": "duration",
    "turns": "turns",
    "tool_calls": "tool calls",
    "tool_errors": "failed tool calls",
    "agent_runs": "agent runs",
    "retry_count": "retries",
    "retry_cost": "retry cost",
    **dict(SCORES),
    "workflow_template": "workflow",
    "issue_class": "issue class",
    "model_used": "model",
    "cost_basis": "cost basis",
    "current_phase": "last phase",
    "error_message": "error",
}
"""Display names of figures and facts."""

MAX_MEANINGFUL_SHARE: Final = 1.5  # above it, parts cancel each other out and shares mislead

_FORMATTERS: Final[Mapping[str, Callable[[float], str]]] = {
    "USD": format_usd,
    "tokens": format_tokens,
    "seconds": format_duration,
    "share": lambda share: format_fraction(share, digits=1),
    "score": lambda score: f"{score:.1f}",  # whole numbers would hide small differences
    "count": lambda count: f"{count:,.0f}",
}


def format_value(figure: NumberComparison, value: float | None) -> str:
    """Format one run's value of a figure."""
    known = number(value)
    return UNKNOWN if known is None else _FORMATTERS[figure.unit](known)


def amount_a(figure: NumberComparison) -> str:
    """Format A's value; `≥` if it is a lower bound."""
    return f"{'' if figure.a_certain or figure.a is None else '≥ '}{format_value(figure, figure.a)}"


def amount_b(figure: NumberComparison) -> str:
    """Format B's value; `≥` if it is a lower bound."""
    return f"{'' if figure.b_certain or figure.b is None else '≥ '}{format_value(figure, figure.b)}"


def format_difference(figure: NumberComparison) -> str:
    """Format B minus A with its sign; `≈` if a cost is only a lower bound. Shares differ in pp."""
    if figure.difference is None:
        return UNKNOWN
    if figure.unit == "share":
        return f"{figure.difference * 100:+.1f} pp"
    amount = format_value(figure, abs(figure.difference))
    is_unsigned = amount in {"0", "0.0", "0s", "$0.00"} or amount.startswith("<")
    sign = "" if is_unsigned else "+" if figure.difference > 0 else "-"
    return f"{'' if figure.certain else '≈ '}{sign}{amount}"


def difference_percent(figure: NumberComparison) -> str:
    """Format B minus A in percent of A; "" for shares and scores, or if unknown."""
    if figure.percent is None or figure.unit in {"share", "score"}:
        return ""
    return format_percent_change(figure.percent)


def format_contribution(difference: float, formatter: Callable[[float], str]) -> str:
    """Format a part of a difference with its sign; without one if it is too small for its unit.

    >>> format_contribution(-1.5, format_usd), format_contribution(0.00001, format_usd)
    ('-$1.50', '<$0.0001')
    """
    amount = formatter(abs(difference))
    return amount if amount.startswith("<") else f"{'+' if difference > 0 else '-'}{amount}"


def format_contribution_share(share: float | None) -> str:
    """Format a part's share of a difference; empty if parts cancel out, so that it would mislead.

    >>> format_contribution_share(0.5), format_contribution_share(-0.25), format_contribution_share(-0.001)
    ('50%', '-25%', '<1%')
    """
    if share is None or abs(share) > MAX_MEANINGFUL_SHARE:
        return ""
    text = format_fraction(abs(share))
    return text if share >= 0 or text.startswith("<") else f"-{text}"


def describe_cost_difference(comparison: Comparison) -> str:
    """Return one sentence on where the cost difference comes from."""
    cost = comparison.figures[0]
    if cost.difference is None:
        return "unknown which run cost more: the cost of one is unknown"
    direction = "more" if cost.difference > 0 else "less"
    restriction = "" if cost.certain else "in known amounts, "
    if not cost.difference:
        return f"{restriction}both cost the same: {format_usd(cost.a)}"
    percent = "" if cost.percent is None else f" ({format_percent_change(cost.percent)})"
    sentence = f"{restriction}B cost {format_usd(abs(cost.difference))} {direction} than A{percent}"
    largest = next(iter(comparison.cost_from), None)
    if largest is None or largest.share is None or largest.share <= 0:
        return sentence
    origin = f"in {single_line(largest.phase)}" if largest.phase else "outside the agent runs"
    return f"{sentence}; {format_usd(abs(largest.difference))} {direction} {origin}"


def comparison_notes(comparison: Comparison) -> list[str]:
    """Return the notes on a comparison: different models, changed prices, and its own notes."""
    model_notes = [
        f"{single_line(change.phase)} ran on {_model_names(change.a)} in A "
        f"and on {_model_names(change.b)} in B"
        for change in comparison.other_models
    ]
    return [*model_notes, *_price_notes(comparison.price_changes), *comparison.notes]


def _model_names(models: Sequence[str]) -> str:
    return ", ".join(map(short_model, models)) or "an unknown model"


def _price_notes(changes: Sequence[PriceChange]) -> list[str]:
    notes = []
    for model in sorted({change.model for change in changes}):
        first, *others = (change for change in changes if change.model == model)
        more = f", and {pluralize(len(others), 'more rate')}" if others else ""
        notes.append(
            f"{short_model(model)} had another price on B's date: {first.kind} {format_usd(first.a)} → "
            f"{format_usd(first.b)} per 1M tokens{more}"
        )
    return notes
