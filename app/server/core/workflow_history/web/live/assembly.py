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
from ...scanning.walk import lies_beside_agents
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
        followers = self._followers()
        try:
            with database.kept_open():
                yield
        finally:
            self.hub.close()
            for task in tasks:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks)
            await asyncio.gather(*[asyncio.to_thread(follower.stop) for follower in followers])

    def _followers(self) -> list[Follower]:
        """Return who watches the folders, begun; those that lie elsewhere are synced at once instead."""
        folders = self._settings.folders if self._settings.follow else ()
        if any(not isinstance(folder, Path) for folder in folders):
            self.syncer.wish()
        # A whole project is too much to watch: transcripts in it are read when its agents folders change.
        watched = (each for each in folders if isinstance(each, Path) and not lies_beside_agents(each))
        followers = [self._follower(folder) for folder in watched]
        for follower in followers:
            follower.start()
        return followers

    def _follower(self, folder: Path) -> Follower:
        loop, syncer = asyncio.get_running_loop(), self.syncer
        return Follower(
            folder,
            lambda: _later(loop, syncer.wish),
            lambda how: _later(loop, syncer.watched, str(folder), how),
        )

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
