"""Folders that other programs write, and the home directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.core.workflow_history.queries.list_runs import find_runs
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support.build import assistant, init, line, result, run, stream, usage

SESSION = "11111111-aaaa-4bbb-8ccc-111111111111"
ROLLOUT = f"sessions/2026/07/02/rollout-2026-07-02T08-00-00-{SESSION}.jsonl"
SPENT = 0.018  # USD: 1,000 tokens in and 1,000 out of Sonnet 4.5


def type_in(*words: str) -> Any:
    return CliRunner().invoke(app, list(words), prog_name="workflow-history", env={"COLUMNS": "200"})


def transcript(projects: Path) -> Path:
    common = {"sessionId": SESSION, "timestamp": "2026-02-01T10:00:00Z"}
    asked = line(type="user", uuid="u1", message={"role": "user", "content": "Add a logo"}, **common)
    said = json.loads(assistant("m1", usage(input=1_000, output=1_000), uuid="u2", **common))
    said["message"]["stop_reason"] = "end_turn"
    return stream(projects / "-home-me-shop", "", asked, json.dumps(said), name=f"{SESSION}.jsonl")


def rollout(codex: Path) -> Path:
    meta = {"id": SESSION, "cwd": "/home/me/shop", "source": "cli"}
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Add a logo"}]}
    lines = [line(type="session_meta", payload=meta), line(type="response_item", payload=said)]
    file = codex / ROLLOUT
    return stream(file.parent, "", *lines, name=file.name)


OTHERS = {
    ".codex": ROLLOUT,
    ".copilot": f"session-state/{SESSION}/events.jsonl",
    ".gemini": "tmp/shop/chats/session-2026-08-03T07-00-44444444.json",
}


@pytest.fixture(params=OTHERS)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """What another program keeps in a home: its folder, and the one file in it."""
    folder, shown = tmp_path / "me" / request.param, OTHERS[request.param]
    if request.param == ".codex":
        rollout(folder)
    else:
        (folder / shown).parent.mkdir(parents=True)
        (folder / shown).write_text('{"type":"session.start","data":{"sessionId":"x"}}\n')
    return folder, shown


@pytest.mark.parametrize("command", ["sync", "cost"])
@pytest.mark.parametrize("deep", [0, 1, 2])
def test_files_of_no_kind_that_is_read_are_named_with_what_to_name_instead(
    kept: tuple[Path, str], tmp_path: Path, command: str, deep: int
) -> None:
    folder, shown = kept
    parts = shown.split("/")
    done = type_in(command, str(folder.joinpath(*parts[:deep])))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "1 file may be a transcript, but has an unsupported format" in done.stderr
    assert f"{'/'.join(parts[max(deep, 1) :])} (not read: " in done.stderr  # below the program's store
    assert "~/.claude/projects" in done.stderr
    assert not (tmp_path / "history.db").exists()


def test_a_history_that_is_there_says_the_same_of_them(kept: tuple[Path, str], tmp_path: Path) -> None:
    transcript(tmp_path / "elsewhere")
    sync_workflow_history(silent=True, agents_dir=tmp_path / "elsewhere")
    done = type_in("sync", str(kept[0]))
    assert done.exit_code == 1
    assert f"{kept[1].partition('/')[2]} (not read: " in done.stderr


@pytest.mark.parametrize("where", ["projects", ".claude", "me"])
def test_transcripts_are_read_from_whichever_folder_is_named(tmp_path: Path, where: str) -> None:
    me = tmp_path / "me"
    transcript(me / ".claude" / "projects")
    rollout(me / ".codex")
    (me / ".claude" / "settings.json").write_text("{}")
    folder = {"projects": me / ".claude" / "projects", ".claude": me / ".claude", "me": me}[where]
    done = sync_workflow_history(silent=True, agents_dir=folder)
    assert (done["scanned"], done["total_cost"], done["failed"]) == (1, SPENT, 0)
    assert folder_costs(folder)["recorded_cost"] == SPENT
    again = sync_workflow_history(silent=True, agents_dir=folder)
    assert (again["unchanged"], again["missing"]) == (1, 0)


def test_a_project_with_transcripts_alone_is_read_as_one_with_an_agents_folder_too(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    transcript(shop / ".claude" / "projects")
    name = f".claude/projects/-home-me-shop/{SESSION}"
    sync_workflow_history(silent=True, agents_dir=shop)
    assert [(found["project"], found["id"]) for found in find_runs().workflows] == [("shop", name)]
    stream(run(shop / "agents", "a1b2c3d4"), "planner", init("s"), result(1.0, session="s"))
    done = sync_workflow_history(silent=True, agents_dir=shop)
    assert (done["inserted"], done["unchanged"], done["missing"]) == (1, 1, 0)
    assert {found["id"] for found in find_runs().workflows} == {name, "a1b2c3d4"}


def test_a_project_whose_transcripts_are_known_by_their_folder_keeps_them_there(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    transcript(shop / ".claude" / "projects")
    sync_workflow_history(silent=True, agents_dir=shop / ".claude" / "projects")
    done = sync_workflow_history(silent=True, agents_dir=shop)
    assert (done["inserted"], done["unchanged"], done["missing"]) == (0, 1, 0)
    assert len(find_runs().workflows) == 1


def test_a_runs_folder_with_hidden_transcripts_is_read_with_them(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    transcript(logs / ".claude" / "projects")
    stream(run(logs, "a1b2c3d4"), "planner", init("s"), result(1.0, session="s"))
    done = sync_workflow_history(silent=True, agents_dir=logs)
    assert (done["scanned"], done["total_cost"], done["skipped_paths"]) == (2, 1.0 + SPENT, [])


def logs_called(folder: Path, *names: str) -> Path:
    for name in names:
        own = f"s-{name}"
        stream(
            folder, "", init(own), assistant(f"m-{name}", session=own), result(1.0, session=own), name=name
        )
    return folder


def test_streams_beside_an_agents_folder_are_named_with_the_command_that_reads_them(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    stream(run(shop / "agents", "a1b2c3d4"), "planner", init("s"), result(1.0, session="s"))
    logs = logs_called(shop / "my logs", "a.jsonl", "b.jsonl")
    (shop / "data").mkdir()
    (shop / "data" / "train.jsonl").write_text('{"question": "?", "answer": "!"}\n' * 3)
    done = sync_workflow_history(silent=True, agents_dir=shop)
    assert (done["scanned"], done["total_cost"], done["failed"], done["unread"]) == (1, 1.0, 0, 0)
    (warning,) = done["errors"]
    assert (warning["path"], warning["severity"]) == (str(logs), "warning")
    assert warning["reason"].startswith("2 files of agents' transcripts not read")
    assert warning["reason"].endswith(f"workflow-history sync '{logs}'")
    (problem,) = folder_costs(shop)["problems"]
    assert problem["path"] == str(logs)
    again = sync_workflow_history(silent=True, agents_dir=shop)
    assert (again["unchanged"], len(again["errors"])) == (1, 1)
    assert sync_workflow_history(silent=True, agents_dir=logs)["inserted"] == 2


ANY_NAMES = ("a.log", "b.ndjson", "c.txt", "d.out", "e", "f.jsonl", f"{SESSION}.log")


def test_a_folder_of_streams_is_read_whatever_they_are_called(tmp_path: Path) -> None:
    logs = logs_called(tmp_path / "logs", *ANY_NAMES)
    done = sync_workflow_history(silent=True, agents_dir=logs)
    assert (done["scanned"], done["total_cost"], done["skipped_paths"]) == (7, 7.0, [])
    assert {each["id"] for each in find_runs().workflows} == {"f", *ANY_NAMES} - {"f.jsonl"}
    assert folder_costs(logs)["recorded_cost"] == 7.0
    again = sync_workflow_history(silent=True, agents_dir=logs)
    assert (again["unchanged"], again["missing"]) == (7, 0)
    with (logs / "a.log").open("a") as file:
        file.write(assistant("m-more", usage(input=1_000, output=1_000), session="s-a.log") + "\n")
    assert sync_workflow_history(silent=True, agents_dir=logs)["changed"] == 1


def test_texts_beside_streams_are_no_streams(tmp_path: Path) -> None:
    logs = logs_called(tmp_path / "logs", "a.log")
    (logs / "notes.txt").write_text('Try {"type": "result"} some day.\n')
    (logs / "server.log").write_text('{"level": "INFO", "message": "started"}\n{"level": "INFO"}\n')
    (logs / "empty.log").write_text("")
    (logs / ".hidden").write_text((logs / "a.log").read_text())
    done = sync_workflow_history(silent=True, agents_dir=logs)
    assert (done["scanned"], done["skipped_paths"], done["errors"]) == (1, [], [])


def test_loose_files_that_may_be_streams_and_are_not_read_are_named(tmp_path: Path) -> None:
    logs = logs_called(tmp_path / "logs", "a.log", "a.jsonl.gz", "b.jsonl.bak", "c.jsonl~")
    (logs / "late.log").write_text("2026-05-01 INFO begun\n" + (logs / "a.log").read_text())
    other = '{"type":"session.start","session_id":"x"}\n{"type":"session.end","session_id":"x"}\n'
    (logs / "other.log").write_text(other)
    (logs / "wide.log").write_text((logs / "a.log").read_text(), encoding="utf-16")
    done = sync_workflow_history(silent=True, agents_dir=logs)
    left_out = {left["path"]: left["reason"] for left in done["skipped_paths"]}
    assert left_out.keys() == {"a.jsonl.gz", "b.jsonl.bak", "c.jsonl~", "late.log"}
    assert left_out["late.log"] == "a transcript after other text: call it *.jsonl if it is to be read"
    assert {error["path"] for error in done["errors"]} == {"other.log"}
    assert {each["id"] for each in find_runs().workflows} == {"a.log", "other.log", "wide.log"}


def test_files_inside_a_runs_folder_are_no_streams_by_their_beginning(tmp_path: Path) -> None:
    folder = run(tmp_path / "agents", "a1b2c3d4")
    stream(folder, "builder", init(), result(1.0))
    logs_called(folder, "copy.log")
    logs_called(folder / "builder", "copy.txt")
    done = sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    assert (done["scanned"], done["total_cost"]) == (1, 1.0)
