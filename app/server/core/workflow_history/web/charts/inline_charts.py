"""Charts for table rows, without labels. Rows share a scale by its end value. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from .axis_units import AxisUnit, position
from .stacked import MAX_SERIES
from .svg import concat, element, inline_svg, svg, tooltip
from .time_series import Point, dot, known_segments, lines


def bar(value: float | None, end: float, title: str, kind: str = "") -> Markup:
    """Draw a horizontal bar; empty if the value is unknown."""
    if value is None:
        return inline_svg(title, class_="level unknown")
    return inline_svg(title, _level(0, 100 * position(value, end), kind), class_="level")


def bar_pair(first: float | None, second: float | None, end: float, title: str) -> Markup:
    """Draw two horizontal bars, one below the other. An unknown value has no bar."""
    parts = [
        _level(0, 100 * position(value, end), kind, y=y, height=7)
        for value, kind, y in ((first, "a", 1), (second, "b", 10))
        if value is not None
    ]
    return inline_svg(title, *parts, class_="level pair", height=18)


def diverging_bar(value: float, end: float, title: str) -> Markup:
    """Draw a bar from the middle: to the right for positive values, to the left for negative ones."""
    length = 50 * position(abs(value), end)
    mark = _level(50 if value > 0 else 50 - length, length, "more" if value > 0 else "less")
    return inline_svg(
        title, mark, element("rect", x=49.8, y=0, width=0.4, height=12, class_="middle"), class_="level"
    )


class Bounds(NamedTuple):
    """An 80% interval from `low` to `high`, with its median or estimate."""

    low: float
    middle: float
    high: float


class Part(NamedTuple):
    """One part of a stacked bar, with its tooltip."""

    name: str
    value: float
    title: str


def stacked_bar(parts: Sequence[Part], end: float, title: str) -> Markup:
    """Draw one bar of stacked parts. Colours follow the order of the parts."""
    marks, left = [element("rect", x=0, y=1, width=100, height=10, class_="rail")], 0.0
    for kind, part in enumerate(parts):
        length = 100 * position(part.value, end)
        mark = element(
            "rect", tooltip(part.title), x=left, y=1, width=length, height=10, class_=f"k{kind % MAX_SERIES}"
        )
        marks.append(mark)
        left += length
    return inline_svg(title, *marks, class_="level parts")


def interval_bar(bounds: Bounds, end: float, title: str, actual: float | None = None) -> Markup:
    """Draw an interval with its middle; `actual` is the actual value."""
    left, right = 100 * position(bounds.low, end), 100 * position(bounds.high, end)
    marks = [
        element("rect", x=0, y=5.5, width=100, height=1, class_="rail"),
        _level(left, max(0.6, right - left), "span", y=3, height=6),
        _level(100 * position(bounds.middle, end) - 0.6, 1.2, "median", y=0, height=12),
    ]
    if actual is not None:
        marks.append(_level(100 * position(actual, end) - 0.4, 0.8, "came", y=0, height=12))
    return inline_svg(title, *marks, class_="level interval")


def sparkline(points: Sequence[Point], end: float, title: str, unit: AxisUnit) -> Markup:
    """Draw a line without axes. Rows with the same `end` can be compared."""
    width, height = 150.0, 30.0
    step = width / max(1, len(points))
    positions = {
        index: ((index + 0.5) * step, height - 3 - position(point.value, end) * (height - 6))
        for index, point in enumerate(points)
        if point.value is not None
    }
    isolated = {segment[0] for segment in known_segments(points) if len(segment) == 1}
    dotted = [
        index for index in positions if index in isolated or points[index].low_n or points[index].unfinished
    ]
    dots = [dot(points[index], positions[index], 1.6) for index in dotted]
    hit_areas = [
        element("rect", tooltip(point.title), x=index * step, y=0, width=step, height=height, class_="hit")
        for index, point in enumerate(points)
    ]
    floor = element("line", x1=0, x2=width, y1=height - 3, y2=height - 3, class_="grid")
    values = [unit.format(point.value) for point in points if point.value is not None]
    description = f"From {values[0]} to {values[-1]}." if values else "No known values."
    marks = (floor, lines(points, positions), *dots)
    return svg(width, height, title, description, *marks, class_="spark", overlay=concat(*hit_areas))


def _level(x: float, width: float, kind: str, *, y: float = 1, height: float = 10) -> Markup:
    return element("rect", x=x, y=y, width=width, height=height, class_=f"fill {kind}".strip())
