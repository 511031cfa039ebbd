"""Stored lists of similar runs equal a full recomputation, whatever was written in any order."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL

from app.server.core.workflow_history.analysis.similarity import top_matches
from app.server.core.workflow_history.common.errors import WorkflowHistoryError
from app.server.core.workflow_history.pipeline import similarity_update
from app.server.core.workflow_history.pipeline.similarity_update import (
    SimilarityUpdater,
    features_of,
    run_id_of,
)
from app.server.core.workflow_history.similarity import best_matches, build_table
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.rows.row_codec import WORKFLOW
from app.server.core.workflow_history.storage.writing.similarity_rows import stale_query
from app.server.tests.support.thoroughness import tries

LIMIT = 5
COMPLETE = [key for key in WORKFLOW.fields if key not in ("id", "project")]

# Few texts, words and amounts: most scores are equal to another one, or one of them away from the limit.
TEXTS = [
    "Add CSV export",
    "Add a CSV export of orders",
    "Fix the login form",
    "Rotate certificates",
    "!",
    None,
]
runs = st.fixed_dictionaries(
    {
        "project": st.sampled_from(["a", "b"]),
        "id": st.sampled_from([f"{number:02}" for number in range(14)]),
        "nl_input": st.sampled_from(TEXTS),
        "status": st.sampled_from(["completed", "Completed ", "failed", "unknown", None]),
        "total_cost": st.sampled_from([None, 0, 0.1, 0.1000000004, 0.2, "0.2", float("nan"), -1, 1.0, 2e7]),
        "duration_seconds": st.sampled_from([None, 0, 10, 20.5, 20.500000001]),
    }
)


def batches(least: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(runs, min_size=least, max_size=9, unique_by=run_id_of)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("sync"), st.lists(batches(0), min_size=1, max_size=3)),
        st.tuples(st.just("postponed"), st.lists(batches(0), min_size=1, max_size=3)),
        st.tuples(st.just("insert"), runs),
        st.tuples(st.just("update"), runs),
        st.tuples(st.just("named"), runs),
    ),
    max_size=8,
)


@pytest.fixture
def history(history_url: URL) -> Iterator[History]:
    with History.open(history_url) as opened:
        yield opened


def sync(history: History, *some: Sequence[dict[str, Any]]) -> None:
    """Store batches of runs as a sync does."""
    similarity = SimilarityUpdater(history)
    for batch in some or ([],):
        with history.transaction():
            similar = similarity.compute_changes([features_of(run) for run in batch])
            history.save(batch, replace=COMPLETE)
            similar.save(history, history.keys_of([run_id_of(run) for run in batch]))


def sync_postponed(history: History, *some: Sequence[dict[str, Any]]) -> None:
    """Store batches of runs, and all their lists at the end."""
    similarity = SimilarityUpdater(history)
    for batch in some:
        with history.transaction():
            similarity.add([features_of(run) for run in batch])
            history.save(batch, replace=COMPLETE)
    with history.transaction():
        similar = similarity.compute_changes()
        similar.save(history, history.keys_of([run_id_of(run) for batch in some for run in batch]))


def act(history: History, action: str, given_: Any) -> None:
    match action:
        case "sync":
            sync(history, *given_)
        case "postponed":
            sync_postponed(history, *given_)
        case "insert":
            history.insert(given_)
        case "update":
            history.update("/".join(run_id_of(given_)), given_)
        case "named":
            history.save([{**given_, "similar_workflows": [{"id": "07", "similarity_score": 0.99}] * 6}])


def lists_of(history: History) -> dict[int, list[tuple[int, float]]]:
    keys = [ref.key for ref in history.list_refs()]
    lists: dict[int, list[tuple[int, float]]] = {key: [] for key in keys}
    places = sorted(place for some in history.similarity().similar_lists(keys) for place in some)
    for key, rank, other, score in places:
        lists[key].append((other, score))
        assert rank == len(lists[key])
    return lists


def least_of(history: History) -> dict[int, float | None]:
    rows = [row for some in history.similarity().rows(similarity_update.MODEL_VERSION) for row in some]
    return {row[0]: row[-1] for row in rows}


def made_anew(history: History) -> dict[int, list[tuple[int, float]]]:
    """Return all lists, made of the stored rows by a path of its own: each run against all."""
    stored = history.read([ref.key for ref in history.list_refs()])
    key_of = {run_id_of(workflow): key for key, workflow in stored.items()}
    table = build_table(features_of(workflow) for workflow in stored.values())
    lists = {name: best_matches(table, [name])[name] for name in key_of}
    return {key_of[name]: [(key_of[o], score) for o, score in found] for name, found in lists.items()}


def assert_as_made_anew(history: History) -> None:
    lists = made_anew(history)
    assert lists_of(history) == lists
    assert least_of(history) == {
        key: found[-1][1] if len(found) == LIMIT else None for key, found in lists.items()
    }
    assert history.check() == []


@tries(60, function_fixtures=True)
@given(batches(4), STEPS)
def test_lists_are_as_if_made_anew_after_every_sync(
    tmp_path_factory: pytest.TempPathFactory, first: list[dict[str, Any]], steps: list[tuple[str, Any]]
) -> None:
    with History.open(tmp_path_factory.mktemp("steps") / "related.db") as history:
        sync(history, first)
        for action, given_ in steps:
            act(history, action, given_)
            if action in ("sync", "postponed"):
                assert_as_made_anew(history)
        sync(history)
        assert_as_made_anew(history)


@tries(15, function_fixtures=True)
@given(st.lists(batches(1), min_size=2, max_size=5))
def test_many_batches_and_one_give_the_same(
    tmp_path_factory: pytest.TempPathFactory, some: list[list[dict[str, Any]]]
) -> None:
    place = tmp_path_factory.mktemp("batches")
    latest = {run_id_of(run): run for batch in some for run in batch}
    found = []
    for name, store, given_ in (
        ("many", sync, some),
        ("late", sync_postponed, some),
        ("one", sync, [latest.values()]),
    ):
        with History.open(place / f"{name}.db") as history:
            store(history, *(list(batch) for batch in given_))
            names = {ref.key: (ref.project, ref.id) for ref in history.list_refs()}
            lists = lists_of(history)
            found.append(
                {names[key]: [(names[o], score) for o, score in pairs] for key, pairs in lists.items()}
            )
    assert found[0] == found[1] == found[2]


def many(count: int) -> list[dict[str, Any]]:
    words = ["order", "export", "table", "invoice", "login", "chart", "cache", "queue", "search"]
    return [
        {
            "project": "p",
            "id": f"{number:03}",
            "nl_input": f"Add {words[number % 9]} {words[number // 9 % 9]} {words[number % 7]}",
            "status": "completed",
            "total_cost": 1.0 + number % 11,
            "duration_seconds": 60.0 + number % 13,
        }
        for number in range(count)
    ]


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """How many rows were held against how many, call by call."""
    seen: list[tuple[int, int]] = []
    compare = top_matches._compare

    def counting(table: Any, lists: Any, floor: Any, left: Any, right: Any, **ways: Any) -> None:
        seen.append((len(left), len(right)))
        compare(table, lists, floor, left, right, **ways)

    monkeypatch.setattr(top_matches, "_compare", counting)
    return seen


def test_a_run_that_a_caller_inserts_costs_its_own_comparison(
    history: History, compared: list[tuple[int, int]]
) -> None:
    sync(history, many(300))
    compared.clear()
    history.insert({**many(1)[0], "id": "caller's"})
    sync(history)
    assert sum(left * right for left, right in compared) == 301
    compared.clear()
    sync(history)
    assert compared == []
    assert_as_made_anew(history)


def test_of_a_list_that_loses_its_best_only_itself_is_made_anew(
    history: History, compared: list[tuple[int, int]]
) -> None:
    every = many(300)
    sync(history, every)
    lists = lists_of(history)
    best = lists[1][0][0]
    holders = [key for key, pairs in lists.items() if any(other == best for other, _ in pairs)]
    compared.clear()
    sync(history, [{**every[best - 1], "nl_input": "Rotate certificates"}])
    assert 1 in holders
    assert sum(left * right for left, right in compared) <= 300 + 300 * len(holders) < 300 * 300
    assert_as_made_anew(history)


def test_nothing_is_loaded_where_nothing_changed(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    sync(history, many(20))
    similarity = SimilarityUpdater(history)
    monkeypatch.setattr(similarity, "_loaded", lambda: pytest.fail("loaded"))
    assert not similarity.compute_changes()


def test_a_new_model_makes_every_list_anew(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    sync(history, many(30))
    key = history.list_refs()[0].key
    history.similarity().save("words-0", [(key, bytes(160), "odd", 1, 1.0, 0.9)], [], [key], [])
    sync(history)
    assert_as_made_anew(history)


def test_what_another_program_stores_between_two_batches_is_compared_too(
    history: History, tmp_path: Path
) -> None:
    every = many(60)
    similarity = SimilarityUpdater(history)
    for batch in (every[:20], every[40:]):
        with history.transaction():
            similar = similarity.compute_changes([features_of(run) for run in batch])
            history.save(batch)
            similar.save(history, history.keys_of([run_id_of(run) for run in batch]))
        with History.open(tmp_path / "related.db") as other:
            sync(other, every[20:40])
    assert_as_made_anew(history)


def test_changes_that_were_rolled_back_are_forgotten(history: History) -> None:
    every = many(30)
    sync(history, every[:20])
    similarity = SimilarityUpdater(history)

    def store_and_fail() -> None:
        with history.transaction():
            similarity.compute_changes([features_of(run) for run in every[20:]])
            history.insert({})  # without an id

    with pytest.raises(WorkflowHistoryError):
        store_and_fail()
    similarity.reset()
    history.insert(every[25])
    similarity.compute_changes().save(history, {})
    assert_as_made_anew(history)


def test_what_a_run_is_compared_by_can_be_sent_to_another_process() -> None:
    features = features_of(many(1)[0])
    assert pickle.loads(pickle.dumps(features)) == features  # noqa: S301 - our own bytes


def test_runs_written_since_are_found_by_an_index(tmp_path: Path) -> None:
    with History.open(tmp_path / "related.db") as history:
        sync(history, many(50))
        with history._reading() as connection:
            found = stale_query("words-1")
            query = found.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
            plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
    assert any("ix_similarity_features_text_model" in step for step in plan), plan
    assert not any(step.startswith("SCAN") for step in plan), plan
