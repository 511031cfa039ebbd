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
    wide = 50 * position(abs(value), end)
    mark = _level(50 if value > 0 else 50 - wide, wide, "more" if value > 0 else "less")
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
    said: str


def stacked_bar(parts: Sequence[Part], end: float, title: str) -> Markup:
    """Draw one bar of stacked parts. Colours follow the order of the parts."""
    marks, begin = [element("rect", x=0, y=1, width=100, height=10, class_="rail")], 0.0
    for kind, part in enumerate(parts):
        wide = 100 * position(part.value, end)
        box = element(
            "rect", tooltip(part.said), x=begin, y=1, width=wide, height=10, class_=f"k{kind % MAX_SERIES}"
        )
        marks.append(box)
        begin += wide
    return inline_svg(title, *marks, class_="level parts")


def interval_bar(bounds: Bounds, end: float, title: str, came: float | None = None) -> Markup:
    """Draw an interval with its middle; `came` is the actual value."""
    begin, finish = 100 * position(bounds.low, end), 100 * position(bounds.high, end)
    marks = [
        element("rect", x=0, y=5.5, width=100, height=1, class_="rail"),
        _level(begin, max(0.6, finish - begin), "span", y=3, height=6),
        _level(100 * position(bounds.middle, end) - 0.6, 1.2, "median", y=0, height=12),
    ]
    if came is not None:
        marks.append(_level(100 * position(came, end) - 0.4, 0.8, "came", y=0, height=12))
    return inline_svg(title, *marks, class_="level interval")


def sparkline(points: Sequence[Point], end: float, title: str, unit: AxisUnit) -> Markup:
    """Draw a line without axes. Rows with the same `end` can be compared."""
    wide, high = 150.0, 30.0
    step = wide / max(1, len(points))
    at = {
        place: ((place + 0.5) * step, high - 3 - position(point.value, end) * (high - 6))
        for place, point in enumerate(points)
        if point.value is not None
    }
    alone = {piece[0] for piece in known_segments(points) if len(piece) == 1}
    seen = [place for place in at if place in alone or points[place].thin or points[place].unfinished]
    dots = [dot(points[place], at[place], 1.6) for place in seen]
    over = [
        element("rect", tooltip(point.title), x=place * step, y=0, width=step, height=high, class_="hit")
        for place, point in enumerate(points)
    ]
    floor = element("line", x1=0, x2=wide, y1=high - 3, y2=high - 3, class_="grid")
    known = [unit.format(point.value) for point in points if point.value is not None]
    about = f"From {known[0]} to {known[-1]}." if known else "Nothing is known."
    drawn = (floor, lines(points, at), *dots)
    return svg(wide, high, title, about, *drawn, class_="spark", over=concat(*over))


def _level(x: float, width: float, kind: str, *, y: float = 1, height: float = 10) -> Markup:
    return element("rect", x=x, y=y, width=width, height=height, class_=f"fill {kind}".strip())
