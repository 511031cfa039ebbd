"""Summary of a sync in a few lines: its statistics in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.costs import format_minimum, sum_words, unknown_words
from ...common.formatting.numbers import day, format_duration, pluralize
from ...common.formatting.text import single_line
from ...common.spending import Spending, number, to_decimal
from ...pipeline.sync_state import has_news
from ...presentation.sync_summary import (
    all_pruned_words,
    describe_redactions,
    found_words,
    no_runs_words,
    standing_words,
)
from .text import in_lines, join_parts, render_problems

MOST_LEFT_OUT = 3

Stats = Mapping[str, Any]


def render_sync_summary(stats: Stats, width: int) -> RenderableType:
    """Render the summary of a sync: runs by status, changes and problems."""
    errors = stats.get("errors") or []
    if not count(stats, "scanned") and not errors:
        return _nothing_found(stats)
    if not has_news(stats):
        return _unchanged(stats, width)
    lines: list[RenderableType] = [*_whole(stats, width), _changes(stats)]
    more = (_repeating(stats), _gone(stats), _left_out(stats), _pruned(stats), _secrets(stats))
    lines += [line for line in more if line is not None]
    if errors:
        lines += ["", Text(pluralize(len(errors), "problem"), "bold"), *render_problems(errors, width)]
    return Group(*lines)


def unread_problems(stats: Stats) -> list[Mapping[str, Any]]:
    """Return the problems that kept a sync from storing everything; empty if it stored everything."""
    if not count(stats, "failed") + count(stats, "unread"):
        return []
    errors = stats.get("errors") or []
    return [error for error in errors if error.get("severity") != "warning"] or list(errors)


def _unchanged(stats: Stats, width: int) -> Group:
    named = unread_problems(stats)
    known = len(stats.get("errors") or ()) - len(named)
    more = f"{pluralize(known, 'known problem')} (see --json)"
    nothing = Text("✓ nothing changed", "green")
    parts = [nothing, _found(stats), *_short_money(stats), more if known else None, _pruned(stats)]
    left_out = list(filter(None, [_left_out(stats)]))
    head = in_lines([*parts, _seconds(stats)], width)
    return Group(head, *_standing(stats, width), *left_out, *render_problems(named, width))


def count(stats: Stats, key: str) -> int:
    """Return one count of the statistics, 0 if it is missing."""
    return int(number(stats.get(key)) or 0)


def _nothing_found(stats: Stats) -> Text:
    folder = single_line(stats.get("agents_dir") or "the agents folder")
    kept = _gone(stats)
    if runs := count(stats, "pruned"):
        return join_parts([Text(all_pruned_words(runs, folder)), kept])
    if kept:
        return Text.assemble(f"No runs in {folder} any more. ", kept)
    return Text(no_runs_words(folder))


def _found(stats: Stats) -> Text:
    project = stats.get("project")
    where = f" in {single_line(project)}" if project else ""
    folders = stats.get("folders") or ()
    where += f", from {pluralize(len(folders), 'folder')}" if len(folders) > 1 else ""
    return Text.assemble((pluralize(count(stats, "scanned"), "run"), "bold"), where)


def _standing(stats: Stats, width: int) -> list[Text]:
    """Return a line with the number of runs by status; empty if unknown."""
    return [in_lines(words, width)] if (words := standing_words(stats)) else []


def _whole(stats: Stats, width: int) -> list[Text]:
    """Return lines with the runs, dates and requests, the statuses and the cost."""
    if stats.get("statuses") is None:
        return [_found(stats), _money(stats)]
    ends = (stats.get("first_created_at"), stats.get("last_created_at"))
    days = [day(end) for end in ends if end is not None]
    return [
        in_lines([_found(stats), *found_words(stats, days)], width),
        *_standing(stats, width),
        _money(stats),
    ]


def _changes(stats: Stats) -> Text:
    """Format the number of new, changed, unchanged and failed runs, without zero counts."""
    new, failed = count(stats, "inserted"), count(stats, "failed")
    return join_parts(
        [
            Text(f"{new:,} new", "green") if new else None,
            f"{count(stats, 'changed'):,} changed" if count(stats, "changed") else None,
            f"{count(stats, 'unchanged'):,} unchanged" if count(stats, "unchanged") else None,
            Text(f"{failed:,} could not be stored", "red") if failed else None,
            _seconds(stats),
        ]
    )


def _seconds(stats: Stats) -> Text:
    return Text(format_duration(stats.get("duration_seconds")), "dim")


def _money(stats: Stats) -> Text:
    return join_parts([*sum_words(_spent(stats))])


def _short_money(stats: Stats) -> list[str | None]:
    spent = _spent(stats)
    return [format_minimum(spent) if spent.minimum is not None else None, unknown_words(spent)]


def _spent(stats: Stats) -> Spending:
    recorded, beyond = to_decimal(stats.get("total_cost")), to_decimal(stats.get("lower_bound_cost"))
    partial = bool(beyond or count(stats, "partial_costs"))
    return Spending(recorded, beyond, partial, count(stats, "runs_without_cost"))


def _repeating(stats: Stats) -> Text | None:
    runs = count(stats, "repeating")
    if not runs:
        return None
    repeat = pluralize(runs, "run repeats", "runs repeat")
    return Text(f"{repeat} messages of others (copies, forks): each message counts once", "yellow")


def _gone(stats: Stats) -> Text | None:
    gone = count(stats, "gone")
    return (
        Text(f"{pluralize(gone, 'run')} gone from the disk, kept in this history", "magenta")
        if gone
        else None
    )


def _pruned(stats: Stats) -> Text | None:
    pruned = count(stats, "pruned")
    return (
        Text(f"{pluralize(pruned, 'run stays', 'runs stay')} out, pruned before", "dim") if pruned else None
    )


def _secrets(stats: Stats) -> Text | None:
    said = describe_redactions(stats.get("secrets") or {})
    return Text(f"{said}: they are not stored", "yellow") if said else None


def _left_out(stats: Stats) -> Text | None:
    paths = [single_line(left["path"]) for left in stats.get("left_out_paths") or ()]
    total = max(count(stats, "left_out"), len(paths))
    if not total:
        return None
    named = ", ".join(paths[:MOST_LEFT_OUT]) + (", …" if total > MOST_LEFT_OUT else "")
    return Text(f"left out as no runs: {total:,}" + (f" ({named})" if named else ""), "dim")
