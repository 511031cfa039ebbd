"""Errors that fuzzing found stay fixed, and every fuzz target runs."""

from __future__ import annotations

import base64
import importlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.server.core.workflow_history import database
from app.server.core.workflow_history.analysis.similarity.request_parser import parse_request
from app.server.core.workflow_history.common.errors import (
    ConfigError,
    InvalidQueryError,
    PriceUnknownError,
    WorkflowHistoryError,
)
from app.server.core.workflow_history.common.filter_options import parse_recent
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.common.formatting.text import sanitize, truncate_middle
from app.server.core.workflow_history.common.models import ResultLine
from app.server.core.workflow_history.costs.accounting.reported_totals import group_by_process
from app.server.core.workflow_history.costs.pricing.model_lookup import find_model
from app.server.core.workflow_history.ingest.runs.request_text import words_from_slug
from app.server.core.workflow_history.ingest.streams import read_result_lines, read_stream
from app.server.core.workflow_history.queries.list_runs import find_runs
from app.server.core.workflow_history.queries.settings_file import read_config
from app.server.core.workflow_history.queries.statistics import run_statistics
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.reading.page_query import query_fingerprint
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support.build import assistant, init, line, prompt, result, run, stream, usage
from app.server.tests.support.thoroughness import examples
from fuzz.targets import TARGETS

SECONDS = 5.0  # of the processor, that nothing here may take
LONG = 400_000  # characters of one text


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "agents"
    good = run(folder, "good", {"adw_id": "good", "nl_input": "Add an export"})
    stream(good, "planner", init(), assistant("m1"), result(0.5))
    return folder


def synced(agents: Path) -> dict[str, Any]:
    """Sync, and hold that the good run is stored as ever and the history whole."""
    done = sync_workflow_history(silent=True, agents_dir=agents)
    good = database.load_workflow("good")
    assert good is not None
    assert (good["nl_input"], good["total_cost"]) == ("Add an export", 0.5)
    assert database.check() == []
    return done


def soon(work: Callable[[], Any]) -> Any:
    """Return what work gives, within the time that hostile text may take."""
    begun = time.process_time()
    found = work()
    assert time.process_time() - begun < SECONDS
    return found


class TestFuzzers:
    """Each target of `python -m fuzz`, with inputs of chance; atheris is not needed for that."""

    @pytest.fixture
    def target(
        self,
        request: pytest.FixtureRequest,
        tmp_path_factory: pytest.TempPathFactory,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Callable[[bytes], None]:
        for name in (
            "HOME",
            "XDG_DATA_HOME",
            "XDG_CONFIG_HOME",
            "XDG_CACHE_HOME",
            "WORKFLOW_HISTORY_DB",
            "WORKFLOW_HISTORY_CONFIG",
        ):
            monkeypatch.setenv(name, "")  # put back in the end, whatever the target sets
        made = importlib.import_module(f"fuzz.targets.{request.param}").made
        prepared: Callable[[bytes], None] = made(tmp_path_factory.mktemp(request.param))
        return prepared

    @pytest.mark.parametrize("target", TARGETS, indirect=True)
    def test_whatever_comes_in_nothing_that_must_not_happen_comes_out(
        self, target: Callable[[bytes], None]
    ) -> None:
        @settings(
            max_examples=examples(5),
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.binary(min_size=40, max_size=400))
        def once(data: bytes) -> None:
            target(data)

        once()

    def test_a_fuzzer_says_what_it_needs_and_what_there_is(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "fuzz", "--help"], capture_output=True, text=True, check=True
        )
        assert all(name in done.stdout for name in TARGETS)


