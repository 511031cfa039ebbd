"""Sum the cost of a whole run from its streams, with a basis for every sum. Pure.

Recorded costs (reported, computed) and lower bounds are never mixed in one number: `total_cost` is the
recorded cost and `lower_bound_cost` the minimum beyond it. Only if nothing is recorded is the total a lower
bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from ...common.models import AgentRun, CostBasis, CostData, StreamFacts
from ...common.phases import PHASES
from ..pricing import price_version
from .agent_run import build_agent_run
from .attempts import merge_attempts, renamed
from .deduplication import Spender, shares_of, spender_of
from .message_claims import (
    NOTHING_ELSEWHERE,
    NOTHING_SEEN,
    Attempt,
    Claim,
    Elsewhere,
    Seen,
    attempts_gone,
    claim_of,
    repeated_messages,
    thread_parts,
    with_shares,
)
from .missing_parts import unseen_subagents
from .money import TOKEN_FIELDS, percent_difference, sum_known, to_decimal, to_usd_float
from .retries import annotate_retries

RECORDED_BASES = ("reported", "computed")
TOTAL_TOKEN_FIELDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")


def compute_run_cost(
    streams: Sequence[StreamFacts], at: datetime | None, former: Sequence[AgentRun] = ()
) -> CostData:
    """Return the cost of a run from its current streams and the stored attempts that are missing but paid.

    `at` is the price date of streams without timestamps. `former` may contain all stored attempts of the run:
    an attempt that is still on disk is recognized and not counted twice.
    """
    return accounted(streams, at, former)[0]


def accounted(
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
    spenders: dict[Any, Spender] = {facts.path: spender_of(facts) for facts in streams}
    shares, unseen = shares_of(spenders), unseen_subagents(streams)
    current = [
        build_agent_run(
            facts,
            at,
            lacking=facts.path in unseen,
            repeated=repeated_messages(facts, elsewhere),
        )
        for facts in streams
    ]
    claims = [claim_of(facts, spenders[facts.path], at, unseen.get(facts.path, ())) for facts in streams]
    gone = attempts_gone(streams, claims, seen)
    # Attempts are compared by their whole costs; parts counted by other streams are subtracted afterwards.
    runs = merge_attempts(current, renamed(former, gone))
    own = {claim.name: claim for claim in claims}
    named = {name: shares[name[0]] for name in own}
    parts = thread_parts(own, named, {name: name for name in own})
    counted, kept = with_shares(runs, own, named, parts, str)
    return cost_data(counted), kept


def cost_data(runs: Sequence[AgentRun]) -> CostData:
    """Return the totals over a run's streams; an unknown total is None."""
    marked = sorted(annotate_retries(runs), key=_order)
    recorded = sum_known(_usd(run, "cost") for run in marked if run.get("cost_basis") in RECORDED_BASES)
    bounds = sum_known(_bounds(marked))
    basis = _basis(marked, recorded, bounds)
    only_bounds = recorded is None and basis == "lower_bound"
    tokens = _token_sums(marked)
    sums = {
        "total_cost": to_usd_float(bounds if only_bounds else recorded),
        "cost_basis": basis,
        "lower_bound_cost": None if only_bounds else to_usd_float(bounds),
        **_comparison(marked),
        "unpriced_tokens": sum([run.get("unpriced_tokens") or 0 for run in marked]),
        "phase_costs": marked,
        "models": totals_by_model(marked),
        **tokens,
        "total_tokens": _sum_known([tokens[key] for key in TOTAL_TOKEN_FIELDS]),
        **_retries(marked),
        "price_version": price_version(),
    }
    return cast("CostData", sums)


def _order(run: AgentRun) -> tuple[bool, str, int, str, int]:
    """Return a sort key by time; streams without a time follow, in the order of the phases."""
    moment = run.get("timestamp") or run.get("ended_at")
    phase = PHASES.index(run["phase"]) if run.get("phase") in PHASES else len(PHASES)
    return moment is None, moment or "", phase, run.get("path") or "", run.get("attempt", 1)


def _basis(runs: Sequence[AgentRun], recorded: Decimal | None, bounds: Decimal | None) -> CostBasis | None:
    """Return the basis of the total: the weakest basis of its parts."""
    bases = {run.get("cost_basis") for run in runs}
    if "unpriced" in bases:
        return "unpriced"
    if recorded is None and bounds is None:
        return None
    if bounds is not None or any(_spent_unseen(run) for run in runs):
        return "lower_bound"
    return "computed" if "computed" in bases else "reported"


def _spent_unseen(run: AgentRun) -> bool:
    """Return whether a stream spent something that none of its numbers shows: interrupted, or unpriced."""
    if run.get("unpriced_tokens"):
        return True
    silent = run.get("cost_basis") is None and run.get("outcome") != "empty"
    return silent and not run.get("duplicate_of")


def _bounds(runs: Iterable[AgentRun]) -> Iterator[Decimal | None]:
    for run in runs:
        yield _usd(run, "lower_bound_cost")
        if run.get("cost_basis") == "lower_bound":
            yield _usd(run, "cost")


def _comparison(runs: Sequence[AgentRun]) -> dict[str, Any]:
    """Compare computed and recorded cost; the computed sum is None if it misses a recorded stream."""
    recorded = [run for run in runs if run.get("cost_basis") in RECORDED_BASES]
    own = [_usd(run, "computed_cost") for run in recorded]
    both = [
        (ours, theirs)
        for run in recorded
        if run["cost_basis"] == "reported"
        and (ours := _usd(run, "computed_cost")) is not None
        and (theirs := _usd(run, "cost")) is not None
    ]
    ours, theirs = (sum(side, Decimal(0)) for side in zip(*both, strict=True)) if both else (None, None)
    return {
        "computed_cost": None if None in own else to_usd_float(sum_known(own)),
        "cost_difference_percent": None
        if ours is None or theirs is None
        else percent_difference(ours, theirs),
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
        **_token_sums(entries),
        "unpriced_tokens": sum([entry.get("unpriced_tokens") or 0 for entry in entries]),
        "agent_runs": len(entries),
    }


def _retries(runs: Sequence[AgentRun]) -> dict[str, Any]:
    """Return the number of retries and their cost; the cost is None if no retry's cost is known."""
    count = sum(run["retries"] for run in runs)
    known = sum_known(_usd(run, "retry_cost") for run in runs if run["retries"])
    return {"retry_count": count, "retry_cost": to_usd_float(known) if count else 0.0}


def _usd(run: AgentRun, key: str) -> Decimal | None:
    amounts: Mapping[str, Any] = run
    return to_decimal(amounts.get(key))


def _token_sums(records: Iterable[Mapping[str, Any]]) -> dict[str, int | None]:
    """Return the sum of each count over the records that contain it."""
    return {key: _sum_known([record.get(key) for record in records]) for key in TOKEN_FIELDS}


def _sum_known(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
