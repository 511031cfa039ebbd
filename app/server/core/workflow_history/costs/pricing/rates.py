"""Apply the rates of a price row to token counts, in US dollars. No name lookup, clock or network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import msgspec
from genai_prices.types import ModelPrice, TieredPrices

from ...common.errors import PriceUnknownError
from ...common.models import TokenUsage
from .own_prices import OwnPrice
from .surcharges import LongContext, Multiples

_MILLION = Decimal(1_000_000)
_THOUSAND = Decimal(1_000)


@dataclass(frozen=True, slots=True)
class Rate:
    """Price of one kind of unit, which may change above thresholds of the request's input tokens."""

    base: Decimal  # USD per unit
    tiers: tuple[
        tuple[int, Decimal], ...
    ] = ()  # (threshold in input tokens of the request, USD per unit above it)

    def rate_for(self, request_input: int) -> Decimal:
        """Return the rate for a request with this many input tokens, cached ones included."""
        if not self.tiers:
            return self.base
        reached = [rate for start, rate in self.tiers if request_input > start]
        return reached[-1] if reached else self.base

    def times(self, multiple: Decimal) -> Rate:
        """Multiply the rate in every tier."""
        return Rate(self.base * multiple, tuple((start, rate * multiple) for start, rate in self.tiers))

    def with_tier(self, above: int, multiple: Decimal) -> Rate:
        """Add a tier for long requests, unless the rate already has tiers."""
        return self if self.tiers else Rate(self.base, ((above, self.base * multiple),))


class PricedUnits(msgspec.Struct, frozen=True, gc=False):
    """Number of units of one kind, and their price."""

    kind: str  # input, output, cache read, 5-minute cache write, 1-hour cache write, web search
    count: int  # number of tokens, or of requests for web searches
    rate: Decimal | None  # USD per unit; None: not in the price table


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates of a model per unit; None: not in the price table."""

    input: Rate | None
    output: Rate | None
    cache_read: Rate | None
    cache_write_5m: Rate | None
    cache_write_1h: Rate | None  # never derived from the 5-minute rate
    web_searches: Rate | None
    own_rule: str | None = None  # place of the own price behind these rates; None: list prices

    def cost(self, usage: TokenUsage, *, one_request: bool) -> Decimal:
        """Return the cost of `usage` in US dollars.

        The tier of a long request only applies if `usage` is from one request. A sum over several requests is
        priced at the base rate and may be too low. Raises PriceUnknownError if the rate of a used kind is
        unknown.
        """
        cost = Decimal(0)
        for units in self.units(usage, one_request=one_request):
            if units.rate is None:
                origin = self.own_rule or "the price table"
                raise PriceUnknownError(f"{origin} has no {units.kind} price for this model")
            cost += units.rate * units.count
        return cost

    def units(self, usage: TokenUsage, *, one_request: bool) -> list[PricedUnits]:
        """Split usage into kinds with their rates; kinds with a count of 0 are omitted."""
        request_input = usage.input + usage.cache_read + usage.cache_write if one_request else 0
        kinds = (
            ("input", self.input, usage.input),
            ("output", self.output, usage.output),
            ("cache read", self.cache_read, usage.cache_read),
            ("5-minute cache write", self.cache_write_5m, usage.cache_write_5m),
            ("1-hour cache write", self.cache_write_1h, usage.cache_write_1h),
            ("web search", self.web_searches, usage.web_searches),
        )
        return [
            PricedUnits(kind, count, None if rate is None else rate.rate_for(request_input))
            for kind, rate, count in kinds
            if count
        ]

    def times(self, multiples: Multiples) -> Rates:
        """Multiply all rates except that of web searches."""
        return self._map_rates(
            lambda rate: rate.times(multiples.input), lambda rate: rate.times(multiples.output)
        )

    def less(self, discount: Decimal, rule: str) -> Rates:
        """Take a discount off all rates, also that of web searches."""
        share = 1 - discount
        rates = self.times(Multiples(share, share))
        searches = None if self.web_searches is None else self.web_searches.times(share)
        return replace(rates, web_searches=searches, own_rule=rule)

    def with_long_context(self, long: LongContext) -> Rates:
        """Add a tier for long requests to all token rates without tiers."""
        return self._map_rates(
            lambda rate: rate.with_tier(long.above, long.multiples.input),
            lambda rate: rate.with_tier(long.above, long.multiples.output),
        )

    def _map_rates(
        self, change_input: Callable[[Rate], Rate], change_output: Callable[[Rate], Rate]
    ) -> Rates:
        inputs: dict[str, Any] = {
            name: change_input(rate)
            for name in ("input", "cache_read", "cache_write_5m", "cache_write_1h")
            if (rate := getattr(self, name)) is not None
        }
        return replace(self, **inputs, output=change_output(self.output) if self.output else None)


def build_rates(*prices: ModelPrice) -> Rates:
    """Merge price rows into rates per single unit; later rows override the rates of earlier ones."""
    values: dict[str, Decimal | TieredPrices | None] = {}
    for price in prices:
        values.update({name: value for name, value in vars(price).items() if value is not None})
    return Rates(
        input=_build_rate(values.get("input_mtok"), _MILLION),
        output=_build_rate(values.get("output_mtok"), _MILLION),
        cache_read=_build_rate(values.get("cache_read_mtok"), _MILLION),
        # A row without cache lifetimes has the 5-minute price: it was the only lifetime then.
        cache_write_5m=_build_rate(
            values.get("cache_write_5m_mtok") or values.get("cache_write_mtok"), _MILLION
        ),
        cache_write_1h=_build_rate(values.get("cache_write_1h_mtok"), _MILLION),
        web_searches=_build_rate(values.get("web_searches_kcount"), _THOUSAND),
    )


def own_rates(price: OwnPrice, rule: str) -> Rates:
    """Return the rates of an own price; a kind without a rate has no price."""

    def rate(value: Decimal | None, per: Decimal) -> Rate | None:
        return None if value is None else Rate(value / per)

    return Rates(
        input=rate(price.input, _MILLION),
        output=rate(price.output, _MILLION),
        cache_read=rate(price.cache_read, _MILLION),
        cache_write_5m=rate(price.cache_write_5m, _MILLION),
        cache_write_1h=rate(price.cache_write_1h, _MILLION),
        web_searches=rate(price.web_search, _THOUSAND),
        own_rule=rule,
    )


def _build_rate(value: Decimal | TieredPrices | None, per: Decimal) -> Rate | None:
    if value is None:
        return None
    if isinstance(value, TieredPrices):
        return Rate(value.base / per, tuple((tier.start, tier.price / per) for tier in value.tiers))
    return Rate(value / per)
