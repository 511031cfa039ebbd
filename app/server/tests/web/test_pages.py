"""Pages escape the text of runs, link only to existing pages, and list each run once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.web.app import create_app
from app.server.core.workflow_history.web.caches import QueryCache, filter_choices
from app.server.tests.support.html_pages import Page

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "markup": "</title></textarea></pre><img src=x onerror=alert(1)><b>bold",
    "attribute": '" onmouseover="alert(1)" x=\'',
    "template": "{{ 7 * 7 }}{% raw %}${7*7}",
    "ansi": "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link",
    "bidi": "\u202egnp.exe\u2066 \u200fright",
    "nul": "a\x00b\x07c",
    "lone surrogate": "half \ud800 pair",
    "address": "javascript:alert(1)",
    "long": "x" * 100_000,
}


def run(number: int, **more: Any) -> dict[str, Any]:
    """One of many runs, with equal and with unknown values."""
    return {
        "id": f"run-{number:03}",
        "project": "shop",
        "status": ("completed", "failed", "incomplete")[number % 3],
        "created_at": None if number % 11 == 0 else (START + timedelta(hours=number // 2)).isoformat(),
        "workflow_template": ("adw_sdlc", "adw_patch", None)[number % 3],
        "issue_class": ("/bug", "/feature")[number % 2],
        "model_used": ("claude-opus-4-5-20251101", None)[number % 2],
        "nl_input": f"Export table {number % 7} as CSV" if number % 4 else None,
        "total_cost": None if number % 6 == 0 else number / 8,
        "cost_basis": None if number % 6 == 0 else "reported",
        "total_tokens": number * 1000 or None,
        "duration_seconds": None if number % 5 == 0 else float(number * 10),
        **more,
    }


def agent(name: str, start: int | None, seconds: float | None, **more: Any) -> dict[str, Any]:
    at = None if start is None else (START + timedelta(seconds=start)).isoformat()
    return {"phase": "build", "agent": name, "timestamp": at, "duration_seconds": seconds, **more}


def hostile(text: str) -> dict[str, Any]:
    """Return a run with a text in every field that holds one."""
    names = (
        "status", "status_reason", "nl_input", "nl_input_source", "issue_number", "issue_class",
        "workflow_template", "model_used", "branch_name", "plan_file", "current_phase", "error_message",
        "times_source", "duration_source", "agents_dir", "bottleneck_phase", "created_at", "completed_at",
        "title", "working_directory", "pull_request",
    )  # fmt: skip
    short = text[:2_000]
    of_agent = ("phase", "agent", "model", "outcome", "error", "path", "session_id", "cost_basis")
    told = agent("x", 0, 5.0) | dict.fromkeys(of_agent, short)
    part = {"name": short, "value": 1, "weight": 1, "reason": short}
    return {
        "id": f"h{short[:60]}",
        "project": short[:60],
        **dict.fromkeys(names, short),
        "nl_input": text,
        "duration_seconds": 5.0,
        "phase_costs": [told],
        "agents_without_stream": [short],
        "similar_workflows": [{"id": short[:60], "project": short[:60], "similarity_score": 0.5}],
        "score_parts": {"quality_score": {"parts": [part]}},
        "quality_score": 50.0,
        short[:40]: short,
    }


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    file = tmp_path / "history.db"
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(file))
    with History.open(file) as opened:
        yield opened


@pytest.fixture
def client(history: History) -> TestClient:
    return TestClient(create_app(), base_url="http://localhost", headers={"accept": "text/html"})


def read(client: TestClient, address: str, status: int = 200) -> Page:
    answer = client.get(address)
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"].startswith("text/html")
    return Page(answer.text)


def save(history: History, *runs: dict[str, Any]) -> None:
    assert not history.save(runs).failures


def check_safe(page: Page) -> None:
    """Assert that nothing in a page runs, or looks different, but by our own files."""
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name in {"style", "srcdoc"}]
        assert tag != "style"
        if tag == "script":
            assert re.fullmatch(r"/static/[a-z-]+\.js", attributes["src"] or "")
        for name in ("href", "src", "action"):
            assert (attributes.get(name) or "/").startswith(("/", "#")), attributes
            assert not (attributes.get(name) or "/").startswith("//")
    assert {attributes["src"] for tag, attributes in page.elements if tag == "img"} == {"/static/icon.svg"}


def check_sound(page: Page) -> None:
    """Assert what every reader relies on: one heading on top, closed elements, names on controls."""
    assert len(page.all("h1")) == 1
    assert not page.open
    assert not page.unclosed
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled = {label["for"] for label in page.all("label") if "for" in label}
    for tag, control in page.elements:
        if tag in {"input", "select", "textarea"} and control.get("type") not in {"hidden", "checkbox"}:
            assert control.get("id") in labelled or control.get("aria-label"), control
    for table in page.all("table"):
        assert "aria-label" in table or table.get("aria-labelledby") in ids, table
    assert all(head.get("scope") in {"col", "row"} for head in page.all("th"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_whatever_stands_in_a_run_is_text(text: str, history: History, client: TestClient) -> None:
    save(history, hostile(text))
    listed = read(client, "/")
    check_safe(listed)
    check_sound(listed)
    (address,) = {link for link in listed.links() if link.startswith("/runs/")}
    shown = read(client, address)
    check_safe(shown)
    check_sound(shown)
    for page in (listed, shown):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200f]", page.text)
    if text.isascii() and text.isprintable():
        assert " ".join(text[:40].split()) in listed.text
        assert " ".join(text[:1_000].split()) in shown.text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_whatever_is_asked_for_is_text(text: str, history: History, client: TestClient) -> None:
    save(history, run(1))
    for name in (
        "search",
        "status",
        "cost",
        "since",
        "sort",
        "order",
        "limit",
        "page",
        "after",
        "missing",
        "score",
    ):
        answer = client.get("/", params={name: text[:3_000].encode("utf-8", "replace")})
        assert answer.status_code in {200, 422}
        page = Page(answer.text)
        check_safe(page)
        check_sound(page)


def test_every_link_leads_to_a_page(history: History, client: TestClient) -> None:
    agents = [agent("builder", 0, 60.0, outcome="success", cost=0.5, path="builder/raw_output.jsonl")]
    like = {"id": "run-002", "project": "shop", "similarity_score": 0.7}
    save(history, *map(run, range(1, 60)), run(60, phase_costs=agents, similar_workflows=[like]))
    waiting, seen = ["/", "/runs/run-060?project=shop"], set[str]()
    while waiting and len(seen) < 150:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        answer = client.get(address)
        assert answer.status_code == 200, address
        is_ours = "html" in answer.headers["content-type"] and not address.startswith("/docs/")
        page = Page(answer.text if is_ours else "")
        ids = {attributes.get("id") for _, attributes in page.elements}
        for link in page.links():
            path, _, fragment = link.partition("#")
            assert path or fragment in ids, link
            waiting += [path] if path else []
    assert len(seen) > 100


@pytest.mark.parametrize(
    "order",
    ["", "sort=cost", "sort=cost&order=asc", "sort=workflow", "sort=duration", "sort=tokens&order=asc",
     "sort=model", "sort=status", "sort=id&order=asc", "status=failed&sort=cost", "search=csv",
     "since=3000d"],
)  # fmt: skip
def test_pages_show_every_run_once_from_first_to_last(
    order: str, history: History, client: TestClient
) -> None:
    save(history, *map(run, range(260)))
    seen: list[str] = []
    pages = []
    address: str | None = f"/?limit=25&{order}"
    while address:
        pages.append(address)
        page = read(client, address)
        seen += [link["href"] or "" for link in page.all("a") if "open" in (link.get("class") or "").split()]
        address = next((link["href"] for link in page.all("a", rel="next")), None)
    total = re.search(r"Page \d+ of (\d+)", page.text)
    assert total
    assert len(pages) == int(total[1]) > 1
    assert len(seen) == len(set(seen)) == int((re.search(r"of (\d+) runs", page.text) or [0, 0])[1])
    back = read(client, pages[-1]).all("a", rel="prev")[0]["href"]
    before = read(client, pages[-2])
    assert read(client, back or "").links() == before.links() or "since" in order


def test_a_click_on_a_head_sorts_and_another_turns_it(history: History, client: TestClient) -> None:
    save(history, *map(run, range(1, 30)))
    page = read(client, "/")
    assert "/?sort=cost" in [link["href"] for link in page.all("a", **{"class": "sort"})]
    costly = read(client, "/?sort=cost")
    assert [head.get("aria-sort") for head in costly.all("th") if "aria-sort" in head] == ["descending"]
    assert first_run(costly) == "run-029"
    assert "/?sort=cost&order=asc" in costly.links()
    assert first_run(read(client, "/?sort=cost&order=asc")) == "run-001"


def first_run(page: Page) -> str:
    row = next(link for link in page.all("a") if "open" in (link.get("class") or "").split())
    return (row["href"] or "").removeprefix("/runs/").partition("?")[0]


def test_a_list_by_another_column_shows_that_column(history: History, client: TestClient) -> None:
    save(history, run(1, quality_score=17.25))
    assert "17.25" in read(client, "/?sort=quality").text


def test_unknown_figures_are_a_dash_and_never_nought(history: History, client: TestClient) -> None:
    save(history, {"id": "bare", "project": "shop", "status": "unknown"})
    for address in ("/", "/runs/bare"):
        page = read(client, address)
        assert page.all("abbr", **{"class": "unknown"})
        assert "$0" not in page.text
        assert " 0s" not in page.text


def test_a_lower_bound_says_so_and_a_gone_run_too(history: History, client: TestClient) -> None:
    save(
        history,
        run(1, total_cost=2.63, cost_basis="lower_bound", lower_bound_cost=0.07, source_state="missing"),
    )
    listed, shown = read(client, "/"), read(client, "/runs/run-001")
    assert "≥ $2.70" in listed.text
    assert "† missing" in listed.text
    assert "the run is in this history only" in shown.text
    assert "≥ $2.70" in shown.text


def test_a_filter_that_cannot_be_read_stands_in_the_form_beside_what_is_wrong(
    history: History, client: TestClient
) -> None:
    save(history, run(1))
    page = read(client, "/?cost=cheap&search=csv", 422)
    assert page.all("input", name="cost", value="cheap")[0]["aria-invalid"] == "true"
    assert page.all("input", id="by-search", value="csv")
    assert 'Invalid cost "cheap". Use a range: 1..5, 1.. or ..5.' in page.text
    assert "/?cost=cheap" in page.links()


def test_a_word_that_no_run_has_is_answered_with_those_that_are_there(
    history: History, client: TestClient
) -> None:
    save(history, run(1, workflow_template="adw_patch"))
    assert "Did you mean adw_patch" in read(client, "/?workflow=adw_pach", 422).text


def test_filters_that_are_on_can_be_dropped_one_by_one(history: History, client: TestClient) -> None:
    save(history, *map(run, range(1, 30)))
    page = read(client, "/?status=failed&status=completed&known-cost=false&sort=cost")
    for rest in (
        "/?status=completed&known-cost=false&sort=cost",
        "/?status=failed&known-cost=false&sort=cost",
        "/?status=failed&status=completed&sort=cost",
    ):
        assert rest in page.links()
    assert "unknown cost" in page.text


def test_runs_with_missing_source_files_can_be_listed_alone(history: History, client: TestClient) -> None:
    save(history, run(1), run(2, source_state="missing"))
    page = read(client, "/?missing=true")
    assert "run-002" in page.text
    assert "run-001" not in page.text
    assert "source files missing" in page.text
    assert read(client, "/?gone=true").links("/runs/") == page.links("/runs/")  # its former name


def test_filters_offer_the_words_of_the_history_and_new_ones_at_once(history: History) -> None:
    ask = QueryCache()
    assert ask(filter_choices)["workflow"] == []
    save(history, run(1, workflow_template="adw_sdlc"))
    assert ask(filter_choices)["workflow"] == ["adw_sdlc"]
    assert ask(filter_choices) is ask(filter_choices)
    save(history, run(2, workflow_template="adw_patch"))
    assert ask(filter_choices)["workflow"] == ["adw_patch", "adw_sdlc"]


def test_an_empty_history_says_what_to_type(client: TestClient) -> None:
    page = read(client, "/")
    assert "workflow-history sync path/to/project" in page.text
    check_sound(page)


def test_a_list_that_nothing_meets_says_what_to_drop(history: History, client: TestClient) -> None:
    save(history, run(1))
    page = read(client, "/?search=nowhere")
    assert "No run matches" in page.text
    assert "/" in page.links()


def test_a_page_that_is_not_found_leads_on_by_links_and_names_no_command(
    history: History, client: TestClient
) -> None:
    save(history, run(1))
    for path in ("/runs/run-002", "/runs/run-002/forecast", "/compare?a=run-001&b=run-002"):
        page = read(client, path, 404)
        assert 'No run matches "run-002".' in page.text, path
        assert "workflow-history" not in page.text, path
        assert "/" in page.links(), path
        check_sound(page)
    assert "/runs/shop%2Frun-001" in read(client, "/runs/run-002", 404).links()
    nowhere = read(client, "/nowhere", 404)
    assert "There is no page at /nowhere." in nowhere.text
    for page in (nowhere, read(client, "/patterns/0000000000000000", 404)):
        assert "workflow-history" not in page.text
        assert {"/", "/trends", "/insights", "/forecast"} <= set(page.links())
    assert "/insights?all=1#automate" in read(client, "/patterns/0000000000000000", 404).links()


def test_an_empty_history_forecasts_and_compares_nothing_and_says_what_to_type(client: TestClient) -> None:
    for path in ("/forecast", "/forecast?text=Export&calibration=1", "/compare"):
        page = read(client, path)
        assert "workflow-history sync path/to/project" in page.text, path
        check_sound(page)


def test_a_forecast_without_comparable_runs_names_no_option_of_the_command_line(
    history: History, client: TestClient
) -> None:
    save(history, run(1))
    page = read(client, "/forecast?text=Something+else")
    assert "Too few comparable runs" in page.text
    assert "--" not in page.text


def test_an_id_of_several_runs_lists_them(history: History, client: TestClient) -> None:
    save(history, run(1), run(1, project="desk"))
    page = read(client, "/runs/run-001", 409)
    assert page.text.count("Export table 1 as CSV") == 2
    assert {"/runs/run-001?project=desk", "/runs/run-001?project=shop"} <= set(page.links())
    check_sound(page)


def test_the_beginning_of_an_id_leads_to_the_run(history: History, client: TestClient) -> None:
    save(history, run(1))
    answer = client.get("/runs/run-0", follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["location"] == "/runs/run-001?project=shop"


def test_a_run_that_is_not_there_can_be_searched_for(history: History, client: TestClient) -> None:
    save(history, run(1))
    page = read(client, "/runs/other", 404)
    assert page.all("input", name="search", value="other")
    check_sound(page)


def test_a_run_tells_where_each_figure_is_from(history: History, client: TestClient) -> None:
    told = agent("builder", 0, 60.0, cost=0.5, cost_basis="reported", path="builder/raw_output.jsonl", line=7)
    save(history, run(1, total_cost=0.5, agents_dir="/srv/agents", phase_costs=[told]))
    page = read(client, "/runs/run-001")
    assert page.all("tr", id="from-cost")
    assert "#from-cost" in page.links()
    assert "/srv/agents/run-001/builder/raw_output.jsonl:7" in page.text
    assert "/api/v1/runs/run-001?project=shop" in page.links()


def test_provenance_names_fields_and_bases_in_words_and_no_key_alone(
    history: History, client: TestClient
) -> None:
    cut = agent("builder", 0, 60.0, cost=0.5, cost_basis="lower_bound", outcome="incomplete")
    costs = {"total_cost": 0.5, "cost_basis": "lower_bound"}
    spend = {"name": "spend", "value": 50.0, "weight": 0.8, "reason": "spent"}
    scored = {"parts": [spend], "missing": ["retry_cost"]}
    score = {"cost_efficiency_score": 50.0, "score_parts": {"cost_efficiency_score": scored}}
    save(history, run(1, phase_costs=[cut], **costs, **score))
    shown = read(client, "/runs/run-001").text
    assert "lower_bound" not in shown
    assert "Request nl_input" in shown  # the key is what the command explains
    assert "missing evidence: retry cost" in shown


def test_a_session_shows_its_title_pull_request_and_active_time(history: History, client: TestClient) -> None:
    session = {
        "status": "ended",
        "title": "Export of orders",
        "working_directory": "/home/shop",
        "active_seconds": 754.0,
        "duration_seconds": 1_000.0,
        "pull_request": "shop/shop#12",
        "pull_request_url": "https://git.example/shop/pull/12",
    }
    save(history, run(1, **session))
    shown = read(client, "/runs/run-001")
    for text in ("Title Export of orders", "Pull request shop/shop#12", "Active time 12m 34s", "/home/shop"):
        assert text in shown.text
    assert shown.all("span", **{"class": "status is-ended"})
    assert "○ ended" in read(client, "/").text  # in the list, and a status to filter by


def test_the_timeline_is_to_scale(history: History, client: TestClient) -> None:
    first = agent("planner", 0, 30.0, outcome="success")
    second = agent("builder", 60, 60.0, outcome="error", error="boom")
    former = agent("tester", 30, 10.0, outcome="incomplete", superseded=True)
    save(history, run(1, phase_costs=[second, first, former]))
    page = read(client, "/runs/run-001")
    bars = [bar for bar in page.all("rect", y="4", height="12") if "rx" in bar]
    assert [(bar["class"], bar["x"], bar["width"]) for bar in bars] == [
        ("is-success", "0.0%", "25.0%"),
        ("is-incomplete superseded", "25.0%", "8.333%"),
        ("is-error", "50.0%", "50.0%"),
    ]
    assert "idle: 20s" in page.text
    assert "superseded attempt" in page.text


def test_a_run_whose_agents_have_no_times_has_no_timeline(history: History, client: TestClient) -> None:
    save(history, run(1, phase_costs=[agent("builder", None, 60.0)]))
    page = read(client, "/runs/run-001")
    assert "No timeline" in page.text
    assert "1m 00s" in page.text
