"""Wasted spend by category, template and phase: a query result in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from ...analysis.statistics.records import Waste, WasteKind, WasteLocation
from ...common.formatting.numbers import pluralize
from ...common.spending import format_fraction, format_usd
from ...presentation.statistics import WASTE_LABELS, format_waste, format_waste_cost
from .table import Column, DropColumn, bar_column, build_table, fit_columns, number_column, share_of
from .text import clean_text, join_parts, section_rule

BAR_WIDTH: Final = 16  # cells

_DROP_ORDER: Final = (DropColumn("bar"), DropColumn("above"), DropColumn("spent"), DropColumn("runs"))


def render_waste(waste: Waste, width: int) -> RenderableType:
    """Render the wasted spend by category, template and phase."""
    lines: list[RenderableType] = [render_waste_line(waste), "", _kind_table(waste.kinds, width)]
    if waste.doubtful_runs:
        runs = pluralize(waste.doubtful_runs, "completed run")
        cost = format_waste_cost(waste.doubtful_cost or None, partial=waste.doubtful_partial)
        note = f"Also: {runs} ({cost}) with a false success, reported without calling a model."
        lines.append(Text(note, "magenta"))
    for name, locations in (("workflow", waste.by_template), ("phase", waste.by_phase)):
        if waste.wasted and locations:
            title = f"{name.capitalize()}s"
            lines += ["", section_rule(title, width), _location_table(name, locations, width)]
    return Group(*lines)


def render_waste_line(waste: Waste) -> Text:
    """Format the wasted spend as one self-contained line."""
    return Text.assemble(("Wasted spend: ", "bold"), format_waste(waste))


def render_waste_kinds(waste: Waste) -> Text:
    """Format the waste categories that have a cost in one line."""
    return join_parts(
        [f"{WASTE_LABELS[kind.kind]} {_format_cost(kind)}" for kind in waste.kinds if kind.cost]
    )


def _kind_table(kinds: Sequence[WasteKind], width: int) -> RenderableType:
    largest = max(kind.cost or 0.0 for kind in kinds)
    counted_above = [format_usd(kind.counted_above) if kind.counted_above else "" for kind in kinds]
    columns = [
        Column("kind", "category", tuple(Text(WASTE_LABELS[kind.kind], "bold") for kind in kinds)),
        number_column("runs", "runs", [f"{kind.runs:,}" for kind in kinds]),
        number_column("cost", "wasted", map(_format_cost, kinds)),
        bar_column([share_of(kind.cost, largest) for kind in kinds], BAR_WIDTH, "red"),
        number_column("above", "already counted", counted_above),
    ]
    return build_table(fit_columns(columns, width, _DROP_ORDER), width)


def _format_cost(kind: WasteKind) -> str:
    return format_waste_cost(kind.cost, partial=kind.partial)


def _location_table(title: str, locations: Sequence[WasteLocation], width: int) -> RenderableType:
    largest = max(location.wasted for location in locations)
    names = tuple(
        Text("unknown", "dim") if location.name is None else clean_text(location.name, "bold")
        for location in locations
    )
    wasted = [format_waste_cost(each.wasted, partial=each.wasted_partial) for each in locations]
    spent = [format_waste_cost(each.spent, partial=each.partial) for each in locations]
    columns = [
        Column("name", title, names),
        number_column("wasted", "wasted", wasted),
        bar_column([share_of(location.wasted, largest) for location in locations], BAR_WIDTH, "red"),
        number_column("spent", "total cost", spent),
        number_column("share", "share", [format_fraction(location.share) for location in locations]),
    ]
    return build_table(fit_columns(columns, width, _DROP_ORDER), width)
