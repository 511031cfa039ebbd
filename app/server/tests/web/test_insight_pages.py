"""Pages for insight show the planted facts of a history, with figures and links."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient

from app.server.core.workflow_history import database
from app.server.core.workflow_history.common.errors import InvalidQueryError
from app.server.core.workflow_history.common.filter_options import build_filter
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.demo.scripts import BUILD_LOOP
from app.server.core.workflow_history.queries.anomalies import find_anomalies
from app.server.core.workflow_history.queries.patterns import decide_pattern, find_patterns
from app.server.core.workflow_history.queries.statistics import run_statistics, timeline
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.web import caches
from app.server.core.workflow_history.web.app import create_app
from app.server.core.workflow_history.web.caches import CACHE_SECONDS, MAX_ENTRIES, QueryCache
from app.server.tests.support.html_pages import Page

END = datetime(2026, 3, 31, 18, tzinfo=UTC)
PAGES = ("/trends", "/trends?across=workflow", "/insights", "/forecast", "/compare")
HOSTILE = (
    "</title></svg></select><script>alert(1)</script><img src=x onerror=alert(1)>\"' \u202e\x1b[31m{{ 7*7 }}"
)


@cache
def client(_database: str) -> TestClient:
    """Return one server for each history: it keeps some of its words for a moment."""
    return TestClient(create_app(), base_url="http://127.0.0.1", headers={"accept": "text/html"})


def page(path: str, status: int = 200) -> Page:
    answer = client(os.environ["WORKFLOW_HISTORY_DB"]).get(path)
    assert answer.status_code == status, answer.text[:2_000]
    return Page(answer.text)


def linked(href: str) -> RunFilter:
    """Return which runs a link to the list means."""
    query = parse_qs(urlsplit(href).query)
    many = {"workflow", "model", "phase", "project", "status", "class"}
    return build_filter({name: values if name in many else values[-1] for name, values in query.items()})


def run(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"run-{number:03}",
        "project": "shop",
        "status": "completed",
        "created_at": (END - timedelta(days=number)).isoformat(),
        "workflow_template": "adw_sdlc",
        "nl_input": f"Export table {number} as CSV",
        "total_cost": 1.0 + number / 8,
        "cost_basis": "reported",
        "duration_seconds": 60.0 + number,
        "phase_costs": [
            {"phase": "build", "agent": "builder", "cost": 1.0 + number / 8, "cost_basis": "reported",
             "outcome": "success", "duration_seconds": 60.0, "model": "claude-opus-4-5-20251101"}
        ],
        **more,
    }  # fmt: skip


def store(*runs: dict[str, Any], tmp_path: Path) -> None:
    with History.open(tmp_path / "history.db") as history:
        saved = history.save(runs)
        assert not saved.failures


# --- the demo


@pytest.fixture
def in_demo(demo_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(demo_copy))


@pytest.mark.usefixtures("in_demo")
def test_the_planted_regression_stands_on_the_page_with_figures_a_plot_and_its_runs():
    first = find_anomalies().regressions[0]
    found = page("/insights")
    assert first.main.phase == "plan"
    assert "adw_sdlc_iso, plan: median cost up" in found.text
    assert f"since {first.since:%Y-%m-%d}" in found.text
    assert {f"/runs/{run.id}?project={run.project}" for run in first.runs} <= set(found.links("/runs/"))
    assert any("finding" in (drawn.get("class") or "") for drawn in found.all("svg"))


@pytest.mark.usefixtures("in_demo")
def test_a_finding_leads_to_all_runs_since_the_change():
    first = find_anomalies().regressions[0]
    since = [href for href in page("/insights").links("/?") if "phase=plan" in href and "since=" in href]
    where = linked(since[0])
    assert where.created_from == first.since
    assert where.template == ("adw_sdlc_iso",)
    assert run_statistics("template", where).total.runs >= first.main.after_runs


@pytest.mark.usefixtures("in_demo")
def test_habits_stand_in_the_order_of_their_worth_and_lead_to_a_page_with_places():
    ranked = find_patterns(limit=8).patterns
    hrefs = page("/insights").links("/patterns/")
    assert [urlsplit(href).path for href in hrefs] == [f"/patterns/{one.id}" for one in ranked]
    story = page(hrefs[0])
    assert ranked[0].signature in story.text
    assert f"Occurrences {ranked[0].occurrences:,} in" in story.text
    assert len(story.links("/runs/")) >= 5
    assert page(story.links("/runs/")[0])


@pytest.mark.usefixtures("in_demo")
def test_the_planted_habit_is_among_the_first():
    assert " → ".join(BUILD_LOOP) in page("/insights").text


@pytest.mark.usefixtures("in_demo")
def test_what_a_script_keeps_can_be_assumed_otherwise():
    assumed = {
        keep: find_patterns(limit=1, residual_cost=float(keep)).patterns[0] for keep in ("0.5", "0.75")
    }
    for keep, one in assumed.items():
        for name in ("residual_cost", "keep"):  # the former name is still accepted
            found = page(f"/insights?{name}={keep}")
            assert f"${one.estimated_savings:.2f}" in found.text
            assert f"residual_cost={keep}" in found.links("/patterns/")[0]
    assert assumed["0.5"].estimated_savings != assumed["0.75"].estimated_savings


def test_what_was_dismissed_is_hidden_until_somebody_asks_for_all(
    demo_copy: Path, tmp_path: Path, monkeypatch
):
    copy = tmp_path / "copy.db"
    copy.write_bytes(demo_copy.read_bytes())
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(copy))
    first, second = find_patterns(limit=2).patterns
    decide_pattern(first.id, "dismissed", "different each time")
    decide_pattern(second.id, "accepted")
    decided = {
        place["data-pattern"]: place["data-status"]
        for place in page("/insights").all("span")
        if "data-pattern" in place
    }
    assert first.id not in decided
    assert decided[second.id] == "accepted"
    every = page("/insights?all=1")
    assert {"data-pattern": first.id, "data-status": "dismissed"}.items() <= next(
        place for place in every.all("span") if place.get("data-pattern") == first.id
    ).items()
    assert "different each time" in page(f"/patterns/{first.id}").text


def test_what_the_buttons_send_is_what_the_server_takes(demo_copy: Path, tmp_path: Path, monkeypatch):
    copy = tmp_path / "copy.db"
    copy.write_bytes(demo_copy.read_bytes())
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(copy))
    script = client(str(copy)).get("/static/insights.js").text
    path = re.search(r"fetch\(`(/api/v1/patterns/)\$", script)
    header = re.search(r'"(X-Workflow-History)": "(1)"', script)
    assert path is not None
    assert header is not None
    one = find_patterns(limit=1).patterns[0]
    for status in ("accepted", "dismissed", "detected"):
        sent = client(str(copy)).post(
            path[1] + one.id, headers={header[1]: header[2]}, json={"status": status}
        )
        assert sent.json()["status"] == status


@pytest.mark.usefixtures("in_demo")
@pytest.mark.parametrize("query", ["", "?by=month", "?by=day&tz=Asia/Tokyo", "?by=week&tz=America/New_York"])
def test_every_period_leads_to_exactly_its_runs(query: str):
    given = parse_qs(query.removeprefix("?"))
    zone = given.get("tz", ["local"])[0]
    groups = timeline(by=given.get("by", [None])[0], tz=zone).whole.groups
    wanted = [one.runs for one in reversed(groups) if one.runs and one.first_day is not None]
    hrefs = page(f"/trends{query}").links("/?since=")
    rows = hrefs[-len(wanted) :]
    assert len(wanted) > 3
    for href, runs in zip(rows[:8], wanted, strict=False):
        assert run_statistics("status", linked(href)).total.runs == runs
    assert set(rows) <= set(hrefs[: -len(wanted)]), "the drawings lead there as well"


@pytest.mark.usefixtures("in_demo")
def test_a_narrowed_trend_counts_and_links_its_own_runs_alone():
    found = page("/trends?workflow=adw_patch&status=failed")
    runs = run_statistics("week", RunFilter(template=("adw_patch",), status=("failed",))).total.runs
    assert f"{runs} runs" in found.text
    hrefs = found.links("/?")
    assert hrefs
    assert all("workflow=adw_patch" in href and "status=failed" in href for href in hrefs)
    assert any("status" in (chip.get("title") or "status") for chip in found.all("a"))


@pytest.mark.usefixtures("in_demo")
@pytest.mark.parametrize("across", ["workflow", "model", "phase", "class", "status", "project", "template"])
def test_groups_stand_side_by_side_with_a_row_each(across: str):
    found = page(f"/trends?across={across}")
    groups = run_statistics(across).groups
    sparks = [drawn for drawn in found.all("svg") if "spark" in (drawn.get("class") or "")]
    assert len(sparks) == 4 * min(12, len(groups))
    named = [href for href in found.links("/?") if "since=" not in href]
    assert [run_statistics("week", linked(href)).total.runs for href in named[:3]] == [
        one.runs for one in groups if one.name is not None
    ][: len(named[:3])]


@pytest.mark.usefixtures("in_demo")
def test_a_forecast_of_the_planted_family_rests_on_its_runs_and_names_them():
    found = page("/forecast?text=CSV+export+for+suppliers")
    assert re.search(
        r"About \$\d+\.\d\d and \d+m \d\ds\. 80% prediction interval: .* based on similar and recent runs\.",
        found.text,
    )
    assert "CSV" in found.text.partition("Comparable runs")[2]
    hrefs = found.links("/runs/")
    assert page(hrefs[0])
    dots = [mark for mark in found.all("circle") if mark.get("class") == "past"]
    assert len(dots) > 20
    explained = [span["title"] or "" for span in found.all("span", **{"class": "explained"})]
    assert any("equally weighted runs" in title for title in explained), "effective n is explained"


@pytest.mark.usefixtures("in_demo")
def test_how_forecasts_held_is_told_where_it_is_asked_for():
    assert "Backtest 240 stored runs" in page("/forecast?calibration=1").text
    assert "calibration=1" in page("/forecast").links("/forecast")[-1]


def test_a_run_at_work_is_on_the_page_and_leads_to_what_is_still_to_come(tmp_path: Path):
    store(run(0, status="running", current_phase="build"), *map(run, range(1, 30)), tmp_path=tmp_path)
    [href] = page("/forecast").links("/runs/")
    found = page(href)
    assert urlsplit(href).path.endswith("/forecast")
    assert "Remaining" in found.text
    assert "Now in" in found.text


@pytest.mark.usefixtures("in_demo")
def test_a_run_that_has_ended_stands_beside_its_forecast():
    first = find_anomalies().regressions[0].runs[0]
    found = page(f"/runs/{first.id}/forecast?project={first.project}")
    assert "the forecast interval" in found.text
    assert any(mark.get("class") == "came" for mark in found.all("path"))


@pytest.mark.usefixtures("in_demo")
def test_one_run_is_offered_those_most_like_it_with_what_gave_how_much():
    first = find_anomalies().regressions[0].runs[0]
    found = page(f"/compare?a={first.project}/{first.id}")
    hrefs = found.links("/compare?a=")
    assert len(hrefs) == 8
    assert re.search(r"text 0\.\d\d, status 0\.\d\d, cost 0\.\d\d, duration 0\.\d\d", found.text)
    both = page(hrefs[0])
    assert "Compare runs" in both.text
    assert "Phases" in both.text
    swapped = next(href for href in both.links("/compare?a=") if "&b=" in href)
    assert parse_qs(urlsplit(swapped).query)["b"] == [f"{first.project}/{first.id}"]


@pytest.mark.usefixtures("in_demo")
def test_no_page_has_a_style_or_a_script_of_its_own_and_every_element_ends():
    first, second = find_anomalies().regressions[0].runs[:2]
    more = (
        "/forecast?text=CSV+export&calibration=1",
        f"/compare?a={first.id}&b={second.id}",
        f"/compare?a={first.id}",
        f"/runs/{first.id}/forecast",
        f"/patterns/{find_patterns(limit=1).patterns[0].id}",
    )
    for path in (*PAGES, *more):
        assert_clean(page(path), path)


def assert_clean(found: Page, path: str) -> None:
    assert not found.unclosed, path
    assert not found.open, path
    assert len(found.all("h1")) == 1, path
    assert not found.all("style"), path
    assert all(script.get("src", "").startswith("/static/") for script in found.all("script")), path  # type: ignore[union-attr]
    for _, attributes in found.elements:
        assert "style" not in attributes, path
        assert not [name for name in attributes if name.startswith("on")], path
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids)), path


# --- small histories


@pytest.mark.parametrize("path", PAGES)
def test_an_empty_history_is_told_what_to_do(path: str):
    with database.pooled_connections():  # as a server that runs does
        found = page(path)
        assert "workflow-history sync" in found.text or path == "/compare"
        assert_clean(found, path)


@pytest.mark.parametrize(
    "path", [*PAGES, "/forecast?text=Export+as+CSV", "/runs/run-000/forecast", "/compare?a=run-000"]
)
def test_one_run_is_enough_for_every_page(path: str, tmp_path: Path):
    store(run(0), tmp_path=tmp_path)
    assert_clean(page(path), path)


def test_a_run_without_a_time_and_a_cost_is_a_row_and_no_mark(tmp_path: Path):
    silent = {"total_cost": None, "cost_basis": None, "duration_seconds": None, "phase_costs": []}
    store(run(0, **silent, created_at=None), run(1, **silent), tmp_path=tmp_path)
    found = page("/trends")
    assert "unknown date" in found.text
    medians = [mark for mark in found.all("circle") if (mark.get("class") or "").startswith("dot")]
    assert len(medians) == 1, "how well it ended is known; cost, time and cache are not"


def test_thin_evidence_is_no_forecast_and_says_why(tmp_path: Path):
    store(*map(run, range(2)), tmp_path=tmp_path)
    found = page("/forecast?text=Paint+the+shed")
    assert "Not enough data" in found.text
    assert not re.search(r"About \$", found.text)


def test_few_runs_are_marked_and_the_present_period_is_not_over(tmp_path: Path):
    store(run(0, created_at=datetime.now(UTC).isoformat()), run(40), tmp_path=tmp_path)
    found = page("/trends?by=month")
    assert "not complete" in found.text
    assert "low n" in found.text
    assert any("thin" in (mark.get("class") or "") for mark in found.all("circle"))


def test_a_passed_budget_is_told_with_the_runs_it_went_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = tmp_path / "workflow-history.toml"
    config.write_text("[budget]\nday = 0.50\nmonth = 1000\n")
    monkeypatch.setenv("WORKFLOW_HISTORY_CONFIG", str(config))
    store(run(0, created_at=datetime.now(UTC).isoformat()), tmp_path=tmp_path)
    found = page("/insights")
    assert "1 budget exceeded" in found.text
    assert "/runs/run-000?project=shop" in found.links("/runs/")


def test_without_budgets_the_page_says_what_makes_them(tmp_path: Path):
    store(run(0), tmp_path=tmp_path)
    found = page("/insights").text
    assert "workflow-history budget init" in found
    assert str(tmp_path) not in found


def test_waste_leads_to_the_runs_that_failed(tmp_path: Path):
    store(
        *[run(number, status="failed" if number < 3 else "completed") for number in range(9)],
        tmp_path=tmp_path,
    )
    found = page("/insights")
    assert "Wasted spend" in found.text
    failed = next(href for href in found.links("/?") if "status=failed" in href)
    assert run_statistics("status", linked(failed)).total.runs == 3


def test_two_periods_without_runs_are_one_sentence_and_no_table(tmp_path: Path):
    store(run(0, created_at="2020-01-01T10:00:00Z"), tmp_path=tmp_path)
    found = page("/trends")
    assert "No runs in either period." in found.text
    assert "Last 30 days vs previous 30 days" in found.text
    assert "0 → 0" not in found.text


def test_two_runs_say_where_their_difference_comes_from(tmp_path: Path):
    store(run(0), run(8), tmp_path=tmp_path)
    found = page("/compare?a=run-000&b=run-008")
    assert "B cost $1.00 more than A (+100.0%)" in found.text
    assert "build" in found.text


def test_a_run_that_is_not_clear_leads_back_to_the_form_and_to_those_that_may_be_meant(tmp_path: Path):
    store(run(0), run(8), run(18), tmp_path=tmp_path)
    missing = page("/compare?a=run-008&b=run-404", 404)
    assert 'No run matches "run-404"' in missing.text
    assert [field.get("value") for field in missing.all("input") if field.get("name") in {"a", "b"}] == [
        "run-008",
        "run-404",
    ]
    several = page("/compare?a=run-0&b=run-008", 409)
    meant = several.links("/compare?a=")
    assert [parse_qs(urlsplit(href).query) for href in meant] == [
        {"a": [f"shop/run-0{number}"], "b": ["run-008"]} for number in ("00", "08", "18")
    ]
    assert "Cost difference by phase" in page(meant[2]).text
    assert len(page("/compare?a=run-0", 409).links("/compare?a=")) == 3


def test_many_runs_without_a_vector_are_only_read_where_somebody_asks(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("app.server.core.workflow_history.web.pages.compare._MAX_UNINDEXED", 2)
    store(*map(run, range(4)), tmp_path=tmp_path)
    found = page("/compare?a=run-000")
    assert "4 runs are not in the similarity index" in found.text
    assert page(found.links("/compare?a=")[0]).text.count("Compare with") == 3


def test_an_answer_is_kept_for_a_moment_and_no_longer_than_the_history_stays(tmp_path: Path, monkeypatch):
    now, asked = [0.0], []
    monkeypatch.setattr(caches, "monotonic", lambda: now[0])
    kept = QueryCache()

    def ask(what: str) -> int:
        asked.append(what)
        return len(asked)

    store(run(0), tmp_path=tmp_path)
    assert [kept(ask, "a"), kept(ask, "a"), kept(ask, "b")] == [1, 1, 2]
    now[0] = CACHE_SECONDS + 1
    assert kept(ask, "a") == 3
    store(run(1), tmp_path=tmp_path)
    assert kept(ask, "a") == 4
    for number in range(MAX_ENTRIES + 1):
        kept(ask, str(number))
    assert kept(ask, "a") == len(asked)


# --- what is wrong, and what is hostile


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/trends?by=century", 'Invalid by "century"'),
        ("/trends?across=hour", 'Invalid across "hour"'),
        ("/trends?across=mood", 'Invalid by "mood"'),
        ("/trends?tz=Mars/Olympus", 'Invalid tz "Mars/Olympus"'),
        ("/trends?period=soon", 'Invalid period "soon"'),
        ("/trends?since=never", 'Invalid since "never"'),
        ("/insights?keep=2", "share from 0 to 1"),
        ("/insights?residual_cost=half", 'Invalid residual_cost "half"'),
        ("/insights?recent=0d", "Invalid recent"),
        ("/forecast?text=" + "x" * 20_001, "at most 20,000 characters"),
    ],
)
def test_what_is_not_allowed_is_said_in_words(path: str, told: str, tmp_path: Path):
    store(run(0), tmp_path=tmp_path)
    assert told in page(path, 422).text


def test_a_pattern_that_is_not_there_is_a_page_that_says_so(tmp_path: Path):
    store(run(0), tmp_path=tmp_path)
    assert "No pattern matches" in page("/patterns/abcdef12", 404).text


def test_a_time_line_has_a_unit_and_a_grouping_of_no_time():
    with pytest.raises(InvalidQueryError, match="Invalid by"):
        timeline(by="hour")
    with pytest.raises(InvalidQueryError, match="Invalid across"):
        timeline(across="week")


def test_hostile_names_stay_words_on_every_page(tmp_path: Path):
    agent = {"phase": HOSTILE, "agent": HOSTILE, "model": HOSTILE, "cost": 1.0, "cost_basis": "reported",
             "outcome": HOSTILE, "duration_seconds": 5.0}  # fmt: skip
    nasty = {
        "workflow_template": HOSTILE, "issue_class": HOSTILE, "model_used": HOSTILE, "nl_input": HOSTILE,
        "error_message": HOSTILE, "project": HOSTILE, "phase_costs": [agent],
    }  # fmt: skip
    store(*[run(number, **nasty, status="failed" if number % 3 else "running") for number in range(12)],
          tmp_path=tmp_path)  # fmt: skip
    paths = (
        *PAGES,
        *(f"/trends?across={across}" for across in ("phase", "model", "project", "status", "issue_class")),
        "/forecast?text=x",
        *(f"/compare?a=run-000{other}" for other in ("", "&b=run-001")),
        "/runs/run-000/forecast",
    )
    for path in paths:
        found = page(path)
        assert_clean(found, path)
        assert not [image for image in found.all("img") if image.get("src") == "x"], path
        assert "49" not in found.text.replace("{{ 7*7 }}", ""), path
        assert "\u202e" not in found.text, path
        assert "\x1b" not in found.text, path
