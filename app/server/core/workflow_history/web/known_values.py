"""Values that filters by name can have, read from the history and cached because every list needs them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from .. import database
from ..storage.reading.filter_sql import NAME_COLUMNS

CACHE_SECONDS: Final = 20.0


class FilterChoices:
    """Projects, workflows, models and other names in the history, cached for `CACHE_SECONDS`.

    An empty result is not cached.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = float("-inf")
        self._found: Mapping[str, list[str]] = {}

    def all(self) -> Mapping[str, list[str]]:
        """Return the sorted names of each filter, by the keys of `NAME_COLUMNS`."""
        now = self._clock()
        if now >= self._until:
            with database.open_if_exists() as history:
                self._found = {name: [] if history is None else history.names(name) for name in NAME_COLUMNS}
            self._until = now + CACHE_SECONDS if any(self._found.values()) else now
        return self._found
