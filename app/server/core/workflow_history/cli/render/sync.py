"""Summary of a sync in a few lines: its statistics in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.costs import format_minimum, format_total_cost, format_unknown_runs
from ...common.formatting.numbers import day, format_duration, pluralize
from ...common.formatting.text import single_line
from ...common.models import Severity
from ...common.spending import Cost, number
from ...pipeline.sync_state import has_news
from ...presentation.sync_summary import (
    all_pruned_message,
    describe_contents,
    describe_redactions,
    describe_statuses,
    no_runs_message,
)
from .text import MAX_PROBLEMS, join_parts, render_problems, wrap_parts

MAX_SKIPPED_NAMES = 3

Stats = Mapping[str, Any]


def render_sync_summary(stats: Stats, width: int, *, verbose: bool = False) -> RenderableType:
    """Render the summary of a sync: runs by status, changes and problems."""
    errors = stats.get("errors") or []
    if not count(stats, "scanned") and not errors:
        return _no_runs(stats)
    if not has_news(stats):
        return _unchanged(stats, width, verbose=verbose)
    cost = join_parts(format_total_cost(_cost(stats)))
    lines: list[RenderableType]
    if stats.get("statuses") is None:
        lines = [_run_count(stats), cost]
    else:
        ends = (stats.get("first_created_at"), stats.get("last_created_at"))
        days = [day(end) for end in ends if end is not None]
        contents = wrap_parts([_run_count(stats), *describe_contents(stats, days)], width)
        lines = [contents, *_statuses(stats, width), cost]
    lines.append(_changes(stats))
    lines += [note for note in (_repeated(stats), _missing(stats), _skipped(stats), _pruned(stats)) if note]
    if redactions := describe_redactions(stats.get("secrets") or {}):
        lines.append(Text(redactions, "yellow"))
    if errors:
        lines += [
            "",
            Text(pluralize(len(errors), "read error or warning", "read errors and warnings"), "bold"),
            *render_problems(errors, width, None if verbose else MAX_PROBLEMS),
        ]
    return Group(*lines)


def unread_problems(stats: Stats) -> list[Mapping[str, Any]]:
    """Return the problems that kept a sync from storing everything; empty if it stored everything."""
    if not count(stats, "failed") + count(stats, "unread"):
        return []
    errors = stats.get("errors") or []
    return [error for error in errors if error.get("severity") != Severity.WARNING] or list(errors)


def _unchanged(stats: Stats, width: int, *, verbose: bool) -> Group:
    unread = unread_problems(stats)
    known = len(stats.get("errors") or ()) - len(unread)
    cost, skipped = _cost(stats), _skipped(stats)
    head = [
        Text("✓ nothing changed", "green"),
        _run_count(stats),
        format_minimum(cost) if cost.minimum is not None else None,
        format_unknown_runs(cost),
        f"{pluralize(known, 'known read error or warning', 'known read errors and warnings')}"
        f"{'' if verbose else ' (--verbose)'}"
        if known
        else None,
        _pruned(stats),
        _duration(stats),
    ]
    lines = [wrap_parts(head, width), *_statuses(stats, width), *([skipped] if skipped else [])]
    if verbose:
        return Group(*lines, *render_problems(stats.get("errors") or (), width, None))
    return Group(*lines, *render_problems(unread, width))


def count(stats: Stats, key: str) -> int:
    """Return one count of the statistics, 0 if it is missing."""
    return int(number(stats.get(key)) or 0)


def _no_runs(stats: Stats) -> Text:
    folder = single_line(stats.get("agents_dir") or "the agents directory")
    missing = _missing(stats)
    if pruned := count(stats, "pruned"):
        return join_parts([all_pruned_message(pruned, folder), missing])
    if missing:
        return Text.assemble(f"No runs in {folder} any more. ", missing)
    return Text(no_runs_message(folder))


def _run_count(stats: Stats) -> Text:
    project = f" in {single_line(stats['project'])}" if stats.get("project") else ""
    folders = stats.get("folders") or ()
    source = f", from {len(folders):,} directories" if len(folders) > 1 else ""
    return Text.assemble((pluralize(count(stats, "scanned"), "run"), "bold"), project, source)


def _statuses(stats: Stats, width: int) -> list[Text]:
    """Return a line with the number of runs by status; empty if unknown."""
    parts = describe_statuses(stats)
    return [wrap_parts(parts, width)] if parts else []


def _changes(stats: Stats) -> Text:
    """Format the number of new, changed, unchanged and failed runs, without zero counts."""
    new, failed = count(stats, "inserted"), count(stats, "failed")
    return join_parts(
        [
            Text(f"{new:,} new", "green") if new else None,
            f"{count(stats, 'changed'):,} changed" if count(stats, "changed") else None,
            f"{count(stats, 'unchanged'):,} unchanged" if count(stats, "unchanged") else None,
            Text(f"{failed:,} could not be stored", "red") if failed else None,
            _duration(stats),
        ]
    )


def _duration(stats: Stats) -> Text:
    return Text(format_duration(stats.get("duration_seconds")), "dim")


def _cost(stats: Stats) -> Cost:
    return Cost.from_usd(
        stats.get("total_cost"),
        stats.get("lower_bound_cost"),
        complete=not (stats.get("lower_bound_cost") or count(stats, "partial_costs")),
        unknown_runs=count(stats, "runs_without_cost"),
    )


def _repeated(stats: Stats) -> Text | None:
    runs = count(stats, "repeating")
    if not runs:
        return None
    repeat = pluralize(runs, "run repeats", "runs repeat")
    return Text(f"{repeat} messages of other runs (copies, forks): each message counts once", "yellow")


def _missing(stats: Stats) -> Text | None:
    runs = count(stats, "missing")
    return (
        Text(f"{pluralize(runs, 'run')} with missing files, kept in this history", "magenta")
        if runs
        else None
    )


def _pruned(stats: Stats) -> Text | None:
    runs = count(stats, "pruned")
    return Text(f"{pluralize(runs, 'pruned run')} not imported again", "dim") if runs else None


def _skipped(stats: Stats) -> Text | None:
    paths = [single_line(skipped["path"]) for skipped in stats.get("skipped_paths") or ()]
    total = max(count(stats, "skipped"), len(paths))
    if not total:
        return None
    names = ", ".join(paths[:MAX_SKIPPED_NAMES]) + (", …" if total > MAX_SKIPPED_NAMES else "")
    found = pluralize(total, "file or directory", "files or directories")
    return Text(f"skipped {found} without runs{f' ({names})' if names else ''}", "dim")
