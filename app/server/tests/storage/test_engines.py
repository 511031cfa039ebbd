"""What every engine owes: each test here runs on each of them, and their answers are held side by side.

An engine that is added is named in `conftest.ENGINES`; it inherits all of this, and the tests of the store.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, select
from typer.testing import CliRunner

from app.server.core.workflow_history import demo, sync
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.errors import (
    InvalidQueryError,
    PatternNotFoundError,
    WorkflowNotFoundError,
)
from app.server.core.workflow_history.common.filters import Range, RunFilter
from app.server.core.workflow_history.common.models import Problem
from app.server.core.workflow_history.storage.connection.engine import connect, read_transaction
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.reading.page_query import SORT_KEYS, PageCursor, PageQuery
from app.server.core.workflow_history.storage.tables.schema import metadata
from app.server.core.workflow_history.storage.tables.views import VIEW_COLUMNS
from app.server.tests.conftest import ENGINES, empty_place
from app.server.tests.support.paths import ROOT
from app.server.tests.support.patience import PATIENCE

PROGRAM = "app.server.core.workflow_history"
END = datetime(2026, 3, 31, 18, tzinfo=UTC)
RUNS = 60

OF_THE_MOMENT = {"first_seen_at", "last_changed_at", "begins", "ends", "before_begins"}
"""Keys whose values are those of the clock, while a sync ran or a question was asked."""


def address(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def synced(url: URL, agents: Path) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKFLOW_HISTORY_DB", address(url))
        return sync.sync_workflow_history(silent=True, agents_dir=agents)


def rows_of(url: URL) -> dict[str, list[tuple[Any, ...]]]:
    """Return every table as it is stored, but for what the clock said while it was."""
    found = {}
    with connect(url) as connection, read_transaction(connection):
        for name, table in metadata.tables.items():
            if name == "sync_runs":
                continue
            columns = [column for column in table.columns if column.name not in OF_THE_MOMENT]
            rows = connection.execute(select(*columns)).all()
            found[name] = sorted((tuple(row) for row in rows), key=repr)
    return found


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "shop" / "agents"
    demo.make_agents_folder(folder, runs=RUNS, end=END)
    return folder


@pytest.fixture(scope="module")
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, agents: Path
) -> dict[str, URL]:
    """The same folder, synced into a history on each engine."""
    urls = {name: empty_place(request, name, tmp_path_factory.mktemp("both")) for name in ENGINES}
    for url in urls.values():
        synced(url, agents)
    return urls


@pytest.fixture
def history(history_url: URL) -> Iterator[History]:
    with History.open(history_url) as opened:
        yield opened


# --- the same answers


def test_a_sync_stores_the_same_rows(both: dict[str, URL], agents: Path) -> None:
    first, *others = (rows_of(url) for url in both.values())
    assert len(first["workflows"]) == RUNS
    assert others == [first] * len(others)


def test_a_second_sync_writes_nothing(both: dict[str, URL], agents: Path) -> None:
    for url in both.values():
        before = rows_of(url)
        assert synced(url, agents)["unchanged"] == RUNS
        assert rows_of(url) == before
        with History.open(url) as history:
            assert history.syncs(10, 10)[1] == 1


def said(url: URL, *words: str) -> Any:
    """Return what a command answers, as JSON where it is that."""
    result = CliRunner().invoke(app, ["--db", address(url), *words], prog_name="workflow-history")
    assert result.exit_code in {0, 1}, result.output
    assert "Traceback" not in result.output
    return without_moments(json.loads(result.stdout)) if "--json" in words else result.stdout


def without_moments(value: Any) -> Any:
    if isinstance(value, list):
        return [without_moments(one) for one in value]
    if isinstance(value, dict):
        return {key: without_moments(one) for key, one in value.items() if key not in OF_THE_MOMENT}
    return value


QUESTIONS = [
    ["list", "--limit", "60"],
    ["list", "--search", "export -csv"],
    ["list", "--search", '"due date"'],
    ["list", "--error"],
    ["list", "--model", "SONNET", "--cost", "1.."],
    ["list", "--pattern", "pytest"],
    ["stats"],
    ["stats", "--by", "phase", "--across", "week"],
    ["stats", "--by", "model"],
    ["stats", "--by", "pr"],
    ["stats", "--by", "branch", "--across", "phase"],
    ["stats", "--waste"],
    ["stats", "--status", "failed"],
    ["patterns", "--all"],
    ["patterns", "--status", "completed"],
    ["patterns", "show", "pytest"],
    ["forecast", "--text", "CSV export for suppliers"],
    ["forecast", "--backtest"],
    ["similar", "--text", "CSV export for suppliers", "--threshold", "0"],
    ["anomalies"],
    ["db", "version"],
    ["db", "verify"],
]


@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
def test_a_question_has_the_same_answer(both: dict[str, URL], words: list[str]) -> None:
    first, *others = (said(url, *words, "--json") for url in both.values())
    assert first
    assert others == [first] * len(others)


def test_every_run_is_shown_and_compared_alike(both: dict[str, URL]) -> None:
    sqlite, *_ = both.values()
    ids = [run["id"] for run in said(sqlite, "list", "--limit", "60", "--json")["workflows"]]
    for run_id in ids[::6]:
        for words in (["show", run_id], ["similar", run_id, "--threshold", "0"], ["compare", ids[0], run_id],
                      ["forecast", run_id], ["explain", run_id]):  # fmt: skip
            first, *others = (said(url, *words, "--json") for url in both.values())
            assert others == [first] * len(others), words


@pytest.mark.parametrize("what", ["runs", "agent-runs", "patterns"])
@pytest.mark.parametrize("filtered", [[], ["--status", "completed"]], ids=["all", "some"])
def test_what_is_taken_out_is_the_same(both: dict[str, URL], what: str, filtered: list[str]) -> None:
    words = ["export", what, "--columns", "all", "--format", "jsonl", *filtered]
    first, *others = (
        [without_moments(json.loads(line)) for line in said(url, *words).splitlines()]
        for url in both.values()
    )
    assert len(first) > 1
    assert others == [first] * len(others)


@pytest.mark.parametrize("sort_by", SORT_KEYS)
def test_pages_follow_each_other_alike(both: dict[str, URL], sort_by: str) -> None:
    found = []
    for url in both.values():
        with History.open(url) as history:
            ids: list[list[str]] = []
            for order in ("ASC", "DESC"):
                query = PageQuery(sort_by=sort_by, sort_order=order, limit=23)
                ids.append([])
                while True:
                    page = history.summary_page(query)
                    ids[-1] += [run["id"] for run in page.workflows]
                    if page.next_cursor is None:
                        break
                    query = PageQuery(sort_by=sort_by, sort_order=order, limit=23, after=page.next_cursor)
            found.append(ids)
    if sort_by in OF_THE_MOMENT:
        found = [[sorted(ids) for ids in one] for one in found]
    assert {len(ids) for ids in found[0]} == {RUNS}
    assert found[1:] == found[:1] * (len(found) - 1)


@pytest.mark.parametrize("name", VIEW_COLUMNS)
def test_a_view_says_the_same(both: dict[str, URL], name: str) -> None:
    found = []
    for url in both.values():
        with History.open(url) as history:
            found.append(sorted(without_moments(history.view(name)), key=repr))
    assert found[0] or name == "unreadable"
    for rows in found[1:]:
        assert [row.keys() for row in rows] == [row.keys() for row in found[0]]
        assert [rounded(row) for row in rows] == [rounded(row) for row in found[0]]


def rounded(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with its fractions to 12 digits: sums of seconds depend on the order of the rows."""
    return {key: float(f"{one:.12g}") if isinstance(one, float) else one for key, one in row.items()}


