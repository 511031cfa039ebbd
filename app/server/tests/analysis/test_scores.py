"""The four scores and the phase metrics, for any run record."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.server.core.workflow_history.analysis.scores import (
    SCORE_VERSION,
    SCORES,
    calculate_workflow_scores,
    constants,
    explain_workflow_scores,
    phase_metrics,
    score_parts,
)
from app.server.tests.support.paths import ROOT
from app.server.tests.support.patience import BUSY

PAGE = ROOT / "docs" / "scores.md"
CLARITY, COST, PERFORMANCE, QUALITY = SCORES

amounts = st.floats(min_value=0, allow_nan=False, allow_infinity=False) | st.integers(0, 10**9)
small = st.floats(min_value=0, max_value=1000) | st.integers(0, 1000)
maybe = st.none() | amounts
statuses = st.sampled_from(["completed", "failed", "incomplete", "unknown", "running", None])
outcomes = st.sampled_from(["success", "error", "false_success", "incomplete", "empty", "odd", None])
words = st.sampled_from(
    ["add", "the", "orders", "table", "latest", "Ärger", "登录", "please", "-", "#", "1."]
)
requests = st.lists(words | st.text(max_size=12), max_size=12).map(" ".join)
details = st.sampled_from(
    ["`src/orders/export.py`", "user_id", "404", '"Save changes"', "--dry-run", "30%", "2. fix", "orderTotal"]
)
agents = st.fixed_dictionaries(
    {},
    optional={
        "phase": st.sampled_from(["plan", "build", "test"]),
        "cost": maybe,
        "duration_seconds": maybe,
        "tool_calls": maybe,
        "tool_errors": maybe,
        "outcome": outcomes,
        "is_error": st.none() | st.booleans(),
        "is_retry": st.booleans(),
        "superseded": st.booleans(),
    },
)
runs = st.fixed_dictionaries(
    {},
    optional={
        "nl_input": requests,
        "status": statuses,
        "total_cost": maybe,
        "cost_basis": st.sampled_from(["reported", "computed", "lower_bound", "unpriced", None]),
        "input_tokens": maybe,
        "output_tokens": maybe,
        "cache_read_tokens": maybe,
        "cache_creation_tokens": maybe,
        "retry_count": maybe,
        "retry_cost": maybe,
        "duration_seconds": maybe,
        "idle_time_seconds": maybe,
        "error_message": st.none() | st.text(max_size=5),
        "phase_costs": st.lists(agents, max_size=4),
    },
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    "nl_input",
    "status",
    "total_cost",
    "cost_basis",
    "input_tokens",
    "cache_read_tokens",
    "retry_count",
]
FIELDS += ["cache_creation_tokens", "retry_cost", "duration_seconds", "idle_time_seconds", "error_message"]
ENTRY_FIELDS = ["phase", "duration_seconds", "tool_calls", "tool_errors", "outcome", "is_error", "is_retry"]
ENTRY_FIELDS += ["timestamp", "ended_at", "superseded"]
odd_entries = st.dictionaries(st.sampled_from(ENTRY_FIELDS), json_values) | json_values
odd_runs = st.builds(
    lambda fields, entries: {**fields, "phase_costs": entries},
    st.dictionaries(st.sampled_from(FIELDS), json_values),
    st.lists(odd_entries, max_size=3) | json_values,
)


def scored(run: Mapping[str, Any], name: str) -> float | None:
    return calculate_workflow_scores(run)[name]


def never_rises(name: str, less: Mapping[str, Any], more: Mapping[str, Any]) -> None:
    """Both runs have the score or neither has, and the second is not better."""
    before, after = scored(less, name), scored(more, name)
    assert (before is None) == (after is None)
    assert before is None or after is None or after <= before


# Every score


def test_a_run_has_exactly_the_four_scores() -> None:
    assert list(calculate_workflow_scores({})) == [
        "nl_clarity_score",
        "cost_efficiency_score",
        "performance_score",
        "quality_score",
    ]


def test_a_run_of_which_nothing_is_known_has_no_score_and_says_what_is_missing() -> None:
    explained = explain_workflow_scores({})
    assert all(score.value is None and not score.parts for score in explained.values())
    assert all(score.missing for score in explained.values())


@given(runs)
def test_every_score_is_a_float_from_0_to_100_or_none(run: dict[str, Any]) -> None:
    for value in calculate_workflow_scores(run).values():
        assert value is None or (isinstance(value, float) and 0 <= value <= 100)


@given(odd_runs)
def test_odd_values_never_crash_and_the_reasons_are_always_json(run: dict[str, Any]) -> None:
    assert set(json.loads(json.dumps(score_parts(run), allow_nan=False))) == set(SCORES)
    assert set(phase_metrics(run)) == {"phase_durations", "bottleneck_phase", "idle_time_seconds"}


@given(runs)
def test_a_score_is_the_weighted_mean_of_its_parts(run: dict[str, Any]) -> None:
    for score in explain_workflow_scores(run).values():
        if score.value is not None:
            weight = math.fsum(part.weight for part in score.parts)
            whole = math.fsum(part.weight * part.value for part in score.parts)
            assert score.value == pytest.approx(whole / weight, abs=0.051)
            assert score.completeness == pytest.approx(weight)
            assert all(0 <= part.value <= 100 and part.reason for part in score.parts)


@given(runs)
def test_stored_parts_say_the_same_as_the_score_and_name_their_version(run: dict[str, Any]) -> None:
    stored = score_parts(run)
    assert {name: score["value"] for name, score in stored.items()} == calculate_workflow_scores(run)
    assert {score["version"] for score in stored.values()} == {SCORE_VERSION}


@given(runs)
def test_the_order_of_the_agents_makes_no_difference(run: dict[str, Any]) -> None:
    turned = {**run, "phase_costs": run.get("phase_costs", [])[::-1]}
    straight = {**run, "phase_costs": run.get("phase_costs", [])}
    assert calculate_workflow_scores(turned) == calculate_workflow_scores(straight)


@given(runs)
def test_a_run_is_not_changed_by_scoring_it(run: dict[str, Any]) -> None:
    before = json.dumps(run)
    score_parts(run)
    assert json.dumps(run) == before


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1, -0.5, True, "2", [2], {}, 10**400])
@pytest.mark.parametrize(("field", "name"), [("total_cost", COST), ("duration_seconds", PERFORMANCE)])
def test_what_is_no_amount_is_missing_evidence(field: str, name: str, bad: object) -> None:
    assert scored({"status": "completed", field: bad}, name) is None


@pytest.mark.parametrize("name", [PERFORMANCE, QUALITY])
def test_a_running_run_has_no_verdict_yet(name: str) -> None:
    run = {"status": "running", "duration_seconds": 5, "phase_costs": [{"outcome": "success"}]}
    assert scored(run, name) is None
    assert scored({**run, "status": "completed"}, name) is not None


@pytest.mark.parametrize(
    ("name", "field", "part"),
    [
        (COST, "retry_cost", "spend"),
        (PERFORMANCE, "idle_time_seconds", "pace"),
        (QUALITY, "retry_count", "retries"),
    ],
    ids=["retry cost", "idle time", "retries"],
)
def test_nothing_jumps_where_an_amount_crosses_zero(name: str, field: str, part: str) -> None:
    run = {"status": "completed", "total_cost": 1.0, "duration_seconds": 60}
    parts = [explain_workflow_scores({**run, field: amount})[name] for amount in (0, 1e-9)]
    assert part in {found.name for found in parts[0].parts}
    assert [p.name for p in parts[0].parts] == [p.name for p in parts[1].parts]
    assert parts[0].value == parts[1].value


@pytest.mark.parametrize(
    ("name", "field", "step", "end"),
    [
        (COST, "total_cost", 0.01, 20),
        (PERFORMANCE, "duration_seconds", 1, 2000),
        (QUALITY, "retry_count", 0.01, 20),
    ],
    ids=["cost", "seconds", "retries"],
)
def test_a_small_step_of_an_amount_is_a_small_step_of_the_score(
    name: str, field: str, step: float, end: float
) -> None:
    run = {"status": "completed", "total_cost": 1.0, "duration_seconds": 60}
    values = [scored({**run, field: number * step}, name) or 0.0 for number in range(int(end / step))]
    steps = [before - after for before, after in pairwise(values)]
    assert min(steps) >= 0
    assert max(steps) < 0.6


# Cost efficiency


@given(runs, amounts, amounts, st.sampled_from(["total_cost", "retry_cost"]))
def test_more_cost_never_raises_cost_efficiency(run: dict[str, Any], a: float, b: float, field: str) -> None:
    never_rises(COST, {**run, field: min(a, b)}, {**run, field: max(a, b)})


@given(runs, amounts, amounts, st.sampled_from(["input_tokens", "cache_creation_tokens"]))
def test_more_uncached_tokens_never_raise_cost_efficiency(
    run: dict[str, Any], a: float, b: float, field: str
) -> None:
    never_rises(COST, {**run, field: min(a, b)}, {**run, field: max(a, b)})


@given(runs, small, small)
def test_more_cached_tokens_never_lower_cost_efficiency(run: dict[str, Any], a: float, b: float) -> None:
    never_rises(COST, {**run, "cache_read_tokens": max(a, b)}, {**run, "cache_read_tokens": min(a, b)})


@given(runs)
def test_without_a_cost_there_is_no_cost_efficiency_and_with_one_there_is(run: dict[str, Any]) -> None:
    assert scored({**run, "total_cost": None}, COST) is None
    assert scored({**run, "total_cost": 0}, COST) is not None


def test_money_for_retries_counts_twice() -> None:
    assert scored({"total_cost": 2.0, "retry_cost": 1.0}, COST) == scored({"total_cost": 3.0}, COST)


@pytest.mark.parametrize("basis", ["lower_bound", "unpriced"])
def test_a_cost_that_is_not_whole_gives_an_upper_limit_and_says_so(basis: str) -> None:
    whole = explain_workflow_scores({"total_cost": 1.0, "cost_basis": "reported"})[COST]
    part = explain_workflow_scores({"total_cost": 1.0, "cost_basis": basis})[COST]
    assert part.value == whole.value
    assert len(part.missing) == len(whole.missing) + 1
    assert part.parts[0].reason.startswith("At least")


# Performance


@given(runs, amounts, amounts, st.sampled_from(["duration_seconds", "idle_time_seconds"]))
def test_more_time_never_raises_performance(run: dict[str, Any], a: float, b: float, field: str) -> None:
    never_rises(PERFORMANCE, {**run, field: min(a, b)}, {**run, field: max(a, b)})


@given(runs, st.lists(agents, max_size=3), agents, amounts, amounts)
def test_more_time_of_any_agent_never_raises_performance(
    run: dict[str, Any], others: list[dict[str, Any]], entry: dict[str, Any], a: float, b: float
) -> None:
    less, more = ({**entry, "duration_seconds": seconds} for seconds in sorted((a, b)))
    never_rises(PERFORMANCE, {**run, "phase_costs": [*others, less]}, {**run, "phase_costs": [*others, more]})


@given(runs)
def test_without_a_duration_there_is_no_performance(run: dict[str, Any]) -> None:
    assert scored({**run, "duration_seconds": None}, PERFORMANCE) is None


# Quality


@given(runs, amounts, amounts)
def test_more_retries_never_raise_quality(run: dict[str, Any], a: float, b: float) -> None:
    never_rises(QUALITY, {**run, "retry_count": min(a, b)}, {**run, "retry_count": max(a, b)})


@given(runs, st.lists(agents, max_size=3), agents, amounts, amounts)
def test_more_tool_errors_never_raise_quality(
    run: dict[str, Any], others: list[dict[str, Any]], entry: dict[str, Any], a: float, b: float
) -> None:
    less, more = ({**entry, "tool_errors": errors} for errors in sorted((a, b)))
    never_rises(QUALITY, {**run, "phase_costs": [*others, less]}, {**run, "phase_costs": [*others, more]})


@given(runs, st.lists(agents, max_size=3), agents, st.sampled_from(["success", "incomplete"]))
def test_an_agent_that_fails_instead_never_raises_quality(
    run: dict[str, Any], others: list[dict[str, Any]], entry: dict[str, Any], outcome: str
) -> None:
    good, bad = {**entry, "outcome": outcome}, {**entry, "outcome": "error"}
    never_rises(QUALITY, {**run, "phase_costs": [*others, good]}, {**run, "phase_costs": [*others, bad]})


@given(runs)
def test_an_error_message_never_raises_quality(run: dict[str, Any]) -> None:
    never_rises(QUALITY, {**run, "error_message": None}, {**run, "error_message": "Out of credit"})


@pytest.mark.parametrize("run", [{}, {"status": "unknown"}, {"status": 3}, {"retry_count": 0}], ids=str)
def test_without_an_end_or_an_outcome_there_is_no_quality(run: dict[str, Any]) -> None:
    assert scored(run, QUALITY) is None


def test_agents_alone_are_evidence_of_quality() -> None:
    run = {"phase_costs": [{"outcome": "success"}, {"outcome": "false_success"}]}
    assert scored(run, QUALITY) == 50.0


def test_a_better_end_is_a_better_quality() -> None:
    values = [
        scored({"status": s, "retry_count": 1}, QUALITY) or 0.0 for s in ("failed", "incomplete", "completed")
    ]
    assert values == sorted(set(values))


def test_an_attempt_that_was_overwritten_is_no_failed_agent() -> None:
    run = {"phase_costs": [{"outcome": "error", "superseded": True}, {"outcome": "success"}]}
    assert scored(run, QUALITY) == 100.0


# Clarity


@given(requests, st.lists(details, min_size=1, max_size=4))
def test_adding_detail_never_lowers_clarity(request: str, added: list[str]) -> None:
    before = scored({"nl_input": request}, CLARITY)
    after = scored({"nl_input": " ".join([request, *added])}, CLARITY)
    assert after is not None
    assert before is None or before <= after


@given(st.lists(words, max_size=8), details, st.integers(0, 8))
def test_detail_added_anywhere_in_plain_text_never_lowers_clarity(
    parts: list[str], detail: str, place: int
) -> None:
    before = scored({"nl_input": " ".join(parts)}, CLARITY)
    after = scored({"nl_input": " ".join([*parts[:place], detail, *parts[place:]])}, CLARITY)
    assert after is not None
    assert before is None or before <= after


@given(st.lists(words | details, min_size=1, max_size=8), st.sampled_from([" ", "\n", "\r\n\r\n", " \t "]))
def test_it_makes_no_difference_how_words_are_spaced(parts: list[str], space: str) -> None:
    loose, tight = space + space.join(parts) + space, " ".join(parts)
    assert scored({"nl_input": loose}, CLARITY) == scored({"nl_input": tight}, CLARITY)


@pytest.mark.parametrize("request_text", [None, "", "  \n", "!!!", "🎉", 3, ["Add"]], ids=repr)
def test_without_a_word_of_a_request_there_is_no_clarity(request_text: object) -> None:
    assert scored({"nl_input": request_text}, CLARITY) is None


def test_requests_are_put_in_the_order_that_a_reader_would_put_them() -> None:
    issue = """# CSV export
        Add a CSV export in `src/orders/export.py`.
        - columns: `id`, `total`, `date`
        - at most 10,000 rows
        - `GET /orders.csv` returns 404 for an unknown customer
        Acceptance criteria: the test in tests/test_export.py must pass, and the export of 10,000 rows
        should take less than 2 seconds."""
    texts = [
        "latest information",
        "Fix it",
        "Add CSV export to the orders table",
        "Add a CSV export to the orders table in `src/orders/export.py`; columns id, total, date.",
        issue,
    ]
    values = [scored({"nl_input": text}, CLARITY) or 0.0 for text in texts]
    assert values == sorted(set(values))
    assert values[0] < 15
    assert values[-1] > 85


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("latest information", None),
        ("An add-on for update.py", None),
        ("the latest update of a test", None),
        ("404: the order page; fix it", "fix"),
        ("Wir wollen den Export und den Test", None),
        ("Orders page\n\nImplement the filter", "implement"),
        ("We want to export orders", "export"),
        ("fix(ui): wrong colour", "fix"),
        ("- test the login", "test"),
    ],
)
def test_an_action_is_a_whole_word_where_an_action_stands(text: str, verb: str | None) -> None:
    parts = {part.name: part for part in explain_workflow_scores({"nl_input": text})[CLARITY].parts}
    assert (parts["action"].inputs["verb"] if "action" in parts else None) == verb


@pytest.mark.parametrize(
    "text",
    [
        "修复 src/app.py 中的登录错误。用户点击“保存”后返回 500。",
        "Исправить ошибку входа в src/app.py: после нажатия «Сохранить» приходит ответ 500.",
        "लॉगिन त्रुटि src/app.py में है: «सहेजें» दबाने पर 500 आता है।",
        "Corriger l'erreur de connexion dans src/app.py : après « Enregistrer », la réponse est 500.",
    ],
    ids=["Chinese", "Russian", "Hindi", "French"],
)
def test_a_clear_request_is_clear_in_any_language(text: str) -> None:
    score = explain_workflow_scores({"nl_input": text})[CLARITY]
    assert score.value is not None
    assert score.value > 40
    assert score.missing == ("a known action verb",)


@pytest.mark.parametrize("unit", ["a", ".", "-", "/", '"', "_", "- ", "`a", "to ", "\u0301 "])
def test_a_huge_request_of_one_thing_is_read_in_proportion_to_its_length(unit: str) -> None:
    started = time.process_time()
    scored({"nl_input": unit * 2_000_000}, CLARITY)
    assert time.process_time() - started < BUSY


# Phases


def agent(
    phase: str | None = "plan", start: float | None = None, end: float | None = None, **more: Any
) -> dict[str, Any]:
    """An agent run, its times given as seconds after noon."""
    noon = datetime(2025, 1, 1, 12, tzinfo=UTC)
    times = {"timestamp": start, "ended_at": end}
    stamps = {name: (noon + timedelta(seconds=s)).isoformat() for name, s in times.items() if s is not None}
    return {"phase": phase, **stamps, **more}


def metrics(*entries: Any) -> dict[str, Any]:
    return phase_metrics({"phase_costs": list(entries)})


@pytest.mark.parametrize("cost_data", [None, {}, {"phase_costs": None}, {"phases": []}, [], 3], ids=repr)
def test_without_phases_there_are_no_metrics(cost_data: object) -> None:
    nothing = {"phase_durations": {}, "bottleneck_phase": None, "idle_time_seconds": None}
    assert phase_metrics(cost_data) == nothing


def test_phases_under_the_other_name_are_read_too() -> None:
    assert phase_metrics({"phases": [agent("plan", duration_seconds=3)]})["phase_durations"] == {"plan": 3.0}


def test_repeated_phases_add_up_and_the_last_one_counts_too() -> None:
    found = metrics(
        agent("plan", duration_seconds=10),
        agent("test", duration_seconds=1),
        agent("plan", duration_seconds=5),
        agent("review", duration_seconds=2),
    )
    assert list(found["phase_durations"].items()) == [("plan", 15.0), ("test", 1.0), ("review", 2.0)]


def test_an_unknown_duration_stays_out_and_is_not_zero() -> None:
    assert metrics(agent("plan", 0), agent("build", 60, duration_seconds=5))["phase_durations"] == {
        "build": 5.0
    }


def test_a_phase_of_no_time_is_known_to_have_taken_none() -> None:
    assert metrics(agent("plan", duration_seconds=0))["phase_durations"] == {"plan": 0.0}
    assert metrics(agent("plan", duration_seconds=0))["bottleneck_phase"] is None


def test_start_and_end_give_a_duration_that_is_not_written() -> None:
    assert metrics(agent("plan", 5, 65))["phase_durations"] == {"plan": 60.0}


def test_a_phase_without_a_name_is_other() -> None:
    assert metrics(agent(None, duration_seconds=4))["phase_durations"] == {"other": 4.0}


def test_the_bottleneck_is_the_longest_and_not_the_first_above_the_bar() -> None:
    plan, build = agent("plan", duration_seconds=40), agent("build", duration_seconds=60)
    assert metrics(plan, build)["bottleneck_phase"] == "build"


def test_no_phase_above_30_percent_is_no_bottleneck() -> None:
    even = [agent(phase, duration_seconds=25) for phase in ("plan", "build", "test", "review")]
    assert metrics(*even)["bottleneck_phase"] is None
    exact = [agent("plan", duration_seconds=30)] + [agent(f"step {n}", duration_seconds=10) for n in range(7)]
    assert metrics(*exact)["bottleneck_phase"] is None


def test_idle_time_is_what_no_agent_covers() -> None:
    assert (
        metrics(agent("plan", 0, 10), agent("build", 15, 20), agent("test", 30, 31))["idle_time_seconds"]
        == 15.0
    )


def test_agents_side_by_side_leave_no_negative_idle_time() -> None:
    assert (
        metrics(agent("plan", 0, 100), agent("build", 10, 20), agent("test", 90, 130))["idle_time_seconds"]
        == 0.0
    )


def test_a_start_and_a_duration_give_the_end() -> None:
    found = metrics(agent("plan", 0, duration_seconds=10), agent("build", 30, duration_seconds=10))
    assert found["idle_time_seconds"] == 20.0


@pytest.mark.parametrize(
    "other",
    [
        {"phase": "build"},
        agent("build", 40),
        agent("build", 40, 30),
        {"timestamp": "2025-01-01T12:00:10", "ended_at": "2025-01-01T12:00:20"},
        {"timestamp": "2025-01-01T12:00:10", "ended_at": "2025-01-01T12:00:20Z"},
        {"timestamp": "2025-01-01T12:00:10Z", "duration_seconds": 1e300},
        {"timestamp": "noon", "duration_seconds": 1},
    ],
    ids=["no times", "no end", "end first", "no offset", "half an offset", "beyond the calendar", "no time"],
)
def test_idle_time_is_unknown_where_one_agent_has_no_times(other: dict[str, Any]) -> None:
    assert metrics(agent("plan", 0, 10), other)["idle_time_seconds"] is None


def test_an_overwritten_attempt_needs_no_times() -> None:
    found = metrics(
        agent("plan", 0, 10), agent("plan", superseded=True, duration_seconds=4), agent("test", 12, 20)
    )
    assert found["idle_time_seconds"] == 2.0
    assert found["phase_durations"]["plan"] == 14.0


intervals = st.tuples(st.integers(0, 500), st.integers(0, 100))


@given(st.lists(intervals, min_size=1, max_size=6))
def test_idle_time_is_the_seconds_that_a_plain_count_finds_in_any_order(spans: list[tuple[int, int]]) -> None:
    entries = [agent("build", start, start + length) for start, length in spans]
    busy = {second for start, length in spans for second in range(start, start + length)}
    first, last = min(s for s, _ in spans), max(s + length for s, length in spans)
    assert metrics(*entries)["idle_time_seconds"] == last - first - len(busy)
    assert metrics(*entries[::-1])["idle_time_seconds"] == last - first - len(busy)


@given(st.lists(agents, max_size=6))
def test_the_bottleneck_is_longest_and_above_the_bar(entries: list[dict[str, Any]]) -> None:
    found = metrics(*entries)
    durations, name = found["phase_durations"], found["bottleneck_phase"]
    if name is not None:
        assert durations[name] == max(durations.values())
        assert durations[name] > 0


# The page


def test_the_page_has_the_numbers_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    example = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert example is not None
    for name, score in explain_workflow_scores(json.loads(example[1])).items():
        section = page.split(f": `{name}`", 1)[1].split("\n## ", 1)[0]
        rows = [f"| {p.name} | {p.weight:g} | {p.value:.1f} | {p.reason} |" for p in score.parts]
        assert all(row in section for row in rows), "\n".join(rows)
        assert f"The example: **{score.value}**" in section


def test_the_page_names_every_frozen_number() -> None:
    page = PAGE.read_text(encoding="utf-8")
    numbers = {name: value for name, value in vars(constants).items() if isinstance(value, float | int)}
    assert len(numbers) > 10
    missing = [
        f"| {name} | {value:g} |" for name, value in numbers.items() if f"| {name} | {value:g} |" not in page
    ]
    assert not missing


@pytest.mark.parametrize("weights", [v for k, v in vars(constants).items() if k.endswith("_WEIGHTS")])
def test_the_weights_of_a_score_make_one_whole(weights: dict[str, float]) -> None:
    assert math.fsum(weights.values()) == pytest.approx(1)
