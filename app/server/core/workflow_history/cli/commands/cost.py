"""`workflow-history cost`: costs of the runs in an agents directory; opens and writes no history."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from ... import scanner
from ...pipeline import folder_costs
from ..common_options import Command, Verbose
from ..folders import Directory, no_runs_error, resolve_folder
from ..output import get_output
from ..render.cost import render_cost_line, render_cost_report

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history cost path/to/project
  workflow-history cost --by agent
  workflow-history cost old/agents --json | jq .recorded_cost
"""

MAX_RUNS = 5
"""Number of runs shown without --by run."""


class Grouping(StrEnum):
    """Keys to group costs by."""

    PHASE = "phase"
    AGENT = "agent"
    MODEL = "model"
    RUN = "run"


@app.command(epilog=EXAMPLES, cls=Command)
def cost(
    context: typer.Context,
    directory: Directory = None,
    by: Annotated[
        Grouping | None,
        typer.Option(
            help="Show only this table, complete. Default: phases, models and the most expensive runs."
        ),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Price a directory of runs without storing them.

    Reads result messages, and single messages if there is no result message. Writes nothing. Costs of
    overwritten or deleted transcripts are kept only in a history: see sync.

    For costs of a stored history, use stats. With --quiet, prints the total only.
    """
    output = get_output(context)
    folder = resolve_folder(directory)
    folders = scanner.find_agents_folders(folder)
    kinds = [by.value] if by else ["phase", "model", "run"]
    result = folder_costs.folder_costs(*folders, kinds=kinds)
    if not result["runs"] and not result["problems"]:
        raise no_runs_error(folder)
    if by is None:
        result["by"]["run"] = result["by"]["run"][:MAX_RUNS]
    if output.as_json:
        output.print_json(result)
    elif output.quiet:
        output.print(render_cost_line(result))
    else:
        output.print(render_cost_report(result, output.width, verbose=verbose))
        output.print_hints(
            (f"workflow-history sync {directory or folders[0]}", "store these runs in a history")
        )
