"""Forecast the cost, duration and success probability of a new run: a request in, a forecast out.

Every value is based on past runs, which are listed. If they are too few, a reason replaces the value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import numpy as np

from ... import database
from ...analysis.forecast.backtest import estimate, has_no_comparable_runs
from ...analysis.forecast.neighbour_weights import (
    ENOUGH_NEIGHBOURS,
    MIN_NEIGHBOUR_SIMILARITY,
    MIN_SIMILARITY,
    NOW,
    ForecastTarget,
    WeightedRuns,
    cosine_similarity,
    ended_before,
    select_candidates,
    weigh_neighbours,
)
from ...analysis.forecast.past_runs import KINDS, SCRIPTED, Kind, PastRuns, Vectors, strip_slash
from ...analysis.forecast.prediction_intervals import MIN_RUNS, effective_sample_size, weighted_interval
from ...common.column_data import MISSING_INT
from ...common.errors import InvalidQueryError, InvalidValueError
from ...common.filters import RunFilter
from ...common.formatting.numbers import pluralize
from ...common.plausible_dates import to_microseconds
from ...common.proportions import significant
from ...storage.history import History
from ..check_names import validate_filter_names
from .conversion import cost_estimate, duration_estimate, phase_forecasts, to_success_chance, top_runs
from .past_runs import embed_request, load_past_runs, load_text_vectors
from .records import Basis, Estimate, Forecast, ForecastRequest, LeftOutKind

__all__ = ["Forecast", "forecast"]

DEFAULT_EXAMPLES: Final = 10
"""Default number of comparable runs listed in a forecast."""

NO_RUNS = "the history has no runs yet"

NO_OUTCOMES = "nothing shows whether the work of a session succeeded"

_KIND_NAMES: Final[dict[Kind, tuple[str, str]]] = {
    "scripted": ("run of a workflow", "runs of workflows"),
    "interactive": ("interactive session", "interactive sessions"),
    "headless": ("headless session", "headless sessions"),
}
"""Name of one run of each kind, and of several."""


@dataclass(frozen=True, slots=True)
class WeightedNeighbours:
    """A forecast target with its weighted comparable runs."""

    target: ForecastTarget
    evidence: WeightedRuns
    missing_reason: str | None  # reason why no forecast is possible; None: it is possible
    limitations: tuple[str, ...]  # one sentence each


def forecast(
    text: str | None = None,
    template: str | None = None,
    issue_class: str | None = None,
    project: str | None = None,
    *,
    before: datetime | None = None,
    examples: int = DEFAULT_EXAMPLES,
) -> Forecast:
    """Forecast a new run from its request, its workflow or both.

    `before` restricts the past runs to those that had ended by then. Raises InvalidQueryError, also for a
    workflow or an issue class that no run has; a project may be new.
    """
    text, template, issue_class, project = _check_request(text, template, issue_class, project)
    request = ForecastRequest(text, template, issue_class, project, before)
    if before is not None and before.tzinfo is None:
        raise InvalidValueError("before", before, "Use a datetime with a time zone.")
    with database.open_if_exists() as history:
        if history is None:
            return no_forecast(request, NO_RUNS)
        past = load_past_runs(history)
        request = replace(request, template=_full_template(past, template))
        run_filter = RunFilter(template=_as_filter(request.template), issue_class=_as_filter(issue_class))
        validate_filter_names(history, run_filter, found=False)
        at = NOW if before is None else to_microseconds(before)
        target = ForecastTarget(at, request.template, request.issue_class, request.project)
        neighbours = _neighbours_of_one_kind(history, past, target, embed_request(text or ""))
        left_out = _left_out_kinds(past, neighbours.target)
        result = build_forecast(history, past, request, neighbours, examples)
        return replace(result, left_out=left_out, weak=(*result.weak, *_kind_limitations(result, left_out)))


def _neighbours_of_one_kind(
    history: History, past: PastRuns, target: ForecastTarget, vector: Vectors
) -> WeightedNeighbours:
    """Weight the runs of the target's workflow, or else of one kind.

    These are the runs of workflows if enough of them are comparable, else the kind with most comparable runs.
    """
    if target.template is not None:
        return weighted_neighbours(history, past, target, vector)
    found = []
    for kind in KINDS:
        neighbours = weighted_neighbours(history, past, replace(target, default_kind=kind), vector)
        if kind == SCRIPTED and _is_enough(neighbours):
            return neighbours
        found.append(neighbours)
    return max(found, key=lambda one: (_is_enough(one), one.evidence.neighbours, len(one.evidence.rows)))


def _is_enough(neighbours: WeightedNeighbours) -> bool:
    sample_size = effective_sample_size(neighbours.evidence.weights)
    return neighbours.missing_reason is None and sample_size >= MIN_RUNS


def _left_out_kinds(past: PastRuns, target: ForecastTarget) -> tuple[LeftOutKind, ...]:
    """Count the earlier runs of the other kinds, if the target has no workflow."""
    if target.template is not None:
        return ()
    before = ended_before(past, target.at)
    counts = ((kind, int(np.count_nonzero(before & past.is_kind(kind)))) for kind in KINDS)
    return tuple(LeftOutKind(kind, runs) for kind, runs in counts if runs and kind != target.kind)


def _kind_limitations(forecast: Forecast, left_out: tuple[LeftOutKind, ...]) -> list[str]:
    if forecast.kind is None or not left_out:
        return []
    _, used = _KIND_NAMES[forecast.kind]
    counts = " and ".join(pluralize(other.runs, *_KIND_NAMES[other.kind]) for other in left_out)
    example = next((f", such as {other.kind}" for other in left_out if other.kind != SCRIPTED), "")
    return [f"Only {used} are used, not {counts}; specify a workflow to use others{example}."]


def weighted_neighbours(
    history: History, past: PastRuns, target: ForecastTarget, vector: Vectors
) -> WeightedNeighbours:
    """Weight the past runs for a target; `vector` is the vector of its request, zero if there is none."""
    rows = select_candidates(past, target)
    text_vectors = load_text_vectors(history, past, rows)
    similarities = cosine_similarity(vector, text_vectors.vectors)[0].astype(np.float64)
    evidence = weigh_neighbours(past, target, rows, similarities)
    limitations = _undated_limitations(past, target)
    if text_vectors.missing:
        limitations.append(f"{text_vectors.missing:,} runs have no text index yet; the next sync adds it")
    return WeightedNeighbours(target, evidence, _missing_reason(past, target, evidence), tuple(limitations))


def _undated_limitations(past: PastRuns, target: ForecastTarget) -> list[str]:
    """Describe the treatment of runs without a plausible date; a forecast for now counts them as oldest."""
    treatment = "count as the oldest" if target.at == NOW else "are left out: their order is unknown"
    kinds = (
        ("without a date", past.undated),
        ("with an invalid timestamp", past.invalid_timestamps),
    )
    return [f"{count:,} stored runs {kind} {treatment}" for kind, count in kinds if count]


def build_forecast(
    history: History, past: PastRuns, request: ForecastRequest, neighbours: WeightedNeighbours, examples: int
) -> Forecast:
    """Build the forecast from the weighted runs."""
    if neighbours.missing_reason is not None:
        return _forecast_without_estimates(history, past, request, neighbours, examples)
    evidence = neighbours.evidence
    intervals = estimate(past, neighbours.target, evidence)
    cost, duration, success = cost_estimate(intervals[0]), duration_estimate(intervals[1]), intervals[2]
    is_session = neighbours.target.kind != SCRIPTED
    return Forecast(
        request,
        cost,
        duration,
        to_success_chance(success, NO_OUTCOMES if is_session and not success.ended else None),
        phase_forecasts(history, past, evidence),
        top_runs(history, past, evidence, examples),
        len(evidence.rows),
        _basis_of(evidence),
        significant(evidence.neighbours),
        (*_limitations(past, request, evidence, cost), *neighbours.limitations),
        neighbours.target.kind,
    )


def _forecast_without_estimates(
    history: History, past: PastRuns, request: ForecastRequest, neighbours: WeightedNeighbours, examples: int
) -> Forecast:
    """Build a forecast without estimates, but with the range of the few runs with a similar request."""
    reason = neighbours.missing_reason or ""
    empty = no_forecast(request, reason, neighbours.limitations)
    if len(past):
        empty = replace(empty, kind=neighbours.target.kind)
    is_similar = neighbours.evidence.similarities > MIN_SIMILARITY
    if request.text is None or not is_similar.any():
        return empty
    evidence = neighbours.evidence
    similar = WeightedRuns(
        evidence.rows[is_similar],
        evidence.weights[is_similar],
        evidence.similarities[is_similar],
        evidence.neighbours,
    )
    cost, duration = (
        weighted_interval(amounts.values[similar.rows], amounts.is_exact[similar.rows], similar.weights)
        for amounts in (past.cost, past.duration)
    )
    return replace(
        empty,
        cost=cost_estimate(cost, reason),
        duration=duration_estimate(duration, reason),
        runs=top_runs(history, past, similar, examples),
        based_on=len(similar.rows),
        neighbours=significant(similar.neighbours),
    )


def _basis_of(evidence: WeightedRuns) -> Basis:
    """Return the kind of runs that the forecast uses: recent runs are added if few are similar."""
    if evidence.neighbours < MIN_NEIGHBOUR_SIMILARITY:
        return "latest"
    return "similar" if evidence.neighbours >= ENOUGH_NEIGHBOURS else "similar and latest"


def no_forecast(request: ForecastRequest, reason: str, limitations: tuple[str, ...] = ()) -> Forecast:
    """Build an empty forecast with the reason."""
    no_estimate, no_chance = cost_estimate(None, reason), to_success_chance(None, reason)
    return Forecast(request, no_estimate, no_estimate, no_chance, (), (), 0, None, 0.0, limitations)


def _check_request(*words: str | None) -> tuple[str | None, str | None, str | None, str | None]:
    text, template, issue_class, project = words
    for name, word in (("text", text), ("template", template), ("class", issue_class), ("project", project)):
        if word is not None and not isinstance(word, str):
            raise InvalidValueError(name, word, "Use text or None.")
    text, template, issue_class, project = ((word or "").strip() or None for word in words)
    if text is None and template is None:
        raise InvalidQueryError(
            "Nothing to forecast. Use a request (--text, --file), --workflow or a run ID."
        )
    return text, template, strip_slash(issue_class) if issue_class else None, project


def _full_template(past: PastRuns, template: str | None) -> str | None:
    """Expand the short name of a workflow (without `adw_`) if runs have its full name."""
    names, full_name = past.templates.categories, f"adw_{template}"
    return full_name if template not in names and full_name in names else template


def _as_filter(word: str | None) -> tuple[str, ...]:
    return () if word is None else (word,)


def _missing_reason(past: PastRuns, target: ForecastTarget, evidence: WeightedRuns) -> str | None:
    if not len(past):
        return NO_RUNS
    if target.at != NOW and not past.dated.any():
        return "no stored run has a date"
    if not len(evidence.rows):
        of_template = "" if target.template is None else f" of {target.template}"
        return f"no earlier finished run{of_template}"
    if has_no_comparable_runs(target, evidence):
        advice = "; specify a workflow to forecast from all of its runs" if target.at == NOW else ""
        return f"too few comparable runs ({evidence.neighbours:.1f} after weighting){advice}"
    return None


def _limitations(
    past: PastRuns, request: ForecastRequest, evidence: WeightedRuns, cost: Estimate
) -> list[str]:
    """Describe the limitations of the evidence."""
    limitations = []
    if request.text is not None and _basis_of(evidence) == "latest":
        recent = f"recent runs of {request.template}" if request.template else "recent runs"
        limitations.append(f"Few earlier runs have a similar request; this is based on {recent}.")
    rows = evidence.rows
    if request.issue_class is not None and not past.classes.take(rows).equals(request.issue_class).any():
        limitations.append(f"None of these runs has the issue class {request.issue_class}.")
    if request.project is not None and not past.projects.take(rows).equals(request.project).any():
        limitations.append(f"None of these runs is in project {request.project}.")
    lower_bounds = int(np.count_nonzero(~past.cost.is_exact[rows] & (past.cost.values[rows] != MISSING_INT)))
    if lower_bounds:
        known = f"For {lower_bounds} of the {len(rows)} runs, only a lower bound of the cost is known"
        limitations.append(f"{known}{', so ≥ marks a minimum' if cost.p90_is_lower_bound else ''}.")
    return limitations
