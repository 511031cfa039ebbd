"""Sum the cost of a whole run from its streams, with a basis for every sum. Pure.

A retry repeats work: an attempt whose stream was overwritten, a later iteration of the same agent, a process
restarted in the same file. Numbered names without a repetition (`step_2`, `wave_3`) are not retries.

Recorded costs (reported, computed) and lower bounds are never mixed in one number: `total_cost` is the
recorded cost and `lower_bound_cost` the minimum beyond it. Only if nothing is recorded is the total a lower
bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from ...common.models import RECORDED_BASES, AgentRun, CostBasis, CostData, StreamFacts
from ...common.outcomes import Outcome
from ...common.phases import PHASES, split_name
from ...common.spending import NO_COST, Cost, agent_cost, to_usd
from ..pricing import price_version
from .agent_run import build_agent_run
from .attempts import merge_attempts, rename_replaced
from .deduplication import Spender, assign_shares, build_spender
from .message_claims import (
    NOTHING_ELSEWHERE,
    NOTHING_SEEN,
    Attempt,
    Claim,
    Elsewhere,
    Seen,
    build_claim,
    repeated_messages,
    replaced_attempts,
    thread_parts,
    with_shares,
)
from .missing_parts import unseen_subagents
from .money import (
    percent_difference,
    sum_counts,
    sum_known,
    sum_token_fields,
    to_decimal,
    to_usd_float,
)

TOTAL_TOKEN_FIELDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")

_ITERATION_WORDS = frozenset({"iter", "iteration", "attempt", "try", "round"})
"""Words before a repetition number; the lowest number in a run is the first attempt."""

_RETRY_WORDS = frozenset({"retry", "rerun", "again"})
"""Words that mark a stream as a repetition by themselves."""

_WORDS_BEFORE_NUMBER = _ITERATION_WORDS | _RETRY_WORDS

_RETRY_AGENTS = frozenset({"runner", "resolver"})
"""Agents named with "repetition_item" as two bare numbers, as in e2e_test_runner_1_0."""


def compute_run_cost(
    streams: Sequence[StreamFacts], at: datetime | None, former: Sequence[AgentRun] = ()
) -> CostData:
    """Return the cost of a run from its current streams and the stored attempts that are missing but paid.

    `at` is the price date of streams without timestamps. `former` may contain all stored attempts of the run:
    an attempt that is still on disk is recognized and not counted twice.
    """
    return compute_cost_and_claims(streams, at, former)[0]


def compute_cost_and_claims(
    streams: Sequence[StreamFacts],
    at: datetime | None,
    former: Sequence[AgentRun] = (),
    elsewhere: Mapping[Attempt, Elsewhere] = NOTHING_ELSEWHERE,
    seen: Seen = NOTHING_SEEN,
) -> tuple[CostData, list[Claim]]:
    """Return the same cost, and a claim with the own spending of each current stream.

    `elsewhere`: units of each attempt that other runs are known to count, packed. Their tool calls belong to
    those runs; their cost is subtracted once the shares of all runs are known. `seen`: units read so far of
    the earlier attempts.
    """
    spenders: dict[Any, Spender] = {facts.path: build_spender(facts) for facts in streams}
    shares, unseen = assign_shares(spenders), unseen_subagents(streams)
    current = [
        build_agent_run(
            facts,
            at,
            is_incomplete=facts.path in unseen,
            repeated=repeated_messages(facts, elsewhere),
        )
        for facts in streams
    ]
    claims = [build_claim(facts, spenders[facts.path], at, unseen.get(facts.path, ())) for facts in streams]
    replaced = replaced_attempts(streams, claims, seen)
    # Attempts are compared by their whole costs; parts counted by other streams are subtracted afterwards.
    runs = merge_attempts(current, rename_replaced(former, replaced))
    claim_by_name = {claim.name: claim for claim in claims}
    share_by_name = {name: shares[name[0]] for name in claim_by_name}
    parts = thread_parts(claim_by_name, share_by_name, {name: name for name in claim_by_name})
    shared_runs, changed_claims = with_shares(runs, claim_by_name, share_by_name, parts, str)
    return cost_data(shared_runs), changed_claims


def cost_data(runs: Sequence[AgentRun]) -> CostData:
    """Return the totals over a run's streams; an unknown total is None."""
    marked = sorted(_annotate_retries(runs), key=_sort_key)
    cost = sum(map(agent_cost, marked), NO_COST)
    basis = _basis(marked, cost)
    is_lower_bound = cost.recorded is None and basis == CostBasis.LOWER_BOUND
    tokens = sum_token_fields(marked)
    retry_count = sum(run["retries"] for run in marked)
    retry_cost = sum_known(_usd(run, "retry_cost") for run in marked if run["retries"])
    sums = {
        "total_cost": to_usd(cost.extra if is_lower_bound else cost.recorded),
        "cost_basis": basis and basis.value,
        "lower_bound_cost": None if is_lower_bound else to_usd(cost.extra),
        **_cost_comparison(marked),
        "unpriced_tokens": sum([run.get("unpriced_tokens") or 0 for run in marked]),
        "phase_costs": marked,
        "models": totals_by_model(marked),
        **tokens,
        "total_tokens": sum_counts([tokens[key] for key in TOTAL_TOKEN_FIELDS]),
        "retry_count": retry_count,
        "retry_cost": to_usd_float(retry_cost) if retry_count else 0.0,
        "price_version": price_version(),
    }
    return cast("CostData", sums)


