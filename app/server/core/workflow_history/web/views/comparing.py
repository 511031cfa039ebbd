"""Two runs side by side as a page shows them: the answer in, rows with bars, links and words out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from ...amounts import UNKNOWN, money, share
from ...answers.similar import SimilarRun
from ...comparing.shapes import Comparison, Contribution, Fact, Figure, Side, Step, Work
from ...wording.agents import short_model
from ...wording.comparing import CANCELLED, NAMES, amount, difference, in_percent
from ...wording.costs import short_cost
from ...wording.numbers import duration
from ...wording.runs import full_id
from ...wording.text import cut, one_line
from ..charts.strips import Part, pair, parts_of_a_whole
from ..charts.strips import difference as drawn
from ..charts.units import top_of
from ..rendering import address, run_address

_FACT: Final = 60  # cells


@dataclass(frozen=True, slots=True)
class Head:
    """One of both runs."""

    letter: str
    name: str
    href: str
    status: str | None
    request: str | None


@dataclass(frozen=True, slots=True)
class FactRow:
    """One word of both."""

    name: str
    a: str
    b: str
    same: bool


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure of both."""

    name: str
    a: str
    b: str
    difference: str
    percent: str
    bars: Markup | None


@dataclass(frozen=True, slots=True)
class StepRow:
    """One phase, or an agent of it."""

    name: str
    inner: bool  # an agent
    a: FigureSide
    b: FigureSide
    cost: FigureRow
    time: FigureRow
    tokens: str
    turns: str


@dataclass(frozen=True, slots=True)
class FigureSide:
    """What one run did there."""

    there: bool
    outcome: str | None
    models: str


@dataclass(frozen=True, slots=True)
class OriginRow:
    """What one phase adds to a difference."""

    phase: str
    amount: str
    share: str
    bar: Markup


@dataclass(frozen=True, slots=True)
class LikeRow:
    """A run that is like another, and why."""

    id: str
    href: str  # of the comparison with it
    run: str  # of its page
    score: str
    parts: Markup
    told: str
    status: str | None
    cost: str
    time: str
    request: str
    words: str


def heads(found: Comparison) -> tuple[Head, Head]:
    """Return both runs."""
    return _head("A", found.a, found.request.a), _head("B", found.b, found.request.b)


def facts(found: Comparison) -> list[FactRow]:
    """Return the words of both that are known of one at least, those that differ first."""
    rows = [
        FactRow(_called(fact.name), _word(fact, fact.a), _word(fact, fact.b), fact.same)
        for fact in found.facts
        if fact.a is not None or fact.b is not None
    ]
    return sorted(rows, key=lambda row: row.same)


def figures(found: Comparison) -> list[FigureRow]:
    """Return the figures of both that are known of one at least."""
    return [_figure(one) for one in found.figures if one.a is not None or one.b is not None]


def steps(found: Comparison) -> list[StepRow]:
    """Return the phases, and their agents where a phase has several; bars to one scale."""
    listed = [(step, inner) for phase in found.phases for step, inner in _listed(phase.step, phase.agents)]
    ends = {
        name: top_of(value for step, _ in listed for value in (_of(step, name).a, _of(step, name).b))
        for name in ("cost", "duration_seconds")
    }
    return [_step(step, ends, inner=inner) for step, inner in listed]


def origins(parts: Sequence[Contribution], unit: str) -> list[OriginRow]:
    """Return what each phase adds to a difference, to one scale."""
    most = top_of(abs(part.difference) for part in parts)
    write = money if unit == "USD" else duration
    rows = []
    for part in parts:
        name = cut(one_line(part.phase), 40) if part.phase else "beyond the agents"
        told = ("+" if part.difference > 0 else "-") + write(abs(part.difference))
        rows.append(
            OriginRow(name, told, _of_it(part.share), drawn(part.difference, most, f"{name}: {told}"))
        )
    return rows


