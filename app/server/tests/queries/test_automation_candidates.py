"""Recurring patterns are ranked by savings, listed once, and decisions about them are kept."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from app.server.core.workflow_history import (
    RunFilter,
    database,
    decide_pattern,
    demo,
    find_patterns,
    show_pattern,
    sync_workflow_history,
)
from app.server.core.workflow_history.analysis.patterns import pattern_id
from app.server.core.workflow_history.analysis.patterns.known_programs import INTERNAL_TOOLS
from app.server.core.workflow_history.analysis.patterns.ranking import (
    ScoredPattern,
    find_subsumed,
    longest_common_run,
    rank_patterns,
)
from app.server.core.workflow_history.analysis.patterns.records import PatternTotals
from app.server.core.workflow_history.analysis.patterns.savings import estimate_saving, per_month
from app.server.core.workflow_history.analysis.patterns.sequences import SEPARATOR
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.cli.render.symbols import ASCII_FALLBACKS
from app.server.core.workflow_history.common.errors import (
    AmbiguousPatternError,
    InvalidQueryError,
    PatternNotFoundError,
)
from app.server.core.workflow_history.demo.scripts import BUILD_LOOP
from app.server.core.workflow_history.queries.pattern_records import PatternReport
from app.server.core.workflow_history.storage.history import History
from app.server.tests.support.paths import ROOT

END = datetime(2026, 3, 31, 18, tzinfo=UTC)
HABIT = SEPARATOR.join(BUILD_LOOP)
DAY = 86_400_000_000  # microseconds


def pattern(signature: str, count: int = 100, **given_: Any) -> PatternTotals:
    """Return one pattern that always ends well and costs a cent each time, a sequence where it has steps."""
    kind = given_.pop("kind", "sequence" if SEPARATOR in signature else "operation")
    ended = count - given_.get("failures", 0)
    usual: dict[str, Any] = {
        "status": "detected", "note": None, "decided_at": None, "first_seen_at": None, "runs": 50,
        "successes": ended, "failures": 0, "nanodollars": count * 10_000_000, "unpriced_runs": 0,
        "seconds": float(count), "untimed_runs": 0,
    }  # fmt: skip
    return PatternTotals(
        id=pattern_id(kind, signature), kind=kind, signature=signature, count=count, **{**usual, **given_}
    )


def seq(*steps: str) -> str:
    return SEPARATOR.join(steps)


def by_name(habits: list[ScoredPattern]) -> dict[str, ScoredPattern]:
    return {habit.pattern.signature: habit for habit in habits}


def under(*patterns: PatternTotals) -> dict[str, str]:
    """Return what is folded under what, by signature."""
    names = {one.id: one.signature for one in patterns}
    return {names[part]: whole.signature for part, whole in find_subsumed(patterns).items()}


# --- how steady, how good


def test_a_sequence_is_as_steady_as_it_is_gone_on_with():
    habits = by_name(rank_patterns([pattern("a", 200), pattern("b", 100), pattern(seq("a", "b"), 100)]))
    assert habits[seq("a", "b")].stability == 0.5


def test_without_its_first_operation_it_is_unknown_how_steady_a_sequence_is():
    (habit,) = rank_patterns([pattern(seq("a", "b"))])
    assert (habit.stability, habit.priority) == (None, None)
    assert habit.saving.nanodollars is not None


def test_an_operation_is_steady_when_each_run_does_it_once():
    habits = by_name(rank_patterns([pattern("once", 50, runs=50), pattern("often", 200, runs=50)]))
    assert (habits["once"].stability, habits["often"].stability) == (1.0, 0.25)


def test_success_is_of_those_times_whose_end_is_known_and_few_tell_little():
    few, many, none = pattern("few", 3), pattern("many", 300), pattern("none", 9, successes=0)
    mixed = pattern("mixed", 100, successes=30, failures=10)
    habits = by_name(rank_patterns([few, many, none, mixed]))
    assert (habits["few"].success_rate, habits["many"].success_rate) == (1.0, 1.0)
    # Wilson's lower end for n of n is n / (n + z²)
    assert habits["few"].success_rate_lower_bound == pytest.approx(3 / (3 + 1.959963984540054**2))
    assert habits["many"].success_rate_lower_bound == pytest.approx(300 / (300 + 1.959963984540054**2))
    assert (habits["none"].success_rate, habits["none"].success_rate_lower_bound) == (None, None)
    assert habits["mixed"].success_rate == 0.75


# --- order


def test_the_worthiest_comes_first_and_its_worth_is_the_product_that_the_page_tells():
    steady = pattern(seq("a", "b"), 100, nanodollars=2_000_000_000)
    shaky = pattern(seq("x", "y"), 100, nanodollars=3_000_000_000)
    ops = [pattern("a", 100), pattern("b", 100), pattern("x", 1000, runs=1), pattern("y", 1000, runs=1)]
    habits = rank_patterns([shaky, steady, *ops])
    names = [habit.pattern.signature for habit in habits if habit.part_of is None]
    assert names[0] == seq("a", "b")
    first = habits[0]
    assert first.priority == round(2_000_000_000 * 0.5 * first.success_rate_lower_bound * 1.0)


def test_fewer_failures_come_before_more_at_the_same_cost():
    good, bad = pattern("good"), pattern("bad", failures=60)
    assert [habit.pattern.signature for habit in rank_patterns([bad, good])] == ["good", "bad"]


def test_what_is_of_unknown_worth_comes_last_by_its_cost():
    unknown = pattern("unknown", nanodollars=0, unpriced_runs=50)
    endless = pattern("endless", successes=0, nanodollars=9_000_000_000)
    habits = rank_patterns([unknown, endless, pattern("known", 2, runs=2)])
    assert [habit.pattern.signature for habit in habits] == ["known", "endless", "unknown"]
    assert [habit.priority is None for habit in habits] == [False, True, True]
    assert habits[2].saving.nanodollars is None


@pytest.mark.parametrize("tool", ["Read", "Edit", "TodoWrite", "Task", "read_file"])
def test_no_script_takes_over_what_an_agent_thinks_with(tool: str):
    (habit,) = rank_patterns([pattern(tool)])
    assert (habit.scriptable, habit.priority, habit.saving.nanodollars) == (False, None, None)


def test_phases_are_no_script_and_commands_skills_and_mcp_tools_can_be():
    habits = rank_patterns([
        pattern("plan > build", kind="phases"), pattern("pytest"), pattern("/commit"), pattern("mcp__a__b"),
    ])  # fmt: skip
    assert [habit.pattern.kind for habit in habits if not habit.scriptable] == ["phases"]
    assert not {"pytest", "/commit", "mcp__a__b"} & INTERNAL_TOOLS


@given(st.permutations([
    pattern("a", 10), pattern("b", 10), pattern(seq("a", "b"), 10), pattern(seq("b", "a"), 9),
    pattern(seq("a", "b", "c"), 9), pattern("Read"), pattern("c", 9, successes=0), pattern("d", 10),
]))  # fmt: skip
def test_the_order_in_which_patterns_are_given_changes_nothing(patterns: list[PatternTotals]):
    told = [(habit.pattern.id, habit.part_of and habit.part_of.id) for habit in rank_patterns(patterns)]
    assert told == [
        (habit.pattern.id, habit.part_of and habit.part_of.id)
        for habit in rank_patterns(sorted(patterns, key=lambda one: one.id))
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
    assert longest_common_run(steps, other) == max(len(piece) for piece in pieces if piece in again)


def test_nothing_is_folded_under_what_is_folded_itself_and_nobody_gets_lost():
    names = [
        seq(*(f"s{(at + step) % 9}" for step in range(length))) for at in range(9) for length in (2, 3, 4)
    ]
    patterns = [pattern(name, 50 + 7 * place % 40) for place, name in enumerate(names)]
    habits = rank_patterns(patterns)
    parts = [part.id for habit in habits for part in habit.parts]
    assert all(habit.part_of is None for habit in habits if habit.parts)
    assert sorted(parts) == sorted(habit.pattern.id for habit in habits if habit.part_of is not None)
    assert len(habits) == len(patterns)


# --- savings


def by_hand(one: PatternTotals, kept: Decimal) -> int:
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
    found = estimate_saving(one, float(keep))
    assert found.nanodollars == (by_hand(one, Decimal(keep)) if well + failed else None)
    assert found.is_lower_bound == (0 < well + failed < count)


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
    assert estimate_saving(one, keep).nanodollars == saved


def test_what_failed_gets_no_cheaper():
    assert estimate_saving(pattern("a", 10, nanodollars=1000, failures=4), 0.5).nanodollars == 300


def test_unknown_costs_and_ends_stay_unknown_and_a_part_is_a_lower_bound():
    assert estimate_saving(pattern("a", nanodollars=0, unpriced_runs=50), 0.25).nanodollars is None
    assert estimate_saving(pattern("a", successes=0), 0.25).nanodollars is None
    assert estimate_saving(pattern("a", nanodollars=800, unpriced_runs=49), 0.25).is_lower_bound
    assert estimate_saving(pattern("a", nanodollars=0), 0.25).nanodollars == 0


@given(*[st.integers(0, 9)] * 5)
def test_sums_that_do_not_fit_together_stay_within_all_and_nothing(
    runs: int, count: int, well: int, failed: int, unpriced: int
):
    facts = {
        "runs": runs,
        "successes": well,
        "failures": failed,
        "unpriced_runs": unpriced,
        "nanodollars": 100,
    }
    shown = [pattern(name, count, **facts) for name in ("a", seq("a", "b"))]
    for habit in rank_patterns([*shown, pattern("host's own", count, kind="other", **facts)]):
        assert 0 <= (habit.saving.nanodollars or 0) <= 75
        assert 0 <= (habit.stability or 0) <= 1
        assert 0 <= (habit.priority or 0) <= 75


def test_an_amount_a_month_needs_a_week_of_runs():
    assert per_month(1_000_000, 30 * DAY) == 1_000_000 * 487 // (16 * 30)  # a month has 30.4375 days
    assert per_month(1_000_000, 7 * DAY) is not None
    assert per_month(1_000_000, 7 * DAY - 1) is None
    assert per_month(1_000_000, None) is None
    assert per_month(None, 30 * DAY) is None


# --- over a history


def finding(signature: str, count: int = 1, cost: float | None = 0.01, **facts: Any) -> dict[str, Any]:
    """Return what one run shows of a pattern."""
    kind = "sequence" if SEPARATOR in signature else "operation"
    usual = {"successes": count, "failures": 0, "seconds": 1.0, "example_path": "a/raw_output.jsonl"}
    return (
        {"kind": kind, "signature": signature, "count": count, "cost": cost, "example_line": 7}
        | usual
        | facts
    )


def store(**shown: Sequence[dict[str, Any]]) -> None:
    """Store runs, a day apart, with what each of them shows."""
    with History.open(Path(os.environ["WORKFLOW_HISTORY_DB"])) as history:
        about, projects = {"agents_dir": "/srv/agents"}, ("till", "shop")
        history.save([
            {**about, "id": name, "created_at": f"2026-03-{day:02}T10:00Z", "project": projects[day % 2]}
            for day, name in enumerate(shown, start=1)
        ])  # fmt: skip
        keys = {name: history.find(name).key for name in shown}
        history.save_patterns({keys[name]: found for name, found in shown.items()})


def signatures(found: PatternReport) -> list[str]:
    return [one.signature for one in found.patterns]


def test_sums_are_those_of_the_runs_asked_and_their_span_makes_the_month():
    loop = finding("make check", 2, 0.1)
    store(a=[loop], b=[loop], **{f"c{day}": [] for day in range(11)}, d=[loop])
    found = find_patterns()
    (one,) = found.patterns
    assert (one.runs, one.occurrences, one.cost, found.span.runs) == (3, 6, 0.3, 14)
    assert one.estimated_savings == 0.225
    assert one.savings_per_month == (225_000_000 * 487 // (16 * 13)) / 1e9  # 14 days, the first to the last
    assert find_patterns(RunFilter(project=("shop",))).patterns == ()  # one run of that project shows it
    early = find_patterns(RunFilter(created_before=datetime(2026, 3, 3, tzinfo=UTC)))
    assert (early.patterns[0].occurrences, early.patterns[0].savings_per_month) == (4, None)


def test_a_cost_that_nothing_shows_is_unknown_and_a_part_is_a_lower_bound():
    silent, known = finding("silent", cost=None), finding("partly", cost=0.5)
    store(a=[silent, known], b=[silent, {**known, "cost": None}])
    found = {one.signature: one for one in find_patterns().patterns}
    assert (
        found["silent"].cost,
        found["silent"].estimated_savings,
        found["silent"].risk_adjusted_savings,
    ) == (
        None,
        None,
        None,
    )
    assert (
        found["partly"].cost,
        found["partly"].cost_is_lower_bound,
        found["partly"].estimated_savings_is_lower_bound,
    ) == (
        0.5,
        True,
        True,
    )
    assert "≥ $0.50" in type_in("patterns").output


def test_own_tools_and_phases_are_left_out_until_they_are_asked_for():
    walk = {**finding("plan > build"), "kind": "phases"}
    store(a=[finding("Read"), finding("pytest"), walk], b=[finding("Read"), finding("pytest"), walk])
    assert signatures(find_patterns()) == ["pytest"]
    assert set(signatures(find_patterns(kinds=["operation"]))) == {"pytest", "Read"}
    assert signatures(find_patterns(kinds=["phases"])) == ["plan > build"]
    assert len(find_patterns(everything=True).patterns) == 3
    assert find_patterns().commands_cost == 0.02  # of pytest alone


def test_a_part_is_shown_where_its_whole_is_not_asked_for():
    shown = [finding(seq("a", "b"), 4), finding("a", 4), finding("b", 4)]
    store(x=shown, y=shown)
    usual = find_patterns()
    assert (signatures(usual), usual.found, usual.hidden) == ([seq("a", "b")], 1, 2)
    assert {part.signature for part in usual.patterns[0].covers} == {"a", "b"}
    assert signatures(find_patterns(kinds=["operation"])) == ["a", "b"]


def test_a_dismissed_pattern_is_gone_with_its_parts_and_an_accepted_one_stays():
    shown = [finding(seq("a", "b"), 4), finding("a", 4), finding("other", 1)]
    store(x=shown, y=shown)
    decide_pattern(pattern_id("sequence", seq("a", "b")), "dismissed", "different each time")
    decide_pattern("other", "accepted")
    assert signatures(find_patterns()) == ["other"]
    (gone,) = find_patterns(statuses=["dismissed"]).patterns
    assert (gone.signature, gone.note) == (seq("a", "b"), "different each time")
    made = decide_pattern(gone.id, "detected")
    assert (made.before, made.status, made.note, made.decided_at) == ("dismissed", "detected", None, None)
    assert seq("a", "b") in signatures(find_patterns())


def test_a_pattern_is_shown_with_its_newest_places_within_the_agents_folder():
    store(a=[finding("make", 3, 0.5)], b=[finding("make")], c=[finding("make", cost=None)])
    story = show_pattern("make", examples=2)
    assert [(each.run, each.cost, each.path, each.line) for each in story.examples] == [
        ("c", None, "c/a/raw_output.jsonl", 7), ("b", 0.01, "b/a/raw_output.jsonl", 7),
    ]  # fmt: skip
    assert story.pattern.runs == 3
    only = show_pattern("make", RunFilter(project=("till",)))
    assert (only.pattern.runs, [each.run for each in only.examples]) == (1, ["b"])


def test_a_pattern_of_one_run_can_be_shown_and_decided():
    store(a=[finding("rare")])
    assert find_patterns().patterns == ()
    assert show_pattern("rare").pattern.occurrences == 1
    with pytest.raises(PatternNotFoundError, match="No selected run has the pattern"):
        show_pattern("rare", RunFilter(project=("nobody",)))


def test_a_beginning_that_several_ids_have_is_an_error_that_names_them():
    name, other = _two_alike(4)
    store(a=[finding(name), finding(other)], b=[finding(name), finding(other)])
    ids = [pattern_id("operation", each) for each in (name, other)]
    with pytest.raises(AmbiguousPatternError) as raised:
        decide_pattern(ids[0][:4], "accepted")
    assert sorted(raised.value.candidates) == sorted(ids)
    said = type_in("patterns", "show", ids[0][:4])
    assert said.exit_code == 1
    assert all(f"{key} ({each})" in said.output for key, each in zip(ids, (name, other), strict=True))
    assert type_in("patterns", "show", ids[0]).exit_code == 0


def _two_alike(digits: int) -> tuple[str, str]:
    """Return two names of operations whose ids begin alike."""
    seen: dict[str, str] = {}
    number = 0
    while (begins := pattern_id("operation", f"tool{number}")[:digits]) not in seen:
        seen[begins] = f"tool{number}"
        number += 1
    return seen[begins], f"tool{number}"


def test_what_is_unknown_is_an_error_that_says_what_to_do():
    said = type_in("patterns", "accept", "make")
    assert (said.exit_code, "workflow-history sync" in said.output) == (1, True)
    store(a=[finding("make")])
    for word in ("nothing", "abc", "0123456789abcdef"):
        said = type_in("patterns", "accept", word)
        assert said.exit_code == 1
        assert f'No pattern matches "{word}"' in said.output
        assert "workflow-history patterns --all" in said.output
    assert "four digits" in type_in("patterns", "accept", "abc").output


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"kinds": ["loop"]}, "operation, sequence, phases"),
        ({"statuses": ["done"]}, "detected, accepted, dismissed"),
        ({"limit": 0}, "of 1 or more"),
        ({"limit": True}, "of 1 or more"),
        ({"residual_cost": 1.01}, "0 to 1"),
        ({"residual_cost": float("nan")}, "0 to 1"),
        ({"residual_cost": "0.5"}, "0 to 1"),
    ],
)
def test_what_is_not_allowed_is_refused(given_: dict[str, Any], message: str):
    with pytest.raises(InvalidQueryError, match=message):
        find_patterns(**given_)


def test_no_history_has_no_patterns_and_none_is_made(monkeypatch):
    monkeypatch.delenv("WORKFLOW_HISTORY_DB")
    assert find_patterns().patterns == ()
    assert "No runs yet" in type_in("patterns").output
    assert not Path(database.database_name()).exists()


# --- the command


def type_in(*words: str, width: int = 120) -> Result:
    return CliRunner().invoke(app, list(words), prog_name="workflow-history", env={"COLUMNS": str(width)})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo history with a planted habit: its folder."""
    folder = tmp_path_factory.mktemp("demo")
    demo.make_agents_folder(folder / "agents", runs=60, end=END)
    return folder


