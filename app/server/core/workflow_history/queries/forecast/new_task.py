"""Forecast the cost, duration and success probability of a new run: a request in, a forecast out.

Every value is based on past runs, which are listed. If they are too few, a reason replaces the value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
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
    select_candidates,
    weigh_neighbours,
)
from ...analysis.forecast.past_runs import EPOCH, Past, Vectors, strip_slash
from ...analysis.forecast.prediction_intervals import weighted_interval
from ...common.column_data import MISSING_INT
from ...common.errors import InvalidQueryError
from ...common.filters import RunFilter
from ...common.proportions import significant
from ...storage.history import History
from ..check_names import validate_filter_names
from .conversion import cost_figure, duration_figure, phase_forecasts, success_chance, top_runs
from .past_runs import embed_request, load_past_runs, load_text_vectors
from .records import Basis, Forecast, ForecastRequest

__all__ = ["Forecast", "forecast"]

DEFAULT_EXAMPLES: Final = 10
"""Default number of comparable runs listed in a forecast."""

NO_FIGURE = "this history holds no run yet"


@dataclass(frozen=True, slots=True)
class WeightedNeighbours:
    """A forecast target with its weighted comparable runs."""

    question: ForecastTarget
    evidence: WeightedRuns
    why_not: str | None  # reason why no forecast is possible; None: it is possible
    weak: tuple[str, ...]  # limitations, one sentence each


def forecast(
    text: str | None = None,
    template: str | None = None,
    issue_class: str | None = None,
    project: str | None = None,
    *,
    before: datetime | None = None,
    shown: int = DEFAULT_EXAMPLES,
) -> Forecast:
    """Forecast a new run from its request, its workflow or both.

    `before` restricts the past runs to those that had ended by then. Raises InvalidQueryError, also for a
    workflow or an issue class that no run has; a project may be new.
    """
    text, template, issue_class, project = _checked(text, template, issue_class, project)
    asked = ForecastRequest(text, template, issue_class, project, before)
    if before is not None and before.tzinfo is None:
        raise InvalidQueryError(f"before={before!r} is not allowed; use a datetime with a time zone")
    with database.open_if_exists() as history:
        if history is None:
            return no_forecast(asked, NO_FIGURE)
        past = load_past_runs(history)
        asked = replace(asked, template=_full(past, template))
        named = RunFilter(template=_words(asked.template), issue_class=_words(issue_class))
        validate_filter_names(history, named, found=False)
        question = ForecastTarget(_moment(before), asked.template, asked.issue_class, asked.project)
        return build_forecast(
            history,
            past,
            asked,
            weighted_neighbours(history, past, question, embed_request(text or "")),
            shown,
        )


def weighted_neighbours(
    history: History, past: Past, question: ForecastTarget, vector: Vectors
) -> WeightedNeighbours:
    """Weight the past runs for a target; `vector` is the vector of its request, zero if there is none."""
    rows = select_candidates(past, question)
    texts = load_text_vectors(history, past, rows)
    alike = cosine_similarity(vector, texts.vectors)[0].astype(np.float64)
    evidence = weigh_neighbours(past, question, rows, alike)
    weak = _of_unknown_date(past, question)
    if texts.missing:
        weak.append(f"{texts.missing:,} runs are not compared by their texts yet; the next sync does that")
    return WeightedNeighbours(question, evidence, _why_not(past, question, evidence), tuple(weak))


def _of_unknown_date(past: Past, question: ForecastTarget) -> list[str]:
    """Describe the treatment of runs without a plausible date; a forecast for now counts them as oldest."""
    what = "count as the oldest" if question.at == NOW else "are left out: nothing tells what was before"
    kinds = (("without a date", past.undated), ("dated before 2000 or in the future", past.misdated))
    return [f"{count:,} stored runs {kind} {what}" for kind, count in kinds if count]


def build_forecast(
    history: History, past: Past, asked: ForecastRequest, found: WeightedNeighbours, shown: int
) -> Forecast:
    """Build the forecast from the weighted runs."""
    if found.why_not is not None:
        return _only_known(history, past, asked, found, shown)
    evidence = found.evidence
    cost, duration, success = estimate(past, found.question, evidence)
    return Forecast(
        asked,
        cost_figure(cost),
        duration_figure(duration),
        success_chance(success),
        phase_forecasts(history, past, evidence),
        top_runs(history, past, evidence, shown),
        len(evidence.rows),
        _basis(evidence),
        significant(evidence.neighbours),
        (*_weak(past, asked, evidence), *found.weak),
    )


def _only_known(
    history: History, past: Past, asked: ForecastRequest, found: WeightedNeighbours, shown: int
) -> Forecast:
    """Build a forecast without estimates, but with the range of the few runs with a similar request."""
    why = found.why_not or ""
    nothing = no_forecast(asked, why, found.weak)
    alike = found.evidence.similarities > MIN_SIMILARITY
    if asked.text is None or not alike.any():
        return nothing
    every = found.evidence
    few = WeightedRuns(every.rows[alike], every.weights[alike], every.similarities[alike], every.neighbours)
    cost, duration = (
        weighted_interval(amounts.values[few.rows], amounts.is_exact[few.rows], few.weights)
        for amounts in (past.cost, past.duration)
    )
    return replace(
        nothing,
        cost=cost_figure(cost, why),
        duration=duration_figure(duration, why),
        runs=top_runs(history, past, few, shown),
        rests_on=len(few.rows),
        neighbours=significant(few.neighbours),
    )


def _basis(evidence: WeightedRuns) -> Basis:
    """Return the kind of runs that the forecast uses: recent runs are added if few are similar."""
    if evidence.neighbours < MIN_NEIGHBOUR_SIMILARITY:
        return "latest"
    return "alike" if evidence.neighbours >= ENOUGH_NEIGHBOURS else "alike and latest"


def no_forecast(asked: ForecastRequest, why: str, weak: tuple[str, ...] = ()) -> Forecast:
    """Build an empty forecast with the reason."""
    silent, mute = cost_figure(None, why), success_chance(None, why)
    return Forecast(asked, silent, silent, mute, (), (), 0, None, 0.0, weak)


def _checked(*words: str | None) -> tuple[str | None, str | None, str | None, str | None]:
    text, template, issue_class, project = words
    for name, word in (("text", text), ("template", template), ("class", issue_class), ("project", project)):
        if word is not None and not isinstance(word, str):
            raise InvalidQueryError(f"{name}={word!r} is not allowed; use text or None")
    text, template, issue_class, project = ((word or "").strip() or None for word in words)
    if text is None and template is None:
        raise InvalidQueryError("nothing to forecast; name the request (--text), its template, or a run")
    return text, template, strip_slash(issue_class) if issue_class else None, project


def _full(past: Past, template: str | None) -> str | None:
    """Expand the short name of a workflow (without `adw_`) if runs have its full name."""
    full = f"adw_{template}"
    return (
        full if template not in past.templates.categories and full in past.templates.categories else template
    )


def _words(word: str | None) -> tuple[str, ...]:
    return () if word is None else (word,)


def _moment(before: datetime | None) -> int:
    return NOW if before is None else (before - EPOCH) // timedelta(microseconds=1)


def _why_not(past: Past, question: ForecastTarget, evidence: WeightedRuns) -> str | None:
    if not len(past):
        return NO_FIGURE
    if question.at != NOW and not past.dated.any():
        return "no stored run has a date"
    if not len(evidence.rows):
        of = "" if question.template is None else f" of the template {question.template!r}"
        return f"no run{of} had ended before"
    if has_no_comparable_runs(question, evidence):
        return (
            "no template is named, and too few earlier runs ask for anything like it "
            f"(together they count as {evidence.neighbours:.1f} runs)"
        )
    return None


def _weak(past: Past, asked: ForecastRequest, evidence: WeightedRuns) -> list[str]:
    """Describe the limitations of the evidence."""
    weak = []
    if asked.text is not None and _basis(evidence) == "latest":
        recent = f"recent runs of {asked.template}" if asked.template else "recent runs"
        weak.append(f"hardly any earlier run is similar: this is what {recent} took")
    rows = evidence.rows
    if asked.issue_class is not None and not past.classes.take(rows).equals(asked.issue_class).any():
        weak.append(f"none of the runs is of the class {asked.issue_class}")
    if asked.project is not None and not past.projects.take(rows).equals(asked.project).any():
        weak.append(f"none of the runs is of the project {asked.project}")
    bounded = int(np.count_nonzero(~past.cost.is_exact[rows] & (past.cost.values[rows] != MISSING_INT)))
    if bounded:
        weak.append(f"of {bounded} of the {len(rows)} runs it is known only that they cost at least so much")
    return weak
