"""Put a price on tokens: model, counts and date in, US dollars out. No file, clock or network.

The price table is imported when something is priced for the first time: that takes as long as a whole
`workflow-history list`, and most commands price nothing.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ...common.models import LIST_PRICE, Terms, TokenUsage

if TYPE_CHECKING:  # the price table comes with it
    from .rates import PricedUnits

__all__ = ["SYNTHETIC", "cost_usd", "price_breakdown", "price_version"]

SYNTHETIC = "<synthetic>"
"""What Claude Code calls messages that it made up itself: no model answered, nothing is billed."""


def cost_usd(
    model: str, usage: TokenUsage, at: datetime | None, *, one_request: bool = True, terms: Terms = LIST_PRICE
) -> Decimal:
    """Return what `usage` of `model` cost at the moment `at`, in US dollars, exact; see `prices`."""
    if model == SYNTHETIC or usage == TokenUsage():
        return Decimal(0)
    cost: Decimal = _prices().cost_usd(model, usage, at, one_request=one_request, terms=terms)
    return cost


def price_breakdown(model: str, usage: TokenUsage, at: datetime | None) -> list[PricedUnits]:
    """Return what `usage` is made of, each kind with its base rate at the moment `at`.

    A rate that the table does not give is None. Raises PriceUnknownError where the model or its price
    at that moment is unknown.
    """
    units: list[PricedUnits] = _prices().priced_units(model, usage, at)
    return units


def price_version() -> str:
    """Return the version of the price table, for the record beside each cost."""
    return str(_prices().price_version())


@lru_cache(maxsize=1)
def _prices() -> Any:
    return import_module(".prices", __name__)
