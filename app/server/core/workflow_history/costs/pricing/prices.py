"""Price tokens by model and date in US dollars. No clock, no network.

The prices are the snapshot in the package genai-prices; its updater is never called. Prices that it lacks
are in `surcharges`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, TypeVar

from genai_prices import __version__ as genai_prices_version
from genai_prices.types import ModelInfo, ModelPrice, PriceVariant, StartDateConstraint, TimeOfDateConstraint
from msgspec.structs import asdict

from ...common.errors import PriceUnknownError
from ...common.models import LIST_PRICE, Terms, TokenUsage
from .model_lookup import find_model
from .rates import PricedUnits, Rates, build_rates
from .surcharges import BATCH, FAST, LIST, LONG_CONTEXT, US_ONLY, WITHOUT_US_ONLY, Multiples

_Constraint = StartDateConstraint | TimeOfDateConstraint


class _Period(NamedTuple):
    constraints: tuple[_Constraint, ...]  # all must be active; empty: valid at all times
    rates: Rates

    def is_active(self, at: datetime) -> bool:
        return all(constraint.active(at) for constraint in self.constraints)


def cost_usd(
    model: str, usage: TokenUsage, at: datetime | None, *, one_request: bool = True, terms: Terms = LIST_PRICE
) -> Decimal:
    """Return the exact cost of `usage` of `model` at the time `at`, in US dollars.

    With `one_request=False` the usage is a sum over requests: it is priced at base rates, without the tier of
    long requests. Raises PriceUnknownError if something was spent and the model, its rate or the date is
    unknown. Without a date, a price is only known if it never changed.

    >>> cost_usd("claude-sonnet-4-5", TokenUsage(input=1_000, output=1_000), None) == Decimal("0.018")
    True
    """
    try:
        return _single_value(
            [rates.cost(usage, one_request=one_request) for rates in _rates(model, at, terms)]
        )
    except PriceUnknownError as unknown:
        raise PriceUnknownError(f"{model[:200]}: {unknown}") from unknown


def priced_units(model: str, usage: TokenUsage, at: datetime | None) -> list[PricedUnits]:
    """Split `usage` into kinds with their base rates at the time `at`; raises PriceUnknownError."""
    return _single_value([rates.units(usage, one_request=False) for rates in _rates(model, at, LIST_PRICE)])


def price_version() -> str:
    """Return the version of the price table, which is stored with each cost."""
    return genai_prices_version


_Value = TypeVar("_Value")


def _single_value(values: Sequence[_Value]) -> _Value:
    if any(other != values[0] for other in values):
        raise PriceUnknownError("date unknown, and the price has changed over time")
    return values[0]


def _rates(model: str, at: datetime | None, terms: Terms) -> list[Rates]:
    """Return the rates at a time, or those of all periods if the time is None."""
    periods = _periods(model, terms)
    if at is None:
        return [period.rates for period in periods]
    # The last active period is used, as in genai-prices.
    for period in reversed(periods):
        if period.is_active(at):
            return [period.rates]
    raise PriceUnknownError(f"no price is known for {at.date().isoformat()}")


@lru_cache(maxsize=512)
def _periods(model: str, terms: Terms) -> tuple[_Period, ...]:
    """Return the prices of a model on some terms; prices with a start date follow the others."""
    row = find_model(model)
    required_terms = {name: option for name, option in asdict(terms).items() if option is not None}
    variants = [
        price_variant
        for price_variant in row.price_variants or ()
        if required_terms and price_variant.when.items() <= required_terms.items()
    ]
    undated = [variant for variant in variants if variant.constraint is None]
    dated = tuple([variant.constraint for variant in variants if variant.constraint is not None])
    periods = _build_periods(row, undated, (), required_terms)
    return (*periods, *_build_periods(row, variants, dated, required_terms)) if dated else periods


def _build_periods(
    row: ModelInfo,
    variants: Sequence[PriceVariant],
    constraints: tuple[_Constraint, ...],
    required_terms: dict[str, str],
) -> tuple[_Period, ...]:
    entries = [row.prices] if isinstance(row.prices, ModelPrice) else row.prices
    priced_terms = {name for variant in variants for name in variant.when}
    missing_terms = {name: option for name, option in required_terms.items() if name not in priced_terms}
    overriding = [variant.prices for variant in reversed(variants)]  # first has priority, as in genai-prices
    periods = []
    for entry in entries:
        price, constraint = (
            (entry, None) if isinstance(entry, ModelPrice) else (entry.prices, entry.constraint)
        )
        rates = build_rates(price, *overriding)
        if row.id in LONG_CONTEXT:
            rates = rates.with_long_context(LONG_CONTEXT[row.id])
        for name, option in missing_terms.items():
            rates = rates.times(_term_multiples(row.id, name, option))
        periods.append(_Period((*constraints, constraint) if constraint else constraints, rates))
    return tuple(periods)


def _term_multiples(row: str, name: str, option: str) -> Multiples:
    """Return the factors for a row's list price on terms that the price table does not cover."""
    multiples: Multiples | None = None
    if (name, option) == ("speed", "fast"):
        multiples = FAST.get(row)
    elif row.startswith("claude-") and (name, option) == ("inference_geo", "us"):
        multiples = LIST if row in WITHOUT_US_ONLY else US_ONLY
    elif row.startswith("claude-") and (name, option) == ("processing", "batch"):
        multiples = BATCH
    if multiples is None:
        raise PriceUnknownError(f"no price is known for {name.replace('_', ' ')} {option}")
    return multiples
