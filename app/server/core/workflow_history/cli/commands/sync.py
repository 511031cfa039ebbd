"""`workflow-history sync`: read an agents directory into the history and print a summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from ... import database, scanner, sync
from ...common.formatting.numbers import pluralize
from ...common.formatting.text import single_line
from ...ingest.files import FolderPath
from ...ingest.sources.registry import source_of
from ...pipeline.sync_state import has_news
from ...storage.connection.advisory_lock import LockOwner
from ..app import EXIT_PARTIAL
from ..common_options import Command, Verbose
from ..folders import Directory, ProjectToStore, no_runs_error, resolve_folders
from ..output import Output, get_output, print_error, print_note
from ..render.sync import count, render_sync_summary, unread_problems

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history sync                   # all agent programs on this machine; see: sources
  workflow-history sync --source claude   # only sessions of Claude Code
  workflow-history sync path/to/project
  workflow-history sync old/agents --project shop
  workflow-history sync --no-wait     # exit code 75 if another sync is running
  workflow-history sync s3://bucket/shop/agents
  workflow-history sync /shared/agents --executor dask://scheduler:8786
"""

ExecutorName = Annotated[
    str | None,
    typer.Option(
        "--executor",
        metavar="EXECUTOR",
        help="How to read transcripts: processes[:N], threads[:N] or dask://HOST:PORT.",
    ),
]


@app.command(name="sync", epilog=EXAMPLES, cls=Command)
def sync_command(
    context: typer.Context,
    directory: Directory = None,
    *,
    source: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Without DIR, sync only this source; see sources. Repeatable."),
    ] = None,
    project: ProjectToStore = None,
    engine: ExecutorName = None,
    no_text: Annotated[
        bool,
        typer.Option(
            "--no-text", "--metadata-only", help="Store metadata only: no prompts, responses or commands."
        ),
    ] = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait/--no-wait", help="Wait for another sync of the directory, or exit with code 75."
        ),
    ] = True,
    with_pruned: Annotated[
        bool, typer.Option("--include-pruned", help="Re-import runs that were pruned; see db prune.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Sync runs and sessions of agents into the history.

    Without DIR, syncs all places with runs on this machine: the agents directory and the sessions of agent
    programs in the home directory (see sources).

    Reads only changes since the last sync, and writes nothing to the directories.

    A run that cannot be read is reported and does not stop the sync.

    Exit codes: 1 the directory contains no runs, nothing is stored; 3 some files could not be read,
    everything else is stored; 75 another sync is running (--no-wait).

    With --quiet, prints errors only.
    """
    output = get_output(context)
    folders = resolve_folders(directory, source or ())
    is_new = not database.history_exists()
    agents_folders = (each for folder in folders for each in scanner.find_agents_folders(folder))
    if is_new and not any(map(scanner.contains_runs, agents_folders)):
        raise no_runs_error(folders[0])  # an empty history would hide that the directory is wrong
    with output.progress() as report:
        stats = sync.sync_workflow_history(
            silent=True,
            agents_dir=folders,
            project=project,
            engine=engine,
            no_text=no_text,
            progress=report,
            wait=wait,
            waiting=None if output.quiet else _print_lock_owner,
            with_pruned=with_pruned,
        )
    has_runs = any(count(stats, name) for name in ("scanned", "missing", "pruned")) or stats["errors"]
    if has_runs or output.as_json:
        _print_summary(output, stats, folders, is_new=is_new, verbose=verbose)
    if not has_runs:
        raise no_runs_error(folders[0])
    if unread := count(stats, "failed") + count(stats, "unread"):
        _print_unread(unread, unread_problems(stats)[:1] if output.quiet else ())
        raise typer.Exit(EXIT_PARTIAL)


def _print_summary(
    output: Output, stats: dict[str, Any], folders: Sequence[FolderPath], *, is_new: bool, verbose: bool
) -> None:
    if output.as_json:
        output.print_json(stats)
        return
    if output.quiet:
        return
    if is_new:
        print_note(f"new history at {database.database_name()}")
    output.print(render_sync_summary(stats, output.width, verbose=verbose))
    if count(stats, "scanned") and has_news(stats):
        only_sessions = all(source_of(folder) is not None for folder in folders)  # they have no phases
        output.print_hints(
            ("workflow-history list", "list the runs"),
            ("workflow-history stats --by project", "total cost by project; also day, model, branch …")
            if only_sessions
            else ("workflow-history stats", "total cost by week, workflow, model and phase"),
        )


def _print_unread(number: int, problems: Iterable[Mapping[str, Any]]) -> None:
    subject = pluralize(number, "run or file", "runs or files")
    details = [f" ({single_line(problem['path'])}: {single_line(problem['reason'])})" for problem in problems]
    print_error(
        f"Could not read {subject}{''.join(details)}; everything else is stored. Fix the files or "
        "permissions, and sync again."
    )


def _print_lock_owner(owner: LockOwner) -> None:
    print_note(f"Another sync of this directory is running ({owner}). Waiting for it.")
