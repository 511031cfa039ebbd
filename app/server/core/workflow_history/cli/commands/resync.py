"""`workflow-history resync`: recalculate costs from the files, for one run or for many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from ... import database
from ... import resync as resyncs
from ..common_options import HistoryCommand
from ..output import get_output, print_error
from ..render.resync import render_resync, render_resyncs, resync_errors

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history resync a1b2c3d4
  workflow-history resync --status failed
  workflow-history resync --since 2026-01-01 --until 2026-01-31
  workflow-history resync --all
"""

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


@app.command(epilog=EXAMPLES, cls=HistoryCommand)
def resync(  # noqa: PLR0917 - a command line has many options
    context: typer.Context,
    run_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="One run, as in show.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All runs.")] = False,
    status: Annotated[str | None, typer.Option(metavar="WORD", help="The runs with this status.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The runs from this day on, UTC."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The runs up to this day's end, UTC."),
    ] = None,
) -> None:
    """Count the costs of known runs anew.

    For one run, all runs, one status or a range of days.

    A stored cost never decreases because a file is missing.
    """
    span = since is not None or until is not None
    if sum((run_id is not None, every, status is not None, span)) != 1:
        raise typer.BadParameter("say which runs: an ID, --all, --status, or --since and --until")
    screen = get_output(context)
    if run_id is not None:
        result = _one(run_id)
    elif span:
        result = resyncs.resync_workflows_by_date_range(*_span(since, until))
    else:
        result = resyncs.resync_all_completed_workflows(status_filter=status)
    if screen.as_json:
        screen.print_json(result)
    elif screen.quiet:
        for line in resync_errors(result):
            print_error(line)
    else:
        screen.print(render_resync(result) if run_id is not None else render_resyncs(result))
    if result.get("success") is False or result.get("failed"):
        raise typer.Exit(1)


def _one(run_id: str) -> dict[str, Any]:
    run = database.the_workflow(run_id)
    name = f"{run['project']}/{run['id']}" if run.get("project") else run["id"]
    return resyncs.resync_workflow_cost(name)


def _span(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    """Return a range of whole days as aware UTC times; the end is exclusive."""
    start = since.replace(tzinfo=UTC) if since else _EARLIEST
    last = until.replace(tzinfo=UTC) if until else datetime.now(UTC)
    return start, last + timedelta(days=1)
