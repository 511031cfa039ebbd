"""Amounts over time: points in their order in, a line or columns with axes out; unknown is a gap. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from markupsafe import Markup

from .axis_units import AxisUnit, max_known, position, thin_labels
from .svg import concat, element, link, svg, tooltip

WIDTH: Final = 380.0
HEIGHT: Final = 170.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 10.0, 10.0, 22.0  # room for the words of the axes
_LABELS: Final = 5  # of the time axis
_WIDEST: Final = 26.0  # of one column

Kind = Literal["line", "columns"]


@dataclass(frozen=True, slots=True)
class Point:
    """One amount at one time."""

    label: str  # short, on the axis
    title: str  # all that is known of it, in words
    value: float | None  # None: unknown, nothing is drawn
    thin: bool = False  # it rests on few runs
    unfinished: bool = False  # its time is not over
    href: str | None = None  # where it leads


@dataclass(frozen=True, slots=True)
class PlotArea:
    """Where things lie in a drawing over time."""

    points: int
    marks: tuple[float, ...]  # of the vertical axis
    width: float = WIDTH
    height: float = HEIGHT

    @property
    def step(self) -> float:
        """Width of one point's time."""
        return (self.width - _LEFT - _RIGHT) / max(1, self.points)

    def x(self, place: int) -> float:
        """Return the middle of a point's time."""
        return _LEFT + (place + 0.5) * self.step

    def y(self, value: float) -> float:
        """Return the height of a value."""
        return self.floor - position(value, self.marks[-1]) * (self.floor - _TOP)

    @property
    def floor(self) -> float:
        """Where zero lies."""
        return self.height - _BOTTOM

    def axes(self, unit: AxisUnit, labels: Sequence[str]) -> Markup:
        """Return lines and words of both axes."""
        return concat(*self._lines(unit), *self._words(labels))

    def hover_targets(self, points: Sequence[Point]) -> Markup:
        """Return what a pointer meets: the whole height of each point's time."""
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
    """Return the drawing."""
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
    """Return what a drawing shows, in words: the first, the last, the least and the most."""
    known = [(point.label, point.value) for point in points if point.value is not None]
    if not known:
        return "Nothing is known."
    ends = f"From {unit.format(known[0][1])} ({known[0][0]}) to {unit.format(known[-1][1])} ({known[-1][0]})"
    amounts = [value for _, value in known]
    gaps = f"; unknown {len(points) - len(known)} times" if len(known) < len(points) else ""
    return f"{ends}, between {unit.format(min(amounts))} and {unit.format(max(amounts))}{gaps}."


def known_segments(points: Sequence[Point]) -> list[list[int]]:
    """Return the places of known values, in pieces without a gap."""
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
    """Return a line through the known points, `at` their places, broken where one is unknown."""
    return concat(
        *(
            element("polyline", points=polyline_points([at[place] for place in piece]), class_="line")
            for piece in known_segments(points)
            if len(piece) > 1
        )
    )


def polyline_points(spots: Iterable[tuple[float, float]]) -> str:
    """Return places as a line's `points`."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)


def dot(point: Point, at: tuple[float, float], size: float) -> Markup:
    """Return one point's dot."""
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
    """Return the classes of what must not be taken at its face."""
    return (" thin" if point.thin else "") + (" unfinished" if point.unfinished else "")
