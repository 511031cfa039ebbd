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
    CostBasis.REPORTED: "reported by the agents",
    CostBasis.COMPUTED: "computed: tokens × price on the run's date",
    CostBasis.LOWER_BOUND: "lower bound: some cost is not recorded",
    CostBasis.UNPRICED: "partly unpriced: a price is unknown",
}
"""Explanation of each cost basis."""


def describe_prices(version: str) -> str:
    """Describe the prices behind computed costs by their version.

    >>> describe_prices("0.2.3"), describe_prices("0.2.3+own.1a2b3c4d")
    ('genai-prices 0.2.3', 'genai-prices 0.2.3 and own prices 1a2b3c4d')
    """
    table, own, digest = version.partition("+own.")
    return f"genai-prices {table} and own prices {digest}" if own else f"genai-prices {table}"


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
    '$12.34 recorded + at least $0.07 in agent runs whose usage is incomplete'
    >>> format_cost_parts(Cost.from_usd(12.34, None, complete=False))
    'at least $12.34: the cost of some agent runs is not recorded'
    >>> format_cost_parts(Cost.from_usd(12.34, None, complete=True))
    '$12.34 recorded'
    """
    recorded = format_usd(to_usd(cost.recorded))
    if cost.extra:
        extra = f"at least {format_lower_bound(to_usd(cost.extra))} in agent runs whose usage is incomplete"
        return extra if cost.recorded is None else f"{recorded} recorded + {extra}"
    if cost.minimum is None:
        return "no recorded cost"
    if cost.complete:
        return f"{recorded} recorded"
    return f"at least {format_lower_bound(to_usd(cost.minimum))}: the cost of some agent runs is not recorded"


def format_total_cost(cost: Cost) -> list[str]:
    """Format the total cost of several runs and the number of runs with unknown cost.

    >>> format_total_cost(Cost.from_usd(5, None, complete=False, unknown_runs=2))
    ['at least $5.00', 'cost of 2 runs unknown']
    >>> format_total_cost(Cost(None, None, complete=False, unknown_runs=1))
    ['cost of 1 run unknown']
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
    return f"cost of {pluralize(cost.unknown_runs, 'run')} unknown" if cost.unknown_runs else None
