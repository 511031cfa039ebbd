"""`workflow-history show`: show all details of one run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from ... import database
from ...analysis.patterns import pattern_id
from ...presentation.patterns import short_id
from ...presentation.run_list import qualified_id
from ...queries.similar_links import resolve_similar
from ..common_options import HistoryCommand
from ..output import get_output
from ..render.run_detail import render_run_detail

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history show a1b2c3d4
  workflow-history show shop/a1b2c3d4 --full
  workflow-history show a1b2 --json
"""


@app.command(epilog=EXAMPLES, cls=HistoryCommand)
def show(
    context: typer.Context,
    run_id: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Run ID, project/ID or a unique prefix. Put -- first if it starts with a dash.",
        ),
    ],
    full: Annotated[bool, typer.Option("--full", help="Show the full request.")] = False,
) -> None:
    """Show all details of a run.

    Shows the request, the status with its reason, the cost of each agent run, and the source of each value.
    """
    output = get_output(context)
    run = database.require_workflow(run_id)
    if output.as_json:
        output.print_json(run)
        return
    similar_runs = [{**similar.link, "workflow": similar.run} for similar in resolve_similar(run)]
    output.print(render_run_detail(run, output.width, similar_runs=similar_runs, full=full))
    output.print_hints(*_hints(run, similar_runs))


def _hints(run: Mapping[str, Any], similar_runs: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the next commands for a run, such as a comparison with its most similar run."""
    name = shlex.quote(qualified_id(run))
    hints = [(f"workflow-history explain {name} cost", "files and lines of its cost")]
    if similar_runs:
        hints.append((f"workflow-history similar {name}", "why these runs are similar"))
        if nearest := similar_runs[0].get("workflow"):
            other = shlex.quote(qualified_id(nearest))
            hints.append((f"workflow-history compare {name} {other}", "compare with the most similar run"))
    for pattern in (run.get("patterns") or ())[:1]:
        key = short_id(pattern_id(pattern["kind"], pattern["signature"]))
        hints.append((f"workflow-history patterns show {key}", "cost of its first pattern over all runs"))
    return hints
