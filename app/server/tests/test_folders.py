"""Where runs lie: several agents folders of a project, streams loose in a folder, times without a zone."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.server.core.workflow_history import scanner
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.costing import folder_costs
from app.server.core.workflow_history.scanning import scan

from .build import assistant, init, result, run, stream, tool_use

SESSION = "11111111-aaaa-4bbb-8ccc-111111111111"
THEN = datetime(2026, 2, 1, 10, tzinfo=UTC)
INSIDE = (
    "agents",
    "adws/agents",
    "adws/functional/agents",
    "adws-bun/agents",
    ".claude/agents",
    "packages/api/agents",
)


def ask(*words: str) -> Any:
    done = CliRunner().invoke(app, [*words, "--json"], prog_name="workflow-history")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def type_in(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), prog_name="workflow-history", env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a run in each of several agents folders, and folders that only look like one."""
    shop = tmp_path / "shop"
    for number, inside in enumerate(INSIDE):
        stream(run(shop / inside, f"7777000{number}"), "auditor", init(inside), result(1.0, session=inside))
    (shop / "src" / "agents").mkdir(parents=True)
    (shop / "src" / "agents" / "reviewer.md").write_text("You review.")
    for not_ours in ("node_modules/x", "trees/a1"):
        stream(run(shop / not_ours / "agents", "copy0001"), "auditor", init(not_ours), result(50.0))
    (shop / "trees" / "a1" / ".git").write_text("gitdir: elsewhere")
    return shop


class TestSeveralAgentsFolders:
    def test_several_agents_folders_one_read(self, project: Path) -> None:
        done = ask("sync", str(project))
        assert (done["scanned"], done["total_cost"]) == (6, 6.0)
        assert done["folders"][:2] == [str(project / inside) for inside in INSIDE[:2]]
        assert set(done["folders"]) == {str(project / inside) for inside in INSIDE}
        assert len(ask("list")["workflows"]) == 6
        assert "from 6 agents folders" in type_in("sync", str(project))

    def test_of_a_project_cost_what_they_cost_together(self, project: Path) -> None:
        found = ask("cost", str(project))
        assert (found["runs"], found["recorded_cost"]) == (6, 6.0)
        assert {entry["name"] for entry in found["by"]["run"]} <= {f"7777000{number}" for number in range(6)}

    def test_name_runs_of_one_name_and_what_cannot_be_read_by_their_folder(self, project: Path) -> None:
        stream(
            run(project / "adws/agents", "77770000"),
            "auditor",
            init("twin"),
            "{broken",
            result(session="twin"),
        )
        found = folder_costs(project / "agents", project / "adws/agents")
        assert {entry["name"] for entry in found["by"]["run"]} == {
            "77770000",
            "77770001",
            str(project / "adws/agents/77770000"),
        }
        assert str(project / "adws/agents/77770000/auditor/raw_output.jsonl") in {
            problem["path"] for problem in found["problems"]
        }
        errors = ask("sync", str(project / "agents"))["errors"]
        assert errors == []

    @pytest.mark.parametrize("inside", INSIDE[:5])
    def test_belong_to_the_project_around_them(self, project: Path, inside: str) -> None:
        assert scanner.project_of(project / inside) == "shop"
        assert scanner.agents_folders_of(project / inside) == [project / inside]

    def test_with_definitions_alone_are_none(self, tmp_path: Path) -> None:
        (tmp_path / ".claude" / "agents").mkdir(parents=True)
        (tmp_path / ".claude" / "agents" / "reviewer.md").write_text("You review.")
        (tmp_path / "agents").mkdir()
        assert scanner.agents_folders_of(tmp_path) == [tmp_path / "agents"]


class TestLooseStreams:
    @pytest.fixture
    def agents(self, tmp_path: Path) -> Path:
        """Two streams in a folder, one in the agents folder, and one in a folder of its own name."""
        folder = tmp_path / "shop" / "agents"
        call = assistant("m1", content=[tool_use("t1", command="pytest -q")])
        for number, name in enumerate(("night/check_00000001", "night/check_00000002", "loose", "own/own")):
            at = THEN + timedelta(hours=number)
            where, _, stem = name.rpartition("/")
            lines = (init(name), call.replace("m1", name).replace("t1", name), result(session=name))
            stream(folder / where, "", *lines, name=f"{stem}.jsonl", at=at)
        return folder

    def test_loose_stream_said_to_be_gone(self, agents: Path) -> None:
        ask("sync", str(agents))
        runs = [each["id"] for each in ask("list")["workflows"]]
        assert len(runs) == 4
        for name in runs:
            explained = ask("explain", name, "cost")
            sources = [source for part in explained["parts"] for source in part["sources"]]
            assert sources
            for source in sources:
                assert source["there"] is True
                assert Path(source["path"]).is_file()

    def test_are_shown_in_the_folder_in_which_they_lie(self, agents: Path) -> None:
        ask("sync", str(agents))
        runs = {each["id"]: type_in("show", each["id"]) for each in ask("list")["workflows"]}
        for name, shown in runs.items():
            folder, place = shown.split("Read from")[1].splitlines()[1:3]
            assert (Path(folder.strip()) / place.strip().partition(":")[0]).is_file(), name

    def test_are_named_in_the_examples_of_patterns_as_they_lie(self, agents: Path) -> None:
        ask("sync", str(agents))
        found = ask("patterns", "--all")["patterns"]
        stories = [ask("patterns", "show", one["id"]) for one in found]
        examples = [each for story in stories for each in story["examples"] if each["path"]]
        assert len({each["path"] for each in examples}) > 1
        for each in examples:
            assert (Path(each["agents_dir"]) / each["path"]).is_file()


