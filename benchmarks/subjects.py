"""Every call into the program that is measured, and none anywhere else: what changes inside changes here."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
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
from app.server.core.workflow_history.ingest.runs import read_one
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
Rows = RunRows  # of one run

_STREAMS = 160  # read in one task

EAGER = (
    "import app.server.core.workflow_history.sync, app.server.core.workflow_history.resync, "
    "app.server.core.workflow_history.cli.app, app.server.core.workflow_history.cli.render.run_list"
)
"""The whole program imported at once: what `--help` would cost without care."""


def command(*words: str, database: Path | None = None) -> list[str]:
    """Return the command line of the installed program; without a database for commands that need none."""
    script = Path(sys.executable).with_name("workflow-history")
    program = [str(script)] if script.exists() else [sys.executable, "-m", "app.server.core.workflow_history"]
    return [*program, *(("--db", str(database)) if database else ()), *words]


def sync_command(agents: Path, database: Path) -> list[str]:
    """Return the command that brings a history up to date."""
    return command("--quiet", "sync", str(agents), database=database)


def cost_command(agents: Path) -> list[str]:
    """Return the command that adds up what a folder's runs cost, without a history."""
    return command("cost", "--json", str(agents))


@contextmanager
def history_at(database: Path) -> Iterator[None]:
    """Have the program's functions use this history."""
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
    """Make an empty history."""
    with history_at(database):
        init_db()


def sync(agents: Path, database: Path) -> dict[str, Any]:
    """Bring a history up to date in this process."""
    with history_at(database):
        return sync_workflow_history(silent=True, agents_dir=agents)


def read_costs(agents: Path) -> list[Workflow]:
    """Return every run with its costs, without similarity, database or patterns."""
    now = datetime.now(UTC)
    names = sorted(entry.name for entry in os.scandir(agents) if entry.is_dir())
    runs = (read_one(agents, name, now) for name in names)
    return [enrich(run) for run in runs if run is not None]


def folder_costs(agents: Path) -> dict[str, Any]:
    """Return what the command `cost` prints."""
    return costing.folder_costs(agents)


def reported_by_results(files: Sequence[str]) -> int:
    """Return what the results of streams report, nanodollars: read as `cost` reads them, in its processes."""
    tasks = [files[start : start + _STREAMS] for start in range(0, len(files), _STREAMS)]
    return sum(run_tasks(TaskFunction(_reported), tasks, _seconds))


def _reported(files: Sequence[str]) -> int:
    every = (read_result_lines(file, file, "main") for file in files)
    last = (facts.results[-1].total_cost for facts in every if facts is not None)
    return sum(int(cost * 10**9) for cost in last if cost is not None)


def _seconds(files: Sequence[str]) -> float:
    return sum(Path(file).stat().st_size for file in files) * costing.SECONDS_PER_BYTE


def all_similar(workflows: Sequence[Workflow]) -> Lists:
    """Return every workflow's list of similar ones."""
    return similarity.calculate_all_similarities(workflows)


def plainly_similar(workflow: Workflow, workflows: Sequence[Workflow]) -> list[tuple[str, float]]:
    """Return one list by the plain evaluation of our own formula: each other run, pair by pair."""
    pairs = [
        (other["id"], similarity.calculate_similarity_score(workflow, other))
        for other in workflows
        if other["id"] != workflow["id"]
    ]
    good = [(name, score) for name, score in pairs if score >= 0.5]
    return sorted(good, key=lambda pair: (-pair[1], pair[0]))[:5]


def stored_workflows(database: Path) -> list[Workflow]:
    """Return what similarity compares of every stored run."""
    keys = ["id", "project", "nl_input", "status", "total_cost", "duration_seconds"]
    with History.open(database_url(database)) as history:
        return history.read_fields(keys)


def stored_lists(database: Path) -> Lists:
    """Return the lists of similar runs as they are stored, by id; a run without one is left out."""
    with History.open(database_url(database)) as history:
        names = {ref.key: ref.id for ref in history.list_refs()}
        places = sorted(place for some in history.similarity().similar_lists(list(names)) for place in some)
    lists: Lists = {}
    for key, _, other, score in places:
        if other is not None:
            lists.setdefault(names[key], []).append((names[other], score))
    return lists


def storable_workflows(agents: Path) -> list[Workflow]:
    """Return the runs of a folder as a sync takes them apart."""
    return [strip_derived(add_scores(workflow)) for workflow in read_costs(agents)]


def taken_apart(workflows: Iterable[Workflow]) -> list[Rows]:
    """Return workflows as the rows that the readers of a sync hand to the writer."""
    return [to_rows(workflow) for workflow in workflows]


def save_parts(database: Path, batches: Iterable[Sequence[Rows]]) -> None:
    """Insert or merge workflows that are rows already, all in one transaction."""
    with History.open(database_url(database)) as history, history.transaction():
        for batch in batches:
            history.save_rows(batch, replace=REPLACED_FIELDS)


def save_workflows(database: Path, batches: Iterable[Sequence[Workflow]]) -> None:
    """Take workflows apart and insert or merge them, all in one transaction."""
    save_parts(database, map(taken_apart, batches))


def demo_runs(scratch: Path, runs: int, end: datetime) -> list[tuple[Workflow, list[dict[str, Any]]]]:
    """Return the runs of a demo as the history holds them, each with its patterns."""
    agents, database = scratch / "agents", scratch / "demo.db"
    demo.make_agents_folder(agents, runs=runs, seed=1, end=end)
    sync(agents, database)
    made = ("similar_workflows", "pattern_count", "cost_data")  # stored elsewhere or made at reading
    with History.open(database_url(database)) as history:
        stored = history.read([ref.key for ref in history.list_refs()])
        return [
            ({name: value for name, value in run.items() if name not in made}, history.patterns(key))
            for key, run in stored.items()
        ]


def save_with_patterns(
    database: Path, batches: Iterable[Sequence[tuple[Workflow, Sequence[dict[str, Any]]]]]
) -> None:
    """Store runs and their patterns, and pack their columns, a batch in a transaction."""
    with History.open(database_url(database)) as history:
        for batch in batches:
            with history.transaction():
                keys = history.save([run for run, _ in batch]).keys
                found = {keys[run["project"], run["id"]]: patterns for run, patterns in batch}
                history.save_patterns(found)
                history.build_column_cache()


def list_page(**asked: Any) -> int:
    """Ask for a page of a list; return how many runs there are on all pages."""
    return find_runs(asked.pop("where", None), **asked).total


def first_names(**asked: Any) -> list[str]:
    """Return what the first runs of a list are called."""
    return [f"{run['project']}/{run['id']}" for run in find_runs(**asked).workflows]


def whole_run(name: str) -> Workflow | None:
    """Ask for one run's whole story, with its patterns and the runs that are like it, as `show` does."""
    run = load_workflow(name)
    for like in (run or {}).get("similar_workflows") or ():
        get_workflow_by_id(f"{like['project']}/{like['id']}")
    return run


def sums(by: str, **asked: Any) -> int:
    """Ask what runs add up to; return in how many groups."""
    return len(statistics.run_statistics(by, **asked).groups)


def waste() -> float:
    """Ask what was spent in vain."""
    return statistics.waste().wasted


def trend() -> int:
    """Ask what changed; return how many figures were compared."""
    return len(statistics.trend().changes)


def overview() -> int:
    """Ask for the first look; return how many runs it is of."""
    return statistics.overview().total.runs


def every_row() -> list[Workflow]:
    """Read load every run's values into Python: what any question costs without an index or columns."""
    with open_if_exists() as history:
        return [] if history is None else history.read_fields()
