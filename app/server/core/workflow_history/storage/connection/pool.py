"""Pool of open histories for a server process; opening a history takes longer than most queries.

A file that was deleted or replaced is opened again. The schema is checked again before each use, since
another program may have changed it.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import URL

from ...common.errors import ConnectionLostError, WorkflowHistoryError
from ...common.temporary_files import scratch_folder
from ..history import History
from ..tables.migrate import LATEST_REVISION, reject_newer, stored_revision
from .engine import connect, display_name, exists, get_backend, read_transaction, translate_errors
from .url import database_url

if TYPE_CHECKING:
    from sqlalchemy import Connection


@contextmanager
def open_read_only(location: Path | str | URL) -> Iterator[History]:
    """Open an existing history without changing it; an old SQLite file is upgraded in a temporary copy.

    Raises DatabaseTooNewError if a newer version of the program made it.
    """
    url = database_url(location)
    if not exists(url):
        raise WorkflowHistoryError(f"there is no history at {url.database}")
    with connect(url, read_only=True) as connection:
        with read_transaction(connection):
            revision = stored_revision(connection)
        if revision == LATEST_REVISION:
            yield History(url, connection, read_only=True)
            return
        if revision is None:
            raise WorkflowHistoryError(f"{url.database}: this database holds no history")
        reject_newer(connection, revision)
        with _upgraded(url, connection) as history:
            yield history


@contextmanager
def _upgraded(url: URL, connection: Connection) -> Iterator[History]:
    copy_to = get_backend(url).copy_to
    if copy_to is None:
        raise WorkflowHistoryError(
            f"{display_name(url)}: its tables are of an older version; any command on it brings them up "
            f"to date"
        )
    with scratch_folder() as folder:
        file = folder / "history.db"
        with translate_errors(url):
            copy_to(connection, file)
        with History.open(file) as history:
            yield history


POOL_SIZE: Final = 8  # maximum number of idle open histories

_NUMBERS = count()


class _Kept(NamedTuple):
    """An open history that can be reused."""

    number: int  # unique in this process
    place: Hashable  # identity of the open database and of the process
    history: History
    closing: ExitStack


class HistoryPool:
    """Pool of the open histories of one process; keeps none open outside of `enabled` blocks."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._wanted = 0  # number of active `enabled` blocks
        self._idle: list[_Kept] = []
        self._watching: _Kept | None = None  # used only to detect writes by others

    @property
    def is_keeping(self) -> bool:
        """Whether histories are kept open, as in a server process."""
        return self._wanted > 0

    @contextmanager
    def enabled(self) -> Iterator[None]:
        """Keep histories open between uses while the block runs."""
        with self._lock:
            self._wanted += 1
        try:
            yield
        finally:
            with self._lock:
                self._wanted -= 1
                idle = [] if self._wanted else self._drain()
            _close(idle)

    @contextmanager
    def acquire(self, url: URL) -> Iterator[History]:
        """Yield an open history to one caller at a time; after an error it is closed."""
        kept = self._pop_live(url) or _opened(url)
        try:
            yield kept.history
            kept.history.flush()
        except BaseException:
            _close([kept])
            raise
        with self._lock:
            stays = self._wanted > 0 and len(self._idle) < POOL_SIZE
            if stays:
                self._idle.append(kept)
        if not stays:
            _close([kept])

    def data_version(self, url: URL) -> Hashable:
        """Return a token that changes whenever the history changes; only comparable within this process."""
        with self._lock:
            place = _identity(url)
            if self._watching is not None and self._watching.place == place:
                with suppress(ConnectionLostError):
                    return (self._watching.number, self._watching.history.data_version())
            _close(self._elsewhere(place))
            _close([] if self._watching is None else [self._watching])
            self._watching = None
            self._watching = _opened(url)
            return (self._watching.number, self._watching.history.data_version())

    def _pop_live(self, url: URL) -> _Kept | None:
        """Remove and return an idle history with a current schema; closes those with a lost connection."""
        while kept := self._pop_idle(url):
            try:
                kept.history.refresh_schema()
            except ConnectionLostError:
                _close([kept])
            except BaseException:
                _close([kept])
                raise
            else:
                return kept
        return None

    def _pop_idle(self, url: URL) -> _Kept | None:
        """Remove and return the most recently used history, whose page cache is warmest."""
        place = _identity(url)
        with self._lock:
            old = self._elsewhere(place)
            found = self._idle.pop() if self._idle else None
        _close(old)
        return found

    def _elsewhere(self, place: Hashable) -> list[_Kept]:
        """Remove and return the histories of a replaced file; close them before the new file is opened."""
        every = [*self._idle, *([] if self._watching is None else [self._watching])]
        old = [kept for kept in every if kept.place != place]
        self._idle = [kept for kept in self._idle if kept.place == place]
        if self._watching in old:
            self._watching = None
        return old

    def _drain(self) -> list[_Kept]:
        found = [*self._idle, *([] if self._watching is None else [self._watching])]
        self._idle, self._watching = [], None
        return found


def _opened(url: URL) -> _Kept:
    place = _identity(url)  # before opening, so that a replacement since then is detected at the next use
    with ExitStack() as stack:
        history = stack.enter_context(History.open(url, make=False))
        after = _identity(url)  # opening may switch the file to WAL, which changes the last element
        found = after if after[:-1] == place[:-1] else place
        return _Kept(next(_NUMBERS), found, history, stack.pop_all())


def _close(some: list[_Kept]) -> None:
    for kept in some:
        with suppress(WorkflowHistoryError):
            kept.history.leave()
        kept.closing.close()


def _identity(url: URL) -> tuple[Hashable, ...]:
    """Return the identity of the current database; another file of the same name has another identity."""
    file = get_backend(url).file(url)
    if file is not None and not file.exists():
        raise WorkflowHistoryError(f"cannot read the database {file}: there is no such file")
    return (os.getpid(), url, *get_backend(url).place(url))
