"""Incremental syncs read only changed files, and give the result of a full read."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from app.server.core.workflow_history import database, get_workflow_history, scanner, sync_workflow_history
from app.server.core.workflow_history.ingest import streams as streams_module
from app.server.core.workflow_history.ingest.runs.file_times import CONTRADICTED, FileTimeJudge, FileTimes
from app.server.core.workflow_history.ingest.streams import block_reader, read_stream, resume_stream
from app.server.core.workflow_history.ingest.streams.tool_result_fast_path import ToolResultMatcher
from app.server.core.workflow_history.pipeline import batches, parallel_read, read_run
from app.server.core.workflow_history.pipeline.workers import process_pool
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.similarity_store import SimilarityStore
from app.server.core.workflow_history.storage.tables.schema import (
    occurrences,
    patterns,
    problems,
    stream_checkpoints,
    workflows,
)
from app.server.tests.support.build import assistant, init, result, run, stream, tool_result, tool_use, usage
from app.server.tests.support.thoroughness import tries

HISTORYS_OWN = {"first_seen_at", "last_changed_at", "missing_since"}
"""What tells when a history saw something: two histories never agree on it."""


def compact(text: str) -> str:
    """Return a line as Claude Code writes it, without spaces."""
    return json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)


def answer(tool_id: str, text: str = "ok", **more: Any) -> str:
    """Return a tool's answer in the one shape that Claude Code writes."""
    block = {"tool_use_id": tool_id, "type": "tool_result", "content": text, **more}
    line = {"type": "user", "message": {"role": "user", "content": [block]}, "parent_tool_use_id": None}
    whole = {**line, "session_id": "s1", "uuid": "u1", "tool_use_result": {"stdout": text}}
    return json.dumps(whole, separators=(",", ":"), ensure_ascii=False)


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop" / "agents"
    folder.mkdir(parents=True)
    monkeypatch.setattr(scanner, "AGENTS_DIR", folder)
    return folder


def sync(**options: Any) -> dict[str, Any]:
    return sync_workflow_history(silent=True, **options)


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """Tell which streams are read, and from where."""
    places: list[str] = []
    original = block_reader.BlockReader.__iter__

    def noted(self: block_reader.BlockReader) -> Iterator[bytes]:
        places.append(f"from {self.start}")
        return original(self)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(block_reader.BlockReader, "__iter__", noted)
        yield places


def everything(path: Path) -> dict[str, Any]:
    """Return all that a history says, but for its own keys and times."""
    with History.open(path) as history:
        runs = history.read([ref.key for ref in history.list_refs()])
        with history._reading() as connection:
            found = select(workflows.c.id, patterns.c.kind, patterns.c.signature, occurrences)
            found = found.join(patterns, patterns.c.key == occurrences.c.pattern_key)
            found = found.join(workflows, workflows.c.key == occurrences.c.workflow_key)
            learnt = [
                {name: value for name, value in row._mapping.items() if not name.endswith("_key")}
                for row in connection.execute(found)
            ]
            wrong = select(problems.c.path, problems.c.line, problems.c.reason, problems.c.severity)
            rows = [tuple(row) for row in connection.execute(wrong)]
        assert history.check() == []
    return {
        "runs": {
            run["id"]: {key: value for key, value in run.items() if key not in HISTORYS_OWN}
            for run in runs.values()
        },
        "patterns": sorted(json.dumps(row, sort_keys=True, default=str) for row in learnt),
        "problems": sorted(rows, key=repr),
    }


def forget_what_was_read(path: Path) -> None:
    """Make the next sync read every run whole."""
    with History.open(path) as history, history._writing() as connection:
        connection.execute(update(workflows).values(fingerprint=None))
        connection.execute(delete(stream_checkpoints))


