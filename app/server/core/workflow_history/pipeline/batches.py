"""Read changed runs and group them into batches for storing: folders in, batches of read results out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from ..analysis.patterns.host_detector import Detector, load_detector
from ..common.errors import AgentsFolderError, StorageUnreachableError, WorkflowHistoryError
from ..common.models import Problem
from ..common.urls import join_url
from ..costs.accounting.message_claims import elsewhere_of, seen_of
from ..ingest.files import to_path
from ..ingest.runs.file_times import ALONE, COPIED, LIVE, OWN, FileTimes, Neighbourhood
from ..ingest.runs.records import RunFolder
from ..ingest.streams.checkpoint import Checkpoint, decode_checkpoint
from ..storage.reading.runs import StoredRunState
from .change_detection import has_grown
from .dates import ask_git
from .parallel_read import RUNS_PER_TASK, read_all
from .shared_messages import as_if_alone
from .sync_state import SyncContext
from .tasks import ReadResult, ReadTask, TaskBatch

MAX_BATCH_RUNS = 2_000  # maximum number of runs stored in one transaction
MAX_BATCH_SECONDS = 5.0  # reading time per transaction: the work that a killed sync loses at most

logger = logging.getLogger("workflow_history")


def read_in_batches(job: SyncContext, folders: Iterable[RunFolder]) -> Iterator[list[ReadResult]]:
    """Yield batches of read results, each for one transaction; the last batch may be empty."""
    detector, broken = _detector(job)
    common = TaskBatch(job.project, job.agents_dir, job.now, (), job.host, job.keeps_text)
    batch: list[ReadResult] = []
    begun = job.seconds
    for runs in read_all(common, _orders(job, folders), detector, job.engine):
        for run in runs:
            if _is_stored(job, run):
                run.pattern_retry |= broken and bool(run.patterns)
                batch.append(run)
        job.report_progress("enrich", job.read, job.estimated_total)
        job.report_progress("score", job.read, job.estimated_total)
        if len(batch) >= MAX_BATCH_RUNS or job.seconds - begun >= MAX_BATCH_SECONDS:
            yield batch
            batch, begun = [], job.seconds
    yield batch


def _detector(job: SyncContext) -> tuple[Detector | None, bool]:
    """Return the host's detector, or None, and whether loading it failed; the built-in one always runs."""
    try:
        found = load_detector()
    except WorkflowHistoryError as error:
        job.other_problems.append((None, Problem("core/pattern_detector.py", str(error))))
        logger.error("pattern_detector_broken error=%s", error)  # noqa: TRY400 - its text is the whole story
        return None, True
    return (None if getattr(found, "is_built_in", False) else found), False


def _orders(job: SyncContext, folders: Iterable[RunFolder]) -> Iterator[ReadTask]:
    """Build the read tasks: folders with the stored state of their runs."""
    met: dict[str, FileTimes] = {}
    around = Neighbourhood(job.file_times.values())
    left = iter(folders)
    while some := list(islice(left, RUNS_PER_TASK)):
        met |= {folder.id: FileTimes(None, *folder.file_times) for folder in some}
        if (
            job.files_walked == 1 and not job.is_read
        ):  # the whole folder was scanned, so it may show how it was written
            around = Neighbourhood((job.file_times | met).values())
        known = {folder.id: job.known[folder.id] for folder in some if folder.id in job.known}
        keys = [run.key for run in known.values()] + [
            key for f in some if f.id not in known and (key := job.keys.get(f.id))
        ]
        claims = job.history.claims(keys)
        stored = job.history.read(keys)
        before = {run["id"]: as_if_alone(run, claims.get(key, ())) for key, run in stored.items()}
        names = {key: run["id"] for key, run in stored.items()}
        elsewhere = {names[key]: elsewhere_of(own) for key, own in claims.items() if key in names}
        seen = {names[key]: seen_of(own) for key, own in claims.items() if key in names}
        marks = _marks(job, known.values())
        shown = _shown_around(job, around, some)
        if not {COPIED, ALONE}.isdisjoint(shown):  # if git dates them now, they are read only once
            ask_git(job)
        for folder, around_it in zip(some, shown, strict=True):
            job.ordered += 1
            committed = job.commits.time_of(folder) if job.commits is not None else None
            if committed is not None:
                job.by_commit.add(folder.id)
            yield ReadTask(
                folder,
                before.get(folder.id),
                marks.get(folder.id, {}),
                around_it,
                committed,
                _is_foreign(job, known.get(folder.id)),
                _twin(job, known.get(folder.id)),
                has_grown(known.get(folder.id), folder, job.agents_dir),
                elsewhere.get(folder.id, {}),
                seen.get(folder.id, {}),
            )


