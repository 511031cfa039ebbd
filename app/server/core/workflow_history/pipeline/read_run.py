"""Read, price and score runs, and detect their patterns: read tasks in, read results out.

Any process can run this: tasks and results can be pickled, and no database is used.
"""

from __future__ import annotations

from dataclasses import replace

from ..analysis.patterns.host_detector import Detector
from ..common.errors import PER_RUN_ERRORS
from ..common.models import RunStatus, ScannedRun, SourceState, TimeBasis, Workflow
from ..common.redaction import has_no_text, strip_quotes, strip_texts
from ..common.spending import is_copy
from ..costs.accounting.message_claims import reduce_to_shares, to_store, without_messages_elsewhere
from ..costs.pricing import table_version
from ..costs.pricing.own_prices import use_prices
from ..enrichment import with_claims
from ..ingest.runs.build_run import RunFacts, build_run, read_run, shows_a_run
from ..ingest.runs.file_times import OWN, FileTimes, judge_file_times
from ..ingest.sources.scan import not_a_run_problem
from ..ingest.streams.checkpoint import encode_checkpoint
from ..storage.rows.run_rows import count_redacted, to_rows
from .change_detection import GROWTH_WINDOW
from .merge_fields import (
    add_scores,
    agents_with_stream,
    drop_file_times,
    drop_implausible_times,
    merge_run,
    previous_attempts,
    strip_derived,
)
from .pattern_detection import BUILTIN, HOST, DetectorFailedError, detect_patterns
from .run_identity import is_same_run, stream_ids
from .similarity_update import features_of
from .tasks import ReadResult, ReadTask, TaskBatch


def read_runs(batch: TaskBatch, detector: Detector | None = None) -> list[ReadResult]:
    """Read, enrich and score each run (stages 1 to 3); `detector` is the host project's own, if any."""
    with use_prices(batch.prices):
        return [_read_or_fail(batch, task, detector) for task in batch.tasks]


def _read_or_fail(batch: TaskBatch, task: ReadTask, detector: Detector | None) -> ReadResult:
    """Read one run; an error becomes part of its result and does not affect others."""
    try:
        return _read_run(batch, task, detector)
    except PER_RUN_ERRORS as error:
        reason = f"{type(error).__name__}: {error}"
    except MemoryError:
        reason = "there was not enough memory"
    result = ReadResult(task.folder.id, FileTimes(OWN, *task.folder.file_times))
    result.errors.append(f"it cannot be read: {reason}")
    return result


def prepare_worker() -> None:
    """Import and load the data that the first run needs; processes forked from this one then share it.

    Loading takes as long as reading a hundred runs, and a sync without changed runs does not need it.
    """
    from ..analysis.similarity.text_vectors import warm_up  # noqa: PLC0415 - see above

    warm_up()
    table_version()


def _read_run(batch: TaskBatch, task: ReadTask, detector: Detector | None) -> ReadResult:
    facts = _phase_1_read(batch, task)
    last_read = task.last_read if _is_only_touched(task, facts) else None
    time_judgement = task.time_judgement
    if last_read is not None:  # a changed time with the same content is no evidence of writing
        facts = facts.with_file_times(last_read.stream_times, last_read.times.last)
        time_judgement = last_read.times.file_times or time_judgement
    judgement = judge_file_times(facts.evidence, facts.folder, time_judgement, task.commit_time)
    result = ReadResult(facts.id, FileTimes(judgement, *facts.folder.file_times), facts.problems)
    has_no_dates = result.times.is_copied or result.times.is_alone
    if not shows_a_run(facts):
        result.is_not_a_run = not facts.is_broken
        result.skipped = not_a_run_problem(facts) if result.is_not_a_run else None
        return result
    was_running = task.stored is not None and task.stored.get("status") == RunStatus.RUNNING
    has_grown = (task.has_grown and last_read is None) or was_running
    scanned = build_run(
        facts,
        result.times,
        now=batch.now,
        committed=task.commit_time,
        grew=has_grown,
        elsewhere=task.counted_elsewhere,
        known_agents=agents_with_stream(task.stored),
    )
    result.is_undated = scanned.workflow["times_basis"] != TimeBasis.REPORTED
    known_ids = stream_ids(task.stored or {})
    result.is_different_run = bool(known_ids) and known_ids.isdisjoint(
        stream.identity for stream in scanned.streams
    )
    if (
        task.stored
        and (task.is_foreign or task.twin_path)
        and _is_different_run(batch, task, task.stored, scanned)
    ):
        result.conflicting_run = task.twin_path or "{host}: {agents_dir}/{id}".format_map(task.stored)
        return result
    stored = drop_implausible_times(task.stored, batch.now) if task.stored else None
    stored = drop_file_times(stored) if stored and has_no_dates else stored
    enriched = _phase_2_enrich(result, batch, scanned, stored, task)
    workflow = merge_run(stored, enriched, inferred=scanned.inferred)
    workflow = _phase_3_score(result, {**workflow, "project": task.project})
    result.problems = scanned.problems
    result.checkpoints = {
        path: encode_checkpoint(checkpoint) for path, checkpoint in facts.checkpoints.items()
    }
    _detect_patterns(result, workflow, scanned, detector)
    if not batch.keeps_text:
        workflow = _forget_texts(result, workflow)
    _convert_to_rows(result, workflow, scanned.fingerprint, batch)
    return result


