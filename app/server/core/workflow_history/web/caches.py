"""Caches of answers, limited in number or bytes and in age.

Successive pages and different users often need the same results, which are slow on a large history.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from time import monotonic
from typing import Any, Final, Generic, TypeVar

from .. import database
from ..common.grouping_names import OPTIONAL_GROUPINGS, TYPED_NAMES
from ..storage.reading.filter_sql import NAME_COLUMNS

Result = TypeVar("Result")

CACHE_SECONDS: Final = 30.0  # because some results depend on the current time
MAX_ENTRIES: Final = 32  # cached results


class ExpiringCache(Generic[Result]):
    """Cache of the latest values: not older than `seconds`, and together not larger than `max_size`."""

    def __init__(self, seconds: float, max_size: int, size_of: Callable[[Result], int] = lambda _: 1) -> None:
        self._seconds, self._max_size, self._size_of = seconds, max_size, size_of
        self._entries: dict[Hashable, tuple[float, Result]] = {}  # with their expiry; oldest first
        self._size = 0
        self._lock = Lock()

    def get(self, key: Hashable) -> Result | None:
        """Return the value of a key, or None if there is none or it is too old."""
        with self._lock:
            expires_at, value = self._entries.get(key, (0.0, None))
        return value if monotonic() < expires_at else None

    def put(self, key: Hashable, value: Result) -> None:
        """Store a value, and remove the oldest ones that are too much or too old."""
        now = monotonic()
        with self._lock:
            self._remove(key)
            self._entries[key] = (now + self._seconds, value)
            self._size += self._size_of(value)
            for oldest, (expires_at, _) in list(self._entries.items()):
                if self._size <= self._max_size and now < expires_at:
                    break
                self._remove(oldest)

    def _remove(self, key: Hashable) -> None:
        if (removed := self._entries.pop(key, None)) is not None:
            self._size -= self._size_of(removed[1])


class QueryCache:
    """Cache of the latest query results, invalidated when the history changes. Thread-safe."""

    def __init__(self) -> None:
        self._results: ExpiringCache[tuple[Any]] = ExpiringCache(CACHE_SECONDS, MAX_ENTRIES)

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
        if (cached := self._results.get(key)) is None:
            cached = (function(*args, **kwargs),)
            self._results.put(key, cached)
        return cached[0]


def filter_choices() -> dict[str, list[str]]:
    """Return the sorted projects, workflows, models … in the history, by the name of the filter parameter.

    Branches, issues and pull requests are left out: each run may have its own, and users type them.
    """
    with database.open_if_exists() as history:
        return {
            TYPED_NAMES.get(name, name): [] if history is None else history.filter_values(name)
            for name in NAME_COLUMNS
            if name not in OPTIONAL_GROUPINGS
        }
