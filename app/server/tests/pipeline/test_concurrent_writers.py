"""Concurrent writing commands end as if run one after the other, on both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, update

from app.server.core.workflow_history import resync, sync
from app.server.core.workflow_history.common.errors import InvalidQueryError
from app.server.core.workflow_history.common.models import Problem
from app.server.core.workflow_history.maintenance import pruning
from app.server.core.workflow_history.maintenance.merge import merge_history as merging
from app.server.core.workflow_history.maintenance.merge.merge_history import merge_history
from app.server.core.workflow_history.maintenance.pruning import prune_history
from app.server.core.workflow_history.maintenance.retention_rules import RetentionRule, parse_rule
from app.server.core.workflow_history.storage import merge_store
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.merge_store import MergeStore
from app.server.core.workflow_history.storage.tables.schema import last_keys, workflows
from app.server.tests.support.build import assistant, init, result, run, stream, tool_result, tool_use

OLD, NEW = "2020-01-01T12:00:00Z", "2026-01-01T12:00:00Z"


def make(folder: Path, run_id: str, made: str, cost: float = 0.5, *, session: str | None = None) -> None:
    """Write a run of one agent, in the place of what its stream was."""
    name = session or run_id
    facts = {"adw_id": run_id, "nl_input": "Add a CSV export", "created_at": made}
    use = assistant(f"m-{name}", session=name, content=[tool_use(f"t-{name}", command="make test")])
    answer = tool_result(f"t-{name}", session=name)
    stream(run(folder, run_id, facts), "planner", init(name), use, answer, result(cost, session=name))


@pytest.fixture
def url(history_url: URL, monkeypatch: pytest.MonkeyPatch) -> URL:
    """Use an empty history."""
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", history_url.render_as_string(hide_password=False))
    return history_url


def do_sync(agents: Path, **options: Any) -> dict[str, Any]:
    return sync.sync_workflow_history(silent=True, agents_dir=agents, **options)


def synced_into(file: Path, agents: Path) -> Path:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WORKFLOW_HISTORY_DB", str(file))
        do_sync(agents)
    return file


def old(**more: Any) -> list[RetentionRule]:
    return [parse_rule({"older_than": "2y", **more}, datetime(2026, 6, 1, tzinfo=UTC))]


def runs_in(place: URL | Path) -> dict[str, dict[str, Any]]:
    """Return every run by its id; the history has to be whole."""
    with History.open(place) as history:
        assert history.check() == []
        return {one["id"]: one for one in history.read([ref.key for ref in history.list_refs()]).values()}


@contextmanager
def meanwhile(
    patch: pytest.MonkeyPatch, owner: Any, name: str, work: Callable[[], object], *, after: bool = False
) -> Iterator[None]:
    """Do some work once: before the first call of a function of the program, or after it."""
    original = getattr(owner, name)
    left = [work]

    def first(*given: Any, **named: Any) -> Any:
        if left and not after:
            left.pop()()
        found = original(*given, **named)
        if left:
            left.pop()()
        return found

    with patch.context() as patched:
        patched.setattr(owner, name, first)
        yield
    assert left == [], "nothing called it"


# Keys


def test_no_run_gets_the_key_of_one_that_was_taken_out(url: URL) -> None:
    with History.open(url) as history:
        first = history.save([{"id": "a"}, {"id": "b"}]).keys
        history.prune(list(first.values()))
        (second,) = history.save([{"id": "c"}]).keys.values()
        assert second > max(first.values())
        history.merge_store().remove([second])
        (third,) = history.save([{"id": "d"}]).keys.values()
        assert third > second


def test_a_history_of_before_gives_no_key_twice(url: URL) -> None:
    with History.open(url) as history:
        history.save([{"id": "a"}, {"id": "b"}])
        with history._writing() as connection:
            connection.execute(last_keys.delete())
        (key,) = history.save([{"id": "c"}]).keys.values()
        assert key == 3


def test_a_prune_takes_out_the_run_that_it_meant_and_none_that_came_meanwhile(
    url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents = tmp_path / "shop" / "agents"
    make(agents, "new", NEW)
    do_sync(agents)
    make(agents, "old", OLD)
    do_sync(agents)

    def others() -> None:
        prune_history(old(), dry_run=False)
        make(agents, "newer", NEW)
        do_sync(agents)

    with meanwhile(monkeypatch, pruning, "_matching_runs", others, after=True):
        done = prune_history(old(), dry_run=False)
    assert sorted(runs_in(url)) == ["new", "newer"]
    assert done.runs == 0


def test_a_prune_leaves_a_run_that_is_no_longer_meant(
    url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with History.open(url) as history:
        history.save([{"id": f"old-{number}", "created_at": OLD} for number in range(2)])

    def begin_again() -> None:
        with History.open(url) as history:
            history.update("old-1", {"status": "running"})

    with meanwhile(monkeypatch, pruning, "_matching_runs", begin_again, after=True):
        done = prune_history(old(), dry_run=False)
    assert done.runs == 1
    assert sorted(runs_in(url)) == ["old-1"]


# Between the transactions of a prune


def test_each_transaction_of_a_prune_leaves_a_whole_history(
    url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = [
        {"id": f"run-{number}", "nl_input": f"Add export {number % 7}", "status": "completed"}
        | {"created_at": OLD if number % 3 else NEW, "duration_seconds": 60.0 + number % 5}
        for number in range(1_200)
    ]
    with History.open(url) as history:
        history.save(every)
    prune_history(old(status=["failed"]), dry_run=False)  # lists and packed figures are made
    found: list[list[str]] = []

    def look(*_: object) -> None:
        with History.open(url) as history:
            found.append(history.check())

    connected_claims = History.connected_claims

    def looking(history: History, keys: Any) -> Any:  # a prune calls it first in each of its transactions
        look()
        return connected_claims(history, keys)

    monkeypatch.setattr(pruning, "BATCH_RUNS", 400)
    with monkeypatch.context() as patched, meanwhile(monkeypatch, pruning, "finish", look):
        patched.setattr(History, "connected_claims", looking)
        prune_history(old(), dry_run=False)
    assert len(found) >= 3
    assert not any(found)
    assert len(runs_in(url)) == 400


# A resync beside others


@pytest.fixture
def attempts(url: URL, tmp_path: Path) -> tuple[Path, Path]:
    """A folder with a run's second attempt, whose cost was miscounted, and a history with the first one."""
    agents = tmp_path / "shop" / "agents"
    make(agents, "a", NEW, 1.0, session="first")
    other = synced_into(tmp_path / "other.db", agents)
    make(agents, "a", NEW, 0.25, session="second")
    do_sync(agents)
    with History.open(url) as history, history._writing() as connection:
        connection.execute(update(workflows).values(computed_cost_nanodollars=1))
    return agents, other


