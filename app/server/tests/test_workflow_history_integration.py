"""Sync, from files to rows: the spec's own tests, and everything real folders contain."""

from __future__ import annotations

import gc
import hashlib
import json
import logging
import os
import random
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.server.core.workflow_history import (
    database,
    get_workflow_by_id,
    get_workflow_history,
    init_db,
    scanner,
    sync_workflow_history,
    waste,
)
from app.server.core.workflow_history.analysis.patterns import host_detector
from app.server.core.workflow_history.common.errors import AgentsFolderError, AmbiguousWorkflowError
from app.server.core.workflow_history.pipeline import batches, read_run
from app.server.core.workflow_history.similarity import calculate_all_similarities
from app.server.core.workflow_history.storage.history import History
from app.server.tests.support.build import (
    assistant,
    init,
    prompt,
    result,
    run,
    stream,
    tool_result,
    tool_use,
    usage,
)
from app.server.tests.support.thoroughness import tries


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop" / "agents"
    folder.mkdir(parents=True)
    monkeypatch.setattr(scanner, "AGENTS_DIR", folder)
    return folder


def sync(**options: Any) -> dict[str, Any]:
    return sync_workflow_history(silent=True, **options)


def stored(run_id: str) -> dict[str, Any]:
    found = get_workflow_by_id(run_id)
    assert found is not None
    return found


def spec_run(agents: Path, run_id: str = "test-workflow-123", **more: Any) -> Path:
    state = {
        "id": run_id,
        "status": "completed",
        "nl_input": "Test workflow",
        "created_at": "2025-01-01T00:00:00Z",
        "duration_seconds": 120,
    }
    return run(agents, run_id, state | more)


def rows_of(tmp_path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(tmp_path / "history.db")) as connection:
        return connection.execute(query).fetchall()


def history() -> Any:
    return History.open(database.current_url())


class TestTheOrdersOwn:
    def test_full_sync_workflow(self, agents: Path) -> None:
        spec_run(agents)
        init_db()
        done = sync()
        assert (done["scanned"], done["inserted"], done["failed"]) == (1, 1, 0)
        assert stored("test-workflow-123")["status"] == "completed"

    def test_leaves_the_callers_garbage_collector_as_it_was(self, agents: Path) -> None:
        spec_run(agents)
        before = gc.get_threshold()
        sync()
        with pytest.raises(AgentsFolderError):
            sync(agents_dir=agents / "test-workflow-123" / "adw_state.json")
        assert gc.get_threshold() == before

    def test_sync_updates_existing_workflow(self, agents: Path) -> None:
        spec_run(agents)
        init_db()
        assert sync()["inserted"] == 1
        again = sync()
        assert (again["updated"], again["inserted"], again["unchanged"]) == (1, 0, 1)

    @pytest.mark.usefixtures("no_history")
    def test_get_workflow_history_pagination(self) -> None:
        page = get_workflow_history(limit=10, offset=0)
        assert (page["workflows"], page["total"]) == ([], 0)


