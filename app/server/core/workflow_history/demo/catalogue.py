"""Models in use on a day and their prices: a date in, model ids and rates out.

The prices are those of the installed genai-prices package; no network access.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache

from genai_prices import Usage, calc_price

from ..common.models import TokenUsage

# First day of use in the fictional project, at the earliest a few days after the release of each model.
_IN_USE_SINCE: dict[str, tuple[tuple[date, str], ...]] = {
    "base": (
        (date(2025, 2, 27), "claude-3-7-sonnet-20250219"),
        (date(2025, 5, 26), "claude-sonnet-4-20250514"),
        (date(2025, 10, 1), "claude-sonnet-4-5-20250929"),
        (date(2026, 2, 19), "claude-sonnet-4-6"),
        (date(2026, 7, 2), "claude-sonnet-5"),
        (date(2026, 10, 22), "claude-sonnet-5-5"),
    ),
    "heavy": (
        (date(2025, 2, 27), "claude-3-7-sonnet-20250219"),
        (date(2025, 5, 26), "claude-opus-4-20250514"),
        (date(2025, 8, 8), "claude-opus-4-1-20250805"),
        (date(2025, 11, 26), "claude-opus-4-5-20251101"),
        (date(2026, 2, 9), "claude-opus-4-6"),
        (date(2026, 4, 20), "claude-opus-4-7"),
        (date(2026, 6, 1), "claude-opus-4-8"),
        (date(2026, 7, 27), "claude-opus-5"),
        (date(2026, 9, 28), "claude-opus-5-5"),
    ),
    "helper": (
        (date(2025, 2, 27), "claude-3-5-haiku-20241022"),
        (date(2025, 10, 17), "claude-haiku-4-5-20251001"),
    ),
}


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars per token of one model on one day, below any tier for long contexts."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal  # 5-minute cache

    def cost(self, usage: TokenUsage) -> Decimal:
        """Return the cost of `usage` in US dollars; 1-hour cache writes never occur in the demo."""
        return (
            self.input * usage.input
            + self.output * usage.output
            + self.cache_read * usage.cache_read
            + self.cache_write * usage.cache_write_5m
        )


@lru_cache(maxsize=4096)
def model_on(day: date, role: str) -> str:
    """Return the newest priced model of `role` ("base", "heavy" or "helper") in use on `day`."""
    models = [model for since, model in _IN_USE_SINCE[role] if since <= day]
    priced = [model for model in models if _has_price(model, day)]
    return (priced or [_IN_USE_SINCE[role][0][1]])[-1]


@lru_cache(maxsize=4096)
def rates_on(day: date, model: str) -> Rates:
    """Return the rates of `model` on `day`.

    Raises LookupError if genai-prices has no price for the model.
    """
    return Rates(
        input=_price(day, model, Usage(input_tokens=1000)),
        output=_price(day, model, Usage(output_tokens=1000)),
        cache_read=_price(day, model, Usage(input_tokens=1000, cache_read_tokens=1000)),
        cache_write=_price(day, model, Usage(input_tokens=1000, cache_write_tokens=1000)),
    )


def _has_price(model: str, day: date) -> bool:
    try:
        rates_on(day, model)
    except LookupError:  # an older genai-prices lacks newer models
        return False
    return True


def _price(day: date, model: str, usage: Usage) -> Decimal:
    moment = datetime.combine(day, time(12), tzinfo=UTC)
    return (
        calc_price(usage, model, provider_id="anthropic", genai_request_timestamp=moment).total_price / 1000
    )
