"""The status of a run: every case that was once wrong, as a small run."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text
from sqlalchemy import URL, update
from typer.testing import CliRunner

from app.server.core.workflow_history import (
    RunFilter,
    database,
    find_runs,
    forecast,
    get_history_analytics,
    get_workflow_by_id,
    get_workflow_history,
    run_statistics,
    sync_workflow_history,
    waste,
)
from app.server.core.workflow_history.analysis.patterns.ranking import is_automatable
from app.server.core.workflow_history.analysis.patterns.records import PatternTotals
from app.server.core.workflow_history.analysis.scores import calculate_workflow_scores
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.cli.render.table import Column, build_table
from app.server.core.workflow_history.cli.render.text import render_problems
from app.server.core.workflow_history.ingest.runs.build_run import NOT_YET_PREFIX
from app.server.core.workflow_history.ingest.runs.log_failures import last_error
from app.server.core.workflow_history.ingest.sources.discovery import walk_agents_folder
from app.server.core.workflow_history.ingest.sources.scan import scan
from app.server.core.workflow_history.pipeline.change_detection import is_unchanged
from app.server.core.workflow_history.queries.export import export
from app.server.core.workflow_history.queries.running_runs import run_progress, running_runs
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.tables.schema import workflows
from app.server.tests.support.build import (
    HAIKU,
    SONNET,
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
from app.server.tests.support.patience import BUSY
from app.server.tests.support.web import client_of

LONG_AGO = datetime(2026, 2, 1, 10, tzinfo=UTC)


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "agents"
    folder.mkdir(parents=True)
    return folder


def now() -> datetime:
    return datetime.now(UTC)


def at_once(agents: Path, at: datetime | None = None) -> None:
    """Give all files one time, as a clone does."""
    when = (at or now()).timestamp()
    for file in agents.rglob("*"):
        os.utime(file, (when, when))


def standing(agents: Path) -> dict[str, dict[str, Any]]:
    """Return the runs of a folder by id, as one look at it says."""
    return {found.workflow["id"]: found.workflow for found in scan(agents, now()).runs}


def the_only(agents: Path) -> dict[str, Any]:
    (found,) = standing(agents).values()
    return found


def idle(**more: Any) -> str:
    """Return the result of an agent that did nothing."""
    nothing = usage(input=0, output=0, read=0, write=0)
    return result(0, modelUsage={}, result="", usage=nothing, duration_ms=250, **more)


def log(folder: Path, script: str, *lines: str) -> None:
    place = folder / script / "execution.log"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("".join(f"{line}\n" for line in lines))


def native(
    kind: str, content: Any, at: str, *, model: str = SONNET, stop: str | None = None, **more: Any
) -> str:
    """Return a line of a native transcript."""
    message: dict[str, Any] = {"role": kind, "content": content}
    if kind == "assistant":
        message |= {"id": f"m{at}", "model": model, "stop_reason": stop, "usage": usage(input=3, output=2)}
    fields = {"type": kind, "sessionId": "s1", "uuid": f"u{at}", "message": message, **more}
    return json.dumps({**fields, "timestamp": f"2026-02-01T10:{at}:00Z"})


def text(words: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": words}]


# --- agents that did nothing


def test_an_empty_stream_fails_its_run_only_after_nobody_wrote_to_it_for_long(agents: Path) -> None:
    empty = agents / "nightly.jsonl"
    empty.touch()
    sync_workflow_history(silent=True, agents_dir=agents)
    found = get_workflow_by_id("nightly")
    assert (found["status"], found["status_reason"]) == (
        "incomplete", "main has written nothing yet (nightly.jsonl)"
    )  # fmt: skip
    with History.open(database.current_url()) as history, history.transaction():
        (stored,) = history.stored_runs("shop").values()
    assert stored.fingerprint.startswith(NOT_YET_PREFIX)
    folder = next(iter(walk_agents_folder(agents)))
    for minutes, is_same in ((29, True), (31, False)):
        assert is_unchanged(stored, folder, str(agents), now() + timedelta(minutes=minutes)) is is_same
    long_ago = (now() - timedelta(hours=1)).timestamp()
    os.utime(empty, (long_ago, long_ago))
    sync_workflow_history(silent=True, agents_dir=agents)
    found = get_workflow_by_id("nightly")
    assert (found["status"], found["status_reason"]) == (
        "failed",
        "main left an empty transcript (nightly.jsonl)",
    )


@pytest.mark.parametrize("name", ["ops", "setup", "primer"])
def test_ops_first_fails_run(agents: Path, name: str) -> None:
    folder = run(agents, "a1b2c3d4")
    stream(folder, name, init("s0"), idle(session="s0"))
    for number, agent in enumerate(("issue_classifier", "sdlc_planner", "sdlc_implementor", "pr_creator"), 1):
        stream(folder, agent, init(f"s{number}"), result(1.0, session=f"s{number}"))
    log(folder, "adw_plan_iso", "2025-10-17 10:00:00 - INFO - ADW Plan Iso starting",
        "2025-10-17 10:05:01 - INFO - Isolated planning phase completed successfully")  # fmt: skip
    log(folder, "adw_build_iso", "2025-10-17 10:06:00 - INFO - ADW Build Iso starting",
        "2025-10-17 10:20:01 - INFO - Isolated implementation phase completed successfully",
        "2025-10-17 10:20:09 - INFO - Bye")  # fmt: skip
    at_once(agents)
    found = the_only(agents)
    assert found["status"] == "completed"
    assert found["status_reason"].startswith("adw_build_iso/execution.log says: ")
    assert found["completed_at"] == "2025-10-17T10:20:01+00:00"
    sync_workflow_history(silent=True, agents_dir=agents)
    assert waste().wasted == 0.0
    agents_by_name = {
        each["agent"]: each["outcome"] for each in database.load_workflow("a1b2c3d4")["phase_costs"]
    }
    assert agents_by_name[name] == "false_success"


def test_an_agent_that_did_nothing_is_fatal_where_nothing_later_worked(agents: Path) -> None:
    folder = run(agents, "a1", {})
    stream(folder, "planner", init("s1"), result(session="s1"), at=LONG_AGO)
    stream(folder, "builder", init("s2"), idle(session="s2"), at=LONG_AGO + timedelta(minutes=5))
    assert the_only(agents)["status"] == "failed"
    stream(folder, "builder_2", init("s3"), result(session="s3"), at=LONG_AGO + timedelta(minutes=9))
    assert the_only(agents)["status"] == "completed"


def test_a_run_of_nothing_but_a_set_up_that_did_nothing_failed(agents: Path) -> None:
    stream(run(agents, "a1"), "ops", init(), idle())
    assert the_only(agents)["status"] == "failed"


def test_an_empty_answer_without_tokens_did_nothing_whatever_a_fraction_of_a_cent_says(agents: Path) -> None:
    nothing = {
        "usage": usage(input=0, output=0),
        "modelUsage": {HAIKU: {"inputTokens": 0, "costUSD": 0.0002}},
    }
    stream(run(agents, "a1"), "auditor", init(), result(0.0002, result="", **nothing))
    (found,) = scan(agents, now()).runs
    assert (found.workflow["status"], "did nothing" in found.workflow["status_reason"]) == ("failed", True)


# --- runs whose agents ended well


def test_single_agent_successes_unknown(agents: Path) -> None:
    for number in range(9):
        stream(run(agents, f"b{number}"), "auditor", init(f"s{number}"), result(0.001, session=f"s{number}"))
    limit = result(0, session="s9", is_error=True, result="You've hit your limit", modelUsage={})
    stream(run(agents, "b9"), "auditor", init("s9"), limit)
    run(agents, "c0", {"issue_number": "1"})
    sync_workflow_history(silent=True, agents_dir=agents)
    found = {each["id"]: each for each in get_workflow_history()["workflows"]}
    assert found["b0"]["status"] == "completed"
    assert (
        found["b0"]["status_reason"]
        == "auditor, its only agent, ended with an answer (auditor/raw_output.jsonl)"
    )
    assert (found["b9"]["status"], found["b9"]["error_message"]) == ("failed", "You've hit your limit")
    assert found["c0"]["status"] == "unknown"


def test_a_rate_beside_unknown_runs_says_of_how_many_it_is_in_every_face(agents: Path) -> None:
    test_single_agent_successes_unknown(agents)
    told = get_history_analytics()
    assert (told["success_rate_percent"], told["success_rate_of"]) == (90.0, 10)
    total = run_statistics("project").total
    assert (total.runs, total.success_rate, total.success_rate_of) == (11, 0.9, 10)
    printed = CliRunner().invoke(app, ["stats", "--by", "project"], env={"COLUMNS": "140"}).output
    assert "success rate 90% (9 of 10 finished runs)" in printed
    assert "1 run neither completed nor failed" in printed
    assert "90% of 10" in printed.splitlines()[1]
    with client_of() as client:
        assert client.get("/api/v1/statistics?by=project").json()["total"]["success_rate_of"] == 10
        assert "of 10" in client.get("/trends").text


@pytest.mark.parametrize(
    ("agent", "why"), [("issue_classifier", "only prepared"), ("branch_generator", "only prepared")]
)
def test_a_run_that_only_prepared_its_work_is_not_completed(agents: Path, agent: str, why: str) -> None:
    stream(run(agents, "a1"), agent, init(), result())
    found = the_only(agents)
    assert (found["status"], why in found["status_reason"]) == ("unknown", True)


def test_a_run_is_not_completed_where_its_script_promises_more(agents: Path) -> None:
    folder = run(agents, "a1", {"all_adws": ["adw_plan_build_iso"]})
    stream(folder, "sdlc_planner", init(), result())
    found = the_only(agents)
    assert found["status"] == "unknown"
    assert "adw_plan_build_iso was to build" in found["status_reason"]
    stream(folder, "sdlc_implementor", init("s2"), result(session="s2"))
    assert the_only(agents)["status"] == "completed"


def test_a_run_is_not_completed_where_an_agent_was_given_a_prompt_and_left_no_stream(agents: Path) -> None:
    folder = run(agents, "a1")
    stream(folder, "planner", init(), result())
    prompt(folder, "builder", "Build it")
    assert the_only(agents)["status"] == "unknown"


# --- native transcripts


TRANSCRIPTS = {
    "an answer": ([native("assistant", text("All done."), "02")], "ended"),
    "an answer and the program's own lines": (
        [
            native("assistant", text("All done."), "02", stop="end_turn"),
            json.dumps({"type": "last-prompt", "lastPrompt": "x", "sessionId": "s1"}),
            native("user", "<command-name>/exit</command-name>", "03"),
            native("user", "Caveat: the messages below", "04", isMeta=True),
        ],
        "ended",
    ),
    "an answer of a subagent after that of the main thread": (
        [
            native("assistant", text("All done."), "02"),
            native("assistant", [tool_use("t1")], "03", isSidechain=True),
        ],
        "ended",
    ),
    "a tool call": ([native("assistant", [tool_use("t1")], "02", stop="tool_use")], "incomplete"),
    "a text before a tool call": (
        [native("assistant", text("I run it"), "02", stop="tool_use")],
        "incomplete",
    ),
    "a tool's result": (
        [
            native("assistant", [tool_use("t1")], "02"),
            native("user", [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}], "03"),
        ],
        "incomplete",
    ),
    "a refusal": ([native("assistant", text("I can't."), "02", stop="refusal")], "failed"),
    "a refusal without a word": ([native("assistant", [], "02", stop="refusal")], "failed"),
    "a refusal that another model answered": (
        [
            native("assistant", [], "02", stop="refusal"),
            native("assistant", text("All done."), "03", stop="end_turn"),
        ],
        "ended",
    ),
    **{
        f"an answer that stopped at {stop}": (
            [native("assistant", text("All d"), "02", stop=stop)],
            "incomplete",
        )
        for stop in ("max_tokens", "pause_turn", "model_context_window_exceeded")
    },
    "a prompt": ([native("assistant", text("ok"), "02"), native("user", "And now?", "03")], "incomplete"),
    "an interruption": (
        [native("user", text("[Request interrupted by user for tool use]"), "02")],
        "stopped",
    ),
    "an interruption as plain text": ([native("user", "[Request interrupted by user]", "02")], "stopped"),
    "an API error": (
        [native("assistant", text("API Error: 529 Overloaded"), "02", model="<synthetic>")],
        "failed",
    ),
    "a line that asks for no answer": (
        [
            native("assistant", text("All done."), "02"),
            native("assistant", text("No response requested."), "03", model="<synthetic>"),
        ],
        "ended",
    ),
}


@pytest.mark.parametrize("case", TRANSCRIPTS)
def test_transcript_cut_off_is_success(agents: Path, case: str) -> None:
    lines, status = TRANSCRIPTS[case]
    stream(run(agents, "n1"), "", native("user", "Write it", "01"), *lines, name="transcript.jsonl")
    at_once(agents)
    found = the_only(agents)
    assert found["status"] == status, found["status_reason"]
    errors = {
        "an API error": "API Error: 529 Overloaded",
        "a refusal": "the model refused to answer: I can't.",
        "a refusal without a word": "the model refused to answer",
    }
    assert found["error_message"] == errors.get(case)


def test_native_end_called_cut_off(agents: Path) -> None:
    lines, _ = TRANSCRIPTS["an answer"]
    stream(run(agents, "n1"), "", native("user", "Write it", "01"), *lines, name="transcript.jsonl")
    sync_workflow_history(silent=True, agents_dir=agents)
    found = database.load_workflow("n1")
    assert found["status_reason"] == "the session ended with an answer (transcript.jsonl)"
    assert waste().wasted == 0.0


def test_a_transcript_whose_last_line_is_half_written_is_cut_off(agents: Path) -> None:
    file = stream(
        run(agents, "n1"), "", native("user", "Write it", "01"), native("assistant", text("Done."), "02")
    )
    file.write_text(file.read_text() + '{"type": "assistant", "mess')
    at_once(agents)
    assert the_only(agents)["status"] == "incomplete"


@pytest.mark.parametrize("line_end", ["\n", ""])
@pytest.mark.parametrize(("is_whole", "status"), [(True, "ended"), (False, "incomplete")])
def test_a_last_line_of_a_fragment_and_an_answer_ends_a_transcript_if_the_answer_is_whole(
    agents: Path, line_end: str, is_whole: bool, status: str
) -> None:
    asked = native("user", "Write it", "01")
    fragment = native("assistant", text("Let me see."), "02")[:-30]
    answer = native("assistant", text("Done."), "03", stop="end_turn")
    parts = (fragment, answer) if is_whole else (answer, fragment)
    file = stream(run(agents, "n1"), "", asked)
    file.write_text(file.read_text() + "".join(parts) + line_end)
    at_once(agents)
    assert the_only(agents)["status"] == status


def test_a_stopped_run_is_stopped_in_every_face(agents: Path) -> None:
    lines, _ = TRANSCRIPTS["an interruption"]
    stream(run(agents, "n1"), "", native("user", "Write it", "01"), *lines, name="transcript.jsonl")
    sync_workflow_history(silent=True, agents_dir=agents)
    assert [found["id"] for found in find_runs(RunFilter(status=("stopped",))).workflows] == ["n1"]
    assert waste().wasted == 0.0
    assert get_history_analytics()["by_status"] == {"stopped": 1}
    printed = CliRunner().invoke(app, ["list", "--status", "stopped"], env={"COLUMNS": "160"}).output
    assert "■ stopped" in printed
    with client_of() as client:
        page = client.get("/runs/shop/n1").text
        assert "is-stopped" in page
        assert client.get("/api/v1/runs?status=stopped").json()["total"] == 1


# --- logs


def test_log_only_failure_left_out(agents: Path) -> None:
    log(run(agents, "f1"), "adw_plan_iso", "2025-10-17 18:54:12 - INFO - ADW Plan Iso starting",
        "2025-10-17 18:54:12 - ERROR - Error: Missing required environment variables:",
        "2025-10-17 18:54:12 - ERROR -   - CLAUDE_CODE_PATH")  # fmt: skip
    folder = run(agents, "f2")
    log(folder, "adw_plan_iso", "2025-10-17 18:55:12 - INFO - ADW Plan Iso starting",
        "2025-10-17 18:55:42 - ERROR - Error classifying issue: Invalid command selected: ")  # fmt: skip
    stream(folder, "issue_classifier", init(), idle())
    found = standing(agents)
    assert {name: each["status"] for name, each in found.items()} == {"f1": "failed", "f2": "failed"}
    message = "Error: Missing required environment variables:\nCLAUDE_CODE_PATH"
    assert found["f1"]["error_message"] == message
    assert found["f1"]["created_at"] == "2025-10-17T18:54:12+00:00"
    assert found["f2"]["error_message"] == "Error classifying issue: Invalid command selected:"


JSON_LOGS = {
    "message": '{"timestamp": "2025-10-17T18:54:12Z", "level": "error", "message": "No token"}',
    "msg": '{"time": 1760727252000, "level": 50, "msg": "No token", "pid": 7}',
    "error": '{"severity": "ERROR", "error": {"message": "No token", "code": 5}}',
    "event": '{"ts": "2025-10-17 18:54:12", "lvl": "crit", "levelname": "CRITICAL", "event": "No token"}',
}


@pytest.mark.parametrize("case", JSON_LOGS)
def test_an_error_in_a_log_of_json_lines_is_a_failed_run_and_its_message(agents: Path, case: str) -> None:
    began = '{"timestamp": "2025-10-17T18:54:10Z", "level": "info", "message": "Starting planning"}'
    log(run(agents, "r1"), "adw_plan_iso", began, JSON_LOGS[case])
    found = the_only(agents)
    assert (found["status"], found["error_message"]) == ("failed", "No token")
    assert str(found["created_at"]).startswith("2025-10-17T18:54:10")


@pytest.mark.parametrize("level", ["info", "warning", "debug", 30])
def test_a_log_of_json_lines_without_an_error_makes_no_run(agents: Path, level: Any) -> None:
    record = {"timestamp": "2025-10-17T18:54:12Z", "level": level, "message": "0 errors found"}
    log(run(agents, "r1"), "adw_plan_iso", json.dumps(record))
    assert standing(agents) == {}


def test_a_log_of_json_lines_completes_a_run(agents: Path) -> None:
    folder = run(agents, "r1")
    stream(folder, "planner", init(), result())
    record = {"timestamp": "2025-10-17T10:00:00Z", "level": "info", "message": "ADW workflow completed"}
    log(folder, "adw_plan_iso", json.dumps(record))
    found = the_only(agents)
    assert (found["status"], found["completed_at"]) == ("completed", "2025-10-17T10:00:00+00:00")


@pytest.mark.parametrize(
    "written",
    [
        '{"error":{"message":"log bad","code":5}}',
        '{\n  "error": {\n    "message": "log bad"\n  }\n}\n',
        '{"level":"info","message":"trying"}\n{"level":"error","message":"log bad"}\n',
        '{"message":"first"}\n{"message":"log bad"}\n',
        "ERROR:root:log bad\n",
    ],
)
def test_the_message_of_an_error_log_is_that_of_its_last_record(agents: Path, written: str) -> None:
    (run(agents, "r1") / "error.log").write_text(written)
    assert (the_only(agents)["status"], the_only(agents)["error_message"]) == ("failed", "log bad")


def test_an_error_log_alone_is_a_failed_run(agents: Path) -> None:
    (run(agents, "f1") / "error.log").write_text("2025-10-17 18:54:12 - ERROR - no plan\n")
    found = the_only(agents)
    assert (found["status"], found["error_message"]) == ("failed", "no plan")


def test_a_log_that_tells_of_no_error_makes_no_run(agents: Path) -> None:
    log(run(agents, "f1"), "adw_plan_iso", "2025-10-17 18:54:12 - INFO - started")
    found = scan(agents, now())
    assert (found.runs, [left.path for left in found.skipped]) == ([], ["f1"])


def test_an_error_after_which_the_run_went_on_well_is_not_fatal(agents: Path) -> None:
    folder = run(agents, "f1")
    stream(folder, "builder", init(), result())
    log(folder, "adw_build", "2025-10-17 10:00:00 - ERROR - push failed, trying again",
        *(f"2025-10-17 10:0{minute}:00 - INFO - step" for minute in range(1, 6)))  # fmt: skip
    found = the_only(agents)
    assert (found["status"], found["error_message"]) == ("completed", None)


@pytest.mark.parametrize("after", [1, 2, 3])
@pytest.mark.parametrize("level", ["INFO", "WARNING"])
def test_any_line_after_an_error_shows_that_the_run_went_on(agents: Path, level: str, after: int) -> None:
    folder = run(agents, "f1")
    stream(folder, "builder", init(), result())
    log(folder, "adw_build", "2025-10-17 10:00:00 - ERROR - push failed, trying again",
        *(f"2025-10-17 10:0{minute}:00 - {level} - step" for minute in range(1, after + 1)))  # fmt: skip
    found = the_only(agents)
    assert (found["status"], found["error_message"]) == ("completed", None)


@pytest.mark.parametrize("last", ["DEBUG - closed", "INFO - Exiting with code 1", "INFO - Aborted."])
def test_a_line_of_the_end_after_an_error_shows_no_work(agents: Path, last: str) -> None:
    folder = run(agents, "f1")
    stream(folder, "builder", init(), result())
    log(folder, "adw_build", "2025-10-17 10:00:00 - ERROR - no push", f"2025-10-17 10:00:01 - {last}")
    found = the_only(agents)
    assert (found["status"], found["error_message"]) == ("failed", "no push")


def test_an_error_at_the_end_of_a_log_comes_after_a_phase_that_it_completed(agents: Path) -> None:
    for name, line in (("f1", "Planning phase completed successfully"), ("f2", "ADW workflow completed")):
        folder = run(agents, name)
        stream(folder, "builder", init(name), result(session=name))
        log(folder, "adw_sdlc", f"2025-10-17 10:00:00 - INFO - {line}",
            "2025-10-17 10:05:00 - ERROR - Build failed")  # fmt: skip
    found = standing(agents)
    assert {name: each["status"] for name, each in found.items()} == {"f1": "failed", "f2": "completed"}


@pytest.mark.parametrize(
    "said",
    [
        "Workflow failed: no plan was made",
        "❌ ADW workflow failed",
        "[a1b2c3d4] Workflow did not complete successfully",
        "Build failed with exit code 2",
        "Isolated build phase failed: if it failed before, see its log",
        "SDLC workflow finished with exit code 3",
        "Workflow completed unsuccessfully",
        "Workflow status: FAILED",
        "Aborting",
        "Aborting: the plan's file is missing",
        "Exiting with code 1",
    ],
)
@pytest.mark.parametrize(
    "before", ["2025-10-17 10:01:00 - INFO - ", "2025-10-17 10:01:00 ", "[WARNING] ", ""]
)
def test_a_log_whose_last_words_are_that_the_workflow_failed_fails_its_run(
    agents: Path, before: str, said: str
) -> None:
    for name in ("f1", "f2"):
        start = before.replace("10:01", "10:00")
        log(run(agents, name), "adw_build", f"{start}Starting", f"{before}{said}")
    stream(agents / "f2", "builder", init(), result())
    reason = "adw_build/execution.log ends with an error"
    assert {
        name: (each["status"], each["status_reason"], each["error_message"])
        for name, each in standing(agents).items()
    } == dict.fromkeys(("f1", "f2"), ("failed", reason, said))


@pytest.mark.parametrize(
    "said",
    [
        "Build failed, retrying",
        "Build failed; fixed by a second attempt",
        "Tests: 12 passed, 0 failed",
        "Previous run failed",
        "Checking whether the build failed",
        "Aborted 3 stale worktrees",
        "Exiting with code 0",
        "Health check returned status 200",
        "Failed to read the cache, building it",
        "ERROR budget: 3",
    ],
)
def test_words_of_a_failure_that_is_not_the_workflows_own_fail_no_run(agents: Path, said: str) -> None:
    folder = run(agents, "f1")
    stream(folder, "builder", init(), result())
    for before in ("2025-10-17 10:01:00 - INFO - ", "2025-10-17 10:01:00 - WARNING - ", ""):
        log(folder, "adw_build", f"{before}Starting", f"{before}{said}")
        assert (the_only(agents)["status"], the_only(agents)["error_message"]) == ("completed", None)


@pytest.mark.parametrize(
    ("level", "after"),
    [("DEBUG", ()), ("INFO", ("2025-10-17 10:02:00 - INFO - Built again",)), ("SUCCESS", ())],
)
def test_words_of_a_failure_that_an_agent_said_or_that_are_not_the_last_fail_no_run(
    agents: Path, level: str, after: tuple[str, ...]
) -> None:
    log(run(agents, "f1"), "adw_build", f"2025-10-17 10:01:00 - {level} - Workflow failed", *after)
    found = scan(agents, now())
    assert (found.runs, [left.path for left in found.skipped]) == ([], ["f1"])


TRACEBACK = ("Traceback (most recent call last):", '  File "adw.py", line 3, in <module>', "ValueError: no x")


@pytest.mark.parametrize("before", ["2025-10-17 10:01:00 - INFO - Starting", "2025-10-17 10:01:00 Go", "Go"])
def test_a_traceback_at_the_end_of_a_log_is_the_error_it_ends_with(agents: Path, before: str) -> None:
    chained = ("During handling of the above exception, another exception occurred:", "")
    for name, lines in (("f1", TRACEBACK), ("f2", ("KeyError: 1", *chained, *TRACEBACK)), ("f3", TRACEBACK)):
        log(run(agents, name), "adw_build", before, *lines)
    stream(agents / "f3", "builder", init(), result())
    assert {
        name: (each["status"], each["error_message"]) for name, each in standing(agents).items()
    } == dict.fromkeys(("f1", "f2", "f3"), ("failed", "ValueError: no x"))


@pytest.mark.parametrize(
    "lines",
    [
        ("2025-10-17 10:01:00 - INFO - Starting", *TRACEBACK, "2025-10-17 10:02:00 - INFO - Trying again"),
        ("2025-10-17 10:01:00 - WARNING - no comment was made", *TRACEBACK),
        ("2025-10-17 10:01:00 - DEBUG - the agent's tests: ", *TRACEBACK),
        ("2025-10-17 10:01:00 - INFO - Starting", *TRACEBACK[:2], "KeyboardInterrupt"),
        (*TRACEBACK, "trying again"),
    ],
    ids=["went on", "warning", "debug", "interrupted", "went on, without levels"],
)
def test_a_traceback_that_ended_nothing_fails_no_run(agents: Path, lines: tuple[str, ...]) -> None:
    folder = run(agents, "f1")
    stream(folder, "builder", init(), result())
    log(folder, "adw_build", *lines)
    assert (the_only(agents)["status"], the_only(agents)["error_message"]) == ("completed", None)


def test_without_an_agent_an_error_that_its_log_survived_fails_a_run_that_is_over(agents: Path) -> None:
    folder = run(agents, "f1")
    log(
        folder,
        "adw_plan",
        "2025-10-17 10:00:00 - ERROR - no key",
        "2025-10-17 10:00:01 - INFO - Comment made",
    )
    found = the_only(agents)
    assert (found["status"], found["error_message"]) == ("failed", "no key")
    assert found["status_reason"] == "adw_plan/execution.log has an error, and no agent worked"
    minutes = [now() - timedelta(minutes=each) for each in (3, 2)]
    log(folder, "adw_plan", f"{minutes[0]:%Y-%m-%d %H:%M:%S} - ERROR - no key, asking for one",
        f"{minutes[1]:%Y-%m-%d %H:%M:%S} - INFO - Got a key")  # fmt: skip
    found = the_only(agents)
    assert (found["status"], found["status_reason"]) == (
        "running",
        "adw_plan/execution.log continues after an error",
    )


@pytest.mark.parametrize(
    "after", [(), ("Final state saved",), ("Starting test phase", "Running tests, attempt 2")]
)
def test_a_phase_that_is_completed_is_no_end_where_the_log_begins_the_next(
    agents: Path, after: tuple[str, ...]
) -> None:
    folder = run(agents, "n1")
    stream(folder, "builder", init("n1"), result(session="n1"))
    lines = ("Build phase completed successfully", *after)
    stamped = (f"2025-10-17 10:0{minute}:00 - INFO - {each}" for minute, each in enumerate(lines))
    log(folder, "adw_build", *stamped)
    found = the_only(agents)
    is_end = "Starting test phase" not in after
    assert found["status_reason"].startswith("adw_build/execution.log says: ") == is_end
    assert str(found["completed_at"]).startswith("2025-10-17T10:00:00") == is_end


@pytest.mark.parametrize(
    "text",
    [
        "Claude AI usage limit reached|1760000000",
        "5-hour limit reached ∙ resets 3pm",
        "Invalid API key · Please run /login",
        'API Error: 529 {"type":"error"}',
        "Credit balance is too low",
        "You've hit your session limit",
        "You\u2019ve hit your limit · resets 3pm",
        "You've reached your Opus weekly limit",
        "You're out of extra usage · resets 5pm",
        "API usage quota exceeded",
        "Not logged in · Please run /login",
    ],
)
def test_a_refusal_of_the_service_is_an_error_though_the_result_calls_it_none(
    agents: Path, text: str
) -> None:
    nothing = {"result": text, "usage": usage(input=0, output=0), "modelUsage": {}}
    stream(run(agents, "r1"), "planner", init(), result(0, **nothing))
    assert (the_only(agents)["status"], the_only(agents)["error_message"]) == ("failed", text)


def test_a_limit_that_only_a_synthetic_message_reports_is_no_success(agents: Path) -> None:
    text, zeros = "You've hit your limit", usage(input=0, output=0, read=0, write=0)
    said = assistant("m1", model="<synthetic>", content=[{"type": "text", "text": text}], usage=zeros)
    ended = result(0, result=text, usage=zeros, modelUsage={}, duration_ms=5)
    stream(run(agents, "r1"), "builder", init(), said, ended)
    assert (the_only(agents)["status"], the_only(agents)["error_message"]) == ("failed", text)


def test_an_answer_about_a_limit_is_a_success(agents: Path) -> None:
    stream(run(agents, "r1"), "builder", init(), result(0.25, result="Rate limit reached now answers 429"))
    assert the_only(agents)["status"] == "completed"


@pytest.mark.parametrize("is_error", [True, False])
@pytest.mark.parametrize(
    ("subtype", "message"),
    [
        ("error_max_turns", "the maximum number of turns was reached"),
        ("error_max_budget_usd", "the maximum budget was reached"),
        ("error_during_execution", "an error occurred during execution"),
        ("error_max_patience", "max patience"),
    ],
)
def test_a_result_without_a_text_is_explained_by_its_subtype(
    agents: Path, subtype: str, message: str, is_error: bool
) -> None:
    ended = json.loads(result(subtype=subtype, is_error=is_error))
    del ended["result"]
    stream(run(agents, "r1"), "builder", init(), json.dumps(ended))
    found = the_only(agents)
    assert (found["status"], found["error_message"]) == ("failed", message)
    assert found["status_reason"] == f"builder ended with an error: {message} (builder/raw_output.jsonl)"


@pytest.mark.parametrize("message", ["Quota exceeded", {"error": {"message": "Quota exceeded"}}])
@pytest.mark.parametrize("has_result", [True, False])
def test_an_error_event_of_gemini_is_the_runs_error(agents: Path, message: Any, has_result: bool) -> None:
    lines = [
        {"type": "init", "session_id": "g", "model": "gemini-2.5-pro"},
        {"type": "error", "severity": "error", "message": message},
        {"type": "result", "status": "error", "stats": {"total_tokens": 0}},
    ]
    stream(run(agents, "r1"), "builder", *map(json.dumps, lines[: 3 if has_result else 2]))
    assert (the_only(agents)["status"], the_only(agents)["error_message"]) == ("failed", "Quota exceeded")


def test_an_error_event_after_which_gemini_went_on_is_not_fatal(agents: Path) -> None:
    lines = [
        {"type": "init", "session_id": "g", "model": "gemini-2.5-pro"},
        {"type": "error", "severity": "error", "message": "Retrying"},
        {"type": "message", "role": "assistant", "content": "Done"},
        {"type": "error", "severity": "warning", "message": "Loop detected"},
        {"type": "result", "status": "success", "stats": {"input_tokens": 9, "output_tokens": 1}},
    ]
    stream(run(agents, "r1"), "builder", *map(json.dumps, lines))
    assert (the_only(agents)["status"], the_only(agents)["error_message"]) == ("completed", None)


@pytest.mark.parametrize("word", ["crashed", "killed", "timeout", "timed out", "Timed-Out"])
def test_a_states_word_for_a_failure_counts_as_one(agents: Path, word: str) -> None:
    run(agents, "w1", {"status": word})
    assert the_only(agents)["status"] == "failed"


@pytest.mark.parametrize("place", ["", "wave_1/adw_build/"])
def test_a_reason_names_a_log_by_its_path_in_the_run(agents: Path, place: str) -> None:
    folder = run(agents, "f1", {})
    stream(folder, "builder", init(), result())
    log(folder, place, "2025-10-17 10:05:00 - ERROR - Cannot push")
    assert the_only(agents)["status_reason"] == f"{place}execution.log ends with an error"
    (folder / place / "execution.log").write_bytes(
        b"2025-10-17 10:04:00 - INFO - a\r2025-10-17 10:05:00 - INFO - ADW workflow completed\r"
    )
    assert the_only(agents)["status_reason"].startswith(f"{place}execution.log says: ")


def test_a_log_that_ends_with_an_error_fails_a_run_whose_agents_ended_well(agents: Path) -> None:
    folder = run(agents, "f1")
    stream(folder, "builder", init(), result())
    log(folder, "adw_build", "2025-10-17 10:00:00 - INFO - Starting",
        "2025-10-17 10:05:00 - ERROR - Cannot push", "Traceback (most recent call last):", '  File "x.py"',
        "OSError: no route")  # fmt: skip
    found = the_only(agents)
    assert (found["status"], found["error_message"]) == ("failed", "Cannot push\nOSError: no route")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[2025-01-01 10:00:00] ERROR: x y", "x y"),
        ("2025-01-01 10:00:00,123 ERROR mod: bad", "mod: bad"),
        ("2025-01-01 10:00:00 - adw.plan - CRITICAL - nope", "nope"),
        ("ERROR handling improved in this release", None),
        ("2025-01-01 10:00:00 - INFO - 0 ERROR lines", None),
        ("2025-01-01 10:00:00 - WARNING - ERROR budget: 3", None),
        ("2025-01-01 10:00:00 - adw.plan - WARNING - ERROR budget: 3", None),
        ("2025-01-01 10:00:00,123 | INFO | ERROR - as expected", None),
        ("[WARNING] ERROR: budget", None),
        ("2025/01/01 10:00:00 - ERROR - as expected", "as expected"),
        ("2025-01-01 10:00:00" + "-" * 20_000, None),
        ("ERROR:root:boom", "boom"),
        ("CRITICAL:adw.plan:boom: 2 files", "boom: 2 files"),
        ("2026-01-01 10:00:00,123:ERROR:adw_plan:boom", "boom"),
        ("ERROR:ValueError:boom", "ValueError:boom"),
        ("ERROR:plan.py:12: boom", "plan.py:12: boom"),
        ("ERROR:http://host/x refused", "http://host/x refused"),
    ],
)
def test_the_message_of_an_error_is_read_off_any_usual_line_of_a_log(line: str, message: str | None) -> None:
    assert last_error(line) == message


def test_a_log_of_errors_alone_is_read_in_time_proportionate_to_its_length() -> None:
    log = "2026-01-01 10:00:01 - ERROR - No plan\n" * 220_000  # the most that a log is read of
    started = time.process_time()
    found = last_error(log)
    assert found is not None
    assert found.startswith("No plan")
    assert time.process_time() - started < BUSY


# --- a state's own word


@pytest.mark.parametrize(
    ("said", "status", "named"),
    [
        (" done\u200b\n", "completed", "'done'"),
        ("fai\u00adled\x00", "failed", "'failed'"),
        ("on\thold \u202e", "on hold", "'on hold'"),
        ("x" * 5000, "x" * 100, "(5,000 characters)"),
        ("\u200b\x1b", "completed", "''"),
        (7, "completed", "status is not text: 7"),
        (["failed"], "completed", "status is not text: '[`failed`]'"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_status_is_stored_as_it_is_read_and_what_it_hid_is_named(
    agents: Path, said: Any, status: str, named: str
) -> None:
    stream(run(agents, "c1", {"status": said}), "builder", init(), result())
    sync_workflow_history(silent=True, agents_dir=agents)
    found = database.load_workflow("c1")
    assert found["status"] == status
    assert len(found["status_reason"]) < 200
    (problem,) = found["problems"]
    assert (problem["path"], problem["severity"]) == ("c1/adw_state.json", "warning")
    assert "status" in problem["reason"]
    assert named in problem["reason"]


@pytest.mark.parametrize(
    ("state", "named"),
    [
        ('{"created_at": NaN}', "created_at is nan, no number: it is unknown"),
        ('{"deep": [{"a": -Infinity}]}', "deep[0].a is -inf, no number: it is unknown"),
        ('{"nl_input": ["Add a logo"]}', "nl_input is not text: '[`Add a logo`]'"),
        ('{"task_description": 5}', "task_description is not text: 5"),
        ('{"nl_input": "\\u200b \\u2060"}', "nl_input shows nothing"),
        ('{"duration_seconds": -5}', "duration_seconds is not a duration: -5"),
        ('{"duration_seconds": "12"}', "duration_seconds is not a duration: '12'"),
        ('{"branch_name": {"a": 1}}', "branch_name is not text: '{`a`: 1}'"),
        ('{"model_used": "op\\u200bus"}', "model_used is read as 'opus'"),
    ],
)
def test_a_value_that_is_not_taken_as_a_state_says_it_is_named(agents: Path, state: str, named: str) -> None:
    (run(agents, "c1") / "adw_state.json").write_text(state)
    (one,) = scan(agents, now()).runs
    (problem,) = one.problems
    assert (problem.path, problem.severity) == ("c1/adw_state.json", "warning")
    assert problem.reason.startswith(named)
    assert one.workflow["nl_input"] is None


def test_a_request_that_is_cut_is_named(agents: Path) -> None:
    run(agents, "c1", {"nl_input": "x" * 200_001})
    (one,) = scan(agents, now()).runs
    assert len(one.workflow["nl_input"]) == 200_000
    assert [each.reason for each in one.problems] == [
        "nl_input has 200,001 characters: the first 200,000 are taken"
    ]


@pytest.mark.parametrize("error", [{"message": "boom"}, ["boom"], " boom "], ids=str)
def test_an_error_of_any_shape_in_a_state_is_told(agents: Path, error: Any) -> None:
    run(agents, "c1", {"status": "failed", "error": error})
    assert the_only(agents)["error_message"] == "boom"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        *((word, "completed") for word in ("approved", "Merged", "shipped", "done", "deployed", "released")),
        *((word, "failed") for word in ("rejected", "fail", "unsuccessful")),
        *((word, "incomplete") for word in ("planning", "in progress", "Reviewing")),
        *((word, word) for word in ("planned", "in review", "paused", "ready-for-review", "queued")),
    ],
)
def test_a_states_usual_words_are_understood_without_a_word(agents: Path, said: str, status: str) -> None:
    run(agents, "c1", {"status": said})
    at_once(agents)
    (one,) = scan(agents, now()).runs
    assert (one.workflow["status"], one.problems) == (status, ())


def test_a_status_that_nobody_knows_stays_as_it_is_and_is_named_once(agents: Path) -> None:
    stream(run(agents, "c1", {"status": "gone fishing", "current_phase": "x"}), "builder", init(), result())
    sync_workflow_history(silent=True, agents_dir=agents)
    sync_workflow_history(silent=True, agents_dir=agents)
    found = database.load_workflow("c1")
    assert found["status"] == "gone fishing"
    assert [each["reason"] for each in found["problems"]] == [
        "status is not a known word: 'gone fishing'; the run counts as neither completed nor failed"
    ]
    assert run_statistics("status").total.success_rate is None


UNKNOWN_WORDS = ("null", "None", " none\n", "pending", "N/A", "undefined", "NaN", "unknown", "tbd", "-")


@pytest.mark.parametrize("said", UNKNOWN_WORDS)
def test_a_word_for_an_unknown_value_is_none_and_is_not_complained_of(agents: Path, said: str) -> None:
    fields = (
        "status", "nl_input", "task_description", "created_at", "started_at", "completed_at",
        "duration_seconds", "issue_number", "issue_class", "workflow_template", "model_used", "branch_name",
        "plan_file", "current_phase", "error_message", "error",
    )  # fmt: skip
    phases = [
        {"phase": "plan", "success": True, "started_at": said, "completed_at": said, "output_file": said}
    ]
    state = {**dict.fromkeys(fields, said), "phase_results": phases, "own_key": said}
    stream(run(agents, "c1", state), "planner", init(), result())
    (one,) = scan(agents, now()).runs
    found = one.workflow
    assert one.problems == ()
    assert (found["status"], found["status_reason"]) == (
        "completed",
        "planner, its only agent, ended with an answer (planner/raw_output.jsonl)",
    )
    unknown = ("nl_input", "issue_number", "issue_class", "branch_name", "plan_file", "error_message")
    assert [found[name] for name in unknown] == [None] * len(unknown)
    assert said not in (found["workflow_template"], found["model_used"], found["current_phase"])
    assert found["own_key"] == said, "what is not ours is kept as it is"


@pytest.mark.parametrize("said", UNKNOWN_WORDS)
def test_an_unknown_end_completes_nothing(agents: Path, said: str) -> None:
    run(agents, "c1", {"completed_at": said, "status": said})
    assert (the_only(agents)["status"], the_only(agents)["completed_at"]) == ("unknown", None)


def test_a_summary_says_unknown_in_the_same_words(agents: Path) -> None:
    folder = run(agents, "c1")
    (folder / "workflow_summary.json").write_text(json.dumps({"prompt": "None", "branch_name": "null"}))
    assert (the_only(agents)["nl_input"], the_only(agents)["branch_name"]) == (None, None)


def test_usual_states_are_taken_without_a_word(agents: Path) -> None:
    run(
        agents,
        "c1",
        {"status": " On hold ", "issue_number": 7, "branch_name": None, "nl_input": "Tüv\n\u200d"},
    )
    (one,) = scan(agents, now()).runs
    assert (one.problems, one.workflow["status"], one.workflow["issue_number"]) == ((), "On hold", "7")


# --- running


def unfinished(folder: Path, *, at: datetime | None = None, agent: str = "builder") -> Path:
    return stream(folder, agent, init(), assistant("m1"), at=at)


def test_fresh_clone_a_cut_off_stream_is_incomplete(agents: Path) -> None:
    unfinished(run(agents, "c1", {"adw_id": "c1"}))
    unfinished(run(agents, "c2"))
    run(agents, "c3", {"status": "running"})
    at_once(agents)
    assert {each["status"] for each in standing(agents).values()} == {"incomplete"}


def test_a_file_that_is_younger_than_its_fellows_shows_that_somebody_writes(agents: Path) -> None:
    folder = run(agents, "c1", {"adw_id": "c1"})
    at_once(folder, now() - timedelta(minutes=3))
    unfinished(folder, at=now())
    found = the_only(agents)
    assert (found["status"], found["status_reason"]) == (
        "running",
        "builder has no result yet (builder/raw_output.jsonl)",
    )


def test_a_state_that_began_just_now_shows_that_somebody_writes(agents: Path) -> None:
    unfinished(run(agents, "c1", {"adw_id": "c1", "created_at": now().isoformat()}))
    at_once(agents)
    assert the_only(agents)["status"] == "running"


def test_a_run_that_began_just_now_is_running_beside_another_written_at_once(agents: Path) -> None:
    stream(run(agents, "c1", {"adw_id": "c1"}), "planner", init("c1"), result(session="c1"))
    unfinished(run(agents, "c2", {"adw_id": "c2", "status": "running", "created_at": now().isoformat()}))
    at_once(agents)
    assert {run_id: each["status"] for run_id, each in standing(agents).items()} == {
        "c1": "completed",
        "c2": "running",
    }


def test_two_looks_that_differ_show_that_somebody_writes(agents: Path) -> None:
    file = unfinished(run(agents, "c1"))
    at_once(agents, now() - timedelta(seconds=3))
    sync_workflow_history(silent=True, agents_dir=agents)
    assert database.load_workflow("c1")["status"] == "incomplete"
    file.write_text(file.read_text() + assistant("m2") + "\n")
    sync_workflow_history(silent=True, agents_dir=agents)
    assert database.load_workflow("c1")["status"] == "running"


@pytest.mark.parametrize("minutes", [0, 11, 90])
def test_a_file_that_was_only_touched_is_no_evidence_of_writing(agents: Path, minutes: int) -> None:
    for name in ("a1", "a2", "a3"):
        stream(run(agents, name), "builder", init(name), result(session=name))
    file = stream(run(agents, "b1"), "builder", init("b1"), assistant("m1"))
    at_once(agents, now() - timedelta(minutes=minutes, seconds=20))
    sync_workflow_history(silent=True, agents_dir=agents)
    first = stored_run("b1")
    os.utime(file)
    sync_workflow_history(silent=True, agents_dir=agents)
    second = stored_run("b1")
    names = ("status", "created_at", "completed_at", "times_source", "duration_seconds", "status_reason")
    assert [second[name] for name in names] == [first[name] for name in names]
    assert (second["status"], second["created_at"]) == ("incomplete", None)


def test_a_state_that_is_written_again_with_as_many_characters_shows_that_somebody_writes(
    agents: Path,
) -> None:
    folder = run(agents, "a1", {"adw_id": "a1", "current_phase": "plan"})
    stream(folder, "planner", init(), result(duration_ms=1000))
    stream(folder, "builder", init("s2"), assistant("m1"))
    at_once(agents, now() - timedelta(seconds=20))
    sync_workflow_history(silent=True, agents_dir=agents)
    run(agents, "a1", {"adw_id": "a1", "current_phase": "test"})
    sync_workflow_history(silent=True, agents_dir=agents)
    assert stored_run("a1")["status"] == "running"


def stored_run(run_id: str) -> dict[str, Any]:
    found = get_workflow_by_id(run_id)
    assert found is not None
    return found


def test_a_second_clone_in_the_place_of_the_first_is_not_running(agents: Path) -> None:
    unfinished(run(agents, "c1", {"adw_id": "c1"}))
    at_once(agents, now() - timedelta(minutes=5))
    sync_workflow_history(silent=True, agents_dir=agents)
    at_once(agents)
    sync_workflow_history(silent=True, agents_dir=agents)
    assert database.load_workflow("c1")["status"] == "incomplete"


@pytest.fixture
def at_work(agents: Path, history_url: URL, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sync a run that is at work, into a history on each engine."""
    monkeypatch.setattr(database, "DB_PATH", history_url)
    folder = run(agents, "w1", {"adw_id": "w1", "created_at": (now() - timedelta(minutes=9)).isoformat()})
    at_once(folder, now() - timedelta(minutes=9))
    unfinished(folder)
    stream(run(agents, "x1"), "auditor", init("s2"), result(session="s2"))
    sync_workflow_history(silent=True, agents_dir=agents)
    return agents