@pytest.fixture
def synced(made: Path) -> Path:
    """The same, read into this test's own history."""
    sync_workflow_history(silent=True, agents_dir=made / "agents")
    return made


def test_the_planted_habit_is_among_the_first_and_told_once(synced: Path):
    found = signatures(find_patterns())
    assert HABIT in found[:3]
    assert [
        name for name in found if set(name.split(SEPARATOR)) <= set(BUILD_LOOP) and SEPARATOR in name
    ] == [HABIT]


def test_the_examples_of_the_planted_habit_can_be_opened(synced: Path):
    for each in show_pattern(HABIT).examples:
        assert each.path is not None
        assert each.line is not None
        assert Path(str(each.agents_dir)).samefile(synced / "agents")
        line = (synced / "agents" / each.path).read_text().splitlines()[each.line - 1]
        assert BUILD_LOOP[0] in line


def test_what_was_decided_survives_another_sync_and_another_reading_of_a_run(synced: Path):
    key = pattern_id("sequence", HABIT)
    assert type_in("patterns", "dismiss", key[:8], "--note", "on purpose").exit_code == 0
    stream = Path(show_pattern(HABIT).examples[0].path or "")
    os.utime(synced / "agents" / stream)
    sync_workflow_history(silent=True, agents_dir=synced / "agents")
    assert HABIT not in signatures(find_patterns(everything=True))
    story = show_pattern(key).pattern
    assert (story.status, story.note) == ("dismissed", "on purpose")
    assert "✗ dismissed" in type_in("patterns", "show", key).output
    assert type_in("patterns", "reset", key[:6]).exit_code == 0
    assert HABIT in signatures(find_patterns())


