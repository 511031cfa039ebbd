"""Write intervals as people read them: figures of a forecast in, words and bars to scale out. Pure."""

from __future__ import annotations

from rich.text import Text

from ...amounts import share
from ...answers.forecast_shapes import Figure, SuccessChance
from ...wording.forecasts import Show, between
from ...wording.numbers import counted
from ...wording.text import one_line


def span(figure: Figure, top: float, width: int) -> str:
    """Return an interval as a line to scale from 0 to `top`, its median a dot; blank where there is none.

    >>> span(Figure(5, 2, 9, 20, 0, 20.0, None), 10, 10)
    '  ───●─── '
    """
    ends = (figure.p10, figure.median, figure.p90)
    if top <= 0 or any(end is None for end in ends):
        return " " * width
    low, middle, high = (min(width - 1, max(0, int((end or 0.0) / top * width))) for end in ends)
    high = max(middle, min(high, width - 1) - int((figure.p90 or 0.0) / top * width == high > middle))
    return "".join("●" if at == middle else "─" if low <= at <= high else " " for at in range(width))


def top_of(figures: list[Figure]) -> float:
    """Return the largest upper bound, the end of a common scale."""
    return max((figure.p90 for figure in figures if figure.p90 is not None), default=0.0)


def success_line(success: SuccessChance) -> Text:
    """Return how likely it succeeds, with what that rests on."""
    label = Text.assemble(("success   ", "dim"))
    if success.share is None:
        return label.append(f"not to be told: {one_line(success.why_not)}")
    seen = f"{success.completed:,} of {counted(success.ended, 'run')} that ended completed"
    label.append(share(success.share), "bold")
    return label.append(f", likely {share(success.low)} to {share(success.high)}; {seen}")


def amount_line(title: str, figure: Figure, show: Show) -> Text:
    """Return one figure with its interval, or why there is none."""
    label = Text.assemble((f"{title:<10}", "dim"))
    if figure.median is None:
        return label.append(f"not to be told: {one_line(figure.why_not)}")
    label.append(f"about {show(figure.median)}", "bold")
    known = f"{counted(figure.runs, 'run')}, weighed as {figure.worth:.0f}"
    return label.append(f", 8 in 10: {between(figure, show)}").append(f"  ({known})", "dim")
