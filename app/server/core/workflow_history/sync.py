"""Bring a history up to date with an agents folder: files in, rows and statistics out.

It calls the five phases in their order. What one sync learns is stored in one transaction: a sync that
is killed leaves the history as it was, and the next one does the work.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import database, scanner
from .analytics import calculate_cost_totals
from .enrichment import enrich
from .errors import WorkflowHistoryError
from .models import Problem, ScannedRun, Workflow
from .patterns.host import Detector, load_detector
from .scanning import Scan, scan
from .store.history import History
from .store.reads import StoredRun
from .syncing.job import Job, Progress, Run, no_stats
from .syncing.learning import DetectorFailedError, patterns_of
from .syncing.merging import COMPLETE, former_attempts, merged, scored, storable
from .syncing.moved import moved_runs
from .syncing.related import Changes, changes_after, identity_of, with_vector

logger = logging.getLogger("workflow_history")

Known = Mapping[str, StoredRun]

_ONE_RUNS_TROUBLE = (ValueError, TypeError, ArithmeticError, LookupError, WorkflowHistoryError)


def sync_workflow_history(
    silent: bool = False,
    *,
    agents_dir: Path | str | None = None,
    project: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Scan the agents folder and store what is new or changed; return what was done.

    The counts are scanned, enriched, inserted, updated (known runs that are up to date now, of which
    `unchanged` needed no write), failed, gone and left_out; `errors` names what could not be read.
    `silent` keeps information out of the log, never errors. One run's trouble is counted and stops
    nothing; a fatal error is logged and raised.
    """
    started = time.monotonic()
    log = logger.debug if silent else logger.info
    root = Path(agents_dir) if agents_dir is not None else scanner.agents_dir()
    stats = no_stats(root, project if project is not None else scanner.project_of(root))
    log("sync_started agents_dir=%s project=%s", root, stats["project"])
    try:
        with History.open(database.current_url()) as history:
            _run_phases(Job(root, stats["project"], history, datetime.now(UTC), started, progress, stats))
    except Exception as error:
        stats["failed"] = stats["scanned"]
        logger.error("sync_failed agents_dir=%s error=%s", root, error)  # noqa: TRY400 - its catcher tells more
        raise
    finally:
        stats["duration_seconds"] = time.monotonic() - started
    counts = [stats[name] for name in ("scanned", "inserted", "updated", "unchanged", "failed")]
    log("sync_done scanned=%d inserted=%d updated=%d unchanged=%d failed=%d", *counts)
    return stats


def _run_phases(job: Job) -> None:
    known = job.history.stored_runs(project=job.project)
    job.keys = {(job.project, run.id): run.key for run in known.values()}

    found = _phase_1_scan(job, known)
    runs = _phase_2_enrich(job, found, known)
    _phase_3_score(job, runs)
    with job.history.transaction():  # what is like what must not change before it is stored
        similar = _phase_3e_relate(job, runs)
        wrote = _phase_4_store(job, runs, similar, found, known)
        _phase_5_learn(job, runs)
        _add_up(job, found)
        if wrote:  # a sync that changes nothing leaves the history's file as it was
            started = job.now.isoformat()
            job.history.record_sync({**job.stats, "started_at": started, "duration_seconds": job.seconds})


def _phase_1_scan(job: Job, known: Known) -> Scan:
    """Read the runs whose files are not as stored; what was wrong with the others still is."""
    if not job.root.exists():
        job.note(Problem(str(job.root), "the agents folder does not exist", None, "warning"))
        return Scan(job.root)
    ours = {run_id: run.fingerprint for run_id, run in known.items() if run.agents_dir == job.home}
    found = scan(job.root, job.now, ours, lambda done, total: job.tell("scan", done, total))
    job.stats.update(scanned=found.found, unchanged=len(found.unchanged), failed=len(found.failed))
    job.stats.update(left_out=len(found.left_out))
    job.stats["left_out_paths"] = [{"path": p.path, "reason": p.reason} for p in found.left_out]
    for problem in found.problems:
        job.note(problem)
        logger.error("unreadable path=%s line=%s reason=%s", problem.path, problem.line, problem.reason)
    unchanged = {known[run_id].key: run_id for run_id in found.unchanged}
    for row in job.history.problems(job.home):
        if (run_id := unchanged.get(row.pop("workflow_key"))) is not None:
            job.note(Problem(**row), run_id)
    return found


