"""Statistics equal sums made in plain Python from the stored rows."""

from __future__ import annotations

import json
import sqlite3
import statistics as plain
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from app.server.core.workflow_history import database
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.cli.render import symbols
from app.server.core.workflow_history.common.errors import InvalidQueryError
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.queries.json.encoding import to_json
from app.server.core.workflow_history.queries.statistics import (
    GROUPINGS,
    GroupStatistics,
    overview,
    run_statistics,
    trend,
    waste,
)
from app.server.core.workflow_history.storage.history import History
from app.server.tests.support.thoroughness import tries

KINDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
RUN_COLUMN = {
    "status": "status",
    "project": "project",
    "template": "workflow_template",
    "issue_class": "issue_class",
    "branch": "branch_name",
    "issue": "issue_number",
    "pr": "pull_request",
}

# --- histories

money = st.none() | st.integers(0, 5 * 10**9).map(lambda nano: nano / 1e9)
count = st.none() | st.integers(0, 10**7)
tokens_of = dict.fromkeys(KINDS, count)
bases = st.sampled_from(["reported", "computed", "lower_bound", "unpriced", None])
shares = st.lists(
    st.fixed_dictionaries(
        {"model": st.sampled_from(["opus", "sonnet", None]), "cost": money, "cost_basis": bases, **tokens_of}
    ),
    max_size=2,
)
agents = st.fixed_dictionaries({
    "phase": st.sampled_from(["plan", "build", "test", None]),
    "agent": st.sampled_from(["planner", "builder", "tester"]),
    "model": st.sampled_from(["opus", "haiku", None]),
    "cost": money,
    "lower_bound_cost": money,
    "retries": st.integers(0, 2),
    "restarts": st.integers(0, 2),
    "failed_process_cost": money,
    "cost_basis": bases,
    **tokens_of,
    "duration_seconds": st.none() | st.floats(0, 10_000),
    "outcome": st.sampled_from(["success", "error", "false_success", "incomplete", "empty"]),
    "duplicate_of": st.sampled_from(
        [None, None, None, "planner/raw_output.jsonl", "shop/other: planner/raw_output.jsonl"]
    ),
    "models": shares,
})  # fmt: skip
moments = st.none() | st.integers(0, 42 * 86_400).map(
    lambda seconds: (datetime(2026, 2, 25, tzinfo=UTC) + timedelta(seconds=seconds)).isoformat()
)
runs = st.lists(
    st.fixed_dictionaries({
        "status": st.sampled_from(["completed", "failed", "running", "incomplete", None]),
        "project": st.sampled_from(["shop", "desk"]),
        "workflow_template": st.sampled_from(["adw_patch", "adw_sdlc", None]),
        "issue_class": st.sampled_from(["/bug", "/feature", None]),
        "branch_name": st.sampled_from(["feature-1", "bug-2", None]),
        "issue_number": st.sampled_from(["7", "#8", None]),
        "pull_request": st.sampled_from(["shop/shop#12", "12", None]),
        "created_at": moments,
        "total_cost": money,
        "lower_bound_cost": money,
        "cost_basis": bases,
        **tokens_of,
        "total_tokens": count,
        "duration_seconds": st.none() | st.floats(0, 10_000),
        "duration_basis": st.sampled_from(["reported", "derived", "lower_bound", None]),
        "phase_costs": st.lists(agents, max_size=4),
    }),
    max_size=12,
)  # fmt: skip


