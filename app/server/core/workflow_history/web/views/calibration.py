"""Prepare the calibration of forecasts for a page: rows with bars, shares with their number of runs. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from ...common.formatting.numbers import format_duration, pluralize
from ...common.formatting.text import single_line, truncate
from ...common.spending import UNKNOWN, format_fraction, format_usd
from ...queries.forecast.backtest import CalibrationReport, Coverage, FigureCalibration
from ..charts.inline_charts import Bounds, interval_bar

NOMINAL_COVERAGE: Final = 0.8
METHOD_LABELS: Final = {
    "forecast": "forecast",
    "mean": "mean of all runs before",
    "median": "median of all runs before",
    "template median": "median of its workflow's runs before",
}
"""Display names of the forecasting methods."""


@dataclass(frozen=True, slots=True)
class Row:
    """Cells of a table row, and a bar with the same values."""

    cells: tuple[str, ...]
    bar: Markup


@dataclass(frozen=True, slots=True)
class FigureView:
    """Calibration of the forecasts of one metric."""

    title: str
    sentence: str
    came: tuple[Row, ...]  # cells: position, nominal share, actual share, runs
    errors: tuple[tuple[str, str, str], ...]  # method, median absolute error, runs


def figures(found: CalibrationReport) -> list[FigureView]:
    """Build the calibration of cost and duration."""
    return [_figure("Cost", found.cost, format_usd), _figure("Time", found.duration, format_duration)]


def chances(found: CalibrationReport) -> list[Row]:
    """Build a row for each range of predicted success probability, with the actual success rate."""
    return [
        Row(
            (
                f"{one.least:.0%} to {one.most:.0%}",
                f"{one.told:.0%}",
                f"{one.completed:.0%}",
                f"{one.count:,}",
            ),
            interval_bar(
                Bounds(0.0, one.completed, one.completed),
                1.0,
                f"told {one.told:.0%}, came {one.completed:.0%}",
                one.told,
            ),
        )
        for one in found.success.bins
    ]


def templates(found: CalibrationReport) -> list[tuple[str, str, str]]:
    """Return the coverage of the intervals by workflow: name, coverage of cost, coverage of duration."""
    return [
        (
            truncate(single_line(one.template), 48) if one.template else "none named",
            _held(one.cost),
            _held(one.duration),
        )
        for one in found.templates
    ]


def _figure(title: str, found: FigureCalibration, show: Callable[[Any], str]) -> FigureView:
    held = found.held
    if held is None:
        return FigureView(title, "No run was forecast of which is known what came.", (), ())
    sentence = (
        f"8 in 10 was meant; it held {held.share:.0%} of {pluralize(held.count, 'run')} "
        f"(95%: {held.low:.0%} to {held.high:.0%})."
    )
    every = (*found.errors, *found.errors_with_template)
    return FigureView(
        title,
        sentence,
        tuple(
            _came(held, name, meant, count)
            for name, meant, count in (
                ("below", 0.1, held.below),
                ("within", NOMINAL_COVERAGE, held.held),
                ("above", 0.1, held.above),
            )
        ),
        tuple((METHOD_LABELS[one.name], show(one.absolute), f"{one.count:,}") for one in every),
    )


def _came(held: Coverage, name: str, meant: float, count: int) -> Row:
    was = count / held.count
    return Row(
        (name, f"{meant:.0%}", f"{was:.0%}", f"{count:,}"),
        interval_bar(Bounds(0.0, was, was), 1.0, f"{name}: meant {meant:.0%}, was {was:.0%}", meant),
    )


def _held(one: Coverage | None) -> str:
    return UNKNOWN if one is None else f"{format_fraction(one.share)} of {one.count:,}"
