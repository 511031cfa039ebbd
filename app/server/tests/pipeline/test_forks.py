"""Forked sessions count and describe their own work only, whatever is synced first."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import URL, select

from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.database import get_workflow_by_id, load_workflow
from app.server.core.workflow_history.ingest.runs import prompts as asked
from app.server.core.workflow_history.maintenance.merge.merge_history import merge_history
from app.server.core.workflow_history.maintenance.pruning import prune_history
from app.server.core.workflow_history.maintenance.retention_rules import RetentionRule
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.core.workflow_history.queries.explain import explain_run
from app.server.core.workflow_history.queries.list_runs import find_runs
from app.server.core.workflow_history.queries.similar import similar_runs
from app.server.core.workflow_history.queries.statistics import run_statistics
from app.server.core.workflow_history.resync import resync_workflow_cost
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.tables.schema import occurrences, patterns, workflows
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support.build import assistant, init, result, run, stream, tool_use, usage

PARENT, FORK, THIRD = (f"{n * 8}-aaaa-4bbb-8ccc-{n * 12}" for n in "123")
ASKED, DONE = "2026-02-01T10:00:00Z", "2026-02-01T10:01:00Z"
ASKED_AGAIN, DONE_AGAIN = "2026-02-03T10:00:00Z", "2026-02-03T10:00:30Z"
BETWEEN = datetime(2026, 2, 2, tzinfo=UTC)
OLD = RetentionRule(RunFilter(created_before=BETWEEN))
ORDERS = ("parent first", "fork first", "at once")
Lines = list[dict[str, Any]]


class Turn(NamedTuple):
    """What was asked and what came of it: a command, its output and an answer within a minute."""

    number: int
    day: int
    seconds: int = 60
    command: str = "npm test"

    def lines(self) -> Iterator[dict[str, Any]]:
        said = {"type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929"}
        spent = usage(input=1_000, output=1_000)
        call = {
            "type": "tool_use",
            "id": f"t{self.number}",
            "name": "Bash",
            "input": {"command": self.command},
        }
        answer = {"type": "tool_result", "tool_use_id": f"t{self.number}", "content": "ok"}
        works = {
            **said,
            "id": f"msg_{self.number}a",
            "stop_reason": "tool_use",
            "usage": spent,
            "content": [call],
        }
        ends = {
            **said, "id": f"msg_{self.number}b", "stop_reason": "end_turn", "usage": spent,
            "content": [{"type": "text", "text": "Done."}],
        }  # fmt: skip
        asked = {"role": "user", "content": f"Add export number {self.number}"}
        yield self.line("user", 0, asked)
        yield self.line("assistant", self.seconds // 3, works)
        yield self.line("user", self.seconds // 2, {"role": "user", "content": [answer]})
        yield self.line("assistant", self.seconds, ends)

    def line(self, kind: str, second: int, message: dict[str, Any]) -> dict[str, Any]:
        when = f"2026-02-{self.day:02d}T10:{second // 60:02d}:{second % 60:02d}.000Z"
        return {"type": kind, "uuid": f"u{self.number}-{second}", "timestamp": when, "message": message}


FIRST, SECOND, LATER = Turn(1, day=1), Turn(2, day=3, seconds=30), Turn(3, day=5, seconds=30)


def lines_of(session: str, *turns: Turn, **more: Any) -> Lines:
    common = {"sessionId": session, "cwd": "/home/me/shop", "version": "2.1.50", **more}
    return [{**common, **line} for turn in turns for line in turn.lines()]


def write(folder: Path, session: str, lines: Sequence[dict[str, Any]]) -> Path:
    """Write a session's transcript; its file is as old as what it records."""
    file = folder / f"{session}.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    ended = datetime.fromisoformat(lines[-1]["timestamp"]).timestamp()
    os.utime(file, (ended, ended))
    return file


def parent(folder: Path) -> Path:
    return write(folder, PARENT, lines_of(PARENT, FIRST))


