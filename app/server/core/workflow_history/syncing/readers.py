"""Have runs read, here or by several processes: orders go in, read runs come out in the same order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from ..patterns.host import Detector
from .processes import spread
from .reading import make_ready, read_runs
from .records import Order, ReadRun, Task

TASK_RUNS = 64  # runs in one task at the most
TASK_BYTES = 16 << 20  # bytes of streams from which on a task is full
RUN_SECONDS = 0.001  # that one run takes, whatever its size
BYTE_SECONDS = 1 / 800e6


def read_all(
    common: Task, orders: Iterable[Order], detector: Detector | None = None
) -> Iterator[list[ReadRun]]:
    """Yield what came of the orders, some runs at a time; `common` is a task without orders.

    A host's own detector may keep a state of its own: then all is read in this process.
    """
    work = partial(read_runs, detector=detector)
    return spread(work, _tasks(common, orders), _seconds, here=detector is not None, make_ready=make_ready)


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
