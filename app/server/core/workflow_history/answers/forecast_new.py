"""What a run that has not run yet will cost and take, and whether it works: a request in, a forecast out.

Every figure rests on past runs, which are named; where they are too few there is none, and it says why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from .. import database
from ..columns import UNKNOWN
from ..errors import InvalidQueryError
from ..filters import RunFilter
from ..forecasting.backtest import figures, is_unlike
from ..forecasting.past import EPOCH, Past, Vectors, bare_class
from ..forecasting.weights import ENOUGH, LEAST_LIKENESS, NOW, Evidence, Question, candidates, likeness, weigh
from ..proportions import significant
from ..store.history import History
from .forecast_parts import chance, dollars, phase_forecasts, seconds, shown_runs
from .forecast_shapes import Asked, Basis, Forecast
from .naming import check_names
from .past_runs import read_past, read_request, read_texts

__all__ = ["Forecast", "forecast"]

SHOWN: Final = 10
"""Runs that a forecast names, unless more are asked for."""

EMPTY = "this history holds no run yet"


@dataclass(frozen=True, slots=True)
class Weighed:
    """A question with the runs that speak to it."""

    question: Question
    evidence: Evidence
    why_not: str | None  # why nothing at all can be said
    weak: tuple[str, ...]


def forecast(
    text: str | None = None,
    template: str | None = None,
    issue_class: str | None = None,
    project: str | None = None,
    *,
    before: datetime | None = None,
    shown: int = SHOWN,
) -> Forecast:
    """Forecast a run that has not run yet, from its request, its template or both.

    `before`: look only at runs that had ended by then. Raises InvalidQueryError, also for a template or a
    class of issue that no run has; a project may be new.
    """
    text, template, issue_class, project = _checked(text, template, issue_class, project)
    asked = Asked(text, template, issue_class, project, before)
    if before is not None and before.tzinfo is None:
        raise InvalidQueryError(f"before={before!r} is not allowed; use a datetime with a time zone")
    with database.existing() as history:
        if history is None:
            return nothing(asked, EMPTY)
        past = read_past(history)
        asked = replace(asked, template=_full(past, template))
        named = RunFilter(template=_words(asked.template), issue_class=_words(issue_class))
        check_names(history, named, found=False)
        question = Question(_moment(before), asked.template, asked.issue_class, asked.project)
        return answer(history, past, asked, weighed(history, past, question, read_request(text or "")), shown)


def weighed(history: History, past: Past, question: Question, vector: Vectors) -> Weighed:
    """Weigh the past for a question; `vector`: of its request, zero where there is none."""
    rows = candidates(past, question)
    texts = read_texts(history, past, rows)
    alike = likeness(vector, texts.vectors)[0].astype(np.float64)
    evidence = weigh(past, question, rows, alike)
    weak = _of_unknown_date(past, question)
    if texts.missing:
        weak.append(f"{texts.missing:,} runs are not compared by their texts yet; the next sync does that")
    return Weighed(question, evidence, _why_not(past, question, evidence), tuple(weak))


def _of_unknown_date(past: Past, question: Question) -> list[str]:
    """Say what is made of the runs without a possible date: a task of now comes after all of them."""
    what = "count as the oldest" if question.at == NOW else "are left out: nothing tells what was before"
    kinds = (("without a date", past.undated), ("dated before 2000 or in the future", past.misdated))
    return [f"{count:,} stored runs {kind} {what}" for kind, count in kinds if count]


def answer(history: History, past: Past, asked: Asked, found: Weighed, shown: int) -> Forecast:
    """Return what the weighed runs say."""
    if found.why_not is not None:
        return nothing(asked, found.why_not, found.weak)
    evidence = found.evidence
    cost, duration, success = figures(past, found.question, evidence)
    return Forecast(
        asked,
        dollars(cost),
        seconds(duration),
        chance(success),
        phase_forecasts(history, past, evidence),
        shown_runs(history, past, evidence, shown),
        len(evidence.rows),
        _basis(evidence),
        significant(evidence.neighbours),
        (*_weak(past, asked, evidence), *found.weak),
    )


def _basis(evidence: Evidence) -> Basis:
    """Return the kind of runs that the forecast uses: recent runs fill up where few are similar."""
    if evidence.neighbours < LEAST_LIKENESS:
        return "latest"
    return "alike" if evidence.neighbours >= ENOUGH else "alike and latest"


def nothing(asked: Asked, why: str, weak: tuple[str, ...] = ()) -> Forecast:
    """Return a forecast that says why there is none."""
    silent, mute = dollars(None, why), chance(None, why)
    return Forecast(asked, silent, silent, mute, (), (), 0, None, 0.0, weak)


def _checked(*words: str | None) -> tuple[str | None, str | None, str | None, str | None]:
    text, template, issue_class, project = words
    for name, word in (("text", text), ("template", template), ("class", issue_class), ("project", project)):
        if word is not None and not isinstance(word, str):
            raise InvalidQueryError(f"{name}={word!r} is not allowed; use text or None")
    text, template, issue_class, project = ((word or "").strip() or None for word in words)
    if text is None and template is None:
        raise InvalidQueryError("nothing to forecast; name the request (--text), its template, or a run")
    return text, template, bare_class(issue_class) if issue_class else None, project


def _full(past: Past, template: str | None) -> str | None:
    """Return a template as runs have it, where its short name was given."""
    full = f"adw_{template}"
    return full if template not in past.templates.words and full in past.templates.words else template


def _words(word: str | None) -> tuple[str, ...]:
    return () if word is None else (word,)


def _moment(before: datetime | None) -> int:
    return NOW if before is None else (before - EPOCH) // timedelta(microseconds=1)


def _why_not(past: Past, question: Question, evidence: Evidence) -> str | None:
    if not len(past):
        return EMPTY
    if question.at != NOW and not past.dated.any():
        return "no stored run has a date"
    if not len(evidence.rows):
        of = "" if question.template is None else f" of the template {question.template!r}"
        return f"no run{of} had ended before"
    if is_unlike(question, evidence):
        return (
            "no template is named, and too few earlier runs ask for anything like it "
            f"(together they count as {evidence.neighbours:.1f} runs)"
        )
    return None


def _weak(past: Past, asked: Asked, evidence: Evidence) -> list[str]:
    """Return what a reader must know about the evidence."""
    weak = []
    if asked.text is not None and _basis(evidence) == "latest":
        recent = f"recent runs of {asked.template}" if asked.template else "recent runs"
        weak.append(f"hardly any earlier run is similar: this is what {recent} took")
    rows = evidence.rows
    if asked.issue_class is not None and not past.classes.take(rows).are(asked.issue_class).any():
        weak.append(f"none of the runs is of the class {asked.issue_class}")
    if asked.project is not None and not past.projects.take(rows).are(asked.project).any():
        weak.append(f"none of the runs is of the project {asked.project}")
    bounded = int(np.count_nonzero(~past.cost.exact[rows] & (past.cost.values[rows] != UNKNOWN)))
    if bounded:
        weak.append(f"of {bounded} of the {len(rows)} runs it is known only that they cost at least so much")
    return weak
