"""Sessions of Copilot CLI: token counts of shutdowns, tools, endings, metadata and requests."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.server.core.workflow_history.common.models import Ending, SessionInfo, StreamFacts, TokenUsage
from app.server.core.workflow_history.ingest.streams import read_stream
from app.server.core.workflow_history.ingest.streams.checkpoint import encode_state
from app.server.core.workflow_history.ingest.streams.copilot_session import (
    NO_COUNTS,
    CopilotSessionParser,
    read_session_head,
)
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.core.workflow_history.queries.list_runs import find_runs
from app.server.core.workflow_history.sync import sync_workflow_history

SESSION = "66666666-6666-4666-8666-666666666666"
BEGIN = datetime(2026, 7, 4, 6, tzinfo=UTC)

Event = dict[str, Any]


def event(seconds: float, kind: str, **data: Any) -> Event:
    moment = (BEGIN + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    return {"type": kind, "data": data, "id": f"e{seconds}", "timestamp": moment, "parentId": None}


def start() -> Event:
    context = {"cwd": "/home/me/shop", "branch": "main"}
    return event(0, "session.start", sessionId=SESSION, copilotVersion="1.0.9", context=context)


def answer(seconds: float, output: int = 0, **data: Any) -> Event:
    return event(seconds, "assistant.message", messageId=f"m{seconds}", outputTokens=output, **data)


def shutdown(seconds: float, **counts: tuple[int, int, int, int]) -> Event:
    """Return a shutdown with the input, output, cache read and cache write tokens of each model."""
    names = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens")
    metrics = {
        model.replace("__", ".").replace("_", "-"): {"usage": dict(zip(names, tokens, strict=True))}
        for model, tokens in counts.items()
    }
    return event(seconds, "session.shutdown", shutdownType="routine", modelMetrics=metrics)


def store(folder: Path, *events: Event) -> Path:
    file = folder / "session-state" / SESSION / "events.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(each) + "\n" for each in events))
    return file


def read(folder: Path, *events: Event) -> StreamFacts:
    facts = read_stream(store(folder, *events), "events.jsonl", "main")
    assert facts is not None
    assert facts.format == "copilot_session"
    return facts


def usages(facts: StreamFacts) -> list[tuple[str | None, TokenUsage]]:
    return [(message.model, message.usage) for message in facts.messages]


class TestCounts:
    def test_the_input_includes_cached_and_written_tokens(self, tmp_path: Path) -> None:
        facts = read(tmp_path, start(), shutdown(9, claude_sonnet_4__5=(21_000, 240, 15_000, 3_000)))
        expected = TokenUsage(input=3_000, output=240, cache_read=15_000, cache_write_5m=3_000)
        assert usages(facts) == [("claude-sonnet-4-5", expected)]

    def test_the_cost_is_that_of_the_model_without_a_dot(self, tmp_path: Path) -> None:
        store(tmp_path, start(), shutdown(9, claude_sonnet_4__5=(21_000, 240, 15_000, 3_000)))
        # 3,000 x $3, 240 x $15, 15,000 x $0.30 and 3,000 x $3.75 a million
        assert folder_costs(tmp_path)["recorded_cost"] == pytest.approx(0.02835)

    def test_the_last_shutdown_of_a_cumulative_count_counts(self, tmp_path: Path) -> None:
        facts = read(
            tmp_path,
            start(),
            answer(1, 50),
            shutdown(9, gpt_5=(1_000, 50, 0, 0)),
            event(10, "session.resume"),
            answer(11, 30),
            shutdown(19, gpt_5=(2_500, 80, 0, 0), gpt_5_mini=(100, 5, 0, 0)),
        )
        assert usages(facts) == [
            ("gpt-5", TokenUsage(input=2_500, output=80)),
            ("gpt-5-mini", TokenUsage(input=100, output=5)),
        ]

    def test_a_count_that_falls_is_a_new_one(self, tmp_path: Path) -> None:
        facts = read(
            tmp_path, start(), shutdown(9, gpt_5=(1_000, 50, 0, 0)), shutdown(19, gpt_5=(700, 60, 0, 0))
        )
        assert sum([usage for _, usage in usages(facts)], TokenUsage()) == TokenUsage(input=1_700, output=110)

    def test_a_count_too_low_to_include_the_last_one_and_the_answers_since_is_a_new_one(
        self, tmp_path: Path
    ) -> None:
        facts = read(
            tmp_path,
            start(),
            answer(1, 50),
            shutdown(9, gpt_5=(1_000, 50, 0, 0)),
            answer(11, 70),
            shutdown(19, gpt_5=(1_500, 70, 0, 0)),
        )
        assert sum([usage for _, usage in usages(facts)], TokenUsage()) == TokenUsage(input=2_500, output=120)

    def test_a_killed_session_has_an_unknown_cost(self, tmp_path: Path) -> None:
        facts = read(tmp_path, start(), event(1, "user.message", content="Add a logo"), answer(2, 50))
        assert facts.messages == ()
        assert [(problem.reason, problem.line) for problem in facts.problems] == [(NO_COUNTS, 3)]
        costs = folder_costs(tmp_path)
        assert (costs["recorded_cost"], costs["runs_without_cost"]) == (None, 1)
        sync_workflow_history(silent=True, agents_dir=tmp_path)
        (found,) = find_runs().workflows
        assert (found["total_cost"], found["input_tokens"], found["output_tokens"]) == (None, None, None)

    def test_work_after_the_last_shutdown_makes_the_cost_a_lower_bound(self, tmp_path: Path) -> None:
        facts = read(tmp_path, start(), shutdown(9, gpt_5=(1_000, 50, 0, 0)), answer(11, 70))
        assert [message.is_final for message in facts.messages] == [False]
        assert [problem.reason for problem in facts.problems] == [NO_COUNTS]
        assert folder_costs(tmp_path)["partial"] is True

    def test_a_sum_of_requests_has_no_price_of_a_long_request(self, tmp_path: Path) -> None:
        facts = read(tmp_path, start(), shutdown(9, gpt_5__4=(2_000_000, 50, 1_900_000, 0)))
        assert all(message.is_sum for message in facts.messages)
        costs = folder_costs(tmp_path)
        assert costs["partial"] is True  # one of the requests may have been long

    def test_a_session_that_grows_keeps_the_ids_of_its_counts(self, tmp_path: Path) -> None:
        first = shutdown(9, gpt_5=(1_000, 50, 0, 0))
        store(tmp_path, start(), first)
        sync_workflow_history(silent=True, agents_dir=tmp_path)
        store(tmp_path, start(), first, answer(11, 30), shutdown(19, gpt_5=(2_000, 80, 0, 0)))
        sync_workflow_history(silent=True, agents_dir=tmp_path)
        (found,) = find_runs().workflows
        # 2,000 x $1.25 and 80 x $10 a million
        assert (found["total_cost"], len(found["phase_costs"])) == (pytest.approx(0.0033), 1)


def test_tool_calls_have_their_outcome(tmp_path: Path) -> None:
    facts = read(
        tmp_path,
        start(),
        event(1, "tool.execution_start", toolCallId="c1", toolName="bash", arguments={"command": "npm test"}),
        event(2, "tool.execution_complete", toolCallId="c1", success=False, result={"content": "x"}),
        event(3, "tool.execution_start", toolCallId="c2", toolName="view", arguments={"path": "a.py"}),
    )
    assert [(call.tool, call.detail, call.failed) for call in facts.tools] == [
        ("Bash", "npm test", True),
        ("view", "a.py", None),
    ]


ENDINGS: dict[str, tuple[list[Event], Ending, str]] = {
    "answered": ([answer(2)], Ending.ANSWERED, ""),
    "shut down": ([answer(2), shutdown(3)], Ending.ANSWERED, ""),
    "calls a tool": ([answer(2, toolRequests=[{"name": "bash"}])], Ending.UNANSWERED, ""),
    "aborted": ([event(2, "abort", reason="user initiated")], Ending.STOPPED, ""),
    "error": ([event(2, "session.error", message="Quota exceeded")], Ending.ERROR, "Quota exceeded"),
    "a subagent's answer": (
        [event(2, "tool.execution_start", toolName="task"), answer(3, parentToolCallId="c1")],
        Ending.UNANSWERED,
        "",
    ),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_the_last_event_decides_the_ending(tmp_path: Path, name: str) -> None:
    events, ending, text = ENDINGS[name]
    facts = read(tmp_path, start(), event(1, "user.message", content="Add a logo"), *events)
    assert (facts.ending, facts.ending_text) == (ending, text)


def test_a_session_has_its_folder_branch_title_and_active_time(tmp_path: Path) -> None:
    facts = read(
        tmp_path, start(), event(20, "session.title_changed", title="A logo"), answer(1_000), shutdown(1_010)
    )
    assert facts.session == SessionInfo(
        id=SESSION, folder="/home/me/shop", branch="main", title="A logo", active_seconds=30.0
    )


def test_the_head_is_read_from_a_cut_line() -> None:
    first = json.dumps(start()).encode()
    expected = SessionInfo(id=SESSION, folder="/home/me/shop", branch="main")
    assert read_session_head(first + b"\n{") == expected
    cut = read_session_head(first[: first.index(b'"branch"')])
    assert cut is not None
    assert (cut.id, cut.folder) == (SESSION, "/home/me/shop")
    assert read_session_head(b'{"type":"user.message"}') is None


def test_the_request_is_the_users_first_message(tmp_path: Path) -> None:
    prompt = event(1, "user.message", content="Add a logo", transformedContent="<system>Add a logo</system>")
    store(tmp_path, start(), prompt, answer(2))
    sync_workflow_history(silent=True, agents_dir=tmp_path)
    assert [found["nl_input"] for found in find_runs().workflows] == ["Add a logo"]


def test_reading_can_stop_after_any_line() -> None:
    call = event(1, "tool.execution_start", toolCallId="c1", toolName="bash", arguments={"command": "ls"})
    done = event(2, "tool.execution_complete", toolCallId="c1", success=True)
    events = [start(), call, done, answer(3, 50), shutdown(9, gpt_5=(1_000, 50, 0, 0)), answer(11, 70)]
    lines = [json.dumps(each).encode() + b"\n" for each in (*events, shutdown(19, gpt_5=(1_500, 70, 0, 0)))]
    whole = CopilotSessionParser("events.jsonl")
    whole.feed(b"".join(lines), 0)
    for stop in range(len(lines)):
        parser = CopilotSessionParser("events.jsonl")
        parser.feed(b"".join(lines[:stop]), 0)
        resumed = msgspec.msgpack.decode(encode_state(parser), type=CopilotSessionParser)
        resumed.feed(b"".join(lines[stop:]), stop)
        assert resumed.build_facts("main") == whole.build_facts("main")