def fork(folder: Path, *more: Turn) -> Path:
    return write(folder, FORK, lines_of(FORK, FIRST, SECOND, *more))


def synced(folder: Path) -> dict[str, Any]:
    return sync_workflow_history(silent=True, agents_dir=folder)


def synced_in(order: str, folder: Path) -> None:
    """Write parent and fork into one folder and sync it, in an order."""
    for write_one in {"fork first": (fork, parent)}.get(order, (parent, fork)):
        write_one(folder)
        if order != "at once":
            synced(folder)
    if order == "at once":
        synced(folder)


def times(run_id: str) -> tuple[str, str, float]:
    run = get_workflow_by_id(run_id)
    assert run["started_at"] == run["created_at"]
    return run["created_at"], run["completed_at"], run["duration_seconds"]


def told() -> dict[str, Any]:
    """Return what each face says of the history's runs that depends on when they were and what they did."""
    shown = {name: get_workflow_by_id(name) for name in (PARENT, FORK)}
    for one in shown.values():
        for local in ("first_seen_at", "last_changed_at"):
            one.pop(local)
    return {
        "list": [(run["id"], run["created_at"], run["total_cost"]) for run in find_runs().workflows],
        "since": [run["id"] for run in find_runs(RunFilter(created_from=BETWEEN)).workflows],
        "show": shown,
        "stats": {by: run_statistics(by, RunFilter()).groups for by in ("day", "week", "month")},
        "prune": replace(prune_history([OLD], dry_run=True), duration_seconds=0),
        "patterns": learnt(),
    }


def sound() -> list[str]:
    with History.open(os.environ["WORKFLOW_HISTORY_DB"]) as history:
        return history.check()


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "logs"


# When it was


@pytest.mark.parametrize("order", ORDERS)
def test_a_fork_is_dated_by_its_own_work(logs: Path, order: str) -> None:
    synced_in(order, logs)
    assert times(PARENT) == (ASKED, DONE, 60.0)
    assert times(FORK) == (ASKED_AGAIN, DONE_AGAIN, 30.0)
    (agent,) = get_workflow_by_id(FORK)["phase_costs"]
    assert (agent["timestamp"], agent["ended_at"], agent["duration_seconds"]) == (
        ASKED_AGAIN,
        DONE_AGAIN,
        30.0,
    )
    assert sound() == []


@pytest.mark.parametrize("order", ORDERS)
def test_every_face_says_the_same_of_a_fork_in_whatever_order_it_is_synced(
    history_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", history_url.render_as_string(hide_password=False))
    logs = tmp_path / "logs"
    synced_in(order, logs)
    found = told()
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "other.db"))
    synced(logs)
    assert found == told()
    assert found["since"] == [FORK]
    assert [group.name for group in found["stats"]["day"] if group.runs] == ["2026-02-01", "2026-02-03"]
    assert (found["prune"].runs, found["prune"].newest) == (1, "2026-02-01T10:00:00.000000Z")


def test_a_fork_that_goes_on_keeps_the_begin_of_its_own_work(logs: Path) -> None:
    synced_in("parent first", logs)
    fork(logs, LATER)
    synced(logs)
    assert times(FORK) == (ASKED_AGAIN, "2026-02-05T10:00:30Z", 2 * 86_400 + 30.0)


def test_a_fork_of_a_fork_is_dated_by_what_neither_has(logs: Path) -> None:
    write(logs, THIRD, lines_of(THIRD, FIRST, SECOND, LATER))
    synced(logs)
    synced_in("fork first", logs)
    assert times(FORK) == (ASKED_AGAIN, DONE_AGAIN, 30.0)
    assert times(THIRD) == ("2026-02-05T10:00:00Z", "2026-02-05T10:00:30Z", 30.0)


def test_work_that_goes_on_without_a_prompt_begins_with_its_first_message(logs: Path) -> None:
    parent(logs)
    _, *rest = lines_of(FORK, SECOND)
    write(logs, FORK, [*lines_of(FORK, FIRST), *rest])
    synced(logs)
    assert times(FORK) == ("2026-02-03T10:00:10Z", DONE_AGAIN, 20.0)


