"""Bring a history up to date with an agents folder: files in, rows and statistics out.

It calls the five phases in their order. Runs go through them in batches, and what one batch brings is
stored in one transaction, its patterns included. Lists of similar runs come with the last batch, for all
of them: made batch by batch, the same lists would be written again and again. A sync that is killed
leaves a whole history in which the stored runs are marked as not compared yet; the next one does the rest.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib import import_module
from itertools import chain, pairwise
from typing import Any

from . import database, scanner
from .common.errors import BusyError
from .common.models import Problem
from .ingest.files import FolderPath, to_path
from .ingest.runs.discovery import find_runs, walk_agents_folder
from .ingest.runs.nested_folders import Beside
from .ingest.runs.records import RunFolder, escape_undecodable
from .pipeline.change_detection import file_times_of, is_unchanged, places_left
from .pipeline.conflicts import CONFLICT_MESSAGE, find_conflicts, without
from .pipeline.dates import to_date_anew
from .pipeline.finalize import costs_now, finalize, found_now, pending_writes, summarize
from .pipeline.folder_lock import WaitPolicy, lock_folder
from .pipeline.known_places import runs_known_elsewhere
from .pipeline.merge_fields import REPLACED_FIELDS
from .pipeline.moved_runs import find_home, moved_here
from .pipeline.shared_messages import runs_to_settle, settle_shares
from .pipeline.similarity_update import SimilarityChanges, SimilarityUpdater
from .pipeline.sync_state import Progress, SyncContext, empty_stats, together
from .pipeline.tasks import ReadResult
from .pipeline.unfinished_work import finish_erasing
from .pipeline.workers.executors import ExecutorBackend, open_backend
from .pipeline.workers.gc_tuning import relaxed_gc
from .storage.connection.advisory_lock import OnWait, host_name
from .storage.history import History
from .storage.reading.runs import Home

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
    """Scan the agents folder and store what is new or changed; return what was done.

    The counts are scanned, enriched, inserted, updated (known runs that are up to date now, of which
    `unchanged` needed no write and `changed` did), failed, unread (files and folders that the system would
    not show), gone, left_out, partial_costs (runs of which nothing shows all that they spent) and
    runs_without_cost (of them, runs of which nothing is known to have been spent); `errors` names what could
    not be read, and `secrets` counts by kind what was taken out of the texts of the runs that were read.
    `requests`, `statuses`, `success_rate` (completed of the `success_rate_of` runs that completed or failed),
    `undated`, `first_created_at` and `last_created_at` say what the folder's runs are, changed or not;
    `copies` of other runs are in neither the statuses nor the rate, and `repeating` are the runs of whose
    messages another run counts some.
    `agents_dir` is a path or a URL, of a project or its agents folder, or a list of such folders. Of a
    project all agents folders are read, one after the other, and the transcripts beside them last; `folders`
    names them. `project` is what the runs
    are stored under, those too that are known by another project. `engine` says who reads:
    processes[:N], threads[:N] or dask://HOST:PORT; `executor` is one of your own that does. Writing is
    always done here.
    `no_text` stores nothing that was asked, said or typed; a history that was begun so goes on so.
    One sync of a folder runs at a time. `wait` says whether to wait for another that is at it, or for how
    many seconds; `waiting` is called with who that is. Raises BusyError where it is not waited for.
    Runs that were pruned stay out; `with_pruned` lets those of this folder in again.
    `silent` keeps information out of the log, never errors. One run's trouble is counted and stops
    nothing; a fatal error is logged and raised.
    """
    named = agents_dir if isinstance(agents_dir, list) else [_meant(agents_dir)]
    folders = {folder: beside for each in named for folder, beside in scanner.folders_meant(each).items()}
    started = time.monotonic()
    try:
        with ExitStack() as stack:
            engines = [stack.enter_context(open_backend(engine, executor, folder)) for folder in folders]
            history = stack.enter_context(History.open(database.current_url()))
            jobs = [
                _sync_folder(
                    history,
                    folder,
                    beside,
                    readers,
                    silent=silent,
                    project=project,
                    progress=progress,
                    no_text=no_text,
                    wait=wait,
                    waiting=waiting,
                    with_pruned=with_pruned,
                )
                for (folder, beside), readers in zip(folders.items(), engines, strict=True)
            ]
            stats = together([job.stats for job in jobs])
            counted = [part for job in jobs for part in job.counted]
            if len(jobs) > 1:  # a later folder may count what an earlier one counted first
                stats.update(costs_now(history, counted))
            stats.update(found_now(history, counted, datetime.now(UTC)))
    except BusyError:
        raise
    except Exception as error:
        # Its catcher tells more.
        logger.error("sync_failed agents_dir=%s error=%s", ", ".join(map(str, folders)), error)  # noqa: TRY400
        raise
    stats["duration_seconds"] = time.monotonic() - started
    return stats


def _meant(agents_dir: FolderPath | str | None) -> FolderPath:
    return scanner.place_to_scan() if agents_dir is None else to_path(agents_dir)


def _sync_folder(
    history: History,
    root: FolderPath,
    beside: Beside | None,
    readers: ExecutorBackend,
    *,
    silent: bool,
    project: str | None,
    progress: Progress | None,
    no_text: bool,
    wait: WaitPolicy,
    waiting: OnWait | None,
    with_pruned: bool,
) -> SyncContext:
    """Sync one agents folder; return what was done. `beside`: as in `folders_meant`."""
    started = time.monotonic()
    log = logger.debug if silent else logger.info
    stats = empty_stats(
        root, escape_undecodable(project if project is not None else scanner.project_name(root))
    )
    log("sync_started agents_dir=%s project=%s", root, stats["project"])
    with relaxed_gc(), lock_folder(history, root, wait, waiting):
        relations, now = SimilarityUpdater(history), datetime.now(UTC)
        job = SyncContext(
            root, stats["project"], host_name(), history, now, started, progress, stats, relations
        )
        job.engine, job.with_pruned, job.beside = readers, with_pruned, beside
        job.keeps_text = history.check_text_policy(no_text=no_text)
        find_home(job, named=project)
        _run_phases(job)
        for home, ids in job.elsewhere.items():
            other = job.at(home, ids)
            _run_phases(other)
            job.add(other)
        _learn_again(job)
        if job.elsewhere:  # a later folder may count what an earlier one counted first
            stats.update(costs_now(history, job.counted))
        finish_erasing(history)
    counts = [stats[name] for name in ("scanned", "inserted", "updated", "unchanged", "failed")]
    log("sync_done scanned=%d inserted=%d updated=%d unchanged=%d failed=%d", *counts)
    return job


def _run_phases(job: SyncContext) -> None:
    job.host_names.add(job.host)
    job.version = job.history.data_version()
    job.known = job.history.stored_runs(job.project)
    job.pruned = frozenset() if job.with_pruned else job.history.pruned_ids(job.project)
    job.file_times = file_times_of(job.known.values(), job.agents_dir)
    job.copied = job.history.other_places(job.agents_dir)
    if job.only is None:
        job.places = runs_known_elsewhere(job.history, job.root, job.agents_dir, job.host_names | {job.host})
    for read, following in pairwise(chain(_phases_1_to_3(job), (None,))):
        is_last = following is None
        fresh = _reread_conflicts(job, read or [])
        if is_last:
            job.name_no_runs()
        ending = pending_writes(job) if is_last else None
        if not fresh and (ending is None or not (ending.has_news or job.relations.is_stale)):
            if is_last:
                summarize(job)
            continue  # nothing to write: the history's file stays as it was, and nobody waits for a lock
        with job.history.transaction():  # what is like what must not change before it is stored
            batch = _drop_conflicts(job, fresh)
            similar = _phase_3e_relate(job, batch, is_last=is_last)
            shared = _phase_4_store(job, batch, similar)
            _phase_5_learn(job, batch)
            _count_once(job, shared, is_last=is_last)
            if ending is not None:
                finalize(job, ending)


def _reread_conflicts(job: SyncContext, batch: Sequence[ReadResult]) -> list[ReadResult]:
    """Return the batch; runs that were moved, or stored by another process meanwhile, are read once more."""
    names = find_conflicts(job, batch) | moved_here(job, batch)
    again = _read(job, find_runs(job.root, names - job.pruned, job.beside)) if names else iter(())
    return [*without(batch, names), *chain.from_iterable(again)]


def _drop_conflicts(job: SyncContext, batch: Sequence[ReadResult]) -> list[ReadResult]:
    """Return the batch, looked at with the database's lock held: nobody can store anything any more."""
    names = find_conflicts(job, batch)
    for name in sorted(names - job.pruned):
        job.other_problems.append((name, job.record_failure(name, CONFLICT_MESSAGE)))
    return without(batch, names)


