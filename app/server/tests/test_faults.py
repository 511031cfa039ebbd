"""The fault harness: each fault once, some kills, and the errors it found."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.server.core.workflow_history import database, scanner, sync, sync_workflow_history
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.errors import WorkflowHistoryError
from app.server.core.workflow_history.ingest import streams
from app.server.core.workflow_history.ingest.runs import small_files
from app.server.core.workflow_history.pipeline import parallel_read, read_run
from app.server.core.workflow_history.pipeline.workers import process_pool
from app.server.core.workflow_history.storage.connection.engine import translate_errors
from app.server.core.workflow_history.storage.connection.url import database_url
from app.server.tests.support.build import assistant, init, result, run, stream, tool_use
from app.server.tests.support.paths import ROOT
from app.server.tests.support.patience import PATIENCE
from app.server.tests.support.thoroughness import THOROUGH, sample
from faults.cases import COMMANDS, KILLS, OTHERS, TOGETHER
from faults.state import State, state_of

RUNS = 6
TRIED = sample([fault.name for fault in (*KILLS, *COMMANDS, *TOGETHER, *OTHERS)])


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Try faults, in a process of its own: it forks, and a test's process may have threads."""
    out = tmp_path_factory.mktemp("faults")
    kills, rounds = ("12", "2") if THOROUGH else ("4", "1")
    counts = ["--kills", kills, "--commands", "1", "--rounds", rounds, "--times", "1"]
    chosen = [word for name in TRIED for word in ("--fault", name)]
    words = [sys.executable, "-m", "faults", *counts, *chosen, "--out", str(out)]
    done = subprocess.run(  # noqa: S603 - our own
        words, cwd=ROOT, capture_output=True, text=True, timeout=3 * PATIENCE, check=False
    )  # a command of it that hangs is found sooner, and by name
    assert (out / "reliability.json").exists(), done.stderr
    found = json.loads((out / "reliability.json").read_text())
    assert "| sync killed |" in (out / "reliability.md").read_text()
    return {fault["name"]: fault for fault in found["faults"]}


@pytest.mark.parametrize("name", TRIED)
def test_nothing_is_lost_or_doubled(tried: dict[str, dict[str, Any]], name: str) -> None:
    fault = tried[name]
    assert fault["wrong"] == []
    assert (fault["rows_lost"], fault["rows_doubled"]) == (0, 0)


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make some runs that are done."""
    folder = tmp_path / "shop" / "agents"
    for number in range(RUNS):
        name = f"run{number}"
        call = tool_use("t1", command="npm test")
        made = run(folder, name, {"status": "completed", "nl_input": f"Add the export of part {number}"})
        stream(made, "planner", init(name), assistant(name, content=[call]), result(0.1, session=name))
    monkeypatch.setattr(scanner, "AGENTS_DIR", folder)
    return folder


def undisturbed(tmp_path: Path) -> State:
    """Return what a sync stores that nobody disturbs."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(database, "DB_PATH", tmp_path / "undisturbed.db")
        sync_workflow_history(silent=True)
    return state_of(tmp_path / "undisturbed.db")


def stored() -> State:
    return state_of(database.current_url())


# What the system refuses


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.ENOENT, errno.EACCES], ids=os.strerror)
@pytest.mark.parametrize("known", [False, True], ids=["a new run", "a known run"])
def test_a_stream_that_could_not_be_opened_is_read_the_next_time_and_counts_once(
    agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, known: bool
) -> None:
    if known:
        sync_workflow_history(silent=True)
        (agents / "run2" / "planner" / "raw_output.jsonl").touch()
    opened = streams.open_file

    def refused(file: Path | str, *given: Any) -> Any:
        if "run2" in str(file):
            raise OSError(number, os.strerror(number))
        return opened(file, *given)

    with monkeypatch.context() as patched:
        patched.setattr(streams, "open_file", refused)
        first = sync_workflow_history(silent=True)
    assert (first["unread"], first["failed"]) == (1, 0)
    assert [problem["path"] for problem in first["errors"]] == ["run2/planner/raw_output.jsonl"]
    assert sync_workflow_history(silent=True)["errors"] == []
    assert stored() == undisturbed(tmp_path)


def test_a_state_file_that_could_not_be_opened_is_read_the_next_time(
    agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: object) -> bytes:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patched:
        patched.setattr(small_files, "_read_regular", refused)
        assert sync_workflow_history(silent=True)["unread"] == RUNS
    assert sync_workflow_history(silent=True)["unread"] == 0
    assert stored() == undisturbed(tmp_path)


