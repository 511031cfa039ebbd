"""Impossible dates are reported and stored as unknown."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from app.server.core.workflow_history import (
    RunFilter,
    check_budgets,
    find_anomalies,
    find_runs,
    forecast,
    read_config,
    sync,
)
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common import plausible_dates
from app.server.core.workflow_history.common.column_data import MISSING_INT, ColumnTable
from app.server.core.workflow_history.common.errors import InvalidQueryError
from app.server.core.workflow_history.database import get_workflow_history
from app.server.core.workflow_history.ingest.sources.discovery import find_run
from app.server.core.workflow_history.ingest.sources.scan import scan
from app.server.core.workflow_history.maintenance.pruning import prune_history
from app.server.core.workflow_history.maintenance.retention_rules import RetentionRule
from app.server.core.workflow_history.pipeline import merge_fields
from app.server.core.workflow_history.pipeline.change_detection import is_unchanged
from app.server.core.workflow_history.queries import implausible_dates
from app.server.core.workflow_history.queries.statistics import overview, run_statistics, trend
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.reading.runs import StoredRunState
from app.server.tests.support.build import init, line, result, run, stream

NOW = datetime(2026, 3, 31, 18, tzinfo=UTC)
ODD = ("0001-01-01T00:00:00Z", "1899-12-31T00:00:00Z", "2028-01-15T09:00:00Z", "9999-12-31T23:59:59Z")


@pytest.fixture
def history(demo_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in a folder with a budget."""
    file = tmp_path / "copy.db"
    file.write_bytes(demo_copy.read_bytes())
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(file))
    monkeypatch.chdir(tmp_path)
    Path("workflow-history.toml").write_text('[budget]\ntime_zone = "UTC"\nrun = 50\nmonth = 10000\n')
    return file


def store(*moments: str) -> None:
    runs = (
        {"id": f"odd{place}", "created_at": moment, "status": "completed", "total_cost": 99.0,
         "cost_basis": "reported", "workflow_template": "adw_sdlc_iso"}
        for place, moment in enumerate(moments)
    )  # fmt: skip
    with History.open(Path(os.environ["WORKFLOW_HISTORY_DB"])) as open_history:
        open_history.save(list(runs))


def type_in(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), prog_name="workflow-history", env={"COLUMNS": "120"})


@pytest.mark.parametrize(
    ("moment", "plausible"),
    [
        (datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), False),
        (datetime(2000, 1, 1, tzinfo=UTC), True),
        (NOW + timedelta(days=1), True),
        (NOW + timedelta(days=1, microseconds=1), False),
        (datetime.max.replace(tzinfo=UTC), False),
        (datetime.min.replace(tzinfo=UTC), False),
    ],
)
def test_a_run_was_made_between_2000_and_a_day_after_now(moment: datetime, *, plausible: bool) -> None:
    assert plausible_dates.is_plausible(moment, NOW) is plausible
    made_at = np.array([plausible_dates.to_microseconds(moment), MISSING_INT])
    placed, odd = implausible_dates.mask_implausible_dates(
        ColumnTable("runs", 2, {}, {"created_at": made_at}, {}), NOW
    )
    assert odd.tolist() == ([] if plausible else [0])
    assert (placed.integers["created_at"] == MISSING_INT).tolist() == [not plausible, True]


# --- answers


@pytest.mark.usefixtures("history")
def test_what_got_worse_is_found_whatever_a_misdated_run_says() -> None:
    before = find_anomalies(now=NOW)
    assert len(before.regressions) == 1
    store(*ODD)
    found = find_anomalies(now=NOW)
    assert (found.regressions, found.latest, found.outliers) == (
        before.regressions,
        before.latest,
        before.outliers,
    )
    assert found.invalid_timestamps.runs == 4
    assert [one.id for one in found.invalid_timestamps.shown] == ["odd3", "odd2", "odd1", "odd0"]


@pytest.mark.usefixtures("history")
def test_a_budget_check_still_fails_and_names_them() -> None:
    store(*ODD)
    found = check_budgets(read_config(), now=NOW, regressions=True)
    assert not found.ok
    assert len(found.regressions or ()) == 1
    assert (found.exceeded, found.undated_runs, found.invalid_timestamps.runs) == (
        0,
        0,
        4,
    )  # $99 is above the 50 of a run
    assert found.latest_run is not None
    assert found.latest_run <= NOW


