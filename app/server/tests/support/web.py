"""Build the web application on a history, called without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.server.core.workflow_history import demo, sync
from app.server.core.workflow_history.web.app import create_app
from app.server.core.workflow_history.web.settings import ServerSettings

END = datetime(2026, 3, 31, 18, tzinfo=UTC)
CHANGING = {"X-Workflow-History": "1"}


def make_history(folder: Path, runs: int = 60, **more: Any) -> Path:
    """Create a demo and its history in a directory; return the history file."""
    demo.make_agents_folder(folder / "agents", **{"runs": runs, "end": END, **more})
    database = folder / "history.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKFLOW_HISTORY_DB", str(database))
        sync.sync_workflow_history(silent=True, agents_dir=folder / "agents")
    return database


@contextmanager
def client_of(settings: ServerSettings | None = None, **given: Any) -> Iterator[TestClient]:
    """Yield a client of a started application; server exceptions become responses, as for real clients."""
    app = create_app(settings or ServerSettings())
    usual = {"base_url": "http://127.0.0.1:8765", "raise_server_exceptions": False}
    with TestClient(app, **{**usual, **given}) as client:
        yield client


async def asked(app: Any, path: str, send: Any, **headers: str) -> None:
    """Send a GET request to an ASGI app; `send` receives the response and can be as slow as a test needs."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path.partition("?")[0],
        "raw_path": path.partition("?")[0].encode(),
        "query_string": path.partition("?")[2].encode(),
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8765"), *((k.encode(), v.encode()) for k, v in headers.items())],
        "server": ("127.0.0.1", 8765),
        "client": ("127.0.0.1", 50_000),
    }
    waiting = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        return waiting.pop() if waiting else await asyncio.Event().wait()

    await app(scope, receive, send)


class Stalled:
    """Client that doesn't read the response body until `reads` is set."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.stands = asyncio.Event()  # set when a part of the body is waiting
        self.reads = asyncio.Event()

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        self.stands.set()
        await self.reads.wait()
        self.body += message.get("body", b"")


def reading() -> Stalled:
    """Return a client that reads immediately."""
    client = Stalled()
    client.reads.set()
    return client
