"""`workflow-history schema`: the JSON Schemas of what the commands give with --json."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from ...answers.schemas import PUBLISHED, schema_of
from ..options import Command
from ..screen import screen_of

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history schema
  workflow-history schema list
  workflow-history schema run > run.schema.json
"""


@app.command(epilog=EXAMPLES, cls=Command)
def schema(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="SCHEMA", help="Without: all names.", show_default=False),
    ] = None,
) -> None:
    """Print the JSON Schema of what a command gives with --json.

    Every answer has a schema_version: it rises when a key goes or changes its meaning, not for a new key.
    """
    screen = screen_of(context)
    if name is not None:
        screen.write_json(schema_of(name))
    elif screen.as_json:
        screen.give({"names": list(PUBLISHED)})
    else:
        screen.show(*(Text(name) for name in PUBLISHED))
