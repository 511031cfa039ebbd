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
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any, TypeVar

from .garbage import OFTEN_ENOUGH

TaskT = TypeVar("TaskT")
DoneT = TypeVar("DoneT")

logger = logging.getLogger("workflow_history")

PAYS_FROM = 0.3  # seconds of work
AHEAD = 3  # tasks handed out for each process
_PARENT_DEATH_SIGNAL = 1  # prctl's name for it, on Linux


def spread(
    work: Callable[[TaskT], DoneT],
    tasks: Iterable[TaskT],
    seconds: Callable[[TaskT], float],
    *,
    here: bool = False,
    make_ready: Callable[[], None] = lambda: None,
) -> Iterator[DoneT]:
    """Yield what `work` makes of each task; `seconds` says how long one takes, about.

    `work`, tasks and results must be such that they can be pickled. `here`: in this process, in any case.
    `make_ready` loads what every process needs: those forked from this one share it.
    """
    left = iter(tasks)
    first, expected = [], 0.0
    for task in left:
        first.append(task)
        expected += seconds(task)
        if expected > PAYS_FROM:
            break
    every = chain(first, left)
    if here or expected <= PAYS_FROM or not can_fork():
        yield from map(work, every)
        return
    make_ready()
    with _processes() as pool, TemporaryDirectory(prefix="workflow-history-") as folder:
        yield from _handed_out(pool, partial(_into_file, work, folder), work, every)


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
) -> Iterator[DoneT]:
    """Keep every process busy, and no more: what is done waits until it is taken.

    Where a process is killed, this one does what is left.
    """
    waiting: deque[tuple[TaskT, Future[str]]] = deque()
    at_hand: list[TaskT] = []
    left = iter(tasks)
    try:
        _start(pool)
        for task in left:
            at_hand.append(task)
            waiting.append((task, pool.submit(far, task)))
            at_hand.clear()
            if len(waiting) > AHEAD * _cores():
                yield _out_of_file(waiting[0][1].result())
                waiting.popleft()
        while waiting:
            yield _out_of_file(waiting[0][1].result())
            waiting.popleft()
    except BrokenProcessPool:
        rest = [*(task for task, _ in waiting), *at_hand]
        logger.warning("process_killed tasks_left=%d", len(rest))
        yield from map(near, chain(rest, left))


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
def _processes() -> Iterator[Executor]:
    pool = ProcessPoolExecutor(_cores(), multiprocessing.get_context("fork"), initializer=_begin)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _start(pool: Executor) -> None:
    """Have the processes forked, all of them at once."""
    with warnings.catch_warnings():
        # A library's own threads (a linear algebra's) do not mind: they are made anew in the child.
        warnings.simplefilter("ignore", DeprecationWarning)
        pool.submit(os.getpid).result()


def _begin() -> None:
    """Settle into a new process: interrupts are its parent's to handle, and it ends when its parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    gc.freeze()  # what was there before is no garbage
    gc.set_threshold(*OFTEN_ENOUGH)


def end_with_parent() -> None:
    """Have the system end this process when the thread that started it ends; only Linux does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def can_fork() -> bool:
    """Tell whether this process may be forked: started otherwise, one would run the caller's script again.

    One of a `multiprocessing.Pool` may have no processes of its own.
    """
    alone = threading.active_count() == 1 and not multiprocessing.current_process().daemon
    return sys.platform == "linux" and _cores() > 1 and alone
