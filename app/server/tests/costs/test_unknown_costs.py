"""Unknown costs are unknown everywhere: never 0, never left out, lower bounds marked."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL
from typer.testing import CliRunner

from app.server.core.workflow_history.analysis.statistics.cost_by_part import cost_by_part
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.coercion import worked_seconds
from app.server.core.workflow_history.common.column_data import (
    COLUMNS,
    MISSING_INT,
    CategoricalColumn,
    ColumnTable,
)
from app.server.core.workflow_history.common.spending import UNKNOWN as UNKNOWN_WORD
from app.server.core.workflow_history.database import get_workflow_by_id
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.core.workflow_history.queries.compare import compare_runs
from app.server.core.workflow_history.queries.explain import explain_run
from app.server.core.workflow_history.queries.export import export
from app.server.core.workflow_history.queries.statistics import GroupStatistics, run_statistics
from app.server.core.workflow_history.resync import resync_workflow_cost
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support.build import (
    OPUS,
    SONNET,
    assistant,
    init,
    line,
    prompt,
    result,
    run,
    stream,
    usage,
)
from app.server.tests.support.web import client_of

PARTS = ("phase", "agent", "model")


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "agents"
    folder.mkdir()
    return folder


def whole(folder: Path, agent: str, cost: float = 1.0) -> None:
    """Write the stream of an agent whose cost is known."""
    session = f"{folder.name}-{agent}"
    stream(folder, agent, init(session), result(cost, session=session))


def with_silent_agents(agents: Path) -> None:
    """Write two runs: of one the builder left no stream, of both the reviewer left none."""
    heard, silent = (run(agents, name, {"adw_id": name}) for name in ("aaaa0001", "aaaa0002"))
    for folder in (heard, silent):
        whole(folder, "planner", 0.5)
        prompt(folder, "reviewer", "Review it")
    whole(heard, "builder", 4.25)
    prompt(silent, "builder", "Build it")


def told(*command: str) -> Any:
    answer = CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def shown(*command: str) -> str:
    answer = CliRunner().invoke(app, [*command], catch_exceptions=False, env={"COLUMNS": "160"})
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def row_of(text: str, name: str) -> list[str]:
    """Return the words of the first line that begins with a name."""
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [name])


def by_name(by: str) -> dict[str | None, GroupStatistics]:
    return {group.name: group for group in run_statistics(by).groups}


# Agents that left no stream


def test_a_phase_with_an_agent_without_a_stream_cost_at_least_what_the_others_show(
    history_url: URL, agents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", history_url.render_as_string(hide_password=False))
    with_silent_agents(agents)
    sync_workflow_history(silent=True)
    phases = by_name("phase")
    build, review, plan = (phases[name] for name in ("build", "review", "plan"))
    assert (build.runs, build.agent_runs, build.cost.total) == (2, 1, 4.25)
    assert (build.runs_without_cost, build.cost.runs, build.cost.median) == (1, 1, 4.25)
    assert (review.runs, review.agent_runs, review.cost.total, review.runs_without_cost) == (2, 0, None, 2)
    assert (plan.runs_without_cost, plan.runs_costing_more) == (0, 0)
    assert {name: group.runs for name, group in by_name("agent").items()} == {
        "planner": 2, "builder": 2, "reviewer": 2,
    }  # fmt: skip
    unknown = by_name("model")[None]
    assert (unknown.runs, unknown.cost.total, unknown.runs_without_cost) == (2, None, 2)
    with History.open(history_url) as history:
        assert history.check() == []


def test_an_agent_without_a_stream_beside_another_of_its_phase_makes_the_run_cost_more_there(
    agents: Path,
) -> None:
    folder = run(agents, "aaaa0001", {"adw_id": "aaaa0001"})
    whole(folder, "builder")
    prompt(folder, "implementor", "Build the rest")
    sync_workflow_history(silent=True)
    build = by_name("phase")["build"]
    assert (build.runs, build.cost.total, build.runs_without_cost, build.runs_costing_more) == (1, 1.0, 0, 1)
    assert "≥ $1.00" in " ".join(row_of(shown("stats", "--by", "phase"), "build"))


def test_a_stream_without_usage_beside_another_of_its_phase_makes_the_run_cost_more_there(
    agents: Path,
) -> None:
    folder = run(agents, "aaaa0001", {"adw_id": "aaaa0001"})
    whole(folder, "builder")
    stream(folder, "implementor", init("cut"))
    sync_workflow_history(silent=True)
    for by in ("phase", "model"):
        [group] = run_statistics(by).groups
        assert (group.cost.total, group.runs_costing_more) == (1.0, 1)
    assert "≥ $1.00" in shown("show", "aaaa0001").partition("Phases")[2]


def test_every_face_shows_what_a_phase_cost_at_least(agents: Path) -> None:
    with_silent_agents(agents)
    sync_workflow_history(silent=True)
    table = shown("stats", "--by", "phase")
    assert "≥ $4.25" in " ".join(row_of(table, "build"))
    assert "$" not in " ".join(row_of(table, "review"))
    groups = {group["name"]: group for group in told("stats", "--by", "phase")["groups"]}
    assert groups["review"]["cost"]["total"] is None
    text = io.BytesIO()
    export("statistics", text, format="csv", by="phase")
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(text.getvalue().decode()))}
    assert (rows["review"]["cost"], rows["review"]["runs_without_cost"]) == ("", "2")
    assert (rows["build"]["cost"], rows["build"]["runs_without_cost"]) == ("4.25", "1")
    spent = {group["name"]: group for group in folder_costs(agents)["by"]["phase"]}
    assert (spent["build"]["recorded_cost"], spent["build"]["partial"]) == (4.25, True)
    assert (spent["review"]["recorded_cost"], spent["review"]["partial"]) == (None, True)
    assert (spent["review"]["runs"], spent["review"]["agent_runs"]) == (2, 0)
    with client_of() as client:
        found = client.get("/api/v1/statistics", params={"by": "phase"}).json()["groups"]
        assert {group["name"]: group for group in found} == groups
        page = client.get("/trends", params={"across": "phase"}).text
        assert "≥ $4.25" in page
        assert "review" in page
        assert "no transcript" in client.get("/runs/aaaa0002").text


@pytest.mark.parametrize("by", PARTS)
def test_a_folders_groups_and_the_historys_are_lower_bounds_alike(agents: Path, by: str) -> None:
    with_silent_agents(agents)
    cut = run(agents, "aaaa0003", {"adw_id": "aaaa0003"})
    stream(cut, "planner", init("c", "claude-opus-4-5-20251101"))
    stream(cut, "builder")
    whole(cut, "reviewer")
    stream(run(agents, "aaaa0004", {"adw_id": "aaaa0004"}), "planner")
    sync_workflow_history(silent=True)
    stats = {
        group.name: (group.runs, bool(group.runs_without_cost or group.runs_costing_more))
        for group in run_statistics(by).groups
    }
    costs = {group["name"]: (group["runs"], group["partial"]) for group in folder_costs(agents)["by"][by]}
    assert costs == stats


def test_a_run_at_work_has_no_agent_that_left_no_stream(agents: Path) -> None:
    begun = datetime.now(UTC).isoformat()
    folder = run(agents, "aaaa0001", {"adw_id": "aaaa0001", "status": "running", "created_at": begun})
    stream(folder, "planner", init("p"), assistant("m1"))
    prompt(folder, "builder", "Build it")
    sync_workflow_history(silent=True)
    assert get_workflow_by_id("aaaa0001")["status"] == "running"
    assert set(by_name("phase")) == {"plan"}


def test_a_comparison_knows_no_cost_of_an_agent_without_a_stream(agents: Path) -> None:
    with_silent_agents(agents)
    sync_workflow_history(silent=True)
    build = next(phase for phase in compare_runs("aaaa0001", "aaaa0002").phases if phase.step.name == "build")
    assert build.step.b is not None
    assert (build.step.b.cost, build.step.b.agent_runs) == (None, 0)
    assert build.step.figures[0].difference is None


def test_the_story_of_a_run_names_the_agents_without_a_stream_among_its_phases(agents: Path) -> None:
    with_silent_agents(agents)
    sync_workflow_history(silent=True)
    phases = shown("show", "aaaa0002").partition("Phases")[2]
    assert row_of(phases, "build") == ["build", "·", "builder", "no", "transcript", *[UNKNOWN_WORD] * 7]


# What an explanation of a cost says


def test_an_explained_cost_names_the_agents_without_a_stream_as_unknown_parts(agents: Path) -> None:
    with_silent_agents(agents)
    sync_workflow_history(silent=True)
    found = explain_run("aaaa0002", "cost")
    unknown = {part.name: (part.value, part.adds) for part in found.parts if part.value is None}
    assert unknown == {"builder": (None, False), "reviewer": (None, False)}
    assert (found.is_lower_bound, found.unknown_parts, found.total, found.remainder) == (True, 2, 0.5, 0.0)
    text = shown("explain", "aaaa0002", "cost")
    assert "cost · ≥ $0.50" in text
    assert "at least $0.50 in total: 2 components are unknown" in text
    assert "make the whole" not in text
    assert shown("-q", "explain", "aaaa0002", "cost").startswith("≥ $0.50")
    with client_of() as client:
        assert "at least $0.50 in total: 2 components are unknown" in client.get("/runs/aaaa0002").text


@pytest.mark.parametrize("name", ["build", "builder"])
def test_a_phase_or_agent_without_a_stream_is_explained_as_unknown(agents: Path, name: str) -> None:
    with_silent_agents(agents)
    sync_workflow_history(silent=True)
    found = explain_run("aaaa0002", name)
    assert (found.value, found.unknown_parts, found.is_lower_bound) == (None, 1, False)
    assert found.why_unknown == "no transcript contains its cost"


def test_an_explained_cost_of_a_whole_record_is_the_whole(agents: Path) -> None:
    whole(run(agents, "aaaa0001", {"adw_id": "aaaa0001"}), "builder")
    sync_workflow_history(silent=True)
    found = explain_run("aaaa0001", "cost")
    assert (found.is_lower_bound, found.unknown_parts) == (False, 0)
    assert "$1.00 in total: the components add up to the value" in shown("explain", "aaaa0001", "cost")


def unpriced(agents: Path) -> None:
    folder = run(agents, "aaaa0001", {"adw_id": "aaaa0001"})
    stream(folder, "builder", init("n", "claude-nova-9"),
           assistant("m1", usage(input=1_000, output=20), model="claude-nova-9", session="n"))  # fmt: skip
    sync_workflow_history(silent=True)


@pytest.mark.parametrize("field", ["cost", "lower_bound_cost", "build"])
def test_usage_without_a_price_is_said_to_be_there(agents: Path, field: str) -> None:
    unpriced(agents)
    found = explain_run("aaaa0001", field)
    assert found.value is None
    assert found.why_unknown == "tokens were used, and no price of claude-nova-9 is known"


def test_no_face_says_that_no_stream_tells_of_unpriced_usage(agents: Path) -> None:
    unpriced(agents)
    with client_of() as client:
        page = client.get("/runs/aaaa0001").text
    for text in (shown("show", "aaaa0001"), shown("explain", "aaaa0001"), page):
        assert "no price of claude-nova-9 is known" in text or "unpriced tokens" in text
        assert "no transcript contains" not in text


# Runs of unknown cost in sums


def with_unknown_runs(agents: Path) -> None:
    """Write a failed run that left an empty stream, two without a price, and one of which all is known."""
    stream(run(agents, "r1", {"adw_id": "r1", "workflow_template": "adw_plan"}), "planner")
    stream(run(agents, "r2", {"adw_id": "r2"}), "builder", init("n", "claude-nova-9"),
           assistant("m1", usage(input=1_000, output=1_000), model="claude-nova-9", session="n"))  # fmt: skip
    turn = {"input_tokens": 5_000, "cached_input_tokens": 0, "output_tokens": 300}
    stream(run(agents, "r3", {"adw_id": "r3"}), "builder", line(type="thread.started", thread_id="t"),
           line(type="turn.started"), line(type="turn.completed", usage=turn))  # fmt: skip
    whole(run(agents, "r4", {"adw_id": "r4"}), "planner")
    done = sync_workflow_history(silent=True)
    assert done["runs_without_cost"] == 3


def test_a_folders_costs_count_runs_of_unknown_cost_as_the_history_does(agents: Path) -> None:
    with_unknown_runs(agents)
    words = "at least $1.00 · cost of 3 runs unknown"
    assert words in shown("cost", str(agents))
    assert words in shown("sync", str(agents)).replace("≥", "at least")
    assert folder_costs(agents)["runs_without_cost"] == run_statistics("status").total.runs_without_cost == 3


def test_tokens_without_a_price_are_told_for_each_model(agents: Path) -> None:
    with_unknown_runs(agents)
    each = "unpriced: 2.0k tokens of claude-nova-9, 5.3k of an unnamed model"
    assert each in shown("cost", str(agents))
    assert told("cost", str(agents))["unpriced_by_model"] == [
        {"name": "claude-nova-9", "tokens": 2_000}, {"name": None, "tokens": 5_300},
    ]  # fmt: skip


def test_what_a_failed_run_of_unknown_cost_wasted_is_unknown(agents: Path) -> None:
    with_unknown_runs(agents)
    found = told("stats", "--waste")
    kinds = {kind["kind"]: (kind["runs"], kind["cost"], kind["partial"]) for kind in found["kinds"]}
    assert kinds["failed_runs"] == (1, None, True)
    assert kinds["retries"] == (0, 0.0, False)
    assert row_of(shown("stats", "--waste"), "failed")[-2:] == ["1", UNKNOWN_WORD]


def test_places_of_waste_say_where_more_was_spent_than_is_known(agents: Path) -> None:
    error = {"is_error": True, "subtype": "error_during_execution"}
    for name, template, extra in (("r1", "adw_plan", "cut"), ("r2", "adw_build", None)):
        folder = run(agents, name, {"adw_id": name, "workflow_template": template, "status": "failed"})
        stream(folder, "planner", init(name), result(0.5, session=name, uuid=name, **error))
        if extra:
            stream(folder, "builder", init(extra), assistant("m", usage(input=1_000), session=extra))
    prompt(agents / "r2", "tester", "Test it")
    prompt(agents / "r2", "planner", "Plan it")
    sync_workflow_history(silent=True)
    found = told("stats", "--waste")
    phases = {each["name"]: (each["wasted_partial"], each["partial"]) for each in found["by_phase"]}
    assert phases == {"plan": (False, False), "build": (True, True)}
    assert all(place["wasted_partial"] and place["partial"] for place in found["by_template"])
    text = shown("stats", "--waste").partition("Phases")[2]
    assert "≥" in row_of(text, "build")
    assert "≥" not in row_of(text, "plan")
    with client_of() as client:
        assert "≥ $0.50" in client.get("/insights").text


# What each model of a run cost


def test_models_of_which_more_was_spent_are_marked_as_such_in_every_face(agents: Path) -> None:
    folder = run(agents, "aaaa0001", {"adw_id": "aaaa0001"})
    stream(folder, "builder", init("n"), assistant("m1", usage(input=1_000, output=1_000), session="n"),
           assistant("m2", usage(input=5), model="claude-nova-9", session="n"))  # fmt: skip
    stream(folder, "tester", init("o", OPUS), result(0.5, model=OPUS, session="o"))
    sync_workflow_history(silent=True)
    models = shown("show", "aaaa0001").partition("Models")[2]
    assert row_of(models, OPUS)[-1] == "$0.50"
    assert row_of(models, SONNET)[-2:] == ["≥", "$0.018"]
    assert row_of(models, "claude-nova-9")[-1] == "unpriced"
    with client_of() as client:
        table = (
            client.get("/runs/aaaa0001")
            .text.partition('aria-labelledby="models"')[2]
            .partition("</table>")[0]
        )
    assert [cost in table for cost in ("≥ $0.018", "$0.50", "unpriced")] == [True, True, True]
    assert "≥ $0.50" not in table


# How long phases took


MAIN = {"timestamp": "2026-07-01T09:00:00Z", "duration_seconds": 180.0}


@pytest.mark.parametrize(
    ("others", "seconds"),
    [
        ([{"timestamp": "2026-07-01T09:01:00Z", "duration_seconds": 90.0}], 180.0),
        ([{"timestamp": "2026-07-01T09:02:00Z", "duration_seconds": 90.0}], 210.0),
        ([{"timestamp": "2026-07-01T09:03:00Z", "duration_seconds": 90.0}], 270.0),
        ([{"duration_seconds": 90.0}], 270.0),
        ([{"timestamp": "2026-07-01T09:01:00Z"}], 180.0),
        ([{"timestamp": "2026-07-01T11:01:00+02:00", "ended_at": "2026-07-01T11:04:00+02:00"}], 240.0),
    ],
    ids=["within", "overlapping", "after", "no start", "no duration", "start and end"],
)
def test_work_side_by_side_takes_its_time_once(others: list[dict[str, Any]], seconds: float) -> None:
    assert worked_seconds([MAIN, *others]) == seconds
    assert worked_seconds([*others, MAIN]) == seconds


def test_agents_of_unknown_duration_take_an_unknown_time() -> None:
    assert worked_seconds([{"timestamp": "2026-07-01T09:01:00Z"}]) is None


works = st.tuples(
    st.integers(0, 2),  # run
    st.sampled_from(["plan", "build"]),
    st.none() | st.integers(0, 600),  # start, in seconds
    st.none() | st.integers(0, 300_000),  # duration, in milliseconds
)


@given(st.lists(works, min_size=1, max_size=12))
def test_many_runs_take_as_long_as_each_alone(every: list[tuple[int, str, int | None, int | None]]) -> None:
    every = sorted(every, key=lambda work: work[0])
    epoch = datetime(2026, 7, 1, tzinfo=UTC)
    parts = columns_of(every, epoch)
    found = cost_by_part(parts, "phase", "run_phases", no_silent_agents())
    keys = zip(found.integers["workflow_key"].tolist(), found.categorical["name"].to_list(), strict=True)
    summed = dict(zip(keys, found.floats["duration_seconds"].tolist(), strict=True))
    for (key, phase), seconds in summed.items():
        some = [
            entry(start, lasted, epoch) for one, name, start, lasted in every if (one, name) == (key, phase)
        ]
        alone = worked_seconds(some)
        assert (None if np.isnan(seconds) else pytest.approx(seconds)) == alone


def entry(start: int | None, lasted: int | None, epoch: datetime) -> dict[str, Any]:
    began = None if start is None else (epoch + timedelta(seconds=start)).isoformat()
    return {"timestamp": began, "duration_seconds": None if lasted is None else lasted / 1000}


def columns_of(every: list[tuple[int, str, int | None, int | None]], epoch: datetime) -> ColumnTable:
    kinds, count = COLUMNS["agent_runs"], len(every)
    starts = [
        MISSING_INT if start is None else round((epoch.timestamp() + start) * 1e6) for _, _, start, _ in every
    ]
    known = {"workflow_key": [key for key, *_ in every], "started_at": starts, "is_copy": [0] * count}
    whole = {
        name: np.array(known.get(name, [MISSING_INT] * count), np.int64)
        for name, kind in kinds.items()
        if kind not in ("words", "real")
    }
    words = {
        name: CategoricalColumn.from_values([None] * count) for name, kind in kinds.items() if kind == "words"
    }
    words["phase"] = CategoricalColumn.from_values(phase for _, phase, _, _ in every)
    seconds = np.array([np.nan if lasted is None else lasted / 1000 for *_, lasted in every])
    return ColumnTable("agent_runs", count, words, whole, {"duration_seconds": seconds})


def no_silent_agents() -> ColumnTable:
    words = {"phase": CategoricalColumn.from_values(()), "agent": CategoricalColumn.from_values(())}
    whole = dict.fromkeys(("workflow_key", "started_at"), np.empty(0, np.int64))
    return ColumnTable("silent_agents", 0, words, whole, {"duration_seconds": np.empty(0)})


def spoken(session: str, start: int, end: int, **more: Any) -> Iterator[str]:
    """Yield a transcript's lines, from a second to a second of an hour."""
    for second, number in ((start, 1), (end, 2)):
        when = f"2026-07-01T09:{second // 60:02d}:{second % 60:02d}.000Z"
        message = {
            "id": f"{more.get('agentId', session)}-{number}", "type": "message", "role": "assistant",
            "model": "claude-sonnet-4-5-20250929", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": "Done."}], "usage": usage(input=10, output=10),
        }  # fmt: skip
        yield json.dumps(
            {"type": "assistant", "sessionId": session, "timestamp": when, "message": message, **more}
        )


