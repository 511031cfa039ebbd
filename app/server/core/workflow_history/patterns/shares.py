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

from .operations import work_named
from .records import AgentWork, Piece

DIGITS_OF_NANO = 9  # a nanodollar is 1e-9 USD
MAX_AMOUNT = 1e12  # USD or seconds; more is no record of a run

_NOTHING = Decimal(0)

Part = tuple[Decimal | None, int | None, float | None]  # nanodollars, whole ones, seconds; None: unknown

_UNKNOWN: Part = None, None, None


def pieces_of(run: AgentWork, seen: AbstractSet[str] = frozenset()) -> list[Piece]:
    """Return the operations of a run in their order, each with its part.

    `seen` are message ids that an earlier stream of the workflow already told: a resumed session repeats
    them, and they count once.
    """
    calls = [call for call in run.calls if call.message_id not in seen]
    parts = _parts(run, seen, Counter([call.message_id for call in calls]))
    pieces: list[Piece] = []
    for call in calls:
        names, command = work_named(call)
        cost, seconds = _shared(parts[call.message_id], len(names))
        failed, succeeded, unpriced = bool(call.failed), call.failed is False, int(cost is None)
        times = () if seconds is None else (seconds,)
        pieces += [
            Piece(name, command, failed, succeeded, call.line, cost, unpriced, times) for name in names
        ]
    return pieces


def _parts(
    run: AgentWork, seen: AbstractSet[str], calls_of: Mapping[str | None, int]
) -> dict[str | None, Part]:
    """Return what one call of each message has of the stream's cost and time."""
    weights = _weights(run, seen) if calls_of else {}
    whole = sum(weights.values())
    usd, seconds = known_amount(run.about.get("cost")), known_amount(run.about.get("duration_seconds"))
    cost = None if usd is None else exact_usd(usd).scaleb(DIGITS_OF_NANO)
    parts: dict[str | None, Part] = {}
    for message, calls in calls_of.items():
        weight = weights.get(message or "")
        if weight is None:
            parts[message] = _UNKNOWN
            continue
        part = weight / whole / calls
        spent = None if cost is None else cost * part
        parts[message] = (
            spent,
            None if spent is None else int(spent),
            None if seconds is None else seconds * float(part),
        )
    return parts


def _shared(part: Part, operations: int) -> tuple[int | None, float | None]:
    """Return what each of a call's operations has of its part: whole nanodollars, rounded down; seconds."""
    cost, whole, seconds = part
    if operations < 2:
        return whole, seconds
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


def _weights(run: AgentWork, seen: AbstractSet[str]) -> dict[str, Decimal]:
    """Return what each message of the stream weighs; those of no known weight are left out."""
    weights: dict[str, Decimal] = {}
    for name, weight in run.weights:
        if weight and 0 < weight < MAX_AMOUNT and name not in seen:
            weights[name] = weights.get(name, _NOTHING) + Decimal(weight)
    return weights