def test_the_list_says_what_it_rests_on_and_what_to_type_next(synced: Path):
    said = type_in("patterns").output
    assert re.search(r"60 runs · 20\d\d-\d\d-\d\d to 2026-03-\d\d · \d+ patterns", said)
    for words in (
        "do not add them up",
        "25% of the cost",
        "--residual-cost",
        "workflow-history patterns show",
    ):
        assert words in said
    assert "10% of the cost" in type_in("patterns", "--residual-cost", "0.1").output
    first = re.search(r"patterns show ([0-9a-f]{8})", said)
    assert first is not None
    assert type_in("patterns", "show", first[1]).exit_code == 0


@pytest.mark.parametrize("width", [40, 70, 100, 160])
def test_the_list_keeps_within_the_terminal(synced: Path, width: int):
    lines = type_in("patterns", width=width).output.partition("next:")[0].splitlines()
    assert max(map(len, lines)) <= width
    assert any("npm run" in line for line in lines)


def test_json_says_what_python_says(synced: Path):
    told = json.loads(type_in("patterns", "--json", "--limit", "4", "--until", "2026-03-20").output)
    asked = find_patterns(RunFilter(created_before=datetime(2026, 3, 21).astimezone()), limit=4)
    assert [one["id"] for one in told["patterns"]] == [one.id for one in asked.patterns]
    assert (told["found"], told["schema_version"], len(told["patterns"])) == (asked.found, 2, 4)
    one = json.loads(type_in("patterns", "show", "--json", told["patterns"][0]["id"]).output)
    assert len(one["examples"]) == 5
    decided = json.loads(
        type_in("patterns", "accept", one["pattern"]["id"], "--json", "--note", "soon").output
    )
    assert (decided["before"], decided["status"], decided["note"]) == ("detected", "accepted", "soon")


