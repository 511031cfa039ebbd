"""Prepare the comparison of two runs for a page: rows with bars, links and texts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from ...analysis.comparison.records import (
    AgentTotals,
    Comparison,
    Contribution,
    NumberComparison,
    RunRef,
    StepComparison,
    TextComparison,
)
from ...common.formatting.agents import short_model
from ...common.formatting.costs import format_run_cost
from ...common.formatting.numbers import format_duration
from ...common.formatting.text import single_line, truncate
from ...common.spending import UNKNOWN, format_usd
from ...presentation.comparison import (
    COMPARISON_LABELS,
    amount_a,
    amount_b,
    difference_percent,
    format_contribution,
    format_contribution_share,
    format_difference,
    format_value,
)
from ...presentation.explanation import basis_label
from ...presentation.run_list import first_line, qualified_id
from ...queries.similar import SharedWord, SimilarRun
from ..charts.axis_units import max_known
from ..charts.inline_charts import Part, bar_pair, diverging_bar, stacked_bar
from ..rendering import capitalize, run_url, url_for

_MAX_TEXT_WIDTH: Final = 60  # maximum width of a text, in terminal cells


@dataclass(frozen=True, slots=True)
class RunHeader:
    """Column header for one of the two runs."""

    letter: str
    name: str
    href: str
    status: str | None
    request: str | None


@dataclass(frozen=True, slots=True)
class FactRow:
    """One text property of both runs."""

    name: str
    a: str
    b: str
    same: bool


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric of both runs."""

    name: str
    a: str
    b: str
    difference: str
    percent: str
    bars: Markup | None


@dataclass(frozen=True, slots=True)
class StepRow:
    """One phase, or an agent within a phase."""

    name: str
    is_agent: bool  # whether it is an agent within a phase
    a: StepSide
    b: StepSide
    cost: MetricRow
    time: MetricRow
    tokens: str
    turns: str


@dataclass(frozen=True, slots=True)
class StepSide:
    """One run's part in a phase or agent."""

    is_present: bool
    outcome: str | None
    models: str


@dataclass(frozen=True, slots=True)
class ContributionRow:
    """One phase's contribution to a difference."""

    phase: str
    amount: str
    share: str
    bar: Markup


@dataclass(frozen=True, slots=True)
class SimilarRow:
    """One similar run with its score and the reasons for it."""

    id: str
    compare_url: str  # URL of the comparison with it
    page_url: str  # URL of its page
    score: str
    parts: Markup
    components: str
    status: str | None
    cost: str
    time: str
    request: str
    shared_words: str
    related_words: str


def run_headers(comparison: Comparison) -> tuple[RunHeader, RunHeader]:
    """Build the headers of both runs."""
    return _run_header("A", comparison.a, comparison.request.a), _run_header(
        "B", comparison.b, comparison.request.b
    )


def fact_rows(comparison: Comparison) -> list[FactRow]:
    """Build rows of text properties that at least one run has; those that differ come first."""
    rows = [
        FactRow(
            capitalize(COMPARISON_LABELS.get(fact.name, fact.name.replace("_", " "))),
            _format_text(fact, fact.a),
            _format_text(fact, fact.b),
            fact.same,
        )
        for fact in comparison.facts
        if fact.a is not None or fact.b is not None
    ]
    return sorted(rows, key=lambda row: row.same)


def metric_rows(comparison: Comparison) -> list[MetricRow]:
    """Build rows of metrics that are known for at least one run."""
    return [
        _metric_row(metric) for metric in comparison.figures if metric.a is not None or metric.b is not None
    ]


def step_rows(comparison: Comparison) -> list[StepRow]:
    """Build rows of phases, and of agents if a phase has several. All bars share one scale."""
    steps: list[tuple[StepComparison, bool]] = []
    for phase in comparison.phases:
        steps.append((phase.step, False))
        if len(phase.agents) > 1:
            steps += [(agent, True) for agent in phase.agents]
    scale_ends = {
        name: max_known(
            value for step, _ in steps for value in (_metric(step, name).a, _metric(step, name).b)
        )
        for name in ("cost", "duration_seconds")
    }
    return [_step_row(step, scale_ends, is_agent=is_agent) for step, is_agent in steps]


def contribution_rows(contributions: Sequence[Contribution], unit: str) -> list[ContributionRow]:
    """Build rows of the phases' contributions to a difference, with bars of one scale."""
    scale_end = max_known(abs(contribution.difference) for contribution in contributions)
    format_amount = format_usd if unit == "USD" else format_duration
    rows = []
    for contribution in contributions:
        name = truncate(single_line(contribution.phase), 40) if contribution.phase else "outside agent runs"
        amount = format_contribution(contribution.difference, format_amount)
        rows.append(
            ContributionRow(
                name,
                amount,
                format_contribution_share(contribution.share),
                diverging_bar(contribution.difference, scale_end, f"{name}: {amount}"),
            )
        )
    return rows


