"""Sessions that Codex stores itself: counts, replays, models, tools, endings, metadata and requests."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.server.core.workflow_history.common.models import (
    Ending,
    SessionInfo,
    StreamFacts,
    Terms,
    TokenUsage,
)
from app.server.core.workflow_history.costs.accounting.deduplication import assign_shares, build_spender
from app.server.core.workflow_history.database import load_workflow
from app.server.core.workflow_history.ingest.streams import read_stream
from app.server.core.workflow_history.ingest.streams.checkpoint import encode_state
from app.server.core.workflow_history.ingest.streams.codex_session import (
    CodexSessionParser,
    read_session_head,
)
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.core.workflow_history.queries.list_runs import find_runs
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support.build import run, stream
from app.server.tests.support.rollouts import (
    CHILD,
    OWN,
    OWN_COST,
    PARENT,
    PARENT_COST,
    SIBLING,
    THREAD,
    Counts,
    Record,
    at,
    event,
    exec_output,
    item,
    meta,
    replay,
    session,
    spawned,
    total,
    turn,
)


def read(folder: Path, *records: Record, thread: str = THREAD) -> StreamFacts:
    facts = read_stream(session(folder, thread, *records), "rollout.jsonl", "main")
    assert facts is not None
    assert facts.format == "codex_session"
    return facts


def own_usage(facts: StreamFacts) -> TokenUsage:
    return sum([message.usage for message in facts.messages], TokenUsage())


class TestCounts:
    def test_a_total_that_is_written_again_counts_once(self, tmp_path: Path) -> None:
        facts = read(tmp_path, meta(), turn(1, "t1"), *[total(9 + n, (100, 0, 5)) for n in range(3)])
        assert [message.usage for message in facts.messages] == [TokenUsage(input=100, output=5)]

    def test_only_the_growth_of_a_total_counts(self, tmp_path: Path) -> None:
        facts = read(tmp_path, meta(), turn(1, "t1"), total(9, (100, 40, 5)), total(19, (300, 90, 25)))
        assert [message.usage for message in facts.messages] == [
            TokenUsage(input=60, cache_read=40, output=5),
            TokenUsage(input=150, cache_read=50, output=20),
        ]
        assert all(message.is_final and message.session == THREAD for message in facts.messages)

    def test_a_total_that_falls_is_a_new_count(self, tmp_path: Path) -> None:
        facts = read(tmp_path, meta(), turn(1, "t1"), total(9, (100, 0, 5)), total(19, (30, 0, 2)))
        assert own_usage(facts) == TokenUsage(input=130, output=7)

    def test_reasoning_is_part_of_the_output(self, tmp_path: Path) -> None:
        facts = read(tmp_path, meta(), turn(1, "t1"), total(9, (100, 0, 50), reasoning=30))
        assert own_usage(facts).output == 50

    def test_a_count_without_totals_is_none(self, tmp_path: Path) -> None:
        facts = read(tmp_path, meta(), turn(1, "t1"), event(2, "token_count", info=None))
        assert facts.messages == ()
        assert facts.problems == ()

    def test_counts_without_a_total_are_added(self, tmp_path: Path) -> None:
        spent = {"last_token_usage": {"input_tokens": 100, "output_tokens": 5}}
        facts = read(
            tmp_path, meta(), turn(1, "t1"), *[event(9 * n, "token_count", info=spent) for n in (1, 2)]
        )
        assert own_usage(facts) == TokenUsage(input=200, output=10)

    def test_a_full_context_window_is_no_spending(self, tmp_path: Path) -> None:
        full = event(15, "token_count", info={"total_token_usage": {"total_tokens": 272_000}})
        after = total(19, (30, 0, 2), (30, 0, 2))
        facts = read(tmp_path, meta(), turn(1, "t1"), total(9, (100, 0, 5)), full, after)
        assert own_usage(facts) == TokenUsage(input=130, output=7)

    def test_written_cache_tokens_are_part_of_the_input(self, tmp_path: Path) -> None:
        counted = {"input_tokens": 100, "cached_input_tokens": 20, "cache_write_input_tokens": 70}
        facts = read(
            tmp_path, meta(), turn(1, "t1"), event(9, "token_count", info={"total_token_usage": counted})
        )
        assert own_usage(facts) == TokenUsage(input=10, cache_read=20, cache_write_5m=70)

    def test_a_compaction_that_no_total_includes_counts(self, tmp_path: Path) -> None:
        spent = {"input_tokens": 500, "output_tokens": 40}
        record = at(20, "token_usage_record", {"response_id": "r2", "usage": spent})
        compacted = at(21, "compacted", {"message": "", "compaction_response_id": "r2"})
        facts = read(tmp_path, meta(), turn(1, "t1"), total(9, (100, 0, 5)), record, compacted)
        assert own_usage(facts) == TokenUsage(input=600, output=45)

    def test_a_compaction_that_a_total_includes_counts_once(self, tmp_path: Path) -> None:
        spent = {"input_tokens": 500, "output_tokens": 40}
        record = at(20, "token_usage_record", {"response_id": "r2", "usage": spent})
        compacted = at(22, "compacted", {"message": "", "compaction_response_id": "r2"})
        after = total(21, (600, 0, 45), (500, 0, 40))
        facts = read(tmp_path, meta(), turn(1, "t1"), total(9, (100, 0, 5)), record, after, compacted)
        assert own_usage(facts) == TokenUsage(input=600, output=45)

    def test_several_requests_are_no_long_request(self, tmp_path: Path) -> None:
        grown = total(19, (600_000, 0, 5), (200_000, 0, 2))
        facts = read(tmp_path, meta(), turn(1, "t1"), total(9, (100, 0, 1), (100, 0, 1)), grown)
        assert [message.is_sum for message in facts.messages] == [False, True]

    def test_an_impossible_count_is_a_read_error(self, tmp_path: Path) -> None:
        facts = read(tmp_path, meta(), turn(1, "t1"), total(9, (-1, 0, 5)))
        assert [(problem.line, problem.severity) for problem in facts.problems] == [(3, "error")]
        assert facts.messages == ()


class TestModels:
    def test_the_model_may_change_within_a_file(self, tmp_path: Path) -> None:
        facts = read(
            tmp_path,
            meta(),
            turn(1, "t1"),
            total(9, (100, 0, 5)),
            turn(10, "t2", "gpt-5-mini"),
            total(19, (200, 0, 9)),
        )
        assert [message.model for message in facts.messages] == ["gpt-5-codex", "gpt-5-mini"]
        assert facts.model == "gpt-5-codex"

    def test_the_first_model_applies_to_the_counts_before_it(self, tmp_path: Path) -> None:
        unnamed = read(tmp_path, meta(), total(9, (100, 0, 5)))
        assert [message.model for message in unnamed.messages] == [None]
        named = read(tmp_path, meta(), total(9, (100, 0, 5)), turn(10, "t1"))
        assert [message.model for message in named.messages] == ["gpt-5-codex"]

    def test_settings_name_the_model_and_the_tier(self, tmp_path: Path) -> None:
        settings = {"model": "gpt-5.6-sol", "service_tier": "priority"}
        applied = event(1, "thread_settings_applied", thread_settings=settings)
        facts = read(tmp_path, meta(), applied, total(9, (100, 0, 5)))
        assert [(message.model, message.terms) for message in facts.messages] == [
            ("gpt-5.6-sol", Terms(speed="fast"))
        ]

    def test_a_session_without_a_model_is_unpriced(self, tmp_path: Path) -> None:
        session(tmp_path, THREAD, meta(), total(9, (100, 0, 5)))
        assert folder_costs(tmp_path)["recorded_cost"] is None


CHILD_META = meta(60, CHILD, spawned(), forked_from_id=THREAD)
FORK_META = meta(60, SIBLING, "cli", forked_from_id=THREAD)
FORK_OWN = [turn(70, "t3"), total(90, (25_000, 12_000, 950), (1_000, 0, 50))]
FORK_COST = 0.00175  # USD: 1,000 x $1.25 and 50 x $10 a million


class TestReplays:
    @pytest.mark.parametrize("replayed_at", [60.1, None], ids=["own times", "original times"])
    def test_replayed_lines_of_a_spawned_thread_are_copied_and_without_tokens(
        self, tmp_path: Path, replayed_at: float | None
    ) -> None:
        facts = read(tmp_path, CHILD_META, *replay(PARENT, replayed_at), *OWN, thread=CHILD)
        assert [(message.copied, message.session, message.usage.total) for message in facts.messages] == [
            (True, THREAD, 0),
            (True, THREAD, 0),
            (False, CHILD, 2_100),
        ]
        assert own_usage(facts) == TokenUsage(input=1_500, cache_read=500, output=100)
        assert facts.session is not None
        assert (facts.session.id, facts.session.parent, facts.session.role) == (CHILD, THREAD, "explorer")
        assert facts.started_at is not None
        assert facts.started_at.isoformat() == "2026-07-02T08:01:01+00:00"

    def test_messages_have_the_same_ids_in_every_copy(self, tmp_path: Path) -> None:
        parent = read(tmp_path, *PARENT)
        child = read(tmp_path, CHILD_META, *replay(PARENT, 60.1), *OWN, thread=CHILD)
        ids = [message.message_id for message in child.messages]
        assert ids[:2] == [message.message_id for message in parent.messages]
        assert len(set(ids)) == 3

    def test_a_thread_without_its_parents_file_counts_only_its_own(self, tmp_path: Path) -> None:
        session(tmp_path, CHILD, CHILD_META, *replay(PARENT, 60.1), *OWN)
        assert folder_costs(tmp_path)["recorded_cost"] == pytest.approx(OWN_COST)

    def test_a_spawned_thread_that_replays_nothing_counts_from_zero(self, tmp_path: Path) -> None:
        started = meta(60, CHILD, spawned())
        own = [turn(60.01, "t2"), total(80, (2_000, 500, 100), (2_000, 500, 100))]
        facts = read(tmp_path, started, *own, total(90, (3_000, 500, 200), (1_000, 0, 100)), thread=CHILD)
        assert own_usage(facts) == TokenUsage(input=2_500, cache_read=500, output=200)
        with_parents_meta = read(tmp_path, started, meta(60.001), *own, thread=CHILD)
        assert own_usage(with_parents_meta) == TokenUsage(input=1_500, cache_read=500, output=100)

    def test_a_total_that_goes_on_from_a_parents_counts_from_the_last_request(self, tmp_path: Path) -> None:
        facts = read(tmp_path, CHILD_META, *OWN, thread=CHILD)
        assert own_usage(facts) == TokenUsage(input=1_500, cache_read=500, output=100)

    def test_a_thread_that_was_reverted_goes_on_in_a_file_with_two_ids(self, tmp_path: Path) -> None:
        first = session(tmp_path, THREAD, *PARENT)
        based = meta(60, THREAD, history_base={"thread_id": THREAD, "end_ordinal_exclusive": 6})
        session(tmp_path, f"{THREAD}_{SIBLING}", based, *OWN)
        assert folder_costs(tmp_path)["recorded_cost"] == pytest.approx(PARENT_COST + OWN_COST)
        first.unlink()
        assert folder_costs(tmp_path)["recorded_cost"] == pytest.approx(OWN_COST)

    def test_ids_of_turns_end_a_replay_of_any_length(self, tmp_path: Path) -> None:
        old, new = "019c0000-0001-7000-8000-00000000000a", "019c0001-0000-7000-8000-00000000000b"
        child = "019c0000-ffff-7000-8000-00000000000c"
        parent = [meta(), turn(1, old), total(9, (100, 0, 5)), total(19, (300, 0, 25))]
        slow = [{**record, "timestamp": f"2026-07-02T08:01:{n:02}Z"} for n, record in enumerate(parent)]
        own = [turn(64, new), total(64.1, (400, 0, 30))]
        facts = read(tmp_path, meta(60, child, spawned()), *slow, *own, thread=child)
        assert own_usage(facts) == TokenUsage(input=100, output=5)

    def test_an_ordinal_ends_a_replay(self, tmp_path: Path) -> None:
        first = meta(60, CHILD, spawned(), subagent_history_start_ordinal=8)
        records = [first, *replay(PARENT, 60.1), turn(60.1, "t2"), total(60.1, (24_500, 12_000, 950))]
        numbered = [{**record, "ordinal": number} for number, record in enumerate(records)]
        facts = read(tmp_path, *numbered, thread=CHILD)
        assert own_usage(facts) == TokenUsage(input=500, output=50)

    def test_the_threads_own_metadata_ends_a_replay(self, tmp_path: Path) -> None:
        again = meta(60.1, SIBLING, "cli")
        records = [
            FORK_META,
            *replay(PARENT, 60.1),
            again,
            turn(60.1, "t3"),
            total(60.1, (24_500, 12_000, 950)),
        ]
        assert own_usage(read(tmp_path, *records, thread=SIBLING)) == TokenUsage(input=500, output=50)

    def test_replayed_tool_calls_are_not_this_threads(self, tmp_path: Path) -> None:
        call = item(9, "function_call", name="exec_command", arguments='{"cmd":"npm test"}', call_id="c1")
        facts = read(tmp_path, CHILD_META, *replay([*PARENT[:4], call], 60.1), *OWN, thread=CHILD)
        assert facts.tools == ()

    def test_a_fork_without_own_work_is_a_copy(self, tmp_path: Path) -> None:
        session(tmp_path, THREAD, *PARENT)
        session(tmp_path, SIBLING, FORK_META, *replay(PARENT, 60.1))
        assert folder_costs(tmp_path)["recorded_cost"] == PARENT_COST
        sync_workflow_history(silent=True, agents_dir=tmp_path)
        costs = {run["id"].rpartition("-")[2]: run["total_cost"] for run in find_runs().workflows}
        assert costs == {THREAD.rpartition("-")[2]: PARENT_COST, SIBLING.rpartition("-")[2]: None}

    FAMILY = (
        (THREAD, PARENT),
        (CHILD, [CHILD_META, *replay(PARENT, 60.1), *OWN]),
        (SIBLING, [FORK_META, *replay(PARENT, None), *FORK_OWN]),
    )

    @pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
    def test_costs_do_not_depend_on_the_order_of_syncs(self, tmp_path: Path, order: tuple[int, ...]) -> None:
        everything = PARENT_COST + OWN_COST + FORK_COST
        for number in order:
            thread, records = self.FAMILY[number]
            session(tmp_path / str(number), thread, *records)
            sync_workflow_history(silent=True, agents_dir=tmp_path / str(number))
        costs = {run["id"].rpartition("-")[2][-1]: run["total_cost"] for run in find_runs().workflows}
        assert costs == pytest.approx({"1": PARENT_COST, "2": OWN_COST, "3": FORK_COST})
        for thread, records in self.FAMILY:
            session(tmp_path / "all", thread, *records)
        assert folder_costs(tmp_path / "all")["recorded_cost"] == pytest.approx(everything)

    def test_a_fork_begins_with_its_first_own_line(self, tmp_path: Path) -> None:
        for thread, records in self.FAMILY:
            session(tmp_path, thread, *records)
        sync_workflow_history(silent=True, agents_dir=tmp_path)
        runs = find_runs().workflows
        starts = {agent["session_id"][-1]: agent["timestamp"] for run in runs for agent in run["phase_costs"]}
        assert {run["id"][-1]: run["started_at"] for run in runs} == {
            "1": "2026-07-02T08:00:00Z",
            "3": "2026-07-02T08:01:10Z",
        }
        assert starts == {
            "1": "2026-07-02T08:00:00Z",
            "2": "2026-07-02T08:01:01Z",
            "3": "2026-07-02T08:01:10Z",
        }

    def test_a_fork_names_the_session_that_counts_its_beginning(self, tmp_path: Path) -> None:
        for thread, records in self.FAMILY[:2]:
            session(tmp_path, thread, *records)
        sync_workflow_history(silent=True, agents_dir=tmp_path)
        (run,) = find_runs().workflows
        (child,) = [agent for agent in run["phase_costs"] if agent["session_id"] == CHILD]
        assert [(other["messages"], THREAD in other["stream"]) for other in child["inherited"]] == [(2, True)]


FIRST, SECOND = (24_000, 12_000, 900), (26_000, 12_500, 1_000)
SECOND_TURN = [turn(61, "t2", "gpt-5-mini"), total(80, SECOND, (2_000, 500, 100))]


class TestOutputOfTheSameThread:
    """The output of `codex exec --json`, which names no model, and the session of the same thread."""

    @staticmethod
    def sync(*folders: Path) -> dict[str, Any]:
        for folder in folders:
            sync_workflow_history(silent=True, agents_dir=folder)
        return {run["id"]: run for run in find_runs().workflows}

    @staticmethod
    def reasons(run_id: str) -> list[str]:
        return [problem["reason"] for problem in load_workflow(run_id)["problems"]]

    @staticmethod
    def folders(tmp_path: Path, *records: Record, **outputs: list[str]) -> tuple[Path, Path]:
        session(tmp_path / "codex", THREAD, *records)
        for run_id, lines in outputs.items():
            stream(run(tmp_path / "shop" / "agents", run_id), "planner", *lines)
        return tmp_path / "shop" / "agents", tmp_path / "codex" / "sessions"

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["output first", "session first"])
    def test_the_run_of_the_output_counts_its_turns_at_the_price_of_the_sessions_model(
        self, tmp_path: Path, order: tuple[int, int]
    ) -> None:
        folders = self.folders(tmp_path, *PARENT, a1b2c3d4=exec_output(FIRST))
        session(tmp_path / "codex", CHILD, CHILD_META, *replay(PARENT, 60.1), *OWN)
        runs = self.sync(*(folders[number] for number in order))
        (output,), threads = runs["a1b2c3d4"]["phase_costs"], runs[THREAD]["phase_costs"]
        assert (output["cost"], output["cost_basis"]) == (PARENT_COST, "computed")
        assert (output["model"], output["unpriced_tokens"]) == ("gpt-5-codex", 0)
        assert runs["a1b2c3d4"]["total_tokens"] == 24_900
        owners = {agent["session_id"]: agent["duplicate_of"] for agent in threads}
        assert owners == {THREAD: "shop/a1b2c3d4: planner/raw_output.jsonl", CHILD: None}
        assert runs[THREAD]["total_cost"] == pytest.approx(OWN_COST)

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["output first", "session first"])
    def test_a_session_without_work_of_its_own_is_a_copy(
        self, tmp_path: Path, order: tuple[int, int]
    ) -> None:
        folders = self.folders(tmp_path, *PARENT, a1b2c3d4=exec_output(FIRST))
        runs = self.sync(*(folders[number] for number in order))
        assert (runs[THREAD]["total_cost"], runs[THREAD]["copy_of"]) == (None, "shop/a1b2c3d4")
        assert runs["a1b2c3d4"]["total_cost"] == PARENT_COST

    def test_each_run_that_resumed_the_thread_counts_its_own_turn(self, tmp_path: Path) -> None:
        outputs = {"a1b2c3d4": exec_output(FIRST), "b1b2c3d4": exec_output(SECOND)}
        runs = self.sync(*self.folders(tmp_path, *PARENT, *SECOND_TURN, **outputs))
        costs = {run_id: run["total_cost"] for run_id, run in runs.items()}
        assert costs == pytest.approx({"a1b2c3d4": PARENT_COST, "b1b2c3d4": OWN_COST, THREAD: None})

    def test_a_turn_without_output_belongs_to_the_session(self, tmp_path: Path) -> None:
        runs = self.sync(*self.folders(tmp_path, *PARENT, *SECOND_TURN, b1b2c3d4=exec_output(SECOND)))
        costs = {run_id: run["total_cost"] for run_id, run in runs.items()}
        assert costs == pytest.approx({"b1b2c3d4": OWN_COST, THREAD: PARENT_COST})
        (agent,) = runs[THREAD]["phase_costs"]
        assert agent["inherited"] == [{"stream": "shop/b1b2c3d4: planner/raw_output.jsonl", "messages": 1}]

    def test_an_output_ahead_of_the_session_counts_without_a_price_until_the_session_has_it(
        self, tmp_path: Path
    ) -> None:
        folders = self.folders(tmp_path, *PARENT[:5], a1b2c3d4=exec_output(FIRST))
        runs = self.sync(*folders)
        assert {run_id: run["total_tokens"] for run_id, run in runs.items()} == {
            "a1b2c3d4": 24_900,
            THREAD: None,
        }
        assert runs["a1b2c3d4"]["cost_basis"] == "unpriced"
        assert self.reasons("a1b2c3d4") == ["no line names the model: what its tokens cost is unknown"]
        session(tmp_path / "codex", THREAD, *PARENT)
        assert self.sync(folders[1])["a1b2c3d4"]["total_cost"] == PARENT_COST
        assert self.reasons("a1b2c3d4") == []

    def test_a_replay_of_the_thread_without_its_session_leaves_the_outputs_total(
        self, tmp_path: Path
    ) -> None:
        folders = self.folders(tmp_path, *PARENT, a1b2c3d4=exec_output(FIRST))
        next(folders[1].rglob("*.jsonl")).unlink()
        session(tmp_path / "codex", CHILD, CHILD_META, *replay(PARENT, 60.1), *OWN)
        runs = self.sync(*folders)
        assert runs["a1b2c3d4"]["total_tokens"] == 24_900
        assert sum(run["total_cost"] or 0 for run in runs.values()) == pytest.approx(OWN_COST)

    def test_a_copied_output_counts_once(self, tmp_path: Path) -> None:
        outputs = {"a1b2c3d4": exec_output(FIRST), "copy-of-a1b2c3d4": exec_output(FIRST)}
        runs = self.sync(*self.folders(tmp_path, *PARENT, **outputs))
        costs = {run_id: run["total_cost"] for run_id, run in runs.items()}
        assert costs == {"a1b2c3d4": PARENT_COST, "copy-of-a1b2c3d4": None, THREAD: None}

    def test_cost_counts_both_files_of_one_run_once(self, tmp_path: Path) -> None:
        folder = run(tmp_path / "agents", "a1b2c3d4")
        stream(folder, "planner", *exec_output(FIRST))
        session(folder, THREAD, *PARENT)
        assert folder_costs(tmp_path / "agents")["recorded_cost"] == PARENT_COST
        assert self.sync(tmp_path / "agents")["a1b2c3d4"]["total_cost"] == PARENT_COST


class TestRunsOfSpawnedThreads:
    """A thread is a part of its root thread's run, whichever of their sessions is there first."""

    @pytest.mark.parametrize("parent", [CHILD, THREAD], ids=["a grandchild", "a second child"])
    @pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
    def test_any_order_of_sessions_gives_the_same_run(
        self, tmp_path: Path, order: tuple[int, ...], parent: str
    ) -> None:
        child = [meta(60, CHILD, spawned()), *OWN]
        own = [turn(101, "t4", "gpt-5-mini"), total(110, (2_000, 500, 100), (2_000, 500, 100))]
        other = [meta(100, SIBLING, spawned(parent, "reviewer")), *own]
        threads = ((THREAD, PARENT), (CHILD, child), (SIBLING, other))
        for number in order:
            thread, records = threads[number]
            file = session(tmp_path / "codex", thread, *records)
            day = tmp_path / "codex" / "sessions" / "2026" / "07" / f"0{number + 3}"
            day.mkdir()
            file.rename(day / file.name)
            sync_workflow_history(silent=True, agents_dir=tmp_path / "codex" / "sessions")
        (found,) = find_runs().workflows
        assert (found["id"], found["source_state"], found["status"]) == (THREAD, "present", "ended")
        assert {agent["agent"] for agent in found["phase_costs"]} == {"main", "explorer", "reviewer"}
        assert found["total_cost"] == pytest.approx(PARENT_COST + 2 * OWN_COST)


