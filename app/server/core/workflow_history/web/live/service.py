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
from ...ingest.runs.discovery import transcripts_beside
from ...ingest.runs.nested_folders import Beside
from ...presentation.sync_summary import stage_label
from ...queries.json.encoding import to_json
from ...queries.sync_status import SyncStatus
from ..settings import ServerSettings
from .change_notifier import ChangeNotifier, current_change_token
from .event_broker import EventBroker, Subscriber
from .folder_watcher import FolderWatcher
from .sync_scheduler import Syncer


class LiveService:
    """Background tasks of one server: watch, sync and broadcast events."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._last_state = "off"
        self.hub = EventBroker()
        self.syncer = Syncer(settings, self._synced)
        self._changes = ChangeNotifier(self.hub.somebody, self._changed)

    def subscribe(self, since: str | None) -> Subscriber | None:
        """Subscribe a client, and send it the sync status. Return None if there are too many clients.

        `since` is the client's last change token; if it is outdated, a history event follows.
        """
        client = self.hub.subscribe()
        if client is not None:
            client.send("sync", _told(self.syncer.now))
            if since is not None and since != (mark := current_change_token()):
                client.send("history", {"mark": mark})
        return client

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Watch, sync and broadcast while the block runs."""
        tasks = [asyncio.create_task(self.syncer.run()), asyncio.create_task(self._changes.run())]
        followers = self._followers()
        try:
            with database.pooled_connections():
                yield
        finally:
            self.hub.close()
            for task in tasks:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks)
            await asyncio.gather(*[asyncio.to_thread(follower.stop) for follower in followers])

    def _followers(self) -> list[FolderWatcher]:
        """Start and return the watchers of local directories. If any is remote, request a sync at once."""
        folders = self._settings.folders if self._settings.follow else ()
        if any(not isinstance(folder, Path) for folder in folders):
            self.syncer.request_sync()
        followers = [
            follower
            for folder in folders
            if isinstance(folder, Path)
            for follower in self._followers_of(folder, transcripts_beside(folder))
        ]
        for follower in followers:
            follower.start()
        return followers

    def _followers_of(self, folder: Path, beside: Beside | None) -> list[FolderWatcher]:
        """Build the watchers of a directory; of a whole project, only of its transcript directories."""
        if beside is None or not beside.alone:
            return [self._follower(folder)]
        return [self._follower(folder / shown, deep=bool(shown)) for shown in beside.watched()]

    def _follower(self, folder: Path, *, deep: bool = True) -> FolderWatcher:
        loop, context, syncer = asyncio.get_running_loop(), copy_context(), self.syncer
        return FolderWatcher(
            folder,
            lambda: _later(loop, context, syncer.request_sync),
            lambda how: _later(loop, context, syncer.set_watch_mode, str(folder), how),
            deep=deep,
        )

    def _synced(self, now: SyncStatus) -> None:
        if now.state != self._last_state:
            self._changes.check_now()
        self._last_state = now.state
        self.hub.broadcast("sync", _told(now))

    def _changed(self, mark: str) -> None:
        self.hub.broadcast("history", {"mark": mark})


def _told(now: SyncStatus) -> dict[str, Any]:
    """Return the sync status as JSON, with the server's time, because a browser's clock may differ."""
    words = None if now.phase is None else stage_label(now.phase)
    return {**to_json(now), "phase_words": words, "at": datetime.now(UTC).isoformat()}


def _later(loop: asyncio.AbstractEventLoop, context: Context, call: Any, *values: Any) -> None:
    with suppress(RuntimeError):  # the event loop is closed
        loop.call_soon_threadsafe(call, *values, context=context)