@pytest.mark.parametrize("every", [True, False], ids=["all", "one"])
def test_a_resync_keeps_the_attempt_that_a_merge_brings_meanwhile(
    url: URL, attempts: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, every: bool
) -> None:
    _, other = attempts
    with meanwhile(monkeypatch, resync.Surroundings, "read", lambda: merge_history(other), after=True):
        if every:
            assert resync.resync_all_completed_workflows(None)["successful"] == 1
        else:
            assert resync.resync_workflow_cost("a")["success"] is True
    run = runs_in(url)["a"]
    assert sorted(phase["cost"] for phase in run["phase_costs"]) == [0.25, 1.0]
    assert run["total_cost"] == 1.25


def pruned_while_read(monkeypatch: pytest.MonkeyPatch) -> AbstractContextManager[None]:
    """Have all runs pruned after a resync has read one."""
    every = [parse_rule({"project": "shop"})]
    prune = partial(prune_history, every, dry_run=False)
    return meanwhile(monkeypatch, resync.Surroundings, "read", prune, after=True)


def test_a_resync_stores_no_run_that_is_pruned_meanwhile(
    url: URL, attempts: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pruned_while_read(monkeypatch):
        done = resync.resync_all_completed_workflows(None)
    assert (done["total_processed"], done["failed"]) == (0, 0)
    assert runs_in(url) == {}
    assert resync.resync_workflow_cost("a")["message"] == "no run has this id"


def test_a_resync_of_one_run_that_is_pruned_meanwhile_says_so(
    url: URL, attempts: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pruned_while_read(monkeypatch):
        done = resync.resync_workflow_cost("a")
    assert (done["success"], done["message"]) == (False, "no run has this id")
    assert runs_in(url) == {}


# Merges at once


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another history: two runs, one that was pruned, a broken file beside them, and a decision."""
    agents = tmp_path / "mill" / "agents"
    for number in range(3):
        make(agents, f"run-{number}", OLD if number == 2 else NEW)
    file = synced_into(tmp_path / "other.db", agents)
    with History.open(file) as history:
        history.save_folder_problems(str(agents), [Problem("notes.jsonl", "no run is to be seen in it")])
        history.decide_pattern(history.pattern_totals()[0].id, "accepted", "a script does it")
        history.prune([history.find("run-2").key])
    return file


def beside_runs(place: URL | Path) -> dict[str, list[Any]]:
    """Return what a history knows beside its runs."""
    with History.open(place) as history:
        assert history.check() == []
        own = history.merge_store()
        decided = [(row["signature"], row["status"], row["note"]) for row in own.pattern_decisions()]
        return {
            "syncs": own.syncs(),
            "problems": own.folder_problems(),
            "pruned": own.pruned(),
            "decided": sorted(decided, key=repr),
        }


@pytest.mark.parametrize("moment", ["pruned", "refs", "pattern_decisions", "syncs", "folder_problems"])
def test_two_merges_of_a_history_at_once_store_everything_once(
    url: URL, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    with meanwhile(monkeypatch, MergeStore, moment, lambda: merge_history(other), after=True):
        merge_history(other)
    assert beside_runs(url) == beside_runs(other)
    assert sorted(runs_in(url)) == ["run-0", "run-1"]
    merge_history(other)
    assert beside_runs(url) == beside_runs(other)


def test_a_merge_leaves_a_decision_that_is_made_meanwhile(
    url: URL, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge_history(other)
    with History.open(other) as history:
        (pattern,) = history.find_pattern("make test")
        history.decide_pattern(pattern.id, "accepted", "still")

    def dismiss() -> None:
        with History.open(url) as history:
            history.decide_pattern(pattern.id, "dismissed", "it is rarely needed")

    with meanwhile(monkeypatch, merge_store, "_is_later", dismiss):
        merge_history(other)
    assert ("make test", "dismissed", "it is rarely needed") in beside_runs(url)["decided"]


def test_a_merge_stores_no_run_that_is_pruned_meanwhile(
    url: URL, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge_history(other)
    every = [parse_rule({"project": "mill"})]
    with History.open(other) as history:
        history.update("run-0", {"nl_input": "Add an export of all tables", "last_written_ns": 2**62})
    with meanwhile(monkeypatch, merging, "plan_merge", lambda: prune_history(every, dry_run=False)):
        done = merge_history(other)
    assert runs_in(url) == {}
    assert done.pruned == 2


def test_a_decision_on_a_pattern_that_no_run_here_shows_is_taken_over(url: URL, other: Path) -> None:
    with History.open(url) as history:
        history.save([{"id": "own"}])
        found = {"kind": "operation", "signature": "sort", "count": 2, "seconds": 1.0, "cost": None}
        history.save_patterns({history.find("own").key: [found]})
    with History.open(other) as history:
        history.prune([ref.key for ref in history.list_refs()])
    assert merge_history(other).patterns_decided == 1
    assert ("make test", "accepted", "a script does it") in beside_runs(url)["decided"]


def test_a_history_with_texts_that_another_merge_begins_meanwhile_gets_none_without(
    url: URL, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "quiet" / "agents", "silent", NEW)
    with monkeypatch.context() as patched:
        patched.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "quiet.db"))
        do_sync(tmp_path / "quiet" / "agents", no_text=True)
    with (
        pytest.raises(InvalidQueryError, match="keeps no texts"),
        meanwhile(monkeypatch, merging, "plan_merge", lambda: merge_history(other)),
    ):
        merge_history(tmp_path / "quiet.db")
    assert sorted(runs_in(url)) == ["run-0", "run-1"]
