"""Wasted spend by category, template and phase: a query result in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from ...analysis.statistics.records import Waste, WasteKind, WasteLocation
from ...common.formatting.numbers import pluralize
from ...common.formatting.text import single_line
from ...common.spending import format_fraction, format_usd
from ...presentation.statistics import WASTE_LABELS, format_lost, format_waste
from . import symbols
from .table import Column, DropColumn, build_table, fit_columns
from .text import join_parts, section_rule

BAR: Final = 16  # cells

_NARROWER: Final = (DropColumn("bar"), DropColumn("above"), DropColumn("spent"), DropColumn("runs"))


def render_waste(found: Waste, width: int) -> RenderableType:
    """Render the wasted spend by category, template and phase."""
    if not found.runs:
        return Text("No run matches.")
    lines: list[RenderableType] = [render_waste_line(found), "", _kinds(found, width), *_doubtful(found)]
    for title, places in (("Templates", found.by_template), ("Phases", found.by_phase)):
        if found.wasted and places:
            lines += ["", section_rule(title, width), _places(places, width)]
    return Group(*lines)


def render_waste_line(found: Waste) -> Text:
    """Format the wasted spend as one self-contained line."""
    return Text.assemble(("Spent in vain: ", "bold"), format_waste(found))


def render_waste_kinds(found: Waste) -> Text:
    """Format the waste categories that have a cost in one line."""
    return join_parts([f"{WASTE_LABELS[kind.kind]} {_lost(kind)}" for kind in found.kinds if kind.cost])


def _kinds(found: Waste, width: int) -> RenderableType:
    most = max(kind.cost or 0.0 for kind in found.kinds)
    columns = [
        Column("kind", "in vain", tuple(Text(WASTE_LABELS[kind.kind], "bold") for kind in found.kinds)),
        _numbers("runs", "runs", [f"{kind.runs:,}" for kind in found.kinds]),
        _numbers("cost", "cost", [_lost(kind) for kind in found.kinds]),
        Column("bar", "", tuple(_bar(kind.cost or 0.0, most) for kind in found.kinds)),
        _numbers("above", "counted above already", [_above(kind) for kind in found.kinds]),
    ]
    return build_table(fit_columns(columns, width, _NARROWER), width)


def _lost(kind: WasteKind) -> str:
    return format_lost(kind.cost, partial=kind.partial)


def _above(kind: WasteKind) -> str:
    return format_usd(kind.counted_above) if kind.counted_above else ""


def _doubtful(found: Waste) -> list[Text]:
    if not found.doubtful_runs:
        return []
    runs = pluralize(found.doubtful_runs, "completed run")
    cost = format_lost(found.doubtful_cost or None, partial=found.doubtful_partial)
    return [Text(f"Beside that: in {runs} ({cost}), an agent said success and did nothing.", "magenta")]


def _places(places: Sequence[WasteLocation], width: int) -> RenderableType:
    most = max(place.wasted for place in places)
    columns = [
        Column("name", "", tuple(_name(place) for place in places)),
        _numbers(
            "wasted", "in vain", [format_lost(each.wasted, partial=each.wasted_partial) for each in places]
        ),
        Column("bar", "", tuple(_bar(place.wasted, most) for place in places)),
        _numbers("spent", "of", [format_lost(each.spent, partial=each.partial) for each in places]),
        _numbers("share", "share", [format_fraction(place.share) for place in places]),
    ]
    return build_table(fit_columns(columns, width, _NARROWER), width)


def _name(place: WasteLocation) -> Text:
    return Text("unknown", "dim") if place.name is None else Text(single_line(place.name), "bold")


def _bar(cost: float, most: float) -> Text:
    return Text(symbols.bar(cost / most if most else None, BAR), "red")


def _numbers(key: str, title: str, cells: Sequence[str]) -> Column:
    return Column(key, title, tuple(Text(cell) for cell in cells), right=True)
