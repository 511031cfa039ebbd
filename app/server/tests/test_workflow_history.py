"""The public API: eleven names, three ways to import them, the same results."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import app.server.core.workflow_history as history
from app.server.core.workflow_history import database, enrichment, scanner
from app.server.core.workflow_history.resync import resync_workflows_by_date_range
from app.server.tests.support.build import SONNET, assistant, init, result, run, stream, usage
from app.server.tests.support.paths import ROOT

NAMES = {
    "init_db", "get_workflow_by_id", "insert_workflow", "update_workflow", "get_workflow_history",
    "sync_workflow_history", "resync_workflow_cost", "resync_all_completed_workflows",
    "get_history_analytics", "calculate_phase_metrics", "calculate_workflow_scores",
}  # fmt: skip


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop" / "agents"
    folder.mkdir(parents=True)
    monkeypatch.setattr(scanner, "AGENTS_DIR", folder)
    return folder


def sync() -> dict[str, Any]:
    return history.sync_workflow_history(silent=True)


def stored(run_id: str) -> dict[str, Any]:
    found = history.get_workflow_by_id(run_id)
    assert found is not None
    return found


def test_the_eleven_names_are_public() -> None:
    assert set(history.__all__) >= NAMES
    assert all(callable(getattr(history, name)) for name in history.__all__)


@pytest.mark.parametrize(
    ("package", "folder"),
    [("app.server.core.workflow_history", "."), ("core.workflow_history", "app/server")],
)
def test_the_package_works_from_each_root(package: str, folder: str, tmp_path: Path) -> None:
    run(tmp_path / "agents", "a1", {"status": "completed"})
    show = "h.sync_workflow_history(True)['inserted'], h.get_workflow_by_id('a1')['status']"
    command = [sys.executable, "-c", f"import {package} as h; print({show})"]
    done = subprocess.run(  # noqa: S603 - our own words
        command, cwd=ROOT / folder, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("1 completed", "")


def test_readers_cope_with_a_history_that_is_not_there_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "DB_PATH", tmp_path / "later.db")
    assert history.get_workflow_history() == {"workflows": [], "total": 0, "limit": 50, "offset": 0}
    assert history.get_workflow_by_id("a1") is None
    assert history.get_history_analytics()["total_workflows"] == 0
    assert history.update_workflow("a1", {"status": "failed"}) is False
    assert history.resync_workflow_cost("a1")["success"] is False
    assert history.resync_all_completed_workflows()["total_processed"] == 0


def test_the_whole_history_is_summed_up_to_the_nano_dollar(agents: Path) -> None:
    for number, cost in enumerate((0.1, 0.2, 0.021492449999999996)):
        stream(run(agents, f"r{number}", {"status": "completed"}), "planner", init(), result(cost))
    sync()
    figures = history.get_history_analytics()
    assert figures["total_cost"] == 0.32149245
    assert figures["by_model"] == {SONNET: 3}
    assert figures == history.get_history_analytics(history.get_workflow_history()["workflows"])


class TestEnrichment:
    def test_cost_data_of_one_run_is_loaded_from_its_folder(self, agents: Path) -> None:
        stream(run(agents, "a1", {}), "planner", init(), result(0.25))
        costs = enrichment.load_cost_data("a1")
        assert costs is not None
        assert (costs["total_cost"], costs["cost_basis"]) == (0.25, "reported")
        assert enrichment.load_cost_data("nowhere") is None

    def test_a_batch_gets_all_cost_fields_or_none_of_them(self, agents: Path) -> None:
        stream(run(agents, "a1", {}), "planner", init(), result(0.25))
        run(agents, "b2", {})
        with_cost, without = enrichment.enrich_workflows_batch([{"id": "a1"}, {"id": "b2"}])
        assert set(enrichment.COST_FIELDS) | {"cost_data"} <= set(with_cost)
        assert not (set(enrichment.COST_FIELDS) | {"cost_data"}) & set(without)

    def test_a_summary_leaves_unknown_costs_out_of_the_average(self) -> None:
        rows = [{"total_cost": 0.1, "total_tokens": 5}, {"total_cost": 0.2}, {"total_cost": None}]
        assert enrichment.calculate_cost_summary(rows) == {
            "total_cost": 0.3, "total_tokens": 5, "workflow_count": 3, "average_cost": 0.15,
        }  # fmt: skip
        assert enrichment.calculate_cost_summary([])["total_cost"] is None


class TestCostsFromFiles:
    """The rows of the case table that need a stream file to be read."""

    def cost(self, agents: Path, *lines: str) -> tuple[Any, Any]:
        stream(run(agents, "a1", {"started_at": "2026-01-10T00:00:00Z"}), "planner", *lines)
        sync()
        return stored("a1")["total_cost"], stored("a1")["cost_basis"]

    def test_a_partial_line_then_its_final_line(self, agents: Path) -> None:
        lines = [assistant("m", usage(input=1000, output=1)), assistant("m", usage(input=1000, output=1000))]
        assert self.cost(agents, init(), *lines) == (0.018, "lower_bound")

    def test_the_same_message_in_a_resumed_file_counts_once(self, agents: Path) -> None:
        stream(
            run(agents, "a1", {}),
            "planner_resumed",
            init("s2"),
            assistant("m", usage(input=1000, output=1000)),
        )
        assert self.cost(agents, init(), assistant("m", usage(input=1000, output=1000)))[0] == 0.018

    def test_one_hour_cache_writes(self, agents: Path) -> None:
        assert self.cost(agents, assistant("m", usage(one_hour=100_000)))[0] == 0.6

    @pytest.mark.parametrize("model", ["claude-nova-9", "glm-4.6-foo", "claude-sonnet-4-5-turbo"])
    def test_an_unknown_model_is_unknown_and_flagged(self, agents: Path, model: str) -> None:
        assert self.cost(agents, assistant("m", usage(input=1000, output=9), model=model)) == (
            None,
            "unpriced",
        )
        assert stored("a1")["unpriced_tokens"] == 1009

    def test_the_same_message_under_another_request_id_counts_once(self, agents: Path) -> None:
        spent = usage(input=1000, output=1000)
        lines = [assistant("m", spent, requestId="r1"), assistant("m", spent, requestId="r2")]
        assert self.cost(agents, *lines)[0] == 0.018

    def test_a_null_cache_field(self, agents: Path) -> None:
        spent = {**usage(input=1000, output=1000), "cache_read_input_tokens": None, "cache_creation": None}
        assert self.cost(agents, assistant("m", spent))[0] == 0.018

    def test_ten_web_searches(self, agents: Path) -> None:
        assert self.cost(agents, assistant("m", usage(input=1000, output=1000, searches=10)))[0] == 0.118

    def test_five_agents_at_a_dollar_each(self, agents: Path) -> None:
        for agent in ("branch_generator", "sdlc_implementor", "reviewer", "documenter"):
            stream(run(agents, "a1"), agent, init(agent), result(1.0, session=agent))
        assert self.cost(agents, init(), result(1.0)) == (5.0, "reported")

    def test_stream_json_as_such_is_read(self, agents: Path) -> None:
        assert self.cost(agents, init(), assistant("m"), result(0.25)) == (0.25, "reported")
        assert [phase["line"] for phase in stored("a1")["phase_costs"]] == [3]

    def test_cumulative_results_of_one_process_are_not_added_up(self, agents: Path) -> None:
        twice = {"inputTokens": 20, "outputTokens": 800, "cacheReadInputTokens": 60000}
        later = {SONNET: {**twice, "cacheCreationInputTokens": 4000, "webSearchRequests": 0, "costUSD": 0.5}}
        results = [result(0.2), result(0.5, modelUsage=later), result(0.1)]
        assert self.cost(agents, init(), *results)[0] == 0.6
        assert stored("a1")["phase_costs"][0]["duration_seconds"] == 180.0

    def test_money_never_shows_the_dust_of_binary_fractions(self, agents: Path) -> None:
        for agent in ("a_plan", "b_plan"):
            stream(run(agents, "a1"), agent, init(agent), result(0.1, session=agent))
        assert self.cost(agents, init(), result(0.1)) == (0.3, "reported")


class TestResync:
    def test_one_runs_costs_are_counted_anew(self, agents: Path) -> None:
        folder = run(agents, "a1", {"status": "completed", "nl_input": "Add export"})
        sync()
        stream(folder, "planner", init(), result(0.25))
        answer = history.resync_workflow_cost("a1")
        assert (answer["success"], answer["updated"], answer["workflow_id"]) == (True, True, "a1")
        assert stored("a1")["total_cost"] == 0.25
        assert stored("a1")["cost_efficiency_score"] is not None
        assert history.resync_workflow_cost("a1")["updated"] is False

    def test_a_resync_dates_agents_no_other_than_the_sync_did(self, agents: Path) -> None:
        state = {"status": "completed", "created_at": "2025-12-01T10:00:00Z"}
        folder = run(agents, "a1", state)
        file = stream(folder, "planner", init(), result(0.25))
        sync()
        file.write_text("\n".join((init(), result(0.25), result(0.5))) + "\n")
        assert history.resync_workflow_cost("a1")["updated"] is True
        assert [part["timestamp"] for part in stored("a1")["phase_costs"]] == [None]

    def test_a_run_whose_files_are_gone_keeps_its_costs(self, agents: Path) -> None:
        folder = run(agents, "a1", {"status": "completed"})
        file = stream(folder, "planner", init(), result(0.25))
        sync()
        file.unlink()
        answer = history.resync_workflow_cost("a1")
        assert (answer["success"], answer["updated"]) == (True, False)
        assert stored("a1")["total_cost"] == 0.25

    def test_every_run_of_a_status_is_met_once_whatever_the_page_size(self, agents: Path) -> None:
        for number in range(7):
            folder = run(agents, f"r{number}", {"status": "failed" if number == 3 else "completed"})
            stream(folder, "planner", init(), result(0.25))
        sync()
        answer = history.resync_all_completed_workflows(batch_size=2)
        assert (answer["total_processed"], answer["successful"], answer["failed"]) == (6, 6, 0)
        assert [row["workflow_id"] for row in answer["workflows"]] == ["r0", "r1", "r2", "r4", "r5", "r6"]
        assert history.resync_all_completed_workflows("failed")["total_processed"] == 1
        assert history.resync_all_completed_workflows(None)["total_processed"] == 7

    def test_a_date_range_holds_both_its_days(self, agents: Path) -> None:
        first = datetime(2026, 1, 1, tzinfo=UTC)
        for day in range(3):
            run(agents, f"r{day}", {"created_at": (first + timedelta(days=day)).isoformat()})
        sync()
        answer = resync_workflows_by_date_range("2026-01-01", "2026-01-02")
        assert [row["workflow_id"] for row in answer["workflows"]] == ["r0", "r1"]
        with pytest.raises(ValueError, match="Invalid date"):
            resync_workflows_by_date_range("soon", "2026-01-03")
        with pytest.raises(ValueError, match="is before the start date"):
            resync_workflows_by_date_range("2026-01-03", "2026-01-01")

    def test_lists_of_similar_runs_follow_a_new_cost(self, agents: Path) -> None:
        for run_id in ("a1", "b2"):
            run(agents, run_id, {"nl_input": "Add CSV export", "status": "completed", "duration_seconds": 9})
        sync()
        assert stored("a1")["similar_workflows"][0]["similarity_score"] == 1.0
        stream(agents / "a1", "planner", init(), result(0.25))
        stream(agents / "b2", "planner", init(), result(0.50))
        for run_id in ("a1", "b2"):
            history.resync_workflow_cost(run_id)
        assert stored("b2")["similar_workflows"][0]["similarity_score"] == pytest.approx(0.9)
        assert stored("a1")["similar_workflows"][0]["similarity_score"] == pytest.approx(0.9)
