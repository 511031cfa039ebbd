"""Phases 1 to 3 for some runs, and what there is to learn from them: orders in, read runs out.

Any process can do it: everything that goes in and comes out can be pickled, and no database is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..accounting.claims import Attempt, Elsewhere, as_known, to_store, without_messages_elsewhere
from ..amounts import is_copy
from ..enrichment import with_claims
from ..errors import ONE_RUNS_TROUBLE
from ..models import ScannedRun, Workflow
from ..patterns.host import Detector
from ..pricing import price_version
from ..scanning import no_run
from ..scanning.describe import RunFacts, describe, is_run, read_run
from ..scanning.filetimes import OWN, Dated, taken_for
from ..scrubbing import is_textless_pattern, without_quotes, without_text
from ..store.records import secrets_in, take_apart
from ..streams.bookmark import kept
from .changes import GROWS_FOR
from .learning import OURS, THEIRS, DetectorFailedError, patterns_of
from .merging import former_attempts, merged, scored, storable, without_file_times, without_impossible_times
from .records import Order, ReadRun, Task
from .related import features_of
from .sameness import same_run, streams_of


def read_runs(task: Task, detector: Detector | None = None) -> list[ReadRun]:
    """Take runs through phases 1 to 3; `detector` is the host's own, where it has one."""
    return [_read_or_fail(task, order, detector) for order in task.orders]


def _read_or_fail(task: Task, order: Order, detector: Detector | None) -> ReadRun:
    """Read one run; whatever its files do to that, it costs nobody else's data."""
    try:
        return _read_run(task, order, detector)
    except ONE_RUNS_TROUBLE as error:
        why = f"{type(error).__name__}: {error}"
    except MemoryError:
        why = "there was not enough memory"
    run = ReadRun(order.folder.id, Dated(OWN, *order.folder.written))
    run.troubles.append(f"it cannot be read: {why}")
    return run


def make_ready() -> None:
    """Import and load what the first run needs: processes forked from this one then share it.

    That takes as long as a hundred runs, and no sync without news needs it.
    """
    from ..likeness.vectors import load  # noqa: PLC0415 - see above

    load()
    price_version()


def _read_run(task: Task, order: Order, detector: Detector | None) -> ReadRun:
    facts = _phase_1_read(task, order)
    taken = taken_for(facts.evidence, facts.folder, order.around, order.committed)
    run = ReadRun(facts.id, Dated(taken, *facts.folder.written), facts.problems)
    no_dates = run.dated.is_copied or run.dated.is_alone
    if not is_run(facts):
        run.is_none = not facts.is_broken
        run.left_out = no_run(facts) if run.is_none else None
        return run
    was_at_work = order.before is not None and order.before.get("status") == "running"
    grew = order.grew or was_at_work
    scanned = describe(
        facts,
        run.dated,
        now=task.now,
        committed=order.committed,
        grew=grew,
        elsewhere=order.elsewhere,
    )
    run.is_undated = scanned.workflow["times_basis"] != "reported"
    if order.before and (order.foreign or order.twin) and _is_another(task, order, order.before, scanned):
        run.twin = order.twin or "{found_on}: {agents_dir}/{id}".format_map(order.before)
        return run
    before = without_impossible_times(order.before, task.now) if order.before else None
    before = without_file_times(before) if before and no_dates else before
    enriched = _phase_2_enrich(run, task, scanned, before, order.elsewhere)
    workflow = merged(before, enriched, inferred=scanned.inferred)
    workflow = _phase_3_score(run, {**workflow, "project": task.project})
    run.problems = scanned.problems
    run.marks = {path: kept(mark) for path, mark in facts.marks.items()}
    _learn(run, workflow, scanned, detector)
    if not task.keeps_text:
        workflow = _forget_texts(run, workflow)
    _take_apart(run, workflow, scanned.fingerprint, task)
    return run


def _is_another(task: Task, order: Order, before: Workflow, scanned: ScannedRun) -> bool:
    """Return whether a run of this project and id, known by another folder, is another run than this one."""
    here = {**scanned.workflow, "agents_dir": task.home, "found_on": task.host}
    streams = (streams_of(before), {stream.identity for stream in scanned.streams})
    if order.twin:  # on one machine only a copy is the same run
        return streams[0].isdisjoint(streams[1])
    return not same_run(before, here, streams)


def _forget_texts(run: ReadRun, workflow: Workflow) -> Workflow:
    """Take out of a run what was asked, said and typed; its streams are read from their start each time."""
    run.marks = {}
    run.problems = tuple(replace(problem, reason=without_quotes(problem.reason)) for problem in run.problems)
    run.troubles = list(map(without_quotes, run.troubles))
    run.patterns = {
        detector: [row for row in rows if is_textless_pattern(row[0], row[1])]
        for detector, rows in run.patterns.items()
    }
    return without_text(workflow)


def _phase_1_read(task: Task, order: Order) -> RunFacts:
    growing_from = task.now.timestamp() - GROWS_FOR
    return read_run(order.folder, order.marks, growing_from=growing_from, asks=not order.marks)


def _phase_2_enrich(
    run: ReadRun,
    task: Task,
    scanned: ScannedRun,
    before: Workflow | None,
    elsewhere: Mapping[Attempt, Elsewhere],
) -> Workflow:
    """Add costs; a known run keeps what its former attempts spent."""
    try:
        workflow, claims = with_claims(scanned.workflow, scanned.streams, former_attempts(before), elsewhere)
    except ONE_RUNS_TROUBLE as error:
        run.troubles.append(f"its costs cannot be counted: {error}")
        return scanned.workflow
    run.claims = to_store(claims, scanned.written, elsewhere, keeps_text=task.keeps_text)
    return workflow


def _phase_3_score(run: ReadRun, workflow: Workflow) -> Workflow:
    """Add phase metrics and the four scores, with the parts that explain them."""
    try:
        return scored(workflow)
    except ONE_RUNS_TROUBLE as error:
        run.troubles.append(f"it cannot be scored: {error}")
        return workflow


def _learn(run: ReadRun, workflow: Workflow, scanned: ScannedRun, detector: Detector | None) -> None:
    """Find the run's patterns; what was learnt of a run stays when its streams are gone.

    What other runs count, as far as that is known, is theirs to show.
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
        run.patterns = {OURS: [], THEIRS: []}
        return
    try:
        run.patterns = patterns_of(workflow, streams, detector)
    except DetectorFailedError as error:
        run.troubles.append(str(error))
        run.unlearnt = True
        run.patterns = patterns_of(workflow, streams, None)


def _take_apart(run: ReadRun, workflow: Workflow, fingerprint: str, task: Task) -> None:
    """Turn the run into rows."""
    whole = {
        **storable(workflow),
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
        run.parts = take_apart(whole)
        run.secrets = secrets_in(run.parts)
    except ValueError as error:
        run.troubles.append(str(error))
