"""Following a folder: when syncs run, killed syncs, notified and dropped clients."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from watchfiles import Change, watch

from app.server.core.workflow_history import database
from app.server.core.workflow_history.queries.sync_status import SyncStatus
from app.server.core.workflow_history.web.app import create_app
from app.server.core.workflow_history.web.live.event_broker import MAX_CLIENTS, MAX_QUEUE, EventBroker
from app.server.core.workflow_history.web.live.folder_watcher import FolderWatcher
from app.server.core.workflow_history.web.live.sync_process import ProgressCallback, SyncProcess
from app.server.core.workflow_history.web.live.sync_scheduler import SyncScheduler
from app.server.core.workflow_history.web.settings import ServerSettings
from app.server.tests.support import build
from app.server.tests.support.patience import PATIENCE


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "agents"
    build.stream(
        build.run(folder, "aaaa1111", {"adw_id": "aaaa1111"}), "planner", build.init(), build.result()
    )
    return folder


class Watched:
    """A syncer that runs, and what it said."""

    def __init__(self, agents: Path, **more: Any) -> None:
        self.said: asyncio.Queue[SyncStatus] = asyncio.Queue()
        self.scheduler = SyncScheduler(ServerSettings(folders=(agents,)), self.said.put_nowait, **more)

    async def until(self, is_it: Callable[[SyncStatus], bool]) -> SyncStatus:
        while True:
            now = await asyncio.wait_for(self.said.get(), PATIENCE)
            if is_it(now):
                return now

    def during(self, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def told() -> None:
            task = asyncio.create_task(self.scheduler.run())
            try:
                await story()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        asyncio.run(told())


class GatedWorker(SyncProcess):
    """Stands in for the process: a sync ends when the gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self.began = 0
        self.gate = asyncio.Event()

    async def run_sync(self, job: Mapping[str, Any], on_progress: ProgressCallback) -> dict[str, Any]:  # noqa: ARG002
        self.began += 1
        await self.gate.wait()
        names = (
            "duration_seconds",
            "scanned",
            "inserted",
            "updated",
            "changed",
            "unchanged",
            "failed",
            "newly_missing",
        )
        return dict.fromkeys((*names, "problems"), 0)


def test_wishes_during_a_sync_lead_to_exactly_one_more(agents: Path) -> None:
    worker = GatedWorker()
    watched = Watched(agents, process=worker)

    async def story() -> None:
        watched.scheduler.request_sync()
        await watched.until(lambda now: now.state == "running")
        for _ in range(3):
            watched.scheduler.request_sync()
        worker.gate.set()
        await watched.until(lambda now: now.state == "idle")
        await watched.until(lambda now: now.state == "running")
        await watched.until(lambda now: now.state == "idle")
        assert not watched.scheduler.is_busy

    watched.during(story)
    assert worker.began == 2


def test_a_killed_process_is_reported_and_the_next_wish_syncs(agents: Path, tmp_path: Path) -> None:
    database.init_db()
    worker = SyncProcess()
    watched = Watched(agents, process=worker, retry_backoff=(PATIENCE, PATIENCE))

    async def story() -> None:
        other = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # the sync waits for it, and so is there to be killed
        watched.scheduler.request_sync()
        await watched.until(lambda now: now.phase is not None)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        failed = await watched.until(lambda now: now.state == "failed" and now.next_retry_at is not None)
        assert failed.error == "The sync process was killed by SIGKILL. Runs stored before are kept."
        other.execute("ROLLBACK")
        other.close()
        watched.scheduler.request_sync()
        done = await watched.until(lambda now: now.state == "idle")
        assert (done.error, done.last and done.last.inserted) == (None, 1)

    watched.during(story)