def test_a_sessions_only_phase_takes_no_longer_than_the_session(tmp_path: Path) -> None:
    session, logs = "11111111-aaaa-4bbb-8ccc-000000000001", tmp_path / "logs"
    logs.mkdir()
    (logs / f"{session}.jsonl").write_text("\n".join(spoken(session, 0, 180)) + "\n")
    transcript_set = logs / session / "subagents"
    transcript_set.mkdir(parents=True)
    for name, start, end in (("ab12", 30, 122), ("cd34", 60, 90)):
        lines = spoken(session, start, end, agentId=name, isSidechain=True)
        (transcript_set / f"agent-{name}.jsonl").write_text("\n".join(lines) + "\n")
    sync_workflow_history(silent=True, agents_dir=logs)
    found = get_workflow_by_id(session)
    assert len(found["phase_costs"]) == 3
    assert (found["duration_seconds"], found["phase_durations"]) == (180.0, {"other": 180.0})
    [other] = run_statistics("phase").groups
    assert other.duration.median == 180.0
    assert explain_run(session, "other").inputs["duration_seconds"] == 180.0
    assert row_of(shown("show", session).partition("Phases")[2], "other")[-2:] == ["3m", "00s"]


# How long a run took


def test_a_run_with_an_agent_without_a_stream_took_at_least_as_long_as_the_others(agents: Path) -> None:
    with_silent_agents(agents)
    sync_workflow_history(silent=True)
    found = get_workflow_by_id("aaaa0002")
    assert (found["duration_seconds"], found["duration_basis"]) == (60.0, "lower_bound")
    assert "≥ 1m 00s · longest known phase: plan · at least: " in shown("show", "aaaa0002")
    assert "≥ 1m 00s" in " ".join(row_of(shown("list"), "aaaa0002"))
    explained = explain_run("aaaa0002", "time")
    assert explained.is_lower_bound
    assert [part.name for part in explained.parts] == ["planner", "builder", "reviewer"]
    time = next(
        each for each in compare_runs("aaaa0001", "aaaa0002").figures if each.name == "duration_seconds"
    )
    assert (time.a_certain, time.b_certain) == (False, False)
    with client_of() as client:
        assert "≥ 1m 00s" in client.get("/").text
        assert "≥ 1m 00s" in client.get("/runs/aaaa0002").text
        [row, _] = client.get("/api/v1/runs").json()["workflows"]
        assert row["duration_basis"] == "lower_bound"


