"""Read, price and score runs, and detect their patterns: read tasks in, read results out.

Any process can run this: tasks and results can be pickled, and no database is used.
"""

from __future__ import annotations

from dataclasses import replace

from ..analysis.patterns.host_detector import Detector
from ..common.errors import PER_RUN_ERRORS
from ..common.models import ScannedRun, Workflow
from ..common.redaction import has_no_text, strip_quotes, strip_texts
from ..common.spending import is_copy
from ..costs.accounting.message_claims import as_known, to_store, without_messages_elsewhere
from ..costs.pricing import price_version
from ..enrichment import with_claims
from ..ingest.runs import not_a_run_problem
from ..ingest.runs.build_run import RunFacts, build_run, read_run, shows_a_run
from ..ingest.runs.file_times import OWN, FileTimes, taken_for
from ..ingest.streams.checkpoint import encode_checkpoint
from ..storage.rows.run_rows import count_redacted, to_rows
from .change_detection import GROWTH_WINDOW
from .merge_fields import (
    add_scores,
    drop_file_times,
    heard_agents,
    merge_run,
    previous_attempts,
    strip_derived,
    without_impossible_times,
)
from .pattern_detection import BUILTIN, HOST, DetectorFailedError, detect_patterns
from .run_identity import is_same_run, stream_ids
from .similarity_update import features_of
from .tasks import ReadResult, ReadTask, TaskBatch


def read_runs(task: TaskBatch, detector: Detector | None = None) -> list[ReadResult]:
    """Read, enrich and score each run (stages 1 to 3); `detector` is the host project's own, if any."""
    return [_read_or_fail(task, order, detector) for order in task.orders]


def _read_or_fail(task: TaskBatch, order: ReadTask, detector: Detector | None) -> ReadResult:
    """Read one run; an error becomes part of its result and does not affect others."""
    try:
        return _read_run(task, order, detector)
    except PER_RUN_ERRORS as error:
        why = f"{type(error).__name__}: {error}"
    except MemoryError:
        why = "there was not enough memory"
    run = ReadResult(order.folder.id, FileTimes(OWN, *order.folder.file_times))
    run.errors.append(f"it cannot be read: {why}")
    return run


def prepare_worker() -> None:
    """Import and load the data that the first run needs; processes forked from this one then share it.

    Loading takes as long as reading a hundred runs, and a sync without changed runs does not need it.
    """
    from ..analysis.similarity.text_vectors import warm_up  # noqa: PLC0415 - see above

    warm_up()
    price_version()


def _read_run(task: TaskBatch, order: ReadTask, detector: Detector | None) -> ReadResult:
    facts = _phase_1_read(task, order)
    taken = taken_for(facts.evidence, facts.folder, order.around, order.committed)
    run = ReadResult(facts.id, FileTimes(taken, *facts.folder.file_times), facts.problems)
    no_dates = run.dated.is_copied or run.dated.is_alone
    if not shows_a_run(facts):
        run.is_none = not facts.is_broken
        run.left_out = not_a_run_problem(facts) if run.is_none else None
        return run
    was_at_work = order.before is not None and order.before.get("status") == "running"
    grew = order.grew or was_at_work
    scanned = build_run(
        facts,
        run.dated,
        now=task.now,
        committed=order.committed,
        grew=grew,
        elsewhere=order.elsewhere,
        known_agents=heard_agents(order.before),
    )
    run.is_undated = scanned.workflow["times_basis"] != "reported"
    known = stream_ids(order.before or {})
    run.is_another = bool(known) and known.isdisjoint(stream.identity for stream in scanned.streams)
    if order.before and (order.foreign or order.twin) and _is_another(task, order, order.before, scanned):
        run.conflicting_run = order.twin or "{found_on}: {agents_dir}/{id}".format_map(order.before)
        return run
    before = without_impossible_times(order.before, task.now) if order.before else None
    before = drop_file_times(before) if before and no_dates else before
    enriched = _phase_2_enrich(run, task, scanned, before, order)
    workflow = merge_run(before, enriched, inferred=scanned.inferred)
    workflow = _phase_3_score(run, {**workflow, "project": task.project})
    run.problems = scanned.problems
    run.marks = {path: encode_checkpoint(mark) for path, mark in facts.marks.items()}
    _learn(run, workflow, scanned, detector)
    if not task.keeps_text:
        workflow = _forget_texts(run, workflow)
    _take_apart(run, workflow, scanned.fingerprint, task)
    return run


