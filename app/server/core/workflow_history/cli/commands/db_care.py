"""`workflow-history db` maintenance: `backup`, `restore`, `prune`, `vacuum` and `scrub`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ... import database
from ...common.errors import InvalidQueryError
from ...maintenance.backup import backup_history, vacuum_history
from ...maintenance.pruning import prune_history
from ...maintenance.restore import restore_history
from ...maintenance.retention_rules import RetentionRule, with_max_age
from ...presentation.sync_summary import describe_redactions
from ...queries.settings_file import read_retention_rules
from ..common_options import Command, HistoryCommand
from ..filter_options import FilteredCommand, get_filter
from ..output import get_output
from ..render.maintenance import render_backup, render_prune, render_vacuum, restored

EXAMPLES = """
Examples:
  workflow-history db scrub
  workflow-history db scrub --no-text --yes
"""


def scrub(
    context: typer.Context,
    no_text: Annotated[
        bool, typer.Option("--no-text", help="Take out all that was asked, said and typed, for good.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Really take out all texts.")] = False,
) -> None:
    """Redact secrets in text that the history already stores.

    A sync redacts secrets by itself. This is for text stored by older versions or with older rules.
    No redacted secret stays in the database's files. Stop other programs that have the history open.
    """
    if no_text and not yes:
        raise typer.BadParameter(
            "all that was asked, said and typed goes for good; make a copy (db backup), then say --yes too",
            param_hint="'--no-text'",
        )
    found = database.redact(no_text=no_text)
    screen = get_output(context)
    if screen.as_json:
        screen.print_json(
            {"rows_changed": found.rows, "secrets": found.secrets, "text_kept": found.keeps_text}
        )
    elif not screen.quiet:
        said = describe_redactions(found.secrets) or "no secret was found"
        rest = "; no text is kept from now on" if not found.keeps_text else ""
        screen.print(Text(f"✓ {said}{rest}", "green"))


PRUNE_EXAMPLES = """
Examples:
  workflow-history db prune --older-than 18mo                  # tells what would go
  workflow-history db prune --older-than 18mo --yes            # takes it out
  workflow-history db prune --older-than 90d --status failed --project sandbox --keep 20 --yes
  workflow-history db prune --by-config --yes --quiet          # for cron: the rules of the settings file
"""


def register(app: typer.Typer) -> None:
    """Add `backup`, `restore`, `prune` and `vacuum` to the `db` group."""
    app.command(epilog="Example: workflow-history db backup ~/backups/history.db", cls=HistoryCommand)(backup)
    app.command(epilog="Example: workflow-history db restore ~/backups/history.db", cls=Command)(restore)
    app.command(epilog=PRUNE_EXAMPLES, cls=FilteredCommand)(prune)
    app.command(epilog="Example: workflow-history db vacuum", cls=HistoryCommand)(vacuum)


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy, an SQLite database.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Copy the history to a file and verify the copy; other programs may write meanwhile.

    The file is complete or not created. A PostgreSQL history is copied to an SQLite file, too.
    """
    screen = get_output(context)
    done = backup_history(file, force=force)
    if screen.as_json:
        screen.print_json(done)
    elif not screen.quiet:
        screen.print(render_backup(done))


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup, or any other history's file.")],
) -> None:
    """Replace the history with a copy of a backup, after verifying the copy.

    The replaced history is kept next to it. Nothing is done while another program writes to the history.

    A running server shows the restored history at once.
    """
    screen = get_output(context)
    done = restore_history(file)
    if screen.as_json:
        screen.print_json(done)
    elif not screen.quiet:
        screen.print(*restored(done))


def prune(  # noqa: PLR0917 - a command line has many options
    context: typer.Context,
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Made longer ago than this: 90d, 12w, 18mo, 2y.")
    ] = None,
    keep: Annotated[
        int, typer.Option(metavar="N", min=0, help="Of these, the newest N of each project stay.")
    ] = 0,
    by_config: Annotated[
        bool, typer.Option("--by-config", help="By the rules under [\\[retention]] in the settings file.")
    ] = False,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="This settings file.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Take them out; without it, they are only told.")
    ] = False,
    _dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell which they are, as without --yes.")
    ] = False,
) -> None:
    """Delete old runs from the history; their cost no longer counts in its totals.

    Without --yes, nothing is deleted. Running runs and runs of unknown age are never deleted.

    Even if their files still exist, only sync --with-pruned stores deleted runs again.
    """
    if yes and _dry_run:
        raise InvalidQueryError("--yes and --dry-run say the opposite; give one of them")
    screen = get_output(context)
    own = with_max_age(RetentionRule(get_filter(context)), older_than, keep)
    if by_config and not (own.matches_all and keep == 0):
        raise InvalidQueryError(
            "--by-config takes all rules from the settings file; leave the other options out"
        )
    rules = read_retention_rules(config) if by_config else [own]
    done = prune_history(rules, dry_run=not yes)
    if screen.as_json:
        screen.print_json(done)
        return
    if not screen.quiet:
        screen.print(render_prune(done))
        if done["runs"] and yes:
            screen.print_hints(("workflow-history db vacuum", "give the space back"))


def vacuum(context: typer.Context) -> None:
    """Free the disk space of deleted rows; other programs wait meanwhile."""
    screen = get_output(context)
    done = vacuum_history()
    if screen.as_json:
        screen.print_json(done)
    elif not screen.quiet:
        screen.print(render_vacuum(done))
