"""Statistics of runs by group as a table with bars: a query result in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from ...analysis.statistics.records import GroupStatistics, RunStatistics
from ...common.formatting.numbers import format_duration, format_tokens, pluralize
from ...common.formatting.text import single_line
from ...common.grouping_names import GROUPING_LABELS
from ...common.spending import format_fraction, format_usd
from ...presentation.run_list import copies_note
from ...presentation.statistics import (
    describe_success,
    format_cost,
    format_success_rate,
    group_cost,
    group_name,
)
from .table import Column, DropColumn, bar_columns, build_table, fit_columns, number_column, share_of
from .text import implausible_dates_note, render_cost, wrap_parts

BAR_WIDTH, SHORT_BAR_WIDTH = 12, 6  # cells
MAX_NAME_WIDTH: Final = 40  # cells
DROP_ORDER: Final = (
    DropColumn("attempts"),
    DropColumn("cache"),
    DropColumn("p90"),
    DropColumn("tokens"),
    DropColumn("failed"),
    DropColumn("mean"),
    DropColumn("bar", "short_bar"),
    DropColumn("duration"),
    DropColumn("short_bar"),
    DropColumn("median"),
    DropColumn("success"),
)
"""Columns to drop, in this order, to fit the width; name, runs and cost always stay."""

PERIODS: Final = frozenset({"day", "week", "month"})
"""Groupings by time, in which many groups may have no runs."""


def render_statistics(statistics: RunStatistics, width: int) -> RenderableType:
    """Render the table of all groups, with the totals of all runs below it."""
    groups: Sequence[GroupStatistics] = statistics.groups
    if statistics.by in PERIODS:  # many periods without runs would hide the others
        groups = [group for group in groups if group.runs]
    return Group(
        group_table(statistics, groups, width) if groups else Text(f"No run has a known {statistics.by}."),
        "",
        render_totals(statistics.total, width),
        *([render_total_cost(statistics.total)] if not group_cost(statistics.total).complete else []),
        *_notes(statistics, len(statistics.groups) - len(groups)),
        *implausible_dates_note(statistics.invalid_timestamps),
    )


def group_table(statistics: RunStatistics, groups: Sequence[GroupStatistics], width: int) -> RenderableType:
    """Build a table of the groups, each with a bar of its cost relative to the largest one."""
    largest = max((group.minimum_cost for group in groups), default=0.0)
    columns = _name_columns(statistics, groups)
    columns.append(number_column("runs", "runs", [f"{group.runs:,}" for group in groups]))
    if any(group.agent_runs is not None for group in groups):
        columns.append(
            number_column("attempts", "agent runs", [f"{group.agent_runs or 0:,}" for group in groups])
        )
    columns += [
        number_column("failed", "failed", [f"{group.failed:,}" for group in groups]),
        number_column("success", "success rate", map(format_success_rate, groups)),
        number_column("cost", "cost", map(format_cost, groups)),
        *bar_columns(
            [share_of(group.minimum_cost, largest) for group in groups], (BAR_WIDTH, SHORT_BAR_WIDTH)
        ),
        number_column("mean", "mean cost", [format_usd(group.cost.mean) for group in groups]),
        number_column("median", "median cost", [format_usd(group.cost.median) for group in groups]),
        number_column("p90", "p90 cost", [format_usd(group.cost.p90) for group in groups]),
        number_column("tokens", "tokens", [format_tokens(group.tokens.total) for group in groups]),
        number_column("cache", "cache hit rate", [format_fraction(group.cache_hit_rate) for group in groups]),
    ]
    if any(group.duration.median is not None for group in groups):
        durations = [format_duration(group.duration.median) for group in groups]
        columns.append(number_column("duration", "median duration", durations))
    return build_table(fit_columns(columns, width, DROP_ORDER), width)


def render_totals(total: GroupStatistics, width: int) -> Text:
    """Format the number of runs, their total cost and their success rate."""
    is_known = total.runs and group_cost(total).minimum is not None
    return wrap_parts([
        pluralize(total.runs, "run"),
        f"total cost {format_cost(total)}" if is_known else None,
        *(describe_success(total) if total.runs else ()),
        copies_note(total.copies),
    ], width)  # fmt: skip


def render_total_cost(total: GroupStatistics) -> Text:
    """Format the recorded cost, the lower-bound cost and the number of runs of unknown cost."""
    return render_cost(group_cost(total))


def _group_name(by: str, name: str | None) -> Text:
    """Format the name of a group."""
    return Text(group_name(by, name), "dim" if name is None else "bold")


def _name_columns(statistics: RunStatistics, groups: Sequence[GroupStatistics]) -> list[Column]:
    """Return a column of names for each grouping; with a second one, a repeated name is left blank."""
    by, across = statistics.by, statistics.across
    names = [_group_name(by, group.name) for group in groups]
    if across is None:
        return [Column("name", GROUPING_LABELS.get(by, by), tuple(names), max_width=MAX_NAME_WIDTH)]
    for index, (previous, group) in enumerate(pairwise(groups), 1):
        if previous.name == group.name:
            names[index] = Text("")
    across_names = tuple(_group_name(across, group.across) for group in groups)
    return [
        Column("name", GROUPING_LABELS.get(by, by), tuple(names), max_width=MAX_NAME_WIDTH),
        Column("across", GROUPING_LABELS.get(across, across), across_names, max_width=MAX_NAME_WIDTH),
    ]


def _notes(statistics: RunStatistics, hidden_groups: int) -> list[Text]:
    """Return the notes below the table: hidden groups, the time zone, and its signs."""
    notes = []
    if hidden_groups:
        notes.append(f"{pluralize(hidden_groups, statistics.by)} without runs not shown")
    if (zone := statistics.time_zone) is not None:
        zone_name = "this machine's" if zone == "local" else single_line(zone)
        notes.append(f"time zone: {zone_name}")
    legend: list[str] = []
    if any("≥" in format_cost(group) for group in (statistics.total, *statistics.groups)):
        legend.append(
            "≥ lower bound: some agent runs have no result. Mean, median and P90 use recorded costs only."
        )
    if statistics.groups and statistics.by in {"phase", "agent", "model"}:  # one run can be in several groups
        legend.append(f"Runs and success rate: of the runs with this {statistics.by}.")
    lines = [Text(note, "dim") for note in notes]
    return lines + [Text(note, "dim") for note in legend]