def stored(tmp_path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Make the history that this test asks, packed; it is the one in use."""
    file = tmp_path / "history.db"
    file.unlink(missing_ok=True)
    with History.open(file) as history:
        saved = history.save([{**row, "id": f"run{number}"} for number, row in enumerate(rows)])
        assert not saved.failures
        history.build_column_cache()
    return file


def read(file: Path, query: str) -> list[dict[str, Any]]:
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute(query)]
    connection.close()
    return rows


# --- the same figures, made anew


class Entry(NamedTuple):
    """What one run spent in one group."""

    status: str | None
    cost: int | None
    beyond: int | None
    more: bool
    kinds: tuple[int | None, ...]
    total_tokens: int | None
    seconds: float | None
    copy: bool  # others count all of it


def known_sum(values: Iterable[Any]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def of_run(row: dict[str, Any]) -> Entry:
    return Entry(
        row["status"],
        row["recorded_cost_nanodollars"],
        row["lower_bound_cost_nanodollars"],
        row["cost_basis"] in ("lower_bound", "unpriced") or row["lower_bound_cost_nanodollars"] is not None,
        tuple(row[kind] for kind in KINDS),
        row["total_tokens"],
        None if row["duration_basis"] == "lower_bound" else row["duration_seconds"],
        row["is_copy"],
    )


def of_parts(status: str | None, parts: list[dict[str, Any]], *, tells: bool) -> Entry:
    """Put together what a run's parts in a group spent; a copy spends nothing.

    `tells`: not all parts of the run are empty streams; then these spent nothing.
    """
    own = [part for part in parts if part.get("duplicate_of") is None]
    recorded = [part for part in own if part["cost_basis"] in ("reported", "computed")]
    bounds = [part["lower_bound_cost_nanodollars"] for part in own]
    bounds += [part["cost_nanodollars"] for part in own if part not in recorded]
    kinds = tuple(known_sum(part[kind] for part in own) for kind in KINDS)
    cost, beyond = known_sum(part["cost_nanodollars"] for part in recorded), known_sum(bounds)
    unknown = [part for part in own if part["cost_basis"] is None and part.get("outcome") != "empty"]
    return Entry(
        status,
        cost,
        beyond,
        beyond is not None
        or any(part["cost_basis"] in ("lower_bound", "unpriced") for part in own)
        or bool(unknown and cost is not None),
        kinds,
        known_sum(kinds),
        known_sum(part.get("duration_seconds") for part in parts),
        all(part.get("outcome") == "empty" and tells for part in own),
    )


def are_copies(parts: list[dict[str, Any]]) -> bool:
    """Return whether other streams count all that a run's streams spent, and one of them is another run's."""
    of_others = [part for part in parts if ": " in (part["duplicate_of"] or "")]
    return bool(of_others) and all(part["duplicate_of"] or part["outcome"] == "empty" for part in parts)


def place(values: list[Any], tenth: int) -> Any:
    """Return the value so far up, by the standard library."""
    return values[0] if len(values) == 1 else plain.quantiles(values, n=10, method="inclusive")[tenth - 1]


def check(found: GroupStatistics, entries: list[Entry]) -> None:
    """Hold a group's figures against those of its entries."""
    assert found.runs == len(entries)
    completed, failed = (sum(e.status == word for e in entries) for word in ("completed", "failed"))
    assert (found.completed, found.failed) == (completed, failed)
    assert found.success_rate == (completed / (completed + failed) if completed + failed else None)
    costs = [entry.cost for entry in entries if entry.cost is not None]
    assert found.cost.runs == len(costs)
    assert found.cost.total == (sum(costs) / 10**9 if costs or not entries else None)
    assert found.cost.mean == (sum(costs) / (len(costs) * 10**9) if costs else None)
    for value, tenth in ((found.cost.median, 5), (found.cost.p90, 9)):
        assert value == (pytest.approx(place(costs, tenth) / 1e9, abs=1e-12) if costs else None)
    beyond = known_sum(entry.beyond for entry in entries)
    assert found.lower_bound_cost == (None if beyond is None else beyond / 10**9)
    assert found.runs_without_cost == sum(e.cost is None and e.beyond is None and not e.copy for e in entries)
    assert found.runs_costing_more == sum(entry.more for entry in entries)
    for name, number in (("input", 0), ("output", 1), ("cache_read", 2), ("cache_creation", 3)):
        expected = known_sum(entry.kinds[number] for entry in entries)
        assert getattr(found.tokens, name) == (0 if not entries else expected)
    assert found.tokens.total == (0 if not entries else known_sum(entry.total_tokens for entry in entries))
    prompts = [(e.kinds[2], sum(e.kinds[n] for n in (0, 2, 3))) for e in entries  # type: ignore[misc]
               if None not in (e.kinds[0], e.kinds[2], e.kinds[3])]  # fmt: skip
    whole = sum(prompt for _, prompt in prompts)
    assert found.cache_hit_rate == (sum(hit for hit, _ in prompts) / whole if whole else None)  # type: ignore[misc]
    seconds = [entry.seconds for entry in entries if entry.seconds is not None]
    assert found.duration.runs == len(seconds)
    if seconds:
        expected = (sum(seconds), plain.fmean(seconds), place(seconds, 5), place(seconds, 9))
        own = (found.duration.total, found.duration.mean, found.duration.median, found.duration.p90)
        assert own == tuple(pytest.approx(each, rel=1e-9, abs=1e-9) for each in expected)


def time_name(moment: str | None, by: str, zone: str) -> str | None:
    if moment is None:
        return None
    local = datetime.fromisoformat(moment).astimezone(ZoneInfo(zone))
    year, week, _ = local.isocalendar()
    return {
        "day": f"{local:%Y-%m-%d}",
        "week": f"{year}-W{week:02}",
        "month": f"{local:%Y-%m}",
        "hour": f"{local:%H}",
        "weekday": WEEKDAYS[local.weekday()],
    }[by]


def run_name(row: dict[str, Any], by: str, zone: str) -> str | None:
    name = row[RUN_COLUMN[by]] if by in RUN_COLUMN else time_name(row["created_at"], by, zone)
    return name or None


def read_runs(file: Path) -> list[dict[str, Any]]:
    """Return the runs that are no copies."""
    parts = read(file, "SELECT workflow_key, duplicate_of, outcome FROM agent_runs")
    return [
        {**row, "is_copy": False}
        for row in read(file, "SELECT * FROM workflows")
        if row["cost_basis"] or not are_copies([part for part in parts if part["workflow_key"] == row["key"]])
    ]


def made_anew(file: Path, by: str, zone: str) -> dict[str | None, list[Entry]]:
    """Return the entries of each group, from the stored rows."""
    rows = read_runs(file)
    found: dict[str | None, list[Entry]] = defaultdict(list)
    if by not in ("phase", "agent", "model"):
        for row in rows:
            found[run_name(row, by, zone)].append(of_run(row))
        return found
    parts = read(file, "SELECT * FROM agent_runs")
    if by == "model":
        shared = read(file, "SELECT * FROM model_usage")
        split = {(share["workflow_key"], share["agent_ordinal"]) for share in shared}
        whole = [part for part in parts if (part["workflow_key"], part["ordinal"]) not in split]
        # An agent run's time is not its model's, and no share says how one ended.
        parts = [{**part, "duration_seconds": None} for part in (*shared, *whole)]
    statuses = {row["key"]: row["status"] for row in rows}
    by_run: dict[tuple[str | None, int], list[dict[str, Any]]] = defaultdict(list)
    for part in parts:
        if part["workflow_key"] in statuses:
            by_run[part[by], part["workflow_key"]].append(part)
    for (name, key), some in by_run.items():
        tells = any(part.get("outcome") != "empty" for part in parts if part["workflow_key"] == key)
        found[name].append(of_parts(statuses[key], some, tells=tells))
    return found


@pytest.mark.parametrize("by", GROUPINGS)
@tries(20)
@given(rows=runs, zone=st.sampled_from(ZONES))
def test_every_figure_of_every_grouping_is_that_of_the_stored_rows(
    tmp_path_factory: pytest.TempPathFactory, by: str, rows: list[dict[str, Any]], zone: str
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        file = stored(tmp_path_factory.mktemp("anew"), rows)
        patched.setenv("WORKFLOW_HISTORY_DB", str(file))
        found, expected = run_statistics(by, tz=zone), made_anew(file, by, zone)
    assert {group.name for group in found.groups if group.runs} == set(expected)
    for group in found.groups:
        check(group, expected.get(group.name, []))
    check(found.total, [of_run(row) for row in read_runs(file)])
    assert found.total.runs + found.total.copies == len(rows)


@tries(30)
@given(
    rows=runs,
    by=st.sampled_from(["month", "status"]),
    across=st.sampled_from(["template", "phase", "weekday"]),
)
def test_crossed_groups_add_up_to_those_of_the_first_alone(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], by: str, across: str
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        file = stored(tmp_path_factory.mktemp("crossed"), rows)
        patched.setenv("WORKFLOW_HISTORY_DB", str(file))
        crossed = run_statistics(by, across=across, tz="UTC")
        turned = run_statistics(across, across=by, tz="UTC")
        alone = run_statistics(by, tz="UTC")
    assert {(g.name, g.across) for g in crossed.groups} == {(g.across, g.name) for g in turned.groups}
    assert all(group.runs for group in crossed.groups)
    if across != "phase":  # a run has several phases
        runs_of: dict[str | None, int] = defaultdict(int)
        for group in crossed.groups:
            runs_of[group.name] += group.runs
        assert runs_of == {group.name: group.runs for group in alone.groups if group.runs}


def test_a_cell_of_a_cross_table_with_nothing_but_copies_is_in_neither_order(tmp_path: Path) -> None:
    copied = {"phase": "plan", "outcome": "success", "duplicate_of": "shop/other: planner/raw_output.jsonl"}
    stored(tmp_path, [{"created_at": "2026-02-25T00:00:00+00:00", "phase_costs": [copied]}])
    assert run_statistics("month", across="phase", tz="UTC").groups == ()
    assert run_statistics("phase", across="month", tz="UTC").groups == ()


def test_a_sum_is_exact_to_the_nanodollar_beyond_what_64_bits_and_floats_hold(tmp_path: Path) -> None:
    costs = ["9000000000.000000001", "9000000000.000000002", "0.000000004"]
    agent = {"phase": "plan", "cost_basis": "reported"}
    stored(tmp_path, [{"total_cost": cost, "phase_costs": [{**agent, "cost": cost}] * 3} for cost in costs])
    exact = 18_000_000_000_000_000_007
    assert run_statistics("status").total.cost.total == exact / 10**9
    [plan] = run_statistics("phase").groups
    assert plan.cost.total == 3 * exact / 10**9
    assert (plan.runs, plan.agent_runs) == (3, 9)
    assert waste().spent == 3 * exact / 10**9


def test_ten_thousand_thirds_of_a_cent_lose_nothing(tmp_path: Path) -> None:
    stored(tmp_path, [{"total_cost": 0.003333333}] * 1_000)
    assert run_statistics("status").total.cost.total == 3.333333


# --- time

CHANGES = {
    # zone: a moment before its clock changed and one after, and the local hours that they were
    "Europe/Berlin": [("2026-03-29T00:59:59.999999Z", "01"), ("2026-03-29T01:00:00Z", "03"),
                      ("2026-10-25T00:30:00Z", "02"), ("2026-10-25T01:30:00Z", "02")],
    "America/New_York": [("2026-03-08T06:59:59Z", "01"), ("2026-03-08T07:00:00Z", "03"),
                         ("2026-11-01T05:30:00Z", "01"), ("2026-11-01T06:30:00Z", "01")],
    "Australia/Lord_Howe": [("2026-04-04T14:59:00Z", "01"), ("2026-04-04T15:01:00Z", "01"),
                            ("2026-10-03T15:29:00Z", "01"), ("2026-10-03T15:31:00Z", "02")],
    "Asia/Kolkata": [("2026-03-31T18:29:59Z", "23"), ("2026-03-31T18:30:00Z", "00")],
}  # fmt: skip


@pytest.mark.parametrize("zone", CHANGES)
def test_hours_are_those_of_the_clock_on_the_wall_where_it_changes(tmp_path: Path, zone: str) -> None:
    expected: dict[str, int] = defaultdict(int)
    for _, hour in CHANGES[zone]:
        expected[hour] += 1
    stored(tmp_path, [{"created_at": moment} for moment, _ in CHANGES[zone]])
    groups = run_statistics("hour", tz=zone).groups
    assert [group.name for group in groups] == [f"{hour:02}" for hour in range(24)]
    assert {group.name: group.runs for group in groups if group.runs} == expected


def test_a_day_is_another_one_elsewhere(tmp_path: Path) -> None:
    stored(tmp_path, [{"created_at": "2026-03-31T22:30:00Z"}])
    assert [g.name for g in run_statistics("day", tz="UTC").groups] == ["2026-03-31"]
    [april] = run_statistics("month", tz="Europe/Berlin").groups
    assert (april.name, str(april.first_day)) == ("2026-04", "2026-04-01")


def test_a_week_begins_on_monday_and_belongs_to_the_year_of_its_thursday(tmp_path: Path) -> None:
    stored(
        tmp_path, [{"created_at": f"{day}T12:00:00Z"} for day in ("2025-12-28", "2025-12-29", "2026-01-04")]
    )
    groups = run_statistics("week", tz="UTC").groups
    assert [(g.name, str(g.first_day), g.runs) for g in groups] == [
        ("2025-W52", "2025-12-22", 1),
        ("2026-W01", "2025-12-29", 2),
    ]


def test_empty_days_are_there_and_runs_without_a_time_stand_apart(tmp_path: Path) -> None:
    stored(tmp_path, [{"created_at": "2026-01-01T12:00:00Z", "total_cost": 1}, {"total_cost": 2},
                      {"created_at": "2026-01-04T12:00:00Z"}])  # fmt: skip
    groups = run_statistics("day", tz="UTC").groups
    assert [(g.name, g.runs) for g in groups] == [
        ("2026-01-01", 1), ("2026-01-02", 0), ("2026-01-03", 0), ("2026-01-04", 1), (None, 1),
    ]  # fmt: skip
    empty, unknown_cost = groups[1], groups[3]
    assert (empty.cost.total, empty.cost.median, empty.success_rate, empty.tokens.total) == (
        0.0,
        None,
        None,
        0,
    )
    assert unknown_cost.cost.total is None


def test_more_groups_of_time_than_can_be_read_are_refused_with_advice(tmp_path: Path) -> None:
    stored(tmp_path, [{"created_at": "2000-01-01T12:00:00Z"}, {"created_at": "2026-01-04T12:00:00Z"}])
    with pytest.raises(InvalidQueryError, match=r"9,501 .*Use a longer unit"):
        run_statistics("day", tz="UTC")
    assert len(run_statistics("month", tz="UTC").groups) == 313


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("by", ["day", "week", "month", "hour", "weekday"])
@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati", "local"])
def test_the_ends_of_the_calendar_break_nothing(tmp_path: Path, moment: str, by: str, zone: str) -> None:
    stored(tmp_path, [{"created_at": moment}])
    assert sum(group.runs for group in run_statistics(by, tz=zone).groups) == 1


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "", "../etc/passwd", "America", "/etc/localtime", "a\0b", "é"]
)
def test_an_unknown_time_zone_is_answered_with_the_names_of_known_ones(zone: str) -> None:
    with pytest.raises(InvalidQueryError, match="Europe/Berlin"):
        run_statistics("day", tz=zone)


