"""An open page in a browser follows its history: rows, figures, focus, reconnects."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from app.server.tests.support import build
from app.server.tests.support.live_server import PROGRAM, serving

SPENT = [build.assistant(f"m{number}", build.usage(input=1000, output=50_000 * number)) for number in (1, 2)]

HEARD_OF_THREE = """() => new Promise((heard) => {
  const source = new EventSource("/api/v1/events");
  source.addEventListener("sync", (event) => {
    if (JSON.parse(event.data).last?.scanned !== 3) return;
    source.close();
    heard();
  });
})"""


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "agents"
    write_run(folder, "aaaa1111")
    return folder


def write_run(agents: Path, run_id: str, *messages: str, status: str = "completed") -> None:
    state = {
        "adw_id": run_id,
        "issue_number": "7",
        "status": status,
        "created_at": datetime.now(UTC).isoformat(),
    }
    folder = build.run(agents, run_id, state)
    end = [build.result(session=run_id)] if status == "completed" else []
    build.stream(folder, "planner", build.init(run_id), *messages, *end)


def test_an_open_list_shows_new_runs_and_keeps_the_focus(page: Page, agents: Path) -> None:
    with serving(agents) as served:
        page.goto(served.address)
        expect(page.locator("#sync-status")).to_contain_text("watching shop/agents")
        link = page.get_by_role("link", name="aaaa1111")  # by itself, whether the first sync was over or not
        expect(link).to_be_visible()
        link.focus()
        write_run(agents, "bbbb2222")
        expect(page.get_by_role("link", name="bbbb2222")).to_be_visible()
        expect(link).to_be_focused()
        expect(page.locator("[aria-live=polite]")).to_contain_text("Updated")
        expect(page.locator("#sync-status")).to_contain_text("1 new")
        page.goto("about:blank")


def test_the_figures_of_a_run_at_work_grow_on_an_open_page(page: Page, agents: Path) -> None:
    write_run(agents, "cccc3333", SPENT[0], status="running")
    with serving(agents) as served:
        page.goto(served.address)
        row = page.get_by_role("region", name="1 running run").get_by_role("row").nth(1)
        expect(row).to_contain_text("51k")
        write_run(agents, "cccc3333", *SPENT, status="running")
        expect(row).to_contain_text("152k")
        write_run(agents, "cccc3333", *SPENT)
        expect(page.get_by_role("region", name="1 running run")).to_be_hidden()
        page.goto("about:blank")


def test_the_page_of_a_run_at_work_grows_and_keeps_what_is_open(page: Page, agents: Path) -> None:
    write_run(agents, "cccc3333", SPENT[0], status="running")
    with serving(agents) as served:
        page.goto(served.address)
        to_run = page.get_by_role("link", name="cccc3333").first.get_attribute("href")
        page.goto(f"{served.address}{to_run}")  # the row may be drawn anew under a click
        expect(page.get_by_role("heading", name="Details")).to_be_visible()
        figures = page.locator(".story-figures")
        expect(figures).to_contain_text("51k")
        figures.get_by_role("link", name="51k").click()  # leads to where it is from, and that is shown
        origin = page.locator("#from-total_tokens > .value")
        shade = origin.evaluate("cell => getComputedStyle(cell).backgroundColor")
        expect(page.locator("#from-cost > .value")).not_to_have_css("background-color", shade)
        parts = page.locator("#from-total_tokens details")
        parts.locator("summary").click()
        write_run(agents, "cccc3333", *SPENT, status="running")
        expect(figures).to_contain_text("152k")
        expect(page.get_by_role("table", name="Agent runs", exact=True)).to_contain_text("150k")
        expect(origin).to_contain_text("152,")
        expect(origin).to_have_css("background-color", shade)
        expect(parts).to_have_attribute("open", "")
        write_run(agents, "cccc3333", *SPENT)
        expect(page.locator(".state")).to_contain_text("completed")
        page.locator("#from-cost").evaluate("row => { location.hash = row.id; }")
        expect(page.locator("#from-cost > .value")).to_have_css("background-color", shade)
        expect(origin).not_to_have_css("background-color", shade)
        page.goto("about:blank")


def test_the_page_of_a_pattern_counts_new_runs_and_what_was_decided_elsewhere(
    page: Page, agents: Path
) -> None:
    def call(run_id: str) -> None:
        ask = build.assistant(
            f"message of {run_id}",
            build.usage(input=1000, output=100),
            content=[build.tool_use("t1", command="make check")],
        )
        write_run(agents, run_id, ask, build.tool_result("t1"))

    call("bbbb2222")
    call("cccc3333")
    with serving(agents) as served:
        page.goto(f"{served.address}/insights?all=1")
        page.get_by_role("link", name="make check").click()
        seen = page.get_by_role("group", name="Example runs").get_by_role("row")
        expect(seen).to_have_count(3)
        call("dddd4444")
        expect(seen).to_have_count(4)
        expect(page.get_by_text("in 3 of 4 runs")).to_be_visible()
        pattern = page.url.partition("/patterns/")[2].partition("?")[0]
        subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", PROGRAM, "patterns", "accept", pattern], check=True, capture_output=True
        )
        expect(page.locator(".decide")).to_have_attribute("data-status", "accepted")
        page.goto("about:blank")


def test_open_insights_count_new_runs_and_leave_the_form_alone(page: Page, agents: Path) -> None:
    with serving(agents) as served:
        page.goto(f"{served.address}/insights")
        expect(page.locator(".page-head")).to_contain_text("1 run")
        page.get_by_label("Residual cost").select_option("0.5")
        failed = build.result(is_error=True, subtype="error_during_execution", session="bbbb2222")
        folder = build.run(agents, "bbbb2222", {"adw_id": "bbbb2222", "status": "failed"})
        build.stream(folder, "planner", build.init("bbbb2222"), failed)
        expect(page.locator(".page-head")).to_contain_text("2 runs")
        expect(page.locator("#waste")).to_contain_text("$0.25 of $0.50")
        expect(page.locator(".glance")).to_contain_text("$0.25 wasted")
        expect(page.get_by_label("Residual cost")).to_have_value("0.5")
        page.goto("about:blank")


def test_the_first_run_does_not_call_back_whoever_is_leaving(page: Page, tmp_path: Path) -> None:
    """The page is loaded anew when the first run comes; that must not end another page's coming."""
    agents = tmp_path / "shop" / "agents"
    agents.mkdir(parents=True)
    held: list[Route] = []
    with serving(agents) as served:
        page.goto(served.address)
        expect(page.locator("#sync-status")).to_contain_text("watching shop/agents")
        page.route("**/syncs", lambda route: held.append(route))  # noqa: PLW0108 - it is marked
        with page.expect_request("**/syncs"):
            page.evaluate("() => { location.href = '/syncs'; }")
        with page.expect_event("requestfinished", lambda request: request.url == f"{served.address}/"):
            write_run(agents, "bbbb2222")
        held[0].continue_()
        page.wait_for_url("**/syncs")
        page.goto("about:blank")


