"""Registry of explainable fields: look up and call the explainer of a field. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from ...common.errors import InvalidQueryError, list_names
from ...costs.accounting.money import TOKEN_FIELDS
from . import costs, related_runs, text_fields, times, tokens
from .context import ExplanationContext
from .records import Explanation

Explainer = Callable[[ExplanationContext], Explanation]

EXPLAINERS: Final[Mapping[str, Explainer]] = {
    "cost": costs.explain_cost,
    "total_cost": costs.explain_total_cost,
    "lower_bound_cost": costs.explain_lower_bound,
    "computed_cost": costs.explain_computed_cost,
    "cost_basis": costs.explain_cost_basis,
    "cost_disputed": costs.explain_cost_disputed,
    "cost_difference_percent": costs.explain_cost_difference,
    "retry_cost": costs.explain_retry_cost,
    "retry_count": costs.explain_retry_count,
    "unpriced_tokens": costs.explain_unpriced_tokens,
    "price_version": costs.explain_price_version,
    "total_tokens": tokens.explain_total_tokens,
    **{name: partial(tokens.explain_token_count, name=name) for name in TOKEN_FIELDS},
    "status": text_fields.explain_status,
    "nl_input": text_fields.explain_request,
    "model_used": text_fields.explain_model,
    **{name: partial(text_fields.explain_state_field, name=name) for name in text_fields.STATE_FIELD_NOTES},
    "created_at": partial(times.explain_timestamp, name="created_at"),
    "started_at": partial(times.explain_timestamp, name="started_at"),
    "completed_at": partial(times.explain_timestamp, name="completed_at"),
    "duration_seconds": times.explain_duration,
    "phase_durations": times.explain_phase_durations,
    "bottleneck_phase": times.explain_bottleneck,
    "idle_time_seconds": times.explain_idle_time,
    "nl_clarity_score": partial(related_runs.explain_score, name="nl_clarity_score"),
    "cost_efficiency_score": partial(related_runs.explain_score, name="cost_efficiency_score"),
    "performance_score": partial(related_runs.explain_score, name="performance_score"),
    "quality_score": partial(related_runs.explain_score, name="quality_score"),
    "similar_workflows": related_runs.explain_similar_runs,
    "pattern_count": related_runs.explain_patterns,
    **{name: partial(text_fields.explain_own_field, name=name) for name in text_fields.HISTORY_FIELD_NOTES},
}
"""Explainer functions by key of a run."""

ALIASES: Final[Mapping[str, str]] = {
    "cost_data": "cost",
    "phase_costs": "cost",
    "tokens": "total_tokens",
    "duration": "duration_seconds",
    "time": "duration_seconds",
    "when": "created_at",
    "request": "nl_input",
    "model": "model_used",
    "workflow": "workflow_template",
    "template": "workflow_template",
    "retries": "retry_count",
    "clarity": "nl_clarity_score",
    "cost_efficiency": "cost_efficiency_score",
    "performance": "performance_score",
    "quality": "quality_score",
    "similar": "similar_workflows",
    "patterns": "pattern_count",
    "prices": "price_version",
    "bottleneck": "bottleneck_phase",
    "idle": "idle_time_seconds",
    "request_clarity": "nl_clarity_score",
    "request_source": "nl_input_source",
    "recorded_cost": "total_cost",
    "cost_discrepancy": "cost_disputed",
    "cost_difference": "cost_difference_percent",
    "cache_write_tokens": "cache_creation_tokens",
    "5_minute_cache_write_tokens": "cache_creation_5m_tokens",
    "1_hour_cache_write_tokens": "cache_creation_1h_tokens",
    "created": "created_at",
    "started": "started_at",
    "completed": "completed_at",
    "idle_time": "idle_time_seconds",
    "longest_phase": "bottleneck_phase",
    "last_phase": "current_phase",
    "error": "error_message",
    "similar_runs": "similar_workflows",
}
"""Accepted short names of fields."""

_COMMON_NAMES: Final = ("cost", "status", "duration", "tokens", "retries", "quality", "performance")
"""Names that an error suggests; the others are keys of a run."""

MAIN_FIELDS: Final = (
    "status",
    "nl_input",
    "created_at",
    "duration_seconds",
    "cost",
    "lower_bound_cost",
    "computed_cost",
    "total_tokens",
    "retry_cost",
    "nl_clarity_score",
    "cost_efficiency_score",
    "performance_score",
    "quality_score",
    "similar_workflows",
)
"""Fields that are explained if no field is given."""


def explain_field(context: ExplanationContext, name: str | None = None) -> Explanation:
    """Return the explanation of a field, a phase or an agent, or by default of the whole run.

    Raises InvalidQueryError, which lists the valid names, if there is no such field.
    """
    if name is None:
        return _explain_main_fields(context)
    stripped_name = name.strip()
    key = stripped_name.lower().replace("-", "_").replace(" ", "_")
    if key in EXPLAINERS:
        return EXPLAINERS[key](context)
    for kind in ("phase", "agent"):
        members, silent_agents = (
            [agent for agent in agents if agent.get(kind) == stripped_name]
            for agents in (context.agents, context.silent_agents)
        )
        if members or silent_agents:
            return costs.explain_agents(context, f"{kind} {stripped_name}", members, silent_agents)
    if key in ALIASES:
        return EXPLAINERS[ALIASES[key]](context)
    if stripped_name in context.run:
        return text_fields.explain_extra_field(context, stripped_name)
    names = list_names([*_COMMON_NAMES, *_group_names(context)])
    raise InvalidQueryError(
        f'The run has no field, phase or agent "{name}". Use one of: {names}, or a key of show --json.'
    )


def explainable_names(context: ExplanationContext) -> list[str]:
    """Return all explainable names of a run: its fields, then its phases and agents."""
    extra_fields = [key for key in context.run if key not in EXPLAINERS and key not in ALIASES]
    return [*EXPLAINERS, *extra_fields, *_group_names(context)]


def _group_names(context: ExplanationContext) -> list[str]:
    """Return the phases and agents of a run."""
    members = (*context.agents, *context.silent_agents)
    names = (str(agent[kind]) for kind in ("phase", "agent") for agent in members if agent.get(kind))
    return list(dict.fromkeys(names))


def _explain_main_fields(context: ExplanationContext) -> Explanation:
    explanations = [EXPLAINERS[name](context) for name in MAIN_FIELDS]
    return context.explain_value(
        "run",
        "main values of the run, each with its rule; add a field, a phase or an agent for its components",
        value=context.run.get("status"),
        notes=tuple(
            note for explanation in explanations if explanation.field == "cost" for note in explanation.notes
        ),
        of=tuple(explanations),
    )
