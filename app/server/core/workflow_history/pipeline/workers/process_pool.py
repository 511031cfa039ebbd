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
_LOST = (RuntimeError, OSError, MemoryError)
"""Errors of other processes, or of starting them, if the system runs out of a resource."""

_PATIENCE = 1.0  # seconds of waiting between checks that the threads of the pool still run

_THREADS = 2  # threads of this process with which a pool submits tasks and receives results
_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl, on Linux


def run_tasks(
    work: TaskFunction[TaskT, ResultT],
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
        yield from TaskDispatcher(engine, work).results(tasks)
        return
    workers = engine.workers or cpu_count()
    left = iter(tasks)
    first, expected = [], 0.0
    for task in left:
        first.append(task)
        expected += seconds(task)
        if expected > MIN_PARALLEL_SECONDS:
            break
    every = chain(first, left)
    if workers == 1 or expected <= MIN_PARALLEL_SECONDS or not can_fork():
        yield from map(work.run_local, every)
        return
    make_ready()
    with ExitStack() as stack:
        try:
            pool = stack.enter_context(_processes(workers))
            folder = stack.enter_context(scratch_folder())
        except _LOST as error:
            logger.warning("no_processes error=%s", error)
            yield from map(work.run_local, every)
            return
        team = _ProcessPool(pool, partial(_into_file, work.run_local, folder), workers)
        yield from _handed_out(team, work.run_local, every)


def batch_by_size(
    items: Iterable[TaskT], size: Callable[[TaskT], int], most: int, full_from: int
) -> Iterator[list[TaskT]]:
    """Yield the items in lists of at most `most`; a list is full when its sizes add up to `full_from`.

    >>> list(batch_by_size([1, 2, 9, 1], lambda number: number, 2, 8))
    [[1, 2], [9], [1]]
    """
    some: list[TaskT] = []
    total = 0
    for item in items:
        some.append(item)
        total += size(item)
        if len(some) >= most or total >= full_from:
            yield some
            some, total = [], 0
    if some:
        yield some


def _handed_out(
    team: _ProcessPool[TaskT], near: Callable[[TaskT], ResultT], tasks: Iterable[TaskT]
) -> Iterator[ResultT]:
    """Submit just enough tasks to keep every process busy, and yield the results in order.

    If a process is killed or runs out of memory or disk space, this process runs the remaining tasks.
    """
    waiting: deque[tuple[TaskT, Future[str] | None]] = deque()
    team.start()
    for task in tasks:
        waiting.append((task, team.submit(task)))
        while waiting and (len(waiting) > PREFETCH * team.workers or not team.works):
            yield _done(team, near, *waiting.popleft())
    while waiting:
        yield _done(team, near, *waiting.popleft())


def _done(
    team: _ProcessPool[TaskT], near: Callable[[TaskT], ResultT], task: TaskT, handed_out: Future[str] | None
) -> ResultT:
    """Return the result of a task; run it in this process if the pool lost it."""
    try:
        done: ResultT = team.result(handed_out)
    except _LOST:
        return near(task)
    return done


class _ProcessPool(Generic[TaskT]):
    """Pool of forked processes that stops itself if the system runs out of resources."""

    def __init__(self, pool: Executor, far: Callable[[TaskT], str], workers: int) -> None:
        self.works = True
        self.workers = workers
        self._pool = pool
        self._far = far
        self._others = set(multiprocessing.active_children())
        self._threads = 0  # expected number of threads of this process

    def start(self) -> None:
        """Fork all processes at once."""
        with warnings.catch_warnings():
            # Threads of a library (linear algebra) are no problem: the child starts them again.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._threads = threading.active_count() + _THREADS
            try:
                self._wait(self._pool.submit(os.getpid))
            except _LOST as error:
                self._abandon(error)

    def submit(self, task: TaskT) -> Future[str] | None:
        """Submit a task to the pool; return None if this process must run it."""
        try:
            return self._pool.submit(self._far, task) if self.works else None
        except _LOST as error:
            self._abandon(error)
            return None

    def result(self, handed_out: Future[str] | None) -> Any:
        """Return the result of a task; raise one of _LOST if there is none."""
        if handed_out is None:
            raise BrokenProcessPool
        try:
            return _out_of_file(self._wait(handed_out))
        except BrokenProcessPool as error:
            self._abandon(error)
            raise

    def _wait(self, handed_out: Future[ResultT]) -> ResultT:
        """Wait for a result; give up if a thread of the pool died, since it can no longer deliver one."""
        while True:
            try:
                return handed_out.result(timeout=_PATIENCE)
            except TimeoutError:
                if handed_out.done():
                    raise  # the TimeoutError of the task itself
                if threading.active_count() < self._threads:
                    raise BrokenProcessPool from None

    def _abandon(self, error: BaseException) -> None:
        """Kill the processes, since a broken pool may never end them."""
        if self.works:
            logger.warning("processes_lost error=%r", error)
        self.works = False
        for process in set(multiprocessing.active_children()) - self._others:
            process.kill()


def _into_file(work: Callable[[TaskT], Any], folder: Path, task: TaskT) -> str:
    """Run a task, write its result to a file and return the file's name.

    With a pipe, a process killed while writing would leave its reader waiting for the rest.
    """
    with NamedTemporaryFile(dir=folder, delete=False) as file:
        pickle.dump(work(task), file, pickle.HIGHEST_PROTOCOL)
    return file.name


def _out_of_file(name: str) -> Any:
    file = Path(name)
    done = pickle.loads(file.read_bytes())  # noqa: S301 - written by our own processes to a private folder
    file.unlink()
    return done


@contextmanager
def _processes(workers: int) -> Iterator[Executor]:
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), initializer=_begin)
    try:
        with _calm_threads():
            yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _calm_threads() -> Iterator[None]:
    """Log a thread that ends for lack of resources instead of printing it; `_wait` detects that it ended."""
    usual = threading.excepthook

    def told(lost: threading.ExceptHookArgs) -> None:
        if isinstance(lost.exc_value, _LOST):
            logger.warning("thread_lost error=%r", lost.exc_value)
        else:
            usual(lost)

    threading.excepthook = told
    try:
        yield
    finally:
        threading.excepthook = usual


def _begin() -> None:
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
    alone = threading.active_count() == 1 and not multiprocessing.current_process().daemon
    return sys.platform == "linux" and cpu_count() > 1 and alone
