"""Tell what a run's cost means: a workflow dict in, amounts and words out. Pure; adds up, never prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .numbers import exact, money
from .text import UNKNOWN

RECORDED = frozenset({"reported", "computed"})

BASES = {
    "reported": "as the agents report it",
    "computed": "tokens times the price of the day",
    "lower_bound": "a lower bound: some spending is not on record",
    "unpriced": "a part has no known price",
}
"""What each cost basis means, in words."""


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

    >>> at_least(agent_spending({"cost": 0.5, "cost_basis": "reported", "lower_bound_cost": 0.25}))
    '≥ $0.75'
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


def short_cost(workflow: Mapping[str, Any]) -> str:
    """Return a run's cost in a word: `≥` where more was spent than is known.

    >>> short_cost({"total_cost": 2.63, "cost_basis": "reported"})
    '$2.63'
    >>> short_cost({"total_cost": 2.63, "cost_basis": "lower_bound", "lower_bound_cost": 0.07})
    '≥ $2.70'
    """
    return at_least(spending(workflow))


def at_least(spent: Spending) -> str:
    """Return all that is known of a spending in a word."""
    if spent.known is None:
        return UNKNOWN
    return f"≥ {money(spent.known)}" if spent.partial else money(spent.known)


def record_and_beyond(recorded: Any, beyond: Any, *, partial: bool = False) -> str:
    """Return both amounts in words, apart; `partial`: more was spent, and nothing shows how much.

    >>> record_and_beyond(12.34, 0.07), record_and_beyond(None, None)
    ('$12.34 on record + at least $0.07 in streams without a result', 'no cost on record')
    >>> record_and_beyond(12.34, None, partial=True)
    '$12.34 on record, at least: some work left no record of its cost'
    """
    words = f"{money(recorded)} on record" if exact(recorded) is not None else "no cost on record"
    if exact(beyond):
        return f"{words} + at least {money(beyond)} in streams without a result"
    return f"{words}, at least: some work left no record of its cost" if partial else words


def _anything_recorded(workflow: Mapping[str, Any]) -> bool:
    """Whether some agent's cost is on record; without a list of agents, whether the total can be."""
    agents = workflow.get("phase_costs")
    if agents:
        return any(agent.get("cost_basis") in RECORDED for agent in agents)
    return bool(workflow.get("agents_without_stream")) or workflow.get("lower_bound_cost") is not None
