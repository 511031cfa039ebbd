"""`workflow-history compare`: compare two runs, phase by phase."""

from __future__ import annotations

from typing import Annotated

import typer

from ...queries.compare import compare_runs
from ..common_options import HistoryCommand
from ..output import get_output
from ..render.compare import render_comparison, render_cost_difference
from ..render.similar import quoted_run_id

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history compare a1b2c3d4 e5f6a7b8
  workflow-history compare shop/a1b2 shop/e5f6 --json | jq .cost_from
"""


@app.command(epilog=EXAMPLES, cls=HistoryCommand)
def compare(
    context: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help="Run ID, project/ID or a unique prefix.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other run, likewise.")],
) -> None:
    """Compare two runs.

    Shows both requests, costs by phase and the causes of the cost difference. Differences are B
    minus A.
    """
    output = get_output(context)
    result = compare_runs(a, b)
    if output.as_json:
        output.print_json(result)
    elif output.quiet:
        output.print(render_cost_difference(result))
    else:
        output.print(render_comparison(result, output.width))
        names = [quoted_run_id(run.project, run.id) for run in (result.a, result.b)]
        output.print_hints(
            (f"workflow-history explain {names[0]} cost", "sources of A's cost"),
            (f"workflow-history explain {names[1]} cost", "sources of B's cost"),
        )
