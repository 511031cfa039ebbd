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
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from ...common.temporary_files import scratch_folder
from .executors import LOCAL_PROCESSES, PREFETCH, ExecutorBackend, cpu_count
from .gc_tuning import GC_THRESHOLDS
from .task_dispatcher import RESOURCE_ERRORS, ResultT, TaskDispatcher, TaskFunction, TaskT

logger = logging.getLogger("workflow_history")

MIN_PARALLEL_SECONDS = 0.3  # estimated work above which processes are started
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
            folder = stack.enter_context(scratch_folder())
            processes = stack.enter_context(_open_processes(engine.name, workers))
        except RESOURCE_ERRORS as error:
            logger.warning("processes_unavailable error=%s", error)
            yield from map(function.run_local, all_tasks)
            return
        run_in_process = partial(_run_into_file, function.run_local, folder)
        in_processes = replace(function, run_in_worker=run_in_process, deserialize=_read_result_file)
        yield from TaskDispatcher(processes, in_processes).results(all_tasks)


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
def _open_processes(name: str, workers: int) -> Iterator[ExecutorBackend]:
    """Fork a pool of processes, all at once; raises one of RESOURCE_ERRORS if that fails."""
    other_processes = set(multiprocessing.active_children())
    expected_threads = threading.active_count() + _POOL_THREADS

    def kill() -> None:
        for process in set(multiprocessing.active_children()) - other_processes:
            process.kill()

    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), initializer=_init_worker)
    try:
        with _logged_thread_errors():
            try:
                with warnings.catch_warnings():
                    # Threads of a library (linear algebra) are no problem: the child starts them again.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    pool.submit(os.getpid)
            except RESOURCE_ERRORS:
                kill()
                raise
            yield ExecutorBackend(
                name,
                executor=pool,
                max_pending=PREFETCH * workers,
                # Without one of its threads, a pool can no longer deliver results.
                is_alive=lambda: threading.active_count() >= expected_threads,
                check_interval=_CHECK_INTERVAL,
                stop=kill,
            )
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _logged_thread_errors() -> Iterator[None]:
    """Log a thread that ends for lack of resources instead of printing it; `is_alive` detects its end."""
    previous_hook = threading.excepthook

    def log_error(thread_error: threading.ExceptHookArgs) -> None:
        if isinstance(thread_error.exc_value, RESOURCE_ERRORS):
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
