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
    common: TaskBatch,
    orders: Iterable[ReadTask],
    detector: Detector | None = None,
    engine: ExecutorBackend = LOCAL_PROCESSES,
) -> Iterator[list[ReadResult]]:
    """Yield lists of read results in the order of the read tasks; `common` is a batch without tasks.

    A host's own detector may keep state. With one, all runs are read in this process, one after the other.
    """
    shares = batch_by_size(orders, lambda order: order.folder.size, RUNS_PER_TASK, BYTES_PER_TASK)
    tasks = (common._replace(orders=tuple(some)) for some in shares)
    first = next(tasks, None)
    if first is None:
        return
    work = TaskFunction(partial(read_runs, detector=detector))
    if detector is not None:
        engine = SINGLE_PROCESS
    elif engine.is_remote:
        far = partial(run_remote_task, environment_versions(), common.home, sample_files(first.orders))
        work = TaskFunction(read_runs, far, dump_task, load_results, _apart, _given_up)
    yield from run_tasks(work, chain([first], tasks), _seconds, engine=engine, make_ready=prepare_worker)


def _apart(task: TaskBatch) -> list[TaskBatch]:
    return [task._replace(orders=(order,)) for order in task.orders]


def _given_up(task: TaskBatch, reason: str) -> list[ReadResult]:
    """Return failed results for runs that kill their workers; the stored runs stay, the next sync retries."""
    return [
        ReadResult(order.folder.id, FileTimes(OWN, *order.folder.file_times), errors=[reason])
        for order in task.orders
    ]


def _seconds(task: TaskBatch) -> float:
    return sum(RUN_SECONDS + order.folder.size * BYTE_SECONDS for order in task.orders)
