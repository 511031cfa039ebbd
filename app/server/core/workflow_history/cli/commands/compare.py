"""`workflow-history compare`: compare two runs, phase by phase."""

from __future__ import annotations

from typing import Annotated

import typer

from ...analysis.comparison.records import RunRef
from ...queries.compare import compare_runs
from ..common_options import HistoryCommand
from ..output import get_output
from ..render.compare import render_comparison, render_cost_difference
from ..render.similar import qualified_id

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history compare a1b2c3d4 e5f6a7b8
  workflow-history compare shop/a1b2 shop/e5f6 --json | jq .cost_from
"""


@app.command(epilog=EXAMPLES, cls=HistoryCommand)
def compare(
    context: typer.Context,
    a: Annotated[
        str, typer.Argument(metavar="A", help="A run: its id, project/id, or a beginning that only it has.")
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
) -> None:
    """Hold two runs side by side.

    Shows both requests, the costs by phase, and where the difference comes from. Differences are B minus A.
    """
    screen = get_output(context)
    found = compare_runs(a, b)
    if screen.as_json:
        screen.answer(found)
    elif screen.quiet:
        screen.print(render_cost_difference(found))
    else:
        screen.print(render_comparison(found, screen.width))
        screen.print_hints(
            (f"workflow-history explain {_name(found.a)} cost", "from which files A's cost comes"),
            (f"workflow-history explain {_name(found.b)} cost", "from which files B's cost comes"),
        )


def _name(side: RunRef) -> str:
    return qualified_id(side.project, side.id)
