"""Merged aggregates of blocks equal the sums over all runs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from app.server.core.workflow_history.analysis.statistics.aggregate_codec import (
    ALL,
    CACHED,
    WASTE,
    compute_aggregate,
    decode_aggregate,
    encode_aggregate,
)
from app.server.core.workflow_history.analysis.statistics.aggregates import Aggregate, merge_aggregates
from app.server.core.workflow_history.analysis.statistics.group_statistics import (
    build_group_statistics,
    build_total,
)
from app.server.core.workflow_history.analysis.statistics.waste import build_waste
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.queries.statistics import (
    GROUPINGS,
    overview,
    run_statistics,
    trend,
    waste,
)
from app.server.core.workflow_history.storage.column_cache import blocks
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.tables.schema import column_blocks
from app.server.tests.queries.test_statistics import check, made_anew, of_run, read_runs, runs, stored
from app.server.tests.support.thoroughness import tries

NOW = datetime(2026, 3, 31, 18, tzinfo=UTC)
FAILED = RunFilter(status=("failed",))
EVERY_RUN = RunFilter(project=("shop", "desk"))


def record(name: str, digest: Aggregate) -> Any:
    """Return what a digest says."""
    return build_waste(digest) if name == WASTE else build_group_statistics(digest)


@pytest.mark.parametrize("name", CACHED)
@tries(40)
@given(rows=runs, blocks_of=st.lists(st.integers(0, 3), min_size=12, max_size=12))
def test_the_aggregates_of_any_parts_of_the_runs_make_that_of_all(
    tmp_path_factory: pytest.TempPathFactory, name: str, rows: list[dict[str, Any]], blocks_of: list[int]
) -> None:
    file = stored(tmp_path_factory.mktemp("parts"), rows)
    with History.open(file) as history:
        columns = history.columns
        every = compute_aggregate(name, columns)
        run_columns = columns("runs", ["key", "status", "workflow_template", "cost_basis", "total_cost",
            "lower_bound_cost", "input_tokens", "output_tokens", "cache_read_tokens",
            "cache_creation_tokens", "total_tokens", "duration_seconds",
            "is_copy"])  # fmt: skip
        parts = []
        for block in sorted(set(blocks_of[: len(rows)])):
            places = np.flatnonzero(np.array(blocks_of[: len(rows)]) == block)
            some = run_columns.take(places)
            found = compute_aggregate(name, lambda f, n, some=some: some if f == "runs" else columns(f, n))  # type: ignore[misc]
            parts.append(decode_aggregate(encode_aggregate(found)))
    if parts:
        assert record(name, merge_aggregates(parts)) == record(name, every)
    if name == ALL and parts:
        # If all runs are copies, the total is still there, with a count of 0.
        check(build_total(merge_aggregates(parts)), [of_run(row) for row in read_runs(file)])
    elif name != WASTE and parts:
        expected = made_anew(file, name, "UTC")
        found_groups = build_group_statistics(merge_aggregates(parts))
        assert {group.name for group in found_groups} == set(expected)
        for group in found_groups:
            check(group, expected[group.name])


# --- whatever is packed


def agent(source: random.Random) -> dict[str, Any]:
    basis = source.choice(["reported", "computed", "lower_bound", "unpriced", None])
    some: Callable[[int], Any] = lambda most: source.choice([None, source.randrange(most)])  # noqa: E731
    return {
        "phase": source.choice(["plan", "build", "test", None]),
        "agent": source.choice(["planner", "builder"]),
        "model": source.choice(["opus", "sonnet"]),
        "cost": source.choice([None, source.randrange(10**10) / 1e9]),
        "cost_basis": basis,
        "retries": source.randrange(2),
        "restarts": source.randrange(2),
        "failed_process_cost": source.choice([None, source.randrange(10**9) / 1e9]),
        "outcome": source.choice(["success", "error", "false_success", "incomplete"]),
        "input_tokens": some(10**6),
        "output_tokens": some(10**6),
        "cache_read_tokens": some(10**9),
        "cache_creation_tokens": some(10**6),
        "duration_seconds": source.choice([None, source.random() * 1000]),
        "duplicate_of": source.choice([None, None, None, "planner"]),
    }


def many_runs(number: int) -> Iterator[dict[str, Any]]:
    source = random.Random(7)
    for place in range(number):
        yield {
            "id": f"run{place}",
            "status": source.choice(["completed", "failed", "running", None]),
            "project": source.choice(["shop", "desk"]),
            "workflow_template": source.choice(["adw_patch", "adw_sdlc", None]),
            "created_at": datetime.fromtimestamp(
                NOW.timestamp() - source.random() * 90 * 86_400, UTC
            ).isoformat(),
            "total_cost": source.choice([None, source.randrange(10**10) / 1e9]),
            "cost_basis": source.choice(["reported", "lower_bound"]),
            "duration_seconds": source.choice([None, source.random() * 1000]),
            "phase_costs": [agent(source) for _ in range(source.randrange(5))],
        }


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    """A history of three blocks and, read at once, two spans of them; nothing is packed."""
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "history.db"))
    monkeypatch.setattr(blocks, "_MAX_BLOCKS", 2)
    with History.open(tmp_path / "history.db") as opened:
        assert not opened.save(list(many_runs(1200))).failures
        yield opened


def answers(where: RunFilter) -> dict[str, Any]:
    found: dict[str, Any] = {by: run_statistics(by, where, tz="UTC") for by in GROUPINGS}
    for by, across in (("phase", "month"), ("week", "agent"), ("template", "model"), ("status", "project")):
        found[f"{by} x {across}"] = run_statistics(by, where, across=across, tz="UTC")
    found["waste"], found["trend"] = waste(where), trend(where=where, now=NOW)
    found["overview"] = overview(where, tz="UTC", now=NOW)
    return found


def forget_aggregates(history: History) -> None:
    """Have the history as an older program left it."""
    with history._writing() as connection:
        connection.execute(delete(column_blocks).where(column_blocks.c.family == blocks.AGGREGATES))


def test_the_answer_is_the_same_whatever_is_packed(history: History) -> None:
    unpacked, of_some = answers(RunFilter()), answers(FAILED)
    assert answers(EVERY_RUN) == unpacked
    history.build_column_cache()
    assert answers(FAILED) == of_some
    assert answers(RunFilter()) == unpacked
    assert answers(EVERY_RUN) == unpacked
    with history._writing() as connection:
        blocks.invalidate_blocks(connection, [600])
    assert answers(RunFilter()) == unpacked
    assert answers(EVERY_RUN) == unpacked


def test_an_older_history_answers_the_same_and_is_packed_by_the_next_sync(history: History) -> None:
    history.build_column_cache()
    packed = answers(RunFilter())
    forget_aggregates(history)
    assert answers(RunFilter()) == packed
    assert history.column_cache_is_stale()
    history.build_column_cache()
    assert not history.column_cache_is_stale()
    assert answers(RunFilter()) == packed


@pytest.mark.parametrize("packed_again", [False, True], ids=["not packed yet", "packed again"])
def test_a_changed_run_changes_every_answer(history: History, packed_again: bool) -> None:
    history.build_column_cache()
    before = answers(RunFilter())
    costly = {**agent(random.Random(1)), "cost": 77.0, "cost_basis": "reported", "outcome": "error"}
    costly |= {"phase": "plan", "agent": "planner", "model": "opus", "duplicate_of": None}
    history.update("run600", {"status": "completed", "total_cost": 77.0, "phase_costs": [costly]})
    if packed_again:
        history.build_column_cache()
    after = answers(RunFilter())
    assert [name for name in after if after[name] == before[name] and name != "trend"] == []
    assert after == answers(EVERY_RUN)
    history.build_column_cache()
    forget_aggregates(history)
    assert answers(RunFilter()) == after


def test_only_the_aggregates_of_the_changed_run_are_made_anew(history: History) -> None:
    history.build_column_cache()
    history.update("run600", {"total_cost": 1.0})
    with history._reading() as connection:
        for name in CACHED:
            assert blocks.missing_blocks(connection, blocks.AGGREGATES, name) == [1]


def test_sums_beyond_64_bits_are_not_kept_but_made_anew_and_never_packed_twice(tmp_path: Path) -> None:
    cost = "9000000000.000000001"
    part = {"phase": "plan", "cost_basis": "reported", "cost": cost}
    file = stored(tmp_path, [{"total_cost": cost, "status": "failed", "phase_costs": [part] * 3}] * 3)
    with History.open(file) as history:
        assert not history.column_cache_is_stale()
    exact = 9 * 9_000_000_000_000_000_001
    assert run_statistics("phase").groups[0].cost.total == exact / 10**9
    assert waste().wasted == exact / 10**9