AGENTS = ("planner", "sdlc_implementor", "reviewer")
ACTIONS = (
    "grow",
    "grow",
    "grow",
    "half",
    "finish",
    "shrink",
    "replace",
    "delete stream",
    "delete run",
    "state",
    "touch",
)
HISTORIES = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(ACTIONS),
            st.sampled_from(["a", "b", "c", "d"]),
            st.sampled_from(AGENTS),
            st.integers(0, 3),
        ),
        max_size=5,
    ),
    min_size=1,
    max_size=5,
)


def act(agents: Path, what: tuple[str, str, str, int], step: int) -> None:
    """Do one thing to the folder that agents, retries, cleanups or people do."""
    action, run_id, agent, number = what
    folder = agents / run_id
    file = folder / agent / "raw_output.jsonl"
    if action == "delete run":
        shutil.rmtree(folder, ignore_errors=True)
    elif action == "state":
        status = ("completed", "failed", None, "running")[number]
        run(agents, run_id, {"nl_input": f"Add the {agent}s export", "status": status, "issue_number": step})
    elif action == "delete stream":
        file.unlink(missing_ok=True)
    elif action in ("grow", "half", "finish") and file.exists():
        with file.open("a") as opened:
            opened.write(_more(action, f"{run_id}{agent}{step}", number))
    elif action == "shrink" and file.exists():
        file.write_text("".join(file.read_text().splitlines(keepends=True)[: number + 1]))
    elif action == "touch" and file.exists():
        touched = file.stat().st_mtime_ns + 1_000_000  # not now: files written seconds apart are evidence
        os.utime(file, ns=(touched, touched))
    elif action in ("grow", "replace"):
        stream(
            folder,
            agent,
            init(f"{run_id}{agent}{step}"),
            assistant(f"m{step}", usage(input=10, output=number)),
        )


def _more(action: str, name: str, number: int) -> str:
    if action == "finish":
        return result(0.1 * (number + 1), session=name) + "\n"
    call = tool_use(f"t{name}", command="pytest -q" if number % 2 else "git status")
    said = compact(assistant(f"m{name}", usage(input=100, output=number), content=[call], session=name))
    if action == "half":
        return said[: 20 + number * 30]
    return f"{said}\n{answer(f't{name}', is_error=number == 3)}\n"


@tries(60, function_fixtures=True)
@given(HISTORIES)
def test_reading_only_what_changed_tells_the_same_as_reading_everything(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, steps: list[list[Any]]
) -> None:
    place = tmp_path_factory.mktemp("histories")
    agents = place / "agents"
    agents.mkdir()
    monkeypatch.setattr(streams_module, "MIN_SIZE", 1)  # every stream gets a bookmark
    lazy, whole = place / "lazy.db", place / "whole.db"
    for number, actions in enumerate(steps):
        for action in actions:
            act(agents, action, number)
        for path in (lazy, whole):
            monkeypatch.setattr(database, "DB_PATH", path)
            if path == whole:
                forget_what_was_read(path)
            done = sync(agents_dir=agents)
            assert done["failed"] == 0
        assert everything(lazy) == everything(whole)


