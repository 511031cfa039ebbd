"""Who reads for a sync: a typed word or an executor in, an engine out. Reads nothing itself."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

from ...common.errors import ExecutorError, InvalidQueryError
from ...ingest.files import FolderPath, RemoteFolder


def cpu_count() -> int:
    """Return how many there are, fewer where this process is kept to some of them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


REMOTE_THREADS = 16  # that read a folder which lies elsewhere: they mostly wait
PREFETCH = 3  # tasks handed out for each worker
CONNECT_TIMEOUT = 10.0  # seconds for which a cluster may not answer

_WORDS = re.compile(r"(processes|threads)(?::([1-9]\d{0,3}))?")
_DASK = re.compile(r"dask://([^/?#@]+:\d+)/?")

NEEDS_DASK = 'pip install "workflow-history[dask]"'


class ExecutorBackend(NamedTuple):
    """Who reads."""

    name: str
    workers: int | None = None  # at most so many processes or threads; None: one a core
    executor: Executor | None = None  # None: this process, and those forked from it
    is_remote: bool = False  # the executor's workers are other programs, which may be unfit
    max_pending: int = 0  # tasks that an executor is given before the first is done
    is_alive: Callable[[], bool] = lambda: True  # tells whether anybody is there to work


LOCAL_PROCESSES = ExecutorBackend("processes")
SINGLE_PROCESS = ExecutorBackend("processes:1", 1)


@contextmanager
def open_backend(word: str | None, executor: Executor | None, root: FolderPath) -> Iterator[ExecutorBackend]:
    """Give the engine that is meant; `executor` is the caller's own, and stays open.

    Raises InvalidQueryError for a word that is none, EngineError where a cluster does not answer.
    """
    if executor is not None:
        if word is not None:
            raise InvalidQueryError("an engine and an executor are given; one of them reads")
        is_elsewhere = not isinstance(executor, ThreadPoolExecutor)
        ahead = PREFETCH * max(cpu_count(), 4)
        yield ExecutorBackend(
            type(executor).__name__, executor=executor, is_remote=is_elsewhere, max_pending=ahead
        )
        return
    is_remote = isinstance(root, RemoteFolder)
    if word is None:
        word = f"threads:{REMOTE_THREADS}" if is_remote else "processes"
    if found := _DASK.fullmatch(word):
        with _dask(word, f"tcp://{found[1]}") as engine:
            yield engine
        return
    kind, count = _kind(word)
    if kind == "threads":
        with _threads(word, count) as engine:
            yield engine
    elif is_remote:
        raise InvalidQueryError(
            f"{root} lies elsewhere, where processes do not help: use threads[:N] or dask://"
        )
    else:
        yield ExecutorBackend(word, count)


def _kind(word: str) -> tuple[str, int | None]:
    found = _WORDS.fullmatch(word)
    if found is None:
        raise InvalidQueryError(f"no engine {word!r}; use processes[:N], threads[:N] or dask://HOST:PORT")
    return found[1], int(found[2]) if found[2] else None


@contextmanager
def _threads(name: str, count: int | None) -> Iterator[ExecutorBackend]:
    workers = count or cpu_count()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="reading")
    try:
        yield ExecutorBackend(name, executor=pool, max_pending=PREFETCH * workers)
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _dask(name: str, address: str) -> Iterator[ExecutorBackend]:
    """Connect to a Dask scheduler that has a worker, or say within seconds that there is none."""
    try:
        from distributed import Client  # noqa: PLC0415 - an extra, and a second to import
    except ModuleNotFoundError as error:
        raise ExecutorError(f"{name} needs {error.name}: {NEEDS_DASK}") from error
    make_client: Any = Client  # it has no types
    with _quiet():
        try:
            client: Any = make_client(address, timeout=CONNECT_TIMEOUT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ExecutorError(
                f"no Dask scheduler answers at {name} within {CONNECT_TIMEOUT:.0f} s; is it started there?"
            ) from error
        try:
            yield ExecutorBackend(
                name,
                executor=client.get_executor(),
                is_remote=True,
                max_pending=_ahead(client, name),
                is_alive=_alive(client),
            )
        finally:
            client.close(timeout=CONNECT_TIMEOUT)


def _ahead(client: Any, name: str) -> int:
    try:
        client.wait_for_workers(1, timeout=CONNECT_TIMEOUT)
    except TimeoutError as error:
        raise ExecutorError(f"{name} has no workers; start some: dask worker HOST:PORT") from error
    return PREFETCH * max(sum(int(count) for count in client.nthreads().values()), 1)


def _alive(client: Any) -> Callable[[], bool]:
    return lambda: client.status == "running" and bool(client.nthreads())


@contextmanager
def _quiet() -> Iterator[None]:
    """Have what is wrong with a cluster said once, by the error that comes of it."""
    # Its loggers print by handlers of their own, whatever the program that uses it does with logs.
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]
    loud = [logger for logger in map(logging.getLogger, names) if not logger.disabled]
    for logger in loud:
        logger.disabled = True
    try:
        yield
    finally:
        for logger in loud:
            logger.disabled = False


def task_killed_errors() -> tuple[type[Exception], ...]:
    """Return the errors by which an executor tells that one task was too much for its workers."""
    distributed = sys.modules.get("distributed")
    return (MemoryError, distributed.KilledWorker) if distributed else (MemoryError,)
