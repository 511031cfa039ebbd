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
_LABELS: Final = 5  # maximum of labels on the time axis
_WIDEST: Final = 26.0  # maximum width of a column

Kind = Literal["line", "columns"]


@dataclass(frozen=True, slots=True)
class Point:
    """One value at one time."""

    label: str  # short, for the axis
    title: str  # tooltip
    value: float | None  # None: unknown, not drawn
    thin: bool = False  # low n: based on few runs
    unfinished: bool = False  # partial period
    href: str | None = None  # URL of its link


@dataclass(frozen=True, slots=True)
class PlotArea:
    """Coordinates of a chart over time."""

    points: int  # number of points in time
    marks: tuple[float, ...]  # tick values of the vertical axis
    width: float = WIDTH
    height: float = HEIGHT

    @property
    def step(self) -> float:
        """Width per point."""
        return (self.width - _LEFT - _RIGHT) / max(1, self.points)

    def x(self, place: int) -> float:
        """Return the x coordinate of a point's middle."""
        return _LEFT + (place + 0.5) * self.step

    def y(self, value: float) -> float:
        """Return the y coordinate of a value."""
        return self.floor - position(value, self.marks[-1]) * (self.floor - _TOP)

    @property
    def floor(self) -> float:
        """The y coordinate of zero."""
        return self.height - _BOTTOM

    def axes(self, unit: AxisUnit, labels: Sequence[str]) -> Markup:
        """Draw the lines and labels of both axes."""
        return concat(*self._lines(unit), *self._words(labels))

    def hover_targets(self, points: Sequence[Point]) -> Markup:
        """Draw invisible areas with tooltip and link, one for each point over the full height."""
        return concat(
            *(
                link(
                    point.href,
                    element(
                        "rect",
                        tooltip(point.title),
                        x=_LEFT + place * self.step,
                        y=_TOP,
                        width=self.step,
                        height=self.floor - _TOP,
                        class_="hit",
                    ),
                )
                for place, point in enumerate(points)
            )
        )

    def _lines(self, unit: AxisUnit) -> Iterator[Markup]:
        for mark in self.marks:
            y = self.y(mark)
            yield element(
                "line", x1=_LEFT, x2=self.width - _RIGHT, y1=y, y2=y, class_="grid" if mark else "floor"
            )
            yield element("text", unit.format_short(mark), x=_LEFT - 6, y=y + 3.5, class_="tick end")

    def _words(self, labels: Sequence[str]) -> Iterator[Markup]:
        for place in thin_labels(labels, _LABELS):
            x = min(max(self.x(place), _LEFT + 14), self.width - 24)
            yield element("text", labels[place], x=x, y=self.height - 6, class_="tick middle")


def over_time(title: str, points: Sequence[Point], unit: AxisUnit, kind: Kind = "line") -> Markup:
    """Draw a chart of points over time."""
    frame = PlotArea(len(points), tuple(unit.marks(max_known(point.value for point in points))))
    draw = _columns if kind == "columns" else _line
    return svg(
        frame.width,
        frame.height,
        title,
        describe(points, unit),
        frame.axes(unit, [point.label for point in points]),
        draw(frame, points),
        over=frame.hover_targets(points),
    )


def describe(points: Sequence[Point], unit: AxisUnit) -> str:
    """Describe a chart as text: first, last, minimum and maximum value, and the number of gaps."""
    known = [(point.label, point.value) for point in points if point.value is not None]
    if not known:
        return "Nothing is known."
    ends = f"From {unit.format(known[0][1])} ({known[0][0]}) to {unit.format(known[-1][1])} ({known[-1][0]})"
    amounts = [value for _, value in known]
    gaps = f"; unknown {len(points) - len(known)} times" if len(known) < len(points) else ""
    return f"{ends}, between {unit.format(min(amounts))} and {unit.format(max(amounts))}{gaps}."


def known_segments(points: Sequence[Point]) -> list[list[int]]:
    """Return the indexes of known values, grouped into segments without gaps."""
    pieces: list[list[int]] = []
    for place, point in enumerate(points):
        if point.value is None:
            continue
        if pieces and pieces[-1][-1] == place - 1:
            pieces[-1].append(place)
        else:
            pieces.append([place])
    return pieces


def lines(points: Sequence[Point], at: Mapping[int, tuple[float, float]]) -> Markup:
    """Draw lines through the known points, with gaps at unknown ones. `at` maps indexes to coordinates."""
    return concat(
        *(
            element("polyline", points=polyline_points([at[place] for place in piece]), class_="line")
            for piece in known_segments(points)
            if len(piece) > 1
        )
    )


def polyline_points(spots: Iterable[tuple[float, float]]) -> str:
    """Format coordinates for the `points` attribute of a polyline."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)


def dot(point: Point, at: tuple[float, float], size: float) -> Markup:
    """Draw a point's dot."""
    return element("circle", cx=at[0], cy=at[1], r=size, class_=f"dot{point_classes(point)}")


def _line(frame: PlotArea, points: Sequence[Point]) -> Markup:
    at = {
        place: (frame.x(place), frame.y(point.value))
        for place, point in enumerate(points)
        if point.value is not None
    }
    return concat(lines(points, at), *(dot(points[place], spot, 2.6) for place, spot in at.items()))


def _columns(frame: PlotArea, points: Sequence[Point]) -> Markup:
    wide = min(_WIDEST, frame.step * 0.76)
    return concat(
        *(
            element(
                "rect",
                x=frame.x(place) - wide / 2,
                y=frame.y(point.value),
                width=wide,
                height=frame.floor - frame.y(point.value),
                class_=f"column{point_classes(point)}",
            )
            for place, point in enumerate(points)
            if point.value is not None
        )
    )


def point_classes(point: Point) -> str:
    """Return the CSS classes for low n and partial periods, each with a leading space."""
    return (" thin" if point.thin else "") + (" unfinished" if point.unfinished else "")
