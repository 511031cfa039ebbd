"""Patterns as a table: query results in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.numbers import day, pluralize
from ...common.formatting.text import single_line
from ...common.spending import format_fraction
from ...presentation.patterns import format_estimate, format_minimum, short_id
from ...queries.pattern_records import PatternDecision, PatternReport, RankedPattern, RunPeriod
from . import symbols
from .table import Column, DropColumn, build_table, fit_columns
from .text import join_parts

BAR: Final = 8  # cells
MOST_SIGNATURE: Final = 90  # cells
LEAST_SIGNATURE: Final = 28  # cells, as long as another column can be dropped
STATUS_MARKS: Final = {"accepted": ("✓", "green"), "dismissed": ("✗", "dim"), "detected": ("", "")}
"""Sign and style of each decision."""

PART_OF_PREFIX: Final = "▎"
"""Mark in front of a pattern that another pattern covers."""

_NARROWER: Final = (
    DropColumn("kind"),
    DropColumn("runs"),
    DropColumn("bar"),
    DropColumn("steady"),
    DropColumn("success"),
    DropColumn("count"),
    DropColumn("cost"),
)


def pattern_list(found: PatternReport, width: int, zone: tzinfo | None = None) -> RenderableType:
    """Render the table of patterns, with a legend below it."""
    if not found.patterns:
        return Group(_head(found, zone), Text("Nothing that a script could take over recurs in these runs."))
    return Group(_head(found, zone), "", _table(found.patterns, width), "", *_legend(found))


def render_decision(made: PatternDecision) -> Text:
    """Format a decision on a pattern."""
    sign, style = STATUS_MARKS[made.status]
    word = "open again" if made.status == "detected" else made.status
    line = Text.assemble((f"{sign} {word}".strip(), style), f": {single_line(made.signature)}")
    return line if made.note is None else line.append(f" ({single_line(made.note)})", "dim")


def _span_line(span: RunPeriod, zone: tzinfo | None) -> Text:
    """Format the number and dates of the runs; days are in `zone`, None: the local time zone."""
    ends = [day(end, zone) for end in (span.first, span.last) if end is not None]
    when = " to ".join(ends) or None
    return join_parts([Text(pluralize(span.runs, "run"), "bold"), when])


def _head(found: PatternReport, zone: tzinfo | None) -> Text:
    count, shown = pluralize(found.found, "pattern"), len(found.patterns)
    return join_parts([
        _span_line(found.span, zone),
        count if shown == found.found else f"{shown:,} of {count}",
        f"{found.folded:,} more tell the same: --all" if found.folded else None,
    ])  # fmt: skip


def _table(patterns: Sequence[RankedPattern], width: int) -> RenderableType:
    most = max((one.worth or 0.0 for one in patterns), default=0.0)
    names = tuple(map(_name, patterns))
    columns = [
        Column("id", "id", tuple(Text(short_id(one.id), "bold") for one in patterns)),
        Column("signature", "pattern", names, flexible=True, max_width=MOST_SIGNATURE, wraps=True),
        Column("kind", "kind", tuple(Text(single_line(one.kind), "dim") for one in patterns)),
        _numbers("runs", "runs", patterns, lambda one: f"{one.runs:,}"),
        _numbers("count", "times", patterns, lambda one: f"{one.count:,}"),
        _numbers(
            "cost", "cost ≈", patterns, lambda one: format_minimum(one.cost, at_least=one.cost_at_least)
        ),
        _numbers("success", "well", patterns, lambda one: format_fraction(one.success_rate)),
        _numbers("steady", "steady", patterns, lambda one: format_fraction(one.stability)),
        _numbers(
            "saved",
            "would save ≈",
            patterns,
            lambda one: format_minimum(one.saved, at_least=one.saved_at_least),
        ),
        Column("bar", "worth", tuple(Text(symbols.bar(_share(one, most), BAR), "green") for one in patterns)),
    ]  # fmt: skip
    return build_table(fit_columns(columns, width, _NARROWER, LEAST_SIGNATURE), width, ruled=True)


def _name(one: RankedPattern) -> Text:
    sign, style = STATUS_MARKS[one.status]
    name = Text(single_line(one.signature))
    if one.part_of is not None:
        name = Text.assemble((PART_OF_PREFIX, "dim"), " ", name)
    return Text.assemble((sign, style), " ", name) if sign else name


def _share(one: RankedPattern, most: float) -> float | None:
    return one.worth / most if most and one.worth is not None else None


def _numbers(
    key: str, title: str, patterns: Sequence[RankedPattern], write: Callable[[RankedPattern], str]
) -> Column:
    return Column(key, title, tuple(Text(write(one)) for one in patterns), right=True)


def _legend(found: PatternReport) -> list[Text]:
    together = format_estimate(found.commands_cost, at_least=found.commands_cost_at_least)
    kept = f"{format_fraction(found.keep_share)} of the cost"
    shown = found.patterns
    lines = (
        [f"all commands that recur {together}; the rows overlap: never add them up"]
        if found.commands_cost
        else []
    )
    if any(one.scriptable for one in shown):
        lines += [
            f"would save: of what ended well, all but {kept}; of a sequence one call stays (--keep-share)",
            "worth: that, as far as it is sure to end well and to go the same way again (steady)",
        ]
    signs = {
        "≈ an estimate": True,
        "≥ at least": any(one.cost_at_least or one.saved_at_least for one in shown),
        f"{PART_OF_PREFIX} told by another one": any(one.part_of is not None for one in shown),
        "✓ accepted": any(one.status == "accepted" for one in shown),
        "✗ dismissed": any(one.status == "dismissed" for one in shown),
    }
    lines.append(" · ".join(sign for sign, there in signs.items() if there))
    return [Text(line, "dim") for line in lines]
