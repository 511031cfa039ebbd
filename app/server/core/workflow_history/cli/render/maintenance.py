"""Results of export and maintenance commands: results in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.numbers import format_timestamp, pluralize
from ...common.formatting.text import single_line
from ...common.spending import format_usd
from ...queries.export import ExportResult
from .text import join_parts

_OF_WHAT = {"runs": "run", "agent-runs": "agent run", "patterns": "pattern"}


def render_export(found: ExportResult) -> Text:
    """Format the number of exported rows, the file and the format."""
    rows = pluralize(found.rows, _OF_WHAT.get(found.what, "row"))
    return join_parts(
        [
            Text.assemble((rows, "bold"), f" to {single_line(found.path)}"),
            f"{found.format}, {pluralize(len(found.columns), 'column')}",
        ]
    )


MOST = 10
_UNITS = ("B", "kB", "MB", "GB", "TB")


def render_merge(done: Mapping[str, Any]) -> RenderableType:
    """Format the result of a merge or of its dry run."""
    would = "would be " if done["dry_run"] else ""
    head = join_parts(
        [
            Text.assemble((pluralize(done["runs"], "run"), "bold"), f" in {single_line(done['source'])}"),
            f"{done['inserted']:,} {would}new",
            f"{done['updated']:,} {would}brought up to date" if done["updated"] else None,
            f"{done['unchanged']:,} known",
            f"{done['pruned']:,} pruned here before" if done["pruned"] else None,
        ]
    )
    lines: list[RenderableType] = [head]
    if done["renamed"]:
        lines.append(
            Text(f"{pluralize(done['renamed'], 'run')} of a name that a different run has: kept apart")
        )
    if done["patterns_decided"]:
        lines.append(Text(f"{pluralize(done['patterns_decided'], 'decision')} on patterns taken over"))
    lines += [
        Text(
            f"! {single_line(pair['run'])} has streams of {single_line(pair['other'])}: each message "
            f"counts once",
            "yellow",
        )
        for pair in done["shared"][:MOST]
    ]
    if len(done["shared"]) > MOST:
        lines.append(Text(f"and {len(done['shared']) - MOST:,} more: --json shows all", "dim"))
    return Group(*lines)


def render_backup(done: Mapping[str, Any]) -> Text:
    """Format the result of a backup: number of runs, file and size."""
    runs = pluralize(done["runs"], "run")
    return join_parts(
        [
            Text.assemble("✓ ", (runs, "bold"), f" in {single_line(done['file'])}"),
            format_bytes(done["bytes"]),
            "sound",
        ]
    )


def restored(done: Mapping[str, Any]) -> list[Text]:
    """Format the result of a restore: the new history, and the path of the replaced one."""
    lines = [render_backup(done)]
    if done["kept"] is not None:
        lines.append(Text(f"what was there before is {single_line(done['kept'])}", "dim"))
    return lines


def render_vacuum(done: Mapping[str, Any]) -> Text:
    """Format the size of the database after and before a vacuum."""
    before, after = done["bytes_before"], done["bytes_after"]
    return join_parts([Text(format_bytes(after), "bold"), f"{format_bytes(before)} before"])


def render_prune(done: Mapping[str, Any]) -> RenderableType:
    """Format the deleted runs, or those that a dry run would delete."""
    if not done["runs"]:
        return Group(Text("no run is meant: all stay"), *_before(done["pruned_before"]))
    what = pluralize(done["runs"], "run")
    least = "" if done["spent_is_exact"] else "at least "
    spent = f"{least}{format_usd(done['spent'])} spent on them" if done["spent"] is not None else None
    head = join_parts(
        [
            Text(
                f"{what} would go; --yes takes them out" if done["dry_run"] else f"{what} taken out", "bold"
            ),
            spent,
            f"{done['unpriced']:,} of unknown cost" if done["unpriced"] else None,
            f"made {format_timestamp(done['oldest'])} to {format_timestamp(done['newest'])}"
            if done["oldest"]
            else None,
        ]
    )
    projects = [
        f"{single_line(name) or '(no project)'} {count:,}" for name, count in done["projects"].items()
    ]
    lines: list[RenderableType] = [head, Text(", ".join(projects[:MOST]), "dim")]
    return Group(*lines, *_before(done["pruned_before"]))


def _before(before: Mapping[str, Any]) -> list[Text]:
    if not before["runs"]:
        return []
    more = f", at least {format_usd(before['spent'])} spent on them" if before["spent"] is not None else ""
    return [Text(f"{pluralize(before['runs'], 'run')} pruned earlier{more}", "dim")]


def format_bytes(count: int) -> str:
    """Format a number of bytes with a decimal unit.

    >>> format_bytes(1_536_000), format_bytes(12)
    ('1.5 MB', '12 B')
    """
    amount, unit = float(count), 0
    while amount >= 1000 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.1f} {_UNITS[unit]}" if unit else f"{count} B"
