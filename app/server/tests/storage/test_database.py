"""The database returns the records it stored, merges without losing fields, and stays one file."""

from __future__ import annotations

import copy
import os
import pickle
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL

from app.server.core.workflow_history import analytics, database
from app.server.core.workflow_history.analysis.statistics.workflow_totals import (
    COLUMNS,
    summarize_columns,
    summarize_workflows,
)
from app.server.core.workflow_history.common.errors import (
    AmbiguousWorkflowError,
    InvalidQueryError,
    WorkflowHistoryError,
    WorkflowNotFoundError,
)
from app.server.core.workflow_history.common.models import Problem, Severity
from app.server.core.workflow_history.common.spending import NO_COST, Cost, run_cost, to_nanodollars
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.reading.runs import FolderCostTotals
from app.server.core.workflow_history.storage.rows.column_types import to_stored_money, to_timestamp
from app.server.core.workflow_history.storage.rows.row_codec import AGENT_RUN, MODEL_USAGE, WORKFLOW
from app.server.core.workflow_history.storage.rows.run_rows import to_pattern_rows, to_rows
from app.server.core.workflow_history.storage.tables.views import VIEW_COLUMNS
from app.server.core.workflow_history.storage.writing.similarity_rows import SimilarPairRow
from app.server.tests.support.thoroughness import tries

KINDS = {
    "text": st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    "whole": st.integers(-(2**63) + 1, 2**63 - 1),
    "real": st.floats(allow_nan=False, allow_infinity=False),
    "money": st.integers(0, 10**15).map(lambda nanodollars: nanodollars / 10**9),
    "flag": st.booleans(),
    "time": st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat()),
}
JSON_TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | JSON_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(JSON_TEXT, inner, max_size=3),
    max_leaves=6,
)
KINDS |= {"dict": st.dictionaries(JSON_TEXT, JSON, max_size=3), "list": st.lists(JSON, max_size=3)}
WRITTEN_BY_THE_HISTORY = {"id", "project", "first_seen_at", "last_changed_at", "missing_since", "copy_of"}


