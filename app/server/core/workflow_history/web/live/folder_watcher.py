"""Watch an agents directory, and call a function after each burst of changes.

It only reads. The directory may not exist yet, and may disappear and return.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

from watchfiles import Change, watch
from watchfiles._rust_notify import WatchfilesRustInternalError

from ...ingest.runs.nested_folders import PRUNED

logger = logging.getLogger("workflow_history")

EVENTS, POLLING, WAITING = "events", "polling", "waiting"

_BURST: Final = 800  # milliseconds of changes that are reported together, at most
_QUIET: Final = 100  # milliseconds without a change that end a burst
_LOOKS: Final = 500  # milliseconds between checks that the directory still exists and is the same
_POLLS: Final = 3_000  # milliseconds between scans if the system reports no changes
_POLLING_WANTED: Final = "WATCHFILES_FORCE_POLLING"  # environment variable of watchfiles

WatchFunction = Callable[..., Iterator[set[tuple[Change, str]]]]


class FolderWatcher:
    """A thread that watches a directory, with its subdirectories if `deep`.

    Calls `changed` after each burst, and `watched` with EVENTS, POLLING or WAITING when the method changes.
    """

    def __init__(
        self,
        folder: Path,
        changed: Callable[[], None],
        watched: Callable[[str], None],
        *,
        watching: WatchFunction = watch,
        deep: bool = True,
    ) -> None:
        self._folder = folder
        self._changed = changed
        self._watched = watched
        self._watching = watching
        self._deep = deep
        self._polling = bool(os.environ.get(_POLLING_WANTED))
        self._how: str | None = None
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="following", daemon=True)

    def start(self) -> None:
        """Start watching. Existing content is reported as one change."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching. After it returns, there are no more calls."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            seen = _identity(self._folder)
            if seen is None:
                self._say(WAITING)
                self._stopped.wait(_LOOKS / 1_000)
                continue
            try:
                self._watch(seen)
            except (OSError, WatchfilesRustInternalError) as error:
                if _identity(self._folder) == seen:
                    self._fall_back(error)

    def _watch(self, seen: tuple[int, int]) -> None:
        """Report changes until the directory is removed or replaced by another one."""
        fresh = True
        for changes in self._watching(self._folder, **self._ways()):
            if fresh:  # the watch is active: the sync finds all earlier changes
                self._say(POLLING if self._polling else EVENTS)
            if fresh or changes:
                self._changed()
            fresh = False
            if _identity(self._folder) != seen:
                return

    def _ways(self) -> dict[str, Any]:
        return {
            "watch_filter": self._tells,
            "recursive": self._deep,
            "debounce": _BURST,
            "step": _QUIET,
            "stop_event": self._stopped,
            "rust_timeout": _LOOKS,
            "yield_on_timeout": True,
            "raise_interrupt": False,
            "force_polling": self._polling,
            "poll_delay_ms": _POLLS,
            "ignore_permission_denied": True,
        }

    def _tells(self, _change: Change, path: str) -> bool:
        """Return whether a sync would read a path at all."""
        return PRUNED.isdisjoint(Path(os.path.relpath(path, self._folder)).parts)

    def _fall_back(self, error: Exception) -> None:
        """Fall back to polling if the system can't report changes, for example if it has no watches left."""
        logger.warning("following_by_polling agents_dir=%s reason=%s", self._folder, error)
        if self._polling:
            self._stopped.wait(_POLLS / 1_000)
        self._polling = True

    def _say(self, how: str) -> None:
        if how != self._how:
            self._how = how
            self._watched(how)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if folder.is_dir() else None
