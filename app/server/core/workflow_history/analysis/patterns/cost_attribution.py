"""Distribute a stream's cost and time over its operations: agent run in, OperationCost list out. Estimates.

A stream's cost is split over its messages by weighted tokens, a message's cost evenly over its tool calls,
and a call's cost evenly over its operations. Every part is rounded down, so that their sum never exceeds
the whole.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal

from .records import AgentActivity, OperationCost
from .tool_operations import classify_call

MONEY_DECIMALS = 9  # a nanodollar is 1e-9 USD
MAX_AMOUNT = 1e12  # US dollars or seconds; larger amounts are implausible for a run

CostShare = tuple[Decimal | None, int | None, float | None]
"""Exact nanodollars, whole nanodollars and seconds; None: unknown."""

_UNKNOWN_SHARE: CostShare = None, None, None


def attribute_costs(activity: AgentActivity, seen: AbstractSet[str] = frozenset()) -> list[OperationCost]:
    """Return the operations of an agent run in order, each with its share of cost and time.

    `seen` are message ids that an earlier stream of the run already contained: a resumed session repeats
    them, and they count once.
    """
    calls = [call for call in activity.calls if call.message_id not in seen]
    shares = _shares_by_message(activity, seen, Counter([call.message_id for call in calls]))
    operations: list[OperationCost] = []
    for call in calls:
        names, command = classify_call(call)
        cost, seconds = _split_share(shares[call.message_id], len(names))
        failed, succeeded, unpriced = bool(call.failed), call.failed is False, int(cost is None)
        times = () if seconds is None else (seconds,)
        operations += [
            OperationCost(name, command, failed, succeeded, call.line, cost, unpriced, times)
            for name in names
        ]
    return operations


def _shares_by_message(
    activity: AgentActivity, seen: AbstractSet[str], call_counts: Mapping[str | None, int]
) -> dict[str | None, CostShare]:
    """Return the share of the stream's cost and time of one call, by message."""
    weights = _weights(activity, seen) if call_counts else {}
    total = sum(weights.values())
    usd = valid_amount(activity.about.get("cost"))
    seconds = valid_amount(activity.about.get("duration_seconds"))
    cost = None if usd is None else to_decimal(usd).scaleb(MONEY_DECIMALS)
    shares: dict[str | None, CostShare] = {}
    for message, call_count in call_counts.items():
        weight = weights.get(message or "")
        if weight is None:
            shares[message] = _UNKNOWN_SHARE
            continue
        fraction = weight / total / call_count
        share_cost = None if cost is None else cost * fraction
        shares[message] = (
            share_cost,
            None if share_cost is None else int(share_cost),
            None if seconds is None else seconds * float(fraction),
        )
    return shares


def _split_share(share: CostShare, operations: int) -> tuple[int | None, float | None]:
    """Split a call's share over its operations: whole nanodollars each, rounded down, and seconds."""
    cost, nanodollars, seconds = share
    if operations < 2:
        return nanodollars, seconds
    return (
        None if cost is None else int(cost / operations),
        None if seconds is None else seconds / operations,
    )


def valid_amount(amount: float | None) -> float | None:
    """Return a plausible amount of money or time as a float, otherwise None: unknown, not 0.

    >>> valid_amount(0.5), valid_amount(float("nan")), valid_amount(-1)
    (0.5, None, None)
    """
    if amount is None or not math.isfinite(amount) or not 0 <= amount < MAX_AMOUNT:
        return None
    return float(amount)


def to_decimal(amount: float) -> Decimal:
    """Convert US dollars to Decimal by the printed digits of the float."""
    return Decimal(str(amount))


def _weights(activity: AgentActivity, seen: AbstractSet[str]) -> dict[str, Decimal]:
    """Return the weight of each message of the stream, without messages of unknown weight."""
    weights: dict[str, Decimal] = {}
    for message, weight in activity.weights:
        if weight and 0 < weight < MAX_AMOUNT and message not in seen:
            weights[message] = weights.get(message, Decimal(0)) + Decimal(weight)
    return weights
