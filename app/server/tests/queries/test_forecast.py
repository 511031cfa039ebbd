"""Forecasts from real histories, in Python and on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from math import log
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.server.core.workflow_history import database, sync
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.errors import InvalidQueryError, WorkflowNotFoundError
from app.server.core.workflow_history.demo import make_agents_folder
from app.server.core.workflow_history.queries.forecast import calibration, forecast, forecast_run
from app.server.core.workflow_history.queries.forecast.records import Estimate, Forecast, RunForecast
from app.server.core.workflow_history.queries.json.encoding import json_schema, to_json
from app.server.core.workflow_history.storage.history import History
from app.server.tests.support.web import client_of

PLANNED = {
    "phase": "plan", "agent": "planner", "cost": 0.4, "cost_basis": "reported", "duration_seconds": 30.0
}  # fmt: skip
START = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = (
    "\x1b[31mred\x1b]0;title\x07 \u202e[bold]evil[/bold] '; DROP TABLE workflows; -- \x00\ud800 " + "é" * 300
)


def type_in(*words: str, given: str | None = None, **env: str) -> Result:
    return CliRunner().invoke(
        app, ["forecast", *words], input=given, prog_name="workflow-history", env={"COLUMNS": "120", **env}
    )


def stored(place: int, **more: Any) -> dict[str, Any]:
    """Return one run of a steady kind, `place` days after the start."""
    cost = 1.0 + 0.1 * (place % 10)
    return {
        "id": f"run-{place:03d}", "project": "shop", "status": "completed",
        "nl_input": "Sort the orders by date", "issue_class": "/feature",
        "created_at": (START + timedelta(days=place)).isoformat(), "workflow_template": "adw_plan_build",
        "total_cost": cost, "cost_basis": "reported", "duration_seconds": 100.0 + place,
        "phase_costs": [
            PLANNED,
            {"phase": "build", "agent": "builder", "cost": cost - 0.4, "cost_basis": "reported",
             "duration_seconds": 70.0 + place},
        ],
    } | more  # fmt: skip


def save(*runs: dict[str, Any]) -> None:
    with History.open(database.current_url()) as history:
        assert not history.save(runs).failures


def figures(answer: object) -> Iterator[Estimate]:
    """Yield every figure in an answer."""
    if isinstance(answer, Estimate):
        yield answer
    elif is_dataclass(answer):
        for field in fields(answer):
            yield from figures(getattr(answer, field.name))
    elif isinstance(answer, tuple):
        for item in answer:
            yield from figures(item)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synced demo of the default size, with short streams."""
    folder = tmp_path_factory.mktemp("demo")
    end = datetime(2026, 3, 31, 18, tzinfo=UTC)
    made = make_agents_folder(folder / "agents", end=end, stream_kb=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKFLOW_HISTORY_DB", str(folder / "history.db"))
        sync.sync_workflow_history(silent=True, agents_dir=made.path)
    return folder / "history.db"


# --- before a run


def test_a_forecast_lies_where_the_runs_like_it_lie() -> None:
    save(*(stored(place) for place in range(30)))
    found = forecast("Sort the orders by date", "adw_plan_build", "feature", "shop")
    assert found.cost.reason is None
    assert found.cost.p10 == pytest.approx(1.0)
    assert 1.3 <= (found.cost.median or 0) <= 1.6
    assert found.cost.p90 == pytest.approx(1.9)
    assert [(phase.phase, phase.share, phase.runs) for phase in found.phases] == [
        ("plan", 1.0, 30),
        ("build", 1.0, 30),
    ]
    assert found.phases[0].cost.median == pytest.approx(0.4)
    assert (found.success.completed, found.success.ended) == (30, 30)
    assert (found.success.probability or 0) < 1.0
    assert found.runs[0].id == "run-029", "of equal texts the latest counts most"
    assert found.runs[0].similarity == pytest.approx(1.0, abs=1e-6)
    assert found.based_on == 30


@pytest.mark.parametrize("count", [0, 1, 8])
def test_thin_evidence_gives_reasons_and_no_number(count: int) -> None:
    save(*(stored(place) for place in range(count)))
    found = forecast("Sort the orders by date", "adw_plan_build")
    for figure in figures(found):
        assert (figure.median, figure.p10, figure.p90) == (None, None, None)
        assert figure.reason
    assert (found.success.probability, found.success.low) == (None, None)
    assert found.success.reason


def test_each_figure_abstains_by_itself() -> None:
    save(*(stored(place, duration_seconds=None) for place in range(30)))
    found = forecast(template="adw_plan_build")
    assert found.cost.median is not None
    assert (found.duration.median, found.duration.reason) == (None, "no earlier run with a known value")


@pytest.mark.usefixtures("no_history")
def test_without_a_history_nothing_is_made() -> None:
    found = forecast("Sort the orders")
    assert found.cost.reason == "the history has no runs yet"
    assert not Path(str(database.current_url().database)).exists()
    assert calibration().backtested == 0
    with pytest.raises(WorkflowNotFoundError):
        forecast_run("run-001")


@pytest.mark.parametrize("named", [{"template": "adw_ship_it"}, {"issue_class": "chroe"}], ids=str)
def test_a_template_or_class_that_no_run_has_is_an_error_that_tells_which_there_are(
    named: dict[str, str],
) -> None:
    save(*(stored(place) for place in range(30)))
    known = "adw_plan_build" if "template" in named else "/feature"
    with pytest.raises(InvalidQueryError, match=rf"No run has .*Use one of: {known}\."):
        forecast("Sort the orders by date", **named)
    option = "--workflow" if "template" in named else "--class"
    assert type_in("--text", "Sort", option, *named.values()).exit_code == 2


def test_a_template_may_be_named_without_its_beginning() -> None:
    save(*(stored(place) for place in range(30)))
    short, full = (forecast("Sort the orders", name) for name in ("plan_build", "adw_plan_build"))
    assert short == full
    assert short.cost.median is not None


def test_a_request_like_no_other_without_a_template_is_not_forecast() -> None:
    save(*(stored(place) for place in range(30)))
    found = forecast("Quantum chromodynamics of gluons")
    assert found.cost.median is None
    assert "too few comparable runs" in (found.cost.reason or "")
    by_level = forecast("Quantum chromodynamics of gluons", "adw_plan_build")
    assert by_level.cost.median is not None
    assert any("Few earlier runs" in line for line in by_level.weak)


def test_a_forecast_as_of_a_day_knows_nothing_of_later_runs() -> None:
    save(*(stored(place) for place in range(20)))
    before = START + timedelta(days=15)
    then = forecast("Sort the orders by date", "adw_plan_build", before=before)
    save(*(stored(place, total_cost=500.0, status="failed") for place in range(20, 60)))
    assert forecast("Sort the orders by date", "adw_plan_build", before=before) == then
    assert forecast("Sort the orders by date", "adw_plan_build") != then


def test_running_runs_and_runs_with_a_lower_bound_are_no_cheap_runs() -> None:
    save(*(stored(place) for place in range(30)))
    save(*(stored(place, status="running", total_cost=0.01) for place in range(30, 50)))
    save(*(stored(place, cost_basis="lower_bound", total_cost=0.01) for place in range(50, 55)))
    found = forecast(template="adw_plan_build")
    assert (found.cost.median or 0) > 1.0
    assert found.cost.lower_bounds == 5
    assert any("only a lower bound" in line for line in found.weak)


def test_what_cannot_be_asked_is_refused() -> None:
    for given in ({}, {"text": "  "}, {"text": 3}, {"template": "x", "before": datetime(2026, 1, 1)}):  # noqa: DTZ001
        with pytest.raises(InvalidQueryError):
            forecast(**given)  # type: ignore[arg-type]
    with pytest.raises(InvalidQueryError):
        calibration(0)


def test_hostile_words_are_only_words() -> None:
    save(*(stored(place, nl_input=HOSTILE, workflow_template="[red]\x1b[31mx") for place in range(30)))
    found = type_in("--text", HOSTILE.replace("\x00", ""), "--project", "\u202e")
    assert found.exit_code == 0, found.output
    refused = type_in("--text", "a", "--class", "[bold]\x07")
    assert refused.exit_code == 2
    assert not {"\x1b", "\x07"} & set(refused.output)
    assert not {"\x1b", "\x07", "\u202e", "\x00"} & set(found.output)
    assert "[red]x" in found.output
    assert forecast(HOSTILE).cost.median is not None
    assert forecast("a" * 1_000_000, "[red]\x1b[31mx").cost.median is not None


# --- a stored run


def test_a_run_that_has_ended_is_held_against_what_was_before_it() -> None:
    save(*(stored(place) for place in range(30)), stored(40, total_cost=9.0, duration_seconds=110.0))
    found = forecast_run("run-040")
    assert (found.cost_verdict, found.duration_verdict, found.flight) == ("above", "within", None)
    assert found.forecast.based_on == 30
    save(*(stored(place, total_cost=9.0) for place in range(41, 80)))
    assert forecast_run("run-040") == found, "later runs change nothing of what was known before it"


def test_a_run_at_work_is_told_what_is_still_to_come() -> None:
    save(*(stored(place) for place in range(30)))
    begun = [
        PLANNED,
        {"phase": "build", "agent": "builder", "cost": 0.25, "cost_basis": "lower_bound"},
    ]
    save(stored(31, status="running", total_cost=0.65, cost_basis="lower_bound", phase_costs=begun,
                duration_seconds=50.0))  # fmt: skip
    flight = forecast_run("run-031").flight
    assert flight is not None
    assert (flight.phase, flight.spent, flight.spent_is_lower_bound) == ("build", pytest.approx(0.65), True)
    assert flight.runs == 30
    rest, total = flight.remaining_cost, flight.total_cost
    # building costs 0.6 to 1.5, of which 0.25 are spent
    assert (rest.p10, rest.p90) == (pytest.approx(0.35), pytest.approx(1.25))
    assert (total.p10, total.p90) == (pytest.approx(1.0), pytest.approx(1.9))
    assert (flight.remaining_duration.p10 or 0) >= 50.0
    assert type_in("run-031").exit_code == 0


def test_a_run_at_work_that_already_spent_more_than_all_others_gets_no_end() -> None:
    save(*(stored(place) for place in range(30)))
    begun = [{"phase": "build", "agent": "builder", "cost": 70.0, "cost_basis": "lower_bound"}]
    save(stored(31, status="running", total_cost=70.0, cost_basis="lower_bound", phase_costs=begun))
    found = forecast_run("run-031")
    assert found.flight is not None
    assert found.flight.remaining_cost.median is None
    assert found.cost_verdict == "above"


def test_a_cut_off_run_is_no_evidence_for_its_own_rest() -> None:
    save(*(stored(place) for place in range(9)), stored(20, status="incomplete"))
    flight = forecast_run("run-020").flight
    assert flight is not None
    assert flight.runs == 9


def test_a_run_without_a_date_is_held_against_nothing() -> None:
    save(*(stored(place) for place in range(30)), stored(31, created_at=None))
    found = forecast_run("run-031")
    assert found.cost_verdict is None
    assert "start time is unknown" in (found.forecast.cost.reason or "")


# --- the demo


def test_the_demos_csv_family_is_forecast_from_its_family(
    demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(demo))
    found = forecast("Add CSV export to the price lists page", "adw_plan_build_review", "feature")
    level = forecast("Rewrite the scheduler in Rust", "adw_plan_build_review", "feature")
    family = [run for run in found.runs if run.similarity > 0.45]
    assert len(family) >= 3
    assert all("csv" in (run.request or "").lower() or "comma" in (run.request or "") for run in family)
    assert found.runs[0] in family, "the heaviest run is one of the family"
    cost = sum(run.cost or 0 for run in family) / len(family)
    assert found.cost.median is not None
    assert level.cost.median is not None
    assert abs(log(found.cost.median / cost)) < abs(log(level.cost.median / cost)), "nearer than the level"


def test_calibration_of_the_demo_counts_every_run_and_beats_the_plain_mean(
    demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(demo))
    seen: list[tuple[int, int]] = []
    found = calibration(progress=lambda done, total: seen.append((done, total)))
    assert found.backtested == found.runs >= 239, "all but the one that may be running"
    assert seen[-1] == (found.backtested, found.backtested)
    assert found.cost.forecast + found.unlike + found.low_n == found.backtested
    for figure in (found.cost, found.duration):
        assert figure.coverage is not None
        assert figure.coverage.inside + figure.coverage.below + figure.coverage.above == figure.coverage.count
        assert 0.7 < figure.coverage.low < figure.coverage.share < figure.coverage.high
        ours, mean, median = figure.errors
        assert (ours.name, mean.name, median.name) == ("forecast", "mean", "median")
        assert ours.absolute < mean.absolute
        assert (ours.log or 9) < (mean.log or 0)
    assert found.success.brier is not None
    assert sum(one.count for one in found.success.bins) == found.success.count
    assert calibration(50).backtested == 50


# --- which runs it rests on


@pytest.mark.parametrize(
    ("alike", "basis", "words"),
    [
        (0, "latest", "recent runs of adw_plan_build"),
        (4, "similar and latest", "similar and recent runs of adw_plan_build"),
        (30, "similar", "similar runs"),
    ],
)
def test_every_face_says_which_runs_a_forecast_rests_on(alike: int, basis: str, words: str) -> None:
    other = "Rotate the signing keys of the gateway"
    save(*(stored(place, **({} if place >= 30 - alike else {"nl_input": other})) for place in range(30)))
    asked = ("Sort the orders by date", "adw_plan_build")
    assert forecast(*asked).basis == basis
    typed = type_in("--text", asked[0], "--workflow", asked[1], COLUMNS="200").output
    with client_of() as client:
        page = client.get("/forecast", params={"text": asked[0], "template": asked[1]}).text
        told = client.get("/api/v1/forecast", params={"text": asked[0], "template": asked[1]}).json()
    assert told["basis"] == basis
    for shown in (typed, page):
        assert "80% prediction interval: $1.00–$1.90 and" in " ".join(shown.split())
        assert f", based on {words}." in " ".join(shown.split())


def test_a_template_alone_is_forecast_by_its_latest_runs() -> None:
    save(*(stored(place) for place in range(30)))
    assert forecast(template="adw_plan_build").basis == "latest"


@pytest.mark.usefixtures("no_history")
def test_a_forecast_without_a_past_rests_on_nothing() -> None:
    assert forecast("Sort the orders by date").basis is None


# --- as typed


@pytest.mark.parametrize("width", ["60", "80", "120"])
def test_the_screen_fits_and_says_what_it_rests_on(width: str) -> None:
    save(*(stored(place) for place in range(30)))
    found = type_in("--text", "Sort the orders by date", "--workflow", "adw_plan_build", COLUMNS=width)
    assert found.exit_code == 0, found.output
    assert "80% prediction interval: $1.00–$1.90 and" in " ".join(found.output.split())
    assert "run-029" in found.output
    drawn = [line for line in found.output.splitlines() if "workflow-history" not in line]
    assert max(len(line) for line in drawn) <= int(width)


def test_the_request_may_come_from_a_file_or_from_standard_input(tmp_path: Path) -> None:
    save(*(stored(place) for place in range(30)))
    (tmp_path / "issue.md").write_text("Sort the orders by date\n")
    texts = ("--text", "Sort the orders by date")
    ways = (texts, None), (("--text", "-"), f"{texts[1]}\n"), (("--file", str(tmp_path / "issue.md")), None)
    asked = [json.loads(type_in(*words, "--json", given=given).output) for words, given in ways]
    assert asked[0] == asked[1] == asked[2]
    assert asked[0]["schema_version"] == 2
    assert asked[0]["cost"]["median"] is not None
    assert type_in("--file", str(tmp_path / "none.md")).exit_code == 2


@pytest.mark.parametrize(
    "words", [[], ["run-001", "--backtest"], ["--text", "a", "run-001"], ["--text", "a", "--file", "b"]]
)
def test_asking_for_nothing_or_for_two_things_is_a_usage_error(words: list[str]) -> None:
    database.init_db()
    assert type_in(*words).exit_code == 2


def test_an_empty_history_is_told_calmly() -> None:
    database.init_db()
    for words in (["--text", "Sort"], ["--backtest"]):
        found = type_in(*words)
        assert found.exit_code == 0
        assert "No" in found.output
    assert type_in("nobody").exit_code == 1


def test_every_shape_of_answer_is_json_with_a_schema() -> None:
    save(*(stored(place) for place in range(30)), stored(31, status="running"))
    answers = (forecast(template="adw_plan_build"), forecast_run("run-031"), calibration())
    for answer in answers:
        written = json.loads(json.dumps(to_json(answer)))
        schema = json_schema(type(answer))
        assert set(written) == set(schema["properties"])
    assert isinstance(answers[0], Forecast)
    assert isinstance(answers[1], RunForecast)
    assert json.loads(type_in("--backtest", "--json").output)["backtested"] == 30


def test_calibration_as_typed_says_its_sample_size(demo: Path) -> None:
    found = type_in("--backtest", "--db", str(demo))
    assert found.exit_code == 0
    assert "runs, each forecast from earlier runs only" in found.output
    assert "inside the 80% interval" in found.output
    assert "mean of all earlier runs" in found.output


def test_calibration_says_whether_forecasts_beat_simpler_ways_and_only_where_it_is_no_chance(
    demo: Path,
) -> None:
    found = type_in("--backtest", "--json", "--db", str(demo))
    told = json.loads(found.output)
    for figure in (told["cost"], told["duration"]):
        assert [one["against"] for one in figure["verdicts"]] == ["mean", "median", "template median"]
        for one in figure["verdicts"]:
            assert one["low"] <= one["share"] <= one["high"]
            meant = "better" if one["low"] > 0.5 else "worse" if one["high"] < 0.5 else "no better"
            assert one["word"] == meant
    success = told["success"]
    assert success["gain"] == pytest.approx(success["brier_base"] - success["brier"], abs=2e-6)
    printed = type_in("--backtest", "--db", str(demo)).output
    assert f"{told['cost']['verdicts'][0]['word']} than the mean of all earlier runs: closer in " in printed
    assert f"{success['verdict']} than the base rate" in printed


# --- sessions of agent programs


def session(place: int, **more: Any) -> dict[str, Any]:
    """Return one session of a person: cheaper than a workflow, with no result of its work."""
    return stored(place) | {
        "id": f"session-{place:03d}", "status": "ended", "workflow_template": "interactive",
        "total_cost": 0.1 + 0.01 * (place % 10), "cost_basis": "computed", "phase_costs": [],
    } | more  # fmt: skip


ASKED = "Sort the orders by date"


def test_a_forecast_uses_workflows_or_sessions_of_one_kind_and_names_what_it_leaves_out() -> None:
    save(*(stored(place) for place in range(30)), *(session(place) for place in range(40)))
    save(*(session(place, workflow_template="headless", total_cost=7.0) for place in range(50, 70)))
    found = forecast(ASKED)
    assert (found.kind, found.based_on, found.cost.p10) == ("scripted", 30, pytest.approx(1.0))
    assert [(other.kind, other.runs) for other in found.left_out] == [("interactive", 40), ("headless", 20)]
    sentence = (
        "Only runs of workflows are used, not 40 interactive sessions and 20 headless sessions; "
        "specify a workflow to use others, such as interactive."
    )
    assert sentence in found.weak
    for name, based_on, p90 in (
        ("interactive", 40, 0.19),
        ("headless", 20, 7.0),
        ("adw_plan_build", 30, 1.9),
    ):
        asked = forecast(ASKED, name)
        assert (asked.based_on, asked.left_out) == (based_on, ())
        assert asked.cost.p90 == pytest.approx(p90)
    assert forecast(ASKED, "interactive").kind == "interactive"
    with client_of() as client:
        page = client.get("/forecast", params={"text": ASKED}).text
        told = client.get("/api/v1/forecast", params={"text": ASKED}).json()
    assert told["kind"] == "scripted"
    assert told["left_out"] == [{"kind": "interactive", "runs": 40}, {"kind": "headless", "runs": 20}]
    assert sentence in page
    assert sentence in " ".join(type_in("--text", ASKED).output.split())


def test_without_enough_workflows_the_kind_of_session_with_most_comparable_runs_is_used() -> None:
    save(*(stored(place) for place in range(3)), *(session(place) for place in range(40)))
    save(*(session(place, workflow_template="headless") for place in range(50, 60)))
    found = forecast(ASKED)
    assert (found.kind, found.based_on) == ("interactive", 40)
    assert found.cost.p90 == pytest.approx(0.19)
    assert any("not 3 runs of workflows and 10 headless sessions" in line for line in found.weak)


def test_a_run_without_a_workflow_name_is_not_compared_with_sessions() -> None:
    save(*(session(place) for place in range(40)), stored(50, workflow_template=None))
    found = forecast_run("run-050").forecast
    assert (found.kind, found.based_on, found.cost.median) == ("scripted", 0, None)


def test_sessions_that_ended_give_no_success_probability_and_say_why() -> None:
    save(*(session(place) for place in range(40)), *(stored(place) for place in range(30)))
    found = forecast(ASKED, "interactive").success
    assert (found.probability, found.ended, found.completed) == (None, 0, 0)
    assert found.reason == "nothing shows whether the work of a session succeeded"
    typed = " ".join(type_in("--text", ASKED, "--workflow", "interactive").output.split())
    assert "success not enough data: nothing shows whether the work of a session succeeded" in typed
    with client_of() as client:
        page = client.get("/forecast", params={"text": ASKED, "workflow": "interactive"}).text
    assert "Not enough data: nothing shows whether the work of a session succeeded." in page


def test_costs_that_are_lower_bounds_give_a_forecast_of_at_least_so_much_on_every_face() -> None:
    cut = {"cost_basis": "lower_bound", "total_cost": None}
    save(*(session(place, **cut, lower_bound_cost=1.0 + 0.1 * (place % 10)) for place in range(40)))
    found = forecast(ASKED, "interactive")
    assert (found.cost.p10, found.cost.p90) == (pytest.approx(1.0), pytest.approx(1.9))
    assert (found.cost.median_is_lower_bound, found.cost.p90_is_lower_bound) == (True, True)
    assert (found.cost.reason, found.cost.lower_bounds) == (None, 40)
    assert not found.duration.p90_is_lower_bound
    median = f"${found.cost.median:.2f}"
    typed = " ".join(type_in("--text", ASKED, "--workflow", "interactive").output.split())
    with client_of() as client:
        page = client.get("/forecast", params={"text": ASKED, "workflow": "interactive"}).text
        told = client.get("/api/v1/forecast", params={"text": ASKED, "workflow": "interactive"}).json()
    assert told["cost"]["p90_is_lower_bound"]
    assert f"cost median ≥ {median} · 80% interval $1.00 to ≥ $1.90 · 40 runs, 40 with a lower bound" in typed
    for shown in (typed, " ".join(page.split())):
        assert f"At least {median} and about " in shown
        assert "80% prediction interval: $1.00 to ≥ $1.90 and " in shown
        assert "only a lower bound of the cost is known, so ≥ marks a minimum." in shown


def test_a_run_above_an_upper_end_that_is_a_lower_bound_gets_no_verdict() -> None:
    cut = {"cost_basis": "lower_bound", "total_cost": None}
    save(*(session(place, **cut, lower_bound_cost=1.0 + 0.1 * (place % 10)) for place in range(40)))
    save(session(50, total_cost=9.0), session(51, total_cost=1.2))
    assert [forecast_run(f"session-{place:03d}").cost_verdict for place in (50, 51)] == [None, "within"]


def test_a_backtest_compares_sessions_with_sessions_and_counts_no_interval_with_an_open_end() -> None:
    cut = {"cost_basis": "lower_bound", "total_cost": None}
    save(*(session(place, **cut, lower_bound_cost=1.0) for place in range(20)), session(21, total_cost=5.0))
    found = calibration()
    assert (found.cost.forecast, found.low_n, found.backtested) == (0, 21, 21)
    assert found.cost.coverage is None
    assert type_in("--backtest").exit_code == 0


# --- with too few runs


def test_runs_of_which_it_is_known_only_at_least_are_told_as_such() -> None:
    cut = {"cost_basis": "lower_bound", "lower_bound_cost": None}
    save(*(stored(place, **cut) for place in range(6)))
    found = forecast("Sort the orders by date", "adw_plan_build")
    assert found.cost.reason == "6 earlier runs, all with only a lower bound; 9 are needed for an interval"
    words = " ".join(
        type_in("--text", "Sort the orders by date", "--workflow", "adw_plan_build").output.split()
    )
    assert "effective n 0.0" not in words
    assert "; observed in 6 runs: ≥ $1.00–$1.50" in words


@pytest.mark.parametrize("template", ["adw_plan_build", None])
def test_too_few_runs_are_named_with_what_they_came_to(template: str | None) -> None:
    save(*(stored(place, workflow_template=template) for place in range(3)))
    found = forecast("Sort the orders by date", template)
    assert (found.cost.median, found.cost.p10, found.based_on, len(found.runs)) == (None, None, 3, 3)
    assert (found.cost.least, found.cost.most) == (1.0, 1.2)
    words = " ".join(type_in("--text", "Sort the orders by date").output.split())
    assert "Not enough data: " in words
    assert "observed in 3 runs: $1.00–$1.20" in words


def test_a_request_that_one_run_asked_for_the_like_of_names_it_and_gives_no_number() -> None:
    save(stored(0, workflow_template=None, created_at="2025-01-01T00:00:00Z"), *(
        stored(place, workflow_template=None, nl_input="Paint the fence") for place in range(1, 9)
    ))  # fmt: skip
    found = forecast("Sort the orders by date")
    assert found.cost.median is None
    assert [run.id for run in found.runs] == ["run-000"]
    assert (found.based_on, found.cost.least, found.cost.most) == (1, 1.0, 1.0)
    assert "observed in 1 run: $1.00" in " ".join(type_in("--text", "Sort the orders by date").output.split())


def test_a_calibration_does_not_say_that_runs_with_like_ones_had_none() -> None:
    save(*(stored(place, workflow_template=None) for place in range(4)))
    assert calibration().unlike
    assert "had none alike" not in type_in("--backtest").output
