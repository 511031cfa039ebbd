"""Take screenshots of the web pages with the demo of the docs and Debian's Chromium (`make screenshots`).

With --readme it writes the two screenshots of the README instead.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from app.server.tests.support.browser import LAPTOP, PHONE, addresses, opened
from app.server.tests.support.live_server import Served, serving

from . import browsing, console_docs

README = console_docs.ROOT / "docs" / "pages"
SHOWN = {"runs": "/", "insights": "/insights"}
"""Addresses of the pages shown in the README, by name."""


def main() -> None:
    """Take the screenshots."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", nargs="?", type=Path, default=Path("screenshots"), help="where they go")
    asked.add_argument("--readme", action="store_true", help=f"write those of the README into {README.name}/")
    given = asked.parse_args()
    folder = README if given.readme else given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with _demo() as served, tempfile.TemporaryDirectory() as home, browsing.started(Path(home)) as browser:
        if given.readme:
            _take(browser, served, SHOWN, folder, viewport="laptop", look="light", whole=False)
        else:
            every = {**addresses(served), **SHOWN}
            for viewport in ("laptop", "phone"):
                for look in ("light", "dark"):
                    _take(browser, served, every, folder, viewport=viewport, look=look, whole=True)


@contextmanager
def _demo() -> Iterator[Served]:
    with tempfile.TemporaryDirectory() as name, console_docs.inside(Path(name)):
        console_docs.make_demo(Path(name))
        os.environ["PYTHONPATH"] = str(console_docs.ROOT)  # the server's process starts in the demo
        with serving("--no-watch", console_docs.AGENTS) as served:
            yield served


def _take(
    browser: Browser,
    served: Served,
    pages: dict[str, str],
    folder: Path,
    *,
    viewport: str,
    look: Any,
    whole: bool,
) -> None:
    size = {"laptop": LAPTOP, "phone": PHONE}[viewport]
    complaints: list[str] = []
    with opened(browser, complaints, size, color_scheme=look) as page:
        for name, address in pages.items():
            _open(page, served.address + address)
            file = (
                f"{name.replace(' ', '-')}.png"
                if not whole
                else f"{name.replace(' ', '-')}-{viewport}-{look}.png"
            )
            page.screenshot(path=folder / file, full_page=whole)
    print(f"{len(pages)} of {viewport}, {look}", *complaints, sep="\n  ")  # noqa: T201 - output of this script


def _open(page: Page, address: str) -> None:
    page.goto(address)
    page.locator("#sync-status:not(:empty), #token").first.wait_for(state="attached")  # all scripts have run


if __name__ == "__main__":
    main()
