"""Have work done, here or by several processes: tasks go in, what comes of each in the same order out.

Processes pay only where there is much to do, so the first tasks are held back until that shows.
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

MIN_PARALLEL_SECONDS = 0.3  # seconds of work
_LOST = (RuntimeError, OSError, MemoryError)
"""What other processes raise, or starting them does, where the system has no more of something to give."""

_PATIENCE = 1.0  # seconds after which it is looked whether there is anybody to wait for

_THREADS = 2  # of this process, by which a pool hands out tasks and takes in what came of them
_PARENT_DEATH_SIGNAL = 1  # prctl's name for it, on Linux


def run_tasks(
    work: TaskFunction[TaskT, ResultT],
    tasks: Iterable[TaskT],
    seconds: Callable[[TaskT], float],
    *,
    engine: ExecutorBackend = LOCAL_PROCESSES,
    make_ready: Callable[[], None] = lambda: None,
) -> Iterator[ResultT]:
    """Yield what `work` makes of each task; `seconds` says how long one takes, about.

    `prepare_worker` loads what every process needs: those forked from this one, and its threads, share it.
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
    """Yield the items in shares of at most `most`, each full when its sizes add up to `full_from`.

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
    """Keep every process busy, and no more: what is done waits until it is taken.

    Where a process is killed, or has no room for what it did, this one does what is left.
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
    """Return what came of a task, done here where nothing came of it."""
    try:
        done: ResultT = team.result(handed_out)
    except _LOST:
        return near(task)
    return done


class _ProcessPool(Generic[TaskT]):
    """Processes that work beside this one, for as long as the system lets them."""

    def __init__(self, pool: Executor, far: Callable[[TaskT], str], workers: int) -> None:
        self.works = True
        self.workers = workers
        self._pool = pool
        self._far = far
        self._others = set(multiprocessing.active_children())
        self._threads = 0  # of this process, as long as all is well

    def start(self) -> None:
        """Have the processes forked, all of them at once."""
        with warnings.catch_warnings():
            # A library's own threads (a linear algebra's) do not mind: they are made anew in the child.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._threads = threading.active_count() + _THREADS
            try:
                self._wait(self._pool.submit(os.getpid))
            except _LOST as error:
                self._abandon(error)

    def submit(self, task: TaskT) -> Future[str] | None:
        """Have one of the processes do a task; None: it is to be done here."""
        try:
            return self._pool.submit(self._far, task) if self.works else None
        except _LOST as error:
            self._abandon(error)
            return None

    def result(self, handed_out: Future[str] | None) -> Any:
        """Return what came of a task; raises one of _LOST where nothing did."""
        if handed_out is None:
            raise BrokenProcessPool
        try:
            return _out_of_file(self._wait(handed_out))
        except BrokenProcessPool as error:
            self._abandon(error)
            raise

    def _wait(self, handed_out: Future[ResultT]) -> ResultT:
        """Wait, but not for ever: a thread that found no memory never brings what a process did."""
        while True:
            try:
                return handed_out.result(timeout=_PATIENCE)
            except TimeoutError:
                if handed_out.done():
                    raise  # the task's own
                if threading.active_count() < self._threads:
                    raise BrokenProcessPool from None

    def _abandon(self, error: BaseException) -> None:
        """End the processes: nobody might ever tell them to end."""
        if self.works:
            logger.warning("processes_lost error=%r", error)
        self.works = False
        for process in set(multiprocessing.active_children()) - self._others:
            process.kill()


def _into_file(work: Callable[[TaskT], Any], folder: Path, task: TaskT) -> str:
    """Do a task and leave what comes of it in a file; return its name.

    Through a pipe, a process that is killed while it writes would leave its reader waiting for the rest.
    """
    with NamedTemporaryFile(dir=folder, delete=False) as file:
        pickle.dump(work(task), file, pickle.HIGHEST_PROTOCOL)
    return file.name


def _out_of_file(name: str) -> Any:
    file = Path(name)
    done = pickle.loads(file.read_bytes())  # noqa: S301 - our own, in a folder of our own
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
    """Have a thread that the system has nothing left for end with a line in the log: who waits notices."""
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
    """Settle into a new process: interrupts are its parent's to handle, and it ends when its parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent()
    gc.freeze()  # what was there before is no garbage
    gc.set_threshold(*GC_THRESHOLDS)


def die_with_parent() -> None:
    """Have the system end this process when the thread that started it ends; only Linux does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def can_fork() -> bool:
    """Return whether this process may be forked: started otherwise, one would run the caller's script again.

    One of a `multiprocessing.Pool` may have no processes of its own.
    """
    alone = threading.active_count() == 1 and not multiprocessing.current_process().daemon
    return sys.platform == "linux" and cpu_count() > 1 and alone
