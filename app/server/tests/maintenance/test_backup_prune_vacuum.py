"""Backups are complete or absent, pruned runs stay away, and vacuum frees space."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL
from typer.testing import CliRunner

from app.server.core.workflow_history import sync
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.errors import (
    ConfigError,
    InvalidQueryError,
    WorkflowHistoryError,
)
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.maintenance import backup
from app.server.core.workflow_history.maintenance.backup import backup_history, vacuum_history
from app.server.core.workflow_history.maintenance.merge.merge_history import merge_history
from app.server.core.workflow_history.maintenance.pruning import prune_history
from app.server.core.workflow_history.maintenance.records import PreviouslyPruned
from app.server.core.workflow_history.maintenance.retention_rules import RetentionRule, parse_rule
from app.server.core.workflow_history.queries.settings_file import read_retention_rules
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.reading.page_query import PageQuery
from app.server.tests.support.build import assistant, init, result, run, stream, tool_result, tool_use
from app.server.tests.support.web import client_of

OLD, NEW = "2020-01-01T12:00:00Z", "2026-01-01T12:00:00Z"


def make(folder: Path, run_id: str, made: str, cost: float = 0.5, **state: Any) -> None:
    """Write a run; all of them are alike, and run the same command."""
    facts = {"adw_id": run_id, "nl_input": "Add a CSV export", "created_at": made, **state}
    use = assistant(f"m-{run_id}", session=run_id, content=[tool_use(f"t-{run_id}", command="make test")])
    answer = tool_result(f"t-{run_id}", session=run_id)
    stream(run(folder, run_id, facts), "planner", init(run_id), use, answer, result(cost, session=run_id))


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "agents"
    for number in range(3):
        make(folder, f"old-{number}", OLD)
        make(folder, f"new-{number}", NEW)
    return folder


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agents: Path) -> Path:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "history.db"))
    do_sync(agents)
    return tmp_path / "history.db"


def do_sync(agents: Path, **options: Any) -> dict[str, Any]:
    return sync.sync_workflow_history(silent=True, agents_dir=agents, **options)


def ids(file: Path | URL, search: str | None = None) -> list[str]:
    with History.open(file) as history:
        assert history.check() == []
        page = history.page(PageQuery(RunFilter(search=search)))
        return sorted(one["id"] for one in page.workflows)


def old(**more: Any) -> list[RetentionRule]:
    return [parse_rule({"older_than": "2y", **more}, datetime(2026, 6, 1, tzinfo=UTC))]


# --- copies


def test_a_copy_holds_all_and_is_one_file(file: Path, tmp_path: Path) -> None:
    done = backup_history(tmp_path / "copies" / "copy.db")
    copy = tmp_path / "copies" / "copy.db"
    assert (done.runs, done.bytes) == (6, copy.stat().st_size)
    assert [found.name for found in copy.parent.iterdir()] == ["copy.db"]
    assert copy.stat().st_mode & 0o077 == 0
    assert ids(copy) == ids(file)


def test_a_copy_is_made_while_another_writes(file: Path, tmp_path: Path) -> None:
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            with History.open(file) as history:
                history.insert({"id": f"more-{number}"})
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            assert backup_history(tmp_path / f"{number}.db").runs >= 6
    finally:
        done.set()
        writer.join()
    assert {f"old-{number}" for number in range(3)} < set(ids(tmp_path / "4.db"))


def test_a_file_that_is_there_is_only_replaced_when_asked(file: Path, tmp_path: Path) -> None:
    there = tmp_path / "letter.txt"
    there.write_text("dear")
    with pytest.raises(WorkflowHistoryError, match=r"is a directory\. Name a file in it"):
        backup_history("", force=True)
    with pytest.raises(WorkflowHistoryError, match=r"exists\. Use --force"):
        backup_history(there)
    assert there.read_text() == "dear"
    assert backup_history(there, force=True).runs == 6
    with pytest.raises(WorkflowHistoryError, match="is the history in use"):
        backup_history(file, force=True)


@pytest.mark.parametrize("force", [False, True])
def test_a_copy_that_is_not_sound_or_not_whole_leaves_no_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    def damage(history: History, part: Path) -> None:
        history.copy_to(part)
        with sqlite3.connect(part) as connection:
            connection.execute("UPDATE workflows SET recorded_cost_nanodollars = 7")
        connection.close()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = sorted(found.name for found in tmp_path.iterdir())
    for broken, said in ((damage, "copy is damaged.*db verify"), (full, "No space left")):
        monkeypatch.setattr(backup, "_copy", broken)
        with pytest.raises(WorkflowHistoryError, match=said):
            backup_history(tmp_path / "copy.db", force=force)
    assert sorted(found.name for found in tmp_path.iterdir()) == before


def test_no_history_is_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "none.db"))
    for care in (lambda: backup_history(tmp_path / "copy.db"), vacuum_history):
        with pytest.raises(WorkflowHistoryError, match="No history at"):
            care()
    assert list(tmp_path.iterdir()) == []


# --- old runs


def test_a_dry_run_tells_what_would_go_and_takes_nothing_out(file: Path) -> None:
    before = file.read_bytes()
    done = prune_history(old())
    assert (done.runs, done.spent, done.projects) == (3, 1.5, {"shop": 3})
    assert done.oldest == done.newest == "2020-01-01T12:00:00.000000Z"
    assert file.read_bytes() == before


def test_pruned_runs_are_gone_from_sums_searches_lists_and_patterns(file: Path) -> None:
    prune_history(old(), dry_run=False)
    assert ids(file) == ids(file, "CSV") == ["new-0", "new-1", "new-2"]
    with History.open(file) as history:
        for ref in history.list_refs():
            found = history.get(ref.id)
            assert found is not None
            near = {other["id"] for other in found["similar_workflows"]}
            assert near == {"new-0", "new-1", "new-2"} - {ref.id}
        assert {pattern.runs for pattern in history.pattern_totals()} == {3}
        assert not history.column_cache_is_stale()
    assert prune_history(old()).pruned_before == PreviouslyPruned(3, 1.5)


def test_a_pruned_run_stays_out_until_it_is_asked_for(file: Path, agents: Path) -> None:
    prune_history(old(), dry_run=False)
    make(agents, "old-0", OLD, 0.75)  # even when its files change
    stats = do_sync(agents)
    assert (stats["pruned"], stats["inserted"], stats["unchanged"]) == (3, 0, 3)
    assert do_sync(agents, with_pruned=True)["inserted"] == 3
    assert do_sync(agents)["pruned"] == 0


def test_every_face_says_that_all_runs_were_pruned_and_how_they_come_back(file: Path, agents: Path) -> None:
    prune_history([parse_rule({"project": "shop"})], dry_run=False)
    back = "sync path/to/project --include-pruned"
    for words in (["list"], ["stats"], ["stats", "--by", "week"], ["patterns"]):
        said = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
        assert (
            f"All 6 runs of this history were pruned. Re-import them with: workflow-history {back}"
            in said.output
        )
        assert back in said.output
        assert "No runs yet" not in said.output
    with client_of() as client:
        for path in ("/", "/trends", "/insights"):
            page = client.get(path).text
            assert "All 6 runs of this history were pruned. Re-import them" in page
            assert back in page
    assert "No run matches." in CliRunner().invoke(app, ["list", "--search", "CSV"]).output
    said = CliRunner().invoke(app, ["sync", str(agents)], env={"COLUMNS": "400"})
    assert (said.exit_code, "any more" in said.output) == (0, False)
    assert f"All 6 runs of {agents} were pruned. Re-import them with: workflow-history {back}" in said.output
    assert do_sync(agents, with_pruned=True)["inserted"] == 6


def test_a_folder_of_which_some_runs_were_pruned_and_the_others_deleted_says_both(
    file: Path, agents: Path
) -> None:
    prune_history(old(), dry_run=False)
    for number in range(3):
        shutil.rmtree(agents / f"new-{number}")
    said = " ".join(CliRunner().invoke(app, ["sync", str(agents)], env={"COLUMNS": "400"}).output.split())
    assert f"All 3 runs of {agents} were pruned. Re-import them" in said
    assert "3 runs with missing files, kept in this history" in said
    for number in range(3):
        shutil.rmtree(agents / f"old-{number}")
    said = CliRunner().invoke(app, ["sync", str(agents)], env={"COLUMNS": "400"}).output
    assert f"No runs in {agents} any more. 3 runs with missing files" in " ".join(said.split())


def test_what_was_pruned_here_is_not_merged_back(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup_history(tmp_path / "copy.db")
    prune_history(old(), dry_run=False)
    done = merge_history(tmp_path / "copy.db")
    assert (done.pruned, done.unchanged) == (3, 3)
    assert merge_history(tmp_path / "copy.db", with_pruned=True).inserted == 3
    prune_history(old(), dry_run=False)
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "moved.db"))
    assert merge_history(file).inserted == 3
    assert prune_history(old()).pruned_before.runs == 3  # a history that moves takes along what it left


def test_a_run_that_is_pruned_while_it_is_read_stays_out(
    file: Path, agents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(agents, "old-0", OLD, 0.75)
    original = sync._read_batches

    def read(job: Any, folders: Any) -> Any:
        batches = list(original(job, folders))
        prune_history(old(), dry_run=False)
        return iter(batches)

    monkeypatch.setattr(sync, "_read_batches", read)
    stats = do_sync(agents)
    assert (stats["inserted"], stats["failed"]) == (0, 0)
    assert ids(file) == ["new-0", "new-1", "new-2"]


def test_a_run_that_is_there_and_noted_as_pruned_is_found(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute(
            "INSERT INTO pruned_runs (project, id, pruned_at) VALUES ('shop', 'old-0', '2026')"
        )
    connection.close()
    with History.open(file) as history:
        assert history.check() == ["shop/old-0: it is there, and noted as pruned"]


def test_the_newest_of_each_project_stay(file: Path, agents: Path) -> None:
    make(agents, "old-3", "2021-01-01T12:00:00Z")
    do_sync(agents)
    assert prune_history(old(keep=1), dry_run=False).runs == 3
    assert ids(file) == ["new-0", "new-1", "new-2", "old-3"]


def test_runs_at_work_and_of_unknown_age_stay(file: Path) -> None:
    with History.open(file) as history:
        history.insert({"id": "busy", "created_at": OLD, "status": "running"})
        history.insert({"id": "ageless"})
    assert prune_history(old()).runs == 3
    assert prune_history(old(status=["running"])).runs == 1


def test_no_rule_at_all_prunes_nothing(file: Path) -> None:
    for rules in ([], [RetentionRule(RunFilter())], [RetentionRule(RunFilter(), keep=5)]):
        with pytest.raises(InvalidQueryError, match="No runs selected"):
            prune_history(rules, dry_run=False)


@pytest.mark.parametrize("said", ["18", "mo", "-1d", "1.5y", "99999y", "", 18])
def test_an_age_is_said_as_people_say_it(said: Any) -> None:
    with pytest.raises(InvalidQueryError, match="age"):
        parse_rule({"older_than": said})


def test_rules_of_the_settings_file_are_applied(file: Path, tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    config.write_text('[budget]\nrun = 5\n[[retention]]\nolder_than = "2y"\nproject = "shop"\nkeep = 2\n')
    (rule,) = read_retention_rules(config)
    assert (rule.keep, rule.where.project) == (2, ("shop",))
    words = ["db", "prune", "--use-retention", "--config", str(config), "--yes"]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, "1 run deleted" in done.output) == (0, True), done.output
    assert len(ids(file)) == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[budget]\nrun = 5\n", "has no table .*retention"),
        ("[retention]\n", "selects every run; add an age"),
        ("[retention]\nkeep = 5\n", "selects every run; add an age"),
        ('[retention]\nolder_then = "1y"\n', "Unknown key 'older_then'. Use one of: older_than"),
        ("[retention]\nolder_than = 5\n", "Invalid older_than 5"),
        ('[retention]\nolder_than = "1y"\nkeep = "many"\n', 'Invalid keep "many"'),
        ("retention = 5\n", "retention: expected a table"),
    ],
)
def test_a_rule_with_a_slip_in_it_is_no_rule(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "settings.toml"
    config.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_retention_rules(config)


def test_prune_tells_first_and_does_it_when_told_so(file: Path) -> None:
    words = ["db", "prune", "--older-than", "2y"]
    told = CliRunner().invoke(app, words)
    assert "3 runs would be deleted; add --yes to delete them" in told.output
    assert " · $1.50 total cost" in " ".join(told.output.split())
    assert len(ids(file)) == 6
    assert CliRunner().invoke(app, [*words, "--yes", "--dry-run"]).exit_code == 2
    assert CliRunner().invoke(app, ["db", "prune", "--yes"]).exit_code == 2
    assert CliRunner().invoke(app, [*words, "--use-retention"]).exit_code == 2
    assert "3 runs deleted" in CliRunner().invoke(app, [*words, "--yes"]).output
    assert len(ids(file)) == 3
    assert (
        "nothing to delete\n3 runs pruned earlier, at least $1.50 total cost"
        in CliRunner().invoke(app, words).output
    )


def test_prune_says_at_least_where_more_may_have_been_spent(file: Path) -> None:
    least = {"id": "old-3", "project": "shop", "created_at": "2020-01-01T00:00:00Z", "total_cost": 0.5}
    with History.open(file) as history:
        history.save([{**least, "cost_basis": "lower_bound"}])
    told = CliRunner().invoke(app, ["db", "prune", "--older-than", "2y"])
    assert "at least $2.00 total cost" in " ".join(told.output.split())
    assert prune_history(old()).spent_is_exact is False
    assert prune_history(old(project=["nobody"])).spent_is_exact is False


def test_the_help_of_prune_names_the_settings_files_table() -> None:
    assert "[[retention]]" in CliRunner().invoke(app, ["db", "prune", "--help"]).output


def test_space_that_is_not_needed_is_given_back(file: Path) -> None:
    with History.open(file) as history:
        history.save([{"id": f"n{number}", "nl_input": os.urandom(2_000).hex()} for number in range(200)])
    prune_history([parse_rule({"known-cost": False})], dry_run=False)
    done = vacuum_history()
    assert done.bytes_after < done.bytes_before / 2
    assert done.bytes_after == file.stat().st_size


# --- any engine


def test_a_history_on_any_engine_is_copied_pruned_and_merged(
    agents: Path, tmp_path: Path, history_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = history_url.render_as_string(hide_password=False)
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", place)
    do_sync(agents)
    assert backup_history(tmp_path / "copy.db").runs == 6
    assert ids(tmp_path / "copy.db") == ids(history_url)
    assert merge_history(tmp_path / "copy.db").unchanged == 6
    assert prune_history(old(), dry_run=False).runs == 3
    assert do_sync(agents)["pruned"] == 3
    assert ids(history_url) == ["new-0", "new-1", "new-2"]
    assert vacuum_history().bytes_after > 0
    assert merge_history(tmp_path / "copy.db", with_pruned=True).inserted == 3
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "third.db"))
    assert merge_history(place).inserted == 6
    assert ids(tmp_path / "third.db") == ids(history_url)