class TestTimesWithoutAZone:
    @pytest.fixture
    def agents(self, tmp_path: Path) -> Path:
        folder = tmp_path / "shop" / "agents"
        naive = {
            "created_at": "2026-02-01T10:00:00",
            "completed_at": "2026-02-01T10:05:00",
            "nl_input": "Add a logo",
        }
        run(folder, "naive001", naive)
        run(folder, "zoned001", {**naive, "created_at": "2026-02-01T10:00:00Z"})
        for number, file in enumerate(sorted(folder.rglob("*.json"))):
            at = (THEN + timedelta(days=number, minutes=7)).timestamp()
            os.utime(file, (at, at))
        ask("sync", str(folder))
        return folder

    @pytest.mark.usefixtures("agents")
    def test_name_none_in_json(self) -> None:
        listed = {one["id"]: one for one in ask("list")["workflows"]}
        for naive in (ask("show", "naive001"), listed["naive001"]):
            assert (naive["created_at"], naive["completed_at"]) == (
                "2026-02-01T10:00:00",
                "2026-02-01T10:05:00",
            )
        assert listed["zoned001"]["created_at"] == "2026-02-01T10:00:00Z"
        assert ask("explain", "naive001", "created_at")["value"] == "2026-02-01T10:00:00"

    def test_are_marked_on_the_screen(self, agents: Path) -> None:
        for shown in (
            type_in("list"),
            type_in("cost", str(agents), "--by", "run"),
            type_in("show", "naive001"),
        ):
            assert "2026-02-01 10:00Z" not in "\n".join(
                row for row in shown.splitlines() if "zoned001" not in row
            )
            assert "2026-02-01 10:00?" in shown

    def test_stay_when_a_run_is_read_again(self, agents: Path) -> None:
        (agents / "naive001" / "workflow_summary.json").write_text('{"workflow": "adw_x"}')
        ask("sync", str(agents))
        found = ask("show", "naive001")
        assert (found["created_at"], found["workflow_template"]) == ("2026-02-01T10:00:00", "adw_x")


class TestFilesBesideRuns:
    """A folder whose runs were taken is not left out, whatever else lies in it."""

    @pytest.fixture
    def sessions(self, tmp_path: Path) -> Path:
        folder = tmp_path / "sessions"
        own = {"type": "user", "sessionId": SESSION, "timestamp": "2026-02-01T10:00:00Z"}
        line = json.dumps({**own, "message": {"role": "user", "content": "Add CSV export"}})
        stream(folder / "-home-me-shop", "", line, name=f"{SESSION}.jsonl")
        return folder

    @pytest.mark.parametrize("name", ["sessions-index.json", "report-20260101.json"])
    def test_json_beside_runs_is_ignored(self, sessions: Path, name: str) -> None:
        (sessions / "-home-me-shop" / name).write_text('{"version": 1}')
        for _ in range(2):
            done = ask("sync", str(sessions))
            assert (done["scanned"], done["left_out"], done["errors"]) == (1, 0, [])
        found = scan(sessions, datetime.now(UTC))
        assert ([one.workflow["id"] for one in found.runs], found.left_out) == (
            [f"-home-me-shop/{SESSION}"],
            [],
        )

    def test_lines_of_no_known_kind_beside_runs_are_named_by_their_file(self, sessions: Path) -> None:
        (sessions / "-home-me-shop" / "notes.jsonl").write_text('{"note": 1}\n{"note": 2}\n')
        for _ in range(2):
            done = ask("sync", str(sessions))
            assert (done["left_out"], done["failed"]) == (0, 0)
            ((path, reason),) = [(error["path"], error["reason"]) for error in done["errors"]]
            assert (path, reason) == (
                "-home-me-shop/notes.jsonl",
                "not read: none of its 2 lines is of a known kind of stream",
            )

    def test_a_folder_whose_runs_were_pruned_is_not_left_out(self, sessions: Path) -> None:
        (sessions / "-home-me-shop" / "sessions-index.json").write_text('{"version": 1}')
        ask("sync", str(sessions))
        ask("db", "prune", "--status", "incomplete", "--yes")
        done = ask("sync", str(sessions))
        assert (done["pruned"], done["left_out"]) == (1, 0)

    def test_a_folder_without_runs_is_left_out(self, sessions: Path) -> None:
        (sessions / "reports").mkdir()
        (sessions / "reports" / "index.json").write_text('{"version": 1}')
        done = ask("sync", str(sessions))
        assert [left["path"] for left in done["left_out_paths"]] == ["reports"]