def similarity_bar(comparison: Comparison) -> Markup:
    """Return the similarity as a bar of its score components; an unknown one has zero width."""
    weights = sum(part.weight for part in comparison.similarity_parts if part.value is not None) or 1.0
    parts = [
        _part(part.name, None if part.value is None else part.weight * part.value / weights)
        for part in comparison.similarity_parts
    ]
    return _score_bar(comparison.similarity, parts)


def similar_rows(similar: Sequence[SimilarRun], a: str) -> list[SimilarRow]:
    """Build rows of the similar runs, each with the components of its score."""
    return [_similar_row(run, a) for run in similar]


def _run_header(letter: str, side: RunRef, request: str | None) -> RunHeader:
    run = {"id": side.id, "project": side.project}
    return RunHeader(letter, truncate(single_line(qualified_id(run)), 60), run_url(run), side.status, request)


def _format_text(fact: TextComparison, value: str | None) -> str:
    if value is None:
        return UNKNOWN
    if fact.name == "model_used":
        return short_model(value)
    return truncate(basis_label(value) if fact.name == "cost_basis" else single_line(value), _MAX_TEXT_WIDTH)


def _metric_row(metric: NumberComparison, fixed_end: float | None = None) -> MetricRow:
    name = capitalize(COMPARISON_LABELS.get(metric.name, metric.name))
    a, b = amount_a(metric), amount_b(metric)
    title = f"{name}: A {a}, B {b}"
    scale_end = fixed_end or max_known((metric.a, metric.b))
    return MetricRow(
        name, a, b, format_difference(metric), difference_percent(metric),
        bar_pair(metric.a, metric.b, scale_end, title) if scale_end else None,
    )  # fmt: skip


def _metric(step: StepComparison, name: str) -> NumberComparison:
    return next(figure for figure in step.figures if figure.name == name)


def _step_row(step: StepComparison, scale_ends: dict[str, float], *, is_agent: bool) -> StepRow:
    tokens, turns = _metric(step, "total_tokens"), _metric(step, "turns")
    return StepRow(
        truncate(single_line(step.name), 40),
        is_agent,
        _step_side(step.a),
        _step_side(step.b),
        _metric_row(_metric(step, "cost"), scale_ends["cost"]),
        _metric_row(_metric(step, "duration_seconds"), scale_ends["duration_seconds"]),
        f"{format_value(tokens, tokens.a)} → {format_value(tokens, tokens.b)}",
        f"{format_value(turns, turns.a)} → {format_value(turns, turns.b)}",
    )


def _step_side(totals: AgentTotals | None) -> StepSide:
    if totals is None:
        return StepSide(is_present=False, outcome=None, models="")
    return StepSide(True, totals.outcome, ", ".join(short_model(model) for model in totals.models))


def _similar_row(similar: SimilarRun, a: str) -> SimilarRow:
    run: dict[str, Any] = {"id": similar.id, "project": similar.project}
    cost = {
        "total_cost": similar.cost,
        "cost_basis": similar.cost_basis,
        "lower_bound_cost": similar.lower_bound_cost,
    }
    parts = [_part(part.name, part.gave) for part in similar.parts]
    return SimilarRow(
        truncate(single_line(similar.id), 28),
        url_for("/compare", {"a": a, "b": qualified_id(run)}),
        run_url(run),
        f"{similar.score:.2f}",
        _score_bar(similar.score, parts),
        ", ".join(part.title for part in parts),
        similar.status,
        format_run_cost(cost),
        format_duration(similar.duration_seconds),
        truncate(first_line(similar.request) or UNKNOWN, 160),
        _word_pairs(similar.shared),
        _word_pairs(similar.related),
    )


def _word_pairs(pairs: Sequence[SharedWord]) -> str:
    """Format words that match: one word, or both forms or words with a slash."""
    words = (pair.word if pair.word == pair.other else f"{pair.word}/{pair.other}" for pair in pairs[:8])
    return single_line(", ".join(words))


def _part(name: str, value: float | None) -> Part:
    return Part(name, value or 0.0, f"{name} unknown" if value is None else f"{name} {value:.2f}")


def _score_bar(score: float, parts: Sequence[Part]) -> Markup:
    return stacked_bar(parts, 1.0, f"similarity {score:.2f}: {', '.join(part.title for part in parts)}")
