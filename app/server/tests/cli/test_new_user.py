"""First steps of a new user, typed and in Python."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import app.server.core.workflow_history as package
from app.server.core.workflow_history import (
    InvalidQueryError,
    RunFilter,
    WorkflowHistoryError,
    database,
    export,
    find_anomalies,
    find_patterns,
    find_runs,
    get_history_analytics,
    get_workflow_by_id,
    get_workflow_history,
    overview,
    run_statistics,
    similar_runs,
    sync_workflow_history,
    trend,
    waste,
)
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.cli.common_options import _move_ids_last
from app.server.core.workflow_history.common import errors
from app.server.core.workflow_history.pipeline.sync_state import FOLDER_STATISTICS
from app.server.core.workflow_history.queries.list_runs import list_run_summaries
from app.server.core.workflow_history.queries.statistics import timeline
from app.server.core.workflow_history.storage.history import History
from app.server.tests.support.build import assistant, init, result, stream
from app.server.tests.support.paths import ROOT
from app.server.tests.support.thoroughness import sample
from app.server.tests.support.web import client_of

SPEC = {
    "init_db",
    "get_workflow_by_id",
    "insert_workflow",
    "update_workflow",
    "get_workflow_history",
    "sync_workflow_history",
    "resync_workflow_cost",
    "resync_all_completed_workflows",
    "get_history_analytics",
    "calculate_phase_metrics",
    "calculate_workflow_scores",
}


def type_in(*words: str, columns: int = 120) -> Any:
    return CliRunner().invoke(app, list(words), prog_name="workflow-history", env={"COLUMNS": str(columns)})


def make_run(agents: Path, name: str, **state: object) -> Path:
    """Write a completed run of one agent."""
    run = agents / name
    stream(run, "builder", init(name), result(0.25, session=name))
    facts = {"adw_id": name, "status": "completed", "nl_input": "Add CSV export", **state}
    (run / "adw_state.json").write_text(json.dumps(facts))
    return run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two runs: one was made an hour ago, the other a hundred days ago."""
    now = datetime.now(UTC)
    for name, age in (("new00001", timedelta(hours=1)), ("old00001", timedelta(days=100))):
        make_run(tmp_path / "shop" / "agents", name, created_at=(now - age).isoformat())
    return tmp_path / "shop"


# Ages in filters


def exported(where: RunFilter) -> int:
    text = io.BytesIO()
    export("runs", text, format="csv", where=where)
    return len(list(csv.DictReader(io.StringIO(text.getvalue().decode(), newline=""))))


ASKED: dict[str, Callable[[RunFilter], int]] = {
    "find_runs": lambda where: find_runs(where).total,
    "rows of a list": lambda where: list_run_summaries(where).total,
    "run_statistics": lambda where: run_statistics("status", where).total.runs,
    "overview": lambda where: overview(where).total.runs,
    "find_anomalies": lambda where: find_anomalies(where).runs,
    "find_patterns": lambda where: find_patterns(where).span.runs,
    "similar_runs": lambda where: similar_runs(text="Add CSV export", where=where, threshold=0).compared,
    "export": exported,
    "list --since": lambda where: json.loads(
        type_in("list", "--json", *(["--since", "7d"] if where.from_ago else ["--until", "7d"])).stdout
    )["total"],
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_an_age_filters_wherever_the_filter_is_used(project: Path, ask: Callable[[RunFilter], int]) -> None:
    sync_workflow_history(silent=True, agents_dir=project)
    assert (ask(RunFilter(from_ago="7d")), ask(RunFilter(before_ago="7d"))) == (1, 1)


def test_an_age_counts_back_from_the_moment_that_is_asked_about(project: Path) -> None:
    sync_workflow_history(silent=True, agents_dir=project)
    then = datetime.now(UTC) - timedelta(days=99)
    assert run_statistics("status", RunFilter(before_ago="12h"), now=then).total.runs == 1
    fixed = RunFilter(from_ago="1d", before_ago="1h").at(then)
    assert (fixed.created_from, fixed.created_before) == (then - timedelta(days=1), then - timedelta(hours=1))
    assert not RunFilter(from_ago="7d").is_empty


@pytest.mark.parametrize(
    "given",
    [
        {"from_ago": "soon"},
        {"from_ago": 7},
        {"before_ago": ""},
        {"from_ago": "999999999w"},
        {"from_ago": "7d", "created_from": datetime(2026, 1, 1, tzinfo=UTC)},
        {"before_ago": "7d", "created_before": datetime(2026, 1, 1, tzinfo=UTC)},
    ],
    ids=str,
)
def test_an_age_that_cannot_be_meant_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidQueryError):
        RunFilter(**given)


