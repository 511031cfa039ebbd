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
from .own_prices import current_prices

if TYPE_CHECKING:  # a runtime import would load the price table
    from .rates import PricedUnits

__all__ = ["SYNTHETIC", "cost_usd", "price_breakdown", "price_version", "table_version"]

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


def price_breakdown(
    model: str, usage: TokenUsage, at: datetime | None
) -> tuple[list[PricedUnits], str | None]:
    """Split `usage` into kinds of units, each with its base rate at the time `at`.

    Also returns the config file and key of the own price behind these rates, or None. A rate that is missing
    is None. Raises PriceUnknownError if the model or its price at that time is unknown.
    """
    breakdown: tuple[list[PricedUnits], str | None] = _prices().price_breakdown(model, usage, at)
    return breakdown


def price_version() -> str:
    """Return the version of the prices, which is stored with each cost: of the price table and own prices.

    Own prices are those of `use_prices`.
    """
    own = current_prices().version
    return f"{table_version()}+own.{own}" if own else table_version()


def table_version() -> str:
    """Return the version of the price table."""
    return str(_prices().table_version())


@lru_cache(maxsize=1)
def _prices() -> Any:
    return import_module(".prices", __name__)
