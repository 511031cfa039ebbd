"""`workflow-history similar`: find the runs most similar to a run or a request, with the reasons."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ...common.errors import InvalidQueryError
from ...queries.similar import similar_runs
from ..common_options import OptionalRunId, decode_argument
from ..filter_options import FilteredCommand, get_filter
from ..no_runs import show_no_runs
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
    run_id: OptionalRunId = None,
    text: Annotated[
        str | None,
        typer.Option("--text", "-t", metavar="TEXT", help="Request to compare with; - reads standard input."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", "-n", metavar="N", help="Show at most N runs; default: 5, with --text 10.", min=1
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(metavar="SCORE", help="Minimum score, 0 to 1; default: 0.5, with --text 0.3."),
    ] = None,
) -> None:
    """Find runs similar to a run or a request.

    Shows the score of each run with its reasons. The score combines request text, status, cost and duration;
    with --text, only the request text counts.

    With --quiet, prints run IDs only.
    """
    output = get_output(context)
    result = similar_runs(run_id, _read_text(text), get_filter(context), limit, threshold)
    if output.as_json:
        output.print_json(result)
    elif output.quiet:
        output.print(*similar_ids(result))
    elif not result.compared and result.basis == "text":
        show_no_runs(context)
    else:
        output.print(render_similar(result, output.width))
        if not result.compared:
            output.print_hints(("workflow-history sync path/to/project", "sync more runs"))
        if result.runs:
            nearest = quoted_run_id(result.runs[0].project, result.runs[0].id)
            if result.id:
                own = quoted_run_id(result.project, result.id)
                output.print_hints(
                    (f"workflow-history compare {own} {nearest}", "compare with the most similar run")
                )
            else:
                output.print_hints((f"workflow-history show {nearest}", "details of the most similar run"))


def _read_text(text: str | None) -> str | None:
    if text != "-":
        return None if text is None else decode_argument(text)
    text = sys.stdin.read(MAX_STDIN_CHARS)
    if not text.strip():
        raise InvalidQueryError("Standard input is empty. Give the request after --text, or pipe it in.")
    return text