def test_a_page_of_an_age_is_continued_by_its_cursor(project: Path) -> None:
    sync_workflow_history(silent=True, agents_dir=project)
    first = find_runs(RunFilter(from_ago="200d"), limit=1)
    assert first.next_cursor is not None
    second = find_runs(RunFilter(from_ago="200d"), limit=1, cursor=first.next_cursor)
    assert [run["id"] for page in (first, second) for run in page.workflows] == ["new00001", "old00001"]


# Folders


def test_a_project_and_its_agents_folder_are_the_same_runs(project: Path) -> None:
    assert sync_workflow_history(silent=True, agents_dir=project)["inserted"] == 2
    for again in (project / "agents", project, str(project)):
        done = sync_workflow_history(silent=True, agents_dir=again)
        assert (done["inserted"], done["unchanged"], done["project"]) == (0, 2, "shop")
    assert type_in("sync", str(project)).exit_code == 0
    assert {(run["project"], run["id"]) for run in find_runs().workflows} == {
        ("shop", "new00001"),
        ("shop", "old00001"),
    }


def test_a_project_named_by_the_environment_is_its_agents_folder(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_AGENTS", str(project))
    assert sync_workflow_history(silent=True)["project"] == "shop"
    done = type_in("sync", "--json")
    assert json.loads(done.stdout)["unchanged"] == 2


@pytest.mark.parametrize("command", ["sync", "cost"])
@pytest.mark.parametrize("shape", ["empty", "nothing but notes"])
def test_a_folder_without_runs_is_an_error_that_says_what_was_looked_for(
    tmp_path: Path, command: str, shape: str
) -> None:
    agents = tmp_path / "shop" / "agents"
    agents.mkdir(parents=True)
    if shape != "empty":
        (agents / "notes").mkdir()
        (agents / "notes" / "todo.txt").write_text("nothing")
    done = type_in(command, str(tmp_path / "shop"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: No runs in {agents}: ")
    assert "adw_state.json" in done.stderr
    assert "workflow-history sync" not in done.stderr
    assert not (tmp_path / "history.db").exists()


ENDS: dict[str, dict[str, object]] = {
    "good-1": {},
    "good-2": {},
    "bad": {"is_error": True, "result": "API Error"},
}


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder of loose logs, one a run, a day apart; the last one was cut off."""
    folder = tmp_path / "logs"
    for number, name in enumerate([*ENDS, "cut"]):
        asked = json.dumps({"type": "user", "message": {"role": "user", "content": f"Task {name}"}})
        end = [result(0.5, session=name, **ENDS[name])] if name in ENDS else []
        made = datetime(2026, 3, 1 + number, 12, tzinfo=UTC)
        stream(folder, "", init(name), asked, assistant(f"m-{name}", session=name), *end,
               name=f"{name}.jsonl", at=made)  # fmt: skip
    return folder


def test_the_first_sync_says_when_the_runs_were_what_was_asked_how_they_stand_and_what_they_cost(
    logs: Path,
) -> None:
    lines = type_in("sync", str(logs), columns=80).stdout.splitlines()
    assert lines[:2] == [
        "4 runs in logs · 2026-03-01 to 2026-03-04 · 4 requests found",
        "2 completed · 1 failed · 1 incomplete · success rate 67% (2 of 3 finished runs)",
    ]
    assert lines[2].startswith("$1.50 recorded + at least $0.0000")
    assert lines[3].startswith("4 new · ")
    assert max(map(len, lines)) <= 80
    again = type_in("sync", str(logs), columns=80).stdout.splitlines()
    assert again[0].startswith("✓ nothing changed · 4 runs in logs · ")
    assert again[1:] == lines[1:2]


@pytest.mark.parametrize("depth", ["2026-03", "team/2026-03", "team/user/march"])
def test_logs_in_folders_are_a_run_each_as_where_their_folder_is_named(logs: Path, depth: str) -> None:
    around = logs.parent / "around"
    (around / depth).parent.mkdir(parents=True)
    logs.rename(around / depth)
    stream(around / "2026-02", "", init("early"), result(0.25, session="early"), name="early.jsonl")
    synced = sync_workflow_history(silent=True, agents_dir=around)
    assert {run["id"] for run in find_runs(RunFilter()).workflows} == {
        "2026-02/early",
        *(f"{depth}/{name}" for name in (*ENDS, "cut")),
    }
    assert synced["total_cost"] == 1.75


@pytest.mark.parametrize("names", [("planner", "builder"), ("plan_output", "raw_output_2"), ("transcript",)])
def test_logs_that_are_called_as_agents_or_in_general_are_their_folders_run(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    for name in names:
        stream(tmp_path / "logs" / "fix-it", "", init(name), result(0.5, session=name), name=f"{name}.jsonl")
    sync_workflow_history(silent=True, agents_dir=tmp_path / "logs")
    assert [run["id"] for run in find_runs(RunFilter()).workflows] == ["fix-it"]


def test_costs_say_how_many_of_the_runs_are_shown(logs: Path) -> None:
    for number in range(3):
        stream(logs, "", init(f"x{number}"), result(0.1, session=f"x{number}"), name=f"more-{number}.jsonl")
    assert "5 of 7; all: --by run" in type_in("cost", str(logs), columns=80).stdout
    assert "all: --by run" not in type_in("cost", str(logs), "--by", "run", columns=80).stdout


def test_the_first_sync_says_the_same_to_programs(logs: Path) -> None:
    done = json.loads(type_in("sync", str(logs), "--json").stdout)
    total = overview().total
    assert (done["success_rate"], done["success_rate_of"]) == (total.success_rate, total.success_rate_of)
    assert done["statuses"] == {"completed": 2, "failed": 1, "incomplete": 1}
    assert (done["requests"], done["undated"]) == (4, 0)
    assert done["last_created_at"] == max(run["created_at"] for run in find_runs().workflows)
    again = json.loads(type_in("sync", str(logs), "--json").stdout)
    assert again.keys() == done.keys()
    assert [again[name] for name in FOLDER_STATISTICS] == [done[name] for name in FOLDER_STATISTICS]
    assert (again["updated"], again["unchanged"], again["changed"]) == (4, 4, 0)


def test_a_sync_counts_as_changed_the_known_runs_that_it_wrote(logs: Path) -> None:
    type_in("sync", str(logs))
    more = min(logs.glob("*.jsonl"))
    with more.open("a") as stream_file:
        stream_file.write(assistant("m-late", session=more.stem) + "\n")
    done = json.loads(type_in("sync", str(logs), "--json").stdout)
    assert (done["updated"], done["unchanged"], done["changed"]) == (4, 3, 1)


def test_a_sync_says_how_many_dates_are_unknown_and_names_none_that_cannot_be(tmp_path: Path) -> None:
    agents = tmp_path / "shop" / "agents"
    make_run(agents, "odd00001", created_at="9999-12-31T00:00:00+00:00")
    make_run(agents, "new00001", created_at="2026-03-01T12:00:00+00:00")
    assert "2 runs in shop · 2026-03-01 (1 undated) · 2 requests found" in type_in("sync", str(agents)).stdout


def test_a_folder_that_lost_its_runs_is_no_error(project: Path) -> None:
    assert type_in("sync", str(project)).exit_code == 0
    for run in (project / "agents").iterdir():
        run.rename(project / run.name)
    done = type_in("sync", str(project))
    assert done.exit_code == 0
    assert "2 runs with missing files, kept in this history" in " ".join(done.stdout.split())
    (project / "agents" / "empty").mkdir()
    (project.parent / "other").mkdir()
    assert type_in("sync", str(project.parent / "other")).exit_code == 1


def projects() -> list[str | None]:
    return sorted(str(run["project"]) for run in find_runs().workflows)


def test_a_named_project_takes_over_runs_that_are_known_by_another(project: Path) -> None:
    spent = sync_workflow_history(silent=True, agents_dir=project)["total_cost"]
    done = type_in("sync", str(project), "--project", "store").stdout
    assert "2 runs in store" in done
    assert "2 changed" in done
    assert projects() == ["store", "store"]
    again = sync_workflow_history(silent=True, agents_dir=project)
    assert (again["project"], again["unchanged"], again["total_cost"]) == ("store", 2, spent)
    for name in ("store", "shop"):
        assert sync_workflow_history(silent=True, agents_dir=project, project=name)["inserted"] == 0
    assert projects() == ["shop", "shop"]


def test_a_named_project_takes_over_runs_that_a_folder_around_it_made_known(nested: Path) -> None:
    sync_workflow_history(silent=True, agents_dir=nested)
    shop = nested / "-home-dev-work-the-shop-of-the-house"
    assert "2 runs in shop" in type_in("sync", str(shop), "--project", "shop").stdout
    assert projects() == ["projects"] * 4 + ["shop"] * 2
    again = sync_workflow_history(silent=True, agents_dir=nested)
    assert (again["inserted"], again["unchanged"], again["newly_missing"]) == (0, 6, 0)
    assert projects() == ["projects"] * 4 + ["shop"] * 2
    assert type_in("sync", str(nested), "--project", "all").exit_code == 0
    assert projects() == ["all"] * 6


# Ids that a list shows, and that are typed

SESSIONS = {
    "-home-dev-work-the-shop-of-the-house": (
        "2049c1aa-6431-4c1f-9f00-523773b75c28",
        "0777aaaa-0000-4c1f-9f00-000000000001",
    ),
    "-home-dev-work-the-desk-of-the-house": (
        "2049c1aa-6645-4c1f-9f00-687c28ec1c34",
        "0888bbbb-0000-4c1f-9f00-000000000002",
    ),
    "-home-dev-work-the-yard-of-the-house": (
        "2049c1aa-6645-4c1f-9f00-3146123c838d",
        "0888bbbb-0000-4c1f-9f00-000000000002",
    ),
}


@pytest.fixture
def nested(tmp_path: Path) -> Path:
    """Logs in folders of long names; two of them are called alike."""
    folder = tmp_path / "projects"
    for name, sessions in SESSIONS.items():
        for session in sessions:
            own = f"{name}-{session}"
            stream(folder, name, init(own), result(0.5, session=own), name=f"{session}.jsonl")
    return folder


@pytest.mark.parametrize("columns", [80, 160])
def test_every_id_of_a_list_can_be_typed_as_it_is_shown(nested: Path, columns: int) -> None:
    type_in("sync", str(nested))
    table = type_in("list", columns=columns).stdout
    assert max(map(len, table.splitlines())) <= columns
    shown = [line.split()[0] for line in table.splitlines()[2:8]]
    found = [json.loads(type_in("show", one, "--json").stdout)["id"] for one in shown]
    assert sorted(found) == sorted(f"{name}/{each}" for name, every in SESSIONS.items() for each in every)


def test_an_id_is_found_by_the_beginning_of_any_of_its_parts(nested: Path) -> None:
    type_in("sync", str(nested))
    for typed in (
        "0777",
        "2049c1aa-6431",
        "projects/2049c1aa-6431",
        "-home-dev-work-the-shop-of-the-house/07",
    ):
        assert type_in("show", "--json", "--", typed).exit_code == 0, typed
    both = type_in("show", "0888bbbb")
    assert both.exit_code == 1
    assert '"0888bbbb" matches 2 runs. Use a longer prefix: ' in both.stderr
    assert all(f"{name}/0888bbbb-0000" in both.stderr for name in list(SESSIONS)[1:])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("2049c1aa-6431-4c1f-9f00-523773b75c82", "523773b75c28"), ("the-shop", "/0777aaaa"), ("zzzzzzzz", None)],
)
def test_an_id_that_no_run_has_is_answered_with_those_of_like_ids(
    nested: Path, typed: str, meant: str | None
) -> None:
    type_in("sync", str(nested))
    for command in ("show", "explain"):
        done = type_in(command, typed)
        assert done.exit_code == 1
        assert f'No run matches "{typed}".' in done.stderr
        assert ("Did you mean" in done.stderr) == (meant is not None)
        assert meant is None or meant in done.stderr


def test_the_name_of_a_run_never_breaks_in_its_story(nested: Path) -> None:
    type_in("sync", str(nested))
    name = f"projects/{next(iter(SESSIONS))}/2049c1aa-6431-4c1f-9f00-523773b75c28"
    assert len(name) > 70
    assert type_in("show", "2049c1aa-6431", columns=70).stdout.splitlines()[0] == name


# Periods, dates and words


def test_a_period_may_be_said_as_on_the_command_line(project: Path) -> None:
    sync_workflow_history(silent=True, agents_dir=project)
    now = datetime.now(UTC)
    assert trend("30d", now=now) == trend(timedelta(days=30), now=now)
    assert timeline(period="4w", now=now) == timeline(period=timedelta(weeks=4), now=now)
    assert find_anomalies(recent="36h", now=now) == find_anomalies(recent=timedelta(hours=36), now=now)


@pytest.mark.parametrize("given", ["soon", "", 30, None, 1.5])
def test_a_period_that_cannot_be_meant_is_refused(given: Any) -> None:
    for ask in (trend, lambda period: timeline(period=period)):
        with pytest.raises(InvalidQueryError, match="30d, 4w"):
            ask(given)


def test_a_missing_date_is_explained_where_it_is_seen(tmp_path: Path) -> None:
    agents = tmp_path / "shop" / "agents"
    make_run(agents, "copy0001")
    type_in("sync", str(agents))
    assert "no date: copy with cp -a or rsync -a to keep file times" in type_in("list", columns=80).stdout
    shown = " ".join(type_in("show", "copy0001", columns=80).stdout.split())
    assert "no reliable time in its files; copy with cp -a or rsync -a to keep file times" in shown


def test_a_first_message_is_said_to_be_its_own_once(logs: Path) -> None:
    type_in("sync", str(logs))
    told = type_in("explain", "good-1", "nl_input", columns=80).stdout
    assert "its first message" in told
    assert "its its" not in told


# Names in the package, and of histories


def test_errors_can_be_imported_from_the_package() -> None:
    every = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, WorkflowHistoryError)
    }
    assert every <= set(package.__all__)
    assert all(getattr(package, name) is getattr(errors, name) for name in every)
    assert set(package.__all__) >= SPEC
    assert sorted(package.__all__) == package.__all__
    assert all(getattr(package, name) is not None for name in package.__all__)


READERS: dict[str, Callable[[], object]] = {
    "find_runs": find_runs,
    "run_statistics": run_statistics,
    "overview": overview,
    "waste": waste,
    "find_anomalies": find_anomalies,
    "find_patterns": find_patterns,
    "export": lambda: export("runs", io.BytesIO(), format="csv"),
    "get_workflow_history": get_workflow_history,
    "get_workflow_by_id": lambda: get_workflow_by_id("a"),
    "get_history_analytics": get_history_analytics,
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_named_history_that_is_not_there_is_an_error(
    tmp_path: Path, read: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "typo.db"))
    with pytest.raises(WorkflowHistoryError, match=r"No history at .*typo\.db\."):
        read()
    assert not (tmp_path / "typo.db").exists()
    monkeypatch.delenv("WORKFLOW_HISTORY_DB")
    read()  # the usual one need not be there yet


@pytest.mark.parametrize("read", [find_runs, overview, find_patterns], ids=lambda read: read.__name__)
def test_an_assigned_history_that_is_not_there_is_an_error_for_answers(
    tmp_path: Path, read: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "DB_PATH", tmp_path / "typo.db")
    with pytest.raises(WorkflowHistoryError, match="No history at"):
        read()
    assert get_workflow_history()["total"] == 0  # the contract has it so


# The command line


def test_an_unknown_status_is_an_error_that_names_the_allowed_ones(project: Path) -> None:
    sync_workflow_history(silent=True, agents_dir=project)
    for words in (["faild"], ["completed", "--status", "faild"]):
        done = type_in("list", "--status", *words)
        assert done.exit_code == 2
        assert 'No run has status "faild". Did you mean failed? Use one of: completed, failed,' in done.stderr
    assert type_in("list", "--status", "failed").exit_code == 0


def test_errors_of_a_sort_name_the_option(project: Path) -> None:
    sync_workflow_history(silent=True, agents_dir=project)
    assert type_in("list", "--sort", "costs").stderr.startswith('error: Invalid --sort "costs". Use one of')
    assert type_in("list", "--sort", "phase-cost").stderr.startswith(
        'error: --sort "phase-cost" needs a phase'
    )
    with pytest.raises(InvalidQueryError, match=r'^Invalid sort "costs"\.'):
        find_runs(sort="costs")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("lst", "list"), ("statistics", "stats"), ("pattern", "patterns"), ("db verfy", "verify")],
)
def test_a_command_that_is_not_there_is_answered_with_those_of_like_names(typed: str, meant: str) -> None:
    done = type_in(*typed.split())
    assert done.exit_code == 2
    assert "Did you mean" in done.stderr
    assert meant in done.stderr.partition("Did you mean")[2]


def test_an_option_that_is_not_there_is_answered_with_those_of_like_names() -> None:
    assert "--status" in type_in("list", "--statsu", "failed").stderr


@pytest.mark.parametrize("columns", [30, 80])
def test_what_can_be_copied_is_never_broken(project: Path, columns: int) -> None:
    long = project / "agents" / ("a-run-with-a-very-long-name-" * 3 + "1")
    stream(long, "an_agent_with_a_long_name_too", init("x"), "{broken", result(0.5, session="x"))
    assert type_in("sync", str(project)).exit_code in {0, 3}
    place = f"{long}/an_agent_with_a_long_name_too/raw_output.jsonl:3"
    told = type_in("explain", long.name, "cost", columns=columns)
    assert place in told.stdout
    shown = type_in("show", long.name, columns=columns).stdout
    assert "an_agent_with_a_long_name_too/raw_output.jsonl:3" in shown
    for text in (shown, type_in("stats", columns=columns).stdout, type_in("list", "-s", "zzz").stdout):
        hints = text.partition("next:")[2].splitlines()
        typed = [line.strip() for line in hints if "workflow-history" in line]
        assert typed
        for line in typed:
            assert line.startswith("workflow-history ")
            assert len(shlex.split(line)) > 1
    problem = f"{long.name}/an_agent_with_a_long_name_too/raw_output.jsonl:2"
    found = type_in("sync", "--project", "again", str(project), columns=columns).stdout
    assert problem in found or problem in shown


# The cases of the fault tables


CLOSED = (">&-", "2>&-", "<&- >&- 2>&-")
CODES = {
    "sync": 0,
    "list": 0,
    "stats --by phase": 0,
    "show new00001": 0,
    "export": 0,
    "db verify": 0,
    "list --sort beauty": 2,
    "--version": 0,
}


@pytest.mark.parametrize(("closed", "command"), sample(product(CLOSED, CODES)))
def test_closed_stdout_traceback(project: Path, tmp_path: Path, command: str, closed: str) -> None:
    words = f"{command} {shlex.quote(str(project))}" if command == "sync" else command
    if command != "sync":
        sync_workflow_history(silent=True, agents_dir=project)
    module = "app.server.core.workflow_history"
    done = subprocess.run(  # noqa: S602 - the shell closes the streams
        f"{shlex.quote(sys.executable)} -m {module} {words} {closed}",
        shell=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == CODES[command], done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    if not command.startswith("--"):
        with History.open(tmp_path / "history.db", create=False) as history:
            assert history.check() == []
        assert find_runs().total == 2


DAY = "2026-03-01"


@pytest.fixture
def late(tmp_path: Path) -> Path:
    """A run of the last hour of February in New York, which is March in Tokyo."""
    make_run(tmp_path / "shop" / "agents", "late0001", created_at="2026-02-28T23:30:00-05:00")
    sync_workflow_history(silent=True, agents_dir=tmp_path / "shop")
    return tmp_path


@pytest.mark.parametrize(
    ("zone", "runs_of_march"), [("Asia/Tokyo", 1), ("UTC", 1), ("America/New_York", 0), ("Etc/GMT+12", 0)]
)
def test_tz_not_for_since(late: Path, zone: str, runs_of_march: int) -> None:
    days = [
        group["name"]
        for group in json.loads(type_in("stats", "--by", "day", "--tz", zone, "--json").stdout)["groups"]
    ]
    assert days == ([DAY] if runs_of_march else ["2026-02-28"])
    for words in (
        ["list"],
        ["stats"],
        ["export", "--format", "jsonl"],
        ["export", "statistics", "--by", "day"],
    ):
        found = type_in(*words, "--tz", zone, "--since", DAY, "--until", DAY).stdout
        assert ("late0001" in found or DAY in found or "1 run" in found) == bool(runs_of_march), words
        later = type_in(*words, "--tz", zone, "--since", "2026-03-02").stdout
        assert "late0001" not in later
    with client_of() as client:
        query = f"tz={zone.replace('+', '%2B')}&since={DAY}&until={DAY}"
        assert client.get(f"/api/v1/runs?{query}").json()["total"] == runs_of_march
        assert client.get(f"/api/v1/statistics?by=day&{query}").json()["total"]["runs"] == runs_of_march
        assert client.get(f"/api/v1/statistics/waste?{query}").status_code == 200
        rows = client.get(f"/api/v1/export/runs?{query}&columns=id").text.split()
        assert rows == ["id", *["late0001"] * runs_of_march]
        for page in ("/", "/trends", "/insights"):
            answer = client.get(f"{page}?{query}")
            assert answer.status_code == 200, page
        assert ("late0001" in client.get(f"/?{query}").text) == bool(runs_of_march)
        assert client.get("/api/v1/runs?tz=Nowhere/Land").status_code == 422


def test_a_zone_that_is_not_there_is_named() -> None:
    done = type_in("list", "--tz", "Nowhere/Land", "--since", DAY)
    assert done.exit_code == 2
    assert 'Invalid --tz "Nowhere/Land"' in done.stderr


DASHED = "-home-me-shop"


@pytest.mark.parametrize(
    "words",
    [
        ["show", DASHED],
        ["show", "--full", DASHED],
        ["show", DASHED, "--full"],
        ["show", "--", DASHED],
        ["explain", DASHED, "cost"],
        ["similar", DASHED, "-n", "3"],
        ["similar", "-n3", DASHED],
        ["compare", DASHED, "-n-other"],
        ["reprice", DASHED],
    ],
    ids=" ".join,
)
def test_id_that_begins_with_a_dash(tmp_path: Path, words: list[str]) -> None:
    for name in (DASHED, "-n-other"):
        make_run(tmp_path / "shop" / "agents", name, created_at="2026-03-01T10:00:00Z")
    sync_workflow_history(silent=True, agents_dir=tmp_path / "shop")
    done = type_in(*words)
    assert done.exit_code == 0, done.output
    assert DASHED in done.stdout


def test_an_id_that_could_be_an_option_is_answered_with_what_to_write(project: Path) -> None:
    sync_workflow_history(silent=True, agents_dir=project)
    for words in (["show", "-x"], ["show", "--home/1"], ["similar", "-shop"]):
        done = type_in(*words)
        assert done.exit_code != 0
        assert "Put -- before an ID" in " ".join(done.stderr.replace("│", " ").split()), words


def test_words_without_an_id_that_begins_with_a_dash_stay_as_they_are() -> None:
    assert _move_ids_last([], ["a", "--json"]) == ["a", "--json"]


def test_a_new_file_that_cannot_be_read_is_named_by_every_sync_that_ends_with_3(project: Path) -> None:
    type_in("sync", str(project))
    bad = project / "agents" / "bad1" / "builder" / "raw_output.jsonl"
    bad.parent.mkdir(parents=True)
    bad.write_text("garbage\n")
    first, again, quiet = (type_in(*words, "sync", str(project)) for words in ((), (), ("--quiet",)))
    assert (first.exit_code, again.exit_code, quiet.exit_code) == (3, 3, 3)
    for screen in (first.output, again.output, quiet.output):
        assert "bad1/builder/raw_output.jsonl" in screen
        assert "no line of it is JSON" in screen
    assert "nothing changed" not in first.stdout
    assert "1 read error or warning\n" in first.stdout
    assert again.stdout.startswith("✓ nothing changed · ")
    assert "known read error" not in again.stdout


def test_another_run_of_a_known_name_is_named_by_every_sync_that_refuses_it(tmp_path: Path) -> None:
    for place, session in (("one", "s1"), ("two", "s2")):
        stream(tmp_path / place / "shop" / "agents" / "r1", "builder", init(session), result(1.0))
    stream(tmp_path / "two" / "shop" / "agents" / "r2", "builder", init("s3"), result(1.0, session="s3"))
    type_in("sync", str(tmp_path / "one" / "shop"))
    type_in("sync", str(tmp_path / "two" / "shop"))
    again = type_in("sync", str(tmp_path / "two" / "shop"))
    assert again.exit_code == 3
    assert "r1  " in again.stdout
    assert "is a run of the same project and id" in " ".join(again.stdout.split())


def test_a_problem_that_is_known_comes_with_the_option_that_names_it(project: Path) -> None:
    stream(project / "agents" / "a9", "builder", init("s9"), result(1.0, session="s9"), '{"type": "assi')
    type_in("sync", str(project))
    again = type_in("sync", str(project))
    assert again.exit_code == 0
    assert "1 known read error or warning (--verbose)" in again.stdout


def test_a_log_that_is_left_out_is_named_even_if_nothing_else_changed(logs: Path) -> None:
    type_in("sync", str(logs))
    (logs / "late.log").write_text(f"begun\n{init('s')}\n")
    assert "skipped 1 file or directory without runs (late.log)" in type_in("sync", str(logs)).stdout


def numbered(agents: Path, runs: int) -> None:
    for number in range(runs):
        name = f"run{number:05}"
        make_run(agents, name, created_at=f"2026-02-{9 + number:02}T10:00:00Z")
        stream(agents / name, "builder", init(name), result(0.1 * (number + 1), session=name, uuid=name))


@pytest.mark.parametrize(
    ("runs", "days"), [(5, "2026-02-09 to 2026-02-15"), (10, "2026-02-09 to 2026-02-22")]
)
def test_the_first_look_names_the_days_that_its_weeks_cover(tmp_path: Path, runs: int, days: str) -> None:
    numbered(tmp_path / "shop" / "agents", runs)
    type_in("sync", str(tmp_path / "shop"))
    assert f"Cost by week, {days} " in type_in("stats", "--tz", "UTC").stdout


@pytest.mark.parametrize(("runs", "told"), [(9, False), (10, True)])
def test_nine_of_ten_runs_are_told_where_there_are_ten(tmp_path: Path, runs: int, told: bool) -> None:
    numbered(tmp_path / "shop" / "agents", runs)
    type_in("sync", str(tmp_path / "shop"))
    assert (", p90 " in type_in("stats").stdout) is told


# Files that are named in the wrong place


@pytest.mark.parametrize(
    "words",
    [
        ("db", "backup"),
        ("export", "--output"),
        ("export", "--format", "csv", "--force", "-o"),
        ("budget", "init", "--config"),
        ("demo",),
    ],
)
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://hist:SE@CRET@host.invalid/db",
        "s3://key:SE@CRET@bucket/r.csv",
        "postgresql:hist:CRET@h/db",
    ],
)
def test_a_url_is_no_output_file_and_its_password_is_masked(
    project: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], url: str
) -> None:
    assert type_in("sync", str(project)).exit_code == 0
    monkeypatch.chdir(project)
    refused = type_in(*words, url)
    assert refused.exit_code == 2
    assert "is a URL" in refused.output
    assert "CRET" not in refused.output
    assert [path.name for path in project.iterdir()] == ["agents"]


def test_python_writes_to_no_url(project: Path) -> None:
    sync_workflow_history(silent=True, agents_dir=project)
    with pytest.raises(InvalidQueryError, match=r"s3://\*\*\*@bucket/runs.csv is a URL"):
        export("runs", "s3://me:secret@bucket/runs.csv")


@pytest.mark.parametrize("command", ["sync", "cost"])
def test_a_stream_in_place_of_a_directory_is_refused_with_its_directory(tmp_path: Path, command: str) -> None:
    file = stream(tmp_path / "logs", "", init(), result(), name="x.jsonl")
    refused = type_in(command, str(file), columns=400)
    assert refused.exit_code == 2
    assert f"{file} is a file. Use its directory: {file.parent}" in refused.output.replace("\n", "")


def test_a_loose_run_is_found_by_the_name_of_its_file(tmp_path: Path) -> None:
    for name in ("bill-pdf", "bill-vat"):
        stream(tmp_path / "logs", "", init(name), result(session=name), name=f"{name}.jsonl")
    sync_workflow_history(silent=True, agents_dir=tmp_path / "logs")
    for word in ("bill-pdf.jsonl", "logs/bill-pdf.jsonl", str(tmp_path / "logs" / "bill-pdf.jsonl")):
        assert json.loads(type_in("--json", "show", word).output)["id"] == "bill-pdf"
    unknown = type_in("show", "bill-pdx.jsonl", columns=400)
    assert unknown.exit_code == 1
    assert "bill-pdf" in unknown.output


def test_a_file_name_of_several_runs_is_refused_with_their_ids(tmp_path: Path) -> None:
    for place in ("a", "b"):
        stream(tmp_path / place / "logs", "", init(place), result(session=place), name="x1.jsonl")
        sync_workflow_history(silent=True, agents_dir=tmp_path / place / "logs", project=place)
    refused = type_in("show", "x1.jsonl", columns=400)
    assert refused.exit_code != 0
    assert "a/x1" in refused.output
    assert "b/x1" in refused.output


@pytest.mark.parametrize("words", [("list",), ("sync", "agents")])
def test_a_directory_is_no_history(
    project: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(project)
    refused = type_in("--db", str(project), *words, columns=400)
    assert refused.exit_code == 1
    assert f"{project}: it is a directory; name a file in it" in refused.output.replace("\n", "")
