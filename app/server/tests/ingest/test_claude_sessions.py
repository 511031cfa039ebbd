"""Sessions of Claude Code as runs: which files form a run, its project, status and metadata."""

from __future__ import annotations

import subprocess
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from app.server.core.workflow_history import database
from app.server.core.workflow_history.ingest.sources.projects import project_of
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.core.workflow_history.queries.list_runs import find_runs
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support.native_sessions import Session, session_id, subagent

SPENT = 0.03  # USD: 1,000 tokens in and 1,000 out of Opus 4.5


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "me" / ".claude" / "projects"


def synced(store: Path) -> dict[str, dict[str, Any]]:
    sync_workflow_history(silent=True, agents_dir=store)
    return {run["id"]: run for run in find_runs(limit=100).workflows}


def asked(number: int = 1, cwd: str = "/nowhere/shop", **common: Any) -> Session:
    return Session(session_id(number), cwd, **common).says("Add CSV export to the orders page")


def test_each_session_of_a_store_is_a_run_by_its_id_in_the_project_of_its_working_directory(
    store: Path,
) -> None:
    asked(1).answers("m1").write(store)
    asked(2, "/nowhere/blog").answers("m2").write(store)
    runs = synced(store)
    assert {(run_id, run["project"]) for run_id, run in runs.items()} == {
        (session_id(1), "shop"),
        (session_id(2), "blog"),
    }
    assert all(run["total_cost"] == pytest.approx(SPENT) for run in runs.values())
    assert all(run["nl_input"] == "Add CSV export to the orders page" for run in runs.values())


def test_a_session_and_everything_below_its_directory_are_one_run(store: Path) -> None:
    session = asked().answers("m1")
    session.write(store)
    subagent(store, session, "a1", "m2").with_name("agent-a1.meta.json").write_text(
        '{"agentType": "Explore"}'
    )
    workflow = subagent(store, session, "w1", "m3", below="subagents/workflows/wf_1")
    workflow.with_name("journal.jsonl").write_text('{"type":"started","key":"v2:ab","agentId":"w1"}\n')
    (run,) = synced(store).values()
    assert run["total_cost"] == pytest.approx(3 * SPENT)
    assert {agent["agent"] for agent in run["phase_costs"]} == {"main", "Explore", "agent-w1"}
    assert database.get_workflow_by_id(run["id"])["cost_basis"] == "computed"


def test_one_subagent_does_not_turn_the_sessions_of_a_project_into_one_run(store: Path) -> None:
    sessions = [asked(number).answers(f"m{number}") for number in range(17)]
    for session in sessions:
        session.write(store)
    subagent(store, sessions[3], "a1", "n1")
    assert len(synced(store)) == 17
    assert folder_costs(store)["runs"] == 17


def test_subagents_left_of_a_deleted_session_are_a_run_by_its_id(store: Path) -> None:
    subagent(store, asked(), "a1", "m2")
    (run,) = synced(store).values()
    assert (run["id"], run["project"]) == (session_id(1), "shop")
    assert run["total_cost"] == pytest.approx(SPENT)


@pytest.mark.parametrize("named", ["projects", "slug", "program"])
def test_a_store_gives_the_same_runs_whichever_of_its_directories_is_named(store: Path, named: str) -> None:
    asked(1).answers("m1").write(store)
    folder = {"projects": store, "slug": store / "-nowhere-shop", "program": store.parent}[named]
    (run,) = synced(folder).values()
    assert (run["id"], run["project"]) == (session_id(1), "shop")
    assert set(synced(store)) == {session_id(1)}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_each_message_counts_once_whatever_the_order_in_which_forks_are_synced(
    store: Path, order: tuple[int, ...]
) -> None:
    parent = asked(1).answers("m1")
    fork = Session(session_id(2), sessionKind="bg")
    fork.lines = [{**line, "sessionId": fork.id} for line in parent.lines]
    fork.says("Also for invoices", 3_600).answers("m2", 3_605)
    resumed = Session(session_id(3))
    resumed.lines = [{**line, "sessionId": resumed.id} for line in fork.lines]
    resumed.says("And for returns", 7_200).answers("m3", 7_205)
    sessions = (parent, fork, resumed)
    for number in order:
        sessions[number].write(store)
        runs = synced(store)
    assert {run_id: round(run["total_cost"], 6) for run_id, run in runs.items()} == {
        session_id(number): SPENT for number in (1, 2, 3)
    }
    assert runs[fork.id]["nl_input"] == "Also for invoices"
    assert runs[resumed.id]["nl_input"] == "And for returns"


def test_a_session_that_continues_after_its_background_fork_keeps_its_messages(store: Path) -> None:
    parent = asked(1).answers("m1")
    fork = Session(session_id(2), sessionKind="bg")
    fork.lines = [{**line, "sessionId": fork.id, "sessionKind": "bg"} for line in parent.lines]
    fork.says("Also for invoices", 3_600).answers("m2", 3_605)
    parent.write(store)
    fork.write(store)
    synced(store)
    parent.answers("m3", 7_205).write(store)
    runs = synced(store)
    assert {run_id: round(run["total_cost"], 6) for run_id, run in runs.items()} == {
        parent.id: 2 * SPENT,
        fork.id: SPENT,
    }
    assert runs[fork.id]["nl_input"] == "Also for invoices"