def test_a_stream_that_does_not_say_how_long_it_worked_makes_a_sum_a_lower_bound(agents: Path) -> None:
    folder = run(agents, "aaaa0001", {"adw_id": "aaaa0001"})
    whole(folder, "planner")
    stream(folder, "builder", init("b"))
    sync_workflow_history(silent=True)
    found = get_workflow_by_id("aaaa0001")
    assert (found["duration_source"], found["duration_basis"]) == (
        "its agents' own durations added up",
        "lower_bound",
    )


def test_a_phase_without_a_stream_takes_as_long_as_the_state_says(agents: Path) -> None:
    spans = [("plan", "10:00", "10:01"), ("build", "10:01", "10:05")]
    results = [
        {"phase": name, "success": True, "started_at": f"2026-02-01T{start}:00Z",
         "completed_at": f"2026-02-01T{end}:00Z"}
        for name, start, end in spans
    ]  # fmt: skip
    state = {"adw_id": "aaaa0001", "status": "completed", "phase_results": results}
    whole(run(agents, "aaaa0001", state), "plan")
    sync_workflow_history(silent=True)
    assert get_workflow_by_id("aaaa0001")["phase_durations"] == {"plan": 60.0, "build": 240.0}
    assert by_name("phase")["build"].duration.median == 240.0
    assert explain_run("aaaa0001", "build").inputs["duration_seconds"] == 240.0
    assert [part.value for part in explain_run("aaaa0001", "time").parts] == [60.0, 240.0]
    story = shown("show", "aaaa0001")
    assert "longest phase: build" in story
    assert row_of(story.partition("Phases")[2], "build")[-3:-1] == ["4m", "00s"]