# --- what is odd


ODD_IDS = (
    "a",
    "B",
    "b",
    "ä",
    "Z",
    "z",
    "_",
    "-",
    "a b",
    "a%",
    "a_",
    "é",
    "日本",
    "\U0001f600",
    "A",
    "aa",
    "a/b",
)


def test_text_is_sorted_and_begins_by_its_bytes(history: History) -> None:
    history.save([{"id": run_id, "status": "done"} for run_id in ODD_IDS])
    expected = sorted(ODD_IDS, key=str.encode)
    page = history.summary_page(PageQuery(sort_by="id", sort_order="ASC", limit=100))
    assert [run["id"] for run in page.workflows] == expected
    for prefix in ("a", "A", "a%", "a_", "é", "\U0001f600"):
        begun = {ref.id for ref in history.newest(prefix, 100)}
        assert begun >= {run_id for run_id in ODD_IDS if run_id.startswith(prefix)}
        assert all(run_id.lower().startswith(prefix.lower()) for run_id in begun)


TEXTS = {
    "one": "Add CSV export of the due dates to src/app/main.py",
    "two": "export the Übersicht as PDF, e-mail to a.b@example.com; see https://example.com/x?y=1",
    "three": "Date due; v1.2.3-beta costs 12.50 and -5",
    "four": "café Ελλάδα ΣΊΣΥΦΟΣ Москва 日本語 naïve",
    "five": "a" * 3000 + " tail",
    "six": "x\x00y lone \ud800 surrogate",
}
SEARCHES = (
    "csv", "CSV exp", '"due dates"', '"due date"', '"due date"*', "main", "app main", '"app main py"', "py",
    "uber", "über", "UBERSICHT", "example", "b", "1.2.3", '"1 2 3"', "12", "50", "-csv", "export -csv",
    "cafe", "CAFÉ", "ελλαδα", "москва", "日本語", "naive", "a" * 3000, "a" * 250, f'"{"a" * 3000} tail"',
    "tail", '"dates to src"', "or", "and not", "x* OR y", "';drop table", "beta*", "lone", "surrogate", "...",
    '""', '"', "-", "two", "mail", '"e mail"', "e-mail", "https://example.com/x?y=1", "\x00", "\ud800",
)  # fmt: skip


