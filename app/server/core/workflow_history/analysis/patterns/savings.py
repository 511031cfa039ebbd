"""What a script in an agent's place would have saved: a pattern and an assumption in, an estimate out. Pure.

The assumption: of each time that ended well a share of the cost stays, because the script must still be
called and its answer read. Of a sequence at least one call of its steps stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

from .records import PatternTotals
from .sequences import SEPARATOR

DEFAULT_REMAINING: Final = 0.25
"""The share that stays where nobody says otherwise: one call of four."""

MIN_PERIOD: Final = 7 * 86_400_000_000
"""Microseconds; from fewer than seven days nothing is said of a month."""

_MONTH: Final = 2_629_800_000_000  # microseconds, a twelfth of 365.25 days


@dataclass(frozen=True, slots=True)
class Saving:
    """What would have been saved; an estimate."""

    nanodollars: int | None  # None: no cost is known, or of no time how it ended
    at_least: bool  # more would have been saved: some cost or some endings are unknown


def operations_of(pattern: PatternTotals) -> tuple[str, ...]:
    """Return the operations that a pattern is made of; an operation is one."""
    return _parted(pattern.signature) if pattern.kind == "sequence" else (pattern.signature,)


@lru_cache(maxsize=8_192)  # each is held against many others
def _parted(signature: str) -> tuple[str, ...]:
    return tuple(signature.split(SEPARATOR))


def remaining_fraction(pattern: PatternTotals, keep_share: float) -> Fraction:
    """Return the share of the cost that stays: `keep_share`, and of a sequence no less than one call."""
    kept = Fraction(str(keep_share))
    return max(kept, Fraction(1, len(operations_of(pattern)))) if pattern.kind == "sequence" else kept


def known_cost(pattern: PatternTotals) -> int | None:
    """Return the known part of the cost in nanodollars; None where nothing is known."""
    return None if pattern.unpriced_runs >= pattern.runs else pattern.nanodollars


def estimate_saving(pattern: PatternTotals, keep_share: float) -> Saving:
    """Return what a script would have saved, to the nanodollar, rounded down.

    Times that failed are not cheaper with a script: somebody must look into them. Where it is unknown how a
    time ended, nothing of it counts as saved.
    """
    cost, known = known_cost(pattern), pattern.successes + pattern.failures
    if cost is None or not known:
        return Saving(None, at_least=False)
    well = Fraction(pattern.successes, max(pattern.count, known))
    saved = int(cost * well * (1 - remaining_fraction(pattern, keep_share)))
    return Saving(saved, at_least=bool(pattern.unpriced_runs) or known < pattern.count)


def per_month(nanodollars: int | None, span: int | None) -> int | None:
    """Return an amount of a span of microseconds as that of a month; None where the span tells too little.

    >>> per_month(12_000_000_000, 365_250_000 * 86_400_000)
    1000000
    """
    if nanodollars is None or span is None or span < MIN_PERIOD:
        return None
    return nanodollars * _MONTH // span