def records(codec: Any, leave_out: set[str]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {key: KINDS[field.kind] for key, field in codec.fields.items() if key not in leave_out}
    return st.fixed_dictionaries({}, optional={key: st.none() | kind for key, kind in fields.items()})


def agent_runs() -> st.SearchStrategy[dict[str, Any]]:
    models = st.lists(records(MODEL_USAGE, set()), max_size=2)
    return st.builds(lambda agent, models: {**agent, "models": models}, records(AGENT_RUN, set()), models)


def workflows() -> st.SearchStrategy[dict[str, Any]]:
    known = records(WORKFLOW, {*WORKFLOW.hidden, *WRITTEN_BY_THE_HISTORY})
    unknown = st.dictionaries(JSON_TEXT.map(lambda key: f"state_{key}"), JSON, max_size=3)
    agents = st.just({}) | st.lists(agent_runs(), min_size=1, max_size=2).map(
        lambda runs: {"phase_costs": runs}
    )
    return st.builds(lambda *parts: {k: v for part in parts for k, v in part.items()}, known, unknown, agents)


def assert_same(given_: Any, stored: Any, key: str = "") -> None:
    """Hold that all that was given is there: dicts may have gained keys, times another writing."""
    if isinstance(given_, dict) and key in {"", "phase_costs", "models"}:
        for name, value in given_.items():
            assert_same(value, stored[name], name)
    elif isinstance(given_, list) and key in {"phase_costs", "models"}:
        assert len(given_) == len(stored)
        for left, right in zip(given_, stored, strict=True):
            assert_same(left, right, key)
    elif given_ is not None and key in {"created_at", "started_at", "completed_at", "timestamp", "ended_at"}:
        assert datetime.fromisoformat(stored) == datetime.fromisoformat(given_)
    else:
        assert stored == given_


@pytest.fixture(autouse=True)
def own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "data" / "history.db"
    monkeypatch.setattr(database, "DB_PATH", file)
    return file


@pytest.fixture
def history(history_url: URL, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    monkeypatch.setattr(database, "DB_PATH", history_url)
    with History.open(history_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(module_history_url: URL) -> Iterator[History]:
    """One history for all examples of a property; each example uses an id of its own."""
    with History.open(module_history_url) as opened:
        yield opened


def number_of_examples(history: History) -> str:
    return f"run-{len(history.list_refs())}"


# --- what goes in comes out


@tries(60)
@given(workflow=workflows())
def test_what_goes_in_comes_out(shared: History, workflow: dict[str, Any]) -> None:
    name = number_of_examples(shared)
    assert shared.insert({**workflow, "id": name})
    stored = shared.get(name)
    assert stored is not None
    assert_same(workflow, stored)


@tries(40)
@given(first=workflows(), second=workflows())
def test_a_merge_never_loses_a_value(shared: History, first: dict[str, Any], second: dict[str, Any]) -> None:
    name = number_of_examples(shared)
    shared.insert({**first, "id": name})
    shared.update(name, second)
    known = {key: value for key, value in second.items() if value is not None}
    stored = shared.get(name)
    assert stored is not None
    assert_same({**first, **known}, stored)


@tries(25)
@given(workflow=workflows())
def test_writing_back_what_was_read_changes_nothing(shared: History, workflow: dict[str, Any]) -> None:
    name = number_of_examples(shared)
    shared.insert({**workflow, "id": name})
    before = shared.get(name)
    assert before is not None
    shared.update(name, copy.deepcopy(before))
    after = shared.get(name)
    assert after is not None
    assert {**after, "last_changed_at": None} == {**before, "last_changed_at": None}


amounts = st.none() | KINDS["money"]
bases = st.sampled_from(["reported", "computed", "lower_bound", "unpriced", None])
costs = st.fixed_dictionaries({"total_cost": amounts, "cost_basis": bases, "lower_bound_cost": amounts})


@tries(60)
@given(costs=costs, agents=st.none() | st.lists(st.fixed_dictionaries({"cost_basis": bases}), max_size=3))
def test_a_cost_comes_out_as_it_went_in_and_columns_keep_its_bound_apart(
    shared: History, costs: dict[str, Any], agents: list[dict[str, Any]] | None
) -> None:
    name = number_of_examples(shared)
    run = {**costs, **({} if agents is None else {"phase_costs": agents})}
    assert shared.insert({**run, "project": "", "id": name})
    stored = shared.get(name)
    assert stored is not None
    if costs["cost_basis"] != "lower_bound" or costs["total_cost"] is not None:
        assert {key: stored[key] for key in costs} == costs
    cost = run_cost({**run, "phase_costs": agents or []})
    (row,) = [row for row in shared.view("runs") if row["id"] == name]
    found = [to_nanodollars(row[key]) for key in ("total_cost", "lower_bound_cost")]
    assert found == [cost.recorded, cost.extra]


@tries(60)
@given(
    junk=st.dictionaries(
        st.sampled_from([*sorted(WORKFLOW.fields.keys() - {"copy_of"}), "phase_costs", "similar_workflows"]),
        JSON,
    )
)
def test_no_odd_value_stops_a_workflow(shared: History, junk: dict[str, Any]) -> None:
    name = number_of_examples(shared)
    assert shared.insert({**junk, "project": "", "id": name})
    stored = shared.get(name)
    assert stored is not None
    for key, value in junk.items():
        if key not in {"id", "project", *WORKFLOW.hidden} and value not in (None, [], {}):
            assert stored[key] not in (None, []) or key in stored["unreadable_values"]


def test_every_key_of_the_vocabulary_is_there_even_when_nothing_is_known() -> None:
    database.insert_workflow({"id": "a"})
    stored = database.get_workflow_by_id("a")
    assert stored is not None
    assert set(WORKFLOW.fields) - WORKFLOW.hidden <= set(stored)
    assert stored["cost_data"] is None
    assert stored["phase_costs"] == stored["similar_workflows"] == []
    assert stored["total_cost"] is None


def test_numbers_written_as_text_become_numbers() -> None:
    database.insert_workflow({"id": 7, "total_cost": "1.25", "input_tokens": "12", "issue_number": 42})
    stored = database.get_workflow_by_id("7")
    assert stored is not None
    assert (stored["total_cost"], stored["input_tokens"], stored["issue_number"]) == (1.25, 12, "42")


def test_an_odd_value_is_kept_beside_the_column_that_cannot_hold_it() -> None:
    database.insert_workflow(
        {"id": "a", "duration_seconds": "long", "created_at": "yesterday", "total_cost": "free"}
    )
    stored = database.get_workflow_by_id("a")
    assert stored is not None
    assert stored["duration_seconds"] is stored["created_at"] is stored["total_cost"] is None
    assert stored["unreadable_values"] == {
        "duration_seconds": "long",
        "created_at": "yesterday",
        "total_cost": "free",
    }


def test_an_odd_value_is_forgotten_once_a_good_one_is_known() -> None:
    database.insert_workflow({"id": "a", "duration_seconds": "long"})
    database.update_workflow("a", {"duration_seconds": 5})
    stored = database.get_workflow_by_id("a")
    assert stored is not None
    assert stored["duration_seconds"] == 5
    assert "unreadable_values" not in stored


def test_unknown_state_keys_are_kept_and_never_hide_known_ones() -> None:
    state = {
        "worktree_path": "/trees/a",
        "all_adws": ["plan"],
        "backend_port": None,
        "key": "k",
        "extra": {"a": 1},
    }
    database.insert_workflow({"id": "a", **state})
    database.update_workflow("a", {"backend_port": 9100, "worktree_path": None})
    stored = database.get_workflow_by_id("a")
    assert stored is not None
    assert {name: stored[name] for name in state} == {**state, "backend_port": 9100}


def test_text_that_no_database_holds_is_replaced() -> None:
    database.insert_workflow(
        {"id": "a\ud800", "nl_input": "a\x00b", "note\x00": ["c\udfff"], "score_parts": {"x": "\x00"}}
    )
    stored = database.get_workflow_by_id("a\ufffd")
    assert stored is not None
    assert stored["nl_input"] == "a\ufffdb"
    assert stored["note\ufffd"] == ["c\ufffd"]
    assert stored["score_parts"] == {"x": "\ufffd"}


def test_a_number_that_is_none_is_stored_as_unknown() -> None:
    odd = {"x": Decimal("NaN"), "y": float("inf"), "z": "NaN", "many": [[]] * 200}
    database.insert_workflow({"id": "a", "score_parts": odd, "note": odd})
    stored = database.get_workflow_by_id("a")
    assert stored is not None
    assert stored["score_parts"] == stored["note"] == {**odd, "x": None, "y": None}


def test_objects_that_are_no_json_are_kept_as_text() -> None:
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    database.insert_workflow(
        {"id": "a", "where": Path("x/y"), "when": moment, "share": Decimal("0.5"), "set": {1}}
    )
    stored = database.get_workflow_by_id("a")
    assert stored is not None
    assert (stored["where"], stored["when"]) == ("x/y", "2025-01-01T00:00:00+00:00")
    assert (stored["share"], stored["set"]) == (0.5, [1])


def test_nesting_too_deep_to_store_is_a_clear_error() -> None:
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    with pytest.raises(WorkflowHistoryError, match=r"'a'.*levels deep"):
        database.insert_workflow({"id": "a", "deep": deep})


@pytest.mark.parametrize("missing", [{}, {"id": None}, {"id": ""}, {"id": ["a"]}])
def test_a_workflow_without_an_id_is_a_clear_error(missing: dict[str, Any]) -> None:
    with pytest.raises(WorkflowHistoryError, match="Cannot store the run"):
        database.insert_workflow({"status": "completed", **missing})


# --- money and time


def test_money_is_exact_to_a_nanodollar(history: History) -> None:
    costs = [0.1, 0.2, 0.036000000000000004, 0.000000001]
    known = {"phase": "plan", "cost_basis": "reported"}
    history.insert({"id": "a", "phase_costs": [{**known, "cost": cost} for cost in costs]})
    assert history.view("spend_by_phase")[0]["cost"] == 0.336000001
    stored = history.get("a")
    assert stored is not None
    assert [run["cost"] for run in stored["phase_costs"]] == [0.1, 0.2, 0.036, 1e-09]


@given(st.decimals(0, 10**9, places=9))
def test_no_writing_of_an_amount_changes_it(amount: Decimal) -> None:
    assert to_stored_money(amount) == to_stored_money(str(amount)) == int(amount * 10**9)


@given(st.lists(st.datetimes(timezones=st.timezones() | st.just(UTC)), min_size=2, max_size=5))
def test_stored_times_sort_as_text_as_they_do_in_time(moments: list[datetime]) -> None:
    inside = [moment for moment in moments if 2 < moment.year < 9998]
    stored = [to_timestamp(moment.isoformat()) for moment in inside]
    assert sorted(stored) == [to_timestamp(moment) for moment in sorted(m.astimezone(UTC) for m in inside)]


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_is_stored_alike_however_it_is_written(moment: datetime) -> None:
    writings = {moment.isoformat(), moment.isoformat(timespec="microseconds"), moment.isoformat()[:-6] + "Z"}
    assert {to_timestamp(text) for text in writings} == {to_timestamp(moment)}


def test_a_local_time_keeps_its_offset_and_utc_tells_none() -> None:
    database.insert_workflow({"id": "local", "created_at": "2025-06-01T10:00:00+02:00"})
    database.insert_workflow({"id": "utc", "created_at": "2025-06-01T08:00:00Z"})
    local, utc = database.get_workflow_by_id("local"), database.get_workflow_by_id("utc")
    assert local is not None
    assert utc is not None
    assert local["created_at"] == utc["created_at"] == "2025-06-01T08:00:00Z"
    assert (local["utc_offset_minutes"], utc["utc_offset_minutes"]) == (120, None)


# --- costs


def test_cost_data_alone_fills_the_workflow() -> None:
    runs = [{"phase": "plan", "cost": 0.5, "models": [{"model": "m", "cost": 0.5, "output_tokens": 3}]}]
    costs = {"total_cost": 0.5, "output_tokens": 3, "phase_costs": runs, "currency_note": "as billed"}
    database.insert_workflow({"id": "a", "cost_data": costs})
    stored = database.get_workflow_by_id("a")
    assert stored is not None
    assert (stored["total_cost"], stored["output_tokens"]) == (0.5, 3)
    assert stored["cost_data"]["currency_note"] == "as billed"
    assert stored["cost_data"]["phase_costs"] == stored["phase_costs"]
    [model] = stored["cost_data"]["models"]
    assert (model["model"], model["cost"], model["output_tokens"], model["agent_runs"]) == ("m", 0.5, 3, 1)


def test_an_empty_list_of_costs_takes_none_back() -> None:
    database.insert_workflow({"id": "a", "total_cost": 1, "phase_costs": [{"phase": "plan", "cost": 1}]})
    database.update_workflow("a", {"phase_costs": []})
    stored = database.get_workflow_by_id("a")
    assert stored is not None
    assert len(stored["phase_costs"]) == 1


def test_new_agent_runs_take_the_place_of_the_old(history: History) -> None:
    model = {"model": "m", "cost": 1.0}
    history.insert(
        {"id": "a", "phase_costs": [{"phase": "plan", "models": [model, model]}, {"phase": "build"}]}
    )
    history.save([{"id": "a", "phase_costs": [{"phase": "test", "models": [model]}]}])
    stored = history.get("a")
    assert stored is not None
    assert [(run["phase"], len(run["models"])) for run in stored["phase_costs"]] == [("test", 1)]
    assert history.check() == []


def test_a_total_that_is_not_the_sum_of_its_agent_runs_is_found(history: History) -> None:
    runs = [{"phase": "plan", "cost": 0.25}, {"phase": "build", "cost": 0.5}]
    history.insert({"id": "right", "total_cost": 0.75, "phase_costs": runs})
    assert history.check() == []
    history.insert(
        {"id": "wrong", "project": "p", "total_cost": 0.5, "phase_costs": runs, "quality_score": 101}
    )
    wrong_sum, wrong_score = history.check()
    assert "p/wrong" in wrong_sum
    assert "750000000" in wrong_sum
    assert "quality_score is 101" in wrong_score


def test_a_lower_bound_is_the_total_only_where_no_cost_is_on_record(history: History) -> None:
    cut = {"phase": "build", "cost_basis": "lower_bound", "lower_bound_cost": 0.5}
    whole = {"phase": "plan", "cost_basis": "reported", "cost": 0.25}
    history.insert({"id": "cut", "total_cost": 0.5, "cost_basis": "lower_bound", "phase_costs": [cut]})
    both = {"total_cost": 0.25, "lower_bound_cost": 0.5, "cost_basis": "lower_bound"}
    history.insert({"id": "both", **both, "phase_costs": [whole, cut]})
    history.insert({"id": "unknown", "phase_costs": [{"phase": "plan"}]})
    assert history.check() == []
    history.update("cut", {"total_cost": 0.75})
    assert len(history.check()) == 1


# --- names


def test_inserting_twice_and_updating_the_unknown_say_no() -> None:
    assert database.update_workflow("a", {"status": "failed"}) is False
    assert database.insert_workflow({"id": "a", "status": "running"}) is True
    assert database.insert_workflow({"id": "a", "status": "failed"}) is False
    assert database.update_workflow("b", {"status": "failed"}) is False
    stored = database.get_workflow_by_id("a")
    assert stored is not None
    assert stored["status"] == "running"


def test_an_update_never_renames(history: History) -> None:
    history.insert({"id": "a", "project": "p"})
    assert history.update("p/a", {"id": "b", "project": "q", "status": "failed"})
    assert [(ref.project, ref.id) for ref in history.list_refs()] == [("p", "a")]


def test_one_id_in_two_projects_must_be_told_apart() -> None:
    for project in ("", "p", "team/q"):
        assert database.insert_workflow({"id": "a", "project": project, "status": project})
    with pytest.raises(AmbiguousWorkflowError) as caught:
        database.get_workflow_by_id("a")
    assert caught.value.candidates == ["/a", "p/a", "team/q/a"]
    for candidate in caught.value.candidates:
        stored = database.get_workflow_by_id(candidate)
        assert stored is not None
        assert f"{stored['status']}/a" == candidate
    assert database.update_workflow("a", {"project": "p", "status": "failed"})
    with pytest.raises(AmbiguousWorkflowError):
        database.update_workflow("a", {"status": "failed"})


def test_the_beginning_of_an_id_is_enough_where_only_one_begins_so(history: History) -> None:
    history.save([{"id": "ab_1"}, {"id": "abx1"}, {"id": "cd"}])
    assert history.find("c").id == "cd"
    assert history.find("ab_").id == "ab_1"
    with pytest.raises(AmbiguousWorkflowError):
        history.find("ab")
    with pytest.raises(WorkflowNotFoundError):
        history.find("x")


# --- many at a time


def test_one_bad_workflow_stops_no_other(history: History) -> None:
    counts = history.save([{"id": "a"}, {"status": "failed"}, {"id": "b"}, {"id": "a", "status": "failed"}])
    assert (counts.inserted, counts.updated) == (2, 1)
    assert counts.failures == (("None", "a workflow needs an id to be stored"),)
    assert history.save([{"id": "a", "status": None}]).updated == 1
    stored = history.get("a")
    assert stored is not None
    assert stored["status"] == "failed"


@tries(40)
@given(first=workflows(), second=workflows())
def test_parts_taken_apart_in_another_process_are_stored_as_workflows_are(
    shared: History, first: dict[str, Any], second: dict[str, Any]
) -> None:
    name = number_of_examples(shared)
    for batch in (first, second):
        shared.save([{**batch, "id": name, "project": "whole"}], replace=["error_message"])
        parts = to_rows({**batch, "id": name, "project": "parts"})
        sent = pickle.loads(pickle.dumps(parts))  # noqa: S301 - our own
        counts = shared.save_rows([sent], replace=["error_message"])
        assert list(counts.keys) == [("parts", name)]
    of_history = {"project": "", "first_seen_at": "", "last_changed_at": ""}
    whole, in_parts = shared.get(f"whole/{name}"), shared.get(f"parts/{name}")
    assert whole is not None
    assert in_parts is not None
    assert {**whole, **of_history} == {**in_parts, **of_history}


def test_saving_tells_the_key_of_every_workflow(history: History) -> None:
    history.save([{"id": "a", "project": "p"}])
    keys = history.save([{"id": "b", "project": "p"}, {"id": "a", "project": "p"}, {"id": "a"}]).keys
    assert keys == history.keys_of([("p", "b"), ("p", "a"), ("", "a")])
    assert len(keys) == 3


def test_what_is_to_be_replaced_may_become_unknown(history: History) -> None:
    history.save([{"id": "a", "error_message": "e", "nl_input": "Add x"}])
    history.save([{"id": "a", "error_message": None, "nl_input": None}], replace=["error_message"])
    stored = history.get("a")
    assert stored is not None
    assert (stored["error_message"], stored["nl_input"]) == (None, "Add x")


def test_a_transaction_is_stored_whole_or_not_at_all(history: History) -> None:
    def begin_and_fail() -> None:
        with history.transaction():
            history.save([{"id": "a"}])
            history.save_folder_problems("agents", [Problem("x", "cut")])
            raise KeyError("something unforeseen")

    with pytest.raises(KeyError):
        begin_and_fail()
    assert history.list_refs() == []
    assert history.problems("agents") == []


def test_a_run_whose_files_are_gone_stays_and_may_come_back(history: History) -> None:
    history.save([{"id": "a", "source_state": "present", "fingerprint": "f"}])
    [ref] = history.list_refs()
    history.mark_deleted([ref.key], datetime(2025, 1, 1, tzinfo=UTC))
    history.mark_deleted([ref.key], datetime(2025, 1, 2, tzinfo=UTC))
    stored = history.get("a")
    assert stored is not None
    assert (stored["source_state"], stored["missing_since"]) == ("missing", "2025-01-01T00:00:00Z")
    history.save([{"id": "a", "source_state": "present"}])
    stored = history.get("a")
    assert stored is not None
    assert (stored["source_state"], stored["missing_since"]) == ("present", None)
    assert history.stored_runs("")["a"].fingerprint == "f"


def test_lists_of_similar_runs_are_replaced_as_a_whole(history: History) -> None:
    history.save([{"id": name, "project": "p"} for name in "abc"])
    key = {ref.id: ref.key for ref in history.list_refs()}
    a, b, c = (key[name] for name in "abc")
    first = [SimilarPairRow(a, 1, b, 0.9), SimilarPairRow(a, 2, c, 0.6), SimilarPairRow(b, 1, a, 0.9)]
    similarity = history.similarity()
    similarity.save("m", [], [], [a, b], first)
    similarity.save("m", [], [], [a], [SimilarPairRow(a, 1, c, 0.7)])
    assert [tuple(place) for some in similarity.similar_lists([a, b]) for place in some] == [
        (a, 1, c, 0.7),
        first[2],
    ]
    stored = history.get("a")
    assert stored is not None
    assert stored["similar_workflows"] == [{"id": "c", "project": "p", "similarity_score": 0.7}]


def test_a_similar_run_that_is_not_stored_keeps_its_name(history: History) -> None:
    history.save([{"id": "b"}])
    named = [{"id": "b", "similarity_score": 0.9}, {"id": "elsewhere", "similarity_score": 0.6}]
    history.insert({"id": "a", "similar_workflows": named})
    stored = history.get("a")
    assert stored is not None
    assert [(pair["id"], pair["similarity_score"]) for pair in stored["similar_workflows"]] == [
        ("b", 0.9),
        ("elsewhere", 0.6),
    ]


def test_a_pattern_counts_once_per_run_however_often_it_is_seen(history: History) -> None:
    history.save([{"id": "a"}, {"id": "b"}])
    first, second = (ref.key for ref in history.list_refs())
    seen = {"kind": "command", "signature": "pytest", "count": 3, "successes": 2, "failures": 1, "cost": 0.5}
    for _ in range(2):
        history.save_patterns({first: [seen], second: [{**seen, "count": 1, "failures": 0}]})
    [row] = history.view("recurring_patterns")
    assert (row["runs"], row["count"], row["success_rate"], row["cost"]) == (2, 4, 0.8, 1.0)
    history.save_patterns({second: []})
    assert history.view("recurring_patterns") == []
    stored = history.get("a")
    assert stored is not None
    assert stored["pattern_count"] == 1


def test_one_detector_never_wipes_what_the_other_found(history: History) -> None:
    history.save([{"id": "a"}])
    [ref] = history.list_refs()
    history.save_patterns({ref.key: [{"kind": "command", "signature": "x", "count": 1}]})
    history.save_patterns({ref.key: [{"kind": "host", "signature": "y", "count": 1}]}, detector="host")
    history.save_patterns({ref.key: []})
    stored = history.get("a")
    assert stored is not None
    assert stored["pattern_count"] == 1


def test_a_rolled_back_pattern_is_stored_when_it_is_seen_again(history: History) -> None:
    history.save([{"id": "a"}, {"id": "b"}])
    seen = {"kind": "command", "signature": "pytest", "count": 1}
    found = {ref.key: [seen] for ref in history.list_refs()}

    def store_and_fail() -> None:
        with history.transaction():
            history.save_patterns(found)
            raise KeyError("something unforeseen")

    with pytest.raises(KeyError):
        store_and_fail()
    history.save_patterns(found)
    assert [row["signature"] for row in history.view("recurring_patterns")] == ["pytest"]
    assert history.check() == []


def test_findings_made_in_another_process_are_stored_as_findings_are(history: History) -> None:
    history.save([{"id": name} for name in "abcd"])
    first, second, third, fourth = (ref.key for ref in history.list_refs())
    seen = {"kind": "sequence", "signature": "a\x00 → b", "count": 2, "failures": 1, "cost": 0.1}
    seen |= {"seconds": 1.5, "agents": ["x", "y"], "example_path": "x/raw.jsonl", "example_line": 7}
    history.save_patterns({first: [seen], second: [seen]})
    rows = pickle.loads(pickle.dumps(to_pattern_rows([seen])))  # noqa: S301 - our own
    history.save_pattern_rows({third: rows, fourth: rows})
    of_one, of_other = history.patterns(first), history.patterns(third)
    assert of_one == of_other
    assert (of_one[0]["signature"], of_one[0]["cost"], of_one[0]["workflows"]) == ("a\ufffd → b", 0.1, 4)


def test_problems_are_those_of_the_last_sync_of_their_folder(history: History) -> None:
    history.save([{"id": "a"}])
    [ref] = history.list_refs()
    history.save_run_problems("one", {ref.key: [Problem("a/x.jsonl", "old"), Problem("a/y.jsonl", "old")]})
    history.save_run_problems("one", {ref.key: [Problem("a/x.jsonl", "cut", 3)]})
    transcript_set = [Problem("b", "no JSON", None, Severity.WARNING)]
    assert not history.folder_problems_unchanged("two", transcript_set)
    history.save_folder_problems("two", transcript_set)
    assert history.folder_problems_unchanged("two", transcript_set)
    assert [(row["severity"], row["reason"], row["run_id"]) for row in history.view("unreadable")] == [
        ("error", "cut", "a"),
        ("warning", "no JSON", None),
    ]
    history.save_folder_problems("two", [])
    history.save_run_problems("one", {ref.key: []})
    assert history.view("unreadable") == []


@pytest.mark.parametrize("name", VIEW_COLUMNS)
def test_every_view_can_be_read(history: History, name: str) -> None:
    assert history.view(name) == []


def test_no_view_is_read_by_a_made_up_name(history: History) -> None:
    with pytest.raises(InvalidQueryError, match="spend_by_day"):
        history.view("runs; DROP TABLE workflows")


# --- sums


def summed(history: History) -> dict[str, Any]:
    return summarize_columns(history.columns("runs", COLUMNS))


@tries(40)
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "status": st.sampled_from(["completed", " Completed", "FAILED", "failed", "", "ß", None]),
                "model_used": st.sampled_from(["opus", " opus ", "", "  ", None]),
                "workflow_template": st.sampled_from(["plan", "Plan", None]),
                "cost_basis": st.sampled_from(["reported", "lower_bound ", None]),
                "total_cost": KINDS["money"],
                "lower_bound_cost": KINDS["money"],
                "duration_seconds": st.floats(-10, 1e9),
                **dict.fromkeys(
                    ("total_tokens", "input_tokens", "output_tokens"), st.none() | st.integers(-1, 10**12)
                ),
                **dict.fromkeys(("cache_read_tokens", "cache_creation_tokens"), st.integers(-1, 10**12)),
                "created_at": KINDS["time"],
                "started_at": KINDS["time"],
            },
        ),
        max_size=12,
    )
)
def test_sums_made_of_the_columns_are_those_over_all_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    file = tmp_path_factory.mktemp("sums") / "history.db"
    with History.open(file) as history:
        history.save([{**row, "id": str(number)} for number, row in enumerate(rows)])
        by_columns, by_hand = summed(history), summarize_workflows(history.read_fields())
    assert by_columns == by_hand
    assert [*by_columns["by_status"]] == [*by_hand["by_status"]]


