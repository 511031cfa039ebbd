"""Two runs compared: every difference with its source, sums exact."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from app.server.core.workflow_history import compare_runs, demo, similarity
from app.server.core.workflow_history.analysis.comparison import Comparison, compare
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.errors import WorkflowHistoryError
from app.server.core.workflow_history.presentation.comparison import format_difference, format_value
from app.server.core.workflow_history.queries.json.encoding import json_schema, to_json
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.core.workflow_history.web.views import comparison

SONNET, OPUS = "claude-sonnet-4-5-20250929", "claude-opus-4-5-20251101"


def agent(phase: str, cost: float | None, **more) -> dict:
    tokens = {"input_tokens": 10, "output_tokens": 20, "cache_read_tokens": 60, "cache_creation_tokens": 10}
    return {
        "phase": phase,
        "agent": f"{phase}_agent",
        "model": SONNET,
        "cost": cost,
        "cost_basis": "reported" if cost is not None else None,
        "outcome": "success",
        "duration_seconds": 30.0,
        "turns": 3,
        **tokens,
        **more,
    }


def run(run_id: str, *agents: dict, **more) -> dict:
    known = [each["cost"] for each in agents if each["cost"] is not None]
    total = float(sum(Decimal(repr(cost)) for cost in known)) if known else None
    return {
        "project": "shop",
        "id": run_id,
        "nl_input": "Export orders as CSV",
        "status": "completed",
        "total_cost": total,
        "cost_basis": "reported" if known else None,
        "phase_costs": list(agents),
        "duration_seconds": 60.0,
        **more,
    }


def figure(found: Comparison, name: str):
    return next(each for each in found.figures if each.name == name)


def type_in(*words: str, columns: int = 80):
    return CliRunner().invoke(
        app, ["compare", *words], prog_name="workflow-history", env={"COLUMNS": str(columns)}
    )


def store(tmp_path: Path, *runs: dict) -> None:
    with History.open(tmp_path / "history.db") as history:
        history.save(list(runs))


# What differs


def test_a_difference_is_b_less_a_with_its_percentage_of_a():
    found = compare(run("a", agent("build", 1.0)), run("b", agent("build", 2.4)))
    cost = figure(found, "cost")
    assert (cost.a, cost.b, cost.difference, cost.percent) == (1.0, 2.4, 1.4, 140.0)


def test_a_small_difference_of_scores_is_not_rounded_away():
    quality = figure(compare(run("a", quality_score=97.5), run("b", quality_score=97.1)), "quality_score")
    assert [
        format_value(quality, quality.a),
        format_value(quality, quality.b),
        format_difference(quality),
    ] == [
        "97.5",
        "97.1",
        "-0.4",
    ]
    same = figure(compare(run("a", quality_score=97.5), run("b", quality_score=97.5)), "quality_score")
    assert format_difference(same) == "0.0"


def test_unknown_is_no_difference_and_never_zero():
    found = compare(run("a", agent("build", None)), run("b", agent("build", 1.0)))
    assert figure(found, "cost").a is None
    assert figure(found, "cost").difference is None
    assert found.cost_from == ()
    assert "unknown" in found.notes[0]


def test_a_page_marks_a_lower_bound_of_a_run_and_of_a_phase():
    bound = run(
        "b", agent("build", None, cost_basis="lower_bound", lower_bound_cost=3.0),
        cost_basis="lower_bound", lower_bound_cost=3.0,
    )  # fmt: skip
    found = compare(run("a", agent("build", 1.0)), bound)
    costs = [row for row in comparison.metric_rows(found) if row.name == "Cost"]
    costs += [row.cost for row in comparison.step_rows(found)]
    assert [(row.a, row.b) for row in costs] == [("$1.00", "≥ $3.00")] * 2
    (basis,) = [row for row in comparison.fact_rows(found) if row.name == "Cost basis"]
    assert (basis.a, basis.b) == ("reported", "lower bound")


def test_a_lower_bound_makes_the_difference_uncertain():
    bound = run("b", agent("build", 1.0, cost_basis="lower_bound"), cost_basis="lower_bound")
    found = compare(run("a", agent("build", 0.5)), bound)
    assert not figure(found, "cost").certain
    assert "is a lower bound" in found.notes[0]


def test_a_phase_that_one_run_lacks_has_no_difference_but_is_a_cause():
    found = compare(run("a", agent("build", 1.0)), run("b", agent("build", 1.0), agent("test", 0.25)))
    test = next(phase.step for phase in found.phases if phase.step.name == "test")
    assert test.a is None
    assert test.figures[0].difference is None
    assert [(each.phase, each.difference, each.share) for each in found.cost_from] == [("test", 0.25, 1.0)]


def test_the_causes_come_largest_first_whatever_their_sign():
    a = run("a", agent("plan", 0.5), agent("build", 1.0), agent("test", 0.2))
    b = run("b", agent("plan", 0.4), agent("build", 2.1), agent("test", 0.6))
    causes = compare(a, b).cost_from
    assert [(each.phase, each.difference) for each in causes] == [
        ("build", 1.1),
        ("test", 0.4),
        ("plan", -0.1),
    ]


def test_what_no_agent_accounts_for_is_a_cause_without_a_phase():
    found = compare(run("a", agent("build", 1.0)), run("b", agent("build", 1.0), total_cost=1.5))
    assert [(each.phase, each.difference) for each in found.cost_from] == [(None, 0.5)]


def test_other_models_in_a_phase_are_named():
    found = compare(run("a", agent("build", 1.0)), run("b", agent("build", 2.0, model=OPUS)))
    assert [(each.phase, each.a, each.b) for each in found.other_models] == [("build", (SONNET,), (OPUS,))]


def test_the_worst_outcome_of_a_phase_counts_but_not_that_of_overwritten_work():
    twice = run(
        "a",
        agent("test", 0.1, outcome="error", superseded=True),
        agent("test", 0.1),
        agent("build", 0.1, outcome="incomplete"),
        agent("build", 0.1, outcome="error"),
    )
    outcomes = {phase.step.name: phase.step.a.outcome for phase in compare(twice, twice).phases}
    assert outcomes == {"build": "error", "test": "success"}


def test_the_similarity_is_that_of_the_stored_lists():
    a, b = run("a", agent("build", 1.0)), run("b", agent("build", 2.0), nl_input="CSV export for orders")
    found = compare(a, b)
    explained = similarity.explain_similarity(a, b)
    assert found.similarity == explained["score"]
    assert found.request.only_b == ()
    assert set(found.request.shared) == {"export", "orders", "csv"}


def test_a_run_does_not_differ_from_itself():
    found = compare(run("a", agent("build", 1.0)), run("a", agent("build", 1.0)))
    assert all(each.difference in {0.0, None} for each in found.figures)
    assert found.cost_from == found.duration_from == found.other_models == found.price_changes == ()
    assert found.request.same


nanos = st.one_of(st.none(), st.integers(0, 10**13))
sides = st.lists(st.tuples(st.sampled_from(["plan", "build", "test", "odd"]), nanos), max_size=6)


@given(sides, sides)
def test_the_causes_always_add_up_to_the_difference_to_the_nano_dollar(ours, theirs):
    def made(name, agents):
        return run(name, *(agent(phase, None if cost is None else cost / 1e9) for phase, cost in agents))

    found = compare(made("a", ours), made("b", theirs))
    cost = figure(found, "cost")
    if cost.difference is None:
        assert found.cost_from == ()
    else:
        causes = sum((Decimal(repr(each.difference)) for each in found.cost_from), Decimal(0))
        assert abs(causes - Decimal(repr(cost.difference))) < Decimal("0.5e-9")
        backwards = figure(compare(made("b", theirs), made("a", ours)), "cost")
        assert backwards.difference == -cost.difference


# On a real history


def test_every_pair_of_a_demo_adds_up_and_can_be_shown(tmp_path):
    demo.make_agents_folder(
        tmp_path / "agents", runs=24, end=datetime(2026, 3, 31, 18, tzinfo=UTC), stream_kb=2
    )
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    with History.open(tmp_path / "history.db") as history:
        runs = list(history.read([ref.key for ref in history.list_refs()]).values())
    for one, other in pairwise(runs):
        found = compare(one, other)
        causes = sum((Decimal(repr(each.difference)) for each in found.cost_from), Decimal(0))
        assert causes == Decimal(repr(figure(found, "cost").difference))
        assert all(each.phase is not None for each in found.cost_from)
    for columns in (80, 120):
        result = type_in(runs[0]["id"], runs[1]["id"], columns=columns)
        assert result.exit_code == 0, result.output
        shown = result.output.partition("next:")[0].splitlines()
        assert max(map(len, shown)) <= columns


def test_json_is_the_answer_and_fits_its_schema(tmp_path):
    store(tmp_path, run("a", agent("build", 1.0)), run("b", agent("build", 2.0)))
    told = json.loads(type_in("a", "b", "--json").output)
    assert told == json.loads(json.dumps(to_json(compare_runs("a", "b"))))
    assert set(told) == set(json_schema(Comparison)["required"])


def test_quiet_says_it_in_one_sentence(tmp_path):
    store(tmp_path, run("a", agent("build", 1.0)), run("b", agent("build", 2.0)))
    assert type_in("a", "b", "--quiet").output == "B cost $1.00 more than A (+100.0%); $1.00 more in build\n"


def test_an_unknown_run_or_no_history_is_one_line_and_exit_code_1(tmp_path):
    with pytest.raises(WorkflowHistoryError, match="No history at"):
        compare_runs("a", "b")
    assert type_in("a", "b").exit_code == 1
    store(tmp_path, run("a", agent("build", 1.0)))
    assert type_in("a", "zzz").exit_code == 1


def test_hostile_text_cannot_reach_the_terminal(tmp_path):
    odd = "\x1b[31mred\x07 [bold]x[/bold]\u202e"
    store(tmp_path, run("a", agent(odd, 1.0, agent=odd, model=odd), nl_input=odd, status=odd), run("b"))
    result = type_in("a", "b")
    assert result.exit_code == 0
    assert not {"\x1b", "\x07", "\u202e"} & set(result.output)


def test_a_lower_bound_is_marked_on_its_own_side_and_the_difference_as_an_estimate(tmp_path: Path) -> None:
    with History.open(tmp_path / "history.db") as history:
        history.save([
            run("a", agent("plan", 1.0)),
            run("b", agent("build", None, cost_basis="lower_bound", lower_bound_cost=3.0),
                cost_basis="lower_bound", lower_bound_cost=3.0),
        ])  # fmt: skip
    cost = figure(compare_runs("a", "b"), "cost")
    assert (cost.certain, cost.a_certain, cost.b_certain) == (False, True, False)
    printed = CliRunner().invoke(app, ["compare", "a", "b"], env={"COLUMNS": "120"}).output
    assert re.search(r"^cost +\$1.00 +≥ \$3.00 +≈ \+\$2.00", printed, re.MULTILINE)


@pytest.mark.parametrize("width", [36, 40, 60])
def test_a_narrow_screen_loses_columns_and_cuts_no_figure(tmp_path: Path, width: int) -> None:
    with History.open(tmp_path / "history.db") as history:
        history.save([run("a", agent("plan", 0.0275), agent("build", 1.5)), run("b", agent("plan", 12.345))])
    printed = CliRunner().invoke(app, ["compare", "a", "b"], env={"COLUMNS": str(width)}).output
    assert not re.search(r"[$\d.+%-]…", printed), printed
    assert "$12.35" in printed


def test_two_runs_whose_workflow_has_no_name_behind_its_prefix_are_compared(tmp_path: Path) -> None:
    store(tmp_path, run("a", workflow_template="adw_"), run("b", workflow_template="adw_"))
    assert type_in("a", "b").exit_code == 0
