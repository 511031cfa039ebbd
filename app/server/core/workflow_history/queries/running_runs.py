"""Report the progress of running runs, with forecasts of the remaining cost and duration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from .. import database
from ..common.coercion import coerce_number, moment_in_utc
from ..common.errors import WorkflowNotFoundError
from ..common.filters import RunFilter
from ..common.spending import run_spending
from .forecast.records import Remaining
from .forecast.stored_run import forecast_remaining

MAX_RUNS: Final = 20

_RUNNING_STATUS: Final = "running"


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Progress of one run, as of the last sync."""

    id: str  # id of the run
    project: str  # project of the run; empty: no project is named
    status: str | None  # status of the run
    request: str | None  # request of the run
    template: str | None  # name of the workflow
    phase: str | None  # current phase; null: the run has not begun, or it is unknown
    started_at: datetime | None  # start of the run
    started_derived: bool | None  # whether the start was derived from ids or file times; null: it is unknown
    elapsed_seconds: float | None  # time until the last write of a running run, else its duration, in seconds
    spent: float | None  # cost so far, US dollars
    spent_at_least: bool  # whether more may have been spent, always true while running
    tokens: int | None  # number of tokens so far, a lower bound
    flight: Remaining | None  # forecast of the remaining work; null: the run has ended


@dataclass(frozen=True, slots=True)
class RunningRuns:
    """The running runs."""

    at: datetime  # current time
    total: int  # number of running runs
    runs: tuple[RunProgress, ...]  # the newest running runs


def running_runs(now: datetime, *, most: int = MAX_RUNS) -> RunningRuns:
    """Return the running runs at a time, newest first."""
    with database.open_if_exists() as history:
        if history is None:
            return RunningRuns(now, 0, ())
        keys = history.matching_keys(RunFilter(status=(_RUNNING_STATUS,))).tolist()
        forecasts = forecast_remaining(history, keys[-most:][::-1]) if keys else []
        return RunningRuns(
            now, len(keys), tuple(_to_progress(run, remaining) for run, remaining in forecasts)
        )


def run_progress(reference: str) -> RunProgress:
    """Return the progress of one run; raise WorkflowNotFoundError or AmbiguousWorkflowError."""
    with database.open_if_exists() as history:
        if history is None:
            raise WorkflowNotFoundError(f"no run {reference!r}: there is no history yet; sync makes one")
        ((run, remaining),) = forecast_remaining(history, [history.find(reference).key])
        return _to_progress(run, remaining)


def _to_progress(run: Mapping[str, Any], remaining: Remaining | None) -> RunProgress:
    is_running = run.get("status") == _RUNNING_STATUS
    started = moment_in_utc(run.get("started_at") or run.get("created_at"))
    spent = run_spending(run)
    return RunProgress(
        run["id"],
        run.get("project") or "",
        run.get("status"),
        run.get("nl_input"),
        run.get("workflow_template"),
        remaining.phase if remaining is not None else run.get("current_phase"),
        started,
        None if started is None else run.get("times_basis") != "reported",
        coerce_number(run.get("duration_seconds")),
        None if spent.minimum is None else float(spent.minimum),
        is_running or spent.partial,
        run.get("total_tokens"),
        remaining,
    )
