"""All calls into the measured program, so that its internal changes affect only this file."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.server.core.workflow_history import demo, similarity
from app.server.core.workflow_history.database import (
    get_workflow_by_id,
    init_db,
    load_workflow,
    open_if_exists,
)
from app.server.core.workflow_history.enrichment import enrich
from app.server.core.workflow_history.ingest.sources.scan import read_one
from app.server.core.workflow_history.ingest.streams import read_result_lines
from app.server.core.workflow_history.pipeline import folder_costs as costing
from app.server.core.workflow_history.pipeline.merge_fields import REPLACED_FIELDS, add_scores, strip_derived
from app.server.core.workflow_history.pipeline.workers.process_pool import run_tasks
from app.server.core.workflow_history.pipeline.workers.task_dispatcher import TaskFunction
from app.server.core.workflow_history.queries import statistics
from app.server.core.workflow_history.queries.list_runs import find_runs
from app.server.core.workflow_history.storage.connection.url import database_url
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.rows.run_rows import RunRows, to_rows
from app.server.core.workflow_history.sync import sync_workflow_history

ROOT = Path(__file__).parents[1]
Workflow = dict[str, Any]
Lists = dict[str, list[tuple[str, float]]]
Rows = RunRows  # rows of one run

_STREAMS = 160  # streams per task

EAGER = (
    "import app.server.core.workflow_history.sync, app.server.core.workflow_history.resync, "
    "app.server.core.workflow_history.cli.app, app.server.core.workflow_history.cli.render.run_list"
)
"""Code that imports the whole program: the cost of `--help` without lazy imports."""


def command(*words: str, database: Path | None = None) -> list[str]:
    """Return a command line of the installed program; `database` can be omitted if it needs none."""
    script = Path(sys.executable).with_name("workflow-history")
    program = [str(script)] if script.exists() else [sys.executable, "-m", "app.server.core.workflow_history"]
    return [*program, *(("--db", str(database)) if database else ()), *words]


def sync_command(agents: Path, database: Path) -> list[str]:
    """Return the command line of a sync."""
    return command("--quiet", "sync", str(agents), database=database)


def cost_command(agents: Path) -> list[str]:
    """Return the command line that computes the cost of a directory's runs without a history."""
    return command("cost", "--json", str(agents))


@contextmanager
def history_at(database: Path) -> Iterator[None]:
    """Make the program's functions use this history inside the block."""
    before = os.environ.get("WORKFLOW_HISTORY_DB")
    os.environ["WORKFLOW_HISTORY_DB"] = str(database)
    try:
        yield
    finally:
        if before is None:
            del os.environ["WORKFLOW_HISTORY_DB"]
        else:
            os.environ["WORKFLOW_HISTORY_DB"] = before


def make_database(database: Path) -> None:
    """Create an empty history."""
    with history_at(database):
        init_db()


def sync(agents: Path, database: Path) -> dict[str, Any]:
    """Sync an agents directory into a history in this process."""
    with history_at(database):
        return sync_workflow_history(silent=True, agents_dir=agents)


def read_costs(agents: Path) -> list[Workflow]:
    """Return all runs of a directory with their costs, without similarity, database or patterns."""
    now = datetime.now(UTC)
    names = sorted(entry.name for entry in os.scandir(agents) if entry.is_dir())
    runs = (read_one(agents, name, now) for name in names)
    return [enrich(run) for run in runs if run is not None]


def folder_costs(agents: Path) -> dict[str, Any]:
    """Return the result of the command `cost`."""
    return costing.folder_costs(agents)


def reported_by_results(files: Sequence[str]) -> int:
    """Return the reported cost of all streams in nanodollars, read by worker processes as `cost` does."""
    tasks = [files[start : start + _STREAMS] for start in range(0, len(files), _STREAMS)]
    return sum(run_tasks(TaskFunction(_reported), tasks, _seconds))


def _reported(files: Sequence[str]) -> int:
    every = (read_result_lines(file, file, "main") for file in files)
    last = (facts.results[-1].total_cost for facts in every if facts is not None)
    return sum(int(cost * 10**9) for cost in last if cost is not None)


def _seconds(files: Sequence[str]) -> float:
    return sum(Path(file).stat().st_size for file in files) * costing.SECONDS_PER_BYTE


def all_similar(workflows: Sequence[Workflow]) -> Lists:
    """Return the list of similar runs of every run."""
    return similarity.calculate_all_similarities(workflows)