def _phases_1_to_3(job: SyncContext) -> Iterator[list[ReadResult]]:
    """Read, enrich and score what changed since the last sync, a batch at a time; the last may be empty.

    Last come runs that others show to be copies: what their file times told of them is told anew.
    """
    if not job.root.exists():
        missing = Problem(str(job.root), "the agents folder does not exist", None, "warning")
        job.other_problems.append((None, missing))
        yield []
        return
    waiting: list[ReadResult] = []
    for batch in _read(job, _phase_1_scan(job)):
        if waiting:
            yield waiting
        waiting = batch
    job.is_read = True
    wrong = to_date_anew(job)
    rest = [run for run in waiting if run.id not in wrong]
    again = _read(job, find_runs(job.root, wrong, job.beside)) if wrong else iter([[]])
    yield [*rest, *next(again)]  # together: a sync of few runs is one transaction
    yield from again


def _phase_1_scan(job: SyncContext) -> Iterator[RunFolder]:
    """Walk the folder and yield the runs whose files are not as stored; the others are not opened."""
    if job.only is not None:
        yield from _new_or_changed(job, find_runs(job.root, job.only, job.beside))
        return
    walk = walk_agents_folder(job.root, job.beside)
    for number, group in enumerate(walk.groups, 1):
        yield from _new_or_changed(job, walk.iter_runs(group))
        job.files_walked = number / len(walk.groups)
        job.report_progress("scan", number, len(walk.groups))
    for left_out in walk.left_out:
        job.add_skipped(left_out)
    job.unreadable.update(problem.path.split("/")[0] for problem in walk.problems)
    job.stats["unread"] += len(walk.problems)
    job.add_problem(None, walk.problems)


