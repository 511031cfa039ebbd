"""Weights, intervals and shares of forecasts against plain loops."""

from __future__ import annotations

from fractions import Fraction
from math import exp, isclose
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.server.core.workflow_history.analysis.forecast.backtest import backtests, latest_rows
from app.server.core.workflow_history.analysis.forecast.calibration_metrics import (
    ForecastCase,
    brier,
    coverage,
)
from app.server.core.workflow_history.analysis.forecast.neighbour_weights import (
    ForecastTarget,
    cosine_similarity,
    select_candidates,
    weigh_neighbours,
)
from app.server.core.workflow_history.analysis.forecast.past_runs import PastRuns, build_past, to_float32
from app.server.core.workflow_history.analysis.forecast.prediction_intervals import (
    effective_sample_size,
    estimate_success,
    weighted_interval,
)
from app.server.core.workflow_history.analysis.forecast.remaining import estimate_remaining, progress_of
from app.server.core.workflow_history.analysis.forecast.stages import (
    current_segment,
    segments_from,
    split_into_segments,
)
from app.server.core.workflow_history.common.column_data import MISSING_INT, CategoricalColumn, ColumnTable
from app.server.core.workflow_history.common.proportions import wilson

DAY = 86_400 * 1_000_000
STEP = 1e-5  # to which weights are told: they are multiples of a millionth
TEMPLATES = ("plan_build", "patch", None)


def run(at: int = 0, **given_: Any) -> dict[str, Any]:
    """Return one run that costs a dollar and takes a minute, `at` days after the start of time."""
    usual = {
        "status": "completed", "template": "plan_build", "issue_class": "/bug", "project": "shop",
        "basis": "reported", "at": at * DAY, "cost": 1_000_000_000, "beyond": MISSING_INT, "seconds": 60.0,
    }  # fmt: skip
    return usual | given_


def past(runs: list[dict[str, Any]]) -> PastRuns:
    def whole(name: str) -> np.ndarray:
        return np.array([one[name] for one in runs], np.int64)

    return build_past(
        ColumnTable(
            "runs",
            len(runs),
            {
                name: CategoricalColumn.from_values(one[short] for one in runs)
                for name, short in (
                    ("project", "project"), ("status", "status"), ("workflow_template", "template"),
                    ("issue_class", "issue_class"), ("cost_basis", "basis"),
                )
            },
            {
                "key": np.arange(1, len(runs) + 1),
                "created_at": whole("at"),
                "total_cost": whole("cost"),
                "lower_bound_cost": whole("beyond"),
                "is_copy": np.zeros(len(runs), np.int64),
            },
            {"duration_seconds": np.array([one["seconds"] for one in runs], np.float64)},
        )
    )  # fmt: skip


def vectors(count: int, seed: int) -> np.ndarray:
    """Return texts of which many are alike: each is near one of three themes."""
    source = np.random.default_rng(seed)
    themes = source.integers(-60, 60, (3, 160))
    noise = source.integers(-60, 60, (count, 160))
    mixed = themes[source.integers(0, 3, count)] * source.integers(0, 3, (count, 1)) + noise
    return to_float32(np.clip(mixed, -127, 127).astype(np.int8))


RUNS = st.lists(
    st.builds(
        lambda at, cost, seconds, status, template, kind, basis: run(
            at, cost=cost, seconds=seconds, status=status, template=template, issue_class=kind, basis=basis
        ),
        st.integers(0, 90),
        st.one_of(st.integers(0, 5_000_000_000), st.just(MISSING_INT)),
        st.one_of(st.floats(0, 5e5), st.just(float("nan"))),
        st.sampled_from(("completed", "failed", "running", "incomplete", "unknown")),
        st.sampled_from(TEMPLATES),
        st.sampled_from(("/bug", "feature", None)),
        st.sampled_from(("reported", "computed", "lower_bound", "unpriced", None)),
    ),
    min_size=1,
    max_size=60,
)


# --- intervals


@pytest.mark.parametrize("count", [9, 14, 30, 100])
def test_an_interval_holds_eight_in_ten_of_what_comes(count: int) -> None:
    source, inside, rounds = np.random.default_rng(count), 0, 4_000
    for _ in range(rounds):
        drawn = np.rint(1e9 * source.lognormal(0, 0.8, count + 1)).astype(np.int64)
        bounds = weighted_interval(drawn[:-1], np.ones(count, bool), np.ones(count)).bounds
        assert bounds is not None
        inside += bounds.p10 <= drawn[-1] <= bounds.p90
    # (n + 1) x 0.8 ranks of n + 1, rounded outwards; five standard deviations are 0.032
    assert 0.80 - 0.032 < inside / rounds < 0.80 + 2 / (count + 1) + 0.032


