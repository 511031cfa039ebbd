"""The recorded syncs: a page of syncs in, renderables out. Pure."""

from __future__ import annotations

from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ...common.formatting.numbers import format_duration, format_timestamp, pluralize
from ...common.spending import UNKNOWN
from ...queries.sync_status import SyncPage
from .table import Column, DropColumn, build_table, fit_columns, number_column, text_column
from .text import join_parts

_NARROWER = tuple(map(DropColumn, ("directory", "unchanged", "duration", "project")))


def render_syncs(page: SyncPage, width: int) -> list[RenderableType]:
    """Format a page of syncs as a table below the number of all syncs."""
    syncs = page.syncs
    columns = [
        text_column("started", "Started", [format_timestamp(sync["started_at"]) for sync in syncs]),
        number_column("duration", "Duration", [format_duration(sync["duration_seconds"]) for sync in syncs]),
        text_column("project", "Project", [sync["project"] or UNKNOWN for sync in syncs]),
        _directory_column(syncs),
        number_column("runs", "Runs", [_count(sync["scanned"]) for sync in syncs]),
        number_column("new", "New", [_count(sync["inserted"]) for sync in syncs]),
        number_column("updated", "Updated", [_count(_updated(sync)) for sync in syncs]),
        number_column("unchanged", "Unchanged", [_count(sync["unchanged"]) for sync in syncs]),
        number_column("failed", "Failed", [_count(sync["failed"]) for sync in syncs]),
        number_column("issues", "Issues", [_count(sync["errors_found"]) for sync in syncs]),
    ]
    head = join_parts(
        [
            Text(f"{pluralize(page.total, 'sync')} recorded", "bold"),
            f"{len(syncs):,} shown" if len(syncs) < page.total else None,
            "times in this machine's time zone",
        ]
    )
    return [head, "", build_table(fit_columns(columns, width, _NARROWER), width)]


def _directory_column(syncs: list[dict[str, Any]]) -> Column:
    return text_column("directory", "Agents directory", [sync["agents_dir"] or UNKNOWN for sync in syncs])


def _updated(sync: dict[str, Any]) -> int | None:
    """Return the number of runs that were written again."""
    updated, unchanged = sync["updated"], sync["unchanged"]
    return None if updated is None or unchanged is None else max(updated - unchanged, 0)


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"
