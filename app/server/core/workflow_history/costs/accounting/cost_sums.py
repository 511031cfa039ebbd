"""Sum the costs of any agent runs or model entries. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...common.spending import NO_COST, Cost, agent_cost, to_usd
from .money import sum_counts, sum_token_fields
from .run_cost import TOTAL_TOKEN_FIELDS

Entry = Mapping[str, Any]


def sum_costs(entries: Iterable[Entry]) -> dict[str, Any]:
    """Return the sums over agent runs, or over one model's entries; an unknown sum is None.

    Recorded cost and lower bound are separate amounts. `partial` is True if more than both may have been
    spent.
    >>> found = sum_costs([{"cost": 0.1, "cost_basis": "reported"}, {"cost": 0.2,
    ... "cost_basis": "lower_bound"}])
    >>> found["recorded_cost"], found["lower_bound_cost"], found["partial"]
    (0.1, 0.2, True)
    """
    entries = list(entries)
    cost, tokens = sum(map(agent_cost, entries), NO_COST), sum_token_fields(entries)
    return {
        "recorded_cost": to_usd(cost.recorded),
        "lower_bound_cost": to_usd(cost.extra),
        "partial": not cost.complete,
        **tokens,
        "total_tokens": sum_counts([tokens[key] for key in TOTAL_TOKEN_FIELDS]),
        "unpriced_tokens": sum(entry.get("unpriced_tokens") or 0 for entry in entries),
    }


def minimum_cost(sums: Entry) -> int:
    """Return recorded cost plus lower bound in nanodollars; 0 if both are unknown."""
    amounts = (sums.get("recorded_cost"), sums.get("lower_bound_cost"))
    return Cost.from_usd(*amounts, complete=not sums.get("partial")).minimum or 0
