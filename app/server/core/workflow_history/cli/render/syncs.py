"""The recorded syncs: a page of syncs in, renderables out. Pure."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from ...common.formatting.numbers import format_count, format_duration, format_timestamp, pluralize
from ...common.spending import UNKNOWN
from ...presentation.sync_summary import changed_runs
from ...queries.sync_status import SyncPage
from .table import DropColumn, build_table, fit_columns, number_column, text_column
from .text import join_parts

_NARROWER = tuple(map(DropColumn, ("directory", "unchanged", "duration", "project")))


def render_syncs(page: SyncPage, width: int) -> list[RenderableType]:
    """Format a page of syncs as a table below the number of all syncs."""
    syncs = page.syncs
    columns = [
        text_column("started", "Started", [format_timestamp(sync["started_at"]) for sync in syncs]),
        number_column("duration", "Duration", [format_duration(sync["duration_seconds"]) for sync in syncs]),
        text_column("project", "Project", [sync["project"] or UNKNOWN for sync in syncs]),
        text_column("directory", "Agents directory", [sync["agents_dir"] or UNKNOWN for sync in syncs]),
        number_column("runs", "Runs", [format_count(sync["scanned"]) for sync in syncs]),
        number_column("new", "New", [format_count(sync["inserted"]) for sync in syncs]),
        number_column("updated", "Updated", [format_count(changed_runs(sync)) for sync in syncs]),
        number_column("unchanged", "Unchanged", [format_count(sync["unchanged"]) for sync in syncs]),
        number_column("failed", "Failed", [format_count(sync["failed"]) for sync in syncs]),
        number_column("problems", "Errors and warnings", [format_count(it["errors_found"]) for it in syncs]),
    ]
    head = join_parts(
        [
            Text(f"{pluralize(page.total, 'sync')} recorded", "bold"),
            f"{len(syncs):,} shown" if len(syncs) < page.total else None,
            "times in this machine's time zone",
        ]
    )
    return [head, "", build_table(fit_columns(columns, width, _NARROWER), width)]
