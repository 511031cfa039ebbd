"""Prediction intervals as text and bars: estimates of a forecast in, Rich text out. Pure."""

from __future__ import annotations

from rich.text import Text

from ...common.formatting.numbers import pluralize
from ...common.formatting.text import single_line
from ...common.spending import format_fraction
from ...presentation.forecast import Formatter, format_interval, known_words
from ...queries.forecast.records import Estimate, SuccessChance


def interval_bar(figure: Estimate, top: float, width: int) -> str:
    """Return an interval as a line on a scale from 0 to `top`, the median a dot; blank if there is none.

    >>> interval_bar(Estimate(5, 2, 9, 20, 0, 20.0, None), 10, 10)
    '  ───●─── '
    """
    ends = (figure.p10, figure.median, figure.p90)
    if top <= 0 or any(end is None for end in ends):
        return " " * width
    low, middle, high = (min(width - 1, max(0, int((end or 0.0) / top * width))) for end in ends)
    high = max(middle, min(high, width - 1) - int((figure.p90 or 0.0) / top * width == high > middle))
    return "".join("●" if at == middle else "─" if low <= at <= high else " " for at in range(width))


def scale_max(figures: list[Estimate]) -> float:
    """Return the largest p90, the end of a common scale; 0 if none is known."""
    return max((figure.p90 for figure in figures if figure.p90 is not None), default=0.0)


def render_success(success: SuccessChance) -> Text:
    """Format the success probability with its interval and sample size, or why it is unknown."""
    label = Text.assemble(("success   ", "dim"))
    if success.share is None:
        return label.append(f"not to be told: {single_line(success.why_not)}")
    seen = f"{success.completed:,} of {pluralize(success.ended, 'run')} that ended completed"
    label.append(format_fraction(success.share), "bold")
    return label.append(f", likely {format_fraction(success.low)} to {format_fraction(success.high)}; {seen}")


def render_estimate(title: str, figure: Estimate, show: Formatter) -> Text:
    """Format one estimate with its interval, or the reason why there is none."""
    label = Text.assemble((f"{title:<10}", "dim"))
    if figure.median is None:
        return label.append(f"not to be told: {single_line(figure.why_not)}{known_words(figure, show)}")
    label.append(f"about {show(figure.median)}", "bold")
    known = f"{pluralize(figure.runs, 'run')}, weighed as {figure.worth:.0f}"
    return label.append(f", 8 in 10: {format_interval(figure, show)}").append(f"  ({known})", "dim")
