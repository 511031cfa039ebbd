"""Read a stream's own totals: result segments in, its cost on record out. Messages are not its business.

In one process cost and model usage are cumulative, so the last result counts; a total below an earlier
one shows that the process was started anew, and what the earlier one spent is spent too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec import structs

from ..models import CostBasis, ModelCost, ResultSegment, StreamFacts, TokenUsage
from ..pricing import SYNTHETIC
from .money import total
from .shares import Share, computed_sum, merged, share


class Record(msgspec.Struct, frozen=True):
    """What a stream's totals say it spent."""

    cost: Decimal | None  # USD; None: tokens without a price
    basis: CostBasis
    known: Decimal  # USD spent at least: the cost, or the part of it that has a price
    shares: tuple[Share, ...]  # one per model
    restarts: int = 0  # processes after the first one
    restart_cost: Decimal | None = None  # USD, of those


def has_record(facts: StreamFacts) -> bool:
    """Whether the stream gives totals of its own: a cost, tokens by model, or another CLI's usage."""
    return facts.usage is not None or any(_says_something(result) for result in facts.results)


def _says_something(result: ResultSegment) -> bool:
    return result.total_cost is not None or bool(result.models) or result.main_usage != TokenUsage()


def record_of(facts: StreamFacts, at: datetime | None) -> Record | None:
    """Return what the stream's own totals come to; None where it gives none."""
    told = [result for result in facts.results if _says_something(result)]
    if told:
        return _summed([_process(segments, facts.model, at) for segments in processes(told)])
    if facts.usage is None:
        return None
    return _priced(share(facts.model, facts.usage, at, one_request=False))


def processes(results: Sequence[ResultSegment]) -> list[list[ResultSegment]]:
    """Return the results grouped by the process that wrote them.

    >>> def result(cost): return ResultSegment(line=1, total_cost=Decimal(cost))
    >>> [len(group) for group in processes([result(1), result(3), result(2)])]
    [2, 1]
    """
    groups: list[list[ResultSegment]] = []
    for result in results:
        if groups and not _began_anew(groups[-1], result):
            groups[-1].append(result)
        else:
            groups.append([result])
    return groups


def _began_anew(before: Sequence[ResultSegment], result: ResultSegment) -> bool:
    """Whether a counter that only grows within a process went down."""
    if result.total_cost is not None:
        costs = (earlier.total_cost for earlier in reversed(before))
        last = next((cost for cost in costs if cost is not None), None)
        if last is not None and result.total_cost < last:
            return True
    now = {part.model: part.usage for part in result.models}
    return bool(now) and any(
        _shrank(part.usage, now.get(part.model, TokenUsage())) for part in _last_models(before)
    )


def _shrank(then: TokenUsage, now: TokenUsage) -> bool:
    return now.largest(then) != now


def _last_models(segments: Sequence[ResultSegment]) -> tuple[ModelCost, ...]:
    return next((segment.models for segment in reversed(segments) if segment.models), ())


def _process(segments: Sequence[ResultSegment], main_model: str | None, at: datetime | None) -> Record:
    """Return one process' record: the cost it reports, else tokens x price."""
    costs = [segment.total_cost for segment in segments if segment.total_cost is not None]
    main_usage = sum([segment.main_usage for segment in segments], TokenUsage())
    models = _with_hour_writes(_last_models(segments), main_usage.cache_write_1h, main_model)
    reported = costs[-1] if costs else _sum_if_all_known(models)
    if models:
        shares = [share(m.model, m.usage, at, one_request=False, reported=m.cost) for m in models]
    elif main_usage != TokenUsage():
        shares = [share(main_model, main_usage, at, one_request=False, reported=reported)]
    else:
        shares = []
    if reported is not None:
        return Record(reported, "reported", reported, merged(shares))
    return _priced(*shares)


def _priced(*shares: Share) -> Record:
    cost = computed_sum(shares)
    known = sum([part.priced_part for part in shares], Decimal(0))
    return Record(cost, "unpriced" if cost is None else "computed", known, merged(shares))


def _sum_if_all_known(models: Sequence[ModelCost]) -> Decimal | None:
    costs = [model.cost for model in models]
    return total(costs) if None not in costs else None


def _with_hour_writes(
    models: Sequence[ModelCost], hour_writes: int, main_model: str | None
) -> list[ModelCost]:
    """Return the models without `<synthetic>`, the main thread's 1-hour cache writes told apart.

    modelUsage gives only the sum of both lifetimes, `usage` gives both for the main thread alone.
    """
    billed = [model for model in models if model.model != SYNTHETIC]
    if not hour_writes or not billed or any(model.usage.cache_write_1h for model in billed):
        return billed
    main = max(billed, key=lambda model: (model.model == main_model, model.usage.cache_write))
    moved = min(hour_writes, main.usage.cache_write)
    usage = structs.replace(main.usage, cache_write_5m=main.usage.cache_write - moved, cache_write_1h=moved)
    return [structs.replace(model, usage=usage) if model is main else model for model in billed]


def _summed(records: Sequence[Record]) -> Record:
    """Return the sum over the processes that wrote into one file."""
    if len(records) == 1:
        return records[0]
    bases = {record.basis for record in records}
    basis: CostBasis = next(basis for basis in ("unpriced", "computed", "reported") if basis in bases)
    return Record(
        cost=None if basis == "unpriced" else total(record.cost for record in records),
        basis=basis,
        known=sum((record.known for record in records), Decimal(0)),
        shares=merged(part for record in records for part in record.shares),
        restarts=len(records) - 1,
        restart_cost=total(record.cost for record in records[1:]),
    )
