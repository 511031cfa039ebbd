"""Bring a history up to date with an agents folder: files in, rows and statistics out.

It calls the five phases in their order and decides nothing itself. Everything that one sync learns is
stored in one transaction: a sync that is killed leaves the history as it was, and the next one does it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import database, scanner
from .accounting.money import to_decimal, to_float
from .analytics import calculate_phase_metrics, score_parts
from .enrichment import COST_FIELDS, enrich
from .errors import WorkflowHistoryError
from .models import AgentRun, Problem, ScannedRun, Workflow
from .patterns import detect, workflow_operations
from .patterns.host import Detector, load_detector
from .related import Identity, Lists, StoredFeatures, changed_lists, identity_of
from .scanning import Scan, fingerprint, scan
from .similarity import MODEL_VERSION, text_vector
from .store.history import History

logger = logging.getLogger("workflow_history")

Progress = Callable[[str, int, int], None]

OF_THE_STATUS = ("status_reason", "error_message", "completed_at", "current_phase")
"""What belongs to a status: a new status brings its own, or none."""

OF_THE_SCORES = (
    "nl_clarity_score",
    "cost_efficiency_score",
    "performance_score",
    "quality_score",
    "score_parts",
    "phase_durations",
    "bottleneck_phase",
    "idle_time_seconds",
)


@dataclass(slots=True)
class Job:
    """One sync: where it reads, where it writes, and what it has counted so far."""

    root: Path
    project: str
    history: History
    now: datetime
    progress: Progress | None
    stats: dict[str, Any]
    keys: dict[Identity, int] = field(default_factory=dict)

    def tell(self, phase: str, done: int, total: int) -> None:
        """Show how far a phase is."""
        if self.progress is not None:
            self.progress(phase, done, total)

    def trouble(self, path: str, reason: str) -> None:
        """Count one run's trouble, name it and log it; it stops nothing."""
        self.stats["failed"] += 1
        self.note(Problem(path, reason))
        logger.error("run_failed path=%s reason=%s", path, reason)

    def note(self, problem: Problem) -> None:
        """Name something that could not be read, or looks wrong."""
        entry = {"path": problem.path, "line": problem.line, "reason": problem.reason}
        self.stats["errors"].append({**entry, "severity": problem.severity})


@dataclass(slots=True)
class Run:
    """One new or changed run on its way through the phases."""

    scanned: ScannedRun
    workflow: Workflow
    stored: Workflow | None  # what the history holds of it, None: nothing
    patterns: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # by detector


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
    stats = _no_stats(root, project if project is not None else scanner.project_of(root))
    log("sync_started agents_dir=%s project=%s", root, stats["project"])
    try:
        with History.open(database.current_url()) as history:
            job = Job(root, stats["project"], history, datetime.now(UTC), progress, stats)
            _run_phases(job)
    except Exception as error:
        stats["failed"] = stats["scanned"]
        logger.error("sync_failed agents_dir=%s error=%s", root, error)  # noqa: TRY400 - told again by whoever catches it
        raise
    finally:
        stats["duration_seconds"] = time.monotonic() - started
    log(
        "sync_done scanned=%d inserted=%d updated=%d unchanged=%d failed=%d seconds=%.3f",
        *(stats[name] for name in ("scanned", "inserted", "updated", "unchanged", "failed")),
        stats["duration_seconds"],
    )
    return stats


def _run_phases(job: Job) -> None:
    known = job.history.stored_runs(project=job.project)
    found = _phase_1_scan(job, known)
    runs = _phase_2_enrich(job, found.runs, known)
    runs = _phase_3_score(job, runs)
    lists = _phase_3e_relate(job, runs)
    with job.history.transaction():
        _phase_4_store(job, runs, lists, found, known)
        _phase_5_learn(job, runs)
        _record(job)
    _add_up(job)


