"""`workflow-history sync`: an agents folder is read into the history; says what came of it."""

from __future__ import annotations

from typing import Annotated

import typer

from ... import database, sync
from ..folders import Directory, folders_of, same_for_others
from ..options import Command
from ..render.syncing import count, sync_summary, unchanged
from ..screen import error_line, note, screen_of

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history sync
  workflow-history sync path/to/project
  workflow-history sync old/agents --project shop
"""


@app.command(name="sync", epilog=EXAMPLES, cls=Command)
def sync_folder(
    context: typer.Context,
    directory: Directory = None,
    project: Annotated[
        str | None, typer.Option(metavar="NAME", help="Store the runs under this project's name.")
    ] = None,
    no_text: Annotated[
        bool,
        typer.Option("--no-text", help="Store nothing that was asked, said or typed; names and figures."),
    ] = False,
) -> None:
    """Read an agents folder into the history.

    Only what changed since the last time is read, and nothing is written to the folder.

    A run that cannot be read is named, and stops nothing.
    """
    screen = screen_of(context)
    folder, *others = folders_of(directory)
    new = not database.is_there()
    with screen.progress() as report:
        stats = sync.sync_workflow_history(
            silent=True, agents_dir=folder, project=project, progress=report, no_text=no_text
        )
    if screen.as_json:
        screen.give(stats)
        return
    if screen.quiet:
        if failed := count(stats, "failed"):
            error_line(f"runs that could not be read: {failed}; sync without --quiet names them")
        return
    if new:
        note(f"new history at {database.location()}")
    screen.show(sync_summary(stats, screen.width))
    more = same_for_others("sync", others)
    if count(stats, "scanned") and not unchanged(stats):
        more += [
            ("workflow-history list", "the runs"),
            ("workflow-history stats", "what they cost, and where"),
            ("workflow-history show ID", "one run's story"),
        ]
    if more:
        screen.next_steps(*more)
