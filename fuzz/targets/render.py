"""Fuzz target: hostile texts of a stored run, in terminal output, JSON, exports and web pages."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from app.server.core.workflow_history import database
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.models import Problem
from app.server.core.workflow_history.exporting.csv_writer import is_formula
from app.server.core.workflow_history.storage.connection.engine import engine_for
from app.server.core.workflow_history.web.app import create_app
from app.server.core.workflow_history.web.settings import ServerSettings

from .. import histories, hostile
from ..dice import Dice
from ..oracle import Broken, is_calm_page, is_calm_text, numbers_are_numbers
from .rest import asked

RUN = "a1b2c3d4"
COMMANDS = (
    ["list"],
    ["show", RUN],
    ["show", RUN, "--json"],
    ["explain", RUN, "cost"],
    ["explain", RUN, "status"],
    ["stats"],
    ["stats", "--by", "template"],
    ["stats", "--by", "phase", "--json"],
    ["list", "--json"],
    ["similar", RUN],
    ["compare", RUN, "b0000000"],
    ["patterns"],
    ["anomalies"],
    ["forecast", "--text", "Add x"],
    ["forecast", RUN],
    ["list", "--search", hostile.ESCAPE],
    ["show", hostile.TURNED],
    ["list", "--workflow", hostile.ESCAPE],
    ["export", "runs", "--format", "csv"],
    ["export", "runs", "--format", "jsonl"],
    ["db", "verify"],
    ["budget", "check"],
)
PAGES = (
    "/",
    "/runs",
    f"/runs/{RUN}",
    "/insights",
    "/trends",
    "/patterns",
    f"/compare?a={RUN}&b=b0000000",
    "/forecast?text=Add+x",
    "/api/v1/runs",
    f"/api/v1/runs/{RUN}",
)
WORDS = (
    "status",
    "status_reason",
    "nl_input",
    "nl_input_source",
    "issue_number",
    "issue_class",
    "workflow_template",
    "model_used",
    "branch_name",
    "plan_file",
    "current_phase",
    "error_message",
    "project",
    "agents_dir",
    "cost_basis",
    "bottleneck_phase",
    "times_source",
    "duration_source",
    "agents_without_stream",
    "extra",
)
FIGURES = (
    "total_cost",
    "total_tokens",
    "input_tokens",
    "duration_seconds",
    "quality_score",
    "retry_cost",
    "created_at",
    "completed_at",
    "utc_offset_minutes",
    "phase_durations",
    "score_parts",
    "idle_time_seconds",
)


def made(folder: Path) -> Callable[[bytes], None]:
    """Return a function that stores one hostile run and shows it twice, in commands or pages."""
    file = histories.use(folder)
    database.init_db()
    database.insert_workflow(_honest() | {"id": "b0000000"})
    engine_for(database.current_url()).dispose()
    template = folder / "template.db"
    shutil.copy(file, template)
    runner, web, loop = CliRunner(), create_app(ServerSettings(cache_seconds=0)), asyncio.new_event_loop()

    def once(data: bytes) -> None:
        dice = Dice(data)
        engine_for(database.current_url()).dispose()
        for name in ("-wal", "-shm"):
            Path(f"{file}{name}").unlink(missing_ok=True)
        shutil.copy(template, file)
        run = _hostile(dice)
        database.insert_workflow(run)
        _with_problem(dice, run)
        for _ in range(2):
            if dice.one_in(3):
                _page(loop, web, dice.pick(PAGES))
            else:
                _command(runner, dice.pick(COMMANDS))

    weakref.finalize(once, loop.close)
    return once


def _honest() -> dict[str, Any]:
    agent = {
        "phase": "plan",
        "agent": "planner",
        "model": "claude-sonnet-4-5-20250929",
        "cost": 0.5,
        "cost_basis": "reported",
        "input_tokens": 10,
        "output_tokens": 5,
        "cache_read_tokens": 3,
        "cache_creation_tokens": 2,
        "path": "planner/a.jsonl",
        "line": 3,
        "identity": "x",
        "timestamp": "2026-03-01T10:00:00Z",
        "duration_seconds": 60.0,
        "outcome": "success",
        "error": None,
        "models": [{"model": "m", "cost": 0.5}],
    }
    return {
        "id": RUN,
        "project": "shop",
        "status": "failed",
        "nl_input": "Add an export",
        "created_at": "2026-03-01T10:00:00Z",
        "total_cost": 0.5,
        "cost_basis": "reported",
        "total_tokens": 20,
        "error_message": "limit",
        "duration_seconds": 60.0,
        "workflow_template": "adw_plan_iso",
        "model_used": "claude-sonnet-4-5",
        "phase_costs": [agent],
    }


def _hostile(dice: Dice) -> dict[str, Any]:
    run = _honest()
    for _ in range(dice.whole(1, 6)):
        run[dice.pick(WORDS)] = hostile.text(dice)
    if dice.one_in(2):
        run[dice.pick(FIGURES)] = _bare(hostile.value(dice))
    agent = dict(run["phase_costs"][0])
    for _ in range(dice.whole(0, 4)):
        agent[dice.pick(list(agent))] = hostile.text(dice) if dice.one_in(2) else _bare(hostile.value(dice))
    run["phase_costs"] = [agent]
    run["project"] = run["project"] or "shop"
    return run


def _bare(given: Any) -> Any:
    return None if isinstance(given, hostile.Token) else given


def _with_problem(dice: Dice, run: dict[str, Any]) -> None:
    with database.open_if_exists() as history:
        if history is None:
            raise Broken("the run was not stored")
        key = next(iter(history.stored_runs(str(run["project"])).values()), None)
        if key is not None:
            problem = Problem(hostile.text(dice) or "a", hostile.text(dice) or "b", 1)
            with history.transaction():
                history.save_run_problems(
                    str(run.get("agents_dir") or ""), {key.key: [problem]}, new=frozenset()
                )


def _command(runner: CliRunner, words: list[str]) -> None:
    done = runner.invoke(app, words)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    is_calm_text(done.output)
    if "--json" in words and done.exit_code == 0:
        numbers_are_numbers(json.loads(done.stdout))
    if words[:1] == ["export"] and "csv" in words and done.exit_code == 0:
        for row in csv.reader(io.StringIO(done.stdout)):
            if any(is_formula(cell) and not cell.startswith("'") and not _is_number(cell) for cell in row):
                raise Broken(f"a cell is a formula: {row!r:.300}")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _page(loop: asyncio.AbstractEventLoop, web: Any, address: str) -> None:
    path, _, query = address.partition("?")
    status, kind, body = loop.run_until_complete(
        asked(web, "GET", path, query, [(b"host", b"127.0.0.1:8765")], b"")
    )
    if status >= 500 or status == 0:
        raise Broken(f"{status} for {address}: {body[:500]!r}")
    if kind.startswith("text/html"):
        is_calm_page(body.decode())
    else:
        numbers_are_numbers(json.loads(body))