def silent_since(minutes: float) -> None:
    """Have all running runs last written so long ago, as if nobody had synced since."""
    written = time.time_ns() - int(minutes * 60e9)
    with History.open(database.current_url()) as history, history._writing() as connection:
        connection.execute(update(workflows).values(last_written_ns=written))


def faces() -> dict[str, Any]:
    """Return how many runs each face says are running and how many incomplete."""
    words = ("running", "incomplete")

    def told(by_status: dict[Any, int]) -> tuple[int, ...]:
        return tuple(by_status.get(word, 0) for word in words)

    with client_of() as client:
        rest = tuple(client.get(f"/api/v1/runs?status={word}").json()["total"] for word in words)
        shown = client.get("/runs/shop/w1").text
        page = tuple(int(f"status is-{word}" in shown) for word in words)
        groups = client.get("/api/v1/statistics?by=status").json()["groups"]
    written = BytesIO()
    export("runs", written, columns=["id", "status"], format="csv")
    csv = written.getvalue().decode()
    listed = json.loads(CliRunner().invoke(app, ["--json", "list"]).output)["workflows"]
    every = [each["status"] for each in listed]
    return {
        "list": told({word: every.count(word) for word in words}),
        "show": told({database.load_workflow("w1")["status"]: 1}),
        "filter": tuple(len(find_runs(RunFilter(status=(word,))).workflows) for word in words),
        "contract": told(get_history_analytics()["by_status"]),
        "statistics": told({each.name: each.runs for each in run_statistics("status").groups}),
        "rest": rest,
        "page": page,
        "rest statistics": told({each["name"]: each["runs"] for each in groups}),
        "export": tuple(csv.count(word) for word in words),
        "in progress": (running_runs(now()).total, 1 - running_runs(now()).total),
    }