def test_analytics_of_the_whole_history_need_no_rows_given() -> None:
    assert analytics.get_history_analytics() == analytics.get_history_analytics([])
    database.insert_workflow({"id": "a", "status": "Completed ", "total_cost": 0.1})
    database.insert_workflow({"id": "b", "status": "failed", "total_cost": 0.2})
    found = analytics.get_history_analytics()
    assert (found["total_cost"], found["by_status"]) == (0.3, {"completed": 1, "failed": 1})


def test_a_sum_may_pass_what_one_column_holds(history: History) -> None:
    history.save([{"id": str(number), "total_cost": "9000000000.000000001"} for number in range(3)])
    assert summed(history)["total_cost"] == float(Decimal("27000000000.000000003"))
    assert summed(history)["average_cost"] == float(Decimal("9000000000.000000001"))


def test_a_folders_costs_are_those_of_its_present_runs(history: History) -> None:
    here = {"agents_dir": "here", "source_state": "present"}
    history.save(
        [
            {"id": "a", **here, "total_cost": 0.1, "lower_bound_cost": 0.5, "cost_basis": "lower_bound"},
            {"id": "b", **here, "total_cost": 0.2},
            {"id": "c", **here},
            {"id": "d", **here, "source_state": "missing", "total_cost": 1},
            {"id": "e", **here, "agents_dir": "elsewhere", "total_cost": 1},
        ]
    )
    known = Cost.from_usd(0.3, 0.5, complete=False, unknown_runs=1)
    assert history.cost_totals("", "here") == FolderCostTotals(known, 2, 3)  # of none is it known to be all
    assert history.cost_totals("", "nowhere") == FolderCostTotals(NO_COST, 0, 0)


