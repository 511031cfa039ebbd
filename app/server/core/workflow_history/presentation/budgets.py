"""Choice of the budgets to show: all budgets of a report in, the notable ones out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..analysis.anomalies.budgets import BudgetLevel
from ..queries.budgets import BudgetStatus


def notable_budgets(budgets: Sequence[BudgetStatus]) -> list[BudgetStatus]:
    """Return the budgets near or over their limit, and the latest period of every budget."""
    latest: dict[tuple[str, str | None, str], datetime] = {}
    for budget in budgets:
        key = budget.scope, budget.name, budget.span
        latest[key] = max(latest.get(key, budget.start), budget.start)
    return [
        budget
        for budget in budgets
        if budget.state != BudgetLevel.WITHIN
        or latest[budget.scope, budget.name, budget.span] == budget.start
    ]
