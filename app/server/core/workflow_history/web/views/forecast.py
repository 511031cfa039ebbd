"""Prepare forecasts for pages: plots, intervals and rows, or the reason if there is no forecast. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from ...common.formatting.numbers import format_duration, pluralize
from ...common.formatting.text import single_line, status_symbol, truncate
from ...common.spending import UNKNOWN, format_fraction
from ...presentation.forecast import describe_observed_range, format_actual_cost, format_interval
from ...queries.forecast.records import (
    ComparableRun,
    Estimate,
    Forecast,
    PhaseForecast,
    Remaining,
    SuccessChance,
)
from ..charts.axis_units import MONEY, SECONDS, AxisUnit, max_known
from ..charts.forecast_plot import Dot, forecast_plot
from ..charts.inline_charts import Bounds, bar, interval_bar
from ..rendering import run_address

_REQUEST: Final = 160  # maximum width of a request, in terminal cells


@dataclass(frozen=True, slots=True)
class EstimatePlot:
    """Forecast of one metric, or the reason if there is none."""

    title: str
    head: str  # the median, or a dash
    between: str
    rests: str
    why_not: str | None
    chart: Markup | None


@dataclass(frozen=True, slots=True)
class SuccessView:
    """Success probability with its interval, or the reason if there is none."""

    head: str
    between: str
    rests: str
    why_not: str | None
    chart: Markup | None


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """Forecast of one phase."""

    name: str
    share: str
    runs: int
    cost: str
    cost_between: str
    cost_bar: Markup | None
    time: str
    time_between: str
    time_bar: Markup | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One comparable run that a forecast is based on."""

    id: str
    href: str
    weight: str
    weight_bar: Markup
    alike: str
    status: str | None
    cost: str
    time: str
    template: str
    request: str


def plots(found: Forecast, came: tuple[float | None, float | None] = (None, None)) -> list[EstimatePlot]:
    """Build the plots of cost and duration; `came` are the actual values, in USD and seconds."""
    return [
        _plot("Cost", found.cost, MONEY, [_dot(run, run.cost, MONEY) for run in found.runs], came[0]),
        _plot(
            "Time",
            found.duration,
            SECONDS,
            [_dot(run, run.duration_seconds, SECONDS) for run in found.runs],
            came[1],
        ),
    ]


def remaining_plots(flight: Remaining) -> list[EstimatePlot]:
    """Build the plots of a running run's final cost and duration, with the values so far."""
    return [
        _plot("Cost in the end", flight.total_cost, MONEY, [], flight.spent),
        _plot("Time in the end", flight.total_duration, SECONDS, [], flight.elapsed_seconds),
    ]


def chance(found: SuccessChance) -> SuccessView:
    """Build the view of the success probability, with the number of runs it is based on."""
    rests = f"{found.completed:,} of {pluralize(found.ended, 'run')} that ended completed"
    if found.share is None or found.low is None or found.high is None:
        return SuccessView(
            UNKNOWN,
            "",
            rests if found.ended else "",
            single_line(found.why_not or "too little is known"),
            None,
        )
    told = f"likely {format_fraction(found.low)} to {format_fraction(found.high)}"
    drawn = interval_bar(
        Bounds(found.low, found.share, found.high), 1.0, f"{format_fraction(found.share)}, {told}"
    )
    return SuccessView(format_fraction(found.share), told, rests, None, drawn)


def phases(found: Sequence[PhaseForecast]) -> list[PhaseRow]:
    """Build rows of phases. The intervals of each column share one scale."""
    costs = max_known(phase.cost.p90 for phase in found)
    times = max_known(phase.duration.p90 for phase in found)
    return [
        PhaseRow(
            truncate(single_line(phase.phase), 40),
            format_fraction(phase.share),
            phase.runs,
            MONEY.format(phase.cost.median),
            format_interval(phase.cost, MONEY.format),
            _interval(phase.cost, costs, MONEY),
            SECONDS.format(phase.duration.median),
            format_interval(phase.duration, SECONDS.format),
            _interval(phase.duration, times, SECONDS),
        )
        for phase in found
    ]


def runs(found: Sequence[ComparableRun]) -> list[RunRow]:
    """Build rows of the comparable runs, highest weight first."""
    most = max_known(run.weight for run in found)
    return [
        RunRow(
            truncate(single_line(run.id), 28),
            run_address({"id": run.id, "project": run.project}),
            f"{run.weight:.2f}",
            bar(run.weight, most, f"counts {run.weight:.2f}"),
            format_fraction(run.similarity),
            run.status,
            format_actual_cost(run.cost, at_least=run.cost_at_least),
            format_duration(run.duration_seconds),
            truncate(single_line(run.template), 40) if run.template else UNKNOWN,
            truncate(single_line(run.request), _REQUEST) if run.request else UNKNOWN,
        )
        for run in found
    ]


def _plot(
    title: str, figure: Estimate, unit: AxisUnit, dots: Sequence[Dot | None], came: float | None
) -> EstimatePlot:
    if figure.median is None or figure.p10 is None or figure.p90 is None:
        why = single_line(figure.why_not or "too little is known")
        why += describe_observed_range(figure, unit.format)
        return EstimatePlot(title, UNKNOWN, "", "", why, None)
    least = f", {figure.at_least:,} of them at least" if figure.at_least else ""
    rests = f"{pluralize(figure.runs, 'run')}{least}, weighed as {figure.worth:.0f}"
    bounds = Bounds(figure.p10, figure.median, figure.p90)
    chart = forecast_plot(title, bounds, [dot for dot in dots if dot is not None], unit, came)
    return EstimatePlot(
        title, unit.format(figure.median), format_interval(figure, unit.format), rests, None, chart
    )


def _dot(run: ComparableRun, value: float | None, unit: AxisUnit) -> Dot | None:
    if value is None:
        return None
    status = f"{status_symbol(run.status)} {single_line(run.status or 'unknown')}"
    title = f"{single_line(run.id)[:60]}: {unit.format(value)}, {status}"
    href = run_address({"id": run.id, "project": run.project})
    return Dot(value, run.weight, f"{title}, counts {run.weight:.2f}", href, run.status != "failed")


def _interval(figure: Estimate, end: float, unit: AxisUnit) -> Markup | None:
    if figure.median is None or figure.p10 is None or figure.p90 is None:
        return None
    told = f"{unit.format(figure.median)}, 8 in 10 {format_interval(figure, unit.format)}"
    return interval_bar(Bounds(figure.p10, figure.median, figure.p90), end, told)
