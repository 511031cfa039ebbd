"""Syncs on processes, threads and Dask, with killed workers, equal a single process."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from app.server.core.workflow_history import database, get_workflow_history, sync_workflow_history
from app.server.core.workflow_history.common.errors import ExecutorError, InvalidQueryError
from app.server.core.workflow_history.ingest.sources.discovery import walk_agents_folder
from app.server.core.workflow_history.pipeline import parallel_read
from app.server.core.workflow_history.pipeline.tasks import ReadTask, TaskBatch
from app.server.core.workflow_history.pipeline.workers import executors, task_dispatcher
from app.server.core.workflow_history.pipeline.workers.remote_worker import (
    dump_task,
    environment_versions,
    load_results,
    run_remote_task,
)
from app.server.tests.pipeline.test_incremental import everything
from app.server.tests.support.build import assistant, init, result, run, stream, tool_use
from app.server.tests.support.cluster import a_cluster, deadly, engine_of
from app.server.tests.support.native_sessions import Session

RUNS = 24


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of runs, one of which cannot be read whole."""
    folder = tmp_path_factory.mktemp("shop") / "agents"
    for number in range(RUNS):
        name = f"run{number}"
        call = tool_use(f"t{number}", command="pytest -q")
        home = run(folder, name, {"status": "completed", "nl_input": f"Add the export of part {number % 3}"})
        stream(home, "planner", init(name), assistant(name, content=[call]), result(0.1, session=name))
    (folder / "run7" / "planner" / "raw_output.jsonl").write_text("no JSON\n")
    return folder


