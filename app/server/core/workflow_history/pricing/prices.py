"""Price tokens by model and date: a name, counts and a moment in, US dollars out. No clock, no network.

The prices are the snapshot inside the package genai-prices; its updater is never called.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from genai_prices import __version__ as genai_prices_version
from genai_prices.types import ModelPrice, StartDateConstraint, TimeOfDateConstraint

from ..errors import PriceUnknownError
from ..models import TokenUsage
from .names import find_model
from .rates import Rates, Units, rates_of


@dataclass(frozen=True, slots=True)
class _Period:
    constraint: StartDateConstraint | TimeOfDateConstraint | None  # None: from the beginning
    rates: Rates


def cost_usd(model: str, usage: TokenUsage, at: datetime | None, *, one_request: bool = True) -> Decimal:
    """Return what `usage` of `model` cost at the moment `at`, in US dollars, exact.

    With `one_request=False` the usage is a sum over requests: priced at base rates, without the tier of
    long requests. Raises PriceUnknownError where something was spent and the model, its rate or
    the date is unknown; without a date a price is known only if it never changed.

    >>> cost_usd("claude-sonnet-4-5", TokenUsage(input=1_000, output=1_000), None) == Decimal("0.018")
    True
    """
    try:
        return _rates_at(model, at).cost(usage, one_request=one_request)
    except PriceUnknownError as unknown:
        raise PriceUnknownError(f"{model[:200]}: {unknown}") from unknown


def priced_units(model: str, usage: TokenUsage, at: datetime | None) -> list[Units]:
    """Return what `usage` is made of with the base rates at the moment `at`; raises PriceUnknownError."""
    return _rates_at(model, at).units(usage, one_request=False)


def price_version() -> str:
    """Return the version of the price table, for the record beside each cost."""
    return genai_prices_version


def _rates_at(model: str, at: datetime | None) -> Rates:
    periods = _periods(model)
    if at is None:
        if any(period.rates != periods[0].rates for period in periods):
            raise PriceUnknownError("date unknown, and the price has changed over time")
        return periods[0].rates
    # The last period that holds wins, as in genai-prices.
    for period in reversed(periods):
        if period.constraint is None or period.constraint.active(at):
            return period.rates
    raise PriceUnknownError(f"no price is known for {at.date().isoformat()}")


@lru_cache(maxsize=512)
def _periods(model: str) -> tuple[_Period, ...]:
    prices = find_model(model).prices
    if isinstance(prices, ModelPrice):
        return (_Period(None, rates_of(prices)),)
    return tuple(_Period(entry.constraint, rates_of(entry.prices)) for entry in prices)
