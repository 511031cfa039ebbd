"""`workflow-history syncs`: list the recorded syncs, latest first."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from ...queries.sync_status import find_syncs
from ..common_options import HistoryCommand, PageCursor
from ..output import get_output
from ..render.syncs import render_syncs

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history syncs
  workflow-history syncs --limit 1 --json | jq '.syncs[0].started_at'
"""


@app.command(epilog=EXAMPLES, cls=HistoryCommand)
def syncs(
    context: typer.Context,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", help="Show at most N syncs.", min=1)
    ] = 20,
    after: PageCursor = None,
) -> None:
    """List recorded syncs, latest first.

    A sync that changed nothing is not recorded. With --quiet, prints only the number of each sync.
    """
    output = get_output(context)
    page = find_syncs(limit=limit, cursor=after)
    if output.as_json:
        output.print_json(page)
    elif output.quiet:
        output.print(*(Text(str(sync["number"])) for sync in page.syncs))
    elif page.syncs:
        output.print(*render_syncs(page, output.width))
        if page.next_cursor is not None:
            command = f"workflow-history syncs --limit {limit} --after {page.next_cursor}"
            output.print_hints((command, "earlier syncs"))
    else:
        output.print(Text("No syncs recorded." if page.total else "No syncs recorded yet."))
        if not page.total:
            output.print_hints(("workflow-history sync path/to/project", "sync a project's runs"))
