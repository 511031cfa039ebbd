"""A server that follows a folder shows changes on open pages within seconds."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.server.core.workflow_history import database
from app.server.tests.support import build
from app.server.tests.support.live_server import CHANGING, PROGRAM, Listener, listening, serving
from app.server.tests.support.patience import PATIENCE

CURRENT = "/api/v1/syncs/current"


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "agents"
    folder.mkdir(parents=True)
    return folder


def write_run(agents: Path, run_id: str, cost: float = 0.25, session: str | None = None) -> Path:
    session = session or run_id
    folder = build.run(agents, run_id, {"adw_id": run_id, "issue_number": "7"})
    return build.stream(folder, "planner", build.init(session), build.result(cost, session=session))


def write_transcript(folder: Path, number: int) -> Path:
    session = f"{number:08d}-aaaa-4bbb-8ccc-{number:012d}"
    said = build.assistant(
        f"m{number}", sessionId=session, timestamp="2026-02-01T10:00:00Z", uuid=f"u{number}"
    )
    return build.stream(folder, "", said, name=f"{session}.jsonl")


def first_sync(heard: Listener, runs: int = 1) -> None:
    heard.synced(lambda last: last["scanned"] == runs)


def test_a_change_is_synced_and_listeners_are_told(agents: Path) -> None:
    write_run(agents, "aaaa1111")
    with serving(agents) as served, listening(served) as heard:
        first_sync(heard)
        write_run(agents, "bbbb2222")
        heard.synced(lambda last: last["scanned"] == 2)
        if "history" not in dict(heard.heard):  # either may be told first
            heard.history()
        found = served.get("/api/v1/runs").json()["workflows"]
        assert {run["id"] for run in found} == {"aaaa1111", "bbbb2222"}
        assert {run["project"] for run in found} == {"shop"}


def test_all_agents_folders_of_a_project_are_followed(agents: Path) -> None:
    project, scripts = agents.parent, agents.parent / "adws" / "agents"
    write_run(agents, "aaaa1111")
    write_run(scripts, "bbbb2222")
    with serving(project) as served, listening(served) as heard:
        assert served.told["folders"] == [str(agents), str(scripts)]
        first_sync(heard, runs=2)
        write_run(scripts, "cccc3333")
        heard.synced(lambda last: last["scanned"] == 3)
        write_run(agents, "dddd4444")
        heard.synced(lambda last: last["scanned"] == 4)
        found = served.get("/api/v1/runs").json()["workflows"]
        page = served.get("/syncs").text
    assert {run["project"] for run in found} == {"shop"}
    assert {run["id"] for run in found} == {"aaaa1111", "bbbb2222", "cccc3333", "dddd4444"}
    assert str(agents) in page
    assert str(scripts) in page


def test_transcripts_beside_agents_folders_are_followed(agents: Path) -> None:
    project, sessions = agents.parent, agents.parent / ".claude" / "projects"
    write_run(agents, "aaaa1111")
    write_transcript(sessions / "-home-me-shop", 1)
    write_transcript(project, 2)
    with serving(project) as served, listening(served) as heard:
        assert served.told["folders"] == [str(agents), str(project)]
        first_sync(heard, runs=3)
        write_transcript(sessions / "-home-me-desk", 3)
        heard.synced(lambda last: last["scanned"] == 4)
        write_transcript(project, 4)
        heard.synced(lambda last: last["scanned"] == 5)
        write_run(agents, "bbbb2222")
        heard.synced(lambda last: last["scanned"] == 6)


def test_a_folder_that_vanishes_keeps_no_other_of_its_project_from_being_followed(agents: Path) -> None:
    scripts = agents.parent / "adws" / "agents"
    write_run(agents, "aaaa1111")
    write_run(scripts, "bbbb2222")
    with serving(agents.parent) as served, listening(served) as heard:
        first_sync(heard, runs=2)
        shutil.rmtree(agents)
        heard.now(lambda now: now["watch"] == "waiting")
        write_run(scripts, "cccc3333")
        heard.synced(lambda last: last["inserted"] == 1)
        found = served.get("/api/v1/runs").json()["workflows"]
    assert {run["id"] for run in found} == {"aaaa1111", "bbbb2222", "cccc3333"}


def test_an_attempt_that_is_overwritten_is_kept(agents: Path) -> None:
    write_run(agents, "aaaa1111", 0.25, "first")
    with serving(agents) as served, listening(served) as heard:
        first_sync(heard)
        write_run(agents, "aaaa1111", 0.5, "second")
        heard.synced(lambda last: last["changed"] == 1)
        run = served.get("/api/v1/runs/aaaa1111").json()
    spent = [(agent["attempt"], agent["superseded"], agent["cost"]) for agent in run["phase_costs"]]
    assert sorted(spent) == [(1, True, 0.25), (2, False, 0.5)]
    assert run["total_cost"] == 0.75


def test_two_quick_changes_make_at_most_two_syncs(agents: Path) -> None:
    write_run(agents, "aaaa1111")
    with serving(agents) as served, listening(served) as heard:
        first_sync(heard)
        before = len(heard.heard)
        for run in ("bbbb2222", "cccc3333"):  # each there at once: a change is one, however slowly it is made
            write_run(agents.parent / "made", run)
            (agents.parent / "made" / run).rename(agents / run)
        heard.synced(lambda last: last["scanned"] == 3)
        started = {now["started_at"] for name, now in heard.heard[before:] if name == "sync"} - {None}
        assert 1 <= len(started) <= 2


def test_a_folder_that_is_not_there_is_waited_for_and_may_vanish(agents: Path) -> None:
    shutil.rmtree(agents)
    with serving(agents) as served, listening(served) as heard:
        heard.now(lambda now: now["watch"] == "waiting")
        write_run(agents, "aaaa1111")
        first_sync(heard)
        shutil.rmtree(agents)
        before = heard.now(lambda now: now["watch"] == "waiting")["last"]
        write_run(agents, "bbbb2222")
        heard.now(
            lambda now: now["watch"] == "events" and now["last"] != before and now["last"]["inserted"] == 1
        )
        gone = {run["id"]: run["source_state"] for run in served.get("/api/v1/runs").json()["workflows"]}
        assert gone == {"aaaa1111": "missing", "bbbb2222": "present"}


def test_what_another_program_writes_is_told_too(agents: Path) -> None:
    write_run(agents, "aaaa1111")
    with serving(agents, "--no-watch") as served, listening(served) as heard:
        heard.now(lambda now: now["state"] == "idle" and now["watch"] is None)
        command = [sys.executable, "-m", PROGRAM, "sync", str(agents)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own program
        heard.history()
        assert served.get("/api/v1/runs").json()["total"] == 1
        assert served.get(CURRENT).json()["last"] is None


def test_who_shows_what_is_no_longer_true_is_told_at_once(agents: Path) -> None:
    database.insert_workflow({"id": "a"})
    with serving("--no-watch", agents) as served:
        page = served.get("/syncs").text
        mark = page.split('data-mark="')[1].split('"')[0]
        assert mark
        database.insert_workflow({"id": "b"})
        with listening(served, since=mark) as heard:
            assert heard.history()["mark"] != mark
            assert [name for name, _ in heard.heard] == ["sync", "history"]


def test_a_server_stops_though_somebody_listens(agents: Path) -> None:
    write_run(agents, "aaaa1111")
    with serving(agents) as served, listening(served) as heard:
        first_sync(heard)
        served.process.send_signal(signal.SIGINT)
        heard.end()
        assert served.process.wait(PATIENCE) == 0


def test_a_sync_is_started_by_hand_only_with_the_header(agents: Path) -> None:
    write_run(agents, "aaaa1111")
    with serving(agents, "--no-watch") as served, listening(served) as heard:
        refused = served.post("/api/v1/syncs", {})
        assert refused.status_code == 403
        assert refused.headers["content-type"] == "application/problem+json"
        started = served.post("/api/v1/syncs", CHANGING)
        assert started.status_code == 202
        assert started.headers["location"] == CURRENT
        first_sync(heard)
        assert served.get(CURRENT).json()["last"]["inserted"] == 1
        page = served.get("/syncs", headers={"Accept": "text/html"}).text
        assert "as of the last sync" in page  # nobody looks whether something changed since
        assert "up to date" not in page


def test_without_a_folder_a_server_follows_nothing_and_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKFLOW_HISTORY_AGENTS")
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)
    with serving() as served:
        assert served.told["agents_dir"] is None
        assert served.get(CURRENT).json()["state"] == "off"
        answer = served.post("/api/v1/syncs", CHANGING)
        assert (answer.status_code, "serve DIR" in answer.json()["detail"]) == (409, True)
        page = served.get("/syncs", headers={"Accept": "text/html"}).text
        assert "workflow-history serve path/to/project" in page


def test_a_port_that_is_taken_is_named(agents: Path) -> None:
    with serving(agents, "--no-watch") as served:
        port = served.address.rpartition(":")[2]
        command = [sys.executable, "-m", PROGRAM, "serve", str(agents), "--port", port]
        second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)  # noqa: S603
    assert second.returncode == 1
    assert f"Cannot listen on 127.0.0.1 port {port}" in second.stderr
    assert "--port 0" in second.stderr


def test_an_address_that_is_not_of_this_machine_is_named() -> None:
    command = [sys.executable, "-m", PROGRAM, "serve", "--host", "192.0.2.1", "--generate-token"]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)  # noqa: S603
    assert refused.returncode == 1
    assert "Use an address of this host for --host" in refused.stderr


def test_a_token_is_told_once_where_it_is_made_and_never_where_it_was_given(
    agents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(agents, "--no-watch", "--generate-token") as served:
        known = {"Authorization": f"Bearer {served.told['token']}"}
        assert served.get("/api/v1/health", headers=known).status_code == 200
    monkeypatch.setenv("WORKFLOW_HISTORY_TOKEN", given := "a-word-" * 4)
    with serving(agents, "--no-watch") as served:
        assert served.told["token"] is None
        assert served.get("/api/v1/health").status_code == 401
        assert served.get("/api/v1/health", headers={"Authorization": f"Bearer {given}"}).status_code == 200


def test_the_page_of_syncs_names_what_could_not_be_read_and_what_was(agents: Path) -> None:
    write_run(agents, "aaaa1111")
    (build.run(agents, "bbbb2222") / "adw_state.json").write_text('{"adw_id": "<b>broken')
    with serving(agents) as served, listening(served) as heard:
        first_sync(heard, 2)
        page = served.get("/syncs", headers={"Accept": "text/html"}).text.replace("<wbr>", "")
    assert "bbbb2222/adw_state.json" in page
    assert "1 recorded sync, latest first" in page
    assert "<b>broken" not in page


def test_a_run_in_progress_says_how_far_it_is(agents: Path) -> None:
    state = {"adw_id": "aaaa1111", "status": "running", "created_at": datetime.now(UTC).isoformat()}
    folder = build.run(agents, "aaaa1111", state)
    build.stream(folder, "planner", build.init(), build.assistant("m1", build.usage(input=1000, output=100)))
    with serving(agents) as served, listening(served) as heard:
        first_sync(heard)
        found = served.get("/api/v1/running").json()
        one = served.get("/api/v1/runs/aaaa1111/progress").json()
        piece = served.get("/running").text
    assert (found["total"], [run["id"] for run in found["runs"]]) == (1, ["aaaa1111"])
    assert (one["status"], one["phase"], one["spent_is_lower_bound"]) == ("running", "plan", True)
    assert one["tokens"] == 1100
    assert one["flight"]["remaining_cost"]["median"] is None
    assert one["flight"]["remaining_cost"]["reason"]
    assert "1 running run" in piece


def test_events_and_their_limits_are_described() -> None:
    from app.server.core.workflow_history.web.app import create_app  # noqa: PLC0415

    paths = json.loads(json.dumps(create_app().openapi()))["paths"]
    assert "text/event-stream" in paths["/api/v1/events"]["get"]["responses"]["200"]["content"]
    assert "202" in paths["/api/v1/syncs"]["post"]["responses"]
