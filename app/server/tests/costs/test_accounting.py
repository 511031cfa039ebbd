"""Costs of transcripts, attempts and runs against sums worked out by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.server.core.workflow_history.common.models import (
    ReportedModelCost,
    StreamFacts,
    TokenUsage,
    ToolCall,
)
from app.server.core.workflow_history.costs.accounting import build_agent_run, compute_run_cost
from app.server.core.workflow_history.costs.accounting.agent_run import classify_outcome
from app.server.core.workflow_history.costs.accounting.deduplication import build_spender
from app.server.core.workflow_history.costs.accounting.money import to_decimal, to_usd_float
from app.server.core.workflow_history.costs.accounting.resumed_threads import (
    subtract_earlier_totals,
    thread_totals,
)
from app.server.tests.support.cost_builders import OPUS, SONNET, message, result, spent, stream

AT = datetime(2025, 12, 1, tzinfo=UTC)


def known_cost(costs):
    return (costs["total_cost"] or 0.0) + (costs["lower_bound_cost"] or 0.0)


# One stream with results


def test_a_result_is_the_best_record():
    run = build_agent_run(stream(results=(result("0.018", spent()),)), AT)
    assert (run["cost"], run["cost_basis"], run["computed_cost"]) == (0.018, "reported", 0.018)
    assert (run["cost_disputed"], run["cost_difference_percent"]) == (False, 0.0)


def test_our_own_sum_is_shown_where_it_differs_by_more_than_a_percent():
    run = build_agent_run(stream(results=(result("0.02", spent(cost="0.02")),)), AT)
    assert (run["cost"], run["computed_cost"]) == (0.02, 0.018)
    assert (run["cost_disputed"], run["cost_difference_percent"]) == (True, -10.0)


def test_a_difference_below_a_percent_is_no_dispute():
    assert build_agent_run(stream(results=(result("0.01801", spent()),)), AT)["cost_disputed"] is False


def test_tokens_spent_at_a_reported_cost_of_nothing_are_a_dispute():
    run = build_agent_run(stream(results=(result("0", spent(cost="0")),)), AT)
    assert (run["cost"], run["cost_disputed"], run["cost_difference_percent"]) == (0.0, True, None)


def test_costs_grow_within_a_process_and_durations_add_up():
    results = (
        result("0.018", spent(), line=5, duration_ms=1_000, turns=2),
        result(
            "0.036", spent(usage=TokenUsage(2_000, 2_000), cost="0.036"), line=9, duration_ms=500, turns=1
        ),
    )
    run = build_agent_run(stream(results=results), AT)
    assert (run["cost"], run["input_tokens"], run["duration_seconds"], run["turns"]) == (0.036, 2_000, 1.5, 3)
    assert run["restarts"] == 0


def test_a_lower_total_is_a_new_process_and_adds_up():
    results = (result("0.5", spent(cost="0.5"), line=5), result("0.2", spent(cost="0.2"), line=9))
    costs = compute_run_cost([stream(results=results)], AT)
    assert costs["total_cost"] == 0.7
    assert (costs["retry_count"], costs["retry_cost"]) == (1, 0.2)


@pytest.mark.parametrize(
    ("costs", "failed", "wasted"),
    [
        (["0.5", "0.2"], [0], 0.5),
        (["0.5", "0.2"], [1], 0.0),
        (["0.5", "0.2", "0.1"], [0, 1, 2], 0.7),
        (["0.5", "0.2", "0.1"], [1], 0.2),
        (["0.5"], [0], 0.0),
    ],
)
def test_of_several_processes_in_one_file_those_that_failed_before_the_last_are_named(costs, failed, wasted):
    results = tuple(
        result(cost, line=line, is_error=line in failed, session_id=f"s{line}")
        for line, cost in enumerate(costs)
    )
    run = compute_run_cost([stream(results=results)], AT)["phase_costs"][0]
    assert (run["restarts"], run["failed_process_cost"]) == (len(costs) - 1, wasted)


def test_a_failed_process_of_unknown_price_wasted_an_unknown_amount():
    results = tuple(
        result(cost, spent("mystery", cost=None), line=line, is_error=line == 0, process=line)
        for line, cost in enumerate([None, "0.5"])
    )
    run = compute_run_cost([stream(results=results)], AT)["phase_costs"][0]
    assert (run["restarts"], run["failed_process_cost"]) == (1, None)


def test_a_model_that_is_gone_from_the_totals_shows_a_new_process_too():
    results = (result("0.2", spent(OPUS, cost="0.2"), line=5), result("0.5", spent(cost="0.5"), line=9))
    assert build_agent_run(stream(results=results), AT)["cost"] == 0.7


def test_a_result_without_a_cost_is_computed_from_its_tokens():
    run = build_agent_run(stream(results=(result(None, spent(cost=None)),)), AT)
    assert (run["cost"], run["cost_basis"]) == (0.018, "computed")


def test_a_result_without_models_is_computed_from_the_main_threads_usage():
    run = build_agent_run(stream(results=(result(None, main_usage=TokenUsage(1_000, 1_000)),)), AT)
    assert (run["cost"], run["cost_basis"], run["model"]) == (0.018, "computed", SONNET)


def test_a_result_that_says_nothing_leaves_the_messages_to_count():
    run = build_agent_run(stream(results=(result(None),), messages=(message("msg_1"),)), AT)
    assert (run["cost"], run["cost_basis"]) == (0.018, "lower_bound")


def test_messages_after_the_last_result_are_spent_beyond_it():
    facts = stream(
        results=(result("0.018", spent(), line=5),),
        messages=(message("msg_1", line=2), message("msg_2", line=7)),
    )
    costs = compute_run_cost([facts], AT)
    assert (costs["total_cost"], costs["lower_bound_cost"], costs["cost_basis"]) == (
        0.018,
        0.018,
        "lower_bound",
    )
    assert costs["input_tokens"] == 2_000


def test_a_reported_cost_stands_though_one_model_has_no_price():
    models = (spent(cost="0.018"), spent("claude-nova-9", cost="0"))
    run = build_agent_run(stream(results=(result("0.018", *models),)), AT)
    assert (run["cost"], run["cost_basis"], run["unpriced_tokens"]) == (0.018, "reported", 2_000)
    assert [entry["cost"] for entry in run["models"]] == [0.018, None]


def test_a_model_that_the_agent_priced_is_not_unpriced():
    run = build_agent_run(stream(results=(result("0.018", spent("claude-nova-9")),)), AT)
    assert (run["cost"], run["unpriced_tokens"], run["computed_cost"]) == (0.018, 0, None)


def test_the_main_threads_one_hour_writes_are_told_apart():
    results = (
        result(
            "0.7",
            spent(usage=TokenUsage(cache_write_5m=100_000), cost="0.6"),
            spent(OPUS, TokenUsage(cache_write_5m=16_000), "0.1"),
            main_usage=TokenUsage(cache_write_1h=100_000),
        ),
    )
    run = build_agent_run(stream(results=results), AT)
    assert (run["cache_creation_1h_tokens"], run["cache_creation_5m_tokens"]) == (100_000, 16_000)
    assert run["computed_cost"] == 0.7


def test_an_aggregate_is_priced_without_the_long_request_tier():
    usage = TokenUsage(input=1_000_000)
    run = build_agent_run(stream(results=(result("3", spent(usage=usage, cost="3")),)), AT)
    assert (run["computed_cost"], run["cost_disputed"]) == (3.0, False)


def test_the_costliest_model_names_the_stream():
    models = (spent(cost="0.1"), spent(OPUS, cost="0.9"))
    assert build_agent_run(stream(results=(result("1.0", *models),)), AT)["model"] == OPUS


# One stream without a result


def test_without_a_result_the_messages_are_a_lower_bound():
    costs = compute_run_cost([stream(messages=(message("msg_1"), message("msg_2")))], AT)
    assert (costs["total_cost"], costs["cost_basis"], costs["lower_bound_cost"]) == (
        0.036,
        "lower_bound",
        None,
    )


def test_final_messages_are_computed_not_a_bound():
    run = build_agent_run(stream(format="claude_transcript", messages=(message("msg_1", is_final=True),)), AT)
    assert (run["cost"], run["cost_basis"]) == (0.018, "computed")


def test_one_message_that_is_not_final_makes_the_sum_a_bound():
    messages = (message("msg_1", is_final=True), message("msg_2"))
    assert build_agent_run(stream(messages=messages), AT)["cost_basis"] == "lower_bound"


def test_the_cost_of_the_priced_part_is_not_the_cost():
    messages = (message("msg_1"), message("msg_2", model="claude-nova-9"))
    run = build_agent_run(stream(messages=messages), AT)
    assert (run["cost"], run["cost_basis"], run["lower_bound_cost"]) == (None, "unpriced", 0.018)
    assert (run["unpriced_tokens"], run["input_tokens"]) == (2_000, 2_000)


def test_each_message_is_priced_as_the_request_that_it_is():
    short = tuple(message(f"msg_{n}", TokenUsage(input=150_000)) for n in range(2))
    long = (message("msg_1", TokenUsage(input=300_000)),)
    assert build_agent_run(stream(messages=short), AT)["cost"] == 0.9
    assert build_agent_run(stream(messages=long), AT)["cost"] == 1.8


@pytest.mark.parametrize("facts", [stream(), stream(messages=(message("msg_1", TokenUsage()),))])
def test_a_stream_without_usage_costs_nothing_known(facts):
    run = build_agent_run(facts, AT)
    assert (run["cost"], run["cost_basis"], run["input_tokens"], run["computed_cost"]) == (None,) * 4


def test_another_clis_totals_are_computed():
    totals = result(None, spent("gemini-2.5-pro", cost=None), process=1)
    run = build_agent_run(stream(format="gemini", model="gemini-2.5-pro", results=(totals,)), AT)
    assert (run["cost"], run["cost_basis"]) == (0.01125, "computed")


def test_another_clis_unknown_model_is_unpriced():
    totals = result(None, ReportedModelCost(None, TokenUsage(input=1_000), None), process=1)
    run = build_agent_run(stream(format="gemini", model=None, results=(totals,)), AT)
    assert (run["cost"], run["cost_basis"], run["unpriced_tokens"]) == (None, "unpriced", 1_000)


def test_a_streams_own_start_dates_its_price():
    facts = stream(messages=(message("msg_1", TokenUsage(input=300_000), model="claude-sonnet-4-6"),))
    march = datetime(2026, 4, 1, tzinfo=UTC)
    assert build_agent_run(facts, AT)["cost"] == 1.8
    assert build_agent_run(replace(facts, started_at=march), AT)["cost"] == 0.9


def test_a_changed_price_without_a_date_is_unknown():
    long, short = TokenUsage(input=300_000), TokenUsage(input=1_000)
    facts = stream(messages=(message("msg_1", long, model="claude-sonnet-4-6"),))
    assert build_agent_run(facts, None)["cost_basis"] == "unpriced"
    facts = stream(messages=(message("msg_1", short, model="claude-sonnet-4-6"),))
    assert build_agent_run(facts, None)["cost"] == 0.003  # the price of long requests alone has changed


# How a stream ended, and when


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        (stream(), "incomplete"),
        (stream(results=(result("0.1", spent()),)), "success"),
        (stream(results=(result("0.1", spent(), is_error=True),)), "error"),
        (stream(results=(result("0.1", spent(), subtype="error_max_turns"),)), "error"),
        (stream(results=(result("0", text=""),)), "false_success"),
        (stream(results=(result("0", text="Unknown skill: feature"),)), "false_success"),
        (stream(results=(result("0", text="nothing to do"),)), "success"),
        (stream(results=(result("0.1", is_error=True, line=5), result("0.2", line=9))), "success"),
    ],
)
def test_the_last_result_says_how_a_stream_ended(facts, outcome):
    assert classify_outcome(facts) == outcome


def test_a_false_success_is_a_true_zero():
    costs = compute_run_cost([stream(results=(result("0", text="Unknown skill: feature"),))], AT)
    assert (costs["total_cost"], costs["cost_basis"], costs["total_tokens"]) == (0.0, "reported", 0)
    assert costs["phase_costs"][0]["error"] == "Unknown skill: feature"


def test_a_start_is_derived_from_the_files_time_and_the_duration():
    facts = stream(
        results=(result("0", duration_ms=60_000),), modified_at=datetime(2025, 12, 1, 12, tzinfo=UTC)
    )
    run = build_agent_run(facts, AT)
    assert (run["timestamp"], run["time_basis"]) == ("2025-12-01T11:59:00+00:00", "derived")


def test_tool_calls_and_their_errors_are_counted():
    tools = (
        ToolCall("Bash", "ls", 2, failed=False),
        ToolCall("Bash", "ls", 3, failed=True),
        ToolCall("Read", None, 4),
    )
    run = build_agent_run(stream(tools=tools), AT)
    assert (run["tool_calls"], run["tool_errors"]) == (3, 1)


# A whole run


def test_recorded_costs_and_lower_bounds_stay_apart():
    streams = [stream("a", results=(result("1.0", spent()),)), stream("b", messages=(message("msg_1"),))]
    costs = compute_run_cost(streams, AT)
    assert (costs["total_cost"], costs["lower_bound_cost"], costs["cost_basis"]) == (
        1.0,
        0.018,
        "lower_bound",
    )


def test_a_stream_that_is_silent_about_its_cost_makes_the_run_a_lower_bound():
    costs = compute_run_cost([stream("a", results=(result("1.0", spent()),)), stream("b")], AT)
    assert (costs["total_cost"], costs["cost_basis"]) == (1.0, "lower_bound")


def test_an_empty_file_takes_nothing_from_a_runs_certainty():
    costs = compute_run_cost(
        [stream("a", results=(result("1.0", spent()),)), stream("b", lines=0, format="empty")], AT
    )
    assert (costs["total_cost"], costs["cost_basis"]) == (1.0, "reported")


def test_a_mix_of_reported_and_computed_is_computed():
    streams = [
        stream("a", results=(result("1.0", spent()),)),
        stream("b", results=(result(None, spent(cost=None)),)),
    ]
    costs = compute_run_cost(streams, AT)
    assert (costs["total_cost"], costs["cost_basis"]) == (1.018, "computed")


def test_an_unpriced_stream_leaves_what_is_on_record():
    unknown = stream("b", messages=(message("msg_1", model="claude-nova-9"),))
    costs = compute_run_cost([stream("a", results=(result("1.0", spent()),)), unknown], AT)
    assert (costs["total_cost"], costs["cost_basis"], costs["unpriced_tokens"]) == (1.0, "unpriced", 2_000)


@pytest.mark.parametrize("streams", [[], [stream()], [stream(lines=0, format="empty")]])
def test_of_a_run_that_says_nothing_nothing_is_known(streams):
    costs = compute_run_cost(streams, AT)
    unknown = (
        "total_cost",
        "cost_basis",
        "lower_bound_cost",
        "computed_cost",
        "input_tokens",
        "total_tokens",
    )
    assert [costs[key] for key in unknown] == [None] * len(unknown)
    assert costs["retry_cost"] == 0.0


def test_a_message_covered_by_a_result_is_not_counted_in_another_file():
    covered = stream("b", results=(result("0.018", spent()),), messages=(message("msg_1"),))
    costs = compute_run_cost([stream("a", messages=(message("msg_1"),)), covered], AT)
    assert (costs["total_cost"], costs["lower_bound_cost"], costs["cost_basis"]) == (0.018, None, "reported")
    assert costs["phase_costs"][0]["duplicate_of"] == "b/raw_output.jsonl"


def test_a_copied_stream_counts_once():
    original = stream("a", results=(result("1.0", spent(), uuid="u1"),))
    copy = replace(original, path="b/raw_output.jsonl")
    costs = compute_run_cost([original, copy], AT)
    assert costs["total_cost"] == 1.0
    second = costs["phase_costs"][1]
    assert (second["duplicate_of"], second["cost"], second["cost_basis"]) == (
        "a/raw_output.jsonl",
        None,
        None,
    )
    assert second["outcome"] == "success"


def test_the_longer_of_two_copies_keeps_the_cost():
    first = result("1.0", spent(cost="1.0"), uuid="u1", line=5)
    later = result("3.0", spent(cost="3.0"), uuid="u2", line=9)
    costs = compute_run_cost([stream("a", results=(first,)), stream("b", results=(first, later))], AT)
    assert costs["total_cost"] == 3.0


def test_equal_costs_in_one_session_are_no_copies():
    streams = [stream(name, results=(result("0.25", spent(), session_id="s"),)) for name in ("a", "b")]
    assert compute_run_cost(streams, AT)["total_cost"] == 0.5


def test_models_are_summed_over_the_run():
    streams = [
        stream("a", results=(result("1.5", spent(OPUS, cost="1.0"), spent(cost="0.5")),)),
        stream("b", results=(result("1.0", spent(OPUS, cost="1.0")),)),
    ]
    costs = compute_run_cost(streams, AT)
    assert [(m["model"], m["cost"], m["agent_runs"]) for m in costs["models"]] == [
        (OPUS, 2.0, 2),
        (SONNET, 0.5, 1),
    ]
    assert costs["models"][0]["input_tokens"] == 2_000


def test_phase_costs_stand_in_the_order_of_time():
    late, early = (datetime(2025, 12, 1, hour, tzinfo=UTC) for hour in (12, 9))
    costs = compute_run_cost([stream("a", modified_at=late), stream("b", modified_at=early)], AT)
    assert [run["agent"] for run in costs["phase_costs"]] == ["b", "a"]


# Retries and former attempts


@pytest.mark.parametrize(
    ("agents", "retries"),
    [
        (["test_resolver_iter1_0", "test_resolver_iter1_1"], []),
        (["test_resolver_iter1_0", "test_resolver_iter2_0"], ["test_resolver_iter2_0"]),
        (["e2e_test_runner_0_0", "e2e_test_runner_0_1", "e2e_test_runner_1_0"], ["e2e_test_runner_1_0"]),
        (["builder", "builder_retry2"], ["builder_retry2"]),
        (["builder_attempt_1", "builder_attempt_2"], ["builder_attempt_2"]),
        (["step_1", "step_2", "wave_1_2", "wave_2_1"], []),
        (["planner", "builder", "reviewer"], []),
    ],
)
def test_later_iterations_of_an_agent_are_retries(agents, retries):
    costs = compute_run_cost([stream(agent, results=(result("0.5", spent()),)) for agent in agents], AT)
    assert [run["agent"] for run in costs["phase_costs"] if run["is_retry"]] == retries
    assert (costs["retry_count"], costs["retry_cost"]) == (len(retries), 0.5 * len(retries))


def test_an_overwritten_attempt_is_spent_all_the_same():
    first = compute_run_cost([stream(results=(result("1.0", spent(cost="1.0")),), identity="first")], AT)
    second = stream(results=(result("0.4", spent(cost="0.4")),), identity="second")
    costs = compute_run_cost([second], AT, former=first["phase_costs"])
    assert (costs["total_cost"], costs["retry_count"], costs["retry_cost"]) == (1.4, 1, 1.0)
    assert [(run["attempt"], run["superseded"]) for run in costs["phase_costs"]] == [(1, True), (2, False)]


def test_a_third_attempt_keeps_the_first_two():
    stored = []
    for number, cost in enumerate(("1.0", "0.4", "0.2")):
        facts = stream(results=(result(cost, spent(cost=cost)),), identity=f"attempt {number}")
        costs = compute_run_cost([facts], AT, former=stored)
        stored = costs["phase_costs"]
    assert costs["total_cost"] == 1.6
    assert sorted(run["attempt"] for run in stored) == [1, 2, 3]


def test_a_vanished_stream_is_spent_all_the_same():
    stored = compute_run_cost([stream(results=(result("1.0", spent()),))], AT)["phase_costs"]
    costs = compute_run_cost([], AT, former=stored)
    assert (costs["total_cost"], costs["cost_basis"], costs["retry_count"]) == (1.0, "reported", 0)


def test_a_stream_seen_again_is_counted_once():
    facts = [stream(results=(result("1.0", spent()),)), stream("b", messages=(message("msg_1"),))]
    first = compute_run_cost(facts, AT)
    assert compute_run_cost(facts, AT, former=first["phase_costs"]) == first


def test_a_moved_stream_is_counted_once():
    facts = stream("a", results=(result("1.0", spent(), session_id="s1"),), identity="first")
    stored = compute_run_cost([facts], AT)["phase_costs"]
    moved = replace(facts, path="b/raw_output.jsonl", agent="b")
    assert compute_run_cost([moved], AT, former=stored)["total_cost"] == 1.0


def test_a_stream_cut_short_keeps_what_was_known_of_it():
    whole = stream(results=(result("1.0", spent()),), messages=(message("msg_1"),))
    stored = compute_run_cost([whole], AT)["phase_costs"]
    costs = compute_run_cost([replace(whole, results=(), last_result_line=None)], AT, former=stored)
    assert (costs["total_cost"], costs["cost_basis"]) == (1.0, "reported")
    assert costs["phase_costs"][0]["outcome"] == "incomplete"


def test_a_result_takes_the_place_of_the_lower_bound_before_it():
    cut = stream(messages=(message("msg_1"),))
    stored = compute_run_cost([cut], AT)["phase_costs"]
    costs = compute_run_cost(
        [replace(cut, results=(result("0.01", spent(cost="0.01")),), last_result_line=9)], AT, former=stored
    )
    assert (costs["total_cost"], costs["lower_bound_cost"], costs["cost_basis"]) == (0.01, None, "reported")


def test_a_transcript_cut_short_keeps_its_longer_sum():
    messages = tuple(message(f"msg_{n}", is_final=True) for n in range(3))
    whole = stream(format="claude_transcript", messages=messages)
    stored = compute_run_cost([whole], AT)["phase_costs"]
    assert compute_run_cost([replace(whole, messages=messages[:1])], AT, former=stored)["total_cost"] == 0.054


def test_a_transcript_that_grows_leaves_no_former_attempt_behind():
    messages = tuple(message(f"msg_{n}", is_final=n == 0) for n in range(3))
    whole = stream(format="claude_transcript", messages=messages)
    stored = compute_run_cost([replace(whole, messages=messages[:1])], AT)["phase_costs"]
    costs = compute_run_cost([whole], AT, former=stored)
    assert (costs["total_cost"], costs["cost_basis"], costs["retry_count"]) == (0.054, "lower_bound", 0)


@pytest.mark.parametrize("times", [1, 3])
def test_a_stream_that_could_not_be_read_for_a_while_is_no_attempt_beside_itself(times: int):
    shut = stream(lines=0, format="unreadable", identity=None)
    stored = compute_run_cost([shut], AT)["phase_costs"]
    for _ in range(times):
        stored = compute_run_cost([shut], AT, former=stored)["phase_costs"]
    assert len(stored) == 1
    costs = compute_run_cost([stream(results=(result("1.0", spent()),))], AT, former=stored)
    assert (costs["total_cost"], costs["cost_basis"], costs["retry_count"]) == (1.0, "reported", 0)


def test_a_file_reopened_empty_is_an_attempt_overwritten():
    stored = compute_run_cost([stream(results=(result("1.0", spent()),))], AT)["phase_costs"]
    costs = compute_run_cost([stream(lines=0, format="empty", identity=None)], AT, former=stored)
    assert (costs["total_cost"], costs["retry_cost"]) == (1.0, 1.0)


def test_an_empty_file_that_fills_is_no_retry():
    stored = compute_run_cost([stream(lines=0, format="empty", identity=None)], AT)["phase_costs"]
    costs = compute_run_cost([stream(results=(result("1.0", spent()),))], AT, former=stored)
    assert (costs["total_cost"], costs["retry_count"]) == (1.0, 0)


# What must always hold

COSTS = st.decimals("0", "10", places=6)
USAGES = st.builds(TokenUsage, st.integers(0, 10**6), st.integers(0, 10**5), st.integers(0, 10**6))
MESSAGES = st.lists(st.tuples(st.sampled_from("abcdef"), USAGES), max_size=4, unique_by=lambda pair: pair[0])


@st.composite
def streams(draw, names="pqrs"):
    """Some streams of one run, with results or cut off, and with attempts of their own."""
    made: list[StreamFacts] = []
    for name in draw(st.lists(st.sampled_from(names), unique=True)):
        identity = f"{name} {draw(st.integers(0, 2))}"
        cost, usage = draw(COSTS), draw(USAGES)
        ended = draw(st.booleans())
        own = tuple(message(f"{identity} {key}", spent_by) for key, spent_by in draw(MESSAGES))
        results = (result(str(cost), spent(usage=usage, cost=str(cost))),) if ended else ()
        made.append(stream(name, results=results, messages=own, identity=identity, session_ids=(identity,)))
    return made


@given(streams(), st.randoms(use_true_random=False))
def test_the_order_of_the_files_changes_nothing(facts, random):
    shuffled = list(facts)
    random.shuffle(shuffled)
    assert compute_run_cost(shuffled, AT) == compute_run_cost(facts, AT)


@given(streams(), streams())
def test_a_reported_cost_never_falls_whatever_becomes_of_the_files(before, after):
    first = compute_run_cost(before, AT)
    second = compute_run_cost(after, AT, former=first["phase_costs"])
    reported = sum(run["cost"] for run in first["phase_costs"] if run["cost_basis"] == "reported")
    assert known_cost(second) >= reported - 1e-9


@given(streams())
def test_a_run_whose_files_vanish_costs_what_it_did(facts):
    first = compute_run_cost(facts, AT)
    assert compute_run_cost([], AT, former=first["phase_costs"])["total_cost"] == first["total_cost"]


@given(streams())
def test_counting_again_changes_nothing(facts):
    first = compute_run_cost(facts, AT)
    assert compute_run_cost(facts, AT, former=first["phase_costs"]) == first


@given(streams())
def test_models_and_streams_add_up_to_the_same_cost(facts):
    costs = compute_run_cost(facts, AT)
    by_model = math.fsum(entry["cost"] or 0.0 for entry in costs["models"])
    assert by_model == pytest.approx(known_cost(costs), abs=1e-7)


@given(st.decimals("-1000", "1000", places=12))
def test_printed_money_has_nine_decimals_at_most_and_no_negative_zero(amount):
    number = to_usd_float(amount)
    assert number is not None
    assert not (number == 0 and math.copysign(1, number) < 0)
    assert to_decimal(number) == amount.quantize(Decimal("0.000000001"))


# Threads that several streams count


def thread(agent: str, *totals: int) -> StreamFacts:
    turns = [
        result(
            None,
            ReportedModelCost(None, TokenUsage(input=total), None),
            line=line,
            session_id="th",
            process=1,
        )
        for line, total in enumerate(totals, 2)
    ]
    return stream(agent, format="codex", model=None, results=tuple(turns))


def test_a_thread_that_goes_through_three_agents_is_shared_out_whatever_their_order():
    streams = [thread("c", 900, 950), thread("a", 100), thread("b", 300, 400)]
    for order in (streams, streams[::-1]):
        runs = {run["agent"]: run["input_tokens"] for run in compute_run_cost(order, AT)["phase_costs"]}
        assert runs == {"a": 100, "b": 300, "c": 550}


def test_what_another_run_counted_of_a_thread_is_not_counted_again():
    elsewhere = thread_totals([thread("a", 100)])
    (own,) = subtract_earlier_totals([thread("b", 300, 400)], elsewhere)
    assert build_agent_run(own, AT)["input_tokens"] == 300


def test_a_total_that_is_no_lower_in_every_count_is_no_earlier_one():
    elsewhere = thread_totals([thread("a", 350)])
    (own,) = subtract_earlier_totals([thread("b", 300, 400)], elsewhere)
    assert build_agent_run(own, AT)["input_tokens"] == 400


def test_the_session_of_a_stream_without_a_start_is_that_of_its_first_result() -> None:
    sessions = [f"session-{number}" for number in range(20)]
    facts = stream(results=tuple(result("1", session_id=session) for session in sessions))
    assert build_spender(replace(facts, session_ids=())).session == "session-0"
