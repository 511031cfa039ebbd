"""Run tasks in this process or in several, and yield their results in order.

Processes only pay off for much work, so tasks are collected until their estimated time is long enough.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Generic

from ...common.temporary_files import scratch_folder
from .executors import LOCAL_PROCESSES, PREFETCH, ExecutorBackend, cpu_count
from .gc_tuning import GC_THRESHOLDS
from .task_dispatcher import ResultT, TaskDispatcher, TaskFunction, TaskT

logger = logging.getLogger("workflow_history")

MIN_PARALLEL_SECONDS = 0.3  # estimated work above which processes are started
_RESOURCE_ERRORS = (RuntimeError, OSError, MemoryError)
"""Errors of other processes, or of starting them, if the system runs out of a resource."""

_CHECK_INTERVAL = 1.0  # seconds of waiting between checks that the threads of the pool still run

_POOL_THREADS = 2  # threads of this process with which a pool submits tasks and receives results
_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl, on Linux


def run_tasks(
    function: TaskFunction[TaskT, ResultT],
    tasks: Iterable[TaskT],
    seconds: Callable[[TaskT], float],
    *,
    engine: ExecutorBackend = LOCAL_PROCESSES,
    make_ready: Callable[[], None] = lambda: None,
) -> Iterator[ResultT]:
    """Run tasks and yield their results in order; `seconds` estimates the time of one task.

    `make_ready` loads data that every process needs. Forked processes and threads of this one share it.
    """
    if engine.executor is not None:
        make_ready()
        yield from TaskDispatcher(engine, function).results(tasks)
        return
    workers = engine.workers or cpu_count()
    remaining = iter(tasks)
    first_tasks, expected_seconds = [], 0.0
    for task in remaining:
        first_tasks.append(task)
        expected_seconds += seconds(task)
        if expected_seconds > MIN_PARALLEL_SECONDS:
            break
    all_tasks = chain(first_tasks, remaining)
    if workers == 1 or expected_seconds <= MIN_PARALLEL_SECONDS or not can_fork():
        yield from map(function.run_local, all_tasks)
        return
    make_ready()
    with ExitStack() as stack:
        try:
            executor = stack.enter_context(_open_pool(workers))
            folder = stack.enter_context(scratch_folder())
        except _RESOURCE_ERRORS as error:
            logger.warning("no_processes error=%s", error)
            yield from map(function.run_local, all_tasks)
            return
        run_in_process = partial(_run_into_file, function.run_local, folder)
        pool = _ProcessPool(executor, run_in_process, workers)
        yield from _run_in_pool(pool, function.run_local, all_tasks)


def batch_by_size(
    items: Iterable[TaskT], size: Callable[[TaskT], int], max_items: int, max_size: int
) -> Iterator[list[TaskT]]:
    """Yield the items in lists of at most `max_items`; a list is full when its sizes add up to `max_size`.

    >>> list(batch_by_size([1, 2, 9, 1], lambda number: number, 2, 8))
    [[1, 2], [9], [1]]
    """
    batch: list[TaskT] = []
    total = 0
    for item in items:
        batch.append(item)
        total += size(item)
        if len(batch) >= max_items or total >= max_size:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def _run_in_pool(
    pool: _ProcessPool[TaskT], run_local: Callable[[TaskT], ResultT], tasks: Iterable[TaskT]
) -> Iterator[ResultT]:
    """Submit just enough tasks to keep every process busy, and yield the results in order.

    If a process is killed or runs out of memory or disk space, this process runs the remaining tasks.
    """
    pending: deque[tuple[TaskT, Future[str] | None]] = deque()
    pool.start()
    for task in tasks:
        pending.append((task, pool.submit(task)))
        while pending and (len(pending) > PREFETCH * pool.workers or not pool.is_working):
            yield _result_or_run(pool, run_local, *pending.popleft())
    while pending:
        yield _result_or_run(pool, run_local, *pending.popleft())


def _result_or_run(
    pool: _ProcessPool[TaskT], run_local: Callable[[TaskT], ResultT], task: TaskT, future: Future[str] | None
) -> ResultT:
    """Return the result of a task; run it in this process if the pool lost it."""
    try:
        result: ResultT = pool.result(future)
    except _RESOURCE_ERRORS:
        return run_local(task)
    return result


class _ProcessPool(Generic[TaskT]):
    """Pool of forked processes that stops itself if the system runs out of resources."""

    def __init__(self, pool: Executor, run_in_process: Callable[[TaskT], str], workers: int) -> None:
        self.is_working = True
        self.workers = workers
        self._pool = pool
        self._run_in_process = run_in_process
        self._other_processes = set(multiprocessing.active_children())
        self._expected_threads = 0  # expected number of threads of this process

    def start(self) -> None:
        """Fork all processes at once."""
        with warnings.catch_warnings():
            # Threads of a library (linear algebra) are no problem: the child starts them again.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._expected_threads = threading.active_count() + _POOL_THREADS
            try:
                self._wait(self._pool.submit(os.getpid))
            except _RESOURCE_ERRORS as error:
                self._kill_processes(error)

    def submit(self, task: TaskT) -> Future[str] | None:
        """Submit a task to the pool; return None if this process must run it."""
        try:
            return self._pool.submit(self._run_in_process, task) if self.is_working else None
        except _RESOURCE_ERRORS as error:
            self._kill_processes(error)
            return None

    def result(self, future: Future[str] | None) -> Any:
        """Return the result of a task; raise one of _LOST if there is none."""
        if future is None:
            raise BrokenProcessPool
        try:
            return _read_result_file(self._wait(future))
        except BrokenProcessPool as error:
            self._kill_processes(error)
            raise

    def _wait(self, future: Future[ResultT]) -> ResultT:
        """Wait for a result; give up if a thread of the pool died, since it can no longer deliver one."""
        while True:
            try:
                return future.result(timeout=_CHECK_INTERVAL)
            except TimeoutError:
                if future.done():
                    raise  # the TimeoutError of the task itself
                if threading.active_count() < self._expected_threads:
                    raise BrokenProcessPool from None

    def _kill_processes(self, error: BaseException) -> None:
        """Kill the processes, since a broken pool may never end them."""
        if self.is_working:
            logger.warning("processes_lost error=%r", error)
        self.is_working = False
        for process in set(multiprocessing.active_children()) - self._other_processes:
            process.kill()


def _run_into_file(run_local: Callable[[TaskT], Any], folder: Path, task: TaskT) -> str:
    """Run a task, write its result to a file and return the file's name.

    With a pipe, a process killed while writing would leave its reader waiting for the rest.
    """
    with NamedTemporaryFile(dir=folder, delete=False) as file:
        pickle.dump(run_local(task), file, pickle.HIGHEST_PROTOCOL)
    return file.name


def _read_result_file(name: str) -> Any:
    file = Path(name)
    result = pickle.loads(file.read_bytes())  # noqa: S301 - written by our own processes to a private folder
    file.unlink()
    return result


@contextmanager
def _open_pool(workers: int) -> Iterator[Executor]:
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), initializer=_init_worker)
    try:
        with _logged_thread_errors():
            yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _logged_thread_errors() -> Iterator[None]:
    """Log a thread that ends for lack of resources instead of printing it; `_wait` detects that it ended."""
    previous_hook = threading.excepthook

    def log_error(thread_error: threading.ExceptHookArgs) -> None:
        if isinstance(thread_error.exc_value, _RESOURCE_ERRORS):
            logger.warning("thread_lost error=%r", thread_error.exc_value)
        else:
            previous_hook(thread_error)

    threading.excepthook = log_error
    try:
        yield
    finally:
        threading.excepthook = previous_hook


def _init_worker() -> None:
    """Initialize a worker process: ignore interrupts, which its parent handles, and end with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent()
    gc.freeze()  # inherited objects need no collection
    gc.set_threshold(*GC_THRESHOLDS)


def die_with_parent() -> None:
    """Let Linux kill this process when the thread that started it ends; no effect on other systems."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def can_fork() -> bool:
    """Return whether this process can use forked processes: on Linux, with several CPUs and one thread.

    Other start methods would run the caller's script again. A daemonic process, such as a worker of a
    `multiprocessing.Pool`, must not have child processes.
    """
    is_single_threaded = threading.active_count() == 1 and not multiprocessing.current_process().daemon
    return sys.platform == "linux" and cpu_count() > 1 and is_single_threaded
