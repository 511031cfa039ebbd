"""The file, line and rule of every figure, with sums equal to the stored ones."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from app.server.core.workflow_history import demo, explain_run, get_workflow_by_id
from app.server.core.workflow_history.analysis.explanation import (
    EXPLAINERS,
    Explanation,
    ExplanationContext,
    explain_field,
)
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.errors import InvalidQueryError, WorkflowNotFoundError
from app.server.core.workflow_history.common.spending import UNKNOWN, run_cost, to_usd
from app.server.core.workflow_history.costs.accounting import cost_data
from app.server.core.workflow_history.presentation.explanation import (
    field_label,
    format_explained_value,
    format_value,
)
from app.server.core.workflow_history.queries.json.encoding import json_schema, to_json
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support import build
from app.server.tests.support.paths import ROOT

SUMS = (
    "total_cost",
    "lower_bound_cost",
    "computed_cost",
    "retry_cost",
    "retry_count",
    "total_tokens",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_creation_tokens",
    "unpriced_tokens",
)


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo history, made once for this module."""
    folder = tmp_path_factory.mktemp("explain")
    agents, file = folder / "agents", folder / "history.db"
    demo.make_agents_folder(agents, runs=120, end=datetime(2026, 3, 31, 18, tzinfo=UTC), stream_kb=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKFLOW_HISTORY_DB", str(file))
        sync_workflow_history(silent=True, agents_dir=agents)
    return file


@pytest.fixture
def history(synced: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(synced))
    with History.open(synced) as opened:
        yield opened


def everything(history: History) -> list[dict]:
    return list(history.read([ref.key for ref in history.list_refs()]).values())


def exact(value: float | None) -> Decimal:
    return Decimal(repr(value or 0.0)).quantize(Decimal("1e-9"))


def type_in(*words: str):
    return CliRunner().invoke(app, ["explain", *words], prog_name="workflow-history", env={"COLUMNS": "80"})


# Every run of a demo


def test_the_parts_of_every_sum_of_every_run_add_up_to_it_to_the_nano_dollar(history):
    for run in everything(history):
        for name in SUMS:
            found = explain_field(ExplanationContext(run), name)
            assert found.value == run[name]
            parts = sum((exact(part.value) for part in found.parts if part.adds), Decimal(0))
            assert parts == exact(run[name]), name
            assert not found.remainder


def test_tokens_times_the_rates_of_the_day_equal_the_stored_own_sum(history):
    models = 0
    for run in everything(history):
        for part in explain_field(ExplanationContext(run), "total_cost").parts:
            for each in part.arithmetic:
                terms = sum((exact(term.cost) for term in each.terms), Decimal(0))
                assert terms == exact(each.total)
                assert each.difference == 0, each.why
                models += 1
    assert models > 500


def test_every_field_of_every_run_is_explained_and_what_is_unknown_says_why(history):
    for run in everything(history)[::4]:
        for name in EXPLAINERS:
            found = explain_field(ExplanationContext(run), name)
            assert found.rule
            assert found.value is not None or found.why_unknown, name
            assert found.docs.startswith("docs/")


def test_the_shown_name_of_every_field_can_be_typed(history):
    run = everything(history)[0]["id"]
    fields = {field: explain_run(run, field).field for field in EXPLAINERS}
    assert {field: explain_run(run, field_label(field)).field for field in EXPLAINERS} == fields


def test_a_cost_names_the_file_and_the_very_line_on_which_it_stands(history):
    checked = 0
    for run in everything(history)[::10]:
        for part in explain_run(run["id"], "cost").parts:
            for source in part.sources:
                assert source.there
                if source.line is not None:
                    line = Path(source.path).read_text().splitlines()[source.line - 1]
                    assert exact(json.loads(line)["total_cost_usd"]) == exact(part.value)
                    checked += 1
    assert checked > 50


def test_phases_make_the_whole_and_so_do_agents(history):
    for run in everything(history)[::5]:
        known = exact(run["total_cost"]) + exact(run["lower_bound_cost"])
        for kind in ("phase", "agent"):
            names = {agent[kind] for agent in run["phase_costs"]}
            found = [explain_field(ExplanationContext(run), name) for name in names]
            assert sum((exact(each.value) for each in found), Decimal(0)) == known


def test_a_score_shows_parts_that_make_it(history):
    for run in everything(history)[::5]:
        for name in ("nl_clarity_score", "cost_efficiency_score", "performance_score", "quality_score"):
            found = explain_field(ExplanationContext(run), name)
            assert found.value is None or abs(found.remainder) <= 0.1


def test_similar_runs_are_explained_by_their_parts(history):
    run = next(run for run in everything(history) if run["similar_workflows"])
    part = explain_run(run["id"], "similar").parts[0]
    assert part.value == run["similar_workflows"][0]["similarity_score"]
    assert part.inputs["text"] > 0


# Rules, one by one


def explained_run(tmp_path: Path, *streams: tuple[str, list[str]], field: str = "total_cost") -> Explanation:
    folder = build.run(
        tmp_path / "agents", "a1", {"status": "completed", "created_at": "2026-01-05T10:00:00Z"}
    )
    for name, lines in streams:
        build.stream(folder, name, *lines)
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    return explain_run("a1", field)


def test_a_stream_without_a_result_is_told_as_a_lower_bound(tmp_path):
    cut = [build.init(), build.assistant("m1", build.usage(input=1_000, output=1_000))]
    found = explained_run(tmp_path, ("builder", cut))
    assert found.value == 0.018
    assert found.parts[0].basis == "lower_bound"
    assert "no result message" in found.parts[0].rule
    assert "lower bounds" in found.rule
    assert "there is no recorded cost" in explain_run("a1", "lower_bound_cost").why_unknown


def test_a_lower_bound_beside_a_record_is_not_in_the_total(tmp_path):
    cut = [build.init("s2"), build.assistant("m2", build.usage(input=1_000, output=1_000), session="s2")]
    found = explained_run(tmp_path, ("planner", [build.init(), build.result(0.25)]), ("builder", cut))
    assert [(part.name, part.value) for part in found.parts if part.adds] == [("planner", 0.25)]
    assert "lower_bound_cost" in found.notes[0]
    beyond = explain_run("a1", "lower_bound_cost")
    assert [(part.name, part.value) for part in beyond.parts] == [("builder", 0.018)]


def test_a_copy_adds_nothing_and_names_its_original(tmp_path):
    lines = [build.init(), build.result(0.25, uuid="u1")]
    found = explained_run(tmp_path, ("planner", lines), ("planner_copy", lines))
    copy = next(part for part in found.parts if not part.adds)
    assert found.value == 0.25
    assert "a copy" in copy.rule


def test_an_overwritten_attempt_stays_in_the_sum_and_its_line_is_not_said_to_be_there(tmp_path):
    explained_run(tmp_path, ("builder", [build.init("s1"), build.result(0.25, session="s1")]))
    found = explained_run(tmp_path, ("builder", [build.init("s2"), build.result(0.5, session="s2")]))
    first, second = found.parts
    assert found.value == 0.75
    assert "superseded, and its cost" in first.rule
    assert (first.sources[0].there, second.sources[0].there) == (None, True)
    assert explain_run("a1", "retry_cost").parts[0].value == 0.25


def test_processes_in_one_file_are_told_by_their_number(tmp_path):
    found = explained_run(tmp_path, ("builder", [build.init(), build.result(0.5), build.result(0.25)]))
    assert found.value == 0.75
    assert "2 processes" in found.parts[0].rule


def test_an_unknown_model_says_that_no_price_is_known(tmp_path):
    lines = [
        build.init(model="claude-nova-9"),
        build.assistant("m1", build.usage(input=5), model="claude-nova-9"),
    ]
    found = explained_run(tmp_path, ("builder", lines))
    assert found.value is None
    assert found.why_unknown
    assert "no price is known" in found.parts[0].arithmetic[0].why
    assert explain_run("a1", "unpriced_tokens").parts[0].value == explain_run("a1", "unpriced_tokens").value


def test_a_deleted_file_is_said_to_be_gone(tmp_path):
    explained_run(tmp_path, ("builder", [build.init(), build.result(0.25)]))
    (tmp_path / "agents" / "a1" / "builder" / "raw_output.jsonl").unlink()
    assert explain_run("a1", "cost").parts[0].sources[0].there is False
    assert "file missing" in type_in("a1", "cost").output


def test_a_total_without_its_parts_says_what_is_left_over(tmp_path):
    with History.open(tmp_path / "history.db") as history:
        agent = {"agent": "x", "cost": 0.25, "cost_basis": "reported"}
        history.save([{"id": "a1", "total_cost": 1.0, "phase_costs": [agent]}])
    found = explain_run("a1", "cost")
    assert (found.total, found.remainder) == (0.25, 0.75)
    assert found.notes


def test_a_status_names_the_file_it_was_read_from(tmp_path):
    error = build.result(0.1, is_error=True, subtype="error_during_execution")
    build.stream(build.run(tmp_path / "agents", "a1", {}), "builder", build.init(), error)
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    found = explain_run("a1", "status")
    assert found.value == "failed"
    assert found.sources[0].path == str(tmp_path / "agents" / "a1" / "builder" / "raw_output.jsonl")
    assert found.sources[0].line == 2


def test_a_key_of_the_state_that_is_none_of_ours_is_explained_too(tmp_path):
    build.stream(
        build.run(tmp_path / "agents", "a1", {"backend_port": 9101}), "builder", build.init(), build.result()
    )
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    assert explain_run("a1", "backend_port").value == 9101


money = st.one_of(st.none(), st.integers(0, 10**12).map(lambda nanos: nanos / 1e9))
agents = st.lists(
    st.fixed_dictionaries(
        {
            "phase": st.sampled_from(["plan", "build"]),
            "agent": st.sampled_from(["a", "b_retry"]),
            "path": st.sampled_from(["a.jsonl", "b.jsonl", None]),
            "cost": money,
            "lower_bound_cost": money,
            "computed_cost": money,
            "cost_basis": st.sampled_from(["reported", "computed", "lower_bound", "unpriced", None]),
        }
    ),
    max_size=5,
)


@given(agents)
def test_whatever_the_agents_spent_the_parts_make_the_whole(entries):
    consistent = [
        {**entry, "cost": None if entry["cost_basis"] in {"unpriced", None} else entry["cost"]}
        for entry in entries
    ]
    run = {"id": "a", **cost_data(consistent)}
    for name in ("total_cost", "lower_bound_cost", "retry_cost"):
        found = explain_field(ExplanationContext(run), name)
        assert not found.remainder
        assert exact(found.total) == exact(run[name])


# What cannot be explained, and the command


def test_an_unknown_field_is_a_usage_error_that_names_the_fields(history):
    run = everything(history)[0]["id"]
    with pytest.raises(InvalidQueryError, match=r"Use one of: cost, .* and \d+ more"):
        explain_run(run, "nonsense")
    assert type_in(run, "nonsense").exit_code == 2


@pytest.mark.usefixtures("no_history")
def test_without_a_history_the_run_is_not_found():
    with pytest.raises(WorkflowNotFoundError):
        explain_run("a1")
    assert type_in("a1").exit_code == 1


def test_the_overview_and_a_cost_fit_a_narrow_screen(history):
    run = everything(history)[0]["id"]
    for words in ((run,), (run, "cost"), (run, "quality"), (run, "status"), (run, "time"), (run, "idle")):
        result = type_in(*words)
        assert result.exit_code == 0, result.output
        lines = result.output.partition("next:")[0].splitlines()
        long = [line for line in lines if len(line) > 80]
        assert all(line.split() == [line] and "/" in line for line in long), long  # a path never breaks


def test_json_is_the_answer_and_fits_its_schema(history):
    run = everything(history)[0]["id"]
    told = json.loads(type_in(run, "cost", "--json").output)
    assert told == json.loads(json.dumps(to_json(explain_run(run, "cost"))))
    assert set(told) == set(json_schema(Explanation)["required"])


def test_hostile_text_cannot_reach_the_terminal(tmp_path):
    odd = "\x1b[31mred\x07 [bold]x[/bold]\u202e"
    agent = {
        "agent": odd,
        "phase": odd,
        "path": f"../../{odd}",
        "cost": 1.0,
        "cost_basis": "reported",
        "model": odd,
    }
    with History.open(tmp_path / "history.db") as history:
        history.save([{"id": "a1", "agents_dir": odd, "status": odd, "nl_input": odd, "phase_costs": [agent],
                       "total_cost": 1.0, "status_reason": odd, "odd": odd}])  # fmt: skip
    for words in (("a1",), ("a1", "cost"), ("a1", "status"), ("a1", "odd"), ("a1", odd)):
        result = type_in(*words)
        assert result.exit_code == 0, result.output
        assert not {"\x1b", "\x07", "\u202e"} & set(result.output)
    assert explain_run("a1", "cost").parts[0].sources[0].there is None


def test_a_count_has_no_decimals_however_large_it_is():
    assert [format_value(value, None) for value in (1_140_296.0, 12.0, 7, 0.25)] == [
        "1,140,296",
        "12",
        "7",
        "0.25",
    ]


# The figure of the list


PRICED = build.assistant("m1", build.usage(input=1_000, output=1_000))
NOVA = build.assistant("m2", build.usage(input=1_000, output=1_000), model="claude-nova-9")
AFTER = build.assistant("m3", build.usage(input=1_000, output=1_000), session="s2")
PLANNER = [build.init("s2"), build.result(0.2, session="s2"), AFTER]


@pytest.mark.parametrize(
    ("streams", "shown", "parts"),
    [
        ([("builder", [build.init(), PRICED, NOVA])], "≥ $0.018", [0.018]),
        ([("builder", [build.init(), PRICED, NOVA]), ("planner", PLANNER)], "≥ $0.236", [0.2, 0.018, 0.018]),
        ([("planner", PLANNER)], "≥ $0.218", [0.2, 0.018]),
        ([("builder", [build.init(), PRICED])], "≥ $0.018", [0.018]),
        ([("builder", [build.init(), build.result(0.25)])], "$0.25", [0.25]),
        ([("builder", [build.init(), NOVA])], UNKNOWN, []),
    ],
)
def test_an_explained_cost_is_the_one_of_the_list_and_its_parts_make_it(tmp_path, streams, shown, parts):
    found = explained_run(tmp_path, *streams, field="cost")
    run = get_workflow_by_id("a1")
    assert run is not None
    cost = run_cost(run)
    assert found.value == to_usd(cost.minimum)
    assert found.is_lower_bound == (not cost.complete and cost.minimum is not None)
    assert format_explained_value(found) == shown
    assert sorted(part.value for part in found.parts if part.adds) == sorted(parts)
    assert not found.remainder
    assert f"cost · {shown}" in type_in("a1", "cost").output


def test_only_models_without_a_price_are_named_as_such(tmp_path):
    found = explained_run(tmp_path, ("builder", [build.init(), PRICED, NOVA]))
    assert found.why_unknown == "tokens were used, and no price of claude-nova-9 is known"


def test_the_sum_of_a_lower_bound_is_not_called_the_runs_own_sum(tmp_path):
    explained_run(tmp_path, ("builder", [build.init(), PRICED]))
    text = type_in("a1", "cost").output
    words = " ".join(text.split())
    assert "$0.018 with these prices; stored in the history: $0.018, a lower bound" in words
    found = explain_run("a1", "computed_cost")
    assert found.why_unknown == "there is no recorded cost; cost shows the lower bound"
    explained_run(tmp_path, ("planner", [build.init("s2"), build.result(0.25, session="s2")]))
    words = " ".join(type_in("a1", "cost").output.split())
    assert "the computed cost and lower bounds" in words


def test_a_run_without_a_result_is_not_said_to_have_a_last_one(tmp_path):
    explained_run(tmp_path, ("builder", [build.init(), PRICED]))
    assert "last result" not in type_in("a1", "cost_efficiency").output


def test_every_explanation_names_a_page_that_serve_has(history):
    site = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]
    run = everything(history)[0]["id"]
    for field in EXPLAINERS:
        page = explain_run(run, field).docs
        assert (ROOT / page).is_file(), field
        assert page.removeprefix("docs/") in str(site), field
    assert "serve, then http://127.0.0.1:8765/docs/costs.html" in type_in(run, "cost").output
