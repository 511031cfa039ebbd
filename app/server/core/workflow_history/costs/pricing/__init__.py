"""Calculate the price of tokens by model, counts and date, in US dollars. No file, clock or network.

The price table is imported when something is priced for the first time, because the import takes as long as
a whole `workflow-history list`, and most commands price nothing.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ...common.models import LIST_PRICE, Terms, TokenUsage

if TYPE_CHECKING:  # a runtime import would load the price table
    from .rates import PricedUnits

__all__ = ["SYNTHETIC", "cost_usd", "price_breakdown", "price_version"]

SYNTHETIC = "<synthetic>"
"""Model name in messages that Claude Code made up itself: no model answered, nothing is billed."""


def cost_usd(
    model: str, usage: TokenUsage, at: datetime | None, *, one_request: bool = True, terms: Terms = LIST_PRICE
) -> Decimal:
    """Return the exact cost of `usage` of `model` at the time `at`, in US dollars; see `prices`."""
    if model == SYNTHETIC or usage == TokenUsage():
        return Decimal(0)
    cost: Decimal = _prices().cost_usd(model, usage, at, one_request=one_request, terms=terms)
    return cost


def price_breakdown(model: str, usage: TokenUsage, at: datetime | None) -> list[PricedUnits]:
    """Split `usage` into kinds of units, each with its base rate at the time `at`.

    A rate that is missing in the price table is None. Raises PriceUnknownError if the model or its price at
    that time is unknown.
    """
    units: list[PricedUnits] = _prices().priced_units(model, usage, at)
    return units


def price_version() -> str:
    """Return the version of the price table, which is stored with each cost."""
    return str(_prices().price_version())


@lru_cache(maxsize=1)
def _prices() -> Any:
    return import_module(".prices", __name__)
