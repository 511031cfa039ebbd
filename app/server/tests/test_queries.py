"""Pages of the history neither repeat nor skip, mean words literally, and name what they allow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from app.server.core.workflow_history import database
from app.server.core.workflow_history.errors import InvalidQueryError
from app.server.core.workflow_history.store.history import History
from app.server.core.workflow_history.store.queries import SORT_KEYS, PageQuery


@pytest.fixture(autouse=True)
def own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "history.db"
    monkeypatch.setattr(database, "DB_PATH", file)
    return file


@pytest.fixture
def history(own_database: Path) -> Iterator[History]:
    with History.open(own_database) as opened:
        yield opened


def run(number: int) -> dict[str, Any]:
    """One of 30 runs: equal values, unknown values and equal ids in two projects among them."""
    return {
        "id": f"run-{number % 25:02}",
        "project": "p" if number < 25 else "q",
        "status": ("completed", "failed")[number % 2],
        "created_at": None if number % 5 == 0 else f"2025-01-0{number % 4 + 1}T00:00:00.5Z",
        "started_at": f"2025-01-01T00:00:0{number % 10}Z",
        "total_cost": None if number % 3 == 0 else number % 7 / 10,
        "duration_seconds": float(number % 4),
        "nl_input": f"Add table {number}",
        "total_tokens": number * 1000,
        "quality_score": None if number % 2 else 50.0,
    }


@pytest.fixture(scope="module")
def thirty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with History.open(tmp_path_factory.mktemp("pages") / "history.db") as opened:
        opened.save([run(number) for number in range(30)])
        yield opened


def names(workflows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(workflow["project"], workflow["id"]) for workflow in workflows]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SORT_KEYS), st.sampled_from(["ASC", "DESC", "asc"]), st.integers(1, 31))
def test_pages_neither_repeat_nor_skip(thirty: History, sort_by: str, sort_order: str, limit: int) -> None:
    whole, total = thirty.page(PageQuery(100, 0, None, None, sort_by, sort_order))
    seen: list[tuple[str, str]] = []
    for offset in range(0, 31, limit):
        page, _ = thirty.page(PageQuery(limit, offset, None, None, sort_by, sort_order))
        seen += names(page)
    assert total == len(set(seen)) == 30
    assert seen == names(whole)


@pytest.mark.parametrize("sort_order", ["ASC", "DESC"])
@pytest.mark.parametrize("sort_by", ["created_at", "total_cost", "quality_score", "total_tokens", "nl_input"])
def test_a_page_is_in_order_and_the_unknown_comes_last(
    thirty: History, sort_by: str, sort_order: str
) -> None:
    values = [row[sort_by] for row in thirty.page(PageQuery(100, sort_by=sort_by, sort_order=sort_order))[0]]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=sort_order == "DESC")
    assert values == known + [None] * (len(values) - len(known))


def test_a_fraction_of_a_second_decides() -> None:
    for run_id, created in [
        ("b", "2025-01-01T00:00:00.5Z"),
        ("a", "2025-01-01T00:00:01Z"),
        ("c", "2025-01-01T00:00:00Z"),
    ]:
        database.insert_workflow({"id": run_id, "created_at": created})
    assert [row["id"] for row in database.get_workflow_history()["workflows"]] == ["a", "b", "c"]


def test_a_page_says_what_it_is() -> None:
    database.insert_workflow({"id": "a", "status": "failed"})
    page = database.get_workflow_history(limit=0, offset=3, status="failed")
    assert page == {"workflows": [], "total": 1, "limit": 0, "offset": 3}
    assert database.get_workflow_history(status="no such status")["total"] == 0


@pytest.mark.parametrize(
    ("wrong", "allowed"),
    [
        ({"limit": -1}, "0 or more"),
        ({"limit": "10"}, "0 or more"),
        ({"limit": True}, "0 or more"),
        ({"limit": None}, "0 or more"),
        ({"limit": 2**63}, "0 or more"),
        ({"offset": -1}, "0 or more"),
        ({"offset": 1.5}, "0 or more"),
        ({"sort_by": "created_at; DROP TABLE workflows"}, "total_cost"),
        ({"sort_by": "text_vector"}, "created_at"),
        ({"sort_by": ["id"]}, "created_at"),
        ({"sort_order": "SIDEWAYS"}, "ASC or DESC"),
        ({"sort_order": None}, "ASC or DESC"),
        ({"status": 1}, "text or None"),
        ({"search": b"x"}, "text or None"),
    ],
)
def test_what_is_not_allowed_is_refused_with_what_is(wrong: dict[str, Any], allowed: str) -> None:
    with pytest.raises(InvalidQueryError, match=allowed):
        database.get_workflow_history(**wrong)
    with pytest.raises(ValueError, match=allowed):
        database.get_workflow_history(**wrong)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("100%", ["percent"]),
        ("a_b", ["underscore"]),
        ("/feat", ["slash"]),
        ("\\", ["backslash"]),
        ("'; --", []),
        ("CSV", ["csv"]),
        ("feature-9", ["csv"]),
        ("", ["backslash", "csv", "percent", "slash", "underscore"]),
        ("lone \ud800", []),
    ],
)
def test_a_search_means_its_characters(search: str, found: list[str]) -> None:
    for run_id, text in [
        ("percent", "100% done"),
        ("underscore", "a_b"),
        ("slash", "/feature"),
        ("backslash", "a\\b"),
    ]:
        database.insert_workflow({"id": run_id, "nl_input": text})
    database.insert_workflow({"id": "csv", "nl_input": "1000 axb csv", "branch_name": "feature-9"})
    page = database.get_workflow_history(search=search, sort_by="id", sort_order="asc")
    assert [row["id"] for row in page["workflows"]] == found
    assert page["total"] == len(found)


def test_a_page_of_many_takes_as_many_queries_as_a_page_of_one(history: History) -> None:
    agent = {"phase": "plan", "models": [{"model": "m"}]}
    history.save([{"id": f"run-{number}", "phase_costs": [agent, agent]} for number in range(50)])
    statements: list[str] = []
    event.listen(history._connection, "before_cursor_execute", lambda *call: statements.append(call[2]))
    history.page(PageQuery(limit=1))
    one = len(statements)
    history.page(PageQuery(limit=50))
    assert len(statements) - one == one <= 8


@pytest.mark.parametrize("query", [PageQuery(), PageQuery(status="completed")], ids=["all", "one status"])
def test_the_usual_pages_come_from_an_index(history: History, query: PageQuery) -> None:
    with history._reading() as connection:
        statement = query.keys().compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").all()
    text = " ".join(row[-1] for row in plan)
    assert "USING COVERING INDEX" in text
    assert "TEMP B-TREE" not in text


def test_going_on_after_a_key_meets_every_run_once_though_rows_change(history: History) -> None:
    history.save([run(number) for number in range(25)])
    seen: list[str] = []
    after = 0
    while refs := history.refs(status="completed", after_key=after, limit=4):
        after = refs[-1].key
        seen += [ref.id for ref in refs]
        history.save([{"id": ref.id, "project": ref.project, "status": "failed"} for ref in refs])
    assert len(seen) == len(set(seen)) == 13


def test_runs_are_chosen_from_a_day_up_to_another(history: History) -> None:
    history.save([{"id": str(day), "created_at": f"2025-01-0{day}T00:00:00Z"} for day in range(1, 6)])
    history.save([{"id": "undated"}])
    start, end = datetime(2025, 1, 2, tzinfo=UTC), datetime(2025, 1, 4, tzinfo=UTC)
    assert [ref.id for ref in history.refs(created_from=start, created_before=end)] == ["2", "3"]


def test_figures_are_the_named_keys_of_every_run(history: History) -> None:
    history.save([{"id": "a", "total_cost": 0.1}, {"id": "b"}])
    assert history.figures(["id", "total_cost"]) == [
        {"id": "a", "total_cost": 0.1},
        {"id": "b", "total_cost": None},
    ]
    with pytest.raises(InvalidQueryError, match="total_cost"):
        history.figures(["no_such_key"])
