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


def format_interval(figure: Estimate, show: Formatter) -> str:
    """Format a prediction interval; a dash if there is none."""
    if figure.p10 is None or figure.p90 is None:
        return UNKNOWN
    low, high = show(figure.p10), show(figure.p90)
    return low if low == high else f"{low} to {high}"


def known_words(figure: Estimate, show: Formatter) -> str:
    """Format the range of values of runs that are too few for an interval; "" if there is none."""
    if figure.least is None or figure.most is None or figure.median is not None:
        return ""
    low, high = show(figure.least), show(figure.most)
    runs = "the one there is came to" if figure.runs == 1 else f"the {figure.runs:,} there are came to"
    least = " at least" if figure.at_least else ""
    return f"; {runs}{least} {low if low == high else f'{low} to {high}'}"


def headline(found: Forecast) -> str:
    """Format a forecast as one sentence."""
    if found.cost.median is None and found.duration.median is None:
        reasons = dict.fromkeys((found.cost.why_not, found.duration.why_not))
        return f"No forecast: {'; '.join(single_line(why) for why in reasons)}."
    pairs: tuple[tuple[Estimate, Formatter], ...] = (
        (found.cost, format_usd),
        (found.duration, format_duration),
    )
    middle = [show(figure.median) for figure, show in pairs if figure.median is not None]
    return f"About {' and '.join(middle)}; 8 in 10 {basis_words(found)} {_ends(found)}."


def basis_words(found: Forecast) -> str:
    """Return a phrase for the runs that a forecast is based on."""
    template = found.asked.template
    if found.basis == "alike":
        return "similar runs"
    runs = f"recent runs of {single_line(template)}" if template else "recent runs"
    return runs if found.basis == "latest" else f"similar and {runs}"


def run_headline(found: RunForecast) -> str:
    """Format a stored run's forecast as one sentence."""
    flight = found.flight
    if flight is None:
        return _normal(found)
    where = f"in {single_line(flight.phase)}" if flight.phase else "in no phase that is known"
    so_far = f"{where} after {format_spent(flight.spent, at_least=flight.spent_at_least)}"
    if flight.elapsed_seconds is not None:
        so_far += f" and {format_duration(flight.elapsed_seconds)}"
    if flight.total_cost.median is None:
        return f"Now {so_far}; no forecast of the end: {single_line(flight.total_cost.why_not)}."
    cost = flight.total_cost
    end = f"about {format_usd(cost.median)}, 8 in 10 {format_interval(cost, format_usd)}"
    return f"Now {so_far}; in the end {end}."


def format_spent(amount: float | None, *, at_least: bool) -> str:
    """Format an amount in US dollars; `≥` if it is a lower bound."""
    return f"≥ {format_usd(amount)}" if amount is not None and at_least else format_usd(amount)


def _ends(found: Forecast) -> str:
    parts = []
    if found.cost.median is not None:
        parts.append(f"end between {format_usd(found.cost.p10)} and {format_usd(found.cost.p90)}")
    if found.duration.median is not None:
        parts.append(f"take {format_interval(found.duration, format_duration)}")
    return " and ".join(parts)


def _normal(found: RunForecast) -> str:
    told = [(name, was) for name, was in (("cost", found.cost_was), ("time", found.duration_was)) if was]
    if not told:
        return "Nothing to hold it against."
    return "; ".join(f"{name}: {VERDICT_LABELS[was]}" for name, was in told).capitalize() + "."
