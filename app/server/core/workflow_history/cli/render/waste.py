"""What was spent in vain, by kind and place: an answer in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from ...amounts import money, share
from ...summing.records import Waste, WasteKind, WastePlace
from ...wording.numbers import counted
from ...wording.statistics import WASTE, wasted_of
from ...wording.text import one_line
from . import marks
from .story.section import section
from .table import Column, GiveWay, fit, grid
from .text import joined

BAR: Final = 16  # cells

_NARROWER: Final = (GiveWay("bar"), GiveWay("above"), GiveWay("spent"), GiveWay("runs"))


def waste_report(found: Waste, width: int) -> RenderableType:
    """Return what was wasted by kind, template and phase."""
    if not found.runs:
        return Text("No run matches.")
    lines: list[RenderableType] = [waste_line(found), "", _kinds(found, width), *_doubtful(found)]
    for title, places in (("Templates", found.by_template), ("Phases", found.by_phase)):
        if found.wasted and places:
            lines += ["", section(title, width), _places(places, width)]
    return Group(*lines)


def waste_line(found: Waste) -> Text:
    """Return how much was wasted, in a line that stands alone."""
    return Text.assemble(("Spent in vain: ", "bold"), wasted_of(found))


def waste_parts(found: Waste) -> Text:
    """Return the kinds that there are, in a line."""
    return joined([f"{WASTE[kind.kind]} {money(kind.cost)}" for kind in found.kinds if kind.cost])


def _kinds(found: Waste, width: int) -> RenderableType:
    most = max(kind.cost for kind in found.kinds)
    columns = [
        Column("kind", "in vain", tuple(Text(WASTE[kind.kind], "bold") for kind in found.kinds)),
        _numbers("runs", "runs", [f"{kind.runs:,}" for kind in found.kinds]),
        _numbers("cost", "cost", [money(kind.cost) for kind in found.kinds]),
        Column("bar", "", tuple(_bar(kind.cost, most) for kind in found.kinds)),
        _numbers("above", "counted above already", [_above(kind) for kind in found.kinds]),
    ]
    return grid(fit(columns, width, _NARROWER), width)


def _above(kind: WasteKind) -> str:
    return money(kind.counted_above) if kind.counted_above else ""


def _doubtful(found: Waste) -> list[Text]:
    if not found.doubtful_runs:
        return []
    runs, cost = counted(found.doubtful_runs, "completed run"), money(found.doubtful_cost)
    return [Text(f"Beside that: in {runs} ({cost}), an agent said success and did nothing.", "magenta")]


def _places(places: Sequence[WastePlace], width: int) -> RenderableType:
    most = max(place.wasted for place in places)
    columns = [
        Column("name", "", tuple(_name(place) for place in places)),
        _numbers("wasted", "in vain", [money(place.wasted) for place in places]),
        Column("bar", "", tuple(_bar(place.wasted, most) for place in places)),
        _numbers("spent", "of", [money(place.spent) for place in places]),
        _numbers("share", "share", [share(place.share) for place in places]),
    ]
    return grid(fit(columns, width, _NARROWER), width)


def _name(place: WastePlace) -> Text:
    return Text("unknown", "dim") if place.name is None else Text(one_line(place.name), "bold")


def _bar(cost: float, most: float) -> Text:
    return Text(marks.bar(cost / most if most else None, BAR), "red")


def _numbers(key: str, title: str, cells: Sequence[str]) -> Column:
    return Column(key, title, tuple(Text(cell) for cell in cells), right=True)
