"""Read changed runs and group them into batches for storing: folders in, batches of read results out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from ..analysis.patterns.host_detector import Detector, load_detector
from ..common.errors import AgentsFolderError, StorageUnreachableError, WorkflowHistoryError
from ..common.models import Problem
from ..common.urls import join_url
from ..costs.accounting.message_claims import Claim, elsewhere_of, seen_units
from ..costs.pricing.own_prices import current_prices
from ..ingest.files import to_path
from ..ingest.runs.file_times import ALONE, COPIED, LIVE, OWN, FileTimeJudge, FileTimes
from ..ingest.runs.records import RunFolder
from ..ingest.streams.checkpoint import Checkpoint, decode_checkpoint
from ..storage.reading.runs import StoredRunState
from .change_detection import content_of, has_grown
from .dates import load_commits
from .parallel_read import RUNS_PER_TASK, read_all
from .shared_messages import with_full_spending
from .sync_state import SyncContext
from .tasks import LastRead, ReadResult, ReadTask, TaskBatch

MAX_BATCH_RUNS = 2_000  # maximum number of runs stored in one transaction
MAX_BATCH_SECONDS = 5.0  # reading time per transaction: the work that a killed sync loses at most

logger = logging.getLogger("workflow_history")


def read_in_batches(job: SyncContext, folders: Iterable[RunFolder]) -> Iterator[list[ReadResult]]:
    """Yield batches of read results, each for one transaction; the last batch may be empty."""
    detector, is_detector_broken = _load_detector(job)
    settings = TaskBatch(job.agents_dir, job.now, (), job.host, job.keeps_text, current_prices())
    batch: list[ReadResult] = []
    batch_started = job.seconds
    for results in read_all(settings, _read_tasks(job, folders), detector, job.engine):
        for result in results:
            if _record_result(job, result):
                result.pattern_retry |= is_detector_broken and bool(result.patterns)
                batch.append(result)
        job.report_progress("enrich", job.read, job.estimated_total)
        job.report_progress("score", job.read, job.estimated_total)
        if len(batch) >= MAX_BATCH_RUNS or job.seconds - batch_started >= MAX_BATCH_SECONDS:
            yield batch
            batch, batch_started = [], job.seconds
    yield batch


def _load_detector(job: SyncContext) -> tuple[Detector | None, bool]:
    """Return the host's detector, or None, and whether loading it failed; the built-in one always runs."""
    try:
        detector = load_detector()
    except WorkflowHistoryError as error:
        job.other_problems.append((None, Problem("core/pattern_detector.py", str(error))))
        logger.error("pattern_detector_failed error=%s", error)  # noqa: TRY400 - its text is the whole story
        return None, True
    return (None if getattr(detector, "is_built_in", False) else detector), False


def _read_tasks(job: SyncContext, folders: Iterable[RunFolder]) -> Iterator[ReadTask]:
    """Build the read tasks: folders with the stored state of their runs."""
    times_by_id: dict[str, FileTimes] = {}
    time_judge = FileTimeJudge(job.file_times.values())
    remaining = iter(folders)
    while group := list(islice(remaining, RUNS_PER_TASK)):
        times_by_id |= {folder.id: FileTimes(None, *folder.file_times) for folder in group}
        if job.files_walked == 1 and not job.is_read:
            # the whole folder was scanned, so it may show how it was written
            time_judge = FileTimeJudge((job.file_times | times_by_id).values())
        stored_states = {folder.id: job.known[folder.id] for folder in group if folder.id in job.known}
        keys = [run.key for run in stored_states.values()] + [
            key for f in group if f.id not in stored_states and (key := job.keys.get(f.id))
        ]
        claims = job.history.claims(keys)
        stored_runs = job.history.read(keys)
        stored = {run["id"]: with_full_spending(run, claims.get(key, ())) for key, run in stored_runs.items()}
        ids = {key: run["id"] for key, run in stored_runs.items()}
        counted_elsewhere = {ids[key]: elsewhere_of(own) for key, own in claims.items() if key in ids}
        seen = {ids[key]: seen_units(own) for key, own in claims.items() if key in ids}
        checkpoints = _load_checkpoints(job, stored_states.values())
        judgements = _judge_file_times(job, time_judge, group)
        if not {COPIED, ALONE}.isdisjoint(judgements):  # if git dates them now, they are read only once
            load_commits(job)
        for folder, judgement in zip(group, judgements, strict=True):
            job.ordered += 1
            commit_time = job.commits.time_of(folder) if job.commits is not None else None
            if commit_time is not None:
                job.ids_dated_by_commit.add(folder.id)
            state = stored_states.get(folder.id)
            yield ReadTask(
                folder,
                job.project_of(folder),
                stored.get(folder.id),
                checkpoints.get(folder.id, {}),
                judgement,
                commit_time,
                _is_foreign(job, state),
                _find_twin(job, state),
                has_grown(state, folder, job.agents_dir),
                _last_read(job, state, claims),
                counted_elsewhere.get(folder.id, {}),
                seen.get(folder.id, {}),
            )


