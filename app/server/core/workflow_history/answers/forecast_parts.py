"""Put forecasts into words of the answers: what was read off past runs in, typed figures out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..columns import UNKNOWN
from ..evidence import moment
from ..forecasting.chances import Chance
from ..forecasting.intervals import LEAST_RUNS, Read, read_bounds
from ..forecasting.past import Past
from ..forecasting.stages import Stage, in_phase, phases_of, stages_of
from ..forecasting.weights import Evidence
from ..proportions import significant
from ..store.history import History
from .forecast_shapes import Figure, PastRun, PhaseForecast, SuccessChance

DOLLAR, SECOND = 1_000_000_000, 1_000_000  # nanodollars, microseconds
_BEGINNING = 200  # characters of a request


def dollars(read: Read | None, why: str | None = None, plus: int = 0) -> Figure:
    """Return an amount of money; `plus`: nanodollars that are spent already."""
    return _figure(read, why, DOLLAR, plus)


def seconds(read: Read | None, why: str | None = None, plus: int = 0) -> Figure:
    """Return a length of time; `plus`: microseconds that are over already."""
    return _figure(read, why, SECOND, plus)


def _figure(read: Read | None, why: str | None, unit: int, plus: int) -> Figure:
    if read is None:
        return Figure(None, None, None, 0, 0, 0.0, why)
    if read.bounds is None or why is not None:
        why = why or _why_not(read)
        return Figure(None, None, None, read.runs, read.at_least, significant(read.worth), why)
    p10, median, p90 = ((amount + plus) / unit for amount in read.bounds)
    return Figure(median, p10, p90, read.runs, read.at_least, significant(read.worth), None)


def _why_not(read: Read) -> str:
    if not read.runs:
        return "no earlier run tells"
    if read.worth >= LEAST_RUNS:
        return "too many of the earlier runs are known only as at least so much"
    return _too_few(read.runs, read.worth)


def _too_few(runs: int, worth: float) -> str:
    few = "only 1 earlier run tells" if runs == 1 else f"{runs} earlier runs tell"
    return f"{few}, weighed as {worth:.1f}; {LEAST_RUNS:.0f} are needed for an interval"


def chance(found: Chance | None, why: str | None = None) -> SuccessChance:
    """Return a chance of success."""
    if found is None:
        return SuccessChance(None, None, None, 0, 0, 0.0, why)
    if found.share is None and why is None:
        why = _too_few(found.ended, found.worth) if found.ended else "no earlier run tells"
    return SuccessChance(
        significant(found.share),
        significant(found.low),
        significant(found.high),
        found.completed,
        found.ended,
        significant(found.worth),
        why,
    )


def stages_by_row(history: History, past: Past, evidence: Evidence) -> list[list[Stage]]:
    """Return the stages of the runs that count, in the order of the evidence."""
    keys = past.keys[evidence.rows].tolist()
    agents = history.stage_entries(keys)
    return [stages_of(agents.get(key, ())) for key in keys]


def phase_forecasts(history: History, past: Past, evidence: Evidence) -> tuple[PhaseForecast, ...]:
    """Return each phase that some of the runs went through."""
    runs = stages_by_row(history, past, evidence)
    told = np.array([bool(stages) for stages in runs])
    if not told.any():
        return ()
    whole = float(evidence.weights[told].sum())
    return tuple(_phase(runs, phase, evidence, whole) for phase in phases_of(runs))


def _phase(runs: Sequence[Sequence[Stage]], phase: str, evidence: Evidence, whole: float) -> PhaseForecast:
    through = np.array([any(stage.phase == phase for stage in stages) for stages in runs])
    cost, duration = in_phase([stages for stages, there in zip(runs, through, strict=True) if there], phase)
    weights = evidence.weights[through]
    return PhaseForecast(
        phase,
        significant(float(weights.sum()) / whole),
        int(np.count_nonzero(through)),
        dollars(read_bounds(cost.values, cost.exact, weights)),
        seconds(read_bounds(duration.values, duration.exact, weights)),
    )


def shown_runs(history: History, past: Past, evidence: Evidence, most: int) -> tuple[PastRun, ...]:
    """Return the runs that count most, of equal ones the latest."""
    order = np.lexsort((-evidence.rows, -evidence.weights))[:most]
    keys = past.keys[evidence.rows[order]].tolist()
    known = history.read(keys)
    return tuple(
        _past_run(past, evidence, place, known[key])
        for place, key in zip(order.tolist(), keys, strict=True)
        if key in known
    )


def _past_run(past: Past, evidence: Evidence, place: int, run: dict[str, Any]) -> PastRun:
    row = int(evidence.rows[place])
    cost, duration = int(past.cost.values[row]), int(past.duration.values[row])
    request = run.get("nl_input")
    return PastRun(
        run["id"],
        run.get("project") or "",
        significant(float(evidence.weights[place])),
        significant(float(evidence.alike[place])),
        run.get("status"),
        None if cost == UNKNOWN else cost / DOLLAR,
        cost != UNKNOWN and not bool(past.cost.exact[row]),
        None if duration == UNKNOWN else duration / SECOND,
        moment(run.get("created_at") or run.get("started_at")),
        run.get("workflow_template"),
        request[:_BEGINNING] if isinstance(request, str) else None,
    )
