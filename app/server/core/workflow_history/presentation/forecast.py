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
    """Format a prediction interval; a dash if there is none. `≥`: its upper end is a lower bound."""
    if estimate.p10 is None or estimate.p90 is None:
        return UNKNOWN
    low, high = formatter(estimate.p10), formatter(estimate.p90)
    if estimate.p90_is_lower_bound:
        return f"≥ {high}" if low == high else f"{low} to ≥ {high}"
    return low if low == high else f"{low}–{high}"


def format_median(estimate: Estimate, formatter: Formatter) -> str:
    """Format the median of an estimate; `≥` if it is a lower bound.

    >>> format_median(Estimate(0.5, 0.1, 0.9, 20, 20, 0.0, None, median_is_lower_bound=True), format_usd)
    '≥ $0.50'
    """
    return f"{'≥ ' if estimate.median_is_lower_bound else ''}{formatter(estimate.median)}"


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
    figures: tuple[tuple[Estimate, Formatter], ...] = ((cost, format_usd), (duration, format_duration))
    known = [(estimate, formatter) for estimate, formatter in figures if estimate.median is not None]
    if not known:
        reasons = dict.fromkeys((cost.reason, duration.reason))
        return f"Not enough data: {'; '.join(map(single_line, reasons))}."
    medians: list[str] = []
    precision = ""
    for estimate, formatter in known:
        is_repeated, precision = precision == _precision(estimate), _precision(estimate)
        medians.append(f"{'' if is_repeated else f'{precision} '}{formatter(estimate.median)}")
    intervals = [format_interval(estimate, formatter) for estimate, formatter in known]
    sentence = f"{' and '.join(medians)}. 80% prediction interval: {' and '.join(intervals)}"
    return f"{sentence[0].upper()}{sentence[1:]}, based on {_describe_basis(forecast)}."


def _precision(estimate: Estimate) -> str:
    return "at least" if estimate.median_is_lower_bound else "about"


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
    total = f"{_precision(cost)} {format_usd(cost.median)}"
    return f"Now {so_far}. Forecast total: {total}, 80% interval {interval}."


def format_actual_cost(amount: float | None, *, at_least: bool) -> str:
    """Format an amount in US dollars; `≥` if it is a lower bound."""
    return f"≥ {format_usd(amount)}" if amount is not None and at_least else format_usd(amount)
