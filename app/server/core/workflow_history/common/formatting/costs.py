"""Format the cost of runs with its lower bound and unknown parts. Pure; adds amounts, never prices."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from ..models import CostBasis
from ..spending import UNKNOWN, Cost, format_usd, run_cost, to_decimal, to_usd
from .numbers import pluralize

_MIN_SHOWN_AMOUNT: Final = Decimal("0.00005")  # USD; `format_usd` shows smaller amounts as "<$0.0001"

COST_BASIS_NOTES: Final[Mapping[str, str]] = {
    CostBasis.REPORTED: "as the agents report it",
    CostBasis.COMPUTED: "tokens times the price of the day",
    CostBasis.LOWER_BOUND: "a lower bound: some spending is not on record",
    CostBasis.UNPRICED: "a part has no known price",
}
"""Explanation of each cost basis."""


def format_run_cost(workflow: Mapping[str, Any]) -> str:
    """Format a run's cost; `≥` marks a lower bound.

    >>> format_run_cost({"total_cost": 2.63, "cost_basis": "reported"})
    '$2.63'
    >>> format_run_cost({"total_cost": 2.63, "cost_basis": "lower_bound", "lower_bound_cost": 0.07})
    '≥ $2.70'
    """
    return format_minimum(run_cost(workflow))


def format_minimum(cost: Cost) -> str:
    """Format all that is known of a cost; `≥` marks a lower bound."""
    minimum = to_usd(cost.minimum)
    if minimum is None:
        return UNKNOWN
    return format_usd(minimum) if cost.complete else f"≥ {format_lower_bound(minimum)}"


def format_lower_bound(value: Any) -> str:
    """Format a lower bound in US dollars; a very small amount is cut to its first significant digit.

    >>> format_lower_bound(0.07), format_lower_bound(0.0000247)
    ('$0.07', '$0.00002')
    """
    amount = to_decimal(value)
    if amount is None or not 0 < amount < _MIN_SHOWN_AMOUNT:
        return format_usd(value)
    return f"${amount.quantize(Decimal(1).scaleb(amount.adjusted()), ROUND_DOWN):f}"


def format_cost_parts(cost: Cost) -> str:
    """Format the recorded cost and the lower bound beyond it as separate amounts.

    >>> format_cost_parts(Cost.from_usd(12.34, 0.07, complete=False))
    '$12.34 on record + at least $0.07 in streams without a result'
    >>> format_cost_parts(Cost.from_usd(12.34, None, complete=False))
    'at least $12.34: some work left no record of its cost'
    >>> format_cost_parts(Cost.from_usd(12.34, None, complete=True))
    '$12.34 on record'
    """
    recorded = format_usd(to_usd(cost.recorded))
    if cost.extra:
        extra = f"at least {format_lower_bound(to_usd(cost.extra))} in streams without a result"
        return extra if cost.recorded is None else f"{recorded} on record + {extra}"
    if cost.minimum is None:
        return "no cost on record"
    if cost.complete:
        return f"{recorded} on record"
    return f"at least {format_lower_bound(to_usd(cost.minimum))}: some work left no record of its cost"


def format_total_cost(cost: Cost) -> list[str]:
    """Format the total cost of several runs and the number of runs with unknown cost.

    >>> format_total_cost(Cost.from_usd(5, None, complete=False, unknown_runs=2))
    ['at least $5.00', 'unknown what 2 runs cost']
    >>> format_total_cost(Cost(None, None, complete=False, unknown_runs=1))
    ['unknown what 1 run cost']
    """
    unknown = format_unknown_runs(cost)
    if unknown is None:
        return [format_cost_parts(cost)]
    if cost.minimum is None:
        return [unknown]
    known = format_cost_parts(cost) if cost.extra else f"at least {format_lower_bound(to_usd(cost.minimum))}"
    return [known, unknown]


def format_unknown_runs(cost: Cost) -> str | None:
    """Format the number of runs with unknown cost; None if there are none."""
    return f"unknown what {pluralize(cost.unknown_runs, 'run')} cost" if cost.unknown_runs else None
