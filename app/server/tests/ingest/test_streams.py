"""Stream readers: facts of every line for each agent CLI, and every error reported."""

from __future__ import annotations

import json
import os
import tempfile
import tracemalloc
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.server.core.workflow_history import sync_workflow_history
from app.server.core.workflow_history.common.models import StreamFacts, TokenUsage
from app.server.core.workflow_history.common.outcomes import classify_outcome, has_answer
from app.server.core.workflow_history.ingest.streams import read_stream
from app.server.tests.support.build import (
    HAIKU,
    OPUS,
    SONNET,
    assistant,
    init,
    line,
    result,
    run,
    stream,
    tool_result,
    tool_use,
    usage,
)  # fmt: skip


def read(folder: Path, *lines: str, raw: bytes | None = None) -> StreamFacts:
    file = folder / "raw_output.jsonl"
    file.write_bytes(raw if raw is not None else "".join(f"{text}\n" for text in lines).encode())
    facts = read_stream(file, "run/planner/raw_output.jsonl", "planner")
    assert facts is not None
    return facts


def reasons(facts: StreamFacts) -> list[tuple[int | None, str]]:
    return [(problem.line, problem.reason) for problem in facts.problems]


def test_a_messages_partial_lines_are_one_message_with_the_largest_of_each_field(tmp_path: Path) -> None:
    facts = read(
        tmp_path,
        init(),
        assistant("m1", usage(input=1000, output=1)),
        assistant("m1", usage(input=1000, output=1000)),
        assistant("m1", usage(input=900, output=3)),
    )
    assert [(m.message_id, m.usage) for m in facts.messages] == [("m1", TokenUsage(input=1000, output=1000))]


def test_a_message_that_comes_again_between_others_keeps_the_largest_of_each_field(tmp_path: Path) -> None:
    small, large = usage(input=1, output=1), usage(input=1, output=9)
    facts = read(tmp_path, assistant("m1", small), assistant("m2", large), assistant("m1", large))
    assert [(m.message_id, m.usage.output) for m in facts.messages] == [("m1", 9), ("m2", 9)]


def test_a_result_gives_cost_models_duration_and_turns(tmp_path: Path) -> None:
    facts = read(tmp_path, init(), assistant("m1"), result(0.25, model=OPUS))
    (segment,) = facts.results
    assert segment.total_cost == Decimal("0.25")
    assert [(m.model, m.cost, m.usage.output) for m in segment.models] == [(OPUS, Decimal("0.25"), 400)]
    assert (segment.duration_ms, segment.turns, segment.line) == (60000, 3, 3)
    assert facts.problems == ()


def test_synthetic_is_no_model(tmp_path: Path) -> None:
    facts = read(tmp_path, assistant("m0", usage(output=5), model="<synthetic>"), assistant("m1"))
    assert facts.model == SONNET
    assert [m.message_id for m in facts.messages] == ["m1"]


def test_a_tool_calls_outcome_comes_from_its_result(tmp_path: Path) -> None:
    calls = [
        tool_use("t1", command="pytest -q"),
        tool_use("t2", "Read", file_path="a.py"),
        tool_use("t3", "Glob"),
    ]
    facts = read(
        tmp_path,
        init(),
        assistant("m1", content=calls),
        tool_result("t1", is_error=True),
        tool_result("t2"),
    )
    assert [(c.tool, c.detail, c.failed) for c in facts.tools] == [
        ("Bash", "pytest -q", True),
        ("Read", "a.py", False),
        ("Glob", None, None),
    ]


def test_a_tool_result_that_quotes_a_result_line_is_no_result(tmp_path: Path) -> None:
    facts = read(
        tmp_path,
        init(),
        assistant("m1", content=[tool_use("t1")]),
        tool_result("t1", text=result(99.0)),
    )
    assert facts.results == ()


def test_cache_writes_are_split_by_lifetime_and_without_a_split_are_five_minute_ones(tmp_path: Path) -> None:
    facts = read(
        tmp_path, assistant("m1", usage(one_hour=100, five_minutes=20)), assistant("m2", usage(write=7))
    )
    assert [(m.usage.cache_write_5m, m.usage.cache_write_1h) for m in facts.messages] == [(20, 100), (7, 0)]