def _phase_1_scan(job: Job, known: Mapping[str, Any]) -> Scan:
    """Read the runs whose files are not as stored."""
    if not job.root.exists():
        job.note(Problem(str(job.root), "the agents folder does not exist", None, "warning"))
        return Scan(job.root)
    stored = {run_id: run.fingerprint for run_id, run in known.items() if _is_ours(job, run)}
    found = scan(job.root, job.now, stored, lambda done, total: job.tell("scan", done, total))
    job.stats.update(
        scanned=found.found,
        unchanged=len(found.unchanged),
        failed=len(found.failed),
        left_out=len(found.left_out),
        left_out_paths=[{"path": p.path, "reason": p.reason} for p in found.left_out],
    )
    for problem in found.problems:
        job.note(problem)
    for run in found.runs:
        for problem in run.problems:
            job.note(problem)
    return found


def _phase_2_enrich(job: Job, scanned: Sequence[ScannedRun], known: Mapping[str, Any]) -> list[Run]:
    """Add costs; a known run keeps what its former attempts spent, and what only the history knows."""
    stored = job.history.read([known[run.workflow["id"]].key for run in scanned if run.workflow["id"] in known])
    by_id = {workflow["id"]: workflow for workflow in stored.values()}
    runs = []
    for number, run in enumerate(scanned, 1):
        before = by_id.get(run.workflow["id"])
        if before is not None and (reason := _conflict(job, before)):
            job.trouble(run.workflow["id"], reason)
            continue
        try:
            workflow = enrich(run, _attempts(before))
        except (ValueError, ArithmeticError, LookupError, TypeError, WorkflowHistoryError) as error:
            job.trouble(run.workflow["id"], f"its costs cannot be counted: {error}")
            workflow = dict(run.workflow)
        runs.append(Run(run, merged(before, workflow), before))
        job.tell("enrich", number, len(scanned))
    return runs


def _phase_3_score(job: Job, runs: Sequence[Run]) -> list[Run]:
    """Add phase metrics and the four scores, with the parts that explain them."""
    for number, run in enumerate(runs, 1):
        workflow = run.workflow
        try:
            metrics = calculate_phase_metrics(workflow.get("cost_data"))
            workflow.update(metrics if workflow.get("cost_data") else {})
            parts = score_parts(workflow)
            workflow.update({name: part["value"] for name, part in parts.items()}, score_parts=parts)
        except (ValueError, ArithmeticError, LookupError, TypeError) as error:
            job.trouble(workflow["id"], f"it cannot be scored: {error}")
        job.tell("score", number, len(runs))
    return list(runs)


def _phase_3e_relate(job: Job, runs: Sequence[Run]) -> Lists:
    """Return the lists of similar runs that change, of stored runs too."""
    for number, run in enumerate(runs, 1):
        text = run.workflow.get("nl_input")
        run.workflow["text_vector"] = text_vector(text) if isinstance(text, str) else None
        run.workflow["text_model"] = MODEL_VERSION
        job.tell("relate", number, len(runs))
    outdated = job.history.outdated_texts(MODEL_VERSION)
    if not runs and not outdated:
        return {}
    renewed = {name: text_vector(text) for name, text in outdated.items()}
    return _lists(job, [run.workflow for run in runs], renewed)


def _lists(job: Job, changed: Sequence[Workflow], renewed: Mapping[Identity, bytes | None]) -> Lists:
    rows = job.history.similarity_rows()
    job.keys = {(row.project, row.id): row.key for row in rows}
    names = {key: name for name, key in job.keys.items()}
    stored = [
        StoredFeatures(
            (row.project, row.id),
            renewed.get((row.project, row.id), row.text_vector),
            row.status,
            row.total_cost,
            row.duration_seconds,
        )
        for row in rows
    ]
    if renewed:  # another text model: every list is computed anew
        job.history.save_text_vectors({job.keys[name]: vector for name, vector in renewed.items()}, MODEL_VERSION)
        return changed_lists(stored, {}, changed)
    lists = {
        names[key]: [(names[other], score) for other, score in pairs]
        for key, pairs in job.history.similar_lists().items()
    }
    return changed_lists(stored, {name: lists.get(name, []) for name in job.keys}, changed)


