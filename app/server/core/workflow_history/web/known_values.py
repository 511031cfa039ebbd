"""What filters by name can be: the history's words out, kept for a moment, as every list asks for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from .. import database
from ..storage.reading.filter_sql import NAME_COLUMNS

CACHE_SECONDS: Final = 20.0


class FilterChoices:
    """What runs of the history are called by, looked up anew every so many seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = float("-inf")
        self._found: Mapping[str, list[str]] = {}

    def all(self) -> Mapping[str, list[str]]:
        """Return the words in their order, by the names of `filters.NAMED`."""
        now = self._clock()
        if now >= self._until:
            with database.open_if_exists() as history:
                self._found = {name: [] if history is None else history.names(name) for name in NAME_COLUMNS}
            self._until = now + CACHE_SECONDS if any(self._found.values()) else now
        return self._found
