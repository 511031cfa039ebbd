"""Stacked columns over time. Each series has a colour, every second one also a texture. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from .axis_units import AxisUnit, max_known
from .svg import concat, element, svg, tooltip
from .time_series import PlotArea, Point

MAX_SERIES: Final = 6
"""Number of series that can be distinguished."""

_WIDTH, _HEIGHT = 1220.0, 210.0
_NARROW: Final = 380.0


@dataclass(frozen=True, slots=True)
class Series:
    """One series of values."""

    name: str
    values: tuple[float | None, ...]  # one for each point in time; None: unknown


def stacked(
    title: str, points: Sequence[Point], series: Sequence[Series], unit: AxisUnit, *, narrow: bool = False
) -> Markup:
    """Draw stacked columns, with a part for each series. `points` have labels, tooltips and links."""
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
    """Draw a rectangle in a series' colour, with a texture on every second series."""
    rect = element("rect", **place, class_=f"k{kind % MAX_SERIES}")
    return rect if kind % 2 == 0 else concat(rect, element("rect", **place, fill="url(#texture)"))


def texture_pattern() -> Markup:
    """Return the SVG pattern of the texture. A page with stacked charts needs it once."""
    lines = element("path", d="M0,5 l5,-5", class_="texture")
    pattern = element("pattern", lines, id="texture", width=5, height=5, patternUnits="userSpaceOnUse")
    return element("svg", element("defs", pattern), class_="textures", aria_hidden="true", focusable="false")


def legend_swatch(kind: int) -> Markup:
    """Draw a series' swatch for a legend."""
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
