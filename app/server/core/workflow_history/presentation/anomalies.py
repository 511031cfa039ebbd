"""Say which budgets are worth a line: all of a report in, those that are shown out. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..queries.budgets import BudgetStatus


def notable_budgets(budgets: Sequence[BudgetStatus]) -> list[BudgetStatus]:
    """Return what is not within, and of all that is within the latest day, week and month."""
    latest = {(budget.scope, budget.name, budget.span): budget.start for budget in budgets}
    for budget in budgets:
        key = budget.scope, budget.name, budget.span
        latest[key] = max(latest[key], budget.start)
    return [
        budget
        for budget in budgets
        if budget.state != "within" or latest[budget.scope, budget.name, budget.span] == budget.start
    ]
