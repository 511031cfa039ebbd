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
from ...ingest.sources.registry import source_of
from ...queries.sync_status import LastSync, SyncStatus
from ...scanner import project_name
from ..settings import ServerSettings
from .folder_watcher import EVENTS, POLLING, WAITING
from .sync_process import SyncFailedError, SyncProcess

POLL_INTERVAL: Final = 600.0  # seconds: a run that stops writing becomes incomplete without a file change
REMOTE_POLL_INTERVAL: Final = 60.0  # seconds: changes in a remote directory aren't reported
IDLE_TIMEOUT: Final = 60.0  # seconds without a sync after which the subprocess is stopped
_WEAKEST_FIRST: Final = (WAITING, POLLING, EVENTS)
RETRY_BACKOFF: Final = (1.0, 60.0)  # seconds until a failed sync is retried: first and maximum


class SyncScheduler:
    """Sync the agents directories of a project on request, and report each change of the sync status."""

    def __init__(
        self,
        settings: ServerSettings,
        on_status: Callable[[SyncStatus], None],
        *,
        process: SyncProcess | None = None,
        retry_backoff: tuple[float, float] = RETRY_BACKOFF,
    ) -> None:
        folder = settings.folders[0] if settings.folders else None
        project = settings.project
        if folder is not None and project is None:  # only shown: the sync names the project of each run
            source = source_of(folder)
            project = project_name(folder) if source is None else source.title
        self._on_status = on_status
        self._process = process or SyncProcess()
        self._retry_backoff = retry_backoff
        self._requested = asyncio.Event()
        agents_dir = None if folder is None else str(folder)
        folders = tuple(map(str, settings.folders))
        self._job = {"folders": folders, "project": settings.project}
        self._watch_modes: dict[str, str] = {}  # watch mode by directory
        is_remote = isinstance(folder, RemoteFolder)
        self._interval = (REMOTE_POLL_INTERVAL if is_remote else POLL_INTERVAL) if settings.follow else None
        watch = "listing" if is_remote and settings.follow else None
        self.status = SyncStatus(
            "off" if agents_dir is None else "idle", agents_dir, project, watch=watch, folders=folders
        )

    @property
    def is_busy(self) -> bool:
        """Whether a sync is running or about to start."""
        return self.status.state == "running" or self._requested.is_set()

    def request_sync(self) -> None:
        """Request a sync: it starts now, or as soon as the running one has ended."""
        self._requested.set()

    def set_watch_mode(self, folder: str, mode: str) -> None:
        """Store a directory's watch mode. The status shows the weakest mode of all directories."""
        self._watch_modes[folder] = mode
        self._update(watch=min(self._watch_modes.values(), key=_WEAKEST_FIRST.index))

    async def run(self) -> None:
        """Run the scheduled and requested syncs until cancelled, then stop the subprocess."""
        failures = 0
        try:
            while True:
                await self._wait_until_due(failures)
                self._requested.clear()
                failures = 0 if await self._sync() else failures + 1
                if failures:
                    self._update(
                        next_retry_at=datetime.now(UTC) + timedelta(seconds=self._retry_delay(failures))
                    )
        finally:
            await self._process.stop()

    async def _wait_until_due(self, failures: int) -> None:
        delay = self._retry_delay(failures) if failures else self._interval
        if delay is not None and delay <= IDLE_TIMEOUT:
            await self._requested_within(delay)
        elif not await self._requested_within(IDLE_TIMEOUT):
            await self._process.stop()
            await self._requested_within(None if delay is None else delay - IDLE_TIMEOUT)

    async def _requested_within(self, seconds: float | None) -> bool:
        try:
            return await asyncio.wait_for(self._requested.wait(), seconds)
        except TimeoutError:
            return False

    def _retry_delay(self, failures: int) -> float:
        first, maximum = self._retry_backoff
        return min(first * 2.0 ** (failures - 1), maximum)

    async def _sync(self) -> bool:
        self._update(state="running", started_at=datetime.now(UTC), next_retry_at=None)
        reset: dict[str, Any] = {"phase": None, "done": None, "total": None, "started_at": None}
        try:
            stats = await self._process.run_sync(self._job, self._on_progress)
        except SyncFailedError as error:
            self._update(state="failed", error=str(error), **reset)
            return False
        self._update(state="idle", error=None, last=_last_sync(stats), **reset)
        return True

    def _on_progress(self, phase: str, done: int, total: int) -> None:
        self._update(phase=phase, done=done, total=total)

    def _update(self, **changes: Any) -> None:
        self.status = replace(self.status, **changes)
        self._on_status(self.status)


def _last_sync(stats: dict[str, Any]) -> LastSync:
    return LastSync(
        ended_at=datetime.now(UTC),
        duration_seconds=stats["duration_seconds"],
        scanned=stats["scanned"],
        inserted=stats["inserted"],
        changed=stats["changed"],
        unchanged=stats["unchanged"],
        failed=stats["failed"],
        newly_missing=stats["newly_missing"],
        problems=stats["problems"],
    )
