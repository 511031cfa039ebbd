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
    "adw_id": "id in the state file; the directory name is the key of the run",
    "issue_number": "from the state file",
    "issue_class": "from the state file, else the answer of the run's classifier",
    "workflow_template": "from the state file, else the log's directory, else the name in the request",
    "branch_name": "from the state file",
    "pull_request": "from the state file, else the last one that the session links, else the last one whose "
    "address an agent that ships answered",
    "pull_request_url": "from the same source as pull_request",
    "plan_file": "from the state file",
    "current_phase": "from the state file, else the phase of the agent that came furthest",
    "error_message": "error in the state file, last line of the error log, or answer of the failed agent",
}
"""Rules for the fields from the state file, with their fallbacks."""

HISTORY_FIELD_NOTES = {
    "id": "name of the run's directory",
    "project": "directory that contains the agents directory, unless sync --project set another name",
    "agents_dir": "agents directory in which the run was found",
    "source_state": "present: its files existed at the last sync; missing: the run is in the history only",
    "missing_since": "time of the first sync that found its files missing",
    "first_seen_at": "time at which this history first stored the run",
    "last_changed_at": "time at which this history last wrote the run",
    "utc_offset_minutes": "from a time with an offset, an epoch in the run's id, or the files' times",
    "time_zone_known": "whether the time zone is known; otherwise the times are taken as UTC",
    "times_basis": "reported: written in the files; derived: from file times",
    "times_source": "source of the run's start time",
    "duration_basis": "reported: written in the files; derived: from file times or agent runs; "
    "lower_bound: the time of an agent run may be missing",
    "duration_source": "source of the duration",
    "nl_input_source": "first source that contains the request; explain nl_input lists them in order",
    "status_reason": "rule that gave the status, and its source",
    "agents_without_stream": "agents with a prompt but no transcript: their cost is unknown",
    "phases_without_stream": "phases that are done according to the state file, without a transcript",
    "score_parts": "components of each score; explain a score to see them",
}
"""Rules for the fields that the history itself sets."""


def explain_status(context: ExplanationContext) -> Explanation:
    """Explain the status of the run and the reason for it."""
    reason = context.run.get("status_reason")
    return context.explain_value(
        "status",
        "first match: state file, failed agent run, agent run without a result, completion; else unknown",
        docs=DOCS,
        inputs={"status_reason": reason, "error_message": context.run.get("error_message")},
        sources=_reason_sources(context, reason),
        parts=tuple(
            Component(
                agent_name(agent),
                agent.get("outcome"),
                adds=False,
                rule="outcome, from the end of its transcript",
            )
            for agent in context.agents
        ),
        why_unknown=None if context.run.get("status") else "the run was stored without a status",
    )


def explain_request(context: ExplanationContext) -> Explanation:
    """Explain the source of the request."""
    source = context.run.get("nl_input_source")
    return context.explain_value(
        "nl_input",
        "first source that contains a request: state file, summary, prompt of the classifier or the planner, "
        "log, branch name",
        docs=DOCS,
        inputs={"nl_input_source": source},
        sources=source_file(context, source),
        why_unknown=None if context.run.get("nl_input") else "none of these sources contains a request",
    )


def explain_model(context: ExplanationContext) -> Explanation:
    """Explain the run's main model."""
    entries = (context.run.get("cost_data") or {}).get("models") or ()
    parts = tuple(
        Component(
            str(entry.get("model") or "unknown"),
            entry.get("cost"),
            adds=False,
            rule="total cost of the model, USD",
        )
        for entry in entries
    )
    return context.explain_value(
        "model_used",
        "from the state file, else the model with the highest cost, else the model in the first transcript",
        docs="docs/costs.md",
        parts=parts,
        why_unknown=None
        if context.run.get("model_used")
        else "neither the state file nor a transcript names a model",
    )


def explain_state_field(context: ExplanationContext, name: str) -> Explanation:
    """Explain a field from the state file."""
    reason = (
        None
        if context.run.get(name) is not None
        else "neither the state file nor the other sources contain it"
    )
    return context.explain_value(
        name,
        STATE_FIELD_NOTES[name],
        docs=DOCS,
        sources=(context.source("adw_state.json", None, "the state file"),),
        why_unknown=reason,
    )


def explain_own_field(context: ExplanationContext, name: str) -> Explanation:
    """Explain a field that the history itself sets."""
    reason = None if context.run.get(name) is not None else "it does not apply, or no source contains it"
    return context.explain_value(
        name, HISTORY_FIELD_NOTES[name], docs="docs/database-schema.md", why_unknown=reason
    )


def explain_extra_field(context: ExplanationContext, name: str) -> Explanation:
    """Explain a key that this program does not define: it was stored as given."""
    return context.explain_value(
        name,
        "stored unchanged, from the state file or the program that stored the run",
        docs="docs/database-schema.md",
        sources=(context.source("adw_state.json", None, f"its {name.removeprefix('state_')}"),),
        why_unknown=None if context.run.get(name) is not None else "it was stored without a value",
    )


def _reason_sources(context: ExplanationContext, reason: object) -> tuple[Source, ...]:
    """Return the files that a status reason names."""
    if not isinstance(reason, str):
        return ()
    if reason.startswith("the state"):
        return (context.source("adw_state.json", None, "the state file"),)
    match = _FILE_IN_REASON.search(reason)
    path = next((group for group in match.groups() if group), None) if match else None
    if path is None:
        return ()
    line = next((agent.get("line") for agent in context.agents if agent.get("path") == path), None)
    return (context.source(path, line, "source of the status"),)
