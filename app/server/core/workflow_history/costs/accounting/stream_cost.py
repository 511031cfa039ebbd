"""Calculate the exact cost of one stream with its basis. Nothing is rounded here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from ...common.models import RECORDED_BASES, CostBasis, MessageUsage, StreamFacts, TokenUsage
from .model_cost import ModelCost, price_messages, sum_computed
from .money import sum_known
from .reported_totals import ReportedCost, reported_cost, results_with_totals


class StreamCost(msgspec.Struct, frozen=True):
    """Cost of one stream: its recorded cost and the spending beyond it."""

    cost: Decimal | None  # USD; None: unknown
    basis: CostBasis | None  # None: the stream contains no spending
    lower_bound: Decimal | None = None  # USD, minimum beyond `cost`
    computed_cost: Decimal | None = (
        None  # USD, tokens x dated price of the part that `cost` covers; None: a price is missing
    )
    claimed: Decimal | None = None  # USD, total of the results if it cannot be the whole cost
    shares: tuple[ModelCost, ...] = ()  # one per model, covered by `cost`
    trailing: tuple[ModelCost, ...] = ()  # one per model, spent after the last result
    restarts: int = 0  # number of processes after the first one
    restart_cost: Decimal | None = None  # USD, cost of the restarts
    failed_process_cost: Decimal | None = Decimal(0)  # USD, cost of the processes that failed before the last


NO_COST = StreamCost(None, None)


def compute_stream_cost(
    facts: StreamFacts,
    uncovered: Sequence[MessageUsage],
    at: datetime | None,
    *,
    with_totals: bool = True,
    is_incomplete: bool = False,
) -> StreamCost:
    """Return the cost of a stream; `uncovered` are its messages that no result and no other stream counts.

    `with_totals=False` means that its own totals are counted elsewhere. `is_incomplete`: more was spent than
    the stream shows.
    """
    uncovered_shares = price_messages(uncovered, facts.model, at)
    record = reported_cost(facts, at) if with_totals else None
    if record is not None:
        if not record.shares:  # the results report a cost but no tokens
            record = replace(record, shares=price_messages(covered_messages(facts), facts.model, at))
        cost = _cost_of_record(record, uncovered_shares)
    elif not uncovered_shares:
        return NO_COST
    else:
        cost = _cost_of_messages(uncovered, uncovered_shares)
    is_incomplete = is_incomplete or (
        record is None and any(result.incomplete_reason for result in facts.results)
    )
    cost = replace(cost, failed_process_cost=_cost_of_failed_processes(facts, record, uncovered, at))
    if cost.basis in RECORDED_BASES and (is_incomplete or is_damaged(facts)):
        return replace(cost, basis=CostBasis.LOWER_BOUND)
    return cost


def _cost_of_failed_processes(
    facts: StreamFacts, record: ReportedCost | None, uncovered: Sequence[MessageUsage], at: datetime | None
) -> Decimal | None:
    """Return the cost of processes that failed or have no result, before the last one; 0: none."""
    failed = list(record.failed) if record is not None else []
    if facts.unended:
        last = last_result_line(facts)
        interrupted = [m for m in uncovered if m.line < last and m.session in facts.unended]
        if interrupted:
            failed.append(_priced_part(price_messages(interrupted, facts.model, at)))
    return sum_known(failed) if failed else Decimal(0)


def _cost_of_messages(messages: Sequence[MessageUsage], shares: tuple[ModelCost, ...]) -> StreamCost:
    cost = sum_computed(shares)
    if reported := [message.cost for message in messages if message.cost]:
        is_whole = all(
            message.is_final and (message.cost or message.usage == TokenUsage()) for message in messages
        )
        known: CostBasis = CostBasis.REPORTED if is_whole else CostBasis.LOWER_BOUND
        return StreamCost(sum_known(reported), known, computed_cost=cost, shares=shares)
    if cost is None:
        return StreamCost(None, CostBasis.UNPRICED, lower_bound=_priced_part(shares), shares=shares)
    is_exact = all(message.is_final for message in messages) and not any(part.at_least for part in shares)
    basis: CostBasis = CostBasis.COMPUTED if is_exact else CostBasis.LOWER_BOUND
    return StreamCost(cost, basis, computed_cost=cost, shares=shares)


def is_damaged(facts: StreamFacts) -> bool:
    """Return whether data is missing that no total of the stream covers."""
    return facts.is_truncated or facts.lost_line > last_result_line(facts)


def uncovered_messages(facts: StreamFacts) -> tuple[MessageUsage, ...]:
    """Return the messages that no total of the stream covers: all if it has none, else those after it.

    Messages of a process without a result are not covered either.
    """
    last = last_result_line(facts)
    unended = facts.unended
    return tuple([m for m in facts.messages if m.line > last or (unended and m.session in unended)])


def covered_messages(facts: StreamFacts) -> tuple[MessageUsage, ...]:
    """Return the messages whose spending is included in a total of the stream."""
    uncovered_lines = {message.line for message in uncovered_messages(facts)}
    return tuple([message for message in facts.messages if message.line not in uncovered_lines])


def last_result_line(facts: StreamFacts) -> int:
    """Return the line of the last result that is a total, 1-based; 0 if there is none."""
    return max([result.line for result in results_with_totals(facts)], default=0)


def _cost_of_record(record: ReportedCost, uncovered: tuple[ModelCost, ...]) -> StreamCost:
    """Combine the recorded cost with later messages and with the priced part of an unpriced sum."""
    unpriced_rest = record.known if record.cost is None else Decimal(0)
    return StreamCost(
        cost=record.cost,
        basis=record.basis,
        lower_bound=unpriced_rest + (_priced_part(uncovered) or Decimal(0)) or None,
        computed_cost=sum_computed(record.shares),
        claimed=record.claimed,
        shares=record.shares,
        trailing=uncovered,
        restarts=record.restarts,
        restart_cost=record.restart_cost,
    )


def _priced_part(shares: Sequence[ModelCost]) -> Decimal | None:
    return sum_known([part.known_cost for part in shares]) or None
