"""Patterns as a table: query results in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.numbers import day, pluralize
from ...common.formatting.text import single_line
from ...common.models import PatternStatus
from ...common.spending import format_fraction
from ...presentation.patterns import format_estimate, format_minimum, short_id
from ...queries.pattern_records import PatternDecision, PatternReport, RankedPattern
from .table import Column, DropColumn, bar_column, build_table, fit_columns, number_column, share_of
from .text import join_parts

BAR_WIDTH: Final = 8  # cells
MAX_SIGNATURE_WIDTH: Final = 90  # cells
MIN_SIGNATURE_WIDTH: Final = 28  # cells, as long as another column can be dropped
STATUS_MARKS: Final = {
    PatternStatus.ACCEPTED: ("✓", "green"),
    PatternStatus.DISMISSED: ("✗", "dim"),
    PatternStatus.DETECTED: ("", ""),
}
"""Sign and style of each decision."""

PART_OF_PREFIX: Final = "▎"
"""Mark in front of a pattern that another pattern covers."""

_DROP_ORDER: Final = (
    DropColumn("kind"),
    DropColumn("runs"),
    DropColumn("bar"),
    DropColumn("stability"),
    DropColumn("success"),
    DropColumn("count"),
    DropColumn("cost"),
)


def render_patterns(report: PatternReport, width: int, zone: tzinfo | None = None) -> RenderableType:
    """Render the table of patterns, with a legend below it."""
    head = _head(report, zone)
    if not report.patterns:
        return Group(head, Text("No scriptable operation recurs in these runs."))
    return Group(head, "", _pattern_table(report.patterns, width), "", *_legend(report))


def render_decision(decision: PatternDecision) -> Text:
    """Format a decision on a pattern."""
    sign, style = STATUS_MARKS[decision.status]
    label = "decision cleared" if decision.status == PatternStatus.DETECTED else decision.status
    line = Text.assemble((f"{sign} {label}".strip(), style), f": {single_line(decision.signature)}")
    return line if decision.note is None else line.append(f" ({single_line(decision.note)})", "dim")


def _head(report: PatternReport, zone: tzinfo | None) -> Text:
    """Format the number and dates of the runs, and the number of patterns."""
    count, shown = pluralize(report.found, "pattern"), len(report.patterns)
    days = [day(end, zone) for end in (report.span.first, report.span.last) if end is not None]
    return join_parts([
        Text(pluralize(report.span.runs, "run"), "bold"),
        " to ".join(days),
        count if shown == report.found else f"{shown:,} of {count}",
        f"{report.hidden:,} overlapping patterns hidden (--all)" if report.hidden else None,
    ])  # fmt: skip


def _pattern_table(patterns: Sequence[RankedPattern], width: int) -> RenderableType:
    largest = max((pattern.risk_adjusted_savings or 0.0 for pattern in patterns), default=0.0)
    names = tuple(map(_name, patterns))
    columns = [
        Column("id", "ID", tuple(Text(short_id(pattern.id), "bold") for pattern in patterns)),
        Column("signature", "pattern", names, flexible=True, max_width=MAX_SIGNATURE_WIDTH, wraps=True),
        Column("kind", "kind", tuple(Text(single_line(pattern.kind), "dim") for pattern in patterns)),
        number_column("runs", "runs", [f"{pattern.runs:,}" for pattern in patterns]),
        number_column("count", "occurrences", [f"{pattern.occurrences:,}" for pattern in patterns]),
        number_column(
            "cost", "cost ≈", [format_minimum(p.cost, at_least=p.cost_is_lower_bound) for p in patterns]
        ),
        number_column(
            "success", "success rate", [format_fraction(pattern.success_rate) for pattern in patterns]
        ),
        number_column("stability", "stability", [format_fraction(pattern.stability) for pattern in patterns]),
        number_column(
            "saved",
            "est. savings ≈",
            [
                format_minimum(p.estimated_savings, at_least=p.estimated_savings_is_lower_bound)
                for p in patterns
            ],
        ),
        bar_column(
            [share_of(pattern.risk_adjusted_savings, largest) for pattern in patterns],
            BAR_WIDTH,
            title="rank",
        ),
    ]
    return build_table(fit_columns(columns, width, _DROP_ORDER, MIN_SIGNATURE_WIDTH), width, ruled=True)


def _name(pattern: RankedPattern) -> Text:
    sign, style = STATUS_MARKS[pattern.status]
    name = Text(single_line(pattern.signature))
    if pattern.covered_by is not None:
        name = Text.assemble((PART_OF_PREFIX, "dim"), " ", name)
    return Text.assemble((sign, style), " ", name) if sign else name


def _legend(report: PatternReport) -> list[Text]:
    kept = format_fraction(report.residual_cost)
    shown = report.patterns
    lines = []
    if report.commands_cost:
        total = format_estimate(report.commands_cost, at_least=report.commands_cost_is_lower_bound)
        lines.append(f"All recurring commands together: {total}. Rows overlap; do not add them up.")
    if any(pattern.scriptable for pattern in shown):
        lines += [
            (
                "Est. savings: cost of successful occurrences minus the residual cost (--residual-cost), "
                f"{kept} of the cost or at least one call of a sequence."
            ),
            "Rank: risk-adjusted savings, cost × (1 − residual) × success rate (95% low) × stability.",
        ]
    signs = {
        "≈ estimate": True,
        "≥ lower bound": any(
            pattern.cost_is_lower_bound or pattern.estimated_savings_is_lower_bound for pattern in shown
        ),
        f"{PART_OF_PREFIX} covered by another pattern": any(
            pattern.covered_by is not None for pattern in shown
        ),
        "✓ accepted": any(pattern.status == PatternStatus.ACCEPTED for pattern in shown),
        "✗ dismissed": any(pattern.status == PatternStatus.DISMISSED for pattern in shown),
    }
    lines.append(" · ".join(sign for sign, is_used in signs.items() if is_used))
    return [Text(line, "dim") for line in lines]
