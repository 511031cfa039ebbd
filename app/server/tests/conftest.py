"""Fixtures for all tests: a browser, a demo server and a database on each engine."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from sqlalchemy import URL

from app.server.core.workflow_history import database
from app.server.core.workflow_history.storage.connection.url import database_url
from app.server.tests.support.live_server import Served, serving
from app.server.tests.support.new_histories import share_statements
from app.server.tests.support.thoroughness import examples
from scripts import postgresql as postgresql_server
from scripts.postgresql import Server

if TYPE_CHECKING:  # slow to import, see chromium
    from playwright.sync_api import Browser, Page

ENGINES = ("sqlite", "postgresql")
LONGEST = (
    "test_rest_fuzz.py",
    "test_faults.py",
    "test_interrupted_commands.py",
    "test_forks.py",
    "test_workflow_history_integration.py",
    "test_rest.py",
    "test_cli.py",
)
"""Files that take a worker longest: begun last, they would leave the other workers idle."""

settings.register_profile("project", max_examples=examples(100))
settings.load_profile("project")
share_statements()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_collection_finish() -> None:
    """Leave the million objects of collection out of later garbage collections, a sixth of all time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def demo_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a demo that ends now, so that its last run is still running."""
    from app.server.tests.support.web import make_history  # noqa: PLC0415 - most tests need no server

    folder = tmp_path_factory.mktemp("demo") / "shop"
    folder.mkdir()
    history = make_history(folder, runs=240, end=datetime.now(UTC))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "XDG_CONFIG_HOME"):
            patch.setenv(name, str(folder))
        with serving(folder / "agents", "--no-watch", history=history) as served:
            yield served


@pytest.fixture(scope="session")
def large_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the history of a demo of 240 runs, for copies: nothing may write to it."""
    from app.server.tests.support.web import make_history  # noqa: PLC0415 - most tests need no server

    return make_history(tmp_path_factory.mktemp("large"), runs=240)


@pytest.fixture(scope="module")
def demo_copy(large_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the large demo's history, shared by the tests of a file.

    In it a phase that got dearer, a habit, and a family of tasks are planted: the plan phase of one template
    costs more since 2026-03-10.
    """
    return Path(shutil.copy(large_demo, tmp_path_factory.mktemp("demo") / "history.db"))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start the browser once per test file: while it runs, no test of this thread can use an event loop."""
    from scripts import browsing  # noqa: PLC0415 - Playwright takes long to import

    if browsing.found() is None:
        pytest.skip(browsing.MISSING)
    with browsing.started(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """Start a PostgreSQL server for the tests of this process; each of them creates its own schema."""
    if postgresql_server.found() is None:
        pytest.skip(postgresql_server.MISSING)
    with postgresql_server.running() as server:
        yield server


@pytest.fixture(params=ENGINES)
def history_url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """Return the URL of a new, empty history; runs the test once on each engine."""
    return empty_place(request, request.param, tmp_path / "engine")


@pytest.fixture(params=ENGINES, scope="module")
def module_history_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> URL:
    """Return the URL of a new, empty history shared by the tests of a file, on each engine."""
    return empty_place(request, request.param, tmp_path_factory.mktemp("engine"))


def empty_place(request: pytest.FixtureRequest, engine: str, folder: Path) -> URL:
    """Return the URL of a new, empty history on an engine; an SQLite file is in `folder`."""
    if engine == "sqlite":
        return database_url(folder / "history.db")
    server: Server = request.getfixturevalue("postgresql")
    return server.empty()


@pytest.fixture
def no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset the configured history, so that the default one is used; it may be missing without an error."""
    monkeypatch.delenv("WORKFLOW_HISTORY_DB", raising=False)
    monkeypatch.setattr(database, "DB_PATH", None)


@pytest.fixture
def complaints() -> list[str]:
    """Return the list of errors that the browser reports; a test removes the ones it expects."""
    return []


@pytest.fixture
def page(chromium: Browser, complaints: list[str]) -> Iterator[Page]:
    """Yield a page in a new browser context; fail if the browser has reported errors."""
    from app.server.tests.support.browser import opened  # noqa: PLC0415 - slow, see chromium

    with opened(chromium, complaints) as page:
        yield page
    assert complaints == []