def test_an_interval_from_unequal_weights_holds_about_as_much() -> None:
    source, inside, rounds = np.random.default_rng(7), 0, 4_000
    for _ in range(rounds):
        weights = source.uniform(0.05, 1.0, 40)
        drawn = np.rint(1e9 * source.lognormal(0, 0.8, 41)).astype(np.int64)
        bounds = weighted_interval(drawn[:-1], np.ones(40, bool), weights).bounds
        assert bounds is not None
        inside += bounds.p10 <= drawn[-1] <= bounds.p90
    assert 0.75 < inside / rounds < 0.88


def test_amounts_known_only_as_at_least_do_not_pull_the_interval_down() -> None:
    source, whole, cut = np.random.default_rng(3), [], []
    for _ in range(400):
        drawn = np.rint(1e9 * source.lognormal(0, 0.5, 60)).astype(np.int64)
        seen = np.minimum(drawn, np.rint(1e9 * source.lognormal(0.6, 0.5, 60)).astype(np.int64))
        found = weighted_interval(seen, seen == drawn, np.ones(60))
        if found.bounds is None or found.p90_is_lower_bound:
            continue  # the largest are all cut off
        whole.append(np.median(drawn))
        cut.append((found.bounds.median, np.median(seen)))
    assert len(cut) > 200
    kept, plain = np.mean(cut, axis=0)
    assert abs(kept - np.mean(whole)) < 0.03 * np.mean(whole)
    assert plain < 0.97 * np.mean(whole), "the plain median of what was seen is too low: the test can fail"


@given(
    st.lists(
        st.tuples(st.one_of(st.integers(0, 50), st.just(MISSING_INT)), st.booleans(), st.floats(0.01, 1.0)),
        max_size=40,
    )
)
def test_bounds_equal_a_plain_reimplementation(amounts: list[tuple[int, bool, float]]) -> None:
    values, exact, weights = (
        np.array([row[place] for row in amounts], kind)
        for place, kind in enumerate((np.int64, np.bool_, np.float64))
    )
    known = [row for row in amounts if row[0] != MISSING_INT]
    found = weighted_interval(values, exact, weights)
    assert found.runs == len(known)
    assert found.lower_bounds == sum(not row[1] for row in known)
    if found.bounds is None:
        return
    mass = sum(row[2] for row in known)
    newcomer = sum(row[2] ** 2 for row in known) / mass
    as_they_are = [(value, True, weight) for value, _, weight in known]
    for shown, at_least, extra, tail in (
        (found.bounds.median, found.median_is_lower_bound, 0.0, 0.5),
        (found.bounds.p90, found.p90_is_lower_bound, newcomer, 0.1),
    ):
        rows = as_they_are if at_least else known
        assert shown in plain_reach(rows, extra, tail) | {found.bounds.median}
    downwards = [(-value, True, weight) for value, _, weight in known]
    assert -found.bounds.p10 in plain_reach(downwards, newcomer, 0.1) | {-found.bounds.median}
    assert found.bounds.p10 <= found.bounds.median <= found.bounds.p90


def plain_reach(amounts: list[tuple[int, bool, float]], newcomer: float, tail: float) -> set[int]:
    """Return the values at which Kaplan and Meier's estimate falls to `tail`, give or take rounding."""
    left, beyond, found = sum(row[2] for row in amounts) + newcomer, 1.0, set()
    for value, exact, weight in sorted(amounts, key=lambda row: (row[0], not row[1])):
        before = beyond
        if exact:
            beyond *= 1 - weight / left
        left -= weight
        if beyond <= tail + 1e-6 and before > tail - 1e-6:
            found.add(value)
    return found


def test_fewer_than_nine_runs_give_no_interval() -> None:
    values = np.arange(1, 10)
    assert weighted_interval(values, np.ones(9, bool), np.ones(9)).bounds == (1, 5, 9)
    few = weighted_interval(values[:8], np.ones(8, bool), np.ones(8))
    assert (few.bounds, few.runs, few.effective_sample_size) == (None, 8, 8.0)


def test_one_heavy_run_among_many_light_ones_does_not_make_an_interval() -> None:
    weights = np.array([1.0, *[0.01] * 30])
    assert weighted_interval(np.arange(31), np.ones(31, bool), weights).bounds is None


