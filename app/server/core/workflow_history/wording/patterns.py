"""Say what recurs and what a script would save: amounts that are estimates in, words out. Pure."""

from __future__ import annotations

from typing import Final

from ..amounts import UNKNOWN, money
from ..answers.pattern_shapes import RankedPattern

ID: Final = 8  # digits that are shown; four and more will do


def short_id(pattern_id: str) -> str:
    """Return as much of an id as is shown and typed."""
    return pattern_id[:ID]


def estimate(amount: float | None, *, at_least: bool = False) -> str:
    """Return an amount of money that is an estimate, or a lower bound of one.

    >>> estimate(1.5), estimate(1.5, at_least=True)
    ('≈ $1.50', '≥ $1.50')
    """
    return UNKNOWN if amount is None else f"{'≥' if at_least else '≈'} {money(amount)}"


def bounded(amount: float | None, *, at_least: bool = False) -> str:
    """Return an amount below a heading that says it is an estimate.

    >>> bounded(1.5), bounded(1.5, at_least=True)
    ('$1.50', '≥ $1.50')
    """
    return estimate(amount, at_least=at_least).removeprefix("≈ ")


def saved_of(one: RankedPattern) -> str:
    """Return what a script would have saved."""
    return estimate(one.saved, at_least=one.saved_at_least)