# --- what can be asked


@pytest.mark.usefixtures("no_history")
def test_an_unknown_grouping_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InvalidQueryError, match="day, week, month"):
        run_statistics("colour")
    for by, across in (("phase", "model"), ("day", "day")):
        with pytest.raises(InvalidQueryError, match="Cannot group by"):
            run_statistics(by, across=across)


def test_only_the_runs_that_are_meant_are_added_up(tmp_path: Path) -> None:
    agent = {"phase": "plan", "cost_basis": "reported"}
    costs = {"failed": 1, "completed": 2}
    stored(tmp_path, [
        {"status": status, "total_cost": cost, "phase_costs": [{**agent, "cost": cost}]}
        for status, cost in costs.items()
    ])  # fmt: skip
    where = RunFilter(status=("failed",))
    assert run_statistics("template", where).total.cost.total == 1
    assert [group.cost.total for group in run_statistics("phase", where).groups] == [1]
    assert waste(where).spent == 1


@pytest.mark.usefixtures("no_history")
def test_without_a_history_everything_is_answered_and_nothing_made(own_history: Path) -> None:
    assert run_statistics("phase").groups == ()
    assert run_statistics("day").total.runs == 0
    assert waste().spent == 0
    assert trend().changes[0].now == 0
    assert overview().total.runs == 0
    assert not own_history.exists()


