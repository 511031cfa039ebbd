"""Drive a headless Chromium and record every error that a page reports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect

from app.server.tests.support.live_server import Served
from app.server.tests.support.patience import PATIENCE

LAPTOP = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)
_TOLD = """
    document.addEventListener("securitypolicyviolation", (event) =>
        console.error(`against the policy: ${event.violatedDirective} ${event.blockedURI}`));
"""


@contextmanager
def opened(
    browser: Browser, complaints: list[str], size: ViewportSize = LAPTOP, **more: Any
) -> Iterator[Page]:
    """Yield a page in its own context; add errors, policy violations and dialogs to `complaints`."""
    expect.set_options(timeout=1000 * PATIENCE)
    context = browser.new_context(viewport=size, reduced_motion="reduce", **more)
    context.set_default_timeout(1000 * PATIENCE)
    context.add_init_script(_TOLD)
    page = context.new_page()

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(f"{page.url}: {message.text}")

    page.on("console", said)
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    page.on("dialog", lambda dialog: (complaints.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
    try:
        yield page
    finally:
        context.close()


def runs_of(served: Served, **asked: str) -> list[dict[str, Any]]:
    """Return the runs listed by the server."""
    found = served.get("/api/v1/runs", params=asked).json()["workflows"]
    return cast(list[dict[str, Any]], found)


ADDRESSES: Final = {
    "runs": "/?limit=10",
    "runs narrowed": "/?status=failed&cost=..5&limit=20",
    "no runs": "/?search=nosuchword",
    "compare any": "/compare",
    "trends": "/trends",
    "trends split": "/trends?across=template",
    "insights": "/insights",
    "forecast": "/forecast?text=CSV+export+for+suppliers&calibration=1",
    "syncs": "/syncs",
    "rest": "/api",
    "sign in": "/login",
}
"""Addresses of the pages that need no run, by name."""


def addresses(served: Served) -> dict[str, str]:
    """Return the address of one page of each kind, by a name of that kind."""
    first, second, *_ = runs_of(served, sort="cost")
    pattern, *_ = served.get("/api/v1/patterns").json()["patterns"]
    newest, *_ = runs_of(served)
    return {
        **ADDRESSES,
        **run_addresses(first),
        "newest run": f"/runs/{newest['id']}",
        "compare": f"/compare?a={first['id']}&b={second['id']}",
        "pattern": f"/patterns/{pattern['id']}",
        "forecast of the newest run": f"/runs/{newest['id']}/forecast",
    }


def run_addresses(run: dict[str, Any]) -> dict[str, str]:
    """Return the addresses of the pages of one run, by name."""
    return {
        "run": f"/runs/{run['id']}",
        "forecast of a run": f"/runs/{run['id']}/forecast",
        "compare with": f"/compare?a={run['id']}",
    }
