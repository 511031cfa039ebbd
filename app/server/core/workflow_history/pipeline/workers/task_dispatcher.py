"""Have an executor do tasks: tasks go in, what comes of each in the same order out, whatever its workers do.

As many tasks are under way as keep the workers busy: memory does not grow with their number.
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


def _as_it_is(value: Any) -> Any:
    return value


def _whole(task: Any) -> list[Any]:
    return [task]


def _raised(_task: Any, reason: str) -> Any:
    raise MemoryError(reason)


@dataclass(frozen=True, slots=True)
class TaskFunction(Generic[TaskT, ResultT]):
    """How a task is done here and elsewhere; tasks, results and `here` can be pickled."""

    run_local: Callable[[TaskT], ResultT]  # in this process, or one forked from it
    run_remote: Callable[[Any], Any] | None = None  # in another program: packed in, packed out; None: as here
    serialize: Callable[[TaskT], Any] = _as_it_is
    deserialize: Callable[[Any], ResultT] = _as_it_is
    split: Callable[[TaskT], list[TaskT]] = _whole  # smaller tasks of one; a smallest one stays as it is
    on_failure: Callable[[TaskT, str], ResultT] = (
        _raised  # what comes of a smallest one that no worker survives
    )


logger = logging.getLogger("workflow_history")

HEALTH_CHECK_INTERVAL = 60.0  # seconds of waiting after which it is asked whether anybody is left to work


@dataclass(slots=True)
class TaskDispatcher(Generic[TaskT, ResultT]):
    """The tasks that an engine with an executor was given."""

    engine: ExecutorBackend
    work: TaskFunction[TaskT, ResultT]
    waiting: deque[tuple[TaskT, Future[Any]]] = field(default_factory=deque)

    def results(self, tasks: Iterable[TaskT]) -> Iterator[ResultT]:
        """Yield what comes of each task.

        A task that its workers do not survive is taken apart and tried again. Where a pool of processes is
        broken for good, this process does what is left. Raises EngineError where nobody is left to work, or
        where a worker is not fit for it.
        """
        left = iter(tasks)
        at_hand: list[TaskT] = []
        try:
            for task in left:
                at_hand.append(task)
                self.waiting.append((task, self._submit(task)))
                at_hand.clear()
                if len(self.waiting) >= self.engine.max_pending:
                    yield from self._next()
            while self.waiting:
                yield from self._next()
        except BrokenExecutor:
            rest = [*(task for task, _ in self.waiting), *at_hand]
            logger.warning("process_killed tasks_left=%d", len(rest))
            yield from map(self.work.run_local, chain(rest, left))
        finally:
            for _, future in self.waiting:
                future.cancel()

    def _submit(self, task: TaskT) -> Future[Any]:
        assert self.engine.executor is not None  # noqa: S101 - only engines that have one hand out
        try:
            if self._far is None:
                return self.engine.executor.submit(self.work.run_local, task)
            return self.engine.executor.submit(self._far, self.work.serialize(task))
        except BrokenExecutor:
            raise
        except Exception as error:
            raise self._unfit(error) from error

    @property
    def _far(self) -> Callable[[Any], Any] | None:
        return self.work.run_remote if self.engine.is_remote else None

    def _next(self) -> list[ResultT]:
        """Return what came of the task that was handed out first."""
        task, future = self.waiting[0]
        try:
            done = [self._result(future)]
        except task_killed_errors() as error:
            done = self._again(task, error)
        self.waiting.popleft()
        return done

    def _again(self, task: TaskT, lost: BaseException) -> list[ResultT]:
        """Try a task again in its parts, one by one; only those that kill a worker once more are given up."""
        logger.warning("task_lost engine=%s reason=%s", self.engine.name, lost)
        done = []
        for part in self.work.split(task):
            try:
                done.append(self._result(self._submit(part)))
            except task_killed_errors() as error:
                done.append(self.work.on_failure(part, f"no worker survives reading it: {error}"))
        return done

    def _result(self, future: Future[Any]) -> ResultT:
        try:
            while not _is_done(future):
                self._make_sure()
            result = future.result()
        except (WorkflowHistoryError, BrokenExecutor):
            raise
        except task_killed_errors():
            raise
        except CancelledError as error:
            raise ExecutorError(self._gone()) from error
        except Exception as error:
            raise self._unfit(error) from error
        return result if self._far is None else self.work.deserialize(result)

    def _make_sure(self) -> None:
        if not self.engine.is_alive():
            raise ExecutorError(self._gone())

    def _gone(self) -> str:
        return (
            f"{self.engine.name} does not work any more: its scheduler or all of its workers are gone; "
            "what is stored stays, and the next sync does the rest"
        )

    def _unfit(self, error: Exception) -> Exception:
        if not self.engine.is_remote:
            return error
        return ExecutorError(
            f"{self.engine.name} cannot read runs ({type(error).__name__}: {error}): "
            "the same workflow-history has to be installed where its workers and its scheduler run"
        )


def _is_done(future: Future[Any]) -> bool:
    """Wait for a while; tell whether it is done."""
    try:
        future.exception(timeout=HEALTH_CHECK_INTERVAL)
    except TimeoutError:
        return future.done()
    return True
