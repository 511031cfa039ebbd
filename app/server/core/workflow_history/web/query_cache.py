"""Answers that pages ask for again: a question in, its answer out, looked up anew where the history changed.

Two pages in a row, or two people, ask the same of a large history. What depends on the clock is kept no
longer than `CACHE_SECONDS`.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Final, TypeVar

from .. import database

Answer = TypeVar("Answer")

CACHE_SECONDS: Final = 30.0
MAX_ENTRIES: Final = 32  # answers


class QueryCache:
    """The latest answers; any thread may ask."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._lock = Lock()

    def __call__(self, ask: Callable[..., Answer], *given: Any, **named: Any) -> Answer:
        """Return what `ask` answers; an error is not kept."""
        key = (
            str(database.database_name()),
            database.change_token(),
            ask.__module__,
            ask.__qualname__,
            repr(given),
            repr(named),
        )
        with self._lock:
            until, answer = self._answers.get(key, (float("-inf"), None))
        if self._clock() < until:
            return answer  # type: ignore[no-any-return]  # it came of the same question
        found = ask(*given, **named)
        with self._lock:
            self._answers[key] = (self._clock() + CACHE_SECONDS, found)
            self._answers.move_to_end(key)
            while len(self._answers) > MAX_ENTRIES:
                self._answers.popitem(last=False)
        return found