def _phase_4_store(
    job: Job, runs: Sequence[Run], lists: Lists, found: Scan, known: Mapping[str, Any]
) -> None:
    """Write new and changed runs, the lists of similar ones, what is gone and what could not be read."""
    replaced = (*OF_THE_STATUS, *OF_THE_SCORES, *COST_FIELDS)
    saved = job.history.save([_row(job, run) for run in runs], replace=replaced)
    for run_id, reason in saved.failures:
        job.trouble(run_id, reason)
    job.stats["inserted"] = saved.inserted
    job.stats["updated"] = saved.updated + job.stats["unchanged"]
    job.keys |= job.history.keys_of([identity_of(run.workflow) for run in runs])
    job.history.save_similar_lists(
        {
            job.keys[name]: [(job.keys[other], score) for other, score in pairs]
            for name, pairs in lists.items()
            if name in job.keys
        }
    )
    _mark_what_is_gone(job, found, known)
    job.stats["changed"] = job.history.save_problems(str(_home(job.root)), job.stats["errors"])
    job.tell("store", len(runs), len(runs))


def _phase_5_learn(job: Job, runs: Sequence[Run]) -> None:
    """Store each run's patterns, once however often it is seen; the host's detector is asked beside ours."""
    detector = _detector(job)
    found: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for number, run in enumerate(runs, 1):
        key = job.keys.get(identity_of(run.workflow))
        if key is None or not run.scanned.streams:
            continue
        for name, patterns in _patterns(job, run, detector).items():
            found.setdefault(name, {})[key] = patterns
        job.tell("learn", number, len(runs))
    for name, by_run in found.items():
        job.history.save_patterns(by_run, detector=name)
    job.stats["patterns"] = sum(len(patterns) for by_run in found.values() for patterns in by_run.values())


def _patterns(job: Job, run: Run, detector: Detector | None) -> dict[str, list[dict[str, Any]]]:
    operations = workflow_operations(run.scanned.streams, run.workflow.get("phase_costs") or ())
    ours = [_plain(occurrence) for occurrence in detect(operations)]
    if detector is None:
        return {"builtin": ours}
    try:
        answer = detector({**run.workflow, "operations": operations})
        theirs = [pattern for pattern in answer or () if isinstance(pattern, dict) and pattern.get("signature")]
    except Exception as error:  # noqa: BLE001 - the host's code may raise anything
        job.note(Problem(run.workflow["id"], f"the pattern detector failed: {error!r}"))
        logger.error("pattern_detector_failed id=%s error=%r", run.workflow["id"], error)  # noqa: TRY400
        return {"builtin": ours}
    known = {(pattern["kind"], pattern["signature"]) for pattern in ours}
    named = [{"kind": "host", **pattern} for pattern in theirs]
    return {"builtin": ours, "host": [p for p in named if (p["kind"], p["signature"]) not in known]}


def _detector(job: Job) -> Detector | None:
    try:
        return load_detector()
    except WorkflowHistoryError as error:
        job.note(Problem("core/pattern_detector.py", str(error)))
        logger.error("pattern_detector_broken error=%s", error)  # noqa: TRY400 - its text is the whole story
        return None


def _plain(occurrence: Any) -> dict[str, Any]:
    names = ("kind", "signature", "count", "successes", "failures", "seconds", "example_path", "example_line")
    fields = {name: getattr(occurrence, name) for name in names}
    return {**fields, "cost": to_float(occurrence.cost), "agents": list(occurrence.agents)}


def merged(stored: Workflow | None, new: Workflow) -> Workflow:
    """Return what is known of a run now: unknown never hides what was known.

    A status brings its own reason and error along. Costs, where the files tell some, are complete in
    themselves: former attempts are in them.

    >>> merged({"nl_input": "Add x", "status": "failed", "error_message": "e"}, {"status": "completed"})
    {'nl_input': 'Add x', 'status': 'completed', 'error_message': None}
    """
    if stored is None:
        return new
    known = {**stored, **{name: value for name, value in new.items() if value is not None}}
    if new.get("status") != stored.get("status"):
        known.update({name: new.get(name) for name in OF_THE_STATUS if name in known})
    if new.get("cost_data") is not None:
        known.update({name: new.get(name) for name in COST_FIELDS})
    return known


