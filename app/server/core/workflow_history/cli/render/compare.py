"""Two runs compared: a comparison in, tables out; narrow terminals drop columns, not phases. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.agents import short_model
from ...common.formatting.numbers import format_duration
from ...common.formatting.text import single_line, truncate
from ...common.spending import UNKNOWN, format_usd
from ...presentation import comparison as texts
from ...presentation.comparison import (
    COMPARISON_LABELS,
    MAX_MEANINGFUL_SHARE,
    amount_a,
    amount_b,
    difference_percent,
    format_difference,
    format_value,
)
from ...presentation.explanation import basis_label
from ...presentation.run_list import first_line, join_run_id
from . import symbols
from .table import MAX_WIDTH, Column, DropColumn, build_table, fit_columns, share_of, text_column
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

BAR_WIDTH = 12  # cells
MIN_NAME_WIDTH = 22  # cells
MIN_FACT_WIDTH, MAX_FACT_WIDTH = 8, 24  # cells of a fact, such as a run's workflow or model
DROP_ORDER = (
    DropColumn("turns"),
    DropColumn("tokens"),
    DropColumn("cost_bar"),
    DropColumn("percent"),
    DropColumn("duration_difference"),
    DropColumn("duration_a"),
    DropColumn("duration_b"),
    DropColumn("cost_difference"),
)
"""Columns to drop, in this order, until the table fits the width."""


def render_comparison(comparison: Comparison, width: int) -> RenderableType:
    """Render both runs side by side."""
    width = min(width, MAX_WIDTH)
    blocks: list[RenderableType] = [_head("A", comparison.a, comparison.request.a, width)]
    blocks += [_head("B", comparison.b, comparison.request.b, width), *_requests(comparison, width), ""]
    blocks += [section_rule("Runs", width, "difference: B − A"), _run_table(comparison, width), ""]
    if comparison.phases:
        blocks += [section_rule("Phases", width), _phase_table(comparison, width), ""]
    blocks += [section_rule("Cost and duration difference by phase", width), *_origins(comparison, width)]
    if notes := texts.comparison_notes(comparison):
        blocks += ["", *(Text(f"! {single_line(note)}", style="magenta") for note in notes)]
    return Group(*blocks)


def render_cost_difference(comparison: Comparison) -> Text:
    """Return one sentence on where the cost difference comes from."""
    return Text(texts.describe_cost_difference(comparison))


def _head(letter: str, run: RunRef, request: str | None, width: int) -> RenderableType:
    name = (join_run_id(run.project, run.id), "bold")
    title = Text.assemble((f"{letter}  ", "bold cyan"), name, "  ", symbols.status_text(run.status))
    return Group(title, Text(truncate(f"   {first_line(request) or 'no request found'}", width)))


def _requests(comparison: Comparison, width: int) -> list[RenderableType]:
    """Format the similarity of the requests, their shared words and the words of only one."""
    request = comparison.request
    if request.same is None:
        return [Text("   the requests cannot be compared: one is unknown", style="dim")]
    if request.same:
        return [Text("   the same request, word for word", style="dim")]
    similarity = f"similarity {comparison.similarity:.2f}"
    text_similarity = None if request.likeness is None else f"request text {request.likeness:.2f}"
    lines: list[RenderableType] = [Text.assemble("   ", join_parts([similarity, text_similarity]))]
    for label, words in (("both", request.shared), ("only A", request.only_a), ("only B", request.only_b)):
        if words:
            line = f"   {label:<6}  {', '.join(map(single_line, words))}"
            lines.append(Text(truncate(line, width), style="dim"))
    return lines


def _run_table(comparison: Comparison, width: int) -> RenderableType:
    """Build a row per fact, such as the workflow, and one per figure, such as the cost."""
    fact_width = max(MIN_FACT_WIDTH, min(MAX_FACT_WIDTH, (width - MAX_FACT_WIDTH) // 2))  # on both sides
    rows: list[tuple[str, str, str, Text, str]] = []
    for fact in comparison.facts:
        a, b = (_format_fact(fact.name, value, fact_width) for value in (fact.a, fact.b))
        if a or not fact.same:
            difference = Text("") if fact.same else Text("differs", style="magenta")
            rows.append((COMPARISON_LABELS.get(fact.name, fact.name), a, b, difference, ""))
    for figure in comparison.figures:
        if figure.a is not None or figure.b is not None:
            difference, percent = Text(format_difference(figure)), difference_percent(figure)
            rows.append(
                (COMPARISON_LABELS[figure.name], amount_a(figure), amount_b(figure), difference, percent)
            )
    columns = [
        text_column("name", "", [row[0] for row in rows]),
        text_column("a", "A", [row[1] for row in rows], right=True),
        text_column("b", "B", [row[2] for row in rows], right=True),
        Column("difference", "B − A", tuple(row[3] for row in rows), right=True),
        text_column("percent", "", [row[4] for row in rows], right=True),
    ]
    return build_table(fit_columns(columns, width, (DropColumn("percent"), DropColumn("difference"))), width)


def _format_fact(name: str, value: str | None, width: int) -> str:
    if value is None:
        return UNKNOWN
    if name == "model_used":
        return truncate(short_model(value), width)
    if name == "cost_basis":
        return basis_label(value)
    return truncate(single_line(value).removeprefix("adw_" if name == "workflow_template" else ""), width)


def _phase_table(comparison: Comparison, width: int) -> RenderableType:
    """Build a row per phase, one per agent if a phase has several agents, and a last row with the sum."""
    rows: list[tuple[Text, StepComparison]] = []
    for phase in comparison.phases:
        rows.append((Text(single_line(phase.step.name), style="bold"), phase.step))
        if len(phase.agents) > 1:
            rows += [(Text(f"  {single_line(agent.name)}"), agent) for agent in phase.agents]
    steps = [step for _, step in rows]
    max_cost = max((side.cost or 0.0 for step in steps for side in (step.a, step.b) if side), default=0.0)
    columns = [
        Column("name", "phase", (*(name for name, _ in rows), Text("total", style="bold")), flexible=True),
        *_side_columns(comparison, steps, "cost", "cost"),
        Column("cost_bar", "A, B", (*(_cost_bars(step, max_cost) for step in steps), Text(""))),
        *_side_columns(comparison, steps, "duration", "duration_seconds"),
        _pair_column(comparison, steps, "tokens", "total_tokens"),
        _pair_column(comparison, steps, "turns", "turns"),
    ]
    return build_table(fit_columns(columns, width, DROP_ORDER, MIN_NAME_WIDTH), width)


def _figure(compared: Comparison | StepComparison, name: str) -> NumberComparison:
    return next(figure for figure in compared.figures if figure.name == name)


def _side_columns(
    comparison: Comparison, steps: Sequence[StepComparison], title: str, name: str
) -> list[Column]:
    """Return the columns of A, B and their difference; for costs also outcomes and percentages."""
    is_cost = name == "cost"
    figures, total = [_figure(step, name) for step in steps], _figure(comparison, name)
    amounts_a, amounts_b = [], []
    for step, figure in zip(steps, figures, strict=True):
        amounts_a.append(_amount_cell(step.a, format_value(figure, figure.a), with_outcome=is_cost))
        amounts_b.append(_amount_cell(step.b, format_value(figure, figure.b), with_outcome=is_cost))
    differences = [*(Text(format_difference(f)) for f in figures), Text(format_difference(total), "bold")]
    columns = [
        Column(f"{title}_a", f"A {title}", (*amounts_a, Text(amount_a(total), "bold")), right=True),
        Column(f"{title}_b", f"B {title}", (*amounts_b, Text(amount_b(total), "bold")), right=True),
        Column(f"{title}_difference", "B − A", tuple(differences), right=True),
    ]
    if is_cost:
        percents = tuple(Text(difference_percent(figure)) for figure in (*figures, total))
        columns.append(Column("percent", "", percents, right=True))
    return columns


def _amount_cell(totals: AgentTotals | None, amount: str, *, with_outcome: bool) -> Text:
    if totals is None:
        return Text("not run", style="dim")
    if not with_outcome:
        return Text(amount)
    sign = "" if totals.cost_is_certain or totals.cost is None else "≥ "
    return Text.assemble(symbols.outcome_text(totals.outcome), f" {sign}{amount}")


def _pair_column(comparison: Comparison, steps: Sequence[StepComparison], title: str, name: str) -> Column:
    figures = [*(_figure(step, name) for step in steps), _figure(comparison, name)]
    cells = tuple(Text(f"{format_value(f, f.a)} → {format_value(f, f.b)}") for f in figures)
    return Column(title, f"{title} A → B", cells, right=True)


def _cost_bars(step: StepComparison, max_cost: float) -> Text:
    """Return the bars of A and B on the same scale."""
    a, b = (
        symbols.bar(None if side is None else share_of(side.cost, max_cost), BAR_WIDTH // 2)
        for side in (step.a, step.b)
    )
    return Text.assemble((a, "green"), " ", (b, "cyan"))


def _origins(comparison: Comparison, width: int) -> list[RenderableType]:
    """Render the phases from which the differences in cost and duration come."""
    lines: list[RenderableType] = [Text(texts.describe_cost_difference(comparison), style="bold")]
    if comparison.cost_from:
        lines.append(_contribution_table("cost", comparison.cost_from, format_usd, width))
    if comparison.duration_from:
        largest = comparison.duration_from[0]
        direction = "more" if largest.difference > 0 else "less"
        amount = f"{format_duration(abs(largest.difference))} {direction}"
        lines += ["", Text(f"duration of the agent runs; {amount} in {single_line(largest.phase)}")]
        lines.append(_contribution_table("duration", comparison.duration_from, format_duration, width))
    return lines


def _contribution_table(
    key: str, parts: Sequence[Contribution], formatter: Callable[[float], str], width: int
) -> RenderableType:
    largest = max(abs(part.difference) for part in parts)
    amounts = [texts.format_contribution(part.difference, formatter) for part in parts]
    shares = [texts.format_contribution_share(part.share) for part in parts]
    cancelled = any(part.share is None or abs(part.share) > MAX_MEANINGFUL_SHARE for part in parts)
    bars = [
        Text(
            symbols.bar(abs(part.difference) / largest, BAR_WIDTH), "red" if part.difference > 0 else "green"
        )
        for part in parts
    ]
    columns = [
        text_column("phase", "phase", [part.phase or "outside the agent runs" for part in parts]),
        text_column(key, f"{key}, B − A", amounts, right=True),
        *([] if cancelled else [text_column("share", "share of difference", shares, right=True)]),
        Column("bar", "", tuple(bars)),
    ]
    return build_table(fit_columns(columns, width, (DropColumn("bar"), DropColumn("share"))), width)