def test_a_copy_of_a_whole_session_keeps_the_copied_dates(logs: Path) -> None:
    parent(logs)
    write(logs, FORK, lines_of(FORK, FIRST))
    synced(logs)
    assert times(PARENT) == times(FORK) == (ASKED, DONE, 60.0)


MARKS = {
    "forkedFrom": lines_of(FORK, FIRST, forkedFrom={"sessionId": PARENT, "messageUuid": "u1-60"}),
    "another session": lines_of(PARENT, FIRST),
}


@pytest.mark.parametrize("mark", list(MARKS))
@pytest.mark.parametrize("order", [*ORDERS, "without its parent"])
def test_lines_that_say_they_are_inherited_date_no_run(logs: Path, mark: str, order: str) -> None:
    if order == "parent first":
        parent(logs)
        synced(logs)
    write(logs, FORK, [*MARKS[mark], *lines_of(FORK, SECOND)])
    if order == "fork first":
        synced(logs)
    if order in ("fork first", "at once"):
        parent(logs)
    synced(logs)
    assert times(FORK) == (ASKED_AGAIN, DONE_AGAIN, 30.0)


def test_a_copy_of_which_all_lines_say_so_keeps_the_copied_dates(logs: Path) -> None:
    for session, lines in zip((FORK, THIRD), MARKS.values(), strict=True):
        write(logs, session, lines)
    synced(logs)
    assert times(FORK) == times(THIRD) == (ASKED, DONE, 60.0)


@pytest.mark.parametrize("mark", list(MARKS))
def test_an_idle_fork_that_says_so_takes_nothing_from_its_parent(logs: Path, mark: str) -> None:
    write(logs, FORK, MARKS[mark])
    write(logs, PARENT, lines_of(PARENT, FIRST, SECOND))
    synced(logs)
    assert times(PARENT) == (ASKED, DONE_AGAIN, 2 * 86_400 + 30.0)
    assert get_workflow_by_id(FORK)["phase_costs"][0]["duplicate_of"] == f"logs/{PARENT}: {PARENT}.jsonl"


def test_a_sub_agents_transcript_names_its_session_and_is_its_own(logs: Path) -> None:
    parent(logs)
    own = lines_of(PARENT, Turn(9, day=1), agentId="ab12", isSidechain=True)
    write(logs / PARENT / "subagents", "agent-ab12", own)
    synced(logs)
    found = get_workflow_by_id(PARENT)["phase_costs"]
    assert [agent["timestamp"] for agent in found] == [ASKED, ASKED]


def test_a_fork_whose_parent_was_pruned_counts_its_messages_and_their_time(logs: Path) -> None:
    synced_in("at once", logs)
    prune_history([OLD], dry_run=False)
    assert times(FORK) == (ASKED, DONE_AGAIN, 2 * 86_400 + 30.0)
    assert sound() == []


def test_what_a_folders_runs_cost_is_shown_with_the_same_dates(logs: Path) -> None:
    parent(logs)
    fork(logs)
    found = {run["name"]: run["created_at"] for run in folder_costs(logs)["by"]["run"]}
    assert found == {PARENT: ASKED, FORK: ASKED_AGAIN}


def test_an_explanation_says_that_inherited_messages_date_no_run(logs: Path) -> None:
    synced_in("at once", logs)
    for name in ("created_at", "completed_at", "duration_seconds"):
        assert "messages counted in another session are not part of its time" in explain_run(FORK, name).notes
        assert explain_run(PARENT, name).notes == ()


def test_counting_a_forks_costs_again_changes_no_date(logs: Path) -> None:
    synced_in("at once", logs)
    before = told()
    assert resync_workflow_cost(FORK)["message"] == "its costs are up to date"
    assert told() == before


