"""Small plot of a regression or improvement, with the medians before and after it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from markupsafe import Markup

from .axis_units import AxisUnit, max_known, position
from .svg import concat, element, svg, tooltip
from .time_series import polyline_points

_WIDTH, _HEIGHT = 320.0, 122.0
_LEFT, _RIGHT, _TOP, _FLOOR = 6.0, 314.0, 26.0, 102.0
_MOST: Final = 400  # values that fit into the width of a plot


class Median(NamedTuple):
    """Median on one side of a change point, with its label."""

    value: float
    words: str


def change_plot(
    title: str,
    curve: Sequence[float],
    change: int,
    levels: tuple[Median, Median],
    unit: AxisUnit,
    *,
    worse: bool,
) -> Markup:
    """Draw the plot; `change` is the index of the first value since the change, `levels` the two medians."""
    shown = curve[-_MOST:]
    change = max(0, change - (len(curve) - len(shown)))
    end = (unit.most or max_known((*shown, *(level.value for level in levels)))) * 1.05 or 1.0
    step = (_RIGHT - _LEFT) / max(1, len(shown))
    at = [(_LEFT + (place + 0.5) * step, _height(value, end)) for place, value in enumerate(shown)]
    split = _LEFT + change * step
    sides = (
        ("before", at[:change], shown[:change]),
        ("worse" if worse else "better", at[change:], shown[change:]),
    )
    return svg(
        _WIDTH,
        _HEIGHT,
        title,
        f"{levels[0].words}; {levels[1].words}.",
        element("line", x1=_LEFT, x2=_RIGHT, y1=_FLOOR, y2=_FLOOR, class_="floor"),
        element("line", x1=split, x2=split, y1=_TOP - 12, y2=_FLOOR, class_="change"),
        *(_side(name, spots, values, unit) for name, spots, values in sides),
        _level(levels[0].value, end, _LEFT, split, ""),
        _level(levels[1].value, end, split, _RIGHT, "after"),
        _words(levels, split, worse=worse),
        class_="finding",
    )


def _side(name: str, at: Sequence[tuple[float, float]], values: Sequence[float], unit: AxisUnit) -> Markup:
    line = element("polyline", points=polyline_points(at), class_="line")
    dots = [
        element("circle", tooltip(unit.format(value)), cx=x, cy=y, r=2.4, class_="dot")
        for (x, y), value in zip(at, values, strict=True)
    ]
    return element("g", line, *dots, class_=name)


def _level(value: float, end: float, left: float, right: float, kind: str) -> Markup:
    y = _height(value, end)
    return element("line", x1=left, x2=right, y1=y, y2=y, class_=f"level {kind}".strip())


def _words(levels: tuple[Median, Median], split: float, *, worse: bool) -> Markup:
    """Draw the labels of both sides: before at the bottom left, after at the top right."""
    kind = "worse" if worse else "better"
    return concat(
        element("text", levels[0].words, x=_LEFT, y=_FLOOR + 14, class_="side before")
        if split > _LEFT
        else "",
        element("text", levels[1].words, x=_RIGHT, y=_TOP - 11, class_=f"side end {kind}"),
    )


def _height(value: float, end: float) -> float:
    return _FLOOR - position(value, end) * (_FLOOR - _TOP)