def similarity(found: Comparison) -> Markup:
    """Return how alike both are, as a bar of its parts; one that is unknown takes its place with nothing."""
    weights = sum(part.weight for part in found.similarity_parts if part.value is not None) or 1.0
    gave = [
        (part.name, None if part.value is None else part.weight * part.value / weights)
        for part in found.similarity_parts
    ]
    return _score(found.similarity, [_part(name, value) for name, value in gave])


def likes(found: Sequence[SimilarRun], a: str) -> list[LikeRow]:
    """Return the runs most like one, each with what gave how much of its score."""
    return [_like(one, a) for one in found]


def _head(letter: str, side: Side, request: str | None) -> Head:
    run = {"id": side.id, "project": side.project}
    return Head(letter, cut(one_line(full_id(run)), 60), run_address(run), side.status, request)


def _of_it(part: float | None) -> str:
    """Return a share of a difference; none where parts that cancel out would mislead."""
    if part is None or abs(part) > CANCELLED:
        return ""
    said = share(abs(part))
    return said if part >= 0 or said.startswith("<") else f"-{said}"


def _word(fact: Fact, value: str | None) -> str:
    if value is None:
        return UNKNOWN
    return short_model(value) if fact.name == "model_used" else cut(one_line(value), _FACT)


def _figure(one: Figure, end: float | None = None) -> FigureRow:
    name = NAMES.get(one.name, one.name)
    told = f"{name}: A {amount(one, one.a)}, B {amount(one, one.b)}"
    most = end or top_of((one.a, one.b))
    return FigureRow(
        name, amount(one, one.a), amount(one, one.b), difference(one), in_percent(one),
        pair(one.a, one.b, most, told) if most else None,
    )  # fmt: skip


def _listed(phase: Step, agents: Sequence[Step]) -> list[tuple[Step, bool]]:
    return [(phase, False), *((agent, True) for agent in agents if len(agents) > 1)]


def _of(step: Step, name: str) -> Figure:
    return next(figure for figure in step.figures if figure.name == name)


def _step(step: Step, ends: dict[str, float], *, inner: bool) -> StepRow:
    tokens, turns = _of(step, "total_tokens"), _of(step, "turns")
    return StepRow(
        cut(one_line(step.name), 40),
        inner,
        _side(step.a),
        _side(step.b),
        _figure(_of(step, "cost"), ends["cost"]),
        _figure(_of(step, "duration_seconds"), ends["duration_seconds"]),
        f"{amount(tokens, tokens.a)} → {amount(tokens, tokens.b)}",
        f"{amount(turns, turns.a)} → {amount(turns, turns.b)}",
    )


def _side(work: Work | None) -> FigureSide:
    if work is None:
        return FigureSide(there=False, outcome=None, models="")
    return FigureSide(True, work.outcome, ", ".join(short_model(model) for model in work.models))


def _like(one: SimilarRun, a: str) -> LikeRow:
    run: dict[str, Any] = {"id": one.id, "project": one.project}
    cost = {"total_cost": one.cost, "cost_basis": one.cost_basis, "lower_bound_cost": one.lower_bound_cost}
    parts = [_part(part.name, part.gave) for part in one.parts]
    words = [*one.shared, *one.akin]
    return LikeRow(
        cut(one_line(one.id), 28),
        address("/compare", {"a": a, "b": full_id(run)}),
        run_address(run),
        f"{one.score:.2f}",
        _score(one.score, parts),
        ", ".join(part.said for part in parts),
        one.status,
        short_cost(cost),
        duration(one.duration_seconds),
        cut(one_line(one.request), 160) if one.request else UNKNOWN,
        ", ".join(_bond(word.word, word.other) for word in words[:8]),
    )


def _part(name: str, gave: float | None) -> Part:
    return Part(name, gave or 0.0, f"{name} unknown" if gave is None else f"{name} {gave:.2f}")


def _score(score: float, parts: Sequence[Part]) -> Markup:
    return parts_of_a_whole(parts, 1.0, f"alike {score:.2f}: {', '.join(part.said for part in parts)}")


def _called(name: str) -> str:
    return NAMES.get(name, name.replace("_", " "))


def _bond(word: str, other: str) -> str:
    return one_line(word if word == other else f"{word} ~ {other}")