class TestAStreamThatGrew:
    def write(self, folder: Path, *lines: str) -> Path:
        file = folder / "raw_output.jsonl"
        file.write_text("".join(f"{line}\n" for line in lines))
        return file

    def read(self, file: Path, mark: Any = None) -> Any:
        return resume_stream(file, "raw_output.jsonl", "planner", mark)

    @pytest.fixture(autouse=True)
    def any_length(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(streams_module, "MIN_SIZE", 1)

    def test_is_read_from_where_it_ended(self, tmp_path: Path) -> None:
        file = self.write(tmp_path, init(), assistant("m1", content=[tool_use("t1")]))
        size = file.stat().st_size
        mark = self.read(file).checkpoint
        with file.open("a") as opened:
            opened.write(f"{tool_result('t1', is_error=True)}\n{result()}\n")
        with opened_files() as places:
            again = self.read(file, mark)
        assert places == [f"from {size}"]
        assert again.facts == read_stream(file, "raw_output.jsonl", "planner")
        assert [call.failed for call in again.facts.tools] == [True]

    def test_has_its_half_written_line_read_when_it_is_whole(self, tmp_path: Path) -> None:
        file = self.write(tmp_path, init())
        with file.open("a") as opened:
            opened.write(assistant("m1")[:80])
        first = self.read(file)
        assert first.facts.is_truncated
        with file.open("a") as opened:
            opened.write(assistant("m1")[80:] + "\n")
        again = self.read(file, first.checkpoint)
        assert ([m.message_id for m in again.facts.messages], again.facts.problems) == (["m1"], ())
        assert again.facts == read_stream(file, "raw_output.jsonl", "planner")

    def test_counts_a_last_line_without_its_end_once(self, tmp_path: Path) -> None:
        file = self.write(tmp_path, init())
        with file.open("a") as opened:
            opened.write(result(0.5))
        first = self.read(file)
        with file.open("a") as opened:
            opened.write("\n" + assistant("m9") + "\n")
        again = self.read(file, first.checkpoint)
        assert len(first.facts.results) == len(again.facts.results) == 1
        assert again.facts == read_stream(file, "raw_output.jsonl", "planner")

    @pytest.mark.parametrize("how", ["shrank", "other first line", "other middle", "another file"])
    def test_or_did_something_else_is_read_from_the_start(self, tmp_path: Path, how: str) -> None:
        file = self.write(tmp_path, init(), assistant("m1"), assistant("m2"))
        mark = self.read(file).checkpoint
        lines = [init(), assistant("m1"), assistant("m2"), result()]
        if how == "shrank":
            lines = lines[:2]
        elif how == "other first line":
            lines[0] = init("other-session")
        elif how == "other middle":
            lines[2] = assistant("m3")
        else:
            file.rename(tmp_path / "keeps its inode")
        self.write(tmp_path, *lines)
        with opened_files() as places:
            again = self.read(file, mark)
        assert places[-1] == "from 0"
        assert again.facts == read_stream(file, "raw_output.jsonl", "planner")

    def test_leaves_no_bookmark_where_none_is_wanted_or_it_is_short(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = self.write(tmp_path, init(), result())
        assert resume_stream(file, "x", "planner", with_checkpoint=False).checkpoint is None
        monkeypatch.setattr(streams_module, "MIN_SIZE", 10_000)
        assert self.read(file).checkpoint is None

    def test_of_other_clis_too(self, tmp_path: Path) -> None:
        first = [json.dumps({"type": "thread.started", "thread_id": "t"})]
        spent = {"input_tokens": 50, "cached_input_tokens": 40, "output_tokens": 5}
        file = self.write(tmp_path, *first)
        mark = self.read(file).checkpoint
        self.write(tmp_path, *first, json.dumps({"type": "turn.completed", "usage": spent}))
        assert self.read(file, mark).facts == read_stream(file, "raw_output.jsonl", "planner")

    def test_is_read_on_by_the_sync_and_its_neighbours_are_not_read_at_all(self, agents: Path) -> None:
        folder = run(agents, "a1", {})
        stream(folder, "planner", init("s1"), result(0.5, session="s1"))
        grown = stream(folder, "builder", init("s2"), assistant("m1", usage(input=1000, output=1000)))
        sync()
        sizes = {file: file.stat().st_size for file in folder.rglob("*.jsonl")}
        with grown.open("a") as opened:
            opened.write(result(0.25, session="s2") + "\n")
        with opened_files() as places:
            sync()
        assert sorted(places) == sorted(f"from {size}" for size in sizes.values())
        assert get_workflow_history()["workflows"][0]["total_cost"] == 0.75


class TestLongLines:
    def test_are_read_without_being_held(self, tmp_path: Path) -> None:
        picture = "A" * (9 << 20)
        file = tmp_path / "raw_output.jsonl"
        said = assistant(
            "m1",
            usage(input=7, output=3),
            content=[tool_use("t1", command="ls"), {"type": "text", "text": picture}],
        )
        told = tool_result("t1", is_error=True, text=picture + ' "quoted" \\ é→ ' * 1000)
        file.write_text(f"{init()}\n{said}\n{told}\n{result()}\n")
        facts = read_stream(file, "raw_output.jsonl", "planner")
        assert facts is not None
        assert facts.problems == ()
        assert [(m.message_id, m.usage.input) for m in facts.messages] == [("m1", 7)]
        assert [(call.detail, call.failed) for call in facts.tools] == [("ls", True)]
        with file.open("rb", buffering=0) as handle:
            assert (
                max(len(block) for block in block_reader.BlockReader(handle, file.stat().st_size))
                < block_reader.LONG_LINE + 2 * block_reader.BLOCK_SIZE
            )

    def test_that_hold_no_string_are_named(self, tmp_path: Path) -> None:
        file = tmp_path / "raw_output.jsonl"
        file.write_text(f"{init()}\n[{'1,' * (5 << 20)}1]\n{result()}\n")
        facts = read_stream(file, "raw_output.jsonl", "planner")
        assert facts is not None
        assert [problem.line for problem in facts.problems] == [2]
        assert len(facts.results) == 1

    @given(
        st.recursive(
            st.none() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
        ),
        st.booleans(),
        st.randoms(),
    )
    def test_stay_what_they_are_in_whatever_pieces_they_come(
        self, value: Any, ascii_: bool, rng: random.Random
    ) -> None:
        try:
            raw = json.dumps(value, ensure_ascii=ascii_).encode()
        except UnicodeEncodeError:
            return
        line = block_reader.TruncatingLine()
        at = 0
        while at < len(raw):
            step = rng.randint(1, 7)
            line.feed(raw[at : at + step])
            at += step
        assert line.truncated() == raw

    @given(st.text(min_size=0, max_size=80), st.integers(1, 40), st.booleans(), st.randoms())
    def test_have_their_strings_cut_between_letters(
        self, text: str, kept: int, ascii_: bool, rng: random.Random
    ) -> None:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(block_reader, "MAX_STRING", kept + 4)  # so that the keys are kept
            try:
                raw = json.dumps({"key": 1, "text": text, "last": "x"}, ensure_ascii=ascii_).encode()
            except UnicodeEncodeError:
                return
            line = block_reader.TruncatingLine()
            at = 0
            while at < len(raw):
                step = rng.randint(1, 9)
                line.feed(raw[at : at + step])
                at += step
        found = json.loads(line.truncated())
        # Of a letter that JSON writes as two escapes, one may be left: the parser's careful way takes it.
        whole = "".join(letter for letter in found["text"] if not "\ud800" <= letter <= "\udfff")
        assert text.startswith(whole)
        assert found["key"] == 1


class TestPlainAnswers:
    @given(
        st.text(max_size=60),
        st.sampled_from([{}, {"is_error": True}, {"is_error": False}]),
        st.sampled_from([None, "quoted", "two", "later", "nested"]),
    )
    def test_say_what_parsing_says(self, text: str, error: dict[str, bool], odd: str | None) -> None:
        try:
            line = answer("t1", text + (answer("t9", is_error=True) if odd == "quoted" else ""), **error)
            line.encode()
        except UnicodeEncodeError:
            return
        record = json.loads(line)
        blocks_ = record["message"]["content"]
        if odd == "two":
            blocks_.append({"tool_use_id": "t2", "type": "tool_result", "content": "x", "is_error": True})
        elif odd == "later":
            blocks_[0]["note"] = "x"
        elif odd == "nested":
            record["tool_use_result"] = {"is_error": True, "tool_use_id": "t7"}
        raw = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
        found = ToolResultMatcher().match(raw, 0, len(raw))
        if odd == "two" or (odd == "later" and error):
            assert found is None
        elif found is not None:
            assert found == ("t1", bool(blocks_[0].get("is_error")))
        if odd in (None, "quoted"):
            assert found is not None, "the usual shape is taken without parsing"

    def test_of_a_line_that_runs_into_the_next_are_left_to_the_parser(self) -> None:
        cut = answer("t1", "x" * 50)[:110]
        for following in (compact(assistant("m1")), answer("t2")):
            raw = (cut + following).encode()
            assert ToolResultMatcher().match(raw, 0, len(raw)) is None


class TestCopies:
    @given(
        st.lists(st.tuples(st.integers(0, 400), st.integers(0, 100)), max_size=8),
        st.integers(0, 400),
        st.integers(0, 100),
    )
    def test_are_told_as_by_looking_at_each_span(
        self, spans: list[tuple[int, int]], first: int, length: int
    ) -> None:
        second = 10**9
        known = [(start * second, (start + long) * second) for start, long in spans]
        mine = first * second, (first + length) * second
        slack = 30 * second
        expected = any(a - slack <= mine[0] and mine[1] <= b + slack for a, b in known)
        around = FileTimeJudge(FileTimes(CONTRADICTED, first, last) for first, last in known)
        assert around.was_copied(*mine) == expected

    def run_in_a_copied_tree(self, agents: Path, run_id: str, minutes: int | None) -> None:
        folder = run(agents, run_id, {"status": "completed"})
        lasted = {} if minutes is None else {"duration_ms": minutes * 60_000}
        stream(folder, "planner", init(run_id), result(0.1, session=run_id, **lasted))
        for file in folder.rglob("*"):
            os.utime(file, (1_790_000_000, 1_790_000_000))

    def test_that_show_only_later_take_derived_times_back(self, agents: Path) -> None:
        self.run_in_a_copied_tree(agents, "short", None)
        sync()
        assert get_workflow_history()["workflows"][0]["times_basis"] == "derived"
        self.run_in_a_copied_tree(agents, "long", 30)
        sync()
        found = {row["id"]: row for row in get_workflow_history()["workflows"]}
        assert [found[name]["created_at"] for name in ("short", "long")] == [None, None]
        assert found["short"]["times_source"] is None
        assert all(part["timestamp"] is None for part in found["short"]["phase_costs"])
        assert sync()["unchanged"] == 2

    def test_of_one_first_sync_have_no_derived_times_either(self, agents: Path) -> None:
        self.run_in_a_copied_tree(agents, "a", None)
        self.run_in_a_copied_tree(agents, "b", 30)
        done = sync()
        assert (done["inserted"], done["updated"], done["unchanged"]) == (2, 0, 0)
        assert [row["created_at"] for row in get_workflow_history()["workflows"]] == [None, None]


class TestBatches:
    def fill(self, agents: Path, runs: int = 9) -> None:
        for number in range(runs):
            name = f"run{number}"
            call = tool_use(f"t{number}", command="pytest -q")
            folder = run(
                agents, name, {"status": "completed", "nl_input": f"Add the export of part {number % 3}"}
            )
            stream(folder, "planner", init(name), assistant(name, content=[call]), result(0.1, session=name))
            for file in folder.rglob("*"):
                os.utime(file, (1_790_000_000 + number * 600, 1_790_000_000 + number * 600))

    def test_of_several_processes_bring_what_one_brings(
        self, agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.fill(agents)
        monkeypatch.setattr(database, "DB_PATH", tmp_path / "one.db")
        sync()
        monkeypatch.setattr(database, "DB_PATH", tmp_path / "several.db")
        monkeypatch.setattr(process_pool, "MIN_PARALLEL_SECONDS", -1.0)
        monkeypatch.setattr(parallel_read, "RUNS_PER_TASK", 2)
        monkeypatch.setattr(process_pool, "can_fork", lambda: hasattr(os, "fork"))
        sync()
        assert everything(tmp_path / "several.db") == everything(tmp_path / "one.db")

    @pytest.mark.parametrize("batch", [1, 2, 3, 5], ids="killed in batch {}".format)
    def test_that_were_stored_before_a_kill_stay_and_the_next_sync_does_the_rest(
        self, agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
    ) -> None:
        self.fill(agents)
        monkeypatch.setattr(database, "DB_PATH", tmp_path / "undisturbed.db")
        sync()
        monkeypatch.setattr(database, "DB_PATH", tmp_path / "killed.db")
        monkeypatch.setattr(batches, "MAX_BATCH_RUNS", 2)
        monkeypatch.setattr(parallel_read, "RUNS_PER_TASK", 2)
        original = History.save_pattern_rows
        calls: list[int] = []

        def killed(self: History, found: Any, **options: Any) -> None:
            calls.append(len(found))
            if len(calls) == batch:
                raise KeyboardInterrupt
            original(self, found, **options)

        with monkeypatch.context() as patched:
            patched.setattr(History, "save_pattern_rows", killed)
            with pytest.raises(KeyboardInterrupt):
                sync()
        stored = 2 * (batch - 1)
        found = get_workflow_history()
        assert found["total"] == stored
        assert [run["similar_workflows"] for run in found["workflows"]] == [[]] * stored  # not compared yet
        done = sync()
        assert (done["unchanged"], done["inserted"]) == (stored, 9 - stored)
        assert everything(tmp_path / "killed.db") == everything(tmp_path / "undisturbed.db")

    def test_go_on_when_a_reading_process_is_killed(
        self, agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.fill(agents, 30)
        monkeypatch.setattr(database, "DB_PATH", tmp_path / "undisturbed.db")
        sync()
        monkeypatch.setattr(database, "DB_PATH", tmp_path / "killed.db")
        monkeypatch.setattr(process_pool, "MIN_PARALLEL_SECONDS", -1.0)
        monkeypatch.setattr(parallel_read, "RUNS_PER_TASK", 2)
        monkeypatch.setattr(process_pool, "can_fork", lambda: hasattr(os, "fork"))
        parent, original = os.getpid(), read_run._phase_1_read

        def killed_in_a_child(task: Any, order: Any) -> Any:
            if os.getpid() != parent and order.folder.id == "run4":
                os.kill(os.getpid(), signal.SIGKILL)
            return original(task, order)

        monkeypatch.setattr(read_run, "_phase_1_read", killed_in_a_child)
        assert sync()["inserted"] == 30
        assert everything(tmp_path / "killed.db") == everything(tmp_path / "undisturbed.db")

    def test_write_each_list_once(self, agents: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fill(agents)
        monkeypatch.setattr(batches, "MAX_BATCH_RUNS", 2)
        monkeypatch.setattr(parallel_read, "RUNS_PER_TASK", 2)
        written: list[int] = []
        original = SimilarityStore.save

        def noted(self: SimilarityStore, *given: Any) -> None:
            written.extend(given[3])  # the keys of the runs whose lists are not as stored
            original(self, *given)

        monkeypatch.setattr(SimilarityStore, "save", noted)
        sync()
        assert len(written) == len(set(written)) == 9

    def test_name_a_problem_once_though_another_sync_stored_the_run_meanwhile(
        self, agents: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stream(run(agents, "a1", {"status": "completed"}), "planner", init(), assistant("m1")[:60])
        first = sync()
        with monkeypatch.context() as patched:
            patched.setattr(History, "stored_runs", lambda *_: {})  # as they were when this sync began
            sync()
        assert sync()["errors"] == first["errors"]


def test_a_run_whose_files_raise_something_unforeseen_costs_nobody_elses_data(
    agents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bad", "good"):
        stream(run(agents, name, {"status": "completed"}), "planner", init(name), result(0.5, session=name))
    original = read_run.build_run

    def describe(facts: Any, *given: Any, **options: Any) -> Any:
        if facts.id == "bad":
            raise AttributeError("something unforeseen")
        return original(facts, *given, **options)

    with monkeypatch.context() as patched:
        patched.setattr(read_run, "build_run", describe)
        done = sync()
    assert (done["inserted"], done["failed"]) == (1, 1)
    assert [(error["id"], "something unforeseen" in error["reason"]) for error in done["errors"]] == [
        ("bad", True)
    ]
    assert sync()["inserted"] == 1
