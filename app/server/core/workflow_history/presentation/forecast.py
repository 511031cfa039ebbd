"""Forecasts in words: a forecast in, sentences out. Pure; unknown values are marked, never invented."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..common.formatting.numbers import format_duration
from ..common.formatting.text import single_line
from ..common.spending import UNKNOWN, format_usd
from ..queries.forecast.records import Estimate, Forecast, RunForecast

Formatter = Callable[[Any], str]
"""Function that formats an amount."""

VERDICT_LABELS = {
    "below": "less than was to be expected",
    "within": "as was to be expected",
    "above": "more than was to be expected",
}
"""Text for an actual value below, within or above its prediction interval."""


def format_interval(estimate: Estimate, formatter: Formatter) -> str:
    """Format a prediction interval; a dash if there is none."""
    if estimate.p10 is None or estimate.p90 is None:
        return UNKNOWN
    low, high = formatter(estimate.p10), formatter(estimate.p90)
    return low if low == high else f"{low} to {high}"


def describe_observed_range(estimate: Estimate, formatter: Formatter) -> str:
    """Format the range of values of runs that are too few for an interval; "" if there is none."""
    if estimate.least is None or estimate.most is None or estimate.median is not None:
        return ""
    low, high = formatter(estimate.least), formatter(estimate.most)
    runs = "the one there is came to" if estimate.runs == 1 else f"the {estimate.runs:,} there are came to"
    at_least = " at least" if estimate.at_least else ""
    return f"; {runs}{at_least} {low if low == high else f'{low} to {high}'}"


def headline(forecast: Forecast) -> str:
    """Format a forecast as one sentence."""
    cost, duration = forecast.cost, forecast.duration
    medians, intervals = [], []
    if cost.median is not None:
        medians.append(format_usd(cost.median))
        intervals.append(f"end between {format_usd(cost.p10)} and {format_usd(cost.p90)}")
    if duration.median is not None:
        medians.append(format_duration(duration.median))
        intervals.append(f"take {format_interval(duration, format_duration)}")
    if not medians:
        reasons = dict.fromkeys((cost.why_not, duration.why_not))
        return f"No forecast: {'; '.join(map(single_line, reasons))}."
    return f"About {' and '.join(medians)}; 8 in 10 {_describe_basis(forecast)} {' and '.join(intervals)}."


def _describe_basis(forecast: Forecast) -> str:
    """Return a phrase for the runs that a forecast is based on."""
    template = forecast.asked.template
    if forecast.basis == "alike":
        return "similar runs"
    runs = f"recent runs of {single_line(template)}" if template else "recent runs"
    return runs if forecast.basis == "latest" else f"similar and {runs}"


def run_headline(forecast: RunForecast) -> str:
    """Format a stored run's forecast as one sentence."""
    remaining = forecast.flight
    if remaining is None:
        verdicts = (("cost", forecast.cost_was), ("time", forecast.duration_was))
        known = [f"{name}: {VERDICT_LABELS[verdict]}" for name, verdict in verdicts if verdict]
        return f"{'; '.join(known).capitalize()}." if known else "Nothing to hold it against."
    phase = f"in {single_line(remaining.phase)}" if remaining.phase else "in no phase that is known"
    so_far = f"{phase} after {format_actual_cost(remaining.spent, at_least=remaining.spent_at_least)}"
    if remaining.elapsed_seconds is not None:
        so_far += f" and {format_duration(remaining.elapsed_seconds)}"
    cost = remaining.total_cost
    if cost.median is None:
        return f"Now {so_far}; no forecast of the end: {single_line(cost.why_not)}."
    interval = format_interval(cost, format_usd)
    return f"Now {so_far}; in the end about {format_usd(cost.median)}, 8 in 10 {interval}."


def format_actual_cost(amount: float | None, *, at_least: bool) -> str:
    """Format an amount in US dollars; `≥` if it is a lower bound."""
    return f"≥ {format_usd(amount)}" if amount is not None and at_least else format_usd(amount)
