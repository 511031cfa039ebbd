"""`workflow-history similar`: find the runs most similar to a run or a request, with the reasons."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ...common.errors import InvalidQueryError
from ...queries.similar import similar_runs
from ..common_options import decode_argument
from ..filter_options import FilteredCommand, get_filter
from ..output import get_output
from ..render.similar import quoted_run_id, render_similar, similar_ids

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history similar a1b2c3d4
  workflow-history similar a1b2c3d4 --status completed --threshold 0.3
  workflow-history similar --text "let users download the list as a file"
  cat issue.md | workflow-history similar --text - --json
"""

MAX_STDIN_CHARS = 1_000_000  # characters read from standard input; no request is that long


@app.command(epilog=EXAMPLES, cls=FilteredCommand)
def similar(
    context: typer.Context,
    run_id: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="A run: its id, project/id, or a beginning that only it has."),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option("--text", "-t", metavar="TEXT", help="A task in words; - reads standard input."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", metavar="N", help="At most this many; 5, or 10 for a text.", min=1),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(metavar="SCORE", help="Least score, 0 to 1; 0.5, or 0.3 for a text."),
    ] = None,
) -> None:
    """Find the runs most like one, or like a task in words.

    Shows the reasons for each. The score combines request text, status, cost and duration; the score of a
    text alone uses only its words.
    """
    output = get_output(context)
    result = similar_runs(run_id, _read_text(text), get_filter(context), limit, threshold)
    if output.as_json:
        output.print_result(result)
    elif output.quiet:
        output.print(*similar_ids(result))
    else:
        output.print(render_similar(result, output.width))
        if result.runs:
            nearest = quoted_run_id(result.runs[0].project, result.runs[0].id)
            if result.id:
                own = quoted_run_id(result.project, result.id)
                output.print_hints((f"workflow-history compare {own} {nearest}", "side by side"))
            else:
                output.print_hints((f"workflow-history show {nearest}", "the nearest run's story"))


def _read_text(text: str | None) -> str | None:
    if text != "-":
        return None if text is None else decode_argument(text)
    text = sys.stdin.read(MAX_STDIN_CHARS)
    if not text.strip():
        raise InvalidQueryError("nothing came by standard input; give the text after --text")
    return text
