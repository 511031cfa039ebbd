"""Differences of two runs in words: a comparison in, names, amounts and sentences out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ..analysis.comparison.records import Comparison, NumberComparison
from ..common.formatting.agents import short_model
from ..common.formatting.numbers import format_duration, format_percent_change, format_tokens, pluralize
from ..common.formatting.text import single_line
from ..common.spending import UNKNOWN, format_fraction, format_usd, number

NAMES: Final = {
    "cost": "cost",
    "input_tokens": "tokens in",
    "output_tokens": "tokens out",
    "cache_read_tokens": "cache read",
    "cache_creation_tokens": "cache written",
    "total_tokens": "all tokens",
    "cache_hit_share": "from the cache",
    "duration_seconds": "time",
    "turns": "turns",
    "tool_calls": "tool calls",
    "tool_errors": "tool errors",
    "agent_runs": "agents",
    "retry_count": "retries",
    "retry_cost": "retries cost",
    "nl_clarity_score": "clarity",
    "cost_efficiency_score": "cost efficiency",
    "performance_score": "performance",
    "quality_score": "quality",
    "workflow_template": "workflow",
    "issue_class": "class",
    "model_used": "model",
    "cost_basis": "cost basis",
    "current_phase": "last phase",
    "error_message": "error",
}
"""Display names of figures and facts."""


CANCELLED: Final = 1.5  # above this share, parts cancel each other out and shares mislead


def _known(write: Callable[[float], str]) -> Callable[[float | None], str]:
    def written(value: float | None) -> str:
        found = number(value)
        return UNKNOWN if found is None else write(found)

    return written


_WRITE: Final[Mapping[str, Callable[[float | None], str]]] = {
    "USD": format_usd,
    "tokens": format_tokens,
    "seconds": format_duration,
    "share": _known(lambda part: format_fraction(part, digits=1)),
    "score": _known(lambda score: f"{score:.1f}"),  # whole numbers would hide small differences
    "count": _known(lambda count: f"{count:,.0f}"),
}


def format_value(figure: NumberComparison, value: float | None) -> str:
    """Format one run's value of a figure."""
    return _WRITE[figure.unit](value)


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
    size = format_value(figure, abs(figure.difference))
    sign = "" if size in {"0", "0.0", "0s", "$0.00"} else "+" if figure.difference > 0 else "-"
    sure = "" if figure.certain else "≈ "
    return f"{sure}{sign}{size}"


def difference_percent(figure: NumberComparison) -> str:
    """Format B minus A in percent of A; "" for shares and scores, or if unknown."""
    return (
        ""
        if figure.percent is None or figure.unit in {"share", "score"}
        else format_percent_change(figure.percent)
    )


def describe_cost_difference(found: Comparison) -> str:
    """Return one sentence on where the cost difference comes from."""
    cost = found.figures[0]
    if cost.difference is None:
        return "unknown which of both cost more: the cost of one is not known"
    more = "more" if cost.difference > 0 else "less"
    sure = "" if cost.certain else "at the known amounts, "
    if not cost.difference:
        return f"{sure}both cost the same: {format_usd(cost.a)}"
    by = "" if cost.percent is None else f" ({format_percent_change(cost.percent)})"
    start = f"{sure}B cost {format_usd(abs(cost.difference))} {more} than A{by}"
    largest = next(iter(found.cost_from), None)
    if largest is None or largest.share is None or largest.share <= 0:
        return start
    where = f"in {single_line(largest.phase)}" if largest.phase else "beyond the agents"
    return f"{start}; {format_usd(abs(largest.difference))} {more} {where}"


def comparison_notes(found: Comparison) -> list[str]:
    """Return the notes on a comparison: different models, changed prices, and its own notes."""
    return [*_models(found), *_prices(found), *found.notes]


def _models(found: Comparison) -> list[str]:
    return [
        f"{single_line(each.phase)} ran on {_names(each.a)} in A and on {_names(each.b)} in B"
        for each in found.other_models
    ]


def _names(models: Sequence[str]) -> str:
    return ", ".join(short_model(model) for model in models) or "an unknown model"


def _prices(found: Comparison) -> list[str]:
    changed = {change.model for change in found.price_changes}
    lines = []
    for model in sorted(changed):
        rates = [change for change in found.price_changes if change.model == model]
        first = rates[0]
        more = f", and {pluralize(len(rates) - 1, 'more rate')}" if len(rates) > 1 else ""
        lines.append(
            f"{short_model(model)} had another price on B's day: {first.kind} {format_usd(first.a)} → "
            f"{format_usd(first.b)} a million{more}"
        )
    return lines
