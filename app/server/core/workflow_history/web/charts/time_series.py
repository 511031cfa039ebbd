"""Charts over time: a line or columns with axes. Unknown values are gaps. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from markupsafe import Markup

from .axis_units import AxisUnit, max_known, position, thin_labels
from .svg import concat, element, link, svg, tooltip

WIDTH: Final = 380.0
HEIGHT: Final = 170.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 10.0, 10.0, 22.0  # margins for the axis labels
_MAX_LABELS: Final = 5  # maximum of labels on the time axis
_MAX_COLUMN_WIDTH: Final = 26.0  # maximum width of a column

Kind = Literal["line", "columns"]


@dataclass(frozen=True, slots=True)
class Point:
    """One value at one time."""

    label: str  # short, for the axis
    title: str  # tooltip
    value: float | None  # None: unknown, not drawn
    low_n: bool = False  # low n: based on few runs
    unfinished: bool = False  # partial period
    href: str | None = None  # URL of its link


@dataclass(frozen=True, slots=True)
class PlotArea:
    """Coordinates of a chart over time."""

    points: int  # number of points in time
    ticks: tuple[float, ...]  # tick values of the vertical axis
    width: float = WIDTH
    height: float = HEIGHT

    @property
    def step(self) -> float:
        """Width per point."""
        return (self.width - _LEFT - _RIGHT) / max(1, self.points)

    def x(self, index: int) -> float:
        """Return the x coordinate of a point's middle."""
        return _LEFT + (index + 0.5) * self.step

    def y(self, value: float) -> float:
        """Return the y coordinate of a value."""
        return self.floor - position(value, self.ticks[-1]) * (self.floor - _TOP)

    @property
    def floor(self) -> float:
        """The y coordinate of zero."""
        return self.height - _BOTTOM

    def axes(self, unit: AxisUnit, labels: Sequence[str]) -> Markup:
        """Draw the lines and labels of both axes."""
        return concat(*self._draw_grid(unit), *self._draw_labels(labels))

    def hit_areas(self, points: Sequence[Point]) -> Markup:
        """Draw invisible areas with tooltip and link, one for each point over the full height."""
        return concat(
            *(
                link(
                    point.href,
                    element(
                        "rect",
                        tooltip(point.title),
                        x=_LEFT + index * self.step,
                        y=_TOP,
                        width=self.step,
                        height=self.floor - _TOP,
                        class_="hit",
                    ),
                )
                for index, point in enumerate(points)
            )
        )

    def _draw_grid(self, unit: AxisUnit) -> Iterator[Markup]:
        for tick in self.ticks:
            y = self.y(tick)
            yield element(
                "line", x1=_LEFT, x2=self.width - _RIGHT, y1=y, y2=y, class_="grid" if tick else "floor"
            )
            yield element("text", unit.format_short(tick), x=_LEFT - 6, y=y + 3.5, class_="tick end")

    def _draw_labels(self, labels: Sequence[str]) -> Iterator[Markup]:
        for index in thin_labels(labels, _MAX_LABELS):
            x = min(max(self.x(index), _LEFT + 14), self.width - 24)
            yield element("text", labels[index], x=x, y=self.height - 6, class_="tick middle")


def over_time(title: str, points: Sequence[Point], unit: AxisUnit, kind: Kind = "line") -> Markup:
    """Draw a chart of points over time."""
    area = PlotArea(len(points), tuple(unit.ticks(max_known(point.value for point in points))))
    draw = _columns if kind == "columns" else _line
    return svg(
        area.width,
        area.height,
        title,
        describe(points, unit),
        area.axes(unit, [point.label for point in points]),
        draw(area, points),
        overlay=area.hit_areas(points),
    )


def describe(points: Sequence[Point], unit: AxisUnit) -> str:
    """Describe a chart as text: first, last, minimum and maximum value, and the number of gaps."""
    known = [(point.label, point.value) for point in points if point.value is not None]
    if not known:
        return "No known values."
    ends = f"From {unit.format(known[0][1])} ({known[0][0]}) to {unit.format(known[-1][1])} ({known[-1][0]})"
    amounts = [value for _, value in known]
    gaps = f"; unknown {len(points) - len(known)} times" if len(known) < len(points) else ""
    return f"{ends}, between {unit.format(min(amounts))} and {unit.format(max(amounts))}{gaps}."


def known_segments(points: Sequence[Point]) -> list[list[int]]:
    """Return the indexes of known values, grouped into segments without gaps."""
    segments: list[list[int]] = []
    for index, point in enumerate(points):
        if point.value is None:
            continue
        if segments and segments[-1][-1] == index - 1:
            segments[-1].append(index)
        else:
            segments.append([index])
    return segments


def lines(points: Sequence[Point], positions: Mapping[int, tuple[float, float]]) -> Markup:
    """Draw lines through the known points, with gaps at unknown ones; `positions` maps their indexes."""
    return concat(
        *(
            element(
                "polyline", points=polyline_points([positions[index] for index in segment]), class_="line"
            )
            for segment in known_segments(points)
            if len(segment) > 1
        )
    )


def polyline_points(positions: Iterable[tuple[float, float]]) -> str:
    """Format coordinates for the `points` attribute of a polyline."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in positions)


def dot(point: Point, center: tuple[float, float], size: float) -> Markup:
    """Draw a point's dot."""
    return element("circle", cx=center[0], cy=center[1], r=size, class_=f"dot{point_classes(point)}")


def _line(area: PlotArea, points: Sequence[Point]) -> Markup:
    positions = {
        index: (area.x(index), area.y(point.value))
        for index, point in enumerate(points)
        if point.value is not None
    }
    return concat(
        lines(points, positions), *(dot(points[index], center, 2.6) for index, center in positions.items())
    )


def _columns(area: PlotArea, points: Sequence[Point]) -> Markup:
    width = min(_MAX_COLUMN_WIDTH, area.step * 0.76)
    return concat(
        *(
            element(
                "rect",
                x=area.x(index) - width / 2,
                y=area.y(point.value),
                width=width,
                height=area.floor - area.y(point.value),
                class_=f"column{point_classes(point)}",
            )
            for index, point in enumerate(points)
            if point.value is not None
        )
    )


def point_classes(point: Point) -> str:
    """Return the CSS classes for low n and partial periods, each with a leading space."""
    return (" thin" if point.low_n else "") + (" unfinished" if point.unfinished else "")
