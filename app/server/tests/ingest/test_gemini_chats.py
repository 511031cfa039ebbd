"""Sessions that Gemini CLI keeps itself: `.json` documents and `.jsonl` files under `~/.gemini/tmp`."""

from __future__ import annotations

import hashlib
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.server.core.workflow_history.common.models import (
    Ending,
    MessageUsage,
    StreamFacts,
    StreamFormat,
    TokenUsage,
    ToolCall,
)
from app.server.core.workflow_history.ingest.sources.scan import scan
from app.server.core.workflow_history.ingest.streams import identity_of, read_stream, resume_stream
from app.server.core.workflow_history.ingest.streams.gemini_chat import read_chat_head
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs

SESSION = "33333333-3333-4333-8333-333333333333"
ASK = "Add CSV export to the orders page"
MODEL = "gemini-2.5-pro"


def header(session: str = SESSION, **more: Any) -> dict[str, Any]:
    return {
        "sessionId": session, "projectHash": "abc123",
        "startTime": "2026-07-03T07:00:00.000Z", "lastUpdated": "2026-07-03T07:00:00.000Z", **more,
    }  # fmt: skip


def asked(message_id: str = "u1", text: str = ASK, **more: Any) -> dict[str, Any]:
    return {
        "id": message_id,
        "timestamp": "2026-07-03T07:00:00.000Z",
        "type": "user",
        "content": text,
        **more,
    }


def answer(
    message_id: str, *counts: int, at: str = "07:00:20", text: str = "Done.", **more: Any
) -> dict[str, Any]:
    """Return an answer; `counts` are input, output, cached and thinking tokens."""
    names = ("input", "output", "cached", "thoughts")
    tokens = {**dict.fromkeys(names, 0), **dict(zip(names, counts, strict=False)), "tool": 0}
    tokens["total"] = tokens["input"] + tokens["output"] + tokens["thoughts"]
    return {
        "id": message_id, "timestamp": f"2026-07-03T{at}.000Z", "type": "gemini", "content": text,
        "thoughts": [], "tokens": tokens if counts else None, "model": MODEL, **more,
    }  # fmt: skip


def call(name: str, status: str = "success", call_id: str = "t1", **arguments: Any) -> dict[str, Any]:
    return {
        "id": call_id, "name": name, "args": arguments, "status": status,
        "timestamp": "2026-07-03T07:00:25.000Z",
    }  # fmt: skip


def write_lines(file: Path, *records: dict[str, Any]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records))
    return file


def write_document(file: Path, *messages: dict[str, Any], after: Any = None, **more: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**header(**more), "messages": messages, **(after or {})}, indent=2))
    return file


def read(file: Path, path: str | None = None) -> StreamFacts:
    facts = read_stream(file, path or file.name, "main")
    assert facts is not None
    assert facts.format == StreamFormat.GEMINI_CHAT
    return facts


def usage_by_id(facts: StreamFacts) -> dict[str, TokenUsage]:
    return {message.message_id.rpartition("/")[2]: message.usage for message in facts.messages}


def total(facts: StreamFacts) -> TokenUsage:
    return sum([message.usage for message in facts.messages], TokenUsage())


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return tmp_path / "session-2026-07-03T07-00-33333333.jsonl"


@pytest.fixture
def document(tmp_path: Path) -> Path:
    return tmp_path / "session-2026-07-03T07-00-33333333.json"


def test_cached_tokens_are_part_of_the_input_and_thoughts_are_billed_as_output(lines: Path) -> None:
    facts = read(write_lines(lines, header(), asked(), answer("m1", 12_000, 300, 4_000, 150)))
    assert facts.messages == (
        MessageUsage(
            f"{SESSION}/m1", MODEL, TokenUsage(input=8_000, output=450, cache_read=4_000), 3, is_final=True,
            timestamp=datetime(2026, 7, 3, 7, 0, 20, tzinfo=UTC), session=SESSION,
        ),
    )  # fmt: skip


@pytest.mark.parametrize(("counted", "expected"), [(1_350, 1_000 + 50), (1_300, 1_000)])
def test_results_of_tools_at_google_are_input_unless_the_input_includes_them(
    lines: Path, counted: int, expected: int
) -> None:
    message = answer("m1", 1_000, 300)
    message["tokens"] |= {"tool": 50, "total": counted}
    assert total(read(write_lines(lines, header(), message))) == TokenUsage(input=expected, output=300)


