"""Histories that stay open between questions: a URL in, an open history lent out; for a process that serves.

Opening one takes longer than most questions. A file that was deleted or replaced is opened anew, and tables
that another program may have changed are looked at again.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from threading import Lock
from typing import Final, NamedTuple

from sqlalchemy import URL

from ..errors import ConnectionLostError, WorkflowHistoryError
from .engine import dialect_of
from .history import History

MOST_IDLE: Final = 8  # open histories that nobody asks at the moment

_NUMBERS = count()


class _Kept(NamedTuple):
    """An open history that can be asked again."""

    number: int  # no two have the same
    place: Hashable  # which file of which process it has open
    history: History
    closing: ExitStack


class KeptHistories:
    """The open histories of one process; none is kept while nobody wants that."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._wanted = 0  # how many ask to keep them
        self._idle: list[_Kept] = []
        self._watching: _Kept | None = None  # reads nothing but whether others have written

    @property
    def is_keeping(self) -> bool:
        """Whether histories are kept open: a process serves them."""
        return self._wanted > 0

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Keep what is opened meanwhile."""
        with self._lock:
            self._wanted += 1
        try:
            yield
        finally:
            with self._lock:
                self._wanted -= 1
                idle = [] if self._wanted else self._emptied()
            _close(idle)

    @contextmanager
    def lend(self, url: URL) -> Iterator[History]:
        """Give an open history to one caller; after an error it is closed."""
        kept = self._awake(url) or _opened(url)
        try:
            yield kept.history
            kept.history.settle()
        except BaseException:
            _close([kept])
            raise
        with self._lock:
            stays = self._wanted > 0 and len(self._idle) < MOST_IDLE
            if stays:
                self._idle.append(kept)
        if not stays:
            _close([kept])

    def mark(self, url: URL) -> Hashable:
        """Return what is equal as long as nothing was stored in between; of use in this process alone."""
        with self._lock:
            place = _place(url)
            if self._watching is not None and self._watching.place == place:
                with suppress(ConnectionLostError):
                    return (self._watching.number, self._watching.history.version())
            _close(self._elsewhere(place))
            _close([] if self._watching is None else [self._watching])
            self._watching = None
            self._watching = _opened(url)
            return (self._watching.number, self._watching.history.version())

    def _awake(self, url: URL) -> _Kept | None:
        """Take one that is up to date; those whose server has let go of them are closed."""
        while kept := self._taken(url):
            try:
                kept.history.catch_up()
            except ConnectionLostError:
                _close([kept])
            except BaseException:
                _close([kept])
                raise
            else:
                return kept
        return None

    def _taken(self, url: URL) -> _Kept | None:
        """Take the one that was asked last: its pages are the warmest."""
        place = _place(url)
        with self._lock:
            old = self._elsewhere(place)
            found = self._idle.pop() if self._idle else None
        _close(old)
        return found

    def _elsewhere(self, place: Hashable) -> list[_Kept]:
        """Take those that are to another file than lies there: all go before it is opened."""
        every = [*self._idle, *([] if self._watching is None else [self._watching])]
        old = [kept for kept in every if kept.place != place]
        self._idle = [kept for kept in self._idle if kept.place == place]
        if self._watching in old:
            self._watching = None
        return old

    def _emptied(self) -> list[_Kept]:
        found = [*self._idle, *([] if self._watching is None else [self._watching])]
        self._idle, self._watching = [], None
        return found


def _opened(url: URL) -> _Kept:
    place = _place(url)  # before it is opened: another file in its place since is noticed the next time
    with ExitStack() as stack:
        history = stack.enter_context(History.open(url, make=False))
        after = _place(url)  # that it was opened may show in the file
        found = after if after[:-1] == place[:-1] else place
        return _Kept(next(_NUMBERS), found, history, stack.pop_all())


def _close(some: list[_Kept]) -> None:
    for kept in some:
        with suppress(WorkflowHistoryError):
            kept.history.leave()
        kept.closing.close()


def _place(url: URL) -> tuple[Hashable, ...]:
    """Return what a connection is to: another file of the same name is another place."""
    file = dialect_of(url).file(url)
    if file is not None and not file.exists():
        raise WorkflowHistoryError(f"cannot read the database {file}: there is no such file")
    return (os.getpid(), url, *dialect_of(url).place(url))
