"""Caches of query results for pages.

Successive pages and different users often need the same results, which are slow on a large history.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from threading import Lock
from typing import Any, Final, TypeVar

from .. import database
from ..storage.reading.filter_sql import NAME_COLUMNS

Result = TypeVar("Result")

CACHE_SECONDS: Final = 30.0  # because some results depend on the current time
MAX_ENTRIES: Final = 32  # cached results
FILTER_CHOICES_SECONDS: Final = 20.0


class QueryCache:
    """Cache of the latest query results, invalidated when the history changes. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._results: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._lock = Lock()

    def __call__(self, function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Return the result of `function`, from the cache if possible. An exception is not cached."""
        key = (
            str(database.database_name()),
            database.change_token(),
            function.__module__,
            function.__qualname__,
            repr(args),
            repr(kwargs),
        )
        with self._lock:
            expires_at, result = self._results.get(key, (float("-inf"), None))
        if self._clock() < expires_at:
            return result  # type: ignore[no-any-return]  # cached from the same function and arguments
        result = function(*args, **kwargs)
        with self._lock:
            self._results[key] = (self._clock() + CACHE_SECONDS, result)
            self._results.move_to_end(key)
            while len(self._results) > MAX_ENTRIES:
                self._results.popitem(last=False)
        return result


class FilterChoices:
    """Projects, workflows, models and other names in the history, cached for `FILTER_CHOICES_SECONDS`.

    Every list needs them. An empty result is not cached.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._expires_at = float("-inf")
        self._names: Mapping[str, list[str]] = {}

    def names(self) -> Mapping[str, list[str]]:
        """Return the sorted names of each filter, by the keys of `NAME_COLUMNS`."""
        now = self._clock()
        if now >= self._expires_at:
            with database.open_if_exists() as history:
                self._names = {name: [] if history is None else history.names(name) for name in NAME_COLUMNS}
            self._expires_at = now + FILTER_CHOICES_SECONDS if any(self._names.values()) else now
        return self._names