def test_a_length_says_whether_it_is_the_sum_of_its_agents(agents: Path) -> None:
    with_silent_agents(agents)
    sync_workflow_history(silent=True)
    explained = explain_run("aaaa0002", "time")
    is_sum = explained.inputs["duration_source"] == "its agents' own durations added up"
    assert ("not the sum of its agents" in explained.rule) != is_sum
    assert "longest known phase: plan" in shown("show", "aaaa0002")


def test_a_reported_end_dates_a_run_whatever_its_agents_left(agents: Path) -> None:
    state = {"created_at": "2026-02-01T10:00:00Z", "completed_at": "2026-02-01T10:10:00Z"}
    folder = run(agents, "aaaa0001", {"adw_id": "aaaa0001", "status": "completed", **state})
    whole(folder, "planner")
    prompt(folder, "builder", "Build it")
    sync_workflow_history(silent=True)
    found = get_workflow_by_id("aaaa0001")
    assert (found["duration_seconds"], found["duration_basis"]) == (600.0, "reported")
    assert not explain_run("aaaa0001", "time").is_lower_bound


# What several runs cost together


def of_unknown_cost(agents: Path, name: str, day: int = 1) -> Path:
    """Write a run of which nothing shows what it cost."""
    begun = f"2026-02-{day:02d}T10:00:00Z"
    return run(agents, name, {"adw_id": name, "status": "completed", "created_at": begun})