# --- the file


def test_the_file_is_its_owners_alone(own_database: Path) -> None:
    database.init_db()
    assert stat.S_IMODE(own_database.stat().st_mode) == 0o600


def test_readers_neither_need_nor_make_a_database(own_database: Path) -> None:
    assert database.get_workflow_history()["workflows"] == []
    assert database.get_workflow_by_id("a") is None
    assert analytics.get_history_analytics()["total_workflows"] == 0
    assert not own_database.parent.exists()


def test_a_deleted_file_is_made_anew(own_database: Path) -> None:
    database.insert_workflow({"id": "a"})
    own_database.unlink()
    assert database.get_workflow_by_id("a") is None
    assert database.insert_workflow({"id": "a"}) is True


def test_closing_leaves_one_file_and_reading_changes_no_byte_of_it(own_database: Path) -> None:
    database.insert_workflow({"id": "a"})
    before = own_database.read_bytes()
    database.init_db()
    database.get_workflow_history(search="a")
    with History.open(own_database) as history, history.transaction():
        assert history.folder_problems_unchanged("agents", [])
        history.stored_runs("")
    assert own_database.read_bytes() == before
    assert [file.name for file in own_database.parent.iterdir()] == ["history.db"]


def test_a_reader_sees_the_last_state_while_another_writes(own_database: Path) -> None:
    database.insert_workflow({"id": "a", "status": "running"})
    with History.open(own_database) as writer, writer.transaction():
        writer.save([{"id": "a", "status": "completed"}])
        stored = database.get_workflow_by_id("a")
    assert stored is not None
    assert stored["status"] == "running"


