"""Finish a sync: mark missing and restored runs, store problems, and compute the statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from ..common.models import Problem
from ..costs.accounting.money import sum_known, to_decimal, to_usd_float
from ..storage.history import History
from ..storage.rows.column_types import from_time, redacted_text, sanitize_text
from .change_detection import GROWTH_WINDOW
from .sync_state import Counted, SyncContext, to_error


class PendingWrites(NamedTuple):
    """Changes that remain to be written at the end of a sync."""

    lost: tuple[int, ...]  # keys of runs whose files are now missing
    back: tuple[int, ...]  # keys of runs whose missing files are present again
    elsewhere: tuple[int, ...]  # keys of runs that only exist as copies in other folders now
    problems: tuple[Problem, ...]  # problems that belong to no stored run
    has_news: bool  # whether the history must be written


def pending_writes(job: SyncContext) -> PendingWrites:
    """Return the changes that remain to be written after all runs of the folder were seen."""
    missing = _missing(job)
    copied = job.history.lying_elsewhere([job.known[run_id].key for run_id in missing])
    missing = [run_id for run_id in missing if job.known[run_id].key not in copied]
    lost = tuple(job.known[run_id].key for run_id in missing if job.known[run_id].source_state != "gone")
    back = tuple(
        job.known[run_id].key for run_id in job.unchanged_ids if job.known[run_id].source_state == "gone"
    )
    job.stats.update(gone=len(missing), newly_gone=len(lost), returned=len(back))
    problems = tuple(problem for _, problem in job.other_problems)
    job.stats["new_problems"] = _count_new(job, problems)
    news = bool(lost or back or copied)
    if job.only is None:
        news = news or not job.history.folder_problems_unchanged(job.agents_dir, problems)
    news = news or job.history.column_cache_is_stale()
    return PendingWrites(lost, back, tuple(sorted(copied)), problems, news)


def _count_new(job: SyncContext, found: Iterable[Problem]) -> int:
    """Count the problems without a stored run that the last sync of the folder did not store."""
    told = {(sanitize_text(each.path), each.line, redacted_text(each.reason)) for each in found}
    if not told:
        return 0
    rows = job.history.problems(job.agents_dir)
    return len(told - {(row["path"], row["line"], row["reason"]) for row in rows})


def _missing(job: SyncContext) -> list[str]:
    """Return ids of runs whose files are missing; runs in unreadable folders are not counted as missing."""
    if job.only is not None or not job.root.exists():
        return []
    here = (
        run
        for run in job.known.values()
        if run.agents_dir == job.agents_dir and run.found_on in job.host_names
    )
    ours = (run.id for run in here if run.id not in job.seen_ids)
    if "." in job.unreadable:  # a damaged archive: it may have more runs
        return []
    return [run_id for run_id in ours if run_id.split("/")[0] not in job.unreadable]


def finalize(job: SyncContext, ending: PendingWrites) -> None:
    """Mark missing and restored runs, compute the statistics and record the sync."""
    if ending.lost:
        job.history.mark_deleted(ending.lost, job.now)
    if ending.back:
        job.history.mark_restored(ending.back)
    if ending.elsewhere:
        job.history.forget_other_places(ending.elsewhere)
    job.history.build_column_cache()
    if job.only is None:
        job.history.save_folder_problems(job.agents_dir, ending.problems)
        job.history.delete_old_checkpoints(int((job.now.timestamp() - GROWTH_WINDOW) * 1e9))
    summarize(job)
    if job.only is not None:
        return
    started = job.now.isoformat()
    noted = {"started_at": started, "host": job.host, "duration_seconds": job.seconds}
    job.history.record_sync({**job.stats, **noted})


def summarize(job: SyncContext) -> None:
    """Add the counts, errors and stored costs of the folder's runs to the statistics."""
    known = sum(1 for run_id in job.keys if run_id in job.known)
    job.stats.update(
        scanned=len(job.seen_ids),
        unchanged=len(job.unchanged_ids),
        inserted=len(job.keys) - known,
        updated=known + len(job.unchanged_ids),
        changed=known,
        errors=[to_error(run_id, problem) for run_id, problem in job.other_problems],
    )
    if not job.root.exists():
        return
    job.stats["errors"] += _errors_of_runs(job)
    keys = None
    if job.only is not None:
        keys = sorted({*job.keys.values(), *(job.known[run_id].key for run_id in job.unchanged_ids)})
    copies = (
        stored for run_id in job.unchanged_ids if (stored := job.known[run_id]).agents_dir != job.agents_dir
    )
    elsewhere = [Counted(job.project, stored.agents_dir or "", [stored.key]) for stored in copies]
    job.counted = [Counted(job.project, job.agents_dir, keys), *elsewhere]
    job.stats.update(costs_now(job.history, job.counted))


def costs_now(history: History, counted: Iterable[Counted]) -> dict[str, Any]:
    """Return the stored costs of these runs, by their names in the statistics.

    A run counts once, even if several synced folders contain it.
    """
    parts = [history.cost_totals(*part) for part in _each_once(counted)]
    return {
        "enriched": sum(part.enriched for part in parts),
        "total_cost": to_usd_float(sum_known(to_decimal(part.total_cost) for part in parts)),
        "lower_bound_cost": to_usd_float(sum_known(to_decimal(part.lower_bound_cost) for part in parts)),
        "partial_costs": sum(part.partial for part in parts),
        "runs_without_cost": sum(part.unknown for part in parts),
    }


def _each_once(counted: Iterable[Counted]) -> list[tuple[str, str, list[int] | None]]:
    """Merge the entries to one per project and agents folder, so that each run counts once."""
    wanted: dict[tuple[str, str], set[int] | None] = {}
    for project, home, keys in counted:
        known = wanted.setdefault((project, home), set())
        wanted[project, home] = None if known is None or keys is None else known.union(keys)
    return [(*name, None if keys is None else sorted(keys)) for name, keys in wanted.items()]


def found_now(history: History, counted: Iterable[Counted], now: datetime) -> dict[str, Any]:
    """Return counts, statuses and dates of these stored runs, by their names in the statistics."""
    each = _each_once(counted)
    parts = [row for project, home, keys in each for row in history.runs_found(project, home, now, keys)]
    statuses: Counter[str] = Counter()
    for row in parts:
        statuses[row.status or "unknown"] += row.runs - row.copies
    ended = statuses["completed"] + statuses["failed"]
    return {
        "requests": sum(row.requests for row in parts),
        "statuses": {status: runs for status, runs in statuses.most_common() if runs},
        "copies": sum(row.copies for row in parts),
        "repeating": sum(row.repeating for row in parts),
        "success_rate": statuses["completed"] / ended if ended else None,
        "success_rate_of": ended,
        "undated": sum(row.runs - row.dated for row in parts),
        "first_created_at": _time(min((row.first for row in parts if row.first), default=None)),
        "last_created_at": _time(max((row.last for row in parts if row.last), default=None)),
    }


def _time(stored: str | None) -> str | None:
    return None if stored is None else from_time(stored)


def _errors_of_runs(job: SyncContext) -> list[dict[str, Any]]:
    """Return the stored problems of the runs in the folder, changed or not, sorted by path."""
    rows = job.history.problems(job.agents_dir)
    if not rows:
        return []
    names = {run.key: run.id for run in job.known.values()}
    names.update({key: run_id for run_id, key in job.keys.items()})
    found = [
        to_error(names[key], Problem(**row))
        for row in rows
        if (key := row.pop("workflow_key")) in names and names[key] in job.seen_ids
    ]
    return sorted(found, key=lambda entry: (entry["path"], entry["line"] or 0, entry["reason"]))
