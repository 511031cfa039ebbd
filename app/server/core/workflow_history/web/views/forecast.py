"""Prepare forecasts for pages: plots, intervals and rows, or the reason if there is no forecast. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from ...common.formatting.numbers import format_duration, pluralize
from ...common.formatting.text import single_line, status_symbol, truncate
from ...common.models import RunStatus
from ...common.spending import UNKNOWN, format_fraction
from ...presentation.forecast import (
    describe_observed_range,
    format_actual_cost,
    format_interval,
    format_median,
    format_share_range,
)
from ...presentation.run_list import first_line
from ...queries.forecast.records import (
    ComparableRun,
    Estimate,
    Forecast,
    PhaseForecast,
    Remaining,
    SuccessChance,
)
from ..charts.axis_units import MONEY, SECONDS, AxisUnit, max_known
from ..charts.forecast_plot import Dot, PlotLabels, forecast_plot
from ..charts.inline_charts import Bounds, bar, interval_bar
from ..rendering import run_url

_MAX_REQUEST_WIDTH: Final = 160  # maximum width of a request, in terminal cells


@dataclass(frozen=True, slots=True)
class EstimatePlot:
    """Forecast of one metric, or the reason if there is none."""

    title: str
    value: str  # the median, or a dash
    interval: str
    basis: str
    effective_n: str  # effective sample size
    reason: str | None
    chart: Markup | None


@dataclass(frozen=True, slots=True)
class SuccessView:
    """Success probability with its interval, or the reason if there is none."""

    value: str
    interval: str
    basis: str
    reason: str | None
    chart: Markup | None


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """Forecast of one phase."""

    name: str
    share: str
    runs: int
    cost: str
    cost_interval: str
    cost_bar: Markup | None
    time: str
    time_interval: str
    time_bar: Markup | None


@dataclass(frozen=True, slots=True)
class ComparableRow:
    """One comparable run that a forecast is based on."""

    id: str
    href: str
    weight: str
    weight_bar: Markup
    similarity: str
    status: str | None
    cost: str
    time: str
    template: str
    request: str


def estimate_plots(
    forecast: Forecast, actual: tuple[float | None, float | None] = (None, None)
) -> list[EstimatePlot]:
    """Build the plots of cost and duration; `actual` are the actual values, in USD and seconds."""
    return [
        _estimate_plot(
            "Cost", forecast.cost, MONEY, [_dot(run, run.cost, MONEY) for run in forecast.runs], actual[0]
        ),
        _estimate_plot(
            "Duration",
            forecast.duration,
            SECONDS,
            [_dot(run, run.duration_seconds, SECONDS) for run in forecast.runs],
            actual[1],
        ),
    ]


def remaining_plots(remaining: Remaining) -> list[EstimatePlot]:
    """Build the plots of a running run's final cost and duration, with the values so far."""
    return [
        _estimate_plot("Final cost", remaining.total_cost, MONEY, [], remaining.spent),
        _estimate_plot("Final duration", remaining.total_duration, SECONDS, [], remaining.elapsed_seconds),
    ]


def success_view(success: SuccessChance) -> SuccessView:
    """Build the view of the success probability, with the number of runs it is based on."""
    basis = f"{success.completed:,} of {pluralize(success.ended, 'finished run')} completed"
    if success.probability is None or success.low is None or success.high is None:
        return SuccessView(
            UNKNOWN,
            "",
            basis if success.ended else "",
            single_line(success.reason or "too few comparable runs"),
            None,
        )
    interval = f"80% CI {format_share_range(success.low, success.high)}"
    chart = interval_bar(
        Bounds(success.low, success.probability, success.high),
        1.0,
        f"{format_fraction(success.probability)}, {interval}",
    )
    return SuccessView(format_fraction(success.probability), interval, basis, None, chart)


def phase_rows(forecasts: Sequence[PhaseForecast]) -> list[PhaseRow]:
    """Build rows of phases. The intervals of each column share one scale."""
    cost_end = max_known(phase.cost.p90 for phase in forecasts)
    time_end = max_known(phase.duration.p90 for phase in forecasts)
    return [
        PhaseRow(
            truncate(single_line(phase.phase), 40),
            format_fraction(phase.share),
            phase.runs,
            format_median(phase.cost, MONEY.format),
            format_interval(phase.cost, MONEY.format),
            _interval_bar(phase.cost, cost_end, MONEY),
            format_median(phase.duration, SECONDS.format),
            format_interval(phase.duration, SECONDS.format),
            _interval_bar(phase.duration, time_end, SECONDS),
        )
        for phase in forecasts
    ]


def comparable_rows(similar: Sequence[ComparableRun]) -> list[ComparableRow]:
    """Build rows of the comparable runs, highest weight first."""
    max_weight = max_known(run.weight for run in similar)
    return [
        ComparableRow(
            truncate(single_line(run.id), 28),
            run_url({"id": run.id, "project": run.project}),
            f"{run.weight:.2f}",
            bar(run.weight, max_weight, f"weight {run.weight:.2f}"),
            f"{run.similarity:.2f}",
            run.status,
            format_actual_cost(run.cost, at_least=run.cost_is_lower_bound),
            format_duration(run.duration_seconds),
            truncate(single_line(run.template), 40) if run.template else UNKNOWN,
            truncate(first_line(run.request) or UNKNOWN, _MAX_REQUEST_WIDTH),
        )
        for run in similar
    ]


def _estimate_plot(
    title: str, estimate: Estimate, unit: AxisUnit, dots: Sequence[Dot | None], actual: float | None
) -> EstimatePlot:
    if estimate.median is None or estimate.p10 is None or estimate.p90 is None:
        reason = single_line(estimate.reason or "too few comparable runs")
        reason += describe_observed_range(estimate, unit.format)
        return EstimatePlot(title, UNKNOWN, "", "", "", reason, None)
    lower_bounds = f", {estimate.lower_bounds:,} with a lower bound only" if estimate.lower_bounds else ""
    basis = f"{pluralize(estimate.runs, 'comparable run')}{lower_bounds}"
    bounds = Bounds(estimate.p10, estimate.median, estimate.p90)
    median, interval = format_median(estimate, unit.format), format_interval(estimate, unit.format)
    labels = PlotLabels(title, median, interval)
    chart = forecast_plot(labels, bounds, [dot for dot in dots if dot is not None], unit, actual)
    return EstimatePlot(title, median, interval, basis, f"{estimate.effective_n:.0f}", None, chart)


def _dot(run: ComparableRun, value: float | None, unit: AxisUnit) -> Dot | None:
    if value is None:
        return None
    status = f"{status_symbol(run.status)} {single_line(run.status or RunStatus.UNKNOWN)}"
    title = f"{single_line(run.id)[:60]}: {unit.format(value)}, {status}"
    href = run_url({"id": run.id, "project": run.project})
    return Dot(value, run.weight, f"{title}, weight {run.weight:.2f}", href, run.status != RunStatus.FAILED)


def _interval_bar(estimate: Estimate, end: float, unit: AxisUnit) -> Markup | None:
    if estimate.median is None or estimate.p10 is None or estimate.p90 is None:
        return None
    median = format_median(estimate, unit.format)
    title = f"median {median}, 80% interval {format_interval(estimate, unit.format)}"
    return interval_bar(Bounds(estimate.p10, estimate.median, estimate.p90), end, title)
