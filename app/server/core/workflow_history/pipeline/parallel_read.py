"""Read runs in this process or by an executor's workers: read tasks in, results out in the same order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain

from ..analysis.patterns.host_detector import Detector
from ..ingest.runs.file_times import OWN, FileTimes
from .read_run import prepare_worker, read_runs
from .tasks import ReadResult, ReadTask, TaskBatch
from .workers.executors import LOCAL_PROCESSES, SINGLE_PROCESS, ExecutorBackend
from .workers.process_pool import batch_by_size, run_tasks
from .workers.remote_worker import (
    dump_task,
    environment_versions,
    load_results,
    run_remote_task,
    sample_files,
)
from .workers.task_dispatcher import TaskFunction

RUNS_PER_TASK = 64  # maximum number of runs in one task
BYTES_PER_TASK = 16 << 20  # a task is full when its streams have this many bytes
RUN_SECONDS = 0.001  # estimated fixed time to read one run
BYTE_SECONDS = 1 / 800e6  # estimated time to read one byte of a stream


def read_all(
    settings: TaskBatch,
    tasks: Iterable[ReadTask],
    detector: Detector | None = None,
    engine: ExecutorBackend = LOCAL_PROCESSES,
) -> Iterator[list[ReadResult]]:
    """Yield lists of read results in the order of the read tasks; `settings` is a batch without tasks.

    A host's own detector may keep state. With one, all runs are read in this process, one after the other.
    """
    lists = batch_by_size(tasks, lambda task: task.folder.size, RUNS_PER_TASK, BYTES_PER_TASK)
    batches = (settings._replace(tasks=tuple(group)) for group in lists)
    first_batch = next(batches, None)
    if first_batch is None:
        return
    function = TaskFunction(partial(read_runs, detector=detector))
    if detector is not None:
        engine = SINGLE_PROCESS
    elif engine.is_remote:
        run_remote = partial(
            run_remote_task, environment_versions(), settings.agents_dir, sample_files(first_batch.tasks)
        )
        function = TaskFunction(read_runs, run_remote, dump_task, load_results, _split_batch, _failed_results)
    yield from run_tasks(
        function, chain([first_batch], batches), _estimated_seconds, engine=engine, make_ready=prepare_worker
    )


def _split_batch(batch: TaskBatch) -> list[TaskBatch]:
    return [batch._replace(tasks=(task,)) for task in batch.tasks]


def _failed_results(batch: TaskBatch, reason: str) -> list[ReadResult]:
    """Return failed results for runs that kill their workers; the stored runs stay, the next sync retries."""
    return [
        ReadResult(task.folder.id, FileTimes(OWN, *task.folder.file_times), errors=[reason])
        for task in batch.tasks
    ]


def _estimated_seconds(batch: TaskBatch) -> float:
    return sum(RUN_SECONDS + task.folder.size * BYTE_SECONDS for task in batch.tasks)
