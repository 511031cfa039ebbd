"""Prepare the calibration of forecasts for a page: rows with bars, shares with their number of runs. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from ...common.formatting.numbers import format_duration, pluralize
from ...common.formatting.text import single_line, truncate
from ...common.spending import UNKNOWN, format_fraction, format_usd
from ...presentation.forecast import format_share_range
from ...queries.forecast.backtest import CalibrationReport, Coverage, FigureCalibration
from ..charts.inline_charts import Bounds, interval_bar

NOMINAL_COVERAGE: Final = 0.8
METHOD_LABELS: Final = {
    "forecast": "forecast",
    "mean": "mean of all earlier runs",
    "median": "median of all earlier runs",
    "template median": "workflow median",
}
"""Display names of the forecasting methods."""


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """Cells of a table row, and a bar with the same values."""

    cells: tuple[str, ...]
    bar: Markup


@dataclass(frozen=True, slots=True)
class MetricCalibration:
    """Calibration of the forecasts of one metric."""

    title: str
    sentence: str
    outcomes: tuple[CalibrationRow, ...]  # cells: position, nominal share, actual share, runs
    errors: tuple[tuple[str, str, str], ...]  # method, median absolute error, runs


def metric_views(report: CalibrationReport) -> list[MetricCalibration]:
    """Build the calibration of cost and duration."""
    return [
        _metric_view("Cost", report.cost, format_usd),
        _metric_view("Duration", report.duration, format_duration),
    ]


def probability_rows(report: CalibrationReport) -> list[CalibrationRow]:
    """Build a row for each range of predicted success probability, with the actual success rate."""
    return [
        CalibrationRow(
            (
                format_share_range(bin_range.least, bin_range.most),
                f"{bin_range.predicted:.0%}",
                f"{bin_range.completed:.0%}",
                f"{bin_range.count:,}",
            ),
            interval_bar(
                Bounds(0.0, bin_range.completed, bin_range.completed),
                1.0,
                f"predicted {bin_range.predicted:.0%}, actual {bin_range.completed:.0%}",
                bin_range.predicted,
            ),
        )
        for bin_range in report.success.bins
    ]


def coverage_by_template(report: CalibrationReport) -> list[tuple[str, str, str]]:
    """Return the coverage of the intervals by workflow: name, coverage of cost, coverage of duration."""
    return [
        (
            truncate(single_line(template.template), 48) if template.template else "unknown workflow",
            _format_coverage(template.cost),
            _format_coverage(template.duration),
        )
        for template in report.templates
    ]


def _metric_view(
    title: str, calibration: FigureCalibration, format_value: Callable[[Any], str]
) -> MetricCalibration:
    coverage = calibration.coverage
    if coverage is None:
        return MetricCalibration(title, "Not enough data: no forecast run has a known actual value.", (), ())
    sentence = (
        f"Coverage {coverage.share:.0%} of {pluralize(coverage.count, 'run')} "
        f"(95% CI {format_share_range(coverage.low, coverage.high)}); nominal {NOMINAL_COVERAGE:.0%}."
    )
    errors = (
        *((METHOD_LABELS[error.name], error) for error in calibration.errors),
        *(
            (f"{METHOD_LABELS[error.name]} (runs with a workflow)", error)
            for error in calibration.errors_with_template
        ),
    )
    return MetricCalibration(
        title,
        sentence,
        tuple(
            _outcome_row(coverage, name, nominal, count)
            for name, nominal, count in (
                ("below interval", 0.1, coverage.below),
                ("within interval", NOMINAL_COVERAGE, coverage.inside),
                ("above interval", 0.1, coverage.above),
            )
        ),
        tuple((label, format_value(error.absolute), f"{error.count:,}") for label, error in errors),
    )


def _outcome_row(coverage: Coverage, name: str, nominal: float, count: int) -> CalibrationRow:
    actual = count / coverage.count
    return CalibrationRow(
        (name, f"{nominal:.0%}", f"{actual:.0%}", f"{count:,}"),
        interval_bar(
            Bounds(0.0, actual, actual), 1.0, f"{name}: nominal {nominal:.0%}, observed {actual:.0%}", nominal
        ),
    )


def _format_coverage(coverage: Coverage | None) -> str:
    return UNKNOWN if coverage is None else f"{format_fraction(coverage.share)} of {coverage.count:,}"