def test_runs_that_are_all_known_only_as_at_least_give_the_least_that_is_certain() -> None:
    found = weighted_interval(np.arange(1, 51), np.zeros(50, bool), np.ones(50))
    assert found.bounds == (5, 25, 46)
    assert (found.median_is_lower_bound, found.p90_is_lower_bound, found.lower_bounds) == (True, True, 50)
    exact = weighted_interval(np.arange(1, 51), np.ones(50, bool), np.ones(50))
    assert exact.bounds == found.bounds
    assert exact.is_bounded
    assert not found.is_bounded


def test_a_few_large_runs_known_only_as_at_least_leave_the_median_and_open_the_upper_end() -> None:
    exact = np.arange(1, 31) <= 25
    found = weighted_interval(np.arange(1, 31), exact, np.ones(30))
    assert found.bounds == (3, 15, 28)
    assert (found.median_is_lower_bound, found.p90_is_lower_bound) == (False, True)


AMOUNTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(1, 1 << 20)), max_size=60)


@given(AMOUNTS)
def test_without_lower_bounds_an_interval_is_that_of_weighted_order_statistics(
    amounts: list[tuple[int, int, int]],
) -> None:
    rows = [(value, Fraction(weight, 1 << 20)) for value, _, weight in amounts]
    found = weighted_interval(
        np.array([value for value, _ in rows], np.int64),
        np.ones(len(rows), bool),
        np.array([float(weight) for _, weight in rows]),
    )
    mass, squares = sum(weight for _, weight in rows), sum(weight**2 for _, weight in rows)
    if not rows or mass**2 / squares < 9:
        assert found.bounds is None
        return

    def share_above(value: int, newcomer: Fraction) -> Fraction:
        return (sum((w for v, w in rows if v > value), newcomer)) / (mass + newcomer)

    def share_below(value: int, newcomer: Fraction) -> Fraction:
        return (sum((w for v, w in rows if v < value), newcomer)) / (mass + newcomer)

    newcomer, tail, half = squares / mass, Fraction(1, 10), Fraction(1, 2)
    values = sorted({value for value, _ in rows})
    slack = Fraction(1, 10**9)
    assert found.bounds == (
        max(value for value in values if share_below(value, newcomer) <= tail + slack),
        min(value for value in values if share_above(value, Fraction(0)) <= half + slack),
        min(value for value in values if share_above(value, newcomer) <= tail + slack),
    )
    assert found.is_bounded


@given(AMOUNTS)
def test_a_figure_shown_as_at_least_is_never_above_that_of_the_true_amounts(
    amounts: list[tuple[int, int, int]],
) -> None:
    seen, beyond, weights = (np.array([row[place] for row in amounts], np.int64) for place in range(3))
    found = weighted_interval(seen, beyond == 0, weights / (1 << 20))
    true = weighted_interval(seen + beyond, np.ones(len(seen), bool), weights / (1 << 20))
    assert (found.bounds is None) == (true.bounds is None)
    if found.bounds is not None and true.bounds is not None:
        assert found.bounds.p10 <= true.bounds.p10
        if found.median_is_lower_bound:
            assert found.bounds.median <= true.bounds.median
            assert found.bounds.p90 <= true.bounds.p90


# --- weights


@given(RUNS, st.integers(0, 100), st.sampled_from(TEMPLATES), st.sampled_from(("bug", "chore", None)))
def test_weights_equal_a_plain_reimplementation(
    runs: list[dict[str, Any]], at: int, template: str | None, kind: str | None
) -> None:
    history, texts = past(runs), vectors(len(runs), len(runs))
    question = ForecastTarget(at * DAY, template, kind, "shop")
    rows = select_candidates(history, question)
    order = sorted(range(len(runs)), key=lambda place: (runs[place]["at"], place))
    before = [
        row
        for row, place in enumerate(order)
        if runs[place]["status"] != "running"
        and runs[place]["at"] + lasted(runs[place]) < at * DAY
        and runs[place]["at"] < at * DAY
        and template in (None, runs[place]["template"])
    ]
    assert rows.tolist() == before
    alike = cosine_similarity(texts[:1], texts[rows])[0].astype(np.float64)
    found = weigh_neighbours(history, question, rows, alike)
    near, level = [], []
    for turn, row in enumerate(before):
        one = runs[order[row]]
        context = 0.5 if kind and (one["issue_class"] or "").removeprefix("/") != kind else 1.0
        age = (runs[order[before[-1]]]["at"] - one["at"]) / (60 * DAY)
        text = min(1.0, max(0.0, (float(alike[turn]) - 0.3) / 0.3))
        near.append(text * context * 0.5**age)
        level.append((1 - near[-1]) * context * 0.5 ** ((len(before) - 1 - turn) / 30))
    share = min(1.0, max(0.0, 10 - sum(near)) / sum(level)) if sum(level) else 0.0
    weights = [own + share * rest for own, rest in zip(near, level, strict=True)]
    clear = {row: weight for row, weight in zip(before, weights, strict=True) if abs(weight - 0.01) > STEP}
    told = dict(zip(found.rows.tolist(), found.weights.tolist(), strict=True))
    assert {row for row in told if row in clear} == {row for row, weight in clear.items() if weight > 0.01}
    assert all(isclose(told[row], clear[row], abs_tol=STEP) for row in told if row in clear)
    assert isclose(found.neighbours, sum(near), abs_tol=len(near) * STEP)


