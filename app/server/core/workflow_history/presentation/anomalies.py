"""Choice of the budgets to show: all budgets of a report in, the notable ones out. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..queries.budgets import BudgetStatus


def notable_budgets(budgets: Sequence[BudgetStatus]) -> list[BudgetStatus]:
    """Return the budgets near or over their limit, and the latest period of every budget."""
    latest = {(budget.scope, budget.name, budget.span): budget.start for budget in budgets}
    for budget in budgets:
        key = budget.scope, budget.name, budget.span
        latest[key] = max(latest[key], budget.start)
    return [
        budget
        for budget in budgets
        if budget.state != "within" or latest[budget.scope, budget.name, budget.span] == budget.start
    ]
