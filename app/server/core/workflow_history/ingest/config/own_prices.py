"""Read own prices from the config file: its table [prices] in, own prices out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from ...common.errors import ConfigError
from ...costs.pricing.own_prices import (
    NO_OWN_PRICES,
    TOKEN_RATES,
    DatedDiscount,
    Discount,
    Factor,
    OwnPrice,
    OwnPrices,
    UsdPerUnits,
    build_own_prices,
    model_key,
    toml_key,
    use_prices,
)
from .config_file import ConfigFile, convert_table, describe_value, find_config

_MAX_RATE: Final = 100_000  # USD per million tokens: 10 cents per token
_MAX_FACTOR: Final = 100


class _PricesTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table [prices]."""

    discount: Discount | None = None
    since: date | None = None
    # Converted one by one, so that errors name the table.
    models: dict[str, Any] = msgspec.field(default_factory=dict)


@contextmanager
def use_configured_prices() -> Iterator[None]:
    """Apply the own prices of the config file; raise ConfigError if they are invalid."""
    with use_prices(configured_prices()):
        yield


def configured_prices() -> OwnPrices:
    """Return the own prices of the config file, or none; raise ConfigError if they are invalid."""
    config = find_config()
    return NO_OWN_PRICES if config is None else parse_prices(config)


def parse_prices(config: ConfigFile) -> OwnPrices:
    """Return the own prices in a config file; raise ConfigError with the file, the key and the remedy."""
    path, content = config.path, config.tables.prices
    if content is None:
        return NO_OWN_PRICES
    table = convert_table(path, "prices", content, _PricesTable, _convert_value)
    if table.since is not None and table.discount is None:
        raise ConfigError(f"{path}: prices.since: there is no discount; add prices.discount")
    discount = None if table.discount is None else DatedDiscount(table.discount, table.since)
    models: dict[str, tuple[OwnPrice, ...]] = {}
    for name, entries in table.models.items():
        if not model_key(name):
            raise ConfigError(f"{path}: prices.models: a model has no name")
        if any(model_key(name) == model_key(other) for other in models):
            raise ConfigError(f"{path}: [prices.models.{toml_key(name)}] is there twice, in another spelling")
        models[name] = _parse_model(path, f"prices.models.{toml_key(name)}", entries)
    return build_own_prices(str(path.absolute()), discount, models)


def _parse_model(path: Path, key: str, content: object) -> tuple[OwnPrice, ...]:
    prices = tuple(
        [
            convert_table(path, key, entry, OwnPrice, _convert_value)
            for entry in (content if isinstance(content, list) else [content])
        ]
    )
    for price in prices:
        if problem := _why_invalid(price):
            raise ConfigError(f"{path}: {key}: {problem}")
    dates = [price.since for price in prices]
    if twice := next((day for day in dates if dates.count(day) > 1), False):
        raise ConfigError(f"{path}: {key}: two prices are from {twice} on; remove one")
    if dates.count(None) > 1:
        raise ConfigError(f"{path}: {key}: two prices have no `since`; add the date of the later one")
    return prices


def _why_invalid(price: OwnPrice) -> str | None:
    if (price.input is None) != (price.output is None):
        return "own rates need both input and output"
    if not price.has_rates and any(getattr(price, name) is not None for name in TOKEN_RATES):
        return "own rates need input and output"
    if price.has_rates and price.discount is not None:
        return "own rates are the price you pay; remove discount"
    if msgspec.structs.replace(price, since=None) == OwnPrice():
        return f"no price; allowed: {', '.join(OwnPrice.__struct_fields__)}"
    return None


def _convert_value(kind: type, value: Any) -> Any:
    """Convert a rate, a factor or a discount; raises ValueError, to which msgspec adds the key."""
    number = Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None
    if number is not None and number.is_finite():
        if kind is UsdPerUnits and 0 <= number <= _MAX_RATE:
            return UsdPerUnits(number)
        if kind is Factor and 0 < number <= _MAX_FACTOR:
            return Factor(number)
        if kind is Discount and 0 <= number < 1:
            return Discount(number)
    allowed: dict[type, str] = {
        UsdPerUnits: f"a price in US dollars from 0 to {_MAX_RATE:,}, such as 1.25",
        Factor: f"a factor above 0, up to {_MAX_FACTOR}, such as 6",
        Discount: "a share from 0 to below 1, such as 0.15 for 15%",
    }
    raise ValueError(f"{describe_value(value)} is not {allowed[kind]}")