def _new_or_changed(job: SyncContext, folders: Iterable[RunFolder]) -> Iterator[RunFolder]:
    """Yield the runs to read; those of an agents folder inside or around this one are left to it."""
    for folder in folders:
        if folder.id in job.pruned:
            job.stats["pruned"] += 1
            job.left_alone.add(folder.id)
            continue
        known = job.known_at(folder.id)
        if known is not None:
            job.elsewhere.setdefault(known.home, set()).add(known.id)
            job.left_alone.add(folder.id)
            continue
        job.seen_ids.add(folder.id)
        stored = job.known.get(folder.id)
        if stored is not None and is_unchanged(
            stored, folder, job.agents_dir, job.now, job.copied.get(stored.key)
        ):
            job.unchanged_ids.add(folder.id)
            job.host_names.add(stored.found_on)
        else:
            yield folder


def _read(job: SyncContext, folders: Iterator[RunFolder]) -> Iterator[list[ReadResult]]:
    first = next(folders, None)
    if first is None:
        yield []
        return
    # Imported here: prices, scores and patterns take longer to import than a sync that finds nothing new.
    batches = import_module(".pipeline.batches", __package__).read_in_batches
    yield from batches(job, chain([first], folders))


def _phase_3e_relate(job: SyncContext, batch: Sequence[ReadResult], *, is_last: bool) -> SimilarityChanges:
    """Return what becomes of the lists of similar runs, those of stored runs too: nothing before the last."""
    features = [run.features for run in batch if run.features]
    if not is_last:
        job.relations.add(features)
        return SimilarityChanges()
    similar = job.relations.compute_changes(features)
    job.report_progress("relate", len(job.keys) + len(batch), job.estimated_total)
    return similar


def _phase_4_store(job: SyncContext, batch: Sequence[ReadResult], similar: SimilarityChanges) -> set[int]:
    """Write the runs, the lists of similar ones, what could not be read, and from where to read on.

    Return the keys of the runs that have messages in common with others.
    """
    saved = job.history.save_rows([run.parts for run in batch if run.parts], replace=REPLACED_FIELDS)
    similar.save(job.history, saved.keys)
    key_of = {run_id: key for (_, run_id), key in saved.keys.items()}
    job.history.save_run_problems(
        job.agents_dir, {key_of[run.id]: run.problems for run in batch}, new=saved.new
    )
    job.history.save_checkpoints(
        {key_of[run.id]: run.marks for run in batch if run.marks or key_of[run.id] not in saved.new},
        {key_of[run.id]: run.dated.last for run in batch},
    )
    job.history.save_other_places(
        job.agents_dir, list(key_of.values()), places_left(job.known, key_of, job.agents_dir)
    )
    if refused := [key_of[run.id] for run in batch if run.access_errors]:
        job.history.clear_fingerprints(refused)  # what could not be read may be as it was the next time
    claims = {key_of[run.id]: run.claims for run in batch if run.parts}
    job.history.save_claims(claims, new=saved.new)
    job.history.build_column_cache()
    job.keys |= key_of
    job.report_progress("store", len(job.keys), job.estimated_total)
    return runs_to_settle(job.history, claims, saved.new)


def _count_once(job: SyncContext, shared: set[int], *, is_last: bool) -> None:
    """Let each message count in one run of the history; lists of similar runs follow with the last batch."""
    if not shared:
        return
    settled = settle_shares(job.history, shared)
    job.unlearnt |= settled.unlearnt
    if settled.changed:
        job.relations.reload(settled.changed)
        if is_last:
            job.relations.compute_changes().save(job.history, {})
        job.history.build_column_cache()


def _learn_again(job: SyncContext) -> None:
    """Read the runs again that repeated others until this sync: they showed no patterns."""
    homes: dict[Home, set[str]] = {}
    for stored in job.history.where_stored(sorted(job.unlearnt)):
        if stored.agents_dir is not None and stored.found_on in job.host_names | {job.host}:
            home = Home(stored.project, stored.agents_dir, stored.found_on)
            homes.setdefault(home, set()).add(stored.id)
    for home, ids in homes.items():
        _run_phases(job.at(home, ids))


def _phase_5_learn(job: SyncContext, batch: Sequence[ReadResult]) -> None:
    """Store each run's patterns, once however often it is seen."""
    for detector in {name for run in batch for name in run.patterns}:
        found = {job.keys[run.id]: run.patterns[detector] for run in batch if detector in run.patterns}
        job.history.save_pattern_rows(found, detector=detector)
        job.stats["patterns"] += sum(map(len, found.values()))
    if unlearnt := [job.keys[run.id] for run in batch if run.pattern_retry]:
        job.history.clear_fingerprints(unlearnt)  # the next sync asks the host's detector again
    if any(run.patterns for run in batch):
        job.report_progress("learn", len(job.keys), job.estimated_total)
