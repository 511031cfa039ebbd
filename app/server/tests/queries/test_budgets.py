"""Budgets are exact to the nanodollar, name unknown costs, and set the exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from app.server.core.workflow_history import check_budgets, init_db, read_config
from app.server.core.workflow_history.analysis.anomalies.budgets import (
    BudgetLimits,
    Budgets,
    Period,
    evaluate_budgets,
)
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.column_data import MISSING_INT, CategoricalColumn, ColumnTable
from app.server.core.workflow_history.common.errors import ConfigError, InvalidQueryError
from app.server.core.workflow_history.queries.budgets import BudgetReport, BudgetStatus
from app.server.core.workflow_history.queries.settings_file import TEMPLATE, create_default_config
from app.server.core.workflow_history.storage.history import History
from app.server.tests.support.paths import ROOT

NOW = datetime(2026, 3, 11, 15, tzinfo=UTC)  # a Wednesday


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in a folder of its own."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("WORKFLOW_HISTORY_CONFIG", raising=False)
    return folder


def store(*runs: dict[str, Any]) -> None:
    """Store runs made an hour ago, where they say nothing else."""
    usual = {
        "project": "shop", "status": "completed", "cost_basis": "reported",
        "created_at": (NOW - timedelta(hours=1)).isoformat(),
    }  # fmt: skip
    with History.open(Path(os.environ["WORKFLOW_HISTORY_DB"])) as history:
        history.save([{**usual, "id": f"run{at}", **run} for at, run in enumerate(runs)])


def config(text: str) -> Any:
    Path("workflow-history.toml").write_text(f'[budget]\ntime_zone = "UTC"\n{text}')
    return read_config()


def report(text: str, **given: Any) -> BudgetReport:
    return check_budgets(config(text), now=NOW, **given)


def only(text: str, **given: Any) -> BudgetStatus:
    (budget,) = report(text, **given).budgets
    return budget


def of_day(found: BudgetReport, day: str) -> BudgetStatus:
    (budget,) = [budget for budget in found.budgets if budget.start.date().isoformat() == day]
    return budget


# --- amounts


def test_exactly_at_the_limit_is_within_and_a_nanodollar_more_is_not():
    store({"total_cost": 0.1}, {"total_cost": 0.2})
    at = of_day(report("day = 0.3"), "2026-03-11")
    assert (at.state, at.share, at.spent) == ("near", 1.0, 0.3)
    assert "$0.30 of $0.30 (100%)" in at.sentence
    over = of_day(report("day = 0.299999999"), "2026-03-11")
    assert over.state == "exceeded"
    assert "(>100%)" in over.sentence


def test_from_four_fifths_on_a_budget_is_near_its_limit_and_does_not_fail():
    store({"total_cost": 8.0})
    found = report("month = 10")
    assert (found.budgets[0].state, found.near, found.ok) == ("near", 1, True)
    assert only("month = 10.01").state == "within"


def test_one_run_above_its_budget_is_named():
    store({"total_cost": 5.5}, {"total_cost": 1.0}, {"total_cost": 7.0})
    budget = only("run = 5")
    assert (budget.state, budget.spent, budget.runs, budget.runs_over) == ("exceeded", 7.0, 3, 2)
    assert [(run.id, run.cost) for run in budget.top_runs] == [("run2", 7.0), ("run0", 5.5)]
    period = f"since {budget.start:%Y-%m-%d %H:%M}"
    assert budget.sentence == f"Per-run budget $5.00, {period}: exceeded by 2 of 3 runs, highest $7.00"


def test_money_spent_at_least_counts_and_is_said_as_such():
    store({"total_cost": 3.0, "lower_bound_cost": 1.5, "cost_basis": "lower_bound"})
    budget = only("month = 4")
    assert (budget.state, budget.spent, budget.is_lower_bound) == ("exceeded", 4.5, True)
    assert "≥ $4.50" in budget.sentence


def test_runs_of_unknown_cost_are_named_and_are_no_money():
    store({"total_cost": 1.0}, {"total_cost": None, "cost_basis": "unpriced"})
    budget = only("month = 4")
    assert (budget.spent, budget.runs, budget.unknown_runs, budget.is_lower_bound) == (1.0, 2, 1, True)
    assert "cost of 1 run unknown and not included" in budget.sentence


def test_a_budget_of_nothing_is_passed_by_anything():
    store({"total_cost": 0.000000001})
    budget = only("month = 0")
    assert (budget.state, budget.share) == ("exceeded", None)


@given(st.lists(st.integers(0, 10**12), max_size=5), st.integers(0, 10**12))
def test_a_budget_is_passed_when_the_exact_sum_is_above_it(costs: list[int], limit: int):
    count = len(costs)
    whole = {
        "created_at": np.zeros(count, np.int64),
        "total_cost": np.array(costs, np.int64),
        "lower_bound_cost": np.full(count, MISSING_INT),
        "is_copy": np.zeros(count, np.int64),
    }
    words = {"cost_basis": CategoricalColumn.from_values(["reported"] * count)}
    runs = ColumnTable("runs", count, words, whole, {})
    (day,) = evaluate_budgets(runs, Budgets(BudgetLimits(day=limit)), [Period("day", 0, 1)], 0)
    (run,) = evaluate_budgets(runs, Budgets(BudgetLimits(run=limit)), [], 0)
    assert (day.state == "exceeded") == (sum(costs) > limit)
    assert (run.state == "exceeded") == (max(costs, default=0) > limit)


# --- whose


def test_a_templates_own_limit_for_a_run_holds_instead_of_the_projects_and_the_general_one():
    store(
        {"total_cost": 7.0, "workflow_template": "big"},
        {"total_cost": 7.0, "workflow_template": "big", "project": "other"},
        {"total_cost": 4.0, "project": "other"},
        {"total_cost": 2.0},
    )
    text = "run = 3\n[budget.workflows.big]\nrun = 8\n[budget.projects.other]\nrun = 5"
    found = {(budget.scope, budget.name): budget for budget in report(text).budgets}
    assert {key: (budget.runs, budget.spent) for key, budget in found.items()} == {
        ("all", None): (1, 2.0),
        ("template", "big"): (2, 7.0),
        ("project", "other"): (1, 4.0),
    }
    assert all(budget.state != "exceeded" for budget in found.values())


def test_a_day_of_a_template_or_project_counts_its_own_runs_alone():
    store({"total_cost": 7.0, "workflow_template": "big"}, {"total_cost": 2.0})
    text = "[budget.templates.big]\nmonth = 6\n[budget.projects.shop]\nmonth = 10"
    found = {budget.scope: budget for budget in report(text).budgets}
    assert (found["template"].spent, found["template"].state) == (7.0, "exceeded")
    assert (found["project"].spent, found["project"].state) == (9.0, "near")


def test_a_name_that_no_run_has_is_said():
    store({"total_cost": 1.0})
    budget = only("[budget.templates.adw_slcd]\nmonth = 6")
    assert budget.never_seen
    assert "this history has no run of workflow adw_slcd" in budget.sentence


# --- when


def test_days_are_those_of_the_time_zone():
    store({"total_cost": 1.0, "created_at": "2026-03-10T23:30:00+00:00"})
    Path("workflow-history.toml").write_text('[budget]\nday = 5\ntime_zone = "Europe/Berlin"')
    found = check_budgets(read_config(), now=NOW)
    assert of_day(found, "2026-03-11").spent == 1.0
    assert of_day(found, "2026-03-10").spent == 0.0


def test_a_day_of_23_hours_ends_at_midnight():
    Path("workflow-history.toml").write_text('[budget]\nday = 5\ntime_zone = "Europe/Berlin"')
    store({"total_cost": 1.0, "created_at": "2026-03-29T21:59:00+00:00"}, {"created_at": "2026-03-29T22:00Z"})
    found = check_budgets(read_config(), now=datetime(2026, 3, 30, 1, tzinfo=UTC))
    day = of_day(found, "2026-03-29")
    assert (day.end - day.start, day.runs) == (timedelta(days=1), 1)  # on the wall clock
    assert day.end.astimezone(UTC) - day.start.astimezone(UTC) == timedelta(hours=23)


def test_the_days_weeks_and_months_since_then_are_judged():
    store({"total_cost": 1.0})
    found = report("day = 5\nweek = 5\nmonth = 5", since=NOW - timedelta(days=12))
    spans = [(budget.span, budget.start.date().isoformat()) for budget in found.budgets]
    assert [start for span, start in spans if span == "month"] == ["2026-02-01", "2026-03-01"]
    assert [start for span, start in spans if span == "week"] == ["2026-02-23", "2026-03-02", "2026-03-09"]
    assert len([start for span, start in spans if span == "day"]) == 13


def test_only_runs_of_the_last_day_are_held_against_the_budget_of_a_run():
    store({"total_cost": 9.0, "created_at": (NOW - timedelta(hours=25)).isoformat()}, {"total_cost": 1.0})
    assert only("run = 5").state == "within"
    assert only("run = 5", since=NOW - timedelta(hours=26)).state == "exceeded"


def test_runs_without_a_time_are_counted_apart():
    store({"total_cost": 9.0, "created_at": None}, {"total_cost": 1.0})
    found = report("month = 5")
    assert (found.undated_runs, found.budgets[0].spent) == (1, 1.0)


def test_a_span_of_more_days_than_anybody_reads_is_refused_at_once():
    with pytest.raises(InvalidQueryError, match="Use a date at most 5,000 days before"):
        report("day = 1", since=datetime(2, 1, 1, tzinfo=UTC))


def test_a_run_that_cost_at_least_so_much_is_marked_where_it_is_named():
    store({"total_cost": None, "lower_bound_cost": 2.0, "cost_basis": "lower_bound"}, {"total_cost": 1.5})
    named = only("run = 1").top_runs
    assert [(run.cost, run.is_lower_bound) for run in named] == [(2.0, True), (1.5, False)]
    Path("workflow-history.toml").write_text("[budget]\nrun = 1\n", "utf-8")
    printed = type_in("budget", "check", "--as-of", "2026-03-11T12:00Z").output
    assert "≥ $2.00, " in printed
    assert "≥ $1.50" not in printed


def test_a_span_that_ends_before_it_begins_is_refused():
    store({})
    with pytest.raises(InvalidQueryError, match="Use a time before"):
        report("day = 5", since=NOW + timedelta(days=1))


# --- the file


AMOUNT = "is not an amount of US dollars from 0 to 1,000,000,000, such as 5.00"
ZONE = 'is not a time zone, such as "Europe/Berlin"'
KEYS = "allowed: run, day, week, month"
FAULTS = {
    "": " has no table [budget]; workflow-history budget init --config NEW_FILE writes an example",
    "budget = 5": ": budget: expected a table [budget], but found int",
    "[budget]": f": [budget] has no amount; {KEYS}",
    "[budgets]\nday = 5": ": unknown key 'budgets'; allowed: budget, retention",
    "[budget]\ndaily = 5": (
        f": budget: unknown key 'daily'; {KEYS}, time_zone, workflows, projects, templates"
    ),
    "[budget]\nday = -5": f": budget.day: -5 {AMOUNT}",
    "[budget]\nday = inf": f": budget.day: infinity {AMOUNT}",
    "[budget]\nday = nan": f": budget.day: nan {AMOUNT}",
    "[budget]\nday = 1e99": f": budget.day: 1e+99 {AMOUNT}",
    "[budget]\nday = true": f": budget.day: true {AMOUNT}",
    '[budget]\nday = "5"': f": budget.day: '5' {AMOUNT}",
    "[budget]\nday = [5]": f": budget.day: a list {AMOUNT}",
    "[budget]\nday = 2026-03-01": f": budget.day: 2026-03-01 {AMOUNT}",
    "[budget]\nday = 5\ntime_zone = 1": f": budget.time_zone: 1 {ZONE}",
    '[budget]\nday = 5\ntime_zone = "Mars/Base"': f": budget.time_zone: 'Mars/Base' {ZONE}",
    '[budget]\nday = 5\ntime_zone = "../x"': f": budget.time_zone: '../x' {ZONE}",
    "[budget.workflows.x]\nrun = 5\n[budget.templates.x]\nrun = 6": (
        ": [budget.workflows.x] is there twice, also as budget.templates"
    ),
    "[budget]\nworkflows = 5": ": budget.workflows: expected a table [budget.workflows], but found int",
    "[budget]\ntemplates = 5": ": budget.templates: expected a table [budget.templates], but found int",
    "[budget.templates]\nx = 5": ": budget.templates.x: expected a table [budget.templates.x], but found int",
    "[budget.projects.x]\nhour = 5": f": budget.projects.x: unknown key 'hour'; {KEYS}",
    "[budget.projects.x]\nrun = -1": f": budget.projects.x.run: -1 {AMOUNT}",
    "[budget": " is not valid TOML: Expected ']'",
    "odd = " + "[" * 50_000: " is not valid TOML: ",
}


@pytest.mark.parametrize(("text", "message"), FAULTS.items(), ids=range(len(FAULTS)))
def test_every_fault_names_the_file_the_key_and_what_is_allowed(text: str, message: str):
    Path("workflow-history.toml").write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_config()
    assert str(raised.value).startswith(f"workflow-history.toml{message}")


def test_a_file_that_is_no_text_is_a_fault():
    Path("workflow-history.toml").write_bytes(b"\xff\xfe[budget]")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        read_config()


def test_the_file_is_where_it_is_named_then_in_the_variable_then_here_then_at_home(
    here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    def write(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[budget]\nday = 1")
        return path

    with pytest.raises(ConfigError, match="budget init"):
        read_config()
    home = write(Path(os.environ["XDG_CONFIG_HOME"]) / "workflow-history" / "config.toml")
    assert read_config().path == home
    write(here / "workflow-history.toml")
    assert read_config().path == Path("workflow-history.toml")
    monkeypatch.setenv("WORKFLOW_HISTORY_CONFIG", str(tmp_path / "other.toml"))
    with pytest.raises(ConfigError, match=r"other\.toml"):
        read_config()  # what is named must be there
    write(tmp_path / "other.toml")
    assert read_config().path == tmp_path / "other.toml"
    assert read_config(home).path == home


def test_the_first_file_can_be_read_also_with_all_of_it_in_use(tmp_path: Path):
    assert read_config(create_default_config(tmp_path / "a.toml")).budgets.overall.run == 5_000_000_000
    lines = [line.removeprefix("# ") for line in TEMPLATE.splitlines()[3:]]
    (tmp_path / "b.toml").write_text("\n".join(lines))
    found = read_config(tmp_path / "b.toml")
    assert found.time_zone is not None
    assert (set(found.budgets.templates), set(found.budgets.projects)) == ({"adw_sdlc_iso"}, {"shop"})


# --- the command


def type_in(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), prog_name="workflow-history", env={"COLUMNS": "120"})


def really(*words: str) -> subprocess.CompletedProcess[str]:
    """Call the command as CI does."""
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "app.server.core.workflow_history", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_exit_code_is_0_within_1_passed_2_without_a_sound_file():
    store({"total_cost": 6.0})
    at = ("--as-of", NOW.isoformat())
    missing = really("budget", "check", *at)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "budget init" in missing.stderr
    config("day = 10")
    assert really("budget", "check", *at, "--quiet").returncode == 0
    config("day = 5")
    over = really("budget", "check", *at)
    assert (over.returncode, over.stderr) == (1, "")
    assert "$6.00 of $5.00 (120%), 1 run, exceeded by $1.00" in over.stdout
    Path("workflow-history.toml").write_text("[budget]\ndya = 5")
    assert really("budget", "check", *at).returncode == 2


def test_quiet_says_nothing_where_all_is_well_and_one_line_for_each_budget_passed():
    store({"total_cost": 6.0})
    at = ("--quiet", "--as-of", NOW.isoformat())
    config("day = 10")
    assert type_in("budget", "check", *at).output == ""
    config("day = 5\nmonth = 5\nweek = 50")
    assert len(type_in("budget", "check", *at).output.splitlines()) == 2


def test_json_holds_all_budgets_and_their_state():
    store({"total_cost": 6.0})
    config("day = 5\nmonth = 50")
    result = type_in("budget", "check", "--json", "--as-of", NOW.isoformat())
    found = json.loads(result.output)
    assert (result.exit_code, found["ok"], found["regressions"]) == (1, False, None)
    assert [(each["span"], each["state"]) for each in found["budgets"]] == [
        ("day", "exceeded"), ("month", "within"), ("day", "within"),
    ]  # fmt: skip


def test_many_days_that_are_all_well_are_one_line():
    store({"total_cost": 1.0})
    config("day = 5")
    output = type_in("budget", "check", "--since", "2026-01-01", "--as-of", NOW.isoformat()).output
    assert len(output.splitlines()) == 4
    assert "69 earlier periods within budget" in output


def test_a_regression_fails_only_where_it_is_asked_for():
    at = datetime(2026, 1, 1, tzinfo=UTC)
    store(*(
        {
            "total_cost": 3.0 if day > 29 else 1.0, "workflow_template": "adw",
            "created_at": (at + timedelta(days=day)).isoformat(),
        }
        for day in range(40)
    ))  # fmt: skip
    config("run = 100")
    moment = ("--as-of", (at + timedelta(days=40)).isoformat())
    assert type_in("budget", "check", *moment).exit_code == 0
    result = type_in("budget", "check", "--regressions", *moment)
    assert result.exit_code == 1
    assert "adw: median cost up 3.0× since 2026-01-31" in result.output


def test_no_history_is_no_clean_bill():
    config("day = 5")
    result = type_in("budget", "check")
    assert result.exit_code == 2
    assert "No history at" in result.output
    init_db()
    assert type_in("budget", "check").exit_code == 0


def test_init_writes_a_first_file_and_never_over_another():
    assert type_in("budget", "init").exit_code == 0
    assert Path("workflow-history.toml").read_text() == TEMPLATE
    again = type_in("budget", "init")
    assert again.exit_code == 2
    assert "already exists; edit it" in again.output


def test_hostile_names_reach_no_terminal():
    store({"total_cost": 6.0, "id": "r\x1b[31m\u202e"})
    config('[budget.projects."s\\u001b[2J"]\nday = 5\n[budget.projects.shop]\nmonth = 5')
    output = type_in("budget", "check", "--as-of", NOW.isoformat()).output
    assert not {"\x1b", "\u202e"} & set(output)