def test_a_message_with_the_same_id_replaces_the_earlier_one(lines: Path) -> None:
    records = [answer("m1", 12_000, 0, 4_000), answer("m1", 12_000, 300, 4_000, 150)]
    facts = read(write_lines(lines, header(), *records))
    assert usage_by_id(facts) == {"m1": TokenUsage(input=8_000, output=450, cache_read=4_000)}


def test_a_version_of_a_message_without_tokens_keeps_those_of_the_earlier_one(lines: Path) -> None:
    facts = read(write_lines(lines, header(), answer("m1", 900, 30), answer("m1")))
    assert usage_by_id(facts) == {"m1": TokenUsage(input=900, output=30)}
    assert facts.messages[0].is_final


def test_a_rewound_message_was_paid_all_the_same(lines: Path) -> None:
    facts = read(write_lines(
        lines, header(), asked(), answer("m1", 100, 10), {"$rewindTo": "m1"}, answer("m2", 200, 20)
    ))  # fmt: skip
    assert total(facts) == TokenUsage(input=300, output=30)


def test_after_a_rewind_the_session_ends_with_the_message_before(lines: Path) -> None:
    records = [header(), asked("u1"), answer("m1", 1, 1), asked("u2")]
    assert read(write_lines(lines, *records)).ending == Ending.UNANSWERED
    assert read(write_lines(lines, *records, {"$rewindTo": "u2"})).ending == Ending.ANSWERED
    assert read(write_lines(lines, *records, {"$rewindTo": "unknown"})).ending is None


def test_a_conversation_that_is_rewritten_keeps_the_spending_of_messages_it_drops(lines: Path) -> None:
    summary = {
        "id": "s", "timestamp": "2026-07-03T07:01:00Z", "type": "gemini", "content": [{"text": "So far"}],
    }  # fmt: skip
    rewritten = {"$set": {"messages": [summary, answer("m2", 200, 20)]}}
    facts = read(write_lines(lines, header(), answer("m1", 100, 10), answer("m2", 200, 20), rewritten))
    assert usage_by_id(facts) == {"m1": TokenUsage(100, 10), "m2": TokenUsage(200, 20)}
    assert facts.ending == Ending.ANSWERED


def test_an_answer_whose_tokens_were_never_written_makes_the_cost_a_lower_bound(lines: Path) -> None:
    facts = read(write_lines(lines, header(), answer("m1", 100, 10), answer("m2")))
    assert [message.is_final for message in facts.messages] == [True, False]


def test_a_document_and_its_lines_give_the_same_facts(lines: Path, document: Path) -> None:
    messages = [
        asked(),
        answer("m1", 12_000, 300, 4_000, 150, toolCalls=[call("run_shell_command", "error", command="make")]),
        answer("m2", 15_000, 500, 11_000, 50, at="07:02:00"),
    ]
    changed = {"lastUpdated": "2026-07-03T07:03:00.000Z", "summary": "CSV export"}
    of_lines = read(write_lines(lines, header(), *messages, {"$set": changed}))
    of_document = read(write_document(
        document, *messages, after={"summary": "CSV export"}, lastUpdated="2026-07-03T07:03:00.000Z"
    ))  # fmt: skip
    for name in ("session_ids", "model", "started_at", "ended_at", "ending", "session", "problems"):
        assert getattr(of_document, name) == getattr(of_lines, name), name
    assert usage_by_id(of_document) == usage_by_id(of_lines)
    assert of_document.session is not None
    assert of_document.session.title == "CSV export"
    assert of_document.ended_at == datetime(2026, 7, 3, 7, 3, tzinfo=UTC)


def test_each_message_of_a_document_has_the_line_in_which_it_begins(document: Path) -> None:
    facts = read(write_document(document, asked(), answer("m1", 100, 10), answer("m2", 200, 20)))
    rows = document.read_text().splitlines()
    assert [rows[message.line] for message in facts.messages] == ['      "id": "m1",', '      "id": "m2",']


def test_a_document_that_is_cut_off_keeps_the_messages_before(document: Path) -> None:
    write_document(document, asked(), answer("m1", 100, 10), answer("m2", 200, 20))
    document.write_bytes(document.read_bytes()[:-60])
    facts = read(document)
    assert usage_by_id(facts) == {"m1": TokenUsage(100, 10)}
    assert facts.is_truncated
    assert [problem.reason for problem in facts.problems] == ["the file is cut off"]


def test_a_damaged_message_of_a_document_costs_no_other(document: Path) -> None:
    write_document(document, answer("m1", 100, 10), answer("m2", 200, 20), answer("m3", 300, 30))
    document.write_text(document.read_text().replace('"id": "m2",', '"id": "m2"'))
    facts = read(document)
    assert usage_by_id(facts) == {"m1": TokenUsage(100, 10), "m3": TokenUsage(300, 30)}
    assert facts.lost_line
    assert facts.problems


