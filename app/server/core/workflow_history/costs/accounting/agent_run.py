"""Build one agent run with its cost from the facts of its stream, without looking at other streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from ...common.models import AgentRun, CostBasis, ResultLine, StreamFacts
from ...common.outcomes import classify_outcome
from ...common.phases import classify_phase
from ...common.redaction import redact_text
from .model_cost import ModelCost, sum_usage
from .money import COST_MISMATCH_PERCENT, percent_difference, sum_known, to_usd_float, token_fields
from .stream_cost import StreamCost, compute_stream_cost, last_result_line, uncovered_messages


def to_record_fields(spent: StreamCost, main_model: str | None) -> dict[str, Any]:
    """Return the cost and token fields of one stream; a field is None if its value is unknown."""
    everything = (*spent.shares, *spent.trailing)
    on_record, loose = _by_model(spent.shares), _by_model(spent.trailing)
    entries = [
        _model_entry(model, on_record.get(model), loose.get(model), spent) for model in on_record | loose
    ]
    return {
        "model": _costliest(entries) or main_model,
        "cost": to_usd_float(spent.cost),
        "cost_basis": spent.basis,
        "lower_bound_cost": to_usd_float(spent.lower_bound_extra),
        **_comparison(spent),
        **token_fields(None if spent.basis is None else sum_usage(everything)),
        "unpriced_tokens": sum([part.unpriced_tokens for part in everything]),
        "models": entries,
        "restarts": spent.restarts,
        "restart_cost": to_usd_float(spent.restart_cost),
    }


def _by_model(shares: Iterable[ModelCost]) -> dict[str | None, ModelCost]:
    return {part.model: part for part in shares}


def _costliest(entries: list[dict[str, Any]]) -> str | None:
    known = [entry for entry in entries if entry["model"]]
    best = max(known, key=lambda entry: entry["cost"] or entry["lower_bound_cost"] or 0.0, default=None)
    return str(best["model"]) if best else None


def _comparison(spent: StreamCost) -> dict[str, Any]:
    """Compare computed and reported cost; they are disputed if they differ by more than 1%."""
    percent, disputed = None, False
    claimed = spent.cost if spent.basis == "reported" else spent.claimed
    if claimed is not None and spent.computed_cost is not None:
        percent = percent_difference(spent.computed_cost, claimed)
        disputed = percent is None or abs(percent) > COST_MISMATCH_PERCENT
    return {
        "computed_cost": to_usd_float(spent.computed_cost),
        "cost_difference_percent": percent,
        "cost_disputed": disputed,
    }


def _model_entry(
    model: str | None, on_record: ModelCost | None, loose: ModelCost | None, spent: StreamCost
) -> dict[str, Any]:
    """Build the entry of one model: its part of the cost and its part of the spending beyond it."""
    parts = [part for part in (on_record, loose) if part is not None]
    covered = on_record is not None and spent.cost is not None
    cost = _part_of_cost(on_record) if covered and on_record else None
    beyond = sum_known(
        [part.reported or part.known_cost for part in parts if not (covered and part is on_record)]
    )
    if any(part.unpriced for part in parts):
        basis: CostBasis | None = "unpriced"
    else:
        basis = spent.basis if covered else "lower_bound"
    return {
        "model": model,
        "cost": to_usd_float(cost),
        "cost_basis": basis,
        "computed_cost": to_usd_float(on_record.computed if on_record else None),
        "lower_bound_cost": to_usd_float(beyond or None),
        **token_fields(sum_usage(parts)),
        "unpriced_tokens": sum([part.unpriced_tokens for part in parts]),
    }


def _part_of_cost(part: ModelCost) -> Decimal | None:
    """Return a model's reported cost, or else its computed cost; None if a price is missing."""
    if part.unpriced:
        return None
    return part.computed if part.reported is None else part.reported


ERROR_LENGTH = 500  # characters of a result's text stored as the error


def build_agent_run(
    facts: StreamFacts,
    at: datetime | None,
    *,
    lacking: bool = False,
    repeated: AbstractSet[str] = frozenset(),
) -> AgentRun:
    """Build the agent run of one stream with its whole cost, priced at the stream's start, or else at `at`.

    `lacking`: more was spent than the stream shows. `repeated`: ids of messages that are another run's work;
    their tool calls are not counted here.
    """
    spent = compute_stream_cost(facts, uncovered_messages(facts), facts.started_at or at, lacking=lacking)
    fields = {
        "phase": classify_phase(facts.agent),
        "agent": facts.agent,
        **to_record_fields(spent, facts.model),
        **_work_fields(facts, repeated),
        **time_fields(facts),
        **_outcome_fields(facts),
        **_source_fields(facts),
        "is_retry": spent.restarts > 0,
        "attempt": 1,
        "superseded": False,
        "duplicate_of": None,
    }
    return cast("AgentRun", fields)


def _outcome_fields(facts: StreamFacts) -> dict[str, Any]:
    outcome = classify_outcome(facts)
    last = facts.results[-1] if facts.results else None
    failed = outcome in {"error", "false_success"}
    text = (last.text.strip() or last.subtype) if last else facts.ending_text
    return {
        "outcome": outcome,
        "is_error": last.is_error if last else (True if outcome == "error" else None),
        "error": redact_text(text)[:ERROR_LENGTH] if failed and text else None,
    }


def _work_fields(facts: StreamFacts, repeated: AbstractSet[str]) -> dict[str, Any]:
    calls = [call for call in facts.tools if call.message_id not in repeated]
    return {
        "duration_api_seconds": _seconds(facts, lambda result: result.duration_api_ms),
        "turns": _sum(facts, lambda result: result.turns),
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
        "format": facts.format,
    }


def time_fields(facts: StreamFacts) -> dict[str, Any]:
    """Return start and end from the lines, else from the file's mtime as end minus the duration."""
    duration = _duration(facts)
    start, end, basis = facts.started_at, facts.ended_at, "reported"
    if not (start or end):
        end, basis = facts.modified_at, "derived"
        start = None if end is None or duration is None else end - timedelta(seconds=duration)
    return {
        "timestamp": _iso(start),
        "ended_at": _iso(end),
        "time_basis": basis if start or end else None,
        "duration_seconds": duration,
    }


def _duration(facts: StreamFacts) -> float | None:
    """Return the duration in seconds: the results' sum, or else the time from first to last timestamp."""
    seconds = _seconds(facts, lambda result: result.duration_ms)
    if seconds is None and facts.started_at and facts.ended_at:
        return (facts.ended_at - facts.started_at).total_seconds()
    return seconds


def _seconds(facts: StreamFacts, of: Callable[[ResultLine], float | None]) -> float | None:
    milliseconds = _sum(facts, of)
    return None if milliseconds is None else milliseconds / 1000


def _sum(facts: StreamFacts, of: Callable[[ResultLine], float | None]) -> float | None:
    known = [value for value in map(of, facts.results) if value is not None]
    return sum(known) if known else None


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()
