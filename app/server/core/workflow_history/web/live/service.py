"""Background service of the app: connects watchers, sync scheduler and event broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import Context, copy_context
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ... import database
from ...ingest.runs.nested_folders import TranscriptFolders
from ...ingest.sources.discovery import find_transcripts
from ...presentation.sync_summary import stage_label
from ...queries.json.encoding import to_json
from ...queries.sync_status import SyncStatus
from ..settings import ServerSettings
from .change_notifier import ChangeNotifier, current_change_token
from .event_broker import EventBroker, Subscriber
from .folder_watcher import FolderWatcher
from .sync_scheduler import SyncScheduler


class LiveService:
    """Background tasks of one server: watch, sync and broadcast events."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._last_state = "off"
        self.broker = EventBroker()
        self.scheduler = SyncScheduler(settings, self._on_status)
        self._notifier = ChangeNotifier(self.broker.has_subscribers, self._on_change)

    def subscribe(self, since: str | None) -> Subscriber | None:
        """Subscribe a client, and send it the sync status. Return None if there are too many clients.

        `since` is the client's last change token; if it is outdated, a history event follows.
        """
        client = self.broker.subscribe()
        if client is not None:
            client.send("sync", _status_json(self.scheduler.status))
            if since is not None and since != (token := current_change_token()):
                client.send("history", {"mark": token})
        return client

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Watch, sync and broadcast while the block runs."""
        tasks = [asyncio.create_task(self.scheduler.run()), asyncio.create_task(self._notifier.run())]
        watchers = self._start_watchers()
        try:
            with database.pooled_connections():
                yield
        finally:
            self.broker.close()
            for task in tasks:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks)
            await asyncio.gather(*[asyncio.to_thread(watcher.stop) for watcher in watchers])

    def _start_watchers(self) -> list[FolderWatcher]:
        """Start and return the watchers of local directories. If any is remote, request a sync at once."""
        folders = self._settings.folders if self._settings.follow else ()
        if any(not isinstance(folder, Path) for folder in folders):
            self.scheduler.request_sync()
        watchers = [
            watcher
            for folder in folders
            if isinstance(folder, Path)
            for watcher in self._watchers_of(folder, find_transcripts(folder))
        ]
        for watcher in watchers:
            watcher.start()
        return watchers

    def _watchers_of(self, folder: Path, transcripts: TranscriptFolders | None) -> list[FolderWatcher]:
        """Build the watchers of a directory; of a whole project, only of its transcript directories."""
        if transcripts is None or not transcripts.alone:
            return [self._watcher(folder)]
        return [
            self._watcher(folder / subfolder, recursive=bool(subfolder))
            for subfolder in transcripts.watched()
        ]

    def _watcher(self, folder: Path, *, recursive: bool = True) -> FolderWatcher:
        loop, context, scheduler = asyncio.get_running_loop(), copy_context(), self.scheduler
        return FolderWatcher(
            folder,
            lambda: _call_soon(loop, context, scheduler.request_sync),
            lambda mode: _call_soon(loop, context, scheduler.set_watch_mode, str(folder), mode),
            recursive=recursive,
        )

    def _on_status(self, status: SyncStatus) -> None:
        if status.state != self._last_state:
            self._notifier.check_now()
        self._last_state = status.state
        self.broker.broadcast("sync", _status_json(status))

    def _on_change(self, token: str) -> None:
        self.broker.broadcast("history", {"mark": token})


def _status_json(status: SyncStatus) -> dict[str, Any]:
    """Return the sync status as JSON, with the server's time, because a browser's clock may differ."""
    words = None if status.phase is None else stage_label(status.phase)
    return {**to_json(status), "phase_words": words, "at": datetime.now(UTC).isoformat()}


def _call_soon(loop: asyncio.AbstractEventLoop, context: Context, function: Any, *args: Any) -> None:
    with suppress(RuntimeError):  # the event loop is closed
        loop.call_soon_threadsafe(function, *args, context=context)
