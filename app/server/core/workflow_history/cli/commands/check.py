"""`workflow-history check`: spending is held against budgets; the exit code says how it stands."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ...answers.budgets import check_budgets
from ...config import read_config, write_example
from ...narrowing import moment_of
from ...wording.text import one_line
from ..options import Command
from ..render.watching import budget_report, passed
from ..screen import screen_of

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history check --init
  workflow-history check
  workflow-history check --regressions --quiet
  workflow-history check --since 7d --json | jq '.budgets[] | select(.state == "passed")'
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
        str | None, typer.Option(metavar="TIME", help="Judge as if it were this moment; without: now.")
    ] = None,
    regressions: Annotated[
        bool, typer.Option("--regressions", help="Fail too where something got worse; see anomalies.")
    ] = False,
    init: Annotated[bool, typer.Option("--init", help="Write a first file with budgets to edit.")] = False,
) -> None:
    """Hold spending against budgets; for CI and cron.

    Exit code 0: all within; 1: a budget is passed; 2: the file is faulty, or there is none.

    With --quiet nothing is printed where all is well.
    """
    screen = screen_of(context)
    if init:
        path = write_example(config)
        if screen.as_json:
            screen.give({"config": str(path)})
        elif not screen.quiet:
            screen.show(Text(f"wrote {one_line(path)}: edit the budgets in it"))
            screen.next_steps(("workflow-history check", "hold spending against them"))
        return
    settings = read_config(config)
    now = moment_of(at, zone=settings.time_zone) if at else datetime.now(UTC)
    start = moment_of(since, now, settings.time_zone) if since else None
    found = check_budgets(settings, start, now, regressions=regressions)
    if screen.as_json:
        screen.answer(found)
    elif screen.quiet:
        screen.show(*passed(found))
    else:
        screen.show(budget_report(found, screen.width))
    if not found.ok:
        raise typer.Exit(1)
