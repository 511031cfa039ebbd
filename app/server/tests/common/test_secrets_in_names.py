"""No secret in the name of a branch or a plan is stored."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.server.core.workflow_history import database
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.ingest.runs.request_text import MAX_REQUEST
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support.build import init, prompt, result, run, stream

MIXED = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
TOKENS = {"gh" + "p_": 36, "gl" + "pat-": 20, "sk-" + "ant-api03-": 48, "xo" + "xb-123456789012-": 24}


def token_of(beginning: str) -> str:
    dice = random.Random(beginning)
    return beginning + "".join(dice.choice(MIXED) for _ in range(TOKENS[beginning] - 2)) + "a7"


def by_the_state(folder: Path, name: str) -> None:
    run(folder.parent, folder.name, {"branch_name": f"feature/{name}"})
    stream(folder, "builder", init(), result())


def by_a_summary(folder: Path, name: str) -> None:
    run(folder.parent, folder.name, {"adw_id": folder.name})
    (folder / "adw_plan").mkdir()
    said = {"workflow": "adw_plan", "branch_name": f"feature/{name}"}
    (folder / "adw_plan" / "workflow_summary.json").write_text(json.dumps(said))
    stream(folder, "builder", init(), result())


def by_an_agent(folder: Path, name: str) -> None:
    run(folder.parent, folder.name, {"adw_id": folder.name})
    stream(folder, "branch_generator", init(), result(result=f"`chore-issue-7-adw-a1b2c3d4-{name}`"))


def by_a_planner(folder: Path, name: str) -> None:
    run(folder.parent, folder.name, {"adw_id": folder.name})
    stream(folder, "sdlc_planner", init(), result(result=f"The plan is in specs/{name}.md"))


def by_a_builder(folder: Path, name: str) -> None:
    run(folder.parent, folder.name, {"adw_id": folder.name})
    prompt(folder, "sdlc_implementor", f"/implement specs/{name}.md")
    stream(folder, "sdlc_implementor", init(), result())


NAMED = (by_the_state, by_a_summary, by_an_agent, by_a_planner, by_a_builder)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "own.db"))
    return tmp_path / "own.db"


@pytest.mark.parametrize("beginning", TOKENS)
@pytest.mark.parametrize("named", NAMED, ids=lambda each: each.__name__)
def test_words_of_a_name_are_made_after_its_secrets_are_taken_out(
    tmp_path: Path, file: Path, named: Callable[[Path, str], None], beginning: str
) -> None:
    token = token_of(beginning)
    named(tmp_path / "agents" / "a1b2c3d4", f"rotate-the-key-{token}")
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    found = database.load_workflow("a1b2c3d4")
    assert found is not None
    assert "rotate the key [secret: " in found["nl_input"]
    told = json.dumps(found, default=str)
    for what in ("runs", "agent-runs"):
        told += CliRunner().invoke(app, ["export", what, "--format", "csv"]).output
    with History.open(file):  # as long as one is open, its log is there
        kept = b"".join(each.read_bytes() for each in file.parent.glob(f"{file.name}*")).lower()
    piece = token[-18:]
    assert piece not in told
    assert piece.lower().encode() not in kept


def test_a_request_is_cut_after_its_secrets_are_taken_out(tmp_path: Path, file: Path) -> None:
    token = token_of("gh" + "p_")
    text = "Add a login. ".ljust(MAX_REQUEST - 20, "x") + f" {token}"
    run(tmp_path / "agents", "a1b2c3d4", {"adw_id": "a1b2c3d4"})
    prompt(tmp_path / "agents" / "a1b2c3d4", "sdlc_planner", f"/feature {text}")
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    found = database.load_workflow("a1b2c3d4")
    assert found is not None
    assert len(found["nl_input"]) <= MAX_REQUEST
    assert token[:15] not in found["nl_input"]


def test_a_password_that_only_the_words_of_a_branch_show_is_in_no_branch(tmp_path: Path, file: Path) -> None:
    run(tmp_path / "agents", "a1b2c3d4", {"branch_name": "fix/db-password-hunter2x9"})
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    found = database.load_workflow("a1b2c3d4")
    assert found is not None
    assert found["branch_name"] == "fix/db-password-[secret: password]"
    assert b"hunter2x9" not in file.read_bytes()
