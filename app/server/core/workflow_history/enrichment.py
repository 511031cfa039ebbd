"""Stage 2, cost enrichment: add to each workflow the costs that its streams show."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from . import scanner
from .common.coercion import moment_in_utc
from .common.models import AgentRun, CostData, ScannedRun, StreamFacts, Workflow
from .common.spending import run_basis
from .costs.accounting import compute_cost_and_claims, compute_run_cost
from .costs.accounting.message_claims import (
    NOTHING_ELSEWHERE,
    NOTHING_SEEN,
    Attempt,
    Claim,
    Elsewhere,
    Seen,
)
from .costs.accounting.money import RUN_TOTAL_FIELDS, to_decimal, to_usd_float
from .ingest.config.own_prices import use_configured_prices
from .ingest.sources.scan import read_one

COST_FIELDS = (*RUN_TOTAL_FIELDS, "phase_costs")
"""Fields that enrichment sets on a workflow, together with `cost_data`; it sets all of them or none."""


@use_configured_prices()
def load_cost_data(workflow_id: str) -> CostData | None:
    """Return the costs of a run in AGENTS_DIR, or None if the run is missing or has no stream."""
    streams = _read_streams(workflow_id)
    return compute_run_cost(streams, None) if streams else None


@use_configured_prices()
def enrich_workflow_with_cost_data(workflow: Workflow) -> Workflow:
    """Return a copy of the workflow with its costs; without a stream, a copy with the same fields."""
    streams = _read_streams(str(workflow.get("id") or ""))
    return with_costs(workflow, streams)


def enrich_workflows_batch(workflows: Iterable[Workflow]) -> list[Workflow]:
    """Return all workflows with their costs, in order."""
    return [enrich_workflow_with_cost_data(workflow) for workflow in workflows]


def enrich(run: ScannedRun, previous_attempts: Sequence[AgentRun] = ()) -> Workflow:
    """Return a scanned run's workflow with its costs; `previous_attempts` are that run's stored attempts."""
    return with_costs(run.workflow, run.streams, previous_attempts)


def with_costs(
    workflow: Workflow, streams: Sequence[StreamFacts], previous_attempts: Sequence[AgentRun] = ()
) -> Workflow:
    """Return the workflow with the costs of its streams and former attempts, priced at the run's start."""
    return with_claims(workflow, streams, previous_attempts)[0]


def with_claims(
    workflow: Workflow,
    streams: Sequence[StreamFacts],
    previous_attempts: Sequence[AgentRun] = (),
    elsewhere: Mapping[Attempt, Elsewhere] = NOTHING_ELSEWHERE,
    seen: Seen = NOTHING_SEEN,
) -> tuple[Workflow, list[Claim]]:
    """Return the workflow with its costs, and the claim of each stream: its own spending.

    `elsewhere` and `seen` are those of `compute_cost_and_claims`. A workflow without streams and former
    attempts is copied unchanged, with no claims.
    """
    if not streams and not previous_attempts:
        return dict(workflow), []
    priced_at = moment_in_utc(workflow.get("started_at") or workflow.get("created_at"))
    costs, claims = compute_cost_and_claims(streams, priced_at, previous_attempts, elsewhere, seen)
    return with_sums(workflow, costs, streams), claims


def with_sums(
    workflow: Workflow,
    costs: CostData,
    streams: Sequence[StreamFacts] = (),
    *,
    counted_elsewhere: Container[str] = (),
) -> Workflow:
    """Return the workflow with costs that are already summed.

    `counted_elsewhere` is that of `run_basis`. Changes the cost basis in `costs`, and without streams
    the price version: it stays that of the stored costs.
    """
    agents_without_stream = workflow.get("agents_without_stream") or ()
    costs["cost_basis"] = run_basis(
        costs["cost_basis"], costs["phase_costs"], agents_without_stream, counted_elsewhere
    )
    if not streams and workflow.get("price_version"):  # nothing was priced, only added up
        costs["price_version"] = workflow["price_version"]
    fields: dict[str, Any] = {name: costs.get(name) for name in COST_FIELDS}
    model = workflow.get("model_used") or _main_model(costs, streams)
    return {**workflow, **fields, "model_used": model, "cost_data": costs}


def calculate_cost_summary(workflows: Iterable[Workflow]) -> dict[str, Any]:
    """Return {total_cost, total_tokens, workflow_count, average_cost} of the workflows.

    Costs are in US dollars. The average covers runs with a known cost. A sum is None if no value is known.

    >>> calculate_cost_summary([{"total_cost": 0.1}, {"total_cost": 0.2}, {}])["average_cost"]
    0.15
    """
    rows = list(workflows)
    costs = [cost for row in rows if (cost := _usable_cost(row.get("total_cost"))) is not None]
    tokens = [row["total_tokens"] for row in rows if isinstance(row.get("total_tokens"), int)]
    total = sum(costs, Decimal(0)) if costs else None
    return {
        "total_cost": to_usd_float(total),
        "total_tokens": sum(tokens) if tokens else None,
        "workflow_count": len(rows),
        "average_cost": to_usd_float(total / len(costs)) if total is not None else None,
    }


def _read_streams(workflow_id: str) -> tuple[StreamFacts, ...]:
    run = read_one(scanner.agents_dir(), workflow_id, datetime.now(UTC)) if workflow_id else None
    return run.streams if run is not None else ()


def _main_model(costs: CostData, streams: Sequence[StreamFacts]) -> str | None:
    """Return the most expensive model, or if no cost is known, the first model that a stream names."""
    most_expensive = next((entry["model"] for entry in costs.get("models") or () if entry["model"]), None)
    return most_expensive or next((stream.model for stream in streams if stream.model), None)


def _usable_cost(value: Any) -> Decimal | None:
    is_usable = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12
    return to_decimal(value) if is_usable else None
