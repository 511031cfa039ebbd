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
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

from .cores import cores
from .engines import AHEAD, HERE, Engine
from .garbage import OFTEN_ENOUGH
from .handing import Handing
from .work import DoneT, TaskT, Work

logger = logging.getLogger("workflow_history")

PAYS_FROM = 0.3  # seconds of work
_LOST = (RuntimeError, OSError, MemoryError)
"""What other processes raise, or starting them does, where the system has no more of something to give."""

_PARENT_DEATH_SIGNAL = 1  # prctl's name for it, on Linux


def spread(
    work: Work[TaskT, DoneT],
    tasks: Iterable[TaskT],
    seconds: Callable[[TaskT], float],
    *,
    engine: Engine = HERE,
    make_ready: Callable[[], None] = lambda: None,
) -> Iterator[DoneT]:
    """Yield what `work` makes of each task; `seconds` says how long one takes, about.

    `make_ready` loads what every process needs: those forked from this one, and its threads, share it.
    """
    if engine.executor is not None:
        make_ready()
        yield from Handing(engine, work).results(tasks)
        return
    workers = engine.workers or cores()
    left = iter(tasks)
    first, expected = [], 0.0
    for task in left:
        first.append(task)
        expected += seconds(task)
        if expected > PAYS_FROM:
            break
    every = chain(first, left)
    if workers == 1 or expected <= PAYS_FROM or not can_fork():
        yield from map(work.here, every)
        return
    make_ready()
    with ExitStack() as stack:
        try:
            pool = stack.enter_context(_processes(workers))
            folder = stack.enter_context(
                TemporaryDirectory(prefix="workflow-history-", ignore_cleanup_errors=True)
            )
        except _LOST as error:
            logger.warning("no_processes error=%s", error)
            yield from map(work.here, every)
            return
        yield from _handed_out(pool, partial(_into_file, work.here, folder), work.here, every, workers)


def shared_out(
    items: Iterable[TaskT], size: Callable[[TaskT], int], most: int, full_from: int
) -> Iterator[list[TaskT]]:
    """Yield the items in shares of at most `most`, each full when its sizes add up to `full_from`.

    >>> list(shared_out([1, 2, 9, 1], lambda number: number, 2, 8))
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
    pool: Executor,
    far: Callable[[TaskT], str],
    near: Callable[[TaskT], DoneT],
    tasks: Iterable[TaskT],
    workers: int,
) -> Iterator[DoneT]:
    """Keep every process busy, and no more: what is done waits until it is taken.

    Where a process is killed, or has no room for what it did, this one does what is left.
    """
    waiting: deque[tuple[TaskT, Future[str]]] = deque()
    left = iter(tasks)
    works = _start(pool)
    for task in left:
        try:
            handed_out = pool.submit(far, task) if works else _nothing()
        except _LOST:
            works, handed_out = False, _nothing()
        waiting.append((task, handed_out))
        while waiting and (len(waiting) > AHEAD * workers or not works):
            done, works = _taken(*waiting.popleft(), near, works=works)
            yield done
    while waiting:
        done, works = _taken(*waiting.popleft(), near, works=works)
        yield done


def _nothing() -> Future[str]:
    """Return what nobody works at."""
    future: Future[str] = Future()
    future.set_exception(BrokenProcessPool())
    return future


def _taken(
    task: TaskT, handed_out: Future[str], near: Callable[[TaskT], DoneT], *, works: bool
) -> tuple[DoneT, bool]:
    """Return what came of a task, done here where nothing came of it; and whether the processes still work."""
    try:
        return _out_of_file(handed_out.result()), works
    except _LOST as error:
        if works:
            logger.warning("process_lost error=%r", error)
        return near(task), works and not isinstance(error, BrokenProcessPool)


def _into_file(work: Callable[[TaskT], Any], folder: str, task: TaskT) -> str:
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
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _start(pool: Executor) -> bool:
    """Have the processes forked, all of them at once; tell whether there are any."""
    before = set(multiprocessing.active_children())
    with warnings.catch_warnings():
        # A library's own threads (a linear algebra's) do not mind: they are made anew in the child.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            pool.submit(os.getpid).result()
        except _LOST as error:
            logger.warning("no_processes error=%r", error)
            for process in set(multiprocessing.active_children()) - before:
                process.kill()  # nobody would ever tell it to end
            return False
    return True


def _begin() -> None:
    """Settle into a new process: interrupts are its parent's to handle, and it ends when its parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent()
    gc.freeze()  # what was there before is no garbage
    gc.set_threshold(*OFTEN_ENOUGH)


def end_with_parent() -> None:
    """Have the system end this process when the thread that started it ends; only Linux does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def can_fork() -> bool:
    """Tell whether this process may be forked: started otherwise, one would run the caller's script again.

    One of a `multiprocessing.Pool` may have no processes of its own.
    """
    alone = threading.active_count() == 1 and not multiprocessing.current_process().daemon
    return sys.platform == "linux" and cores() > 1 and alone