class TestASecondSync:
    def content(self, tmp_path: Path) -> str:
        return hashlib.sha256((tmp_path / "history.db").read_bytes()).hexdigest()

    def test_over_unchanged_files_leaves_the_database_files_bytes_equal(
        self, agents: Path, tmp_path: Path
    ) -> None:
        stream(spec_run(agents), "planner", init(), assistant("m1")[:60])
        sync()
        before = self.content(tmp_path)
        again = sync()
        assert again["unchanged"] == again["updated"] == again["scanned"] == 1
        assert self.content(tmp_path) == before

    def test_still_names_what_was_wrong_with_unchanged_runs(self, agents: Path) -> None:
        stream(spec_run(agents), "planner", init(), assistant("m1")[:60])
        (agents / "bad").mkdir()
        (agents / "bad" / "adw_state.json").write_text("{")
        first, second = sync()["errors"], sync()["errors"]
        key = "path"
        assert sorted(first, key=lambda e: e[key]) == sorted(second, key=lambda e: e[key])
        assert {error["path"] for error in first} == {
            "bad/adw_state.json",
            "test-workflow-123/planner/raw_output.jsonl",
        }

    def test_brings_what_changed_and_merges_it(self, agents: Path) -> None:
        spec_run(agents, status="failed", error_message="no plan", branch_name="feature-x")
        sync()
        spec_run(agents)
        sync()
        found = stored("test-workflow-123")
        assert (found["status"], found["error_message"], found["branch_name"]) == (
            "completed",
            None,
            "feature-x",
        )

    @pytest.mark.parametrize("loss", ["half-written", "deleted"])
    def test_over_a_lost_state_keeps_status_times_and_error(self, agents: Path, loss: str) -> None:
        times = {"created_at": "2025-11-01T10:00:00Z", "completed_at": "2025-11-01T11:00:00Z"}
        folder = run(agents, "a1", {"status": "failed", "error_message": "no plan", **times})
        stream(folder, "planner", init(), result())
        sync()
        names = ("status", "status_reason", "error_message", "created_at", "completed_at", "duration_seconds")
        before = {name: stored("a1")[name] for name in names}
        if loss == "deleted":
            (folder / "adw_state.json").unlink()
        else:
            (folder / "adw_state.json").write_text('{"adw')
        sync()
        assert {name: stored("a1")[name] for name in names} == before

    def test_over_cleaned_up_streams_keeps_the_status(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        file = stream(folder, "planner", init(), result(is_error=True, result="Usage limit reached"))
        sync()
        assert stored("a1")["status"] == "failed"
        file.unlink()
        sync()
        found = stored("a1")
        assert (found["status"], found["error_message"]) == ("failed", "Usage limit reached")

    def test_marks_a_deleted_run_as_gone_and_a_returned_one_as_present(
        self, agents: Path, tmp_path: Path
    ) -> None:
        folder = spec_run(agents)
        sync()
        shutil.move(folder, tmp_path / "away")
        assert sync()["missing"] == 1
        assert stored("test-workflow-123")["source_state"] == "missing"
        assert stored("test-workflow-123")["missing_since"] is not None
        shutil.move(tmp_path / "away", folder)
        sync()
        assert stored("test-workflow-123")["source_state"] == "present"
        assert stored("test-workflow-123")["missing_since"] is None

    def test_of_a_missing_agents_folder_marks_nothing_as_gone(self, agents: Path) -> None:
        spec_run(agents)
        sync()
        shutil.rmtree(agents)
        done = sync()
        assert (done["scanned"], done["missing"]) == (0, 0)
        assert "does not exist" in done["errors"][0]["reason"]
        assert stored("test-workflow-123")["source_state"] == "present"

    def test_notes_a_sync_only_where_it_wrote(self, agents: Path, tmp_path: Path) -> None:
        spec_run(agents)
        sync()
        sync()
        assert rows_of(tmp_path, "select inserted from sync_runs") == [(1,)]


class TestWhatWasSpentIsSpent:
    def test_a_retry_that_overwrites_a_stream_adds_up(self, agents: Path) -> None:
        folder = spec_run(agents)
        stream(folder, "planner", init("s1"), result(0.25, session="s1"))
        sync()
        stream(folder, "planner", init("s2"), result(0.10, session="s2"))
        sync()
        found = stored("test-workflow-123")
        assert (found["total_cost"], found["retry_count"], found["retry_cost"]) == (0.35, 1, 0.25)
        attempts = [(run["attempt"], run["superseded"], run["cost"]) for run in found["phase_costs"]]
        assert sorted(attempts) == [(1, True, 0.25), (2, False, 0.10)]

    @pytest.mark.parametrize(
        ("first", "wasted"),
        [
            ((init("s1"), result(0.25, session="s1", is_error=True, subtype="error_during_execution")), 0.25),
            ((init("s1"), assistant("m1", usage(output=10_000), session="s1")), 0.15),
            ((init("s1"), result(0.25, session="s1")), 0.0),
        ],
        ids=["failed", "interrupted", "good"],
    )
    def test_a_second_process_in_a_stream_makes_the_failed_one_before_it_wasted(
        self, agents: Path, first: tuple[str, ...], wasted: float
    ) -> None:
        stream(spec_run(agents), "planner", *first, init("s2"), result(0.10, session="s2"))
        sync()
        retries = waste().kinds[1]
        assert (retries.kind, retries.runs, retries.cost) == ("retries", int(wasted > 0), wasted)

    @pytest.mark.parametrize("is_appended", [True, False])
    def test_what_a_failed_attempt_wasted_does_not_depend_on_where_the_second_one_was_written(
        self, agents: Path, is_appended: bool
    ) -> None:
        folder = spec_run(agents)
        failed = (init("s1"), result(0.25, session="s1", is_error=True, subtype="error_during_execution"))
        stream(folder, "planner", *failed)
        sync()
        stream(folder, "planner", *(failed if is_appended else ()), init("s2"), result(0.10, session="s2"))
        sync()
        found = waste()
        assert (found.spent, found.wasted, found.kinds[1].cost) == (0.35, 0.25, 0.25)

    def test_a_stream_that_shrank_or_vanished_keeps_its_cost(self, agents: Path) -> None:
        folder = spec_run(agents)
        file = stream(folder, "planner", init("s1"), assistant("m1"), result(0.25, session="s1"))
        sync()
        file.write_text(init("s1") + "\n")
        sync()
        assert stored("test-workflow-123")["total_cost"] == 0.25
        file.unlink()
        sync()
        assert stored("test-workflow-123")["total_cost"] == 0.25

    def test_a_finished_stream_takes_the_place_of_its_own_lower_bound(self, agents: Path) -> None:
        folder = spec_run(agents)
        stream(folder, "planner", init("s1"), assistant("m1", usage(input=1000, output=1000)))
        sync()
        assert stored("test-workflow-123")["cost_basis"] == "lower_bound"
        lines = [init("s1"), assistant("m1", usage(input=1000, output=1000)), result(0.25, session="s1")]
        stream(folder, "planner", *lines)
        sync()
        found = stored("test-workflow-123")
        assert (found["total_cost"], found["cost_basis"], found["lower_bound_cost"]) == (
            0.25,
            "reported",
            None,
        )
        assert found["retry_count"] == 0

    def test_a_cut_stream_is_shown_apart_from_what_is_on_record(self, agents: Path) -> None:
        folder = spec_run(agents)
        stream(folder, "planner", init("s1"), result(0.25, session="s1"))
        stream(folder, "builder", init("s2"), assistant("m1", usage(input=1000, output=1000)))
        done = sync()
        found = stored("test-workflow-123")
        assert (found["total_cost"], found["lower_bound_cost"], found["cost_basis"]) == (
            0.25,
            0.018,
            "lower_bound",
        )
        assert (done["total_cost"], done["lower_bound_cost"]) == (0.25, 0.018)

    def test_an_agent_without_a_stream_makes_the_cost_a_lower_bound(self, agents: Path) -> None:
        folder = spec_run(agents)
        stream(folder, "planner", init("s1"), result(0.25, session="s1"))
        prompt(folder, "sdlc_implementor", "/implement specs/plan.md")
        sync()
        assert stored("test-workflow-123")["cost_basis"] == "lower_bound"


class TestTrouble:
    def test_of_one_run_is_counted_named_and_stops_nothing(
        self, agents: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        spec_run(agents, "bad")
        spec_run(agents, "good")
        original = read_run.with_claims

        def with_claims(workflow: Any, *given: Any) -> Any:
            if workflow["id"] == "bad":
                raise ValueError("a cost of minus one")
            return original(workflow, *given)

        monkeypatch.setattr(read_run, "with_claims", with_claims)
        done = sync()
        assert (done["failed"], stored("good")["status"]) == (1, "completed")
        assert ("bad", "its costs cannot be counted: a cost of minus one") in [
            (error["id"], error["reason"]) for error in done["errors"]
        ]
        assert [record.levelname for record in caplog.records] == ["ERROR"]

    def test_that_is_fatal_is_logged_and_raised_and_all_scanned_count_as_failed(
        self, agents: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        spec_run(agents)
        (agents.parent / "file").write_text("no folder")
        monkeypatch.setattr(database, "DB_PATH", agents.parent / "file" / "history.db")
        with pytest.raises(Exception, match="file"):
            sync()
        assert [record.levelname for record in caplog.records] == ["ERROR"]

    def test_silence_keeps_information_out_of_the_log(
        self, agents: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        spec_run(agents)
        with caplog.at_level(logging.INFO, logger="workflow_history"):
            sync_workflow_history(silent=True)
            assert caplog.records == []
            sync_workflow_history()
        assert [record.message.split()[0] for record in caplog.records] == ["sync_started", "sync_done"]

    def test_of_a_kill_before_the_end_leaves_the_history_as_it_was(
        self, agents: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spec_run(agents)
        sync()
        spec_run(agents, "second")

        def killed(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(History, "record_sync", killed)
            with pytest.raises(KeyboardInterrupt):
                sync()
        assert get_workflow_by_id("second") is None
        assert sync()["inserted"] == 1
        with history() as opened:
            assert opened.check() == []


class TestProjects:
    def test_the_same_id_in_two_projects_is_two_runs_and_the_bare_id_is_ambiguous(
        self, tmp_path: Path
    ) -> None:
        for project in ("shop", "blog"):
            spec_run(tmp_path / project / "agents", nl_input=f"Of the {project}")
            sync(agents_dir=tmp_path / project / "agents")
        with pytest.raises(AmbiguousWorkflowError) as error:
            get_workflow_by_id("test-workflow-123")
        assert error.value.candidates == ["blog/test-workflow-123", "shop/test-workflow-123"]
        assert stored("blog/test-workflow-123")["nl_input"] == "Of the blog"

    def test_two_folders_of_one_project_are_not_mixed_up(self, tmp_path: Path) -> None:
        for place in ("here", "there"):
            spec_run(tmp_path / place / "shop" / "agents", nl_input=place)
            done = sync(agents_dir=tmp_path / place / "shop" / "agents")
        assert done["failed"] == 1
        assert "--project" in done["errors"][0]["reason"]
        assert stored("test-workflow-123")["nl_input"] == "here"
        assert sync(agents_dir=tmp_path / "there" / "shop" / "agents", project="shop-2")["inserted"] == 1

    def test_a_folder_that_moved_stays_the_same_run(self, tmp_path: Path) -> None:
        spec_run(tmp_path / "here" / "shop" / "agents")
        sync(agents_dir=tmp_path / "here" / "shop" / "agents")
        (tmp_path / "there").mkdir()
        shutil.move(tmp_path / "here" / "shop", tmp_path / "there" / "shop")
        done = sync(agents_dir=tmp_path / "there" / "shop" / "agents")
        assert (done["inserted"], done["updated"], done["failed"]) == (0, 1, 0)
        assert stored("test-workflow-123")["source_state"] == "present"


class TestPatterns:
    def committer(self, agents: Path, run_id: str) -> None:
        calls = [
            tool_use(f"{run_id}{n}", command=c)
            for n, c in enumerate(("git status", "git add -A", "git commit -m x"))
        ]
        lines = [assistant(f"{run_id}-m", content=calls), *(tool_result(f"{run_id}{n}") for n in range(3))]
        stream(spec_run(agents, run_id), "committer", init(run_id), *lines, result(0.05, session=run_id))

    def recurring(self) -> dict[str, dict[str, Any]]:
        with history() as opened:
            return {row["signature"]: row for row in opened.view("recurring_patterns")}

    def test_are_learnt_and_seen_once_however_often_the_sync_runs(self, agents: Path) -> None:
        for run_id in ("a", "b"):
            self.committer(agents, run_id)
        sync()
        first = self.recurring()
        assert "git status → git add → git commit" in first
        for file in agents.rglob("*.jsonl"):
            os.utime(file)
        assert sync()["unchanged"] == 0
        assert self.recurring() == first

    def test_stay_when_the_files_are_gone(self, agents: Path) -> None:
        for run_id in ("a", "b"):
            self.committer(agents, run_id)
        sync()
        first = self.recurring()
        for file in agents.rglob("*.jsonl"):
            file.unlink()
        sync()
        assert self.recurring() == first

    def test_of_a_hosts_own_detector_are_stored_beside_ours(
        self, agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.committer(agents, "a")
        seen: list[str] = []

        def detector(workflow: dict[str, Any]) -> list[dict[str, Any]]:
            seen.append(workflow["id"])
            return [{"signature": "commits on a Friday"}, {"no": "signature"}]

        monkeypatch.setattr(batches, "load_detector", lambda: detector)
        sync()
        assert seen == ["a"]
        rows = rows_of(tmp_path, "select signature from patterns where kind = 'host'")
        assert rows == [("commits on a Friday",)]

    def test_a_detector_that_fails_is_named_and_costs_nothing(
        self, agents: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.committer(agents, "a")

        def detector(_: Any) -> Any:
            raise RuntimeError("out of order")

        monkeypatch.setattr(batches, "load_detector", lambda: detector)
        done = sync()
        assert "out of order" in done["errors"][-1]["reason"]
        count = stored("a")["pattern_count"]
        assert count > 0
        repaired = lambda _: [{"signature": "works again"}]  # noqa: E731
        monkeypatch.setattr(batches, "load_detector", lambda: repaired)
        assert sync()["failed"] == 0
        assert stored("a")["pattern_count"] == count + 1

    def test_a_detector_that_cannot_be_imported_is_named(
        self, agents: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.committer(agents, "a")

        def broken() -> Any:
            raise host_detector.DetectorBrokenError("core.pattern_detector", "no module named numby")

        monkeypatch.setattr(batches, "load_detector", broken)
        assert "numby" in sync()["errors"][0]["reason"]


def test_a_running_run_is_judged_again_when_it_has_been_silent(
    agents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = datetime.now(UTC).isoformat()
    stream(run(agents, "a1", {"created_at": began}), "builder", init(), assistant("m1"))
    sync()
    assert stored("a1")["status"] == "running"
    assert sync()["unchanged"] == 1

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(days=1)

    monkeypatch.setattr(f"{sync_workflow_history.__module__}.datetime", Later)
    sync()
    assert stored("a1")["status"] == "incomplete"


def test_a_run_whose_files_are_as_stored_is_not_opened(agents: Path) -> None:
    folder = spec_run(agents)
    file = stream(folder, "planner", init(), result())
    sync()
    state = folder / "adw_state.json"
    before = state.stat()
    with state.open("r+b") as opened:  # other bytes, and nothing that `stat` would show
        opened.write(b"x" * before.st_size)
    os.utime(state, ns=(before.st_atime_ns, before.st_mtime_ns))
    again = sync()
    assert (again["unchanged"], again["errors"]) == (1, [])
    with file.open("a") as opened:
        opened.write("\n")
    assert sync()["unchanged"] == 0


def test_a_stream_that_could_not_be_read_is_read_when_its_permissions_change(agents: Path) -> None:
    file = stream(run(agents, "a1", {}), "planner", init(), result())
    file.chmod(0o400)
    sync()
    file.chmod(0o644)
    assert sync()["unchanged"] == 0


def test_progress_is_told_phase_by_phase(agents: Path) -> None:
    spec_run(agents)
    told: list[str] = []
    sync(progress=lambda phase, _done, _total: told.append(phase))
    assert list(dict.fromkeys(told)) == ["scan", "enrich", "score", "relate", "store"]


TEXTS = ["Add CSV export", "Export as CSV", "Fix the login form", "Rotate certificates", None]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "retry", "delete", "sync"]),
        st.sampled_from(["a", "b", "c", "d", "e", "f", "g"]),
        st.sampled_from(TEXTS),
        st.sampled_from(["completed", "failed", None]),
        st.sampled_from([None, 0.1, 0.25, 1.0]),
    ),
    max_size=14,
)


@tries(40, function_fixtures=True)
@given(STEPS)
def test_stored_lists_equal_a_full_recomputation_and_no_known_cost_falls(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, steps: list[Any]
) -> None:
    place = tmp_path_factory.mktemp("sequence")
    agents = place / "agents"
    agents.mkdir()
    monkeypatch.setattr(scanner, "AGENTS_DIR", agents)
    monkeypatch.setattr(database, "DB_PATH", place / "history.db")
    known: dict[str, float] = {}
    for number, (action, run_id, text, status, cost) in enumerate([*steps, ("sync", "", None, None, None)]):
        if action == "write":
            run(agents, run_id, {"nl_input": text, "status": status, "duration_seconds": number})
        elif action == "retry" and cost is not None:
            session = f"{run_id}{number}"
            stream(run(agents, run_id), "planner", init(session), result(cost, session=session))
        elif action == "delete":
            shutil.rmtree(agents / run_id, ignore_errors=True)
        elif action == "sync":
            sync()
            workflows = get_workflow_history(limit=100)["workflows"]
            lists = {
                workflow["id"]: [
                    (other["id"], other["similarity_score"]) for other in workflow["similar_workflows"]
                ]
                for workflow in workflows
            }
            assert lists == calculate_all_similarities(workflows)
            for workflow in workflows:
                spent = workflow["total_cost"] or 0.0
                assert spent >= known.get(workflow["id"], 0.0)
                known[workflow["id"]] = spent
    assert sync()["updated"] == sync()["unchanged"]


def damaged(folder: Path, seed: int) -> list[Path]:
    """Damage some files below a folder: cut at a random byte, swap two lines, or flip a byte."""
    rng = random.Random(seed)
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.stat().st_size)
    victims = rng.sample(files, k=rng.randint(1, 4))
    for file in victims:
        raw = bytearray(file.read_bytes())
        kind = rng.choice(["cut", "swap", "flip"])
        if kind == "cut":
            raw = raw[: rng.randrange(len(raw))]
        elif kind == "flip":
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        else:
            lines = raw.splitlines(keepends=True)
            rng.shuffle(lines)
            raw = bytearray(b"".join(lines))
        file.write_bytes(raw)
    return victims


def healthy(agents: Path) -> None:
    """Write three runs as real ones look, with calls, results, prompts and states."""
    for run_id in ("one", "two", "three"):
        folder = run(agents, run_id, {"adw_id": run_id, "issue_number": "1", "status": "completed"})
        issue = json.dumps({"number": 1, "title": "Add export", "body": "As CSV, " * 20})
        prompt(folder, "issue_classifier", f"/classify_issue {issue}")
        for agent in ("issue_classifier", "sdlc_planner", "sdlc_implementor"):
            name = f"{run_id}-{agent}"
            call = assistant(f"{name}-m", content=[tool_use(f"{name}-t", command="git status")], session=name)
            stream(
                folder,
                agent,
                init(name),
                call,
                tool_result(f"{name}-t", session=name),
                result(0.25, session=name),
            )


@pytest.mark.parametrize("seed", range(200))
def test_damage_never_stops_a_sync_nor_costs_a_good_run(agents: Path, seed: int) -> None:
    healthy(agents)
    victims = damaged(agents, seed)
    done = sync()
    hurt = {file.relative_to(agents).parts[0] for file in victims}
    for run_id in {"one", "two", "three"} - hurt:
        assert stored(run_id)["total_cost"] == 0.75
        assert stored(run_id)["status"] == "completed"
    named = {error["path"] for error in done["errors"]}
    for file in victims:
        if not _still_reads_as_whole(file):
            assert file.relative_to(agents).as_posix() in named, file.read_bytes()[:300]


def _still_reads_as_whole(file: Path) -> bool:
    """Return whether no reader could know that the file was damaged: every line of it is whole JSON."""
    raw = file.read_bytes()
    if file.suffix == ".txt":
        return True  # a prompt is free text
    if not raw:
        return file.suffix == ".jsonl"  # an empty stream is what a cut-off start leaves
    try:
        values = (
            [json.loads(line) for line in raw.splitlines()] if file.suffix == ".jsonl" else [json.loads(raw)]
        )
    except ValueError:
        return False
    whole = all(isinstance(value, dict) for value in values)
    kinds = [value.get("type") for value in values if isinstance(value, dict)]
    in_order = kinds == ["system", "assistant", "user", "result"][: len(kinds)]
    return whole and (
        file.suffix == ".json" or in_order or "result" not in kinds[-1:] or kinds[0] != "assistant"
    )


def test_times_stand_in_utc_with_their_offset_beside_them(agents: Path) -> None:
    spec_run(agents, created_at="2025-01-01T02:00:00+02:00")
    sync()
    found = stored("test-workflow-123")
    assert datetime.fromisoformat(found["created_at"]) == datetime(2025, 1, 1, tzinfo=UTC)
    assert found["utc_offset_minutes"] == 120
