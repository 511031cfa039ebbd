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
    """Functions that run a task locally or remotely; tasks, results and `run_local` can be pickled."""

    run_local: Callable[[TaskT], ResultT]  # in this process or one forked from it
    run_remote: Callable[[Any], Any] | None = None  # in another program, serialized; None: `run_local`
    serialize: Callable[[TaskT], Any] = _identity
    deserialize: Callable[[Any], ResultT] = _identity
    split: Callable[[TaskT], list[TaskT]] = _as_list  # splits a task; a smallest task is returned as it is
    on_failure: Callable[[TaskT, str], ResultT] = (
        _raise_memory_error  # for a smallest task that kills workers
    )


logger = logging.getLogger("workflow_history")

HEALTH_CHECK_INTERVAL = 60.0  # seconds of waiting between checks that workers are left


@dataclass(slots=True)
class TaskDispatcher(Generic[TaskT, ResultT]):
    """Dispatcher of tasks to a backend with an executor."""

    engine: ExecutorBackend
    work: TaskFunction[TaskT, ResultT]
    waiting: deque[tuple[TaskT, Future[Any]]] = field(default_factory=deque)  # submitted tasks, oldest first

    def results(self, tasks: Iterable[TaskT]) -> Iterator[ResultT]:
        """Run the tasks and yield their results in order.

        A task that kills its workers is split and tried again. If a process pool is broken, this process runs
        the remaining tasks. Raises ExecutorError if no worker is left or a worker's environment differs.
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
        except BrokenExecutor:
            unfinished = [*(task for task, _ in self.waiting), *unsubmitted]
            logger.warning("process_killed tasks_left=%d", len(unfinished))
            yield from map(self.work.run_local, chain(unfinished, remaining))
        finally:
            for _, future in self.waiting:
                future.cancel()

    def _submit(self, task: TaskT) -> Future[Any]:
        assert self.engine.executor is not None  # noqa: S101 - only engines that have one hand out
        try:
            if self._run_remote is None:
                return self.engine.executor.submit(self.work.run_local, task)
            return self.engine.executor.submit(self._run_remote, self.work.serialize(task))
        except BrokenExecutor:
            raise
        except Exception as error:
            raise self._wrap_error(error) from error

    @property
    def _run_remote(self) -> Callable[[Any], Any] | None:
        return self.work.run_remote if self.engine.is_remote else None

    def _oldest_results(self) -> list[ResultT]:
        """Return the results of the oldest submitted task."""
        task, future = self.waiting[0]
        try:
            results = [self._result(future)]
        except task_killed_errors() as error:
            results = self._retry_parts(task, error)
        self.waiting.popleft()
        return results

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
            while not _is_done(future):
                self._check_alive()
            result = future.result()
        except (WorkflowHistoryError, BrokenExecutor):
            raise
        except task_killed_errors():
            raise
        except CancelledError as error:
            raise ExecutorError(self._lost_message()) from error
        except Exception as error:
            raise self._wrap_error(error) from error
        return result if self._run_remote is None else self.work.deserialize(result)

    def _check_alive(self) -> None:
        if not self.engine.is_alive():
            raise ExecutorError(self._lost_message())

    def _lost_message(self) -> str:
        return (
            f"{self.engine.name} does not work any more: its scheduler or all of its workers are gone; "
            "what is stored stays, and the next sync does the rest"
        )

    def _wrap_error(self, error: Exception) -> Exception:
        if not self.engine.is_remote:
            return error
        return ExecutorError(
            f"{self.engine.name} cannot read runs ({type(error).__name__}: {error}): "
            "the same workflow-history has to be installed where its workers and its scheduler run"
        )


def _is_done(future: Future[Any]) -> bool:
    """Wait up to HEALTH_CHECK_INTERVAL seconds and return whether the future is done."""
    try:
        future.exception(timeout=HEALTH_CHECK_INTERVAL)
    except TimeoutError:
        return future.done()
    return True
