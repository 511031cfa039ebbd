"""Watch an agents directory, and call a function after each burst of changes.

It only reads. The directory may not exist yet, and may disappear and return.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Final

from watchfiles import Change, watch
from watchfiles._rust_notify import WatchfilesRustInternalError

from ...ingest.runs.nested_folders import PRUNED

logger = logging.getLogger("workflow_history")

EVENTS, POLLING, WAITING = "events", "polling", "waiting"

_MAX_BURST_MS: Final = 800  # milliseconds of changes that are reported together, at most
_QUIET_MS: Final = 100  # milliseconds without a change that end a burst
_CHECK_INTERVAL_MS: Final = 500  # milliseconds between checks that the directory still exists and is the same
_POLL_INTERVAL_MS: Final = 3_000  # milliseconds between scans if the system reports no changes
_FORCE_POLLING_VARIABLE: Final = "WATCHFILES_FORCE_POLLING"  # environment variable of watchfiles

WatchFunction = Callable[..., Iterator[set[tuple[Change, str]]]]


class FolderWatcher:
    """A thread that watches a directory, with its subdirectories if `recursive`.

    Calls `on_change` after each burst, and `on_mode` with EVENTS, POLLING or WAITING when the mode changes.
    """

    def __init__(
        self,
        folder: Path,
        on_change: Callable[[], None],
        on_mode: Callable[[str], None],
        *,
        watch_function: WatchFunction = watch,
        recursive: bool = True,
    ) -> None:
        self._folder = folder
        self._on_change = on_change
        self._on_mode = on_mode
        self._watch_function = watch_function
        self._recursive = recursive
        self._polling = bool(os.environ.get(_FORCE_POLLING_VARIABLE))
        self._mode: str | None = None
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="folder-watcher", daemon=True)

    def start(self) -> None:
        """Start watching. Existing content is reported as one change."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching. After it returns, there are no more calls."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            identity = _identity(self._folder)
            if identity is None:
                self._set_mode(WAITING)
                self._stopped.wait(_CHECK_INTERVAL_MS / 1_000)
                continue
            try:
                self._watch(identity)
            except (OSError, WatchfilesRustInternalError) as error:
                if _identity(self._folder) == identity:
                    self._fall_back(error)

    def _watch(self, identity: tuple[int, int]) -> None:
        """Report changes until the directory is removed or replaced by another one."""
        is_first = True
        changes_by_burst = self._watch_function(
            self._folder,
            watch_filter=self._is_relevant,
            recursive=self._recursive,
            debounce=_MAX_BURST_MS,
            step=_QUIET_MS,
            stop_event=self._stopped,
            rust_timeout=_CHECK_INTERVAL_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=self._polling,
            poll_delay_ms=_POLL_INTERVAL_MS,
            ignore_permission_denied=True,
        )
        for changes in changes_by_burst:
            if is_first:  # the watch is active: the sync finds all earlier changes
                self._set_mode(POLLING if self._polling else EVENTS)
            if is_first or changes:
                self._on_change()
            is_first = False
            if _identity(self._folder) != identity:
                return

    def _is_relevant(self, _change: Change, path: str) -> bool:
        """Return whether a sync would read a path at all."""
        return PRUNED.isdisjoint(Path(os.path.relpath(path, self._folder)).parts)

    def _fall_back(self, error: Exception) -> None:
        """Fall back to polling if the system can't report changes, for example if it has no watches left."""
        logger.warning("watching_by_polling agents_dir=%s reason=%s", self._folder, error)
        if self._polling:
            self._stopped.wait(_POLL_INTERVAL_MS / 1_000)
        self._polling = True

    def _set_mode(self, mode: str) -> None:
        if mode != self._mode:
            self._mode = mode
            self._on_mode(mode)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if folder.is_dir() else None
