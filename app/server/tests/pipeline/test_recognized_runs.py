"""Results, overwritten streams and moved runs are recognized and counted once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from app.server.core.workflow_history.costs.accounting import deduplication, message_claims
from app.server.core.workflow_history.database import get_workflow_by_id
from app.server.core.workflow_history.ingest.runs import records
from app.server.core.workflow_history.maintenance.merge.merge_history import merge_history
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.core.workflow_history.resync import resync_workflow_cost
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.pipeline.test_counted_once import EACH, SESSION, runs, sound, spent, synced, transcript
from app.server.tests.support.build import assistant, init, line, result, run, stream, usage

BANNER = "YOLO mode is enabled.\n"


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "agents"
    folder.mkdir(parents=True)
    return folder


def written(agents: Path, run_id: str, text: str, agent: str = "builder") -> Path:
    file = run(agents, run_id, {}) / agent / "raw_output.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def text_of(lines: Sequence[str]) -> str:
    return "".join(f"{one}\n" for one in lines)


def packed(lines: Sequence[str]) -> str:
    """Return the same lines in the spacing of another JSON writer."""
    return "".join(json.dumps(json.loads(one), separators=(",", ":")) + "\n" for one in lines)


# Results without an id of their own


def gemini(session: str = "g1", *, duration: int = 33_000, answers: int = 2_000) -> list[str]:
    stats = {"total_tokens": 10_000 + answers, "input_tokens": 10_000, "output_tokens": answers}
    return [
        line(type="init", timestamp="2026-01-15T10:00:00Z", session_id=session, model="gemini-2.5-pro"),
        line(type="message", timestamp="2026-01-15T10:00:05Z", role="assistant", content="Done."),
        line(
            type="result", timestamp="2026-01-15T10:00:33Z", status="success",
            stats={**stats, "cached": 0, "duration_ms": duration, "tool_calls": 0},
        ),
    ]  # fmt: skip


def codex(thread: str = "t1", *totals: int) -> list[str]:
    lines = [line(type="thread.started", thread_id=thread)]
    for total in totals or (5_000,):
        counts = {"input_tokens": total, "cached_input_tokens": 0, "output_tokens": 300}
        lines.append(line(type="turn.completed", model="gpt-5", usage=counts))
    return lines


def old_claude(session: str = "s1") -> list[str]:
    return [init(session), result(0.4, session=session)]


NAMELESS = {"gemini": gemini, "codex": codex, "claude": old_claude}


@pytest.mark.parametrize("how", ["packed", "banner"])
@pytest.mark.parametrize("kind", NAMELESS)
def test_a_copy_in_another_spelling_is_a_copy(agents: Path, kind: str, how: str) -> None:
    lines = NAMELESS[kind]()
    written(agents, "a1b2c3d4", text_of(lines))
    alone = synced(agents)["total_cost"]
    written(agents, "b2c3d4e5", packed(lines) if how == "packed" else BANNER + text_of(lines))
    done = synced(agents)
    assert alone
    assert (done["total_cost"], done["copies"], spent()) == (alone, 1, alone)
    assert folder_costs(agents)["recorded_cost"] == alone
    assert sound() == []


@pytest.mark.parametrize("kind", NAMELESS)
def test_sessions_that_begin_with_one_line_and_spend_the_same_are_two(agents: Path, kind: str) -> None:
    written(agents, "a1b2c3d4", BANNER + text_of(NAMELESS[kind]("s1")))
    one = synced(agents)["total_cost"]
    written(agents, "b2c3d4e5", BANNER + text_of(NAMELESS[kind]("s2")))
    done = synced(agents)
    assert one
    assert (done["total_cost"], done["copies"]) == (round(2 * one, 9), 0)


def test_runs_without_sessions_that_begin_and_end_alike_are_two_if_their_messages_differ(
    agents: Path,
) -> None:
    def said(message: str) -> str:
        lines = [json.loads(text) for text in (init("s"), assistant(message), result(1.0, session="s"))]
        for one in lines:
            for key in ("session_id", "uuid"):
                one.pop(key, None)
        return text_of([json.dumps(one) for one in lines])

    written(agents, "a1b2c3d4", said("m1"))
    written(agents, "b2c3d4e5", said("m2"))
    shutil.copytree(agents / "b2c3d4e5", agents / "b2c3d4e5_copy")
    done = synced(agents)
    assert (done["total_cost"], done["copies"]) == (2.0, 1)
    assert folder_costs(agents)["recorded_cost"] == 2.0


def test_results_that_say_the_same_in_one_session_count_as_often_as_they_were_left(agents: Path) -> None:
    _, _, twice = gemini()
    written(agents, "a1b2c3d4", text_of([*gemini(), gemini()[0], twice]))
    written(agents, "b2c3d4e5", packed([*gemini(), gemini()[0], twice]))
    alone = folder_costs(agents / "a1b2c3d4")
    done = synced(agents)
    assert (done["copies"], spent()) == (1, alone["recorded_cost"] or alone["lower_bound_cost"])


def test_turns_that_failed_without_a_count_make_no_copies(agents: Path, tmp_path: Path) -> None:
    begun, early, late = codex("t1", 5_000, 9_000)
    failed = line(type="turn.failed", error={"message": "the stream was disconnected"})
    written(tmp_path / "site" / "agents", "c3d4e5f6", text_of([begun, early, late]))
    written(agents, "a1b2c3d4", text_of([begun, early, failed]))
    written(agents, "b2c3d4e5", text_of([begun, failed, late]))
    done = synced(agents)
    assert (done["copies"], spent()) == (0, folder_costs(tmp_path / "site" / "agents")["recorded_cost"])


@pytest.mark.parametrize("kind", NAMELESS)
def test_what_an_earlier_version_named_otherwise_is_not_counted_twice(agents: Path, kind: str) -> None:
    lines = text_of(NAMELESS[kind]())
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr(records, "READER_VERSION", records.READER_VERSION - 1)
        earlier.setattr(message_claims, "UNIT_RULES_VERSION", message_claims.UNIT_RULES_VERSION - 1)
        earlier.setattr(deduplication, "_reported_unit", lambda *said: deduplication._unit("earlier", *said))
        written(agents, "a1b2c3d4", lines)
        alone = synced(agents)["total_cost"]
    written(agents, "b2c3d4e5", lines)
    for _ in range(2):
        done = synced(agents)
        assert (done["total_cost"], done["copies"], done["failed"]) == (alone, 1, 0)
        assert get_workflow_by_id("a1b2c3d4")["retry_count"] == 0
    assert resync_workflow_cost("a1b2c3d4")["message"] == "its costs are up to date"
    assert (spent(), sound()) == (alone, [])


def test_copies_that_went_on_apart_are_at_least_what_the_longer_one_spent(agents: Path) -> None:
    of_one: dict[str, Any] = {"session": "s1", "modelUsage": None}
    first, *others = (result(cost, uuid=f"r-{cost}", **of_one) for cost in (0.5, 0.9, 0.7))
    for name, own in zip(("a1b2c3d4", "b2c3d4e5"), others, strict=True):
        written(agents, name, text_of([init("s1"), first, own]))
    done = synced(agents)
    assert (done["total_cost"], done["copies"], done["partial_costs"]) == (0.9, 0, 1)
    assert folder_costs(agents)["partial"]


# A stream of the same place and first line that is no continuation


def claude(session: str, messages: Sequence[str], *results: str) -> list[str]:
    each = usage(input=1_000, output=1_000)
    return [init(session), *(assistant(name, each, session=session) for name in messages), *results]


def overwritten(agents: Path, *contents: list[str], kept: int = 1) -> dict[str, Any]:
    """Have each content replace the former one of a stream, with a sync after each."""
    for lines in contents:
        written(agents, "a1b2c3d4", text_of(lines))
        for _ in range(kept):
            done = synced(agents)
        assert sound() == []
    return done


def test_a_transcript_that_was_cut_and_grew_otherwise_counts_all_messages_once(tmp_path: Path) -> None:
    file = tmp_path / "logs" / f"{SESSION.format(1)}.jsonl"
    for messages, count in (([1, 2, 3, 4], 4), ([1, 2, 20, 21], 6), ([1, 2, 20, 21, 22], 7), ([1, 2], 7)):
        transcript(file, SESSION.format(1), messages)
        for _ in range(2):
            assert synced(tmp_path / "logs")["total_cost"] == round(count * EACH, 9)
        assert sound() == []
    attempts = get_workflow_by_id(SESSION.format(1))["phase_costs"]
    assert sorted((one["attempt"], one["superseded"]) for one in attempts) == [(1, True), (2, False)]
    assert resync_workflow_cost(SESSION.format(1))["message"] == "its costs are up to date"


@pytest.mark.parametrize("syncs", [1, 2])
def test_a_session_that_overwrites_its_stream_is_spent_beside_what_was_there(
    agents: Path, syncs: int
) -> None:
    first = claude("s1", ["m1"], result(0.5, session="s1", uuid="r1"))
    second = claude("s1", ["m2"], result(0.2, session="s1", uuid="r2"))
    assert overwritten(agents, first, second, kept=syncs)["total_cost"] == 0.7
    found = get_workflow_by_id("a1b2c3d4")
    assert (found["cost_basis"], found["retry_count"], found["retry_cost"]) == ("reported", 1, 0.5)
    assert resync_workflow_cost("a1b2c3d4")["message"] == "its costs are up to date"
    assert spent() == 0.7


def test_a_stream_that_was_cut_and_got_another_result_keeps_both_results(agents: Path) -> None:
    said = ["m1", "m2", "m3", "m4"]
    first = claude("s1", said, result(0.9, session="s1", uuid="r1"))
    second = claude("s1", [*said[:2], "n1"], result(0.3, session="s1", uuid="r2"))
    assert overwritten(agents, first, second)["total_cost"] == 1.2


def test_what_a_later_result_covers_of_a_cut_stream_counts_with_it(agents: Path) -> None:
    first = claude("s1", ["m1", "m2", "m3"])
    second = claude("s1", ["m1", "n1"], result(0.3, session="s1", uuid="r2"))
    done = overwritten(agents, first, second)
    assert (done["total_cost"], done["lower_bound_cost"], done["partial_costs"]) == (0.3, 2 * EACH, 1)


def test_a_cut_stream_that_goes_on_from_a_result_of_both_is_at_least_what_is_known(agents: Path) -> None:
    of_one: dict[str, Any] = {"session": "s1", "modelUsage": None}
    shared, late, other = (result(cost, uuid=f"r-{cost}", **of_one) for cost in (0.5, 0.9, 0.7))
    done = overwritten(agents, [init("s1"), shared, late], [init("s1"), shared, other])
    assert (done["total_cost"], done["partial_costs"]) == (0.9, 1)


@pytest.mark.parametrize("knows_both", [True, False])
@pytest.mark.parametrize("into", ["first.db", "second.db"])
def test_histories_that_saw_a_stream_before_and_after_it_was_overwritten_make_one(
    agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, into: str, knows_both: bool
) -> None:
    first = claude("s1", ["m1"], result(0.5, session="s1", uuid="r1"))
    second = claude("s1", ["m2"], result(0.2, session="s1", uuid="r2"))
    for name, contents in (("first.db", [first]), ("second.db", [first, second][not knows_both :])):
        monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / name))
        overwritten(agents, *contents)
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / into))
    for _ in range(2):
        merge_history(tmp_path / ("first.db" if into == "second.db" else "second.db"))
        assert (spent(), len(get_workflow_by_id("a1b2c3d4")["phase_costs"])) == (0.7, 2)
    assert (synced(agents)["total_cost"], sound()) == (0.7, [])


def test_a_stream_that_returns_to_what_it_was_is_spent_once(agents: Path) -> None:
    one = claude("s1", ["m1"], result(0.5, session="s1", uuid="r1"))
    two = claude("s1", ["m2"], result(0.2, session="s1", uuid="r2"))
    assert overwritten(agents, one, two, one, two, one)["total_cost"] == 0.7


def test_messages_without_ids_of_a_cut_stream_count_each(agents: Path) -> None:
    def nameless(*outputs: int) -> list[str]:
        said = [json.loads(assistant("x", usage(input=1_000, output=count))) for count in outputs]
        for one in said:
            del one["message"]["id"]
        return [init(), *map(json.dumps, said)]

    done = overwritten(agents, nameless(1_000, 1_000), nameless(1_000, 2_000, 3_000))
    assert done["lower_bound_cost"] == round(2 * 0.018 + 0.033 + 0.048, 9)


@pytest.mark.parametrize("keeps_text", [True, False])
def test_a_stream_that_is_cut_short_or_grows_is_one_attempt(agents: Path, keeps_text: bool) -> None:
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    whole = claude("s1", ["m1", secret, "m3"], result(0.9, session="s1", uuid="r1"))
    for length in (1, 2, 3, 4, 3, 2, 4, 5, 4, 1, 5):
        written(agents, "a1b2c3d4", text_of(whole[:length]))
        sync_workflow_history(silent=True, agents_dir=agents, no_text=not keeps_text)
    found = get_workflow_by_id("a1b2c3d4")
    assert (found["total_cost"], found["cost_basis"], found["retry_count"]) == (0.9, "reported", 0)
    assert len(found["phase_costs"]) == 1


@pytest.mark.parametrize("kind", NAMELESS)
def test_a_stream_of_any_kind_that_grows_is_one_attempt(agents: Path, kind: str) -> None:
    lines = [*NAMELESS[kind]("s1"), *NAMELESS[kind]("s2")]
    for length in range(1, len(lines) + 1):
        written(agents, "a1b2c3d4", text_of(lines[:length]))
        synced(agents)
    known = spent()
    assert len(get_workflow_by_id("a1b2c3d4")["phase_costs"]) == 1
    assert known == folder_costs(agents)["recorded_cost"]


def test_a_stream_whose_result_counts_nothing_may_grow(agents: Path) -> None:
    nothing = result(0, session="s1", uuid="r1", usage=usage(), modelUsage=None)
    begun = claude("s1", [], nothing)
    done = overwritten(agents, begun, [*begun, *claude("s1", ["m1"])[1:]])
    assert (done["lower_bound_cost"], get_workflow_by_id("a1b2c3d4")["retry_count"]) == (EACH, 0)


# Runs that were moved while others took their names


def retold(agents: Path) -> dict[str, tuple[float | None, int]]:
    """Sync twice; return what each run counts in US dollars, and how often it was retried."""
    for _ in range(2):
        synced(agents)
        assert sound() == []
    found = {name: get_workflow_by_id(name.split("/")[1]) for name in runs()}
    return {run["id"]: (run["total_cost"], run["retry_count"]) for run in found.values()}


def of_session(agents: Path, run_id: str, session: str, cost: float, agent: str = "planner") -> None:
    run(agents, run_id)
    lines = claude(session, [f"m-{session}"], result(cost, session=session, uuid=f"r-{session}"))
    stream(agents / run_id, agent, *lines)


@pytest.mark.parametrize("agent", ["planner", "builder"])
def test_a_run_that_was_put_aside_for_a_new_one_of_its_name_is_itself(agents: Path, agent: str) -> None:
    of_session(agents, "latest", "a", 1.0)
    synced(agents)
    key = get_workflow_by_id("latest")["first_seen_at"]
    for number, session in ((1, "b"), (2, "c")):
        if number == 2:
            (agents / "run_001").rename(agents / "run_002")
        (agents / "latest").rename(agents / "run_001")
        of_session(agents, "latest", session, 1.0 + number, agent)
        retold(agents)
    assert retold(agents) == {"latest": (3.0, 0), "run_001": (2.0, 0), "run_002": (1.0, 0)}
    assert get_workflow_by_id("run_002")["first_seen_at"] == key


def test_runs_that_changed_names_are_themselves(agents: Path) -> None:
    of_session(agents, "one", "a", 1.0)
    of_session(agents, "two", "b", 2.0)
    synced(agents)
    (agents / "one").rename(agents / "three")
    (agents / "two").rename(agents / "one")
    (agents / "three").rename(agents / "two")
    assert retold(agents) == {"one": (2.0, 0), "two": (1.0, 0)}


def test_a_run_that_was_retried_before_it_was_put_aside_keeps_its_attempts(agents: Path) -> None:
    for session, cost in (("a", 1.0), ("b", 2.0)):
        of_session(agents, "latest", session, cost)
        synced(agents)
    (agents / "latest").rename(agents / "run_001")
    of_session(agents, "latest", "c", 4.0)
    assert retold(agents) == {"latest": (4.0, 0), "run_001": (3.0, 1)}


def test_a_run_that_is_retried_beside_other_new_runs_stays_one_run(agents: Path) -> None:
    of_session(agents, "one", "a", 1.0)
    synced(agents)
    of_session(agents, "one", "b", 2.0)
    of_session(agents, "two", "c", 4.0)
    assert retold(agents) == {"one": (3.0, 1), "two": (4.0, 0)}


def test_a_run_in_the_place_of_another_one_is_spent_beside_it(agents: Path) -> None:
    of_session(agents, "one", "a", 1.0)
    of_session(agents, "two", "b", 2.0)
    synced(agents)
    shutil.rmtree(agents / "two")
    (agents / "one").rename(agents / "two")
    retold(agents)
    assert spent() == 3.0


# Steps of opencode


def opencode(*steps: int, session: str = "ses_1", cost: float = 0.02, **of_model: str) -> list[str]:
    lines = []
    for number in steps:
        tokens = {"input": 1_000, "output": 200, "reasoning": 0, "cache": {"read": 0, "write": 0}}
        part = {"id": f"prt_{number}", "type": "step-finish", "tokens": tokens, "cost": cost, **of_model}
        common = {"sessionID": session, "timestamp": 1786819980000 + 1_000 * number}
        lines += [
            line(type="step_start", part={"type": "step-start", "id": f"begin_{number}"}, **common),
            line(type="step_finish", part={**part, "reason": "stop"}, **common),
        ]
    return lines


PRICED = {"modelID": "claude-sonnet-4-5", "providerID": "anthropic"}


@pytest.mark.parametrize(
    ("cost", "of_model", "each"), [(0.02, {}, 0.02), (0.0, PRICED, 0.006)], ids=["reported", "computed"]
)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_steps_of_opencode_count_once_in_whatever_copies(
    agents: Path, order: tuple[int, ...], cost: float, of_model: dict[str, str], each: float
) -> None:
    said = [range(5), range(2), range(8)]
    for place in order:
        lines = opencode(*said[place], cost=cost, **of_model)
        written(agents, f"a1b2c3d{place}", packed(lines) if place else text_of(lines))
        synced(agents)
    assert (spent(), sound()) == (round(8 * each, 9), [])
    done = synced(agents)
    assert (done["total_cost"], done["copies"], done["partial_costs"]) == (round(8 * each, 9), 2, 0)
    assert folder_costs(agents)["recorded_cost"] == round(8 * each, 9)


def test_copies_of_opencodes_stream_that_went_on_apart_count_each_step(agents: Path) -> None:
    written(agents, "a1b2c3d4", text_of(opencode(0, 1, 2)))
    written(agents, "b2c3d4e5", text_of(opencode(0, 1, 3)))
    done = synced(agents)
    assert (done["total_cost"], done["copies"], done["partial_costs"]) == (0.08, 0, 0)
    assert sorted(cost or 0 for cost in runs().values()) == [0.02, 0.06]


def test_an_opencode_stream_that_grows_is_one_attempt_and_one_cut_and_continued_is_two(agents: Path) -> None:
    for steps, count, attempts in (((0,), 1, 1), ((0, 1), 2, 1), ((0,), 2, 1), ((0, 5, 6), 4, 2)):
        written(agents, "a1b2c3d4", text_of(opencode(*steps)))
        synced(agents)
        found = get_workflow_by_id("a1b2c3d4")
        assert (found["total_cost"], len(found["phase_costs"])) == (round(0.02 * count, 9), attempts)
        assert found["cost_basis"] == "reported"


# Projects that were moved


def test_a_moved_project_of_which_one_run_was_retried_keeps_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "agents"
    for number, session in enumerate("abc", 1):
        of_session(folder, f"run_{number}", session, float(number))
    synced(folder)
    there = (tmp_path / "shop").rename(tmp_path / "store") / "agents"
    of_session(there, "run_1", "d", 5.0)
    assert synced(there)["project"] == "shop"
    assert runs() == {"shop/run_1": 6.0, "shop/run_2": 2.0, "shop/run_3": 3.0}


@pytest.mark.parametrize("same", [0, 1])
def test_a_folder_with_other_runs_of_the_names_of_a_project_that_is_gone_is_none_of_it(
    tmp_path: Path, same: int
) -> None:
    folder, other = tmp_path / "shop" / "agents", tmp_path / "store" / "agents"
    for number, session in enumerate("abc", 1):
        of_session(folder, f"run_{number}", session, 1.0)
        of_session(other, f"run_{number}", session if number <= same else f"other-{session}", 1.0)
    synced(folder)
    shutil.rmtree(tmp_path / "shop")
    assert synced(other)["project"] == "store"
    assert spent() == 6.0 - same


def test_a_copied_project_of_which_one_run_was_retried_is_none_that_moved(tmp_path: Path) -> None:
    folder, other = tmp_path / "shop" / "agents", tmp_path / "store" / "agents"
    for number, session in enumerate("abc", 1):
        of_session(folder, f"run_{number}", session, 1.0)
    synced(folder)
    shutil.copytree(folder, other)
    of_session(other, "run_1", "d", 5.0)
    assert (synced(other)["project"], spent()) == ("store", 8.0)


def test_every_engine_knows_cut_streams_and_moved_runs_again(
    history_url: URL, agents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", history_url.render_as_string(hide_password=False))
    first = claude("s1", ["m1", "m2"], result(0.5, session="s1", uuid="r1"))
    overwritten(agents, first, claude("s1", ["m1", "m3"], result(0.2, session="s1", uuid="r2")))
    of_session(agents, "latest", "a", 1.0)
    synced(agents)
    (agents / "latest").rename(agents / "run_001")
    of_session(agents, "latest", "b", 2.0)
    assert retold(agents) == {"a1b2c3d4": (0.7, 1), "run_001": (1.0, 0), "latest": (2.0, 0)}