GROWTHS = st.lists(
    st.tuples(*[st.integers(0, 999)] * 3).map(lambda n: (n[0] + n[1], n[1], n[2] + 1)), max_size=4
)


@st.composite
def families(draw: st.DrawFn) -> tuple[list[list[Record]], list[Counts]]:
    """Return the sessions of threads, each forked from an earlier one, and the growth of each turn."""
    sessions: list[list[Record]] = []
    totals: list[Counts] = []
    grown: list[Counts] = []
    for number in range(draw(st.integers(1, 4))):
        thread, origin = f"thread-{number}", draw(st.integers(0, number - 1)) if number else None
        start = 1_000.0 * number
        records = [
            meta(start, thread, "cli", **({} if origin is None else {"forked_from_id": f"thread-{origin}"}))
        ]
        if origin is not None:
            is_stamped = draw(st.booleans())
            records += replay(sessions[origin], start + 0.1 if is_stamped else None)
        last = (0, 0, 0) if origin is None else totals[origin]
        for index, growth in enumerate(draw(GROWTHS)):
            last = (last[0] + growth[0], last[1] + growth[1], last[2] + growth[2])
            seconds = start + 10 * (index + 1)
            records += [
                turn(seconds, f"{thread}-{index}"),
                *[total(seconds + 5, last, growth)] * draw(st.integers(1, 2)),
            ]
            grown.append(growth)
        sessions.append(records)
        totals.append(last)
    return sessions, grown


