"""An open page stays true: in a real browser, rows come, focus stays, and a lost server is waited for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from app.server.tests import build
from app.server.tests.live_helpers import PATIENCE, serving

_QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
)


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(_QUIET))
        page = browser.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        expect.set_options(timeout=PATIENCE * 1000)
        yield page
        browser.close()


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "agents"
    write_run(folder, "aaaa1111")
    return folder


def write_run(agents: Path, run_id: str) -> None:
    folder = build.run(agents, run_id, {"adw_id": run_id, "issue_number": "7"})
    build.stream(folder, "planner", build.init(), build.result())


def test_an_open_list_shows_new_runs_and_keeps_the_focus(browser_page: Page, agents: Path) -> None:
    errors: list[str] = []
    browser_page.on("pageerror", lambda error: errors.append(str(error)))
    browser_page.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    with serving(agents) as served:
        browser_page.goto(served.address)
        expect(browser_page.locator("#sync-status")).to_contain_text("following shop/agents")
        link = browser_page.locator("a.open", has_text="aaaa1111")
        link.focus()
        write_run(agents, "bbbb2222")
        expect(browser_page.locator("a.open", has_text="bbbb2222")).to_be_visible()
        expect(link).to_be_focused()
        expect(browser_page.locator("[aria-live=polite]")).to_contain_text("updated")
        expect(browser_page.locator("#sync-status")).to_contain_text("1 new")
        browser_page.goto("about:blank")
    assert errors == []


def test_what_is_being_typed_is_not_taken_away(browser_page: Page, agents: Path) -> None:
    with serving(agents) as served:
        browser_page.goto(served.address)
        expect(browser_page.locator("a.open", has_text="aaaa1111")).to_be_visible()
        browser_page.evaluate(
            """() => {
                const field = document.createElement("input");
                field.id = "typed";
                document.querySelector('[data-live="runs"]').prepend(field);
                field.focus();
            }"""
        )
        browser_page.keyboard.type("half a wo")
        write_run(agents, "bbbb2222")
        expect(browser_page.locator("#sync-status")).to_contain_text("1 new")
        browser_page.keyboard.type("rd")
        expect(browser_page.locator("#typed")).to_have_value("half a word")
        browser_page.locator("h1").click()
        browser_page.locator("#typed").blur()
        expect(browser_page.locator("a.open", has_text="bbbb2222")).to_be_visible()
        browser_page.goto("about:blank")


def test_a_lost_server_is_waited_for(browser_page: Page, agents: Path) -> None:
    with serving(agents) as served:
        port = served.address.rpartition(":")[2]
        browser_page.goto(f"{served.address}/syncs")
        expect(browser_page.locator("#sync-status")).to_contain_text("last sync")
    expect(browser_page.locator("#sync-status")).to_contain_text("connection lost, trying again")
    write_run(agents, "bbbb2222")
    with serving(agents, "--port", port):
        expect(browser_page.locator("#sync-status")).to_contain_text("last sync")
        expect(browser_page.locator("#now-title + dl")).to_contain_text("2 runs")
        browser_page.goto("about:blank")


def test_a_sync_is_started_by_a_button(browser_page: Page, agents: Path) -> None:
    with serving(agents, "--no-follow") as served:
        browser_page.goto(f"{served.address}/syncs")
        expect(browser_page.get_by_text("No sync is on record yet")).to_be_visible()
        browser_page.get_by_role("button", name="Sync now").click()
        expect(browser_page.get_by_text("1 sync that changed something")).to_be_visible()
        expect(browser_page.get_by_role("button", name="Sync now")).to_be_enabled()
        browser_page.goto("about:blank")