def test_what_is_being_typed_is_not_taken_away(page: Page, agents: Path) -> None:
    with serving(agents) as served:
        page.goto(served.address)
        expect(page.get_by_role("link", name="aaaa1111")).to_be_visible()
        page.evaluate(
            """() => {
                const field = document.createElement("input");
                field.id = "typed";
                document.querySelector('[data-live="runs"]').prepend(field);
                field.focus();
            }"""
        )
        page.keyboard.type("half a wo")
        write_run(agents, "bbbb2222")
        expect(page.locator("#sync-status")).to_contain_text("1 new")
        page.keyboard.type("rd")
        expect(page.locator("#typed")).to_have_value("half a word")
        page.locator("#typed").blur()
        expect(page.get_by_role("link", name="bbbb2222")).to_be_visible()
        page.goto("about:blank")


def test_what_comes_while_a_part_is_on_its_way_is_shown_too(page: Page, agents: Path) -> None:
    held: list[tuple[Route, APIResponse]] = []
    with serving(agents) as served:
        page.goto(f"{served.address}/syncs")
        state = page.locator("#now-title + dl")
        expect(state).to_contain_text("1 run")
        page.route("**/syncs", lambda route: held.append((route, route.fetch())), times=1)
        with page.expect_request("**/syncs"):
            write_run(agents, "bbbb2222")
        write_run(agents, "cccc3333")
        page.evaluate(HEARD_OF_THREE)
        [(route, former)] = held
        route.fulfill(response=former)
        expect(state).to_contain_text("3 runs")
        page.goto("about:blank")


def test_a_lost_server_is_told_and_waited_for(page: Page, complaints: list[str], agents: Path) -> None:
    with serving(agents) as served:
        port = served.address.rpartition(":")[2]
        page.goto(f"{served.address}/syncs")
        expect(page.locator("#sync-status")).to_contain_text("last sync")
    expect(page.locator("#sync-status")).to_contain_text("connection lost, reconnecting")
    write_run(agents, "bbbb2222")
    with serving(agents, "--port", port):
        expect(page.locator("#sync-status")).to_contain_text("last sync")
        expect(page.locator("#now-title + dl")).to_contain_text("2 runs")
        page.goto("about:blank")
    assert all("net::ERR_" in each for each in complaints), complaints
    complaints.clear()


def test_a_sync_is_started_by_a_button(page: Page, agents: Path) -> None:
    with serving(agents, "--no-watch") as served:
        page.goto(f"{served.address}/syncs")
        expect(page.get_by_text("No sync is recorded yet. Run")).to_be_visible()
        page.get_by_role("button", name="Sync now").click()
        expect(page.get_by_text("1 recorded sync, latest first")).to_be_visible()
        expect(page.get_by_role("button", name="Sync now")).to_be_enabled()
        page.goto("about:blank")
