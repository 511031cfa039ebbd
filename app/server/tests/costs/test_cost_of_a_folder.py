"""Costs without a history: equal to a full read, and nothing is written."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from app.server.core.workflow_history import database, sync
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.costs.accounting.money import RUN_TOTAL_FIELDS, TOKEN_FIELDS
from app.server.core.workflow_history.demo import make_agents_folder
from app.server.core.workflow_history.enrichment import enrich
from app.server.core.workflow_history.ingest.runs.build_run import RunFacts, build_run, read_run
from app.server.core.workflow_history.ingest.runs.cost_only_reader import read_spending
from app.server.core.workflow_history.ingest.runs.file_times import OWN, FileTimes
from app.server.core.workflow_history.ingest.sources.discovery import find_run
from app.server.core.workflow_history.ingest.streams import read_result_lines, read_stream
from app.server.core.workflow_history.pipeline import folder_costs as costing
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.core.workflow_history.pipeline.workers import process_pool
from app.server.tests.support.build import (
    HAIKU,
    OPUS,
    SONNET,
    assistant,
    init,
    result,
    run,
    stream,
    tool_result,
    tool_use,
    usage,
)
from app.server.tests.support.thoroughness import tries

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OF_A_STREAM = (
    "agent", "path", "model", "cost", "cost_basis", "lower_bound_cost", "computed_cost", "cost_disputed",
    "cost_difference_percent", *TOKEN_FIELDS, "unpriced_tokens", "restarts", "restart_cost",
    "failed_process_cost", "retries", "retry_cost", "duplicate_of", "models", "identity", "outcome",
    "duration_seconds", "timestamp",
)  # fmt: skip


def costs(facts: RunFacts) -> dict[str, Any]:
    """Return every sum of a run's costs, and what each stream of it cost."""
    workflow = enrich(build_run(facts, FileTimes(OWN, *facts.folder.file_times), now=NOW))
    streams = [{key: agent.get(key) for key in OF_A_STREAM} for agent in workflow.get("phase_costs") or ()]
    return {key: workflow.get(key) for key in (*RUN_TOTAL_FIELDS, "created_at", "status")} | {
        "streams": streams
    }