def _phase_2_enrich(job: Job, found: Scan, known: Known) -> list[Run]:
    """Add costs; a known run keeps what its former attempts spent, and what only the history knows."""
    ids = [scanned.workflow["id"] for scanned in found.runs]
    stored = job.history.read([known[run_id].key for run_id in ids if run_id in known])
    runs = []
    for number, scanned in enumerate(found.runs, 1):
        run_id = scanned.workflow["id"]
        before = stored.get(known[run_id].key) if run_id in known else None
        if before is not None and (reason := _conflict(job, before)):
            job.trouble(run_id, reason)
            continue
        for problem in scanned.problems:
            job.note(problem, run_id)
        runs.append(Run(scanned, merged(before, _with_costs(job, scanned, before))))
        job.tell("enrich", number, len(found.runs))
    return runs


def _with_costs(job: Job, scanned: ScannedRun, before: Workflow | None) -> Workflow:
    try:
        return enrich(scanned, former_attempts(before))
    except _ONE_RUNS_TROUBLE as error:
        job.trouble(scanned.workflow["id"], f"its costs cannot be counted: {error}")
        return scanned.workflow


def _phase_3_score(job: Job, runs: Sequence[Run]) -> None:
    """Add phase metrics and the four scores, with the parts that explain them."""
    for number, run in enumerate(runs, 1):
        try:
            run.workflow = scored(run.workflow)
        except _ONE_RUNS_TROUBLE as error:
            job.trouble(run.workflow["id"], f"it cannot be scored: {error}")
        job.tell("score", number, len(runs))


def _phase_3e_relate(job: Job, runs: Sequence[Run]) -> Changes:
    """Return what becomes of the lists of similar runs, those of stored runs too."""
    for number, run in enumerate(runs, 1):
        run.workflow = with_vector({**run.workflow, "project": job.project})
        job.tell("relate", number, len(runs))
    return changes_after(job.history, [run.workflow for run in runs])


def _phase_4_store(job: Job, runs: Sequence[Run], similar: Changes, found: Scan, known: Known) -> bool:
    """Write runs, lists, what is gone and what could not be read; tell whether anything was written."""
    rows = [
        {
            **storable(run.workflow),
            "agents_dir": job.home,
            "source_state": "present",
            "fingerprint": run.scanned.fingerprint,
        }
        for run in runs
    ]
    saved = job.history.save(rows, replace=COMPLETE)
    for run_id, reason in saved.failures:
        job.trouble(run_id, reason)
    job.stats.update(inserted=saved.inserted, updated=saved.updated + job.stats["unchanged"])
    names = {identity_of(run.workflow) for run in runs} | similar.names
    job.keys |= job.history.keys_of(sorted(names))
    similar.save(job.history, job.keys)
    moved = _mark_what_is_gone(job, found, known)
    news = job.history.save_problems(job.home, job.problem_rows())
    job.tell("store", len(runs), len(runs))
    return bool(rows or similar.vectors or moved or news)