@pytest.mark.usefixtures("history")
def test_a_forecast_rests_on_the_same_runs_as_before() -> None:
    before = forecast("CSV export for suppliers")
    assert before.cost.median is not None
    store(*ODD)
    after = forecast("CSV export for suppliers")
    assert after.cost.median == before.cost.median
    assert after.cost.runs == before.cost.runs
    assert {one.id for one in after.runs} == {one.id for one in before.runs}
    assert any("4 stored runs with an invalid timestamp" in weak for weak in after.weak)


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("moment", ODD)
@pytest.mark.parametrize("by", ["week", "month", "weekday"])
def test_one_such_run_costs_no_other_its_place_in_time(by: str, moment: str) -> None:
    before = run_statistics(by, tz="UTC", now=NOW)
    store(moment)
    after = run_statistics(by, tz="UTC", now=NOW)
    assert after.groups[:-1] == before.groups
    assert (after.groups[-1].name, after.groups[-1].runs, after.groups[-1].cost.total) == (None, 1, 99.0)
    assert after.invalid_timestamps is not None
    assert [one.id for one in after.invalid_timestamps.shown] == ["odd0"]
    assert run_statistics("template", now=NOW).invalid_timestamps is None


@pytest.mark.usefixtures("history")
def test_an_overview_and_a_trend_leave_them_out_of_their_periods() -> None:
    before = trend(timedelta(days=365), now=NOW)
    store(*ODD)
    after = trend(timedelta(days=365), now=NOW)
    assert after.changes == before.changes
    assert (before.before_is_whole, after.before_is_whole, after.invalid_timestamps.runs) == (False, False, 4)
    assert overview(now=NOW).total.runs == 244


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    "words",
    [("anomalies",), ("stats",), ("stats", "--by", "week"), ("stats", "--trend", "30d")],
    ids=" ".join,
)
def test_commands_name_them(words: tuple[str, ...]) -> None:
    store("9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z")
    said = " ".join(type_in(*words).output.split())
    assert "2 runs dated before 2000 or in the future" in said
    assert "odd0 9999-12-31, odd1 0001-01-01" in said


@pytest.mark.usefixtures("history")
def test_the_weekly_chart_says_what_money_no_week_has() -> None:
    store("9999-12-31T00:00:00Z")
    assert "in no week: 1 run without a date, $99.00 of" in type_in("stats").output


@pytest.mark.usefixtures("history")
def test_weekly_statistics_are_exported_with_them_under_no_name() -> None:
    store("0001-01-01T00:00:00Z")
    taken = type_in("export", "statistics", "--by", "week", "--format", "csv")
    assert taken.exit_code == 0
    assert taken.output.splitlines()[-1].startswith(",,,1,")


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("ask", [find_anomalies, overview, trend, run_statistics])
def test_a_now_without_a_zone_is_refused(ask: Any) -> None:
    with pytest.raises(InvalidQueryError, match="time zone"):
        ask(now=datetime(2026, 3, 31))  # noqa: DTZ001 - that is what is refused


@pytest.mark.parametrize("recent", [1, timedelta(days=30)])
def test_where_nothing_could_be_judged_nothing_is_said_to_be_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recent: object
) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "few.db"))
    store("2026-03-01T09:00:00Z", "2026-03-02T09:00:00Z")
    typed = "1" if recent == 1 else "30d"
    said = type_in("anomalies", "--window", typed).output
    assert "Not enough data to find regressions" in said
    assert "✓" not in said


# --- what files say


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "agents"
    folder.mkdir(parents=True)
    return folder


def scanned(agents: Path, state: dict[str, Any]) -> Any:
    stream(run(agents, "a1b2c3d4", state), "sdlc_planner", init(), result())
    (found,) = scan(agents, NOW).runs
    return found


