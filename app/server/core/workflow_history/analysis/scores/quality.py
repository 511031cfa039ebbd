"""Quality score: rate a run by its status, agent outcomes, retries and tool errors.

More retries, errors or failed agent runs never raise the score. No text is searched for words of success.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...common.coercion import coerce_number, coerce_word, list_agent_runs, sum_floats
from ...common.formatting.numbers import pluralize
from ...common.models import RunStatus
from .base import Score, ScorePart, decay_curve, no_score, weighted_mean
from .constants import (
    AGENT_VALUES,
    ERROR_MESSAGE_FACTOR,
    HALF_RETRIES,
    HALF_TOOL_ERRORS,
    PRIOR_TOOL_CALLS,
    QUALITY_WEIGHTS,
    STATUS_VALUES,
)


def score(workflow: Mapping[str, Any]) -> Score:
    """Score the status (50%), the agent runs (20%), the retries (15%) and the tool errors (15%).

    None for running runs, and if neither the status nor any agent outcome is known.
    """
    if coerce_word(workflow.get("status")) == RunStatus.RUNNING:
        return no_score("the end of the run")
    outcome, agents = _outcome_part(workflow), _agents_part(workflow)
    if outcome is None and agents is None:
        return no_score("status", "agent outcomes")
    parts = {
        "status": outcome,
        "agent outcomes": agents,
        "retry_count": _retries_part(workflow),
        "tool calls": _tools_part(workflow),
    }
    missing = [name for name, part in parts.items() if part is None]
    without_stream = workflow.get("agents_without_stream")
    if isinstance(without_stream, (list, tuple)) and without_stream:
        missing.append(f"outcome of {pluralize(len(without_stream), 'agent')} without a transcript")
    return weighted_mean(parts.values(), missing=missing)


def _outcome_part(workflow: Mapping[str, Any]) -> ScorePart | None:
    """Score the end of the run; None if its status does not determine it."""
    status = coerce_word(workflow.get("status")) or ""
    if status not in STATUS_VALUES:
        return None
    has_error = coerce_word(workflow.get("error_message")) is not None
    return ScorePart(
        "outcome",
        QUALITY_WEIGHTS["outcome"],
        STATUS_VALUES[status] * (ERROR_MESSAGE_FACTOR if has_error else 1.0),
        {"status": status, "error_messages": int(has_error)},
        f"The run ended as {status}{' and reported an error' if has_error else ''}.",
    )


def _agents_part(workflow: Mapping[str, Any]) -> ScorePart | None:
    """Score the share of successful agent runs; superseded attempts count only as retries."""
    values = [
        value
        for entry in list_agent_runs(workflow)
        if entry.get("superseded") is not True and (value := _agent_value(entry)) is not None
    ]
    if not values:
        return None
    succeeded = sum_floats(values)
    return ScorePart(
        "agents",
        QUALITY_WEIGHTS["agents"],
        100.0 * succeeded / len(values),
        {"agents": len(values), "succeeded": succeeded},
        f"{succeeded:g} of {len(values)} agent runs succeeded; a cut-off one counts half.",
    )


def _agent_value(entry: Mapping[str, Any]) -> float | None:
    """Return the value of one agent run, 0 to 1: an error flag outweighs the outcome."""
    if entry.get("is_error") is True:
        return 0.0
    return AGENT_VALUES.get(coerce_word(entry.get("outcome")) or "")


def _retries_part(workflow: Mapping[str, Any]) -> ScorePart | None:
    count = coerce_number(workflow.get("retry_count"))
    if count is None:
        return None
    return ScorePart(
        "retries",
        QUALITY_WEIGHTS["retries"],
        decay_curve(count, HALF_RETRIES),
        {"retry_count": count},
        f"Retries: {count:g}; {HALF_RETRIES:g} would be 50.",
    )


def _tools_part(workflow: Mapping[str, Any]) -> ScorePart | None:
    """Score the rate of failed tool calls over the agent runs that report both counts."""
    entries = list_agent_runs(workflow)
    pairs = [
        (coerce_number(entry.get("tool_calls")), coerce_number(entry.get("tool_errors"))) for entry in entries
    ]
    known = [(calls, errors) for calls, errors in pairs if calls is not None and errors is not None]
    if not known:
        return None
    calls, errors = sum_floats(pair[0] for pair in known), sum_floats(pair[1] for pair in known)
    return ScorePart(
        "tools",
        QUALITY_WEIGHTS["tools"],
        decay_curve(errors / sum_floats([calls, PRIOR_TOOL_CALLS]), HALF_TOOL_ERRORS),
        {"tool_calls": calls, "tool_errors": errors},
        f"{errors:,.0f} of {calls:,.0f} tool calls failed; one in ten is about 50.",
    )
