"""`workflow-history budget`: compare spending with budgets; the exit code is the result."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ...common.filter_options import parse_moment
from ...common.formatting.text import single_line
from ...queries.budgets import check_budgets
from ...queries.json.types import ConfigCreated
from ...queries.settings_file import create_default_config, read_config
from ..common_options import Command, CommandGroup
from ..output import get_output
from ..render.anomalies import render_budgets, render_exceeded

EXAMPLES = """
Examples:
  workflow-history budget init
  workflow-history budget check
  workflow-history budget check --regressions --quiet
"""

CHECK_EXAMPLES = """
Examples:
  workflow-history budget check
  workflow-history budget check --regressions --quiet
  workflow-history budget check --since 7d --json | jq '.budgets[] | select(.state == "exceeded")'
"""

app = typer.Typer(
    help="Check spending against budgets (exit code for CI and cron).",
    epilog=EXAMPLES,
    no_args_is_help=True,
    cls=CommandGroup,
    add_completion=False,
)
former_app = typer.Typer(add_completion=False)
"""The former `check` and `check --init`."""

ConfigPath = Annotated[
    Path | None,
    typer.Option("--config", metavar="PATH", help="Config file with the budgets; default: see config show."),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="Check runs created at or after this time; default: the last day."
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TIME", help="Check as of this date or time; default: now."),
]
Regressions = Annotated[
    bool, typer.Option("--regressions", help="Also fail if there is a regression; see anomalies.")
]


@app.command(epilog=CHECK_EXAMPLES, cls=Command)
def check(
    context: typer.Context,
    config: ConfigPath = None,
    since: Since = None,
    as_of: AsOf = None,
    regressions: Regressions = False,
) -> None:
    """Check spending against budgets (exit code for CI and cron).

    Exit codes: 0 within budget; 1 budget exceeded (with --regressions: or a regression found); 2 config file
    missing or invalid.

    With --quiet, prints nothing when within budget.
    """
    output = get_output(context)
    settings = read_config(config)
    now = parse_moment(as_of, zone=settings.time_zone, name="as-of") if as_of else datetime.now(UTC)
    start = parse_moment(since, now, settings.time_zone, "since") if since else None
    result = check_budgets(settings, start, now, regressions=regressions)
    if output.as_json:
        output.print_json(result)
    elif output.quiet:
        output.print(*render_exceeded(result))
    else:
        output.print(render_budgets(result, output.width))
    if not result.ok:
        raise typer.Exit(1)


@app.command(epilog="Example: workflow-history budget init", cls=Command)
def init(context: typer.Context, config: ConfigPath = None) -> None:
    """Create a config file with example budgets to edit. An existing file is not overwritten."""
    output = get_output(context)
    path = create_default_config(config)
    if output.as_json:
        output.print_json(ConfigCreated(str(path)))
    elif not output.quiet:
        output.print(Text(f"created {single_line(path)}; edit the budgets in it"))
        output.print_hints(("workflow-history budget check", "check spending against them"))


@former_app.command(name="check", epilog=CHECK_EXAMPLES, cls=Command)
def check_or_init(  # noqa: PLR0917 - a command line has many options
    context: typer.Context,
    config: ConfigPath = None,
    since: Since = None,
    as_of: AsOf = None,
    regressions: Regressions = False,
    with_init: Annotated[bool, typer.Option("--init", hidden=True)] = False,
) -> None:
    """Check spending against budgets (former name of budget check)."""
    if with_init:
        init(context, config)
    else:
        check(context, config, since, as_of, regressions)
