"""open_history: its own database whatever the environment says, two at once, typed results."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest
from sqlalchemy import URL

from app.server.core import workflow_history
from app.server.core.workflow_history import RunFilter, database, open_history
from app.server.core.workflow_history.common.errors import WorkflowHistoryError
from app.server.core.workflow_history.queries.open_history import OpenHistory
from app.server.tests.support.build import init, result, run, stream


def agents_of(folder: Path, name: str, cost: float) -> Path:
    agents = folder / name / "agents"
    made = run(
        agents, f"{name}0001", {"adw_id": f"{name}0001", "nl_input": f"Add {name}", "status": "completed"}
    )
    stream(made, "planner", init(name), result(cost, session=name))
    return agents


def test_two_histories_are_asked_side_by_side_without_an_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKFLOW_HISTORY_DB", raising=False)
    before = dict(os.environ)
    with open_history(tmp_path / "a.db") as first, open_history(str(tmp_path / "b.db")) as second:
        for history, name, cost in ((first, "shop", 1.0), (second, "desk", 2.0)):
            assert history.sync(silent=True, agents_dir=agents_of(tmp_path, name, cost))["inserted"] == 1
        for history, name, cost in ((first, "shop", 1.0), (second, "desk", 2.0)):
            assert [found["id"] for found in history.runs().workflows] == [f"{name}0001"]
            assert history.overview().total.cost.total == cost
            assert [group.name for group in history.statistics("phase").groups] == ["plan"]
            assert history.explain(f"{name}0001", "cost").total == cost
            assert history.run(f"{name}0001") is not None
            assert history.runs(RunFilter(search="nothing")).total == 0
    assert dict(os.environ) == before


def test_a_history_that_does_not_exist_reads_as_an_empty_one_and_is_not_created(tmp_path: Path) -> None:
    with open_history(tmp_path / "none.db") as history:
        assert history.runs().total == 0
        assert history.overview().total.runs == 0
        assert history.statistics("model").groups == ()
        assert history.analytics()["total_workflows"] == 0
        assert history.patterns().patterns == ()
        assert history.anomalies().regressions == ()
        assert history.run("a") is None
    assert not (tmp_path / "none.db").exists()


def test_the_functions_use_the_configured_database_beside_an_open_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "DB_PATH", tmp_path / "configured.db")
    with open_history(tmp_path / "own.db") as history:
        history.insert({"id": "own"})
        database.insert_workflow({"id": "configured"})
        assert [found["id"] for found in history.runs().workflows] == ["own"]
        assert [found["id"] for found in workflow_history.find_runs().workflows] == ["configured"]


def test_an_error_leaves_the_configured_database_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "DB_PATH", tmp_path / "configured.db")
    with open_history(tmp_path / "own.db") as history, pytest.raises(WorkflowHistoryError):
        history.statistics("no such grouping")
    assert database.current_url().database == str(tmp_path / "configured.db")


def test_threads_and_tasks_ask_their_own_histories(tmp_path: Path) -> None:
    found: dict[str, list[str]] = {}

    def ask(name: str) -> None:
        with open_history(tmp_path / f"{name}.db") as history:
            history.insert({"id": name})
            barrier.wait(timeout=60)
            found[name] = [each["id"] for each in history.runs().workflows]

    async def both() -> None:
        await asyncio.gather(*(asyncio.to_thread(ask, name) for name in "cd"))

    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=ask, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(both())
    assert found == {name: [name] for name in "abcd"}


def test_a_history_on_a_server_is_opened_by_its_url(history_url: URL) -> None:
    with open_history(history_url) as history:
        history.insert({"id": "a", "total_cost": 0.5})
        assert history.runs().workflows[0]["total_cost"] == 0.5
        assert "***" in repr(history) or history.url.password is None


def test_every_query_of_the_public_api_is_a_method() -> None:
    functions = {
        name
        for name in workflow_history.__all__
        if callable(found := getattr(workflow_history, name)) and not isinstance(found, type)
    }
    wrapped = {getattr(method, "__wrapped__", None) for method in vars(OpenHistory).values()}
    without = {
        "calculate_phase_metrics", "calculate_workflow_scores",  # of a dict, not of a history
        "get_workflow_history", "init_db",  # the contract's; `runs` and any write do the same
        "open_history", "read_config", "restore_history",
    }  # fmt: skip
    assert {name for name in functions if getattr(workflow_history, name) not in wrapped} == without