class TestTime:
    """Texts that made a pattern look at every place of every other place."""

    @pytest.mark.parametrize("text", ["\x90" * LONG, "\x1b]" * LONG, "\x9d\x98" * LONG, "\x1b[" + "0" * LONG])
    def test_controls_without_an_end_are_taken_out_in_one_pass(self, text: str) -> None:
        assert not set(soon(lambda: sanitize(text))) & set("\x1b\x90\x98\x9d")

    def test_a_string_of_controls_is_still_taken_out_whole(self) -> None:
        assert sanitize("a\x9dtitle\x9cb\x1b]0;title\x07c\x90q\x9cd") == "abcd"

    def test_a_long_path_is_cut_in_its_middle_as_a_short_one(self) -> None:
        assert soon(lambda: truncate_middle("中/" * 20_000 + "end.jsonl", 24)) == "中/中/…/中/中/end.jsonl"

    @pytest.mark.parametrize("name", ["a.md" * LONG, "feature/" + "specs/" * LONG, "adw-1-" * LONG])
    def test_a_branch_of_a_million_letters_is_none(self, name: str) -> None:
        soon(lambda: words_from_slug(name))

    @pytest.mark.parametrize("unit", ["-20260101", "deadbeef-", "```\n", "<a ", "/a "])
    def test_a_request_of_ids_alone_is_read(self, unit: str) -> None:
        soon(lambda: parse_request(unit * (LONG // len(unit))))

    def test_a_model_with_a_name_of_megabytes_has_no_price(self) -> None:
        with pytest.raises(PriceUnknownError, match="400,000 characters"):
            soon(lambda: find_model("é" * LONG))

    @pytest.mark.parametrize("inside", ["} " * LONG, "}" + "a" * LONG, "}" + "a " * LONG])
    def test_a_prompt_whose_issue_never_ends_is_read_and_named(self, agents: Path, inside: str) -> None:
        folder = run(agents, "bad", {})
        prompt(folder, "sdlc_planner", '/feature 1 {"number"' + inside + " a b c d e f g")
        done = soon(lambda: synced(agents))
        assert "the issue in it is incomplete JSON" in {error["reason"] for error in done["errors"]}

    @pytest.mark.parametrize(
        ("after", "broken"), [("", False), (" a1b2c3d4 specs/x.md 1 2", False), (" a b c d e", True)]
    )
    def test_ids_may_stand_after_an_issue_and_a_sentence_may_not(
        self, agents: Path, after: str, broken: bool
    ) -> None:
        folder = run(agents, "bad", {})
        prompt(folder, "sdlc_planner", f'/feature 1 {{"number": 1, "title": "x"}}{after}')
        reasons = {error["reason"] for error in synced(agents)["errors"]}
        assert ("the issue in it is incomplete JSON" in reasons) is broken

    def test_a_stream_of_tens_of_thousands_of_results_is_added_up(self) -> None:
        every = [ResultLine(line=n, total_cost=Decimal(n)) for n in range(40_000)]
        assert len(soon(lambda: group_by_process(every))) == 1

    @pytest.mark.parametrize("part", [b"\n", b" \r\n", b"x\n"], ids=["blank", "spaces", "garbled"])
    def test_many_megabytes_of_lines_that_say_nothing_are_passed_over(
        self, tmp_path: Path, part: bytes
    ) -> None:
        file = stream(tmp_path, "", init(), result(0.25, uuid="u1"))
        begin, end = file.read_bytes().splitlines(keepends=True)
        lines = (24 << 20) // len(part)
        file.write_bytes(begin + part * lines + end)
        for read in (read_stream, read_result_lines):
            facts = soon(lambda read=read: read(file, "a", "planner"))
            assert facts.lines == facts.results[0].line == lines + 2
            assert len(facts.problems) == (20 if part == b"x\n" else 0)


class TestMemory:
    """Lines that are larger than what may be held of them."""

    @pytest.mark.parametrize(
        "part",
        [b"[", b'{"a":', b',"a":1', b"9", b'"a",', b"\\\\", b"\x00"],
        ids=["lists", "objects", "keys", "digits", "strings", "backslashes", "NULs"],
    )
    def test_a_line_of_many_megabytes_is_named_and_costs_no_other(self, agents: Path, part: bytes) -> None:
        file = stream(run(agents, "bad", {}), "planner", init(), result(0.25))
        begin, end = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(
            begin + b'{"type":"assistant","message":' + part * ((24 << 20) // len(part)) + b"\n" + end
        )
        code = (
            "import resource, sys\n"
            "from app.server.core.workflow_history.ingest.streams import read_stream\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "facts = read_stream(sys.argv[1], 'a', 'planner')\n"
            "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before\n"
            "print(grown // 1024, facts.results[0].total_cost, [p.line for p in facts.problems][:1])\n"
        )
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True
        )
        grown, cost, lines = done.stdout.split()
        assert int(grown) < 100, f"{grown} MB"
        assert (cost, lines) == ("0.25", "[2]")


class TestNames:
    """Names and ids that end up in paths, SQL and messages."""

    def test_a_project_whose_name_is_no_utf8_is_stored_and_found(self, tmp_path: Path) -> None:
        folder = tmp_path / "caf\udce9\nshop" / "agents"
        stream(run(folder, "a1", {"adw_id": "a1"}), "planner", init(), result(0.5))
        done = sync_workflow_history(silent=True, agents_dir=folder)
        again = sync_workflow_history(silent=True, agents_dir=folder)
        assert (done["inserted"], again["unchanged"]) == (1, 1)
        assert [r["project"] for r in find_runs(RunFilter(project=("caf\\xe9\nshop",))).workflows] == [
            "caf\\xe9\nshop"
        ]

    @pytest.mark.parametrize("project", ["\ud800", "a\x00b", "' OR 1=1 --", "../..", "%", "x" * 5000])
    def test_a_project_may_be_called_anything(self, agents: Path, project: str) -> None:
        for _ in range(2):
            done = sync_workflow_history(silent=True, agents_dir=agents, project=project)
        assert done["unchanged"] == 1

    @pytest.mark.parametrize(
        "reference", ["/" * 50_000, "a/" * 3000, "x" * 50_000, "\x00", "\ud800", "%", "' OR 1=1 --"]
    )
    def test_a_reference_of_any_length_names_nothing(self, agents: Path, reference: str) -> None:
        synced(agents)
        assert soon(lambda: database.load_workflow(reference)) is None
        assert database.get_workflow_by_id(reference) is None

    def test_a_problem_names_a_long_id_by_its_beginning(self, agents: Path) -> None:
        run(
            agents,
            "bad",
            {
                "adw_id": "x" * LONG,
                "branch_name": "b" * LONG,
                "phase_results": [{"phase": "p" * LONG, "success": True}],
            },
        )
        done = synced(agents)
        assert len(done["errors"]) == 2
        assert all(len(error["reason"]) < 500 for error in done["errors"])

    def test_a_pipe_a_socket_a_loop_and_a_folder_hold_up_no_sync(self, agents: Path) -> None:
        folder = run(agents, "bad", {"adw_id": "bad"})
        (folder / "raw_output.jsonl").mkdir()
        (folder / "loop").symlink_to("loop")
        (folder / "a\n\x1b[31m\u202e").mkdir()
        os.mkfifo(folder / "a\n\x1b[31m\u202e" / "raw_output.jsonl")
        os.mkfifo(folder / "execution.log")
        (folder / "error.log").symlink_to("/dev/zero")
        elsewhere = agents.parent / "elsewhere.json"
        elsewhere.write_text('{"overall_success": true}')
        (folder / "workflow_summary.json").symlink_to(elsewhere)
        (agents / "adw_state.json").mkdir()
        soon(lambda: synced(agents))
        assert elsewhere.read_text() == '{"overall_success": true}'
        assert (database.get_workflow_by_id("bad") or {})["status"] != "completed"


class TestNumbers:
    """Numbers that no column, cost or clock holds."""

    @pytest.mark.parametrize(
        "text", ["1e999999999", "-1e999999999", "1e-999999999", "9" * 5000, "inf", "nan", "1e19"]
    )
    def test_a_number_beyond_all_measure_is_kept_as_it_was_given(self, text: str) -> None:
        agent = {"phase": "plan", "input_tokens": text, "cost": text, "duration_seconds": text}
        database.insert_workflow(
            {"id": "a", "total_tokens": text, "total_cost": text, "phase_costs": [agent]}
        )
        found = database.get_workflow_by_id("a")
        assert found is not None
        assert found["total_tokens"] is None
        assert found["unreadable_values"]["total_tokens"] == text

    @pytest.mark.parametrize("length", ["1e999", "-5", "9223372036854775808", str(2**70)])
    def test_an_absurd_length_of_a_stream_is_unknown_whoever_wrote_it(
        self, tmp_path: Path, length: str
    ) -> None:
        file = tmp_path / "raw_output.jsonl"
        file.write_text(
            '{"type":"init","session_id":"s","model":"gemini-2.5-pro"}\n'
            f'{{"type":"result","status":"success","stats":{{"input_tokens":1,"duration_ms":{length}}}}}\n'
        )
        facts = read_stream(file, "a", "planner")
        assert facts is not None
        assert [segment.duration_ms for segment in facts.results] in ([None], [])

    @pytest.mark.parametrize("tokens", [-1, 2**63, 10**30, 1e300])
    def test_tokens_beyond_all_measure_make_their_line_unreadable(self, agents: Path, tokens: float) -> None:
        stream(run(agents, "bad", {}), "planner", init(), assistant("m1", usage(input=tokens)), result(0.25))
        done = synced(agents)
        assert [error["line"] for error in done["errors"]] == [2]
        bad = database.load_workflow("bad")
        assert bad is not None
        assert bad["total_cost"] == 0.25

    @pytest.mark.parametrize("given", ["9" * 5000 + "d", "9" * 5000, "0" * 20 + "7d", "²d"])
    def test_an_age_of_thousands_of_digits_is_refused(self, given: str) -> None:
        with pytest.raises(InvalidQueryError, match="Use an age"):
            parse_recent(given)

    @pytest.mark.parametrize("number", ["9" * 5000, "1e" + "9" * 25], ids=["digits", "an exponent"])
    def test_a_budget_beyond_all_numbers_is_refused_with_its_file(self, tmp_path: Path, number: str) -> None:
        file = tmp_path / "budgets.toml"
        file.write_text(f"[budget]\nday = {number}\n")
        with pytest.raises(ConfigError, match=r"budgets\.toml is not valid TOML"):
            read_config(file)

    def test_the_largest_page_is_given_and_a_larger_one_refused(self, agents: Path) -> None:
        synced(agents)
        assert len(find_runs(limit=2**63 - 1).workflows) == 1
        with pytest.raises(InvalidQueryError, match="from 0 to 9223372036854775807"):
            find_runs(limit=2**63)


@pytest.mark.parametrize("value", [2**63, 2**64 - 1, float("nan"), float("inf"), b"x", [1], {}])
def test_a_cursor_whose_value_no_column_holds_is_refused(agents: Path, value: Any) -> None:
    synced(agents)
    packed = msgspec.msgpack.encode([query_fingerprint(RunFilter(), "created_at", "desc"), value, "a", "b"])
    with pytest.raises(InvalidQueryError, match="cursor"):
        find_runs(cursor=base64.urlsafe_b64encode(packed).decode().rstrip("="))


def test_a_stream_whose_every_line_holds_half_a_pair_is_read_whichever_way(tmp_path: Path) -> None:
    file = tmp_path / "raw_output.jsonl"
    ends = result(0.25, result="\ud800", uuid="u1")
    file.write_text(
        "\n".join([line(type="system", subtype="init", model="m\ud800", session_id="s"), ends, ""])
    )
    whole, told = read_stream(file, "a", "planner"), read_result_lines(file, "a", "planner")
    assert whole is not None
    assert told is not None
    assert whole.results == told.results
    assert len(whole.results) == 1


class TestDamagedHistories:
    """A history of which bytes were changed: what is damaged is said, in the program's own words."""

    def changed(self, tmp_path: Path, before: bytes, after: bytes) -> None:
        file = tmp_path / "history.db"
        content = file.read_bytes()
        assert len(before) == len(after)
        assert before in content
        file.write_bytes(content.replace(before, after))

    def test_stored_json_that_is_none(self, tmp_path: Path) -> None:
        database.insert_workflow({"id": "a", "custom": "some words here"})
        self.changed(tmp_path, b"some words here", b'some "ords here')
        with pytest.raises(WorkflowHistoryError, match="the history is damaged"):
            database.get_workflow_by_id("a")

    def test_a_stored_time_that_is_none(self, tmp_path: Path) -> None:
        database.insert_workflow({"id": "a", "created_at": "2026-01-02T03:04:05Z"})
        self.changed(tmp_path, b"2026-01-02T03:04:05", b"2026-01-02 utime:05")
        with pytest.raises(WorkflowHistoryError, match="the history is damaged"):
            run_statistics("day")

    def test_packed_sums_that_are_none_are_made_anew(self, tmp_path: Path) -> None:
        database.insert_workflow({"id": "a", "total_cost": 0.5})
        with History.open(tmp_path / "history.db") as history, history.transaction():
            history.build_column_cache()
        before = run_statistics().total
        with sqlite3.connect(tmp_path / "history.db") as connection:
            damaged = msgspec.msgpack.encode([[[1]], b"", []])
            told = connection.execute(
                "UPDATE column_blocks SET data = ? WHERE family LIKE 'digests%'", [damaged]
            )
            assert told.rowcount
        connection.close()
        assert run_statistics().total == before

    def test_a_schema_whose_text_is_no_utf8(self, tmp_path: Path) -> None:
        database.insert_workflow({"id": "a"})
        self.changed(tmp_path, b"CREATE TABLE patterns", b"CREATE \xff\xfe\xff\xfeE patterns")
        with pytest.raises(WorkflowHistoryError, match="the history is damaged"):
            database.get_workflow_by_id("a")


def test_json_of_a_fuzzers_own_tokens_is_written_bare() -> None:
    from fuzz.dice import Dice  # noqa: PLC0415
    from fuzz.hostile import Token, written  # noqa: PLC0415

    assert written({"a": [Token("1e999"), "x"]}) == '{"a": [1e999, "x"]}'
    assert json.loads(written({"b": True}))["b"] is True
    dice = Dice(b"\x05abc")
    assert (dice.whole(0, 9), dice.taken(2), dice.left, dice.pick("xy")) == (5, b"ab", 1, "y")
