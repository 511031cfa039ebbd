"""What there is to do with a task, wherever that is done: between tasks and those who do them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

TaskT = TypeVar("TaskT")
DoneT = TypeVar("DoneT")


def _as_it_is(value: Any) -> Any:
    return value


def _whole(task: Any) -> list[Any]:
    return [task]


def _raised(_task: Any, reason: str) -> Any:
    raise MemoryError(reason)


@dataclass(frozen=True, slots=True)
class Work(Generic[TaskT, DoneT]):
    """How a task is done here and elsewhere; tasks, results and `here` can be pickled."""

    here: Callable[[TaskT], DoneT]  # in this process, or one forked from it
    elsewhere: Callable[[Any], Any] | None = None  # in another program: packed in, packed out; None: as here
    packed: Callable[[TaskT], Any] = _as_it_is
    unpacked: Callable[[Any], DoneT] = _as_it_is
    apart: Callable[[TaskT], list[TaskT]] = _whole  # smaller tasks of one; a smallest one stays as it is
    given_up: Callable[[TaskT, str], DoneT] = _raised  # what comes of a smallest one that no worker survives
