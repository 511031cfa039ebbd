"""Put rates on tokens: a price row and counts in, US dollars out. No name lookup, clock or network."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import msgspec
from genai_prices.types import ModelPrice, TieredPrices

from ..errors import PriceUnknownError
from ..models import TokenUsage

MILLION = Decimal(1_000_000)
THOUSAND = Decimal(1_000)


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of one kind of unit; above a threshold of the request's input it is another one."""

    base: Decimal  # USD per unit
    tiers: tuple[
        tuple[int, Decimal], ...
    ] = ()  # (input tokens of the request above which it holds, USD per unit)

    def at(self, request_input: int) -> Decimal:
        """Return the rate for a request of so many input tokens, cached ones included."""
        if not self.tiers:
            return self.base
        reached = [rate for start, rate in self.tiers if request_input > start]
        return reached[-1] if reached else self.base


class Units(msgspec.Struct, frozen=True, gc=False):
    """What was spent of one kind, and its price."""

    kind: str  # input, output, cache read, 5-minute cache write, 1-hour cache write, web search
    count: int  # tokens; requests of web searches
    rate: Decimal | None  # USD per unit; None: the table gives no price for it


@dataclass(frozen=True, slots=True)
class Rates:
    """What a model costs per unit; None: the table gives no price for it."""

    input: Rate | None
    output: Rate | None
    cache_read: Rate | None
    cache_write_5m: Rate | None
    cache_write_1h: Rate | None  # never filled from the 5-minute rate
    web_searches: Rate | None

    def cost(self, usage: TokenUsage, *, one_request: bool) -> Decimal:
        """Return the cost of `usage` in US dollars.

        The tier of a long request is applied only when `usage` is that of one request; a sum over several
        is put at the base rate and may be too low. Raises PriceUnknownError where units were spent
        and no rate is known.
        """
        cost = Decimal(0)
        for units in self.units(usage, one_request=one_request):
            cost += _known(units.kind, units.rate) * units.count
        return cost

    def units(self, usage: TokenUsage, *, one_request: bool) -> list[Units]:
        """Return what was spent by kind, each with its rate; a kind without any is left out."""
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
            Units(kind, count, None if rate is None else rate.at(request_input))
            for kind, rate, count in kinds
            if count
        ]


def _known(kind: str, rate: Decimal | None) -> Decimal:
    if rate is None:
        raise PriceUnknownError(f"the price table has no {kind} price for this model")
    return rate


def rates_of(price: ModelPrice) -> Rates:
    """Return a row's rates per single unit."""
    values: dict[str, Decimal | TieredPrices | None] = vars(price)
    return Rates(
        input=_rate(values.get("input_mtok"), MILLION),
        output=_rate(values.get("output_mtok"), MILLION),
        cache_read=_rate(values.get("cache_read_mtok"), MILLION),
        # A row without lifetimes means the 5-minute cache: it was the only one.
        cache_write_5m=_rate(values.get("cache_write_5m_mtok") or values.get("cache_write_mtok"), MILLION),
        cache_write_1h=_rate(values.get("cache_write_1h_mtok"), MILLION),
        web_searches=_rate(values.get("web_searches_kcount"), THOUSAND),
    )


def _rate(value: Decimal | TieredPrices | None, per: Decimal) -> Rate | None:
    if value is None:
        return None
    if isinstance(value, TieredPrices):
        return Rate(value.base / per, tuple((tier.start, tier.price / per) for tier in value.tiers))
    return Rate(value / per)