def test_quiet_prints_ids_and_one_line_of_one(synced: Path):
    ids = type_in("patterns", "--quiet").output.split()
    assert ids == [one.id for one in find_patterns(limit=20).patterns]
    (line,) = type_in("patterns", "show", "-q", ids[0]).output.splitlines()
    assert "est. savings ≈ $" in line
    assert type_in("patterns", "accept", "-q", ids[0]).output == ""


def test_the_story_tells_what_its_worth_is_made_of(synced: Path):
    one, said = show_pattern(HABIT).pattern, type_in("patterns", "show", HABIT, width=160).output
    assert one.cost is not None
    assert one.risk_adjusted_savings == pytest.approx(
        one.cost * (1 - 1 / 3) * one.success_rate_lower_bound * one.stability,
        rel=1e-6,  # type: ignore[operator]
    )
    assert "one of 3 calls remains" in said
    assert "a script that costs less than" in said


def test_a_run_leads_to_what_its_patterns_cost_everywhere(synced: Path):
    run = show_pattern(HABIT).examples[0].run
    named = re.search(r"patterns show ([0-9a-f]{8})", type_in("show", run).output)
    assert named is not None
    assert show_pattern(named[1]).pattern.kind == "sequence"


def test_a_terminal_that_knows_ascii_only_shows_all_signs():
    shown = [finding(seq("a", "b"), 4), finding("a", 4)]
    store(x=shown, y=shown)
    decide_pattern("a", "accepted")
    for words in (["patterns", "--all"], ["patterns", "show", "a"]):
        said = type_in(*words).output.translate(ASCII_FALLBACKS)
        assert said.isascii(), said


