"""Results of export, resync and maintenance commands: results in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.numbers import format_bytes, format_timestamp, pluralize
from ...common.formatting.text import single_line
from ...common.spending import UNKNOWN, format_usd
from ...maintenance.records import (
    BackupResult,
    MergeResult,
    PreviouslyPruned,
    PruneResult,
    RestoreResult,
    VacuumResult,
)
from ...queries.database_info import DatabaseInfo
from ...queries.export import ExportResult
from .table import label_grid
from .text import join_parts, more_note

_ROW_NAMES = {"runs": "run", "agent-runs": "agent run", "patterns": "pattern"}


def render_export(result: ExportResult) -> Text:
    """Format the number of exported rows, the file and the format."""
    rows = pluralize(result.rows, _ROW_NAMES.get(result.what, "row"))
    return join_parts(
        [
            Text.assemble((rows, "bold"), f" to {single_line(result.path)}"),
            f"{result.format}, {pluralize(len(result.columns), 'column')}",
        ]
    )


MAX_ROWS = 10  # runs that are listed


def render_merge(result: MergeResult) -> RenderableType:
    """Format the result of a merge or of its dry run."""
    would = "would be " if result.dry_run else ""
    head = join_parts(
        [
            Text.assemble((pluralize(result.runs, "run"), "bold"), f" in {single_line(result.source)}"),
            f"{result.inserted:,} {would}new",
            f"{result.updated:,} {would}updated" if result.updated else None,
            f"{result.unchanged:,} unchanged",
            f"{result.pruned:,} pruned earlier" if result.pruned else None,
        ]
    )
    lines: list[RenderableType] = [head]
    if result.renamed:
        lines.append(Text(f"{pluralize(result.renamed, 'run')} with the id of a different run: both kept"))
    if result.patterns_decided:
        lines.append(Text(f"{pluralize(result.patterns_decided, 'decision')} on patterns imported"))
    lines += [
        Text(
            f"! {single_line(pair.run)} shares transcripts with {single_line(pair.other)}: "
            "each message counts once",
            "yellow",
        )
        for pair in result.shared[:MAX_ROWS]
    ]
    if len(result.shared) > MAX_ROWS:
        lines.append(more_note(len(result.shared) - MAX_ROWS))
    return Group(*lines)


def render_backup(result: BackupResult | RestoreResult) -> Text:
    """Format the result of a backup: number of runs, file and size."""
    runs = pluralize(result.runs, "run")
    return join_parts(
        [
            Text.assemble("✓ ", (runs, "bold"), f" in {single_line(result.file)}"),
            format_bytes(result.bytes),
            "sound",
        ]
    )


def render_database_info(info: DatabaseInfo) -> RenderableType:
    """Format the location, size and content of the history database."""
    return label_grid(
        [
            ("Path", single_line(info.path)),
            ("Size", UNKNOWN if info.bytes is None else format_bytes(info.bytes)),
            ("Schema revision", info.database_version or "no history yet"),
            ("Runs", f"{info.runs:,}"),
            ("Last sync", format_timestamp(info.last_sync_at)),
        ]
    )


def render_restore(result: RestoreResult) -> list[Text]:
    """Format the result of a restore: the new history, and the path of the replaced one."""
    lines = [render_backup(result)]
    if result.kept is not None:
        lines.append(Text(f"previous history kept as {single_line(result.kept)}", "dim"))
    return lines


def render_vacuum(result: VacuumResult) -> Text:
    """Format the size of the database after and before a vacuum."""
    before, after = result.bytes_before, result.bytes_after
    return join_parts([Text(format_bytes(after), "bold"), f"{format_bytes(before)} before"])


def render_prune(result: PruneResult) -> RenderableType:
    """Format the deleted runs, or those that a dry run would delete."""
    if not result.runs:
        return Group(Text("no run matches: nothing to delete"), *_pruned_before(result.pruned_before))
    runs = pluralize(result.runs, "run")
    at_least = "" if result.spent_is_exact else "at least "
    cost = f"{at_least}{format_usd(result.spent)} total cost" if result.spent is not None else None
    head = join_parts(
        [
            Text(
                f"{runs} would be deleted; add --yes to delete them" if result.dry_run else f"{runs} deleted",
                "bold",
            ),
            cost,
            f"{result.unpriced:,} of unknown cost" if result.unpriced else None,
            f"created {format_timestamp(result.oldest)} to {format_timestamp(result.newest)}"
            if result.oldest
            else None,
        ]
    )
    projects = [
        f"{single_line(name) or '(no project)'}: {pluralize(count, 'run')}"
        for name, count in result.projects.items()
    ]
    lines: list[RenderableType] = [head, Text(" · ".join(projects[:MAX_ROWS]), "dim")]
    if len(projects) > MAX_ROWS:
        lines.append(more_note(len(projects) - MAX_ROWS))
    return Group(*lines, *_pruned_before(result.pruned_before))


def _pruned_before(pruned: PreviouslyPruned) -> list[Text]:
    """Return a line with the runs that earlier calls pruned; empty if there are none."""
    if not pruned.runs:
        return []
    cost = f", at least {format_usd(pruned.spent)} total cost" if pruned.spent is not None else ""
    return [Text(f"{pluralize(pruned.runs, 'run')} pruned earlier{cost}", "dim")]


def render_resync(result: Mapping[str, Any]) -> Text:
    """Format the result for one run."""
    sign = ("✓ ", "green") if result.get("success") else ("✗ ", "red")
    name = single_line(result.get("workflow_id"))
    return Text.assemble(sign, (name, "bold"), "  ", single_line(result.get("message") or ""))


def render_resync_summary(result: Mapping[str, Any]) -> RenderableType:
    """Format the counts for many runs and list the first failed runs."""
    failed = int(result.get("failed") or 0)
    counts = join_parts(
        [
            Text(f"{pluralize(int(result.get('total_processed') or 0), 'run')} repriced", "bold"),
            f"{int(result.get('successful') or 0):,} done",
            Text(f"{failed:,} failed", "red" if failed else ""),
        ]
    )
    failures = _failed_runs(result)
    lines: list[RenderableType] = [counts, *map(render_resync, failures[:MAX_ROWS])]
    if len(failures) > MAX_ROWS:
        lines.append(more_note(len(failures) - MAX_ROWS))
    return Group(*lines)


def resync_errors(result: Mapping[str, Any]) -> list[str]:
    """Return one line per failed run with its reason, for the first ones; empty if none failed."""
    failures = [result] if result.get("success") is False else _failed_runs(result)
    lines = [f"{run.get('workflow_id')}: {run.get('message') or 'failed'}" for run in failures[:MAX_ROWS]]
    more = max(len(failures), int(result.get("failed") or 0)) - len(lines)
    return [*lines, more_note(more).plain] if more and lines else lines


def _failed_runs(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    runs = result.get("workflows") or ()
    return [run for run in runs if isinstance(run, Mapping) and run.get("success") is False]