def interrupted(agents: Path, name: str) -> None:
    """Write a run whose stream ends without a result."""
    said = assistant("m", usage(input=100_000, output=10), session=name)
    stream(of_unknown_cost(agents, name), "planner", init(name), said)


def known(agents: Path) -> None:
    whole(of_unknown_cost(agents, "aaaa0001"), "planner")


def unknown(agents: Path) -> None:
    of_unknown_cost(agents, "aaaa0002")


def silent(agents: Path) -> None:
    folder = of_unknown_cost(agents, "aaaa0003")
    whole(folder, "planner", 2.0)
    prompt(folder, "builder", "Build it")


def bounded(agents: Path) -> None:
    interrupted(agents, "aaaa0004")


SUMS = {
    "on record": ([known], "$1.00 recorded"),
    "at least": ([known, silent], "at least $3.00: the cost of some agent runs is not recorded"),
    "beyond": ([known, bounded], "$1.00 recorded + at least $0.30 in agent runs whose usage is incomplete"),
    "only beyond": ([bounded], "at least $0.30 in agent runs whose usage is incomplete"),
    "unknown": ([unknown], "cost of 1 run unknown"),
    "some unknown": ([known, unknown], "at least $1.00 · cost of 1 run unknown"),
    "beyond, some unknown": (
        [known, bounded, unknown],
        "$1.00 recorded + at least $0.30 in agent runs whose usage is incomplete · cost of 1 run unknown",
    ),
}


