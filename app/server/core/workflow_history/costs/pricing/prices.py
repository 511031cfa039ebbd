"""Price tokens by model and date in US dollars. No clock, no network.

The prices are the snapshot in the package genai-prices; its updater is never called. Prices that it lacks
are in `surcharges`. The own prices of `use_prices` have priority over both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, TypeVar

from genai_prices import __version__ as genai_prices_version
from genai_prices.types import ModelInfo, ModelPrice, PriceVariant, StartDateConstraint, TimeOfDateConstraint
from msgspec import structs

from ...common.errors import PriceUnknownError
from ...common.models import LIST_PRICE, Terms, TokenUsage
from .model_lookup import VENDOR_PREFIXES, find_model
from .model_names import DATE_SUFFIX
from .own_prices import OwnPrice, OwnPrices, current_prices, model_key, toml_key
from .rates import PricedUnits, Rates, build_rates, own_rates
from .surcharges import BATCH, FAST, LIST, LONG_CONTEXT, UNDATED_FAST, US_ONLY, WITHOUT_US_ONLY, Multiples

_Constraint = StartDateConstraint | TimeOfDateConstraint


class _Period(NamedTuple):
    constraints: tuple[_Constraint, ...]  # all must be active; empty: valid at all times
    rates: Rates

    def is_active(self, at: datetime) -> bool:
        return all(constraint.active(at) for constraint in self.constraints)


_FAST_TIER = {"service_tier": "fast"}
"""Terms by which the price table names the fast mode of OpenAI's models."""

_UNKNOWN = _Period((), Rates(None, None, None, None, None, None))


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


def price_breakdown(
    model: str, usage: TokenUsage, at: datetime | None
) -> tuple[list[PricedUnits], str | None]:
    """Split `usage` into kinds with their base rates at the time `at`; raises PriceUnknownError.

    Also returns the place of the own price behind these rates, or None.
    """
    return _single_value(
        [(rates.units(usage, one_request=False), rates.own_rule) for rates in _rates(model, at, LIST_PRICE)]
    )


def table_version() -> str:
    """Return the version of the price table."""
    return genai_prices_version


_Value = TypeVar("_Value")


def _single_value(values: Sequence[_Value]) -> _Value:
    if any(other != values[0] for other in values):
        raise PriceUnknownError("date unknown, and the price has changed over time")
    return values[0]


def _rates(model: str, at: datetime | None, terms: Terms) -> list[Rates]:
    """Return the rates at a time, or those of all periods if the time is None."""
    periods = _periods(model, terms, current_prices())
    if at is None:
        return [period.rates for period in periods]
    # The last active period is used, as in genai-prices.
    current = next((period for period in reversed(periods) if period.is_active(at)), _UNKNOWN)
    if current.rates is not _UNKNOWN.rates:
        return [current.rates]
    raise PriceUnknownError(f"no price is known for {at.date().isoformat()}")


@lru_cache(maxsize=1_024)
def _periods(model: str, terms: Terms, own: OwnPrices) -> tuple[_Period, ...]:
    """Return the prices of a model on some terms; later periods replace earlier ones."""
    key, entries = _own_entries(model, own)
    if not entries:
        return _discounted_periods(model, terms, own)
    periods: tuple[_Period, ...] = ()
    if entries[0].since is not None:
        try:
            periods = _discounted_periods(model, terms, own)
        except PriceUnknownError:
            periods = (_UNKNOWN,)
    rule = own.rule(f"prices.models.{toml_key(key)}")
    for entry in entries:
        try:
            priced = _entry_periods(model, terms, own, entry, rule)
        except PriceUnknownError:
            if len(entries) == 1 and entry.since is None:
                raise
            priced = (_UNKNOWN,)
        periods += _from_day(priced, entry.since)
    return periods