def test_running_ends_by_itself_in_every_face(at_work: Path) -> None:
    assert set(faces().values()) == {(1, 0)}
    silent_since(31)
    assert set(faces().values()) == {(0, 1)}
    assert "nothing was written for long" in database.load_workflow("w1")["status_reason"]
    both = RunFilter(status=("running", "incomplete"))
    assert len(find_runs(both).workflows) == 1


def test_an_incomplete_run_has_no_end_in_any_face(agents: Path) -> None:
    at = {"created_at": "2026-02-01T10:00:00Z", "end_time": "2026-02-01T10:09:00Z"}
    stream(run(agents, "i1"), "planner", init("i1"), result(session="i1"), at=LONG_AGO)
    stream(agents / "i1", "builder", init("i2"), at=LONG_AGO + timedelta(hours=1))
    stream(run(agents, "i2", {"adw_id": "i2", **at}), "builder", init("i3"), at=LONG_AGO)
    os.utime(agents / "i2" / "adw_state.json", (LONG_AGO.timestamp(), LONG_AGO.timestamp()))
    use = [tool_use("t1", command="make")]
    transcript = [native("user", "Add a logo", "00"), native("assistant", use, "05", stop="tool_use")]
    stream(run(agents, "i3"), "", *transcript, name="session.jsonl", at=LONG_AGO)
    sync_workflow_history(silent=True, agents_dir=agents)
    with History.open(database.current_url()) as history, history._writing() as connection:
        connection.execute(update(workflows).values(completed_at="2026-02-01T10:09:00.000000Z"))
        connection.execute(update(workflows).values(fingerprint=None))  # as an earlier version left them
    sync_workflow_history(silent=True, agents_dir=agents)
    written = BytesIO()
    export("runs", written, columns=["status", "completed_at"], format="csv")
    assert written.getvalue().decode().split() == ["status,completed_at", *["incomplete,"] * 3]
    shown = {name: database.load_workflow(name) for name in ("i1", "i2", "i3")}
    assert {each["completed_at"] for each in shown.values()} == {None}
    assert {each["completed_at"] for each in get_workflow_history()["workflows"]} == {None}
    assert {each["completed_at"] for each in standing(agents).values()} == {None}
    with client_of() as client:
        assert {each["completed_at"] for each in client.get("/api/v1/runs").json()["workflows"]} == {None}
    told = CliRunner().invoke(app, ["explain", "i1", "completed_at"]).output
    assert "the status is incomplete: no end is known" in told


