"""`workflow-history cost`: what the runs of an agents folder cost; no history is opened or written."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from ... import costing
from ...errors import WorkflowHistoryError
from ...wording.syncing import no_runs_words
from ..folders import Directory, folders_of
from ..options import Command
from ..render.spending import cost_line, cost_report
from ..screen import screen_of

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history cost path/to/project
  workflow-history cost --by agent
  workflow-history cost old/agents --json | jq .recorded_cost
"""

COSTLIEST = 5
"""How many runs are shown where nobody asked for all of them."""


class Kind(StrEnum):
    """What costs are grouped by."""

    PHASE = "phase"
    AGENT = "agent"
    MODEL = "model"
    RUN = "run"


@app.command(epilog=EXAMPLES, cls=Command)
def cost(
    context: typer.Context,
    directory: Directory = None,
    by: Annotated[
        Kind | None,
        typer.Option(help="Only this table, whole. Without: phases, models and the costliest runs."),
    ] = None,
) -> None:
    """Tell what an agents folder's runs cost, without a history.

    Streams' own totals are read, and messages only where no total covers them. Nothing is written.

    What overwritten or deleted streams cost before, only a history knows: see sync.
    """
    screen = screen_of(context)
    folders = folders_of(directory)
    kinds = [by.value] if by else ["phase", "model", "run"]
    found = costing.folder_costs(*folders, kinds=kinds)
    if not found["runs"] and not found["problems"]:
        raise WorkflowHistoryError(no_runs_words(folders[0]))
    if by is None:
        found["by"]["run"] = found["by"]["run"][:COSTLIEST]
    if screen.as_json:
        screen.give(found)
    elif screen.quiet:
        screen.show(cost_line(found))
    else:
        screen.show(cost_report(found, screen.width))
        screen.next_steps(
            (f"workflow-history sync {directory or folders[0]}", "keep these runs in a history")
        )
