"""Cost efficiency score: rate the cost and tokens of a run, not the value of its result.

More cost, retry cost or uncached tokens never raise the score. If the cost is only a lower bound, the score
is an upper limit, and its `missing` includes the open part of the cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...common.coercion import coerce_number, coerce_word, sum_floats
from ...common.models import CostBasis
from ...common.spending import format_usd
from .base import Score, ScorePart, decay_curve, no_score, weighted_mean
from .constants import COST_WEIGHTS, HALF_SPEND, PRIOR_CACHE_SHARE, PRIOR_CACHE_TOKENS

_CACHE_FIELDS = ("cache_read_tokens", "input_tokens", "cache_creation_tokens")
_UNKNOWN_COSTS: Final[Mapping[str, str]] = {
    CostBasis.LOWER_BOUND: "full cost of interrupted agent runs",
    CostBasis.UNPRICED: "the price of some tokens",
}


def score(workflow: Mapping[str, Any]) -> Score:
    """Score the effective spend (80%) and the cache hit rate (20%)."""
    cost = coerce_number(workflow.get("total_cost"))
    if cost is None:
        return no_score("total_cost")
    missing = [name for name in ("retry_cost", *_CACHE_FIELDS) if coerce_number(workflow.get(name)) is None]
    unknown_cost = _UNKNOWN_COSTS.get(coerce_word(workflow.get("cost_basis")) or "")
    spend = _spend_part(
        cost, coerce_number(workflow.get("retry_cost")), is_lower_bound=unknown_cost is not None
    )
    return weighted_mean(
        [spend, _cache_part(workflow)], missing=[*missing, unknown_cost] if unknown_cost else missing
    )


def _spend_part(cost: float, retry_cost: float | None, *, is_lower_bound: bool) -> ScorePart:
    """Score the spending; retry cost counts twice: it is part of the cost and added once more."""
    spend = sum_floats([cost, retry_cost or 0.0])
    inputs = {"total_cost": cost, "effective_spend": spend}
    if retry_cost is not None:
        inputs["retry_cost"] = retry_cost
    prefix = "At least " if is_lower_bound else ""
    return ScorePart(
        "spend",
        COST_WEIGHTS["spend"],
        decay_curve(spend, HALF_SPEND),
        inputs,
        f"{prefix}{format_usd(spend)}, retries counted twice; {format_usd(HALF_SPEND)} would be 50.",
    )


def _cache_part(workflow: Mapping[str, Any]) -> ScorePart | None:
    """Score the cache hit rate, drawn to the middle if there are few tokens."""
    read, uncached, written = (coerce_number(workflow.get(name)) for name in _CACHE_FIELDS)
    if read is None or uncached is None or written is None:
        return None
    prompt = sum_floats([read, uncached, written, PRIOR_CACHE_TOKENS])
    share = min(1.0, read / prompt + PRIOR_CACHE_SHARE * PRIOR_CACHE_TOKENS / prompt)
    return ScorePart(
        "cache",
        COST_WEIGHTS["cache"],
        100.0 * share,
        {"cache_read_tokens": read, "input_tokens": uncached, "cache_creation_tokens": written},
        f"{read:,.0f} prompt tokens came from the cache, {sum_floats([uncached, written]):,.0f} did not.",
    )
