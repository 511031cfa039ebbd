"""The runs most similar to a run or a text, against plain recomputation."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from app.server.core.workflow_history import database, demo, similar_runs, similarity
from app.server.core.workflow_history.analysis.similarity.shared_words import shared_words
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.errors import InvalidQueryError, WorkflowNotFoundError
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.queries.json.encoding import json_schema, to_json
from app.server.core.workflow_history.queries.similar import SimilarRuns
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.writing.similarity_rows import FeatureRow
from app.server.core.workflow_history.sync import sync_workflow_history

ASKED = "let users download the suppliers table as a spreadsheet"


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo history, made once for this module."""
    folder = tmp_path_factory.mktemp("similar")
    agents, file = folder / "agents", folder / "history.db"
    demo.make_agents_folder(agents, runs=120, end=datetime(2026, 3, 31, 18, tzinfo=UTC), stream_kb=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKFLOW_HISTORY_DB", str(file))
        sync_workflow_history(silent=True, agents_dir=agents)
    return file


@pytest.fixture
def history(synced: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(synced))
    with History.open(synced) as opened:
        yield opened


def everything(history: History) -> list[dict]:
    return list(history.read([ref.key for ref in history.list_refs()]).values())


def store(tmp_path: Path, *runs: dict) -> None:
    with History.open(tmp_path / "history.db") as history:
        history.save([{"project": "shop", **run} for run in runs])


def type_in(*words: str, typed: str | None = None):
    return CliRunner().invoke(
        app, ["similar", *words], prog_name="workflow-history", env={"COLUMNS": "80"}, input=typed
    )


# Against what is stored, and against the plain comparison of two runs


def test_a_run_has_the_similar_runs_that_its_stored_list_names(history):
    for run in everything(history):
        found = similar_runs(f"{run['project']}/{run['id']}")
        stored = [(like["id"], like["similarity_score"]) for like in run["similar_workflows"]]
        assert [(each.id, each.score) for each in found.runs] == stored


def test_another_limit_threshold_and_filter_give_what_a_comparison_with_every_run_gives(history):
    runs = everything(history)
    for run in runs[::15]:
        kept = [other for other in runs if other["status"] == "completed"]
        expected = similarity.find_similar_workflows(run, kept, threshold=0.2, limit=12)
        found = similar_runs(run["id"], where=RunFilter(status=("completed",)), limit=12, threshold=0.2)
        assert [(each.id, each.score) for each in found.runs] == [
            (other["id"], score) for other, score in expected
        ]


def test_a_text_is_ranked_by_its_words_alone(history):
    runs = everything(history)
    expected = similarity.find_similar_workflows({"nl_input": ASKED}, runs, threshold=0.3, limit=10)
    found = similar_runs(text=ASKED)
    assert [(each.id, each.score) for each in found.runs] == [(run["id"], score) for run, score in expected]
    assert found.basis == "text"
    assert "Only the request text" in found.note
    assert all(
        [part.value is None for part in each.parts] == [False, True, True, True] for each in found.runs
    )


def test_the_family_of_csv_exports_is_found_by_other_words(history):
    family = [run["id"] for run in everything(history) if "csv" in (run["nl_input"] or "").lower()]
    found = similar_runs(text=ASKED, limit=20)
    assert len(family) >= 3
    assert len({run.id for run in found.runs} & set(family)) >= 3


def test_the_parts_of_a_score_add_up_to_it_and_equal_the_explanation(history):
    runs = {run["id"]: run for run in everything(history)}
    found = similar_runs("1500857c" if "1500857c" in runs else next(iter(runs)), threshold=0.1, limit=20)
    assert found.runs
    for each in found.runs:
        explained = similarity.explain_similarity(runs[found.id], runs[each.id])
        assert each.score == explained["score"]
        assert [part.value for part in each.parts] == [part["value"] for part in explained["parts"]]
        assert math.isclose(math.fsum(part.gave for part in each.parts if part.gave is not None), each.score)


# Runs that no sync has compared yet


def test_runs_that_were_stored_since_the_last_sync_are_compared_too(tmp_path):
    store(
        tmp_path, {"id": "a", "nl_input": "Export orders as CSV"}, {"id": "b", "nl_input": "Rotate the keys"}
    )
    assert [run.id for run in similar_runs(text="CSV export of orders").runs] == ["a"]
    assert [run.id for run in similar_runs("a").runs] == []


def test_a_request_that_was_changed_is_compared_as_it_is_now(tmp_path):
    store(
        tmp_path, {"id": "a", "nl_input": "Export orders as CSV"}, {"id": "b", "nl_input": "Rotate the keys"}
    )
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    with History.open(tmp_path / "history.db") as history:
        history.build_column_cache()
        history.update("shop/b", {"nl_input": "CSV export of all orders"})
    assert [run.id for run in similar_runs(text="orders as CSV").runs] == ["a", "b"]


@given(st.lists(st.sampled_from(["Export orders", "Rotate keys", "Dark mode", "", None]), max_size=6))
def test_packed_and_unpacked_vectors_give_the_same_answer(tmp_path_factory, requests):
    file = tmp_path_factory.mktemp("packed") / "history.db"
    with pytest.MonkeyPatch.context() as patch, History.open(file) as history:
        patch.setenv("WORKFLOW_HISTORY_DB", str(file))
        history.save([{"id": f"r{place}", "nl_input": text} for place, text in enumerate(requests)])
        before = similar_runs(text="Export orders")
        history.build_column_cache()
        assert similar_runs(text="Export orders") == before
        expected = [f"r{place}" for place, text in enumerate(requests) if text == "Export orders"]
        assert [run.id for run in before.runs] == expected


def test_packed_vectors_are_those_of_the_rows_and_leave_out_what_was_written_since(tmp_path):
    store(tmp_path, *({"id": f"r{place}", "nl_input": f"Export table {place}"} for place in range(5)))
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    with History.open(tmp_path / "history.db") as history:
        history.build_column_cache()
        kept = history.similarity()
        rows = [FeatureRow._make(row) for some in kept.rows(similarity.MODEL_VERSION) for row in some]
        assert len(rows) == 5
        packed = kept.vectors(similarity.MODEL_VERSION)
        assert packed.keys.tolist() == [row.key for row in rows]
        assert [vector.tobytes() for vector in packed.vectors] == [row.vector for row in rows]
        history.update("shop/r2", {"nl_input": "Rotate the keys"})
        assert len(kept.vectors(similarity.MODEL_VERSION).keys) == len(rows) - 1
        kept.save("words-0", [(rows[0].key, bytes(160), None, None, None, None)], [], [], [])
        assert rows[0].key not in kept.vectors(similarity.MODEL_VERSION).keys.tolist()


def test_equal_scores_come_in_the_order_of_project_and_id(tmp_path):
    store(tmp_path, *({"id": name, "nl_input": "Export orders"} for name in ("d", "a", "c", "b")))
    assert [run.id for run in similar_runs(text="Export orders", limit=2).runs] == ["a", "b"]


# What the texts share


def test_shared_words_are_found_in_any_form_and_none_where_nothing_is_shared():
    found = shared_words("Export suppliers as CSV", "Exporting the CSV of a supplier")
    assert {(bond.word, bond.other) for bond in found.shared} == {
        ("suppliers", "supplier"),
        ("csv", "csv"),
        ("export", "exporting"),
    }
    assert shared_words("", "Export").shared == ()


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts_can_be_explained(one, other):
    found = shared_words(one, other)
    assert len(found.shared) <= 6
    assert all(bond.contribution > 0 for bond in (*found.shared, *found.related))


def test_equal_texts_owe_all_of_their_likeness_to_their_words():
    found = shared_words("Rotate certificates", "rotate certificates")
    assert [bond.word == bond.other for bond in found.shared] == [True, True]
    assert math.fsum(bond.contribution for bond in found.shared) > 0.6


# What cannot be answered


def test_a_run_without_a_request_says_that_nothing_can_be_compared(tmp_path):
    store(tmp_path, {"id": "a", "total_cost": 1.0}, {"id": "b", "nl_input": "Export", "total_cost": 1.0})
    found = similar_runs("a")
    assert found.runs == ()
    assert "no request" in found.note


def test_neither_or_both_of_a_run_and_a_text_are_refused():
    for given_ in ({}, {"reference": "a", "text": "b"}, {"text": "  "}, {"text": "a", "limit": 0}):
        with pytest.raises(InvalidQueryError):
            similar_runs(**given_)
    with pytest.raises(InvalidQueryError):
        similar_runs(text="a", threshold=1.5)


@pytest.mark.usefixtures("no_history")
def test_without_a_history_a_text_has_no_similar_run_and_a_run_is_not_found():
    assert similar_runs(text="Export orders").runs == ()
    with pytest.raises(WorkflowNotFoundError):
        similar_runs("a1b2")
    assert not Path(database.database_name()).exists()


# The command


def test_the_command_shows_the_runs_with_their_reasons(history):
    result = type_in("--text", ASKED)
    assert result.exit_code == 0, result.output
    assert "shared words" in result.output
    assert max(map(len, result.output.splitlines()[:-1])) <= 80


def test_standard_input_is_a_text_and_json_fits_its_schema(history):
    result = type_in("--text", "-", "--json", typed=ASKED)
    assert json.loads(result.output) == json.loads(json.dumps(to_json(similar_runs(text=ASKED))))
    assert set(json.loads(result.output)) == set(json_schema(SimilarRuns)["required"])


def test_empty_standard_input_and_no_words_at_all_are_usage_errors(history):
    assert type_in("--text", "-", typed="").exit_code == 2
    assert type_in().exit_code == 2


def test_hostile_text_cannot_reach_the_terminal(tmp_path):
    store(tmp_path, {"id": "a\x1b[2J", "nl_input": "Export \x1b[31morders\x07 [red]now[/red]\u202e"})
    result = type_in("--text", "Export orders now")
    assert "a" in result.output
    assert not {"\x1b", "\x07", "\u202e"} & set(result.output)
