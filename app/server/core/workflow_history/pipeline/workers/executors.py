"""Select the executor backend that reads runs for a sync: an engine name or an executor in, a backend out."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

from ...common.errors import ExecutorError, InvalidQueryError, InvalidValueError
from ...ingest.files import FolderPath, RemoteFolder


def cpu_count() -> int:
    """Return the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


REMOTE_THREADS = 16  # threads that read a remote folder: they mostly wait for the network
PREFETCH = 3  # tasks submitted per worker before their results are needed
CONNECT_TIMEOUT = 10.0  # seconds to wait for a cluster to answer

_LOCAL_ENGINE = re.compile(r"(processes|threads)(?::([1-9]\d{0,3}))?")
_DASK_ENGINE = re.compile(r"dask://([^/?#@]+:\d+)/?")

NEEDS_DASK = 'pip install "workflow-history[dask]"'


class ExecutorBackend(NamedTuple):
    """Executor backend that reads runs."""

    name: str
    workers: int | None = None  # maximum number of processes; None: one per CPU
    executor: Executor | None = None  # None: this process and processes forked from it
    is_remote: bool = False  # whether the workers are other programs, which may be incompatible
    max_pending: int = 0  # maximum number of unfinished tasks submitted to the executor
    is_alive: Callable[[], bool] = lambda: True  # returns whether there are workers
    check_interval: float = 60.0  # seconds of waiting for a result between calls of `is_alive`
    stop: Callable[[], None] = lambda: (
        None
    )  # ends the workers of a broken executor, which may not do so itself


LOCAL_PROCESSES = ExecutorBackend("processes")
SINGLE_PROCESS = ExecutorBackend("processes:1", 1)


@contextmanager
def open_backend(
    engine_name: str | None, executor: Executor | None, root: FolderPath
) -> Iterator[ExecutorBackend]:
    """Open the backend for an engine name, or for the caller's own `executor`, which is not closed.

    Raises InvalidQueryError if the engine name is invalid or both are given, and ExecutorError if a cluster
    does not answer.
    """
    if executor is not None:
        if engine_name is not None:
            raise InvalidQueryError("engine and executor exclude each other. Use one of them.")
        is_remote_executor = not isinstance(executor, ThreadPoolExecutor)
        ahead = PREFETCH * max(cpu_count(), 4)
        yield ExecutorBackend(
            type(executor).__name__, executor=executor, is_remote=is_remote_executor, max_pending=ahead
        )
        return
    is_remote = isinstance(root, RemoteFolder)
    if engine_name is None:
        engine_name = f"threads:{REMOTE_THREADS}" if is_remote else "processes"
    if match := _DASK_ENGINE.fullmatch(engine_name):
        with _open_dask(engine_name, f"tcp://{match[1]}") as engine:
            yield engine
        return
    match = _LOCAL_ENGINE.fullmatch(engine_name)
    if match is None:
        raise InvalidValueError(
            "executor", engine_name, "Use processes[:N], threads[:N] or dask://HOST:PORT."
        )
    count = int(match[2]) if match[2] else None
    if match[1] == "threads":
        with _open_threads(engine_name, count) as engine:
            yield engine
    elif is_remote:
        raise InvalidQueryError(
            f"{root} is remote, where processes do not help. Use threads[:N] or dask://HOST:PORT."
        )
    else:
        yield ExecutorBackend(engine_name, count)


@contextmanager
def _open_threads(name: str, count: int | None) -> Iterator[ExecutorBackend]:
    workers = count or cpu_count()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="reading")
    try:
        yield ExecutorBackend(name, executor=pool, max_pending=PREFETCH * workers)
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _open_dask(engine_name: str, address: str) -> Iterator[ExecutorBackend]:
    """Connect to a Dask scheduler; raise ExecutorError within seconds if it or its workers are missing."""
    try:
        from distributed import Client  # noqa: PLC0415 - an extra, and a second to import
    except ModuleNotFoundError as error:
        raise ExecutorError(f"{engine_name} needs {error.name}. Install it with: {NEEDS_DASK}") from error
    make_client: Any = Client  # distributed has no type hints
    with _silenced_dask_loggers():
        try:
            client: Any = make_client(address, timeout=CONNECT_TIMEOUT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ExecutorError(
                f"No Dask scheduler answers at {engine_name} within {CONNECT_TIMEOUT:.0f} s. "
                "Check that it is running there."
            ) from error
        try:
            yield ExecutorBackend(
                engine_name,
                executor=client.get_executor(),
                is_remote=True,
                max_pending=_max_pending(client, engine_name),
                is_alive=lambda: client.status == "running" and bool(client.nthreads()),
            )
        finally:
            client.close(timeout=CONNECT_TIMEOUT)


def _max_pending(client: Any, engine_name: str) -> int:
    try:
        client.wait_for_workers(1, timeout=CONNECT_TIMEOUT)
    except TimeoutError as error:
        raise ExecutorError(
            f"{engine_name} has no workers. Start some with: dask worker HOST:PORT"
        ) from error
    return PREFETCH * max(sum(int(count) for count in client.nthreads().values()), 1)


@contextmanager
def _silenced_dask_loggers() -> Iterator[None]:
    """Disable the loggers of distributed, so that a cluster's problem is reported once, by our error."""
    # Its loggers print through their own handlers, regardless of the logging setup of the program.
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]
    enabled_loggers = [logger for logger in map(logging.getLogger, names) if not logger.disabled]
    for logger in enabled_loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger in enabled_loggers:
            logger.disabled = False


def task_killed_errors() -> tuple[type[Exception], ...]:
    """Return the errors that an executor of other programs raises if a single task killed its workers."""
    distributed = sys.modules.get("distributed")
    return (MemoryError, distributed.KilledWorker) if distributed else (MemoryError,)
