"""A stored run next to its forecast as a screen: a forecast in, renderables out. Pure."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.numbers import format_duration, pluralize
from ...common.spending import format_usd
from ...presentation import forecast as texts
from ...presentation.forecast import VERDICT_LABELS, Formatter, format_actual_cost, format_interval
from ...presentation.run_list import join_run_id
from ...queries.forecast.records import Estimate, Remaining, RunForecast
from . import symbols
from .forecast import (
    forecast_legend,
    headline,
    phase_table,
    render_estimate,
    render_estimates,
    render_success,
    render_warnings,
    run_table,
)
from .text import clean_text, join_parts, section_rule


def render_run_forecast(forecast: RunForecast, width: int) -> RenderableType:
    """Render the remaining cost and time, the forecast before the start and the actual values."""
    prior = forecast.forecast
    status = symbols.status_text(forecast.status)
    template = clean_text(prior.asked.template, "cyan") if prior.asked.template else None
    title = join_parts([Text(join_run_id(forecast.project, forecast.id), "bold"), status, template])
    lines: list[RenderableType] = [title, run_headline(forecast)]
    if forecast.flight is not None:
        lines += ["", section_rule("Remaining", width), *_remaining(forecast.flight, width)]
    note = f"based on {pluralize(prior.based_on, 'earlier run')}" if prior.based_on else ""
    lines += ["", section_rule("Forecast at start", width, note)]
    lines += [*render_estimates(prior, width)] if prior.based_on else [headline(prior)]
    lines += ["", section_rule("Actual", width), *_actual_values(forecast)]
    if prior.phases:
        lines += ["", section_rule("Forecast phases", width), phase_table(prior.phases, width)]
    if prior.runs:
        lines += ["", section_rule("Comparable runs", width), run_table(prior.runs, width)]
    if prior.based_on:
        lines += ["", forecast_legend(width)]
    return Group(*lines, *render_warnings(prior.weak))


def run_headline(forecast: RunForecast) -> Text:
    """Format the forecast of a stored run as one sentence."""
    return Text(texts.run_headline(forecast), "bold")


def _remaining(remaining: Remaining, width: int) -> list[RenderableType]:
    totals: tuple[tuple[Estimate, Formatter], ...] = (
        (remaining.total_cost, format_usd),
        (remaining.total_duration, format_duration),
    )
    intervals = [format_interval(total, formatter) for total, formatter in totals if total.median is not None]
    return [
        render_estimate("cost", remaining.remaining_cost, format_usd, width),
        render_estimate("duration", remaining.remaining_duration, format_duration, width),
        render_success(remaining.success),
        Text.assemble(("total     ", "dim"), ", ".join(intervals) or "not enough data"),
        Text(f"based on {pluralize(remaining.runs, 'run')} with this phase", "dim"),
    ]


def _actual_values(forecast: RunForecast) -> list[RenderableType]:
    suffix = " so far" if forecast.flight is not None else ""
    cost = format_actual_cost(forecast.cost, at_least=forecast.cost_is_lower_bound) + suffix
    duration = format_duration(forecast.duration_seconds) + suffix
    return [
        _actual_value("cost", cost, forecast.cost_verdict),
        _actual_value("duration", duration, forecast.duration_verdict),
        Text.assemble(("status    ", "dim"), symbols.status_text(forecast.status)),
    ]


def _actual_value(title: str, amount: str, verdict: str | None) -> Text:
    line = Text.assemble((f"{title:<10}", "dim"), (amount, "bold"))
    if verdict:
        line.append(f"  {VERDICT_LABELS[verdict]}", "magenta" if verdict == "above" else "dim")
    return line
