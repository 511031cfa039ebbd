"""Days of runs follow the chosen time zone in every command and page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import URL
from typer.testing import CliRunner

from app.server.core.workflow_history import database, find_anomalies, run_statistics
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.web.app import create_app
from app.server.tests.support.build import init, result, run, stream
from app.server.tests.support.thoroughness import sample
from scripts.console_docs import surroundings

MADE = datetime(2026, 3, 3, 23, 30, tzinfo=UTC)
DAYS = {"UTC": "2026-03-03", "Europe/Berlin": "2026-03-04", "America/Los_Angeles": "2026-03-03"}
CLOCKS = {"UTC": "23:30", "Europe/Berlin": "00:30", "America/Los_Angeles": "15:30"}
OFFSETS = [-420, 0, 600, None]
"""Minutes by which the run's own clock is ahead of UTC; None: unknown."""


@pytest.fixture(params=DAYS)
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """The zone of this machine."""
    with surroundings({"TZ": request.param}):
        yield str(request.param)


@pytest.fixture
def history(history_url: URL, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    monkeypatch.setattr(database, "DB_PATH", history_url)
    with History.open(history_url) as opened:
        yield opened


def a_run(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": f"late{number:04}",
        "status": "completed",
        "nl_input": "Export the orders as CSV",
        "workflow_template": "adw_plan",
        "created_at": MADE.isoformat(),
        "started_at": MADE.isoformat(),
        "total_cost": 1.0,
        "cost_basis": "reported",
        **more,
    }


def type_in(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert done.exit_code == 0, done.output
    return done.output


def page(path: str) -> str:
    with TestClient(create_app(), base_url="http://localhost") as client:
        answer = client.get(path)
    assert answer.status_code == 200
    return answer.text


def days_of_times(html: str) -> set[str]:
    """Return the days that a page shows of the run's time."""
    return set(re.findall(r'<time datetime="2026-03-03T23:30:00[^>]*>~?([\d-]{10})', html))


@pytest.mark.parametrize("offset", sample(OFFSETS))
def test_without_a_zone_every_command_and_page_shows_the_day_of_this_machine(
    history: History, zone: str, offset: int | None
) -> None:
    history.save([a_run(utc_offset_minutes=offset)])
    at = f"{DAYS[zone]} {CLOCKS[zone]}"
    assert at in type_in("list")
    assert at in type_in("show", "late0001")
    assert at in type_in("explain", "late0001", "created_at")
    assert DAYS[zone] in type_in("stats", "--by", "day")
    assert [group.name for group in run_statistics("day").groups] == [DAYS[zone]]
    assert "late0001" in type_in("list", "--since", DAYS[zone], "--until", DAYS[zone])
    assert days_of_times(page("/")) == {DAYS[zone]}
    assert at in page("/runs/late0001")


@pytest.mark.parametrize("asked", DAYS)
def test_the_zone_asked_for_is_that_of_filters_groups_and_lists(
    history: History, zone: str, asked: str
) -> None:
    history.save([a_run(utc_offset_minutes=-420)])
    day = DAYS[asked]
    assert f"{day} {CLOCKS[asked]}" in type_in("list", "--tz", asked, "--since", day, "--until", day)
    assert day in type_in("stats", "--by", "day", "--tz", asked)
    assert days_of_times(page(f"/?tz={asked}&since={day}&until={day}")) == {day}
    with TestClient(create_app(), base_url="http://localhost") as client:
        found = client.get("/api/v1/statistics", params={"by": "day", "tz": asked}).json()
    assert [group["name"] for group in found["groups"]] == [day]


def test_a_time_without_a_zone_is_of_the_day_that_filters_and_groups_have_it_on(
    history: History, zone: str
) -> None:
    history.save([a_run(time_zone_known=False)])
    assert f"{DAYS[zone]} {CLOCKS[zone]}?" in type_in("list")
    assert f"{DAYS[zone]} {CLOCKS[zone]}?" in type_in("show", "late0001")
    assert [group.name for group in run_statistics("day").groups] == [DAYS[zone]]


def test_costs_without_a_history_are_of_the_same_day(tmp_path: Path, zone: str) -> None:
    at = MADE.isoformat().replace("+00:00", "Z")
    agents = tmp_path / "agents"
    folder = run(agents, "late0001", {"created_at": at, "nl_input": "Export the orders"})
    stream(folder, "builder", init(), result(0.5))
    type_in("sync", str(agents))
    listed = re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d\??", type_in("list"))
    assert listed
    assert listed[0] in type_in("cost", str(agents), "--by", "run")


def test_a_change_is_told_since_the_day_that_the_list_has_it_on(history: History, zone: str) -> None:
    runs = [
        a_run(number, created_at=(MADE + timedelta(days=number)).isoformat(), total_cost=cost)
        for number, cost in enumerate([1.0, 1.1, 0.9, 1.05] * 10 + [4.0, 4.1, 3.9, 4.05] * 5)
    ]
    history.save(runs)
    for asked in DAYS:
        [found] = find_anomalies(tz=asked).regressions
        day = next(g.name for g in run_statistics("day", tz=asked).groups if (g.cost.total or 0) > 2)
        assert f"since {day}" in found.sentence
        assert f"since {day}" in type_in("anomalies", "--tz", asked)
    assert find_anomalies().regressions == find_anomalies(tz=zone).regressions