def _last_read(
    job: SyncContext, state: StoredRunState | None, claims: Mapping[int, Sequence[Claim]]
) -> LastRead | None:
    """Return the state of a run's files when they were last read in this agents directory, if known."""
    if state is None or state.agents_dir != job.agents_dir:
        return None
    content = content_of(state.fingerprint)
    if content is None or state.first_written_ns is None or state.last_written_ns is None:
        return None
    times = FileTimes(state.file_times, state.first_written_ns, state.last_written_ns)
    written = {claim.path: claim.written for claim in claims.get(state.key, ())}
    return LastRead(content, times, {path: round(at * 1e9) for path, at in written.items() if at is not None})


def _judge_file_times(job: SyncContext, time_judge: FileTimeJudge, group: Sequence[RunFolder]) -> list[str]:
    """Judge each run's file times by the runs around it; preliminary until the whole folder is scanned."""
    times = [FileTimes(None, *folder.file_times) for folder in group]
    if job.is_read:
        return [
            time_judge.judge(job.file_times.get(folder.id, own))
            for folder, own in zip(group, times, strict=True)
        ]
    if job.files_walked == 1:
        return [time_judge.judge(own) for own in times]
    judges = (time_judge, FileTimeJudge(times))
    return [
        COPIED if any(judge.was_copied(own.first, own.last) for judge in judges) else OWN for own in times
    ]


def _load_checkpoints(job: SyncContext, runs: Iterable[StoredRunState]) -> dict[str, dict[str, Checkpoint]]:
    id_by_key = {run.key: run.id for run in runs if run.agents_dir == job.agents_dir}
    return {
        id_by_key[key]: {path: decode_checkpoint(checkpoint) for path, checkpoint in by_path.items()}
        for key, by_path in job.history.read_checkpoints(list(id_by_key)).items()
    }


def _find_twin(job: SyncContext, stored: StoredRunState | None) -> str | None:
    """Return the folder of another run with this project and id on this machine, or None."""
    if (
        stored is None
        or not stored.agents_dir
        or stored.agents_dir == job.agents_dir
        or _is_foreign(job, stored)
    ):
        return None
    try:
        twin_path = to_path(stored.agents_dir) / stored.id
        is_another = twin_path.exists() and twin_path.resolve() != (job.root / stored.id).resolve()
    except (AgentsFolderError, StorageUnreachableError):  # it may exist
        return join_url(stored.agents_dir, stored.id)
    return str(twin_path) if is_another else None


def _is_foreign(job: SyncContext, stored: StoredRunState | None) -> bool:
    """Return whether a stored run is from another machine, where the same path may be another folder."""
    return stored is not None and stored.host not in job.host_names


def _record_result(job: SyncContext, result: ReadResult) -> bool:
    """Record the result of reading a run in the sync state; return whether it has rows to store."""
    job.read += 1
    job.unchanged_ids.discard(result.id)
    if result.conflicting_run is not None:
        job.record_conflict(result.id, result.conflicting_run)
        return False
    was_counted = job.is_read  # its failures are already counted
    problems = [job.record_failure(result.id, reason, again=was_counted) for reason in result.errors]
    job.stats["unread"] += 0 if was_counted else len(result.access_errors)
    if result.rows is not None:
        job.count_redactions({} if was_counted else result.redactions)
        job.file_times[result.id] = result.times
        if result.is_undated and result.times.file_times != LIVE:
            job.undated.add(result.id)
        result.problems = (*result.problems, *problems)
        return True
    if result.is_not_a_run:
        job.seen_ids.discard(result.id)
        if result.skipped is not None:
            job.non_runs.append((result.skipped, result.problems))
    else:
        job.stats["failed"] += not result.errors
        job.add_problem(result.id, result.problems)
        job.other_problems.extend((result.id, problem) for problem in problems)
    return False
