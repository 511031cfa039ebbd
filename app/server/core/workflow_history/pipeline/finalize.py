"""Finish a sync: mark missing and restored runs, store problems, and compute the statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from ..common.models import Problem, RunStatus, Severity, SourceState
from ..common.spending import to_usd
from ..storage.history import History
from ..storage.reading.runs import NO_COSTS
from ..storage.rows.column_types import from_time, redacted_text, sanitize_text
from .change_detection import GROWTH_WINDOW
from .sync_state import CountedRuns, SyncContext, to_error


class PendingWrites(NamedTuple):
    """Changes that remain to be written at the end of a sync."""

    lost_keys: tuple[int, ...]  # keys of runs whose files are now missing
    restored_keys: tuple[int, ...]  # keys of runs whose missing files are present again
    copied_keys: tuple[int, ...]  # keys of runs that only exist as copies in other folders now
    problems: tuple[Problem, ...]  # problems that belong to no stored run
    has_news: bool  # whether the history must be written


def pending_writes(job: SyncContext) -> PendingWrites:
    """Return the changes that remain to be written after all runs of the folder were seen."""
    missing_ids = _missing_run_ids(job)
    copied_keys = job.history.runs_in_other_directories([job.known[run_id].key for run_id in missing_ids])
    missing_ids = [run_id for run_id in missing_ids if job.known[run_id].key not in copied_keys]
    lost_keys = tuple(
        job.known[run_id].key
        for run_id in missing_ids
        if job.known[run_id].source_state != SourceState.MISSING
    )
    restored_keys = tuple(
        job.known[run_id].key
        for run_id in job.unchanged_ids
        if job.known[run_id].source_state == SourceState.MISSING
    )
    job.stats.update(missing=len(missing_ids), newly_missing=len(lost_keys), returned=len(restored_keys))
    problems = tuple(problem for _, problem in job.other_problems)
    job.stats["new_problems"] = _count_new_problems(job, problems)
    has_news = bool(lost_keys or restored_keys or copied_keys)
    if job.only_ids is None:
        has_news = has_news or not job.history.folder_problems_unchanged(job.agents_dir, problems)
    has_news = has_news or job.history.column_cache_is_stale()
    return PendingWrites(lost_keys, restored_keys, tuple(sorted(copied_keys)), problems, has_news)


def _count_new_problems(job: SyncContext, problems: Iterable[Problem]) -> int:
    """Count the problems without a stored run that the last sync of the folder did not store."""
    new_keys = {(sanitize_text(each.path), each.line, redacted_text(each.reason)) for each in problems}
    if not new_keys:
        return 0
    rows = job.history.problems(job.agents_dir)
    return len(new_keys - {(row["path"], row["line"], row["reason"]) for row in rows})


def _missing_run_ids(job: SyncContext) -> list[str]:
    """Return ids of runs whose files are missing; runs in unreadable folders are not counted as missing."""
    if job.only_ids is not None or not job.root.exists():
        return []
    is_listed_in_part = job.store is not None and bool(job.store.problems)
    if is_listed_in_part or "." in job.unreadable:  # a damaged archive or store: it may have more runs
        return []
    stored_here = (
        run for run in job.known.values() if run.agents_dir == job.agents_dir and run.host in job.host_names
    )
    return [
        run.id
        for run in stored_here
        if run.id not in job.seen_ids and run.id.split("/")[0] not in job.unreadable
    ]


def finalize(job: SyncContext, pending: PendingWrites) -> None:
    """Mark missing and restored runs, compute the statistics and record the sync."""
    if pending.lost_keys:
        job.history.mark_deleted(pending.lost_keys, job.now)
    if pending.restored_keys:
        job.history.mark_restored(pending.restored_keys)
    if pending.copied_keys:
        job.history.delete_other_locations(pending.copied_keys)
    job.history.build_column_cache()
    if job.only_ids is None:
        job.history.save_folder_problems(job.agents_dir, pending.problems)
        job.history.delete_old_checkpoints(int((job.now.timestamp() - GROWTH_WINDOW) * 1e9))
    summarize(job)
    if job.only_ids is not None:
        return
    started = job.now.isoformat()
    details = {"started_at": started, "host": job.host, "duration_seconds": job.seconds}
    job.history.record_sync({**job.stats, **details})


def summarize(job: SyncContext) -> None:
    """Add the counts, errors and stored costs of the folder's runs to the statistics."""
    known_count = sum(1 for run_id in job.keys if run_id in job.known)
    job.stats.update(
        scanned=len(job.seen_ids),
        unchanged=len(job.unchanged_ids),
        inserted=len(job.keys) - known_count,
        updated=known_count + len(job.unchanged_ids),
        changed=known_count,
        errors=[to_error(run_id, problem) for run_id, problem in job.other_problems],
    )
    if not job.root.exists():
        return
    job.stats["errors"] += _stored_errors(job)
    keys = None
    if job.only_ids is not None:
        keys = sorted({*job.keys.values(), *(job.known[run_id].key for run_id in job.unchanged_ids)})
    stored_copies = (
        stored for run_id in job.unchanged_ids if (stored := job.known[run_id]).agents_dir != job.agents_dir
    )
    counted_copies = [
        CountedRuns(stored.project, stored.agents_dir or "", [stored.key]) for stored in stored_copies
    ]
    own = [CountedRuns(project, job.agents_dir, keys) for project in job.projects]
    job.counted = [*own, *counted_copies]
    job.stats.update(stored_costs(job.history, job.counted))


