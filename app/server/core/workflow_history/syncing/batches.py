"""Have changed runs read and put them together for storing: folders in, batches of read runs out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from ..accounting.claims import elsewhere_of
from ..addresses import below
from ..errors import AgentsFolderError, PlaceUnreachableError, WorkflowHistoryError
from ..models import Problem
from ..patterns.host import Detector, load_detector
from ..places import place
from ..scanning.filetimes import ALONE, COPIED, LIVE, OWN, Dated, Neighbourhood
from ..scanning.found import RunFolder
from ..store.reads import StoredRun
from ..streams.bookmark import Bookmark, unpacked
from .changes import has_grown
from .dates import ask_git
from .job import Job
from .readers import TASK_RUNS, read_all
from .records import Order, ReadRun, Task
from .sharing import as_if_alone

BATCH_RUNS = 2_000  # stored in one transaction at the most
BATCH_SECONDS = 5.0  # of reading for one transaction: so much work a kill undoes at the most

logger = logging.getLogger("workflow_history")


def batches(job: Job, folders: Iterable[RunFolder]) -> Iterator[list[ReadRun]]:
    """Yield what was read, as many runs as one transaction stores; the last batch may be empty."""
    detector, broken = _detector(job)
    common = Task(job.project, job.home, job.now, (), job.host, job.keeps_text)
    batch: list[ReadRun] = []
    begun = job.seconds
    for runs in read_all(common, _orders(job, folders), detector, job.engine):
        for run in runs:
            if _is_stored(job, run):
                run.unlearnt |= broken and bool(run.patterns)
                batch.append(run)
        job.tell("enrich", job.read, job.expected)
        job.tell("score", job.read, job.expected)
        if len(batch) >= BATCH_RUNS or job.seconds - begun >= BATCH_SECONDS:
            yield batch
            batch, begun = [], job.seconds
    yield batch


def _detector(job: Job) -> tuple[Detector | None, bool]:
    """Return the host's own detector, and whether there is one that cannot be used; ours is always asked."""
    try:
        found = load_detector()
    except WorkflowHistoryError as error:
        job.aside.append((None, Problem("core/pattern_detector.py", str(error))))
        logger.error("pattern_detector_broken error=%s", error)  # noqa: TRY400 - its text is the whole story
        return None, True
    return (None if getattr(found, "is_built_in", False) else found), False


def _orders(job: Job, folders: Iterable[RunFolder]) -> Iterator[Order]:
    """Add to the folders what the history knows of their runs."""
    met: dict[str, Dated] = {}
    around = Neighbourhood(job.dated.values())
    left = iter(folders)
    while some := list(islice(left, TASK_RUNS)):
        met |= {folder.id: Dated(None, *folder.written) for folder in some}
        if job.walked == 1 and not job.is_read:  # all of the folder was met, and how it was written may show
            around = Neighbourhood((job.dated | met).values())
        known = {folder.id: job.known[folder.id] for folder in some if folder.id in job.known}
        keys = [run.key for run in known.values()] + [
            key for f in some if f.id not in known and (key := job.keys.get(f.id))
        ]
        claims = job.history.claims(keys)
        stored = job.history.read(keys)
        before = {run["id"]: as_if_alone(run, claims.get(key, ())) for key, run in stored.items()}
        names = {key: run["id"] for key, run in stored.items()}
        elsewhere = {names[key]: elsewhere_of(own) for key, own in claims.items() if key in names}
        marks = _marks(job, known.values())
        shown = _shown_around(job, around, some)
        if not {COPIED, ALONE}.isdisjoint(shown):  # git may date them, and then they are read but once
            ask_git(job)
        for folder, around_it in zip(some, shown, strict=True):
            job.ordered += 1
            committed = job.commits.time_of(folder) if job.commits is not None else None
            if committed is not None:
                job.by_commit.add(folder.id)
            yield Order(
                folder,
                before.get(folder.id),
                marks.get(folder.id, {}),
                around_it,
                committed,
                _is_foreign(job, known.get(folder.id)),
                _twin(job, known.get(folder.id)),
                has_grown(known.get(folder.id), folder, job.home),
                elsewhere.get(folder.id, {}),
            )


def _shown_around(job: Job, around: Neighbourhood, some: Sequence[RunFolder]) -> list[str]:
    """Return what the runs beside each show of its file times; while a folder is read, more may come."""
    met = [Dated(None, *folder.written) for folder in some]
    if job.is_read:
        return [around.judge(job.dated.get(folder.id, own)) for folder, own in zip(some, met, strict=True)]
    if job.walked == 1:
        return [around.judge(own) for own in met]
    beside = Neighbourhood(met)
    copied = (around.was_copied(own.first, own.last) or beside.was_copied(own.first, own.last) for own in met)
    return [COPIED if is_copied else OWN for is_copied in copied]


def _marks(job: Job, runs: Iterable[StoredRun]) -> dict[str, dict[str, Bookmark]]:
    names = {run.key: run.id for run in runs if run.agents_dir == job.home}
    return {
        names[key]: {path: unpacked(mark) for path, mark in of_run.items()}
        for key, of_run in job.history.stream_marks(list(names)).items()
    }


def _twin(job: Job, stored: StoredRun | None) -> str | None:
    """Return the folder of another agents folder here that is a run of this project and id too."""
    if stored is None or not stored.agents_dir or stored.agents_dir == job.home or _is_foreign(job, stored):
        return None
    try:
        twin = place(stored.agents_dir) / stored.id
        is_another = twin.exists() and twin.resolve() != (job.root / stored.id).resolve()
    except (AgentsFolderError, PlaceUnreachableError):  # it may well be there
        return below(stored.agents_dir, stored.id)
    return str(twin) if is_another else None


def _is_foreign(job: Job, stored: StoredRun | None) -> bool:
    """Tell whether a known run was found on another machine: there, its folder may be another one."""
    return stored is not None and stored.found_on not in job.machines


def _is_stored(job: Job, run: ReadRun) -> bool:
    """Take note of what came of a run; tell whether there is anything to store."""
    job.read += 1
    job.same.discard(run.id)
    if run.twin is not None:
        job.refuse(run.id, run.twin)
        return False
    again = job.is_read  # its troubles are counted already
    troubles = [job.trouble(run.id, reason, again=again) for reason in run.troubles]
    job.stats["unread"] += 0 if again else len(run.refused)
    if run.parts is not None:
        job.take_note_of_secrets({} if again else run.secrets)
        job.dated[run.id] = run.dated
        if run.is_undated and run.dated.file_times != LIVE:
            job.undated.add(run.id)
        run.problems = (*run.problems, *troubles)
        return True
    if run.is_none:
        job.seen.discard(run.id)
        if run.left_out is not None:
            job.no_runs.append((run.left_out, run.problems))
    else:
        job.stats["failed"] += not run.troubles
        job.put_aside(run.id, run.problems)
        job.aside.extend((run.id, problem) for problem in troubles)
    return False
