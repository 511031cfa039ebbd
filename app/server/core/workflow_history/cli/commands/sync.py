"""`workflow-history sync`: read an agents directory into the history and print a summary."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ... import database, scanner, sync
from ...common.formatting.numbers import pluralize
from ...common.formatting.text import single_line
from ...pipeline.sync_state import has_news
from ...storage.connection.advisory_lock import LockOwner
from ..app import EXIT_PARTIAL
from ..common_options import Command
from ..folders import Directory, folder_of, no_runs_in
from ..output import Output, get_output, print_error, print_note
from ..render.sync import count, render_sync_summary, unread_problems

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history sync
  workflow-history sync path/to/project
  workflow-history sync old/agents --project shop
  workflow-history sync --no-wait     # exit code 75 where another sync of the folder runs
  workflow-history sync s3://bucket/shop/agents
  workflow-history sync /shared/agents --engine dask://scheduler:8786
"""


@app.command(name="sync", epilog=EXAMPLES, cls=Command)
def sync_command(
    context: typer.Context,
    directory: Directory = None,
    *,
    project: Annotated[
        str | None, typer.Option(metavar="NAME", help="Store the runs under this project's name.")
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(metavar="WHO", help="Who reads: processes[:N], threads[:N] or dask://HOST:PORT."),
    ] = None,
    no_text: Annotated[
        bool,
        typer.Option("--no-text", help="Store nothing that was asked, said or typed; names and figures."),
    ] = False,
    wait: Annotated[
        bool,
        typer.Option("--wait/--no-wait", help="Wait for another sync of the folder, or leave: exit code 75."),
    ] = True,
    with_pruned: Annotated[
        bool, typer.Option("--with-pruned", help="Let runs in again that were pruned; see db prune.")
    ] = False,
) -> None:
    """Read an agents folder into the history.

    Reads only changes since the last sync, and writes nothing to the directory.

    A run that cannot be read is reported and does not stop the sync.

    Exit code 1: the directory contains no runs. Nothing is stored, and no history is created.

    Exit code 3: some runs failed or some files could not be read; all else is stored. Sync again.
    """
    screen = get_output(context)
    folder = folder_of(directory)
    new = not database.history_exists()
    if new and not any(map(scanner.holds_runs, scanner.find_agents_folders(folder))):
        raise no_runs_in(folder)  # an empty history would hide that the directory is wrong
    with screen.progress() as report:
        stats = sync.sync_workflow_history(
            silent=True,
            agents_dir=folder,
            project=project,
            engine=engine,
            no_text=no_text,
            progress=report,
            wait=wait,
            waiting=None if screen.quiet else _say_whom,
            with_pruned=with_pruned,
        )
    found_any = any(count(stats, name) for name in ("scanned", "gone", "pruned")) or stats["errors"]
    if found_any or screen.as_json:
        _show(screen, stats, new=new)
    if not found_any:
        raise no_runs_in(folder)
    if unread := count(stats, "failed") + count(stats, "unread"):
        what = pluralize(unread, "run or file", "runs or files")
        why = unread_problems(stats) if screen.quiet else []
        named = "".join(f" ({single_line(each['path'])}: {single_line(each['reason'])})" for each in why[:1])
        print_error(f"stored all but {what} that could not be read{named}; the next sync tries again")
        raise typer.Exit(EXIT_PARTIAL)


def _show(screen: Output, stats: dict[str, Any], *, new: bool) -> None:
    if screen.as_json:
        screen.print_json(stats)
        return
    if screen.quiet:
        return
    if new:
        print_note(f"new history at {database.database_name()}")
    screen.print(render_sync_summary(stats, screen.width))
    if count(stats, "scanned") and has_news(stats):
        screen.print_hints(
            ("workflow-history list", "the runs"),
            ("workflow-history stats", "what they cost, and where"),
            ("workflow-history show ID", "one run's story"),
        )


def _say_whom(holder: LockOwner) -> None:
    print_note(f"another sync of this folder runs: {holder}; waiting for it")