def parse(records: list[Record], path: str) -> StreamFacts:
    parser = CodexSessionParser(path)
    parser.feed("".join(json.dumps(record) + "\n" for record in records).encode(), 0)
    return parser.build_facts("main")


@given(families(), st.randoms(use_true_random=False))
def test_each_growth_of_forked_threads_counts_once_in_any_order(
    family: tuple[list[list[Record]], list[Counts]], random: Any
) -> None:
    sessions, grown = family
    facts = [parse(records, f"{number}.jsonl") for number, records in enumerate(sessions)]
    order = list(range(len(facts)))
    random.shuffle(order)
    shares = assign_shares({number: build_spender(facts[number]) for number in order}, dict(enumerate(order)))
    counted = sum([m.usage for share in shares.values() for m in share.messages], TokenUsage())
    expected = [TokenUsage(input=a - b, cache_read=b, output=c) for a, b, c in grown]
    assert counted == sum(expected, TokenUsage())
    for number, share in shares.items():
        own = [message for message in facts[number].messages if not message.copied]
        assert [m.usage for m in share.messages if m.usage.total] == [m.usage for m in own]


def test_reading_can_stop_after_any_line(tmp_path: Path) -> None:
    records = [CHILD_META, *replay(PARENT, 60.1), *OWN]
    whole = parse(records, "rollout.jsonl")
    for stop in range(len(records)):
        parser = CodexSessionParser("rollout.jsonl")
        lines = [json.dumps(record).encode() + b"\n" for record in records]
        parser.feed(b"".join(lines[:stop]), 0)
        resumed = msgspec.msgpack.decode(encode_state(parser), type=CodexSessionParser)
        resumed.feed(b"".join(lines[stop:]), stop)
        assert resumed.build_facts("main") == whole


