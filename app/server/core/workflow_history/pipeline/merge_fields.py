"""Merge the current content of a run's files into its stored record: two workflow dicts in, one out. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..analytics import calculate_phase_metrics, score_parts
from ..common.coercion import moment_in_utc
from ..common.models import AgentRun, DurationBasis, RunStatus, StreamFormat, TimeBasis, Workflow
from ..common.plausible_dates import is_plausible
from ..enrichment import COST_FIELDS
from ..ingest.runs.prompts import FIRST, FIRST_OWN

STATUS_FIELDS = ("status_reason", "error_message", "completed_at", "current_phase")
"""Fields that belong to the status: a new status replaces all of them, also by None."""

_FILE_REASON_PREFIXES = ("the state ", "there is ", "its summary ")
"""Beginnings of status reasons that come from a file; an inferred status does not replace such a status."""

TIME_FIELDS = (
    "created_at",
    "started_at",
    "completed_at",
    "times_basis",
    "times_source",
    "utc_offset_minutes",
    "time_zone_known",
    "duration_seconds",
    "duration_basis",
    "duration_source",
)
"""Time fields of a run, replaced only together: file times do not replace reported times."""

_BASIS_FIELDS = dict.fromkeys(("duration_seconds", "duration_basis", "duration_source"), "duration_basis")

SCORE_FIELDS = (
    "nl_clarity_score",
    "cost_efficiency_score",
    "performance_score",
    "quality_score",
    "score_parts",
    "phase_durations",
    "bottleneck_phase",
    "idle_time_seconds",
)

REPLACED_FIELDS = ("workflow_template", *STATUS_FIELDS, *TIME_FIELDS, *SCORE_FIELDS, *COST_FIELDS)
"""Fields that a merged workflow always replaces in the history: None in them overwrites a stored value."""

DERIVED_FIELDS = frozenset({
    "cost_data", "similar_workflows", "problems", "patterns", "pattern_count", "copy_of",
    "first_seen_at", "last_changed_at", "missing_since",
})  # fmt: skip
"""Fields of a stored workflow that are in other tables or that the history sets itself."""


def merge_run(stored: Workflow | None, new: Workflow, *, inferred: bool = False) -> Workflow:
    """Merge a run's new values into its stored record; an unknown value never replaces a known one.

    A new status replaces the stored reason and error too. If the files have costs, these replace all stored
    costs, since they include superseded attempts. `inferred`: the new status comes from no file, so it does
    not replace a status that does.

    >>> merge_run({"nl_input": "Add x", "status": "failed", "error_message": "e"}, {"status": "completed"})
    {'nl_input': 'Add x', 'status': 'completed', 'error_message': None}
    """
    if stored is None:
        return dict(new)
    new = _drop_lost_values(stored, new, inferred=inferred)
    merged = {**stored, **{name: value for name, value in new.items() if value is not None}}
    if merged.get("status") != stored.get("status"):
        merged.update({name: new.get(name) for name in STATUS_FIELDS if name in merged})
    if merged.get("status") == RunStatus.INCOMPLETE and "completed_at" in merged:
        merged["completed_at"] = None  # an earlier version stored the time of the last interruption
    if _is_other_runs_request(stored, merged):
        merged["workflow_template"] = new.get("workflow_template")
    if new.get("cost_data") is not None:
        merged.update({name: new.get(name) for name in COST_FIELDS})
    return merged


def _is_other_runs_request(stored: Workflow, merged: Workflow) -> bool:
    """Return whether one request is another run's message, so that the stored workflow name may be wrong."""
    file_before, _, rule_before = str(stored.get("nl_input_source")).partition(": ")
    file_now, _, rule_now = str(merged.get("nl_input_source")).partition(": ")
    return (
        file_before == file_now and rule_before != rule_now and {rule_before, rule_now} == {FIRST, FIRST_OWN}
    )


def _drop_lost_values(stored: Workflow, new: Workflow, *, inferred: bool) -> Workflow:
    """Return the new values without those that only result from missing or broken files."""
    lost_fields: set[str] = set()
    if stored.get("times_basis") == TimeBasis.REPORTED and new.get("times_basis") != TimeBasis.REPORTED:
        lost_fields.update(TIME_FIELDS)
    is_from_file = (
        str(stored.get("status_reason")).startswith(_FILE_REASON_PREFIXES)
        and stored.get("status") != RunStatus.RUNNING
    )
    is_uninformative = new.get("status") == RunStatus.UNKNOWN or (inferred and is_from_file)
    if is_uninformative and stored.get("status") != RunStatus.UNKNOWN and not _has_new_stream(stored, new):
        lost_fields.update(("status", *STATUS_FIELDS))
    return {name: value for name, value in new.items() if name not in lost_fields}


def _has_new_stream(stored: Workflow, new: Workflow) -> bool:
    """Return whether the files have a stream that is not stored yet."""
    stored_identities = {run.get("identity") for run in stored.get("phase_costs") or ()}
    read_agent_runs = (
        run for run in new.get("phase_costs") or () if run.get("format") != StreamFormat.UNREAD
    )
    return any(run.get("identity") not in stored_identities for run in read_agent_runs)


def agents_with_stream(stored: Workflow | None) -> frozenset[str]:
    """Return the agents of a stored run that had a stream, even if its file is missing now."""
    agent_runs = (stored or {}).get("phase_costs") or ()
    return frozenset(
        run["agent"] for run in agent_runs if run.get("format") != StreamFormat.UNREAD and run.get("agent")
    )


def drop_file_times(stored: Workflow) -> Workflow:
    """Return a stored workflow without times derived from file times, which are those of a copy."""
    file_bases = (DurationBasis.DERIVED, DurationBasis.LOWER_BOUND)
    derived_fields = [
        name for name in TIME_FIELDS if stored.get(_BASIS_FIELDS.get(name, "times_basis")) in file_bases
    ]
    return {**stored, **dict.fromkeys(derived_fields)}


def drop_implausible_times(stored: Workflow, now: datetime) -> Workflow:
    """Return a stored workflow without implausible times, which an earlier version stored."""
    times = ((name, moment_in_utc(stored.get(name))) for name in ("created_at", "started_at", "completed_at"))
    implausible = [name for name, when in times if when is not None and not is_plausible(when, now)]
    if not implausible:
        return stored
    return {**stored, **dict.fromkeys(TIME_FIELDS if "created_at" in implausible else implausible)}


def add_scores(workflow: Workflow) -> Workflow:
    """Return the workflow with its phase metrics, its four scores and their components."""
    measured = {**workflow, **_phase_metrics(workflow)}
    parts = score_parts(measured)
    return {**measured, **{name: part["value"] for name, part in parts.items()}, "score_parts": parts}


def _phase_metrics(workflow: Workflow) -> dict[str, Any]:
    """Return a run's phase metrics; phases known only from the state file count with their duration."""
    costs = workflow.get("cost_data")
    if not costs:
        return {}
    phases_in_state = workflow.get("phases_without_stream") or []
    return calculate_phase_metrics(
        {**costs, "phase_costs": [*costs.get("phase_costs", ()), *phases_in_state]}
    )


def strip_derived(workflow: Workflow) -> Workflow:
    """Return the workflow without the fields that are not stored with it (`DERIVED_FIELDS`)."""
    return {name: value for name, value in workflow.items() if name not in DERIVED_FIELDS}


def previous_attempts(stored: Workflow | None) -> list[AgentRun]:
    """Return the stored agent runs that were read from files; they count even if the files are missing."""
    return [run for run in (stored or {}).get("phase_costs") or () if run.get("path")]