def lasted(one: dict[str, Any]) -> int:
    return 0 if np.isnan(one["seconds"]) else round(one["seconds"] * 1e6)


def test_the_same_request_counts_most_and_many_of_them_leave_no_room_for_others() -> None:
    history = past([run(day) for day in range(40)])
    alike = np.array([1.0 if row >= 25 else 0.0 for row in range(40)])
    found = weigh_neighbours(history, ForecastTarget(41 * DAY, "plan_build"), np.arange(40), alike)
    assert found.rows.tolist() == list(range(25, 40))
    assert found.weights[-1] == 1.0


# --- no leakage


@given(RUNS, RUNS)
def test_a_later_run_never_changes_an_earlier_forecast(
    runs: list[dict[str, Any]], more: list[dict[str, Any]]
) -> None:
    last = max(one["at"] for one in runs)
    later = [one | {"at": last + one["at"]} for one in more]  # some begin in the same moment as the last
    texts = vectors(len(runs) + len(later), 5)
    texts[len(runs) :] = texts[0]  # and all ask for the same as the first
    short, long = past(runs), past(runs + later)
    alone = told(short, texts[short.keys - 1])
    transcript_set = told(long, texts[long.keys - 1])
    assert alone == {key: transcript_set[key] for key in alone}


def told(history: PastRuns, texts: np.ndarray) -> dict[int, Any]:
    """Return by key what the runs before each run say."""
    return {
        int(history.keys[test.row]): (test.cost, test.duration, test.success)
        for test in backtests(history, texts, latest_rows(history, None))
    }


@given(RUNS)
def test_a_run_is_no_evidence_for_itself(runs: list[dict[str, Any]]) -> None:
    history = past(runs)
    for row in range(len(history)):
        at = int(history.started[row])
        assert row not in select_candidates(history, ForecastTarget(at))
        everything = ForecastTarget(np.iinfo(np.int64).max, excluded_key=int(history.keys[row]))
        assert row not in select_candidates(history, everything)


def test_a_run_that_still_worked_then_is_not_looked_at() -> None:
    history = past([run(0, seconds=3 * 86_400.0), run(1), run(2)])
    assert select_candidates(history, ForecastTarget(2 * DAY)).tolist() == [1]
    assert select_candidates(history, ForecastTarget(4 * DAY)).tolist() == [0, 1, 2]


# --- what runs know


def test_a_run_that_was_cut_off_or_has_no_full_record_is_known_as_at_least() -> None:
    history = past(
        [
            run(0),
            run(1, status="incomplete"),
            run(2, basis="lower_bound", cost=MISSING_INT, beyond=7),
            run(3, beyond=500),
            run(4, cost=MISSING_INT, basis=None, seconds=float("nan")),
        ]
    )
    assert history.cost.is_exact.tolist() == [True, False, False, False, False]
    assert history.cost.values.tolist() == [1_000_000_000, 1_000_000_000, 7, 1_000_000_500, MISSING_INT]
    assert history.duration.is_exact.tolist() == [True, False, True, True, True]
    assert history.duration.values[-1] == MISSING_INT


def test_runs_without_a_date_are_left_out_and_counted() -> None:
    history = past([run(0), run(0) | {"at": MISSING_INT}])
    assert (len(history), history.dated.sum(), history.undated) == (2, 1, 1)


# --- success


def test_a_chance_lies_between_what_was_seen_and_the_share_of_all() -> None:
    good = np.array([True] * 5 + [False] * 15)
    found = estimate_success(good, ~good, np.ones(20), base_rate=0.9)
    assert found.probability is not None
    assert isclose(found.probability, (5 + 20 * 0.9) / 40)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.probability < found.high
    assert (found.completed, found.ended) == (5, 20)


