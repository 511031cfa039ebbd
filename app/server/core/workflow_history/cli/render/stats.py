"""Statistics of runs by group as a table with bars: a query result in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from ...analysis.statistics.records import GroupStatistics, RunStatistics
from ...common.formatting.agents import short_model
from ...common.formatting.numbers import format_duration, format_tokens, pluralize
from ...common.formatting.text import single_line
from ...common.spending import UNKNOWN, format_fraction, format_usd
from ...presentation.run_list import copies_words
from ...presentation.statistics import (
    format_cost,
    minimum_cost,
    spending_of,
    success_line,
    success_of,
)
from . import symbols
from .table import Column, DropColumn, build_table, fit_columns
from .text import implausible_dates_note, join_parts, render_sum

BAR: Final = 12  # cells
MOST_NAME: Final = 40  # cells
NARROWER: Final = (
    DropColumn("attempts"),
    DropColumn("cache"),
    DropColumn("p90"),
    DropColumn("tokens"),
    DropColumn("failed"),
    DropColumn("mean"),
    DropColumn("bar"),
    DropColumn("duration"),
    DropColumn("median"),
    DropColumn("success"),
)
"""Columns to drop, in this order, to fit the width; name, runs and cost always stay."""

UNITS: Final = frozenset({"day", "week", "month"})
"""Groupings by time, in which many groups may have no runs."""

TITLES: Final = {"issue_class": "class"}


def render_statistics(found: RunStatistics, width: int) -> RenderableType:
    """Render the table of all groups, with the totals of all runs below it."""
    groups = _with_runs(found)
    notes = [_left_out(found, len(found.groups) - len(groups)), _time_zone(found), *_legend(found)]
    return Group(
        groups_table(found, groups, width) if groups else Text(f"No run has a known {found.by}."),
        "",
        render_totals(found.total),
        *([total_line(found.total)] if spending_of(found.total).partial else []),
        *[note for note in notes if note is not None],
        *implausible_dates_note(found.misdated),
    )


def _with_runs(found: RunStatistics) -> Sequence[GroupStatistics]:
    """Return the groups to show; many periods without runs would hide the others."""
    if found.by not in UNITS:
        return found.groups
    return [group for group in found.groups if group.runs]


def _left_out(found: RunStatistics, groups: int) -> Text | None:
    return Text(f"{pluralize(groups, found.by)} without a run left out", "dim") if groups else None


def groups_table(found: RunStatistics, groups: Sequence[GroupStatistics], width: int) -> RenderableType:
    """Build a table of the groups, each with a bar of its cost relative to the largest one."""
    most = max((minimum_cost(group) for group in groups), default=0.0)
    columns = [
        Column("name", TITLES.get(found.by, found.by), _names(found, groups), max_width=MOST_NAME),
        *_across(found, groups),
        _numbers("runs", "runs", groups, lambda g: f"{g.runs:,}"),
        *_attempts(groups),
        _numbers("failed", "failed", groups, lambda g: f"{g.failed:,}"),
        _numbers("success", "success", groups, success_of),
        _numbers("cost", "cost", groups, format_cost),
        Column("bar", "", tuple(Text(symbols.bar(_share(g, most), BAR), "green") for g in groups)),
        _numbers("mean", "mean", groups, lambda g: format_usd(g.cost.mean)),
        _numbers("median", "median", groups, lambda g: format_usd(g.cost.median)),
        _numbers("p90", "p90", groups, lambda g: format_usd(g.cost.p90)),
        _numbers("tokens", "tokens", groups, lambda g: format_tokens(g.tokens.total)),
        _numbers("cache", "cached", groups, lambda g: format_fraction(g.cache_hit_share)),
        *_durations(groups),
    ]
    return build_table(fit_columns(columns, width, NARROWER), width)


def render_totals(total: GroupStatistics) -> Text:
    """Format the number of runs, their total cost and their success rate in one line."""
    return join_parts([
        pluralize(total.runs, "run"),
        f"{format_cost(total)} in all" if total.runs and spending_of(total).minimum is not None else None,
        success_line(total) if total.runs else None,
        copies_words(total.copies),
    ])  # fmt: skip


def total_line(total: GroupStatistics) -> Text:
    """Format the recorded cost, the lower-bound cost and the number of runs of unknown cost."""
    return render_sum(spending_of(total))


def name_of(by: str, name: str | None) -> Text:
    """Format the name of a group."""
    if name is None:
        return Text("unknown", "dim")
    if by == "model":
        return Text(short_model(name), "bold")
    return Text(single_line(name) or UNKNOWN, "bold")


def _names(found: RunStatistics, groups: Sequence[GroupStatistics]) -> tuple[Text, ...]:
    """Format the name of each group; with a second grouping, a repeated name is left blank."""
    before = [None, *groups[:-1]] if groups else []
    return tuple(
        Text("")
        if found.across and former is not None and former.name == group.name
        else name_of(found.by, group.name)
        for former, group in zip(before, groups, strict=True)
    )


def _across(found: RunStatistics, groups: Sequence[GroupStatistics]) -> list[Column]:
    if found.across is None:
        return []
    cells = tuple(name_of(found.across, group.across) for group in groups)
    return [Column("across", TITLES.get(found.across, found.across), cells, max_width=MOST_NAME)]


def _attempts(groups: Sequence[GroupStatistics]) -> list[Column]:
    if all(group.agent_runs is None for group in groups):
        return []
    return [_numbers("attempts", "agents", groups, lambda g: f"{g.agent_runs or 0:,}")]


def _durations(groups: Sequence[GroupStatistics]) -> list[Column]:
    """Return the column of durations as a list; empty if no duration is known."""
    if all(group.duration.median is None for group in groups):
        return []
    return [_numbers("duration", "median time", groups, lambda g: format_duration(g.duration.median))]


def _numbers(
    key: str, title: str, groups: Sequence[GroupStatistics], write: Callable[[GroupStatistics], str]
) -> Column:
    return Column(key, title, tuple(Text(write(group)) for group in groups), right=True)


def _share(group: GroupStatistics, most: float) -> float | None:
    return minimum_cost(group) / most if most else None


def _time_zone(found: RunStatistics) -> Text | None:
    if found.time_zone is None:
        return None
    zone = "this machine's" if found.time_zone == "local" else single_line(found.time_zone)
    return Text(f"time zone: {zone}", "dim")


def _legend(found: RunStatistics) -> list[Text]:
    bounded = any("≥" in format_cost(group) for group in (found.total, *found.groups))
    notes: list[str | Text | None] = [
        "≥ at least; mean and median are of what is on record alone" if bounded else None,
        f"runs and success: of the runs that have this {found.by}"
        if found.groups and _shared(found)
        else None,
    ]
    line = join_parts(notes)
    line.stylize("dim")
    return [line] if line.plain else []


def _shared(found: RunStatistics) -> bool:
    """Return whether one run can be in several groups."""
    return found.by in {"phase", "agent", "model"}
