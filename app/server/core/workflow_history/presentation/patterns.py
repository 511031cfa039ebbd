"""Say what recurs and what a script would save: amounts that are estimates in, words out. Pure."""

from __future__ import annotations

from typing import Final

from ..common.spending import UNKNOWN, format_usd
from ..queries.pattern_records import RankedPattern

SHORT_ID_LENGTH: Final = 8  # digits that are shown; four and more will do


def short_id(pattern_id: str) -> str:
    """Return as much of an id as is shown and typed."""
    return pattern_id[:SHORT_ID_LENGTH]


def format_estimate(amount: float | None, *, at_least: bool = False) -> str:
    """Return an amount of money that is an estimate, or a lower bound of one.

    >>> format_estimate(1.5), format_estimate(1.5, at_least=True)
    ('≈ $1.50', '≥ $1.50')
    """
    return UNKNOWN if amount is None else f"{'≥' if at_least else '≈'} {format_usd(amount)}"


def format_minimum(amount: float | None, *, at_least: bool = False) -> str:
    """Return an amount below a heading that says it is an estimate.

    >>> format_minimum(1.5), format_minimum(1.5, at_least=True)
    ('$1.50', '≥ $1.50')
    """
    return format_estimate(amount, at_least=at_least).removeprefix("≈ ")


def format_saving(one: RankedPattern) -> str:
    """Return what a script would have saved."""
    return format_estimate(one.saved, at_least=one.saved_at_least)
