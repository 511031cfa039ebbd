"""The spec's analytics, for any rows of a history."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.server.core.workflow_history import analytics
from app.server.core.workflow_history.analytics import (
    calculate_phase_metrics,
    calculate_workflow_scores,
    get_history_analytics,
    get_temporal_analytics,
)

CONTRACT = {
    "total_workflows",
    "completed_count",
    "failed_count",
    "success_rate_percent",
    "average_cost",
    "total_cost",
    "average_duration",
    "average_tokens",
    "average_cache_efficiency",
    "by_status",
    "by_model",
    "by_template",
    "date_range",
}
FIELDS = ["id", "status", "total_cost", "lower_bound_cost", "cost_basis", "duration_seconds", "total_tokens"]
FIELDS += ["input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens", "model_used"]
FIELDS += ["workflow_template", "created_at", "started_at"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
odd_rows = st.lists(
    st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=6) | json_values, max_size=5
)
nano_dollars = st.integers(0, 10**13)


def good_run(**more: Any) -> dict[str, Any]:
    """A run of which everything is known."""
    return {
        "id": "a",
        "status": "completed",
        "total_cost": 1.5,
        "cost_basis": "reported",
        "lower_bound_cost": 0.25,
        "duration_seconds": 60,
        "total_tokens": 1000,
        "input_tokens": 100,
        "output_tokens": 100,
        "cache_read_tokens": 600,
        "cache_creation_tokens": 200,
        "model_used": "claude-opus-4-5",
        "workflow_template": "adw_plan_build",
        "created_at": "2025-01-01T10:00:00+00:00",
        **more,
    }


# History


def test_the_whole_contract_is_answered_for_one_run() -> None:
    found = get_history_analytics([good_run()])
    assert set(found) >= CONTRACT
    assert {name: found[name] for name in CONTRACT} == {
        "total_workflows": 1,
        "completed_count": 1,
        "failed_count": 0,
        "success_rate_percent": 100.0,
        "average_cost": 1.5,
        "total_cost": 1.5,
        "average_duration": 60.0,
        "average_tokens": 1000.0,
        "average_cache_efficiency": pytest.approx(66.6667, abs=1e-3),
        "by_status": {"completed": 1},
        "by_model": {"claude-opus-4-5": 1},
        "by_template": {"adw_plan_build": 1},
        "date_range": {"start": "2025-01-01T10:00:00+00:00", "end": "2025-01-01T10:00:00+00:00"},
    }


def test_of_an_empty_history_all_counts_are_zero_and_all_figures_unknown() -> None:
    found = get_history_analytics([])
    assert (found["total_workflows"], found["completed_count"], found["failed_count"]) == (0, 0, 0)
    figures = ("success_rate_percent", "average_cost", "total_cost", "lower_bound_cost", "average_duration")
    assert all(found[name] is None for name in (*figures, "average_tokens", "average_cache_efficiency"))
    assert found["by_status"] == {}
    assert found["date_range"] == {"start": None, "end": None}


ODD_ROWS = [None, 3, {}, {"status": None}, {"status": ["x"], "total_cost": "1.50", "created_at": 5}]
ODD_ROWS += [{"total_cost": float("nan"), "duration_seconds": -1, "total_tokens": True, "model_used": {}}]


@pytest.mark.parametrize("row", ODD_ROWS, ids=repr)
def test_one_odd_row_changes_no_figure_of_the_others(row: Any) -> None:
    alone, together = get_history_analytics([good_run()]), get_history_analytics([row, good_run()])
    figures = [name for name in alone if not name.startswith("by_") and "breakdown" not in name]
    figures = [name for name in figures if name not in {"total_workflows", "cost_by_basis"}]
    assert {name: together[name] for name in figures} == {name: alone[name] for name in figures}
    assert together["by_status"]["completed"] == 1


@given(odd_rows)
def test_odd_rows_never_crash_and_the_answer_is_always_json(rows: list[Any]) -> None:
    json.dumps(get_history_analytics(rows), allow_nan=False)
    json.dumps(get_temporal_analytics(rows), allow_nan=False)


@given(odd_rows)
def test_every_breakdown_counts_every_run_once(rows: list[Any]) -> None:
    found = get_history_analytics(rows)
    for kind in ("status", "model", "template"):
        counts = found[f"by_{kind}"]
        assert sum(counts.values()) == found["total_workflows"]
        assert {name: part["count"] for name, part in found[f"{kind}_breakdown"].items()} == counts
    assert sum(found["cost_by_basis"].values()) == found["total_workflows"]


@given(st.lists(nano_dollars, min_size=1, max_size=30))
def test_money_is_summed_to_the_nano_dollar_in_any_order(amounts: list[int]) -> None:
    rows = [{"total_cost": amount / 10**9} for amount in amounts]
    assert get_history_analytics(rows)["total_cost"] == sum(amounts) / 10**9
    assert get_history_analytics(rows[::-1])["total_cost"] == sum(amounts) / 10**9


def test_ten_dimes_are_a_dollar() -> None:
    assert get_history_analytics([{"total_cost": 0.1}] * 10)["total_cost"] == 1.0
    assert get_history_analytics([{"total_cost": 0.1}] * 3)["average_cost"] == 0.1


def test_an_unknown_cost_is_not_zero_and_does_not_lower_the_average() -> None:
    assert get_history_analytics([{"status": "completed"}])["total_cost"] is None
    assert get_history_analytics([{"total_cost": 0}])["total_cost"] == 0.0
    assert get_history_analytics([{"total_cost": 3.0}, {"total_cost": None}])["average_cost"] == 3.0


def test_lower_bounds_are_summed_apart() -> None:
    rows = [good_run(), good_run(total_cost=None, cost_basis="lower_bound", lower_bound_cost=0.5), {}]
    found = get_history_analytics(rows)
    assert (found["total_cost"], found["lower_bound_cost"]) == (1.5, 0.75)
    assert found["cost_by_basis"] == {"lower_bound": 1, "reported": 1, "unknown": 1}


def test_the_success_rate_is_over_runs_that_ended() -> None:
    rows = [
        {"status": s} for s in ("completed", "completed", "completed", "failed", "running", "unknown", None)
    ]
    assert get_history_analytics(rows)["success_rate_percent"] == 75.0
    assert get_history_analytics([{"status": "running"}])["success_rate_percent"] is None


def test_an_unknown_name_is_grouped_under_unknown() -> None:
    rows = [{"model_used": name} for name in ("claude-opus-4-5", None, "", "  ", 3)]
    assert get_history_analytics(rows)["by_model"] == {"unknown": 4, "claude-opus-4-5": 1}


def test_a_breakdown_has_the_money_and_the_success_of_its_group() -> None:
    rows = [good_run(), good_run(status="failed", total_cost=0.5), good_run(model_used="claude-haiku-4-5")]
    assert get_history_analytics(rows)["model_breakdown"]["claude-opus-4-5"] == {
        "count": 2,
        "total_cost": 2.0,
        "average_cost": 1.0,
        "success_rate_percent": 50.0,
        "success_rate_of": 2,
    }


def test_tokens_are_added_up_only_where_all_four_kinds_are_known() -> None:
    kinds = {"input_tokens": 1, "output_tokens": 2, "cache_read_tokens": 3, "cache_creation_tokens": 4}
    assert get_history_analytics([kinds])["average_tokens"] == 10.0
    assert get_history_analytics([{**kinds, "total_tokens": 12}])["average_tokens"] == 12.0
    assert get_history_analytics([{**kinds, "output_tokens": None}])["average_tokens"] is None


def test_cache_efficiency_is_unknown_without_a_prompt_and_zero_without_a_hit() -> None:
    none = {"input_tokens": 0, "cache_read_tokens": 0, "cache_creation_tokens": 0}
    assert get_history_analytics([none])["average_cache_efficiency"] is None
    assert get_history_analytics([{**none, "input_tokens": 5}])["average_cache_efficiency"] == 0.0


def test_the_date_range_is_in_the_order_of_time_and_not_of_text() -> None:
    times = [
        "2025-01-01T23:30:00-05:00",
        "2025-01-02T01:00:00+00:00",
        "2025-01-02T00:30:00",
        "2025-01-03",
        "soon",
    ]
    found = get_history_analytics([{"created_at": time} for time in times])
    assert found["date_range"] == {"start": "2025-01-02T00:30:00", "end": "2025-01-01T23:30:00-05:00"}


def test_a_run_that_was_only_started_is_in_the_date_range() -> None:
    found = get_history_analytics([{"started_at": "2025-01-01T10:00:00Z"}])
    assert found["date_range"]["start"] == "2025-01-01T10:00:00+00:00"


# Time of day


def test_all_hours_and_weekdays_are_there_with_zeros() -> None:
    found = get_temporal_analytics([])
    assert found["hourly_distribution"] == dict.fromkeys(range(24), 0)
    assert list(found["daily_distribution"]) == [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ]
    assert set(found["daily_distribution"].values()) == {0}
    assert found["peak_hours"] == []


def test_the_hour_and_the_day_are_the_local_ones_of_the_run() -> None:
    found = get_temporal_analytics([{"started_at": "2025-01-06T23:30:00-05:00"}])
    assert found["hourly_distribution"][23] == 1
    assert found["daily_distribution"]["Monday"] == 1


def test_the_start_counts_before_the_creation() -> None:
    run = {"started_at": "2025-01-06T09:00:00", "created_at": "2025-01-06T07:00:00"}
    assert get_temporal_analytics([run])["peak_hours"] == [9]
    assert get_temporal_analytics([{**run, "started_at": None}])["peak_hours"] == [7]


def test_all_hours_with_the_most_runs_are_peaks() -> None:
    hours = (9, 9, 14, 14, 20)
    found = get_temporal_analytics([{"started_at": f"2025-01-06T{hour:02}:00:00Z"} for hour in hours])
    assert found["peak_hours"] == [9, 14]


@pytest.mark.parametrize("time", [None, "", "soon", "2025-01-06", 5, "2025-13-01T00:00:00"], ids=repr)
def test_a_run_without_a_time_of_day_is_counted_as_unknown(time: object) -> None:
    found = get_temporal_analytics([{"started_at": time}])
    assert found["unknown"] == 1
    assert sum(found["hourly_distribution"].values()) == 0


@given(st.lists(st.datetimes(), max_size=20), st.integers(0, 3))
def test_every_run_is_in_one_hour_and_one_day_or_unknown(times: list[Any], unknown: int) -> None:
    rows = [{"started_at": time.isoformat()} for time in times] + [{}] * unknown
    found = get_temporal_analytics(rows)
    assert sum(found["hourly_distribution"].values()) == len(times)
    assert sum(found["daily_distribution"].values()) == len(times)
    assert found["unknown"] == unknown


# The façade


def test_the_module_offers_what_it_names() -> None:
    assert all(callable(getattr(analytics, name)) for name in analytics.__all__)


def test_scores_and_phase_metrics_are_offered_under_the_names_of_the_contract() -> None:
    assert calculate_workflow_scores({"total_cost": 2.0})["cost_efficiency_score"] == 50.0
    assert set(calculate_phase_metrics(None)) == {"phase_durations", "bottleneck_phase", "idle_time_seconds"}


def test_the_hour_is_the_runs_own_local_hour_where_its_offset_is_known():
    run = {"started_at": "2026-01-11T04:19:30+00:00", "utc_offset_minutes": -420}
    distribution = get_temporal_analytics([run])
    assert distribution["peak_hours"] == [21]
    assert distribution["daily_distribution"]["Saturday"] == 1
