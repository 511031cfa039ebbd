"""`workflow-history explain`: show the source file, line and rule of a value of a run."""

from __future__ import annotations

from typing import Annotated

import typer

from ...queries.explain import explain_run
from ..common_options import HistoryCommand
from ..output import get_output
from ..render.explain import render_explanation, render_explanation_line
from ..render.similar import quoted_run_id

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history explain a1b2c3d4
  workflow-history explain a1b2c3d4 cost
  workflow-history explain a1b2c3d4 build
  workflow-history explain a1b2c3d4 quality --json
"""


@app.command(epilog=EXAMPLES, cls=HistoryCommand)
def explain(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(metavar="ID", help="Run ID, project/ID or a unique prefix.")],
    field: Annotated[
        str | None,
        typer.Argument(
            metavar="FIELD",
            help="cost, status, duration, tokens, quality or another key of a run; a phase or an agent.",
        ),
    ] = None,
) -> None:
    """Show where a value of a run comes from: file, line and rule.

    Costs are listed by agent run, with the reported cost next to the computed cost (tokens times the price
    on the run's date). Without FIELD, shows the main values, each with its rule.

    With --quiet, prints one line with the value and its source.
    """
    output = get_output(context)
    result = explain_run(run_id, field)
    if output.as_json:
        output.print_json(result)
    elif output.quiet:
        output.print(render_explanation_line(result))
    else:
        output.print(render_explanation(result, output.width))
        if result.of:
            name = quoted_run_id(result.project, result.id)
            output.print_hints(
                (f"workflow-history explain {name} cost", "cost of each agent run with file and line"),
                (f"workflow-history explain {name} quality", "components of a score"),
            )
