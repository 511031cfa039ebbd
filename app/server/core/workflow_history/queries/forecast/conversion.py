"""Convert estimates to result records: intervals and probabilities of past runs in, typed values out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...analysis.forecast.neighbour_weights import WeightedRuns
from ...analysis.forecast.past_runs import PastRuns
from ...analysis.forecast.prediction_intervals import (
    MIN_RUNS,
    IntervalEstimate,
    SuccessProbability,
    weighted_interval,
)
from ...analysis.forecast.stages import PhaseSegment, list_phases, split_into_segments, totals_in_phase
from ...common.coercion import parse_timestamp
from ...common.column_data import MISSING_INT
from ...common.formatting.numbers import pluralize
from ...common.plausible_dates import MICROSECONDS
from ...common.proportions import significant
from ...common.spending import NANODOLLARS, to_usd
from ...storage.history import History
from .records import ComparableRun, Estimate, PhaseForecast, SuccessChance

_MAX_REQUEST_CHARS = 200  # maximum number of characters of a request


def cost_estimate(interval: IntervalEstimate | None, reason: str | None = None, offset: int = 0) -> Estimate:
    """Build an estimate of a cost; `offset` are nanodollars that are already spent."""
    return _to_estimate(interval, reason, NANODOLLARS, offset)


def duration_estimate(
    interval: IntervalEstimate | None, reason: str | None = None, offset: int = 0
) -> Estimate:
    """Build an estimate of a duration; `offset` are microseconds that have already passed."""
    return _to_estimate(interval, reason, MICROSECONDS, offset)


def _to_estimate(interval: IntervalEstimate | None, reason: str | None, unit: int, offset: int) -> Estimate:
    if interval is None:
        return Estimate(None, None, None, 0, 0, 0.0, reason)
    minimum, maximum = (
        None if end is None else (end + offset) / unit for end in (interval.minimum, interval.maximum)
    )
    evidence_counts = (interval.runs, interval.lower_bounds, significant(interval.effective_sample_size))
    if interval.bounds is None or reason is not None:
        return Estimate(
            None, None, None, *evidence_counts, reason or _missing_reason(interval), minimum, maximum
        )
    p10, median, p90 = ((amount + offset) / unit for amount in interval.bounds)
    return Estimate(
        median,
        p10,
        p90,
        *evidence_counts,
        None,
        minimum,
        maximum,
        interval.median_is_lower_bound,
        interval.p90_is_lower_bound,
    )


def _missing_reason(interval: IntervalEstimate) -> str:
    if not interval.runs:
        return "no earlier run with a known value"
    return _too_few_reason(interval.runs, interval.effective_sample_size, interval.lower_bounds)


def _too_few_reason(runs: int, effective_n: float, at_least: int = 0) -> str:
    """Return the reason why some runs are too few.

    >>> _too_few_reason(6, 0.0, at_least=6)
    '6 earlier runs, all with only a lower bound; 9 are needed for an interval'
    >>> _too_few_reason(3, 2.5)
    '3 earlier runs, effective n 2.5; 9 are needed for an interval'
    """
    count_text = pluralize(runs, "earlier run")
    if at_least == runs:
        weight_text = ", all with only a lower bound" if runs > 1 else " with only a lower bound"
    else:
        bound_text = f", {at_least} of them with only a lower bound" if at_least else ""
        weight_text = f"{bound_text}, effective n {effective_n:.1f}"
    return f"{count_text}{weight_text}; {MIN_RUNS:.0f} are needed for an interval"


def to_success_chance(probability: SuccessProbability | None, reason: str | None = None) -> SuccessChance:
    """Build the record of a success probability."""
    if probability is None:
        return SuccessChance(None, None, None, 0, 0, 0.0, reason)
    if probability.probability is None and reason is None:
        reason = (
            _too_few_reason(probability.ended, probability.effective_sample_size)
            if probability.ended
            else "no earlier run completed or failed"
        )
    return SuccessChance(
        significant(probability.probability),
        significant(probability.low),
        significant(probability.high),
        probability.completed,
        probability.ended,
        significant(probability.effective_sample_size),
        reason,
    )


def segments_by_row(history: History, past: PastRuns, evidence: WeightedRuns) -> list[list[PhaseSegment]]:
    """Load the phase segments of the weighted runs, in the order of the evidence."""
    keys = past.keys[evidence.rows].tolist()
    agents = history.stage_entries(keys)
    return [split_into_segments(agents.get(key, ())) for key in keys]


def phase_forecasts(history: History, past: PastRuns, evidence: WeightedRuns) -> tuple[PhaseForecast, ...]:
    """Build a forecast for each phase of the weighted runs."""
    segments = segments_by_row(history, past, evidence)
    has_segments = np.array([bool(stages) for stages in segments])
    if not has_segments.any():
        return ()
    total_weight = float(evidence.weights[has_segments].sum())
    return tuple(_phase_forecast(segments, phase, evidence, total_weight) for phase in list_phases(segments))


def _phase_forecast(
    segments: Sequence[Sequence[PhaseSegment]], phase: str, evidence: WeightedRuns, total_weight: float
) -> PhaseForecast:
    has_phase = np.array([any(stage.phase == phase for stage in stages) for stages in segments])
    cost, duration = totals_in_phase(
        [stages for stages, is_included in zip(segments, has_phase, strict=True) if is_included], phase
    )
    weights = evidence.weights[has_phase]
    return PhaseForecast(
        phase,
        significant(float(weights.sum()) / total_weight),
        int(np.count_nonzero(has_phase)),
        cost_estimate(weighted_interval(cost.values, cost.is_exact, weights)),
        duration_estimate(weighted_interval(duration.values, duration.is_exact, weights)),
    )


def top_runs(
    history: History, past: PastRuns, evidence: WeightedRuns, most: int
) -> tuple[ComparableRun, ...]:
    """Return the runs with the highest weight, among equals the latest."""
    order = np.lexsort((-evidence.rows, -evidence.weights))[:most]
    keys = past.keys[evidence.rows[order]].tolist()
    known = history.read(keys)
    return tuple(
        _past_run(past, evidence, place, known[key])
        for place, key in zip(order.tolist(), keys, strict=True)
        if key in known
    )


def _past_run(past: PastRuns, evidence: WeightedRuns, place: int, run: dict[str, Any]) -> ComparableRun:
    row = int(evidence.rows[place])
    cost, duration = int(past.cost.values[row]), int(past.duration.values[row])
    request = run.get("nl_input")
    return ComparableRun(
        run["id"],
        run.get("project") or "",
        significant(float(evidence.weights[place])),
        significant(float(evidence.similarities[place])),
        run.get("status"),
        None if cost == MISSING_INT else to_usd(cost),
        cost != MISSING_INT and not bool(past.cost.is_exact[row]),
        None if duration == MISSING_INT else duration / MICROSECONDS,
        parse_timestamp(run.get("created_at") or run.get("started_at")),
        run.get("workflow_template"),
        request[:_MAX_REQUEST_CHARS] if isinstance(request, str) else None,
    )
