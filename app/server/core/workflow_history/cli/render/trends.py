"""A period held against the one before: an answer in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from ...summing.records import Change, Trend
from ...summing.trend import THIN
from .misdated import misdated_note
from .numbers import counted, duration, money, percent, share, tokens
from .table import Column, GiveWay, fit, grid
from .text import UNKNOWN, joined

WORDS: Final = {
    "runs": "runs",
    "success_rate": "ended well",
    "cost": "cost on record",
    "cost_per_run": "cost of a run, median",
    "duration": "time of a run, median",
    "tokens": "tokens",
    "cache_hit_share": "read from the cache",
}
"""What each figure is called."""

_WRITE: Final[Mapping[str, Callable[[float | None], str]]] = {
    "runs": lambda value: UNKNOWN if value is None else f"{value:,.0f}",
    "share": share,
    "USD": money,
    "seconds": duration,
    "tokens": tokens,
}
_NARROWER: Final = (GiveWay("runs"), GiveWay("note"))


def trend_report(found: Trend, width: int) -> RenderableType:
    """Return every figure now and before, and how it changed."""
    return Group(
        _head(found), "", _table(found.changes, width), *_young(found), *misdated_note(found.misdated)
    )


def trend_line(found: Trend) -> Text | None:
    """Return what changed, in a line; None where there was no run in either period."""
    by_name = {change.figure: change for change in found.changes}
    if not by_name["runs"].now and not by_name["runs"].before:
        return None
    told = ("cost", "cost_per_run", "success_rate")
    return joined([
        f"{written(by_name['runs'])} runs ({signed(by_name['runs'])})",
        *(f"{WORDS[name]} {written(by_name[name])} ({signed(by_name[name])})" for name in told),
        "few runs" if by_name["cost_per_run"].thin else None,
    ])  # fmt: skip


def length(found: Trend) -> str:
    """Return how long the period is."""
    span = found.ends - found.begins
    return (
        counted(span.days, "day")
        if span % timedelta(days=1) == timedelta(0)
        else duration(span.total_seconds())
    )


def written(change: Change) -> str:
    """Return what a figure is now."""
    return _WRITE[change.unit](change.now)


def signed(change: Change) -> str:
    """Return how a figure changed: a share in points, anything else in percent of what it was."""
    if change.unit == "share":
        points = percent(None if change.change is None else 100 * change.change)
        return points if change.change is None else points.replace("%", " points")
    return percent(change.change_percent)


def _head(found: Trend) -> Text:
    return Text.assemble(
        (f"The last {length(found)}", "bold"),
        f", since {found.begins:%Y-%m-%d %H:%M}Z, against the {length(found)} before",
    )


def _young(found: Trend) -> list[Text]:
    notes = [
        None
        if found.before_is_whole
        else "The first run is younger than the period before: that one is not whole.",
        f"few runs: fewer than {THIN} on one side, chance may have made the change"
        if any(change.thin for change in found.changes)
        else None,
    ]
    return [Text(note, "dim") for note in notes if note]


def _table(changes: Sequence[Change], width: int) -> RenderableType:
    columns = [
        Column("figure", "", tuple(Text(WORDS[change.figure], "bold") for change in changes)),
        _numbers("before", "before", [_WRITE[change.unit](change.before) for change in changes]),
        _numbers("now", "now", [written(change) for change in changes]),
        _numbers("change", "change", [signed(change) for change in changes]),
        _numbers("runs", "of runs", [f"{c.runs_before:,} → {c.runs_now:,}" for c in changes]),
        Column("note", "", tuple(Text("few runs" if change.thin else "", "magenta") for change in changes)),
    ]
    return grid(fit(columns, width, _NARROWER), width)


def _numbers(key: str, title: str, cells: Sequence[str]) -> Column:
    return Column(key, title, tuple(Text(cell) for cell in cells), right=True)
