"""Lists: combined filters, full-text search, paging without gaps or repeats."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL
from typer.testing import CliRunner

from app.server.core.workflow_history import (
    database,
    explain_run,
    export,
    find_anomalies,
    find_patterns,
    overview,
)
from app.server.core.workflow_history.analysis.patterns import pattern_id
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.errors import (
    AmbiguousPatternError,
    AmbiguousWorkflowError,
    InvalidQueryError,
    WorkflowNotFoundError,
)
from app.server.core.workflow_history.common.filter_options import parse_duration, parse_moment, parse_range
from app.server.core.workflow_history.common.filters import Range, RunFilter
from app.server.core.workflow_history.queries.list_runs import SORT_ALIASES, find_runs
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.reading.search_query import parse_search
from app.server.tests.support.thoroughness import tries

START = datetime(2026, 1, 1, tzinfo=UTC)
TEMPLATES, PHASES, MODELS = (
    ("adw_sdlc", "adw_patch", None),
    ("plan", "build", "review"),
    ("opus-4", "sonnet-5"),
)


def run(number: int) -> dict[str, Any]:
    """One of many runs, with equal and with unknown values."""
    return {
        "id": f"run-{number:02}",
        "project": "shop" if number % 3 else "desk",
        "status": ("completed", "failed", "running")[number % 3],
        "created_at": None if number % 11 == 0 else (START + timedelta(days=number // 2)).isoformat(),
        "workflow_template": TEMPLATES[number % len(TEMPLATES)],
        "issue_class": ("/bug", "/feature")[number % 2],
        "model_used": MODELS[number % 2],
        "nl_input": f"Export table {number % 7} as CSV" if number % 4 else f"Fix the login of page {number}",
        "error_message": "TimeoutError: too slow" if number % 5 == 0 else None,
        "branch_name": f"feature-{number}",
        "total_cost": None if number % 6 == 0 else number / 8,
        "total_tokens": number * 1000,
        "duration_seconds": None if number % 7 == 0 else float(number * 10),
        "quality_score": None if number % 2 else float(number),
        "source_state": "missing" if number % 8 == 0 else "present",
        "phase_costs": [
            {"phase": phase, "agent": f"{phase}ner", "model": MODELS[number % 2]}
            for phase in PHASES[: 1 + number % 3]
        ],
    }


RUNS = [run(number) for number in range(40)]


@pytest.fixture(scope="module", autouse=True)
def forty(module_history_url: URL) -> Iterator[History]:
    with History.open(module_history_url) as opened:
        keys = opened.save(RUNS).keys
        pattern = [{"kind": "operation", "signature": "make test", "count": 1}]
        opened.save_patterns({key: pattern for (_, run_id), key in keys.items() if run_id < "run-05"})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(database, "DB_PATH", module_history_url)
            yield opened


def within(value: float | None, bounds: Range | None) -> bool:
    if bounds is None:
        return True
    if value is None:
        return False
    return (bounds.minimum is None or value >= bounds.minimum) and (
        bounds.maximum is None or value <= bounds.maximum
    )


def meets(one: dict[str, Any], wanted: RunFilter) -> bool:
    """Say the same of a run in plain words."""
    phases = {entry["phase"] for entry in one["phase_costs"]}
    agents = {entry["agent"] for entry in one["phase_costs"]}
    words = one["nl_input"].lower() + " " + (one["error_message"] or "").lower()
    made = None if one["created_at"] is None else datetime.fromisoformat(one["created_at"])
    return all(
        [
            not wanted.status or one["status"] in wanted.status,
            not wanted.project or one["project"] in wanted.project,
            not wanted.template or one["workflow_template"] in wanted.template,
            not wanted.issue_class or one["issue_class"].strip("/") in wanted.issue_class,
            not wanted.model or any(name in one["model_used"] for name in wanted.model),
            not wanted.phase or phases & set(wanted.phase),
            not wanted.agent or agents & set(wanted.agent),
            within(one["total_cost"], wanted.cost),
            within(one["total_tokens"], wanted.tokens),
            within(one["duration_seconds"], wanted.duration),
            all(within(one["quality_score"], bounds) for bounds in wanted.scores.values()),
            wanted.created_from is None or (made is not None and made >= wanted.created_from),
            wanted.created_before is None or (made is not None and made < wanted.created_before),
            wanted.has_cost is None or wanted.has_cost == (one["total_cost"] is not None),
            wanted.has_error is None or wanted.has_error == (one["error_message"] is not None),
            wanted.missing is None or wanted.missing == (one["source_state"] == "missing"),
            wanted.pattern is None or one["id"] < "run-05",
            wanted.search is None or wanted.search in words,
        ]
    )


def ranges(most: float) -> st.SearchStrategy[Range | None]:
    pairs = st.tuples(st.floats(0, most), st.floats(0, most)).map(sorted).map(lambda pair: Range(*pair))
    return st.none() | pairs | st.floats(0, most).map(lambda value: Range(value, None))


def some(*words: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(words), max_size=2).map(tuple)


moments = st.none() | st.integers(0, 20).map(lambda days: START + timedelta(days=days))
filters = st.builds(
    RunFilter,
    search=st.sampled_from([None, None, "csv", "login", "timeouterror"]),
    status=some("completed", "failed"),
    project=some("shop", "desk"),
    template=some("adw_sdlc", "adw_patch"),
    issue_class=some("bug", "feature"),
    model=some("opus", "sonnet-5"),
    phase=some(*PHASES),
    agent=some("planner", "reviewner"),
    pattern=st.sampled_from([None, None, None, "make test"]),
    cost=ranges(5),
    tokens=ranges(40_000),
    duration=ranges(400),
    scores=st.sampled_from([{}, {}, {"quality": Range(10, 30)}]),
    created_from=moments,
    created_before=moments,
    has_cost=st.sampled_from([None, True, False]),
    has_error=st.sampled_from([None, True, False]),
    missing=st.sampled_from([None, None, True, False]),
)


@tries(150)
@given(filters)
def test_whatever_is_asked_for_combines(forty: History, wanted: RunFilter) -> None:
    expected = {one["id"] for one in RUNS if meets(one, wanted)}
    page = find_runs(wanted, limit=100)
    assert {one["id"] for one in page.workflows} == expected
    assert page.total == len(expected) == len(forty.matching_keys(wanted))


@tries(60)
@given(
    filters,
    st.sampled_from([*SORT_ALIASES, "id", "project", "branch_name", "issue_class"]),
    st.sampled_from(["asc", "desc"]),
    st.integers(1, 11),
)
def test_cursors_and_offsets_walk_the_same_list(wanted: RunFilter, sort: str, order: str, limit: int) -> None:
    def page(**where: Any) -> Any:
        return find_runs(wanted, sort=sort, order=order, limit=limit, **where)

    with database.pooled_connections():
        whole = [one["id"] for one in find_runs(wanted, sort=sort, order=order, limit=100).workflows]
        by_cursor, cursor = [], None
        while True:
            found = page(cursor=cursor)
            by_cursor += [one["id"] for one in found.workflows]
            cursor = found.next_cursor
            if cursor is None:
                break
        by_offset = [one["id"] for offset in range(0, 44, limit) for one in page(offset=offset).workflows]
    assert by_cursor == by_offset == whole
    assert len(set(whole)) == len(whole)


def test_a_cursor_stays_good_while_runs_come_and_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "DB_PATH", tmp_path / "history.db")
    with History.open(tmp_path / "history.db") as history:
        history.save(RUNS)
        seen: list[str] = []
        cursor = None
        for turn in range(20):
            page = find_runs(sort="id", order="asc", limit=5, cursor=cursor)
            seen += [one["id"] for one in page.workflows]
            history.save([{**run(1), "id": f"run-0{turn}-late"}])
            cursor = page.next_cursor
            if cursor is None:
                break
    old = {one["id"] for one in RUNS}
    assert [name for name in seen if name in old] == sorted(old)
    assert len(set(seen)) == len(seen)


NESTED = b64encode(b"\x91" * 5000).decode()  # a list of a list of a list ...


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "💥", "a" * 5000, "k5U", "-_-_", NESTED])
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidQueryError, match="Omit it to start with the first page"):
        find_runs(cursor=cursor)


def test_a_cursor_of_another_list_is_refused() -> None:
    cursor = find_runs(limit=3).next_cursor
    assert cursor
    for other in ({"sort": "cost"}, {"order": "asc"}, {"where": RunFilter(status=("failed",))}):
        with pytest.raises(InvalidQueryError, match="Omit it to start with the first page"):
            find_runs(limit=3, cursor=cursor, **other)
    with pytest.raises(InvalidQueryError, match="offset"):
        find_runs(limit=3, cursor=cursor, offset=3)


# --- words


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "DB_PATH", tmp_path / "history.db")
    for run_id, text in {
        "percent": "100% done",
        "underscore": "a_b",
        "csv": "Export the orders as CSV, not as PDF",
        "exports": "CSV exporting of orders is slow",
        "order": "as orders go: the CSV",
        "accent": "Übersicht der Aufträge für Zoë",
        "quote": 'say "hello" OR NOT NEAR(a b)',
    }.items():
        database.insert_workflow({"id": run_id, "nl_input": text})
    database.insert_workflow(
        {"id": "branch", "branch_name": "feature-9-login", "error_message": "E0420 at x.py"}
    )


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("100%", ["percent"]),
        ("csv export", ["csv", "exports"]),  # all words, each a beginning
        ("expor*", ["csv", "exports"]),
        ('"export"', ["csv"]),  # this very word
        ('"orders as"', ["csv"]),  # side by side
        ('"as orders"', ["order"]),
        ('"expor"*', ["csv", "exports"]),
        ("csv -pdf", ["exports", "order"]),
        ('orders -"as orders"', ["csv", "exports"]),
        ("-csv -100", ["accent", "branch", "quote", "underscore"]),
        ("ubersicht", ["accent"]),
        ("ZOE", ["accent"]),
        ("feature-9", ["branch"]),
        ("login", ["branch"]),
        ("e042", ["branch"]),
        ("NEAR(", ["quote"]),
        ("or not", ["quote"]),
        ("a_b", ["quote", "underscore"]),
        ("\\", []),
        ('"', []),
        ("'; DROP TABLE workflows; --", []),
        ("lone \ud800", []),
        ("nul \x00", []),
    ],
)
def test_a_search_finds_words(texts: None, search: str, found: list[str]) -> None:
    page = find_runs(RunFilter(search=search), sort="id", order="asc")
    assert [one["id"] for one in page.workflows] == found


@pytest.mark.parametrize("search", ["", "   ", "\n"])
def test_a_search_for_nothing_finds_all(texts: None, search: str) -> None:
    assert find_runs(RunFilter(search=search)).total == 8


@tries(300)
@given(st.text(max_size=60))
def test_no_text_breaks_a_search(search: str) -> None:
    assert 0 <= find_runs(RunFilter(search=search)).total <= 40


@tries(200)
@given(st.text(st.sampled_from("ab\"*-:^+() {}'\\ANDORNEAR"), max_size=30))
def test_no_operator_of_the_database_can_be_typed(search: str) -> None:
    assert find_runs(RunFilter(search=search)).total <= 40


def test_a_search_of_a_thousand_words_is_cut() -> None:
    assert len(parse_search(" ".join(f"word{number}" for number in range(1000)))) == 64
    assert find_runs(RunFilter(search="csv " * 1000)).total == 30


def test_what_is_written_later_is_found_and_what_it_replaced_is_not(texts: None) -> None:
    database.update_workflow("csv", {"nl_input": "Import spreadsheets"})
    assert [one["id"] for one in find_runs(RunFilter(search="spreadsheet")).workflows] == ["csv"]
    assert [one["id"] for one in find_runs(RunFilter(search="pdf")).workflows] == []


# --- words that name something


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (RunFilter(status=("faild",)), "Did you mean failed"),
        (RunFilter(template=("sdcl",)), "adw_sdlc"),
        (RunFilter(model=("gpt",)), "opus-4, sonnet-5"),
        (RunFilter(phase=("plann",)), "Did you mean plan"),
        (RunFilter(project=("shoop",)), "Did you mean shop"),
    ],
)
def test_a_slip_in_a_name_is_told_with_the_names_there_are(wanted: RunFilter, told: str) -> None:
    with pytest.raises(InvalidQueryError, match=told):
        find_runs(wanted)


def test_a_usual_status_that_no_run_has_is_no_slip() -> None:
    assert find_runs(RunFilter(status=("incomplete",))).total == 0


def test_a_template_is_known_by_its_short_name() -> None:
    assert find_runs(RunFilter(template=("sdlc",))).total == 14


@pytest.mark.parametrize(
    "wrong",
    [
        {"cost": Range(5, 1)},
        {"cost": Range(float("nan"), None)},
        {"scores": {"beauty": Range(1, 2)}},
        {"status": "failed"},
        {"status": (1,)},
        {"search": b"x"},
        {"created_from": datetime(2026, 1, 1)},  # noqa: DTZ001 - just that is refused
        {"created_before": "2026-01-01"},
    ],
)
def test_a_filter_that_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidQueryError):
        RunFilter(**wrong)


# --- what is typed


def test_moments_are_typed_as_people_say_them() -> None:
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    assert parse_moment("7d", now) == now - timedelta(days=7)
    assert parse_moment("36h", now) == now - timedelta(hours=36)
    assert parse_moment("2026-03-01T10:00+02:00") == datetime(2026, 3, 1, 8, tzinfo=UTC)
    assert parse_moment("yesterday", now) == datetime(2026, 3, 9).astimezone()
    for wrong in ("soon", "", "7x", "2026-13-01"):
        with pytest.raises(InvalidQueryError, match="7d"):
            parse_moment(wrong)


def test_ranges_are_typed_with_two_dots() -> None:
    assert parse_range("1..2") == (1, 2)
    assert parse_range("..2") == (None, 2)
    assert parse_range("2") == parse_range("2..") == (2, None)
    assert parse_range("1m30s..2h", parse_duration) == (90, 7200)
    for wrong in ("a..b", "1..2..3", "1m2"):
        with pytest.raises(InvalidQueryError):
            parse_range(wrong)


@pytest.mark.usefixtures("no_history")
def test_there_is_nothing_to_find_where_there_is_no_history() -> None:
    page = find_runs(RunFilter(status=("x",)))
    assert (page.workflows, page.total, page.next_cursor) == ([], 0, None)
    assert not database.history_exists()


def two_patterns_alike() -> tuple[str, str, str]:
    """Return the first digits that the ids of two patterns share, and their signatures."""
    known: dict[str, str] = {}
    for number in range(2_000):
        name = f"make part{number}"
        digits = pattern_id("operation", name)[:4]
        if digits in known:
            return digits, known[digits], name
        known[digits] = name
    raise AssertionError("no two of 2,000 ids begin alike")


@pytest.mark.parametrize(
    "ask",
    [
        find_runs,
        find_patterns,
        find_anomalies,
        overview,
        lambda where: export("runs", BytesIO(), where=where),
    ],
    ids=["find_runs", "find_patterns", "find_anomalies", "overview", "export"],
)
def test_a_beginning_that_several_patterns_have_is_an_error_wherever_runs_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[[RunFilter], object]
) -> None:
    digits, *both = two_patterns_alike()
    monkeypatch.setattr(database, "DB_PATH", tmp_path / "alike.db")
    with History.open(tmp_path / "alike.db") as history:
        (key,) = history.save([{"id": "a"}]).keys.values()
        history.save_patterns({key: [{"kind": "operation", "signature": one, "count": 1} for one in both]})
    with pytest.raises(AmbiguousPatternError, match=f'"{digits}" matches 2 patterns'):
        ask(RunFilter(pattern=digits))
    assert find_runs(RunFilter(pattern=both[0])).total == 1


def test_runs_are_narrowed_and_sorted_by_the_cost_that_a_list_shows(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "DB_PATH", tmp_path / "spent.db")
    costs = {"a": (0.6, 0.6), "b": (0.9, None), "c": (None, 1.3), "d": (None, None)}
    with History.open(tmp_path / "spent.db") as history:
        for name, (total, beyond) in costs.items():
            history.insert({"id": name, "total_cost": total, "lower_bound_cost": beyond})

    def found(cost=None):
        page = find_runs(RunFilter(cost=cost), sort="cost")
        return "".join(run["id"] for run in page.workflows)

    assert (found(), found(Range(1.1, 1.25)), found(Range(None, 0.95))) == ("cabd", "a", "b")
    with History.open(tmp_path / "spent.db") as history:
        history.update("a", {"lower_bound_cost": 0.9})
    assert found() == "acbd"
    assert found(Range(1e300, None)) == found(Range(10**25, None)) == ""


@pytest.mark.parametrize(
    "given",
    [{"cost": (1, 2)}, {"scores": {"quality": 3}}, {"scores": 3}, {"cost": Range(10**400, None)},
     {"created_from": datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)))}],
    ids=str,
)  # fmt: skip
def test_what_is_no_filter_is_refused_with_what_is_allowed(given):
    with pytest.raises(InvalidQueryError):
        RunFilter(**given)


@pytest.mark.parametrize(
    "words",
    ["--since 999999d", "--since 0001-01-01T00:00+14:00", "--since 9999-12-31T23:59:59-14:00",
     "--until 9999-12-31", "--since 999999999999d"],
)  # fmt: skip
def test_a_time_beyond_the_calendar_is_refused_in_a_line(words):
    result = CliRunner().invoke(app, ["list", *words.split()], prog_name="workflow-history")
    assert (result.exit_code, result.exception.__class__) == (2, SystemExit)


def test_runs_are_sorted_by_what_a_phase_cost_in_them(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "DB_PATH", tmp_path / "parts.db")
    review = {"a": (0.2, "reported"), "b": (0.5, "reported"), "c": (0.4, "lower_bound"), "d": (None, None)}
    with History.open(tmp_path / "parts.db") as history:
        for name, (cost, basis) in review.items():
            parts = [
                {"phase": "review", "agent": "reviewer", "cost": cost, "cost_basis": basis},
                {"phase": "plan", "agent": "planner", "cost": 9.0, "cost_basis": "reported"},
            ]
            history.insert({"id": name, "phase_costs": parts})
    page = find_runs(RunFilter(phase=("review",)), sort="phase-cost", limit=3)
    assert [run["id"] for run in page.workflows] == ["b", "c", "a"]
    assert (page.part_costs, page.part_costs_partial) == ([0.5, 0.4, 0.2], [False, True, False])
    assert page.total == 4
    shown = CliRunner().invoke(app, ["list", "--phase", "review", "--sort", "phase-cost"]).stdout
    assert [line.split("  ")[-1].strip() for line in shown.splitlines()[:6] if "$" in line] == [
        "$0.50", "≥ $0.40", "$0.20",
    ]  # fmt: skip
    assert "Phase cost" in shown
    last = find_runs(RunFilter(agent=("reviewer",)), sort="agent-cost", offset=3)
    assert ([run["id"] for run in last.workflows], last.part_costs) == (["d"], [None])
    with pytest.raises(InvalidQueryError, match="Add the filter --phase"):
        find_runs(sort="phase-cost")


# By session

SESSIONS = ("0f8fad5b-d9cb-469f-a165-70867728950e", "0f8fad5b-aaaa-469f-a165-70867728950e", "ses_9b1deb4d")


@pytest.fixture
def of_sessions() -> None:
    for number, session in enumerate(SESSIONS):
        agent = {"agent": "builder", "cost": 1.0, "cost_basis": "reported", "session_id": session}
        run = {"id": f"run{number}", "nl_input": f"See ses_{number}aaaaaaa", "phase_costs": [agent]}
        database.insert_workflow(run)


@pytest.mark.parametrize(
    ("reference", "found"),
    [(SESSIONS[0], "run0"), ("0f8fad5b-a", "run1"), ("ses_9b1d", "run2"), ("0f8fad5b-aaaa…", "run1")],
)
@pytest.mark.usefixtures("of_sessions")
def test_a_run_is_found_by_the_session_of_one_of_its_streams(reference: str, found: str) -> None:
    assert explain_run(reference).id == found
    assert [each["id"] for each in find_runs(RunFilter(search=reference.rstrip("…"))).workflows] == [found]


@pytest.mark.usefixtures("of_sessions")
def test_a_session_is_not_found_by_less_than_eight_characters_nor_if_several_begin_so() -> None:
    with pytest.raises(WorkflowNotFoundError):
        explain_run("0f8fad5")
    assert find_runs(RunFilter(search="0f8fad5")).total == 0
    assert find_runs(RunFilter(search="0f8fad5b")).total == 2
    with pytest.raises(AmbiguousWorkflowError, match="run0"):
        explain_run("0f8fad5b")


@pytest.mark.usefixtures("of_sessions")
def test_words_are_searched_for_as_before_beside_sessions() -> None:
    assert [each["id"] for each in find_runs(RunFilter(search="ses_1aaaaaaa")).workflows] == ["run1"]


def test_a_model_is_found_by_its_whole_name_or_a_part_wherever_an_agent_used_it(history_url: URL) -> None:
    used = {"a": ("claude-opus-5", "claude-haiku-4-5"), "b": ("claude-opus-5-5",), "c": ("claude-sonnet-5",)}
    with History.open(history_url) as history:
        for name, models in used.items():
            parts = [{"model": model, "cost": 0.5, "cost_basis": "reported"} for model in models]
            agent = {"agent": "main", "phase": "build", "model": models[0], "models": parts}
            history.save([{"id": name, "project": "shop", "phase_costs": [agent]}])

        def found(*words: str) -> set[str]:
            keys = history.matching_keys(RunFilter(model=words)).tolist()
            return {run["id"] for run in history.read(keys).values()}

        assert found("haiku") == {"a"}  # it is no agent's main model
        assert found("opus") == {"a", "b"}
        assert found("opus-5") == found("claude-opus-5") == found("OPUS-5") == {"a"}
        assert found("opus-5-5", "sonnet") == {"b", "c"}
        assert history.filter_values("model") == sorted(
            {model for models in used.values() for model in models}
        )
