"""`workflow-history db`: path, schema version, integrity check and maintenance of the history database."""

from __future__ import annotations

import typer
from rich.text import Text

from ... import database
from ...common.errors import WorkflowHistoryError
from ..common_options import Command, CommandGroup, HistoryCommand
from ..output import get_output
from ..render.text import clean_text
from . import db_care
from . import db_care as db_scrub

EXAMPLES = """
Examples:
  workflow-history db path
  workflow-history db check
  workflow-history db backup ~/backups/history.db
  workflow-history db restore ~/backups/history.db
  workflow-history db prune --older-than 18mo
  workflow-history db scrub
"""

app = typer.Typer(
    help="Look after the history's database: where it is, check, backup, restore, prune, vacuum, scrub.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    cls=CommandGroup,
    add_completion=False,
)


@app.command(epilog="Example: workflow-history db path", cls=Command)
def path(context: typer.Context) -> None:
    """Print the path or URL of the history database."""
    screen = get_output(context)
    if screen.as_json:
        screen.print_json({"path": database.database_name()})
    else:
        screen.out.print(clean_text(database.database_name()), soft_wrap=True)


@app.command(epilog="Example: workflow-history db version", cls=HistoryCommand)
def version(context: typer.Context) -> None:
    """Print the schema version of the database."""
    screen = get_output(context)
    if screen.as_json:
        screen.print_json({"database_version": database.schema_version()})
    else:
        screen.print(clean_text(database.schema_version()))


@app.command(epilog="Example: workflow-history --db old.db db check", cls=Command)
def check(context: typer.Context) -> None:
    """Check the database for damage; repairs nothing. Exit code 1 if there is a problem."""
    screen = get_output(context)
    if database.schema_version() is None:
        raise WorkflowHistoryError(f"there is no history at {database.database_name()} yet")
    found = database.check()
    if screen.as_json:
        screen.print_json({"ok": not found, "problems": found})
    elif found:
        screen.print(*(Text.assemble(("✗ ", "red"), clean_text(problem)) for problem in found))
    elif not screen.quiet:
        screen.print(Text("✓ the history is sound", "green"))
    if found:
        raise typer.Exit(1)


db_care.register(app)
app.command(name="scrub", epilog=db_scrub.EXAMPLES, cls=HistoryCommand)(db_scrub.scrub)
