"""Explain text fields of a run: its status, its request and its names. Pure."""

from __future__ import annotations

import re

from .context import ExplanationContext, agent_name
from .records import Component, Explanation, Source
from .times import DOCS, source_file

_FILE_IN_REASON = re.compile(
    r"\(([^()\s]+\.(?:jsonl?|ndjson|log|txt|out))\)"
    r"|((?:\S+/)?execution\.log) (?:says|ends)|(?:log|failed|summary): (\S+)$"
)

STATE_FIELD_NOTES = {
    "adw_id": "the id that the state file gives; the folder's name is the run's key",
    "issue_number": "as the state file gives it",
    "issue_class": "as the state file gives it, else as the run's own classifier answered",
    "workflow_template": "as the state file gives it, else the log's folder, else as the request names it",
    "branch_name": "as the state file gives it",
    "plan_file": "as the state file gives it",
    "current_phase": "as the state file gives it, else the phase of the agent that came furthest",
    "error_message": "the state's error, the error log's last line, or the failed agent's answer",
}
"""Rules for the fields from the state file, with their fallbacks."""

HISTORY_FIELD_NOTES = {
    "id": "the name of the run's folder",
    "project": "the folder that holds the agents folder, unless the sync was told another name",
    "agents_dir": "the agents folder in which the run was found",
    "source_state": "present: its files were there at the last sync; gone: only this history knows the run",
    "gone_at": "when a sync first missed its files",
    "first_seen_at": "when this history first stored the run",
    "last_changed_at": "when this history last wrote the run",
    "utc_offset_minutes": "from a time with an offset, an epoch in the run's id, or the files' times",
    "time_zone_known": "whether the times' zone is known; otherwise they stand as if they were UTC",
    "times_basis": "reported: times stand in the files; derived: from file times",
    "times_source": "the place that the run's start was read from",
    "duration_basis": "reported: it stands in the files; derived: from file times or agents' own durations; "
    "lower_bound: an agent's work may not be in it",
    "duration_source": "what the duration was read from",
    "nl_input_source": "the first place that holds the request; explain nl_input names them in order",
    "status_reason": "the rule that told the status, and what it was read from",
    "agents_without_stream": "agents that were given a prompt and left no stream: what they spent is unknown",
    "phases_without_stream": "phases that the state says were done, and of which no stream is there",
    "score_parts": "what each score is made of; explain a score to see its parts",
}
"""Rules for the fields that the history itself sets."""


def explain_status(context: ExplanationContext) -> Explanation:
    """Explain the status of the run and the reason for it."""
    reason = context.run.get("status_reason")
    return context.explain_value(
        "status",
        "the first that speaks: the state, a failure, an agent without a result, a completion; else unknown",
        docs=DOCS,
        inputs={"status_reason": reason, "error_message": context.run.get("error_message")},
        sources=_reason_sources(context, reason),
        parts=tuple(
            Component(
                agent_name(agent),
                agent.get("outcome"),
                adds=False,
                rule="how its stream ends",
            )
            for agent in context.agents
        ),
        why_unknown=None if context.run.get("status") else "the history was given none",
    )


def explain_request(context: ExplanationContext) -> Explanation:
    """Explain the source of the request."""
    source = context.run.get("nl_input_source")
    return context.explain_value(
        "nl_input",
        "the first place that holds a request: state, summary, classifier's prompt, planner's prompt, log, "
        "words of the branch",
        docs=DOCS,
        inputs={"nl_input_source": source},
        sources=source_file(context, source),
        why_unknown=None if context.run.get("nl_input") else "none of these places holds a request",
    )


def explain_model(context: ExplanationContext) -> Explanation:
    """Explain the run's main model."""
    entries = (context.run.get("cost_data") or {}).get("models") or ()
    parts = tuple(
        Component(
            str(entry.get("model") or "unknown"),
            entry.get("cost"),
            adds=False,
            rule="cost of all its shares, USD",
        )
        for entry in entries
    )
    return context.explain_value(
        "model_used",
        "as the state file gives it, else the model that cost most, else the one that the first stream names",
        docs="docs/costs.md",
        parts=parts,
        why_unknown=None if context.run.get("model_used") else "no state and no stream names a model",
    )


def explain_state_field(context: ExplanationContext, name: str) -> Explanation:
    """Explain a field from the state file."""
    reason = (
        None
        if context.run.get(name) is not None
        else "neither the state file nor what stands in for it tells"
    )
    return context.explain_value(
        name,
        STATE_FIELD_NOTES[name],
        docs=DOCS,
        sources=(context.source("adw_state.json", None, "the state, where it tells"),),
        why_unknown=reason,
    )


def explain_own_field(context: ExplanationContext, name: str) -> Explanation:
    """Explain a field that the history itself sets."""
    reason = None if context.run.get(name) is not None else "it does not apply, or nothing told it"
    return context.explain_value(
        name, HISTORY_FIELD_NOTES[name], docs="docs/database-schema.md", why_unknown=reason
    )


def explain_extra_field(context: ExplanationContext, name: str) -> Explanation:
    """Explain a key that this program does not define: it was stored as given."""
    return context.explain_value(
        name,
        "kept as the state file, or whoever stored the run, gave it",
        docs="docs/database-schema.md",
        sources=(context.source("adw_state.json", None, f"its {name.removeprefix('state_')}"),),
        why_unknown=None if context.run.get(name) is not None else "it was given without a value",
    )


def _reason_sources(context: ExplanationContext, reason: object) -> tuple[Source, ...]:
    """Return the files that a status reason names."""
    if not isinstance(reason, str):
        return ()
    if reason.startswith("the state"):
        return (context.source("adw_state.json", None, "the state"),)
    match = _FILE_IN_REASON.search(reason)
    path = next((group for group in match.groups() if group), None) if match else None
    if path is None:
        return ()
    line = next((agent.get("line") for agent in context.agents if agent.get("path") == path), None)
    return (context.source(path, line, "what the status was read from"),)
