"""One at a time: a name goes in, and is held while the caller works; who holds it is told to who waits."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection

from ...common.errors import BusyError
from .engine import get_backend

HOST_VARIABLE: Final = "WORKFLOW_HISTORY_HOST"

_PAUSES: Final = (0.02, 0.5)  # seconds between two looks: at first, and at most


class LockOwner(NamedTuple):
    """Who works on what another wants."""

    pid: int | None = None  # of its process
    host: str | None = None
    since: datetime | None = None  # aware UTC

    def __str__(self) -> str:
        if self.pid is None or self.since is None:
            return "another process"
        return f"process {self.pid} on {self.host}, since {self.since:%Y-%m-%d %H:%M:%S} UTC"


OnWait = Callable[[LockOwner], None]
"""Called once, when the wait begins, with whom it is for."""


def host_name() -> str:
    """Return what this machine is called: WORKFLOW_HISTORY_HOST, else the system's own name for it."""
    return os.environ.get(HOST_VARIABLE) or platform.node() or "unnamed"


@contextmanager
def acquire_lock(
    connection: Connection, name: str, what: str, wait: float | None, told: OnWait | None = None
) -> Iterator[None]:
    """Hold `name` in a database while the block runs; `what` it stands for is said in errors.

    `wait`: seconds at most, None: as long as it takes. Raises BusyError where another holds it still.
    """
    dialect = get_backend(connection)
    until = None if wait is None else time.monotonic() + wait
    pause, most = _PAUSES
    while (release := dialect.try_lock(connection, name, _myself())) is None:
        holder = _holder(dialect.lock_holder(connection, name))
        if until is not None and time.monotonic() >= until:
            raise BusyError(what, str(holder))
        if told is not None:
            told(holder)
            told = None
        left = most if until is None else max(0.0, until - time.monotonic())
        time.sleep(min(pause, most, left))
        pause *= 2
    try:
        yield
    finally:
        release()


def _myself() -> str:
    """Return who this is, in few letters: a server keeps 63."""
    return f"{os.getpid()} {time.time():.0f} {host_name()}"


def _holder(told: str) -> LockOwner:
    try:
        pid, since, host = told.split(" ", 2)
        return LockOwner(int(pid), host, datetime.fromtimestamp(int(since), UTC))
    except (ValueError, OverflowError, OSError):
        return LockOwner()  # it has the lock, and not said yet who it is
