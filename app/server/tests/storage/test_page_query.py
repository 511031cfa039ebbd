"""Pages of a list neither repeat nor skip runs, and search words are literal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL, event

from app.server.core.workflow_history import database
from app.server.core.workflow_history.analysis.patterns import pattern_id
from app.server.core.workflow_history.analysis.statistics import workflow_totals
from app.server.core.workflow_history.common.errors import InvalidQueryError
from app.server.core.workflow_history.common.filters import Range, RunFilter
from app.server.core.workflow_history.common.models import Problem
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.reading.page_query import SORT_KEYS, PageQuery
from app.server.tests.support.thoroughness import tries


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
def thirty(module_history_url: URL) -> Iterator[History]:
    with History.open(module_history_url) as opened:
        opened.save([run(number) for number in range(30)])
        yield opened


def names(workflows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(workflow["project"], workflow["id"]) for workflow in workflows]


@tries(60)
@given(st.sampled_from(SORT_KEYS), st.sampled_from(["ASC", "DESC", "asc"]), st.integers(1, 31))
def test_pages_neither_repeat_nor_skip(thirty: History, sort_by: str, sort_order: str, limit: int) -> None:
    whole, total, _ = thirty.page(PageQuery(RunFilter(), sort_by, sort_order, 100))
    seen: list[tuple[str, str]] = []
    for offset in range(0, 31, limit):
        page = thirty.page(PageQuery(RunFilter(), sort_by, sort_order, limit, offset))
        seen += names(page.workflows)
    assert total == len(set(seen)) == 30
    assert seen == names(whole)


@pytest.mark.parametrize("sort_order", ["ASC", "DESC"])
@pytest.mark.parametrize("sort_by", ["created_at", "total_cost", "quality_score", "total_tokens", "nl_input"])
def test_a_page_is_in_order_and_the_unknown_comes_last(
    thirty: History, sort_by: str, sort_order: str
) -> None:
    values = [row[sort_by] for row in thirty.page(PageQuery(RunFilter(), sort_by, sort_order, 100)).workflows]
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
        ({"limit": -1}, "a whole number from 0 to"),
        ({"limit": "10"}, "a whole number from 0 to"),
        ({"limit": True}, "a whole number from 0 to"),
        ({"limit": None}, "a whole number from 0 to"),
        ({"limit": 2**63}, "a whole number from 0 to"),
        ({"offset": -1}, "a whole number from 0 to"),
        ({"offset": 1.5}, "a whole number from 0 to"),
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


def test_a_page_of_many_takes_as_many_queries_as_a_page_of_one(history: History) -> None:
    agent = {"phase": "plan", "models": [{"model": "m"}]}
    history.save([{"id": f"run-{number}", "phase_costs": [agent, agent]} for number in range(50)])
    statements: list[str] = []
    event.listen(history._connection, "before_cursor_execute", lambda *call: statements.append(call[2]))
    history.page(PageQuery(limit=1))
    one = len(statements)
    history.page(PageQuery(limit=50))
    assert len(statements) - one == one <= 9


def test_going_on_after_a_key_meets_every_run_once_though_rows_change(history: History) -> None:
    history.save([run(number) for number in range(25)])
    seen: list[str] = []
    after = 0
    while refs := history.list_refs(status="completed", after_key=after, limit=4):
        after = refs[-1].key
        seen += [ref.id for ref in refs]
        history.save([{"id": ref.id, "project": ref.project, "status": "failed"} for ref in refs])
    assert len(seen) == len(set(seen)) == 13


def test_runs_are_chosen_from_a_day_up_to_another(history: History) -> None:
    history.save([{"id": str(day), "created_at": f"2025-01-0{day}T00:00:00Z"} for day in range(1, 6)])
    history.save([{"id": "undated"}])
    start, end = datetime(2025, 1, 2, tzinfo=UTC), datetime(2025, 1, 4, tzinfo=UTC)
    assert [ref.id for ref in history.list_refs(created_from=start, created_before=end)] == ["2", "3"]


def test_figures_are_the_named_keys_of_every_run(history: History) -> None:
    history.save([{"id": "a", "total_cost": 0.1}, {"id": "b"}])
    assert history.read_fields(["id", "total_cost"]) == [
        {"id": "a", "total_cost": 0.1},
        {"id": "b", "total_cost": None},
    ]
    with pytest.raises(InvalidQueryError, match="total_cost"):
        history.read_fields(["no_such_key"])


# --- query plans


def with_rows(history: History) -> None:
    agent = {"phase": "plan", "models": [{"model": "m"}]}
    history.save([{**run(number), "agents_dir": "agents", "phase_costs": [agent]} for number in range(30)])
    history.save_folder_problems("agents", [Problem("x", "cut")])
    history.save_run_problems("agents", {history.list_refs()[0].key: [Problem("y", "cut")]})
    history.save_checkpoints(
        {ref.key: {"a": b"mark"} for ref in history.list_refs()}, {ref.key: 1 for ref in history.list_refs()}
    )
    history.save_patterns(
        {ref.key: [{"kind": "operation", "signature": "ls", "count": 1}] for ref in history.list_refs()}
    )


QUERIES: dict[str, Callable[[History], Any]] = {
    "a run by its id": lambda history: history.get("run-24"),
    "a run by project and id": lambda history: history.get("p/run-03"),
    "a run by the beginning of its id": lambda history: history.find("run-24"),
    "a folder's problems": lambda history: history.problems("agents"),
    "a run's problems": lambda history: history.problems("agents", 3),
    "what is wrong beside the runs": lambda history: history.folder_problems_unchanged("agents", []),
    "from where streams are read on": lambda history: history.read_checkpoints([1, 2, 3]),
    "marks that are no longer needed": lambda history: history.delete_old_checkpoints(1),
    "runs whose lists are out of date": lambda history: history.similarity().stale_runs("words-1"),
    "what runs are compared by": lambda history: list(history.similarity().rows("words-1")),
    "lists that hold a run": lambda history: history.similarity().lists_with([1, 2]),
    "keys by name": lambda history: history.keys_of([("p", "run-03"), ("q", "run-04")]),
    "the runs of a project": lambda history: history.stored_runs("p"),
    "the newest": lambda history: history.page(PageQuery()),
    "the oldest": lambda history: history.page(PageQuery(sort_order="ASC")),
    "those of a status": lambda history: history.page(PageQuery(RunFilter(status=("failed",)))),
    "the costliest": lambda history: history.page(PageQuery(sort_by="total_cost")),
    "the cheapest": lambda history: history.page(PageQuery(sort_by="total_cost", sort_order="ASC")),
    "by id": lambda history: history.page(PageQuery(sort_by="id")),
    "the longest": lambda history: history.page(PageQuery(sort_by="duration_seconds")),
    "by tokens": lambda history: history.page(PageQuery(sort_by="total_tokens")),
    "by model": lambda history: history.page(PageQuery(sort_by="model_used", offset=5)),
    "by template": lambda history: history.page(PageQuery(sort_by="workflow_template", sort_order="ASC")),
    "the best": lambda history: history.page(PageQuery(sort_by="quality_score")),
    "by project": lambda history: history.page(PageQuery(sort_by="project", sort_order="ASC")),
    "a batch that is stored again": with_rows,
    "what recurs": lambda history: history.pattern_totals(),
    "which sequences recur": lambda history: history.pattern_totals(
        kinds=["sequence"], statuses=["detected"]
    ),
    "a pattern by its id": lambda history: history.find_pattern(pattern_id("operation", "ls")),
    "a pattern by its signature": lambda history: history.find_pattern("ls"),
    "a decision": lambda history: history.decide_pattern(pattern_id("operation", "ls"), "accepted"),
}
ONLY_FROM_AN_INDEX: dict[str, Callable[[History], Any]] = {
    "what a sync looks at": lambda history: history.stored_runs("p"),
    "what a sync adds up": lambda history: history.cost_totals("p", "agents"),
}
LISTS: dict[str, Callable[[History], Any]] = {
    "of a template": lambda history: history.page(PageQuery(RunFilter(template=("t",)))),
    "of a cost": lambda history: history.page(PageQuery(RunFilter(cost=Range(0, 0.5)), "total_cost")),
    "of a phase": lambda history: history.page(PageQuery(RunFilter(phase=("plan",)))),
    "of an agent, far down": lambda history: history.page(PageQuery(RunFilter(agent=("x",)), offset=9999)),
    "of a pattern's id": lambda history: history.page(PageQuery(RunFilter(pattern="abcd"))),
    "examples of a pattern": lambda history: history.pattern_examples(pattern_id("operation", "ls")),
    "of a pattern": lambda history: history.page(PageQuery(RunFilter(pattern="ls"))),
    "with an error": lambda history: history.page(PageQuery(RunFilter(has_error=True))),
    "without an error": lambda history: history.page(PageQuery(RunFilter(has_error=False))),
    "of a month": lambda history: history.page(PageQuery(RunFilter(created_from=datetime.now(UTC)))),
}


def plans(history: History, ask: Callable[[History], Any]) -> list[str]:
    """Return how SQLite goes about every statement of a question, a line for each step."""
    statements: list[tuple[str, Any]] = []

    def note(*call: Any) -> None:
        _, _, text, values, _, many = call
        statements.append((text, values[0] if many else values))

    event.listen(history._connection, "before_cursor_execute", note)
    ask(history)
    with history._reading() as connection:
        cursor = connection.connection.cursor()
        usual = ("SELECT", "INSERT", "UPDATE", "DELETE")
        return [
            row[-1]
            for text, values in statements
            if text.startswith(usual)
            for row in cursor.execute(f"EXPLAIN QUERY PLAN {text}", values).fetchall()
        ]


def reads_a_whole_table(step: str) -> bool:
    from_index = "COVERING INDEX", "ix_workflows_with_error", "ix_patterns_recurring"  # of the few
    found = step.removeprefix("SCAN with_agents")  # what indexes of two tables gave
    return found.startswith("SCAN") and not any(name in step for name in from_index)


@pytest.mark.parametrize("ask", QUERIES.values(), ids=QUERIES.keys())
def test_a_usual_question_neither_reads_a_whole_table_nor_sorts(
    history: History, ask: Callable[[History], Any]
) -> None:
    with_rows(history)
    steps = plans(history, ask)
    assert steps
    assert [step for step in steps if reads_a_whole_table(step) or "TEMP B-TREE" in step] == []


@pytest.mark.parametrize("ask", ONLY_FROM_AN_INDEX.values(), ids=ONLY_FROM_AN_INDEX.keys())
def test_a_sync_finds_the_stored_runs_of_its_project_by_an_index(
    history: History, ask: Callable[[History], Any]
) -> None:
    with_rows(history)
    step, *of_agents = plans(history, ask)
    assert "USING COVERING INDEX ix_workflows_of_a_sync" in step
    assert all(inner.startswith(("CORRELATED", "SEARCH agent_runs")) for inner in of_agents)


def test_the_sums_of_all_runs_read_packed_columns_and_no_whole_table(history: History) -> None:
    with_rows(history)
    history.build_column_cache()
    steps = plans(history, lambda opened: opened.columns("runs", workflow_totals.COLUMNS))
    assert [step for step in steps if "column_blocks" in step]
    assert [step for step in steps if reads_a_whole_table(step)] == []


@pytest.mark.parametrize("ask", LISTS.values(), ids=LISTS.keys())
def test_other_sort_keys_read_an_index_not_the_wide_rows(
    history: History, ask: Callable[[History], Any]
) -> None:
    with_rows(history)
    assert [step for step in plans(history, ask) if reads_a_whole_table(step)] == []


def test_a_runs_patterns_are_counted_without_reading_all_occurrences(history: History) -> None:
    with_rows(history)
    [first, *_] = history.list_refs()
    assert [
        step for step in plans(history, lambda opened: opened.patterns(first.key)) if "SCAN" in step
    ] == []


def test_a_session_is_looked_up_in_an_index(history: History) -> None:
    with_rows(history)
    steps = plans(history, lambda opened: opened.page(PageQuery(RunFilter(search="5f0c2a91-77aa"))))
    assert [step for step in steps if "agent_runs" in step and "ix_agent_runs_session_id" not in step] == []
    assert any("ix_agent_runs_session_id" in step and step.startswith("SEARCH") for step in steps)


def test_a_batch_looks_its_runs_up_once(history: History) -> None:
    with_rows(history)
    steps = plans(history, with_rows)
    assert sum(step.startswith("SEARCH workflows") and "(project=? AND id=?)" in step for step in steps) == 2
