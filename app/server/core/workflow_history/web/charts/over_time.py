"""Amounts over time: points in their order in, a line or columns with axes out; unknown is a gap. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from markupsafe import Markup

from .svg import drawing, element, link, said, together
from .units import Unit, place_of, thinned, top_of

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
class Frame:
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
        return self.floor - place_of(value, self.marks[-1]) * (self.floor - _TOP)

    @property
    def floor(self) -> float:
        """Where zero lies."""
        return self.height - _BOTTOM

    def axes(self, unit: Unit, labels: Sequence[str]) -> Markup:
        """Return lines and words of both axes."""
        return together(*self._lines(unit), *self._words(labels))

    def hits(self, points: Sequence[Point]) -> Markup:
        """Return what a pointer meets: the whole height of each point's time."""
        return together(
            *(
                link(
                    point.href,
                    element(
                        "rect",
                        said(point.title),
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

    def _lines(self, unit: Unit) -> Iterator[Markup]:
        for mark in self.marks:
            y = self.y(mark)
            yield element(
                "line", x1=_LEFT, x2=self.width - _RIGHT, y1=y, y2=y, class_="grid" if mark else "floor"
            )
            yield element("text", unit.short(mark), x=_LEFT - 6, y=y + 3.5, class_="tick end")

    def _words(self, labels: Sequence[str]) -> Iterator[Markup]:
        for place in thinned(labels, _LABELS):
            x = min(max(self.x(place), _LEFT + 14), self.width - 24)
            yield element("text", labels[place], x=x, y=self.height - 6, class_="tick middle")


def over_time(title: str, points: Sequence[Point], unit: Unit, kind: Kind = "line") -> Markup:
    """Return the drawing."""
    frame = Frame(len(points), tuple(unit.marks(top_of(point.value for point in points))))
    draw = _columns if kind == "columns" else _line
    return drawing(
        frame.width,
        frame.height,
        title,
        about(points, unit),
        frame.axes(unit, [point.label for point in points]),
        draw(frame, points),
        over=frame.hits(points),
    )


def about(points: Sequence[Point], unit: Unit) -> str:
    """Return what a drawing shows, in words: the first, the last, the least and the most."""
    known = [(point.label, point.value) for point in points if point.value is not None]
    if not known:
        return "Nothing is known."
    ends = f"From {unit.say(known[0][1])} ({known[0][0]}) to {unit.say(known[-1][1])} ({known[-1][0]})"
    amounts = [value for _, value in known]
    gaps = f"; unknown {len(points) - len(known)} times" if len(known) < len(points) else ""
    return f"{ends}, between {unit.say(min(amounts))} and {unit.say(max(amounts))}{gaps}."


def runs_of_known(points: Sequence[Point]) -> list[list[int]]:
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
    return together(
        *(
            element("polyline", points=path([at[place] for place in piece]), class_="line")
            for piece in runs_of_known(points)
            if len(piece) > 1
        )
    )


def path(spots: Iterable[tuple[float, float]]) -> str:
    """Return places as a line's `points`."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)


def dot(point: Point, at: tuple[float, float], size: float) -> Markup:
    """Return one point's dot."""
    return element("circle", cx=at[0], cy=at[1], r=size, class_=f"dot{marked(point)}")


def _line(frame: Frame, points: Sequence[Point]) -> Markup:
    at = {
        place: (frame.x(place), frame.y(point.value))
        for place, point in enumerate(points)
        if point.value is not None
    }
    return together(lines(points, at), *(dot(points[place], spot, 2.6) for place, spot in at.items()))


def _columns(frame: Frame, points: Sequence[Point]) -> Markup:
    wide = min(_WIDEST, frame.step * 0.76)
    return together(
        *(
            element(
                "rect",
                x=frame.x(place) - wide / 2,
                y=frame.y(point.value),
                width=wide,
                height=frame.floor - frame.y(point.value),
                class_=f"column{marked(point)}",
            )
            for place, point in enumerate(points)
            if point.value is not None
        )
    )


def marked(point: Point) -> str:
    """Return the classes of what must not be taken at its face."""
    return (" thin" if point.thin else "") + (" unfinished" if point.unfinished else "")
