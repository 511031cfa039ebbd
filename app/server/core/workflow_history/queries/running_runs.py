"""Report the progress of running runs, with forecasts of the remaining cost and duration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from .. import database
from ..common.coercion import coerce_number, moment_in_utc
from ..common.errors import WorkflowNotFoundError
from ..common.field_docs import Doc
from ..common.filters import RunFilter
from ..common.models import RunStatus, TimeBasis
from ..common.shared_fields import RunId, RunProject, RunStatusOrNull, RunWorkflow
from ..common.spending import run_cost, to_usd
from .forecast.records import Remaining
from .forecast.stored_run import forecast_remaining

MAX_RUNS: Final = 20

_RUNNING_STATUS: Final = RunStatus.RUNNING


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Progress of one run, as of the last sync."""

    id: RunId
    project: RunProject
    status: RunStatusOrNull
    request: Annotated[str | None, Doc("request of the run; null: unknown")]
    template: RunWorkflow
    phase: Annotated[str | None, Doc("current phase; null: the run has not begun, or it is unknown")]
    started_at: Annotated[datetime | None, Doc("start of the run, ISO 8601, UTC; null: unknown")]
    started_derived: Annotated[bool | None, Doc("whether ids or file times gave the start; null: unknown")]
    elapsed_seconds: Annotated[
        float | None,
        Doc("time to the last write of a running run, else its duration, in seconds; null: unknown"),
    ]
    spent: Annotated[float | None, Doc("cost so far, USD; null: unknown")]
    spent_is_lower_bound: Annotated[bool, Doc("whether more may have been spent, always true while running")]
    tokens: Annotated[int | None, Doc("number of tokens so far, a lower bound; null: unknown")]
    flight: Annotated[Remaining | None, Doc("forecast of the remaining work; null: the run has ended")]


@dataclass(frozen=True, slots=True)
class RunningRuns:
    """The running runs."""

    at: Annotated[datetime, Doc("current time")]
    total: Annotated[int, Doc("number of running runs")]
    runs: Annotated[tuple[RunProgress, ...], Doc("the newest running runs")]


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
            raise WorkflowNotFoundError(reference)
        ((run, remaining),) = forecast_remaining(history, [history.find(reference).key])
        return _to_progress(run, remaining)


def _to_progress(run: Mapping[str, Any], remaining: Remaining | None) -> RunProgress:
    is_running = run.get("status") == _RUNNING_STATUS
    started = moment_in_utc(run.get("started_at") or run.get("created_at"))
    cost = run_cost(run)
    return RunProgress(
        run["id"],
        run.get("project") or "",
        run.get("status"),
        run.get("nl_input"),
        run.get("workflow_template"),
        remaining.phase if remaining is not None else run.get("current_phase"),
        started,
        None if started is None else run.get("times_basis") != TimeBasis.REPORTED,
        coerce_number(run.get("duration_seconds")),
        to_usd(cost.minimum),
        is_running or not cost.complete,
        run.get("total_tokens"),
        remaining,
    )
