"""What runs that go on are doing: the history and the time in, how far they are and what is to come out."""

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

_RUNNING: Final = "running"


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is, as of the last sync."""

    id: str
    project: str  # empty: none named
    status: str | None
    request: str | None  # what was asked for
    template: str | None
    phase: str | None  # that it is in; null: it has not begun, or nothing tells
    started_at: datetime | None
    started_derived: bool | None  # its start was read from ids or file stamps; null: it is unknown
    elapsed_seconds: float | None  # so far, at its last write; of a run that does not go on: how long it took
    spent: float | None  # US dollars so far
    spent_at_least: bool  # more may have been spent, at the latest since the last sync
    tokens: int | None  # so far, at least
    flight: Remaining | None  # what is still to come; null: it has ended


@dataclass(frozen=True, slots=True)
class RunningRuns:
    """The runs that go on."""

    at: datetime  # now
    total: int  # runs that go on
    runs: tuple[RunProgress, ...]  # the newest of them


def running_runs(now: datetime, *, most: int = MAX_RUNS) -> RunningRuns:
    """Return the runs that go on at a time, the newest first."""
    with database.open_if_exists() as history:
        if history is None:
            return RunningRuns(now, 0, ())
        keys = history.matching_keys(RunFilter(status=(_RUNNING,))).tolist()
        found = forecast_remaining(history, keys[-most:][::-1]) if keys else []
        return RunningRuns(now, len(keys), tuple(_progress(run, flight) for run, flight in found))


def run_progress(reference: str) -> RunProgress:
    """Return how far one run is; raises WorkflowNotFoundError or AmbiguousWorkflowError."""
    with database.open_if_exists() as history:
        if history is None:
            raise WorkflowNotFoundError(f"no run {reference!r}: there is no history yet; sync makes one")
        ((run, flight),) = forecast_remaining(history, [history.find(reference).key])
        return _progress(run, flight)


def _progress(run: Mapping[str, Any], flight: Remaining | None) -> RunProgress:
    goes_on = run.get("status") == _RUNNING
    started = moment_in_utc(run.get("started_at") or run.get("created_at"))
    spent = run_spending(run)
    return RunProgress(
        run["id"],
        run.get("project") or "",
        run.get("status"),
        run.get("nl_input"),
        run.get("workflow_template"),
        flight.phase if flight is not None else run.get("current_phase"),
        started,
        None if started is None else run.get("times_basis") != "reported",
        coerce_number(run.get("duration_seconds")),
        None if spent.minimum is None else float(spent.minimum),
        goes_on or spent.partial,
        run.get("total_tokens"),
        flight,
    )
