"""The cost by branch, issue and pull request: the same figures on all faces, and sums that add up."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import URL
from typer.testing import CliRunner

from app.server.core.workflow_history import database, export
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.errors import InvalidQueryError
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.queries.list_runs import find_runs
from app.server.core.workflow_history.queries.statistics import overview, run_statistics
from app.server.core.workflow_history.storage.history import History
from app.server.tests.support.web import client_of

SHOP_12, DESK_12 = "acme/shop#12", "acme/desk#12"


def run(name: str, cost: float | None, **facts: Any) -> dict[str, Any]:
    basis = None if cost is None else facts.pop("cost_basis", "reported")
    return {
        "id": name,
        "project": "shop",
        "status": "completed",
        "created_at": "2026-03-01T10:00:00Z",
        "nl_input": f"Task of {name}",
        "duration_seconds": 60.0,
        "total_cost": cost,
        "cost_basis": basis,
        "phase_costs": [{"phase": "build", "agent": "builder", "cost": cost, "cost_basis": basis}],
        **facts,
    }


RUNS = (
    run("plan", 1.25, branch_name="feature/export", issue_number="12", pull_request=SHOP_12),
    run("build", 0.5, branch_name="feature/export", issue_number="12", pull_request=SHOP_12),
    run("desk", 4.0, branch_name="fix|login", issue_number="7", pull_request=DESK_12),
    run("early", 0.07, branch_name="main", issue_number="#12", pull_request="13", cost_basis="lower_bound"),
    run("unknown", None, branch_name="main"),
    run("alone", 2.0),
)
GROUPS = {
    "branch": {"feature/export": 1.75, "fix|login": 4.0, "main": 0.07, None: 2.0},
    "issue": {"12": 1.75, "7": 4.0, "#12": 0.07, None: 2.0},
    "pr": {SHOP_12: 1.75, DESK_12: 4.0, "13": 0.07, None: 2.0},
}
FILTERS = {
    ("branch", "feature/export"): {"plan", "build"},
    ("issue", "12"): {"plan", "build", "early"},
    ("issue", "#12"): {"plan", "build", "early"},
    ("pr", "12"): {"plan", "build", "desk"},
    ("pr", "#12"): {"plan", "build", "desk"},
    ("pr", SHOP_12): {"plan", "build"},
    ("pr", "https://github.com/acme/shop/pull/12"): {"plan", "build"},
    ("pr", "https://github.com/acme/shop/pull/12/files"): {"plan", "build"},
    ("pr", "13"): {"early"},
}


@pytest.fixture(scope="module", autouse=True)
def stored(module_history_url: URL) -> Iterator[None]:
    with History.open(module_history_url) as opened:
        opened.save(RUNS)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(database, "DB_PATH", module_history_url)
            yield


def typed(*words: str) -> str:
    result = CliRunner().invoke(app, words, prog_name="workflow-history", env={"COLUMNS": "150"})
    assert result.exit_code == 0, result.output
    return result.stdout


def costs(groups: list[dict[str, Any]]) -> dict[str | None, float]:
    return {one["name"]: (one["cost"]["total"] or 0) + (one["lower_bound_cost"] or 0) for one in groups}


def asked(path: str) -> Any:
    with client_of() as client:
        answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("by", GROUPS)
def test_python_command_line_and_rest_give_the_same_cost_of_each_group(by: str) -> None:
    groups = run_statistics(by).groups
    assert {one.name: one.minimum_cost for one in groups} == GROUPS[by]
    assert groups[-1].name is None
    assert costs(json.loads(typed("stats", "--by", by, "--json"))["groups"]) == GROUPS[by]
    assert costs(asked(f"/api/v1/statistics?by={by}").json()["groups"]) == GROUPS[by]


@pytest.mark.parametrize("by", GROUPS)
@pytest.mark.parametrize("where", [RunFilter(), RunFilter(status=("completed",)), RunFilter(pr=("12",))])
def test_the_groups_add_up_to_all_runs(by: str, where: RunFilter) -> None:
    total = overview(where).total
    for across in (None, "phase", "month"):
        groups = run_statistics(by, where, across=across).groups
        assert math.fsum(group.minimum_cost for group in groups) == pytest.approx(total.minimum_cost)
        if across != "phase":
            assert sum(one.runs for one in groups) == total.runs
            assert sum(one.runs_without_cost for one in groups) == total.runs_without_cost


@pytest.mark.parametrize("by", GROUPS)
def test_runs_without_a_value_are_the_group_none(by: str) -> None:
    assert sum(line.startswith("none ") for line in typed("stats", "--by", by).splitlines()) == 1
    assert asked(f"/trends?across={by}").text.count(">none<") > 0


@pytest.mark.parametrize(("name", "value"), FILTERS, ids=str)
def test_a_filter_finds_the_same_runs_on_all_faces(name: str, value: str) -> None:
    wanted = FILTERS[name, value]
    assert {one["id"] for one in find_runs(RunFilter(**{name: (value,)})).workflows} == wanted
    listed = json.loads(typed("list", f"--{name}", value, "--json"))["workflows"]
    assert {one["id"] for one in listed} == wanted
    with client_of() as client:
        rest = client.get("/api/v1/runs", params={name: value}).json()
        page = client.get("/", params={name: value}).text
    assert {one["id"] for one in rest["workflows"]} == wanted
    assert {one["id"] for one in RUNS if f"Task of {one['id']}" in page} == wanted


@pytest.mark.parametrize("name", GROUPS)
def test_several_values_of_a_filter_match_any_of_them(name: str) -> None:
    first, second, *_ = GROUPS[name]
    where = RunFilter(**{name: (str(first), str(second))})
    assert find_runs(where).total == len(find_runs(RunFilter(**{name: (str(first),)})).workflows) + len(
        find_runs(RunFilter(**{name: (str(second),)})).workflows
    )


@pytest.mark.parametrize(
    ("name", "value", "label"),
    [("branch", "feature/exprot", "branch"), ("issue", "99", "issue"), ("pr", "99", "pull request")],
)
def test_an_unknown_name_is_an_error_with_the_known_ones(name: str, value: str, label: str) -> None:
    with pytest.raises(InvalidQueryError, match=f'No run has {label} "{value}"'):
        find_runs(RunFilter(**{name: (value,)}))


@pytest.mark.parametrize("value", ["12", "#12", "https://github.com/acme/shop/pull/12"])
def test_a_known_pull_request_without_a_match_is_no_error(value: str) -> None:
    assert find_runs(RunFilter(pr=(value,), status=("failed",))).total == 0


def markdown(what: str, **options: Any) -> list[str]:
    text = io.BytesIO()
    export(what, text, format="markdown", **options)
    return text.getvalue().decode().splitlines()


def test_a_comment_lists_the_runs_with_their_costs_and_the_sum() -> None:
    assert markdown("runs", where=RunFilter(branch=("main", "feature/export"))) == [
        "| Run | Request | Status | Cost | Duration |",
        "| --- | --- | --- | ---: | ---: |",
        "| build | Task of build | completed | $0.50 | 1m 00s |",
        "| early | Task of early | completed | ≥ $0.07 | 1m 00s |",
        "| plan | Task of plan | completed | $1.25 | 1m 00s |",
        "| unknown | Task of unknown | completed | – | 1m 00s |",
        "| **Total** |  |  | **≥ $1.82** |  |",
    ]


@pytest.mark.parametrize("by", GROUPS)
def test_a_comment_with_groups_ends_with_none_and_the_sum(by: str) -> None:
    title = {"branch": "Branch", "issue": "Issue", "pr": "Pull request"}[by]
    head, _, *groups, total = markdown("statistics", by=by)
    assert head == f"| {title} | Runs | Success rate | Cost | Median duration |"
    assert groups[-1].startswith("| none | ")
    assert total == "| **Total** |  |  | **≥ $7.82** |  |"
    assert typed("export", "statistics", "--by", by, "--format", "markdown").splitlines()[-1] == total
    assert asked(f"/api/v1/export/statistics?by={by}&format=markdown").text.splitlines()[-1] == total


def test_the_chosen_columns_show_a_lower_bound_as_well() -> None:
    *_, early, total = markdown("runs", where=RunFilter(pr=("13",)), columns=["id", "total_cost"])
    assert (early, total) == ("| early | ≥ $0.07 |", "| **Total** | **≥ $0.07** |")


def test_text_in_a_comment_is_escaped(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "DB_PATH", tmp_path / "history.db")
    hostile = "Fix a|b\r\n<img src=x> [link](http://x) `code` @acme/team"
    with History.open(tmp_path / "history.db") as history:
        history.save([run("a|b", 1.0, nl_input=hostile)])
    row = markdown("runs")[2]
    assert row == (
        "| a\\|b | Fix a\\|b \\<img src=x\\> \\[link\\]\\(http://x\\) \\`code\\` @\u200bacme/team"
        " | completed | $1.00 | 1m 00s |"
    )


def test_a_history_without_runs_makes_a_table_without_a_sum(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "DB_PATH", tmp_path / "empty.db")
    with History.open(tmp_path / "empty.db"):
        pass
    assert len(markdown("runs")) == 2
