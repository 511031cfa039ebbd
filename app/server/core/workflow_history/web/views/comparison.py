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
from ...common.spending import UNKNOWN, format_fraction, format_usd
from ...presentation.comparison import (
    COMPARISON_LABELS,
    MAX_MEANINGFUL_SHARE,
    difference_percent,
    format_difference,
    format_value,
)
from ...presentation.run_list import qualified_id
from ...queries.similar import SimilarRun
from ..charts.axis_units import max_known
from ..charts.inline_charts import Part, bar_pair, stacked_bar
from ..charts.inline_charts import diverging_bar as drawn
from ..rendering import run_address, url_for

_FACT: Final = 60  # maximum width of a text, in terminal cells


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
class FigureRow:
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
    inner: bool  # whether it is an agent within a phase
    a: StepSide
    b: StepSide
    cost: FigureRow
    time: FigureRow
    tokens: str
    turns: str


@dataclass(frozen=True, slots=True)
class StepSide:
    """One run's part in a phase or agent."""

    there: bool
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
    href: str  # URL of the comparison with it
    run: str  # URL of its page
    score: str
    parts: Markup
    told: str
    status: str | None
    cost: str
    time: str
    request: str
    words: str


def heads(found: Comparison) -> tuple[RunHeader, RunHeader]:
    """Build the headers of both runs."""
    return _head("A", found.a, found.request.a), _head("B", found.b, found.request.b)


def facts(found: Comparison) -> list[FactRow]:
    """Build rows of text properties that at least one run has; those that differ come first."""
    rows = [
        FactRow(_called(fact.name), _word(fact, fact.a), _word(fact, fact.b), fact.same)
        for fact in found.facts
        if fact.a is not None or fact.b is not None
    ]
    return sorted(rows, key=lambda row: row.same)


def figures(found: Comparison) -> list[FigureRow]:
    """Build rows of metrics that are known for at least one run."""
    return [_figure(one) for one in found.figures if one.a is not None or one.b is not None]


def steps(found: Comparison) -> list[StepRow]:
    """Build rows of phases, and of agents if a phase has several. All bars share one scale."""
    listed = [(step, inner) for phase in found.phases for step, inner in _listed(phase.step, phase.agents)]
    ends = {
        name: max_known(value for step, _ in listed for value in (_of(step, name).a, _of(step, name).b))
        for name in ("cost", "duration_seconds")
    }
    return [_step(step, ends, inner=inner) for step, inner in listed]


def contribution_rows(parts: Sequence[Contribution], unit: str) -> list[ContributionRow]:
    """Build rows of the phases' contributions to a difference, with bars of one scale."""
    most = max_known(abs(part.difference) for part in parts)
    write = format_usd if unit == "USD" else format_duration
    rows = []
    for part in parts:
        name = truncate(single_line(part.phase), 40) if part.phase else "beyond the agents"
        told = ("+" if part.difference > 0 else "-") + write(abs(part.difference))
        rows.append(
            ContributionRow(name, told, _of_it(part.share), drawn(part.difference, most, f"{name}: {told}"))
        )
    return rows


def similarity(found: Comparison) -> Markup:
    """Return the similarity as a bar of its score components; an unknown one has zero width."""
    weights = sum(part.weight for part in found.similarity_parts if part.value is not None) or 1.0
    gave = [
        (part.name, None if part.value is None else part.weight * part.value / weights)
        for part in found.similarity_parts
    ]
    return _score(found.similarity, [_part(name, value) for name, value in gave])


def similar_rows(found: Sequence[SimilarRun], a: str) -> list[SimilarRow]:
    """Build rows of the similar runs, each with the components of its score."""
    return [_like(one, a) for one in found]


def _head(letter: str, side: RunRef, request: str | None) -> RunHeader:
    run = {"id": side.id, "project": side.project}
    return RunHeader(
        letter, truncate(single_line(qualified_id(run)), 60), run_address(run), side.status, request
    )


def _of_it(part: float | None) -> str:
    """Format a share of a difference; empty if contributions cancel out so that it would mislead."""
    if part is None or abs(part) > MAX_MEANINGFUL_SHARE:
        return ""
    said = format_fraction(abs(part))
    return said if part >= 0 or said.startswith("<") else f"-{said}"


def _word(fact: TextComparison, value: str | None) -> str:
    if value is None:
        return UNKNOWN
    return short_model(value) if fact.name == "model_used" else truncate(single_line(value), _FACT)


def _figure(one: NumberComparison, end: float | None = None) -> FigureRow:
    name = COMPARISON_LABELS.get(one.name, one.name)
    told = f"{name}: A {format_value(one, one.a)}, B {format_value(one, one.b)}"
    most = end or max_known((one.a, one.b))
    return FigureRow(
        name, format_value(one, one.a), format_value(one, one.b), format_difference(one),
        difference_percent(one),
        bar_pair(one.a, one.b, most, told) if most else None,
    )  # fmt: skip


def _listed(phase: StepComparison, agents: Sequence[StepComparison]) -> list[tuple[StepComparison, bool]]:
    return [(phase, False), *((agent, True) for agent in agents if len(agents) > 1)]


def _of(step: StepComparison, name: str) -> NumberComparison:
    return next(figure for figure in step.figures if figure.name == name)


def _step(step: StepComparison, ends: dict[str, float], *, inner: bool) -> StepRow:
    tokens, turns = _of(step, "total_tokens"), _of(step, "turns")
    return StepRow(
        truncate(single_line(step.name), 40),
        inner,
        _side(step.a),
        _side(step.b),
        _figure(_of(step, "cost"), ends["cost"]),
        _figure(_of(step, "duration_seconds"), ends["duration_seconds"]),
        f"{format_value(tokens, tokens.a)} → {format_value(tokens, tokens.b)}",
        f"{format_value(turns, turns.a)} → {format_value(turns, turns.b)}",
    )


def _side(work: AgentTotals | None) -> StepSide:
    if work is None:
        return StepSide(there=False, outcome=None, models="")
    return StepSide(True, work.outcome, ", ".join(short_model(model) for model in work.models))


def _like(one: SimilarRun, a: str) -> SimilarRow:
    run: dict[str, Any] = {"id": one.id, "project": one.project}
    cost = {"total_cost": one.cost, "cost_basis": one.cost_basis, "lower_bound_cost": one.lower_bound_cost}
    parts = [_part(part.name, part.gave) for part in one.parts]
    words = [*one.shared, *one.akin]
    return SimilarRow(
        truncate(single_line(one.id), 28),
        url_for("/compare", {"a": a, "b": qualified_id(run)}),
        run_address(run),
        f"{one.score:.2f}",
        _score(one.score, parts),
        ", ".join(part.said for part in parts),
        one.status,
        format_run_cost(cost),
        format_duration(one.duration_seconds),
        truncate(single_line(one.request), 160) if one.request else UNKNOWN,
        ", ".join(_bond(word.word, word.other) for word in words[:8]),
    )


def _part(name: str, gave: float | None) -> Part:
    return Part(name, gave or 0.0, f"{name} unknown" if gave is None else f"{name} {gave:.2f}")


def _score(score: float, parts: Sequence[Part]) -> Markup:
    return stacked_bar(parts, 1.0, f"alike {score:.2f}: {', '.join(part.said for part in parts)}")


def _called(name: str) -> str:
    return COMPARISON_LABELS.get(name, name.replace("_", " "))


def _bond(word: str, other: str) -> str:
    return single_line(word if word == other else f"{word} ~ {other}")
