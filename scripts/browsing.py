"""Start the installed Chromium with Playwright, for tests and `make screenshots`.

It is Debian's browser, never one that Playwright downloads.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

VARIABLE = "WORKFLOW_HISTORY_BROWSER"
NAMES = ("chromium", "chromium-browser")
MISSING = f"no Chromium here: apt-get install chromium, or name one in {VARIABLE}"
_QUIET = (
    "--no-sandbox",  # containers don't allow a sandbox; the browser only opens our own pages
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def found() -> str | None:
    """Return the path of the browser, or None if there is none."""
    names = [name] if (name := os.environ.get(VARIABLE)) else NAMES
    return next((path for path in map(shutil.which, names) if path), None)


@contextmanager
def started(home: Path) -> Iterator[Browser]:
    """Yield a browser and close it afterwards; its files are stored below `home`.

    Raises FileNotFoundError if no browser is installed.
    """
    path = found()
    if path is None:
        raise FileNotFoundError(MISSING)
    surroundings = {
        **os.environ,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "XDG_CACHE_HOME": str(home),
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_QUIET), env=surroundings)
        try:
            yield browser
        finally:
            browser.close()