def test_a_run_that_fell_silent_is_checked_and_synced_as_any_other(at_work: Path) -> None:
    silent_since(31)
    with History.open(database.current_url()) as history:
        assert history.check() == []
    at_once(at_work, now() - timedelta(minutes=31))
    sync_workflow_history(silent=True, agents_dir=at_work)
    reason = "builder ended without a result (builder/raw_output.jsonl)"
    found = database.load_workflow("w1")
    assert (found["status"], found["status_reason"]) == ("incomplete", reason)


def test_a_run_in_progress_has_one_length_in_every_face(at_work: Path) -> None:
    length = database.load_workflow("w1")["duration_seconds"]
    assert 500 < length < 600
    (listed,) = find_runs(RunFilter(status=("running",))).workflows
    progress = run_progress("w1")
    assert progress.flight is not None
    assert {listed["duration_seconds"], progress.elapsed_seconds, progress.flight.elapsed_seconds} == {length}
    with client_of() as client:
        (running,) = client.get("/api/v1/running").json()["runs"]
    assert running["elapsed_seconds"] == length


# --- what follows from it


def test_forecast_refuses_undated_runs() -> None:
    for number in range(12):
        database.insert_workflow({
            "id": f"e{number}", "nl_input": "Add a logo to the header", "workflow_template": "adw_plan",
            "status": "completed", "total_cost": 1.0, "cost_basis": "reported", "duration_seconds": 60.0,
        })  # fmt: skip
    told = forecast("Add a logo to the footer", "adw_plan")
    assert told.cost.median == 1.0
    assert "12 stored runs without a date count as the oldest" in told.weak
    before = forecast("Add a logo to the footer", "adw_plan", before=now())
    assert (before.cost.median, before.cost.reason) == (None, "no stored run has a date")


