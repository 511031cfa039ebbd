"""Have runs read, here or by an engine's workers: orders go in, read runs come out in the same order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain

from ..patterns.host import Detector
from ..scanning.filetimes import OWN, Dated
from .engines import ALONE, HERE, Engine
from .processes import shared_out, spread
from .reading import make_ready, read_runs
from .records import Order, ReadRun, Task
from .work import Work
from .workers import packed, read_far, samples_of, unpacked, versions

TASK_RUNS = 64  # runs in one task at the most
TASK_BYTES = 16 << 20  # bytes of streams from which on a task is full
RUN_SECONDS = 0.001  # that one run takes, whatever its size
BYTE_SECONDS = 1 / 800e6


def read_all(
    common: Task, orders: Iterable[Order], detector: Detector | None = None, engine: Engine = HERE
) -> Iterator[list[ReadRun]]:
    """Yield what came of the orders, some runs at a time; `common` is a task without orders.

    A host's own detector may keep a state of its own: then all is read in this process, one after the other.
    """
    shares = shared_out(orders, lambda order: order.folder.size, TASK_RUNS, TASK_BYTES)
    tasks = (common._replace(orders=tuple(some)) for some in shares)
    first = next(tasks, None)
    if first is None:
        return
    work = Work(partial(read_runs, detector=detector))
    if detector is not None:
        engine = ALONE
    elif engine.is_elsewhere:
        far = partial(read_far, versions(), common.home, samples_of(first.orders))
        work = Work(read_runs, far, packed, unpacked, _apart, _given_up)
    yield from spread(work, chain([first], tasks), _seconds, engine=engine, make_ready=make_ready)


def _apart(task: Task) -> list[Task]:
    return [task._replace(orders=(order,)) for order in task.orders]


def _given_up(task: Task, reason: str) -> list[ReadRun]:
    """Name the runs that no worker survives: what is known of them stays, and the next sync tries again."""
    return [
        ReadRun(order.folder.id, Dated(OWN, *order.folder.written), troubles=[reason])
        for order in task.orders
    ]


def _seconds(task: Task) -> float:
    return sum(RUN_SECONDS + order.folder.size * BYTE_SECONDS for order in task.orders)