def test_a_null_field_counts_as_nothing_and_keeps_the_rest_of_its_line(tmp_path: Path) -> None:
    spent = {"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": None, "cache_creation": None}
    facts = read(tmp_path, assistant("m1", spent))
    assert facts.messages[0].usage == TokenUsage(input=5, output=7)
    assert facts.problems == ()


@pytest.mark.parametrize("count", [-1, 1e300])
def test_a_negative_or_absurd_count_makes_its_line_unreadable_and_is_reported(
    tmp_path: Path, count: float
) -> None:
    facts = read(tmp_path, assistant("m1"), assistant("m2", {"input_tokens": count}), assistant("m3"))
    assert [m.message_id for m in facts.messages] == ["m1", "m3"]
    assert [p.line for p in facts.problems] == [2]


def test_a_number_that_is_none_in_json_is_reported_and_the_rest_is_kept(tmp_path: Path) -> None:
    broken = assistant("m2").replace('"input_tokens": 3', '"input_tokens": NaN')
    facts = read(tmp_path, assistant("m1"), broken, assistant("m3"))
    assert [m.message_id for m in facts.messages] == ["m1", "m3"]
    assert [p.line for p in facts.problems] == [2]


def test_a_half_written_last_line_is_cut_and_no_bad_line(tmp_path: Path) -> None:
    whole = f"{init()}\n{assistant('m1')}\n"
    facts = read(tmp_path, raw=(whole + result()[:80]).encode())
    assert facts.is_truncated
    assert reasons(facts) == [(3, "the last line is cut off")]
    assert [p.severity for p in facts.problems] == ["warning"]


def test_a_last_line_without_its_line_end_is_whole(tmp_path: Path) -> None:
    facts = read(tmp_path, raw=f"{init()}\n{result()}".encode())
    assert not facts.is_truncated
    assert len(facts.results) == 1


@pytest.mark.parametrize("ends", ["\r", "\r\n", "\n"], ids=repr)
def test_a_line_may_end_as_on_any_system(tmp_path: Path, ends: str) -> None:
    lines = [init(), assistant("m1"), result()]
    facts = read(tmp_path, raw="".join(text + ends for text in lines).encode())
    assert (facts.lines, facts.last_result_line, facts.is_truncated, facts.problems) == (3, 3, False, ())
    again = read(tmp_path, raw=ends.join(lines).encode())
    assert (again.results, again.lines) == (facts.results, 3)


def test_a_text_without_a_line_end_is_no_cut_off_line(tmp_path: Path) -> None:
    facts = read(tmp_path, raw=b"Not logged in")
    assert reasons(facts) == [(1, "no line of it is JSON")]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"result": {"a": 1}}, '{"a":1}'),
        ({"result": [1, "ü"]}, '[1,"ü"]'),
        ({"result": 0}, "0"),
        ({"result": None, "structured_output": {"ok": True}}, '{"ok":true}'),
        ({"result": "said", "structured_output": {"ok": True}}, "said"),
        ({"result": {}}, ""),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_answer_that_is_no_text_is_an_answer(tmp_path: Path, answer: dict[str, Any], text: str) -> None:
    facts = read(tmp_path, init(), assistant("m1"), result(**answer))
    assert facts.results[-1].text == text
    assert has_answer(facts) is bool(text)


def test_a_result_that_ends_with_a_refusal_is_an_error(tmp_path: Path) -> None:
    facts = read(tmp_path, init(), assistant("m1"), result(result="", stop_reason="refusal"))
    assert (classify_outcome(facts), facts.results[-1].text) == ("error", "the model refused to answer")


def test_a_stream_cut_in_its_first_line_is_named(tmp_path: Path) -> None:
    facts = read(tmp_path, raw=init()[:40].encode())
    assert (facts.format, facts.is_truncated) == ("unreadable", True)
    assert reasons(facts) == [(1, "the first line is cut off")]


def test_an_empty_file_is_an_empty_stream(tmp_path: Path) -> None:
    assert read(tmp_path, raw=b"").format == "empty"
    assert read(tmp_path, raw=b"\n\n").format == "empty"


def test_whole_json_of_another_kind_is_no_stream(tmp_path: Path) -> None:
    file = tmp_path / "bundle.jsonl"
    file.write_text(line(operation="read", file_path="x") + "\n" + line(type="note") + "\n")
    assert read_stream(file, "bundle.jsonl", "bundle") is None


