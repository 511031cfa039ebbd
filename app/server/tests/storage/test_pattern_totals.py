"""Totals of patterns equal their occurrences, and decisions survive every sync."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select

from app.server.core.workflow_history import database, sync_workflow_history
from app.server.core.workflow_history.analysis.patterns import pattern_id
from app.server.core.workflow_history.analysis.patterns.records import PatternTotals
from app.server.core.workflow_history.common.errors import InvalidQueryError, PatternNotFoundError
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.queries.export import export
from app.server.core.workflow_history.resync import resync_all_completed_workflows
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.tables.schema import occurrences, patterns, workflows
from app.server.tests.support.build import assistant, init, result, run, stream, tool_result, tool_use
from app.server.tests.support.thoroughness import tries


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "history.db"
    monkeypatch.setattr(database, "DB_PATH", file)
    return file


@pytest.fixture
def history(file: Path) -> Iterator[History]:
    with History.open(file) as opened:
        yield opened


def seen(signature: str, count: int = 1, **more: Any) -> dict[str, Any]:
    return {"kind": "operation", "signature": signature, "count": count, **more}


def with_runs(history: History, *names: str, **more: Any) -> list[int]:
    """Store runs of rising days; return their keys in that order."""
    days = [f"2025-01-{day:02}T00:00:00Z" for day in range(1, len(names) + 1)]
    history.save([{"id": name, "created_at": day, **more} for name, day in zip(names, days, strict=True)])
    keys = history.keys_of([("", name) for name in names])
    return [keys["", name] for name in names]


def added_up(history: History) -> dict[str, dict[str, Any]]:
    """Add up the occurrences one by one, in plain words."""
    with history._reading() as connection:
        ids = {row.key: row.id for row in connection.execute(select(patterns.c.key, patterns.c.id))}
        rows = [dict(row) for row in connection.execute(select(occurrences)).mappings()]
    found: dict[str, dict[str, Any]] = {
        name: dict.fromkeys(
            ("runs", "count", "successes", "failures", "nanodollars", "unpriced_runs", "untimed_runs"), 0
        )
        | {"seconds": 0.0}
        for name in ids.values()
    }
    milliseconds = dict.fromkeys(found, 0)
    for row in rows:
        name = ids[row["pattern_key"]]
        sums = found[name]
        sums["runs"] += 1
        for column in ("count", "successes", "failures"):
            sums[column] += row[column] or 0
        if row["cost_nanodollars"] is None:
            sums["unpriced_runs"] += 1
        else:
            sums["nanodollars"] += row["cost_nanodollars"]
        if row["seconds"] is None:
            sums["untimed_runs"] += 1
        else:
            milliseconds[name] += int(row["seconds"] * 1000 + 0.5)
            sums["seconds"] = milliseconds[name] / 1000
    return found


def told(found: list[PatternTotals], like: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one.id: {name: getattr(one, name) for name in like.get(one.id, {})} for one in found}


FINDING = st.fixed_dictionaries(
    {"kind": st.sampled_from(["operation", "sequence"]), "signature": st.sampled_from("abc")},
    optional={
        "count": st.none() | st.integers(0, 9),
        "successes": st.none() | st.integers(0, 9),
        "failures": st.none() | st.integers(0, 9),
        "cost": st.none() | st.integers(0, 10**12).map(lambda nanodollars: nanodollars / 10**9),
        "seconds": st.none() | st.floats(0, 1e6),
    },
)
STEP = st.one_of(
    st.tuples(
        st.sampled_from(["builtin", "host"]),
        st.dictionaries(st.integers(0, 3), st.lists(FINDING, max_size=4), max_size=4),
    ),
    st.tuples(st.just("delete"), st.integers(0, 3)),
    st.tuples(st.just("roll back"), st.lists(FINDING, max_size=2)),
)


@tries(60)
@given(steps=st.lists(STEP, max_size=8))
def test_sums_are_those_of_the_occurrences_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any]]
) -> None:
    with History.open(tmp_path_factory.mktemp("sums") / "history.db") as history:
        keys = with_runs(history, *"abcd", status="completed")
        for what, how in steps:
            take(history, keys, what, how)
            expected = added_up(history)
            assert told(history.pattern_totals(min_runs=0), expected) == expected
        assert history.check() == []
        some = {name: sums for name, sums in expected.items() if sums["runs"]} if steps else {}
        assert told(history.pattern_totals(RunFilter(status=("completed",)), min_runs=1), some) == some


def take(history: History, keys: list[int], what: str, how: Any) -> None:
    """Do one step; a run that was deleted is stored anew, under a key of its own."""
    if what == "delete":
        with history._writing() as connection:
            connection.execute(delete(workflows).where(workflows.c.key == keys[how]))
        keys[how] = with_runs(history, f"again-{keys[how]}", status="completed")[0]
    elif what == "roll back":
        with pytest.raises(KeyError):
            store_and_fail(history, {keys[0]: how})
    else:
        history.save_patterns({keys[at]: findings for at, findings in how.items()}, detector=what)


def store_and_fail(history: History, found: dict[int, Any]) -> None:
    with history.transaction():
        history.save_patterns(found)
        raise KeyError("something unforeseen")


def test_a_pattern_that_another_detector_takes_over_counts_once(history: History) -> None:
    [key] = with_runs(history, "a")
    history.save_patterns({key: [seen("x", 2, cost=0.5)]}, detector="host")
    history.save_patterns({key: [seen("x", 5, seconds=1.5)]})
    [found] = history.pattern_totals(min_runs=1)
    assert (found.runs, found.count, found.nanodollars, found.unpriced_runs) == (1, 5, 0, 1)
    assert (found.seconds, found.untimed_runs) == (1.5, 0)


def test_sums_of_seconds_do_not_drift(history: History) -> None:
    first, second = with_runs(history, "a", "b")
    history.save_patterns({first: [seen("x", seconds=0.1)], second: [seen("x", seconds=0.2)]})
    for _ in range(50):
        history.save_patterns({second: []})
        history.save_patterns({second: [seen("x", seconds=0.2)]})
    assert [found.seconds for found in history.pattern_totals()] == [0.3]


def test_amounts_that_no_run_can_have_are_unknown_and_stop_nothing(history: History) -> None:
    keys = with_runs(history, "a", "b")
    odd = seen("x", 2**62, successes=-1, cost=9e9, seconds=1e300)
    history.save_patterns({key: [odd] for key in keys}, detector="host")
    [found] = history.pattern_totals()
    assert (found.count, found.successes, found.unpriced_runs, found.untimed_runs) == (0, 0, 2, 2)
    assert history.check() == []


# --- decisions


def one_run(agents: Path, name: str) -> None:
    lines = [init(name)]
    for place in range(2):
        call = tool_use(f"t{place}", command="uv run pytest")
        lines.append(assistant(f"m{place}{name}", content=[call], session=name))
        lines.append(tool_result(f"t{place}", session=name))
    stream(run(agents, name, {"adw_id": name}), "builder", *lines, result(session=name))


def test_a_decision_outlives_every_sync(file: Path, tmp_path: Path) -> None:
    agents = tmp_path / "shop" / "agents"
    for name in ("aaaa1111", "bbbb2222"):
        one_run(agents, name)
    sync_workflow_history(silent=True, agents_dir=agents)
    with History.open(file) as history:
        [found, *_] = history.pattern_totals(kinds=["operation"])
        history.decide_pattern(found.id, "dismissed", "it is only the tests")
    one_run(agents, "cccc3333")
    stream(agents / "bbbb2222", "planner", init(), assistant("m9"), result())  # a known run that changed
    sync_workflow_history(silent=True, agents_dir=agents)
    assert resync_all_completed_workflows(status_filter=None)["total_processed"] == 3
    with History.open(file) as history:
        [after] = history.pattern_totals(statuses=["dismissed"])
        assert (after.id, after.runs, after.count) == (found.id, 3, 6)
        assert (after.note, after.decided_at is None) == ("it is only the tests", False)
        assert history.pattern_totals(kinds=["operation"], statuses=["detected"]) == []
        assert history.check() == []


def test_a_decision_can_be_taken_back(history: History) -> None:
    with_pattern(history, "make")
    name = pattern_id("operation", "make")
    history.decide_pattern(name, "accepted", "wrap it\x00")
    [accepted] = history.find_pattern(name)
    assert (accepted.status, accepted.note) == ("accepted", "wrap it\ufffd")
    assert accepted.decided_at is not None
    assert accepted.decided_at.endswith("Z")
    history.decide_pattern(name, "detected", "never mind")
    [detected] = history.find_pattern(name)
    assert (detected.status, detected.note, detected.decided_at) == ("detected", None, None)


def test_what_cannot_be_decided_is_refused(history: History) -> None:
    with_pattern(history, "make")
    with pytest.raises(PatternNotFoundError, match="0000000000000000"):
        history.decide_pattern("0" * 16, "accepted")
    wrong: Any = "liked"
    with pytest.raises(InvalidQueryError, match="accepted, dismissed"):
        history.decide_pattern(pattern_id("operation", "make"), wrong)


# --- names


def with_pattern(history: History, *signatures: str) -> list[int]:
    """Store two runs that show these patterns."""
    keys = with_runs(history, "a", "b")
    history.save_patterns({key: [seen(signature) for signature in signatures] for key in keys})
    return keys


def test_a_pattern_is_found_by_id_by_its_beginning_and_by_signature(history: History) -> None:
    with_pattern(history, "make", "npm test")
    name = pattern_id("operation", "make")
    for text in (name, name[:4], name[:9].upper(), "make"):
        assert [found.signature for found in history.find_pattern(text)] == ["make"], text
        assert len(history.matching_keys(RunFilter(pattern=text))) == 2, text
    for text in (name[:3], name + "0", "mak", "", "zzzz"):
        assert history.find_pattern(text) == [], text
        assert list(history.matching_keys(RunFilter(pattern=text))) == [], text


def test_a_signature_goes_before_ids_that_begin_so(history: History) -> None:
    taken = pattern_id("operation", "make")[:4]
    first, second = with_runs(history, "a", "b")
    history.save_patterns({first: [seen("make")], second: [seen(taken)]})
    assert [found.signature for found in history.find_pattern(taken)] == [taken]
    assert history.matching_keys(RunFilter(pattern=taken)) == [second]


def test_ids_that_begin_alike_are_all_found(history: History) -> None:
    by_beginning: dict[str, list[str]] = {}
    for number in range(2_000):  # more than enough for two of the same four digits
        by_beginning.setdefault(pattern_id("operation", f"s{number}")[:4], []).append(f"s{number}")
    beginning, twins = next((name, some) for name, some in by_beginning.items() if len(some) > 1)
    with_pattern(history, *twins, "other")
    assert {found.signature for found in history.find_pattern(beginning)} == set(twins)


# --- which are told


def test_patterns_are_told_by_kind_state_and_spread_the_most_widespread_first(history: History) -> None:
    first, second, third = with_runs(history, "a", "b", "c")
    step = {"kind": "sequence", "signature": "x → y", "count": 1}
    history.save_patterns(
        {first: [seen("x", 9), seen("y"), step], second: [seen("x"), step], third: [step, seen("z")]}
    )
    assert [found.signature for found in history.pattern_totals()] == ["x → y", "x"]
    assert [found.signature for found in history.pattern_totals(kinds=["operation"])] == ["x"]
    assert [found.signature for found in history.pattern_totals(min_runs=3)] == ["x → y"]
    assert {found.signature for found in history.pattern_totals(min_runs=1)} == {"x", "y", "z", "x → y"}
    assert history.pattern_totals(kinds=[]) == []


def test_a_filter_sums_the_runs_that_are_meant_alone(history: History) -> None:
    keys = with_runs(history, *"abcd")
    history.save_patterns({key: [seen("x", 10**at, cost=0.5)] for at, key in enumerate(keys)})
    history.save([{"id": "b", "status": "failed"}, {"id": "d", "status": "failed"}])
    [found] = history.pattern_totals(RunFilter(status=("failed",)))
    assert (found.runs, found.count, found.nanodollars) == (2, 1010, 1_000_000_000)
    assert history.pattern_totals(RunFilter(status=("failed",)), min_runs=3) == []


def test_examples_are_the_newest_runs_that_are_meant(history: History) -> None:
    keys = with_runs(history, *"abcd", project="", agents_dir="shop/agents")
    here = {"example_path": "x/raw.jsonl", "example_line": 7}
    history.save_patterns({key: [seen("x", at, cost=0.5, **here)] for at, key in enumerate(keys[:3])})
    history.save([{"id": "undated"}])
    history.save_patterns({history.keys_of([("", "undated")])["", "undated"]: [seen("x")]})
    name = pattern_id("operation", "x")
    newest, *_ = found = history.pattern_examples(name)
    assert [one.id for one in found] == ["c", "b", "a"]
    assert tuple(newest) == (
        "", "c", "2025-01-03T00:00:00Z", 2, 500_000_000, "x/raw.jsonl", 7, "shop/agents", None
    )  # fmt: skip
    assert [one.id for one in history.pattern_examples(name, 9)] == ["c", "b", "a", "undated"]
    assert [one.id for one in history.pattern_examples(name, 2, RunFilter(search="a"))] == ["a"]
    assert history.pattern_examples("0" * 16) == []


def test_an_export_of_all_runs_says_the_same_with_and_without_a_filter(history: History) -> None:
    keys = with_runs(history, "a", "b", status="completed")
    history.save_patterns({key: [seen("x", 2, cost=0.1, seconds=0.3), seen("y")] for key in keys})
    texts = []
    for where in (RunFilter(), RunFilter(status=("completed",))):
        text = io.BytesIO()
        export("patterns", text, where=where)
        texts.append(text.getvalue().decode())
    assert texts[0] == texts[1]
    unknown = next(row for row in csv.DictReader(io.StringIO(texts[0])) if row["signature"] == "y")
    assert (unknown["cost"], unknown["duration_seconds"]) == ("", "")


# --- the database


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("UPDATE patterns SET runs = 7", "operation 'x': runs is 7, its runs add up to 2"),
        ("DELETE FROM occurrences", "operation 'x': count is 6, its runs add up to 0"),
        (
            "UPDATE occurrences SET seconds = 2",
            "operation 'x': milliseconds is 1000, its runs add up to 4000",
        ),
    ],
)
def test_sums_that_differ_from_the_occurrences_are_damage(file: Path, damage: str, sentence: str) -> None:
    with History.open(file) as history:
        keys = with_runs(history, "a", "b")
        history.save_patterns({key: [seen("x", 3, seconds=0.5)] for key in keys})
        assert history.check() == []
    with sqlite3.connect(file) as connection:
        connection.execute(damage)
    connection.close()
    with History.open(file) as history:
        assert sentence in history.check()
