"""Give tests of pages a real browser, and a server with a demo behind it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from app.server.tests.live_helpers import Served, serving

if TYPE_CHECKING:  # see chromium
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def demo_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a demo that ends now, so that its last run is still at work."""
    from app.server.tests.web import make_history  # noqa: PLC0415 - most tests need no server

    folder = tmp_path_factory.mktemp("demo") / "shop"
    folder.mkdir()
    history = make_history(folder, runs=240, end=datetime.now(UTC))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "XDG_CONFIG_HOME"):
            patch.setenv(name, str(folder))
        with serving(folder / "agents", "--no-follow", history=history) as served:
            yield served


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start the browser once for a file: while it runs, no test of this thread can have an event loop."""
    from scripts import browsing  # noqa: PLC0415 - Playwright takes long to import

    if browsing.found() is None:
        pytest.skip(browsing.MISSING)
    with browsing.started(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def complaints() -> list[str]:
    """What the browser had to say against the pages; a test that expects some takes them out."""
    return []


@pytest.fixture
def page(chromium: Browser, complaints: list[str]) -> Iterator[Page]:
    """Give a page of a browser that knows nothing yet; in the end it must have had no complaint."""
    from app.server.tests.browser import opened  # noqa: PLC0415 - see chromium

    with opened(chromium, complaints) as page:
        yield page
    assert complaints == []
