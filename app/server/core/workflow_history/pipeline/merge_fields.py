"""Lay what the files say now over what the history knows: two workflow dicts in, one out. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..analytics import calculate_phase_metrics, score_parts
from ..common.coercion import moment_in_utc
from ..common.models import AgentRun, Workflow
from ..common.plausible_dates import is_plausible
from ..enrichment import COST_FIELDS
from ..ingest.runs.prompts import FIRST, FIRST_OWN

STATUS_FIELDS = ("status_reason", "error_message", "completed_at", "current_phase")
"""What belongs to a status: a new status brings its own, or none."""

_BY_A_FILE = ("the state ", "there is ", "its summary ")
"""How the reason of a status begins that a file says, and that nothing inferred replaces."""

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
"""What is known of a run's times together: a reported time is not given up for a file's."""

_BASIS_OF = dict.fromkeys(("duration_seconds", "duration_basis", "duration_source"), "duration_basis")

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
"""Fields that a merged workflow holds whole: what is None in them is unknown now, too."""

DERIVED_FIELDS = frozenset({
    "cost_data", "similar_workflows", "problems", "patterns", "pattern_count", "copy_of",
    "first_seen_at", "last_changed_at", "gone_at",
})  # fmt: skip
"""Fields of a stored workflow that other tables hold, or that the history writes by itself."""


def merge_run(stored: Workflow | None, new: Workflow, *, inferred: bool = False) -> Workflow:
    """Return what is known of a run now: unknown never hides what was known.

    A status brings its own reason and error along. Costs, where the files tell some, are complete in
    themselves: former attempts are in them. `inferred`: no file says the new status, so that it does not
    replace one that a file said.

    >>> merge_run({"nl_input": "Add x", "status": "failed", "error_message": "e"}, {"status": "completed"})
    {'nl_input': 'Add x', 'status': 'completed', 'error_message': None}
    """
    if stored is None:
        return dict(new)
    new = _without_what_was_lost(stored, new, inferred=inferred)
    known = {**stored, **{name: value for name, value in new.items() if value is not None}}
    if known.get("status") != stored.get("status"):
        known.update({name: new.get(name) for name in STATUS_FIELDS if name in known})
    if known.get("status") == "incomplete" and "completed_at" in known:
        known["completed_at"] = None  # an earlier version kept when its last agent was cut off
    if _says_another_request(stored, known):
        known["workflow_template"] = new.get("workflow_template")
    if new.get("cost_data") is not None:
        known.update({name: new.get(name) for name in COST_FIELDS})
    return known


def _says_another_request(stored: Workflow, known: Workflow) -> bool:
    """Return whether a run was called by what another one was asked: that names no workflow of its own."""
    before, now = (str(run.get("nl_input_source")).partition(": ") for run in (stored, known))
    return before[2] != now[2] and {before[2], now[2]} == {FIRST, FIRST_OWN} and before[0] == now[0]


def _without_what_was_lost(stored: Workflow, new: Workflow, *, inferred: bool) -> Workflow:
    """Return what the files say, less what they only say because something of them is gone or broken."""
    lost: set[str] = set()
    if stored.get("times_basis") == "reported" and new.get("times_basis") != "reported":
        lost.update(TIME_FIELDS)
    was_said = str(stored.get("status_reason")).startswith(_BY_A_FILE) and stored.get("status") != "running"
    tells_little = new.get("status") == "unknown" or (inferred and was_said)
    if tells_little and stored.get("status") != "unknown" and not _news(stored, new):
        lost.update(("status", *STATUS_FIELDS))
    return {name: value for name, value in new.items() if name not in lost}


def _news(stored: Workflow, new: Workflow) -> bool:
    """Return whether the files hold a stream that the history has not seen yet."""
    seen = {run.get("identity") for run in stored.get("phase_costs") or ()}
    read = (run for run in new.get("phase_costs") or () if run.get("format") != "unread")
    return any(run.get("identity") not in seen for run in read)


def heard_agents(stored: Workflow | None) -> frozenset[str]:
    """Return the agents of a stored run that left a stream, be it gone since."""
    streams = (stored or {}).get("phase_costs") or ()
    return frozenset(s["agent"] for s in streams if s.get("format") != "unread" and s.get("agent"))


def drop_file_times(stored: Workflow) -> Workflow:
    """Return a stored workflow without what was derived from its files' times: they are those of a copy."""
    of_files = ("derived", "lower_bound")
    derived = [name for name in TIME_FIELDS if stored.get(_BASIS_OF.get(name, "times_basis")) in of_files]
    return {**stored, **dict.fromkeys(derived)}


def without_impossible_times(stored: Workflow, now: datetime) -> Workflow:
    """Return a stored workflow without times at which no run was made: an earlier version kept them."""
    ends = ((name, moment_in_utc(stored.get(name))) for name in ("created_at", "started_at", "completed_at"))
    odd = [name for name, when in ends if when is not None and not is_plausible(when, now)]
    return {**stored, **dict.fromkeys(TIME_FIELDS if "created_at" in odd else odd)} if odd else stored


def add_scores(workflow: Workflow) -> Workflow:
    """Return the workflow with its phase metrics and its four scores, with the parts that explain them."""
    measured = {**workflow, **_phase_metrics(workflow)}
    parts = score_parts(measured)
    return {**measured, **{name: part["value"] for name, part in parts.items()}, "score_parts": parts}


def _phase_metrics(workflow: Workflow) -> dict[str, Any]:
    """Return a run's phase metrics; a phase of which only the state tells counts with its length."""
    costs = workflow.get("cost_data")
    if not costs:
        return {}
    told = workflow.get("phases_without_stream") or []
    return calculate_phase_metrics({**costs, "phase_costs": [*costs.get("phase_costs", ()), *told]})


def strip_derived(workflow: Workflow) -> Workflow:
    """Return the workflow without what is made at reading."""
    return {name: value for name, value in workflow.items() if name not in DERIVED_FIELDS}


def previous_attempts(stored: Workflow | None) -> list[AgentRun]:
    """Return the stored agent runs that came out of files: they count even when their files are gone."""
    return [run for run in (stored or {}).get("phase_costs") or () if run.get("path")]
