"""Transcripts stored as .json: arrays and result objects; other JSON files are ignored."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.server.core.workflow_history import database, sync_workflow_history
from app.server.core.workflow_history.common.models import StreamFacts
from app.server.core.workflow_history.ingest import files as places
from app.server.core.workflow_history.ingest.streams import identity_of, read_stream
from app.server.core.workflow_history.ingest.streams.elements import Elements
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.tests.support.build import (
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
)

GEMINI = [
    line(type="init", session_id="g", model="gemini-2.5-pro", timestamp="2026-01-02T03:04:05Z"),
    line(type="tool_use", tool_name="run_shell_command", tool_id="t", parameters={"command": "ls"}),
    line(type="tool_result", tool_id="t", status="error"),
    line(type="result", status="success", stats={"input_tokens": 9, "output_tokens": 2, "duration_ms": 5}),
]
CODEX = [
    line(type="thread.started", thread_id="t"),
    line(
        type="item.completed", item={"id": "i", "type": "command_execution", "command": "ls", "exit_code": 1}
    ),
    line(type="turn.completed", usage={"input_tokens": 50, "cached_input_tokens": 40, "output_tokens": 5}),
]
NATIVE = [
    *(line(type="file-history-snapshot", messageId=f"m{number}") for number in range(300)),
    line(
        parentUuid=None, sessionId="n", type="assistant", timestamp="2026-01-02T03:04:05.000Z",
        message={"id": "m", "model": SONNET, "stop_reason": "end_turn", "usage": usage(output=9)},
    ),
]  # fmt: skip
CLAUDE = [
    init(),
    assistant("m1", usage(input=5, output=7), content=[tool_use("t1", command='echo "a" {[,\\ ]}')]),
    tool_result("t1", text='he said "},{" and [{"type":"result"}]', is_error=True),
    assistant("m2"),
    result(0.25),
]


def compact(lines: list[str]) -> str:
    return "[" + ",".join(lines) + "]"


def indented(lines: list[str]) -> str:
    return json.dumps([json.loads(text) for text in lines], indent=2)


def line_by_line(lines: list[str]) -> str:
    return "[\r\n" + ",\r\n".join(lines) + "\r\n]\r\n"


def one_after_the_other(lines: list[str]) -> str:
    return "\n".join(json.dumps(json.loads(text), indent=4) for text in lines)


FORMS: list[Callable[[list[str]], str]] = [compact, indented, line_by_line, one_after_the_other]


def facts_of(file: Path, content: str | bytes) -> StreamFacts | None:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_stream(file, file.name, "planner")


def told(facts: StreamFacts | None) -> dict[str, Any]:
    """Return what a stream says, without where in the file it says it."""
    assert facts is not None
    return {
        "format": facts.format,
        "sessions": facts.session_ids,
        "model": facts.model,
        "times": (facts.started_at, facts.ended_at),
        "cut": facts.is_truncated,
        "tools": [(call.tool, call.detail, call.failed) for call in facts.tools],
        "messages": [(m.message_id, m.model, m.usage, m.is_final, m.timestamp) for m in facts.messages],
        "results": [
            (r.total_cost, r.models, r.duration_ms, r.turns, r.is_error, r.text, r.uuid)
            for r in facts.results
        ],
        "problems": [problem.reason for problem in facts.problems],
    }


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "lines", [CLAUDE, NATIVE, GEMINI, CODEX], ids=["claude", "native", "gemini", "codex"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_stream_says_the_same_as_jsonl_and_as_json(
    tmp_path: Path, lines: list[str], form: Callable[[list[str]], str], encoding: str
) -> None:
    plain = facts_of(tmp_path / "plain.jsonl", "\n".join(lines) + "\n")
    assert told(facts_of(tmp_path / "raw_output.json", form(lines).encode(encoding))) == told(plain)


@pytest.mark.parametrize("before", ["", "Loaded cached credentials."], ids=["alone", "after text"])
@pytest.mark.parametrize("per_line", [99, 2], ids=["all on one line", "two on a line"])
@pytest.mark.parametrize(
    "lines", [CLAUDE, NATIVE, GEMINI, CODEX], ids=["claude", "native", "gemini", "codex"]
)
def test_records_without_line_ends_between_them_are_read_one_after_the_other(
    tmp_path: Path, lines: list[str], per_line: int, before: str
) -> None:
    plain = told(facts_of(tmp_path / "plain.jsonl", "\n".join(lines) + "\n"))
    joined = ["".join(lines[at : at + per_line]) for at in range(0, len(lines), per_line)]
    if len(lines) % per_line == 1:  # the last one alone would be a line
        joined[-2:] = ["".join(joined[-2:])]
    file = tmp_path / "raw_output.jsonl"
    facts = facts_of(file, before + "\n".join(joined) + "\n")
    found = told(facts)
    reason = "its records are not on lines of their own; each is numbered as a line"
    assert found.pop("problems") == [*plain.pop("problems"), reason]
    assert found == plain
    assert facts.lost_line == 0
    assert identity_of(file, "raw_output.jsonl") == facts.identity


def test_a_run_of_records_that_stand_on_one_line_is_stored_with_its_cost(tmp_path: Path) -> None:
    agents, usual = tmp_path / "shop" / "agents", tmp_path / "usual" / "agents"
    for name, lines in {"claude01": CLAUDE, "gemini01": GEMINI, "native01": NATIVE}.items():
        stream(run(agents, name), "planner", "".join(lines))
        stream(run(usual, name), "planner", *lines)
    done = sync_workflow_history(silent=True, agents_dir=agents)
    assert (done["failed"], done["skipped"]) == (0, 0)
    stored = {run["id"]: run for run in database.get_workflow_history(limit=10)["workflows"]}
    assert {name: (run["total_cost"], run["cost_basis"]) for name, run in stored.items()} == {
        "claude01": (0.25, "reported"),
        "gemini01": (0.00003125, "computed"),  # 9 x $1.25 and 2 x $10 a million
        "native01": (0.000135, "computed"),  # 9 x $15 a million
    }
    assert folder_costs(agents)["by"] == folder_costs(usual)["by"]


def test_records_on_one_line_of_which_the_last_is_cut_off_keep_the_others(tmp_path: Path) -> None:
    text = "".join([init(), assistant("m1"), assistant("m2")])
    facts = facts_of(tmp_path / "raw_output.jsonl", text[:-20])
    assert ([message.message_id for message in facts.messages], facts.is_truncated) == (["m1"], True)


def test_a_line_of_records_that_grows_stays_the_same_attempt(tmp_path: Path) -> None:
    file = tmp_path / "raw_output.jsonl"
    first = facts_of(file, "".join([init(), assistant("m1")]) + "\n")
    assert facts_of(file, "".join([init(), assistant("m1"), result()]) + "\n").identity == first.identity


def test_megabytes_of_records_on_one_line_are_all_read(tmp_path: Path) -> None:
    said = [assistant(f"m{n}", content=[tool_use(f"t{n}", command="x" * 9_000)]) for n in range(1_200)]
    facts = facts_of(tmp_path / "raw_output.jsonl", "".join([init(), *said, result()]))
    assert (len(facts.messages), len(facts.results)) == (1_200, 1)


_TEXT = st.text(alphabet=st.sampled_from('ab"\\{}[],: \n\u00e9\U0001f600\x01'), max_size=30)


def _call(number: int, text: str) -> str:
    return assistant(f"m{number}", content=[tool_use(f"t{number}", command=text)])


def _answer(number: int, text: str, is_error: bool) -> str:
    return tool_result(f"t{number}", text=text, is_error=is_error)


_LINES = st.lists(
    st.one_of(
        st.builds(_call, st.integers(0, 5), _TEXT),
        st.builds(_answer, st.integers(0, 5), _TEXT, st.booleans()),
        st.builds(lambda cents: result(cents / 100), st.integers(0, 500)),
        st.builds(lambda text: line(type="system", subtype="note", session_id="session-1", text=text), _TEXT),
    ),
    max_size=12,
)  # fmt: skip


@given(lines=_LINES, form=st.sampled_from(FORMS))
@settings(deadline=None)
def test_any_stream_says_the_same_as_jsonl_and_as_json(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], form: Callable[[list[str]], str]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    lines = [init(), *lines, result(5.5)]
    plain = facts_of(folder / "plain.jsonl", "\n".join(lines) + "\n")
    assert told(facts_of(folder / "raw_output.json", form(lines))) == told(plain)


@given(data=st.data(), form=st.sampled_from(FORMS), size=st.sampled_from([1, 7, 300, 1 << 20]))
@settings(deadline=None)
def test_a_changed_byte_costs_one_object_of_an_array_at_most(
    data: st.DataObject, form: Callable[[list[str]], str], size: int
) -> None:
    lines = [
        init(),
        *(assistant(f"m{n}", content=[tool_use(f"t{n}", command='x "y"')]) for n in range(4)),
        result(),
    ]
    whole = [json.loads(text) for text in lines]
    raw = bytearray(form(lines).encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.sampled_from(b'"{}[],\\:x1 \n'))
    pieces = (bytes(raw[start : start + size]) for start in range(0, len(raw), size))
    found = []
    for _, text in Elements(pieces):
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    assert sum(each not in found for each in whole) <= 1


def test_places_are_lines_of_the_file_where_each_object_begins_its_own(tmp_path: Path) -> None:
    text = line_by_line([init(), "nonsense", result()])
    facts = facts_of(tmp_path / "raw_output.json", text)
    assert facts is not None
    assert [problem.line for problem in facts.problems] == [3]
    assert [segment.line for segment in facts.results] == [4]
    facts = facts_of(tmp_path / "raw_output.json", indented(CLAUDE))
    assert facts is not None
    (segment,) = facts.results
    assert indented(CLAUDE).splitlines()[segment.line - 1] == "  {"
    facts = facts_of(tmp_path / "raw_output.json", compact(CLAUDE))
    assert facts is not None
    assert [segment.line for segment in facts.results] == [5]


@pytest.mark.parametrize("form", [compact, indented, line_by_line])
def test_an_array_that_is_cut_off_keeps_its_whole_objects(
    tmp_path: Path, form: Callable[[list[str]], str]
) -> None:
    text = form(CLAUDE)
    for end in (len(text) - 3, text.rindex('"result"')):
        facts = facts_of(tmp_path / "raw_output.json", text[:end])
        assert facts is not None
        assert facts.is_truncated
        assert [message.message_id for message in facts.messages] == ["m1", "m2"]
        assert [problem.reason for problem in facts.problems] == ["the file is cut off"]


@pytest.mark.parametrize(
    "content",
    [
        '{"name": "shop", "type": "module", "version": "1.0.0"}',
        '[{"type": "user", "message": "Hello"}, {"type": "assistant", "message": "Hi"}]',
        '[{"type": "message", "role": "user", "content": "Hello"}]',
        '{"type": "message", "role": "assistant", "id": "msg_1", "usage": {"input_tokens": 1}}',
        '{"type": "system", "subtype": "init", "session_id": "s"}',
        '{"type": "FeatureCollection", "features": [{"type": "Feature"}]}',
        '[{"type": "result", "value": 1}]',
        '"type"', "[]", "{}", "", "  ", "[[", "\x00\x01", "nonsense",
    ],
)  # fmt: skip
def test_other_json_files_are_no_streams_and_are_not_named(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "shop" / "agents"
    stream(run(folder, "a1b2c3d4", {"adw_id": "a1b2c3d4"}), "planner", init(), result(0.5))
    (folder / "a1b2c3d4" / "planner" / "screens.json").write_text(content)
    (folder / "only" / "deep").mkdir(parents=True)
    (folder / "only" / "deep" / "package.json").write_text(content)
    (folder / "loose.json").write_text(content)
    done = sync_workflow_history(silent=True, agents_dir=folder)
    assert (done["inserted"], done["failed"], done["errors"]) == (1, 0, [])
    assert [left["path"] for left in done["skipped_paths"]] == ["only"]


class TestARun:
    @pytest.fixture
    def agents(self, tmp_path: Path) -> Path:
        return tmp_path / "shop" / "agents"

    def test_of_a_single_result_costs_what_it_says(self, agents: Path) -> None:
        for name, text in (
            ("compact", result(0.5, session="s1")),
            ("pretty", json.dumps(json.loads(result(0.5, session="s2")), indent=2)),
        ):
            home = run(agents, name, {"adw_id": name})
            (home / "planner").mkdir()
            (home / "planner" / "output.json").write_text(text)
        done = sync_workflow_history(silent=True, agents_dir=agents)
        assert (done["inserted"], done["errors"]) == (2, [])
        for name in ("compact", "pretty"):
            found = database.load_workflow(name)
            assert found is not None
            assert (found["total_cost"], found["cost_basis"]) == (0.5, "reported")
            assert [agent["agent"] for agent in found["phase_costs"]] == ["planner"]

    def test_of_githubs_action_is_a_run_without_a_state(self, agents: Path) -> None:
        run(agents, "job-17", None)
        (agents / "job-17" / "claude-execution-output.json").write_text(indented(CLAUDE))
        (agents / "a1b2c3d5.json").write_text(compact([init("loose"), result(0.75, session="loose")]))
        done = sync_workflow_history(silent=True, agents_dir=agents)
        assert (done["inserted"], done["total_cost"]) == (2, 1.0)
        assert database.load_workflow("a1b2c3d5") is not None

    def test_counts_a_stream_and_its_copies_once(self, agents: Path) -> None:
        home = run(agents, "a1b2c3d4", {"adw_id": "a1b2c3d4"})
        stream(home, "planner", *CLAUDE)
        (home / "planner" / "raw_output.json").write_text("not read: its stream is beside it")
        (home / "planner" / "cc_final_object.json").write_text(CLAUDE[-1])
        (home / "copy.json").write_text(compact(CLAUDE))
        done = sync_workflow_history(silent=True, agents_dir=agents)
        assert (done["total_cost"], done["errors"]) == (0.25, [])
        assert folder_costs(agents)["recorded_cost"] == 0.25
        found = database.load_workflow("a1b2c3d4")
        assert found is not None
        assert [agent["agent"] for agent in found["phase_costs"]] == ["planner"]

    def test_opens_no_json_file_that_did_not_change(
        self, agents: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home = run(agents, "a1b2c3d4", {"adw_id": "a1b2c3d4"})
        (home / "raw_output.json").write_text(compact(CLAUDE))
        (home / "package.json").write_text("{}")
        sync_workflow_history(silent=True, agents_dir=agents)
        opened: list[str] = []
        monkeypatch.setattr(places, "open_no_follow", opened.append)
        again = sync_workflow_history(silent=True, agents_dir=agents)
        assert (again["unchanged"], opened) == (1, [])

    def test_dates_from_its_streams_and_not_from_other_json_files(self, agents: Path) -> None:
        import os  # noqa: PLC0415 - here alone

        for name, other in (("a1b2c3d4", False), ("a1b2c3d5", True)):
            home = run(agents, name, {"adw_id": name})
            (home / "raw_output.json").write_text(compact([init(name), result(0.5, session=name)]))
            files = [(home / "adw_state.json", 0), (home / "raw_output.json", 300)]
            if other:
                (home / "package.json").write_text("{}")
                files.append((home / "package.json", 90_000))
            for file, seconds in files:
                os.utime(file, (1_770_000_000 + seconds, 1_770_000_000 + seconds))
        sync_workflow_history(silent=True, agents_dir=agents)
        one, two = (database.load_workflow(name) for name in ("a1b2c3d4", "a1b2c3d5"))
        assert one is not None
        assert two is not None
        assert one["duration_seconds"] == two["duration_seconds"] != 90_000


@pytest.mark.parametrize(
    "inside",
    [
        b" ",
        b"\n",
        b"[",
        b"{",
        b'{"a":',
        b'"x",',
        b'"',
        b"\\",
        b",{",
        b',{"',
        b"x",
        b"]",
        b"\x00",
    ],
)
def test_megabytes_of_anything_in_an_array_are_read_in_bounded_memory(tmp_path: Path, inside: bytes) -> None:
    file = tmp_path / "raw_output.json"
    begin, end = f"[{init()},".encode(), f",\n{result(0.5)}]".encode()
    file.write_bytes(begin + inside * ((5 << 20) // len(inside)) + end)
    tracemalloc.start()
    facts = read_stream(file, "raw_output.json", "planner")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 25 << 20
    assert facts is not None
    if inside == b',{"':  # too much is damaged
        assert facts.is_truncated
    else:
        assert [float(segment.total_cost or 0) for segment in facts.results] == [0.5]


def test_a_result_of_many_megabytes_is_read_in_bounded_memory(tmp_path: Path) -> None:
    file = tmp_path / "output.json"
    file.write_text(result(0.5, result="x\\n" * (5 << 20)))
    tracemalloc.start()
    facts = read_stream(file, "output.json", "planner")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 25 << 20
    assert facts is not None
    assert len(facts.results[0].text) == 2000


def test_elements_are_the_same_however_the_file_comes_in_pieces() -> None:
    raw = indented(CLAUDE).encode()
    chance = random.Random(1)
    for _ in range(50):
        cuts = sorted(chance.sample(range(len(raw)), 40))
        pieces = (raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True))
        assert [json.loads(text) for _, text in Elements(pieces)] == json.loads(raw)
