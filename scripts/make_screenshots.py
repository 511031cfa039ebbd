"""Take screenshots of the web pages with demo histories and Debian's Chromium (`make screenshots`).

Every page is taken of an empty history, of one with one run, and of the demo of the docs; on a desktop, a
tablet and a phone; in light and dark. With --readme it writes the two screenshots of the README instead.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser, Page, ViewportSize

from app.server.tests.support.browser import ADDRESSES, LAPTOP, addresses, opened, run_addresses, runs_of
from app.server.tests.support.live_server import Served, serving

from . import browsing, console_docs

README: Final = console_docs.ROOT / "docs" / "pages"
SHOWN: Final = {"runs": "/", "insights": "/insights"}
"""Addresses of the pages shown in the README, by name."""

MORE: Final = {
    "trends by status": "/trends?across=status",
    "not found": "/runs/nosuch",
    "invalid": "/?limit=none",
    "docs": "/docs/",
}
"""Addresses of pages that only have screenshots, by name."""

HISTORIES: Final = {"empty": 0, "one": 1, "demo": 240}
"""Number of runs of each history."""

WIDTHS: Final = (1400, 768, 390)
HEIGHT: Final = 844
LOOKS: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")


def main() -> None:
    """Take the screenshots."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", nargs="?", type=Path, default=Path("screenshots"), help="where they go")
    asked.add_argument("--readme", action="store_true", help=f"write those of the README into {README.name}/")
    given = asked.parse_args()
    folder = README if given.readme else given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, browsing.started(Path(home)) as browser:
        if given.readme:
            with (
                _serving(HISTORIES["demo"]) as served,
                opened(browser, [], LAPTOP, color_scheme="light") as page,
            ):
                for name, address in SHOWN.items():
                    _open(page, served.address + address)
                    page.screenshot(path=folder / f"{name}.png")
            return
        for history, runs in HISTORIES.items():
            with _serving(runs) as served:
                _take_all(browser, served, history, folder)


@contextmanager
def _serving(runs: int) -> Iterator[Served]:
    """Serve the demo with a number of runs; with none, an empty history."""
    with tempfile.TemporaryDirectory() as name, console_docs.inside(Path(name)):
        if runs:
            console_docs.make_demo(Path(name), runs)
        else:
            Path(console_docs.AGENTS).mkdir(parents=True)
        os.environ["PYTHONPATH"] = str(console_docs.ROOT)  # the server's process starts in the demo
        with serving("--no-watch", console_docs.AGENTS) as served:
            yield served


def _pages(served: Served) -> dict[str, str]:
    """Return the address of each page that a history has, by name."""
    runs = runs_of(served)
    if len(runs) > 1:
        return {**addresses(served), **SHOWN, **MORE}
    return {**ADDRESSES, **MORE, **(run_addresses(runs[0]) if runs else {})}


def _take_all(browser: Browser, served: Served, history: str, folder: Path) -> None:
    pages = _pages(served)
    for width in WIDTHS:
        for look in LOOKS:
            complaints: list[str] = []
            size = ViewportSize(width=width, height=HEIGHT)
            with opened(browser, complaints, size, color_scheme=look) as page:
                for name, address in pages.items():
                    _open(page, served.address + address)
                    file = f"{history}-{name.replace(' ', '-')}-{width}-{look}.png"
                    page.screenshot(path=folder / file, full_page=True)
            taken = f"{history}: {len(pages)} at {width}, {look}"
            print(taken, *complaints, sep="\n  ")  # noqa: T201 - output of this script


def _open(page: Page, address: str) -> None:
    page.goto(address)
    done = "#sync-status:not(:empty), #token, .md-content"  # all scripts have run; or a page of the docs
    page.locator(done).first.wait_for(state="attached")


if __name__ == "__main__":
    main()
