"""Compare the numbers and texts of two runs. Pure; money is computed exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from ...common.coercion import coerce_number, is_duration_lower_bound, list_agent_runs
from ...common.spending import Cost, run_cost, to_usd
from ...costs.accounting.money import TOKEN_FIELDS
from .records import NumberComparison, TextComparison

Run = Mapping[str, Any]

TEXT_FIELDS: Final = (
    "status",
    "workflow_template",
    "issue_class",
    "model_used",
    "cost_basis",
    "current_phase",
    "error_message",
)
"""Text fields to compare."""

TOKENS: Final = (*TOKEN_FIELDS[:4], "total_tokens")
SCORES: Final = ("nl_clarity_score", "cost_efficiency_score", "performance_score", "quality_score")


def compare_figures(a: Run, b: Run) -> tuple[NumberComparison, ...]:
    """Compare all numbers of two runs."""
    return (
        compare_cost("cost", run_cost(a), run_cost(b)),
        *(compare_value(name, "tokens", a.get(name), b.get(name)) for name in TOKENS),
        compare_value("cache_hit_rate", "share", cache_hit_rate(a), cache_hit_rate(b)),
        compare_value(
            "duration_seconds",
            "seconds",
            a.get("duration_seconds"),
            b.get("duration_seconds"),
            certain=(not is_duration_lower_bound(a), not is_duration_lower_bound(b)),
        ),
        *(
            compare_value(
                name, "count", sum_counts(list_agent_runs(a), name), sum_counts(list_agent_runs(b), name)
            )
            for name in ("turns", "tool_calls", "tool_errors")
        ),
        compare_value("agent_runs", "count", len(list_agent_runs(a)), len(list_agent_runs(b))),
        compare_value("retry_count", "count", a.get("retry_count"), b.get("retry_count")),
        compare_value("retry_cost", "USD", a.get("retry_cost"), b.get("retry_cost")),
        *(compare_value(name, "score", a.get(name), b.get(name)) for name in SCORES),
    )


def compare_facts(a: Run, b: Run) -> tuple[TextComparison, ...]:
    """Compare the text fields of two runs; fields unknown in both are omitted."""
    pairs = [(name, a.get(name), b.get(name)) for name in TEXT_FIELDS]
    return tuple(
        TextComparison(
            name,
            None if a_value is None else str(a_value),
            None if b_value is None else str(b_value),
            a_value == b_value,
        )
        for name, a_value, b_value in pairs
        if a_value is not None or b_value is not None
    )


def compare_value(
    name: str, unit: str, a: object, b: object, *, certain: tuple[bool, bool] = (True, True)
) -> NumberComparison:
    """Compare one number of two runs.

    >>> compare_value("turns", "count", 10, 15).percent, compare_value("turns", "count", 0, 15).percent
    (50.0, None)
    """
    a_number, b_number = coerce_number(a), coerce_number(b)
    if a_number is None or b_number is None:
        return NumberComparison(name, unit, a_number, b_number, None, None, all(certain), *certain)
    # With decimals, 0.3 - 0.1 is exactly 0.2.
    difference = Decimal(repr(b_number)) - Decimal(repr(a_number))
    percent = round(float(difference / Decimal(repr(a_number)) * 100), 3) if a_number else None
    return NumberComparison(
        name, unit, a_number, b_number, float(difference), percent, all(certain), *certain
    )


def compare_cost(name: str, a: Cost, b: Cost) -> NumberComparison:
    """Compare a cost of two runs; uncertain if one is only a lower bound."""
    return compare_value(name, "USD", to_usd(a.minimum), to_usd(b.minimum), certain=(a.complete, b.complete))


def cache_hit_rate(run: Run) -> float | None:
    """Return the cache hit rate, 0 to 1: cache read tokens divided by all input tokens, or None.

    >>> cache_hit_rate({"cache_read_tokens": 90, "input_tokens": 4, "cache_creation_tokens": 6})
    0.9
    """
    read, *others = (
        coerce_number(run.get(key)) for key in ("cache_read_tokens", "input_tokens", "cache_creation_tokens")
    )
    if read is None or None in others:
        return None
    prompt = read + sum(other for other in others if other is not None)
    return read / prompt if prompt else None


def sum_counts(agents: Iterable[Run], key: str) -> float | None:
    """Sum a count over the agent runs that report it; None if there is none."""
    known = [value for agent in agents if (value := coerce_number(agent.get(key))) is not None]
    return sum(known) if known else None
