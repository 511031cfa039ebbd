"""One sync per folder at a time, by a lock that no dead process keeps."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import URL
from typer.testing import CliRunner

from app.server.core.workflow_history import resync, sync
from app.server.core.workflow_history.cli.app import EXIT_BUSY, app
from app.server.core.workflow_history.common.errors import BusyError, InvalidQueryError
from app.server.core.workflow_history.pipeline.folder_lock import lock_folder
from app.server.core.workflow_history.pipeline.workers.process_pool import can_fork
from app.server.core.workflow_history.storage.connection.advisory_lock import HOST_VARIABLE, LockOwner
from app.server.core.workflow_history.storage.connection.dialects import sqlite, sqlite_files
from app.server.core.workflow_history.storage.history import History
from app.server.tests.support.build import assistant, init, result, run, stream
from app.server.tests.support.paths import ROOT
from app.server.tests.support.patience import PATIENCE

PACKAGE = "app.server.core.workflow_history"

HOLDING = f"""
import sys
from {PACKAGE}.storage.history import History
from {PACKAGE}.pipeline.folder_lock import lock_folder
with History.open(sys.argv[1]) as history, lock_folder(history, sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "history.db"))
    monkeypatch.setenv(HOST_VARIABLE, "here")
    return tmp_path / "history.db"


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "agents"
    stream(run(folder, "a1"), "planner", init("s1"), assistant("m1"), result(0.5, session="s1"))
    return folder