def _attempts(stored: Workflow | None) -> list[AgentRun]:
    """Return the stored agent runs that came out of files: they still count when their files are gone."""
    return [run for run in (stored or {}).get("phase_costs") or () if run.get("path")]


def _row(job: Job, run: Run) -> Workflow:
    own = ("problems", "patterns", "similar_workflows", "cost_data", "first_seen_at", "gone_at", "patterns_count")
    fields = {name: value for name, value in run.workflow.items() if name not in own}
    settled = run.workflow.get("status") != "running"  # a running run is judged again by the clock
    return {
        **fields,
        "project": job.project,
        "agents_dir": str(_home(job.root)),
        "source_state": "present",
        "fingerprint": fingerprint(run.scanned.stamps) if settled else "running",
    }


def _home(root: Path) -> Path:
    return root.absolute()


def _is_ours(job: Job, stored: Any) -> bool:
    return stored.agents_dir is None or stored.agents_dir == str(_home(job.root))


def _conflict(job: Job, stored: Workflow) -> str | None:
    """Say so where another agents folder holds a run of this project and id: it must not be mixed up."""
    other = stored.get("agents_dir")
    if not other or other == str(_home(job.root)):
        return None
    twin = Path(other) / str(stored["id"])
    if not twin.exists() or twin.resolve() == (job.root / str(stored["id"])).resolve():
        return None
    return f"{twin} is a run of the same project and id: name a project for one of them (--project)"


def _mark_what_is_gone(job: Job, found: Scan, known: Mapping[str, Any]) -> None:
    if not job.root.exists():
        return
    here = {*found.unchanged, *found.failed, *(run.workflow["id"] for run in found.runs)}
    unreadable = {problem.path.split("/")[0] for problem in found.problems}
    ours = {run_id: run for run_id, run in known.items() if run.agents_dir == str(_home(job.root))}
    missing = [
        run
        for run_id, run in ours.items()
        if run_id not in here and run_id.split("/")[0] not in unreadable
    ]
    lost = [run.key for run in missing if run.source_state != "gone"]
    back = [ours[run_id].key for run_id in found.unchanged if ours[run_id].source_state == "gone"]
    if lost:
        job.history.mark_gone(lost, job.now)
    if back:
        job.history.mark_present(back)
    job.stats.update(gone=len(missing), newly_gone=len(lost), returned=len(back))


def _record(job: Job) -> None:
    """Note the sync in the history; one that changed nothing leaves the file as it was."""
    counts = job.stats
    wrote = counts["inserted"] + (counts["updated"] - counts["unchanged"]) + counts["newly_gone"] + counts["returned"]
    if wrote or counts.pop("changed", False):
        started = job.now.isoformat()
        job.history.record_sync({**counts, "started_at": started, "duration_seconds": None})


def _add_up(job: Job) -> None:
    """Say what the runs of this folder cost, those of the history as it is now."""
    rows = [
        row
        for row in job.history.figures(["project", "total_cost", "lower_bound_cost", "cost_basis"])
        if row.get("project") == job.project
    ]
    job.stats.pop("changed", None)
    job.stats["enriched"] = sum(1 for row in rows if row.get("total_cost") is not None)
    for name in ("total_cost", "lower_bound_cost"):
        job.stats[name] = _sum(row.get(name) for row in rows)


def _sum(amounts: Iterable[float | None]) -> float | None:
    known = [exact for amount in amounts if (exact := to_decimal(amount)) is not None]
    return to_float(sum(known[1:], known[0])) if known else None


def _no_stats(root: Path, project: str) -> dict[str, Any]:
    counts = ("scanned", "enriched", "inserted", "updated", "unchanged", "failed", "gone", "left_out")
    more = ("newly_gone", "returned", "patterns")
    return {
        **dict.fromkeys((*counts, *more), 0),
        "duration_seconds": 0.0,
        "project": project,
        "agents_dir": str(root),
        "total_cost": None,
        "lower_bound_cost": None,
        "errors": [],
        "left_out_paths": [],
    }