def test_runs_that_neither_completed_nor_failed_say_nothing_of_success() -> None:
    none = np.zeros(50, bool)
    assert estimate_success(none, none, np.ones(50)).probability is None


@pytest.mark.parametrize(("share", "count"), [(0.0, 9), (1.0, 9), (0.5, 1000)])
def test_wilsons_interval_stays_within_all_and_nothing(share: float, count: int) -> None:
    low, high = wilson(share, count, 1.96)
    assert 0.0 <= low <= share <= high <= 1.0
    assert high - low > 0.01


def test_briers_score_of_the_base_rate_is_its_variance() -> None:
    assert isclose(brier([0.75] * 4, [True, True, True, False]), 0.75 * 0.25)


def test_held_counts_both_ends_as_inside() -> None:
    cases = [ForecastCase(came, 10, 20, 30, 0.0, 0.0, 0.0) for came in (9, 10, 30, 31)]
    found = coverage(cases)
    assert found is not None
    assert (found.inside, found.below, found.above, found.share) == (2, 1, 1, 0.5)


@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=50))
def test_weights_never_say_more_than_as_many_equal_runs(weights: list[float]) -> None:
    assert 1.0 - 1e-9 <= effective_sample_size(np.array(weights)) <= len(weights) + 1e-9


# --- stages


def agents(*phases: str, cost: int = 100, seconds: float = 1.0) -> list[dict[str, Any]]:
    return [
        {"phase": phase, "cost_nanodollars": cost, "cost_basis": "reported", "duration_seconds": seconds}
        for phase in phases
    ]


def test_what_a_copy_cost_is_not_counted_twice() -> None:
    both = [*agents("plan"), agents("plan")[0] | {"duplicate_of": "other.jsonl"}]
    assert split_into_segments(both)[0].cost == (100, True)


def test_the_second_commit_of_a_run_is_held_against_the_second_of_others() -> None:
    own = split_into_segments(agents("plan", "commit", "build", "commit"))
    assert current_segment(own, None) == ("commit", 1)
    assert current_segment(own, "sdlc_planner") == ("plan", 1)
    assert current_segment([], None) is None
    rest = segments_from(own, "commit", 1)
    assert rest is not None
    assert [stage.phase for stage in rest] == ["commit"]


def test_the_rest_is_what_runs_took_that_came_as_far() -> None:
    runs = [split_into_segments(agents("plan", "build", "ship", cost=100 * size)) for size in range(1, 31)]
    own = split_into_segments(agents("plan") + agents("build", cost=1_000))
    yes, no = np.ones(30, bool), np.zeros(30, bool)
    rest = estimate_remaining(
        progress_of(own, "build", 0, 1_500_000), runs, (yes, yes), (yes, no), np.ones(30)
    )
    # build and ship cost 200 x size; 1,000 are spent: sizes 5 to 30 came as far, and 0 to 5,000 was to come
    assert rest.cost.runs == 26
    assert rest.cost.bounds is not None
    # the 2nd and the 25th of 26: ranks 27 x 0.1 and 27 x 0.9, rounded outwards
    assert (rest.cost.bounds.p10, rest.cost.bounds.p90) == (200, 4_800)
    assert int(rest.reached.sum()) == 30
    assert rest.duration.bounds == (1_500_000, 1_500_000, 1_500_000)


def test_runs_without_the_phase_do_not_speak_of_the_rest() -> None:
    runs = [split_into_segments(agents("plan", "build"))] * 20
    own = split_into_segments(agents("review"))
    flags = np.ones(20, bool)
    rest = estimate_remaining(
        progress_of(own, "review", 0, 0), runs, (flags, flags), (flags, ~flags), np.ones(20)
    )
    assert (rest.cost.bounds, rest.cost.runs, rest.success.probability) == (None, 0, None)


def test_forecasts_of_a_steady_template_beat_the_mean_of_all_runs() -> None:
    source = np.random.default_rng(11)
    runs = [
        run(day, template=TEMPLATES[day % 2], cost=round(1e9 * exp(2 * (day % 2) + 0.2 * source.normal())))
        for day in range(200)
    ]
    history = past(runs)
    tests = list(backtests(history, np.zeros((200, 160), np.float32), latest_rows(history, None)))
    there = [test for test in tests if test.cost.bounds is not None]
    assert 170 < len(there) < 185, "the first nine of each template have too few before them"
    off = [abs(np.log(history.cost.values[t.row] / t.cost.bounds.median)) for t in there if t.cost.bounds]
    assert np.median(off) < 0.25