def test_no_text_of_a_run_can_move_the_cursor():
    bad = finding("make \x1b[2Jx")
    store(a=[bad], b=[bad])
    decide_pattern(bad["signature"], "accepted", "a\x1b[31mb\nc")
    for words in (
        ["patterns"],
        ["patterns", "show", bad["signature"]],
        ["patterns", "reset", bad["signature"]],
    ):
        assert "\x1b" not in type_in(*words).output


def test_all_means_all_and_what_another_pattern_tells_is_not_offered_to_be_decided(synced):
    every = find_patterns(everything=True)
    assert every.found > 20
    assert len(type_in("patterns", "--all", "-q").output.split()) == every.found
    assert len(type_in("patterns", "--all", "-q", "--limit", "3").output.split()) == 3
    assert any(one.scriptable and one.covered_by for one in every.patterns)
    for one in every.patterns:
        if one.scriptable and one.covered_by is None:
            decide_pattern(one.id, "accepted")
    assert "patterns accept" not in type_in("patterns", "--all").output


def test_a_note_is_kept_as_it_was_typed_where_the_locale_knows_ascii_alone(synced):
    told = find_patterns().patterns[0].id
    command = [
        sys.executable,
        "-m",
        "app.server.core.workflow_history",
        "patterns",
        "dismiss",
        told,
        "--note",
    ]
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([*command, "différent".encode()], check=True, env=env, cwd=ROOT, capture_output=True)  # noqa: S603
    assert show_pattern(told).pattern.note == "différent"
