"""Schedule syncs: on request, periodically and after failures, one at a time. It reads no files itself.

Requests during a running sync lead to exactly one more sync. A failed sync is retried with exponential
backoff. A new request doesn't wait for the retry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ...ingest.files import RemoteFolder
from ...queries.sync_status import LastSync, SyncStatus
from ...scanner import project_name
from ..settings import ServerSettings
from .folder_watcher import EVENTS, POLLING, WAITING
from .sync_process import SyncFailedError, SyncProcess

POLL_INTERVAL: Final = 600.0  # seconds: a run that stops writing becomes incomplete without a file change
REMOTE_POLL_INTERVAL: Final = 60.0  # seconds: changes in a remote directory aren't reported
IDLE_TIMEOUT: Final = 60.0  # seconds without a sync after which the subprocess is stopped
_LEAST_FIRST: Final = (WAITING, POLLING, EVENTS)
RETRY_BACKOFF: Final = (1.0, 60.0)  # seconds until a failed sync is retried: first and maximum


class Syncer:
    """Sync the agents directories of a project on request, and report each change of the sync status."""

    def __init__(
        self,
        settings: ServerSettings,
        told: Callable[[SyncStatus], None],
        *,
        worker: SyncProcess | None = None,
        retries: tuple[float, float] = RETRY_BACKOFF,
    ) -> None:
        folder, folders, project = settings.agents_dir, settings.folders, settings.project
        if folder is not None and project is None:
            project = project_name(folder)
        self._told = told
        self._worker = worker or SyncProcess()
        self._retries = retries
        self._wanted = asyncio.Event()
        place = None if folder is None else str(folder)
        every = tuple(map(str, folders))
        self._order = {"folders": every, "project": project}
        self._watches: dict[str, str] = {}  # watch mode by directory
        is_remote = isinstance(folder, RemoteFolder)
        self._look_again = (REMOTE_POLL_INTERVAL if is_remote else POLL_INTERVAL) if settings.follow else None
        watch = "listing" if is_remote and settings.follow else None
        self.now = SyncStatus("off" if place is None else "idle", place, project, watch=watch, folders=every)

    @property
    def is_busy(self) -> bool:
        """Whether a sync is running or about to start."""
        return self.now.state == "running" or self._wanted.is_set()

    def request_sync(self) -> None:
        """Request a sync: it starts now, or as soon as the running one has ended."""
        self._wanted.set()

    def set_watch_mode(self, folder: str, how: str) -> None:
        """Store a directory's watch mode. The status shows the weakest mode of all directories."""
        self._watches[folder] = how
        self._say(watch=min(self._watches.values(), key=_LEAST_FIRST.index))

    async def run(self) -> None:
        """Run the scheduled and requested syncs until cancelled, then stop the subprocess."""
        failures = 0
        try:
            while True:
                await self._time_to_sync(failures)
                self._wanted.clear()
                failures = 0 if await self._sync() else failures + 1
                if failures:
                    self._say(next_retry_at=datetime.now(UTC) + timedelta(seconds=self._pause(failures)))
        finally:
            await self._worker.stop()

    async def _time_to_sync(self, failures: int) -> None:
        pause = self._pause(failures) if failures else self._look_again
        if pause is not None and pause <= IDLE_TIMEOUT:
            await self._wished_within(pause)
        elif not await self._wished_within(IDLE_TIMEOUT):
            await self._worker.stop()
            await self._wished_within(None if pause is None else pause - IDLE_TIMEOUT)

    async def _wished_within(self, seconds: float | None) -> bool:
        try:
            return await asyncio.wait_for(self._wanted.wait(), seconds)
        except TimeoutError:
            return False

    def _pause(self, failures: int) -> float:
        first, most = self._retries
        return min(first * 2.0 ** (failures - 1), most)

    async def _sync(self) -> bool:
        self._say(state="running", started_at=datetime.now(UTC), next_retry_at=None)
        ended: dict[str, Any] = {"phase": None, "done": None, "total": None, "started_at": None}
        try:
            stats = await self._worker.run_sync(self._order, self._progress)
        except SyncFailedError as error:
            self._say(state="failed", error=str(error), **ended)
            return False
        self._say(state="idle", error=None, last=_result(stats), **ended)
        return True

    def _progress(self, phase: str, done: int, total: int) -> None:
        self._say(phase=phase, done=done, total=total)

    def _say(self, **changes: Any) -> None:
        self.now = replace(self.now, **changes)
        self._told(self.now)


def _result(stats: dict[str, Any]) -> LastSync:
    return LastSync(
        ended_at=datetime.now(UTC),
        duration_seconds=stats["duration_seconds"],
        scanned=stats["scanned"],
        inserted=stats["inserted"],
        changed=stats["changed"],
        unchanged=stats["unchanged"],
        failed=stats["failed"],
        newly_gone=stats["newly_gone"],
        problems=stats["problems"],
    )