def test_a_damaged_byte_before_the_messages_of_a_document_costs_none(document: Path) -> None:
    write_document(document, answer("m1", 100, 10))
    document.write_bytes(document.read_bytes().replace(b"startTime", b"startTim\xd7"))
    assert usage_by_id(read(document)) == {"m1": TokenUsage(100, 10)}


def test_a_document_that_grows_is_the_same_attempt(document: Path) -> None:
    first = read(write_document(document, answer("m1", 100, 10)))
    second = read(write_document(
        document, answer("m1", 100, 10), answer("m2", 200, 20), lastUpdated="2026-07-03T09:00:00.000Z"
    ))  # fmt: skip
    assert first.identity == second.identity == identity_of(document, document.name)
    other = read(write_document(document, answer("m1", 100, 10), session="another"))
    assert other.identity != first.identity


def test_lines_that_grow_are_resumed(lines: Path) -> None:
    padding = [asked(f"u{number}", "x" * 2_000) for number in range(200)]
    write_lines(lines, header(), *padding, answer("m1", 100, 10))
    checkpoint = resume_stream(lines, lines.name, "main").checkpoint
    assert checkpoint is not None
    with lines.open("a") as file:
        file.write(json.dumps(answer("m1", 100, 40)) + "\n" + json.dumps({"$rewindTo": "u0"}) + "\n")
    resumed = resume_stream(lines, lines.name, "main", checkpoint).facts
    assert resumed == read(lines)


def test_shell_commands_are_called_bash_and_failures_come_from_the_status(lines: Path) -> None:
    calls = [
        call("run_shell_command", "error", "t1", command="npm test"),
        call("read_file", "success", "t2", file_path="a.py"),
        call("write_file", "cancelled", "t3", file_path="b.py"),
    ]
    facts = read(write_lines(lines, header(), answer("m1", 9, 9, toolCalls=calls)))
    message = f"{SESSION}/m1"
    assert facts.tools == (
        ToolCall("Bash", "npm test", 2, message, True),
        ToolCall("read_file", "a.py", 2, message, False),
        ToolCall("write_file", "b.py", 2, message, None),
    )


@pytest.mark.parametrize(
    ("last", "ending"),
    [
        (asked(), Ending.UNANSWERED),
        (answer("m", 1, 1), Ending.ANSWERED),
        (answer("m", 1, 1, toolCalls=[call("read_file")]), Ending.UNANSWERED),
        ({"id": "e", "type": "error", "content": "Quota exceeded"}, Ending.ERROR),
        ({"id": "i", "type": "info", "content": "Request cancelled."}, Ending.STOPPED),
    ],
)
def test_the_last_message_shows_how_a_session_ended(
    lines: Path, last: dict[str, Any], ending: Ending
) -> None:
    facts = read(write_lines(lines, header(), asked("first"), last, {"$set": {"summary": "x"}}))
    assert facts.ending == ending
    assert facts.ending_text == ("Quota exceeded" if ending == Ending.ERROR else "")


def test_a_note_after_the_answer_does_not_change_how_a_session_ended(lines: Path) -> None:
    note = {"id": "i", "type": "info", "content": "Update available"}
    assert read(write_lines(lines, header(), answer("m", 1, 1), note)).ending == Ending.ANSWERED


def test_after_an_unreadable_last_line_the_ending_is_unknown(lines: Path) -> None:
    write_lines(lines, header(), answer("m", 1, 1))
    lines.write_text(lines.read_text() + '{"id": "n", "type": 5}\n')
    assert read(lines).ending is None


def test_a_subagent_names_the_session_of_its_directory_as_its_parent(tmp_path: Path) -> None:
    file = write_lines(tmp_path / SESSION / "5555.jsonl", header("5555", kind="subagent"), answer("m", 1, 1))
    session = read(file, f"{SESSION}/5555.jsonl").session
    assert session is not None
    assert (session.id, session.parent, session.role) == ("5555", SESSION, "subagent")


def test_the_directory_of_a_project_is_known_if_its_hash_is_the_projects(lines: Path) -> None:
    folders = ["/srv/other", "/srv/shop"]
    digest = hashlib.sha256(b"/srv/shop").hexdigest()
    for project_hash, folder in ((digest, "/srv/shop"), ("abc123", None)):
        facts = read(write_lines(lines, header(projectHash=project_hash, directories=folders)))
        assert facts.session is not None
        assert facts.session.folder == folder


