"""Share a stream's cost and time out among its operations: one agent run in, its pieces out. An estimate.

A stream's cost goes to its messages by their weighed tokens, a message's evenly to its tool calls, a
call's evenly to its operations. Every part is rounded down, so that the parts never exceed the whole.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal

from .operations import is_command, operations_named
from .records import Piece, RunOperations

DIGITS_OF_NANO = 9  # a nanodollar is 1e-9 USD
MAX_AMOUNT = 1e12  # USD or seconds; more is no record of a run

Part = tuple[Decimal | None, float | None]  # nanodollars, seconds; None: unknown


def pieces_of(run: RunOperations, seen: AbstractSet[str] = frozenset()) -> list[Piece]:
    """Return the operations of a run in their order, each with its part.

    `seen` are message ids that an earlier stream of the workflow already told: a resumed session repeats
    them, and they count once.
    """
    calls = [call for call in run["calls"] if call["message_id"] not in seen]
    parts = _parts(run, seen, Counter(call["message_id"] for call in calls))
    pieces: list[Piece] = []
    for call in calls:
        tool, failed, line = call["tool"], call["failed"], call["line"]
        names = operations_named(tool, call["detail"])
        cost, seconds = _shared(parts[call["message_id"]], len(names))
        command = is_command(tool)
        pieces += [Piece(name, command, failed, line, cost, seconds) for name in names]
    return pieces


def _parts(
    run: RunOperations, seen: AbstractSet[str], calls_of: Mapping[str | None, int]
) -> dict[str | None, Part]:
    """Return what one call of each message has of the stream's cost and time."""
    shares = _shares(run, seen) if calls_of else {}
    usd, seconds = known_amount(run["cost"]), known_amount(run["duration_seconds"])
    cost = None if usd is None else exact_usd(usd).scaleb(DIGITS_OF_NANO)
    parts: dict[str | None, Part] = {}
    for message, calls in calls_of.items():
        share = shares.get(message or "")
        if share is None:
            parts[message] = None, None
            continue
        part = share / calls
        parts[message] = (
            None if cost is None else cost * part,
            None if seconds is None else seconds * float(part),
        )
    return parts


def _shared(part: Part, operations: int) -> tuple[int | None, float | None]:
    """Return what each of a call's operations has of its part: whole nanodollars, rounded down; seconds."""
    cost, seconds = part
    if operations < 2:
        return None if cost is None else int(cost), seconds
    return (
        None if cost is None else int(cost / operations),
        None if seconds is None else seconds / operations,
    )


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
