"""Forecast a stored run for comparison with its actual values, and forecast its remaining work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from ... import database
from ...analysis.forecast.neighbour_weights import NOW, ForecastTarget
from ...analysis.forecast.past_runs import PastRuns, strip_slash
from ...analysis.forecast.remaining import RemainingWork, estimate_remaining, progress_of
from ...analysis.forecast.stages import Amount, current_segment, split_into_segments, totals_of
from ...common.coercion import coerce_number
from ...common.column_data import MISSING_INT
from ...common.errors import WorkflowNotFoundError
from ...common.models import RunStatus
from ...common.plausible_dates import MICROSECONDS, from_microseconds
from ...common.spending import run_cost, to_usd
from ...storage.history import History
from .conversion import (
    cost_estimate,
    duration_estimate,
    segments_by_row,
    to_success_chance,
)
from .new_task import DEFAULT_EXAMPLES, WeightedNeighbours, build_forecast, no_forecast, weighted_neighbours
from .past_runs import embed_request, load_past_runs
from .records import Estimate, Forecast, ForecastRequest, Remaining, RunForecast

__all__ = ["RunForecast", "forecast_remaining", "forecast_run"]

RUNNING_STATUSES: Final = frozenset({RunStatus.RUNNING, RunStatus.INCOMPLETE})
"""Statuses of runs that may continue."""


class _StoredRun(NamedTuple):
    """A stored run as the target of a forecast."""

    history: History
    past: PastRuns
    run: dict[str, Any]
    key: int
    place: int | None  # row in the past runs; None: the run has no date

    def filters(self) -> tuple[str | None, str | None, str | None]:
        values = (self.run.get("workflow_template"), self.run.get("issue_class"), self.run.get("project"))
        template, issue_class, project = ((name or "").strip() or None for name in values)
        return template, strip_slash(issue_class) if issue_class else None, project

    def neighbours_at(self, at: int) -> WeightedNeighbours:
        vector = embed_request(self.run.get("nl_input") or "")
        target = ForecastTarget(at, *self.filters(), self.key)
        return weighted_neighbours(self.history, self.past, target, vector)


def forecast_run(reference: str, *, examples: int = DEFAULT_EXAMPLES) -> RunForecast:
    """Forecast a stored run from the runs that ended before it began, and forecast its remaining work.

    Raises WorkflowNotFoundError or AmbiguousWorkflowError.
    """
    with database.open_if_exists() as history:
        if history is None:
            raise WorkflowNotFoundError(reference)
        ref = history.find(reference)
        run = dict(history.read([ref.key])[ref.key])
        past = load_past_runs(history)
        stored_run = _StoredRun(history, past, run, ref.key, past.row_of(ref.key))
        return _with_actual_values(stored_run, _forecast_at_start(stored_run, examples))


def forecast_remaining(
    history: History, keys: Sequence[int]
) -> list[tuple[dict[str, Any], Remaining | None]]:
    """Return runs with the forecast of their remaining work; None if the run has ended."""
    past, forecasts = load_past_runs(history), []
    for key, workflow in history.read(keys).items():
        run = dict(workflow)
        stored_run = _StoredRun(history, past, run, key, past.row_of(key))
        forecasts.append(
            (run, _forecast_remaining_work(stored_run) if run.get("status") in RUNNING_STATUSES else None)
        )
    return forecasts


def _forecast_at_start(stored_run: _StoredRun, examples: int) -> Forecast:
    """Compute the forecast as of the start of the run."""
    text, filters = stored_run.run.get("nl_input"), stored_run.filters()
    if stored_run.place is None:
        reason = "its start time is unknown, so earlier runs are unknown"
        return no_forecast(ForecastRequest(text, *filters, None), reason)
    started = int(stored_run.past.started[stored_run.place])
    request = ForecastRequest(text, *filters, from_microseconds(started))
    return build_forecast(
        stored_run.history, stored_run.past, request, stored_run.neighbours_at(started), examples
    )


def _with_actual_values(stored_run: _StoredRun, forecast: Forecast) -> RunForecast:
    run, is_unfinished = stored_run.run, stored_run.run.get("status") in RUNNING_STATUSES
    spent, at_least = _cost_so_far(stored_run)
    duration = coerce_number(run.get("duration_seconds"))
    return RunForecast(
        run["id"],
        run.get("project") or "",
        run.get("status"),
        spent,
        at_least,
        duration,
        _compare_with_interval(spent, forecast.cost, unfinished=is_unfinished or at_least),
        _compare_with_interval(duration, forecast.duration, unfinished=is_unfinished),
        forecast,
        _forecast_remaining_work(stored_run) if is_unfinished else None,
    )


def _cost_so_far(stored_run: _StoredRun) -> tuple[float | None, bool]:
    if stored_run.place is not None:
        value = int(stored_run.past.cost.values[stored_run.place])
        return (
            (None, False)
            if value == MISSING_INT
            else (to_usd(value), not stored_run.past.cost.is_exact[stored_run.place])
        )
    cost = run_cost(stored_run.run)
    return to_usd(cost.minimum), cost.minimum is not None and not cost.complete


def _compare_with_interval(amount: float | None, estimate: Estimate, *, unfinished: bool) -> str | None:
    """Compare an actual value with its interval; an unfinished one can only be above or unknown.

    Above an upper end that is a lower bound, it is unknown.
    """
    if amount is None or estimate.p10 is None or estimate.p90 is None:
        return None
    if amount > estimate.p90:
        return None if estimate.p90_is_lower_bound else "above"
    if unfinished:
        return None
    return "below" if amount < estimate.p10 else "within"


def _forecast_remaining_work(stored_run: _StoredRun) -> Remaining:
    """Forecast the remaining work of a run from all runs that have ended."""
    agents = stored_run.history.stage_entries([stored_run.key]).get(stored_run.key, [])
    segments = split_into_segments(agents)
    segment = current_segment(segments, stored_run.run.get("current_phase"))
    neighbours = stored_run.neighbours_at(NOW)
    reason = neighbours.missing_reason or ("no started agent run is known" if segment is None else None)
    cost, _ = totals_of(segments)
    elapsed = coerce_number(stored_run.run.get("duration_seconds"))
    if segment is None or reason is not None:
        return _unknown_remaining(segment[0] if segment else None, cost, elapsed, reason or "")
    evidence, past = neighbours.evidence, stored_run.past
    remaining = estimate_remaining(
        progress_of(segments, *segment, round((elapsed or 0.0) * MICROSECONDS)),
        segments_by_row(stored_run.history, past, evidence),
        (past.cost.is_exact[evidence.rows], past.duration.is_exact[evidence.rows]),
        (past.completed[evidence.rows], past.failed[evidence.rows]),
        evidence.weights,
    )
    return _to_remaining(segment[0], cost, elapsed, remaining)


def _to_remaining(phase: str, cost: Amount, elapsed: float | None, remaining: RemainingWork) -> Remaining:
    elapsed_us = round((elapsed or 0.0) * MICROSECONDS)
    spent = 0 if cost.value == MISSING_INT else cost.value
    return Remaining(
        phase,
        None if cost.value == MISSING_INT else to_usd(cost.value),
        not cost.exact,
        elapsed,
        cost_estimate(remaining.cost),
        duration_estimate(remaining.duration),
        cost_estimate(remaining.cost, offset=spent),
        duration_estimate(remaining.duration, offset=elapsed_us),
        to_success_chance(remaining.success),
        int(np.count_nonzero(remaining.reached)),
    )


def _unknown_remaining(phase: str | None, cost: Amount, elapsed: float | None, reason: str) -> Remaining:
    no_cost, no_duration = cost_estimate(None, reason), duration_estimate(None, reason)
    spent = None if cost.value == MISSING_INT else to_usd(cost.value)
    return Remaining(
        phase,
        spent,
        not cost.exact,
        elapsed,
        no_cost,
        no_duration,
        no_cost,
        no_duration,
        to_success_chance(None, reason),
        0,
    )