@contextmanager
def holder(file: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Have another process hold a folder."""
    with History.open(file):
        pass
    words = [sys.executable, "-c", HOLDING, str(file), str(folder)]
    with subprocess.Popen(words, cwd=ROOT, stdin=-1, stdout=-1, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def locks(file: Path) -> list[str]:
    return [found.name for found in file.parent.glob("*.lock")]


def do_sync(folder: Path, **options: Any) -> dict[str, Any]:
    return sync.sync_workflow_history(silent=True, agents_dir=folder, **options)


def test_a_second_sync_says_who_holds_the_folder_and_leaves(file: Path, agents: Path) -> None:
    with holder(file, agents) as process:
        with pytest.raises(BusyError, match=rf"process {process.pid} on here, since 2\d\d\d-.* UTC"):
            do_sync(agents, wait=False)
        with pytest.raises(BusyError):
            do_sync(agents, wait=0.1)
        done = CliRunner().invoke(app, ["sync", str(agents), "--no-wait"])
        assert done.exit_code == EXIT_BUSY == 75
        assert f"process {process.pid} on here" in " ".join(done.output.split())


def test_a_second_sync_waits_until_the_first_is_done(file: Path, agents: Path) -> None:
    told: list[LockOwner] = []
    with holder(file, agents) as process:

        def end_it(who: LockOwner) -> None:
            told.append(who)
            process.communicate("")

        assert do_sync(agents, waiting=end_it)["inserted"] == 1
        assert [(who.pid, who.host) for who in told] == [(process.pid, "here")]
    assert locks(file) == []


def test_a_killed_holder_leaves_no_lock(file: Path, agents: Path) -> None:
    with holder(file, agents) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=PATIENCE)
        assert locks(file) != []  # its file is there still, and means nothing
        assert do_sync(agents, wait=False)["inserted"] == 1
    assert locks(file) == []


def test_other_folders_are_synced_meanwhile(file: Path, agents: Path, tmp_path: Path) -> None:
    other = tmp_path / "bank" / "agents"
    run(other, "b1", {"adw_id": "b1"})
    with holder(file, agents):
        assert do_sync(other, wait=False)["inserted"] == 1


def test_a_folder_is_one_however_it_is_called(file: Path, agents: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(agents)
    with holder(file, tmp_path / "link"), pytest.raises(BusyError):
        do_sync(agents / ".." / "agents", wait=False)


def test_a_resync_keeps_out_of_a_folder_that_is_synced(file: Path, agents: Path) -> None:
    do_sync(agents)
    with holder(file, agents):
        one = resync.resync_workflow_cost("a1", wait=False)
        assert (one["success"], "Another sync" in one["message"]) == (False, True)
        assert resync.resync_all_completed_workflows(None, wait=False)["failed"] == 1
    assert resync.resync_workflow_cost("a1")["success"]


def test_two_first_syncs_at_once_find_each_run_new_once(file: Path, agents: Path) -> None:
    for number in range(20):
        stream(run(agents, f"r{number}"), "planner", init(f"s{number}"), result(0.1, session=f"s{number}"))
    done: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: done.append(do_sync(agents))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stats["inserted"] for stats in done) == [0, 0, 21]
    assert sorted(stats["unchanged"] for stats in done) == [0, 21, 21]


def test_a_wait_is_a_length_of_time(file: Path, agents: Path) -> None:
    for odd in (-1, float("nan"), "long"):
        with pytest.raises(InvalidQueryError, match="Invalid wait"):
            do_sync(agents, wait=odd)


def test_where_files_cannot_be_locked_a_sync_goes_on(
    file: Path, agents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(sqlite, "try_lock", refuse)
    assert do_sync(agents)["inserted"] == 1


def test_a_run_that_another_stored_while_it_was_read_is_read_again(
    file: Path, agents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where two folders hold runs of one project and id: the second is refused, and not laid over."""
    twin = agents.parent.parent / "copy" / "agents"
    stream(run(twin, "a1"), "planner", init("s2"), assistant("m2"), result(0.7, session="s2"))
    original, others = sync._read_batches, iter([twin])

    def read(job: Any, folders: Any) -> Any:
        batches = list(original(job, folders))
        if (folder := next(others, None)) is not None:
            do_sync(folder, project="shop")
        return iter(batches)

    monkeypatch.setattr(sync, "_read_batches", read)
    stats = do_sync(agents, project="shop")
    assert (stats["inserted"], stats["failed"]) == (0, 1)
    assert "same project and id" in stats["errors"][0]["reason"]
    with History.open(file) as history:
        found = history.get("shop/a1")
        assert found is not None
        assert (found["agents_dir"], found["total_cost"]) == (str(twin), 0.7)


def test_a_writer_waits_as_long_as_others_store_something(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_files, "LOCK_WAIT_SECONDS", 0.02)
    with History.open(file) as first, History.open(file) as second:
        with first.transaction():
            held = threading.Thread(target=lambda: second.insert({"id": "late"}))
            held.start()
            held.join(0.3)
            assert held.is_alive()
            first.insert({"id": "early"})
        held.join(30)
        assert {ref.id for ref in second.list_refs()} == {"early", "late"}
        monkeypatch.setattr(sqlite, "WRITE_LOCK_TIMEOUT_SECONDS", 0.0)
        with first.transaction(), pytest.raises(Exception, match="another program is writing"):
            second.insert({"id": "never"})


def test_the_lock_tells_nothing_once_it_is_free(file: Path, agents: Path) -> None:
    with History.open(file) as history:
        with lock_folder(history, agents):
            assert len(locks(file)) == 1
        assert locks(file) == []


def test_a_folder_is_held_on_any_engine(
    history_url: URL, agents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOST_VARIABLE, "it's \N{SNOWMAN} here")
    with History.open(history_url) as first, History.open(history_url) as second:
        with lock_folder(first, agents):
            with pytest.raises(BusyError, match=rf"process {os.getpid()} on it.*, since 2\d\d\d-"):
                _hold(second, agents)
            _hold(second, agents / "other")
            first.insert({"id": "meanwhile"})
        _hold(second, agents)


def _hold(history: History, folder: Path) -> None:
    with lock_folder(history, folder, wait=False):
        pass


def test_a_process_of_a_pool_reads_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have no processes of its own."""
    monkeypatch.setattr(multiprocessing, "current_process", lambda: SimpleNamespace(daemon=True))
    assert not can_fork()
