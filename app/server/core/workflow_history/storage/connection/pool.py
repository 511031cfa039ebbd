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
from .engine import connect, display_name, exists, get_dialect, read_transaction, translate_errors
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
        raise WorkflowHistoryError(f"No history at {url.database}. Name the path or URL of an existing one.")
    with connect(url, read_only=True) as connection:
        with read_transaction(connection):
            revision = stored_revision(connection)
        if revision == LATEST_REVISION:
            yield History(url, connection, read_only=True)
            return
        if revision is None:
            raise WorkflowHistoryError(f"{url.database} is not a history. Name a history database.")
        reject_newer(connection, revision)
        with _open_upgraded_copy(url, connection) as history:
            yield history


@contextmanager
def _open_upgraded_copy(url: URL, connection: Connection) -> Iterator[History]:
    with scratch_folder() as folder:
        file = folder / "history.db"
        with translate_errors(url):
            is_copied = get_dialect(url).copy_to(connection, file)
        if not is_copied:
            raise WorkflowHistoryError(
                f"{display_name(url)}: its tables are of an older version; any command on it brings them up "
                f"to date"
            )
        with History.open(file) as history:
            yield history


POOL_SIZE: Final = 8  # maximum number of idle open histories

_NUMBERS = count()


class _PooledHistory(NamedTuple):
    """An open history that can be reused."""

    number: int  # unique in this process
    identity: Hashable  # identity of the open database and of the process
    history: History
    exit_stack: ExitStack


class HistoryPool:
    """Pool of the open histories of one process; keeps none open outside of `enabled` blocks."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._enabled_count = 0  # number of active `enabled` blocks
        self._idle: list[_PooledHistory] = []
        self._watcher: _PooledHistory | None = None  # used only to detect writes by others

    @property
    def is_enabled(self) -> bool:
        """Whether histories are kept open, as in a server process."""
        return self._enabled_count > 0

    @contextmanager
    def enabled(self) -> Iterator[None]:
        """Keep histories open between uses while the block runs."""
        with self._lock:
            self._enabled_count += 1
        try:
            yield
        finally:
            unused: list[_PooledHistory] = []
            with self._lock:
                self._enabled_count -= 1
                if not self._enabled_count:
                    unused = self._histories()
                    self._idle, self._watcher = [], None
            _close_all(unused)

    @contextmanager
    def acquire(self, url: URL) -> Iterator[History]:
        """Yield an open history to one caller at a time; after an error it is closed."""
        pooled = self._pop_live(url) or _open(url)
        try:
            yield pooled.history
            pooled.history.flush()
        except BaseException:
            _close_all([pooled])
            raise
        with self._lock:
            is_reused = self._enabled_count > 0 and len(self._idle) < POOL_SIZE
            if is_reused:
                self._idle.append(pooled)
        if not is_reused:
            _close_all([pooled])

    def data_version(self, url: URL) -> Hashable:
        """Return a token that changes whenever the history changes; only comparable within this process."""
        with self._lock:
            identity = _identity(url)
            if self._watcher is not None and self._watcher.identity == identity:
                with suppress(ConnectionLostError):
                    return (self._watcher.number, self._watcher.history.data_version())
            _close_all(self._pop_replaced(identity))
            _close_all([] if self._watcher is None else [self._watcher])
            self._watcher = None
            self._watcher = _open(url)
            return (self._watcher.number, self._watcher.history.data_version())

    def _pop_live(self, url: URL) -> _PooledHistory | None:
        """Remove and return an idle history with a current schema; closes those with a lost connection."""
        while pooled := self._pop_idle(url):
            try:
                pooled.history.refresh_schema()
            except ConnectionLostError:
                _close_all([pooled])
            except BaseException:
                _close_all([pooled])
                raise
            else:
                return pooled
        return None

    def _pop_idle(self, url: URL) -> _PooledHistory | None:
        """Remove and return the most recently used history, whose page cache is warmest."""
        identity = _identity(url)
        with self._lock:
            replaced = self._pop_replaced(identity)
            newest = self._idle.pop() if self._idle else None
        _close_all(replaced)
        return newest

    def _pop_replaced(self, identity: Hashable) -> list[_PooledHistory]:
        """Remove and return the histories of a replaced file; close them before the new file is opened."""
        replaced = [pooled for pooled in self._histories() if pooled.identity != identity]
        self._idle = [pooled for pooled in self._idle if pooled.identity == identity]
        if self._watcher in replaced:
            self._watcher = None
        return replaced

    def _histories(self) -> list[_PooledHistory]:
        return self._idle if self._watcher is None else [*self._idle, self._watcher]


def _open(url: URL) -> _PooledHistory:
    identity = _identity(url)  # before opening, so that a replacement since then is detected at the next use
    with ExitStack() as stack:
        history = stack.enter_context(History.open(url, create=False))
        opened_identity = _identity(url)  # opening may switch the file to WAL, which changes the last element
        current = opened_identity if opened_identity[:-1] == identity[:-1] else identity
        return _PooledHistory(next(_NUMBERS), current, history, stack.pop_all())


def _close_all(histories: list[_PooledHistory]) -> None:
    for pooled in histories:
        with suppress(WorkflowHistoryError):
            pooled.history.before_close()
        pooled.exit_stack.close()


def _identity(url: URL) -> tuple[Hashable, ...]:
    """Return the identity of the current database; another file of the same name has another identity."""
    file = get_dialect(url).file(url)
    if file is not None and not file.exists():
        raise WorkflowHistoryError(f"Cannot read the database {file}: it does not exist.")
    return (os.getpid(), url, *get_dialect(url).identity(url))