def call_output(text: str) -> Record:
    return item(19, "function_call_output", call_id="c", output=text)


CALLS: dict[str, tuple[Record, tuple[str, str | None]]] = {
    "exec_command": (
        item(9, "function_call", name="exec_command", arguments='{"cmd":"npm test"}', call_id="c"),
        ("Bash", "npm test"),
    ),
    "shell": (
        item(
            9, "function_call", name="shell", arguments='{"command":["bash","-lc","npm test"]}', call_id="c"
        ),
        ("Bash", "npm test"),
    ),
    "shell_command": (
        item(9, "function_call", name="shell_command", arguments='{"command":"npm test"}', call_id="c"),
        ("Bash", "npm test"),
    ),
    "local_shell_call": (
        item(9, "local_shell_call", action={"type": "exec", "command": ["npm", "test"]}, call_id="c"),
        ("Bash", "npm test"),
    ),
    "apply_patch": (
        item(
            9,
            "custom_tool_call",
            name="apply_patch",
            input="*** Begin Patch\n*** Update File: src/orders.py\n@@\n-a\n+b\n*** End Patch",
            call_id="c",
        ),
        ("Edit", "src/orders.py"),
    ),
    "mcp": (
        item(9, "function_call", name="mcp__linear__get", arguments='{"query":"x"}', call_id="c"),
        ("mcp__linear__get", "x"),
    ),
}


