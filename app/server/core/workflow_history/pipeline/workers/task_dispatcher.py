"""Run tasks on an executor and yield their results in order; survives workers that die.

Only as many tasks are submitted at a time as keep the workers busy, so memory use does not grow.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Generic, TypeVar

from ...common.errors import ExecutorError, WorkflowHistoryError
from .executors import ExecutorBackend, task_killed_errors

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")


def _identity(value: Any) -> Any:
    return value


def _as_list(task: Any) -> list[Any]:
    return [task]


def _raise_memory_error(_task: Any, reason: str) -> Any:
    raise MemoryError(reason)


@dataclass(frozen=True, slots=True)
class TaskFunction(Generic[TaskT, ResultT]):
    """Functions that run a task here or in a worker; tasks, results and `run_local` can be pickled."""

    run_local: Callable[[TaskT], ResultT]  # in this process or one forked from it
    run_in_worker: Callable[[Any], Any] | None = None  # in a worker, serialized; None: `run_local`
    serialize: Callable[[TaskT], Any] = _identity
    deserialize: Callable[[Any], ResultT] = _identity
    split: Callable[[TaskT], list[TaskT]] = _as_list  # splits a task; a smallest task is returned as it is
    on_failure: Callable[[TaskT, str], ResultT] = (
        _raise_memory_error  # for a smallest task that kills workers
    )


logger = logging.getLogger("workflow_history")

RESOURCE_ERRORS = (RuntimeError, OSError, MemoryError)
"""Errors of threads and processes of this machine, or of starting them, if it runs out of a resource."""


@dataclass(slots=True)
class TaskDispatcher(Generic[TaskT, ResultT]):
    """Dispatcher of tasks to a backend with an executor."""

    engine: ExecutorBackend
    work: TaskFunction[TaskT, ResultT]
    waiting: deque[tuple[TaskT, Future[Any]]] = field(default_factory=deque)  # submitted tasks, oldest first

    def results(self, tasks: Iterable[TaskT]) -> Iterator[ResultT]:
        """Run the tasks and yield their results in order.

        A task that kills the workers of other programs is split and tried again; one that lacks a resource
        of this machine is run by this process. If an executor is broken, this process runs the remaining
        tasks. Raises ExecutorError if no worker is left or a worker's environment differs.
        """
        remaining = iter(tasks)
        unsubmitted: list[TaskT] = []
        try:
            for task in remaining:
                unsubmitted.append(task)
                self.waiting.append((task, self._submit(task)))
                unsubmitted.clear()
                if len(self.waiting) >= self.engine.max_pending:
                    yield from self._oldest_results()
            while self.waiting:
                yield from self._oldest_results()
        except BrokenExecutor as error:
            self.engine.stop()
            unfinished = [*(task for task, _ in self.waiting), *unsubmitted]
            logger.warning("workers_lost tasks_left=%d error=%r", len(unfinished), error)
            yield from map(self.work.run_local, chain(unfinished, remaining))
        finally:
            for _, future in self.waiting:
                future.cancel()

    def _submit(self, task: TaskT) -> Future[Any]:
        assert self.engine.executor is not None  # noqa: S101 - only engines that have one hand out
        try:
            run = self.work.run_in_worker or self.work.run_local
            return self.engine.executor.submit(run, self.work.serialize(task))
        except BrokenExecutor:
            raise
        except Exception as error:
            if not self.engine.is_remote and isinstance(error, RESOURCE_ERRORS):
                raise BrokenExecutor from error
            raise self._wrap_error(error) from error

    def _oldest_results(self) -> list[ResultT]:
        """Return the results of the oldest submitted task."""
        task, future = self.waiting[0]
        try:
            results = [self._result(future)]
        except BrokenExecutor:
            raise
        except self._task_lost_errors() as error:
            results = self._retry_parts(task, error) if self.engine.is_remote else [self.work.run_local(task)]
        self.waiting.popleft()
        return results

    def _task_lost_errors(self) -> tuple[type[Exception], ...]:
        return task_killed_errors() if self.engine.is_remote else RESOURCE_ERRORS

    def _retry_parts(self, task: TaskT, reason: BaseException) -> list[ResultT]:
        """Retry the parts of a task one by one; a part that kills a worker again gets a failure result."""
        logger.warning("task_lost engine=%s reason=%s", self.engine.name, reason)
        results = []
        for part in self.work.split(task):
            try:
                results.append(self._result(self._submit(part)))
            except task_killed_errors() as error:
                results.append(self.work.on_failure(part, f"no worker survives reading it: {error}"))
        return results

    def _result(self, future: Future[Any]) -> ResultT:
        try:
            while not self._is_done(future):
                self._check_alive()
            result = future.result()
        except (WorkflowHistoryError, BrokenExecutor):
            raise
        except self._task_lost_errors():
            raise
        except CancelledError as error:
            raise ExecutorError(self._lost_message()) from error
        except Exception as error:
            raise self._wrap_error(error) from error
        return self.work.deserialize(result)

    def _check_alive(self) -> None:
        if self.engine.is_alive():
            return
        if not self.engine.is_remote:
            raise BrokenExecutor
        raise ExecutorError(self._lost_message())

    def _is_done(self, future: Future[Any]) -> bool:
        try:
            future.exception(timeout=self.engine.check_interval)
        except TimeoutError:
            return future.done()
        return True

    def _lost_message(self) -> str:
        return (
            f"{self.engine.name} stopped: its scheduler or all of its workers are lost. "
            "Everything stored so far is kept; the next sync continues from there."
        )

    def _wrap_error(self, error: Exception) -> Exception:
        if not self.engine.is_remote:
            return error
        return ExecutorError(
            f"{self.engine.name} cannot read runs ({type(error).__name__}: {error}): "
            "the same workflow-history has to be installed where its workers and its scheduler run"
        )
