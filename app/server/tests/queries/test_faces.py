"""Every interface shows the same costs, to the nanodollar, for every cost basis."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.common.formatting.costs import format_total_cost
from app.server.core.workflow_history.common.spending import (
    NO_COST,
    Cost,
    run_cost,
    to_nanodollars,
)
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.core.workflow_history.queries.export import export
from app.server.core.workflow_history.queries.list_runs import costs_of, find_runs
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support.build import assistant, init, prompt, result, run, stream, usage
from app.server.tests.support.thoroughness import tries
from app.server.tests.support.web import client_of

Amounts = tuple[int | None, int | None]
"""What is on record and what was spent at least beyond it, nanodollars."""

KINDS = (
    "reported", "computed", "bound", "reported-and-more", "unpriced", "priced-and-unpriced", "silent-agent",
    "empty", "copy", "zero", "cut-and-whole",
)  # fmt: skip


def write(agents: Path, number: int, kind: str) -> None:
    """Write a run whose cost has one kind of basis; amounts need all nine digits."""
    name, session = f"{number:08x}", f"s{number}"
    spent = usage(input=1_001 + number, output=333)
    if kind == "copy":
        name, session = f"{number:08x}", "s0"
        number = 0
    folder = run(agents, name, {"adw_id": name})
    told = result(0.123456789 + number, session=session)
    said = assistant(f"m{session}", spent, session=session)
    after = assistant(f"n{session}", spent, session=session)
    strange = assistant(f"o{session}", spent, session=session, model="claude-nova-9")
    lines = {
        "reported": [init(session), said, told],
        "copy": [init(session), said, told],
        "bound": [init(session), said],
        "reported-and-more": [init(session), said, told, after],
        "unpriced": [init(session, "claude-nova-9"), strange],
        "priced-and-unpriced": [init(session), said, strange],
        "zero": [init(session), result(0.0, session=session)],
    }
    if kind == "computed":
        message = json.loads(said)["message"] | {"stop_reason": "end_turn"}
        native = {"type": "assistant", "sessionId": session, "timestamp": "2026-02-01T10:00:00Z"}
        stream(folder, "builder", json.dumps({**native, "message": message}))
    elif kind == "silent-agent":
        stream(folder, "planner", init(session), said, told)
        prompt(folder, "builder", "Build it")
    elif kind == "empty":
        stream(folder, "planner")
    elif kind == "cut-and-whole":
        stream(folder, "planner", init(session), said, told)
        stream(folder, "builder", init(f"{session}b"), assistant(f"b{session}", spent, session=f"{session}b"))
    else:
        stream(folder, "planner", *lines[kind])


def amounts(
    found: Mapping[str, Any], recorded: str = "total_cost", beyond: str = "lower_bound_cost"
) -> Amounts:
    return to_nanodollars(found[recorded]), to_nanodollars(found[beyond])


def added(rows: Iterable[Mapping[str, str]], recorded: str) -> Amounts:
    columns = ([row[name] for row in rows if row[name]] for name in (recorded, "lower_bound_cost"))
    first, second = ([round(Decimal(value) * 10**9) for value in column] for column in columns)
    return sum(first) if first else None, sum(second) if second else None


def told(*command: str) -> Any:
    answer = CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def faces(agents: Path) -> dict[str, Amounts]:
    """Return what each face says that all runs cost."""
    found: dict[str, Amounts] = {"cost": amounts(folder_costs(agents), "recorded_cost")}
    for kind in ("phase", "agent", "run"):
        by = folder_costs(agents, kinds=[kind])["by"][kind]
        found[f"cost by {kind}"] = spent(
            Cost(*amounts(group, "recorded_cost"), complete=True) for group in by
        )
    found["list"] = spent(map(run_cost, find_runs(limit=1_000).workflows))
    footer = costs_of(RunFilter())
    found["below the list"] = (footer.recorded, footer.extra)
    overall = told("stats")["total"]
    found["stats"] = to_nanodollars(overall["cost"]["total"]), to_nanodollars(overall["lower_bound_cost"])
    for by in ("project", "phase", "agent"):
        groups = told("stats", "--by", by)["groups"]
        found[f"stats by {by}"] = spent(
            Cost.from_usd(group["cost"]["total"], group["lower_bound_cost"], complete=True)
            for group in groups
        )
    for table, column in (("runs", "total_cost"), ("agent-runs", "cost")):
        text = io.BytesIO()
        export(table, text, format="csv")
        found[f"export {table}"] = added(list(csv.DictReader(io.StringIO(text.getvalue().decode()))), column)
    with client_of() as client:
        rest = client.get("/api/v1/statistics/overview").json()["total"]
        found["rest"] = to_nanodollars(rest["cost"]["total"]), to_nanodollars(rest["lower_bound_cost"])
        assert " · ".join(format_total_cost(footer)) in client.get("/").text
    return found


def spent(every: Iterable[Cost]) -> Amounts:
    whole = sum(every, NO_COST)
    return whole.recorded, whole.extra


@tries(8, function_fixtures=True)
@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
def test_every_face_says_the_same_of_what_runs_cost(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("faces")
    agents = folder / "shop" / "agents"
    agents.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKFLOW_HISTORY_DB", str(folder / "history.db"))
        for number, kind in enumerate(["reported", *kinds]):
            write(agents, number, kind)
        synced = amounts(sync_workflow_history(silent=True, agents_dir=agents))
        found = faces(agents)
        assert found == dict.fromkeys(found, synced)


def test_sync_line_calls_lower_bound_on_record(agents: Path) -> None:
    stream(run(agents, "66660001"), "auditor", init("a"), result(1.0, session="a"))
    said = assistant("m", usage(input=100_000, output=10), session="b")
    stream(run(agents, "66660002"), "auditor", init("b"), said)
    done = sync_workflow_history(silent=True)
    assert (done["total_cost"], done["lower_bound_cost"]) == (1.0, 0.30015)
    again = sync_workflow_history(silent=True)
    assert (again["total_cost"], again["lower_bound_cost"]) == (1.0, 0.30015)


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "agents"
    folder.mkdir()
    return folder