def both_ways(agents: Path, run_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a run cost by its results, and by all of its lines."""
    folder = find_run(agents, run_id)
    assert folder is not None
    return costs(read_spending(folder)), costs(read_run(folder))


def type_in(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), prog_name="workflow-history", env={"COLUMNS": "120"})


def everything_below(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def sound(folder: Path, agent: str, cost: float = 0.25, **more: Any) -> Path:
    """Write a stream whose result tells all."""
    session = f"session of {agent}"
    return stream(
        folder, agent, init(session), assistant(f"m-{agent}", session=session),
        result(cost, session=session, uuid=f"u-{agent}", **more),
    )  # fmt: skip


# The results of one stream


def test_a_stream_that_ends_with_its_result_is_read_without_its_messages(tmp_path: Path) -> None:
    file = sound(tmp_path, "planner")
    quick, whole = read_result_lines(file, "p", "planner"), read_stream(file, "p", "planner")
    assert quick is not None
    assert whole is not None
    assert (quick.messages, quick.tools) == ((), ())
    same = ("results", "model", "session_ids", "identity", "lines", "size", "modified_at", "last_result_line")
    assert [getattr(quick, name) for name in same] == [getattr(whole, name) for name in same]


@pytest.mark.parametrize(
    "lines",
    [
        [init(), assistant("m1")],
        [init(), assistant("m1"), result(uuid="u1"), assistant("m2")],
        [init(), assistant("m1"), result()],
        [init(), assistant("m1"), result(uuid="u1", modelUsage=None)],
        [assistant("m1"), result(uuid="u1")],
        [init(), assistant("m1", timestamp="2026-01-01T00:00:00Z"), result(uuid="u1")],
        [init(), assistant("m1", sessionId="s"), assistant("m2")],
        ['{"type":"init","session_id":"s","model":"gemini-2.5-pro"}'],
        ["no JSON"],
        [],
    ],
    ids=[
        "no result", "a message after the result", "a result without uuid", "a result without models",
        "no init line", "messages with times", "a transcript", "another CLI's", "no JSON", "empty",
    ],
)  # fmt: skip
def test_a_stream_whose_results_do_not_tell_all_is_left_to_the_whole_reading(
    tmp_path: Path, lines: list[str]
) -> None:
    assert read_result_lines(stream(tmp_path, "planner", *lines), "p", "planner") is None


def test_a_stream_whose_last_line_is_cut_off_is_left_to_the_whole_reading(tmp_path: Path) -> None:
    file = sound(tmp_path, "planner")
    file.write_text(file.read_text() + '{"type":"assistant","mess')
    assert read_result_lines(file, "p", "planner") is None


def test_a_file_that_is_not_there_is_left_to_the_whole_reading(tmp_path: Path) -> None:
    assert read_result_lines(tmp_path / "none.jsonl", "p", "planner") is None


def test_messages_that_contradict_a_result_are_known_without_reading_their_content(tmp_path: Path) -> None:
    folder = run(tmp_path, "a1b2c3d4", {"created_at": "2026-03-01T10:00:00Z"})
    said = [assistant("m1", usage(input=500_000)), assistant("m1", usage(input=500_000, output=9))]
    file = stream(folder, "planner", init(), *said, result(uuid="u1"))
    quick, whole = read_result_lines(file, "p", "planner"), read_stream(file, "p", "planner")
    assert quick is not None
    assert whole is not None
    assert quick.results == whole.results
    assert [problem.reason for problem in quick.problems] == [
        "modelUsage leaves out 499,990 tokens that messages show"
    ]
    first, second = both_ways(tmp_path, "a1b2c3d4")
    assert first == second
    assert (first["cost_basis"], first["cost_disputed"]) == ("lower_bound", True)


# A run


@pytest.mark.parametrize("spaced", [True, False], ids=["spaces", "no spaces"])
def test_messages_that_no_result_covers_count_once_over_all_streams_of_a_run(
    tmp_path: Path, spaced: bool
) -> None:
    folder = run(tmp_path, "a1b2c3d4", {"created_at": "2026-03-01T10:00:00Z"})
    sound(folder, "planner")
    stream(folder, "builder", init("b"), assistant("m-planner", session="b"), assistant("m2", session="b"))
    if not spaced:
        for file in folder.rglob("*.jsonl"):
            whole = [
                json.dumps(json.loads(text), separators=(",", ":")) for text in file.read_text().splitlines()
            ]
            file.write_text("".join(f"{text}\n" for text in whole))
    quick, whole_way = both_ways(tmp_path, "a1b2c3d4")
    assert quick == whole_way
    assert quick["lower_bound_cost"] is not None


def test_streams_of_one_session_are_held_against_each_other_by_their_messages(tmp_path: Path) -> None:
    folder = run(tmp_path, "a1b2c3d4", {})
    for name, uuid in (("planner", "u1"), ("builder", "u2")):
        stream(folder, name, init(), assistant("m1"), result(uuid=uuid))
    quick, whole = both_ways(tmp_path, "a1b2c3d4")
    assert quick == whole
    assert quick["total_cost"] == 0.25


def sharing_a_result(first: Path, second: Path) -> None:
    """Write two streams that share a session's result: one of two sessions, and a longer one with times."""
    stream(
        first, "planner", init("s2"), result(session="s2", uuid="u2"),
        init("s1"), assistant("m1", session="s1"), result(session="s1", uuid="u1"),
    )  # fmt: skip
    said = [assistant(f"m{n}", session="s1", timestamp="2026-02-03T04:05:06Z") for n in range(1, 5)]
    stream(second, "builder", init("s1"), *said, result(session="s1", uuid="u1"))


def test_a_stream_of_several_sessions_is_held_against_a_stream_of_one_of_them(tmp_path: Path) -> None:
    folder = run(tmp_path, "a1b2c3d4", {"created_at": "2026-03-01T10:00:00Z"})
    sharing_a_result(folder, folder)
    quick, whole = both_ways(tmp_path, "a1b2c3d4")
    assert quick == whole
    assert [(each["agent"], each["cost"]) for each in quick["streams"] if each["cost"]] == [("planner", 0.5)]


def test_a_stream_of_several_sessions_is_held_against_other_runs_streams_of_any_of_them(
    tmp_path: Path,
) -> None:
    agents = tmp_path / "shop" / "agents"
    sharing_a_result(run(agents, "bbbb2222", {}), run(agents, "aaaa1111", {}))
    sync.sync_workflow_history(silent=True, agents_dir=agents)
    stored = database.get_workflow_history(limit=10, offset=0)["workflows"]
    counted = {run["id"]: run["total_cost"] for run in stored}
    assert {group["name"]: group["recorded_cost"] for group in folder_costs(agents)["by"]["run"]} == counted
    assert counted == {"aaaa1111": None, "bbbb2222": 0.5}


models = st.sampled_from([SONNET, OPUS, HAIKU, "nobody-knows-1"])
sessions = st.sampled_from(["s1", "s2", "s3", "s4"])
amounts = st.integers(0, 5000)


@st.composite
def messages(draw: st.DrawFn, session: str, times: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for number in draw(st.lists(st.integers(1, 6), max_size=4)):
        call = tool_use(f"t{number}", command="ls")
        spent = usage(input=draw(amounts), output=draw(amounts), read=draw(amounts), one_hour=draw(amounts))
        lines.append(
            assistant(f"m{number}", spent, model=draw(models), session=session, content=[call], **times)
        )
        if draw(st.booleans()):
            lines.append(tool_result(f"t{number}", session=session))
    return lines


@st.composite
def programs_lines(draw: st.DrawFn, *, begun: bool) -> list[str]:
    """One program's lines: messages and results, with or without times; the init line of one may be lost."""
    session, model = draw(sessions), draw(models)
    times = {"timestamp": "2026-02-03T04:05:06Z"} if draw(st.sampled_from([False, False, True])) else {}
    lines = [init(session, model)] if begun or draw(st.booleans()) else []
    for number in range(draw(st.integers(0, 2))):
        lines += draw(messages(session, times))
        more: dict[str, Any] = draw(st.sampled_from([{}, {}, {"modelUsage": None}, {"usage": None}]))
        uuid = draw(st.sampled_from([f"u-{session}-{number}", f"v-{session}-{number}", None]))
        cost = draw(st.sampled_from([0.25, 0.5, 1.125, 0.0, None]))
        lines.append(result(cost, model=model, session=session, uuid=uuid, **more))
    return lines + (draw(messages(session, times)) if draw(st.booleans()) else [])


@st.composite
def streams_bytes(draw: st.DrawFn) -> bytes:
    lines = draw(programs_lines(begun=draw(st.booleans())))
    lines += draw(programs_lines(begun=True)) if draw(st.booleans()) else []
    if draw(st.booleans()):
        lines = [json.dumps(json.loads(text), separators=(",", ":")) for text in lines]
    if lines and draw(st.sampled_from([False, False, False, True])):
        lines.insert(
            draw(st.integers(0, len(lines))), draw(st.sampled_from(["", "garbled {", '{"type": "x"}']))
        )
    data = "".join(f"{text}\n" for text in lines).encode()
    cut = draw(st.sampled_from([0, 0, 0, 1, 40]))
    return data[: len(data) - cut] if cut else data


@tries(200)
@given(st.lists(streams_bytes(), min_size=1, max_size=4))
def test_a_run_costs_by_its_results_what_it_costs_by_all_of_its_lines(written: Sequence[bytes]) -> None:
    with tempfile.TemporaryDirectory() as root:
        folder = run(Path(root), "a1b2c3d4", {"created_at": "2026-03-01T10:00:00Z"})
        for number, data in enumerate(written):
            stream(folder, ("planner", "builder", "tester_iter1", "tester_iter2")[number]).write_bytes(data)
        quick, whole = both_ways(Path(root), "a1b2c3d4")
    assert quick == whole


# A folder


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_agents_folder(tmp_path_factory.mktemp("demo") / "agents", end=NOW, stream_kb=4).path


def test_a_folder_costs_what_its_sync_stores_of_each_run(demo: Path, tmp_path: Path) -> None:
    stats = sync.sync_workflow_history(silent=True, agents_dir=demo)
    stored = {run["id"]: run for run in database.get_workflow_history(limit=1000, offset=0)["workflows"]}
    found = folder_costs(demo)
    by_run = {group["name"]: group for group in found["by"]["run"]}
    assert by_run.keys() == stored.keys()
    for name, group in by_run.items():
        same = ("created_at", "status", "cost_basis", *TOKEN_FIELDS, "total_tokens")
        assert {key: group[key] for key in same} == {key: stored[name][key] for key in same}
        known = sum(group[key] or 0 for key in ("recorded_cost", "lower_bound_cost"))
        there = sum(stored[name][key] or 0 for key in ("total_cost", "lower_bound_cost"))
        assert known == pytest.approx(there, abs=1e-12)
    known = sum(found[key] or 0 for key in ("recorded_cost", "lower_bound_cost"))
    assert known == pytest.approx((stats["total_cost"] or 0) + (stats["lower_bound_cost"] or 0), abs=1e-9)


def test_the_groups_of_each_kind_add_up_to_the_whole(demo: Path) -> None:
    found = folder_costs(demo)
    for kind in ("phase", "agent", "run"):
        for key in ("recorded_cost", "lower_bound_cost", "total_tokens"):
            total = sum(group[key] or 0 for group in found["by"][kind])
            assert total == pytest.approx(found[key], abs=1e-9)
    assert sum(group["total_tokens"] or 0 for group in found["by"]["model"]) == found["total_tokens"]


def test_several_processes_count_what_one_counts(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = folder_costs(demo)
    monkeypatch.setattr(process_pool, "MIN_PARALLEL_SECONDS", -1.0)
    monkeypatch.setattr(process_pool, "can_fork", lambda: hasattr(os, "fork"))
    monkeypatch.setattr(costing, "RUNS_PER_TASK", 2)
    assert folder_costs(demo) == alone


# The command


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project whose runs have known, unknown and open costs."""
    agents = tmp_path / "shop" / "agents"
    sound(run(agents, "aaaa1111", {}), "sdlc_planner", 0.5)
    other = run(agents, "bbbb2222", {})
    stream(other, "sdlc_implementor", init("s2"), assistant("m2", usage(input=100_000), session="s2"))
    third = run(agents, "cccc3333", {})
    odd = {"nobody-knows-1": {"inputTokens": 1000}}
    sound(third, "reviewer", modelUsage=odd, usage=usage(input=1000), total_cost_usd=None)
    return tmp_path / "shop"


def test_the_command_says_apart_what_is_on_record_and_what_is_not_and_names_what_has_no_price(
    shop: Path,
) -> None:
    output = type_in("cost", str(shop)).output
    assert "3 runs in shop" in output
    assert "$0.50 recorded + at least $0.30 in agent runs whose usage is incomplete" in output
    assert "unpriced: 1.0k tokens of nobody-knows-1" in output
    assert "≥ $0.30" in output
    assert re.search(r"nobody-knows-1 .* unpriced", output)
    assert all(title in output for title in ("Phases", "Models", "Runs"))


def test_the_command_opens_and_writes_nothing_but_its_output(shop: Path, tmp_path: Path) -> None:
    before = everything_below(tmp_path)
    assert type_in("cost", str(shop)).exit_code == 0
    assert everything_below(tmp_path) == before


@pytest.mark.parametrize("kind", costing.GROUPINGS)
def test_one_kind_alone_is_shown_whole(shop: Path, kind: str) -> None:
    data = json.loads(type_in("cost", str(shop), "--by", kind, "--json").output)
    assert list(data["by"]) == [kind]
    assert (data["recorded_cost"], data["lower_bound_cost"], data["partial"]) == (0.5, 0.3, True)
    assert data["unpriced_models"] == ["nobody-knows-1"]


def test_with_quiet_one_line_is_printed(shop: Path) -> None:
    output = type_in("cost", str(shop), "--quiet").output
    assert output == (
        "$0.50 recorded + at least $0.30 in agent runs whose usage is incomplete · cost of 1 run unknown\n"
    )


def test_a_folder_without_runs_says_so(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    assert type_in("cost", str(tmp_path / "agents")).output.startswith("error: No runs in ")


def test_what_cannot_be_read_is_named(shop: Path) -> None:
    run(shop / "agents", "dddd4444").joinpath("adw_state.json").write_text("{")
    output = type_in("cost", str(shop)).output
    assert "1 read error or warning" in output
    assert "dddd4444/adw_state.json" in output


def test_a_folder_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    assert type_in("cost", str(tmp_path / "none")).exit_code == 2


def test_damaged_and_cut_off_lines_are_named_as_a_sync_names_them(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    damaged = stream(logs, "", init(), assistant("m1"), result(), name="damaged.jsonl")
    lines = damaged.read_text().splitlines()
    damaged.write_text("\n".join([lines[0], tool_result("t1")[:60], *lines[1:]]) + "\n")
    cut = stream(logs, "", init("s2"), assistant("m2", session="s2"), name="cut.jsonl")
    cut.write_text(cut.read_text()[:-40])
    stats = sync.sync_workflow_history(silent=True, agents_dir=logs)
    named = [(problem["path"], problem["line"], problem["reason"]) for problem in stats["errors"]]
    priced = [(each["path"], each["line"], each["reason"]) for each in folder_costs(logs)["problems"]]
    assert [path for path, *_ in sorted(named)] == ["cut.jsonl", "damaged.jsonl"]
    assert sorted(priced) == sorted(named)
