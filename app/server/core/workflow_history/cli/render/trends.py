"""A period held against the one before: an answer in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from ...summing.records import Change, Trend
from ...summing.trend import THIN
from ...wording.numbers import moment
from ...wording.statistics import CHANGES, before_of, length, now_of, signed
from .misdated import misdated_note
from .table import Column, GiveWay, fit, grid
from .text import joined

_NARROWER: Final = (GiveWay("runs"), GiveWay("note"))


def trend_report(found: Trend, width: int, zone: tzinfo | None = None) -> RenderableType:
    """Return every figure now and before, and how it changed."""
    return Group(
        _head(found, zone), "", _table(found.changes, width), *_young(found), *misdated_note(found.misdated)
    )


def trend_line(found: Trend) -> Text | None:
    """Return what changed, in a line; None where there was no run in either period."""
    by_name = {change.figure: change for change in found.changes}
    if not by_name["runs"].now and not by_name["runs"].before:
        return None
    told = ("cost", "cost_per_run", "success_rate")
    return joined([
        f"{now_of(by_name['runs'])} runs ({signed(by_name['runs'])})",
        *(f"{CHANGES[name]} {_now(by_name[name])} ({signed(by_name[name])})" for name in told),
        "few runs" if by_name["cost_per_run"].thin else None,
    ])  # fmt: skip


def _now(change: Change) -> str:
    """Return what a figure is now; a share of fewer than all runs says of how many it is."""
    is_share = change.unit == "share" and change.now is not None
    return f"{now_of(change)} of {change.runs_now:,}" if is_share else now_of(change)


def _head(found: Trend, zone: tzinfo | None) -> Text:
    return Text.assemble(
        (f"The last {length(found)}", "bold"),
        f", since {moment(found.begins, zone)}, against the {length(found)} before",
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
        Column("figure", "", tuple(Text(CHANGES[change.figure], "bold") for change in changes)),
        _numbers("before", "before", [before_of(change) for change in changes]),
        _numbers("now", "now", [now_of(change) for change in changes]),
        _numbers("change", "change", [signed(change) for change in changes]),
        _numbers("runs", "of runs", [f"{c.runs_before:,} → {c.runs_now:,}" for c in changes]),
        Column("note", "", tuple(Text("few runs" if change.thin else "", "magenta") for change in changes)),
    ]
    return grid(fit(columns, width, _NARROWER), width)


def _numbers(key: str, title: str, cells: Sequence[str]) -> Column:
    return Column(key, title, tuple(Text(cell) for cell in cells), right=True)
