"""Update a history from an agents directory: read changed runs and store them.

Calls the five stages in order, as `_phase_1_scan` to `_phase_5_learn`. Runs pass through them in batches,
each stored in one transaction together with its patterns. The lists of similar runs are stored with the last
batch, for all batches: batch by batch, the same lists would be rewritten again and again. If a sync is
killed, the history stays consistent and its stored runs stay marked as not compared; the next sync completes
the work.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib import import_module
from itertools import chain, pairwise
from typing import Any, NamedTuple

from . import database, scanner
from .common.errors import BusyError
from .common.models import Problem, Severity
from .ingest.config.own_prices import use_configured_prices
from .ingest.files import FolderPath, to_path
from .ingest.runs.nested_folders import TranscriptFolders
from .ingest.runs.records import RunFolder, escape_undecodable
from .ingest.sources.discovery import find_runs, walk_agents_folder
from .ingest.sources.registry import source_of
from .pipeline.change_detection import file_times_of, is_unchanged, previous_directories
from .pipeline.conflicts import CONFLICT_MESSAGE, drop_runs, find_conflicts
from .pipeline.dates import runs_to_redate
from .pipeline.finalize import finalize, pending_writes, stored_costs, stored_run_statistics, summarize
from .pipeline.folder_lock import WaitPolicy, lock_folder
from .pipeline.known_places import runs_of_overlapping_directories
from .pipeline.merge_fields import REPLACED_FIELDS
from .pipeline.moved_runs import delete_absorbed_runs, rename_moved_runs, set_project
from .pipeline.shared_messages import runs_to_settle, settle_shares
from .pipeline.similarity_update import SimilarityChanges, SimilarityUpdater
from .pipeline.sync_state import Progress, SyncContext, empty_stats, merge_stats
from .pipeline.tasks import ReadResult
from .pipeline.unfinished_work import finish_erasing
from .pipeline.workers.executors import ExecutorBackend, open_backend
from .pipeline.workers.gc_tuning import relaxed_gc
from .storage.connection.advisory_lock import OnWait, host_name
from .storage.history import History
from .storage.reading.runs import AgentsDirectory

logger = logging.getLogger("workflow_history")


def sync_workflow_history(
    silent: bool = False,
    *,
    agents_dir: FolderPath | str | list[FolderPath] | None = None,
    project: str | None = None,
    engine: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    no_text: bool = False,
    wait: WaitPolicy = True,
    waiting: OnWait | None = None,
    with_pruned: bool = False,
) -> dict[str, Any]:
    """Scan the agents directory and store new and changed runs; return statistics of the sync.

    Counts: scanned, enriched, inserted, updated (stored runs that are now up to date: `unchanged` needed no
    write, `changed` did), failed, unread (files and directories that the system refused to read), missing,
    skipped, partial_costs (runs whose total spending is not known) and runs_without_cost (those among them
    without any known spending). `errors` lists the read errors, and `secrets` counts redactions by kind in
    the texts of the runs that were read.
    `requests`, `statuses`, `success_rate` (completed runs divided by the `success_rate_of` completed and
    failed ones), `undated`, `first_created_at` and `last_created_at` describe all runs of the directory,
    changed or not. `copies` of other runs are excluded from the statuses and the rate. `repeating` counts
    the runs some of whose messages are counted in another run.

    `agents_dir`: a path or URL of a project or its agents directory, or a list of such directories. In a
    project, all agents directories are read one after the other, then the transcripts outside them; `folders`
    lists them. `project`: the project under which the runs are stored, including runs already stored under
    another project. `engine`: where files are read: processes[:N], threads[:N] or dask://HOST:PORT;
    `executor`: your own executor for this. This process alone writes to the history.
    `no_text`: store no prompts, responses or commands; a history that was created so stays so.
    Only one sync per directory runs at a time. `wait`: whether to wait for another sync, or the maximum
    number of seconds; `waiting` is called with the lock's owner. Raises BusyError if the wait ends without
    the lock. Pruned runs are skipped; `with_pruned` stores those of this directory again.
    `silent` suppresses informational log messages, never errors. A failed run is counted and stops nothing;
    a fatal error is logged and raised.
    """
    if agents_dir is None:
        roots = [scanner.default_agents_dir()]
    else:
        roots = agents_dir if isinstance(agents_dir, list) else [to_path(agents_dir)]
    projects = [scanner.search_project(root) for root in roots]
    folders = list(dict.fromkeys(folder for each in projects for folder in each.folders))
    options = SyncOptions(silent, project, progress, no_text, wait, waiting, with_pruned)
    started = time.monotonic()
    try:
        with ExitStack() as stack:
            stack.enter_context(use_configured_prices())
            backends = {
                folder: stack.enter_context(open_backend(engine, executor, folder)) for folder in folders
            }
            history = stack.enter_context(History.open(database.current_url()))
            stats = _sync_projects(history, projects, backends, options)
    except BusyError:
        raise
    except Exception as error:
        # The caller that catches the error reports the details.
        logger.error("sync_failed agents_dir=%s error=%s", ", ".join(map(str, folders)), error)  # noqa: TRY400
        raise
    stats["duration_seconds"] = time.monotonic() - started
    return stats


class SyncOptions(NamedTuple):
    """Arguments of `sync_workflow_history` that are the same for all of its directories."""

    silent: bool
    project: str | None
    progress: Progress | None
    no_text: bool
    wait: WaitPolicy
    waiting: OnWait | None
    with_pruned: bool


def _sync_projects(
    history: History,
    projects: Sequence[scanner.ProjectFolders],
    backends: Mapping[FolderPath, ExecutorBackend],
    options: SyncOptions,
) -> dict[str, Any]:
    """Sync the directories of these projects one after the other; return the statistics of them all."""
    folders = {folder: found for each in projects for folder, found in each.folders.items()}
    unread = {next(iter(each.folders)): found for each in projects if (found := each.unread())}
    jobs = [
        _sync_folder(
            history, folder, transcript_set, backends[folder], options, unread=unread.get(folder, ())
        )
        for folder, transcript_set in folders.items()
    ]
    stats = merge_stats([job.stats for job in jobs])
    counted = [part for job in jobs for part in job.counted]
    if len(jobs) > 1:  # a later directory may count messages that an earlier one counted
        stats.update(stored_costs(history, counted))
    stats.update(stored_run_statistics(history, counted, datetime.now(UTC)))
    return stats


def _sync_folder(
    history: History,
    root: FolderPath,
    transcript_set: TranscriptFolders | None,
    readers: ExecutorBackend,
    options: SyncOptions,
    *,
    unread: Sequence[Problem],
) -> SyncContext:
    """Sync one agents directory and return its context; `transcript_set` as in `ProjectFolders`.

    `unread` are warnings of directories that are not read.
    """
    started, project = time.monotonic(), options.project
    log = logger.debug if options.silent else logger.info
    source = source_of(root)
    name = scanner.project_name(root) if source is None else source.title
    stats = empty_stats(root, escape_undecodable(name if project is None else project))
    log("sync_started agents_dir=%s project=%s", root, stats["project"])
    with relaxed_gc(), lock_folder(history, root, options.wait, options.waiting):
        similarity, now = SimilarityUpdater(history), datetime.now(UTC)
        job = SyncContext(
            root, stats["project"], host_name(), history, now, started, options.progress, stats, similarity
        )
        job.engine, job.with_pruned, job.transcript_set = readers, options.with_pruned, transcript_set
        job.keeps_text = history.check_text_policy(no_text=options.no_text)
        job.add_problem(None, unread)
        if source is not None:
            job.store, job.is_project_named = source.walk(root), project is not None
        if source is None or project is not None:
            set_project(job, named=project)
        _run_stages(job)
        for directory, ids in job.runs_of_other_directories.items():
            other = job.for_directory(directory, ids)
            _run_stages(other)
            job.add(other)
        _reread_without_patterns(job)
        if job.runs_of_other_directories:  # a later directory may count messages that an earlier one counted
            stats.update(stored_costs(history, job.counted))
        finish_erasing(history)
    counts = [stats[name] for name in ("scanned", "inserted", "updated", "unchanged", "failed")]
    log("sync_done scanned=%d inserted=%d updated=%d unchanged=%d failed=%d", *counts)
    return job


def _run_stages(job: SyncContext) -> None:
    job.host_names.add(job.host)
    job.version = job.history.data_version()
    job.projects = job.find_projects()
    job.known, job.pruned = job.load_known(), job.load_pruned()
    job.file_times = file_times_of(job.known.values(), job.agents_dir)
    job.copy_fingerprints = job.history.copy_fingerprints(job.agents_dir)
    if job.only_ids is None:
        hosts = job.host_names | {job.host}
        job.known_places = runs_of_overlapping_directories(job.history, job.root, job.agents_dir, hosts)
    for read_batch, next_batch in pairwise(chain(_phases_1_to_3(job), (None,))):
        is_last = next_batch is None
        fresh_batch = _reread_conflicts(job, read_batch or [])
        if is_last:
            job.record_skipped_paths()
        final_writes = pending_writes(job) if is_last else None
        if not fresh_batch and (
            final_writes is None or not (final_writes.has_news or job.similarity.is_stale)
        ):
            if is_last:
                summarize(job)
            continue  # nothing to write: the database file stays unchanged, and no lock is needed
        with job.history.transaction():  # the similarity lists must not change before they are stored
            batch = _drop_conflicts(job, fresh_batch)
            similar = _phase_3e_relate(job, batch, is_last=is_last)
            shared_keys = _phase_4_store(job, batch, similar)
            _phase_5_learn(job, batch)
            _settle_shared_messages(job, shared_keys, is_last=is_last)
            if final_writes is not None:
                finalize(job, final_writes)


def _reread_conflicts(job: SyncContext, batch: Sequence[ReadResult]) -> list[ReadResult]:
    """Return the batch after reading again the runs that were moved or that another process stored."""
    run_ids = find_conflicts(job, batch) | rename_moved_runs(job, batch)
    delete_absorbed_runs(job, batch)
    reread = (
        _read_batches(job, find_runs(job.root, run_ids - job.pruned, job.transcript_set))
        if run_ids
        else iter(())
    )
    return [*drop_runs(batch, run_ids), *chain.from_iterable(reread)]


def _drop_conflicts(job: SyncContext, batch: Sequence[ReadResult]) -> list[ReadResult]:
    """Return the batch without conflicting runs, checked under the database lock.

    With the lock, no other process can store runs anymore.
    """
    run_ids = find_conflicts(job, batch)
    for run_id in sorted(run_ids - job.pruned):
        job.other_problems.append((run_id, job.record_failure(run_id, CONFLICT_MESSAGE)))
    return drop_runs(batch, run_ids)


def _phases_1_to_3(job: SyncContext) -> Iterator[list[ReadResult]]:
    """Read, enrich and score the runs changed since the last sync, batch by batch; the last may be empty.

    Runs that turn out to be copies come last and are read again, because their file times were misjudged.
    """
    if not job.root.exists():
        problem = Problem(str(job.root), "the agents directory does not exist", None, Severity.WARNING)
        job.other_problems.append((None, problem))
        yield []
        return
    pending: list[ReadResult] = []
    for batch in _read_batches(job, _phase_1_scan(job)):
        if pending:
            yield pending
        pending = batch
    job.is_read = True
    misdated_ids = runs_to_redate(job)
    dated = [run for run in pending if run.id not in misdated_ids]
    reread = (
        _read_batches(job, find_runs(job.root, misdated_ids, job.transcript_set))
        if misdated_ids
        else iter([[]])
    )
    yield [*dated, *next(reread)]  # in one batch: a sync of few runs is one transaction
    yield from reread


def _phase_1_scan(job: SyncContext) -> Iterator[RunFolder]:
    """Walk the directory and yield runs whose files differ from the stored state; others stay unopened."""
    if job.only_ids is not None:
        yield from _select_changed(job, find_runs(job.root, job.only_ids, job.transcript_set))
        return
    walk = job.store or walk_agents_folder(job.root, job.transcript_set)
    for number, group in enumerate(walk.groups, 1):
        yield from _select_changed(job, walk.iter_runs(group))
        job.files_walked = number / len(walk.groups)
        job.report_progress("scan", number, len(walk.groups))
    for skipped in walk.skipped:
        job.add_skipped(skipped)
    job.unreadable.update(problem.path.split("/")[0] for problem in walk.problems)
    job.stats["unread"] += len(walk.problems)
    job.add_problem(None, walk.problems)


def _select_changed(job: SyncContext, folders: Iterable[RunFolder]) -> Iterator[RunFolder]:
    """Yield the runs to read.

    Runs stored under an agents directory inside or around this one are left to that directory.
    """
    for folder in folders:
        if folder.id in job.pruned:
            job.stats["pruned"] += 1
            job.ignored_ids.add(folder.id)
            continue
        known = job.known_place_of(folder)
        if known is not None:
            job.runs_of_other_directories.setdefault(known.directory, set()).add(known.id)
            job.ignored_ids.add(folder.id)
            continue
        job.seen_ids.add(folder.id)
        stored = job.known.get(folder.id)
        if stored is not None and is_unchanged(
            stored, folder, job.agents_dir, job.now, job.copy_fingerprints.get(stored.key)
        ):
            job.unchanged_ids.add(folder.id)
            job.host_names.add(stored.host)
        else:
            yield folder


def _read_batches(job: SyncContext, folders: Iterator[RunFolder]) -> Iterator[list[ReadResult]]:
    first = next(folders, None)
    if first is None:
        yield []
        return
    # Imported here: importing prices, scores and patterns takes longer than a sync without changes.
    batches = import_module(".pipeline.batches", __package__).read_in_batches
    yield from batches(job, chain([first], folders))


def _phase_3e_relate(job: SyncContext, batch: Sequence[ReadResult], *, is_last: bool) -> SimilarityChanges:
    """Compute the changes to all lists of similar runs, stored runs included; empty until the last batch."""
    features = [run.features for run in batch if run.features]
    if not is_last:
        job.similarity.add(features)
        return SimilarityChanges()
    similar = job.similarity.compute_changes(features)
    job.report_progress("relate", len(job.keys) + len(batch), job.estimated_total)
    return similar


def _phase_4_store(job: SyncContext, batch: Sequence[ReadResult], similar: SimilarityChanges) -> set[int]:
    """Store the runs, their lists of similar runs, read errors and the checkpoints to resume reading.

    Returns the keys of the runs whose message shares must be settled (see `runs_to_settle`).
    """
    saved = job.history.save_rows([run.rows for run in batch if run.rows], replace=REPLACED_FIELDS)
    similar.save(job.history, saved.keys)
    key_of = {run_id: key for (_, run_id), key in saved.keys.items()}
    job.history.save_run_problems(
        job.agents_dir, {key_of[run.id]: run.problems for run in batch}, new=saved.new
    )
    job.history.save_checkpoints(
        {
            key_of[run.id]: run.checkpoints
            for run in batch
            if run.checkpoints or key_of[run.id] not in saved.new
        },
        {key_of[run.id]: run.times.last for run in batch},
    )
    job.history.save_other_locations(
        job.agents_dir, list(key_of.values()), previous_directories(job.known, key_of, job.agents_dir)
    )
    if refused := [key_of[run.id] for run in batch if run.access_errors]:
        job.history.clear_fingerprints(refused)  # unreadable files may become readable without changing
    claims = {key_of[run.id]: run.claims for run in batch if run.rows}
    job.history.save_claims(claims, new=saved.new)
    job.history.build_column_cache()
    job.keys |= key_of
    job.report_progress("store", len(job.keys), job.estimated_total)
    return runs_to_settle(job.history, claims, saved.new)


def _settle_shared_messages(job: SyncContext, shared_keys: set[int], *, is_last: bool) -> None:
    """Settle the shares of messages that several runs contain, so that each message counts in one run.

    Lists of similar runs are updated with the last batch.
    """
    if not shared_keys:
        return
    settled = settle_shares(job.history, shared_keys)
    job.keys_to_reread |= settled.keys_to_reread
    if settled.changed:
        job.similarity.reload(settled.changed)
        if is_last:
            job.similarity.compute_changes().save(job.history, {})
        job.history.build_column_cache()


def _reread_without_patterns(job: SyncContext) -> None:
    """Read runs again that counted as repeating others until this sync: they have no patterns yet."""
    directories: dict[AgentsDirectory, set[str]] = {}
    for run in job.history.run_locations(sorted(job.keys_to_reread)):
        if run.agents_dir is not None and run.host in job.host_names | {job.host}:
            directory = AgentsDirectory(run.project, run.agents_dir, run.host)
            directories.setdefault(directory, set()).add(run.id)
    for directory, ids in directories.items():
        _run_stages(job.for_directory(directory, ids))


def _phase_5_learn(job: SyncContext, batch: Sequence[ReadResult]) -> None:
    """Store the patterns of each run; each pattern is stored once, however often it occurs."""
    for detector in {name for run in batch for name in run.patterns}:
        patterns = {job.keys[run.id]: run.patterns[detector] for run in batch if detector in run.patterns}
        job.history.save_pattern_rows(patterns, detector=detector)
        job.stats["patterns"] += sum(map(len, patterns.values()))
    if without_patterns := [job.keys[run.id] for run in batch if run.pattern_retry]:
        job.history.clear_fingerprints(without_patterns)  # the next sync calls the host's detector again
    if any(run.patterns for run in batch):
        job.report_progress("learn", len(job.keys), job.estimated_total)
