"""Two runs compared: a comparison in, tables out; narrow terminals drop columns, not phases. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.agents import short_model
from ...common.formatting.numbers import format_duration
from ...common.formatting.text import non_empty_lines, single_line, truncate
from ...common.spending import UNKNOWN, format_fraction, format_usd
from ...presentation import comparison as wording
from ...presentation.comparison import (
    CANCELLED,
    NAMES,
    amount_a,
    amount_b,
    difference_percent,
    format_difference,
    format_value,
)
from . import symbols
from .table import Column, DropColumn, build_table, fit_columns
from .text import join_parts, section_rule

if TYPE_CHECKING:
    from ...analysis.comparison.records import (
        AgentTotals,
        Comparison,
        Contribution,
        NumberComparison,
        RunRef,
        StepComparison,
    )

MAX_WIDTH = 120  # cells
BAR_WIDTH = 12  # cells
MIN_NAME_WIDTH = 22  # cells
MIN_WORD_WIDTH, MAX_WORD_WIDTH = 8, 24  # cells of a text value, such as a run's workflow or model
NARROWER = (
    DropColumn("turns"),
    DropColumn("tokens"),
    DropColumn("cost_bar"),
    DropColumn("percent"),
    DropColumn("time_difference"),
    DropColumn("time_a"),
    DropColumn("time_b"),
    DropColumn("cost_difference"),
)
"""Columns to drop, in this order, until the table fits the width."""


def render_comparison(found: Comparison, width: int) -> RenderableType:
    """Render both runs side by side."""
    within = min(width, MAX_WIDTH)
    blocks: list[RenderableType] = [_head("A", found.a, found.request.a, within)]
    blocks += [_head("B", found.b, found.request.b, within), *_requests(found, within), ""]
    blocks += [section_rule("Runs", within, "difference: B less A"), _runs(found, within), ""]
    if found.phases:
        blocks += [section_rule("Phases", within), _phases(found, within), ""]
    blocks += [section_rule("Where the difference comes from", within), *_origins(found, within)]
    notes = wording.comparison_notes(found)
    if notes:
        blocks += ["", *(Text(f"! {single_line(note)}", style="magenta") for note in notes)]
    return Group(*blocks)


def render_cost_difference(found: Comparison) -> Text:
    """Return one sentence on where the cost difference comes from."""
    return Text(wording.describe_cost_difference(found))


def _head(letter: str, side: RunRef, request: str | None, width: int) -> RenderableType:
    name = f"{side.project}/{side.id}" if side.project else side.id
    line = Text.assemble(
        (f"{letter}  ", "bold cyan"), (single_line(name), "bold"), "  ", symbols.status_text(side.status)
    )
    lines = non_empty_lines(request or "")
    asked = Text(truncate(f"   {single_line(lines[0])}" if lines else "   no request found", width))
    return Group(line, asked)


def _requests(found: Comparison, width: int) -> list[RenderableType]:
    """Format the similarity of the requests, their shared words and the words of only one."""
    asked = found.request
    if asked.same is None:
        return [Text("   the requests cannot be compared: one is unknown", style="dim")]
    if asked.same:
        return [Text("   the same request, word for word", style="dim")]
    alike = f"alike {found.similarity:.2f}"
    text = None if asked.likeness is None else f"their words {asked.likeness:.2f}"
    lines: list[RenderableType] = [Text.assemble("   ", join_parts([alike, text]))]
    for label, words in (("both", asked.shared), ("only A", asked.only_a), ("only B", asked.only_b)):
        if words:
            lines.append(
                Text(truncate(f"   {label:<6}  {', '.join(map(single_line, words))}", width), style="dim")
            )
    return lines


def _runs(found: Comparison, width: int) -> RenderableType:
    room = max(MIN_WORD_WIDTH, min(MAX_WORD_WIDTH, (width - MAX_WORD_WIDTH) // 2))  # on both sides
    facts = [
        (fact.name, _word(fact.name, fact.a, room), _word(fact.name, fact.b, room)) for fact in found.facts
    ]
    facts = [each for each, fact in zip(facts, found.facts, strict=True) if not fact.same or each[1]]
    figures = [each for each in found.figures if each.a is not None or each.b is not None]
    empty = Text("")
    differ = [empty if fact.same else Text("differs", style="magenta") for fact in found.facts]
    columns = [
        _column("name", "", [*(NAMES.get(f[0], f[0]) for f in facts), *(NAMES[f.name] for f in figures)]),
        _column("a", "A", [*(f[1] for f in facts), *(amount_a(f) for f in figures)], right=True),
        _column("b", "B", [*(f[2] for f in facts), *(amount_b(f) for f in figures)], right=True),
        Column(
            "difference",
            "B - A",
            (*differ, *(Text(format_difference(figure)) for figure in figures)),
            right=True,
        ),
        _column("percent", "", [*("" for _ in facts), *(difference_percent(f) for f in figures)], right=True),
    ]
    return build_table(fit_columns(columns, width, (DropColumn("percent"), DropColumn("difference"))), width)


def _word(name: str, value: str | None, room: int) -> str:
    if value is None:
        return UNKNOWN
    if name == "model_used":
        return truncate(short_model(value), room)
    return truncate(single_line(value).removeprefix("adw_" if name == "workflow_template" else ""), room)


def _phases(found: Comparison, width: int) -> RenderableType:
    """Build a row per phase, one per agent if a phase has several agents, and a last row with the sum."""
    rows: list[tuple[Text, StepComparison]] = []
    for phase in found.phases:
        rows.append((Text(single_line(phase.step.name), style="bold"), phase.step))
        if len(phase.agents) > 1:
            rows += [(Text(f"  {single_line(agent.name)}"), agent) for agent in phase.agents]
    most = max((work.cost or 0.0 for _, step in rows for work in (step.a, step.b) if work), default=0.0)
    steps = [step for _, step in rows]
    costs, times = ([_figure(step, name) for step in steps] for name in ("cost", "duration_seconds"))
    columns = [
        Column("name", "phase", (*(name for name, _ in rows), Text("all", style="bold")), flexible=True),
        *_sides(steps, costs, found.figures[0], "cost"),
        Column("cost_bar", "A, B", (*(_bars(step, most) for step in steps), Text(""))),
        *_sides(steps, times, next(f for f in found.figures if f.name == "duration_seconds"), "time"),
        *(
            _pair(key, title, [_figure(step, name) for step in steps], found, name)
            for key, title, name in (
                ("tokens", "tokens", "total_tokens"),
                ("turns", "turns", "turns"),
            )
        ),
    ]
    return build_table(fit_columns(columns, width, NARROWER, MIN_NAME_WIDTH), width)


def _figure(step: StepComparison, name: str) -> NumberComparison:
    return next(figure for figure in step.figures if figure.name == name)


def _sides(
    steps: Sequence[StepComparison], figures: Sequence[NumberComparison], whole: NumberComparison, what: str
) -> list[Column]:
    """Return the columns of A, B and their difference; for costs also outcomes and percentages."""
    is_cost = what == "cost"
    ours_of = [
        _cell(step.a, format_value(f, f.a), marked=is_cost) for step, f in zip(steps, figures, strict=True)
    ]
    theirs_of = [
        _cell(step.b, format_value(f, f.b), marked=is_cost) for step, f in zip(steps, figures, strict=True)
    ]
    differences = [Text(format_difference(figure)) for figure in figures]
    columns = [
        Column(f"{what}_a", f"A {what}", (*ours_of, Text(amount_a(whole), "bold")), right=True),
        Column(f"{what}_b", f"B {what}", (*theirs_of, Text(amount_b(whole), "bold")), right=True),
        Column(
            f"{what}_difference", "B - A", (*differences, Text(format_difference(whole), "bold")), right=True
        ),
    ]
    if is_cost:
        shares = [Text(difference_percent(figure)) for figure in figures]
        columns.append(Column("percent", "", (*shares, Text(difference_percent(whole))), right=True))
    return columns


def _cell(work: AgentTotals | None, amount: str, *, marked: bool) -> Text:
    if work is None:
        return Text("none", style="dim")
    if not marked:
        return Text(amount)
    least = "" if work.cost_is_certain or work.cost is None else "≥ "
    return Text.assemble(symbols.styled_outcome(work.outcome), f" {least}{amount}")


def _pair(key: str, title: str, figures: Sequence[NumberComparison], found: Comparison, name: str) -> Column:
    whole = next(figure for figure in found.figures if figure.name == name)
    cells = [Text(f"{format_value(f, f.a)} → {format_value(f, f.b)}") for f in (*figures, whole)]
    return Column(key, f"{title} A → B", tuple(cells), right=True)


def _bars(step: StepComparison, most: float) -> Text:
    """Return the bars of A and B on the same scale."""
    half = BAR_WIDTH // 2
    costs = [None if work is None else work.cost for work in (step.a, step.b)]
    shares = [None if cost is None or not most else cost / most for cost in costs]
    return Text.assemble((symbols.bar(shares[0], half), "green"), " ", (symbols.bar(shares[1], half), "cyan"))


def _origins(found: Comparison, width: int) -> list[RenderableType]:
    lines: list[RenderableType] = [Text(render_cost_difference(found).plain, style="bold")]
    if found.cost_from:
        lines.append(_contributions("cost", found.cost_from, format_usd, width))
    if found.duration_from:
        slower = next(iter(found.duration_from))
        where = single_line(slower.phase)
        way = "more" if slower.difference > 0 else "less"
        lines += [
            "",
            Text(f"agents' time: the most in {where}, {format_duration(abs(slower.difference))} {way}"),
        ]
        lines.append(_contributions("time", found.duration_from, format_duration, width))
    return lines


def _contributions(
    key: str, parts: Sequence[Contribution], write: Callable[[float], str], width: int
) -> RenderableType:
    most = max(abs(part.difference) for part in parts)
    signs = [("+" if part.difference > 0 else "-") + write(abs(part.difference)) for part in parts]
    shares = ["" if part.share is None else format_fraction(part.share) for part in parts]
    cancelled = any(part.share is None or abs(part.share) > CANCELLED for part in parts)
    bars = [
        Text(symbols.bar(abs(part.difference) / most, BAR_WIDTH), "red" if part.difference > 0 else "green")
        for part in parts
    ]
    columns = [
        _column("phase", "phase", [part.phase or "beyond the agents" for part in parts]),
        _column(key, f"B - A, {key}", signs, right=True),
        *([] if cancelled else [_column("share", "of it", shares, right=True)]),
        Column("bar", "", tuple(bars)),
    ]
    return build_table(fit_columns(columns, width, (DropColumn("bar"), DropColumn("share"))), width)


def _column(key: str, title: str, cells: Sequence[str], *, right: bool = False) -> Column:
    return Column(key, title, tuple(Text(single_line(cell)) for cell in cells), right=right)
