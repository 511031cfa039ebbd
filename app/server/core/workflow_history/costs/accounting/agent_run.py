"""Build one agent run with its cost from the facts of its stream, without looking at other streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from ...common.models import AgentRun, CostBasis, ResultLine, StreamFacts, TimeBasis
from ...common.outcomes import FAILED_OUTCOMES, Outcome, classify_outcome
from ...common.phases import classify_phase
from ...common.redaction import redact_text
from .model_cost import ModelCost, sum_usage
from .money import COST_MISMATCH_PERCENT, percent_difference, sum_known, to_usd_float, token_fields
from .stream_cost import StreamCost, compute_stream_cost, last_result_line, uncovered_messages

_ERROR_LENGTH = 500  # characters of a result's text stored as the error


def to_record_fields(cost: StreamCost, main_model: str | None) -> dict[str, Any]:
    """Return the cost and token fields of one stream; a field is None if its value is unknown."""
    all_shares = (*cost.shares, *cost.trailing)
    covered, uncovered = _by_model(cost.shares), _by_model(cost.trailing)
    entries = [
        _model_entry(model, covered.get(model), uncovered.get(model), cost) for model in covered | uncovered
    ]
    named = [entry for entry in entries if entry["model"]]
    top = max(named, key=lambda entry: entry["cost"] or entry["lower_bound_cost"] or 0.0, default=None)
    return {
        "model": top["model"] if top else main_model,
        "cost": to_usd_float(cost.cost),
        "cost_basis": cost.basis and cost.basis.value,
        "lower_bound_cost": to_usd_float(cost.lower_bound),
        **_cost_comparison(cost),
        **token_fields(None if cost.basis is None else sum_usage(all_shares)),
        "unpriced_tokens": sum([part.unpriced_tokens for part in all_shares]),
        "models": entries,
        "restarts": cost.restarts,
        "restart_cost": to_usd_float(cost.restart_cost),
        "failed_process_cost": to_usd_float(cost.failed_process_cost),
    }


def _by_model(shares: Iterable[ModelCost]) -> dict[str | None, ModelCost]:
    return {part.model: part for part in shares}


def _cost_comparison(cost: StreamCost) -> dict[str, Any]:
    """Compare computed and reported cost; they are disputed if they differ by more than 1%."""
    percent, disputed = None, False
    claimed = cost.cost if cost.basis == CostBasis.REPORTED else cost.claimed
    if claimed is not None and cost.computed_cost is not None:
        percent = percent_difference(cost.computed_cost, claimed)
        disputed = percent is None or abs(percent) > COST_MISMATCH_PERCENT
    return {
        "computed_cost": to_usd_float(cost.computed_cost),
        "cost_difference_percent": percent,
        "cost_disputed": disputed,
    }


def _model_entry(
    model: str | None, covered: ModelCost | None, uncovered: ModelCost | None, stream_cost: StreamCost
) -> dict[str, Any]:
    """Build the entry of one model: its part of the cost and its part of the spending beyond it."""
    parts = [part for part in (covered, uncovered) if part is not None]
    is_covered = covered is not None and stream_cost.cost is not None
    cost = None
    if covered is not None and is_covered and not covered.unpriced:
        cost = covered.computed if covered.reported is None else covered.reported
    lower_bound = sum_known(
        [part.reported or part.known_cost for part in parts if not (is_covered and part is covered)]
    )
    if any(part.unpriced for part in parts):
        basis: CostBasis | None = CostBasis.UNPRICED
    else:
        basis = stream_cost.basis if is_covered else CostBasis.LOWER_BOUND
    return {
        "model": model,
        "cost": to_usd_float(cost),
        "cost_basis": basis and basis.value,
        "computed_cost": to_usd_float(covered.computed if covered else None),
        "lower_bound_cost": to_usd_float(lower_bound or None),
        **token_fields(sum_usage(parts)),
        "unpriced_tokens": sum([part.unpriced_tokens for part in parts]),
    }


def build_agent_run(
    facts: StreamFacts,
    at: datetime | None,
    *,
    is_incomplete: bool = False,
    repeated: AbstractSet[str] = frozenset(),
) -> AgentRun:
    """Build the agent run of one stream with its whole cost, priced at the stream's start, or else at `at`.

    `is_incomplete`: more was spent than the stream shows. `repeated`: ids of messages that are another run's
    work; their tool calls are not counted here.
    """
    cost = compute_stream_cost(
        facts, uncovered_messages(facts), facts.started_at or at, is_incomplete=is_incomplete
    )
    fields = {
        "phase": classify_phase(facts.agent),
        "agent": facts.agent,
        **to_record_fields(cost, facts.model),
        **_work_fields(facts, repeated),
        **time_fields(facts),
        **_outcome_fields(facts),
        **_source_fields(facts),
        "is_retry": cost.restarts > 0,
        "attempt": 1,
        "superseded": False,
        "duplicate_of": None,
    }
    return cast("AgentRun", fields)


def _outcome_fields(facts: StreamFacts) -> dict[str, Any]:
    outcome = classify_outcome(facts)
    last = facts.results[-1] if facts.results else None
    failed = outcome in FAILED_OUTCOMES
    text = (last.text.strip() or last.subtype) if last else facts.ending_text
    return {
        "outcome": outcome.value,
        "is_error": last.is_error if last else (True if outcome == Outcome.ERROR else None),
        "error": redact_text(text)[:_ERROR_LENGTH] if failed and text else None,
    }


def _work_fields(facts: StreamFacts, repeated: AbstractSet[str]) -> dict[str, Any]:
    calls = [call for call in facts.tools if call.message_id not in repeated]
    return {
        "duration_api_seconds": _sum_seconds(facts, lambda result: result.duration_api_ms),
        "turns": _sum_results(facts, lambda result: result.turns),
        "tool_calls": len(calls),
        "tool_errors": sum(1 for call in calls if call.failed),
    }


def _source_fields(facts: StreamFacts) -> dict[str, Any]:
    sessions = [*facts.session_ids, *(result.session_id for result in facts.results if result.session_id)]
    return {
        "path": facts.path,
        "line": last_result_line(facts) or facts.last_result_line,
        "identity": facts.identity,
        "session_id": sessions[0] if sessions else None,
        "format": facts.format.value,
    }


def time_fields(facts: StreamFacts) -> dict[str, Any]:
    """Return start and end from the lines, else from the file's mtime as end minus the duration.

    The duration is the sum of the results' durations, or else the time from first to last timestamp.
    """
    duration = _sum_seconds(facts, lambda result: result.duration_ms)
    if duration is None and facts.started_at and facts.ended_at:
        duration = (facts.ended_at - facts.started_at).total_seconds()
    start, end, basis = facts.started_at, facts.ended_at, TimeBasis.REPORTED
    if not (start or end):
        end, basis = facts.modified_at, TimeBasis.DERIVED
        start = None if end is None or duration is None else end - timedelta(seconds=duration)
    return {
        "timestamp": _format_utc(start),
        "ended_at": _format_utc(end),
        "time_basis": basis.value if start or end else None,
        "duration_seconds": duration,
    }


def _sum_seconds(facts: StreamFacts, milliseconds_of: Callable[[ResultLine], float | None]) -> float | None:
    total = _sum_results(facts, milliseconds_of)
    return None if total is None else total / 1000


def _sum_results(facts: StreamFacts, value_of: Callable[[ResultLine], float | None]) -> float | None:
    known = [value for value in map(value_of, facts.results) if value is not None]
    return sum(known) if known else None


def _format_utc(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()