@pytest.mark.parametrize(
    "content", [b"no database at all, but some text" * 100, b"SQLite format 3\x00" + b"x" * 5000]
)
def test_a_file_that_is_no_database_is_named(own_database: Path, content: bytes) -> None:
    own_database.parent.mkdir()
    own_database.write_bytes(content)
    for call in (
        database.init_db,
        database.get_workflow_history,
        lambda: database.insert_workflow({"id": "a"}),
    ):
        with pytest.raises(WorkflowHistoryError, match=r"history\.db"):
            call()
    assert own_database.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(database, "DB_PATH", tmp_path / "file" / "history.db")
    with pytest.raises(WorkflowHistoryError, match=r"history\.db"):
        database.init_db()


def test_a_folder_in_the_files_place_is_named(own_database: Path) -> None:
    own_database.mkdir(parents=True)
    with pytest.raises(WorkflowHistoryError, match=r"history\.db"):
        database.init_db()


# --- where the database is


def test_the_environment_is_read_at_each_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "DB_PATH", database._DB_PATH_AT_IMPORT)
    for name in ("one.db", "two.db"):
        monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / name))
        database.insert_workflow({"id": name})
        assert database.get_workflow_history()["total"] == 1
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", f"sqlite:///{tmp_path}/one.db")
    assert database.get_workflow_by_id("one.db") is not None