def _shown_around(job: SyncContext, around: Neighbourhood, some: Sequence[RunFolder]) -> list[str]:
    """Judge each run's file times by the runs around it; preliminary until the whole folder is scanned."""
    met = [FileTimes(None, *folder.file_times) for folder in some]
    if job.is_read:
        return [
            around.judge(job.file_times.get(folder.id, own)) for folder, own in zip(some, met, strict=True)
        ]
    if job.files_walked == 1:
        return [around.judge(own) for own in met]
    beside = Neighbourhood(met)
    copied = (around.was_copied(own.first, own.last) or beside.was_copied(own.first, own.last) for own in met)
    return [COPIED if is_copied else OWN for is_copied in copied]


def _marks(job: SyncContext, runs: Iterable[StoredRunState]) -> dict[str, dict[str, Checkpoint]]:
    names = {run.key: run.id for run in runs if run.agents_dir == job.agents_dir}
    return {
        names[key]: {path: decode_checkpoint(mark) for path, mark in of_run.items()}
        for key, of_run in job.history.read_checkpoints(list(names)).items()
    }


def _twin(job: SyncContext, stored: StoredRunState | None) -> str | None:
    """Return the folder of another run with this project and id on this machine, or None."""
    if (
        stored is None
        or not stored.agents_dir
        or stored.agents_dir == job.agents_dir
        or _is_foreign(job, stored)
    ):
        return None
    try:
        twin = to_path(stored.agents_dir) / stored.id
        is_another = twin.exists() and twin.resolve() != (job.root / stored.id).resolve()
    except (AgentsFolderError, StorageUnreachableError):  # it may exist
        return join_url(stored.agents_dir, stored.id)
    return str(twin) if is_another else None


def _is_foreign(job: SyncContext, stored: StoredRunState | None) -> bool:
    """Return whether a stored run is from another machine, where the same path may be another folder."""
    return stored is not None and stored.found_on not in job.host_names


def _is_stored(job: SyncContext, run: ReadResult) -> bool:
    """Record the result of reading a run in the sync state; return whether it has rows to store."""
    job.read += 1
    job.unchanged_ids.discard(run.id)
    if run.conflicting_run is not None:
        job.record_conflict(run.id, run.conflicting_run)
        return False
    again = job.is_read  # its failures are already counted
    troubles = [job.record_failure(run.id, reason, again=again) for reason in run.errors]
    job.stats["unread"] += 0 if again else len(run.access_errors)
    if run.parts is not None:
        job.count_redactions({} if again else run.secrets)
        job.file_times[run.id] = run.dated
        if run.is_undated and run.dated.file_times != LIVE:
            job.undated.add(run.id)
        run.problems = (*run.problems, *troubles)
        return True
    if run.is_none:
        job.seen_ids.discard(run.id)
        if run.left_out is not None:
            job.no_runs.append((run.left_out, run.problems))
    else:
        job.stats["failed"] += not run.errors
        job.add_problem(run.id, run.problems)
        job.other_problems.extend((run.id, problem) for problem in troubles)
    return False
