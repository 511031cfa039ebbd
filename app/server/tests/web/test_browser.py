"""Tasks on the pages in a real browser: filter, open, compare, forecast, decide."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from app.server.tests.support.browser import PHONE, opened, runs_of
from app.server.tests.support.live_server import CHANGING, Served

ROWS = "table.runs tbody tr"


def test_the_first_visit_shows_the_runs_and_the_one_at_work(page: Page, demo_served: Served) -> None:
    page.goto(demo_served.address)
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    expect(page.locator(ROWS)).to_have_count(50)
    at_work = page.get_by_role("region", name="1 running run")
    (newest,) = runs_of(demo_served, status="running")
    expect(at_work.get_by_role("link", name=newest["id"])).to_be_visible()
    expect(at_work).to_contain_text("≥ $")


def test_a_search_from_any_page_finds_runs_by_their_words(page: Page, demo_served: Served) -> None:
    page.goto(f"{demo_served.address}/syncs")
    page.keyboard.press("/")
    page.keyboard.type("export CSV")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/\?search=export\+CSV$"))
    expect(page.locator(ROWS)).to_have_count(len(runs_of(demo_served, search="export CSV")))
    expect(page.locator(ROWS).first).to_contain_text(re.compile("csv", re.IGNORECASE))


def test_runs_are_narrowed_by_status_and_cost(page: Page, demo_served: Served) -> None:
    page.goto(demo_served.address)
    page.get_by_role("group", name="Status").get_by_role("link", name="failed").click()
    page.get_by_text("More filters and sort order").click()
    page.get_by_label("Cost, USD").fill("1..3")
    page.get_by_label("Cost, USD").press("Enter")
    expect(page).to_have_url(re.compile(r"/\?status=failed&cost=1\.\.3$"))
    expected = runs_of(demo_served, status="failed", cost="1..3")
    assert expected
    expect(page.locator(ROWS)).to_have_count(len(expected))
    for row in page.locator(ROWS).all():
        expect(row).to_contain_text("failed")
    page.get_by_role("link", name=re.compile("^cost: 1..3.*remove$")).click()
    expect(page).to_have_url(re.compile(r"/\?status=failed$"))


def test_a_filter_that_cannot_be_read_says_so_beside_its_field(
    page: Page, complaints: list[str], demo_served: Served
) -> None:
    page.goto(f"{demo_served.address}/?cost=cheap")
    expect(page.get_by_label("Cost, USD")).to_have_value("cheap")
    expect(page.get_by_label("Cost, USD")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#wrong-cost")).to_be_visible()
    assert "422" in complaints.pop()


def test_a_heading_sorts_and_once_more_turns_round(page: Page, demo_served: Served) -> None:
    page.goto(demo_served.address)
    heading = page.get_by_role("columnheader", name="Cost", exact=True)
    heading.get_by_role("link").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    dearest, *_ = runs_of(demo_served, sort="cost")
    expect(page.locator(ROWS).first).to_contain_text(dearest["id"])
    heading.get_by_role("link").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    expect(page.locator(ROWS).first).not_to_contain_text(dearest["id"])


def test_the_list_goes_on_and_back(page: Page, demo_served: Served) -> None:
    page.goto(demo_served.address)
    first = page.locator(ROWS).first.locator("th").inner_text()
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_text("Page 2 of 5")).to_be_visible()
    expect(page.locator(ROWS).first).not_to_contain_text(first)
    page.keyboard.press("p")
    expect(page.get_by_text("Page 1 of 5")).to_be_visible()
    expect(page.locator(ROWS).first).to_contain_text(first)


def test_a_run_is_opened_by_the_keyboard(page: Page, demo_served: Served) -> None:
    page.goto(f"{demo_served.address}/?status=completed")
    second = page.locator(ROWS).nth(1).locator("th").inner_text()
    for place in ("the run at work", "the first of the list", "the second"):
        expect(page.locator(ROWS).nth(1), place).not_to_have_class(re.compile("here"))
        page.keyboard.press("j")
    expect(page.locator(ROWS).nth(1)).to_have_class(re.compile("here"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/runs/{second}"))
    page.wait_for_load_state()  # keys are heard from then on
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page.get_by_role("heading", name="Trends")).to_be_visible()


def test_a_run_shows_its_timeline_and_where_its_cost_is_from(page: Page, demo_served: Served) -> None:
    dearest, *_ = runs_of(demo_served, sort="cost")
    page.goto(f"{demo_served.address}/runs/{dearest['id']}")
    timeline = page.get_by_role("table", name="Timeline")
    expect(timeline.get_by_role("img").first).to_have_attribute("aria-label", re.compile("starts 0s after"))
    page.locator("a[href='#from-cost']").click()
    row = page.locator("#from-cost")
    expect(row).to_be_in_viewport()
    row.locator("summary").click()
    expect(row).to_contain_text("raw_output.jsonl:")


def test_two_marked_runs_are_held_side_by_side(page: Page, demo_served: Served) -> None:
    page.goto(f"{demo_served.address}/?status=completed")
    names = [page.locator(ROWS).nth(place).locator("th").inner_text() for place in (0, 2)]
    page.locator(ROWS).first.get_by_role("checkbox").check()
    expect(page.get_by_text("selected. Select one more run to compare.")).to_be_visible()
    page.locator(ROWS).nth(2).get_by_role("checkbox").check()
    page.get_by_role("link", name="Compare", exact=True).and_(page.locator(".button")).click()
    expect(page.get_by_role("heading", name="Compare runs")).to_be_visible()
    for letter, name in zip("AB", names, strict=True):
        expect(page.get_by_role("region", name=f"Run {letter}")).to_contain_text(name)
    expect(page.get_by_role("heading", name="Cost difference by phase")).to_be_visible()


def test_a_task_that_was_done_before_is_forecast(page: Page, demo_served: Served) -> None:
    page.goto(f"{demo_served.address}/forecast")
    page.get_by_role("textbox", name="Request").fill("CSV export for suppliers")
    page.get_by_role("button", name="Forecast").click()
    expect(page.get_by_text(re.compile(r"^About \$\d"))).to_be_visible()
    expect(page.get_by_role("region", name="Cost")).to_contain_text("80% prediction interval $")
    expect(page.get_by_role("region", name="Comparable runs").get_by_role("row")).not_to_have_count(0)


def test_a_task_unlike_all_others_gets_no_figure_but_the_reason(page: Page, demo_served: Served) -> None:
    page.goto(f"{demo_served.address}/forecast")
    page.get_by_role("textbox", name="Request").fill("zwölf Boxkämpfer jagen Viktor")
    page.get_by_role("button", name="Forecast").click()
    expect(page.get_by_role("heading", name="Not enough data")).to_be_visible()
    expect(page.locator("#content")).not_to_contain_text("About $")


def test_a_period_of_the_trends_leads_to_its_runs(page: Page, demo_served: Served) -> None:
    page.goto(f"{demo_served.address}/trends?by=month")
    row = page.locator("#figures tbody tr").nth(2)
    count = row.locator("td").first.inner_text()
    address = row.get_by_role("link").get_attribute("href")
    page.locator(f'section.plot svg a[href="{address}"]').first.click()
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    expect(page.locator(".page-head .muted")).to_have_text(count)


def test_insights_tell_what_got_worse_and_what_recurs(page: Page, demo_served: Served) -> None:
    page.goto(f"{demo_served.address}/insights")
    worse = page.locator("#changed article").first
    expect(worse).to_contain_text(re.compile(r"adw_sdlc_iso, plan: median cost up \d\.\d×"))
    expect(page.locator("#automate")).to_contain_text("npm run build → npm run lint → npm run typecheck")
    worse.get_by_role("link", name="All runs since then").click()
    expect(page).to_have_url(re.compile("workflow=adw_sdlc_iso"))
    expect(page.locator(ROWS)).not_to_have_count(0)


def test_an_accepted_pattern_stays_accepted(page: Page, demo_served: Served) -> None:
    page.goto(f"{demo_served.address}/insights")
    row = page.locator("#automate tbody tr").first
    row.get_by_role("button", name=re.compile("^Accept")).click()
    expect(page.locator("#decided")).to_have_text("Accepted.")
    page.reload()
    expect(row.locator(".said.accepted")).to_be_visible()
    row.get_by_role("button", name=re.compile("^Clear the decision")).click()
    expect(page.locator("#decided")).to_have_text("Decision cleared.")
    page.reload()
    expect(row.locator(".said.accepted")).to_be_hidden()


def test_a_decision_that_the_server_does_not_hear_is_told_beside_its_row(
    page: Page, complaints: list[str], demo_served: Served
) -> None:
    page.goto(f"{demo_served.address}/insights")
    row = page.locator("#automate tbody tr").nth(1)
    page.route("**/api/v1/patterns/*", lambda route: route.abort())
    row.get_by_role("button", name=re.compile("^Accept")).click()
    expect(row.get_by_role("alert")).to_have_text("Not saved: cannot reach the server")
    expect(row.locator(".said.accepted")).to_be_hidden()
    page.unroute("**/api/v1/patterns/*")
    row.get_by_role("button", name=re.compile("^Dismiss")).click()
    expect(row.locator(".said.dismissed")).to_be_visible()
    expect(row.locator(".not-decided")).to_be_empty()
    row.get_by_role("button", name=re.compile("^Clear the decision")).click()
    expect(page.locator("#decided")).to_have_text("Decision cleared.")
    assert "net::ERR_FAILED" in complaints.pop()


def test_the_bar_says_the_whole_of_how_old_the_last_sync_is(page: Page, demo_served: Served) -> None:
    demo_served.post("/api/v1/syncs", CHANGING)
    page.goto(demo_served.address)
    said = page.locator("#sync-status > span").filter(has_text="last sync")
    expect(said).to_be_visible()
    word, room = page.evaluate(  # at once, because the bar is drawn again every second
        "() => { const bar = document.querySelector('#sync-status');"
        " const said = [...bar.children].find((part) => part.textContent.includes('last sync'));"
        " return [said, bar].map((part) => part.getBoundingClientRect().right); }"
    )
    assert word <= room


def test_a_view_is_kept_under_a_name(page: Page, demo_served: Served) -> None:
    page.goto(f"{demo_served.address}/?status=failed&sort=cost")
    page.get_by_role("button", name="Save view").click()
    page.get_by_label("Name", exact=True).fill("expensive failures")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(demo_served.address)
    page.get_by_role("link", name="expensive failures", exact=True).click()
    expect(page).to_have_url(re.compile(r"status=failed&sort=cost$"))
    page.get_by_role("button", name="Delete the view expensive failures").click()
    page.reload()
    expect(page.get_by_role("link", name="expensive failures", exact=True)).to_have_count(0)


def test_a_theme_stays_chosen(page: Page, demo_served: Served) -> None:
    page.goto(demo_served.address)
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    for _ in ("to light", "to dark"):
        page.get_by_role("button", name="Theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = page.evaluate(colour)
    assert dark != light
    page.reload()
    assert page.evaluate(colour) == dark


def test_an_explanation_is_reached_by_a_tap(
    chromium: Browser, complaints: list[str], demo_served: Served
) -> None:
    with opened(chromium, complaints, PHONE, has_touch=True) as page:
        page.goto(demo_served.address)
        page.get_by_role("region", name="1 running run").get_by_title(re.compile("interval")).first.tap()
        expect(page.get_by_role("tooltip")).to_contain_text("80% prediction interval")
        expect(page.get_by_role("tooltip")).to_be_in_viewport(ratio=1)
        page.get_by_role("heading", name="Runs", exact=True).tap()
        expect(page.get_by_role("tooltip")).to_be_hidden()
    assert complaints == []


def test_an_explanation_is_reached_by_the_keyboard(page: Page, demo_served: Served) -> None:
    page.goto(f"{demo_served.address}/trends?across=template")
    page.locator("#figures summary").focus()
    page.keyboard.press("Tab")  # the table, which can be scrolled
    page.keyboard.press("Tab")
    expect(page.get_by_role("tooltip")).to_have_text("Completed runs divided by completed and failed runs")
    page.keyboard.press("Escape")
    expect(page.get_by_role("tooltip")).to_be_hidden()
    page.keyboard.press("Tab")
    expect(page.get_by_role("tooltip")).to_have_text("of a run")