@pytest.mark.parametrize("form", [str, Path, lambda file: f"sqlite:///{file}"], ids=["text", "path", "url"])
def test_a_patched_path_wins_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Any
) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "environment.db"))
    monkeypatch.setattr(database, "DB_PATH", form(tmp_path / "patched.db"))
    database.init_db()
    assert (tmp_path / "patched.db").exists()
    assert not (tmp_path / "environment.db").exists()


def test_without_a_setting_the_users_data_folder_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "DB_PATH", None)
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", "")
    file = database.current_url().database
    assert file is not None
    assert Path(file).is_absolute()
    assert Path(file).parts[-2:] == ("workflow-history", "history.db")


@pytest.mark.parametrize("location", ["sqlite://", "sqlite:///:memory:", "oracle://host/db", "nonsense://"])
def test_a_place_that_cannot_hold_a_history_is_refused(
    monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    monkeypatch.setattr(database, "DB_PATH", location)
    with pytest.raises(WorkflowHistoryError):
        database.init_db()


def test_a_forked_child_writes_to_the_same_history(own_database: Path) -> None:
    database.insert_workflow({"id": "parent"})
    child = os.fork()
    if child == 0:
        os._exit(0 if database.insert_workflow({"id": "child"}) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert database.get_workflow_history()["total"] == 2
