"""`workflow-history compare`: two runs side by side, phase by phase."""

from __future__ import annotations

from typing import Annotated

import typer

from ...answers.compare import compare_runs
from ...comparing.shapes import Side
from ..options import AskingCommand
from ..render.comparing import comparison, cost_sentence
from ..render.similar import full_name
from ..screen import screen_of

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history compare a1b2c3d4 e5f6a7b8
  workflow-history compare shop/a1b2 shop/e5f6 --json | jq .cost_from
"""


@app.command(epilog=EXAMPLES, cls=AskingCommand)
def compare(
    context: typer.Context,
    a: Annotated[
        str, typer.Argument(metavar="A", help="A run: its id, project/id, or a beginning that only it has.")
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
) -> None:
    """Hold two runs side by side.

    What was asked, what they cost, phase by phase, and where the difference comes from. Differences are B
    less A.
    """
    screen = screen_of(context)
    found = compare_runs(a, b)
    if screen.as_json:
        screen.answer(found)
    elif screen.quiet:
        screen.show(cost_sentence(found))
    else:
        screen.show(comparison(found, screen.width))
        screen.next_steps(
            (f"workflow-history explain {_name(found.a)} cost", "from which files A's cost comes"),
            (f"workflow-history explain {_name(found.b)} cost", "from which files B's cost comes"),
        )


def _name(side: Side) -> str:
    return full_name(side.project, side.id)
