"""Convert estimates to result records: intervals and probabilities of past runs in, typed values out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...analysis.forecast.neighbour_weights import WeightedRuns
from ...analysis.forecast.past_runs import Past
from ...analysis.forecast.prediction_intervals import (
    MIN_RUNS,
    IntervalEstimate,
    SuccessProbability,
    weighted_interval,
)
from ...analysis.forecast.stages import PhaseSegment, phases_of, split_into_segments, totals_in_phase
from ...common.coercion import parse_timestamp
from ...common.column_data import MISSING_INT
from ...common.proportions import significant
from ...storage.history import History
from .records import ComparableRun, Estimate, PhaseForecast, SuccessChance

NANODOLLARS, SECOND = 1_000_000_000, 1_000_000  # nanodollars, microseconds
_BEGINNING = 200  # maximum number of characters of a request


def cost_figure(read: IntervalEstimate | None, why: str | None = None, plus: int = 0) -> Estimate:
    """Build an estimate of a cost; `plus` are nanodollars that are already spent."""
    return _figure(read, why, NANODOLLARS, plus)


def duration_figure(read: IntervalEstimate | None, why: str | None = None, plus: int = 0) -> Estimate:
    """Build an estimate of a duration; `plus` are microseconds that have already passed."""
    return _figure(read, why, SECOND, plus)


def _figure(read: IntervalEstimate | None, why: str | None, unit: int, plus: int) -> Estimate:
    if read is None:
        return Estimate(None, None, None, 0, 0, 0.0, why)
    least, most = (None if end is None else (end + plus) / unit for end in (read.minimum, read.maximum))
    rests = (read.runs, read.lower_bounds, significant(read.effective_sample_size))
    if read.bounds is None or why is not None:
        return Estimate(None, None, None, *rests, why or _why_not(read), least, most)
    p10, median, p90 = ((amount + plus) / unit for amount in read.bounds)
    return Estimate(median, p10, p90, *rests, None, least, most)


def _why_not(read: IntervalEstimate) -> str:
    if not read.runs:
        return "no earlier run tells"
    if read.effective_sample_size >= MIN_RUNS:
        return "too many of the earlier runs are known only as at least so much"
    return _too_few(read.runs, read.effective_sample_size, read.lower_bounds)


def _too_few(runs: int, worth: float, at_least: int = 0) -> str:
    """Return the reason why some runs are too few; lower bounds do not count as needed runs.

    >>> _too_few(6, 0.0, at_least=6)
    '6 earlier runs tell, but only at least how much; 9 are needed for an interval'
    >>> _too_few(3, 2.5)
    '3 earlier runs tell, weighed as 2.5; 9 are needed for an interval'
    """
    few = "only 1 earlier run tells" if runs == 1 else f"{runs} earlier runs tell"
    if at_least == runs:
        told = ", but only at least how much"
    else:
        but = f", {at_least} of them only at least how much; the others are" if at_least else ","
        told = f"{but} weighed as {worth:.1f}"
    return f"{few}{told}; {MIN_RUNS:.0f} are needed for an interval"


def success_chance(found: SuccessProbability | None, why: str | None = None) -> SuccessChance:
    """Build the record of a success probability."""
    if found is None:
        return SuccessChance(None, None, None, 0, 0, 0.0, why)
    if found.probability is None and why is None:
        why = _too_few(found.ended, found.effective_sample_size) if found.ended else "no earlier run tells"
    return SuccessChance(
        significant(found.probability),
        significant(found.low),
        significant(found.high),
        found.completed,
        found.ended,
        significant(found.effective_sample_size),
        why,
    )


def segments_by_row(history: History, past: Past, evidence: WeightedRuns) -> list[list[PhaseSegment]]:
    """Load the phase segments of the weighted runs, in the order of the evidence."""
    keys = past.keys[evidence.rows].tolist()
    agents = history.stage_entries(keys)
    return [split_into_segments(agents.get(key, ())) for key in keys]


def phase_forecasts(history: History, past: Past, evidence: WeightedRuns) -> tuple[PhaseForecast, ...]:
    """Build a forecast for each phase of the weighted runs."""
    runs = segments_by_row(history, past, evidence)
    told = np.array([bool(stages) for stages in runs])
    if not told.any():
        return ()
    whole = float(evidence.weights[told].sum())
    return tuple(_phase(runs, phase, evidence, whole) for phase in phases_of(runs))


def _phase(
    runs: Sequence[Sequence[PhaseSegment]], phase: str, evidence: WeightedRuns, whole: float
) -> PhaseForecast:
    through = np.array([any(stage.phase == phase for stage in stages) for stages in runs])
    cost, duration = totals_in_phase(
        [stages for stages, there in zip(runs, through, strict=True) if there], phase
    )
    weights = evidence.weights[through]
    return PhaseForecast(
        phase,
        significant(float(weights.sum()) / whole),
        int(np.count_nonzero(through)),
        cost_figure(weighted_interval(cost.values, cost.is_exact, weights)),
        duration_figure(weighted_interval(duration.values, duration.is_exact, weights)),
    )


def top_runs(history: History, past: Past, evidence: WeightedRuns, most: int) -> tuple[ComparableRun, ...]:
    """Return the runs with the highest weight, among equals the latest."""
    order = np.lexsort((-evidence.rows, -evidence.weights))[:most]
    keys = past.keys[evidence.rows[order]].tolist()
    known = history.read(keys)
    return tuple(
        _past_run(past, evidence, place, known[key])
        for place, key in zip(order.tolist(), keys, strict=True)
        if key in known
    )


def _past_run(past: Past, evidence: WeightedRuns, place: int, run: dict[str, Any]) -> ComparableRun:
    row = int(evidence.rows[place])
    cost, duration = int(past.cost.values[row]), int(past.duration.values[row])
    request = run.get("nl_input")
    return ComparableRun(
        run["id"],
        run.get("project") or "",
        significant(float(evidence.weights[place])),
        significant(float(evidence.similarities[place])),
        run.get("status"),
        None if cost == MISSING_INT else cost / NANODOLLARS,
        cost != MISSING_INT and not bool(past.cost.is_exact[row]),
        None if duration == MISSING_INT else duration / SECOND,
        parse_timestamp(run.get("created_at") or run.get("started_at")),
        run.get("workflow_template"),
        request[:_BEGINNING] if isinstance(request, str) else None,
    )
