"""`workflow-history schema`: print the JSON Schemas of the commands' --json output."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from ...queries.json.schemas import SCHEMAS, get_schema
from ...queries.json.types import SchemaNames
from ..common_options import Command
from ..output import get_output

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
        typer.Argument(metavar="SCHEMA", help="Schema name; default: list all names.", show_default=False),
    ] = None,
) -> None:
    """Print the JSON Schema of a command's --json output.

    All JSON output has a schema_version. It increases if a key is removed or changes
    meaning, not for new keys.
    """
    output = get_output(context)
    if name is not None:
        output.write_json(get_schema(name))
    elif output.as_json:
        output.print_json(SchemaNames(list(SCHEMAS)))
    else:
        output.print(*(Text(name) for name in SCHEMAS))
