"""Forecasts in words: a forecast in, sentences out. Pure; unknown values are marked, never invented."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..common.formatting.numbers import format_duration, pluralize
from ..common.formatting.text import single_line
from ..common.spending import UNKNOWN, format_fraction, format_usd
from ..queries.forecast.records import Estimate, Forecast, RunForecast

Formatter = Callable[[Any], str]
"""Function that formats an amount."""

VERDICT_LABELS = {
    "below": "below the forecast interval",
    "within": "within the forecast interval",
    "above": "above the forecast interval",
}
"""Text for an actual value below, within or above its prediction interval."""


def format_interval(estimate: Estimate, formatter: Formatter) -> str:
    """Format a prediction interval; a dash if there is none."""
    if estimate.p10 is None or estimate.p90 is None:
        return UNKNOWN
    low, high = formatter(estimate.p10), formatter(estimate.p90)
    return low if low == high else f"{low}–{high}"


def format_share_range(low: float | None, high: float | None, digits: int = 0) -> str:
    """Format an interval of shares in percent.

    >>> format_share_range(0.85, 0.95), format_share_range(0.001, 0.05)
    ('85–95%', '<1%–5%')
    """
    start = format_fraction(low, digits)
    return f"{start if start[0] in '<>' else start.removesuffix('%')}–{format_fraction(high, digits)}"


def describe_observed_range(estimate: Estimate, formatter: Formatter) -> str:
    """Format the range of values of runs that are too few for an interval; "" if there is none."""
    if estimate.least is None or estimate.most is None or estimate.median is not None:
        return ""
    low, high = formatter(estimate.least), formatter(estimate.most)
    runs = f"observed in {pluralize(estimate.runs, 'run')}"
    sign = "≥ " if estimate.lower_bounds else ""
    return f"; {runs}: {sign}{low if low == high else f'{low}–{high}'}"


def headline(forecast: Forecast) -> str:
    """Format a forecast as one sentence."""
    cost, duration = forecast.cost, forecast.duration
    medians, intervals = [], []
    if cost.median is not None:
        medians.append(format_usd(cost.median))
        intervals.append(format_interval(cost, format_usd))
    if duration.median is not None:
        medians.append(format_duration(duration.median))
        intervals.append(format_interval(duration, format_duration))
    if not medians:
        reasons = dict.fromkeys((cost.reason, duration.reason))
        return f"Not enough data: {'; '.join(map(single_line, reasons))}."
    basis = f"based on {_describe_basis(forecast)}"
    return f"About {' and '.join(medians)}. 80% prediction interval: {' and '.join(intervals)}, {basis}."


def _describe_basis(forecast: Forecast) -> str:
    """Return a phrase for the runs that a forecast is based on."""
    template = forecast.asked.template
    if forecast.basis == "similar":
        return "similar runs"
    runs = f"recent runs of {single_line(template)}" if template else "recent runs"
    return runs if forecast.basis == "latest" else f"similar and {runs}"


def run_headline(forecast: RunForecast) -> str:
    """Format a stored run's forecast as one sentence."""
    remaining = forecast.flight
    if remaining is None:
        verdicts = (("cost", forecast.cost_verdict), ("duration", forecast.duration_verdict))
        known = [f"{name}: {VERDICT_LABELS[verdict]}" for name, verdict in verdicts if verdict]
        return f"{'; '.join(known).capitalize()}." if known else "No forecast to compare with."
    phase = f"in {single_line(remaining.phase)}" if remaining.phase else "in an unknown phase"
    so_far = f"{phase} after {format_actual_cost(remaining.spent, at_least=remaining.spent_is_lower_bound)}"
    if remaining.elapsed_seconds is not None:
        so_far += f" and {format_duration(remaining.elapsed_seconds)}"
    cost = remaining.total_cost
    if cost.median is None:
        return f"Now {so_far}. Not enough data for a forecast of the end: {single_line(cost.reason)}."
    interval = format_interval(cost, format_usd)
    return f"Now {so_far}. Forecast total: about {format_usd(cost.median)}, 80% interval {interval}."


def format_actual_cost(amount: float | None, *, at_least: bool) -> str:
    """Format an amount in US dollars; `≥` if it is a lower bound."""
    return f"≥ {format_usd(amount)}" if amount is not None and at_least else format_usd(amount)
