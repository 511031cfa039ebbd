"""`workflow-history check`: compare spending with budgets; the exit code is the result."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ...common.filter_options import parse_moment
from ...common.formatting.text import single_line
from ...queries.budgets import check_budgets
from ...queries.settings_file import create_default_config, read_config
from ..common_options import Command
from ..output import get_output
from ..render.anomalies import render_budgets, render_exceeded

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history check --init
  workflow-history check
  workflow-history check --regressions --quiet
  workflow-history check --since 7d --json | jq '.budgets[] | select(.state == "exceeded")'
"""


@app.command(epilog=EXAMPLES, cls=Command)
def check(  # noqa: PLR0917 - a command line has many options
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The file with the budgets; without: workflow-history.toml."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Judge what was made from then on; without: in the last day."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--as-of", metavar="TIME", help="Judge as if it were this moment; without: now."),
    ] = None,
    regressions: Annotated[
        bool, typer.Option("--regressions", help="Fail too where something got worse; see anomalies.")
    ] = False,
    init: Annotated[bool, typer.Option("--init", help="Write a first file with budgets to edit.")] = False,
) -> None:
    """Hold spending against budgets; for CI and cron.

    Exit code 0: all within budget; 1: a budget is exceeded; 2: the config file is invalid or missing.

    With --quiet, nothing is printed if all is within budget.
    """
    output = get_output(context)
    if init:
        path = create_default_config(config)
        if output.as_json:
            output.print_json({"config": str(path)})
        elif not output.quiet:
            output.print(Text(f"wrote {single_line(path)}: edit the budgets in it"))
            output.print_hints(("workflow-history check", "hold spending against them"))
        return
    settings = read_config(config)
    now = parse_moment(at, zone=settings.time_zone) if at else datetime.now(UTC)
    start = parse_moment(since, now, settings.time_zone) if since else None
    result = check_budgets(settings, start, now, regressions=regressions)
    if output.as_json:
        output.print_result(result)
    elif output.quiet:
        output.print(*render_exceeded(result))
    else:
        output.print(render_budgets(result, output.width))
    if not result.ok:
        raise typer.Exit(1)