@pytest.mark.parametrize("created", ODD)
def test_an_impossible_time_is_unknown_and_named_with_its_file(agents: Path, created: str) -> None:
    found = scanned(agents, {"created_at": created, "completed_at": created})
    assert [found.workflow[name] for name in ("created_at", "started_at", "completed_at")] == [None] * 3
    assert found.workflow["times_basis"] is None
    problems = [one for one in found.problems if one.path == "a1b2c3d4/adw_state.json"]
    assert {one.severity for one in problems} == {"warning"}
    assert all(one.reason.endswith("no run was made then") for one in problems)
    assert [one.reason.split(" is ")[0] for one in problems] == [
        f"created_at '{created}'",
        f"completed_at '{created}'",
    ]


def test_the_next_place_that_has_a_possible_time_counts(agents: Path) -> None:
    phases = [{"phase": "plan", "started_at": "0001-01-01T00:00:00Z", "completed_at": "2026-03-01T09:05:00Z"}]
    state = {"created_at": "9999-12-31T00:00:00Z", "start_time": "2026-03-01T09:00:00Z"}
    found = scanned(agents, {**state, "phase_results": phases, "status": "done"})
    assert (found.workflow["created_at"], found.workflow["completed_at"]) == (
        "2026-03-01T09:00:00+00:00",
        "2026-03-01T09:05:00+00:00",
    )
    assert any(one.reason.startswith("phase_results[0].started_at '0001") for one in found.problems)


def test_an_end_of_year_9999_is_no_end(agents: Path) -> None:
    folder = run(agents, "a1b2c3d4", {"completed_at": "9999-12-31T00:00:00Z"})
    stream(folder, "sdlc_planner", init())
    (found,) = scan(agents, NOW).runs
    assert found.workflow["status"] == "incomplete"


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_clock_that_is_wrong_in_one_line_is_named_and_the_others_count(agents: Path, when: str) -> None:
    said = {"type": "user", "sessionId": "s", "message": {"role": "user", "content": "Add a logo"}}
    lines = [line(**said, timestamp=each) for each in ("2026-03-01T09:00:00Z", when, "2026-03-01T09:05:00Z")]
    stream(run(agents, "a1"), "", *lines)
    (found,) = scan(agents, NOW).runs
    assert found.workflow["created_at"] == "2026-03-01T09:00:00+00:00"
    (problem,) = found.problems
    assert (problem.line, when in problem.reason) == (2, True)


def test_a_clock_of_next_years_is_named_and_counts_for_nothing(agents: Path) -> None:
    said = {"type": "user", "sessionId": "s", "message": {"role": "user", "content": "Add a logo"}}
    stream(run(agents, "a1"), "", line(**said, timestamp="2028-01-15T09:00:00Z"), name="planner.jsonl")
    log = run(agents, "b2", {}) / "adw_plan" / "execution.log"
    log.parent.mkdir()
    log.write_text("2028-01-15 09:00:00 - INFO - ADW workflow completed\n")
    for found in scan(agents, NOW).runs:
        assert [found.workflow[name] for name in ("created_at", "completed_at")] == [None, None]
        path = {"a1": "a1/planner.jsonl", "b2": "b2/adw_plan/execution.log"}[found.workflow["id"]]
        assert (path, True) in [(one.path, "2028-01-15" in one.reason) for one in found.problems]


@pytest.mark.parametrize("run_id", ["adw_2000000000_4c9ada14", "adw-20991231-013537"])
def test_a_time_in_an_id_from_the_future_dates_no_run(agents: Path, run_id: str) -> None:
    run(agents, run_id, {})
    (found,) = scan(agents, NOW).runs
    assert found.workflow["created_at"] is None


@pytest.mark.parametrize("seconds", [0, 3_000_000_000])
def test_a_files_impossible_time_dates_no_run(agents: Path, seconds: int) -> None:
    folder = run(agents, "a1b2c3d4")
    stream(folder, "sdlc_planner", init(), result())
    later = stream(run(agents, "b2"), "sdlc_planner", init(), result())
    for file in folder.rglob("*.jsonl"):
        os.utime(file, (seconds, seconds))
    os.utime(later, (NOW.timestamp(), NOW.timestamp()))
    found = scan(agents, NOW).runs[0]
    assert found.workflow["created_at"] is None
    (problem,) = [one for one in found.problems if "no run was made then" in one.reason]
    assert problem.path == "a1b2c3d4/sdlc_planner/raw_output.jsonl"


