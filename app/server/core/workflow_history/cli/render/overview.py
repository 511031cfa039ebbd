"""The first look at all runs: an answer in, renderables out. Pure."""

from __future__ import annotations

from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from ...amounts import money, share
from ...summing.records import Figures, Overview, RunStatistics
from ...wording.numbers import counted, duration, tokens
from ...wording.statistics import cost_of, known_cost, length, wasted_of
from . import marks
from .misdated import misdated_note
from .statistics import groups_table, sums_line, total_line
from .story.section import section
from .text import joined
from .trends import trend_line
from .waste import waste_parts

TOP: Final = 5
"""Groups of each kind that are shown; --by shows them all."""


def overview_report(found: Overview, width: int) -> RenderableType:
    """Return the totals, cost by week, the costliest of each kind, what was wasted and what changed."""
    lines: list[RenderableType] = [sums_line(found.total), total_line(found.total), _habits(found.total)]
    lines += ["", *_weeks(found.weeks, width)]
    for title, statistics in (
        ("Templates", found.templates),
        ("Models", found.models),
        ("Phases", found.phases),
    ):
        shown = sorted(statistics.groups, key=lambda group: -known_cost(group))[:TOP]  # unknown ones too
        if not shown:
            continue
        more = len(statistics.groups) - len(shown)
        note = f"the costliest {TOP}, {more} more" if more else ""
        lines += ["", section(title, width, note), groups_table(statistics, shown, width)]
    lines += ["", section("Spent in vain", width), joined([wasted_of(found.waste), waste_parts(found.waste)])]
    changed = trend_line(found.trend) if found.trend else None
    if found.trend and changed:
        lines += ["", section(f"The last {length(found.trend)}", width, "and the change"), changed]
    return Group(*[line for line in lines if not (isinstance(line, Text) and not line.plain)])


def _habits(total: Figures) -> Text:
    spread, time = total.cost, total.duration
    return joined([
        f"a run costs {money(spread.median)} (median; nine of ten at most {money(spread.p90)})"
        if spread.runs else None,
        f"takes {duration(time.median)} (at most {duration(time.p90)})" if time.runs else None,
        f"{tokens(total.tokens.total)} tokens" if total.tokens.total else None,
        f"{share(total.cache_hit_share)} read from the cache" if total.cache_hit_share is not None else None,
    ])  # fmt: skip


def _weeks(weeks: RunStatistics, width: int) -> list[RenderableType]:
    """Return cost by week as a line of blocks: the latest weeks that fit."""
    dated = [week for week in weeks.groups if week.first_day is not None]
    shown = dated[-max(1, width) :]
    outside = [*_undated(weeks), *misdated_note(weeks.misdated)]
    if not shown:
        return [Text("No run tells when it was."), *outside]
    costs = [_spent(week) for week in shown]
    if not any(week.cost.runs or week.lower_bound_cost is not None for week in shown):
        return [Text("No week's cost is known."), *outside]
    highest = max(shown, key=lambda week: _spent(week) or 0.0)
    title = f"Cost by week, {shown[0].first_day} to {shown[-1].first_day}"
    left_out = len(dated) - len(shown)
    note = joined([
        f"most in the week of {highest.first_day}: {cost_of(highest)}",
        f"{counted(left_out, 'earlier week')} left out" if left_out else None,
    ])  # fmt: skip
    return [section(title, width), Text(marks.sparkline(costs), "green"), note, *outside]


def _undated(weeks: RunStatistics) -> list[Text]:
    """Return what the runs without a day cost: no week has it."""
    total = weeks.total
    return [
        Text(
            f"in no week: {counted(group.runs, 'run')} without a day, {cost_of(group)} of {cost_of(total)}",
            "magenta",
        )
        for group in weeks.groups
        if group.first_day is None
    ]


def _spent(week: Figures) -> float | None:
    """Return what a week's runs are known to have spent; None where nothing is known of any."""
    if week.cost.total is None and week.lower_bound_cost is None:
        return None
    return (week.cost.total or 0.0) + (week.lower_bound_cost or 0.0)
