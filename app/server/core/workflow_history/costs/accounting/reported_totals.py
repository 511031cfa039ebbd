"""Calculate the recorded cost of a stream from the totals in its result lines.

Its messages only show whether the totals are complete: each result has the usage of the messages before it.
Within one process, cost and model usage are cumulative, so the last result counts. A total below an earlier
one shows that the process was restarted, so the earlier total was spent in addition. Totals that contradict
each other are at most a lower bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from ...common.outcomes import Outcome, outcome_of_result
from ..pricing import SYNTHETIC
from ..pricing.model_names import comparable_name
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
    failed: tuple[Decimal | None, ...] = ()  # USD, of each process that failed before the last


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
    groups = group_by_process(totals)
    records = [_process_cost(group, facts.model, at) for group in groups]
    last = max(groups, key=lambda group: group[-1].line)
    failed = [
        record.cost
        for group, record in zip(groups, records, strict=True)
        if group is not last and outcome_of_result(group[-1]) != Outcome.SUCCESS
    ]
    return structs.replace(_sum_processes(records), failed=tuple(failed))


def find_doubtful_totals(
    results: Sequence[ResultLine], *, spent: bool, model: str | None = None, at: datetime | None = None
) -> Iterator[tuple[int, str]]:
    """Yield line and reason of each total that may be incomplete.

    `spent`: the messages show spending. `model`: of the main thread. `at`: start of the stream.
    """
    totals = [result for result in results if reports_spending(result)]
    for result in results:
        if spent and not reports_spending(result) and (result.total_cost is not None or result.models):
            yield result.line, "the result counts nothing, but messages show that tokens were used"
        if result.incomplete_reason:
            yield result.line, result.incomplete_reason
        if result.is_sum and _lacks_model(result):
            yield result.line, NO_MODEL
    for segments in group_by_process(totals):
        yield from _find_process_doubts(segments, model, at)


def _find_process_doubts(
    segments: Sequence[ResultLine], model: str | None, at: datetime | None
) -> Iterator[tuple[int, str]]:
    last = segments[-1].line
    for result in segments:
        parts = _sum_if_all_known(result.models) if result.models else None
        if parts is not None and result.total_cost is not None and abs(parts - result.total_cost) > _ROUNDING:
            reason = f"total_cost_usd {result.total_cost} is not the sum of its models' costUSD {parts}"
            yield result.line, reason
    yield from ((last, reason) for reason in _find_missing(segments, model, at))
    if _is_ambiguous(segments):
        yield last, "two sessions left results: whether the later total holds the earlier one is unknown"
    if _lacks_model(segments[-1]):
        yield last, NO_MODEL
    if tokens := _possibly_long_tokens(segments, at):
        yield last, f"whether some of its {tokens:,} input tokens cost more, in a long request, is unknown"


def _find_missing(segments: Sequence[ResultLine], model: str | None, at: datetime | None) -> Iterator[str]:
    """Yield how many tokens and web searches the totals of a process leave out."""
    omitted, unseen = _missing_in_models(segments), _sum_usage(_missing_in_totals(segments, model).values())
    omits_models = _omits_models(segments)
    if not omits_models and omitted == unseen == TokenUsage():
        return  # the usual case; the cost is not needed
    if _process_cost(segments, model, at).basis in RECORDED_BASES:
        unseen = TokenUsage()  # the difference is within the rounding
    elif omits_models:
        omitted = _sum_usage(segment.main_usage for segment in segments)
    for source, usage in (("usage counts", omitted), ("messages show", _excess(unseen, omitted))):
        if usage.total:
            yield f"modelUsage leaves out {usage.total:,} tokens that {source}"
        elif usage.web_searches:
            yield f"modelUsage leaves out {usage.web_searches:,} web searches that {source}"


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
    return not _is_complete(segments) and all(_is_complete([segment]) for segment in segments)


def _last_models(segments: Sequence[ResultLine]) -> tuple[ReportedModelCost, ...]:
    return next((segment.models for segment in reversed(segments) if segment.models), ())


def _is_complete(segments: Sequence[ResultLine]) -> bool:
    """Return whether modelUsage includes all tokens that usage and the messages show."""
    return _missing_in_models(segments) == TokenUsage() and not _missing_in_totals(segments, None)


def _missing_tokens(segments: Sequence[ResultLine], main_model: str | None) -> dict[str | None, TokenUsage]:
    """Return the tokens that the totals of a process leave out, by model; those of `usage` have None."""
    if segments[-1].process is not None:
        return {}
    missing = _missing_in_totals(segments, main_model)
    omitted = _excess(_missing_in_models(segments), _sum_usage(missing.values()))
    return missing if omitted == TokenUsage() else missing | {None: omitted + missing.get(None, TokenUsage())}


def _missing_in_models(segments: Sequence[ResultLine]) -> TokenUsage:
    """Return main-thread tokens missing in modelUsage, which should include them."""
    models = _last_models(segments)
    if not models or segments[-1].process is not None:
        return TokenUsage()
    in_main_thread = _sum_usage(segment.main_usage for segment in segments)
    split = _split_hour_writes(models, in_main_thread.cache_write_1h, None)
    return _excess(in_main_thread, _sum_usage(model.usage for model in split))


def _missing_in_totals(
    segments: Sequence[ResultLine], main_model: str | None
) -> dict[str | None, TokenUsage]:
    """Return the tokens of messages that the totals leave out, by model.

    A model without an entry may be in another entry, as some programs answer for other models. So its tokens
    are missing only if they are more than the entries have beyond the messages of their own models.
    """
    main_usage = _sum_usage(segment.main_usage for segment in segments)
    entries = _last_models(segments) or (ReportedModelCost(main_model, main_usage, None),)
    shown = [part for segment in segments for part in segment.message_usage]
    if not shown:
        return {}
    names = {entry.model or main_model for entry in entries}
    name_of = {comparable_name(name): name for name in names if name}
    counted = _usage_by_model((entry.model or main_model, entry.usage) for entry in entries)
    in_messages = _usage_by_model(
        (
            part.model if part.model in names else name_of.get(comparable_name(part.model or ""), part.model),
            part.usage,
        )
        for part in shown
    )
    own = {model: _excess(usage, counted[model]) for model, usage in in_messages.items() if model in counted}
    others = {model: usage for model, usage in in_messages.items() if model not in counted}
    unmatched = _sum_usage(usage for model, usage in counted.items() if model not in own)
    beyond = _sum_usage(_excess(counted[model], in_messages[model]) for model in own)
    if _excess(_sum_usage(others.values()), unmatched + beyond) != TokenUsage():
        for model, usage in others.items():
            own[model] = _excess(usage, unmatched)
            unmatched = _excess(unmatched, usage)
    return {model: usage for model, usage in own.items() if usage != TokenUsage()}


def _usage_by_model(
    parts: Iterable[tuple[str | None, TokenUsage]],
) -> dict[str | None, TokenUsage]:
    usages: dict[str | None, TokenUsage] = {}
    for model, usage in parts:
        usages[model] = usages.get(model, TokenUsage()) + usage
    return usages


def _sum_usage(usages: Iterable[TokenUsage]) -> TokenUsage:
    return sum(usages, TokenUsage())


def _omits_models(segments: Sequence[ResultLine]) -> bool:
    """Return whether the totals list models, but none that was used."""
    return not _last_models(segments) and any(segment.lists_models for segment in segments)


def _excess(shown: TokenUsage, counted: TokenUsage) -> TokenUsage:
    """Return the tokens beyond those counted; modelUsage counts cache writes of both lifetimes as one."""
    written = max(shown.cache_write - counted.cache_write, 0)
    one_hour = min(written, max(shown.cache_write_1h - counted.cache_write_1h, 0))
    return structs.replace(shown.less(counted), cache_write_5m=written - one_hour, cache_write_1h=one_hour)


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
    is_incomplete = (
        _is_ambiguous(segments) or _is_below_parts(segments) or any(s.incomplete_reason for s in segments)
    )
    if missing := _missing_tokens(segments, main_model):
        record = _add_missing_tokens(record, missing, segments, main_model, at)
    elif _omits_models(segments) or (segments[-1].is_error and record.cost == 0):
        record = _at_list_price(record)
    if is_incomplete and record.basis in RECORDED_BASES:
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
    missing: Mapping[str | None, TokenUsage],
    segments: Sequence[ResultLine],
    main_model: str | None,
    at: datetime | None,
) -> ReportedCost:
    """Add tokens that the record leaves out, at least at their list price.

    Those without a model are attributed to the main model. The reported total is disputed if they add more
    than 1%.
    """
    shares = {part.model: part for part in record.shares}
    main = max(record.shares, key=lambda part: (part.model == main_model, part.usage.total), default=None)
    main_name = main.model if main else main_model
    added = _usage_by_model(
        (main_name if model is None else model, usage) for model, usage in missing.items()
    )
    terms = segments[-1].terms
    priced = {
        model: price_usage(
            model,
            shares[model].usage + usage if model in shares else usage,
            at,
            one_request=False,
            terms=terms if model == main_name else LIST_PRICE,
        )
        for model, usage in added.items()
    }
    as_reported = {
        model: structs.replace(part, reported=shares[model].reported) if model in shares else part
        for model, part in priced.items()
    }
    if record.cost is None or any(part.computed is None for part in priced.values()):
        basis: CostBasis = CostBasis.UNPRICED if record.basis == CostBasis.UNPRICED else CostBasis.LOWER_BOUND
        return structs.replace(record, shares=tuple((shares | as_reported).values()), basis=basis)
    has_models = bool(_last_models(segments))  # else the total is that of all models
    new_shares = tuple(
        [part if has_models else structs.replace(part, reported=None) for part in (shares | priced).values()]
    )
    cost = sum_known([part.computed if part.reported is None else part.reported for part in new_shares])
    if cost is None or not _exceeds(cost, record.cost):
        known = {model: part for model, part in as_reported.items() if has_models and model in shares}
        return structs.replace(record, shares=tuple((shares | known).values()))
    return ReportedCost(cost, CostBasis.LOWER_BOUND, cost, new_shares, claimed=record.cost)


def _exceeds(cost: Decimal, reported: Decimal) -> bool:
    """Return whether a cost is higher than the reported one by more than rounding explains."""
    difference = percent_difference(cost, reported)
    return difference is None or difference > COST_MISMATCH_PERCENT


def _at_list_price(record: ReportedCost) -> ReportedCost:
    """Price the tokens at list price if a total counts none, or costs 0 after an error."""
    shares = tuple([structs.replace(part, reported=None) for part in record.shares])
    cost = sum_computed(shares)
    if not cost or record.cost is None or record.basis != CostBasis.REPORTED:
        return record
    if not _exceeds(cost, record.cost):
        return record
    return ReportedCost(cost, CostBasis.LOWER_BOUND, cost, shares, claimed=record.cost)


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
