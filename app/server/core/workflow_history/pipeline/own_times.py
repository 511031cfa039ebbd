"""Compute the times of a run's own work if its transcripts begin with another run's lines. Pure.

Each agent run has the start of its own work (`costs.accounting.message_claims`). The run's times are computed
from these if its streams date it. A state file, a log or the run's id always dates the run itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ..common.coercion import moment_in_utc
from ..common.models import DurationBasis, Workflow
from ..common.plausible_dates import MAX_DURATION
from ..common.spending import ANOTHER_RUN
from ..ingest.runs.run_times import CLOCK, FIRST_TO_LAST, SO_FAR


def is_counted_by_other_run(agent: Mapping[str, Any]) -> bool:
    """Return whether another run counts all spending of an agent run."""
    return bool(agent.get("duplicate_of")) and ANOTHER_RUN in str(agent["duplicate_of"])


def repeats_other_run(agent: Mapping[str, Any]) -> bool:
    """Return whether another run counts some of an agent run's messages."""
    return bool(agent.get("inherited")) or is_counted_by_other_run(agent)


def own_times(run: Workflow, agents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the time fields that change by the agent runs' own times: aware datetimes, and seconds.

    The result is empty if other sources date the run. A full copy keeps the times of its files.
    """
    if run.get("times_source") != CLOCK:
        return {}
    timed_agents = [agent for agent in agents if agent.get("timestamp") and not agent.get("superseded")]
    own_agents = [agent for agent in timed_agents if not is_counted_by_other_run(agent)] or timed_agents
    start = min(_parsed_times(own_agents, "timestamp"), default=None)
    end = max(_parsed_times(own_agents, "ended_at"), default=None)
    if start is None or end is None:
        return {}
    times: dict[str, Any] = {"created_at": start, "started_at": start}
    if moment_in_utc(run.get("completed_at")) in _parsed_times(
        timed_agents, "ended_at"
    ):  # not from a state or log
        times["completed_at"] = end
    return times | _duration_fields(run, start, end)


def _parsed_times(agents: Iterable[Mapping[str, Any]], name: str) -> list[datetime]:
    return [when for agent in agents if (when := moment_in_utc(agent.get(name))) is not None]


def _duration_fields(run: Workflow, start: datetime, end: datetime) -> dict[str, Any]:
    """Return the duration fields, in seconds, if the duration was computed from the start."""
    source, seconds = run.get("duration_source"), run.get("duration_seconds")
    started_before = moment_in_utc(run.get("started_at"))
    if source == SO_FAR and seconds is not None and started_before is not None:
        return {"duration_seconds": round(seconds + (started_before - start).total_seconds(), 3)}
    if source not in (None, FIRST_TO_LAST) or end - start > MAX_DURATION:
        return {}
    duration = round((end - start).total_seconds(), 3)
    basis = DurationBasis.LOWER_BOUND if run.get("agents_without_stream") else DurationBasis.REPORTED
    return {"duration_seconds": duration, "duration_basis": basis.value, "duration_source": FIRST_TO_LAST}
