"""Statistics and trends in words: figures in, text out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from ..analysis.statistics.records import Change, GroupStatistics, Trend, Waste
from ..common.formatting.agents import short_model
from ..common.formatting.costs import format_minimum
from ..common.formatting.numbers import format_duration, format_percent_change, format_tokens, pluralize
from ..common.formatting.text import single_line
from ..common.grouping_names import nameless_group
from ..common.spending import UNKNOWN, Cost, format_fraction, format_usd

TREND_LABELS: Final = {
    "runs": "runs",
    "success_rate": "success rate",
    "cost": "recorded cost",
    "cost_per_run": "median cost per run",
    "duration": "median duration",
    "tokens": "tokens",
    "cache_hit_rate": "cache hit rate",
}
"""Display names of the figures of a trend."""

WASTE_LABELS: Final = {
    "failed_runs": "failed runs",
    "retries": "retries",
    "false_successes": "false successes",
    "errors": "agent errors",
    "interrupted": "interrupted agent runs",
}
"""Display names of the waste categories."""

_FORMATTERS: Final[Mapping[str, Callable[[float | None], str]]] = {
    "runs": lambda value: UNKNOWN if value is None else f"{value:,.0f}",
    "share": format_fraction,
    "USD": format_usd,
    "seconds": format_duration,
    "tokens": format_tokens,
}


def group_name(by: str, name: str | None) -> str:
    """Return a group's display name.

    >>> group_name("model", "claude-sonnet-4-5-20250929"), group_name("model", None), group_name("pr", None)
    ('sonnet-4-5', 'unknown', 'none')
    """
    if name is None:
        return nameless_group(by)
    return short_model(name) if by == "model" else single_line(name) or UNKNOWN


def group_cost(group: GroupStatistics) -> Cost:
    """Return the known cost of a group."""
    return Cost.from_usd(
        group.cost.total,
        group.lower_bound_cost,
        complete=not (group.runs_costing_more or group.runs_without_cost),
        unknown_runs=group.runs_without_cost,
    )


def format_cost(group: GroupStatistics) -> str:
    """Format the known cost of a group; `≥` if it is a lower bound."""
    return format_minimum(group_cost(group))


def format_success_rate(group: GroupStatistics) -> str:
    """Format the success rate, with the number of runs it is based on unless that is all runs."""
    rate = format_fraction(group.success_rate)
    if group.success_rate is None or group.success_rate_of == group.runs:
        return rate
    return f"{rate} of {group.success_rate_of:,}"


def describe_success(total: GroupStatistics) -> list[str]:
    """Format the success rate of all runs and, if there are any, the number of runs that it leaves out."""
    others = total.runs - total.success_rate_of
    if total.success_rate is None:
        return [f"no run completed or failed{' yet' if others else ''}"]
    rate = format_fraction(total.success_rate)
    success = f"success rate {rate} ({total.completed:,} of {total.success_rate_of:,} finished runs)"
    return [success, *([f"{pluralize(others, 'run')} neither completed nor failed"] if others else [])]


def format_waste_cost(cost: float | None, *, partial: bool) -> str:
    """Format the wasted or total cost of a waste category or place; `partial`: it is a lower bound.

    >>> format_waste_cost(0.5, partial=True), format_waste_cost(0.0, partial=False)
    ('≥ $0.50', '$0.00')
    """
    return format_minimum(Cost.from_usd(cost, None, complete=not partial))


def format_waste(waste: Waste) -> str:
    """Format the wasted spend and the total cost that it is part of."""
    if not waste.spent:
        return "the cost of these runs is unknown"
    spent = format_waste_cost(waste.spent, partial=waste.partial)
    if not waste.wasted:
        return f"none found in {spent}"
    return f"≥ {format_usd(waste.wasted)} of {spent} ({format_fraction(waste.share)})"


def format_runs_now(change: Change) -> str:
    """Format the current number of runs with its noun."""
    return pluralize(int(change.now or 0), "run")


def format_period(trend: Trend) -> str:
    """Format the length of a trend's period."""
    length = trend.ends - trend.begins
    if length % timedelta(days=1):
        return format_duration(length.total_seconds())
    return pluralize(length.days, "day")


def format_current(change: Change) -> str:
    """Format the current value of a figure."""
    return _FORMATTERS[change.unit](change.now)


def format_previous(change: Change) -> str:
    """Format the value of a figure in the period before."""
    return _FORMATTERS[change.unit](change.before)


def format_change(change: Change) -> str:
    """Format a change: of a share in percentage points, of other figures in percent of the old value."""
    if change.unit != "share":
        return format_percent_change(change.change_percent)
    if change.change is None:
        return UNKNOWN
    return format_percent_change(100 * change.change).replace("%", " pp")
