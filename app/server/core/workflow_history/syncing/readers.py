"""Have runs read, here or by several processes: orders go in, read runs come out in the same order.

Processes pay only where there is much to read, so the first orders are held back until that shows.
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
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import chain

from ..patterns.host import Detector
from .reading import read_runs
from .records import Order, ReadRun, Task

logger = logging.getLogger("workflow_history")

TASK_RUNS = 64  # runs in one task at the most
TASK_BYTES = 16 << 20  # bytes of streams from which on a task is full
PAYS_FROM = 0.3  # seconds of work
RUN_SECONDS = 0.001  # that one run takes, whatever its size
BYTE_SECONDS = 1 / 800e6
AHEAD = 3  # tasks handed out for each process


def read_all(
    common: Task, orders: Iterable[Order], detector: Detector | None = None
) -> Iterator[list[ReadRun]]:
    """Yield what came of the orders, some runs at a time; `common` is a task without orders.

    A host's own detector may keep a state of its own: then all is read in this process.
    """
    tasks = _tasks(common, orders)
    first, work = [], 0.0
    for task in tasks:
        first.append(task)
        work += _seconds(task)
        if work > PAYS_FROM:
            break
    several = work > PAYS_FROM and detector is None and _can_fork()
    with _processes() if several else _no_processes() as pool:
        every = chain(first, tasks)
        yield from _handed_out(pool, every) if pool else map(partial(read_runs, detector=detector), every)


def _tasks(common: Task, orders: Iterable[Order]) -> Iterator[Task]:
    some: list[Order] = []
    size = 0
    for order in orders:
        some.append(order)
        size += order.folder.size
        if len(some) >= TASK_RUNS or size >= TASK_BYTES:
            yield common._replace(orders=tuple(some))
            some, size = [], 0
    if some:
        yield common._replace(orders=tuple(some))


def _seconds(task: Task) -> float:
    return sum(RUN_SECONDS + order.folder.size * BYTE_SECONDS for order in task.orders)


def _handed_out(pool: Executor, tasks: Iterable[Task]) -> Iterator[list[ReadRun]]:
    """Keep every process busy, and no more: what is read waits in memory until it is stored."""
    waiting: deque[tuple[Task, Future[list[ReadRun]]]] = deque()
    left = iter(tasks)
    try:
        for task in left:
            waiting.append((task, pool.submit(read_runs, task)))
            if len(waiting) > AHEAD * _cores():
                yield waiting[0][1].result()
                waiting.popleft()
        while waiting:
            yield waiting[0][1].result()
            waiting.popleft()
    except BrokenProcessPool:
        logger.warning("reader_killed tasks_left=%d", len(waiting))
        yield from map(read_runs, chain((task for task, _ in waiting), left))


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


@contextmanager
def _no_processes() -> Iterator[None]:
    yield None


def _begin() -> None:
    """Settle into a new process: interrupts are its parent's to handle, and what was there is no garbage."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _can_fork() -> bool:
    """Tell whether this process may be forked: started otherwise, one would run the caller's script again."""
    return sys.platform == "linux" and _cores() > 1 and threading.active_count() == 1