def _is_only_touched(task: ReadTask, facts: RunFacts) -> bool:
    """Return whether a run's files have later times than at the last read, but the same content."""
    last = task.last_read
    return last is not None and facts.folder.file_times[1] > last.times.last and facts.content == last.content


def _is_different_run(batch: TaskBatch, task: ReadTask, stored: Workflow, scanned: ScannedRun) -> bool:
    """Return whether the stored run with this project and id, from another folder, is a different run."""
    scanned_run = {**scanned.workflow, "agents_dir": batch.agents_dir, "host": batch.host}
    both_stream_ids = (stream_ids(stored), {stream.identity for stream in scanned.streams})
    if task.twin_path:  # two folders on one machine are the same run only if one is a copy of the other
        return both_stream_ids[0].isdisjoint(both_stream_ids[1])
    return not is_same_run(stored, scanned_run, both_stream_ids)


def _forget_texts(result: ReadResult, workflow: Workflow) -> Workflow:
    """Remove requests, messages and commands from a run.

    Checkpoints go too, so its streams are read from the start each time.
    """
    result.checkpoints = {}
    result.problems = tuple(
        replace(problem, reason=strip_quotes(problem.reason)) for problem in result.problems
    )
    result.errors = list(map(strip_quotes, result.errors))
    result.patterns = {
        detector: [row for row in rows if has_no_text(row[0], row[1])]
        for detector, rows in result.patterns.items()
    }
    return strip_texts(workflow)


def _phase_1_read(batch: TaskBatch, task: ReadTask) -> RunFacts:
    growing_from = batch.now.timestamp() - GROWTH_WINDOW
    return read_run(
        task.folder, task.checkpoints, growing_from=growing_from, search_request=not task.checkpoints
    )


def _phase_2_enrich(
    result: ReadResult,
    batch: TaskBatch,
    scanned: ScannedRun,
    stored: Workflow | None,
    task: ReadTask,
) -> Workflow:
    """Add costs; a stored run keeps the costs of its superseded attempts."""
    try:
        workflow, claims = with_claims(
            scanned.workflow, scanned.streams, previous_attempts(stored), task.counted_elsewhere, task.seen
        )
    except PER_RUN_ERRORS as error:
        result.errors.append(f"its costs cannot be counted: {error}")
        return scanned.workflow
    result.claims = to_store(claims, scanned.written, task.counted_elsewhere, keeps_text=batch.keeps_text)
    return workflow


def _phase_3_score(result: ReadResult, workflow: Workflow) -> Workflow:
    """Add phase metrics and the four scores, with their components."""
    try:
        return add_scores(workflow)
    except PER_RUN_ERRORS as error:
        result.errors.append(f"it cannot be scored: {error}")
        return workflow


def _detect_patterns(
    result: ReadResult, workflow: Workflow, scanned: ScannedRun, detector: Detector | None
) -> None:
    """Detect the run's patterns, without messages that other runs are known to count.

    If no stream is left, `result.patterns` stays empty, so that the stored patterns are kept.
    """
    if not scanned.streams:
        return
    streams = scanned.streams
    claims_elsewhere = {claim.path: claim for claim in result.claims if claim.elsewhere}
    if claims_elsewhere:
        workflow = {
            **workflow,
            "phase_costs": reduce_to_shares(workflow.get("phase_costs") or (), result.claims),
        }
        streams = tuple(
            without_messages_elsewhere(stream, claims_elsewhere[stream.path])
            if stream.path in claims_elsewhere
            else stream
            for stream in streams
        )
    if is_copy(workflow.get("phase_costs") or ()):
        result.patterns = {BUILTIN: [], HOST: []}
        return
    try:
        result.patterns = detect_patterns(workflow, streams, detector)
    except DetectorFailedError as error:
        result.errors.append(str(error))
        result.pattern_retry = True
        result.patterns = detect_patterns(workflow, streams, None)


def _convert_to_rows(result: ReadResult, workflow: Workflow, fingerprint: str, batch: TaskBatch) -> None:
    """Convert the run to rows and count the redactions in them."""
    stored_workflow = {
        **strip_derived(workflow),
        "agents_dir": batch.agents_dir,
        "host": batch.host,
        "source_state": SourceState.PRESENT.value,
        "fingerprint": fingerprint,
        "file_times": result.times.file_times,
        "first_written_ns": result.times.first,
        "last_written_ns": result.times.last,
    }
    result.features = features_of(workflow)
    try:
        result.rows = to_rows(stored_workflow)
        result.redactions = count_redacted(result.rows)
    except ValueError as error:
        result.errors.append(str(error))
