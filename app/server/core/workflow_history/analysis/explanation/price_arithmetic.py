"""Recalculate an agent run's computed cost from its tokens and date, term by term. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from ...common.coercion import coerce_number, moment_in_utc
from ...common.errors import PriceUnknownError
from ...common.models import CostBasis, TimeBasis, TokenUsage
from ...costs.accounting.money import sum_known, to_decimal, to_usd_float
from ...costs.pricing import SYNTHETIC, price_breakdown
from .context import Agent, ExplanationContext
from .records import PriceCalculation, PriceTerm

_MILLION = 1_000_000


def price_terms(context: ExplanationContext, agent: Agent) -> tuple[PriceCalculation, ...]:
    """Return the price calculation for each model of an agent run, by the current prices."""
    stream_start = agent.get("timestamp") if agent.get("time_basis") == TimeBasis.REPORTED else None
    start = stream_start or context.run.get("started_at") or context.run.get("created_at")
    pricing_time = moment_in_utc(start)
    entries = agent.get("models") or ([agent] if _token_usage(agent) != TokenUsage() else [])
    return tuple(_calculate_price(entry, pricing_time) for entry in entries)


def _calculate_price(entry: Mapping[str, Any], pricing_time: datetime | None) -> PriceCalculation:
    model, usage = entry.get("model"), _token_usage(entry)
    priced_at = None if pricing_time is None else pricing_time.isoformat()
    stored = sum_known(
        [to_decimal(coerce_number(entry.get(key))) for key in ("computed_cost", "lower_bound_cost")]
    )
    if model is None or model == SYNTHETIC:
        return PriceCalculation(
            model, priced_at, None, (), None, to_usd_float(stored), None, "the transcript names no model"
        )
    try:
        units, own_price = price_breakdown(model, usage, pricing_time)
    except PriceUnknownError as error:
        return PriceCalculation(model, priced_at, None, (), None, to_usd_float(stored), None, str(error))
    costs = [None if unit.rate is None else unit.rate * unit.count for unit in units]
    total = None if None in costs else sum_known(costs) or Decimal(0)
    rounded = to_decimal(to_usd_float(total))
    difference = None if rounded is None or stored is None else rounded - stored
    terms = tuple(
        PriceTerm(
            unit.kind,
            unit.count,
            None if unit.rate is None else float(unit.rate * _MILLION),
            to_usd_float(cost),
        )
        for unit, cost in zip(units, costs, strict=True)
    )
    reason = (
        _why_different(difference, entry)
        if total is not None
        else f"{own_price or 'the price table'} lacks one of these prices"
    )
    return PriceCalculation(
        model,
        priced_at,
        own_price,
        terms,
        to_usd_float(total),
        to_usd_float(stored),
        to_usd_float(difference),
        reason,
    )


_OWN_TERMS: Final = "its time, service tier, fast mode, region and context length change its price"


def _why_different(difference: Decimal | None, entry: Mapping[str, Any]) -> str | None:
    if difference is None or not difference:
        return None
    if entry.get("cost_basis") == CostBasis.LOWER_BOUND or entry.get("lower_bound_cost") is not None:
        return f"the stored cost was computed for each message; {_OWN_TERMS}"
    return f"the stored cost was computed with other prices, at another time, or by message; {_OWN_TERMS}"


def _token_usage(entry: Mapping[str, Any]) -> TokenUsage:
    def count(key: str) -> int:
        return int(coerce_number(entry.get(key)) or 0)

    one_hour_writes = count("cache_creation_1h_tokens")
    return TokenUsage(
        count("input_tokens"),
        count("output_tokens"),
        count("cache_read_tokens"),
        count("cache_creation_tokens") - one_hour_writes,
        one_hour_writes,
        count("web_searches"),
    )