def test_a_run_for_which_there_is_no_memory_is_named_and_read_the_next_time(
    agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrich = read_run._phase_2_enrich

    def short_of_memory(read: Any, *given: Any) -> Any:
        if read.id == "run2":
            raise MemoryError
        return enrich(read, *given)

    with monkeypatch.context() as patched:
        patched.setattr(read_run, "_phase_2_enrich", short_of_memory)
        first = sync_workflow_history(silent=True)
    assert (first["failed"], first["inserted"]) == (1, RUNS - 1)
    assert first["errors"][0]["reason"] == "it cannot be read: there was not enough memory"
    sync_workflow_history(silent=True)
    assert stored() == undisturbed(tmp_path)


@pytest.mark.parametrize("stop", ["KeyboardInterrupt", "app._TerminatedError(143)"])
def test_a_stop_that_meets_python_cleaning_up_is_not_forgotten(stop: str) -> None:
    code = f"""
import signal, sys, threading
from app.server.core.workflow_history.cli import app
class Cleaned:
    def __del__(self):
        raise {stop}
signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts the tests may ignore it
signal.signal(signal.SIGTERM, app._raise_terminated)
sys.unraisablehook = app.reraise_lost_interrupt
Cleaned()
for _ in range(round({PATIENCE} / 0.1)):  # no single wait: the signal does not end one that has begun
    threading.Event().wait(0.1)
print("forgotten")
"""
    ended = subprocess.run(  # noqa: S603 - this very program
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.stdout, "ignored" in ended.stderr) == ("", False)
    assert ended.returncode in {-signal.SIGINT, 143}


def test_what_is_stored_but_for_some_runs_ends_with_3(agents: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patched:
        patched.setattr(streams, "open_file", refused)
        ended = CliRunner().invoke(app, ["sync", str(agents), "--quiet"])
    why = f"run0/planner/raw_output.jsonl: cannot be read: {os.strerror(errno.EMFILE)}"
    remedy = "everything else is stored. Fix the files or permissions, and sync again."
    said = f"error: Could not read {RUNS} runs or files ({why}); {remedy}\n"
    assert (ended.exit_code, ended.stderr, ended.stdout) == (3, said, "")
    again = CliRunner().invoke(app, ["sync", str(agents), "--quiet"])
    assert (again.exit_code, again.stderr) == (0, "")


# Processes that read


def with_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_pool, "MIN_PARALLEL_SECONDS", -1.0)
    monkeypatch.setattr(process_pool, "can_fork", lambda: hasattr(os, "fork"))
    monkeypatch.setattr(parallel_read, "RUNS_PER_TASK", 1)


def no_room(*_: object, **__: object) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    "without", ["scratch_folder", "NamedTemporaryFile", "ProcessPoolExecutor"], ids="without {}".format
)
def test_a_sync_reads_by_itself_where_others_have_no_room(
    agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    with monkeypatch.context() as patched:
        with_processes(patched)
        patched.setattr(process_pool, without, no_room)
        done = sync_workflow_history(silent=True)
    assert (done["inserted"], done["failed"]) == (RUNS, 0)
    assert stored() == undisturbed(tmp_path)


# Clocks


@pytest.mark.parametrize("days", [-3650, -1, -0.1, 0.1, 30, 3650], ids="{:+} days".format)
@pytest.mark.parametrize("ahead", [-1, 7_200, 90 * 86_400], ids="written {} s ahead".format)
def test_what_a_wrong_clock_made_of_a_run_is_judged_again(
    agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: float, ahead: int
) -> None:
    at = datetime.now(UTC) + timedelta(seconds=ahead)
    stream(run(agents, "atwork"), "planner", init("at work"), assistant("m1"), at=at)

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(days=days)

    with monkeypatch.context() as patched:
        patched.setattr(sync, "datetime", Wrong)
        sync_workflow_history(silent=True)
    sync_workflow_history(silent=True)
    assert stored() == undisturbed(tmp_path)
    done = sync_workflow_history(silent=True)
    assert done["unchanged"] == RUNS + 1  # and then it is left alone


# Damage


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            "UPDATE column_blocks SET data = X'90' WHERE family LIKE 'runs %'",
            "packed runs of the runs from number",
        ),
        (
            "UPDATE column_blocks SET data = X'90' WHERE family = 'similarity_features'",
            "packed vectors of the runs from",
        ),
        (
            "UPDATE workflows SET spent_nanodollars = 1 WHERE id = 'run2'",
            "shop/run2: spent 1 nanodollars, recorded cost plus lower bound is",
        ),
        (
            "UPDATE similar_pairs SET similar_key = workflow_key WHERE rank = 1",
            "shop/run0: place 1 of its list of similar runs is invalid",
        ),
        (
            "INSERT INTO run_search (rowid, nl_input) VALUES (999, 'ghost')",
            "search index: 1 words are not as",
        ),
    ],
    ids=["figures", "vectors", "spending", "lists", "search"],
)
def test_the_check_names_what_is_not_as_it_was_made_of(
    agents: Path, tmp_path: Path, damage: str, told: str
) -> None:
    sync_workflow_history(silent=True)
    assert database.check() == []
    with sqlite3.connect(str(database.current_url().database)) as connection:
        connection.execute(damage)
    connection.close()
    assert [line for line in database.check() if line.startswith(told)]


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("database disk image is malformed", "Restore a backup with db restore"),
        ("database or disk is full", "free disk space and sync again"),
        ("disk I/O error", "the disk is full, over its quota, or failing"),
    ],
)
def test_what_the_driver_itself_raises_names_the_file_and_what_to_do(
    tmp_path: Path, said: str, advice: str
) -> None:
    file = tmp_path / "history.db"
    file.touch()
    with (
        pytest.raises(WorkflowHistoryError, match=f"{file}: {said}.*{advice}"),
        translate_errors(database_url(file)),
    ):
        raise sqlite3.DatabaseError(said)
