"""Tell what a run's cost means: a workflow dict in, amounts and words out. Pure; adds up, never prices."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from ..amounts import UNKNOWN, Spending, exact, money, spending

_SMALLEST: Final = Decimal("0.00005")  # what `money` does not show as less than something

BASES = {
    "reported": "as the agents report it",
    "computed": "tokens times the price of the day",
    "lower_bound": "a lower bound: some spending is not on record",
    "unpriced": "a part has no known price",
}
"""What each cost basis means, in words."""


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
    return f"≥ {least_money(spent.known)}" if spent.partial else money(spent.known)


def least_money(value: Any) -> str:
    """Return US dollars that were spent at least: below the smallest amount that is shown, its first digit.

    >>> least_money(0.07), least_money(0.0000247)
    ('$0.07', '$0.00002')
    """
    amount = exact(value)
    if amount is None or not 0 < amount < _SMALLEST:
        return money(value)
    return f"${amount.quantize(Decimal(1).scaleb(amount.adjusted()), ROUND_DOWN):f}"


def record_and_beyond(recorded: Any, beyond: Any, *, partial: bool = False) -> str:
    """Return both amounts in words, apart; `partial`: more was spent, and nothing shows how much.

    >>> record_and_beyond(12.34, 0.07), record_and_beyond(None, None)
    ('$12.34 on record + at least $0.07 in streams without a result', 'no cost on record')
    >>> record_and_beyond(12.34, None, partial=True)
    '$12.34 on record, at least: some work left no record of its cost'
    """
    words = f"{money(recorded)} on record" if exact(recorded) is not None else "no cost on record"
    if exact(beyond):
        return f"{words} + at least {least_money(beyond)} in streams without a result"
    return f"{words}, at least: some work left no record of its cost" if partial else words