class TestTools:
    @pytest.mark.parametrize("name", CALLS)
    def test_calls_are_named_as_other_agents_calls(self, tmp_path: Path, name: str) -> None:
        call, expected = CALLS[name]
        facts = read(tmp_path, meta(), call)
        assert [(tool.tool, tool.detail, tool.line, tool.failed) for tool in facts.tools] == [
            (*expected, 2, None)
        ]

    @pytest.mark.parametrize(
        ("output", "failed"),
        [
            ("Chunk ID: 1\nWall time: 1 seconds\nProcess exited with code 1\nOutput:\nexit code: 0", True),
            ("Process exited with code 0\nOutput:\nExit code: 1", False),
            ("Exit code: 2\nWall time: 1 seconds\nOutput:\nx", True),
            (json.dumps({"output": "x" * 5_000, "metadata": {"exit_code": 127, "duration": 1}}), True),
            (json.dumps({"output": '"exit_code":1', "metadata": {"exit_code": 0}}), False),
            ("exec_command failed for `x`: not found", True),
            ("Process running with session ID 4\nOutput:\n", None),
        ],
    )  # fmt: skip
    def test_exit_codes_decide_whether_a_command_failed(
        self, tmp_path: Path, output: str, failed: bool | None
    ) -> None:
        facts = read(tmp_path, meta(), CALLS["exec_command"][0], call_output(output))
        assert [tool.failed for tool in facts.tools] == [failed]

    def test_an_output_may_be_an_object(self, tmp_path: Path) -> None:
        output = item(19, "function_call_output", call_id="c", output={"content": "x", "success": False})
        assert [t.failed for t in read(tmp_path, meta(), CALLS["mcp"][0], output).tools] == [True]
        output = item(19, "function_call_output", call_id="c", output={"content": "x", "success": True})
        assert [t.failed for t in read(tmp_path, meta(), CALLS["mcp"][0], output).tools] == [False]

    def test_a_patch_ends_with_its_own_event(self, tmp_path: Path) -> None:
        ended = event(19, "patch_apply_end", call_id="c", success=False)
        assert [t.failed for t in read(tmp_path, meta(), CALLS["apply_patch"][0], ended).tools] == [True]

    def test_commands_of_a_program_are_calls_and_the_program_is_none(self, tmp_path: Path) -> None:
        program = item(9, "custom_tool_call", name="exec", input="await tools.exec_command({})", call_id="c")
        ran = {
            "type": "CommandExecution",
            "id": "x",
            "command": ["/bin/zsh", "-lc", "npm test"],
            "exit_code": 1,
        }
        facts = read(tmp_path, meta(), program, event(10, "item_completed", item=ran))
        assert [(tool.tool, tool.detail, tool.failed) for tool in facts.tools] == [("Bash", "npm test", True)]
        assert [tool.tool for tool in read(tmp_path, meta(), program).tools] == ["exec"]


