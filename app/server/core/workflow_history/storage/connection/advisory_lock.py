"""Named database locks. The owner is stored with the lock, so that waiting processes can report it."""

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
from .engine import get_dialect

HOST_VARIABLE: Final = "WORKFLOW_HISTORY_HOST"

_FIRST_PAUSE: Final = 0.02  # seconds between the first two attempts; then twice as long each time
_MAX_PAUSE: Final = 0.5  # seconds


class LockOwner(NamedTuple):
    """Process that owns a lock; all fields are None if it is unknown."""

    pid: int | None = None  # process id
    host: str | None = None
    since: datetime | None = None  # when the lock was taken, aware UTC

    def __str__(self) -> str:
        if self.pid is None or self.since is None:
            return "another process"
        return f"process {self.pid} on {self.host}, since {self.since:%Y-%m-%d %H:%M:%S} UTC"


OnWait = Callable[[LockOwner], None]
"""Callback for the start of a wait; called once, with the current lock owner."""


def host_name() -> str:
    """Return the host name: WORKFLOW_HISTORY_HOST if set, else the system's own host name."""
    return os.environ.get(HOST_VARIABLE) or platform.node() or "unnamed"


@contextmanager
def acquire_lock(
    connection: Connection, name: str, work: str, wait: float | None, on_wait: OnWait | None = None
) -> Iterator[None]:
    """Lock `name` in a database while the block runs; `work` describes the work in error messages.

    `wait` is the maximum wait in seconds, None for no limit. Raises BusyError if another process still owns
    the lock after that. `on_wait` is called once, when a wait begins.
    """
    dialect = get_dialect(connection)
    deadline = None if wait is None else time.monotonic() + wait
    pause = _FIRST_PAUSE
    while (release := dialect.try_lock(connection, name, _describe_process())) is None:
        owner = _parse_owner(dialect.lock_owner(connection, name))
        if deadline is not None and time.monotonic() >= deadline:
            raise BusyError(work, str(owner))
        if on_wait is not None:
            on_wait(owner)
            on_wait = None
        remaining = _MAX_PAUSE if deadline is None else max(0.0, deadline - time.monotonic())
        time.sleep(min(pause, _MAX_PAUSE, remaining))
        pause *= 2
    try:
        yield
    finally:
        release()


def _describe_process() -> str:
    """Return this process as an owner text; kept short because PostgreSQL stores only 63 bytes."""
    return f"{os.getpid()} {time.time():.0f} {host_name()}"


def _parse_owner(text: str) -> LockOwner:
    try:
        pid, since, host = text.split(" ", 2)
        return LockOwner(int(pid), host, datetime.fromtimestamp(int(since), UTC))
    except (ValueError, OverflowError, OSError):
        return LockOwner()  # the owner has the lock, but has not stored its name yet
