"""Have work done, here or by several processes: tasks go in, what comes of each in the same order out.

Processes pay only where there is much to do, so the first tasks are held back until that shows.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain
from typing import TypeVar

TaskT = TypeVar("TaskT")
DoneT = TypeVar("DoneT")

logger = logging.getLogger("workflow_history")

PAYS_FROM = 0.3  # seconds of work
AHEAD = 3  # tasks handed out for each process


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
    with _processes() as pool:
        yield from _handed_out(pool, work, every)


def _handed_out(pool: Executor, work: Callable[[TaskT], DoneT], tasks: Iterable[TaskT]) -> Iterator[DoneT]:
    """Keep every process busy, and no more: what is done waits in memory until it is taken.

    Where a process is killed, this one does what is left.
    """
    waiting: deque[tuple[TaskT, Future[DoneT]]] = deque()
    left = iter(tasks)
    try:
        for task in left:
            waiting.append((task, pool.submit(work, task)))
            if len(waiting) > AHEAD * _cores():
                yield waiting[0][1].result()
                waiting.popleft()
        while waiting:
            yield waiting[0][1].result()
            waiting.popleft()
    except BrokenProcessPool:
        logger.warning("process_killed tasks_left=%d", len(waiting))
        yield from map(work, chain([task for task, _ in waiting], left))


@contextmanager
def _processes() -> Iterator[Executor]:
    pool = ProcessPoolExecutor(_cores(), multiprocessing.get_context("fork"), initializer=_begin)
    with warnings.catch_warnings():
        # A library's own threads (a linear algebra's) do not mind: they are made anew in the child.
        warnings.simplefilter("ignore", DeprecationWarning)
        pool.submit(os.getpid).result()
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Settle into a new process: interrupts are its parent's to handle, and what was there is no garbage."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def can_fork() -> bool:
    """Tell whether this process may be forked: started otherwise, one would run the caller's script again."""
    return sys.platform == "linux" and _cores() > 1 and threading.active_count() == 1