@pytest.mark.parametrize(("runs", "words"), SUMS.values(), ids=SUMS.keys())
def test_every_face_says_in_the_same_words_what_runs_cost_together(
    agents: Path, runs: list[Any], words: str
) -> None:
    for write in runs:
        write(agents)
    assert f"\n{words}\n" in shown("sync", str(agents))
    assert f" · {words}\n" in shown("list")
    assert f"\n{words}\n" in shown("stats")
    assert shown("-q", "stats") == shown("-q", "stats", "--by", "phase") == f"{words}\n"
    assert shown("-q", "cost", str(agents)) == f"{words}\n"
    assert f"\n{words}\n" in shown("cost", str(agents))
    by_phase = shown("stats", "--by", "day")
    assert (f"\n{words}\n" in by_phase) == (words != "$1.00 recorded")
    with client_of() as client:
        assert words in client.get("/").text
        remark = "cost of 1 run unknown"
        assert (remark in client.get("/trends").text) == (remark in words)
    again = shown("sync", str(agents))
    assert (remark in again) == (remark in words)
    for text in (again, shown("stats"), shown("stats", "--by", "day")):
        assert f"total cost {UNKNOWN_WORD}" not in text
        assert "no recorded cost" not in text


def test_what_was_wasted_is_a_share_of_what_was_spent_at_least(agents: Path) -> None:
    silent(agents)
    sync_workflow_history(silent=True)
    assert "none found in ≥ $2.00" in shown("stats", "--waste")
    assert told("stats", "--waste")["partial"]