def test_a_process_that_cannot_be_started_is_a_failed_sync_and_no_end_of_following(
    agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(agents, retry_backoff=(0.01, 0.02))

    async def story() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", str(tmp_path / "nosuch"))
            watched.scheduler.request_sync()
            failed = await watched.until(lambda now: now.state == "failed")
        assert failed.error is not None
        assert "Cannot start the sync process" in failed.error
        done = await watched.until(lambda now: now.state == "idle")
        assert done.last is not None

    watched.during(story)


def test_a_failed_sync_is_tried_again_by_itself(agents: Path, tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    file.write_text("no database" * 500)
    watched = Watched(agents, retry_backoff=(0.01, 0.02))

    async def story() -> None:
        watched.scheduler.request_sync()
        failed = await watched.until(lambda now: now.state == "failed")
        assert failed.error is not None
        assert "not an SQLite database" in failed.error
        file.unlink()
        done = await watched.until(lambda now: now.state == "idle")
        assert done.last is not None

    watched.during(story)


def test_the_process_ends_with_the_syncer(agents: Path) -> None:
    worker = SyncProcess()
    watched = Watched(agents, process=worker)
    pids: list[int] = []

    async def story() -> None:
        watched.scheduler.request_sync()
        await watched.until(lambda now: now.last is not None)
        assert worker.pid is not None
        pids.append(worker.pid)

    watched.during(story)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_client_that_does_not_keep_up_is_dropped_and_the_others_are_told() -> None:
    async def story() -> None:
        hub = EventBroker()
        slow, quick = hub.subscribe(), hub.subscribe()
        assert slow is not None
        assert quick is not None
        messages = quick.messages()
        for number in range(MAX_QUEUE + 1):
            hub.broadcast("sync", number)
            assert (await anext(messages)).data == str(number)
        assert [message async for message in slow.messages()] == []
        hub.broadcast("sync", "more")
        assert (await anext(messages)).data == '"more"'
        hub.unsubscribe(quick)
        assert not hub.has_subscribers.is_set()

    asyncio.run(story())


def test_too_many_clients_are_refused() -> None:
    app = create_app()
    hub = app.state.context.live.broker
    clients = [hub.subscribe() for _ in range(MAX_CLIENTS)]
    assert None not in clients
    answer = TestClient(app, base_url="http://localhost").get("/api/v1/events")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    hub.unsubscribe(clients[0])
    assert hub.subscribe() is not None


def test_a_closed_hub_ends_all_streams_and_begins_none() -> None:
    async def story() -> None:
        hub = EventBroker()
        client = hub.subscribe()
        assert client is not None
        hub.close()
        assert [message async for message in client.messages()] == []
        assert hub.subscribe() is None

    asyncio.run(story())


def test_a_second_sync_by_hand_is_refused_while_one_runs(agents: Path) -> None:
    app = create_app(ServerSettings(folders=(agents,), follow=False))
    client = TestClient(app, base_url="http://localhost", headers={"X-Workflow-History": "1"})
    assert client.post("/api/v1/syncs").status_code == 202  # nothing runs it here: it stays wanted
    second = client.post("/api/v1/syncs")
    assert second.status_code == 409
    assert "/api/v1/syncs/current" in second.json()["detail"]


class Heard:
    """What a follower said."""

    def __init__(self) -> None:
        self.changes = threading.Semaphore(0)
        self.ways: list[str] = []
        self.said = threading.Semaphore(0)

    def watched(self, how: str) -> None:
        self.ways.append(how)
        self.said.release()


def test_where_the_system_has_no_watches_left_the_folder_is_polled(
    agents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*folders: Path, force_polling: bool, **ways: Any) -> Iterator[Any]:
        if not force_polling:
            raise OSError("OS file watch limit reached.")
        return watch(*folders, force_polling=True, **{**ways, "poll_delay_ms": 50})

    heard = Heard()
    follower = FolderWatcher(agents, heard.changes.release, heard.watched, watch_function=exhausted)
    follower.start()
    try:
        assert heard.said.acquire(timeout=PATIENCE)
        assert heard.ways == ["polling"]
        assert heard.changes.acquire(timeout=PATIENCE)  # what is there already
        build.run(agents, "bbbb2222", {"adw_id": "bbbb2222"})
        assert heard.changes.acquire(timeout=PATIENCE)
    finally:
        follower.stop()


def test_what_a_sync_would_not_look_at_is_no_change(agents: Path) -> None:
    asked: list[Callable[[Change, str], bool]] = []

    def watching(*_folders: Path, **ways: Any) -> Iterator[Any]:
        asked.append(ways["watch_filter"])
        return iter([set()])

    heard = Heard()
    follower = FolderWatcher(agents, heard.changes.release, heard.watched, watch_function=watching)
    follower.start()
    assert heard.changes.acquire(timeout=PATIENCE)
    follower.stop()
    tells = asked[0]
    assert tells(Change.added, str(agents / "aaaa1111" / "adw_state.json"))
    assert tells(Change.deleted, str(agents / "aaaa1111"))
    assert not tells(Change.added, str(agents / "aaaa1111" / "node_modules" / "index.js"))
