"""Layouts: several agents folders of a project, loose transcripts, times without a zone."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.server.core.workflow_history import run_statistics, scanner, sync_workflow_history
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.ingest.runs.nested_folders import Inside, look_inside
from app.server.core.workflow_history.ingest.sources import discovery
from app.server.core.workflow_history.ingest.sources.scan import scan
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.tests.support.build import SONNET, assistant, init, line, result, run, stream, tool_use

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
        assert "from 6 directories" in type_in("sync", str(project))

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
        assert scanner.project_name(project / inside) == "shop"
        assert scanner.find_agents_folders(project / inside) == [project / inside]

    def test_with_definitions_alone_are_none(self, tmp_path: Path) -> None:
        (tmp_path / ".claude" / "agents").mkdir(parents=True)
        (tmp_path / ".claude" / "agents" / "reviewer.md").write_text("You review.")
        (tmp_path / "agents").mkdir()
        assert scanner.find_agents_folders(tmp_path) == [tmp_path / "agents"]


SESSION = "8c5b0a1e-0000-4000-8000-00000000000{}"


def transcript(folder: Path, number: int, *, prefix: str = "") -> str:
    """Write a native transcript; return its session."""
    session = SESSION.format(number)
    usage = {"input_tokens": 100_000, "output_tokens": 0}
    message = {
        "id": f"m{number}",
        "role": "assistant",
        "model": SONNET,
        "usage": usage,
        "stop_reason": "end_turn",
    }
    said = (
        {"type": "user", "message": {"role": "user", "content": f"Add page {number}"}},
        {"type": "assistant", "message": {**message, "content": [{"type": "text", "text": "Added."}]}},
    )
    lines = [
        line(**each, uuid=f"{number}-{at}", sessionId=session, timestamp=f"2026-02-0{number}T10:0{at}:00Z")
        for at, each in enumerate(said)
    ]
    stream(folder, "", *lines, name=f"{prefix}{session}.jsonl", at=THEN)
    return f"{prefix}{session}"


class TestTranscriptsBesideAgentsFolders:
    @pytest.fixture
    def mixed(self, project: Path) -> Path:
        """A project with transcripts beside its agents folders, each of $0.30."""
        slug, day = ".claude/projects/-home-me-shop", ".codex/sessions/2026/01/02"
        transcript(project, 1)
        transcript(project / SESSION.format(1) / "subagents", 2, prefix="agent-")
        transcript(project / slug, 3)
        transcript(project / day, 4, prefix="rollout-2026-01-02T10-00-00-")
        transcript(project / "trees" / "a1", 5)  # another repository's
        transcript(project / "node_modules" / "x", 6)
        (project / "data.jsonl").write_text('{"rows": 3}\n')
        (project / "package.json").write_text("{}\n")
        (project / slug / "notes.jsonl").write_text('{"note": "x"}\n')
        (project / "src" / "data.jsonl").write_text('{"rows": 3}\n')
        return project

    def test_are_runs_of_their_own_and_what_is_none_is_named(self, mixed: Path) -> None:
        done = ask("sync", str(mixed))
        assert (done["scanned"], done["inserted"], done["failed"], done["total_cost"]) == (9, 9, 0, 7.2)
        assert done["folders"][-1] == str(mixed)
        left_out = {Path(left["path"]): left["reason"] for left in done["skipped_paths"]}
        assert {path.relative_to(mixed).as_posix(): reason for path, reason in left_out.items()} == {
            ".claude/projects/-home-me-shop/notes.jsonl": (
                "beside an agents folder only transcripts called by a session's id are runs"
            ),
            "data": (
                "neither a state, an agent's transcript nor a failed log: "
                "data.jsonl not read: its one line is of no known transcript format"
            ),
        }  # fmt: skip
        again = ask("sync", str(mixed))
        names = ("scanned", "inserted", "unchanged", "missing", "skipped", "total_cost")
        assert [again[name] for name in names] == [9, 0, 9, 0, 2, 7.2]
        assert {
            run["id"]: run["nl_input"] for run in ask("list")["workflows"] if "7777" not in run["id"]
        } == {
            SESSION.format(1): "Add page 1",
            f".claude/projects/-home-me-shop/{SESSION.format(3)}": "Add page 3",
            f".codex/sessions/2026/01/02/rollout-2026-01-02T10-00-00-{SESSION.format(4)}": "Add page 4",
        }
        assert "9 runs in shop, api, from 7 directories" in type_in("sync", str(mixed))

    def test_are_read_with_the_agents_folders_of_a_project_in_a_list(self, mixed: Path) -> None:
        done = sync_workflow_history(silent=True, agents_dir=[mixed, mixed / "agents"])
        assert (done["scanned"], done["total_cost"], len(done["folders"])) == (9, 7.2, 7)

    def test_are_looked_for_once_in_each_sync(self, mixed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        looked: list[Path] = []

        def look(folder: Path) -> Inside:
            looked.append(folder)
            return look_inside(folder)

        for module in (scanner, discovery):
            monkeypatch.setattr(module, "look_inside", look)
        for project in (None, "desk"):
            sync_workflow_history(silent=True, agents_dir=mixed, project=project)
            assert looked == [mixed]
            looked.clear()

    def test_leave_agents_runs_where_they_are_when_a_project_is_named(self, mixed: Path) -> None:
        ask("sync", str(mixed))
        for _ in range(2):
            ask("sync", str(mixed), "--project", "shop")
            found = ask("list")["workflows"]
            assert len(found) == 9
            assert {run["source_state"] for run in found} == {"present"}
            assert not [run["id"] for run in found if run["id"].startswith("agents/")]

    def test_cost_what_a_sync_says(self, mixed: Path) -> None:
        found = ask("cost", str(mixed))
        assert (found["runs"], found["recorded_cost"]) == (9, 7.2)
        assert (
            folder_costs(mixed)["recorded_cost"]
            == folder_costs(mixed, mixed / "agents")["recorded_cost"]
            == 7.2
        )

    @pytest.mark.parametrize("first", [".", ".claude/projects", "agents"])
    def test_count_once_whichever_folder_is_synced_first(self, mixed: Path, first: str) -> None:
        for folder in (first, ".", ".claude/projects", "agents", "."):
            done = ask("sync", str(mixed / folder))
        assert (done["scanned"], done["total_cost"]) == (9, 7.2)
        assert len(ask("list")["workflows"]) == 9
        assert run_statistics().total.cost.total == 7.2

    def test_are_read_again_one_by_one_and_are_gone_when_they_are(self, mixed: Path) -> None:
        ask("sync", str(mixed))
        for run_id in [each["id"] for each in ask("list")["workflows"]]:
            assert ask("resync", run_id)["success"]
            assert ask("explain", run_id, "cost")["parts"]
        (mixed / f"{SESSION.format(1)}.jsonl").unlink()
        (mixed / ".claude/projects/-home-me-shop" / f"{SESSION.format(3)}.jsonl").unlink()
        done = ask("sync", str(mixed))
        assert (done["missing"], done["total_cost"]) == (1, 6.9)  # of the first one a sub-agent is left

    def test_of_a_session_that_a_run_recorded_count_each_message_once(self, mixed: Path) -> None:
        for file in (mixed / ".claude/projects/-home-me-shop").glob("8c*.jsonl"):
            lines = file.read_text().splitlines()
        stream(run(mixed / "agents", "88880000"), "builder", *lines, name="session.jsonl", at=THEN)
        assert ask("sync", str(mixed))["total_cost"] == 7.2
        assert ask("cost", str(mixed))["recorded_cost"] == 7.2

    def test_are_read_where_an_agents_folder_lies_deeper_among_them(self, tmp_path: Path) -> None:
        logs = tmp_path / "projects"
        slug = logs / "-home-me-shop"
        transcript(slug, 1)
        transcript(logs / "-home-me-blog", 2)
        stream(run(slug / "agents", "a1b2c3d4"), "auditor", init("s1"), result(1.0, session="s1"))
        done = ask("sync", str(logs))
        assert (done["scanned"], done["total_cost"], done["skipped_paths"]) == (3, 1.6, [])
        assert ask("cost", str(logs))["recorded_cost"] == 1.6
        shutil.rmtree(slug / "agents")
        done = ask("sync", str(logs))
        assert (done["scanned"], done["unchanged"]) == (2, 2)
        assert len(ask("list")["workflows"]) == 3

    def test_are_looked_for_in_no_agents_folder(self, project: Path) -> None:
        transcript(project / "agents" / "77770000" / "auditor", 1)
        done = ask("sync", str(project))
        assert (done["scanned"], done["folders"][-1] == str(project)) == (6, False)


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
            folder, place = shown.split("Sources")[1].splitlines()[1:3]
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
            assert (done["scanned"], done["skipped"], done["errors"]) == (1, 0, [])
        found = scan(sessions, datetime.now(UTC))
        assert ([one.workflow["id"] for one in found.runs], found.skipped) == (
            [SESSION],
            [],
        )

    def test_lines_of_no_known_kind_beside_runs_are_named_by_their_file(self, sessions: Path) -> None:
        (sessions / "-home-me-shop" / "notes.jsonl").write_text('{"note": 1}\n{"note": 2}\n')
        for _ in range(2):
            done = ask("sync", str(sessions))
            assert (done["scanned"], done["failed"]) == (1, 0)
            ((path, reason),) = [(skipped["path"], skipped["reason"]) for skipped in done["skipped_paths"]]
            assert path == "-home-me-shop/notes"
            assert "notes.jsonl not read: none of its 2 lines is of a known transcript format" in reason

    def test_a_folder_whose_runs_were_pruned_is_not_left_out(self, sessions: Path) -> None:
        (sessions / "-home-me-shop" / "sessions-index.json").write_text('{"version": 1}')
        ask("sync", str(sessions))
        ask("db", "prune", "--status", "incomplete", "--yes")
        done = ask("sync", str(sessions))
        assert (done["pruned"], done["skipped"]) == (1, 0)

    def test_a_folder_without_runs_is_left_out(self, sessions: Path) -> None:
        (sessions / "reports").mkdir()
        (sessions / "reports" / "index.json").write_text('{"version": 1}')
        done = ask("sync", str(sessions))
        assert [left["path"] for left in done["skipped_paths"]] == ["reports"]
