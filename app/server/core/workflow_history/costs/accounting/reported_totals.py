"""Calculate the recorded cost of a stream from the totals in its result lines. Ignores its messages.

Within one process, cost and model usage are cumulative, so the last result counts. A total below an earlier
one shows that the process was restarted, so the earlier total was spent in addition. Totals that contradict
each other are at most a lower bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec import structs

from ...common.models import (
    LIST_PRICE,
    RECORDED_BASES,
    CostBasis,
    ReportedModelCost,
    ResultLine,
    StreamFacts,
    Terms,
    TokenUsage,
)
from ..pricing import SYNTHETIC
from .model_cost import ModelCost, merge_by_model, price_usage, sum_computed
from .money import COST_MISMATCH_PERCENT, percent_difference, sum_known

NO_MODEL = "no line names the model: what its tokens cost is unknown"

_ROUNDING = Decimal("0.000001")  # USD by which a total may differ from the sum of its parts


class ReportedCost(msgspec.Struct, frozen=True):
    """Cost of a stream according to its totals."""

    cost: Decimal | None  # USD; None: tokens without a price
    basis: CostBasis
    known: Decimal  # USD, minimum: the cost, or the part of it that has a price
    shares: tuple[ModelCost, ...]  # one per model
    claimed: Decimal | None = None  # USD, total of the results if it cannot be the whole cost
    restarts: int = 0  # number of processes after the first one
    restart_cost: Decimal | None = None  # USD, cost of the restarts


def reports_spending(result: ResultLine) -> bool:
    """Return whether a result reports any spending; one with only zeros, as after an error, is no total."""
    if result.is_sum:
        return False
    used = any(model.cost or model.usage != TokenUsage() for model in result.models)
    return bool(result.total_cost) or used or result.main_usage != TokenUsage()


def results_with_totals(facts: StreamFacts) -> list[ResultLine]:
    """Return the results that are totals; if nothing was spent at all, the results that report zero."""
    totals = [result for result in facts.results if reports_spending(result)]
    if totals or any(message.usage != TokenUsage() for message in facts.messages):
        return totals
    return [
        result
        for result in facts.results
        if not result.is_sum and (result.total_cost is not None or result.models)
    ]


def has_reported_totals(facts: StreamFacts) -> bool:
    """Return whether the stream reports totals of its own: a cost, or tokens."""
    return bool(results_with_totals(facts))


def reported_cost(facts: StreamFacts, at: datetime | None) -> ReportedCost | None:
    """Return the cost according to the stream's own totals, or None if it has none."""
    totals = results_with_totals(facts)
    if not totals:
        return None
    return _sum_processes([_process_cost(group, facts.model, at) for group in group_by_process(totals)])


def doubts(
    results: Sequence[ResultLine], *, spent: bool, at: datetime | None = None
) -> Iterator[tuple[int, str]]:
    """Yield line and reason of each total that may be incomplete.

    `spent`: the messages show spending. `at`: start of the stream.
    """
    totals = [result for result in results if reports_spending(result)]
    for result in results:
        if spent and not reports_spending(result) and (result.total_cost is not None or result.models):
            yield result.line, "the result counts nothing, but messages show that tokens were used"
        if result.lacking:
            yield result.line, result.lacking
        if result.is_sum and _lacks_model(result):
            yield result.line, NO_MODEL
    for segments in group_by_process(totals):
        yield from _find_process_doubts(segments, at)


def _find_process_doubts(segments: Sequence[ResultLine], at: datetime | None) -> Iterator[tuple[int, str]]:
    last = segments[-1].line
    for result in segments:
        parts = _sum_if_all_known(result.models) if result.models else None
        if parts is not None and result.total_cost is not None and abs(parts - result.total_cost) > _ROUNDING:
            reason = f"total_cost_usd {result.total_cost} is not the sum of its models' costUSD {parts}"
            yield result.line, reason
    if missing := _missing_tokens(segments):
        yield last, f"modelUsage leaves out {missing.total:,} tokens that usage counts"
    if _is_ambiguous(segments):
        yield last, "two sessions left results: whether the later total holds the earlier one is unknown"
    if _lacks_model(segments[-1]):
        yield last, NO_MODEL
    if tokens := _possibly_long_tokens(segments, at):
        yield last, f"whether some of its {tokens:,} input tokens cost more, in a long request, is unknown"


def _lacks_model(result: ResultLine) -> bool:
    return result.total_cost is None and any(
        part.model is None and part.cost is None and part.usage.total for part in result.models
    )


