"""Overview of all runs: a query result in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from ...analysis.statistics.records import Distribution, GroupStatistics, Overview, RunStatistics
from ...common.formatting.numbers import format_duration, format_tokens, pluralize
from ...common.spending import format_fraction, format_usd
from ...presentation.statistics import format_cost, format_period, format_waste, minimum_cost
from . import symbols
from .stats import groups_table, render_totals, total_line
from .text import implausible_dates_note, join_parts, section_rule
from .trends import trend_line
from .waste import render_waste_kinds

_TEN: Final = 10  # runs; with fewer, a p90 means little
TOP_ROWS: Final = 5
"""Number of groups shown per grouping; --by shows all."""


def render_overview(found: Overview, width: int) -> RenderableType:
    """Render totals, cost by week, the most expensive groups, wasted spend and the trend."""
    lines: list[RenderableType] = [render_totals(found.total), total_line(found.total), _habits(found.total)]
    lines += ["", *_weeks(found.weeks, width)]
    for title, statistics in (
        ("Templates", found.templates),
        ("Models", found.models),
        ("Phases", found.phases),
    ):
        shown = sorted(statistics.groups, key=lambda group: -minimum_cost(group))[
            :TOP_ROWS
        ]  # includes groups of unknown cost
        if not shown:
            continue
        more = len(statistics.groups) - len(shown)
        note = f"the costliest {TOP_ROWS}, {more} more" if more else ""
        lines += ["", section_rule(title, width, note), groups_table(statistics, shown, width)]
    lines += [
        "",
        section_rule("Spent in vain", width),
        join_parts([format_waste(found.waste), render_waste_kinds(found.waste)]),
    ]
    changed = trend_line(found.trend) if found.trend else None
    if found.trend and changed:
        lines += [
            "",
            section_rule(f"The last {format_period(found.trend)}", width, "and the change"),
            changed,
        ]
    return Group(*[line for line in lines if not (isinstance(line, Text) and not line.plain)])


def _habits(total: GroupStatistics) -> Text:
    spread, time = total.cost, total.duration
    return join_parts([
        _habit("a run costs", spread, format_usd),
        _habit("takes", time, format_duration),
        f"{format_tokens(total.tokens.total)} tokens" if total.tokens.total else None,
        None
        if total.cache_hit_share is None
        else f"{format_fraction(total.cache_hit_share)} read from the cache",
    ])  # fmt: skip


def _habit(words: str, spread: Distribution, show: Callable[[float | None], str]) -> str | None:
    """Format a median, with the p90 if there are at least ten runs."""
    if not spread.runs:
        return None
    most = f"; nine of ten at most {show(spread.p90)}" if spread.runs >= _TEN else ""
    return f"{words} {show(spread.median)} (median{most})"


def _weeks(weeks: RunStatistics, width: int) -> list[RenderableType]:
    """Render the cost by week as a sparkline of the latest weeks that fit."""
    dated = [week for week in weeks.groups if week.first_day is not None]
    shown = dated[-max(1, width) :]
    outside = [*_undated(weeks), *implausible_dates_note(weeks.misdated)]
    if not shown:
        return [Text("No run tells when it was."), *outside]
    costs = [_spent(week) for week in shown]
    if not any(week.cost.runs or week.lower_bound_cost is not None for week in shown):
        return [Text("No week's cost is known."), *outside]
    highest = max(shown, key=lambda week: _spent(week) or 0.0)
    mondays = [week.first_day for week in shown if week.first_day is not None]
    title = f"Cost by week, {mondays[0]} to {mondays[-1] + timedelta(days=6)}"
    left_out = len(dated) - len(shown)
    note = join_parts([
        f"most in the week of {highest.first_day}: {format_cost(highest)}",
        f"{pluralize(left_out, 'earlier week')} left out" if left_out else None,
    ])  # fmt: skip
    return [section_rule(title, width), Text(symbols.sparkline(costs), "green"), note, *outside]


def _undated(weeks: RunStatistics) -> list[Text]:
    """Return a line with the cost of runs without a day, which is in no week."""
    total = weeks.total
    return [
        Text(
            f"in no week: {pluralize(group.runs, 'run')} without a day, {format_cost(group)} of "
            f"{format_cost(total)}",
            "magenta",
        )
        for group in weeks.groups
        if group.first_day is None
    ]


def _spent(week: GroupStatistics) -> float | None:
    """Return the known cost of a week's runs in US dollars; None if no cost is known."""
    if week.cost.total is None and week.lower_bound_cost is None:
        return None
    return (week.cost.total or 0.0) + (week.lower_bound_cost or 0.0)
