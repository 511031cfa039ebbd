"""Copies of runs are listed and marked, and in no median, rate or forecast."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL
from typer.testing import CliRunner

from app.server.core.workflow_history.analytics import get_history_analytics
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.database import get_workflow_history, open_required
from app.server.core.workflow_history.pipeline import batches
from app.server.core.workflow_history.queries.anomalies import find_anomalies
from app.server.core.workflow_history.queries.budgets import check_budgets
from app.server.core.workflow_history.queries.export import export
from app.server.core.workflow_history.queries.forecast import forecast
from app.server.core.workflow_history.queries.forecast.backtest import calibration
from app.server.core.workflow_history.queries.list_runs import list_run_summaries
from app.server.core.workflow_history.queries.settings_file import read_config
from app.server.core.workflow_history.queries.similar import similar_runs
from app.server.core.workflow_history.queries.statistics import GROUPINGS, overview, run_statistics, waste
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support.build import init, result, run, stream

RUNS = 12
ORDERS = ("runs first", "copies first", "at once")


def write_run(agents: Path, number: int) -> None:
    """Write a run of its own day; the third failed."""
    name = f"a1b2c3{number:02d}"
    at = f"2026-02-{number + 1:02d}T10:00:00Z"
    state = {"adw_id": name, "created_at": at, "nl_input": f"Add export {number}", "adw_name": "adw_plan"}
    folder = run(agents, name, {**state, "status": "failed" if number == 2 else "completed"})
    stream(
        folder, "planner", init(name), result(1.0 + number, session=name, duration_ms=60_000 * (number + 1))
    )


def synced(*folders: Path) -> dict[str, Any]:
    return [sync_workflow_history(silent=True, agents_dir=folder) for folder in folders][-1]


def copied_in(order: str, tmp_path: Path) -> None:
    """Sync runs and a copy of the three last of them, in an order."""
    agents, copies = tmp_path / "shop" / "agents", tmp_path / "shop-copies-of-runs" / "agents"
    for number in range(RUNS):
        write_run(agents, number)
    copies.mkdir(parents=True)
    for number in (2, 10, 11):
        shutil.copytree(agents / f"a1b2c3{number:02d}", copies / f"a1b2c3{number:02d}_copy")
    if order == "at once":
        synced(tmp_path)
    else:
        synced(*((agents, copies) if order == "runs first" else (copies, agents)))


def figures(workflow: str = "adw_plan") -> dict[str, Any]:
    """Return every figure that a copy could change."""
    sums = {
        by: [asdict(one) for one in run_statistics(by, RunFilter()).groups if one.runs] for by in GROUPINGS
    }
    known = get_history_analytics()
    assert known == get_history_analytics(get_workflow_history(limit=100)["workflows"])
    found = forecast("Add export", template=workflow)
    anomalies = find_anomalies()
    return {
        "sums": [{**one, "copies": 0} for groups in sums.values() for one in groups],
        "total": {**asdict(overview(RunFilter()).total), "copies": 0},
        "waste": waste(RunFilter()),
        "analytics": known,
        "forecast": (found.cost, found.duration, found.success, found.runs),
        "calibration": calibration().runs,
        "anomalies": anomalies.runs,
    }


@pytest.mark.parametrize("order", ORDERS)
def test_copies_change_no_figure(
    history_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", history_url.render_as_string(hide_password=False))
    copied_in(order, tmp_path)
    found = figures()
    total = overview(RunFilter()).total
    assert (total.runs, total.copies, total.success_rate_of) == (RUNS, 3, RUNS)
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "without.db"))
    synced(tmp_path / "shop" / "agents")
    assert found == figures()


@pytest.mark.parametrize("order", ORDERS)
def test_a_copy_is_listed_as_the_copy_of_a_run(tmp_path: Path, order: str) -> None:
    copied_in(order, tmp_path)
    rows = {row["id"]: row["copy_of"] for row in list_run_summaries(limit=100).workflows}
    assert {run_id: of for run_id, of in rows.items() if of} == {
        f"a1b2c3{number}_copy": f"shop/a1b2c3{number}" for number in ("02", "10", "11")
    }
    listed = CliRunner().invoke(app, ["list", "--limit", "50"], env={"COLUMNS": "160"}).stdout
    assert "copy of shop/a1b2c302 · Add export 2" in listed
    assert "copies are not counted in statistics" in listed


def test_lists_of_similar_runs_are_of_the_settled_costs_however_many_runs_a_transaction_stores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents = tmp_path / "shop" / "agents"
    for number in range(RUNS):
        write_run(agents, number)
        shutil.copytree(agents / f"a1b2c3{number:02d}", agents / f"a1b2c3{number:02d}_copy")
    lists = []
    for size in (2_000, 2):
        monkeypatch.setattr(batches, "MAX_BATCH_RUNS", size)
        monkeypatch.setattr(batches, "RUNS_PER_TASK", size)
        monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / f"{size}.db"))
        synced(agents)
        with open_required() as history:
            keys = {ref.key: ref.id for ref in history.list_refs()}
            pairs = [pair for some in history.similarity().similar_lists(list(keys)) for pair in some]
        lists.append({(keys[key], rank, keys[similar], score) for key, rank, similar, score in pairs})
    assert lists[0] == lists[1]
    assert lists[0]


def test_a_copy_is_not_offered_as_a_similar_run_and_is_marked_in_an_export(tmp_path: Path) -> None:
    copied_in("runs first", tmp_path)
    assert not [found.id for found in similar_runs("a1b2c302", limit=50).runs if found.id.endswith("_copy")]
    assert similar_runs(text="Add export").compared == RUNS
    file = tmp_path / "runs.csv"
    export("runs", file)
    with file.open(newline="") as text:
        originals = {row["id"]: row["copy_of"] for row in csv.DictReader(text)}
    assert {run for run, original in originals.items() if original} == {
        f"a1b2c3{number:02d}_copy" for number in (2, 10, 11)
    }
    assert originals["a1b2c302_copy"].endswith("/a1b2c302")


def test_statistics_say_how_many_copies_they_leave_out(tmp_path: Path) -> None:
    copied_in("at once", tmp_path)
    asked = CliRunner().invoke(app, ["stats", "--by", "phase"], env={"COLUMNS": "160"}).stdout
    assert "12 runs" in asked
    assert "3 copies not counted" in asked


def test_a_sync_says_how_many_of_its_runs_are_copies(tmp_path: Path) -> None:
    copied_in("runs first", tmp_path)
    copies = tmp_path / "shop-copies-of-runs" / "agents"
    done = synced(copies)
    assert (done["statuses"], done["success_rate"], done["copies"]) == ({}, None, 3)
    told = CliRunner().invoke(app, ["sync", str(copies)], env={"COLUMNS": "160"}).stdout
    assert "3 copies not counted" in told


def test_a_run_that_goes_on_is_no_copy_any_more(tmp_path: Path) -> None:
    copied_in("at once", tmp_path)
    folder = tmp_path / "shop-copies-of-runs" / "agents" / "a1b2c302_copy"
    stream(folder, "builder", init("more"), result(5.0, session="more"))
    synced(tmp_path)
    total = overview(RunFilter()).total
    assert (total.runs, total.copies) == (RUNS + 1, 2)


def test_a_copied_fork_is_no_figure_either(tmp_path: Path) -> None:
    first, fork = (f"{n * 8}-aaaa-4bbb-8ccc-{n * 12}" for n in "12")
    folder = tmp_path / "one"
    folder.mkdir()

    def said(session: str, number: int, minute: int) -> str:
        message = {
            "id": f"msg_{number}", "type": "message", "role": "assistant", "stop_reason": "end_turn",
            "model": "claude-sonnet-4-5-20250929", "content": [{"type": "text", "text": "Done."}],
            "usage": {"input_tokens": 1_000, "output_tokens": 1_000},
        }  # fmt: skip
        when = f"2026-02-01T{9 + number // 2}:{minute:02d}:00.000Z"
        line = {"type": "assistant", "uuid": f"u{number}", "timestamp": when, "sessionId": session}
        return json.dumps({**line, "message": message})

    (folder / f"{first}.jsonl").write_text("\n".join([said(first, 1, 0), said(first, 1, 3)]))
    (folder / f"{fork}.jsonl").write_text("\n".join([said(fork, 1, 0), said(fork, 2, 0), said(fork, 3, 5)]))
    synced(folder)
    before = figures("interactive")["total"]
    shutil.copytree(folder, tmp_path / "two")
    synced(tmp_path / "two")
    assert figures("interactive")["total"] == before
    assert overview(RunFilter()).total.copies == 2


def write_silent_run(agents: Path, name: str) -> None:
    """Write a run of which one agent left a prompt and no stream."""
    folder = run(agents, name, {"adw_id": name, "status": "completed", "created_at": "2026-02-03T10:00:00Z"})
    stream(folder, "planner", init(name), result(1.0, session=name))
    (folder / "reviewer" / "prompts").mkdir(parents=True)
    (folder / "reviewer" / "prompts" / "review.txt").write_text("/review the export")


def test_a_copy_with_an_agent_without_a_stream_is_a_copy_in_every_face(tmp_path: Path) -> None:
    agents, copies = tmp_path / "shop" / "agents", tmp_path / "copies" / "agents"
    write_silent_run(agents, "a1b2c301")
    shutil.copytree(agents / "a1b2c301", copies / "a1b2c301_copy")
    synced(agents, copies)
    assert [one["copy_of"] is not None for one in list_run_summaries().workflows].count(True) == 1
    total = overview(RunFilter()).total
    assert (total.runs, total.copies, total.runs_without_cost) == (1, 1, 0)
    (review,) = [group for group in run_statistics("phase", RunFilter()).groups if group.name == "review"]
    assert review.runs == 1
    known = get_history_analytics(get_workflow_history(limit=10)["workflows"])
    assert known == get_history_analytics()


def test_a_selection_of_copies_alone_says_so(tmp_path: Path) -> None:
    copied_in("runs first", tmp_path)
    for more in ((), ("--by", "phase")):
        done = CliRunner().invoke(app, ["stats", "--project", "shop-copies-of-runs", *more])
        assert (done.exit_code, "No run matches" in done.stdout) == (0, False)
        assert "0 runs · 3 copies not counted" in done.stdout


def test_a_budget_counts_no_copy_as_a_run(tmp_path: Path) -> None:
    copied_in("runs first", tmp_path)
    config = tmp_path / "workflow-history.toml"
    config.write_text("[budget]\nmonth = 1\n")
    (budget,) = check_budgets(read_config(config), now=datetime(2026, 2, 28, tzinfo=UTC)).budgets
    assert budget.runs == RUNS


def unreadable(stats: dict[str, Any]) -> list[str]:
    """Return the files of which a line could not be read; which id a state claims goes by the run's name."""
    return sorted(problem["path"] for problem in stats["errors"] if problem["severity"] == "error")


@pytest.mark.parametrize("first", ["copy", "logs"])
def test_a_sync_around_a_copy_says_what_a_fresh_one_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    home = tmp_path / "home"
    for number in range(2):
        write_run(home / "logs", number)
    broken = home / "logs" / "a1b2c300" / "planner" / "raw_output.jsonl"
    broken.write_text(broken.read_text() + "{broken}\n")
    shutil.copytree(home / "logs", home / "copy")
    synced(home / first)
    again = [synced(home) for _ in range(2)]
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "fresh.db"))
    fresh = synced(home)
    for done in again:
        for name in ("repeating", "copies", "statuses", "total_cost", "scanned"):
            assert done[name] == fresh[name], name
        paths = unreadable(done)
        assert paths == unreadable(fresh)
        assert all((home / path).is_file() for path in paths)