def test_a_second_sync_changes_nothing_and_deleted_sessions_stay(store: Path) -> None:
    session = asked().answers("m1")
    file = session.write(store)
    subagent(store, session, "a1", "m2")
    synced(store)
    again = sync_workflow_history(silent=True, agents_dir=store)
    assert (again["unchanged"], again["changed"], again["inserted"]) == (1, 0, 0)
    file.unlink()
    for each in sorted((file.parent / session.id).rglob("*"), reverse=True):
        each.unlink() if each.is_file() else each.rmdir()
    (run,) = synced(store).values()
    assert run["total_cost"] == pytest.approx(2 * SPENT)
    assert run["source_state"] == "missing"


def test_a_session_keeps_its_project_when_its_working_directory_is_gone(store: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "shop" / "web"
    checkout.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(checkout.parent)], check=True)  # noqa: S603, S607
    session = asked(1, str(checkout)).answers("m1")
    session.write(store)
    assert synced(store)[session.id]["project"] == "shop"
    checkout.rename(tmp_path / "web")
    (checkout.parent / ".git").rename(tmp_path / "gone")
    project_of.cache_clear()
    session.says("And now?", 60).answers("m2", 65).write(store)
    runs = synced(store)
    assert [run["project"] for run in runs.values()] == ["shop"]
    assert runs[session.id]["total_cost"] == pytest.approx(2 * SPENT)


def test_worktrees_belong_to_the_project_of_their_repository(store: Path, tmp_path: Path) -> None:
    repository, worktree = tmp_path / "shop", tmp_path / "elsewhere" / "calm-otter"
    worktree.mkdir(parents=True)
    (repository / ".git" / "worktrees" / "calm-otter").mkdir(parents=True)
    (worktree / ".git").write_text(f"gitdir: {repository}/.git/worktrees/calm-otter\n")
    asked(1, str(worktree)).answers("m1").write(store)
    assert synced(store)[session_id(1)]["project"] == "shop"


@pytest.mark.parametrize(
    ("folder", "project"),
    [
        ("/nowhere/shop/.claude/worktrees/calm-otter", "shop"),
        ("/nowhere/shop/trees/a1b2c3d4/app", "shop"),
        ("/nowhere/shop/.worktrees/fix", "shop"),
        ("/nowhere/shop-worktrees/fix", "shop"),
        ("/home/nobody-here/worktrees/shop", "shop"),
        ("/nowhere/.codex/worktrees/3f2a/shop", "shop"),
        ("/nowhere/.cursor/worktrees/shop/x1y2z", "shop"),
        (r"C:\Users\me\shop", "shop"),
        (r"C:\Users\me\shop\.claude\worktrees\x", "shop"),
        ("/", ""),
    ],
)
def test_worktrees_that_are_gone_are_known_by_their_usual_places(folder: str, project: str) -> None:
    assert project_of(folder) == project


ENDS: dict[str, tuple[Any, str]] = {
    "an answer": (lambda session: session.answers("m1"), "ended"),
    "an answer of an older version": (lambda session: session.answers("m1", stop=None), "ended"),
    "a tool call": (
        lambda session: session.answers(
            "m1", stop="tool_use", block={"type": "tool_use", "id": "t1", "name": "Bash", "input": {}}
        ),
        "incomplete",
    ),
    "a prompt": (lambda session: session, "incomplete"),
    "an interruption": (
        lambda session: session.answers("m1").says("[Request interrupted by user]", 9),
        "stopped",
    ),
    "an API error": (
        lambda session: session.answers("m1").answers("m2", 9, model="<synthetic>", isApiErrorMessage=True),
        "failed",
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_last_line_of_a_session_decides_its_status(store: Path, end: str) -> None:
    build, status = ENDS[end]
    session = build(asked())
    session.write(store)
    (run,) = synced(store).values()
    assert run["status"] == status


def test_a_subagent_that_ends_last_does_not_decide_the_status_of_its_session(store: Path) -> None:
    session = asked().answers("m1")
    session.write(store)
    late = Session(session.id, isSidechain=True, agentId="a1").says("Look", 60)
    late.write_to(store / "-nowhere-shop" / session.id / "subagents" / "agent-a1.jsonl")
    (run,) = synced(store).values()
    assert run["status"] == "ended"


def test_the_metadata_of_a_session_is_in_its_run(store: Path) -> None:
    session = asked().answers("m1", 60).says("Go on", 3_600, gitBranch="feature/csv-export")
    session.answers("m2", 3_660, gitBranch="feature/csv-export")
    session.line(type="ai-title", aiTitle="Export of orders").line(
        type="custom-title", customTitle="CSV export"
    )
    url = "https://github.com/acme/shop/pull/12"
    session.line(type="pr-link", prNumber=12, prUrl=url, prRepository="acme/shop")
    session.write(store)
    (run,) = synced(store).values()
    details = database.get_workflow_by_id(run["id"])
    assert details is not None
    assert details["title"] == "CSV export"
    assert details["branch_name"] == "feature/csv-export"
    assert details["working_directory"] == "/nowhere/shop"
    assert (details["pull_request"], details["pull_request_url"]) == ("acme/shop#12", url)
    assert (details["active_seconds"], details["duration_seconds"]) == (120.0, 3_660.0)


@pytest.mark.parametrize(
    ("entrypoint", "workflow"),
    [("cli", "interactive"), (None, "interactive"), ("claude-vscode", "interactive"), ("sdk-py", "headless"),
     ("sdk-cli", "headless"), ("claude-code-github-action", "headless")],
)  # fmt: skip
def test_sessions_of_people_and_of_scripts_are_different_workflows(
    store: Path, entrypoint: str | None, workflow: str
) -> None:
    asked(1, **({} if entrypoint is None else {"entrypoint": entrypoint})).answers("m1").write(store)
    (run,) = synced(store).values()
    assert run["workflow_template"] == workflow
