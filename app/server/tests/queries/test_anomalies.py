"""Anomalies are found with their reason, day and runs; random variation is not reported."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from app.server.core.workflow_history import find_anomalies, init_db, insert_workflow
from app.server.core.workflow_history.analysis.anomalies.detect import DetectedAnomalies, detect_anomalies
from app.server.core.workflow_history.analysis.anomalies.rank_tests import (
    benjamini_hochberg,
    fisher_exact_p_value,
    max_rank_split,
    mid_ranks,
    rank_sum_p_value,
)
from app.server.core.workflow_history.analysis.anomalies.sentences import describe_change
from app.server.core.workflow_history.analysis.anomalies.series import (
    AGENT_COLUMNS,
    RUN_COLUMNS,
    recent_cutoff,
)
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.column_data import (
    COLUMNS,
    MISSING_INT,
    CategoricalColumn,
    ColumnTable,
)
from app.server.core.workflow_history.common.errors import InvalidQueryError
from app.server.core.workflow_history.common.filter_options import parse_recent
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.storage.history import History
from app.server.tests.support.thoroughness import examples, tries

END = datetime(2026, 3, 31, 18, tzinfo=UTC)
DAY = 86_400_000_000  # µs
START = 1_767_225_600_000_000  # 2026-01-01, µs since 1970
NANO = 1_000_000_000  # in one US dollar

# --- runs made by hand, as columns


@dataclass(frozen=True)
class Agent:
    """One agent of a made-up run."""

    phase: str = "plan"
    cost: float | None = 0.50  # USD
    model: str = "sonnet"
    outcome: str = "success"
    turns: int | None = 12
    seconds: float | None = 60.0
    cached: float = 0.9  # share of the prompt
    tool_errors: int = 0  # of 10 calls
    basis: str = "reported"
    beyond: float | None = None  # USD, lower bound
    is_copy: bool = False


@dataclass(frozen=True)
class Run:
    """One made-up run."""

    day: float  # after START
    agents: tuple[Agent, ...] = (Agent(),)
    template: str | None = "adw"
    project: str = "shop"
    status: str = "completed"


def columns(runs: Sequence[Run]) -> tuple[ColumnTable, ColumnTable]:
    """Return runs as a history gives them."""
    of_runs: list[dict[str, Any]] = []
    of_agents: list[dict[str, Any]] = []
    for key, run in enumerate(runs, 1):
        costs = [agent.cost for agent in run.agents]
        total = None if None in costs else sum(cost or 0 for cost in costs)
        of_runs.append({
            "key": key, "project": run.project, "status": run.status, "workflow_template": run.template,
            "model_used": run.agents[0].model if run.agents else None, "cost_basis": "reported",
            "created_at": START + round(run.day * DAY), "total_cost": _nano(total), "lower_bound_cost": None,
            "duration_seconds": sum(agent.seconds or 0 for agent in run.agents) or None,
        })  # fmt: skip
        of_agents += [_agent(key, agent) for agent in run.agents]
    return _as_columns("runs", RUN_COLUMNS, of_runs), _as_columns("agent_runs", AGENT_COLUMNS, of_agents)


def _agent(key: int, agent: Agent) -> dict[str, Any]:
    cached = round(10_000 * agent.cached)
    return {
        "workflow_key": key, "phase": agent.phase, "model": agent.model, "cost_basis": agent.basis,
        "outcome": agent.outcome, "cost": _nano(agent.cost), "lower_bound_cost": _nano(agent.beyond),
        "input_tokens": 10_000 - cached, "cache_read_tokens": cached, "cache_creation_tokens": 0,
        "duration_seconds": agent.seconds, "turns": agent.turns, "tool_calls": 10,
        "tool_errors": agent.tool_errors, "is_copy": int(agent.is_copy),
    }  # fmt: skip


def _nano(dollars: float | None) -> int | None:
    return None if dollars is None else round(dollars * NANO)


def _as_columns(family: Any, names: Sequence[str], rows: list[dict[str, Any]]) -> ColumnTable:
    words: dict[str, CategoricalColumn] = {}
    whole, real = {}, {}
    for name in names:
        values = [row[name] for row in rows]
        kind = COLUMNS[family][name]
        if kind == "words":
            words[name] = CategoricalColumn.from_values(values)
        elif kind == "real":
            real[name] = np.array([np.nan if value is None else value for value in values], np.float64)
        else:
            whole[name] = np.array([MISSING_INT if value is None else value for value in values], np.int64)
    return ColumnTable(family, len(rows), words, whole, real)


def look(runs: Sequence[Run], days: float = 30, **more: Any) -> DetectedAnomalies:
    of_runs, of_agents = columns(runs)
    since = recent_cutoff(of_runs.integers["created_at"], round(days * DAY), None)
    assert since is not None
    return detect_anomalies(of_runs, of_agents, since, **more)


def noisy(count: int, seed: int = 1, *, first: float = 0, last: float = 100, **agent: Any) -> list[Run]:
    """Return runs whose costs, turns and times scatter as real ones do."""
    source = np.random.default_rng(seed)
    base = Agent(**agent)
    return [
        Run(
            day,
            (
                replace(
                    base,
                    cost=(base.cost or 0) * float(source.lognormal(0, 0.3)),
                    turns=max(1, int(source.normal(base.turns or 0, 2))),
                    seconds=(base.seconds or 0) * float(source.lognormal(0, 0.3)),
                    cached=min(1.0, base.cached + float(source.normal(0, 0.02))),
                ),
            ),
        )
        for day in np.linspace(first, last, count).tolist()
    ]


def changed(count: int = 15, **agent: Any) -> list[Run]:
    """Return a history whose last `count` runs are other than the eighty before."""
    return [*noisy(80, last=85), *noisy(count, 2, first=86, last=100, **agent)]


# --- what changed


def test_a_phase_that_costs_twice_as_much_is_found_with_its_day_and_its_figures():
    found = look(changed(cost=1.0))
    (group,) = found.regressions
    assert group.main.name == ("plan", "cost")
    assert abs(group.series.created_at[group.main.since] - (START + 86 * DAY)) <= 3 * DAY
    assert group.main.ratio == pytest.approx(2.0, rel=0.25)
    assert len(group.main.before_rows) + len(group.main.after_rows) == 95
    assert group.excess_cost == pytest.approx(0.5 * 15 * NANO, rel=0.3)
    assert not found.improvements


def test_half_the_cost_is_an_improvement():
    found = look(changed(cost=0.2))
    assert not found.regressions
    (group,) = found.improvements
    assert not group.main.is_worse
    assert re.search(r": median cost down \d+% since ", describe_change(group, UTC))


def test_what_hardly_changed_is_no_finding_however_certain():
    steady = [Run(day, (Agent(cost=0.50 + 0.001 * (day % 3)),)) for day in range(80)]
    dearer = [Run(day, (Agent(cost=0.60),)) for day in range(80, 100)]
    assert look([*steady, *dearer]).regressions == ()


def test_cost_cache_turns_and_the_whole_run_are_one_finding_of_the_phase():
    (group,) = look(changed(cost=1.5, cached=0.5, turns=25)).regressions
    assert group.main.name == ("plan", "cost")
    assert {change.name for change in group.along} >= {("plan", "turns"), ("plan", "cache"), (None, "cost")}
    assert group.others == ()
    assert "Cache hit rate fell from 90% to 49%" in describe_change(group, UTC)


def test_a_change_that_shows_first_in_the_cache_is_told_as_one_of_cost_where_that_moved_too():
    # Some old runs are dearer still: by the cost alone one could not be sure.
    runs = [*noisy(80, last=85), *noisy(5, 3, first=90, last=100, cost=1.1, cached=0.4)]
    for at in range(20, 80, 10):
        runs[at] = replace(runs[at], agents=(replace(runs[at].agents[0], cost=9.0),))
    (group,) = look(runs).regressions
    assert group.main.name == ("plan", "cost")
    assert "cache" in {change.measure for change in group.along}


def test_where_all_phases_cost_more_the_whole_run_is_the_finding():
    def run(day: float, factor: float) -> Run:
        scatter = 1 + 0.02 * (int(day * 7) % 5)
        return Run(day, tuple(Agent(phase, 0.5 * factor * scatter) for phase in ("plan", "build", "test")))

    runs = [run(day, 1.0) for day in range(80)] + [run(80 + day, 2.0) for day in range(20)]
    (group,) = look(runs).regressions
    assert group.main.name == (None, "cost")
    assert {change.phase for change in group.others} == {"plan", "build", "test"}


def test_the_phase_that_took_most_of_it_is_the_reason_though_another_changed_too():
    def run(day: int, plan: float, test: float) -> Run:
        scatter = 1 + 0.02 * (day * 7 % 5)
        return Run(day, (Agent("plan", plan * scatter), Agent("test", test * scatter)))

    runs = [run(day, 1.0, 0.1) for day in range(80)] + [run(day, 3.0, 0.2) for day in range(80, 100)]
    (group,) = look(runs).regressions
    assert group.main.name == ("plan", "cost")
    assert [change.name for change in group.others] == [("test", "cost")]


def test_a_model_that_changed_at_the_same_time_is_named():
    (group,) = look(changed(cost=2.0, model="opus")).regressions
    assert group.models == ("sonnet", "opus")
    assert "Most frequent model changed from sonnet to opus" in describe_change(group, UTC)


def test_a_model_that_changed_long_before_is_not_blamed():
    old = [replace(run, agents=(replace(run.agents[0], model="old"),)) for run in noisy(60, last=60)]
    runs = [*old, *noisy(20, 3, first=61, last=80), *noisy(20, 4, first=81, last=100, cost=2.0)]
    (group,) = look(runs).regressions
    assert group.models is None


def test_another_project_that_came_in_is_named_as_a_reason():
    runs = [*noisy(80, last=85), *(replace(run, project="big") for run in noisy(15, 2, first=86, cost=2.0))]
    (group,) = look(sorted(runs, key=lambda run: run.day)).regressions
    assert group.projects == ("shop", "big")


def test_failures_that_pile_up_are_found_and_priced():
    runs = noisy(80, last=85)
    bad = [
        replace(run, status="failed", agents=(replace(run.agents[0], outcome="error"),)) if at % 2 else run
        for at, run in enumerate(noisy(20, 2, first=86, last=100))
    ]
    (group,) = look([*runs, *bad]).regressions
    assert group.main.name == ("plan", "failures")
    assert (group.main.before, group.main.after) == pytest.approx((0.0, 0.5), abs=0.05)
    assert group.excess_cost is not None
    assert group.excess_cost > 0
    assert "failure rate up since" in describe_change(group, UTC)


def test_two_failures_more_are_no_finding():
    runs = noisy(100)
    runs[-2:] = [replace(run, status="failed") for run in runs[-2:]]
    assert look(runs).regressions == ()


def test_what_changed_before_the_recent_runs_is_no_news():
    runs = [*noisy(40, last=50), *noisy(60, 2, first=51, last=100, cost=1.5)]
    assert look(runs, days=30).regressions == ()
    assert len(look(runs, days=60).regressions) == 1


def test_what_was_mended_since_is_no_regression():
    runs = [
        *noisy(60, last=75),
        *noisy(15, 2, first=76, last=85, cost=2.0),
        *noisy(15, 3, first=86, last=100),
    ]
    assert look(runs).regressions == ()


def test_recent_runs_are_held_against_those_since_the_last_change_alone():
    runs = [
        *noisy(40, last=40),
        *noisy(40, 2, first=41, last=80, cost=1.5),
        *noisy(20, 3, first=81, last=100, cost=3.0),
    ]
    (group,) = look(runs).regressions
    assert group.main.before == pytest.approx(1.5 * NANO, rel=0.15)
    assert 35 <= len(group.main.before_rows) <= 45


def test_too_few_runs_are_not_judged():
    assert look([*noisy(80, last=85), *noisy(4, 2, first=86, cost=3.0)]).regressions == ()
    assert look(noisy(9)).series_count == 0


def test_a_cost_that_is_not_wholly_on_record_is_left_out_and_no_saving():
    part = Agent(cost=0.01, basis="lower_bound", outcome="incomplete", turns=None, seconds=None)
    beyond = Agent(cost=0.05, beyond=0.01)
    runs = [*noisy(80, last=85), *(Run(86 + at, (part if at % 2 else beyond,)) for at in range(15))]
    found = look(runs)
    assert all(group.main.phase is None for group in (*found.regressions, *found.improvements))


def test_a_copy_of_another_stream_is_not_counted_twice():
    runs = [replace(run, agents=(*run.agents, replace(run.agents[0], is_copy=True))) for run in noisy(20, 2)]
    late = [replace(run, day=86 + run.day / 10) for run in runs]
    found = look([*noisy(80, last=85), *late])
    assert not [group for group in found.regressions if group.main.phase == "plan"]


def test_a_run_still_at_work_is_not_judged():
    runs = [
        *noisy(80, last=85),
        *(replace(run, status="running") for run in noisy(15, 2, first=86, cost=5.0)),
    ]
    found = look(sorted(runs, key=lambda run: run.day))
    assert (found.regressions, found.outliers) == ((), ())


def test_findings_are_ranked_by_money():
    small = [replace(run, template="small") for run in changed(cost=1.5)]
    large = [
        replace(run, template="large", agents=(replace(run.agents[0], cost=(run.agents[0].cost or 0) * 9),))
        for run in changed(cost=1.5)
    ]
    found = look(sorted([*small, *large], key=lambda run: run.day))
    assert [group.series.template for group in found.regressions] == ["large", "small"]


def test_phases_that_nobody_asked_for_are_left_out():
    found = look(changed(cost=2.0), phases=("build",))
    assert (found.series_count, found.regressions) == (0, ())


# --- single runs


def test_a_run_far_above_its_like_stands_out_once():
    runs = noisy(80)
    runs[-3] = replace(runs[-3], agents=(Agent(cost=9.0, seconds=2_000.0),))
    (one,) = look(runs).outliers
    assert (one.name, one.row) == (("plan", "cost"), 77)
    assert ("plan", "duration") in one.other_keys


def test_an_old_run_or_a_cheap_one_does_not_stand_out():
    runs = noisy(80)
    runs[5] = replace(runs[5], agents=(Agent(cost=9.0),))
    runs[-3] = replace(runs[-3], agents=(Agent(cost=0.01),))
    assert look(runs).outliers == ()


def test_runs_since_a_regression_do_not_each_stand_out():
    assert look(changed(25, cost=5.0)).outliers == ()


# --- chance


def shuffled(runs: ColumnTable, source: np.random.Generator) -> ColumnTable:
    """Return the runs of each template in another order."""
    created, templates = runs.integers["created_at"].copy(), runs.categorical["workflow_template"].codes
    for code in np.unique(templates):
        own = np.flatnonzero(templates == code)
        created[own] = source.permutation(created[own])
    return ColumnTable(
        runs.family, len(runs), runs.categorical, {**runs.integers, "created_at": created}, runs.floats
    )


def test_in_shuffled_histories_findings_are_rare(demo_copy: Path):
    with History.open(demo_copy) as history:
        runs = history.columns("runs", RUN_COLUMNS)
        agents = history.columns("agent_runs", AGENT_COLUMNS)
    since = recent_cutoff(runs.integers["created_at"], 30 * DAY, None)
    assert since is not None
    source = np.random.default_rng(11)
    alarms = sum(
        bool(found.regressions or found.improvements)
        for found in (detect_anomalies(shuffled(runs, source), agents, since) for _ in range(examples(40)))
    )
    assert alarms <= 2


def test_in_made_up_noise_findings_are_rare():
    alarms = sum(bool(found.regressions) for found in (look(noisy(100, seed)) for seed in range(60)))
    assert alarms <= 2


def test_the_chance_of_a_split_is_not_too_small():
    source = np.random.default_rng(5)
    places = np.arange(10, 55)
    chances = [split.p_value for _ in range(400) if (split := max_rank_split(source.normal(size=60), places))]
    for level in (0.01, 0.05, 0.2):
        assert np.mean(np.array(chances) <= level) <= level + 0.02


@pytest.mark.parametrize(("few", "many"), [(1, 4), (2, 5), (3, 4), (4, 4)])
def test_the_chance_of_a_rank_sum_is_what_counting_all_orders_gives(few: int, many: int):
    middle = few * (few + many + 1) / 2
    sums = [abs(sum(some) - middle) for some in combinations(range(1, few + many + 1), few)]
    for distance in sorted(set(sums)):
        expected = sum(other >= distance - 1e-9 for other in sums) / len(sums)
        assert rank_sum_p_value(distance, few, many) == pytest.approx(min(1.0, expected))


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_fishers_chances_are_what_counting_all_tables_gives(ones: int, zeros: int, data: st.DataObject):
    drawn = data.draw(st.integers(1, ones + zeros))
    items = [1] * ones + [0] * zeros
    counts = [sum(items[at] for at in some) for some in combinations(range(len(items)), drawn)]
    if len(counts) > 5_000:
        return
    hits = data.draw(st.sampled_from(sorted(set(counts))))
    likely = {value: counts.count(value) for value in set(counts)}
    expected = sum(number for number in likely.values() if number <= likely[hits]) / len(counts)
    assert fisher_exact_p_value(hits, drawn, ones, ones + zeros) == pytest.approx(expected)


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=30))
def test_ranks_add_up_whatever_is_equal(values: list[float]):
    assert mid_ranks(np.array(values)).sum() == pytest.approx(len(values) * (len(values) + 1) / 2)


@given(st.lists(st.floats(0, 1), max_size=20), st.integers(0, 100))
def test_more_series_never_make_more_discoveries(chances: list[float], more: int):
    fewer = benjamini_hochberg(chances, 0.05, len(chances) + more)
    assert sum(fewer) <= sum(benjamini_hochberg(chances, 0.05, len(chances)))


# --- what must not matter


@tries(15)
@given(st.integers(2, 1_000), st.integers(0, 50))
def test_the_unit_of_money_changes_no_finding(factor: int, seed: int):
    def times(run: Run, by: int) -> Run:
        # whole cents, so that nothing is rounded
        return replace(
            run, agents=tuple(replace(agent, cost=round(agent.cost or 0, 2) * by) for agent in run.agents)
        )

    runs = [*noisy(60, seed, last=80), *noisy(15, seed + 1, first=81, cost=1.2, turns=20)]
    one, other = (look([times(run, by) for run in sorted(runs, key=lambda r: r.day)]) for by in (1, factor))
    for before, after in zip(one.regressions, other.regressions, strict=True):
        assert (before.main.name, before.main.since) == (after.main.name, after.main.since)
        assert before.main.p_value == pytest.approx(after.main.p_value)
        assert after.excess_cost == pytest.approx((before.excess_cost or 0) * factor)
    assert [run.row for run in one.outliers] == [run.row for run in other.outliers]


@tries(15)
@given(st.integers(0, 50), st.integers(1, 3))
def test_other_templates_change_nothing_but_how_many_series_are_judged(seed: int, number: int):
    own = [*noisy(60, seed, last=80), *noisy(20, seed + 1, first=81, last=100, cost=2.0)]
    others = [
        replace(run, template=f"other {at}") for at in range(number) for run in noisy(50, seed + 7 + at)
    ]
    alone, together = look(own), look(sorted([*own, *others], key=lambda run: run.day))
    assert together.series_count > alone.series_count
    told = [group for group in together.regressions if group.series.template == "adw"]
    assert [(group.main.name, group.main.since, group.main.p_value) for group in told] == [
        (group.main.name, group.main.since, group.main.p_value) for group in alone.regressions
    ]


@tries(15)
@given(st.permutations(range(40)))
def test_the_order_in_which_runs_were_stored_does_not_matter(order: list[int]):
    runs = [*noisy(28, last=80), *noisy(12, 2, first=81, last=100, cost=2.0)]
    found = [
        [(group.main.name, group.main.before, group.main.after) for group in look(some).regressions]
        for some in (runs, [runs[at] for at in order])
    ]
    assert found[0] == found[1]


# --- the demo, by Python and by command


@pytest.fixture
def in_demo(demo_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(demo_copy))


def type_in(*words: str, **env: str) -> Result:
    return CliRunner().invoke(app, list(words), prog_name="workflow-history", env={"COLUMNS": "120", **env})


@pytest.mark.usefixtures("in_demo")
def test_the_planted_regression_is_the_first_finding_with_phase_template_and_day():
    found = find_anomalies()
    first = found.regressions[0]
    assert (first.template, first.main.phase, first.main.measure) == ("adw_sdlc_iso", "plan", "cost")
    assert abs(first.since - (END - timedelta(days=21))) < timedelta(days=5)
    assert first.main.ratio == pytest.approx(2.5, rel=0.2)
    assert [figure.measure for figure in first.along] == ["cache"]
    assert first.model_after is None  # it changed weeks before
    assert first.sentence.startswith(
        "adw_sdlc_iso, plan: median cost up 2.5× since 2026-03-13 ($0.36 → $0.90; "
    )
    assert len(found.regressions) == 1


@pytest.mark.usefixtures("in_demo")
def test_the_runs_of_a_finding_can_be_shown():
    run = find_anomalies().regressions[0].runs[0]
    assert type_in("show", run.id).exit_code == 0


@pytest.mark.usefixtures("in_demo")
def test_a_filter_narrows_what_is_compared():
    assert find_anomalies(RunFilter(template=("adw_patch",))).regressions == ()
    assert find_anomalies(RunFilter(phase=("review",))).regressions == ()
    assert len(find_anomalies(RunFilter(phase=("plan",))).regressions) == 1


@pytest.mark.usefixtures("in_demo")
def test_recent_may_be_a_number_of_runs():
    few, many = find_anomalies(recent=10), find_anomalies(recent=60)
    assert few.recent_since is not None
    assert many.recent_since is not None
    assert few.recent_since > many.recent_since
    assert (len(few.regressions), len(many.regressions)) == (0, 1)


@pytest.mark.usefixtures("in_demo")
def test_the_command_says_it_in_a_sentence_with_what_to_type_next():
    for width in ("80", "120"):
        output = type_in("anomalies", COLUMNS=width).output
        assert "adw_sdlc_iso, plan: median cost up 2.5×" in " ".join(output.split())
        assert "--workflow adw_sdlc_iso --since 2026-03-13" in output
    quiet = type_in("anomalies", "--quiet").output
    assert quiet.startswith("adw_sdlc_iso, plan: median cost up")
    assert "next:" not in quiet


@pytest.mark.usefixtures("in_demo")
def test_the_command_gives_json_that_equals_the_answer():
    given_json = json.loads(type_in("anomalies", "--json").output)
    assert given_json["schema_version"] == 2
    assert given_json["regressions"][0]["sentence"] == find_anomalies().regressions[0].sentence


@pytest.mark.usefixtures("no_history")
def test_an_empty_history_and_none_at_all_have_no_findings():
    assert find_anomalies().recent_since is None
    init_db()
    assert find_anomalies().runs == 0
    result = type_in("anomalies")
    assert (result.exit_code, result.output.splitlines()[0]) == (0, "No runs yet.")


def test_runs_without_a_time_are_nothing_to_compare():
    insert_workflow({"id": "a", "project": "p", "status": "completed"})
    assert find_anomalies().runs == 1
    assert "No run has a date" in type_in("anomalies").output


def test_hostile_names_reach_no_terminal():
    evil = "adw\x1b[31m\u202e[bold]"
    with History.open(_here()) as history:
        history.save([
            {
                "id": f"r{at}", "project": "p", "status": "completed", "workflow_template": evil,
                "created_at": (END + timedelta(days=at)).isoformat(), "total_cost": 3.0 if at > 29 else 1.0,
                "cost_basis": "reported",
            }
            for at in range(40)
        ])  # fmt: skip
    output = type_in("anomalies").output
    assert "[bold]: median cost up 3.0×" in output
    assert not {"\x1b", "\u202e"} & set(output)


def _here() -> Path:
    return Path(os.environ["WORKFLOW_HISTORY_DB"])


@pytest.mark.parametrize("words", ["0", "-3", "7", "3d", "x", "1e9", "9999999999d", ""])
def test_recent_is_an_age_or_a_number_of_runs(words: str):
    if words in {"7", "3d"}:
        assert parse_recent(words) in {7, timedelta(days=3)}
        return
    with pytest.raises(InvalidQueryError, match=r"Use an age \(7d"):
        parse_recent(words)


@pytest.mark.parametrize("recent", [0, -1, True, timedelta(0), "0d", 1.5])
def test_python_names_what_recent_may_be(recent: Any):
    with pytest.raises(InvalidQueryError, match="an age or a number of runs"):
        find_anomalies(recent=recent)
