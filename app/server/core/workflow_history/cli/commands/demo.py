"""`workflow-history demo`: generate an agents directory with its own history, to explore."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ... import database, demo, sync
from ...common.errors import WorkflowHistoryError
from ...common.filters import RunFilter
from ...common.spending import run_cost
from ...common.urls import refuse_url
from ...queries.json.types import DemoResult
from ...queries.list_runs import costs_of, find_runs
from ..common_options import Command
from ..output import get_output, print_note
from ..render.run_list import render_run_list
from ..render.sync import render_sync_summary

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history demo
  workflow-history demo try-it --runs 40
"""

FOLDER = "agents"
HISTORY = "history.db"
RUNS, SEED = 240, 1
EXAMPLE_ROWS = 12  # runs shown in the list
EXAMPLE_TASK = "CSV export for suppliers"
"""Request text of a planted family of similar requests; see demo/tasks.py."""


@app.command(name="demo", epilog=EXAMPLES, cls=Command)
def make_demo(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory to create.")] = Path(
        "demo-history"
    ),
    runs: Annotated[int, typer.Option(metavar="N", help="Number of runs.", min=1)] = RUNS,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed.")] = SEED,
) -> None:
    """Create a demo history to explore.

    Creates everything, including the database, in one directory; your own history is not touched.

    Delete the directory to remove the demo. An existing demo is reused. With --quiet, prints nothing.
    """
    output = get_output(context)
    refuse_url(directory)
    agents, history = directory / FOLDER, directory / HISTORY
    context.with_resource(database.use_database(history))
    exists = _is_demo(directory)
    with output.progress() as report:
        if not exists:
            report_runs = partial(report, "make") if report else None
            now = datetime.now(UTC).astimezone()
            demo.make_agents_folder(agents, runs=runs, seed=seed, end=now, progress=report_runs)
        stats = sync.sync_workflow_history(silent=True, agents_dir=agents, progress=report)
    if exists and (runs, seed) != (RUNS, SEED):
        print_note(f"The demo in {directory} exists already, so --runs and --seed have no effect.")
    page = find_runs(limit=EXAMPLE_ROWS)
    if output.as_json:
        output.print_json(DemoResult(str(agents), str(history), stats))
    elif not output.quiet and page.workflows:
        output.print(
            render_sync_summary({**stats, "errors": []}, output.width),
            "",
            render_run_list(page.workflows, page.total, costs_of(RunFilter()), output.width),
        )
        program = f"workflow-history --db {shlex.quote(str(history))}"
        output.print_hints(
            (f"{program} serve {shlex.quote(str(agents))}", "browse it"),
            *((f"{program} {command}", purpose) for command, purpose in _example_commands(page.workflows)),
            ("workflow-history sync path/to/project", "your own runs"),
        )


def _example_commands(runs: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield commands that show the effects planted in the demo, each with its purpose."""
    most_expensive = max(runs, key=lambda run: run_cost(run).minimum or 0)  # it has the most to show
    yield "stats", "total cost by week, workflow, model and phase"
    yield f"show {most_expensive['id']}", "details of a run"
    yield "anomalies", "regressions"
    yield "patterns", "recurring operations"
    yield f'similar --text "{EXAMPLE_TASK}"', "similar runs"
    yield f'forecast --text "{EXAMPLE_TASK}"', "predicted cost"


def _is_demo(directory: Path) -> bool:
    """Return whether a demo exists; raises WorkflowHistoryError if the directory has other content."""
    if (directory / FOLDER).is_dir() and (directory / HISTORY).is_file():
        return True
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise WorkflowHistoryError(
            f"{directory} exists and is not a finished demo. Delete it, or choose another directory."
        )
    return False
