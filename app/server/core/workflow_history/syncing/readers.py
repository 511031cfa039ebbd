"""Have runs read, here or by several processes: orders go in, read runs come out in the same order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from ..patterns.host import Detector
from .processes import shared_out, spread
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
    shares = shared_out(orders, lambda order: order.folder.size, TASK_RUNS, TASK_BYTES)
    tasks = (common._replace(orders=tuple(some)) for some in shares)
    return spread(work, tasks, _seconds, here=detector is not None, make_ready=make_ready)


def _seconds(task: Task) -> float:
    return sum(RUN_SECONDS + order.folder.size * BYTE_SECONDS for order in task.orders)