def _possibly_long_tokens(segments: Sequence[ResultLine], at: datetime | None) -> int:
    """Return the input tokens of totals that may contain requests above the base rate.

    Returns 0 if there are none, or if a cost is reported.
    """
    if any(segment.total_cost is not None for segment in segments):
        return 0
    terms = segments[-1].terms
    parts = [
        _price_model(model, None, at, terms, alone=True)
        for model in _last_models(segments)
        if model.cost is None
    ]
    return sum([part.usage.total - part.usage.output for part in parts if part.at_least])


def group_by_process(results: Sequence[ResultLine]) -> list[list[ResultLine]]:
    """Group the results by the process that wrote them.

    >>> def result(cost): return ResultLine(line=1, total_cost=Decimal(cost))
    >>> [len(group) for group in group_by_process([result(1), result(3), result(2)])]
    [2, 1]
    """
    groups: list[list[ResultLine]] = []
    for result in results:
        group = next(
            (g for g in groups if result.process is not None and g[0].process == result.process), None
        )
        if group is not None:
            group.append(result)
        elif groups and not _is_new_process(groups[-1], result):
            groups[-1].append(result)
        else:
            groups.append([result])
    return groups


def _is_new_process(earlier: Sequence[ResultLine], result: ResultLine) -> bool:
    """Return whether a cumulative counter decreased, or is too low to include all earlier results."""
    if result.process is not None:
        return True  # results of the same process are grouped before this check
    if result.total_cost is not None:
        costs = (segment.total_cost for segment in reversed(earlier))
        last = next((cost for cost in costs if cost is not None), None)
        if last is not None and result.total_cost < last:
            return True
    usage_by_model = {part.model: part.usage for part in result.models}
    if not usage_by_model:
        return False
    for part in _last_models(earlier):
        usage = usage_by_model.get(part.model, TokenUsage())
        if usage.field_max(part.usage) != usage:
            return True
    segments = [*earlier, result]
    is_each_complete = all(_missing_tokens([segment]) is None for segment in segments)
    return is_each_complete and _missing_tokens(segments) is not None


def _last_models(segments: Sequence[ResultLine]) -> tuple[ReportedModelCost, ...]:
    return next((segment.models for segment in reversed(segments) if segment.models), ())


def _missing_tokens(segments: Sequence[ResultLine]) -> TokenUsage | None:
    """Return main-thread tokens missing in modelUsage, which should include them; None if complete."""
    models = _last_models(segments)
    if not models or segments[-1].process is not None:
        return None
    in_models = sum([model.usage for model in models], TokenUsage())
    in_main_thread = sum([segment.main_usage for segment in segments], TokenUsage())
    missing = TokenUsage(
        max(in_main_thread.input - in_models.input, 0),
        max(in_main_thread.output - in_models.output, 0),
        max(in_main_thread.cache_read - in_models.cache_read, 0),
        max(in_main_thread.cache_write - in_models.cache_write, 0),
    )
    return missing if missing.total else None


def _is_below_parts(segments: Sequence[ResultLine]) -> bool:
    last = segments[-1]
    parts = _sum_if_all_known(last.models) if last.models else None
    return last.total_cost is not None and parts is not None and parts - last.total_cost > _ROUNDING


def _is_ambiguous(segments: Sequence[ResultLine]) -> bool:
    """Return whether the results are from several sessions, so that the number of processes is unknown."""
    return len({segment.session_id for segment in segments if segment.session_id}) > 1


def _process_cost(
    segments: Sequence[ResultLine], main_model: str | None, at: datetime | None
) -> ReportedCost:
    """Return the cost of one process: the reported one, or else tokens x price."""
    record = _cost_as_reported(segments, main_model, at)
    lacking = _is_ambiguous(segments) or _is_below_parts(segments) or any(s.lacking for s in segments)
    missing = _missing_tokens(segments)
    if missing is not None:
        record = _add_missing_tokens(record, missing, segments, main_model, at)
    elif segments[-1].is_error and record.cost == 0:
        record = _at_list_price(record)
    if lacking and record.basis in RECORDED_BASES:
        return structs.replace(record, basis=CostBasis.LOWER_BOUND)
    return record


def _cost_as_reported(
    segments: Sequence[ResultLine], main_model: str | None, at: datetime | None
) -> ReportedCost:
    costs = [segment.total_cost for segment in segments if segment.total_cost is not None]
    main_usage = sum([segment.main_usage for segment in segments], TokenUsage())
    models = _split_hour_writes(_last_models(segments), main_usage.cache_write_1h, main_model)
    parts = _sum_if_all_known(models) if models else None
    reported = max(costs[-1], parts) if costs and parts is not None and _is_below_parts(segments) else None
    if reported is None:
        reported = costs[-1] if costs else parts
    terms = segments[-1].terms
    if models:
        if len(models) == 1 and models[0].cost is None:
            models = [structs.replace(models[0], cost=reported)]
        shares = [_price_model(model, main_model, at, terms, alone=len(models) == 1) for model in models]
    elif main_usage != TokenUsage():
        shares = [price_usage(main_model, main_usage, at, one_request=False, reported=reported, terms=terms)]
    else:
        shares = []
    if reported is not None:
        return ReportedCost(reported, CostBasis.REPORTED, reported, merge_by_model(shares))
    cost = sum_computed(shares)
    known = sum([part.known_cost for part in shares], Decimal(0))
    basis: CostBasis = CostBasis.LOWER_BOUND if any(part.at_least for part in shares) else CostBasis.COMPUTED
    return ReportedCost(cost, CostBasis.UNPRICED if cost is None else basis, known, merge_by_model(shares))