def _is_another(task: TaskBatch, order: ReadTask, before: Workflow, scanned: ScannedRun) -> bool:
    """Return whether the stored run with this project and id, from another folder, is a different run."""
    here = {**scanned.workflow, "agents_dir": task.home, "found_on": task.host}
    streams = (stream_ids(before), {stream.identity for stream in scanned.streams})
    if order.twin:  # two folders on one machine are the same run only if one is a copy of the other
        return streams[0].isdisjoint(streams[1])
    return not is_same_run(before, here, streams)


def _forget_texts(run: ReadResult, workflow: Workflow) -> Workflow:
    """Remove requests, messages and commands from a run.

    Checkpoints go too, so its streams are read from the start each time.
    """
    run.marks = {}
    run.problems = tuple(replace(problem, reason=strip_quotes(problem.reason)) for problem in run.problems)
    run.errors = list(map(strip_quotes, run.errors))
    run.patterns = {
        detector: [row for row in rows if has_no_text(row[0], row[1])]
        for detector, rows in run.patterns.items()
    }
    return strip_texts(workflow)


def _phase_1_read(task: TaskBatch, order: ReadTask) -> RunFacts:
    growing_from = task.now.timestamp() - GROWTH_WINDOW
    return read_run(order.folder, order.marks, growing_from=growing_from, asks=not order.marks)


def _phase_2_enrich(
    run: ReadResult,
    task: TaskBatch,
    scanned: ScannedRun,
    before: Workflow | None,
    order: ReadTask,
) -> Workflow:
    """Add costs; a stored run keeps the costs of its superseded attempts."""
    try:
        workflow, claims = with_claims(
            scanned.workflow, scanned.streams, previous_attempts(before), order.elsewhere, order.seen
        )
    except PER_RUN_ERRORS as error:
        run.errors.append(f"its costs cannot be counted: {error}")
        return scanned.workflow
    run.claims = to_store(claims, scanned.written, order.elsewhere, keeps_text=task.keeps_text)
    return workflow


def _phase_3_score(run: ReadResult, workflow: Workflow) -> Workflow:
    """Add phase metrics and the four scores, with their components."""
    try:
        return add_scores(workflow)
    except PER_RUN_ERRORS as error:
        run.errors.append(f"it cannot be scored: {error}")
        return workflow


def _learn(run: ReadResult, workflow: Workflow, scanned: ScannedRun, detector: Detector | None) -> None:
    """Detect the run's patterns, without messages that other runs are known to count.

    If no stream is left, `run.patterns` stays empty, so that the stored patterns are kept.
    """
    if not scanned.streams:
        return
    streams = scanned.streams
    shared = {claim.path: claim for claim in run.claims if claim.elsewhere}
    if shared:
        workflow = {**workflow, "phase_costs": as_known(workflow.get("phase_costs") or (), run.claims)}
        streams = tuple(
            [
                without_messages_elsewhere(stream, shared[stream.path]) if stream.path in shared else stream
                for stream in streams
            ]
        )
    if is_copy(workflow.get("phase_costs") or ()):
        run.patterns = {BUILTIN: [], HOST: []}
        return
    try:
        run.patterns = detect_patterns(workflow, streams, detector)
    except DetectorFailedError as error:
        run.errors.append(str(error))
        run.pattern_retry = True
        run.patterns = detect_patterns(workflow, streams, None)


def _take_apart(run: ReadResult, workflow: Workflow, fingerprint: str, task: TaskBatch) -> None:
    """Convert the run to rows and count the redactions in them."""
    whole = {
        **strip_derived(workflow),
        "agents_dir": task.home,
        "found_on": task.host,
        "source_state": "present",
        "fingerprint": fingerprint,
        "file_times": run.dated.file_times,
        "first_written_ns": run.dated.first,
        "last_written_ns": run.dated.last,
    }
    run.features = features_of(workflow)
    try:
        run.parts = to_rows(whole)
        run.secrets = count_redacted(run.parts)
    except ValueError as error:
        run.errors.append(str(error))
