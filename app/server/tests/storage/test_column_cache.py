"""Statistics from the column cache equal statistics from rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL, Engine, event

from app.server.core.workflow_history import database, demo
from app.server.core.workflow_history.common.column_data import (
    COLUMNS,
    MISSING_INT,
    CategoricalColumn,
    ColumnTable,
    concat_categories,
    is_known,
)
from app.server.core.workflow_history.common.errors import InvalidQueryError
from app.server.core.workflow_history.queries.statistics import overview
from app.server.core.workflow_history.storage.column_cache import blocks
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support.thoroughness import tries

END = datetime(2026, 3, 31, 18, tzinfo=UTC)


@pytest.fixture
def history(history_url: URL, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    monkeypatch.setattr(database, "DB_PATH", history_url)
    with History.open(history_url) as opened:
        yield opened


def listed(columns: ColumnTable, name: str) -> list[Any]:
    """Return a column as plain values, None where unknown."""
    if name in columns.categorical:
        return columns.categorical[name].to_list()
    values = columns.floats.get(name, columns.integers.get(name))
    assert values is not None
    return [value if there else None for value, there in zip(values.tolist(), is_known(values), strict=True)]


def everything(history: History) -> dict[str, dict[str, list[Any]]]:
    return {
        family: {name: listed(history.columns(family, list(names)), name) for name in names}
        for family, names in COLUMNS.items()
    }


@contextmanager
def listening(note: Callable[..., None]) -> Iterator[None]:
    """Call a function before each statement of the block; what it does itself is not noted."""
    is_noting = False

    def note_once(*details: Any) -> None:
        nonlocal is_noting
        if not is_noting:
            is_noting = True
            note(*details)
            is_noting = False

    event.listen(Engine, "before_cursor_execute", note_once)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", note_once)


AGENTS = [{"phase": "plan", "model": "opus", "cost": 0.5, "cost_basis": "reported"}]


def test_columns_hold_what_the_rows_hold(history: History) -> None:
    agent = {
        "phase": "plan",
        "agent": "planner",
        "cost": 0.3,
        "turns": 4,
        "duplicate_of": "x",
        "superseded": True,
    }
    history.save(
        [
            {
                "id": "a",
                "status": " Completed ",
                "created_at": "2026-01-02T03:04:05.5Z",
                "total_cost": 0.1,
                "duration_seconds": 1.5,
                "error_message": "cut",
                "phase_costs": [agent, {"phase": "build", "models": [{"model": "m", "cost": 0.2}]}],
            },
            {"id": "b", "started_at": "2026-01-03T00:00:00Z", "error_message": ""},
        ]
    )
    runs = history.columns("runs", ["status", "created_at", "total_cost", "duration_seconds", "has_error"])
    assert listed(runs, "status") == ["completed", None]
    made = ("2026-01-02T03:04:05.5Z", "2026-01-03T00:00Z")
    moments = [round(datetime.fromisoformat(when).timestamp() * 1e6) for when in made]
    assert listed(runs, "created_at") == moments
    assert listed(runs, "total_cost") == [100_000_000, None]
    assert listed(runs, "duration_seconds") == [1.5, None]
    assert listed(runs, "has_error") == [1, 0]
    agents = history.columns("agent_runs", ["phase", "cost", "turns", "is_copy", "superseded"])
    assert listed(agents, "phase") == ["plan", "build"]
    assert listed(agents, "cost") == [300_000_000, None]
    assert listed(agents, "turns") == [4, None]
    assert listed(agents, "is_copy") == [1, 0]
    assert listed(agents, "superseded") == [1, None]
    models = history.columns("models", ["model", "cost"])
    assert listed(models, "model") == [None, "m"]  # the first agent's shares are unknown
    assert listed(models, "cost") == [300_000_000, 200_000_000]


def test_packed_columns_are_those_of_the_rows(tmp_path: Path, history: History) -> None:
    demo.make_agents_folder(tmp_path / "agents", runs=40, seed=3, end=END)
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    assert not history.column_cache_is_stale()
    packed = everything(history)
    keys = [ref.key for ref in history.list_refs()]
    with history._writing() as connection:
        blocks.invalidate_blocks(connection, keys)
    assert history.column_cache_is_stale()
    assert everything(history) == packed


amounts = (
    st.none() | st.integers(0, 2**62) | st.integers(0, 300) | st.sampled_from([254, 255, 256, 65535, 2**32])
)


@tries(60)
@given(
    st.lists(
        st.tuples(amounts, st.none() | st.floats(0, 1e300), st.none() | st.text(max_size=5)), max_size=20
    )
)
def test_any_figure_survives_packing(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    with History.open(tmp_path_factory.mktemp("pack") / "history.db") as history:
        history.save(
            [
                {"id": str(number), "total_tokens": tokens, "duration_seconds": seconds, "issue_class": word}
                for number, (tokens, seconds, word) in enumerate(rows)
            ]
        )
        before = everything(history)
        history.build_column_cache()
        assert everything(history) == before
        assert before["runs"]["total_tokens"] == [tokens for tokens, _, _ in rows]
        assert before["runs"]["duration_seconds"] == [seconds for _, seconds, _ in rows]


writes = st.lists(
    st.tuples(st.sampled_from(["save", "gone", "back", "pack"]), st.integers(0, 1200), st.integers(0, 9)),
    max_size=12,
)


@tries(25)
@given(writes)
def test_no_write_leaves_a_packed_column_behind(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    """Among 1,100 runs, in three blocks, whatever is written is what is read."""
    with History.open(tmp_path_factory.mktemp("writes") / "history.db") as history:
        history.save([{"id": f"{number}", "source_state": "present"} for number in range(1100)])
        history.build_column_cache()
        for what, number, value in steps:
            if what == "save":
                history.save([{"id": str(number), "total_cost": value, "source_state": "present"}])
            elif what == "pack":
                history.build_column_cache()
            else:
                keys = [ref.key for ref in history.list_refs() if ref.id == str(number)]
                now = datetime.fromisoformat("2026-01-01T00:00Z")
                history.mark_deleted(keys, now) if what == "gone" else history.mark_restored(keys)
        columns = history.columns("runs", ["total_cost", "source_state"])
        rows = history.read_fields(["total_cost", "source_state"])
        costs = [None if row["total_cost"] is None else round(row["total_cost"] * 1e9) for row in rows]
        assert listed(columns, "total_cost") == costs
        assert listed(columns, "source_state") == [row["source_state"] for row in rows]


def test_only_the_block_of_a_changed_run_is_packed_anew(history: History) -> None:
    history.save([{"id": str(number)} for number in range(1600)])
    history.build_column_cache()
    history.update("700", {"total_cost": 1.0})
    with history._reading() as connection:
        assert blocks.missing_blocks(connection, "runs", "key") == [1]


def test_a_sync_packs_what_another_program_wrote(tmp_path: Path, history: History) -> None:
    demo.make_agents_folder(tmp_path / "agents", runs=3, seed=3, end=END)
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    database.insert_workflow({"id": "by-hand"})
    assert history.column_cache_is_stale()
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    assert not history.column_cache_is_stale()


def test_an_empty_history_has_empty_columns(history: History) -> None:
    for family, names in COLUMNS.items():
        assert len(history.columns(family, list(names))) == 0


def test_an_unknown_column_is_told_with_the_known_ones(history: History) -> None:
    with pytest.raises(InvalidQueryError, match="total_cost"):
        history.columns("runs", ["no_such_column"])


def test_rows_can_be_taken_by_mask_and_by_number(history: History) -> None:
    history.save([{"id": str(number), "total_tokens": number, "status": f"s{number}"} for number in range(5)])
    columns = history.columns("runs", ["total_tokens", "status", "duration_seconds"])
    some = columns.take(np.array([True, False, True, False, False]))
    assert (len(some), listed(some, "total_tokens"), listed(some, "status")) == (2, [0, 2], ["s0", "s2"])
    assert listed(columns.take(np.array([4, 1])), "total_tokens") == [4, 1]


def test_an_overview_reads_no_column_of_unpacked_agent_runs_twice(history: History) -> None:
    history.save([{"id": str(number), "phase_costs": AGENTS} for number in range(3)])
    columns: list[tuple[str, str, str]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        chosen, _, source = statement.removeprefix("SELECT ").partition(" \nFROM ")
        if source.startswith("agent_runs"):
            columns.extend((source, repr(parameters), column) for column in chosen.split(", "))

    with listening(note):
        assert overview().total.runs == 3
    assert columns
    assert len(columns) == len(set(columns))


def test_an_overview_shows_one_state_of_a_history_that_a_sync_is_writing(
    history: History, history_url: URL
) -> None:
    history.save([{"id": "first", "phase_costs": AGENTS}])
    history.build_column_cache()
    statements = seen = stored = 0

    def store(*_: Any) -> None:
        nonlocal seen, stored
        seen += 1
        if seen == statements + 1:
            with History.open(history_url) as other:
                other.save([{"id": f"run{stored}", "status": "failed", "phase_costs": AGENTS}])
                stored += 1

    while stored == statements:
        seen = 0
        with listening(store):
            found = overview()
        [plan] = [group for group in found.phases.groups if group.name == "plan"]
        counts = {
            found.total.runs,
            plan.runs,
            found.waste.runs,
            sum(week.runs for week in found.weeks.groups),
        }
        assert counts <= {statements + 1, statements + 2}, "before or after the run was stored"
        assert len(counts) == 1
        statements += 1
    assert statements > 5


def test_words_that_mean_the_same_are_one_word() -> None:
    both = concat_categories(
        [CategoricalColumn.from_values(["a", "b", None]), CategoricalColumn.from_values(["b", "c"])]
    )
    assert both.categories == ("a", "b", "c")
    assert both.to_list() == ["a", "b", None, "b", "c"]
    assert both.equals("b").tolist() == [False, True, False, True, False]
    assert not both.equals("nobody").any()
    assert MISSING_INT < 0
