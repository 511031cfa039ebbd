"""`workflow-history db`: where the history lies, which shape it has, whether it is sound; and its care."""

from __future__ import annotations

import typer
from rich.text import Text

from ... import database
from ...errors import WorkflowHistoryError
from ..options import AskingCommand, Command, CommandGroup
from ..render.text import said
from ..screen import screen_of
from . import db_care, db_scrub

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
    """Print where the history is stored."""
    screen = screen_of(context)
    if screen.as_json:
        screen.give({"path": database.location()})
    else:
        screen.out.print(said(database.location()), soft_wrap=True)


@app.command(epilog="Example: workflow-history db version", cls=AskingCommand)
def version(context: typer.Context) -> None:
    """Print the version of the database's tables."""
    screen = screen_of(context)
    if screen.as_json:
        screen.give({"database_version": database.schema_version()})
    else:
        screen.show(said(database.schema_version()))


@app.command(epilog="Example: workflow-history --db old.db db check", cls=Command)
def check(context: typer.Context) -> None:
    """Look for damage; nothing is repaired. Exit code 1 where something is wrong."""
    screen = screen_of(context)
    if database.schema_version() is None:
        raise WorkflowHistoryError(f"there is no history at {database.location()} yet")
    found = database.check()
    if screen.as_json:
        screen.give({"ok": not found, "problems": found})
    elif found:
        screen.show(*(Text.assemble(("✗ ", "red"), said(problem)) for problem in found))
    elif not screen.quiet:
        screen.show(Text("✓ the history is sound", "green"))
    if found:
        raise typer.Exit(1)


db_care.add_to(app)
app.command(name="scrub", epilog=db_scrub.EXAMPLES, cls=AskingCommand)(db_scrub.scrub)
