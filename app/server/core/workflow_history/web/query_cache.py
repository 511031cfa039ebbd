"""Cache of query results for pages, invalidated when the history changes.

Successive pages and different users often need the same results, which are slow on a large history. Some
results depend on the current time, so no entry is kept longer than `CACHE_SECONDS`.
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
MAX_ENTRIES: Final = 32  # cached results


class QueryCache:
    """Cache of the latest query results. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._lock = Lock()

    def __call__(self, ask: Callable[..., Answer], *given: Any, **named: Any) -> Answer:
        """Return the result of `ask`, from the cache if possible. An exception is not cached."""
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
            return answer  # type: ignore[no-any-return]  # cached from the same function and arguments
        found = ask(*given, **named)
        with self._lock:
            self._answers[key] = (self._clock() + CACHE_SECONDS, found)
            self._answers.move_to_end(key)
            while len(self._answers) > MAX_ENTRIES:
                self._answers.popitem(last=False)
        return found
