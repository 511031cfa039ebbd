"""Say what runs add up to and what changed: figures in, words out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from ..amounts import UNKNOWN, Spending, exact, money, share
from ..summing.records import Change, Figures, Trend, Waste
from .costs import at_least
from .numbers import counted, duration, percent, tokens

CHANGES: Final = {
    "runs": "runs",
    "success_rate": "ended well",
    "cost": "cost on record",
    "cost_per_run": "cost of a run, median",
    "duration": "time of a run, median",
    "tokens": "tokens",
    "cache_hit_share": "read from the cache",
}
"""What each figure of a trend is called."""

WASTE: Final = {
    "failed_runs": "runs that failed",
    "retries": "work done again",
    "false_successes": "success said, nothing done",
    "errors": "agents that ended with an error",
    "cut_off": "streams cut off",
}
"""What each kind of waste is called."""

_WRITE: Final[Mapping[str, Callable[[float | None], str]]] = {
    "runs": lambda value: UNKNOWN if value is None else f"{value:,.0f}",
    "share": share,
    "USD": money,
    "seconds": duration,
    "tokens": tokens,
}


def spending_of(figures: Figures) -> Spending:
    """Return what a group is known to have spent."""
    partial = bool(figures.runs_costing_more or figures.runs_without_cost)
    amounts = exact(figures.cost.total), exact(figures.lower_bound_cost)
    return Spending(*amounts, partial=partial, unknown_runs=figures.runs_without_cost)


def cost_of(figures: Figures) -> str:
    """Return all that a group is known to have spent; `≥` where it spent more."""
    return at_least(spending_of(figures))


def success_of(group: Figures) -> str:
    """Return the share of runs that ended well; where the end of others is unknown, of how many it is."""
    rate = share(group.success_rate)
    if group.success_rate is None or group.success_rate_of == group.runs:
        return rate
    return f"{rate} of {group.success_rate_of:,}"


def copies_words(total: Figures) -> str | None:
    """Return how many copies of other runs are in no figure; None: none."""
    return f"{counted(total.copies, 'copy', 'copies')} left out" if total.copies else None


def success_line(total: Figures) -> str:
    """Return the same for all runs, in a sentence's part that names the runs that it leaves out."""
    others = total.runs - total.success_rate_of
    left_out = f", {counted(others, 'run')} neither completed nor failed" if others else ""
    if total.success_rate is None:
        return f"no run completed or failed{left_out and ' yet'}"
    return f"{share(total.success_rate)} of {total.success_rate_of:,} ended well{left_out}"


def known_cost(group: Figures) -> float:
    """Return all that a group is known to have spent, US dollars; 0 where nothing is."""
    return (group.cost.total or 0.0) + (group.lower_bound_cost or 0.0)


def wasted_of(found: Waste) -> str:
    """Return how much was wasted, and of how much."""
    if not found.spent:
        return "nothing is known of what these runs spent"
    spent = at_least(Spending(exact(found.spent), None, found.partial))
    if not found.wasted:
        return f"nothing that shows, of {spent}"
    return f"at least {money(found.wasted)} of {spent} ({share(found.share)})"


def length(found: Trend) -> str:
    """Return how long a period is."""
    span = found.ends - found.begins
    return (
        counted(span.days, "day")
        if span % timedelta(days=1) == timedelta(0)
        else duration(span.total_seconds())
    )


def now_of(change: Change) -> str:
    """Return what a figure is now."""
    return _WRITE[change.unit](change.now)


def before_of(change: Change) -> str:
    """Return what a figure was before."""
    return _WRITE[change.unit](change.before)


def signed(change: Change) -> str:
    """Return how a figure changed: a share in points, anything else in percent of what it was."""
    if change.unit == "share":
        points = percent(None if change.change is None else 100 * change.change)
        return points if change.change is None else points.replace("%", " points")
    return percent(change.change_percent)
