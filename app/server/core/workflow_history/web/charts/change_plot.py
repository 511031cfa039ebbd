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
_MAX_VALUES: Final = 400  # values that fit into the width of a plot


class Median(NamedTuple):
    """Median on one side of a change point, with its label."""

    value: float
    label: str


def change_plot(
    title: str,
    curve: Sequence[float],
    change: int,
    medians: tuple[Median, Median],
    unit: AxisUnit,
    *,
    worse: bool,
) -> Markup:
    """Draw the plot; `change` is the index of the first value after the change; `medians` has both sides."""
    visible = curve[-_MAX_VALUES:]
    change = max(0, change - (len(curve) - len(visible)))
    end = (unit.fixed_end or max_known((*visible, *(median.value for median in medians)))) * 1.05 or 1.0
    step = (_RIGHT - _LEFT) / max(1, len(visible))
    positions = [(_LEFT + (index + 0.5) * step, _y(value, end)) for index, value in enumerate(visible)]
    change_x = _LEFT + change * step
    sides = (
        ("before", positions[:change], visible[:change]),
        ("worse" if worse else "better", positions[change:], visible[change:]),
    )
    return svg(
        _WIDTH,
        _HEIGHT,
        title,
        f"{medians[0].label}; {medians[1].label}.",
        element("line", x1=_LEFT, x2=_RIGHT, y1=_FLOOR, y2=_FLOOR, class_="floor"),
        element("line", x1=change_x, x2=change_x, y1=_TOP - 12, y2=_FLOOR, class_="change"),
        *(_draw_side(name, positions, values, unit) for name, positions, values in sides),
        _draw_median(medians[0].value, end, _LEFT, change_x, ""),
        _draw_median(medians[1].value, end, change_x, _RIGHT, "after"),
        _draw_labels(medians, change_x, worse=worse),
        class_="finding",
    )


def _draw_side(
    name: str, positions: Sequence[tuple[float, float]], values: Sequence[float], unit: AxisUnit
) -> Markup:
    line = element("polyline", points=polyline_points(positions), class_="line")
    dots = [
        element("circle", tooltip(unit.format(value)), cx=x, cy=y, r=2.4, class_="dot")
        for (x, y), value in zip(positions, values, strict=True)
    ]
    return element("g", line, *dots, class_=name)


def _draw_median(value: float, end: float, left: float, right: float, kind: str) -> Markup:
    y = _y(value, end)
    return element("line", x1=left, x2=right, y1=y, y2=y, class_=f"level {kind}".strip())


def _draw_labels(medians: tuple[Median, Median], change_x: float, *, worse: bool) -> Markup:
    """Draw the labels of both sides: before at the bottom left, after at the top right."""
    kind = "worse" if worse else "better"
    return concat(
        element("text", medians[0].label, x=_LEFT, y=_FLOOR + 14, class_="side before")
        if change_x > _LEFT
        else "",
        element("text", medians[1].label, x=_RIGHT, y=_TOP - 11, class_=f"side end {kind}"),
    )


def _y(value: float, end: float) -> float:
    return _FLOOR - position(value, end) * (_FLOOR - _TOP)