def _sort_key(run: AgentRun) -> tuple[bool, str, int, str, int]:
    """Return a sort key by time; streams without a time follow, in the order of the phases."""
    moment = run.get("timestamp") or run.get("ended_at")
    phase = PHASES.index(run["phase"]) if run.get("phase") in PHASES else len(PHASES)
    return moment is None, moment or "", phase, run.get("path") or "", run.get("attempt", 1)


def _basis(runs: Sequence[AgentRun], cost: Cost) -> CostBasis | None:
    """Return the basis of the total: the weakest basis of its parts."""
    bases = {run.get("cost_basis") for run in runs}
    if CostBasis.UNPRICED in bases:
        return CostBasis.UNPRICED
    if cost.minimum is None:
        return None
    if cost.extra is not None or any(_has_unknown_spending(run) for run in runs):
        return CostBasis.LOWER_BOUND
    return CostBasis.COMPUTED if CostBasis.COMPUTED in bases else CostBasis.REPORTED


def _has_unknown_spending(run: AgentRun) -> bool:
    """Return whether a stream spent something that none of its numbers shows: interrupted, or unpriced."""
    if run.get("unpriced_tokens"):
        return True
    silent = run.get("cost_basis") is None and run.get("outcome") != Outcome.EMPTY
    return silent and not run.get("duplicate_of")


def _cost_comparison(runs: Sequence[AgentRun]) -> dict[str, Any]:
    """Compare computed and recorded cost; the computed sum is None if it misses a recorded stream."""
    recorded = [run for run in runs if run.get("cost_basis") in RECORDED_BASES]
    computed = [_usd(run, "computed_cost") for run in recorded]
    comparable = [
        (computed_cost, cost)
        for run in recorded
        if run["cost_basis"] == CostBasis.REPORTED
        and (computed_cost := _usd(run, "computed_cost")) is not None
        and (cost := _usd(run, "cost")) is not None
    ]
    percent = None
    if comparable:
        computed_sum, cost_sum = (sum(amounts, Decimal(0)) for amounts in zip(*comparable, strict=True))
        percent = percent_difference(computed_sum, cost_sum)
    return {
        "computed_cost": None if None in computed else to_usd_float(sum_known(computed)),
        "cost_difference_percent": percent,
        "cost_disputed": any(run.get("cost_disputed") for run in runs),
    }


def totals_by_model(runs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one entry per model, the most expensive first; its cost includes its lower bounds."""
    by_model: dict[str | None, list[dict[str, Any]]] = {}
    for run in runs:
        for entry in run.get("models") or ():
            by_model.setdefault(entry.get("model"), []).append(entry)
    sums = [_model_sum(model, entries) for model, entries in by_model.items()]
    return sorted(sums, key=lambda entry: (-(entry["cost"] or 0.0), entry["model"] or ""))


def _model_sum(model: str | None, entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    costs = [to_decimal(entry.get(key)) for entry in entries for key in ("cost", "lower_bound_cost")]
    return {
        "model": model,
        "cost": to_usd_float(sum_known(costs)),
        **sum_token_fields(entries),
        "unpriced_tokens": sum([entry.get("unpriced_tokens") or 0 for entry in entries]),
        "agent_runs": len(entries),
    }


def _usd(run: AgentRun, key: str) -> Decimal | None:
    amounts: Mapping[str, Any] = run
    return to_decimal(amounts.get(key))


def _annotate_retries(runs: Sequence[AgentRun]) -> list[AgentRun]:
    """Set `is_retry`, `retries` and `retry_cost` on each agent run."""
    iterations = [_parse_iteration(run.get("agent") or "") for run in runs]
    first: dict[tuple[str, ...], int] = {}
    for family, number in iterations:
        first[family] = min(number, first.get(family, number))
    annotated = []
    for run, (family, number) in zip(runs, iterations, strict=True):
        is_named_retry = not _RETRY_WORDS.isdisjoint(split_name(run.get("agent") or ""))
        is_retry = run.get("superseded", False) or is_named_retry or number > first[family]
        annotated.append(_with_retry_fields(run, is_retry))
    return annotated


def _with_retry_fields(run: AgentRun, is_retry: bool) -> AgentRun:
    """Mark an agent run as a retry as a whole, or only by the processes restarted in it."""
    restarts = run.get("restarts") or 0
    if run.get("duplicate_of") or not (is_retry or restarts):
        return {**run, "is_retry": False, "retries": 0, "retry_cost": 0.0}
    if not is_retry:
        return {**run, "is_retry": True, "retries": restarts, "retry_cost": run.get("restart_cost")}
    known = sum_known((to_decimal(run.get("cost")), to_decimal(run.get("lower_bound_cost"))))
    return {**run, "is_retry": True, "retries": 1 + restarts, "retry_cost": to_usd_float(known)}


def _parse_iteration(agent: str) -> tuple[tuple[str, ...], int]:
    """Return an agent's name without its iteration, and the iteration; 0 if the name contains none.

    >>> _parse_iteration("test_resolver_iter2_0"), _parse_iteration("e2e_test_runner_1_0")
    ((('test', 'resolver'), 2), (('e2e', 'test', 'runner'), 1))
    >>> _parse_iteration("step_2")
    (('step', '2'), 0)
    """
    words = split_name(agent)
    for index, word in enumerate(words[:-1]):
        if word in _WORDS_BEFORE_NUMBER and words[index + 1].isdigit():
            return words[:index], int(words[index + 1])
    if len(words) > 2 and words[-1].isdigit() and words[-2].isdigit() and words[-3] in _RETRY_AGENTS:
        return words[:-2], int(words[-2])
    return words, 0