def stored_costs(history: History, counted: Iterable[CountedRuns]) -> dict[str, Any]:
    """Return the stored costs of these runs, by their names in the statistics.

    A run counts once, even if several synced folders contain it.
    """
    totals = sum((history.cost_totals(*part) for part in _merge_counted(counted)), NO_COSTS)
    return {
        "enriched": totals.enriched,
        "total_cost": to_usd(totals.cost.recorded),
        "lower_bound_cost": to_usd(totals.cost.extra),
        "partial_costs": totals.partial,
        "runs_without_cost": totals.cost.unknown_runs,
    }


def _merge_counted(counted: Iterable[CountedRuns]) -> list[tuple[str, str, list[int] | None]]:
    """Merge the entries to one per project and agents folder, so that each run counts once."""
    keys_by_folder: dict[tuple[str, str], set[int] | None] = {}
    for project, agents_dir, keys in counted:
        known_keys = keys_by_folder.setdefault((project, agents_dir), set())
        keys_by_folder[project, agents_dir] = (
            None if known_keys is None or keys is None else known_keys.union(keys)
        )
    return [(*folder, None if keys is None else sorted(keys)) for folder, keys in keys_by_folder.items()]


def stored_run_statistics(history: History, counted: Iterable[CountedRuns], now: datetime) -> dict[str, Any]:
    """Return counts, statuses and dates of these stored runs, by their names in the statistics."""
    folders = _merge_counted(counted)
    rows = [
        row
        for project, agents_dir, keys in folders
        for row in history.count_by_status(project, agents_dir, now, keys)
    ]
    statuses: Counter[str] = Counter()
    for row in rows:
        statuses[row.status or RunStatus.UNKNOWN.value] += row.runs - row.copies
    ended_count = statuses[RunStatus.COMPLETED] + statuses[RunStatus.FAILED]
    return {
        "requests": sum(row.requests for row in rows),
        "statuses": {status: runs for status, runs in statuses.most_common() if runs},
        "copies": sum(row.copies for row in rows),
        "repeating": sum(row.repeating for row in rows),
        "success_rate": statuses[RunStatus.COMPLETED] / ended_count if ended_count else None,
        "success_rate_of": ended_count,
        "undated": sum(row.runs - row.dated for row in rows),
        "first_created_at": _format_time(min((row.first for row in rows if row.first), default=None)),
        "last_created_at": _format_time(max((row.last for row in rows if row.last), default=None)),
    }


def _format_time(stored: str | None) -> str | None:
    return None if stored is None else from_time(stored)


def _stored_errors(job: SyncContext) -> list[dict[str, Any]]:
    """Return the stored problems of the runs in the folder, changed or not, sorted by path."""
    rows = job.history.problems(job.agents_dir)
    if not rows:
        return []
    id_by_key = {run.key: run.id for run in job.known.values()}
    id_by_key.update({key: run_id for run_id, key in job.keys.items()})
    errors = [
        to_error(id_by_key[key], Problem(**{**row, "severity": Severity(row["severity"])}))
        for row in rows
        if (key := row.pop("workflow_key")) in id_by_key and id_by_key[key] in job.seen_ids
    ]
    return sorted(errors, key=lambda entry: (entry["path"], entry["line"] or 0, entry["reason"]))
