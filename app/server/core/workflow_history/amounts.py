"""Amounts as stored runs hold them: values and dicts of any origin in, exact numbers and spendings out. Pure.

What is on record and what was spent at least beyond it stay apart: never the same dollar twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

RECORDED = frozenset({"reported", "computed"})
_BEYOND_ALL = 1e15  # no cost, count or time of a run is that large


def number(value: Any) -> float | None:
    """Return a number, or None: text, yes/no, NaN and what is beyond all measure are none.

    >>> number(2), number(True), number("2"), number(float("nan"))
    (2.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    return float(value) if -_BEYOND_ALL < value < _BEYOND_ALL else None


def exact(value: Any) -> Decimal | None:
    """Return the amount in US dollars that a float of the history stands for.

    >>> exact(0.1) + exact(0.2)
    Decimal('0.3')
    """
    return None if number(value) is None else Decimal(str(value))


@dataclass(frozen=True, slots=True)
class Spending:
    """What a run, or several, spent: what is on record and what is known beyond it, in US dollars."""

    recorded: Decimal | None  # None: nothing is on record
    beyond: Decimal | None  # spent at least beyond the record, in streams without an end
    partial: bool  # more may have been spent than both say

    @property
    def known(self) -> Decimal | None:
        """Both amounts together: never the same dollar twice."""
        amounts = [amount for amount in (self.recorded, self.beyond) if amount is not None]
        return sum(amounts, Decimal(0)) if amounts else None


def spending(workflow: Mapping[str, Any]) -> Spending:
    """Return what a run spent; a total that stands for a lower bound alone is not on record.

    >>> spending({"total_cost": 0.07, "cost_basis": "lower_bound"})
    Spending(recorded=None, beyond=Decimal('0.07'), partial=True)
    """
    basis = workflow.get("cost_basis")
    total, beyond = exact(workflow.get("total_cost")), exact(workflow.get("lower_bound_cost"))
    partial = basis not in RECORDED
    if basis == "lower_bound" and not _anything_recorded(workflow):
        return Spending(None, total if beyond is None else beyond, partial)
    return Spending(total, beyond, partial)


def agent_spending(agent: Mapping[str, Any]) -> Spending:
    """Return what one agent's stream says that it spent.

    >>> agent_spending({"cost": 0.5, "cost_basis": "reported", "lower_bound_cost": 0.25}).known
    Decimal('0.75')
    """
    cost, beyond = exact(agent.get("cost")), exact(agent.get("lower_bound_cost"))
    if agent.get("cost_basis") in RECORDED:
        return Spending(cost, beyond, beyond is not None or bool(agent.get("unpriced_tokens")))
    known = [amount for amount in (cost, beyond) if amount is not None]
    return Spending(None, sum(known, Decimal(0)) if known else None, bool(known))


def together(every: Sequence[Spending]) -> Spending:
    """Return several spendings as one."""
    recorded = [each.recorded for each in every if each.recorded is not None]
    beyond = [each.beyond for each in every if each.beyond is not None]
    return Spending(
        sum(recorded, Decimal(0)) if recorded else None,
        sum(beyond, Decimal(0)) if beyond else None,
        any(each.partial for each in every),
    )


def all_spending(workflows: Iterable[Mapping[str, Any]]) -> Spending:
    """Return what several runs spent together."""
    return together([spending(workflow) for workflow in workflows])


def _anything_recorded(workflow: Mapping[str, Any]) -> bool:
    """Whether some agent's cost is on record; without a list of agents, whether the total can be."""
    agents = workflow.get("phase_costs")
    if agents:
        return any(agent.get("cost_basis") in RECORDED for agent in agents)
    return bool(workflow.get("agents_without_stream")) or workflow.get("lower_bound_cost") is not None
