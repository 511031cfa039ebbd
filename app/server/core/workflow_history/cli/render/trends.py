"""A period compared with the one before: a query result in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from ...analysis.statistics.records import Change, Trend
from ...analysis.statistics.trend import MIN_RUNS
from ...common.formatting.numbers import format_timestamp
from ...presentation.statistics import (
    TREND_LABELS,
    format_change,
    format_current,
    format_period,
    format_previous,
    format_runs_now,
)
from .table import Column, DropColumn, build_table, fit_columns, number_column
from .text import implausible_dates_note, wrap_parts

_DROP_ORDER: Final = (DropColumn("runs"), DropColumn("note"))


_LOW_N: Final = f"low n: fewer than {MIN_RUNS} runs in one period, so the change may be noise"


def render_trend(trend: Trend, width: int, zone: tzinfo | None = None) -> RenderableType:
    """Render each figure now and before, and its change."""
    period = format_period(trend)
    title = Text.assemble(
        (f"Last {period}", "bold"),
        f", since {format_timestamp(trend.begins, zone)}, compared with the previous {period}",
    )
    notes = []
    if not trend.before_is_whole:
        notes.append("The previous period is partial: the first run is later than its start.")
    if any(change.low_n for change in trend.changes):
        notes.append(_LOW_N)
    return Group(
        title,
        "",
        _change_table(trend.changes, width),
        *(Text(note, "dim") for note in notes),
        *implausible_dates_note(trend.invalid_timestamps),
    )


def render_main_changes(trend: Trend, width: int) -> Text | None:
    """Format the main changes; None if neither period has a run."""
    changes = {change.figure: change for change in trend.changes}
    runs = changes["runs"]
    if not runs.now and not runs.before:
        return None
    parts = [f"{format_runs_now(runs)} ({format_change(runs)})"]
    for name in ("cost", "cost_per_run", "success_rate"):
        change = changes[name]
        based_on = f" of {change.runs_now:,}" if change.unit == "share" and change.now is not None else ""
        parts.append(f"{TREND_LABELS[name]} {format_current(change)}{based_on} ({format_change(change)})")
    return wrap_parts([*parts, _LOW_N if changes["cost_per_run"].low_n else None], width)


def _change_table(changes: Sequence[Change], width: int) -> RenderableType:
    columns = [
        Column("figure", "", tuple(Text(TREND_LABELS[change.figure], "bold") for change in changes)),
        number_column("before", "before", [format_previous(change) for change in changes]),
        number_column("now", "now", [format_current(change) for change in changes]),
        number_column("change", "change", [format_change(change) for change in changes]),
        number_column(
            "runs", "runs", [f"{change.runs_before:,} → {change.runs_now:,}" for change in changes]
        ),
        Column("note", "", tuple(Text("low n" if change.low_n else "", "magenta") for change in changes)),
    ]
    return build_table(fit_columns(columns, width, _DROP_ORDER), width)
