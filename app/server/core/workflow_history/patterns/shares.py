"""Share a stream's cost and time out among its operations: one agent run in, its pieces out. An estimate.

A stream's cost goes to its messages by their weighed tokens, a message's evenly to its tool calls, a
call's evenly to its operations. Every part is rounded down, so that the parts never exceed the whole.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Set as AbstractSet
from decimal import ROUND_DOWN, Decimal

from ..models import ToolCall
from .operations import is_command, operations_of
from .records import CallRecord, Piece, RunOperations

NANO = Decimal("0.000000001")  # USD
MAX_AMOUNT = 1e12  # USD or seconds; more is no record of a run


def pieces_of(run: RunOperations, seen: AbstractSet[str] = frozenset()) -> list[Piece]:
    """Return the operations of a run in their order, each with its part.

    `seen` are message ids that an earlier stream of the workflow already told: a resumed session repeats
    them, and they count once.
    """
    calls = [call for call in run["calls"] if call["message_id"] not in seen]
    shares = _shares(run, seen)
    calls_of = Counter(call["message_id"] for call in calls)
    cost, seconds = known_amount(run["cost"]), known_amount(run["duration_seconds"])
    pieces: list[Piece] = []
    for call in calls:
        share = shares.get(call["message_id"] or "")
        part = None if share is None else share / calls_of[call["message_id"]]
        pieces += _of_call(call, _money(cost, part), _time(seconds, part))
    return pieces


def known_amount(amount: float | None) -> float | None:
    """Return an amount of money or time that can be one, else None: unknown, not 0.

    >>> known_amount(0.5), known_amount(float("nan")), known_amount(-1)
    (0.5, None, None)
    """
    if amount is None or not math.isfinite(amount) or not 0 <= amount < MAX_AMOUNT:
        return None
    return float(amount)


def exact_usd(amount: float) -> Decimal:
    """Return US dollars as Decimal, by the digits that the number shows."""
    return Decimal(str(amount))


def _shares(run: RunOperations, seen: AbstractSet[str]) -> dict[str, Decimal]:
    """Return each message's share of the stream, 0 to 1; messages of no weight have none."""
    weights: dict[str, Decimal] = {}
    for message in run["messages"]:
        name, weight = message["message_id"], known_amount(message["weight"])
        if weight and name not in seen:
            weights[name] = weights.get(name, Decimal(0)) + Decimal(weight)
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def _of_call(call: CallRecord, cost: Decimal | None, seconds: float | None) -> list[Piece]:
    """Return a call's operations, each with an even part."""
    known = ToolCall(call["tool"], call["detail"], call["line"], call["message_id"], call["failed"])
    operations = operations_of(known)
    parts = len(operations) or 1
    each_cost = None if cost is None else (cost / parts).quantize(NANO, ROUND_DOWN)
    each_seconds = None if seconds is None else seconds / parts
    return [
        Piece(operation, is_command(known), known.failed, known.line, each_cost, each_seconds)
        for operation in operations
    ]


def _money(cost: float | None, part: Decimal | None) -> Decimal | None:
    return None if cost is None or part is None else exact_usd(cost) * part


def _time(seconds: float | None, part: Decimal | None) -> float | None:
    return None if seconds is None or part is None else seconds * float(part)
