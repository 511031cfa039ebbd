"""Histories of several machines merge in any order, any number of times, each dollar once."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.server.core.workflow_history import sync
from app.server.core.workflow_history.analysis.patterns.records import PatternStatus
from app.server.core.workflow_history.common.errors import (
    DatabaseTooNewError,
    InvalidQueryError,
    WorkflowHistoryError,
)
from app.server.core.workflow_history.maintenance.merge.merge_history import merge_history
from app.server.core.workflow_history.maintenance.merge.versions import canonical_json
from app.server.core.workflow_history.maintenance.records import DuplicateStream, MergeResult
from app.server.core.workflow_history.resync import resync_workflow_cost
from app.server.core.workflow_history.storage.connection.advisory_lock import HOST_VARIABLE
from app.server.core.workflow_history.storage.history import History
from app.server.tests.support.build import assistant, init, result, run, stream, tool_result, tool_use
from app.server.tests.support.thoroughness import tries

HISTORYS_OWN = {"first_seen_at", "last_changed_at", "similar_workflows"}


@contextmanager
def using(file: Path, host: str = "here") -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WORKFLOW_HISTORY_DB", str(file))
        patched.setenv(HOST_VARIABLE, host)
        yield


def synced(file: Path, folder: Path, host: str, **options: Any) -> dict[str, Any]:
    with using(file, host):
        return sync.sync_workflow_history(silent=True, agents_dir=folder, **options)


def merged(into: Path, *others: Path, **options: Any) -> MergeResult:
    with using(into):
        found = [merge_history(other, **options) for other in others]
    return found[-1]


def content(file: Path) -> dict[str, Any]:
    """Return all that a history knows, but for what it found out by itself: when it saw it, and its keys."""
    with History.open(file) as history:
        assert history.check() == []
        whole = history.merge_store()
        refs = {ref.key: f"{ref.project}/{ref.id}" for ref in whole.refs()}
        runs = whole.read(list(refs))
        with history._reading() as connection:
            pairs = connection.exec_driver_sql(
                "SELECT workflow_key, similar_key, score FROM similar_pairs"
            ).all()
        return {
            "runs": {refs[key]: json.loads(canonical_json(one.workflow)) for key, one in runs.items()},
            "patterns": {refs[key]: dict(one.patterns) for key, one in runs.items()},
            "problems": {refs[key]: one.problems for key, one in runs.items()},
            "lists": {(refs[key], refs[near], round(score, 9)) for key, near, score in pairs},
            "decided": {row["id"]: (row["status"], row["note"]) for row in whole.pattern_decisions()},
            "syncs": sorted(map(repr, whole.syncs())),
        }


def written(file: Path) -> list[float | None]:
    with History.open(file) as history:
        keys = [ref.key for ref in history.merge_store().refs()]
        return [claim.written for own in history.claims(keys).values() for claim in own]


def money(file: Path) -> float:
    return round(sum(run.get("total_cost") or 0 for run in content(file)["runs"].values()), 9)


def agent(
    folder: Path, run_id: str, session: str, cost: float, *, name: str = "planner", day: int = 1
) -> None:
    lines = (tool_use(f"t-{session}", command="make test"), tool_result(f"t-{session}", session=session))
    stream(
        run(
            folder,
            run_id,
            {"adw_id": run_id, "nl_input": "Add a CSV export", "created_at": f"2026-01-{day:02}T10:00:00Z"},
        ),
        name,
        init(session),
        assistant(f"m-{session}", session=session, content=[lines[0]]),
        lines[1],
        result(cost, session=session),
    )


@pytest.fixture
def machines(tmp_path: Path) -> tuple[Path, Path]:
    """Two histories of two machines, with a run each, and one of the same name that is not the same."""
    for number, host in enumerate(("east", "west"), 1):
        folder = tmp_path / host / "shop" / "agents"
        agent(folder, f"only-{host}", f"own-{host}", 0.25)
        agent(folder, "run-1", f"first-{host}", number, day=number)
        synced(tmp_path / f"{host}.db", folder, host)
    return tmp_path / "east.db", tmp_path / "west.db"


def test_runs_of_both_machines_are_there_and_each_dollar_once(
    tmp_path: Path, machines: tuple[Path, Path]
) -> None:
    done = merged(tmp_path / "all.db", *machines)
    assert (done.runs, done.inserted, done.renamed, done.shared) == (2, 2, 1, ())
    names = sorted(content(tmp_path / "all.db")["runs"])
    assert [name.split("~")[0] for name in names] == ["shop/only-east", "shop/only-west", *["shop/run-1"] * 2]
    assert money(tmp_path / "all.db") == 3.5


def test_a_second_merge_changes_nothing_and_writes_nothing(
    tmp_path: Path, machines: tuple[Path, Path]
) -> None:
    file = tmp_path / "all.db"
    merged(file, *machines)
    before, stored = content(file), file.read_bytes()
    done = merged(file, *machines)
    assert (done.unchanged, done.inserted, done.updated, done.syncs) == (2, 0, 0, 0)
    assert content(file) == before
    assert file.read_bytes() == stored


def test_the_other_history_stays_as_it_is(tmp_path: Path, machines: tuple[Path, Path]) -> None:
    before = [file.read_bytes() for file in machines]
    merged(tmp_path / "all.db", *machines)
    assert [file.read_bytes() for file in machines] == before


def test_a_dry_run_tells_the_same_and_stores_nothing(tmp_path: Path, machines: tuple[Path, Path]) -> None:
    file = tmp_path / "all.db"
    dry = merged(file, machines[0], dry_run=True)
    assert not file.exists()
    done = merged(file, machines[0])
    assert replace(dry, dry_run=False, duration_seconds=done.duration_seconds) == done
    before = file.read_bytes()
    assert merged(file, machines[1], dry_run=True).inserted == 2
    assert file.read_bytes() == before


def test_either_may_be_merged_into_the_other(tmp_path: Path, machines: tuple[Path, Path]) -> None:
    east, west = machines
    merged(east, west)
    merged(west, east)
    assert content(east) == content(west)


def test_a_run_that_two_histories_saw_at_different_times_is_one_with_all_its_attempts(tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "agents"
    agent(folder, "a1", "s1", 0.5)
    synced(tmp_path / "early.db", folder, "east")
    agent(folder, "a1", "s2", 0.75)  # a retry overwrites the stream
    synced(tmp_path / "late.db", folder, "east")
    for name, order in (("one", ("early", "late")), ("other", ("late", "early"))):
        merged(tmp_path / f"{name}.db", *(tmp_path / f"{file}.db" for file in order))
    found = content(tmp_path / "one.db")
    assert content(tmp_path / "other.db") == found
    assert found["runs"]["shop/a1"]["total_cost"] == 1.25
    assert [(part["attempt"], part["superseded"]) for part in found["runs"]["shop/a1"]["phase_costs"]] == [
        (1, True),
        (2, False),
    ]


def test_attempts_that_no_line_dates_are_in_the_order_of_their_files_whatever_the_order_of_merges(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "shop" / "agents"
    files = []
    for hour, session in enumerate(("west-a-plan-2", "west-a-plan-3", "west-a-plan-1")):
        agent(folder, "a1", session, 1 + hour)  # a retry overwrites the stream
        os.utime(folder / "a1" / "planner" / "raw_output.jsonl", (1_780_000_000 + 3600 * hour,) * 2)
        files.append(tmp_path / f"{hour}.db")
        synced(files[-1], folder, "west")
    found = []
    for number, order in enumerate(permutations(files)):
        into = tmp_path / f"into-{number}.db"
        merged(into, *order)
        found.append(content(into)["runs"]["shop/a1"])
    assert all(one == found[0] for one in found)
    assert [(part["cost"], part["superseded"]) for part in found[0]["phase_costs"]] == [
        (1.0, True),
        (2.0, True),
        (3.0, False),
    ]


def test_a_copied_folder_is_one_run_whatever_the_machine(tmp_path: Path) -> None:
    for host in ("east", "west"):
        folder = tmp_path / host / "shop" / "agents"
        agent(folder, "a1", "s1", 0.5)
        synced(tmp_path / f"{host}.db", folder, host)
    merged(tmp_path / "all.db", tmp_path / "east.db", tmp_path / "west.db")
    assert money(tmp_path / "all.db") == 0.5


def test_when_a_copied_stream_was_first_written_stays_known_after_a_resync(tmp_path: Path) -> None:
    for host, day in (("east", 20), ("west", 10)):
        folder = tmp_path / host / "shop" / "agents"
        agent(folder, "a1", "s1", 0.5)
        for file in folder.rglob("*.jsonl"):
            os.utime(file, (1_760_000_000 + day * 86_400,) * 2)
        synced(tmp_path / f"{host}.db", folder, host)
    east = tmp_path / "east.db"
    merged(east, tmp_path / "west.db")
    assert written(east) == [1_760_864_000]
    with using(east, "east"):
        assert resync_workflow_cost("a1")["message"] == "its costs are up to date"
    assert written(east) == [1_760_864_000]


def test_a_run_under_two_projects_is_told_of(tmp_path: Path) -> None:
    for project in ("shop", "clone"):
        folder = tmp_path / project / "agents"
        agent(folder, "a1", "s1", 0.5)
        synced(tmp_path / f"{project}.db", folder, "east")
    done = merged(tmp_path / "all.db", tmp_path / "shop.db", tmp_path / "clone.db")
    assert done.shared == (DuplicateStream("clone/a1", "shop/a1"),)


def test_a_sync_after_a_merge_finds_its_own_runs_unchanged_and_the_others_not_gone(
    tmp_path: Path, machines: tuple[Path, Path]
) -> None:
    east, west = machines
    merged(east, west)
    stats = synced(east, tmp_path / "east" / "shop" / "agents", "east")
    assert (stats["unchanged"], stats["inserted"], stats["missing"]) == (2, 0, 0)


def test_a_run_of_another_machine_is_not_laid_over(tmp_path: Path, machines: tuple[Path, Path]) -> None:
    """Its folder is not here to be looked at: that its streams are others tells it apart."""
    file = tmp_path / "all.db"
    merged(file, machines[0])
    stats = synced(file, tmp_path / "west" / "shop" / "agents", "west")
    assert (stats["inserted"], stats["failed"]) == (1, 1)
    assert "east: " in stats["errors"][0]["reason"]
    assert money(file) == 1.5


def test_the_same_path_on_another_machine_is_another_folder(tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "agents"
    agent(folder, "a1", "s1", 0.5)
    synced(tmp_path / "all.db", folder, "east")
    (folder / "a1").rename(tmp_path / "away")
    agent(folder, "b1", "s2", 0.5)
    assert synced(tmp_path / "all.db", folder, "west")["newly_missing"] == 0
    assert synced(tmp_path / "all.db", folder, "east")["newly_missing"] == 1


def test_a_machine_that_got_another_name_still_knows_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "agents"
    for name in ("a1", "a2"):
        agent(folder, name, name, 0.5)
    synced(tmp_path / "all.db", folder, "container-1")
    (folder / "a1").rename(tmp_path / "away")
    stats = synced(tmp_path / "all.db", folder, "container-2")
    assert (stats["unchanged"], stats["newly_missing"]) == (1, 1)


def test_what_was_decided_last_on_a_pattern_holds(tmp_path: Path, machines: tuple[Path, Path]) -> None:
    east, west = machines
    decisions: tuple[tuple[Path, PatternStatus], ...] = ((east, "accepted"), (west, "dismissed"))
    for file, status in decisions:
        with History.open(file) as history:
            history.decide_pattern(history.pattern_totals(min_runs=1)[0].id, status, f"by {file.stem}")
    for order in permutations(machines):
        file = tmp_path / f"{order[0].stem}-first.db"
        merged(file, *order)
        assert ("dismissed", "by west") in content(file)["decided"].values()
        assert ("accepted", "by east") not in content(file)["decided"].values()


def test_a_newer_history_is_refused(tmp_path: Path, machines: tuple[Path, Path]) -> None:
    with sqlite3.connect(machines[0]) as connection:
        connection.execute("UPDATE workflow_history_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(DatabaseTooNewError, match=r"9999.*Upgrade the program"):
        merged(tmp_path / "all.db", machines[0])


@pytest.mark.parametrize(
    ("other", "error", "said"),
    [
        ("all.db", InvalidQueryError, "the history in use"),
        ("none.db", WorkflowHistoryError, "No history at"),
        ("empty.db", WorkflowHistoryError, "is not a history"),
        ("text.db", WorkflowHistoryError, "not an SQLite database"),
    ],
)
def test_what_is_no_other_history_is_refused(
    tmp_path: Path, other: str, error: type[Exception], said: str
) -> None:
    sqlite3.connect(tmp_path / "empty.db").close()
    (tmp_path / "text.db").write_text("no database, but long enough to be looked at" * 50)
    with pytest.raises(error, match=said):
        merged(tmp_path / "all.db", tmp_path / other)


@pytest.mark.parametrize("own_texts", [True, False])
def test_a_history_with_texts_is_not_mixed_with_one_without(
    tmp_path: Path, machines: tuple[Path, Path], own_texts: bool
) -> None:
    agents = tmp_path / "elsewhere" / "agents"
    run(agents, "c0ffee00", {"adw_id": "c0ffee00", "nl_input": "Add a login"})
    silent = tmp_path / "silent.db"
    synced(silent, agents, "quiet", no_text=True)
    ours, theirs = (machines[0], silent) if own_texts else (silent, machines[0])
    before = content(ours)
    with pytest.raises(InvalidQueryError, match=r"keeps no texts .* db redact --no-text"):
        merged(ours, theirs)
    assert content(ours) == before


Step = Callable[[Path], None]


@st.composite
def pasts(draw: st.DrawFn) -> list[tuple[str, int, list[tuple[str, str, int]]]]:
    """Return what happens on some machines: when each is synced, and which runs were at work by then."""
    machines = draw(st.lists(st.sampled_from(["east", "west", "north"]), min_size=2, max_size=3))
    work = st.tuples(st.sampled_from("ab"), st.sampled_from(["plan", "build"]), st.integers(1, 3))
    return [
        (host, number, draw(st.lists(work, min_size=1, max_size=4))) for number, host in enumerate(machines)
    ]


@tries(12, function_fixtures=True)
@given(past=pasts())
def test_any_order_of_merges_ends_in_the_same_history(
    past: list[tuple[str, int, list[tuple[str, str, int]]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("merge")
    files = []
    for host, number, work in past:
        folder = place / host / "shop" / "agents"
        for run_id, name, session in work:
            agent(folder, run_id, f"{host}-{run_id}-{name}-{session}", session / 4, name=name)
        files.append(place / f"{number}.db")
        synced(files[-1], folder, host)
    found = []
    for number, order in enumerate(permutations(files)):
        into = place / f"into-{number}.db"
        merged(into, *order)
        merged(into, order[0])
        found.append(content(into))
    assert all(one == found[0] for one in found[1:])
    paid = {
        (run_id, part["identity"]): part["cost"]
        for file in files
        for run_id, one in content(file)["runs"].items()
        for part in one["phase_costs"]
    }
    assert round(sum(run.get("total_cost") or 0 for run in found[0]["runs"].values()), 9) == sum(
        paid.values()
    )
