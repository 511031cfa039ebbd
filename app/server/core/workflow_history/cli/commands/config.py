"""`workflow-history config`: show the config file in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ...common.formatting.text import non_empty_lines
from ...queries.json.types import ConfigShown
from ...queries.settings_file import load_config
from ..common_options import Command, CommandGroup
from ..output import get_output
from ..render.text import clean_text

EXAMPLES = """
Examples:
  workflow-history config show
  workflow-history config show --json | jq .content.budget
"""

app = typer.Typer(
    help="Show the config file with budgets, retention rules and prices.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    cls=CommandGroup,
    add_completion=False,
)


@app.callback()
def config() -> None:
    """Show the config file with budgets, retention rules and prices."""


@app.command(epilog="Example: workflow-history config show", cls=Command)
def show(
    context: typer.Context,
    config_file: Annotated[
        Path | None, typer.Option("--config", metavar="PATH", help="Show this config file instead.")
    ] = None,
) -> None:
    """Print the path and the settings of the config file in use, without comments.

    The file is WORKFLOW_HISTORY_CONFIG if set, else ./workflow-history.toml, else config.toml in the user
    config directory. With --quiet, prints only the path. Exit code 2: the file is missing or invalid.
    """
    output = get_output(context)
    loaded = load_config(config_file)
    if output.as_json:
        output.print_json(ConfigShown(str(loaded.path), loaded.content))
        return
    output.out.print(clean_text(loaded.path), soft_wrap=True)
    if not output.quiet:
        lines = [line for line in non_empty_lines(loaded.text) if not line.lstrip().startswith("#")]
        output.print(Text(), *map(clean_text, lines))
