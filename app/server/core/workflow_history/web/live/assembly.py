"""The live part put together: settings in; it runs beside the app, and handlers ask it how things stand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ... import database
from ...answers.following import SyncNow
from ...answers.shapes import to_json
from ...wording.syncing import phase_words
from ..settings import Settings
from .changes import Changes, mark_now
from .following import Follower
from .hub import Client, Hub
from .syncer import Syncer


class Live:
    """What one server does by itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._last_state = "off"
        self.hub = Hub()
        self.syncer = Syncer(settings, self._synced)
        self._changes = Changes(self.hub.somebody, self._changed)

    def welcome(self, since: str | None) -> Client | None:
        """Let one more listen, told how things stand; None: too many do. `since`: its mark."""
        client = self.hub.join()
        if client is not None:
            client.tell("sync", _told(self.syncer.now))
            if since is not None and since != (mark := mark_now()):
                client.tell("history", {"mark": mark})
        return client

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow, sync and tell while the block runs."""
        tasks = [asyncio.create_task(self.syncer.run()), asyncio.create_task(self._changes.run())]
        follower = self._follower()
        try:
            with database.kept_open():
                yield
        finally:
            self.hub.close()
            for task in tasks:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks)
            if follower is not None:
                await asyncio.to_thread(follower.stop)

    def _follower(self) -> Follower | None:
        folder = self._settings.agents_dir
        if not self._settings.follow or not isinstance(folder, Path):
            if self._settings.follow and folder is not None:
                self.syncer.wish()
            return None
        loop, syncer = asyncio.get_running_loop(), self.syncer
        follower = Follower(
            folder,
            lambda: _later(loop, syncer.wish),
            lambda how: _later(loop, syncer.watched, how),
        )
        follower.start()
        return follower

    def _synced(self, now: SyncNow) -> None:
        if now.state != self._last_state:
            self._changes.hurry()
        self._last_state = now.state
        self.hub.tell("sync", _told(now))

    def _changed(self, mark: str) -> None:
        self.hub.tell("history", {"mark": mark})


def _told(now: SyncNow) -> dict[str, Any]:
    """Return how a sync stands, with the server's time: a browser's clock may be another."""
    words = None if now.phase is None else phase_words(now.phase)
    return {**to_json(now), "phase_words": words, "at": datetime.now(UTC).isoformat()}


def _later(loop: asyncio.AbstractEventLoop, call: Any, *values: Any) -> None:
    with suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(call, *values)
