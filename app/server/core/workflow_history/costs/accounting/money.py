"""Convert money between Decimal, used inside, and floats of whole nanodollars, used outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Any

from ...common.models import TokenUsage

_MONEY_QUANTUM = Decimal("0.000000001")
COST_MISMATCH_PERCENT = 1.0
"""Difference in percent from which computed and reported cost are reported as disputed."""

TOKEN_FIELDS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_creation_tokens",
    "cache_creation_5m_tokens",
    "cache_creation_1h_tokens",
    "web_searches",
)
"""Token and web search counts of one stream, model or run."""

RUN_TOTAL_FIELDS = (
    "total_cost",
    "cost_basis",
    "lower_bound_cost",
    "computed_cost",
    "cost_disputed",
    "cost_difference_percent",
    "unpriced_tokens",
    *TOKEN_FIELDS,
    "total_tokens",
    "retry_count",
    "retry_cost",
    "price_version",
)
"""Totals of a run's cost: the fields of CostData that are not lists."""


def to_usd_float(amount: Decimal | None) -> float | None:
    """Convert US dollars to a float with at most nine decimals, never -0.0; None stays None.

    >>> to_usd_float(Decimal("0.012") * 3), to_usd_float(Decimal("-0.0")), to_usd_float(None)
    (0.036, 0.0, None)
    """
    if amount is None:
        return None
    return float(amount.quantize(_MONEY_QUANTUM, ROUND_HALF_EVEN)) or 0.0


@lru_cache(maxsize=1_024)  # the sums of a run convert each amount several times
def to_decimal(amount: float | None) -> Decimal | None:
    """Return the exact amount that a float of this package represents, with nine decimals.

    >>> to_decimal(0.1)
    Decimal('0.100000000')
    """
    return None if amount is None else Decimal(repr(float(amount))).quantize(_MONEY_QUANTUM, ROUND_HALF_EVEN)


def sum_known(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum of the known amounts, or None if no amount is known."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None


def sum_counts(counts: Iterable[int | None]) -> int | None:
    """Return the sum of the known counts, or None if no count is known."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def sum_token_fields(records: Sequence[Mapping[str, Any]]) -> dict[str, int | None]:
    """Return the sum of each token field over the records that contain it."""
    return {key: sum_counts([record.get(key) for record in records]) for key in TOKEN_FIELDS}


def percent_difference(computed: Decimal, reported: Decimal) -> float | None:
    """Return computed minus reported cost in percent of the reported one.

    If the reported cost is 0, returns 0.0 for a computed cost of 0, and else None.
    """
    if reported == 0:
        return 0.0 if computed == 0 else None
    return float(round((computed - reported) / reported * 100, 3)) or 0.0


def token_fields(usage: TokenUsage | None) -> dict[str, Any]:
    """Return the token fields of a record; all are None if the usage is unknown."""
    if usage is None:
        return dict.fromkeys(TOKEN_FIELDS)
    return {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_tokens": usage.cache_read,
        "cache_creation_tokens": usage.cache_write,
        "cache_creation_5m_tokens": usage.cache_write_5m,
        "cache_creation_1h_tokens": usage.cache_write_1h,
        "web_searches": usage.web_searches,
    }
