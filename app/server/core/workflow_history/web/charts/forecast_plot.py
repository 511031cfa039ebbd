"""Plot of a forecast: the prediction interval and the comparable runs on one axis. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from markupsafe import Markup

from .axis_units import AxisUnit, max_known, position
from .inline_charts import Bounds
from .svg import concat, element, link, svg, tooltip

_WIDTH, _HEIGHT = 372.0, 146.0
_LEFT, _RIGHT = 10.0, 360.0
_DOTS_TOP, _DOTS_FLOOR = 14.0, 62.0
_BAND, _THICK = 86.0, 16.0
_FLOOR: Final = 120.0


class Dot(NamedTuple):
    """One comparable run."""

    value: float
    weight: float  # 0 to 1; a heavier dot is higher and larger
    title: str
    href: str | None
    succeeded: bool  # whether it did not fail


class PlotLabels(NamedTuple):
    """Texts of a plot."""

    title: str
    median: str
    interval: str


def forecast_plot(
    labels: PlotLabels, bounds: Bounds, dots: Sequence[Dot], unit: AxisUnit, actual: float | None = None
) -> Markup:
    """Draw the plot; `actual` is the actual value, or the value so far."""
    ticks = unit.ticks(max_known((bounds.high, actual, *(dot.value for dot in dots))))
    end = ticks[-1]
    description = (
        f"80% prediction interval {labels.interval}, median {labels.median}; "
        f"{len(dots)} comparable runs as dots."
    )
    return svg(
        _WIDTH,
        _HEIGHT,
        labels.title,
        description,
        *_axis(ticks, unit),
        *_band(bounds, end, labels),
        _actual_mark(actual, end, unit) if actual is not None else "",
        class_="forecast",
        overlay=concat(*(_dot(dot, end) for dot in dots)),
    )


def _axis(ticks: Sequence[float], unit: AxisUnit) -> Iterator[Markup]:
    yield element("line", x1=_LEFT, x2=_RIGHT, y1=_FLOOR, y2=_FLOOR, class_="floor")
    for tick in ticks:
        x = _x(tick, ticks[-1])
        yield element("line", x1=x, x2=x, y1=_DOTS_TOP - 6, y2=_FLOOR, class_="grid")
        anchor = "end" if tick == ticks[-1] else "middle" if tick else "start"
        yield element("text", unit.format_short(tick), x=x, y=_FLOOR + 16, class_=f"tick {anchor}")


def _band(bounds: Bounds, end: float, labels: PlotLabels) -> Iterator[Markup]:
    low, middle, high = (_x(value, end) for value in bounds)
    yield element(
        "rect",
        tooltip(f"80% prediction interval: {labels.interval}"),
        x=low, y=_BAND, width=max(2.0, high - low), height=_THICK, rx=2, class_="fill span",
    )  # fmt: skip
    yield element(
        "rect",
        tooltip(f"median {labels.median}"),
        x=middle - 1.5, y=_BAND - 4, width=3, height=_THICK + 8, class_="fill median",
    )  # fmt: skip
    anchor = "start" if middle < 60 else "end" if middle > _RIGHT - 60 else "middle"
    yield element("text", labels.median, x=middle, y=_BAND - 8, class_=f"value {anchor}")


def _actual_mark(actual: float, end: float, unit: AxisUnit) -> Markup:
    x = _x(actual, end)
    return concat(
        element("line", x1=x, x2=x, y1=_BAND - 8, y2=_FLOOR, class_="came"),
        element(
            "path",
            tooltip(f"actual: {unit.format(actual)}"),
            d=f"M{x:.1f},{_FLOOR:.1f} l-5,8 l10,0 z",
            class_="came",
        ),
    )


def _dot(dot: Dot, end: float) -> Markup:
    weight = position(dot.weight, 1.0)
    y = _DOTS_FLOOR - weight * (_DOTS_FLOOR - _DOTS_TOP)
    x, size = _x(dot.value, end), 3.0 + 2.5 * weight
    if dot.succeeded:
        return link(dot.href, element("circle", tooltip(dot.title), cx=x, cy=y, r=size, class_="past"))
    wide = 2 * size
    cross = f"M{x - size:.1f},{y - size:.1f} l{wide:.1f},{wide:.1f} m0,{-wide:.1f} l{-wide:.1f},{wide:.1f}"
    return link(dot.href, element("path", tooltip(dot.title), d=cross, class_="past failed"))


def _x(value: float, end: float) -> float:
    return _LEFT + position(value, end) * (_RIGHT - _LEFT)
