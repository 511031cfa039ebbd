"""What recurs is ranked by what a script is worth, told once, and what was decided of it stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.server.core.workflow_history.demo.scripts import BUILD_LOOP
from app.server.core.workflow_history.patterns import pattern_key
from app.server.core.workflow_history.patterns.folding import common_stretch, folded_under
from app.server.core.workflow_history.patterns.programs import OWN_TOOLS
from app.server.core.workflow_history.patterns.ranking import Habit, rank
from app.server.core.workflow_history.patterns.recurring import Recurring
from app.server.core.workflow_history.patterns.savings import a_month, saving
from app.server.core.workflow_history.patterns.sequences import ARROW

END = datetime(2026, 3, 31, 18, tzinfo=UTC)
HABIT = ARROW.join(BUILD_LOOP)
DAY = 86_400_000_000  # microseconds


def pattern(signature: str, count: int = 100, **given_: Any) -> Recurring:
    """Return one pattern that always ends well and costs a cent each time, a sequence where it has steps."""
    kind = given_.pop("kind", "sequence" if ARROW in signature else "operation")
    ended = count - given_.get("failures", 0)
    usual: dict[str, Any] = {
        "status": "detected", "note": None, "decided_at": None, "first_seen_at": None, "runs": 50,
        "successes": ended, "failures": 0, "nanodollars": count * 10_000_000, "unpriced_runs": 0,
        "seconds": float(count), "untimed_runs": 0,
    }  # fmt: skip
    return Recurring(
        id=pattern_key(kind, signature), kind=kind, signature=signature, count=count, **{**usual, **given_}
    )


def seq(*steps: str) -> str:
    return ARROW.join(steps)


def by_name(habits: list[Habit]) -> dict[str, Habit]:
    return {habit.pattern.signature: habit for habit in habits}


def under(*patterns: Recurring) -> dict[str, str]:
    """Return what is folded under what, by signature."""
    names = {one.id: one.signature for one in patterns}
    return {names[part]: whole.signature for part, whole in folded_under(patterns).items()}


# --- how steady, how good


def test_a_sequence_is_as_steady_as_it_is_gone_on_with():
    habits = by_name(rank([pattern("a", 200), pattern("b", 100), pattern(seq("a", "b"), 100)]))
    assert habits[seq("a", "b")].stability == 0.5


def test_without_its_first_operation_it_is_unknown_how_steady_a_sequence_is():
    (habit,) = rank([pattern(seq("a", "b"))])
    assert (habit.stability, habit.worth) == (None, None)
    assert habit.saving.nanodollars is not None


def test_an_operation_is_steady_when_each_run_does_it_once():
    habits = by_name(rank([pattern("once", 50, runs=50), pattern("often", 200, runs=50)]))
    assert (habits["once"].stability, habits["often"].stability) == (1.0, 0.25)


def test_success_is_of_those_times_whose_end_is_known_and_few_tell_little():
    few, many, none = pattern("few", 3), pattern("many", 300), pattern("none", 9, successes=0)
    mixed = pattern("mixed", 100, successes=30, failures=10)
    habits = by_name(rank([few, many, none, mixed]))
    assert (habits["few"].success_rate, habits["many"].success_rate) == (1.0, 1.0)
    # Wilson's lower end for n of n is n / (n + z²)
    assert habits["few"].success_at_least == pytest.approx(3 / (3 + 1.959963984540054**2))
    assert habits["many"].success_at_least == pytest.approx(300 / (300 + 1.959963984540054**2))
    assert (habits["none"].success_rate, habits["none"].success_at_least) == (None, None)
    assert habits["mixed"].success_rate == 0.75


# --- order


def test_the_worthiest_comes_first_and_its_worth_is_the_product_that_the_page_tells():
    steady = pattern(seq("a", "b"), 100, nanodollars=2_000_000_000)
    shaky = pattern(seq("x", "y"), 100, nanodollars=3_000_000_000)
    ops = [pattern("a", 100), pattern("b", 100), pattern("x", 1000, runs=1), pattern("y", 1000, runs=1)]
    habits = rank([shaky, steady, *ops])
    names = [habit.pattern.signature for habit in habits if habit.part_of is None]
    assert names[0] == seq("a", "b")
    first = habits[0]
    assert first.worth == round(2_000_000_000 * 0.5 * first.success_at_least * 1.0)


def test_fewer_failures_come_before_more_at_the_same_cost():
    good, bad = pattern("good"), pattern("bad", failures=60)
    assert [habit.pattern.signature for habit in rank([bad, good])] == ["good", "bad"]


def test_what_is_of_unknown_worth_comes_last_by_its_cost():
    unknown = pattern("unknown", nanodollars=0, unpriced_runs=50)
    endless = pattern("endless", successes=0, nanodollars=9_000_000_000)
    habits = rank([unknown, endless, pattern("known", 2, runs=2)])
    assert [habit.pattern.signature for habit in habits] == ["known", "endless", "unknown"]
    assert [habit.worth is None for habit in habits] == [False, True, True]
    assert habits[2].saving.nanodollars is None


@pytest.mark.parametrize("tool", ["Read", "Edit", "TodoWrite", "Task", "read_file"])
def test_no_script_takes_over_what_an_agent_thinks_with(tool: str):
    (habit,) = rank([pattern(tool)])
    assert (habit.scriptable, habit.worth, habit.saving.nanodollars) == (False, None, None)


def test_phases_are_no_script_and_commands_skills_and_mcp_tools_can_be():
    habits = rank([
        pattern("plan > build", kind="phases"), pattern("pytest"), pattern("/commit"), pattern("mcp__a__b"),
    ])  # fmt: skip
    assert [habit.pattern.kind for habit in habits if not habit.scriptable] == ["phases"]
    assert not {"pytest", "/commit", "mcp__a__b"} & OWN_TOOLS


@given(st.permutations([
    pattern("a", 10), pattern("b", 10), pattern(seq("a", "b"), 10), pattern(seq("b", "a"), 9),
    pattern(seq("a", "b", "c"), 9), pattern("Read"), pattern("c", 9, successes=0), pattern("d", 10),
]))  # fmt: skip
def test_the_order_in_which_patterns_are_given_changes_nothing(patterns: list[Recurring]):
    told = [(habit.pattern.id, habit.part_of and habit.part_of.id) for habit in rank(patterns)]
    assert told == [
        (habit.pattern.id, habit.part_of and habit.part_of.id)
        for habit in rank(sorted(patterns, key=lambda one: one.id))
    ]


# --- folding


def test_a_part_that_is_seen_hardly_more_often_is_folded_under_the_whole():
    whole, part = pattern(seq("a", "b", "c"), 100), pattern(seq("a", "b"), 110, nanodollars=700_000_000)
    assert under(whole, part) == {part.signature: whole.signature}


def test_a_part_that_is_seen_far_more_often_stands_for_itself():
    whole, part = pattern(seq("a", "b", "c"), 100), pattern(seq("a", "b"), 300, nanodollars=700_000_000)
    assert under(whole, part) == {}


def test_a_rarer_longer_one_is_folded_under_the_part_that_costs_more():
    often, longer = pattern(seq("a", "b", "c"), 300), pattern(seq("a", "b", "c", "d"), 50)
    assert under(often, longer) == {longer.signature: often.signature}


def test_a_loop_is_told_once_however_it_is_cut():
    loop = pattern(seq("a", "b", "c"), 100)
    cuts = [pattern(seq(*cut), 60, nanodollars=100) for cut in ("bca", "cab", "abca", "ca", "ab", "cabcab")]
    assert under(*cuts, loop) == {one.signature: loop.signature for one in cuts}


def test_one_step_in_common_is_not_the_same_work():
    first, second = pattern(seq("a", "b", "c"), 100), pattern(seq("c", "d"), 90)
    assert under(first, second) == {}
    assert under(first, pattern(seq("c", "d", "a", "e"), 90)) == {}


def test_an_operation_is_folded_where_most_of_its_times_lie_in_a_sequence():
    whole = pattern(seq("a", "b"), 80)
    assert under(whole, pattern("a", 100), pattern("b", 101)) == {"a": whole.signature}
    assert under(pattern(seq("a", "b", "a"), 80), pattern("a", 200)) == {"a": seq("a", "b", "a")}


def test_what_was_accepted_stands_for_itself_and_tells_of_the_others():
    whole, part = pattern(seq("a", "b", "c"), 100), pattern(seq("a", "b"), 100, nanodollars=1)
    accepted = replace(part, status="accepted")
    assert under(whole, part) == {part.signature: whole.signature}
    assert under(whole, accepted) == {whole.signature: part.signature}
    operation = pattern("a", 100, status="accepted")
    assert under(operation, accepted, pattern(seq("a", "b", "c", "d"), 100)) == {}


@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=6),
    st.lists(st.sampled_from("abc"), min_size=1, max_size=4),
)
def test_a_common_stretch_is_what_a_search_of_the_repeated_text_finds(steps: list[str], other: list[str]):
    text, again = "".join(steps), "".join(other) * 8
    pieces = [text[start:end] for start in range(len(text)) for end in range(start, len(text) + 1)]
    assert common_stretch(steps, other) == max(len(piece) for piece in pieces if piece in again)


def test_nothing_is_folded_under_what_is_folded_itself_and_nobody_gets_lost():
    names = [
        seq(*(f"s{(at + step) % 9}" for step in range(length))) for at in range(9) for length in (2, 3, 4)
    ]
    patterns = [pattern(name, 50 + 7 * place % 40) for place, name in enumerate(names)]
    habits = rank(patterns)
    parts = [part.id for habit in habits for part in habit.parts]
    assert all(habit.part_of is None for habit in habits if habit.parts)
    assert sorted(parts) == sorted(habit.pattern.id for habit in habits if habit.part_of is not None)
    assert len(habits) == len(patterns)


# --- savings


def by_hand(one: Recurring, kept: Decimal) -> int:
    """Work a saving out another way: with decimals of 60 digits."""
    with localcontext() as context:
        context.prec = 60
        cost = Decimal(one.nanodollars) * one.successes / one.count * (1 - kept)
        return int(cost.to_integral_value(ROUND_FLOOR))


@given(
    st.integers(0, 10**15),
    st.integers(1, 10**6),
    st.data(),
    st.sampled_from(["0", "0.25", "0.1", "0.9", "1"]),
)
def test_a_saving_is_exact_to_the_nanodollar(cost: int, count: int, data: st.DataObject, keep: str):
    well = data.draw(st.integers(0, count))
    failed = data.draw(st.integers(0, count - well))
    one = pattern("a", count, nanodollars=cost, successes=well, failures=failed)
    found = saving(one, float(keep))
    assert found.nanodollars == (by_hand(one, Decimal(keep)) if well + failed else None)
    assert found.at_least == (0 < well + failed < count)


@pytest.mark.parametrize(
    ("steps", "keep", "saved"),
    [
        (2, 0.25, 500),
        (4, 0.25, 750),
        (5, 0.25, 750),
        (8, 0.1, 875),
        (8, 0.5, 500),
        (2, 0.0, 500),
        (1, 0.0, 1000),
    ],
)
def test_of_a_sequence_one_call_stays_at_least(steps: int, keep: float, saved: int):
    one = pattern(seq(*"abcdefgh"[:steps]), 10, nanodollars=1000)
    assert saving(one, keep).nanodollars == saved


def test_what_failed_gets_no_cheaper():
    assert saving(pattern("a", 10, nanodollars=1000, failures=4), 0.5).nanodollars == 300


def test_unknown_costs_and_ends_stay_unknown_and_a_part_is_a_lower_bound():
    assert saving(pattern("a", nanodollars=0, unpriced_runs=50), 0.25).nanodollars is None
    assert saving(pattern("a", successes=0), 0.25).nanodollars is None
    assert saving(pattern("a", nanodollars=800, unpriced_runs=49), 0.25).at_least
    assert saving(pattern("a", nanodollars=0), 0.25).nanodollars == 0


def test_an_amount_a_month_needs_a_week_of_runs():
    assert a_month(1_000_000, 30 * DAY) == 1_000_000 * 487 // (16 * 30)  # a month has 30.4375 days
    assert a_month(1_000_000, 7 * DAY) is not None
    assert a_month(1_000_000, 7 * DAY - 1) is None
    assert a_month(1_000_000, None) is None
    assert a_month(None, 30 * DAY) is None