def test_merged_histories_date_a_fork_by_its_own_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, write_one in (("one", parent), ("two", fork)):
        monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / f"{name}.db"))
        write_one(tmp_path / name / "logs")
        synced(tmp_path / name / "logs")
    merge_history(tmp_path / "one.db")
    assert times(FORK) == (ASKED_AGAIN, DONE_AGAIN, 30.0)
    assert sound() == []


def test_a_fork_at_work_is_as_long_as_its_own_work(logs: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    asked, said = ((now - timedelta(seconds=ago)).isoformat() for ago in (90, 30))
    prompt, call, *_ = lines_of(FORK, SECOND)
    lines = [*lines_of(FORK, FIRST), {**prompt, "timestamp": asked}, {**call, "timestamp": said}]
    parent(logs)
    file = write(logs, FORK, lines)
    os.utime(file, (now.timestamp(), now.timestamp()))
    synced(logs)
    run = get_workflow_by_id(FORK)
    assert (run["status"], run["duration_seconds"]) == ("running", 90.0)


def test_a_second_sync_of_a_fork_changes_nothing(logs: Path) -> None:
    synced_in("fork first", logs)
    assert (synced(logs)["unchanged"], synced(logs)["updated"]) == (2, 2)


# What it was asked, and what it did


def asked_and_done(run_id: str) -> tuple[str, str, int, int]:
    """Return a run's request, where that stands, and how many tool calls it made and how many failed."""
    run = get_workflow_by_id(run_id)
    calls = [(agent["tool_calls"], agent["tool_errors"]) for agent in run["phase_costs"]]
    return (
        run["nl_input"],
        run["nl_input_source"],
        sum(made for made, _ in calls),
        sum(bad for _, bad in calls),
    )


def failing(turn: Turn) -> Lines:
    """Return the lines of a turn whose command fails."""
    lines = [dict(line) for line in turn.lines()]
    answer = {
        "type": "tool_result",
        "tool_use_id": f"t{turn.number}",
        "content": "1 failing",
        "is_error": True,
    }
    lines[2]["message"] = {"role": "user", "content": [answer]}
    return lines


OF_THE_FIRST = ("Add export number 1", f"{PARENT}.jsonl: its first message", 1, 0)
OF_THE_SECOND = ("Add export number 2", f"{FORK}.jsonl: its first own message", 1, 0)


@pytest.mark.parametrize("order", ORDERS)
def test_a_fork_is_called_by_its_own_request_and_counts_its_own_calls(
    history_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", history_url.render_as_string(hide_password=False))
    synced_in(order, tmp_path / "logs")
    assert asked_and_done(PARENT) == OF_THE_FIRST
    assert asked_and_done(FORK) == OF_THE_SECOND
    listed = {run["id"]: run["nl_input"] for run in find_runs().workflows}
    assert listed == {PARENT: "Add export number 1", FORK: "Add export number 2"}
    assert [run["id"] for run in find_runs(RunFilter(search="number 2")).workflows] == [FORK]
    assert sound() == []


@pytest.mark.parametrize("order", ORDERS)
def test_a_failed_call_is_its_parents_alone(logs: Path, order: str) -> None:
    failed = [{"sessionId": PARENT, "version": "2.1.50", **line} for line in failing(FIRST)]
    copied = [{**line, "sessionId": FORK} for line in failed]
    writers = [
        lambda: write(logs, PARENT, failed),
        lambda: write(logs, FORK, [*copied, *lines_of(FORK, SECOND)]),
    ]
    for write_one in reversed(writers) if order == "fork first" else writers:
        write_one()
        if order != "at once":
            synced(logs)
    synced(logs)
    assert asked_and_done(PARENT)[2:] == (1, 1)
    assert asked_and_done(FORK)[2:] == (1, 0)


@pytest.mark.parametrize("mark", list(MARKS))
@pytest.mark.parametrize("order", [*ORDERS, "without its parent"])
def test_lines_that_say_they_are_inherited_are_no_request_and_no_work_of_a_run(
    logs: Path, mark: str, order: str
) -> None:
    if order == "parent first":
        parent(logs)
        synced(logs)
    write(logs, FORK, [*MARKS[mark], *lines_of(FORK, SECOND)])
    if order == "fork first":
        synced(logs)
    if order in ("fork first", "at once"):
        parent(logs)
    synced(logs)
    assert asked_and_done(FORK) == OF_THE_SECOND
    money = 0.072 if order == "without its parent" else 0.036  # what nobody else counts counts here
    assert get_workflow_by_id(FORK)["total_cost"] == money


def test_a_prompt_that_its_parent_left_unanswered_is_no_request_of_a_fork_that_says_so(logs: Path) -> None:
    left, *_ = lines_of(PARENT, LATER)
    write(logs, FORK, [*lines_of(PARENT, FIRST), left, *lines_of(FORK, SECOND)])
    synced(logs)
    assert asked_and_done(FORK) == OF_THE_SECOND


def test_a_copied_prompt_alone_is_no_request_of_a_fork(logs: Path) -> None:
    prompt, *_ = lines_of(PARENT, FIRST)
    write(logs, FORK, [prompt, *lines_of(FORK, SECOND)])
    synced(logs)
    assert asked_and_done(FORK) == OF_THE_SECOND


def test_a_fork_that_was_saved_as_an_array_is_called_by_its_own_request(tmp_path: Path) -> None:
    agents = tmp_path / "shop" / "agents"
    for name, lines in ((PARENT, lines_of(PARENT, FIRST)), (FORK, lines_of(FORK, FIRST, SECOND))):
        file = agents / name / "raw_output.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(lines, indent=1))
    synced(agents)
    assert get_workflow_by_id(FORK)["nl_input"] == "Add export number 2"


def test_a_copy_of_a_whole_session_keeps_the_copied_request_and_counts(logs: Path) -> None:
    parent(logs)
    write(logs, FORK, lines_of(FORK, FIRST))
    write(logs, THIRD, MARKS["another session"])
    synced(logs)
    for name in (PARENT, FORK, THIRD):
        assert asked_and_done(name) == ("Add export number 1", f"{name}.jsonl: its first message", 1, 0)


def test_work_that_goes_on_without_a_prompt_is_of_the_inherited_request(logs: Path) -> None:
    parent(logs)
    _, *rest = lines_of(FORK, SECOND)
    write(logs, FORK, [*lines_of(FORK, FIRST), *rest])
    synced(logs)
    assert asked_and_done(FORK) == ("Add export number 1", f"{FORK}.jsonl: its first message", 1, 0)


def test_a_fork_that_becomes_a_copy_is_told_as_a_copy(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced_in("at once", logs)
    write(logs, THIRD, lines_of(THIRD, FIRST, SECOND, LATER))
    write(logs, PARENT, lines_of(PARENT, FIRST, SECOND))
    synced(logs)
    found = {name: asked_and_done(name) for name in (PARENT, FORK, THIRD)}
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "anew.db"))
    synced(logs)
    assert found == {name: asked_and_done(name) for name in (PARENT, FORK, THIRD)}


def test_a_long_inherited_part_hides_no_request(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "READ", 2_000)
    many = [Turn(number, day=1) for number in range(10, 40)]
    write(logs, PARENT, lines_of(PARENT, *many))
    write(logs, FORK, lines_of(FORK, *many, SECOND))
    synced(logs)
    assert asked_and_done(FORK)[0] == "Add export number 2"


def test_a_fork_whose_parent_was_pruned_is_told_by_what_it_counts_then(logs: Path) -> None:
    synced_in("at once", logs)
    prune_history([OLD], dry_run=False)
    synced(logs)
    assert asked_and_done(FORK) == ("Add export number 1", f"{FORK}.jsonl: its first message", 2, 0)
    assert sound() == []


def test_counting_a_forks_costs_again_changes_no_count_of_calls(logs: Path) -> None:
    synced_in("at once", logs)
    with History.open(os.environ["WORKFLOW_HISTORY_DB"]) as history, history._writing() as connection:
        connection.execute(workflows.update().values(recorded_cost_nanodollars=1))
    assert resync_workflow_cost(FORK)["updated"]
    assert asked_and_done(FORK) == OF_THE_SECOND


@pytest.mark.parametrize("order", ORDERS)
def test_the_workflow_that_its_parent_was_asked_to_run_is_none_of_a_fork(logs: Path, order: str) -> None:
    first, *rest = lines_of(PARENT, FIRST)
    asks = {**first, "message": {"role": "user", "content": "Run adw_plan_build for the exports"}}
    inherited = [{**line, "sessionId": FORK} for line in (asks, *rest)]
    writers = [
        lambda: write(logs, PARENT, [asks, *rest]),
        lambda: write(logs, FORK, [*inherited, *lines_of(FORK, SECOND)]),
    ]
    for write_one in reversed(writers) if order == "fork first" else writers:
        write_one()
        if order != "at once":
            synced(logs)
    synced(logs)
    assert get_workflow_by_id(PARENT)["workflow_template"] == "adw_plan_build"
    assert get_workflow_by_id(FORK)["workflow_template"] == "interactive"


def test_a_task_is_compared_with_a_forks_own_request(logs: Path) -> None:
    synced_in("at once", logs)
    assert [match.id for match in similar_runs(text="Add export number 2").runs][:1] == [FORK]


# A copy of it

COPY_ORDERS = list(permutations(("parent", "fork", "copy")))


@pytest.mark.parametrize("order", COPY_ORDERS, ids=" ".join)
def test_a_forks_copy_is_told_as_the_fork_whatever_is_synced_first(
    tmp_path: Path, order: tuple[str, ...]
) -> None:
    parent(tmp_path / "parent" / "logs")
    original = fork(tmp_path / "fork" / "logs")
    copied = tmp_path / "copy" / "logs" / f"{THIRD}.jsonl"
    copied.parent.mkdir(parents=True)
    copied.write_text(original.read_text().replace(FORK, THIRD))
    for name in order:
        synced(tmp_path / name / "logs")
    assert times(FORK) == times(THIRD) == (ASKED_AGAIN, DONE_AGAIN, 30.0)
    assert asked_and_done(FORK) == OF_THE_SECOND
    assert asked_and_done(THIRD) == ("Add export number 2", f"{THIRD}.jsonl: its first own message", 1, 0)
    assert get_workflow_by_id(THIRD)["phase_costs"][0]["duplicate_of"] == f"logs/{FORK}: {FORK}.jsonl"
    assert sound() == []


def test_a_copied_folder_of_transcripts_is_dated_as_the_first(tmp_path: Path) -> None:
    first = tmp_path / "one"
    parent(first)
    fork(first)
    shutil.copytree(first, tmp_path / "two")
    for folder in ("one", "two"):
        synced(tmp_path / folder)
    for project in ("one", "two"):
        assert times(f"{project}/{FORK}") == (ASKED_AGAIN, DONE_AGAIN, 30.0)
        assert times(f"{project}/{PARENT}") == (ASKED, DONE, 60.0)


# What a sub-agent spent

AGENT = "ab12cd34"


def with_a_sub_agent(session: str, turn: Turn = FIRST, **more: Any) -> Lines:
    """Return a turn that starts a sub-agent, whose answer says that it used tokens."""
    lines = lines_of(session, turn, **more)
    (call,) = lines[1]["message"]["content"]
    call |= {"name": "Agent", "input": {"description": "look", "prompt": "look at orders"}}
    lines[2]["toolUseResult"] = {"status": "completed", "agentId": AGENT, "totalTokens": 2_000}
    return lines


def parent_with_a_sub_agent(folder: Path, *, seen: bool = True) -> None:
    write(folder, PARENT, with_a_sub_agent(PARENT))
    if seen:
        own = lines_of(PARENT, Turn(9, day=1), agentId=AGENT, isSidechain=True)
        write(folder / PARENT / "subagents", f"agent-{AGENT}", own)


def fork_of_it(folder: Path, **more: Any) -> None:
    write(folder, FORK, [*with_a_sub_agent(FORK, **more), *lines_of(FORK, SECOND)])


def costs(run_id: str) -> tuple[str, float | None, list[str]]:
    """Return a run's basis, its cost in US dollars, and what is wrong with it."""
    run = load_workflow(run_id)
    return run["cost_basis"], run["total_cost"], [problem["reason"] for problem in run["problems"]]


UNSEEN = (
    "sub-agent ab12cd34 used 2,000 tokens or more, but its transcript is not there: the cost is a lower bound"
)


@pytest.mark.parametrize("order", ORDERS)
def test_an_inherited_sub_agent_makes_its_parents_fork_no_lower_bound(logs: Path, order: str) -> None:
    for write_one in {"fork first": (fork_of_it, parent_with_a_sub_agent)}.get(
        order, (parent_with_a_sub_agent, fork_of_it)
    ):
        write_one(logs)
        if order != "at once":
            synced(logs)
    stats = synced(logs)
    assert costs(FORK) == ("computed", 0.036, [])
    assert costs(PARENT) == ("computed", 0.072, [])
    assert (stats["errors"], stats["partial_costs"]) == ([], 0)
    assert folder_costs(logs)["partial"] is False


def test_a_sub_agent_that_nobody_saw_makes_its_parent_alone_a_lower_bound(logs: Path) -> None:
    parent_with_a_sub_agent(logs, seen=False)
    fork_of_it(logs)
    synced(logs)
    assert costs(FORK) == ("computed", 0.036, [])
    assert costs(PARENT) == ("lower_bound", 0.036, [UNSEEN])


@pytest.mark.parametrize("marks", [{}, {"forkedFrom": {"sessionId": PARENT, "messageUuid": "u1-60"}}])
def test_a_fork_that_counts_what_its_parent_said_does_not_know_what_the_sub_agent_spent(
    logs: Path, marks: dict[str, Any]
) -> None:
    fork_of_it(logs, **marks)
    synced(logs)
    assert costs(FORK) == ("lower_bound", 0.072, [UNSEEN])


def test_a_pruned_parent_leaves_its_sub_agents_unknown_spending_to_its_fork(logs: Path) -> None:
    parent_with_a_sub_agent(logs)
    fork_of_it(logs)
    synced(logs)
    prune_history([OLD], dry_run=False)
    assert costs(FORK) == ("lower_bound", 0.072, [UNSEEN])
    assert sound() == []


def test_a_forks_own_sub_agent_that_nobody_saw_makes_it_a_lower_bound(logs: Path) -> None:
    parent(logs)
    write(logs, FORK, [*lines_of(FORK, FIRST), *with_a_sub_agent(FORK, SECOND)])
    synced(logs)
    assert costs(FORK) == ("lower_bound", 0.036, [UNSEEN])
    resync_workflow_cost(FORK)
    assert costs(FORK) == ("lower_bound", 0.036, [UNSEEN])


# What it did again and again

LINT = SECOND._replace(command="npm run lint")


def fork_that_lints(folder: Path) -> Path:
    return write(folder, FORK, lines_of(FORK, FIRST, LINT))


def learnt() -> dict[str, dict[str, tuple[int, float | None]]]:
    """Return by run how often it shows each pattern, and what that cost in US dollars."""
    with History.open(os.environ["WORKFLOW_HISTORY_DB"]) as history, history._reading() as connection:
        query = (
            select(workflows.c.id, patterns.c.signature, occurrences.c.count, occurrences.c.cost_nanodollars)
            .join(occurrences, occurrences.c.workflow_key == workflows.c.key)
            .join(patterns, patterns.c.key == occurrences.c.pattern_key)
        )
        found: dict[str, dict[str, tuple[int, float | None]]] = {}
        for run_id, name, count, cost in connection.execute(query):
            found.setdefault(run_id, {})[name] = count, None if cost is None else cost / 10**9
    return found


OF_THE_PARENT = {"npm test": (1, 0.018)}
OF_THE_FORK = {"npm run lint": (1, 0.018)}


@pytest.mark.parametrize("order", ORDERS)
def test_an_inherited_message_is_no_further_occurrence_of_a_pattern(
    history_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", history_url.render_as_string(hide_password=False))
    logs = tmp_path / "logs"
    writers = (fork_that_lints, parent) if order == "fork first" else (parent, fork_that_lints)
    for write_one in writers:
        write_one(logs)
        if order != "at once":
            synced(logs)
    synced(logs)
    assert learnt() == {PARENT: OF_THE_PARENT, FORK: OF_THE_FORK}
    stats = synced(logs)
    assert (stats["unchanged"], learnt()[FORK]) == (2, OF_THE_FORK)
    assert sound() == []


def test_a_fork_that_goes_on_shows_what_it_does_from_then_on(logs: Path) -> None:
    parent(logs)
    fork_that_lints(logs)
    synced(logs)
    write(logs, FORK, lines_of(FORK, FIRST, LINT, LATER))
    synced(logs)
    assert learnt()[FORK]["npm test"] == (1, 0.018)
    assert learnt()[FORK]["npm run lint"] == (1, 0.018)
    assert "other" not in learnt()[FORK]  # a run of that phase alone has no pattern of phases


def test_a_fork_whose_files_are_gone_shows_nothing_that_its_parent_did(logs: Path) -> None:
    file = fork_that_lints(logs)
    synced(logs)
    file.unlink()
    parent(logs)
    synced(logs)
    assert learnt() == {PARENT: OF_THE_PARENT}


def test_counting_a_forks_costs_again_keeps_its_patterns(logs: Path) -> None:
    parent(logs)
    fork_that_lints(logs)
    synced(logs)
    resync_workflow_cost(FORK)
    assert learnt()[FORK] == OF_THE_FORK


def test_a_pruned_parent_leaves_its_patterns_to_its_fork(logs: Path) -> None:
    parent(logs)
    fork_that_lints(logs)
    synced(logs)
    prune_history([OLD], dry_run=False)
    assert learnt() == {FORK: OF_THE_FORK}
    synced(logs)
    assert learnt()[FORK]["npm test"] == (1, 0.018)
    assert sound() == []


def test_merged_histories_count_no_occurrence_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = tmp_path / "two" / "logs"
    for name, writers in (("one", (fork_that_lints,)), ("two", (parent, fork_that_lints))):
        monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / f"{name}.db"))
        for write_one in writers:
            write_one(tmp_path / name / "logs")
        synced(tmp_path / name / "logs")
    merge_history(tmp_path / "one.db")
    assert "npm test" not in learnt().get(FORK, {})
    synced(together)
    assert learnt() == {PARENT: OF_THE_PARENT, FORK: OF_THE_FORK}


def test_a_run_that_has_one_agents_stream_of_another_shows_the_rest_alone(tmp_path: Path) -> None:
    agents = tmp_path / "shop" / "agents"
    calls = [
        assistant(f"m-{name}", session=name, content=[tool_use(f"t-{name}", command=command)])
        for name, command in (("planner", "npm test"), ("builder", "npm run lint"))
    ]
    first = run(agents, "a1b2c3d4", {"adw_id": "a1b2c3d4"})
    stream(first, "planner", init("planner"), calls[0], result(1.0, session="planner"))
    synced(agents)
    other = run(agents, "a1b2c3d4_again", {"adw_id": "a1b2c3d4"})
    stream(other, "planner", init("planner"), calls[0], result(1.0, session="planner"))
    stream(other, "builder", init("builder"), calls[1], result(1.0, session="builder"))
    synced(agents)
    found = learnt()
    assert set(found["a1b2c3d4"]) == {"npm test", "plan"}
    assert set(found["a1b2c3d4_again"]) == {"npm run lint", "build"}