def _own_entries(model: str, own: OwnPrices) -> tuple[str, tuple[OwnPrice, ...]]:
    """Return the own prices of a model with their key; a dated name may have the price of the bare name."""
    if not own.models:
        return "", ()
    name = model_key(model)
    vendor, _, rest = name.partition("/")
    bare = rest if vendor in VENDOR_PREFIXES else name
    for key in (name, bare, DATE_SUFFIX.sub("", bare)):
        # A dated snapshot or another vendor's name may be another model with its own row.
        if key in own.models and (key == name or _row(name) is _row(key)):
            return key, own.models[key]
    return "", ()


def _row(name: str) -> ModelInfo | None:
    try:
        return find_model(name)
    except PriceUnknownError:
        return None


def _entry_periods(
    model: str, terms: Terms, own: OwnPrices, entry: OwnPrice, rule: str
) -> tuple[_Period, ...]:
    """Return the prices of a model by one own price, without its date."""
    usual = terms if entry.fast_factor is None else structs.replace(terms, speed=None)
    if entry.has_rates:
        row = _row(model)
        rates = own_rates(entry, rule)
        for name, option in _required_terms(usual).items():
            rates = rates.times(_term_multiples(row.id if row else "", name, option))
        periods: tuple[_Period, ...] = (_Period((), rates),)
    elif entry.discount is not None:
        listed = _listed_periods(model, usual)
        periods = tuple([_Period(when, rates.less(entry.discount, rule)) for when, rates in listed])
    else:
        periods = _discounted_periods(model, usual, own)
    if entry.fast_factor is None or terms.speed != "fast":
        return periods
    factors = Multiples(entry.fast_factor, entry.fast_factor)
    return tuple([_Period(when, replace(rates.times(factors), own_rule=rule)) for when, rates in periods])


def _discounted_periods(model: str, terms: Terms, own: OwnPrices) -> tuple[_Period, ...]:
    """Return the list prices of a model on some terms, less the general discount."""
    listed = _listed_periods(model, terms)
    if own.discount is None:
        return listed
    rule = own.rule("prices.discount")
    reduced = tuple([_Period(when, rates.less(own.discount.share, rule)) for when, rates in listed])
    since = own.discount.since
    return reduced if since is None else (*listed, *_from_day(reduced, since))


def _from_day(periods: tuple[_Period, ...], since: date | None) -> tuple[_Period, ...]:
    if since is None:
        return periods
    start = StartDateConstraint(since)
    return tuple([_Period((*constraints, start), rates) for constraints, rates in periods])


def _required_terms(terms: Terms) -> dict[str, str]:
    return {name: option for name, option in structs.asdict(terms).items() if option is not None}


def _listed_periods(model: str, terms: Terms) -> tuple[_Period, ...]:
    """Return the list prices of a model on some terms; prices with a start date follow the others."""
    row = find_model(model)
    required_terms = _required_terms(terms)
    if required_terms.get("speed") == "fast" and any(map(_is_fast_tier, row.price_variants or ())):
        required_terms = {**required_terms, **_FAST_TIER}
        del required_terms["speed"]
    variants = [
        price_variant
        for price_variant in row.price_variants or ()
        if required_terms and price_variant.when.items() <= required_terms.items()
    ]
    undated = [each for each in variants if each.constraint is None or _was_always(row, each)]
    dated = tuple([variant.constraint for variant in variants if variant.constraint is not None])
    if not dated:
        return _build_periods(row, undated, (), required_terms)
    try:
        periods = _build_periods(row, undated, (), required_terms)
    except PriceUnknownError:  # these terms have a price only since a date
        periods = (_UNKNOWN,)
    return (*periods, *_build_periods(row, variants, dated, required_terms))


def _is_fast_tier(variant: PriceVariant) -> bool:
    return bool(variant.when == _FAST_TIER)


def _was_always(row: ModelInfo, variant: PriceVariant) -> bool:
    return row.id in UNDATED_FAST and _is_fast_tier(variant)


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
