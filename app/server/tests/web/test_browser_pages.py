"""Every page in a real browser, wide and narrow, light and dark, with axe."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support import build
from app.server.tests.support.browser import LAPTOP, PHONE, addresses, opened
from app.server.tests.support.live_server import Served, serving
from app.server.tests.support.thoroughness import sample

Look = Literal["light", "dark"]
HOSTILE = (
    "</title></textarea></svg><script>window.pwned=1;alert(1)</script><img src=x onerror=window.pwned=2>"
    "\"' onfocus=alert(3) autofocus \u202e\u2066 \x1b[31m\x1b]0;t\x07 {{ 7*7 }} javascript:alert(4) "
)
GRAVE = {"serious", "critical"}
COLOURS = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}


@pytest.mark.parametrize(
    ("size", "looks"), [(LAPTOP, ("light", "dark")), (PHONE, ("dark",))], ids=["laptop", "phone"]
)
def test_every_page_fits_and_can_be_used_by_all(
    chromium: Browser,
    complaints: list[str],
    demo_served: Served,
    size: ViewportSize,
    looks: tuple[Look, ...],
) -> None:
    look, *others = looks  # all rules in one, colours alone in others
    with opened(chromium, complaints, size, color_scheme=look) as page:
        for name, address in sample(addresses(demo_served).items(), 2):
            page.goto(demo_served.address + address)
            page.evaluate(
                "document.querySelectorAll('details:not(.menu)').forEach((each) => each.open = true)"
            )
            found = [*too_wide(page), *barriers(page)]
            for other in others:
                page.emulate_media(color_scheme=other)
                found += barriers(page, COLOURS)
            page.emulate_media(color_scheme=look)
            complaints += [f"{name}: {each}" for each in found]
    assert complaints == []


@pytest.mark.parametrize("width", [320, 360, 768, 1024])
def test_every_page_fits_narrow_phones_and_tablets(
    chromium: Browser, complaints: list[str], demo_served: Served, width: int
) -> None:
    with opened(chromium, complaints, ViewportSize(width=width, height=640)) as page:
        for name, address in addresses(demo_served).items():
            page.goto(demo_served.address + address)
            complaints += [f"{name}: {each}" for each in too_wide(page)]
    assert complaints == []


def too_wide(page: Page) -> list[str]:
    """Say how much wider than its window a page is: it would have to be pushed about to be read."""
    wide: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{wide} px too wide"] if wide > 0 else []


def barriers(page: Page, which: dict[str, Any] | None = None) -> list[str]:
    """Say what keeps some people from using a page, as axe sees it."""
    found = Axe().run(page, options=which or {"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{each['id']}: {node['html'][:200]}: {node['failureSummary'][:300]}"
        for each in found
        if each["impact"] in GRAVE
        for node in each["nodes"][:2]
    ]


def test_texts_of_runs_run_nothing(page: Page, complaints: list[str], tmp_path: Path) -> None:
    agents = tmp_path / "shop" / "agents"
    for number in range(6):
        write_hostile_run(agents, f"aaaa000{number}")
    sync_workflow_history(silent=True, agents_dir=agents)
    with serving(agents, "--no-watch") as served:
        asked = {"text": HOSTILE, "search": HOSTILE, "workflow": HOSTILE}
        typed = {f"typed as {name}": f"/forecast?{urlencode({name: text})}" for name, text in asked.items()}
        lists = {f"listed by {name}": f"/?{urlencode({name: text})}" for name, text in asked.items()}
        for name, address in {**addresses(served), **typed, **lists}.items():
            page.goto(served.address + address)
            assert page.evaluate("[window.pwned, document.querySelectorAll('img[src=x]').length]") == [
                None,
                0,
            ]
            assert not {"\x1b", "\x07"} & set(page.locator("body").inner_text()), name
            assert too_wide(page) == [], name
        page.goto("about:blank")
    complaints[:] = [each for each in complaints if "422" not in each]  # no workflow has such a name


def write_hostile_run(agents: Path, run_id: str) -> None:
    state = {
        "adw_id": run_id,
        "issue_number": HOSTILE,
        "issue_class": HOSTILE,
        "branch_name": HOSTILE,
        "plan_file": HOSTILE,
        "task_description": HOSTILE + "long " * 20_000,
        "all_adws": [HOSTILE],
    }
    folder = build.run(agents, run_id, state)
    words = ("npm run build", f"npm run {HOSTILE}", f"'{HOSTILE}' --all", "npm run lint")
    calls = [build.tool_use(f"t{number}", "Bash", command=word) for number, word in enumerate(words)]
    build.stream(
        folder,
        HOSTILE.replace("/", "")[:80],
        build.init(run_id, model=HOSTILE),
        build.assistant(
            f"message of {run_id}", build.usage(input=1000, output=100), model=HOSTILE, content=calls
        ),
        *(build.tool_result(call["id"], text=HOSTILE) for call in calls),
        build.result(0.5, model=HOSTILE, session=run_id, is_error=True, result=HOSTILE),
    )


def test_a_server_with_a_token_asks_for_it_and_lets_in(page: Page, complaints: list[str]) -> None:
    with serving("--no-watch", "--token", "a-word-of-the-house") as served:
        page.goto(f"{served.address}/trends?by=month")
        page.get_by_label("Token").fill("another-word")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("Wrong token")
        assert [each for each in complaints if "403" not in each] == []
        complaints.clear()
        page.get_by_label("Token").fill("a-word-of-the-house")
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{served.address}/trends?by=month")
        expect(page.get_by_role("heading", name="Trends")).to_be_visible()
        page.goto("about:blank")
