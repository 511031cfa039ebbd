"""What looking after a history came to: results in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ...amounts import money
from ...wording.numbers import counted, moment
from ...wording.text import one_line
from .text import joined

MOST = 10
_UNITS = ("B", "kB", "MB", "GB", "TB")


def merged(done: Mapping[str, Any]) -> RenderableType:
    """Return what a merge did, or would do."""
    would = "would be " if done["dry_run"] else ""
    head = joined(
        [
            Text.assemble((counted(done["runs"], "run"), "bold"), f" in {one_line(done['source'])}"),
            f"{done['inserted']:,} {would}new",
            f"{done['updated']:,} {would}brought up to date" if done["updated"] else None,
            f"{done['unchanged']:,} known",
            f"{done['pruned']:,} pruned here before" if done["pruned"] else None,
        ]
    )
    lines: list[RenderableType] = [head]
    if done["renamed"]:
        lines.append(
            Text(f"{counted(done['renamed'], 'run')} of a name that a different run has: kept apart")
        )
    if done["patterns_decided"]:
        lines.append(Text(f"{counted(done['patterns_decided'], 'decision')} on patterns taken over"))
    lines += [
        Text(
            f"! {one_line(pair['run'])} has streams of {one_line(pair['other'])}: each message counts once",
            "yellow",
        )
        for pair in done["shared"][:MOST]
    ]
    if len(done["shared"]) > MOST:
        lines.append(Text(f"and {len(done['shared']) - MOST:,} more: --json shows all", "dim"))
    return Group(*lines)


def backed_up(done: Mapping[str, Any]) -> Text:
    """Return what was copied where."""
    runs = counted(done["runs"], "run")
    return joined(
        [Text.assemble("✓ ", (runs, "bold"), f" in {one_line(done['file'])}"), size(done["bytes"]), "sound"]
    )


def restored(done: Mapping[str, Any]) -> list[Text]:
    """Format the result of a restore: the new history, and the path of the replaced one."""
    lines = [backed_up(done)]
    if done["kept"] is not None:
        lines.append(Text(f"what was there before is {one_line(done['kept'])}", "dim"))
    return lines


def vacuumed(done: Mapping[str, Any]) -> Text:
    """Return how much space was given back."""
    before, after = done["bytes_before"], done["bytes_after"]
    return joined([Text(size(after), "bold"), f"{size(before)} before"])


def pruned(done: Mapping[str, Any]) -> RenderableType:
    """Return what was taken out, or would be."""
    if not done["runs"]:
        return Group(Text("no run is meant: all stay"), *_before(done["pruned_before"]))
    what = counted(done["runs"], "run")
    least = "" if done["spent_is_exact"] else "at least "
    spent = f"{least}{money(done['spent'])} spent on them" if done["spent"] is not None else None
    head = joined(
        [
            Text(
                f"{what} would go; --yes takes them out" if done["dry_run"] else f"{what} taken out", "bold"
            ),
            spent,
            f"{done['unpriced']:,} of unknown cost" if done["unpriced"] else None,
            f"made {moment(done['oldest'])} to {moment(done['newest'])}" if done["oldest"] else None,
        ]
    )
    projects = [f"{one_line(name) or '(no project)'} {count:,}" for name, count in done["projects"].items()]
    lines: list[RenderableType] = [head, Text(", ".join(projects[:MOST]), "dim")]
    return Group(*lines, *_before(done["pruned_before"]))


def _before(before: Mapping[str, Any]) -> list[Text]:
    if not before["runs"]:
        return []
    more = f", at least {money(before['spent'])} spent on them" if before["spent"] is not None else ""
    return [Text(f"{counted(before['runs'], 'run')} pruned earlier{more}", "dim")]


def size(count: int) -> str:
    """Return a number of bytes as people say it.

    >>> size(1_536_000), size(12)
    ('1.5 MB', '12 B')
    """
    amount, unit = float(count), 0
    while amount >= 1000 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.1f} {_UNITS[unit]}" if unit else f"{count} B"
