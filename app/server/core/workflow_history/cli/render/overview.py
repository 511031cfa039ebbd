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
from ...presentation.statistics import format_cost, format_period, format_waste
from . import symbols
from .stats import group_table, render_total_cost, render_totals
from .text import implausible_dates_note, join_parts, section_rule, wrap_parts
from .trends import render_main_changes
from .waste import render_waste_kinds

_MIN_P90_RUNS: Final = 10  # runs; with fewer, a p90 means little
TOP_ROWS: Final = 5
"""Number of groups shown per grouping; --by shows all."""


def render_overview(overview: Overview, width: int) -> RenderableType:
    """Render totals, cost by week, the most expensive groups, wasted spend and the trend."""
    total = overview.total
    lines: list[RenderableType] = [
        render_totals(total, width),
        render_total_cost(total),
        _typical_run(total, width),
    ]
    lines += ["", *_weeks(overview.weeks, width)]
    for title, statistics in (
        ("Workflows", overview.templates),
        ("Models", overview.models),
        ("Phases", overview.phases),
    ):
        groups = sorted(statistics.groups, key=lambda group: group.minimum_cost, reverse=True)
        if groups:
            shown, hidden = groups[:TOP_ROWS], len(groups[TOP_ROWS:])
            note = f"top {TOP_ROWS} by cost, {hidden} more" if hidden else ""
            lines += ["", section_rule(title, width, note), group_table(statistics, shown, width)]
    lines += [
        "",
        section_rule("Wasted spend", width),
        join_parts([format_waste(overview.waste), render_waste_kinds(overview.waste)]),
    ]
    trend = overview.trend
    if trend and (changes := render_main_changes(trend, width)):
        lines += [
            "",
            section_rule(
                f"Last {format_period(trend)}", width, f"change to the previous {format_period(trend)}"
            ),
            changes,
        ]
    return Group(*[line for line in lines if not (isinstance(line, Text) and not line.plain)])


def _typical_run(total: GroupStatistics, width: int) -> Text:
    return wrap_parts([
        _median("cost per run:", total.cost, format_usd),
        _median("duration:", total.duration, format_duration),
        f"{format_tokens(total.tokens.total)} tokens" if total.tokens.total else None,
        None
        if total.cache_hit_rate is None
        else f"cache hit rate {format_fraction(total.cache_hit_rate)}",
    ], width)  # fmt: skip


def _median(label: str, distribution: Distribution, formatter: Callable[[float | None], str]) -> str | None:
    """Format a median, with the p90 if there are at least ten runs."""
    if not distribution.runs:
        return None
    p90 = f", p90 {formatter(distribution.p90)}" if distribution.runs >= _MIN_P90_RUNS else ""
    return f"{label} median {formatter(distribution.median)}{p90}"


def _weeks(weeks: RunStatistics, width: int) -> list[RenderableType]:
    """Render the cost by week as a sparkline of the latest weeks that fit."""
    dated = [week for week in weeks.groups if week.first_day is not None]
    shown = dated[-max(1, width) :]
    notes = [
        Text(
            f"in no week: {pluralize(group.runs, 'run')} without a date, {format_cost(group)} of "
            f"{format_cost(weeks.total)}",
            "magenta",
        )
        for group in weeks.groups
        if group.first_day is None
    ]
    notes += implausible_dates_note(weeks.invalid_timestamps)
    if not shown:
        return [Text("No run has a date."), *notes]
    if not any(week.cost.runs or week.lower_bound_cost is not None for week in shown):
        return [Text("The cost of every week is unknown."), *notes]
    costs = [
        None if week.cost.total is None and week.lower_bound_cost is None else week.minimum_cost
        for week in shown
    ]
    highest = max(shown, key=lambda week: week.minimum_cost)
    mondays = [week.first_day for week in shown if week.first_day is not None]
    title = f"Cost by week, {mondays[0]} to {mondays[-1] + timedelta(days=6)}"
    left_out = len(dated) - len(shown)
    summary = join_parts([
        f"highest: week of {highest.first_day}, {format_cost(highest)}",
        f"{pluralize(left_out, 'earlier week')} not shown" if left_out else None,
    ])  # fmt: skip
    return [section_rule(title, width), Text(symbols.sparkline(costs), "green"), summary, *notes]
