"""Format the cost of runs with its lower bound and unknown parts. Pure; adds amounts, never prices."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from ..models import CostBasis
from ..spending import UNKNOWN, Spending, format_usd, run_spending, to_decimal
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
    return format_minimum(run_spending(workflow))


def format_minimum(spending: Spending) -> str:
    """Format all known cost of a spending; `≥` marks a lower bound."""
    if spending.minimum is None:
        return UNKNOWN
    return f"≥ {format_lower_bound(spending.minimum)}" if spending.partial else format_usd(spending.minimum)


def format_lower_bound(value: Any) -> str:
    """Format a lower bound in US dollars; a very small amount is cut to its first significant digit.

    >>> format_lower_bound(0.07), format_lower_bound(0.0000247)
    ('$0.07', '$0.00002')
    """
    amount = to_decimal(value)
    if amount is None or not 0 < amount < _MIN_SHOWN_AMOUNT:
        return format_usd(value)
    return f"${amount.quantize(Decimal(1).scaleb(amount.adjusted()), ROUND_DOWN):f}"


def format_spending(spending: Spending) -> str:
    """Format the recorded cost and the lower bound beyond it as separate amounts.

    >>> format_spending(Spending(Decimal("12.34"), Decimal("0.07"), partial=True))
    '$12.34 on record + at least $0.07 in streams without a result'
    >>> format_spending(Spending(Decimal("12.34"), None, partial=True))
    'at least $12.34: some work left no record of its cost'
    >>> format_spending(Spending(Decimal("12.34"), None, partial=False))
    '$12.34 on record'
    """
    if spending.lower_bound:
        lower_bound = f"at least {format_lower_bound(spending.lower_bound)} in streams without a result"
        return (
            lower_bound
            if spending.recorded is None
            else f"{format_usd(spending.recorded)} on record + {lower_bound}"
        )
    if spending.minimum is None:
        return "no cost on record"
    if spending.partial:
        return f"at least {format_lower_bound(spending.minimum)}: some work left no record of its cost"
    return f"{format_usd(spending.recorded)} on record"


def format_total_spending(spending: Spending) -> list[str]:
    """Format the total cost of several runs and the number of runs with unknown cost.

    >>> format_total_spending(Spending(Decimal("5"), None, partial=True, unknown_runs=2))
    ['at least $5.00', 'unknown what 2 runs cost']
    >>> format_total_spending(Spending(None, None, partial=True, unknown_runs=1))
    ['unknown what 1 run cost']
    """
    unknown = format_unknown_runs(spending)
    if unknown is None:
        return [format_spending(spending)]
    if spending.minimum is None:
        return [unknown]
    return [
        format_spending(spending)
        if spending.lower_bound
        else f"at least {format_lower_bound(spending.minimum)}",
        unknown,
    ]


def format_unknown_runs(spending: Spending) -> str | None:
    """Format the number of runs with unknown cost; None if there are none."""
    runs = spending.unknown_runs
    return f"unknown what {pluralize(runs, 'run')} cost" if runs else None
