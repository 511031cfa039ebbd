"""A server's app with a history behind it, as tests ask it: no socket, nothing of it replaced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.server.core.workflow_history import demo, sync
from app.server.core.workflow_history.web.app import create_app
from app.server.core.workflow_history.web.settings import Settings

END = datetime(2026, 3, 31, 18, tzinfo=UTC)
CHANGING = {"X-Workflow-History": "1"}


def make_history(folder: Path, runs: int = 60, **more: Any) -> Path:
    """Make a demo and its history in a folder; return the history's file."""
    demo.make_agents_folder(folder / "agents", **{"runs": runs, "end": END, **more})
    database = folder / "history.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKFLOW_HISTORY_DB", str(database))
        sync.sync_workflow_history(silent=True, agents_dir=folder / "agents")
    return database


@contextmanager
def client_of(settings: Settings | None = None, **given: Any) -> Iterator[TestClient]:
    """Give a client of a server that has begun; what goes wrong in it is an answer, as for every client."""
    app = create_app(settings or Settings())
    usual = {"base_url": "http://127.0.0.1:8765", "raise_server_exceptions": False}
    with TestClient(app, **{**usual, **given}) as client:
        yield client
