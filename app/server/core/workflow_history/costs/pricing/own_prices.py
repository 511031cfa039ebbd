"""Own prices of a user, by model and date, and a discount on list prices. Loads no price table.

They apply within `use_prices`. Work for another thread, process or machine is passed on with them, so that a
worker never depends on its own config file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from .model_names import CLOUDS, CONTEXT_MARKER

TOKEN_RATES: Final = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
"""Keys of rates for tokens."""


_BARE_KEY: Final = re.compile(r"[\w-]+", re.ASCII)


class UsdPerUnits(Decimal):
    """US dollars per million tokens, or per 1,000 web searches."""


class Factor(Decimal):
    """Factor on a price."""


class Discount(Decimal):
    """Share taken off a price."""


class OwnPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Price of one model from a date on: own rates, or changes to its list price."""

    input: UsdPerUnits | None = None
    output: UsdPerUnits | None = None
    cache_read: UsdPerUnits | None = None
    cache_write_5m: UsdPerUnits | None = None
    cache_write_1h: UsdPerUnits | None = None
    web_search: UsdPerUnits | None = None  # per 1,000
    fast_factor: Factor | None = None  # price of fast mode divided by the usual price
    discount: Discount | None = None
    since: date | None = None  # first day, UTC; None: all days before the next price

    @property
    def has_rates(self) -> bool:
        """Whether own rates replace those of the price table."""
        return self.input is not None


class DatedDiscount(msgspec.Struct, frozen=True):
    """Discount on all list prices."""

    share: Decimal
    since: date | None = None  # first day, UTC; None: always


@dataclass(frozen=True, slots=True)
class OwnPrices:
    """All own prices. Equal if they are from the same file and have the same version."""

    file: str = ""  # path of the config file
    version: str = ""  # digest of all values, in any order; empty: none
    discount: DatedDiscount | None = field(default=None, compare=False)
    models: Mapping[str, tuple[OwnPrice, ...]] = field(default_factory=dict, compare=False)  # oldest first

    def rule(self, key: str) -> str:
        """Return the place of a price: the config file and the key."""
        return f"{self.file}: {key}"


NO_OWN_PRICES: Final = OwnPrices()

_current: ContextVar[OwnPrices] = ContextVar("own_prices", default=NO_OWN_PRICES)


@contextmanager
def use_prices(prices: OwnPrices) -> Iterator[None]:
    """Apply these prices to everything that is priced in this context."""
    token = _current.set(prices)
    try:
        yield
    finally:
        _current.reset(token)


def current_prices() -> OwnPrices:
    """Return the own prices that apply now."""
    return _current.get()


def build_own_prices(
    file: str, discount: DatedDiscount | None, models: Mapping[str, tuple[OwnPrice, ...]]
) -> OwnPrices:
    """Return own prices with their version."""
    lines = [_canonical(f"{model_key(name)!r}", price) for name in models for price in models[name]]
    if discount is not None:
        lines.append(_canonical("", discount))
    if not lines:
        return NO_OWN_PRICES
    version = hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:8]
    by_key = {
        model_key(name): tuple(sorted(prices, key=lambda price: price.since or date.min))
        for name, prices in models.items()
    }
    return OwnPrices(file, version, discount, by_key)


def _canonical(name: str, price: msgspec.Struct) -> str:
    values = {key: value for key, value in msgspec.structs.asdict(price).items() if value is not None}
    numbers = {
        key: format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)
        for key, value in values.items()
    }
    return f"{name} {sorted(numbers.items())}"


def toml_key(name: str) -> str:
    """Return a name as a key of a TOML table.

    >>> toml_key("my-model"), toml_key("gpt-5.4")
    ('my-model', '"gpt-5.4"')
    """
    return name if _BARE_KEY.fullmatch(name) else f'"{name}"'


def model_key(name: str) -> str:
    """Return a model's name as it is compared: without capitals, a context marker and a cloud's prefix.

    >>> model_key("My-Model[1m]")
    'my-model'
    """
    return CLOUDS.sub("", CONTEXT_MARKER.sub("", name.strip().lower()), count=1)