@pytest.fixture
def own_history(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


# --- waste


def agent_run(**more: Any) -> dict[str, Any]:
    known = {"retries": 0, "restarts": 0, "failed_process_cost": 0.0}
    return {"phase": "build", "cost_basis": "reported", "outcome": "success", **known, **more}


def test_every_wasted_dollar_is_counted_once_by_the_first_kind_that_holds(tmp_path: Path) -> None:
    stored(tmp_path, [
        {"status": "failed", "total_cost": 3.5, "workflow_template": "patch", "phase_costs": [
            agent_run(cost=1.0, outcome="error"), agent_run(cost=2.0, retries=1)]},
        {"status": "completed", "total_cost": 10.0, "lower_bound_cost": 0.5, "phase_costs": [
            agent_run(cost=4.0),
            agent_run(cost=1.0, retries=1, outcome="error", superseded=True),
            agent_run(cost=2.0, retries=1, restarts=1, failed_process_cost=0.5, outcome="error",
                      phase="test"),
            agent_run(cost=2.0, retries=1, restarts=1, outcome="false_success"),
            agent_run(cost=0.5, cost_basis="lower_bound", outcome="incomplete"),
            agent_run(cost=1.0, duplicate_of="a", outcome="error")]},
        {"status": "running", "total_cost": 0.25, "phase_costs": [
            agent_run(cost=0.25, outcome="incomplete")]},
        {"status": "incomplete", "lower_bound_cost": 0.5, "phase_costs": [
            agent_run(cost=0.5, cost_basis="lower_bound", outcome="incomplete")]},
    ])  # fmt: skip
    found = waste()
    assert [(kind.kind, kind.runs, kind.cost, kind.counted_above) for kind in found.kinds] == [
        ("failed_runs", 1, 3.5, 0.0),
        ("retries", 2, 1.5, 2.0),
        ("false_successes", 1, 2.0, 0.0),
        ("errors", 2, 1.5, 2.5),
        ("interrupted", 1, 0.5, 0.0),
    ]
    assert (found.wasted, found.spent, found.share) == (9.0, 14.75, 9.0 / 14.75)
    assert (found.doubtful_runs, found.doubtful_cost) == (1, 10.5)
    assert [(p.name, p.wasted, p.spent) for p in found.by_template] == [
        (None, 5.5, 11.25),
        ("patch", 3.5, 3.5),
    ]
    # Half a dollar of the failed run, and one that was not wasted, are in no agent run that counts.
    assert [(p.name, p.wasted, p.spent) for p in found.by_phase] == [
        ("build", 6.5, 11.25), ("test", 2.0, 2.0), (None, 0.5, 1.5),
    ]  # fmt: skip


@tries(40)
@given(rows=runs)
def test_waste_is_never_more_than_was_spent_and_adds_up_by_kind_and_place(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WORKFLOW_HISTORY_DB", str(stored(tmp_path_factory.mktemp("waste"), rows)))
        found = waste()
    near = pytest.approx(found.wasted, abs=1e-8)
    assert sum(kind.cost or 0.0 for kind in found.kinds) == near
    assert sum(place.wasted for place in found.by_template) == near
    for place_found in (*found.by_template, *found.by_phase):
        assert 0 <= place_found.wasted <= place_found.spent
    assert found.wasted <= found.spent
    json.dumps(to_json(found), allow_nan=False)


# --- trends

NOW = datetime(2026, 3, 31, 18, tzinfo=UTC)


def at(days: float, **more: Any) -> dict[str, Any]:
    return {"created_at": (NOW - timedelta(days=days)).isoformat(), "status": "completed", **more}


def test_a_period_is_held_against_the_equally_long_one_before(tmp_path: Path) -> None:
    now = [at(1, total_cost=3.0), at(10, total_cost=3.0, status="failed"), at(9.99, total_cost=5.0)]
    before = [at(11, total_cost=2.0), at(20, total_cost=2.0)]
    stored(tmp_path, [*now, *before, at(20.01, total_cost=99.0), at(0, total_cost=99.0)])
    found = trend(timedelta(days=10), now=NOW)
    by_name = {change.figure: change for change in found.changes}
    runs_, cost, success = by_name["runs"], by_name["cost"], by_name["success_rate"]
    assert (runs_.now, runs_.before, runs_.change, runs_.change_percent) == (3, 2, 1, 50.0)
    assert (cost.now, cost.before, cost.change, cost.change_percent) == (11.0, 4.0, 7.0, 175.0)
    assert (by_name["cost_per_run"].now, by_name["cost_per_run"].before) == (3.0, 2.0)
    assert (success.now, success.before) == (2 / 3, 1.0)
    assert by_name["duration"].change is None
    assert found.before_is_whole
    assert all(change.low_n for change in found.changes)


def test_a_trend_says_where_its_evidence_ends(tmp_path: Path) -> None:
    stored(tmp_path, [at(day / 10, total_cost=1.0) for day in range(1, 100)])
    found = trend(timedelta(days=7), now=NOW)
    assert not found.before_is_whole
    assert not found.changes[0].low_n
    nothing_before = trend(timedelta(days=30), now=NOW).changes[2]
    assert (nothing_before.before, nothing_before.change_percent, nothing_before.low_n) == (0.0, None, True)


@pytest.mark.parametrize("period", [timedelta(0), timedelta(days=-1), timedelta(days=999_999)])
@pytest.mark.usefixtures("no_history")
def test_a_period_that_is_none_is_refused(period: timedelta) -> None:
    with pytest.raises(InvalidQueryError, match="period"):
        trend(period)
    with pytest.raises(InvalidQueryError, match="sets the period itself"):
        trend(where=RunFilter(created_from=NOW))


# --- the command


def run(*words: str, width: int = 100) -> Any:
    return CliRunner().invoke(app, ["stats", *words], env={"COLUMNS": str(width)})


@pytest.fixture
def history(tmp_path: Path) -> Path:
    nasty = "\x1b[31mred\x1b[0m [bold]x[/] \u202e"
    return stored(tmp_path, [
        at(1, total_cost=1.5, workflow_template=nasty, phase_costs=[agent_run(cost=1.5, phase=nasty)]),
        at(15, total_cost=0.5, status="failed", cost_basis="lower_bound"),
        at(16),
    ])  # fmt: skip


ASKED = [
    [],
    ["--waste"],
    ["--trend", "30d"],
    *(["--by", by] for by in GROUPINGS),
    ["--by", "month", "--across", "phase"],
]


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
@pytest.mark.parametrize("width", [40, 80, 120])
def test_every_answer_fits_and_carries_no_control_code(history: Path, words: list[str], width: int) -> None:
    printed = run(*words, width=width)
    assert printed.exit_code == 0, printed.output
    assert printed.output.strip()
    assert "\x1b" not in printed.output
    assert "\u202e" not in printed.output
    tables = [line for line in printed.output.splitlines() if "workflow-history" not in line]
    assert max(len(line) for line in tables) <= width


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
def test_json_is_the_whole_answer_with_its_version(history: Path, words: list[str]) -> None:
    printed = run(*words, "--json")
    assert printed.exit_code == 0
    assert json.loads(printed.output)["schema_version"] == 2


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
def test_an_empty_history_is_answered_calmly(words: list[str]) -> None:
    database.init_db()
    printed = run(*words)
    assert printed.exit_code == 0, printed.output
    assert printed.output.strip()


@pytest.mark.parametrize(
    "words",
    [["--by", "colour"], ["--tz", "Mars"], ["--waste", "--trend", "30d"], ["--across", "day"],
     ["--trend", "soon"], ["--trend", "30d", "--since", "7d"], ["--trend", "999999999w"]],
    ids=" ".join,
)  # fmt: skip
def test_what_cannot_be_asked_is_a_usage_error_in_one_line(history: Path, words: list[str]) -> None:
    printed = run(*words)
    assert printed.exit_code == 2
    assert printed.output.startswith("error: ")


@given(values=st.lists(st.none() | st.floats(0, 1e9), max_size=40))
def test_a_sparkline_has_a_sign_for_each_value_and_a_gap_only_for_what_is_unknown(
    values: list[float | None],
) -> None:
    line = symbols.sparkline(values)
    assert [sign == " " for sign in line] == [value is None for value in values]
    assert [sign == "▁" for sign in line] == [value == 0 for value in values]
    assert line.translate(symbols.ASCII_FALLBACKS).isascii()
    known = [(value, sign) for value, sign in zip(values, line, strict=True) if value is not None]
    assert [sign for _, sign in sorted(known)] == sorted(sign for _, sign in known)


def test_what_is_a_lower_bound_says_so(history: Path) -> None:
    lines = run("--by", "status").output.splitlines()
    assert [line for line in lines if line.startswith("failed") and "≥ $0.50" in line]
    assert [line for line in lines if line.startswith("completed") and "≥ $1.50" in line]
