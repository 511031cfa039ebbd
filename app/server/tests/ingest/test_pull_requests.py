"""The pull request of a run: from its state, its session, or the answer of the agent that opened it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.server.core.workflow_history import database, sync
from app.server.core.workflow_history.queries.list_runs import find_runs
from app.server.tests.support import build
from app.server.tests.support.native_sessions import Session, session_id

URL = "https://github.com/acme/shop/pull/12"


def synced(agents: Path) -> dict[str, Any]:
    sync.sync_workflow_history(silent=True, agents_dir=agents)
    (run,) = find_runs().workflows
    found = database.get_workflow_by_id(run["id"])
    assert found is not None
    return dict(found)


STATED = {
    "an address": ({"pr_url": f"{URL}/files"}, "acme/shop#12", URL),
    "a number": ({"pr_number": 12}, "12", None),
    "both": ({"pr_number": "12", "pull_request_url": URL}, "acme/shop#12", URL),
    "an object": ({"pull_request": {"number": 12, "html_url": URL}}, "acme/shop#12", URL),
    "a merge request": (
        {"merge_request_url": "https://gitlab.com/acme/web/shop/-/merge_requests/7"},
        "acme/web/shop#7",
        "https://gitlab.com/acme/web/shop/-/merge_requests/7",
    ),
    "no pull request": ({"pr": True, "pr_url": "None", "pull_request": "feature/12"}, None, None),
}


@pytest.mark.parametrize("case", STATED)
def test_a_state_file_states_the_pull_request(tmp_path: Path, case: str) -> None:
    state, name, url = STATED[case]
    build.run(tmp_path / "agents", "a1b2c3d4", {"adw_id": "a1b2c3d4", **state})
    found = synced(tmp_path / "agents")
    assert (found.get("pull_request"), found.get("pull_request_url")) == (name, url)


def test_the_own_value_of_a_state_file_is_kept(tmp_path: Path) -> None:
    stated = {"number": 12, "html_url": URL}
    build.run(tmp_path / "agents", "a1b2c3d4", {"adw_id": "a1b2c3d4", "pull_request": stated})
    assert synced(tmp_path / "agents")["state_pull_request"] == stated


ANSWERS = {
    "only the address": ({"pr_creator": URL}, "acme/shop#12"),
    "a sentence with it": ({"pr_creator": f"Opened <{URL}>."}, "acme/shop#12"),
    "two addresses": ({"pr_creator": f"{URL} replaces {URL}3"}, None),
    "no address": ({"pr_creator": "Done: #12"}, None),
    "an agent that does not ship": ({"sdlc_planner": URL}, None),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_agent_that_ships_answers_the_pull_request(tmp_path: Path, case: str) -> None:
    answers, name = ANSWERS[case]
    run = build.run(tmp_path / "agents", "a1b2c3d4", {"adw_id": "a1b2c3d4"})
    for agent, text in answers.items():
        build.stream(run, agent, build.init(), build.assistant("m1"), build.result(result=text))
    assert synced(tmp_path / "agents").get("pull_request") == name


def test_the_cost_of_a_session_belongs_to_its_last_pull_request_and_all_stay_visible(tmp_path: Path) -> None:
    store = tmp_path / "me" / ".claude" / "projects"
    session = Session(session_id(1)).says("Export orders").answers("m1")
    for number in (11, 12):
        url = f"https://github.com/acme/shop/pull/{number}"
        session.line(type="pr-link", prNumber=number, prUrl=url, prRepository="acme/shop")
    session.write(store)
    found = synced(store)
    assert (found["pull_request"], found["pull_request_url"]) == ("acme/shop#12", URL)
    assert [one["number"] for one in found["pull_requests"]] == [11, 12]