def test_a_table_of_days_leaves_out_those_without_a_run(agents: Path) -> None:
    for number, day in enumerate((1, 2, 28)):
        whole(of_unknown_cost(agents, f"aaaa000{number}", day), "planner")
    sync_workflow_history(silent=True)
    table = shown("stats", "--by", "day", "--tz", "UTC")
    assert [line.split()[0] for line in table.splitlines() if line.startswith("2026-")] == [
        "2026-02-01", "2026-02-02", "2026-02-28",
    ]  # fmt: skip
    assert "25 days without runs not shown" in table
    assert "2 weeks without runs not shown" in shown("stats", "--by", "week", "--tz", "UTC")
    assert "not shown" not in shown("stats", "--by", "month", "--tz", "UTC")
    assert len(told("stats", "--by", "day", "--tz", "UTC")["groups"]) == 28


def test_runs_without_a_phase_are_no_empty_table(agents: Path) -> None:
    unknown(agents)
    sync_workflow_history(silent=True)
    assert shown("stats", "--by", "phase").startswith("No run has a known phase.\n")
    assert "Phases" not in shown("stats")
    assert "The cost of every week is unknown." in shown("stats")


@pytest.mark.parametrize("gone", ["builder", "planner"])
def test_an_agent_whose_stream_was_deleted_is_still_known_to_have_left_one(agents: Path, gone: str) -> None:
    folder = run(agents, "a1b2c3d4", {"adw_id": "a1b2c3d4", "phases": [{"phase": "build", "success": True}]})
    for name in ("planner", "builder"):
        prompt(folder, name, "Do it")
        stream(folder, name, init(name), result(1.0, session=name))
    sync_workflow_history(silent=True)
    before = get_workflow_by_id("a1b2c3d4")
    (folder / gone / "raw_output.jsonl").unlink()
    done = sync_workflow_history(silent=True)
    assert [problem["reason"] for problem in done["errors"]] == []
    for _ in range(2):
        after = get_workflow_by_id("a1b2c3d4")
        for name in ("status", "total_cost", "cost_basis", "agents_without_stream", "quality_score"):
            assert after[name] == before[name], name
        resync_workflow_cost("a1b2c3d4")