@pytest.fixture
def sync_into(agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Sync into a history of this name; runs are read in tasks of two."""
    monkeypatch.setattr(parallel_read, "RUNS_PER_TASK", 2)

    def sync(name: str, **options: Any) -> dict[str, Any]:
        monkeypatch.setattr(database, "DB_PATH", tmp_path / f"{name}.db")
        return sync_workflow_history(silent=True, agents_dir=agents, **options)

    return sync


@pytest.fixture(scope="module")
def alone(agents: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the history of one undisturbed process says."""
    path = tmp_path_factory.mktemp("alone") / "alone.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "DB_PATH", path)
        assert sync_workflow_history(silent=True, agents_dir=agents, engine="processes:1")["inserted"] == RUNS
    return everything(path)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with a_cluster(2) as cluster:
        yield cluster


class TestACluster:
    def test_reads_what_one_process_reads(
        self, cluster: LocalCluster, sync_into: Any, alone: dict[str, Any], tmp_path: Path
    ) -> None:
        done = sync_into("dask", engine=engine_of(cluster))
        assert done["inserted"] == RUNS
        assert everything(tmp_path / "dask.db") == alone

    def test_uses_the_prices_of_the_sync_and_not_those_of_its_workers(
        self, cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "own" / "agents"
        for number in range(4):
            answer = Session(f"s{number}").says("Add it").answers(f"m{number}", model="my-private-model")
            answer.write_to(run(folder, f"run{number}") / "planner" / "raw_output.jsonl")
        config = tmp_path / "own.toml"
        config.write_text("[prices.models.my-private-model]\ninput = 1\noutput = 10\n")
        monkeypatch.setenv("WORKFLOW_HISTORY_CONFIG", str(config))
        monkeypatch.setattr(database, "DB_PATH", tmp_path / "own.db")
        sync_workflow_history(silent=True, agents_dir=folder, engine=engine_of(cluster))
        runs = get_workflow_history()["workflows"]
        # 1,000 × 1 + 1,000 × 10 per million
        assert [(run["total_cost"], run["cost_basis"]) for run in runs] == [(0.011, "computed")] * 4

    def test_whose_worker_is_killed_when_the_first_results_are_there_reads_the_same(
        self, cluster: LocalCluster, sync_into: Any, alone: dict[str, Any], tmp_path: Path
    ) -> None:
        killed: list[tuple[int, int]] = []

        def kill(phase: str, done: int, total: int) -> None:
            if phase == "enrich" and done and not killed:
                pid = cluster.workers[0].pid
                os.kill(pid, signal.SIGKILL)
                killed.append((pid, done))

        done = sync_into("killed", engine=engine_of(cluster), progress=kill)
        assert done["inserted"] == RUNS
        assert killed[0][1] < RUNS
        assert everything(tmp_path / "killed.db") == alone

    def test_whose_worker_is_killed_while_it_reads_has_that_read_by_another(
        self, cluster: LocalCluster, sync_into: Any, alone: dict[str, Any], tmp_path: Path
    ) -> None:
        mark = tmp_path / "killed"
        with deadly(cluster, "run11", mark):
            done = sync_into("killed", engine=engine_of(cluster))
        assert mark.exists()
        assert (done["inserted"], done["failed"]) == (RUNS, 0)
        assert everything(tmp_path / "killed.db") == alone

    def test_names_a_run_that_no_worker_survives_and_stores_all_others(
        self,
        cluster: LocalCluster,
        sync_into: Any,
        alone: dict[str, Any],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
        with deadly(cluster, "run11"):
            done = sync_into("killed", engine=engine_of(cluster))
        assert (done["inserted"], done["failed"]) == (RUNS - 1, 1)
        wrong = [error for error in done["errors"] if error["id"] == "run11"]
        assert "no worker survives reading it" in wrong[0]["reason"]
        again = sync_into("killed")
        assert (again["inserted"], again["failed"], again["unchanged"]) == (1, 0, RUNS - 1)
        assert everything(tmp_path / "killed.db") == alone

    def test_with_another_version_is_refused_before_anything_is_stored(
        self, cluster: LocalCluster, sync_into: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = tuple(
            (name, "0.0.1" if name == "genai-prices" else word) for name, word in environment_versions()
        )
        monkeypatch.setattr(parallel_read, "environment_versions", lambda: other)
        with pytest.raises(ExecutorError, match=r"has genai-prices \S+, and this sync 0\.0\.1: install"):
            sync_into("dask", engine=engine_of(cluster))
        assert get_workflow_history()["total"] == 0

    def test_that_does_not_see_the_folder_is_refused(
        self, cluster: LocalCluster, sync_into: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            parallel_read, "sample_files", lambda _orders: (("/nowhere/raw_output.jsonl", 1),)
        )
        with pytest.raises(ExecutorError, match=r"does not see .*agents as this sync does .*Share that path"):
            sync_into("dask", engine=engine_of(cluster))
        assert get_workflow_history()["total"] == 0


class TestAnEngine:
    @pytest.mark.parametrize("word", ["threads:3", "processes:2", "processes:1", "threads"])
    def test_of_any_kind_reads_the_same(
        self, word: str, sync_into: Any, alone: dict[str, Any], tmp_path: Path
    ) -> None:
        sync_into("other", engine=word)
        assert everything(tmp_path / "other.db") == alone

    @pytest.mark.parametrize(
        "word",
        ["", "dask", "dask://", "dask://host", "dask://host:x", "threads:0", "threads:-1", "gpu", "dask:h:1"],
    )
    def test_that_is_none_is_named_with_those_there_are(
        self, word: str, sync_into: Any, tmp_path: Path
    ) -> None:
        with pytest.raises(InvalidQueryError, match=r"processes\[:N\], threads\[:N\] or dask://HOST:PORT"):
            sync_into("none", engine=word)
        assert not (tmp_path / "none.db").exists()

    def test_and_an_executor_are_one_too_many(self, sync_into: Any) -> None:
        with ThreadPoolExecutor(1) as pool, pytest.raises(InvalidQueryError, match="Use one of them"):
            sync_into("both", engine="threads", executor=pool)

    def test_that_does_not_answer_is_given_up_within_seconds(
        self, sync_into: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(executors, "CONNECT_TIMEOUT", 0.3)
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))  # bound, and not listening
            word = f"dask://127.0.0.1:{nobody.getsockname()[1]}"
            with pytest.raises(ExecutorError, match=f"No Dask scheduler answers at {word}"):
                sync_into("none", engine=word)

    def test_without_workers_is_named(self, sync_into: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(executors, "CONNECT_TIMEOUT", 0.5)
        with a_cluster(0) as empty, pytest.raises(ExecutorError, match="has no workers"):
            sync_into("none", engine=engine_of(empty))

    def test_whose_library_is_missing_says_what_to_install(
        self, sync_into: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "distributed", None)
        with pytest.raises(ExecutorError, match=r"needs distributed.*workflow-history\[dask\]"):
            sync_into("none", engine="dask://127.0.0.1:8786")


class Odd(Executor):
    """Does tasks at once, but for some, of which it says what an executor may say of them."""

    def __init__(self, says: Exception | None = None, at: int = 3) -> None:
        self.says, self.at = says, at
        self.given = self.most = self.under_way = 0

    def submit(self, function: Any, /, *args: Any, **named: Any) -> Future[Any]:
        self.given += 1
        future: Future[Any] = Future()
        if self.says is not None and self.given == self.at:
            future.set_exception(self.says)
        else:
            future.set_result(function(*args, **named))
        return future


class TestAnExecutorOfOnesOwn:
    def test_reads_the_same_and_stays_open(
        self, sync_into: Any, alone: dict[str, Any], tmp_path: Path
    ) -> None:
        with ThreadPoolExecutor(2) as pool:
            sync_into("own", executor=pool)
            assert pool.submit(int, "1").result() == 1
        assert everything(tmp_path / "own.db") == alone

    @pytest.mark.parametrize(
        "says", [BrokenExecutor("a process is gone"), MemoryError("too big")], ids=lambda e: type(e).__name__
    )
    def test_that_loses_a_task_loses_no_run(
        self, says: Exception, sync_into: Any, alone: dict[str, Any], tmp_path: Path
    ) -> None:
        assert sync_into("own", executor=Odd(says))["inserted"] == RUNS
        assert everything(tmp_path / "own.db") == alone

    @pytest.mark.parametrize(
        ("says", "told"),
        [
            (CancelledError(), "stopped: its scheduler or all of its workers are lost"),
            (ModuleNotFoundError("No module named 'workflow_history'"), "No module named 'workflow_history'"),
        ],
        ids=["cancelled", "not installed there"],
    )
    def test_that_cannot_go_on_says_so_and_the_next_sync_does_the_rest(
        self, says: Exception, told: str, sync_into: Any, alone: dict[str, Any], tmp_path: Path
    ) -> None:
        with pytest.raises(ExecutorError, match=told):
            sync_into("own", executor=Odd(says))
        sync_into("own")
        assert everything(tmp_path / "own.db") == alone

    def test_has_few_tasks_under_way_however_many_there_are(self) -> None:
        begun: list[int] = []

        class Slow(Executor):
            """Never done before it is asked for."""

            def submit(self, function: Any, /, *args: Any, **named: Any) -> Future[Any]:
                begun.append(args[0])
                future: Future[Any] = Future()
                future.set_result(function(*args, **named))
                return future

        engine = executors.ExecutorBackend("slow", executor=Slow(), max_pending=4)
        results = task_dispatcher.TaskDispatcher(
            engine, task_dispatcher.TaskFunction(lambda number: number * 2)
        ).results(iter(range(1000)))
        for taken in range(1000):
            assert next(results) == taken * 2
            assert len(begun) <= taken + 4


def test_a_task_that_goes_to_a_worker_is_small(agents: Path) -> None:
    orders = tuple(ReadTask(folder, "shop") for folder in walk_agents_folder(agents))
    task = TaskBatch(str(agents), datetime.now(UTC), orders)
    sent = dump_task(task)
    assert len(sent) < 1_000 * len(orders)
    runs = load_results(
        run_remote_task(environment_versions(), str(agents), parallel_read.sample_files(orders), sent)
    )
    assert [run.id for run in runs] == [order.folder.id for order in orders]
