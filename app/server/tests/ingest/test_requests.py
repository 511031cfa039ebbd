"""The request of a run: summaries, prompts, issues, first messages."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.server.core.workflow_history.common.models import Workflow
from app.server.core.workflow_history.ingest.runs import issues
from app.server.core.workflow_history.ingest.sources.scan import scan
from app.server.tests.support.build import assistant, init, line, prompt, result, run, stream

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ASK = "Show a table of prices with a search box"
PLAN = "specs/chore-0a0b0c0d-price-table.md"


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "agents"
    folder.mkdir(parents=True)
    return folder


def only(agents: Path) -> Workflow:
    (found,) = scan(agents, NOW).runs
    return found.workflow


def asks(agents: Path) -> tuple[str | None, str | None]:
    found = only(agents)
    return found["nl_input"], found["nl_input_source"]


def summary(folder: Path, **fields: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = (
        "workflow_summary.json"
        if "workflow" in fields or "prompt" in fields
        else "custom_summary_output.json"
    )
    (folder / name).write_text(json.dumps(fields))


class TestSummaries:
    def test_request_is_the_plan_path(self, agents: Path) -> None:
        folder = run(agents, "0a0b0c0d")
        for agent in ("planner", "builder"):
            stream(folder, agent, init(agent), result(session=agent))
        summary(folder, workflow="chore_implement", prompt=ASK, plan_path=PLAN, overall_success=True)
        summary(folder / "planner", slash_command="/chore", args=["0a0b0c0d", ASK])
        summary(folder / "builder", slash_command="/implement", args=[PLAN])
        found = only(agents)
        assert (found["nl_input"], found["nl_input_source"]) == (ASK, "workflow_summary.json: prompt")
        assert (found["workflow_template"], found["issue_class"], found["plan_file"]) == (
            "chore_implement",
            "/chore",
            PLAN,
        )

    def test_that_only_have_arguments_give_the_words_among_them(self, agents: Path) -> None:
        folder = run(agents, "0a0b0c0d")
        summary(folder / "builder", slash_command="/implement", args=[PLAN])
        summary(folder / "planner", slash_command="/bug", args=["0a0b0c0d", ASK])
        found = only(agents)
        assert (found["nl_input"], found["plan_file"], found["issue_class"]) == (ASK, PLAN, "/bug")

    @pytest.mark.parametrize(
        "path",
        [PLAN, "./specs/plan", "/home/me/plan.txt", "@specs/a.md", "plan.md", "a/b.md c/d.md", "~/plan.md"],
    )
    def test_a_path_is_no_request_wherever_it_stands(self, agents: Path, path: str) -> None:
        folder = run(agents, "a1", {"prompt": path})
        summary(folder, workflow="x", prompt=path)
        summary(folder / "builder", slash_command="/implement", args=[path])
        prompt(folder, "builder", f"/implement {path}")
        prompt(folder, "planner", f"/plan {path}")
        assert only(agents)["nl_input"] in (None, "price table")

    @pytest.mark.parametrize(
        "arguments",
        [
            '"./specs/my plan a0000011.md"',
            "'specs/my plan.md'",
            "file:///srv/specs/plan.md",
            r"C:\Users\me\specs\plan.md",
            "--plan=specs/plan.md",
            "--plan specs/plan.md",
            "--verbose",
            "specs/plan.md --verbose",
            "--model=opus --dry-run specs/plan.md -v",
            "specs/plan.md --model opus",
            "a0000005 specs/plan.md reviewer",
            "a0000005 reviewer",
            "V06 specs/plan.md",
            "V06",
        ],
    )
    @pytest.mark.parametrize("command", ["implement", "review"])
    def test_an_argument_is_no_request(self, agents: Path, arguments: str, command: str) -> None:
        folder = run(agents, "V06", {"adw_id": "V06"})
        prompt(folder, "builder", f"/{command} {arguments}")
        summary(folder / "builder", slash_command=f"/{command}", args=[arguments])
        assert only(agents)["nl_input"] is None

    @pytest.mark.parametrize(
        "typed",
        [
            "7 fix-login Make it red",
            "#7 fix-login specs/plan.md Make it red",
            "--dry-run --model=opus Make it red",
            '"specs/my plan.md" Make it red',
        ],
    )
    def test_arguments_before_a_request_are_left_out(self, agents: Path, typed: str) -> None:
        folder = run(agents, "fix-login", {})
        prompt(folder, "planner", f"/feature {typed}")
        assert only(agents)["nl_input"] == "Make it red"

    @pytest.mark.parametrize(
        "text",
        [
            "--verbose is ignored by the list command",
            "./run.sh fails on README.md",
            "Document specs/plan.md",
            "Fix",
            "login must work without a password",
        ],
    )
    def test_a_request_that_looks_like_an_argument_is_kept_whole(self, agents: Path, text: str) -> None:
        prompt(run(agents, "login", {}), "planner", f"/feature {text}")
        assert only(agents)["nl_input"] == text

    def test_an_argument_that_is_a_path_with_blanks_is_no_request(self, agents: Path) -> None:
        folder = run(agents, "a1")
        summary(folder / "builder", slash_command="/implement", args=["./specs/my plan.md"])
        assert only(agents)["nl_input"] is None

    def test_a_request_that_names_a_file_is_one(self, agents: Path) -> None:
        summary(run(agents, "a1"), workflow="x", prompt="Update docs/README.md")
        assert only(agents)["nl_input"] == "Update docs/README.md"


TRACKERS = {
    "github": {"number": 7, "title": "Add x", "body": "So that y"},
    "gitlab": {"id": 90001, "iid": 7, "title": "Add x", "description": "So that y"},
    "gitlab hook": {"object_attributes": {"iid": 7, "title": "Add x", "description": "So that y"}},
    "jira": {"id": "10", "key": "7", "fields": {"summary": "Add x", "description": "So that y"}},
    "jira document": {
        "key": "7",
        "fields": {
            "summary": "Add x",
            "description": {
                "type": "doc",
                "content": [{"type": "paragraph", "content": [{"type": "text", "text": "So that y"}]}],
            },
        },
    },
    "linear": {"data": {"issue": {"identifier": "7", "title": "Add x", "description": "So that y"}}},
    "azure": {"id": 7, "fields": {"System.Title": "Add x", "System.Description": "So that y"}},
    "bitbucket": {"id": 7, "title": "Add x", "content": {"raw": "So that y"}},
    "youtrack": {"idReadable": "7", "summary": "Add x", "description": "So that y"},
    "redmine": {"issue": {"id": 7, "subject": "Add x", "description": "So that y"}},
    "shortcut": {"id": 7, "name": "Add x", "description": "So that y"},
    "asana": {"gid": "7", "name": "Add x", "notes": "So that y"},
    "own": {"id": 7, "title": "Add x", "description": "So that y"},
}  # fmt: skip


class TestIssues:
    @pytest.mark.parametrize("tracker", TRACKERS)
    @pytest.mark.parametrize("agent", ["issue_classifier", "sdlc_planner"])
    def test_of_any_tracker_give_the_request_and_the_number(
        self, agents: Path, tracker: str, agent: str
    ) -> None:
        prompt(run(agents, "a1"), agent, f"/classify_issue {json.dumps(TRACKERS[tracker])}")
        stream(agents / "a1", agent, init(), result(result="ok"))
        found = only(agents)
        assert (found["nl_input"], found["issue_number"]) == ("Add x\n\nSo that y", "7")

    @pytest.mark.parametrize(
        "other", [{"name": "shop", "id": 3}, {"name": "shop", "description": "a shop"}, {}]
    )
    def test_are_not_found_in_other_objects(self, other: dict[str, Any]) -> None:
        assert issues.issue_in(other) is None

    def test_a_number_before_them_counts_too(self, agents: Path) -> None:
        prompt(run(agents, "a1"), "sdlc_planner", "/feature 12 a1b2c3d4 Add a health check")
        stream(agents / "a1", "sdlc_planner", init(), result())
        found = only(agents)
        assert (found["issue_number"], found["issue_class"], found["nl_input"]) == (
            "12",
            "/feature",
            "Add a health check",
        )


class TestAnswers:
    def test_of_the_agents_that_classify_branch_and_plan_stand_in_for_a_state(self, agents: Path) -> None:
        folder = run(agents, "a1b2c3d4")
        branch = "feat-issue-9-adw-a1b2c3d4-add-dark-mode"
        plan = "specs/issue-9-adw-a1b2c3d4-sdlc_planner-dark-mode.md"
        for agent, answer in (
            ("issue_classifier", "It asks for something new.\n\n/feature"),
            ("branch_generator", f"`{branch}`"),
            ("sdlc_planner", f"I wrote the plan: {plan}"),
        ):
            stream(folder, agent, init(agent), result(result=answer, session=agent))
        found = only(agents)
        assert (found["issue_class"], found["branch_name"], found["plan_file"], found["issue_number"]) == (
            "/feature",
            branch,
            plan,
            "9",
        )
        assert (found["nl_input"], found["nl_input_source"]) == ("add dark mode", "the branch (its words)")

    @pytest.mark.parametrize("answer", ["Failed: no branch", "", "specs/plan.md", "/feature or /bug"])
    def test_that_name_nothing_leave_it_unknown(self, agents: Path, answer: str) -> None:
        folder = run(agents, "a1")
        stream(folder, "issue_classifier", init("c"), result(result=answer, session="c"))
        stream(folder, "branch_generator", init("b"), result(result=answer, session="b"))
        found = only(agents)
        assert (found["issue_class"], found["branch_name"]) == (None, None)

    def test_come_after_the_state(self, agents: Path) -> None:
        folder = run(agents, "a1", {"branch_name": "chore-x", "issue_class": "/chore"})
        stream(folder, "issue_classifier", init(), result(result="/bug"))
        assert (only(agents)["issue_class"], only(agents)["branch_name"]) == ("/chore", "chore-x")


class TestPrompts:
    def test_prompt_in_folder_stream_in_root(self, agents: Path) -> None:
        folder = run(agents, "code_audit_20260120061706")
        stream(folder, "", init(), result(1.5))
        prompt(folder, "opus_auditor", "/ralph-loop:ralph-loop\n\nAudit the code at app/src and write a plan")
        (found,) = scan(agents, NOW).runs
        assert [facts.agent for facts in found.streams] == ["opus_auditor"]
        assert found.workflow["agents_without_stream"] == []
        assert found.workflow["nl_input"] == "Audit the code at app/src and write a plan"
        assert found.workflow["nl_input_source"] == "opus_auditor/prompts/prompt.txt"

    def test_of_two_agents_leave_a_stream_in_the_root_its_own_name(self, agents: Path) -> None:
        folder = run(agents, "a1")
        stream(folder, "", init(), result())
        prompt(folder, "one", "/x Do this")
        prompt(folder, "two", "/x Do that")
        (found,) = scan(agents, NOW).runs
        assert [facts.agent for facts in found.streams] == ["main"]
        assert found.workflow["agents_without_stream"] == ["one", "two"]


def said(content: Any, **more: Any) -> str:
    return line(type="user", sessionId="s", message={"role": "user", "content": content}, **more)


REVIEW = """<command-message>review is running…</command-message>
<command-name>/review</command-name>
<command-args>src/orders.py</command-args>"""


class TestFirstMessages:
    def test_of_a_transcript_are_what_a_person_wrote(self, agents: Path) -> None:
        stream(
            run(agents, "a1"),
            "",
            line(type="summary", summary="Older things"),
            said("Caveat: The messages below were generated by the user while running local commands."),
            said("<command-name>/clear</command-name>\n<command-args></command-args>"),
            said("<local-command-stdout>cleared</local-command-stdout>"),
            said("What a skill says", isMeta=True),
            said("A sub-agent's task", isSidechain=True),
            said([{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]),
            said(
                [
                    {"type": "text", "text": "<ide_opened_file>a.py</ide_opened_file>"},
                    {"type": "text", "text": ASK},
                ]
            ),
            said("And then this"),
        )
        assert asks(agents) == (ASK, "raw_output.jsonl: its first message")

    def test_of_a_transcript_may_stand_after_many_other_lines(self, agents: Path) -> None:
        lines = [line(type="progress", sessionId="s", data="x" * 500) for _ in range(180)]
        stream(run(agents, "a1"), "", *lines, said(ASK), assistant("m1"))
        assert asks(agents)[0] == ASK

    def test_without_any_the_words_after_a_slash_command_count(self, agents: Path) -> None:
        typed = f"<command-name>/feature</command-name>\n<command-args>{ASK}</command-args>"
        stream(run(agents, "a1"), "", said(typed), said("Plan it like so", isMeta=True))
        assert asks(agents)[0] == ASK

    @pytest.mark.parametrize(
        ("typed", "request_text"),
        [
            ("/implement specs/x.md", "/implement specs/x.md"),
            ("/review", "/review"),
            ("/implement 12 a1b2c3d4 specs/x.md", "/implement 12 a1b2c3d4 specs/x.md"),
            (REVIEW, "/review src/orders.py"),
            ("<command-name>/review</command-name>\n  <command-args></command-args>", "/review"),
            (f"/feature {ASK}", ASK),
            (f"<command-name>/feature</command-name><command-args>{ASK}</command-args>", ASK),
        ],
    )
    def test_that_are_a_slash_command_alone_are_the_request_as_it_was_typed(
        self, agents: Path, typed: str, request_text: str
    ) -> None:
        stream(run(agents, "a1"), "", said(typed), said("And the tests"), assistant("m1"))
        assert asks(agents) == (request_text, "raw_output.jsonl: its first message")

    def test_are_no_request_where_a_command_is_about_the_session(self, agents: Path) -> None:
        stream(
            run(agents, "a1"),
            "",
            said("/model"),
            said("<command-name>/compact</command-name>\n<command-args></command-args>"),
            said("<command-name>/my-panel</command-name>\n<command-args></command-args>"),
            said("<local-command-stdout>shown</local-command-stdout>"),
            said("<command-name>/review</command-name>\n<command-args></command-args>"),
            said("What a review is", isMeta=True),
            assistant("m1"),
        )
        assert asks(agents)[0] == "/review"

    def test_that_are_only_about_the_session_are_no_request(self, agents: Path) -> None:
        stream(run(agents, "a1"), "", said("<command-name>/clear</command-name>"), assistant("m1"))
        assert asks(agents) == (None, None)

    @pytest.mark.parametrize("path", ["/home/me/plan.txt", "specs/x.md", "./specs/x.md"])
    def test_that_are_a_path_alone_are_no_request(self, agents: Path, path: str) -> None:
        stream(run(agents, "a1"), "", said(path), assistant("m1"))
        assert asks(agents) == (None, None)

    @pytest.mark.parametrize("wrap", ["{}", "<command-name>{}</command-name>"])
    def test_that_are_a_command_come_after_the_issue_of_a_state(self, agents: Path, wrap: str) -> None:
        folder = run(agents, "a1", {"issue": {"number": 7, "title": "Add x", "body": "So that y"}})
        stream(folder, "builder", said(wrap.format("/implement")), assistant("m1"))
        assert asks(agents) == ("Add x\n\nSo that y", "adw_state.json: issue")

    def test_of_other_programs_and_of_a_stream_that_repeats_its_prompt_are_found(self, agents: Path) -> None:
        gemini = [
            line(type="init", session_id="g", model="gemini-3-pro", timestamp="2026-01-15T10:00:00Z"),
            line(type="message", role="user", content=ASK, timestamp="2026-01-15T10:00:01Z"),
        ]
        stream(run(agents, "a1"), "checker", *gemini)
        claude = line(
            type="user", session_id="c", message={"role": "user", "content": [{"type": "text", "text": ASK}]}
        )
        inner = line(
            type="user", session_id="c", parent_tool_use_id="t1", message={"role": "user", "content": "Find"}
        )
        stream(run(agents, "b2"), "builder", init("c"), inner, claude, result(session="c"))
        codex = [
            line(type="thread.started", thread_id="x"),
            line(type="item.completed", item={"type": "user_message", "text": ASK}),
        ]
        stream(run(agents, "c3"), "coder", *codex)
        cursor = [
            line(type="system", subtype="init", apiKeySource="env", session_id="k", model="Opus 4.8"),
            line(
                type="user",
                session_id="k",
                message={"role": "user", "content": [{"type": "text", "text": ASK}]},
            ),
            line(type="tool_call", subtype="started", call_id="t", tool_call={}, session_id="k"),
        ]
        stream(run(agents, "d4"), "coder", *cursor)
        assert [one.workflow["nl_input"] for one in scan(agents, NOW).runs] == [ASK] * 4

    def test_come_after_what_the_run_was_given(self, agents: Path) -> None:
        prompt(run(agents, "a1"), "planner", "/plan Add a health check")
        stream(agents / "a1", "planner", said("Read the plan"), assistant("m1"))
        assert asks(agents)[0] == "Add a health check"


class TestWorkflows:
    def test_are_named_by_the_log_that_began_first_and_ended_last(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        start = datetime(2026, 2, 1, 10, tzinfo=UTC)
        for name, first, last in (("adw_build", 10, 20), ("adw_plan", 1, 9), ("adw_sdlc", 0, 30)):
            (folder / name).mkdir()
            stamps = [f"{start + timedelta(minutes=at):%Y-%m-%d %H:%M:%S} - INFO - x" for at in (first, last)]
            (folder / name / "execution.log").write_text("\n".join(stamps) + "\n")
        assert only(agents)["workflow_template"] == "adw_sdlc"
        (folder / "adw_sdlc" / "execution.log").unlink()
        found = only(agents)
        assert (found["workflow_template"], found["times_source"]) == ("adw_plan", "adw_plan/execution.log")

    def test_are_named_by_the_log_that_lies_in_no_others_folder(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        for name in ("adw_sdlc/adw_build", "adw_sdlc"):
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / "execution.log").write_text("2026-02-01 10:00:00 - INFO - x\n")
        assert only(agents)["workflow_template"] == "adw_sdlc"