def test_an_impossible_time_is_unknown_in_every_face(
    agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "odd.db"))
    for name, created in (("early", ODD[0]), ("late", ODD[3]), ("known", "2026-03-01T09:00:00Z")):
        stream(run(agents, name, {"created_at": created}), "planner", init(name), result(session=name))
    sync.sync_workflow_history(silent=True, agents_dir=agents)
    assert get_workflow_history()["workflows"][0]["id"] == "known"
    assert [one["id"] for one in find_runs(RunFilter(from_ago="9000d")).workflows] == ["known"]
    assert [one["id"] for one in find_runs(RunFilter(before_ago="1d")).workflows] == ["known"]
    meant = prune_history([RetentionRule(RunFilter(before_ago="1d"))])
    assert (meant.runs, meant.newest) == (1, "2026-03-01T09:00:00.000000Z")
    assert "9999-12-31" in type_in("show", "late").output


def test_a_run_is_read_again_when_a_time_of_it_that_lay_in_the_future_has_come(agents: Path) -> None:
    stream(run(agents, "a1", {"created_at": "2028-01-15T09:00:00Z"}), "planner", init(), result())
    (found,) = scan(agents, NOW).runs
    folder = find_run(agents, "a1")
    assert folder is not None
    stored = StoredRunState(1, "a1", "here", found.fingerprint, None, None, *folder.file_times, None, "shop")
    for when, is_known in ((NOW, True), (datetime(2028, 1, 15, tzinfo=UTC), False)):
        assert is_unchanged(stored, folder, "here", when) is is_known


def test_an_impossible_time_that_a_history_has_is_taken_back() -> None:
    stored = {"created_at": ODD[3], "started_at": ODD[3], "times_basis": "reported", "nl_input": "Add x"}
    assert merge_fields.drop_implausible_times(stored, NOW)["created_at"] is None
    known = merge_fields.merge_run(merge_fields.drop_implausible_times(stored, NOW), {"created_at": None})
    assert (known["created_at"], known["times_basis"], known["nl_input"]) == (None, None, "Add x")


def test_no_duration_is_longer_than_a_run(agents: Path) -> None:
    state = {"created_at": "2020-01-01T00:00:00Z", "completed_at": "2026-03-01T09:00:00Z"}
    found = scanned(agents, state)
    assert (found.workflow["duration_seconds"] or 0) < 366 * 86400
    (problem,) = [one for one in found.problems if "longer than any run" in one.reason]
    assert problem.path == "a1b2c3d4/adw_state.json"
    assert "its reported start and end" in problem.reason


def test_a_file_from_the_future_makes_no_run_run_for_ever(agents: Path) -> None:
    folder = run(agents, "a1b2c3d4", {"status": "running"})
    stream(folder, "sdlc_planner", init())
    ahead = (NOW + timedelta(days=700)).timestamp()
    for file in folder.rglob("*"):
        os.utime(file, (ahead, ahead))
    (found,) = scan(agents, NOW).runs
    assert found.workflow["status"] == "incomplete"


GARBLED = {"type": "result", "subtype": "success", "total_cost_usd": "a lot", "usage": {}}


@pytest.mark.parametrize("said", [True, False], ids=["log says completed", "nobody says"])
@pytest.mark.parametrize("cost", [-3, 1e308, "a lot"])
def test_an_agent_whose_result_cannot_be_read_is_not_at_work(
    agents: Path, cost: object, *, said: bool
) -> None:
    folder = run(agents, "a1b2c3d4", {"adw_id": "a1b2c3d4"})
    stream(folder, "sdlc_planner", init(), json.dumps({**GARBLED, "total_cost_usd": cost}))
    if said:
        log = folder / "adw_plan_iso" / "execution.log"
        log.parent.mkdir()
        log.write_text("2026-03-31 17:59:00,000 - INFO - ADW workflow completed successfully\n")
    for file in folder.rglob("*"):
        os.utime(file, (NOW.timestamp(), NOW.timestamp()))
    (found,) = scan(agents, NOW).runs
    assert found.workflow["status"] == ("completed" if said else "incomplete")
