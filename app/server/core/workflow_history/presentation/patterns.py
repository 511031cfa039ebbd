"""Costs and savings of patterns in words: estimated amounts in, text out. Pure."""

from __future__ import annotations

from typing import Final

from ..common.spending import UNKNOWN, format_usd
from ..queries.pattern_records import RankedPattern

SHORT_ID_LENGTH: Final = 8  # digits that are shown; commands accept four or more


def short_id(pattern_id: str) -> str:
    """Return the beginning of a pattern id, for display and input."""
    return pattern_id[:SHORT_ID_LENGTH]


def format_estimate(amount: float | None, *, at_least: bool = False) -> str:
    """Format an estimated amount in US dollars, or its lower bound.

    >>> format_estimate(1.5), format_estimate(1.5, at_least=True)
    ('≈ $1.50', '≥ $1.50')
    """
    return UNKNOWN if amount is None else f"{'≥' if at_least else '≈'} {format_usd(amount)}"


def format_minimum(amount: float | None, *, at_least: bool = False) -> str:
    """Format an estimated amount for a column whose header marks it as an estimate.

    >>> format_minimum(1.5), format_minimum(1.5, at_least=True)
    ('$1.50', '≥ $1.50')
    """
    return format_estimate(amount, at_least=at_least).removeprefix("≈ ")


def format_savings(pattern: RankedPattern) -> str:
    """Format the estimated savings of a script."""
    return format_estimate(pattern.saved, at_least=pattern.saved_at_least)
