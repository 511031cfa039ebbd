"""Amounts over time by kind: series in, stacked columns out; each kind has a colour and a texture. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from .axis_units import AxisUnit, max_known
from .svg import concat, element, svg, tooltip
from .time_series import PlotArea, Point

MAX_SERIES: Final = 6
"""Kinds that can be told apart."""

_WIDTH, _HEIGHT = 1220.0, 210.0
_NARROW: Final = 380.0


@dataclass(frozen=True, slots=True)
class Series:
    """One kind's amounts."""

    name: str
    values: tuple[float | None, ...]  # one for each point


def stacked(
    title: str, points: Sequence[Point], series: Sequence[Series], unit: AxisUnit, *, narrow: bool = False
) -> Markup:
    """Return columns of which each part is one series; `points` say when, and how the whole is said."""
    sums = [sum(each.values[place] or 0.0 for each in series) for place in range(len(points))]
    width = _NARROW if narrow else _WIDTH
    frame = PlotArea(len(points), tuple(unit.marks(max_known(sums))), width, _HEIGHT)
    about = f"Stacked columns over time, from below: {', '.join(each.name for each in series)}."
    parts = [_column(frame, place, series, unit, points[place]) for place in range(len(points))]
    labels = [point.label for point in points]
    return svg(
        width,
        _HEIGHT,
        title,
        about,
        frame.axes(unit, labels),
        *parts,
        class_="stacked",
        over=frame.hover_targets(points),
    )


def textured_rect(kind: int, **place: float) -> Markup:
    """Return a rectangle of a kind: its colour, and lines over every second one."""
    rect = element("rect", **place, class_=f"k{kind % MAX_SERIES}")
    return rect if kind % 2 == 0 else concat(rect, element("rect", **place, fill="url(#texture)"))


def texture_pattern() -> Markup:
    """Return what the texture is made of; a page with stacked drawings holds it once."""
    lines = element("path", d="M0,5 l5,-5", class_="texture")
    pattern = element("pattern", lines, id="texture", width=5, height=5, patternUnits="userSpaceOnUse")
    return element("svg", element("defs", pattern), class_="textures", aria_hidden="true", focusable="false")


def legend_swatch(kind: int) -> Markup:
    """Return a kind's sign, for a legend."""
    return element(
        "svg",
        textured_rect(kind, x=0, y=0, width=12, height=12),
        viewBox="0 0 12 12",
        class_="swatch",
        aria_hidden="true",
        focusable="false",
    )


def _column(frame: PlotArea, place: int, series: Sequence[Series], unit: AxisUnit, point: Point) -> Markup:
    wide = min(30.0, frame.step * 0.76)
    height, parts = 0.0, []
    for kind, each in enumerate(series):
        value = each.values[place]
        if not value:
            continue
        low, high = frame.y(height), frame.y(height + value)
        height += value
        box = textured_rect(
            kind, x=frame.x(place) - wide / 2, y=high, width=wide, height=max(0.0, low - high)
        )
        parts.append(element("g", tooltip(f"{each.name}: {unit.format(value)}"), box))
    return element("g", *parts, class_="unfinished" if point.unfinished else None)
