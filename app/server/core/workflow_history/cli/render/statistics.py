"""Figures of runs in groups, as a table with bars: an answer in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from ...amounts import UNKNOWN, money, share
from ...summing.records import Figures, RunStatistics
from ...wording.agents import short_model
from ...wording.costs import sum_words
from ...wording.numbers import counted, duration, tokens
from ...wording.statistics import (
    copies_words,
    cost_of,
    known_cost,
    spending_of,
    success_line,
    success_of,
)
from ...wording.text import one_line
from . import marks
from .misdated import misdated_note
from .table import Column, GiveWay, fit, grid
from .text import joined

BAR: Final = 12  # cells
MOST_NAME: Final = 40  # cells
NARROWER: Final = (
    GiveWay("attempts"),
    GiveWay("cache"),
    GiveWay("p90"),
    GiveWay("tokens"),
    GiveWay("failed"),
    GiveWay("mean"),
    GiveWay("bar"),
    GiveWay("duration"),
    GiveWay("median"),
    GiveWay("success"),
)
"""What goes first where the width does not do; name, runs and cost always stay."""

UNITS: Final = frozenset({"day", "week", "month"})
"""Groups of time of which there may be many without a run."""

TITLES: Final = {"issue_class": "class"}


def statistics_table(found: RunStatistics, width: int) -> RenderableType:
    """Return the table of all groups, the sums of all runs below it."""
    groups = _with_runs(found)
    notes = [_left_out(found, len(found.groups) - len(groups)), _time_zone(found), *_legend(found)]
    return Group(
        groups_table(found, groups, width) if groups else Text(f"No run has a known {found.by}."),
        "",
        sums_line(found.total),
        *([total_line(found.total)] if spending_of(found.total).partial else []),
        *[note for note in notes if note is not None],
        *misdated_note(found.misdated),
    )


def _with_runs(found: RunStatistics) -> Sequence[Figures]:
    """Return the groups that a table shows: a long time without a run would hide the others."""
    if found.by not in UNITS:
        return found.groups
    return [group for group in found.groups if group.runs]


def _left_out(found: RunStatistics, groups: int) -> Text | None:
    return Text(f"{counted(groups, found.by)} without a run left out", "dim") if groups else None


def groups_table(found: RunStatistics, groups: Sequence[Figures], width: int) -> RenderableType:
    """Return the table of some groups, each with a bar as long as its cost is beside the largest."""
    most = max((known_cost(group) for group in groups), default=0.0)
    columns = [
        Column("name", TITLES.get(found.by, found.by), _names(found, groups), most=MOST_NAME),
        *_across(found, groups),
        _numbers("runs", "runs", groups, lambda g: f"{g.runs:,}"),
        *_attempts(groups),
        _numbers("failed", "failed", groups, lambda g: f"{g.failed:,}"),
        _numbers("success", "success", groups, success_of),
        _numbers("cost", "cost", groups, cost_of),
        Column("bar", "", tuple(Text(marks.bar(_share(g, most), BAR), "green") for g in groups)),
        _numbers("mean", "mean", groups, lambda g: money(g.cost.mean)),
        _numbers("median", "median", groups, lambda g: money(g.cost.median)),
        _numbers("p90", "p90", groups, lambda g: money(g.cost.p90)),
        _numbers("tokens", "tokens", groups, lambda g: tokens(g.tokens.total)),
        _numbers("cache", "cached", groups, lambda g: share(g.cache_hit_share)),
        *_durations(groups),
    ]
    return grid(fit(columns, width, NARROWER), width)


def sums_line(total: Figures) -> Text:
    """Return how many runs there are, what they cost in all and how they ended, in a line."""
    return joined([
        counted(total.runs, "run"),
        f"{cost_of(total)} in all" if spending_of(total).known is not None else None,
        success_line(total),
        copies_words(total),
    ])  # fmt: skip


def total_line(total: Figures) -> Text:
    """Return what is on record, what was spent beyond it, and of how many runs nothing is known."""
    return joined([Text(words, "bold") for words in sum_words(spending_of(total))])


def name_of(by: str, name: str | None) -> Text:
    """Return a group's name."""
    if name is None:
        return Text("unknown", "dim")
    if by == "model":
        return Text(short_model(name), "bold")
    return Text(one_line(name) or UNKNOWN, "bold")


def _names(found: RunStatistics, groups: Sequence[Figures]) -> tuple[Text, ...]:
    """Name each group; crossed, only the first of those that share a name."""
    before = [None, *groups[:-1]] if groups else []
    return tuple(
        Text("")
        if found.across and former is not None and former.name == group.name
        else name_of(found.by, group.name)
        for former, group in zip(before, groups, strict=True)
    )


def _across(found: RunStatistics, groups: Sequence[Figures]) -> list[Column]:
    if found.across is None:
        return []
    cells = tuple(name_of(found.across, group.across) for group in groups)
    return [Column("across", TITLES.get(found.across, found.across), cells, most=MOST_NAME)]


def _attempts(groups: Sequence[Figures]) -> list[Column]:
    if all(group.agent_runs is None for group in groups):
        return []
    return [_numbers("attempts", "agents", groups, lambda g: f"{g.agent_runs or 0:,}")]


def _durations(groups: Sequence[Figures]) -> list[Column]:
    """Return the column of durations, where one is known."""
    if all(group.duration.median is None for group in groups):
        return []
    return [_numbers("duration", "median time", groups, lambda g: duration(g.duration.median))]


def _numbers(key: str, title: str, groups: Sequence[Figures], write: Callable[[Figures], str]) -> Column:
    return Column(key, title, tuple(Text(write(group)) for group in groups), right=True)


def _share(group: Figures, most: float) -> float | None:
    return known_cost(group) / most if most else None


def _time_zone(found: RunStatistics) -> Text | None:
    if found.time_zone is None:
        return None
    zone = "this machine's" if found.time_zone == "local" else one_line(found.time_zone)
    return Text(f"time zone: {zone}", "dim")


def _legend(found: RunStatistics) -> list[Text]:
    bounded = any("≥" in cost_of(group) for group in (found.total, *found.groups))
    notes: list[str | Text | None] = [
        "≥ at least; mean and median are of what is on record alone" if bounded else None,
        f"runs and success: of the runs that have this {found.by}"
        if found.groups and _shared(found)
        else None,
    ]
    line = joined(notes)
    line.stylize("dim")
    return [line] if line.plain else []


def _shared(found: RunStatistics) -> bool:
    """Whether one run is in several groups."""
    return found.by in {"phase", "agent", "model"}
