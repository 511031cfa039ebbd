"""`workflow-history reprice`: recalculate costs from the files, for one run or for many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from ... import database
from ... import resync as resyncs
from ...common.errors import InvalidQueryError
from ...common.filter_options import parse_end, parse_moment
from ...common.time_zones import TZ_HELP, zone_named
from ..common_options import HistoryCommand
from ..output import get_output, print_error
from ..render.maintenance import render_resync, render_resync_summary, resync_errors

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history reprice a1b2c3d4
  workflow-history reprice --status failed
  workflow-history reprice --since 2026-01-01 --until 2026-01-31
  workflow-history reprice --all
"""

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)  # runs dated later than tomorrow are not real


@app.command(epilog=EXAMPLES, cls=HistoryCommand)
def reprice(  # noqa: PLR0917 - a command line has many options
    context: typer.Context,
    run_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="One run, as in show.", show_default=False)
    ] = None,
    all_runs: Annotated[bool, typer.Option("--all", help="All runs.")] = False,
    status: Annotated[str | None, typer.Option(metavar="STATUS", help="The runs with this status.")] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Runs created at or after: 2026-03-01, 7d, today."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Runs created before the end of this date or time."),
    ] = None,
    tz: Annotated[str | None, typer.Option("--tz", metavar="ZONE", help=TZ_HELP)] = None,
) -> None:
    """Recalculate costs of stored runs.

    Reads the transcripts again and prices them with the installed price table and the prices of the config
    file. Select one run, all runs, one
    status or a period. A stored cost never decreases because a file is missing.

    With --quiet, prints only errors. Exit code 1: a run could not be repriced.
    """
    has_dates = since is not None or until is not None
    if sum((run_id is not None, all_runs, status is not None, has_dates)) != 1:
        raise InvalidQueryError(
            "No runs selected, or in several ways. "
            "Use one of: an ID, --all, --status, or --since and --until."
        )
    output = get_output(context)
    if run_id is not None:
        run = database.require_workflow(run_id)
        name = f"{run['project']}/{run['id']}" if run.get("project") else run["id"]
        result = resyncs.resync_workflow_cost(name)
    elif has_dates:
        result = resyncs.resync_workflows_by_date_range(*_period(since, until, tz))
    else:
        result = resyncs.resync_all_completed_workflows(status_filter=status)
    if output.as_json:
        output.print_json(result)
    elif output.quiet:
        for line in resync_errors(result):
            print_error(line)
    else:
        output.print(render_resync(result) if run_id is not None else render_resync_summary(result))
    if result.get("success") is False or result.get("failed"):
        raise typer.Exit(1)


def _period(since: str | None, until: str | None, tz: str | None) -> tuple[datetime, datetime]:
    """Return the start and the exclusive end of the typed period."""
    now, zone = datetime.now(UTC), zone_named(tz)
    start = parse_moment(since, now, zone, "since") if since else _EARLIEST
    end = parse_end(until, zone, "until") if until else now + _DAY
    if end < start:
        raise InvalidQueryError(
            f"--until {until} is before --since {since}." if until else f"--since {since} is in the future."
        )
    return start, end