STARTED = event(1, "task_started", turn_id="t1")
ENDINGS: dict[str, tuple[list[Record], Ending, str]] = {
    "complete": ([STARTED, event(9, "task_complete", last_agent_message="Done.")], Ending.ANSWERED, ""),
    "aborted": ([STARTED, event(9, "turn_aborted", reason="interrupted")], Ending.STOPPED, ""),
    "error": (
        [STARTED, event(9, "error", message="Usage limit reached")],
        Ending.ERROR,
        "Usage limit reached",
    ),
    "error before the end": (
        [
            STARTED,
            event(8, "error", message="Overloaded"),
            event(9, "task_complete", last_agent_message=None),
        ],
        Ending.ERROR,
        "Overloaded",
    ),
    "failed": ([STARTED, event(9, "task_complete", error={"message": "No model"})], Ending.ERROR, "No model"),
    "killed": ([STARTED, event(9, "agent_message", message="Working")], Ending.UNANSWERED, ""),
    "asked again": (
        [
            STARTED,
            event(8, "task_complete", last_agent_message="Done."),
            event(9, "user_message", message="And?"),
        ],
        Ending.UNANSWERED,
        "",
    ),
    "a version without ends of turns": ([event(9, "agent_message", message="Done.")], Ending.ANSWERED, ""),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_the_last_event_decides_the_ending(tmp_path: Path, name: str) -> None:
    records, ending, text = ENDINGS[name]
    facts = read(tmp_path, meta(), turn(0.5, "t1"), *records)
    assert (facts.ending, facts.ending_text) == (ending, text)


class TestMetadata:
    def test_a_session_has_its_folder_branch_title_and_times(self, tmp_path: Path) -> None:
        named = event(20, "thread_name_updated", thread_name="CSV export")
        facts = read(
            tmp_path, meta(), turn(10, "t1"), named, event(1_000, "task_complete", last_agent_message="x")
        )
        assert facts.session == SessionInfo(
            id=THREAD,
            folder="/home/me/shop",
            branch="main",
            title="CSV export",
            is_headless=True,
            active_seconds=20.0,
        )
        assert facts.session_ids == (THREAD,)
        assert facts.ended_at is not None
        assert (facts.ended_at.minute, facts.ended_at.second) == (16, 40)

    @pytest.mark.parametrize(
        ("source", "originator", "is_headless"),
        [
            ("exec", "codex_exec", True),
            ("cli", "codex_cli_rs", False),
            ("vscode", "codex_vscode", False),
            ("mcp", "other", None),
            (spawned(), "codex_exec", True),
        ],
    )
    def test_the_source_shows_whether_a_script_started_it(
        self, source: Any, originator: str, is_headless: bool | None
    ) -> None:
        info = read_session_head(json.dumps(meta(0, THREAD, source, originator=originator)).encode())
        assert info is not None
        assert info.is_headless is is_headless

    def test_the_head_is_read_from_a_cut_line(self) -> None:
        first = meta(60, CHILD, spawned(), session_id=THREAD)
        first["payload"]["base_instructions"] = {"text": 'You are "Codex", {[' + "x" * 100_000}
        start = json.dumps(first).encode()[: 64 * 1024]
        assert read_session_head(start) == SessionInfo(
            id=CHILD, parent=THREAD, role="explorer", folder="/home/me/shop", branch="main"
        )
        for length in range(0, 600, 7):
            read_session_head(start[:length])
        assert read_session_head(b"") is None
        assert read_session_head(b'{"type":"assistant"}\n') is None

    def test_the_thread_is_known_by_its_own_id(self) -> None:
        child = read_session_head(json.dumps(meta(60, CHILD, spawned(), session_id=THREAD)).encode())
        assert child is not None
        assert (child.id, child.parent) == (CHILD, THREAD)


def request_of(folder: Path) -> str | None:
    sync_workflow_history(silent=True, agents_dir=folder)
    (found,) = [run for run in find_runs().workflows if run["agents_dir"] == str(folder / "sessions")]
    request: str | None = found["nl_input"]
    return request


def said(seconds: float, *texts: str) -> Record:
    return item(
        seconds, "message", role="user", content=[{"type": "input_text", "text": text} for text in texts]
    )


CONTEXT = "<environment_context>\n  <cwd>/home/me/shop</cwd>\n</environment_context>"
INSTRUCTIONS = "# AGENTS.md instructions for /home/me/shop"
EDITOR = "# Context from my IDE setup:\n- a.py\n\n## My request for Codex:\nAdd a logo"
ITEM = {"type": "UserMessage", "content": [{"type": "text", "text": "Add a logo"}]}
PROMPTS: dict[str, list[Record]] = {
    "an event": [said(1, INSTRUCTIONS, CONTEXT), event(2, "user_message", message="Add a logo")],
    "a completed item": [said(1, CONTEXT), event(2, "item_completed", item=ITEM)],
    "a message beside the context": [said(1, INSTRUCTIONS, CONTEXT, "Add a logo")],
    "an editor": [event(2, "user_message", message=EDITOR)],
}


@pytest.mark.parametrize("name", PROMPTS)
def test_the_request_is_the_users_first_prompt(tmp_path: Path, name: str) -> None:
    session(tmp_path, THREAD, meta(), turn(0.5, "t1"), *PROMPTS[name], total(9, (100, 0, 5)))
    assert request_of(tmp_path) == "Add a logo"


def test_the_request_of_a_fork_is_its_own_prompt(tmp_path: Path) -> None:
    own = event(69, "user_message", message="Also for invoices")
    session(tmp_path, SIBLING, FORK_META, *replay(PARENT, 60.1), own, *FORK_OWN)
    assert request_of(tmp_path) == "Also for invoices"
