"""`workflow-history list`: a page of the history as a table."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from ... import database
from ..options import Command
from ..render.runs import full_id, no_runs, run_list
from ..screen import screen_of

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history list
  workflow-history list --status failed --limit 50
  workflow-history list --search "csv export" --sort cost
  workflow-history list --json | jq '.workflows[].total_cost'
"""

SORT_NAMES = {
    "when": "created_at",
    "cost": "total_cost",
    "duration": "duration_seconds",
    "tokens": "total_tokens",
    "model": "model_used",
    "workflow": "workflow_template",
}
"""Short names for what the table shows; any other column of the history can be named as it is."""


class Order(StrEnum):
    """Which end comes first."""

    DESC = "desc"
    ASC = "asc"


@app.command(epilog=EXAMPLES, cls=Command)
def list_runs(  # noqa: PLR0917 - a command line has many options
    context: typer.Context,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", help="Show at most this many.", min=0)
    ] = 20,
    offset: Annotated[int, typer.Option(metavar="N", help="Skip this many.", min=0)] = 0,
    status: Annotated[
        str | None,
        typer.Option(
            metavar="WORD",
            help="Only runs with this status: completed, failed, running, incomplete, unknown.",
        ),
    ] = None,
    search: Annotated[
        str | None, typer.Option("--search", "-s", metavar="TEXT", help="Only runs with this text in them.")
    ] = None,
    sort: Annotated[
        str, typer.Option(metavar="KEY", help=f"Sort by {', '.join(SORT_NAMES)} or any column.")
    ] = "when",
    order: Annotated[Order, typer.Option(help="Largest or smallest first.")] = Order.DESC,
) -> None:
    """List the runs, newest first.

    Narrow terminals lose columns, not runs. With --quiet only the ids are printed.
    """
    screen = screen_of(context)
    page = database.get_workflow_history(
        limit=limit,
        offset=offset,
        status=status,
        search=search,
        sort_by=SORT_NAMES.get(sort, sort),
        sort_order=order.value.upper(),
    )
    if screen.as_json:
        screen.give(page)
    elif screen.quiet:
        screen.show(*(full_id(run) for run in page["workflows"]))
    elif page["workflows"]:
        screen.show(run_list(page, screen.width))
    else:
        screen.show(no_runs(filtered=bool(status or search or offset or page["total"])))
