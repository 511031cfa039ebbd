"""Scanning: every folder layout and state format, and folders that are no runs."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.server.core.workflow_history import scanner
from app.server.core.workflow_history.common.errors import AgentsFolderError
from app.server.core.workflow_history.common.models import Workflow
from app.server.core.workflow_history.ingest.sources.scan import Scan, scan
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support.build import assistant, init, line, prompt, result, run, stream, tool_use

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=3)


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "agents"
    folder.mkdir(parents=True)
    return folder


def scanned(agents: Path) -> Scan:
    return scan(agents, NOW)


def only(agents: Path) -> Workflow:
    (found,) = scanned(agents).runs
    return found.workflow


def aged(folder: Path, at: datetime = LONG_AGO) -> None:
    """Set every file's time below a folder."""
    for file in folder.rglob("*"):
        os.utime(file, (at.timestamp(), at.timestamp()))


ISSUE = json.dumps({"number": 7, "title": "Add export", "body": "As CSV."})


class TestLayouts:
    def test_a_state_and_agents_folders_are_one_run(self, agents: Path) -> None:
        folder = run(agents, "a1b2c3d4", {"adw_id": "a1b2c3d4", "issue_number": "7"})
        stream(folder, "sdlc_planner", init(), result())
        stream(folder, "sdlc_implementor", init(), result())
        (found,) = scanned(agents).runs
        assert found.workflow["id"] == "a1b2c3d4"
        assert [facts.agent for facts in found.streams] == ["sdlc_implementor", "sdlc_planner"]

    def test_streams_without_a_state_are_a_run(self, agents: Path) -> None:
        stream(run(agents, "a1b2c3d4"), "planner", init(), result())
        assert only(agents)["id"] == "a1b2c3d4"

    def test_a_stream_straight_under_the_run_belongs_to_its_main_agent(self, agents: Path) -> None:
        stream(run(agents, "code_audit_20260101_101010"), "", init(), result(), name="cc_raw_output.jsonl")
        (found,) = scanned(agents).runs
        assert [facts.agent for facts in found.streams] == ["main"]

    def test_a_loose_file_that_names_a_phase_gives_the_agent(self, agents: Path) -> None:
        stream(run(agents, "a1b2c3d4", {}), "", init(), result(), name="validate_output.jsonl")
        (found,) = scanned(agents).runs
        assert [facts.agent for facts in found.streams] == ["validate"]

    def test_streams_loose_in_the_agents_folder_are_one_run_each(self, agents: Path) -> None:
        stream(agents, "", init(), result(), name="first.jsonl")
        stream(agents, "", init(), result(), name="second.jsonl")
        assert [found.workflow["id"] for found in scanned(agents).runs] == ["first", "second"]

    def test_streams_named_by_stamps_loose_in_one_folder_are_one_run_each(self, agents: Path) -> None:
        for name in ("run_20260101.jsonl", "run_20260102.jsonl"):
            stream(agents / "nightly", "", init(), result(), name=name)
        ids = [found.workflow["id"] for found in scanned(agents).runs]
        assert ids == ["nightly/run_20260101", "nightly/run_20260102"]

    def test_a_folder_of_runs_with_states_is_no_run_itself(self, agents: Path) -> None:
        run(agents / "2026-01", "a1", {"adw_id": "a1"})
        run(agents / "2026-01", "b2", {"adw_id": "b2"})
        assert [found.workflow["id"] for found in scanned(agents).runs] == ["2026-01/a1", "2026-01/b2"]

    def test_what_is_no_run_is_left_out_with_the_reason(self, agents: Path) -> None:
        for name in ("security_logs", "_examples", "_archived"):
            run(agents, name, {"adw_id": name})
        stream(agents / "context_bundles", "", line(operation="read"), name="bundle.jsonl")
        stream(agents / "notes", "", line(operation="read"), name="bundle.jsonl")
        (agents / "pictures").mkdir()
        (agents / "pictures" / "shot.png").write_bytes(b"png")
        (agents / "package.json").write_text("{}")
        found = scanned(agents)
        assert found.runs == []
        assert found.failed == []
        assert {problem.path for problem in found.skipped} == {
            "security_logs", "_examples", "_archived", "context_bundles", "notes", "pictures",
        }  # fmt: skip

    @pytest.mark.parametrize("name", ["--skip-e2e", "ends.with.a.dot.", "two words", "new\nline", "ünï"])
    def test_any_folder_name_may_be_a_runs_id(self, agents: Path, name: str) -> None:
        run(agents, name, {"issue_number": "1"})
        assert only(agents)["id"] == name

    def test_a_name_that_is_no_utf8_becomes_storable(self, agents: Path) -> None:
        folder = os.fsencode(agents) + b"/caf\xe9"
        os.mkdir(folder)  # noqa: PTH102 - a name of bytes
        Path(os.fsdecode(folder), "adw_state.json").write_text("{}")
        assert only(agents)["id"] == "caf\\xe9"

    def test_links_out_of_the_tree_and_loops_are_not_followed(self, agents: Path, tmp_path: Path) -> None:
        elsewhere = run(tmp_path / "elsewhere", "x1", {"adw_id": "x1"})
        (agents / "link").symlink_to(elsewhere)
        folder = run(agents, "a1", {})
        (folder / "loop").symlink_to(folder)
        (folder / "raw_output.jsonl").symlink_to(elsewhere / "adw_state.json")
        found = scanned(agents)
        assert [one.workflow["id"] for one in found.runs] == ["a1"]
        assert {problem.path for problem in found.skipped} == {"link", "a1/raw_output.jsonl"}

    def test_a_pipe_is_not_waited_for(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        os.mkfifo(folder / "raw_output.jsonl")
        found = scanned(agents)
        assert [one.workflow["id"] for one in found.runs] == ["a1"]
        assert [(p.path, p.reason) for p in found.skipped] == [("a1/raw_output.jsonl", "no regular file")]

    def test_an_agents_folder_that_is_none_is_an_error_that_says_what_to_name(self, tmp_path: Path) -> None:
        with pytest.raises(AgentsFolderError, match="Name your agents directory"):
            scan(tmp_path / "nowhere", NOW)

    def test_the_scanned_tree_is_never_written_to(self, agents: Path) -> None:
        folder = run(agents, "a1", {"status": "completed"})
        stream(folder, "planner", init(), result())
        before = {file: (file.stat().st_mtime_ns, file.stat().st_size) for file in agents.rglob("*")}
        scanned(agents)
        assert {file: (file.stat().st_mtime_ns, file.stat().st_size) for file in agents.rglob("*")} == before


class TestState:
    @pytest.mark.parametrize(
        "state",
        [
            {
                "adw_id": "a1",
                "issue_number": "1",
                "branch_name": None,
                "plan_file": None,
                "issue_class": "/bug",
            },
            {
                "adw_id": "a1",
                "worktree_path": "/w",
                "backend_port": 9100,
                "model_set": "base",
                "all_adws": ["adw_plan"],
            },
            {"adw_id": "a1", "task_description": "Do it", "completed_phases": ["plan"], "phase_results": []},
            {"adw_id": "a1", "provider": "anthropic", "synthesis_enabled": True, "all_adws": []},
        ],
    )
    def test_every_shape_of_state_is_read_and_its_unknown_keys_are_kept(
        self, agents: Path, state: dict[str, Any]
    ) -> None:
        run(agents, "a1", state)
        found = only(agents)
        assert found["adw_id"] == "a1"
        known = {"adw_id", "issue_number", "branch_name", "plan_file", "issue_class"}
        assert {key: found[key] for key in state if key not in known} == {
            key: value for key, value in state.items() if key not in known
        }

    def test_a_field_that_only_we_may_fill_is_kept_beside_ours(self, agents: Path) -> None:
        run(agents, "a1", {"total_cost": 99, "similar_workflows": "x"})
        found = only(agents)
        assert (found["state_total_cost"], found["state_similar_workflows"]) == (99, "x")
        assert "total_cost" not in found

    @pytest.mark.parametrize(
        "raw", [b"", b"  \n", b'{"id": "a1", ', b"[1, 2]", b"\xff\xfe\x00", b"null", b"{" * 100_000]
    )
    def test_an_unreadable_state_alone_is_named_and_is_no_run(self, agents: Path, raw: bytes) -> None:
        folder = run(agents, "a1")
        (folder / "adw_state.json").write_bytes(raw)
        run(agents, "good", {})
        found = scanned(agents)
        assert [one.workflow["id"] for one in found.runs] == ["good"]
        assert found.failed == ["a1"]
        assert "a1/adw_state.json" in {problem.path for problem in found.problems}

    def test_an_unreadable_state_beside_a_stream_costs_the_run_nothing(self, agents: Path) -> None:
        folder = run(agents, "a1")
        (folder / "adw_state.json").write_text('{"id": ')
        stream(folder, "planner", init(), result())
        aged(folder)
        (found,) = scanned(agents).runs
        assert [problem.path for problem in found.problems] == ["a1/adw_state.json"]

    def test_a_byte_order_mark_and_nan_do_no_harm(self, agents: Path) -> None:
        folder = run(agents, "a1")
        (folder / "adw_state.json").write_bytes(b'\xef\xbb\xbf{"issue_number": "3", "odd": NaN}')
        found = only(agents)
        assert (found["issue_number"], found["odd"]) == ("3", None)

    def test_a_state_that_claims_another_id_is_said_once_and_the_folder_is_the_key(
        self, agents: Path
    ) -> None:
        aged(run(agents, "a1", {"adw_id": "b2"}))
        (found,) = scanned(agents).runs
        assert (found.workflow["id"], found.workflow["adw_id"]) == ("a1", "b2")
        assert [problem.severity for problem in found.problems] == ["warning"]

    @pytest.mark.parametrize("depth", [100, 500, 5_000, 50_000])
    @pytest.mark.parametrize("closing", ["", "]"])
    def test_deeply_nested_files_cost_no_more_than_themselves(
        self, agents: Path, depth: int, closing: str
    ) -> None:
        deep = "[" * depth + closing * depth + ("}" if closing else "")
        folder = run(agents, "a1")
        (folder / "adw_state.json").write_text('{"issue_number": "3", "odd": ' + deep)
        prompt(folder, "planner", f'/plan {{"title": {deep}\n{ISSUE}')
        stream(folder, "planner", init(), '{"type":"assistant","message":' + deep, assistant("m1"), result())
        (found,) = scanned(agents).runs
        assert found.workflow["nl_input"].startswith("Add export")
        assert {problem.path for problem in found.problems} == {
            "a1/adw_state.json",
            "a1/planner/raw_output.jsonl",
        }
        assert sync_workflow_history(silent=True, agents_dir=agents)["failed"] == 0

    @given(st.binary(max_size=200))
    def test_whatever_a_state_holds_scanning_ends(
        self, tmp_path_factory: pytest.TempPathFactory, raw: bytes
    ) -> None:
        agents = tmp_path_factory.mktemp("any") / "agents"
        folder = run(agents, "a1")
        (folder / "adw_state.json").write_bytes(raw)
        run(agents, "good", {})
        assert "good" in {one.workflow["id"] for one in scan(agents, NOW).runs}


class TestRequest:
    def test_the_states_own_words_come_first(self, agents: Path) -> None:
        folder = run(agents, "a1", {"nl_input": "Do this", "task_description": "Or that"})
        prompt(folder, "issue_classifier", f"/classify_issue {ISSUE}")
        assert (only(agents)["nl_input"], only(agents)["nl_input_source"]) == (
            "Do this",
            "adw_state.json: nl_input",
        )

    def test_a_workflow_summary_comes_before_prompts(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        (folder / "workflow_summary.json").write_text(json.dumps({"args": {"prompt": "Sum it"}}))
        prompt(folder, "issue_classifier", f"/classify_issue {ISSUE}")
        assert only(agents)["nl_input"] == "Sum it"

    def test_the_classifiers_issue_comes_before_the_planners(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        prompt(folder, "issue_classifier", f"/classify_issue {ISSUE}")
        prompt(folder, "sdlc_planner", '/feature 7 a1b2c3d4 {"title": "Other"}')
        found = only(agents)
        assert found["nl_input"] == "Add export\n\nAs CSV."
        assert found["nl_input_source"] == "issue_classifier/prompts/prompt.txt"

    def test_the_planners_plain_text_stands_after_its_command_and_ids(self, agents: Path) -> None:
        prompt(
            run(agents, "a1", {}), "planner", "/plan 12 adw_1768105170_4c9ada14 Add a health check\nplease"
        )
        assert only(agents)["nl_input"] == "Add a health check\nplease"

    def test_a_review_patch_planner_is_not_asked(self, agents: Path) -> None:
        prompt(run(agents, "a1", {}), "review_patch_planner", "/patch Change the colour")
        assert only(agents)["nl_input"] is None

    def test_a_logs_fetched_issue_is_found(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        (folder / "adw_plan").mkdir()
        text = f"2026-01-01 10:00:00 - DEBUG - Fetched issue: {ISSUE}\n"
        (folder / "adw_plan" / "execution.log").write_text(text)
        found = only(agents)
        assert (found["nl_input"], found["workflow_template"]) == ("Add export\n\nAs CSV.", "adw_plan")

    def test_a_branchs_words_come_last(self, agents: Path) -> None:
        run(agents, "a1", {"branch_name": "feature-issue-5-adw-e2a5d817-advanced-trading-chart"})
        found = only(agents)
        assert found["nl_input"] == "advanced trading chart"
        assert "its words" in found["nl_input_source"]

    def test_without_any_word_the_request_is_unknown(self, agents: Path) -> None:
        run(agents, "a1", {"plan_file": "specs/latest_plan.md"})
        assert only(agents)["nl_input"] is None


class TestTimes:
    def test_an_epoch_in_the_id_tells_a_naive_times_offset(self, agents: Path) -> None:
        run(agents, "adw_1768105170_4c9ada14", {"created_at": "2026-01-10T21:19:30.598993"})
        found = only(agents)
        assert found["created_at"] == "2026-01-11T04:19:30.598993+00:00"
        assert (found["utc_offset_minutes"], found["times_basis"]) == (-420, "reported")

    def test_the_time_of_a_logs_file_tells_the_offset_of_its_last_line(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        (folder / "adw_plan").mkdir()
        text = "2026-02-26 13:00:00 - INFO - Starting\n2026-02-26 13:59:40 - INFO - Planning\n"
        (folder / "adw_plan" / "execution.log").write_text(text)
        aged(folder, datetime(2026, 2, 26, 12, tzinfo=UTC))
        found = only(agents)
        assert (found["created_at"], found["utc_offset_minutes"]) == ("2026-02-26T11:00:00+00:00", 120)

    def test_a_naive_time_without_a_hint_keeps_its_offset_unknown(self, agents: Path) -> None:
        folder = run(
            agents, "a1", {"started_at": "2025-12-23T01:35:37", "completed_at": "2025-12-23T01:37:37"}
        )
        aged(folder)
        found = only(agents)
        assert found["utc_offset_minutes"] is None
        assert found["duration_seconds"] == 120.0

    def test_a_stamp_in_the_id_is_a_reported_time(self, agents: Path) -> None:
        stream(run(agents, "adw-20251223-013537"), "planner", init(), result())
        assert only(agents)["created_at"] == "2025-12-23T01:35:37+00:00"

    def test_file_times_are_derived_and_say_so(self, agents: Path) -> None:
        folder = run(agents, "a1b2c3d4")
        stream(folder, "planner", init(), result(duration_ms=60000), at=LONG_AGO)
        stream(folder, "builder", init(), result(duration_ms=30000), at=LONG_AGO + timedelta(seconds=90))
        found = only(agents)
        assert found["created_at"] == (LONG_AGO - timedelta(seconds=60)).isoformat()
        assert (found["times_basis"], found["times_source"]) == ("derived", "file times")
        assert (found["duration_seconds"], found["duration_basis"]) == (150.0, "derived")

    def test_file_times_of_a_copied_tree_tell_nothing(self, agents: Path) -> None:
        for run_id in ("a1", "b2"):
            folder = run(agents, run_id, {})
            stream(folder, "planner", init(), result(duration_ms=300_000))
            stream(folder, "builder", init(), assistant("m1"))
            aged(folder, NOW)
        for found in scanned(agents).runs:
            assert found.workflow["created_at"] is None
            assert found.workflow["status"] == "incomplete"
            assert found.workflow["duration_seconds"] == 300.0

    def test_files_written_long_after_the_reported_start_date_no_agent(self, agents: Path) -> None:
        folder = run(agents, "a1", {"created_at": "2025-12-01T10:00:00Z", "status": "completed"})
        stream(folder, "planner", init(), result())
        aged(folder)
        (found,) = scanned(agents).runs
        assert [facts.modified_at for facts in found.streams] == [None]
        assert found.workflow["completed_at"] is None
        assert (found.workflow["duration_seconds"], found.workflow["duration_basis"]) == (60.0, "derived")

    def test_a_phase_that_the_state_tells_of_and_that_left_no_stream_is_named(self, agents: Path) -> None:
        span = {"started_at": "2026-01-10T22:00:00", "completed_at": "2026-01-10T22:00:30"}
        phases = [
            {"phase": "plan", "success": True, **span},
            {"phase": "build", "success": True, "output_file": "build/build_output.jsonl", **span},
            {"phase": "validate", "success": False, "output_file": None, **span},
        ]
        folder = run(agents, "a1", {"status": "completed", "phase_results": phases})
        stream(folder, "plan", init(), result())
        (found,) = scanned(agents).runs
        assert found.workflow["agents_without_stream"] == ["build"]
        assert [each["duration_seconds"] for each in found.workflow["phases_without_stream"]] == [30.0]
        assert [problem.reason[:37] for problem in found.problems] == [
            "phase build is done in the state file"
        ]

    def test_the_specs_own_state_keeps_its_times(self, agents: Path) -> None:
        run(agents, "a1", {"id": "a1", "created_at": "2025-01-01T00:00:00Z", "duration_seconds": 120})
        found = only(agents)
        assert found["created_at"] == "2025-01-01T00:00:00+00:00"
        assert (found["duration_seconds"], found["utc_offset_minutes"]) == (120.0, 0)

    @pytest.mark.parametrize("odd", ["yesterday", 5, True, [], "9999-99-99T00:00:00", -1e300, ""])
    def test_an_odd_time_is_unknown(self, agents: Path, odd: Any) -> None:
        folder = run(agents, "a1", {"created_at": odd, "duration_seconds": odd})
        aged(folder)
        assert only(agents)["times_source"] in ("file times", None)


class TestStatus:
    def judged(self, agents: Path) -> tuple[str, str]:
        found = only(agents)
        return found["status"], found["status_reason"]

    def test_the_states_own_word_counts(self, agents: Path) -> None:
        folder = run(agents, "a1", {"status": "completed"})
        stream(folder, "builder", init(), result(is_error=True))
        assert self.judged(agents) == ("completed", "the state says 'completed'")

    def test_a_state_that_says_running_for_ever_is_incomplete(self, agents: Path) -> None:
        aged(run(agents, "a1", {"status": "running"}))
        assert self.judged(agents)[0] == "incomplete"

    @pytest.mark.parametrize(
        ("ending", "why"),
        [
            ([init(), result(is_error=True, result="Usage limit reached")], "ended with an error"),
            ([], "left an empty transcript"),
            ([init(), result(0, modelUsage={}, result="Unknown skill: plan")], "did nothing"),
            ([init(), result(0, modelUsage={}, result="")], "did nothing"),
        ],
    )
    def test_the_furthest_agents_failure_is_the_runs(self, agents: Path, ending: list[str], why: str) -> None:
        folder = run(agents, "a1", {})
        stream(folder, "planner", init(), result(), at=LONG_AGO)
        stream(folder, "builder", *ending, at=LONG_AGO + timedelta(minutes=5))
        status, reason = self.judged(agents)
        assert status == "failed"
        assert why in reason

    def test_an_earlier_bad_stream_is_not_fatal_when_later_ones_went_on(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        stream(folder, "planner", init(), result(is_error=True), at=LONG_AGO)
        stream(folder, "pr_creator", init(), result(), at=LONG_AGO + timedelta(minutes=5))
        assert self.judged(agents)[0] == "completed"

    def test_an_error_log_is_a_failure(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        (folder / "error.log").write_text("Traceback\nValueError: no plan\n")
        found = only(agents)
        assert (found["status"], found["error_message"]) == ("failed", "ValueError: no plan")

    def test_without_a_result_and_written_lately_it_is_running(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        aged(folder)
        stream(folder, "planner", init(), result(), at=NOW - timedelta(minutes=9))
        stream(folder, "builder", init(), assistant("m1"), at=NOW - timedelta(minutes=1))
        status, reason = self.judged(agents)
        assert (status, reason) == ("running", "builder has no result yet (builder/raw_output.jsonl)")

    @pytest.mark.parametrize("cost", [-3, 1e308, "much"])
    def test_where_the_result_cannot_be_read_the_logs_word_on_the_end_counts(
        self, agents: Path, cost: Any
    ) -> None:
        folder = run(agents, "a1", {})
        unreadable = result().replace("0.25", json.dumps(cost))
        stream(folder, "builder", init(), assistant("m1"), unreadable, at=NOW - timedelta(minutes=1))
        assert self.judged(agents)[0] == "incomplete"  # nobody is at work: it may have ended well
        log = folder / "adw_build" / "execution.log"
        log.parent.mkdir()
        log.write_text("2026-01-01 10:05:00 - INFO - ADW workflow completed\n")
        status, reason = self.judged(agents)
        assert (status, "completed" in reason) == ("completed", True)
        (found,) = scanned(agents).runs
        assert [problem.line for problem in found.problems] == [3]

    def test_without_a_result_and_long_silent_it_is_incomplete(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        stream(folder, "builder", init(), assistant("m1"))
        aged(folder)
        assert self.judged(agents)[0] == "incomplete"

    def test_a_cut_committer_is_no_failure(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        aged(folder)
        stream(folder, "pr_creator", init(), result(), at=LONG_AGO)
        stream(folder, "documenter_committer", init(), assistant("m1"), at=LONG_AGO + timedelta(minutes=1))
        assert self.judged(agents)[0] == "completed"

    def test_a_committer_that_ends_with_an_error_is_a_failure(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        stream(folder, "sdlc_implementor", init(), result(), at=LONG_AGO)
        later = LONG_AGO + timedelta(minutes=1)
        stream(folder, "sdlc_implementor_committer", init(), result(is_error=True), at=later)
        status, reason = self.judged(agents)
        assert status == "failed"
        assert reason.startswith("sdlc_implementor_committer ended with an error")

    def test_where_file_times_tell_nothing_a_committer_comes_right_after_its_agent(
        self, agents: Path
    ) -> None:
        for run_id in ("a1", "b2"):
            folder = run(agents, run_id, {})
            stream(folder, "sdlc_planner_committer", init(), result(is_error=True))
            stream(folder, "sdlc_implementor", init(), result(duration_ms=300_000))
            aged(folder, NOW)
        assert {found.workflow["status"] for found in scanned(agents).runs} == {"completed"}

    def test_a_completion_line_of_the_last_log_counts(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        (folder / "adw_build").mkdir()
        text = "2026-01-01 10:00:00 - INFO - Starting\n2026-01-01 10:05:00 - INFO - ADW workflow completed\n"
        (folder / "adw_build" / "execution.log").write_text(text)
        found = only(agents)
        assert found["status"] == "completed"
        assert (found["duration_seconds"], found["created_at"]) == (300.0, "2026-01-01T10:00:00+00:00")

    @pytest.mark.parametrize(
        ("summary", "status"),
        [({}, "completed"), ({"overall_success": True}, "completed"), ({"success": False}, "failed")],
    )
    def test_a_workflow_summary_tells_the_end(self, agents: Path, summary: Any, status: str) -> None:
        folder = run(agents, "a1", {})
        stream(folder, "builder", init(), result())
        (folder / "builder" / "custom_summary_output.json").write_text(json.dumps(summary))
        assert self.judged(agents)[0] == status

    def test_words_in_an_answer_decide_nothing(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        stream(folder, "builder", init(), result(result="The workflow failed: error, error"))
        aged(folder)
        assert self.judged(agents)[0] == "completed"

    def test_without_evidence_it_is_unknown(self, agents: Path) -> None:
        run(agents, "a1", {"issue_number": "1"})
        assert self.judged(agents)[0] == "unknown"


class TestWhatAStreamTells:
    def test_an_agent_that_was_prompted_and_left_no_stream_is_named(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        prompt(folder, "sdlc_implementor", "/implement specs/plan.md")
        stream(folder, "planner", init(), result())
        aged(folder)
        (found,) = scanned(agents).runs
        assert found.workflow["agents_without_stream"] == ["sdlc_implementor"]
        assert "its cost is unknown" in found.problems[0].reason

    def test_the_class_comes_from_the_classifier_where_the_state_has_none(self, agents: Path) -> None:
        folder = run(agents, "a1", {"issue_class": None})
        stream(folder, "issue_classifier", init(), result(result="/feature"))
        assert only(agents)["issue_class"] == "/feature"

    def test_a_damaged_stream_is_named_with_its_line(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        call = assistant("m1", content=[tool_use("t1")])
        stream(folder, "planner", init(), call[:50] + "\x00" + call[50:], result())
        aged(folder)
        (found,) = scanned(agents).runs
        assert [(p.path, p.line) for p in found.problems] == [("a1/planner/raw_output.jsonl", 2)]


class TestFacade:
    def test_the_agents_folder_is_read_at_call_time(
        self, agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(agents, "a1", {})
        assert scanner.scan_agents_directory() == []
        monkeypatch.setenv("WORKFLOW_HISTORY_AGENTS", str(agents))
        assert [found["id"] for found in scanner.scan_agents_directory()] == ["a1"]
        monkeypatch.setattr(scanner, "AGENTS_DIR", tmp_path / "empty")
        assert scanner.scan_agents_directory() == []

    def test_one_folder_is_parsed_alone(self, agents: Path) -> None:
        folder = run(agents, "a1", {"status": "completed"})
        (agents / "empty").mkdir()
        parsed = scanner.parse_workflow_directory(folder)
        assert parsed is not None
        assert parsed["status"] == "completed"
        assert scanner.parse_workflow_directory(agents / "empty") is None
        assert scanner.parse_workflow_directory(agents / "nowhere") is None

    @pytest.mark.parametrize("bad", [{}, {"id": ""}, {"id": None}, {"id": 5}, {"id": "a\0b"}])
    def test_a_workflow_without_a_usable_id_is_not_valid(self, bad: Workflow) -> None:
        assert not scanner.validate_workflow_data(bad)

    def test_a_projects_folder_means_the_agents_folder_inside(self, tmp_path: Path) -> None:
        for inside in ("agents", "adws/agents"):
            project = tmp_path / f"shop-{len(inside)}"
            (project / inside).mkdir(parents=True)
            assert scanner.find_agents_folders(project) == [project / inside]
            assert scanner.find_agents_folders(project / inside) == [project / inside]
            assert scanner.project_name(project / inside) == project.name
