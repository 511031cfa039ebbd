"""Without a directory, sync and serve read every place on this machine with runs or sessions."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from html import escape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from app.server.core.workflow_history import open_history
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.cli.folders import resolve_watched_folders
from app.server.core.workflow_history.ingest.sources.discovery import find_transcripts
from app.server.core.workflow_history.web.live.sync_scheduler import SyncScheduler
from app.server.core.workflow_history.web.settings import ServerSettings
from app.server.tests.ingest.test_any_order_of_sessions import differences, runs_of
from app.server.tests.support import rollouts
from app.server.tests.support.build import init, result, run, stream
from app.server.tests.support.native_sessions import Session, session_id
from app.server.tests.support.thoroughness import tries
from app.server.tests.support.web import client_of

MS = 1_782_979_200_000  # 2026-07-02 08:00 UTC


def type_in(*words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, list(words), prog_name="workflow-history", env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done


def answer_of(done: Any) -> Any:
    return json.loads(done.stdout)


def answer(*words: str) -> Any:
    return answer_of(type_in(*words, "--json"))


def of_claude(home: Path) -> Path:
    store = home / ".claude" / "projects"
    Session(session_id(1)).says("Add CSV export").answers("m1").write(store)
    return store


def of_gemini(home: Path) -> Path:
    store = home / ".gemini" / "tmp"
    chats = store / "0123456789abcdef0123456789abcdef" / "chats"
    tokens = {"input": 1_000, "output": 100, "cached": 0, "thoughts": 0, "tool": 0, "total": 1_100}
    when = "2026-07-03T07:00:00.000Z"
    asked = {"id": "g1", "timestamp": when, "type": "user", "content": "Add CSV export"}
    said = {"id": "g2", "timestamp": when, "type": "gemini", "content": "Done.", "tokens": tokens}
    lines = [
        {"sessionId": "gemini-1", "projectHash": "h", "startTime": when, "kind": "main"},
        asked,
        {**said, "model": "gemini-2.5-pro"},
    ]
    chats.mkdir(parents=True)
    (chats.parent / ".project_root").write_text("/nowhere/shop")
    (chats / "session-1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (chats / "gemini-1").mkdir()
    child = {"sessionId": "gemini-2", "projectHash": "h", "startTime": when, "kind": "subagent"}
    lines = [child, {**said, "id": "g3", "model": "gemini-2.5-flash"}]
    (chats / "gemini-1" / "gemini-2.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return store


def of_opencode(home: Path) -> Path:
    store = home / ".local" / "share" / "opencode"
    store.mkdir(parents=True)
    tokens = {"input": 1_000, "output": 100, "reasoning": 0, "cache": {"read": 0, "write": 0}}
    said = {"role": "assistant", "time": {"created": MS, "completed": MS + 5_000}, "tokens": tokens,
            "modelID": "claude-sonnet-4-5", "providerID": "anthropic", "cost": 0.02}  # fmt: skip
    with closing(sqlite3.connect(store / "opencode.db")) as database, database:
        database.execute(
            "CREATE TABLE session (id, project_id, parent_id, slug, directory, title, version,"
            " time_created int, time_updated int)"
        )
        database.execute("CREATE TABLE message (id, session_id, time_created int, time_updated int, data)")
        database.execute(
            "CREATE TABLE part (id, message_id, session_id, time_created int, time_updated int, data)"
        )
        for number, parent in ((1, None), (2, "ses_1")):
            database.execute(
                "INSERT INTO session VALUES (?, 'p', ?, 's', '/nowhere/shop', 'CSV export', '1', ?, ?)",
                (f"ses_{number}", parent, MS, MS + 5_000),
            )
            database.execute(
                "INSERT INTO message VALUES (?, ?, ?, ?, ?)",
                (f"msg_{number}", f"ses_{number}", MS, MS + 5_000, json.dumps(said)),
            )
    return store


def of_codex(home: Path) -> Path:
    codex_home = home / ".codex"
    own = [rollouts.meta(60, rollouts.CHILD, rollouts.spawned(), cwd="/nowhere/shop"), *rollouts.OWN]
    rollouts.session(codex_home, rollouts.THREAD, rollouts.meta(cwd="/nowhere/shop"), *rollouts.PARENT[1:])
    child = rollouts.session(codex_home, rollouts.CHILD, *own)
    later = codex_home / "sessions" / "2026" / "07" / "03"
    later.mkdir()
    child.rename(later / child.name)  # the spawned thread began on another day
    return codex_home / "sessions"


def of_copilot(home: Path) -> Path:
    store = home / ".copilot" / "session-state"
    usage = {"inputTokens": 1_000, "outputTokens": 100, "cacheReadTokens": 0, "cacheWriteTokens": 0}
    metrics = {"claude-sonnet-4.5": {"requests": {"count": 1, "cost": 1}, "usage": usage}}
    events = [
        ("session.start", {"sessionId": "copilot-1", "context": {"cwd": "/nowhere/shop"}}),
        ("user.message", {"content": "Add CSV export"}),
        ("assistant.message", {"messageId": "x", "content": "Done", "toolRequests": [], "outputTokens": 100}),
        ("session.shutdown", {"shutdownType": "routine", "modelMetrics": metrics}),
    ]
    (store / "copilot-1").mkdir(parents=True)
    (store / "copilot-1" / "events.jsonl").write_text(
        "".join(
            json.dumps(
                {"type": kind, "data": data, "id": kind, "timestamp": f"2026-07-04T06:0{number}:00.000Z"}
            )
            + "\n"
            for number, (kind, data) in enumerate(events)
        )
    )
    return store


STORES = {
    "claude": of_claude,
    "codex": of_codex,
    "copilot": of_copilot,
    "gemini": of_gemini,
    "opencode": of_opencode,
}
RUNS = {
    "claude": session_id(1),
    "codex": rollouts.THREAD,
    "copilot": "copilot-1",
    "gemini": "gemini-1",
    "opencode": "ses_1",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home, project = tmp_path / "me", tmp_path / "work"
    project.mkdir()
    for name, path in (
        ("HOME", home),
        ("XDG_CONFIG_HOME", home / ".config"),
        ("XDG_DATA_HOME", home / ".local/share"),
    ):
        monkeypatch.setenv(name, str(path))
    monkeypatch.delenv("WORKFLOW_HISTORY_AGENTS")
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    monkeypatch.chdir(project)
    return home


def test_sync_without_a_directory_reads_the_agents_directory_and_all_stores(home: Path) -> None:
    for write in STORES.values():
        write(home)
    stream(run(Path("agents"), "a1b2c3d4"), "builder", init(), result())
    done = answer("sync")
    assert (done["scanned"], done["inserted"], done["errors"]) == (6, 6, [])
    runs = {run["id"]: run for run in answer("list")["workflows"]}
    assert set(runs) == {"a1b2c3d4", *RUNS.values()}
    assert {runs[name]["project"] for name in RUNS.values()} == {"shop"}
    again = answer("sync")
    assert (again["unchanged"], again["changed"], again["inserted"]) == (6, 0, 0)


@pytest.mark.parametrize("source", STORES)
def test_sync_reads_only_the_named_source(home: Path, source: str) -> None:
    for write in STORES.values():
        write(home)
    assert answer("sync", "--source", source)["scanned"] == 1
    assert [run["id"] for run in answer("list")["workflows"]] == [RUNS[source]]


@pytest.mark.parametrize(
    ("source", "name"), [("gemini", "subagent"), ("opencode", "subagent"), ("codex", "explorer")]
)
def test_subagents_are_agents_of_the_run_of_their_session(home: Path, source: str, name: str) -> None:
    STORES[source](home)
    answer("sync")
    shown = answer("show", RUNS[source])
    assert {agent["agent"] for agent in shown["phase_costs"]} == {"main", name}
    assert shown["status"] == "ended"


@pytest.mark.parametrize("source", STORES)
def test_cost_prices_a_store_as_sync_does(home: Path, source: str) -> None:
    store = STORES[source](home)
    priced, done = answer("cost", str(store)), answer("sync", "--source", source)
    assert priced["recorded_cost"] == pytest.approx(done["total_cost"])
    assert (priced["runs"], priced["recorded_cost"] > 0) == (1, True)


def test_a_subagent_without_a_recorded_end_is_no_waste_in_a_session_that_ended(home: Path) -> None:
    of_codex(home)
    answer("sync")
    agents = {agent["agent"]: agent["outcome"] for agent in answer("show", RUNS["codex"])["phase_costs"]}
    assert agents == {"main": "success", "explorer": "incomplete"}
    assert answer("stats", "--waste")["wasted"] == 0


def test_after_a_sync_of_sessions_only_the_hint_groups_by_project(home: Path) -> None:
    of_claude(home)
    assert "workflow-history stats --by project  " in type_in("sync").stdout
    stream(run(Path("agents"), "a1b2c3d4"), "planner", init(), result())
    assert "workflow-history stats  " in type_in("sync").stdout


def test_a_store_keeps_what_its_program_deleted(home: Path) -> None:
    for write in STORES.values():
        write(home)
    before = answer("sync")
    shutil.rmtree(home / ".codex" / "sessions" / "2026")
    shutil.rmtree(home / ".copilot" / "session-state" / "copilot-1")
    with (
        closing(sqlite3.connect(home / ".local" / "share" / "opencode" / "opencode.db")) as database,
        database,
    ):
        database.execute("DELETE FROM session")
    answer("sync")
    runs = {run["id"]: run for run in answer("list")["workflows"]}
    assert set(runs) == set(RUNS.values())
    total = sum(run["total_cost"] for run in runs.values())
    assert total == pytest.approx(before["total_cost"])


def test_sources_lists_each_place_with_the_number_of_its_runs(home: Path) -> None:
    of_claude(home)
    places = {place["path"]: place for place in answer("sources")["places"]}
    found = places[str(home / ".claude" / "projects")]
    assert (found["source"], found["state"], found["runs"]) == ("claude", "found", 1)
    assert places["agents"]["state"] == "missing"
    assert type_in("sources", "--quiet").stdout.strip() == str(home / ".claude" / "projects")
    printed = type_in("sources").stdout
    assert "Claude Code" in printed
    assert "workflow-history sync" in printed


def test_sources_says_why_a_place_cannot_be_read(home: Path) -> None:
    store = home / ".claude" / "projects"
    store.parent.mkdir(parents=True)
    store.write_text("no directory")
    (place,) = [each for each in answer("sources")["places"] if each["path"] == str(store)]
    assert (place["state"], place["runs"], place["reason"]) == ("unreadable", None, "Not a directory")


def test_a_variable_names_the_directories_of_claude_code(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = home / "one"
    of_claude(elsewhere)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", f"{elsewhere / '.claude'},{home / 'two'}")
    places = [place for place in answer("sources")["places"] if place["source"] == "claude"]
    assert [(place["path"], place["state"]) for place in places] == [
        (str(elsewhere / ".claude" / "projects"), "found"),
        (str(home / "two" / "projects"), "missing"),
    ]
    assert answer("sync")["scanned"] == 1


def test_sync_without_anything_to_read_names_the_places_it_looked_at(home: Path) -> None:
    done = type_in("sync", code=2)
    assert "No runs or sessions found" in done.stderr
    assert str(home / ".claude" / "projects") in done.stderr
    assert not Path(os.environ["WORKFLOW_HISTORY_DB"]).exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--source", "cobol"], "Unknown source 'cobol'"),
        (["agents", "--source", "claude"], "either DIR or --source"),
    ],
)
def test_a_wrong_source_is_a_usage_error(home: Path, words: list[str], message: str) -> None:
    of_claude(home)
    Path("agents").mkdir()
    assert message in type_in("sync", *words, code=2).stderr


def test_serve_without_a_directory_follows_the_stores_that_exist(home: Path) -> None:
    store = of_claude(home)
    assert resolve_watched_folders(None) == [store]
    Path("agents").mkdir()
    assert resolve_watched_folders(None) == [Path("agents"), store]


@pytest.mark.parametrize("source", STORES)
def test_a_store_is_watched_as_a_whole(home: Path, source: str) -> None:
    assert find_transcripts(STORES[source](home)) is None


def test_a_server_stores_sessions_under_their_own_projects(home: Path) -> None:
    store = of_claude(home)
    scheduler = SyncScheduler(ServerSettings(folders=(store,)), lambda _status: None)
    assert scheduler._job == {"folders": (str(store),), "project": None}
    assert scheduler.status.project == "Claude Code"


def test_a_damaged_database_leaves_its_runs_as_they_are(home: Path) -> None:
    store = of_opencode(home)
    answer("sync")
    (store / "opencode.db").write_bytes(b"SQLite format 3\0" + b"?" * 5_000)
    done = answer_of(type_in("sync", str(store), "--json", code=3))
    assert done["missing"] == 0
    assert "opencode.db" in done["errors"][0]["path"]
    (found,) = answer("list")["workflows"]
    assert (found["source_state"], found["total_cost"]) == ("present", 0.04)


def test_an_empty_session_is_named_and_no_failed_run(home: Path) -> None:
    store = of_claude(home)
    empty = store / "-nowhere-shop" / f"{session_id(2)}.jsonl"
    empty.touch()
    done = answer("sync")
    assert (done["scanned"], done["statuses"]) == (1, {"ended": 1})
    assert done["skipped_paths"] == [
        {"path": f"-nowhere-shop/{session_id(2)}.jsonl", "reason": "the session is empty"}
    ]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("claude", f"-nowhere-shop/{session_id(2)}.jsonl"),
        ("codex", f"2026/07/02/rollout-2026-07-02T08-00-00-{rollouts.SIBLING}.jsonl"),
        ("gemini", "0123456789abcdef0123456789abcdef/chats/session-2.jsonl"),
        ("copilot", "copilot-2/events.jsonl"),
    ],
)
def test_a_directory_with_the_name_of_a_session_is_named_and_costs_no_other_data(
    home: Path, source: str, name: str
) -> None:
    (STORES[source](home) / name).mkdir(parents=True)
    done = answer("sync")
    assert done["scanned"] == 1
    assert [path for path in done["skipped_paths"] if path["path"].endswith(name.rpartition("/")[2])] == [
        {"path": name, "reason": "no regular file"}
    ]


# --- the order of syncs


@tries(10)
@given(st.permutations(["agents", *sorted(STORES)]))
def test_any_order_of_syncing_the_sources_gives_the_same_history(order: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "me"
        places = {name: write(home) for name, write in STORES.items()} | {"agents": home / "shop" / "agents"}
        stream(run(places["agents"], "a1b2c3d4"), "planner", *rollouts.exec_output((24_000, 12_000, 900)))
        histories = []
        for names in (order, sorted(places)):
            with open_history(Path(folder) / f"{len(histories)}.db") as history:
                for name in names:
                    history.sync(silent=True, agents_dir=places[name])
                histories.append(runs_of(history))
        assert differences(*histories) == {}
        assert set(histories[0]) == {"a1b2c3d4", *RUNS.values()}
        costs = [histories[0][run_id]["total_cost"] for run_id in ("a1b2c3d4", RUNS["codex"])]
        assert costs == pytest.approx([rollouts.PARENT_COST, rollouts.OWN_COST])


# --- resuming a session

PLACE = "cd /nowhere/shop && "
RESUMED = {
    "claude": (f"{PLACE}claude --resume {session_id(1)}", f"-nowhere-shop/{session_id(1)}.jsonl"),
    "codex": (f"{PLACE}codex resume {rollouts.THREAD}", f"{rollouts.THREAD}.jsonl"),
    "copilot": (f"{PLACE}copilot --resume copilot-1", "copilot-1/events.jsonl"),
    "gemini": (f"{PLACE}gemini --resume gemini-1", "chats/session-1.jsonl"),
    "opencode": (f"{PLACE}opencode --session ses_1", "opencode/opencode.db"),
}


@pytest.mark.parametrize("source", sorted(STORES))
def test_show_names_the_transcript_of_a_session_and_the_command_that_resumes_it(
    source: str, tmp_path: Path
) -> None:
    store = STORES[source](tmp_path)
    type_in("sync", str(store))
    command, transcript = RESUMED[source]
    run_id = command.rpartition(" ")[2]
    shown = answer("show", run_id)
    assert shown["resume_command"] == command
    assert shown["transcript"].startswith(str(store))
    assert shown["transcript"].endswith(transcript)
    assert Path(shown["transcript"]).is_file()
    assert f"resume    {command}" in type_in("show", run_id).stdout
    with client_of() as client:
        page, told = client.get(f"/runs/{run_id}").text, client.get(f"/api/v1/runs/{run_id}").json()
    assert told["resume_command"] == command
    assert f"Resume: <code>{escape(command)}</code>" in page
    assert f"Transcript: <code>{escape(shown['transcript'])}</code>" in page


def test_the_sync_of_a_store_links_to_no_project_that_no_run_has(tmp_path: Path) -> None:
    answer("sync", str(of_claude(tmp_path)))
    with client_of() as client:
        page = client.get("/syncs").text
    assert "Claude Code" in page
    assert "project=" not in page.replace("project=shop", "")


def test_a_session_whose_files_are_missing_cannot_be_resumed(tmp_path: Path) -> None:
    store = of_claude(tmp_path)
    Session(session_id(2)).says("Add CSV import").answers("m2").write(store)
    type_in("sync", str(store))
    next(store.rglob(f"{session_id(1)}.jsonl")).unlink()
    type_in("sync", str(store))
    assert answer("show", session_id(1))["resume_command"] is None
    assert "claude --resume" not in type_in("show", session_id(1)).stdout


def test_a_run_of_a_workflow_has_no_command_that_resumes_it(tmp_path: Path) -> None:
    stream(run(tmp_path / "agents", "a1b2c3d4"), "planner", init(), result())
    type_in("sync", str(tmp_path / "agents"))
    shown = answer("show", "a1b2c3d4")
    assert (shown["resume_command"], shown["transcript"]) == (None, None)


def test_a_working_directory_with_spaces_is_quoted_in_the_command(tmp_path: Path) -> None:
    store = tmp_path / ".claude" / "projects"
    Session(session_id(1), "/nowhere/my shop; rm -rf x").says("Add it").answers("m1").write(store)
    type_in("sync", str(store))
    command = answer("show", session_id(1))["resume_command"]
    assert command == f"cd '/nowhere/my shop; rm -rf x' && claude --resume {session_id(1)}"


def test_lists_and_details_show_the_title_of_a_session_beside_its_request_and_its_active_time(
    tmp_path: Path,
) -> None:
    store = tmp_path / ".claude" / "projects"
    session = Session(session_id(1)).says("Please look at issue 7").answers("m1", 60).says("Go on", 3_600)
    session.answers("m2", 3_660).line(type="custom-title", customTitle="CSV export").write(store)
    type_in("sync", str(store))
    assert "CSV export · Please look at issue 7" in type_in("list").stdout
    shown = type_in("show", session_id(1)).stdout
    assert "CSV export\n" in shown
    assert "active 2m 00s of 1h 01m" in shown
    with client_of() as client:
        listed = client.get("/").text
        page = client.get(f"/runs/{session_id(1)}").text
        (summary,) = client.get("/api/v1/runs").json()["workflows"]
    assert summary["title"] == "CSV export"
    for html in (listed, page):
        assert "<bdi>CSV export</bdi> · <bdi>Please look at issue 7</bdi>" in html
    assert "active 2m 00s of 1h 01m" in page


def test_a_title_that_only_repeats_the_request_is_shown_once(tmp_path: Path) -> None:
    store = tmp_path / ".claude" / "projects"
    session = Session(session_id(1)).says("Add CSV export").answers("m1")
    session.line(type="custom-title", customTitle="Add CSV export").write(store)
    type_in("sync", str(store))
    assert type_in("list").stdout.count("Add CSV export") == 1