def _price_model(
    model: ReportedModelCost, main_model: str | None, at: datetime | None, terms: Terms, *, alone: bool
) -> ModelCost:
    name = model.model or main_model
    own = terms if alone or name == main_model else LIST_PRICE
    return price_usage(name, model.usage, at, one_request=False, reported=model.cost, terms=own)


def _add_missing_tokens(
    record: ReportedCost,
    missing: TokenUsage,
    segments: Sequence[ResultLine],
    main_model: str | None,
    at: datetime | None,
) -> ReportedCost:
    """Add tokens that the record leaves out, at least at their list price.

    They are attributed to the main model. The reported total is disputed if they add more than 1%.
    """
    main = max(record.shares, key=lambda part: (part.model == main_model, part.usage.total))
    priced = price_usage(main.model, main.usage + missing, at, one_request=False, terms=segments[-1].terms)
    as_reported = structs.replace(priced, reported=main.reported)
    reported_shares = tuple([as_reported if part is main else part for part in record.shares])
    if record.cost is None or priced.computed is None:
        basis: CostBasis = CostBasis.UNPRICED if record.basis == CostBasis.UNPRICED else CostBasis.LOWER_BOUND
        return structs.replace(record, shares=reported_shares, basis=basis)
    shares = tuple([priced if part is main else part for part in record.shares])
    cost = sum_known([part.computed if part.reported is None else part.reported for part in shares])
    difference = percent_difference(cost or record.cost, record.cost)
    if cost is None or (difference is not None and difference <= COST_MISMATCH_PERCENT):
        return structs.replace(record, shares=reported_shares)
    return ReportedCost(cost, CostBasis.LOWER_BOUND, cost, shares, claimed=record.cost)


def _at_list_price(record: ReportedCost) -> ReportedCost:
    """Price the tokens at list price if an error left a reported cost of 0."""
    shares = tuple([structs.replace(part, reported=None) for part in record.shares])
    cost = sum_computed(shares)
    return ReportedCost(cost, CostBasis.LOWER_BOUND, cost, shares, claimed=Decimal(0)) if cost else record


def _sum_if_all_known(models: Sequence[ReportedModelCost]) -> Decimal | None:
    costs = [model.cost for model in models]
    return sum_known(costs) if None not in costs else None


def _split_hour_writes(
    models: Sequence[ReportedModelCost], hour_writes: int, main_model: str | None
) -> list[ReportedModelCost]:
    """Return the models without `<synthetic>`, with the main thread's 1-hour cache writes separated.

    modelUsage contains only the sum of both lifetimes; `usage` has both, but only for the main thread.
    """
    billed = [model for model in models if model.model != SYNTHETIC]
    if not hour_writes or not billed or any(model.usage.cache_write_1h for model in billed):
        return billed
    main = max(billed, key=lambda model: (model.model == main_model, model.usage.cache_write))
    moved = min(hour_writes, main.usage.cache_write)
    usage = structs.replace(main.usage, cache_write_5m=main.usage.cache_write - moved, cache_write_1h=moved)
    return [structs.replace(model, usage=usage) if model is main else model for model in billed]


def _sum_processes(records: Sequence[ReportedCost]) -> ReportedCost:
    """Sum the costs of the processes that wrote to one file."""
    if len(records) == 1:
        return records[0]
    bases = {record.basis for record in records}
    weakest_first = (
        CostBasis.UNPRICED,
        CostBasis.LOWER_BOUND,
        CostBasis.COMPUTED,
        CostBasis.REPORTED,
    )
    basis = next(basis for basis in weakest_first if basis in bases)
    claimed = [record.claimed or record.cost for record in records]
    return ReportedCost(
        cost=None if basis == CostBasis.UNPRICED else sum_known(record.cost for record in records),
        basis=basis,
        known=sum((record.known for record in records), Decimal(0)),
        shares=merge_by_model(part for record in records for part in record.shares),
        claimed=sum_known(claimed) if any(record.claimed for record in records) else None,
        restarts=len(records) - 1,
        restart_cost=sum_known(record.cost for record in records[1:]),
    )