def _phase_5_learn(job: Job, runs: Sequence[Run]) -> None:
    """Store each run's patterns, once however often it is seen; the host's detector is asked beside ours."""
    detector, broken = _detector(job)
    again: list[int] = []  # runs that the host's detector has not seen: the next sync asks it again
    found: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for number, run in enumerate(runs, 1):
        key = job.keys.get(identity_of(run.workflow))
        if key is None or not run.scanned.streams:
            continue  # what was learnt of a run stays when its files are gone
        try:
            learnt = patterns_of(run.workflow, run.scanned.streams, detector)
        except DetectorFailedError as error:
            job.trouble(run.workflow["id"], str(error))
            learnt = patterns_of(run.workflow, run.scanned.streams, None)
            again.append(key)
        if broken:
            again.append(key)
        for name, patterns in learnt.items():
            found.setdefault(name, {})[key] = patterns
        job.tell("learn", number, len(runs))
    for name, by_run in found.items():
        job.history.save_patterns(by_run, detector=name)
    if again:
        job.history.forget_fingerprints(again)
    job.stats["patterns"] = sum(len(patterns) for runs_ in found.values() for patterns in runs_.values())


def _detector(job: Job) -> tuple[Detector | None, bool]:
    """Return the host's detector, and whether there is one that cannot be used."""
    try:
        return load_detector(), False
    except WorkflowHistoryError as error:
        job.note(Problem("core/pattern_detector.py", str(error)))
        logger.error("pattern_detector_broken error=%s", error)  # noqa: TRY400 - its text is the whole story
        return None, True


def _conflict(job: Job, stored: Workflow) -> str | None:
    """Say so where another agents folder holds a run of this project and id: they must not be mixed up."""
    other = stored.get("agents_dir")
    if not other or other == job.home:
        return None
    twin = Path(other) / str(stored["id"])
    if not twin.exists() or twin.resolve() == (job.root / str(stored["id"])).resolve():
        return None
    return f"{twin} is a run of the same project and id: name a project for one of them (--project)"


def _mark_what_is_gone(job: Job, found: Scan, known: Known) -> bool:
    """Mark runs whose files are gone, or are there again; an unreadable folder tells nothing."""
    if not job.root.exists():
        return False
    here = {*found.unchanged, *found.failed, *(run.workflow["id"] for run in found.runs)}
    unreadable = {problem.path.split("/")[0] for problem in found.problems}
    ours = [run for run in known.values() if run.agents_dir == job.home]
    missing = [run for run in ours if run.id not in here and run.id.split("/")[0] not in unreadable]
    lost = [run.key for run in missing if run.source_state != "gone"]
    back = [run.key for run in ours if run.id in set(found.unchanged) and run.source_state == "gone"]
    if lost:
        job.history.mark_gone(lost, job.now)
        _note_moves(job, found, {run.key: run.id for run in missing if run.key in set(lost)}, known)
    if back:
        job.history.mark_present(back)
    job.stats.update(gone=len(missing), newly_gone=len(lost), returned=len(back))
    return bool(lost or back)


def _note_moves(job: Job, found: Scan, lost: Mapping[int, str], known: Known) -> None:
    """Say so where a new run has the streams of one that is gone: its money then stands in both."""
    new = {run.workflow["id"] for run in found.runs} - known.keys()
    keys = {job.keys[name]: run_id for run_id in new if (name := (job.project, run_id)) in job.keys}
    stored = job.history.agent_runs([*lost, *keys]) if keys else {}
    old_runs = {run_id: stored.get(key, []) for key, run_id in lost.items()}
    new_runs = {run_id: stored.get(key, []) for key, run_id in keys.items()}
    for old, run_id in moved_runs(old_runs, new_runs):
        reason = f"it has the streams of {old}, which is gone: moved or renamed, its cost stands in both"
        job.note(Problem(run_id, reason, None, "warning"), run_id)


def _add_up(job: Job, found: Scan) -> None:
    """Say what the runs of this folder cost, as the history knows them now."""
    here = {*found.unchanged, *(run.workflow["id"] for run in found.runs)}
    rows = [
        row
        for row in job.history.figures(["project", "id", "total_cost", "lower_bound_cost"])
        if row["project"] == job.project and row["id"] in here
    ]
    job.stats["enriched"] = sum(1 for row in rows if row["total_cost"] is not None)
    job.stats.update(calculate_cost_totals(rows))
