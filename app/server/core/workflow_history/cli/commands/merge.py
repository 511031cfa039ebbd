"""`workflow-history merge`: import the runs of another history and print a summary."""

from __future__ import annotations

from typing import Annotated

import typer

from ...maintenance.merge.merge_history import merge_history
from ..common_options import Command
from ..output import get_output
from ..render.maintenance import render_merge

EXAMPLES = """
Examples:
  workflow-history merge laptop.db
  workflow-history merge laptop.db --dry-run
  workflow-history --db postgresql+psycopg://history@server/team merge ~/history.db
  workflow-history --db restored.db merge backup-of-monday.db
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES, cls=Command)
def merge(
    context: typer.Context,
    other: Annotated[str, typer.Argument(metavar="PATH_OR_URL", help="The other history: path or URL.")],
    host: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Host of runs for which the other history has none."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be imported, and change nothing.")
    ] = False,
    with_pruned: Annotated[
        bool, typer.Option("--include-pruned", help="Also import runs that were pruned here.")
    ] = False,
) -> None:
    """Import runs from another history. The other history is only read.

    A run in both histories is stored once, and its cost counts once. Merging again changes nothing.

    Different runs with the same ID are both kept: the later one gets a name with its host or directory.
    """
    output = get_output(context)
    with output.progress() as report:
        result = merge_history(other, host=host, dry_run=dry_run, with_pruned=with_pruned, progress=report)
    if output.as_json:
        output.print_json(result)
    elif not output.quiet:
        output.print(render_merge(result))
