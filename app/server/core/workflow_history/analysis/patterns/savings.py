"""Estimate the savings of a script in place of an agent: pattern and residual cost in, estimate out. Pure.

The assumption: a share of the cost of each successful occurrence remains, because the script must still be
called and its output read. Of a sequence, the cost of at least one of its steps remains.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

from ...common.models import PatternKind
from .records import PatternTotals
from .sequences import SEPARATOR

DEFAULT_RESIDUAL_COST: Final = 0.25
"""Default residual cost: one call of four."""

MIN_PERIOD: Final = 7 * 86_400_000_000
"""Seven days in microseconds: the shortest span from which a monthly amount is estimated."""

_MONTH: Final = 2_629_800_000_000  # microseconds, a twelfth of 365.25 days


@dataclass(frozen=True, slots=True)
class Saving:
    """Estimated savings of a pattern."""

    nanodollars: int | None  # saved nanodollars; None: no cost or no outcome is known
    is_lower_bound: bool  # whether it is a lower bound: some costs or some outcomes are unknown


def steps_of(pattern: PatternTotals) -> tuple[str, ...]:
    """Return the operations of a pattern: the steps of a sequence, otherwise its signature."""
    return (
        _split_signature(pattern.signature) if pattern.kind == PatternKind.SEQUENCE else (pattern.signature,)
    )


@lru_cache(maxsize=8_192)  # each pattern is compared with many others
def _split_signature(signature: str) -> tuple[str, ...]:
    return tuple(signature.split(SEPARATOR))


def residual_share(pattern: PatternTotals, residual_cost: float) -> Fraction:
    """Return the residual cost as a share: `residual_cost`, but at least one step of a sequence."""
    share = Fraction(str(residual_cost))
    return max(share, Fraction(1, len(steps_of(pattern)))) if pattern.kind == PatternKind.SEQUENCE else share


def known_cost(pattern: PatternTotals) -> int | None:
    """Return the known part of the cost in nanodollars; None if nothing is known."""
    return None if pattern.unpriced_runs >= pattern.runs else pattern.nanodollars


def estimate_saving(pattern: PatternTotals, residual_cost: float) -> Saving:
    """Estimate the savings of a script, to the nanodollar, rounded down.

    A failed occurrence is not cheaper with a script, because a person must examine it. An occurrence of
    unknown outcome counts as not saved.
    """
    cost, known_outcomes = known_cost(pattern), pattern.successes + pattern.failures
    if cost is None or not known_outcomes:
        return Saving(None, is_lower_bound=False)
    success_rate = Fraction(pattern.successes, max(pattern.count, known_outcomes))
    saved = int(cost * success_rate * (1 - residual_share(pattern, residual_cost)))
    return Saving(saved, is_lower_bound=bool(pattern.unpriced_runs) or known_outcomes < pattern.count)


def per_month(nanodollars: int | None, span: int | None) -> int | None:
    """Convert an amount over a span of microseconds to one per month; None if the span is too short.

    >>> per_month(12_000_000_000, 365_250_000 * 86_400_000)
    1000000
    """
    if nanodollars is None or span is None or span < MIN_PERIOD:
        return None
    return nanodollars * _MONTH // span