def test_a_search_finds_the_same_runs(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    found: list[dict[str, list[str]]] = []
    for name in ENGINES:
        with History.open(empty_place(request, name, tmp_path)) as history:
            history.save([{"id": run_id, "nl_input": text} for run_id, text in TEXTS.items()])
            names = {ref.key: ref.id for ref in history.list_refs()}
            found.append(
                {text: sorted(names[key] for key in history.matching_keys(RunFilter(search=text)).tolist())
                 for text in SEARCHES}
            )  # fmt: skip
    assert found[0]["csv"] == ["one"]
    assert found[0]['"due dates"'] == ["one"]
    for others in found[1:]:
        assert others == found[0]


def test_a_search_follows_what_a_run_becomes(history: History) -> None:
    history.insert({"id": "a", "nl_input": "first words"})
    history.update("a", {"nl_input": "other words", "error_message": "it broke"})
    finds = {
        word: history.matching_keys(RunFilter(search=word)).tolist() for word in ("first", "other", "broke")
    }
    assert finds == {"first": [], "other": [1], "broke": [1]}
    assert history.check() == []


@pytest.mark.parametrize(
    "wanted",
    [
        RunFilter(tokens=Range(1.5, 10**30)),
        RunFilter(tokens=Range(-(10.0**300), 2.5)),
        RunFilter(cost=Range(0.000000001, 10**300)),
        RunFilter(duration=Range(0, 1)),
        RunFilter(search="\x00", status=("\x00",), project=("\ud800",)),
        RunFilter(model=("%_\\",), agent=("'",), pattern="\x00"),
        RunFilter(pattern="abcd"),
        RunFilter(template=("x",), issue_class=("y",)),
    ],
    ids=str,
)  # fmt: skip
def test_an_odd_filter_is_an_answer_like_any_other(both: dict[str, URL], wanted: RunFilter) -> None:
    found = []
    for url in both.values():
        with History.open(url) as history:
            found.append(
                (history.matching_keys(wanted).tolist(), history.page(PageQuery(wanted, limit=3)).total)
            )
    assert found[1:] == found[:1] * (len(found) - 1)


def test_amounts_are_compared_to_the_last_digit(history: History) -> None:
    large = 2**53
    history.save([{"id": str(more), "total_tokens": large + more} for more in range(3)])
    assert history.matching_keys(RunFilter(tokens=Range(large + 1, None))).tolist() == [2, 3]
    assert history.matching_keys(RunFilter(tokens=Range(None, 1.5))).tolist() == []
    history.save([{"id": "small", "total_tokens": 2}])
    assert history.matching_keys(RunFilter(tokens=Range(None, 1.5))).tolist() == []
    assert history.matching_keys(RunFilter(tokens=Range(1.5, 3))).tolist() == [4]


@pytest.mark.parametrize("value", [1, 1.5, None, "x", "\x00", "\ud800", 2**70, "2026"])
def test_a_cursor_that_was_made_up_is_no_accident(history: History, value: Any) -> None:
    history.save([{"id": "a", "total_tokens": 5, "duration_seconds": 1.0, "model_used": "m"}])
    for sort_by in ("total_tokens", "duration_seconds", "model_used", "created_at"):
        for name in ("a", "\x00\ud800"):
            try:
                query = PageQuery(sort_by=sort_by, limit=5, after=PageCursor(value, name, name))
            except InvalidQueryError:
                continue
            assert history.summary_page(query).total == 1


ODD = "\x00 \ud800"


def test_no_text_is_an_accident(history: History) -> None:
    history.save([{"id": ODD, "project": ODD, "status": ODD, "nl_input": ODD, "agents_dir": ODD}])
    history.save_folder_problems(ODD, [Problem(ODD, ODD)])
    assert history.get(ODD) is not None
    assert history.find(f"{ODD}/{ODD}").key == 1
    assert len(history.newest(ODD[0], 5)) == 1
    assert len(history.distinct_values("status", ODD[0], 5)) == 1
    assert len(history.list_refs(status=ODD)) == 1
    assert history.update(ODD, {"project": ODD, "plan_file": ODD})
    assert len(history.stored_runs(ODD)) == 1
    assert history.cost_totals(ODD, ODD).enriched == 0
    assert len(history.problems(ODD)) == 1
    assert history.folder_problems_unchanged(ODD, [Problem(ODD, ODD)])
    assert history.find_pattern(ODD) == history.pattern_examples(ODD) == []
    with pytest.raises(PatternNotFoundError):
        history.decide_pattern(ODD, "accepted", ODD)
    with pytest.raises(WorkflowNotFoundError):
        history.find(f"{ODD} and more")


# --- many writers


def test_threads_that_write_at_once_lose_and_double_nothing(history_url: URL) -> None:
    with History.open(history_url):
        pass
    errors: list[BaseException] = []

    def write(number: int) -> None:
        try:
            with History.open(history_url) as history:
                for batch in range(3):
                    runs = [{"id": f"{number}-{batch}-{n}", "total_cost": 0.5} for n in range(5)]
                    saved = history.save([*runs, {"id": "shared", "plan_file": f"{number}"}])
                    key = saved.keys["", "shared"]
                    found = {"kind": "operation", "signature": f"same {batch}", "count": 1, "cost": 0.25}
                    history.save_patterns({k: [found] for k in saved.keys.values() if k != key})
                    history.build_column_cache()
        except BaseException as error:  # noqa: BLE001 - told by the test
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with History.open(history_url) as history:
        refs = history.list_refs()
        assert [ref.key for ref in refs] == list(range(1, 4 * 3 * 5 + 2))
        assert len({ref.id for ref in refs}) == len(refs)
        assert history.check() == []
        assert {(one.signature, one.runs, one.nanodollars) for one in history.pattern_totals()} == {
            (f"same {batch}", 20, 20 * 250_000_000) for batch in range(3)
        }


def test_processes_that_sync_at_once_end_as_one_sync_does(
    request: pytest.FixtureRequest, history_url: URL, tmp_path: Path
) -> None:
    folders = [tmp_path / name / "agents" for name in ("red", "green", "blue")]
    for number, folder in enumerate(folders):
        demo.make_agents_folder(folder, runs=12, seed=number, end=END)
    alone = empty_place(request, "sqlite", tmp_path / "alone")
    for folder in folders:
        synced(alone, folder)
    command = [sys.executable, "-m", PROGRAM, "--db", address(history_url), "sync"]
    running = [
        subprocess.Popen([*command, str(folder)], cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603
        for folder in folders
    ]
    assert [process.wait(timeout=PATIENCE) for process in running] == [0] * len(folders)
    with History.open(history_url) as history, History.open(alone) as expected:
        assert history.check() == []
        assert by_name(history) == by_name(expected)
        assert sums(history) == sums(expected)


def by_name(history: History) -> dict[tuple[str, str], Any]:
    found = history.read([ref.key for ref in history.list_refs()])
    return {(run["project"], run["id"]): without_moments(run) for run in found.values()}


def sums(history: History) -> set[tuple[Any, ...]]:
    return {(p.id, p.runs, p.count, p.nanodollars) for p in history.pattern_totals(min_runs=1)}