@pytest.mark.parametrize("lines", [0, 1, 199, 200, 201, 5_000])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_kind_of_a_file_is_told_by_its_first_telling_line_wherever_it_stands(
    tmp_path: Path, lines: int, end: str, encoding: str
) -> None:
    noted = line(type="file-history-snapshot", messageId="m", snapshot={"type": "note"})
    text = end.join([*[noted] * lines, "", assistant("m1"), result(0.5), ""])
    facts = read(tmp_path, raw=text.encode(encoding))
    assert (facts.format, len(facts.messages), facts.results[0].line) == ("claude", 1, lines + 3)


def test_preamble_hides_transcript(tmp_path: Path) -> None:
    message = {
        "id": "m",
        "model": SONNET,
        "stop_reason": "end_turn",
        "usage": usage(input=60_000),
        "content": [],
    }
    said = line(type="assistant", sessionId="s", timestamp="2026-02-01T10:00:00.000Z", message=message)
    for lead in (199, 200, 2_000):
        bookkeeping = [line(type="file-history-snapshot", messageId=f"m{number}") for number in range(lead)]
        facts = read(tmp_path, *bookkeeping, said)
        assert (facts.format, len(facts.messages)) == ("claude_transcript", 1)


def test_a_file_of_no_known_kind_is_named_once_with_its_count(tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "agents"
    for name, state in (("a1b2c3d4", {"adw_id": "a1b2c3d4"}), ("other", None)):
        home = run(folder, name, state)
        stream(home, "hooks", *[line(type="step_start", part={"type": "text"})] * 1_234, name="events.jsonl")
    done = sync_workflow_history(silent=True, agents_dir=folder)
    (problem,) = done["errors"]
    assert problem["path"] == "a1b2c3d4/hooks/events.jsonl"
    assert problem["reason"] == "not read: none of its 1,234 lines is of a known transcript format"
    assert problem["severity"] == "warning"
    (left_out,) = done["skipped_paths"]
    assert "none of its 1,234 lines is of a known transcript format" in left_out["reason"]
    assert (done["inserted"], done["failed"]) == (1, 0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("inside", [" ", "\t ", "\r"])
def test_megabytes_of_blanks_in_a_line_cost_neither_memory_nor_the_line(
    tmp_path: Path, encoding: str, inside: str
) -> None:
    blanks = inside * ((12 << 20) // len(inside))
    inner = assistant("m2").replace(", ", f",{blanks}", 1)
    text = "\n".join([init(), f"{blanks}{assistant('m1')}", inner, result(0.5), ""])
    file = tmp_path / "raw_output.jsonl"
    file.write_bytes(text.encode(encoding))
    del text, blanks
    tracemalloc.start()
    facts = read_stream(file, "raw_output.jsonl", "planner")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 30 << 20
    assert facts is not None
    assert [message.message_id for message in facts.messages] == ["m1", "m2"]
    assert (facts.results[0].line, facts.problems) == (4, ())


def test_a_hook_line_or_a_byte_order_mark_before_init_does_no_harm(tmp_path: Path) -> None:
    hook = line(type="system", subtype="hook_response", session_id="session-1", stdout="")
    facts = read(tmp_path, raw=b"\xef\xbb\xbf" + f"{hook}\n{init()}\n{result()}\n".encode())
    assert (facts.format, facts.model, facts.problems) == ("claude", SONNET, ())


def test_a_stream_redirected_by_a_windows_shell_is_read(tmp_path: Path) -> None:
    facts = read(tmp_path, raw=f"{init()}\r\n{result(0.5)}\r\n".encode("utf-16"))
    assert facts.results[0].total_cost == Decimal("0.5")


def test_a_lone_surrogate_in_a_tool_output_costs_no_line(tmp_path: Path) -> None:
    facts = read(tmp_path, assistant("m1", content=[{"type": "text", "text": "\ud83d"}]), result())
    assert [m.message_id for m in facts.messages] == ["m1"]
    assert facts.problems == ()


def test_a_first_line_that_is_cut_behind_bytes_that_are_no_utf8_is_named(tmp_path: Path) -> None:
    facts = read(
        tmp_path, raw=b'{"type":"user","session_id":"s","message":{"content":"caf\xe9"},"x":"cut off he'
    )
    assert (facts.format, facts.is_truncated) == ("unreadable", True)
    assert reasons(facts) == [(1, "the first line is cut off")]


def test_an_odd_side_field_costs_no_money(tmp_path: Path) -> None:
    facts = read(tmp_path, init(), result(0.25, num_turns=3.0, timestamp={"seconds": 1}))
    assert [(segment.total_cost, segment.turns) for segment in facts.results] == [(Decimal("0.25"), 3)]
    assert reasons(facts) == [(2, "timestamp cannot be read as a time with its zone: {'seconds': 1}")]
    assert facts.problems[0].severity == "warning"


def test_bytes_that_are_no_utf8_are_named(tmp_path: Path) -> None:
    facts = read(
        tmp_path,
        raw=init().encode() + b"\n" + assistant("m1").replace("Working", "W\u00f6").encode("latin-1") + b"\n",
    )
    assert [(p.line, p.severity) for p in facts.problems][:1] in ([(2, "warning")], [(2, "error")])


def test_lines_in_another_order_are_doubtful(tmp_path: Path) -> None:
    call = assistant("m1", content=[tool_use("t1")])
    swapped = read(tmp_path, init(), tool_result("t1"), call, result())
    assert not reasons(swapped)
    headless = read(tmp_path, call, init(), tool_result("t1"), result())
    assert (1, "the transcript does not begin with its init line") in reasons(headless)
    early = read(tmp_path, init(), result(), call)
    assert (3, "messages stand after the last result") in reasons(early)


def test_a_total_that_is_not_the_sum_of_its_models_is_doubtful(tmp_path: Path) -> None:
    facts = read(tmp_path, init(), result(0.25, total_cost_usd=0.75))
    assert [p.severity for p in facts.problems] == ["warning"]
    assert "not the sum" in facts.problems[0].reason


def test_a_native_transcript_has_times_and_final_usage(tmp_path: Path) -> None:
    message = {"id": "m1", "model": OPUS, "stop_reason": "end_turn", "usage": usage(output=9), "content": []}
    first = line(type="summary", summary="x")
    said = line(
        type="assistant", sessionId="s", requestId="r", timestamp="2026-01-02T03:04:05.000Z", message=message
    )
    facts = read(tmp_path, first, said)
    assert facts.format == "claude_transcript"
    assert facts.messages[0].is_final
    assert facts.started_at is not None
    assert facts.started_at.isoformat() == "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize("text", ["npm warn deprecated glob@7.2.3", "x" * 200, "\x1b[31mwarn\x1b[0m"])
def test_a_line_of_text_in_a_stream_is_named_as_no_json(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text(f"{init()}\n{text}\n{result()}\n")
    facts = read_stream(file, "x.jsonl", "main")
    assert facts is not None
    (problem,) = facts.problems
    assert problem.reason == "not JSON: a line of text, from another program"
    assert (problem.line, facts.lost_line) == (2, 0)


def test_a_gemini_stream_gives_its_totals_apart_from_its_cache(tmp_path: Path) -> None:
    facts = read(
        tmp_path,
        "Loaded cached credentials.",
        line(type="init", session_id="g", model="gemini-2.5-pro", timestamp="2026-01-02T03:04:05Z"),
        line(type="tool_use", tool_name="run_shell_command", tool_id="t", parameters={"command": "ls"}),
        line(type="tool_result", tool_id="t", status="error"),
        line(type="message", role="assistant", content="Done"),
        line(
            type="result",
            status="success",
            stats={"input_tokens": 100, "output_tokens": 20, "cached": 60, "duration_ms": 5},
        ),
    )
    assert (facts.format, facts.model) == ("gemini", "gemini-2.5-pro")
    assert facts.results[0].models[0].usage == TokenUsage(input=40, output=20, cache_read=60)
    assert [(c.tool, c.detail, c.failed) for c in facts.tools] == [("run_shell_command", "ls", True)]
    assert facts.results[0].total_cost is None


def test_a_codex_stream_gives_its_threads_last_totals(tmp_path: Path) -> None:
    facts = read(
        tmp_path,
        line(type="thread.started", thread_id="t"),
        line(
            type="item.completed",
            item={"id": "i", "type": "command_execution", "command": "ls", "exit_code": 1},
        ),
        line(
            type="turn.completed", usage={"input_tokens": 50, "cached_input_tokens": 40, "output_tokens": 5}
        ),
        line(
            type="turn.completed", usage={"input_tokens": 90, "cached_input_tokens": 70, "output_tokens": 8}
        ),
    )
    assert facts.results[-1].models[0].usage == TokenUsage(input=20, output=8, cache_read=70)
    assert facts.tools[0].failed is True


def test_several_models_of_one_result_are_kept_apart(tmp_path: Path) -> None:
    models = {OPUS: {"inputTokens": 1, "costUSD": 0.2}, HAIKU: {"inputTokens": 2, "costUSD": 0.05}}
    facts = read(tmp_path, init(), result(0.25, modelUsage=models))
    assert [(m.model, str(m.cost)) for m in facts.results[0].models] == [(OPUS, "0.2"), (HAIKU, "0.05")]


def test_a_pipe_or_link_in_a_streams_place_is_named_and_not_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    link = tmp_path / "link.jsonl"
    link.symlink_to("/etc/hostname")
    for file in (pipe, link):
        facts = read_stream(file, file.name, "planner")
        assert facts is not None
        assert facts.format == "unread"
        assert len(facts.problems) == 1


def test_the_first_whole_line_is_a_streams_identity(tmp_path: Path) -> None:
    first = read(tmp_path, init("a"), assistant("m1"))
    grown = read(tmp_path, init("a"), assistant("m1"), result())
    retried = read(tmp_path, init("b"), assistant("m1"))
    assert first.identity == grown.identity != retried.identity


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from([init().encode(), assistant("m").encode(), result().encode()]),
        ),
        max_size=12,
    )
)
def test_whatever_the_bytes_reading_ends_with_facts_or_a_problem(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    file = tmp_path_factory.mktemp("any") / "raw_output.jsonl"
    file.write_bytes(b"\n".join(lines))
    facts = read_stream(file, "raw_output.jsonl", "planner")
    if facts is not None and facts.format == "claude":
        readable = sum(1 for raw in lines if raw == result().encode())
        assert len(facts.results) == readable


@given(st.integers(0, 2**31), st.data())
def test_flipping_a_byte_never_loses_another_line(seed: int, data: st.DataObject) -> None:
    lines = [init(), *(assistant(f"m{n}") for n in range(4)), result()]
    victim = data.draw(st.integers(1, 4))
    raw = bytearray(lines[victim].encode())
    raw[seed % len(raw)] ^= 1 << (seed % 7)
    if b"\n" in raw:
        return
    texts = [text.encode() for text in lines]
    texts[victim] = bytes(raw)
    with tempfile.TemporaryDirectory() as folder:
        facts = read(Path(folder), raw=b"\n".join(texts) + b"\n")
    others = {f"m{n}" for n in range(4) if n + 1 != victim}
    assert others <= {m.message_id for m in facts.messages}
    assert len(facts.results) == 1


def test_json_nested_without_end_is_a_bad_line_and_no_crash(tmp_path: Path) -> None:
    deep = '{"type": "assistant", "x": ' + "[" * 100_000 + "]" * 100_000 + "}"
    facts = read(tmp_path, init(), deep, result())
    assert [p.line for p in facts.problems] == [2]
    assert len(facts.results) == 1
    assert json.dumps(reasons(facts))


@pytest.mark.parametrize("depth", [500, 5_000, 50_000])
@pytest.mark.parametrize(
    "begun", ['{"type":"assistant","message":', '{"type":"result","usage":', '{"type":', "{"]
)
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_nested_line_that_never_closes_costs_that_line_only(
    tmp_path: Path, begun: str, opening: str, depth: int
) -> None:
    facts = read(tmp_path, init(), assistant("m1"), begun + opening * depth, assistant("m2"), result())
    assert {message.message_id for message in facts.messages} == {"m1", "m2"}
    assert len(facts.results) == 1
    assert [problem.line for problem in facts.problems] == [3]


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (['{"type":"init","session_id":"s","model":"m"}', '{"type":"message","role":"assistant"}'], "gemini"),
        (['{"type":"thread.started","thread_id":"s"}', '{"type":"turn.started"}'], "codex"),
    ],
)
def test_a_nested_line_that_never_closes_costs_that_line_only_in_every_dialect(
    tmp_path: Path, lines: list[str], kind: str
) -> None:
    begun, more = lines
    facts = read(tmp_path, begun, '{"type":"item.completed","item":' + "[" * 50_000, more)
    assert facts.format == kind
    assert [problem.line for problem in facts.problems] == [2]
