"""Forecast a stored run for comparison with its actual values, and forecast its remaining work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

import numpy as np

from ... import database
from ...analysis.forecast.neighbour_weights import NOW, ForecastTarget
from ...analysis.forecast.past_runs import EPOCH, Past, strip_slash
from ...analysis.forecast.remaining import RemainingWork, estimate_remaining, progress_of
from ...analysis.forecast.stages import Amount, current_segment, split_into_segments, totals_of
from ...common.coercion import coerce_number
from ...common.column_data import MISSING_INT
from ...common.errors import WorkflowNotFoundError
from ...storage.history import History
from .conversion import NANODOLLARS, SECOND, cost_figure, duration_figure, segments_by_row, success_chance
from .new_task import DEFAULT_EXAMPLES, WeightedNeighbours, build_forecast, no_forecast, weighted_neighbours
from .past_runs import embed_request, load_past_runs
from .records import Estimate, Forecast, ForecastRequest, Remaining, RunForecast

__all__ = ["RunForecast", "forecast_remaining", "forecast_run"]

RUNNING_STATUSES: Final = frozenset({"running", "incomplete"})
"""Statuses of runs that may continue."""


class _Asker(NamedTuple):
    """A stored run as the target of a forecast."""

    history: History
    past: Past
    run: dict[str, Any]
    key: int
    place: int | None  # row in the past runs; None: the run has no date

    def question(self, at: int) -> ForecastTarget:
        template, issue_class, project = self.words()
        return ForecastTarget(at, template, issue_class, project, self.key)

    def words(self) -> tuple[str | None, str | None, str | None]:
        names = (self.run.get("workflow_template"), self.run.get("issue_class"), self.run.get("project"))
        template, issue_class, project = ((name or "").strip() or None for name in names)
        return template, strip_slash(issue_class) if issue_class else None, project

    def weighed(self, at: int) -> WeightedNeighbours:
        vector = embed_request(self.run.get("nl_input") or "")
        return weighted_neighbours(self.history, self.past, self.question(at), vector)


def forecast_run(reference: str, *, shown: int = DEFAULT_EXAMPLES) -> RunForecast:
    """Forecast a stored run from the runs that ended before it began, and forecast its remaining work.

    Raises WorkflowNotFoundError or AmbiguousWorkflowError.
    """
    with database.open_if_exists() as history:
        if history is None:
            raise WorkflowNotFoundError(f"no run {reference!r}: there is no history yet; sync makes one")
        found = history.find(reference)
        run = dict(history.read([found.key])[found.key])
        past = load_past_runs(history)
        asker = _Asker(history, past, run, found.key, past.row_of(found.key))
        return _beside(asker, _before(asker, shown))


def forecast_remaining(
    history: History, keys: Sequence[int]
) -> list[tuple[dict[str, Any], Remaining | None]]:
    """Return runs with the forecast of their remaining work; None if the run has ended."""
    past, found = load_past_runs(history), []
    for key, workflow in history.read(keys).items():
        run = dict(workflow)
        asker = _Asker(history, past, run, key, past.row_of(key))
        found.append((run, _flight(asker) if run.get("status") in RUNNING_STATUSES else None))
    return found


def _before(asker: _Asker, shown: int) -> Forecast:
    """Compute the forecast as of the start of the run."""
    text, words = asker.run.get("nl_input"), asker.words()
    if asker.place is None:
        why = "nothing tells when it began, and so which runs were before it"
        return no_forecast(ForecastRequest(text, *words, None), why)
    began = int(asker.past.started[asker.place])
    asked = ForecastRequest(text, *words, EPOCH + timedelta(microseconds=began))
    return build_forecast(asker.history, asker.past, asked, asker.weighed(began), shown)


def _beside(asker: _Asker, before: Forecast) -> RunForecast:
    run, flying = asker.run, asker.run.get("status") in RUNNING_STATUSES
    spent, at_least = _spent(asker)
    lasted = coerce_number(run.get("duration_seconds"))
    return RunForecast(
        run["id"],
        run.get("project") or "",
        run.get("status"),
        spent,
        at_least,
        lasted,
        _came(spent, before.cost, unfinished=flying or at_least),
        _came(lasted, before.duration, unfinished=flying),
        before,
        _flight(asker) if flying else None,
    )


def _spent(asker: _Asker) -> tuple[float | None, bool]:
    if asker.place is not None:
        value = int(asker.past.cost.values[asker.place])
        return (
            (None, False)
            if value == MISSING_INT
            else (value / NANODOLLARS, not asker.past.cost.is_exact[asker.place])
        )
    known = [coerce_number(asker.run.get(key)) for key in ("total_cost", "lower_bound_cost")]
    there = [amount for amount in known if amount is not None]
    exact = asker.run.get("cost_basis") in ("reported", "computed") and known[1] is None
    return (sum(there), not exact) if there else (None, False)


def _came(amount: float | None, told: Estimate, *, unfinished: bool) -> str | None:
    """Compare an actual value with its interval; an unfinished one can only be above or unknown."""
    if amount is None or told.p10 is None or told.p90 is None:
        return None
    if amount > told.p90:
        return "above"
    if unfinished:
        return None
    return "below" if amount < told.p10 else "within"


def _flight(asker: _Asker) -> Remaining:
    """Forecast the remaining work of a run from all runs that have ended."""
    agents = asker.history.stage_entries([asker.key]).get(asker.key, [])
    own = split_into_segments(agents)
    stage = current_segment(own, asker.run.get("current_phase"))
    found = asker.weighed(NOW)
    why = found.why_not or ("it has not begun, as far as is known" if stage is None else None)
    cost, _ = totals_of(own)
    elapsed = coerce_number(asker.run.get("duration_seconds"))
    if stage is None or why is not None:
        return _silent(stage[0] if stage else None, cost, elapsed, why or "")
    evidence, past = found.evidence, asker.past
    rest = estimate_remaining(
        progress_of(own, *stage, round((elapsed or 0.0) * SECOND)),
        segments_by_row(asker.history, past, evidence),
        (past.cost.is_exact[evidence.rows], past.duration.is_exact[evidence.rows]),
        (past.completed[evidence.rows], past.failed[evidence.rows]),
        evidence.weights,
    )
    return _told(stage[0], cost, elapsed, rest)


def _told(phase: str, cost: Amount, elapsed: float | None, rest: RemainingWork) -> Remaining:
    gone = round((elapsed or 0.0) * SECOND)
    spent = 0 if cost.value == MISSING_INT else cost.value
    return Remaining(
        phase,
        None if cost.value == MISSING_INT else cost.value / NANODOLLARS,
        not cost.exact,
        elapsed,
        cost_figure(rest.cost),
        duration_figure(rest.duration),
        cost_figure(rest.cost, plus=spent),
        duration_figure(rest.duration, plus=gone),
        success_chance(rest.success),
        int(np.count_nonzero(rest.reached)),
    )


def _silent(phase: str | None, cost: Amount, elapsed: float | None, why: str) -> Remaining:
    money, time = cost_figure(None, why), duration_figure(None, why)
    spent = None if cost.value == MISSING_INT else cost.value / NANODOLLARS
    return Remaining(
        phase, spent, not cost.exact, elapsed, money, time, money, time, success_chance(None, why), 0
    )
