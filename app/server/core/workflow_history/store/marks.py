"""Tell whether a history was written to: a database in, a mark out that changes with it. Reads no run."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from threading import Lock
from typing import NamedTuple

from sqlalchemy import URL

from ..errors import WorkflowHistoryError
from .engine import dialect_of, exists
from .history import History


class Mark(NamedTuple):
    """The state of a history: equal marks of one Marker mean that nothing was written in between."""

    opened: int  # the connection's number: versions of two connections have nothing to do with each other
    version: int


class Marker:
    """A connection kept open to ask a history for its mark, which takes microseconds; for all threads."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._lock = Lock()
        self._stack = ExitStack()
        self._history: History | None = None
        self._file: tuple[int, int] | None = None
        self._opened = 0

    def mark(self) -> Mark | None:
        """Return the mark as it is now; None: there is no history, or it cannot be read."""
        with self._lock:
            try:
                return self._mark()
            except WorkflowHistoryError:
                self._close()
                return None

    def close(self) -> None:
        """Leave the database alone; `mark` opens it again."""
        with self._lock:
            self._close()

    def _mark(self) -> Mark | None:
        file = self._identity()
        if self._history is not None and file != self._file:
            self._close()  # another file stands in its place
        if self._history is None:
            if not exists(self._url):
                return None
            self._history = self._stack.enter_context(History.open(self._url))
            self._file, self._opened = self._identity(), self._opened + 1
        return Mark(self._opened, self._history.similarity().version())

    def _identity(self) -> tuple[int, int] | None:
        file = dialect_of(self._url).file(self._url)
        try:
            found = None if file is None else os.stat(file)  # noqa: PTH116 - called with each answer
        except OSError:
            return None
        return None if found is None else (found.st_dev, found.st_ino)

    def _close(self) -> None:
        self._history = None
        with suppress(WorkflowHistoryError):  # its file may be gone: then there is nothing to settle
            self._stack.close()
