"""Put a price on tokens: model, counts and date in, US dollars out. No file, clock or network."""

from .prices import SYNTHETIC, cost_usd, price_version

__all__ = ["SYNTHETIC", "cost_usd", "price_version"]
