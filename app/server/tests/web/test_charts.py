"""Charts show every known value and no unknown one, stay finite, and escape their input."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.server.core.workflow_history.common.models import RunStatus
from app.server.core.workflow_history.web import charts
from app.server.core.workflow_history.web.charts.axis_units import (
    COUNT,
    MONEY,
    SECONDS,
    SHARE,
    TOKENS,
    AxisUnit,
)
from app.server.core.workflow_history.web.charts.change_plot import Median, change_plot
from app.server.core.workflow_history.web.charts.forecast_plot import Dot, PlotLabels, forecast_plot
from app.server.core.workflow_history.web.charts.inline_charts import (
    Bounds,
    Part,
    bar,
    bar_pair,
    diverging_bar,
    interval_bar,
    sparkline,
    stacked_bar,
)
from app.server.core.workflow_history.web.charts.stacked import (
    Series,
    legend_swatch,
    series_look,
    stacked,
    status_look,
    texture_pattern,
)
from app.server.core.workflow_history.web.charts.svg import element
from app.server.core.workflow_history.web.charts.time_series import Kind, Point, over_time
from app.server.tests.support.thoroughness import tries

HOSTILE = "</title></svg><script>alert(1)</script>\"' onload=alert(1) & {{ 7 * 7 }}"
LABELS = PlotLabels("Cost", "$1.50", "$1.00–$2.50")
AMOUNTS = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
MAYBE = st.one_of(st.none(), AMOUNTS)
UNITS = st.sampled_from([MONEY, SECONDS, TOKENS, COUNT, SHARE])
GEOMETRY = ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height")


def parsed(drawing: str) -> ElementTree.Element:
    """Return a drawing as a tree: XML that is not sound does not parse."""
    return ElementTree.fromstring(drawing)  # noqa: S314 - our own text


def marks(drawing: str, kind: str) -> list[ElementTree.Element]:
    return [found for found in parsed(drawing).iter() if kind in (found.get("class") or "").split()]


def titles(drawing: str) -> list[str]:
    return [found.text or "" for found in parsed(drawing).iter("title")]


def numbers(drawing: str) -> Iterator[float]:
    for found in parsed(drawing).iter():
        for name in GEOMETRY:
            if name in found.attrib:
                yield float(found.attrib[name])
        for pair_of in (found.get("points") or "").split():
            yield from map(float, pair_of.split(","))


def points(*values: float | None, **more: Any) -> list[Point]:
    return [Point(f"d{place}", f"day {place}: {value}", value, **more) for place, value in enumerate(values)]


# --- over time


@pytest.mark.parametrize(("kind", "mark"), [("line", "dot"), ("columns", "column")])
def test_every_known_value_has_a_mark_and_an_unknown_one_has_none(kind: Kind, mark: str):
    drawing = over_time("Cost", points(1.0, None, 3.0, 0.0), MONEY, kind)
    assert len(marks(drawing, mark)) == 3
    assert [title for title in titles(drawing) if title.startswith("day")] == [
        "day 0: 1.0",
        "day 1: None",
        "day 2: 3.0",
        "day 3: 0.0",
    ]


def test_a_line_breaks_where_a_value_is_unknown():
    drawing = over_time("Cost", points(1.0, 2.0, None, 3.0, 4.0, None, 5.0), MONEY)
    assert [len((line.get("points") or "").split()) for line in marks(drawing, "line")] == [2, 2]


def test_twice_as_much_is_drawn_twice_as_high_from_zero():
    columns = marks(over_time("Runs", points(2.0, 4.0, 0.0), COUNT, "columns"), "column")
    low, high, none = (float(column.get("height") or "nan") for column in columns)
    assert high == pytest.approx(2 * low, abs=0.02)
    assert none == 0


def test_the_axis_says_its_unit_and_begins_with_zero():
    drawing = over_time("Time", points(90.0, 640.0), SECONDS)
    words = [text.text for text in parsed(drawing).iter("text")]
    assert words[:5] == ["0s", "5m", "10m", "15m", "d0"]


def test_the_words_of_the_time_axis_are_few_and_the_last_is_there():
    drawing = over_time("Cost", points(*map(float, range(200))), MONEY)
    words = [text.text or "" for text in parsed(drawing).iter("text") if (text.text or "").startswith("d")]
    assert len(words) <= 5
    assert words[-1] == "d199"


def test_what_rests_on_few_runs_and_what_is_not_over_look_different():
    drawing = over_time(
        "Cost", [*points(1.0, low_n=True), *points(2.0, unfinished=True), *points(3.0)], MONEY
    )
    assert [dot.get("class") for dot in marks(drawing, "dot")] == ["dot thin", "dot unfinished", "dot"]


def test_a_point_leads_where_it_says_and_keys_go_through_the_table_instead():
    drawing = over_time("Cost", [Point("d", "day", 1.0, href="/?since=2026-01-01&until=2026-01-02")], MONEY)
    [link] = parsed(drawing).iter("a")
    assert link.get("href") == "/?since=2026-01-01&until=2026-01-02"
    assert link.get("tabindex") == "-1"


@pytest.mark.parametrize("kind", ["line", "columns"])
def test_nothing_known_is_said_and_draws_no_mark(kind: Kind):
    for some in ([], points(None, None)):
        drawing = over_time("Cost", some, MONEY, kind)
        assert "No known values." in drawing
        assert not marks(drawing, "dot")
        assert not marks(drawing, "column")


@given(st.lists(MAYBE, max_size=40), UNITS, st.sampled_from(["line", "columns"]))
def test_any_amounts_over_time_are_drawn_inside_their_frame(values: Any, unit: AxisUnit, kind: Kind):
    for number in numbers(over_time("Any", points(*values), unit, kind)):
        assert math.isfinite(number)
        assert -1 <= number <= 400


# --- stacked


def test_stacked_parts_stand_on_each_other_and_are_as_high_as_their_sum():
    series = [Series("a", (1.0, None), series_look(0)), Series("b", (3.0, 2.0), series_look(1))]
    drawing = stacked("Cost", points(4.0, 2.0), series, MONEY)
    first, second, third = (
        (float(box.get("y") or "nan"), float(box.get("height") or "nan"))
        for box in parsed(drawing).iter("rect")
        if (box.get("class") or "") in {"k0", "k1"}
    )
    assert second[0] + second[1] == pytest.approx(first[0], abs=0.02)
    assert second[1] == pytest.approx(3 * first[1], abs=0.05)
    assert third[1] == pytest.approx(2 * first[1], abs=0.05)
    assert {"a: $1.00", "b: $3.00", "b: $2.00"} <= set(titles(drawing))


def test_every_second_kind_has_a_texture_beside_its_colour():
    series = [Series("a", (1.0,), series_look(0)), Series("b", (3.0,), series_look(1))]
    drawing = stacked("Cost", points(4.0), series, MONEY)
    assert drawing.count('fill="url(#texture)"') == 1
    assert 'id="texture"' in texture_pattern()
    assert "url(#texture)" in legend_swatch(series_look(1))
    assert "url(#texture)" not in legend_swatch(series_look(0))


def test_a_status_has_its_own_colour_wherever_it_stands():
    assert 'class="is-failed"' in legend_swatch(status_look("failed"))
    assert 'class="is-completed"' in legend_swatch(status_look("completed"))
    assert 'class="is-unknown"' in legend_swatch(status_look(None))
    statuses = [*RunStatus]
    assert len({status_look(status) for status in statuses}) == len(statuses)


@given(st.lists(st.lists(MAYBE, min_size=3, max_size=3), max_size=7))
def test_any_series_are_stacked_in_finite_places(rows: list[list[float | None]]):
    series = [Series(str(place), tuple(row), series_look(place)) for place, row in enumerate(rows)]
    assert all(map(math.isfinite, numbers(stacked("Any", points(1.0, 2.0, 3.0), series, MONEY))))


# --- in rows of a table


def test_bars_of_one_scale_are_as_long_as_their_values():
    half, whole = (float(marks(bar(value, 8.0, "t"), "fill")[0].get("width") or 0) for value in (4.0, 8.0))
    assert (half, whole) == (50, 100)


def test_an_unknown_bar_has_no_mark_and_a_known_zero_has_one_of_no_length():
    assert not marks(bar(None, 1.0, "unknown"), "fill")
    assert marks(bar(0.0, 1.0, "$0.00"), "fill")[0].get("width") == "0"


def test_two_runs_have_a_bar_each_and_one_that_lacks_it_has_none():
    assert [mark.get("class") for mark in marks(bar_pair(1.0, 2.0, 2.0, "t"), "fill")] == ["fill a", "fill b"]
    assert [mark.get("class") for mark in marks(bar_pair(None, 2.0, 2.0, "t"), "fill")] == ["fill b"]


def test_more_goes_to_the_right_of_the_middle_and_less_to_the_left():
    more, less = (marks(diverging_bar(value, 2.0, "t"), "fill")[0] for value in (1.0, -1.0))
    assert (more.get("x"), more.get("width"), more.get("class")) == ("50", "25", "fill more")
    assert (less.get("x"), less.get("width"), less.get("class")) == ("25", "25", "fill less")


def test_the_parts_of_a_whole_lie_end_to_end_and_say_what_they_are():
    drawing = stacked_bar([Part("text", 0.3, "text 0.30"), Part("cost", 0.2, "cost 0.20")], 1.0, "alike")
    boxes = [(float(box.get("x") or 0), float(box.get("width") or 0)) for box in parsed(drawing).iter("rect")]
    assert boxes == [(0, 100), (0, 30), (30, 20)], "the whole lies behind its parts"
    assert titles(drawing) == ["alike", "text 0.30", "cost 0.20"]


def test_an_interval_reaches_from_its_low_end_to_its_high_one_with_the_median_inside():
    drawing = interval_bar(Bounds(2.0, 4.0, 8.0), 10.0, "t", 5.0)
    [band], [median], [came] = (marks(drawing, kind) for kind in ("span", "median", "came"))
    assert (band.get("x"), band.get("width")) == ("20", "60")
    assert 39 <= float(median.get("x") or 0) <= 41
    assert 49 <= float(came.get("x") or 0) <= 51


def test_a_sparkline_breaks_where_a_value_is_unknown_and_shows_one_that_stands_alone():
    drawing = sparkline(points(1.0, 2.0, None, 3.0), 4.0, "t", MONEY)
    assert len(marks(drawing, "line")) == 1
    assert len(marks(drawing, "dot")) == 1


@given(MAYBE, MAYBE, AMOUNTS)
def test_any_amounts_give_strips_inside_their_width(first: float | None, second: float | None, end: float):
    some = first or 0.0
    drawings = [
        bar(first, end, "t"),
        bar_pair(first, second, end, "t"),
        diverging_bar(some - (second or 0.0), end, "t"),
        interval_bar(Bounds(some, some, some), end, "t", second),
        stacked_bar([Part("a", some, "a")], end, "t"),
        sparkline(points(first, second), end, "t", MONEY),
    ]
    for drawing in drawings:
        assert all(-2 <= number <= 160 for number in numbers(drawing))


# --- findings and forecasts


def test_a_finding_draws_each_median_on_its_side_and_says_both_levels():
    levels = (Median(1.0, "$1.00 before"), Median(3.0, "$3.00 since"))
    drawing = change_plot("plan costs more", (1.0, 1.1, 3.0, 2.9, 3.1), 2, levels, MONEY, worse=True)
    sides = {
        group.get("class"): len(list(group.iter("circle")))
        for group in parsed(drawing).iter("g")
        if group.get("class") in {"before", "worse"}
    }
    assert sides == {"before": 2, "worse": 3}
    assert [text.text for text in parsed(drawing).iter("text")] == ["$1.00 before", "$3.00 since"]
    assert {"$1.10", "$2.90"} <= set(titles(drawing))


@given(st.lists(AMOUNTS, max_size=32), st.integers(0, 32), AMOUNTS, AMOUNTS, UNITS)
def test_any_finding_is_finite(curve: list[float], change: int, before: float, after: float, unit: AxisUnit):
    levels = (Median(before, "before"), Median(after, "after"))
    drawing = change_plot("Any", curve, min(change, len(curve)), levels, unit, worse=False)
    assert all(map(math.isfinite, numbers(drawing)))


def test_a_forecast_draws_every_past_run_once_with_where_it_leads():
    dots = [
        Dot(1.0, 0.9, "one", "/runs/one", succeeded=True),
        Dot(2.0, 0.1, "two", "/runs/two", succeeded=False),
    ]
    drawing = forecast_plot(LABELS, Bounds(1.0, 1.5, 2.5), dots, MONEY, actual=2.0)
    assert [link.get("href") for link in parsed(drawing).iter("a")] == ["/runs/one", "/runs/two"]
    assert {"one", "two", "median $1.50", "80% prediction interval: $1.00–$2.50", "actual: $2.00"} <= set(
        titles(drawing)
    )
    assert len(marks(drawing, "failed")) == 1


@given(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), st.lists(st.tuples(AMOUNTS, AMOUNTS), max_size=8), MAYBE, UNITS)
@tries(60)
def test_any_forecast_is_drawn_inside_its_frame(
    ends: tuple[float, float, float], past: list[tuple[float, float]], came: float | None, unit: AxisUnit
):
    dots = [Dot(value, weight, "run", None, succeeded=True) for value, weight in past]
    low, middle, high = sorted(ends)
    for number in numbers(forecast_plot(LABELS, Bounds(low, middle, high), dots, unit, came)):
        assert -10 <= number <= 400


# --- axes


def test_ticks_of_tokens_keep_their_unit() -> None:
    assert [TOKENS.format_short(tick) for tick in TOKENS.ticks(4_200_000)] == ["0", "2M", "4M", "6M"]
    assert [TOKENS.format_short(tick) for tick in TOKENS.ticks(1_300)] == ["0", "500", "1k", "1.5k"]


@given(AMOUNTS, UNITS)
def test_an_axis_has_few_even_marks_from_zero_to_at_least_the_largest_value(top: float, unit: AxisUnit):
    found = unit.ticks(top)
    assert found[0] == 0
    assert 2 <= len(found) <= 6
    assert all(math.isfinite(mark) for mark in found)
    assert found[-1] >= min(top, unit.fixed_end or 1e300) * (1 - 1e-9)


# --- all of them

DRAWN = [
    over_time(HOSTILE, [Point(HOSTILE, HOSTILE, 1.0, href=HOSTILE)], MONEY),
    over_time(HOSTILE, [Point(HOSTILE, HOSTILE, 1.0)], MONEY, "columns"),
    stacked(HOSTILE, points(1.0), [Series(HOSTILE, (1.0,), series_look(place)) for place in range(2)], MONEY),
    bar(1.0, 2.0, HOSTILE, HOSTILE),
    bar_pair(1.0, 2.0, 2.0, HOSTILE),
    diverging_bar(1.0, 2.0, HOSTILE),
    interval_bar(Bounds(1, 2, 3), 4, HOSTILE, 2),
    stacked_bar([Part(HOSTILE, 1.0, HOSTILE)], 1.0, HOSTILE),
    sparkline([Point(HOSTILE, HOSTILE, 1.0), Point(HOSTILE, HOSTILE, 2.0)], 2.0, HOSTILE, MONEY),
    change_plot(HOSTILE, (1.0, 2.0), 1, (Median(1, HOSTILE), Median(2, HOSTILE)), MONEY, worse=True),
    forecast_plot(
        PlotLabels(HOSTILE, HOSTILE, HOSTILE),
        Bounds(1, 2, 3),
        [Dot(1, 1, HOSTILE, HOSTILE, succeeded=True)],
        MONEY,
    ),
]


@pytest.mark.parametrize("drawing", DRAWN)
def test_hostile_names_stay_words(drawing: str):
    names = {found.tag for found in parsed(drawing).iter()}
    assert "script" not in names
    assert HOSTILE in "".join(titles(drawing))
    assert not any(name.startswith("on") for found in parsed(drawing).iter() for name in found.attrib)


@pytest.mark.parametrize("drawing", DRAWN)
def test_every_drawing_is_an_image_with_a_title_and_without_a_style(drawing: str):
    images = [found for found in parsed(drawing).iter() if found.get("role") == "img"]
    assert [len(image.findall("title")) for image in images] == [1]
    assert not any("style" in found.attrib or found.tag == "style" for found in parsed(drawing).iter())


def test_an_attribute_cannot_be_left_by_its_value():
    assert element("a", href='"><script>') == '<a href="&#34;&gt;&lt;script&gt;"></a>'


def test_charts_are_pure():
    for file in Path(charts.__file__).parent.glob("*.py"):
        names = {
            alias.name.split(".")[0]
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert not names & {"os", "time", "io", "sqlalchemy", "jinja2"}, file
        assert not re.search(r"fastapi|starlette|pathlib", file.read_text()), file
