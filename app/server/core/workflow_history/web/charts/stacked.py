"""Stacked columns over time. Each series has a colour, some also a texture. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from ...common.models import RunStatus
from .axis_units import AxisUnit, max_known
from .svg import concat, element, svg, tooltip
from .time_series import PlotArea, Point

MAX_SERIES: Final = 6
"""Number of series that can be distinguished."""

_WIDTH, _HEIGHT = 1220.0, 210.0
_NARROW: Final = 380.0

_TEXTURED_STATUSES: Final = {RunStatus.FAILED, RunStatus.STOPPED}  # distinct without colours, too


@dataclass(frozen=True, slots=True)
class Look:
    """Look of a series."""

    colour: str  # CSS class
    textured: bool


@dataclass(frozen=True, slots=True)
class Series:
    """One series of values."""

    name: str
    values: tuple[float | None, ...]  # one for each point in time; None: unknown
    look: Look


def series_look(index: int) -> Look:
    """Return the look of a series by its position: every second one has a texture."""
    return Look(f"k{index % MAX_SERIES}", textured=index % 2 == 1)


def status_look(status: str | None) -> Look:
    """Return the look of a status, which has the same colour in every chart and list."""
    return Look(f"is-{status or RunStatus.UNKNOWN}", textured=status in _TEXTURED_STATUSES)


def stacked(
    title: str, points: Sequence[Point], series: Sequence[Series], unit: AxisUnit, *, narrow: bool = False
) -> Markup:
    """Draw stacked columns, with a part for each series. `points` have labels, tooltips and links."""
    totals = [sum(one_series.values[index] or 0.0 for one_series in series) for index in range(len(points))]
    width = _NARROW if narrow else _WIDTH
    area = PlotArea(len(points), tuple(unit.ticks(max_known(totals))), width, _HEIGHT)
    description = (
        f"Stacked columns over time, from below: {', '.join(one_series.name for one_series in series)}."
    )
    columns = [_column(area, index, series, unit, points[index]) for index in range(len(points))]
    labels = [point.label for point in points]
    return svg(
        width,
        _HEIGHT,
        title,
        description,
        area.axes(unit, labels),
        *columns,
        class_="stacked",
        overlay=area.hit_areas(points),
    )


def textured_rect(look: Look, **position: float) -> Markup:
    """Draw a rectangle in the look of a series."""
    rect = element("rect", **position, class_=look.colour)
    return concat(rect, element("rect", **position, fill="url(#texture)")) if look.textured else rect


def texture_pattern() -> Markup:
    """Return the SVG pattern of the texture. A page with stacked charts needs it once."""
    lines = element("path", d="M0,5 l5,-5", class_="texture")
    pattern = element("pattern", lines, id="texture", width=5, height=5, patternUnits="userSpaceOnUse")
    return element("svg", element("defs", pattern), class_="textures", aria_hidden="true", focusable="false")


def legend_swatch(look: Look) -> Markup:
    """Draw a series' swatch for a legend."""
    return element(
        "svg",
        textured_rect(look, x=0, y=0, width=12, height=12),
        viewBox="0 0 12 12",
        class_="swatch",
        aria_hidden="true",
        focusable="false",
    )


def _column(area: PlotArea, index: int, series: Sequence[Series], unit: AxisUnit, point: Point) -> Markup:
    width = min(30.0, area.step * 0.76)
    height, columns = 0.0, []
    for one_series in series:
        value = one_series.values[index]
        if not value:
            continue
        bottom, top = area.y(height), area.y(height + value)
        height += value
        mark = textured_rect(
            one_series.look, x=area.x(index) - width / 2, y=top, width=width, height=max(0.0, bottom - top)
        )
        columns.append(element("g", tooltip(f"{one_series.name}: {unit.format(value)}"), mark))
    return element("g", *columns, class_="unfinished" if point.unfinished else None)
