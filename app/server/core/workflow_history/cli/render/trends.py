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
from ...presentation.statistics import TREND_LABELS, format_before, format_change, format_now, format_period
from .table import Column, DropColumn, build_table, fit_columns
from .text import implausible_dates_note, join_parts

_NARROWER: Final = (DropColumn("runs"), DropColumn("note"))


def render_trend(found: Trend, width: int, zone: tzinfo | None = None) -> RenderableType:
    """Render each figure now and before, and its change."""
    return Group(
        _head(found, zone),
        "",
        _table(found.changes, width),
        *_young(found),
        *implausible_dates_note(found.misdated),
    )


def trend_line(found: Trend) -> Text | None:
    """Format the main changes in one line; None if neither period has a run."""
    by_name = {change.figure: change for change in found.changes}
    if not by_name["runs"].now and not by_name["runs"].before:
        return None
    told = ("cost", "cost_per_run", "success_rate")
    return join_parts([
        f"{format_now(by_name['runs'])} runs ({format_change(by_name['runs'])})",
        *(f"{TREND_LABELS[name]} {_now(by_name[name])} ({format_change(by_name[name])})" for name in told),
        "few runs" if by_name["cost_per_run"].thin else None,
    ])  # fmt: skip


def _now(change: Change) -> str:
    """Format the current value of a figure; a share with the number of runs it is based on."""
    is_share = change.unit == "share" and change.now is not None
    return f"{format_now(change)} of {change.runs_now:,}" if is_share else format_now(change)


def _head(found: Trend, zone: tzinfo | None) -> Text:
    return Text.assemble(
        (f"The last {format_period(found)}", "bold"),
        f", since {format_timestamp(found.begins, zone)}, against the {format_period(found)} before",
    )


def _young(found: Trend) -> list[Text]:
    notes = [
        None
        if found.before_is_whole
        else "The first run is younger than the period before: that one is not whole.",
        f"few runs: fewer than {MIN_RUNS} on one side, chance may have made the change"
        if any(change.thin for change in found.changes)
        else None,
    ]
    return [Text(note, "dim") for note in notes if note]


def _table(changes: Sequence[Change], width: int) -> RenderableType:
    columns = [
        Column("figure", "", tuple(Text(TREND_LABELS[change.figure], "bold") for change in changes)),
        _numbers("before", "before", [format_before(change) for change in changes]),
        _numbers("now", "now", [format_now(change) for change in changes]),
        _numbers("change", "change", [format_change(change) for change in changes]),
        _numbers("runs", "of runs", [f"{c.runs_before:,} → {c.runs_now:,}" for c in changes]),
        Column("note", "", tuple(Text("few runs" if change.thin else "", "magenta") for change in changes)),
    ]
    return build_table(fit_columns(columns, width, _NARROWER), width)


def _numbers(key: str, title: str, cells: Sequence[str]) -> Column:
    return Column(key, title, tuple(Text(cell) for cell in cells), right=True)