@pytest.mark.parametrize("name", ["session-1.jsonl", f"{SESSION}/5555.jsonl"])
def test_the_directory_of_a_project_is_noted_beside_its_chats(tmp_path: Path, name: str) -> None:
    file = write_lines(tmp_path / "shop" / "chats" / name, header(), asked())
    (tmp_path / "shop" / ".project_root").write_text("/srv/shop\n")
    session = read(file, name).session
    assert session is not None
    assert session.folder == "/srv/shop"


def test_only_gaps_under_five_minutes_are_active_time(lines: Path) -> None:
    facts = read(write_lines(lines, header(), asked(), answer("m1", 1, 1), answer("m2", 1, 1, at="09:00:00")))
    assert facts.session is not None
    assert facts.session.active_seconds == 20


@pytest.mark.parametrize("kind", ["main", "subagent"])
def test_the_first_bytes_tell_the_session_and_its_kind(lines: Path, document: Path, kind: str) -> None:
    of_lines = read_chat_head(write_lines(lines, header(kind=kind), asked()).read_bytes())
    of_document = read_chat_head(write_document(document, asked(), kind=kind).read_bytes()[:250])
    assert of_lines == of_document
    assert of_lines is not None
    assert of_lines.session == SESSION
    assert of_lines.is_subagent is (kind == "subagent")
    assert of_lines.started_at == datetime(2026, 7, 3, 7, tzinfo=UTC)


@pytest.mark.parametrize("start", [b"", b"{}", b'{"sessionId": "s"}\n', b'{"messages": []}', b"\xff{"])
def test_other_files_have_no_head_of_a_session(start: bytes) -> None:
    assert read_chat_head(start) is None


def agents(tmp_path: Path) -> Path:
    return tmp_path / "agents"


def test_a_session_that_exists_in_both_forms_counts_once(tmp_path: Path) -> None:
    messages = [asked(), answer("m1", 12_000, 300, 4_000, 150), answer("m2", 15_000, 500, 11_000, 50)]
    chat = agents(tmp_path) / "a1b2c3d4" / "chat"
    write_document(chat / "session-1.json", *messages)
    once = folder_costs(agents(tmp_path))
    write_lines(chat / "session-1.jsonl", header(), *messages, answer("m3", 1_000, 100))
    write_lines(agents(tmp_path) / "b1b2c3d4" / "chat" / "session-1.jsonl", header(), *messages)
    assert once["recorded_cost"] == pytest.approx(0.026875)
    both = folder_costs(agents(tmp_path))
    assert both["recorded_cost"] == pytest.approx(0.026875 + 0.00225)


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_the_request_is_what_the_user_typed(tmp_path: Path, form: str) -> None:
    context = asked("u0", "<session_context>\nToday is Friday\n</session_context>")
    prompt = asked("u1", f"{ASK}\n--- Content of a.py ---\nimport os", displayContent=[{"text": ASK}])
    chat = agents(tmp_path) / "a1b2c3d4" / "chat"
    if form == "json":
        write_document(chat / "session-1.json", context, prompt, answer("m1", 1, 1))
    else:
        write_lines(chat / "session-1.jsonl", header(), context, prompt, answer("m1", 1, 1))
    (found,) = scan(agents(tmp_path), datetime(2026, 8, 1, tzinfo=UTC)).runs
    assert found.workflow["nl_input"] == ASK


@given(
    counts=st.lists(st.tuples(*[st.integers(0, 10_000)] * 4), min_size=1, max_size=8),
    seed=st.integers(0, 2**32),
)
def test_replaced_messages_and_rewinds_change_no_sum(
    tmp_path_factory: pytest.TempPathFactory, counts: list[tuple[int, int, int, int]], seed: int
) -> None:
    chooser = random.Random(seed)
    messages = [answer(f"m{number}", *given_counts) for number, given_counts in enumerate(counts)]
    records: list[dict[str, Any]] = []
    for message in messages:
        records += [{**message, "tokens": None}] * chooser.randint(0, 2)
        records += [message] * chooser.randint(1, 2)
        records += [{"$rewindTo": chooser.choice(messages)["id"]}] * chooser.randint(0, 1)
    folder = tmp_path_factory.mktemp("chats")
    plain = read(write_document(folder / "session-1.json", *messages))
    rewritten = read(write_lines(folder / "session-1.jsonl", header(), *records))
    assert usage_by_id(rewritten) == usage_by_id(plain)