def plainly_similar(workflow: Workflow, workflows: Sequence[Workflow]) -> list[tuple[str, float]]:
    """Return one list of similar runs by evaluating our own formula pair by pair."""
    pairs = [
        (other["id"], similarity.calculate_similarity_score(workflow, other))
        for other in workflows
        if other["id"] != workflow["id"]
    ]
    good = [(name, score) for name, score in pairs if score >= 0.5]
    return sorted(good, key=lambda pair: (-pair[1], pair[0]))[:5]


def stored_workflows(database: Path) -> list[Workflow]:
    """Return the fields of all stored runs that similarity compares."""
    keys = ["id", "project", "nl_input", "status", "total_cost", "duration_seconds"]
    with History.open(database_url(database)) as history:
        return history.read_fields(keys)


def stored_lists(database: Path) -> Lists:
    """Return the stored lists of similar runs by run id; runs without a list are omitted."""
    with History.open(database_url(database)) as history:
        names = {ref.key: ref.id for ref in history.list_refs()}
        places = sorted(place for some in history.similarity().similar_lists(list(names)) for place in some)
    lists: Lists = {}
    for key, _, other, score in places:
        if other is not None:
            lists.setdefault(names[key], []).append((names[other], score))
    return lists


def storable_workflows(agents: Path) -> list[Workflow]:
    """Return the runs of a directory, prepared for splitting into rows as in a sync."""
    return [strip_derived(add_scores(workflow)) for workflow in read_costs(agents)]


def taken_apart(workflows: Iterable[Workflow]) -> list[Rows]:
    """Split runs into rows, as the reading processes of a sync send them to the writer."""
    return [to_rows(workflow) for workflow in workflows]


def save_parts(database: Path, batches: Iterable[Sequence[Rows]]) -> None:
    """Insert or merge runs given as rows, all in one transaction."""
    with History.open(database_url(database)) as history, history.transaction():
        for batch in batches:
            history.save_rows(batch, replace=REPLACED_FIELDS)


def save_workflows(database: Path, batches: Iterable[Sequence[Workflow]]) -> None:
    """Split runs into rows and insert or merge them, all in one transaction."""
    save_parts(database, map(taken_apart, batches))


def demo_runs(scratch: Path, runs: int, end: datetime) -> list[tuple[Workflow, list[dict[str, Any]]]]:
    """Return the runs of a demo as stored in a history, each with its patterns."""
    agents, database = scratch / "agents", scratch / "demo.db"
    demo.make_agents_folder(agents, runs=runs, seed=1, end=end)
    sync(agents, database)
    made = ("similar_workflows", "pattern_count", "cost_data")  # stored elsewhere or derived on reading
    with History.open(database_url(database)) as history:
        stored = history.read([ref.key for ref in history.list_refs()])
        return [
            ({name: value for name, value in run.items() if name not in made}, history.patterns(key))
            for key, run in stored.items()
        ]


def save_with_patterns(
    database: Path, batches: Iterable[Sequence[tuple[Workflow, Sequence[dict[str, Any]]]]]
) -> None:
    """Store runs and their patterns and build the column cache, one transaction per batch."""
    with History.open(database_url(database)) as history:
        for batch in batches:
            with history.transaction():
                keys = history.save([run for run, _ in batch]).keys
                found = {keys[run["project"], run["id"]]: patterns for run, patterns in batch}
                history.save_patterns(found)
                history.build_column_cache()


def drop_packed_columns(database: Path) -> None:
    """Delete the packed columns of all runs, which are then read from their rows."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM column_blocks")


def list_page(**asked: Any) -> int:
    """Query one page of a list; return the number of runs on all pages."""
    return find_runs(asked.pop("where", None), **asked).total


def first_names(**asked: Any) -> list[str]:
    """Return project/id of the runs on the first page of a list."""
    return [f"{run['project']}/{run['id']}" for run in find_runs(**asked).workflows]


def whole_run(name: str) -> Workflow | None:
    """Load one run with its patterns and similar runs, as `show` does; None if it doesn't exist."""
    run = load_workflow(name)
    for like in (run or {}).get("similar_workflows") or ():
        get_workflow_by_id(f"{like['project']}/{like['id']}")
    return run


def sums(by: str, **asked: Any) -> int:
    """Query aggregates by group; return the number of groups."""
    return len(statistics.run_statistics(by, **asked).groups)


def waste() -> float:
    """Return the wasted spend in dollars."""
    return statistics.waste().wasted


def trend() -> int:
    """Query the trend; return the number of metrics compared."""
    return len(statistics.trend().changes)


def overview() -> int:
    """Query the overview; return the number of runs in it."""
    return statistics.overview().total.runs


def every_row() -> list[Workflow]:
    """Read the fields of all runs into Python: the cost of any query without an index or packed columns."""
    with open_if_exists() as history:
        return [] if history is None else history.read_fields()