def test_a_run_that_did_nothing_scores_no_performance() -> None:
    idle_run = {"status": "failed", "duration_seconds": 0.25, "phase_costs": [{"outcome": "false_success"}]}
    assert calculate_workflow_scores(idle_run)["performance_score"] is None


def test_one_look_around_is_not_worth_a_script() -> None:
    def pattern(kind: str, signature: str) -> PatternTotals:
        fields = dict.fromkeys(PatternTotals.__dataclass_fields__, 0)
        return PatternTotals(**{**fields, "kind": kind, "signature": signature})

    assert not any(is_automatable(pattern("operation", name)) for name in ("find", "ls", "grep"))
    assert is_automatable(pattern("operation", "pytest"))
    assert is_automatable(pattern("sequence", "grep → pytest"))


def test_a_cut_off_record_in_a_run_that_ended_well_is_no_waste(agents: Path) -> None:
    folder = run(agents, "a1", {"completed_at": "2026-02-01T10:30:00Z"})
    stream(folder, "builder", init("s1"), result(session="s1"), at=LONG_AGO)
    stream(
        folder,
        "builder_committer",
        init("s2"),
        assistant("m1", usage(input=9_000), session="s2"),
        at=LONG_AGO,
    )
    stream(folder, "tester", init("s3"), tool_result("t0", session="s3"), result(session="s3"), at=LONG_AGO)
    sync_workflow_history(silent=True, agents_dir=agents)
    assert waste().wasted == 0.0


def test_a_long_name_of_a_tool_breaks_between_its_parts() -> None:
    name = Text("mcp__playwright__browser_take_screenshot")
    column = Column("name", "tool", (name,), flexible=True, wraps=True)
    console = Console(width=24, file=StringIO())
    console.print(build_table([column], 24))
    assert console.file.getvalue().split() == ["Tool", "mcp__playwright__", "browser_take_screenshot"]


def test_warnings_of_one_kind_take_one_line_and_errors_one_each() -> None:
    def warned(agent: str) -> dict[str, Any]:
        reason = f"{agent} has this prompt but no transcript: its cost is unknown"
        return {"path": f"a1/{agent}/prompts/x.txt", "reason": reason, "severity": "warning"}

    bad = [
        {"path": f"a{number}/x.jsonl", "reason": "unreadable line", "severity": "error"} for number in (1, 2)
    ]
    console = Console(width=200, file=StringIO())
    console.print(*render_problems([*map(warned, ("planner", "builder", "tester")), *bad], 200), sep="\n")
    said = console.file.getvalue()
    assert said.count("unreadable line") == 2
    assert said.count("has this prompt") == 1
    assert "(and 2 more like it: --verbose)" in said
