"""`workflow-history db backup`, `restore`, `prune`, `vacuum`: a copy and back, old runs out, less space."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...care.backup import backup_history
from ...care.pruning import prune_history
from ...care.restoring import restore_history
from ...care.vacuum import vacuum_history
from ...config import read_retention
from ...errors import InvalidQueryError
from ...retention import Rule, with_age
from ..filtering import FilterCommand, filter_of
from ..options import AskingCommand, Command
from ..render.care import backed_up, pruned, restored, vacuumed
from ..screen import screen_of

PRUNE_EXAMPLES = """
Examples:
  workflow-history db prune --older-than 18mo                  # tells what would go
  workflow-history db prune --older-than 18mo --yes            # takes it out
  workflow-history db prune --older-than 90d --status failed --project sandbox --keep 20 --yes
  workflow-history db prune --by-config --yes --quiet          # for cron: the rules of the settings file
"""


def add_to(app: typer.Typer) -> None:
    """Add the commands to their group."""
    app.command(epilog="Example: workflow-history db backup ~/backups/history.db", cls=AskingCommand)(backup)
    app.command(epilog="Example: workflow-history db restore ~/backups/history.db", cls=Command)(restore)
    app.command(epilog=PRUNE_EXAMPLES, cls=FilterCommand)(prune)
    app.command(epilog="Example: workflow-history db vacuum", cls=AskingCommand)(vacuum)


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy, an SQLite database.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Copy the history into a file while others write to it, and check the copy.

    It is whole or not there. A history on PostgreSQL comes out as an SQLite file, too.
    """
    screen = screen_of(context)
    done = backup_history(file, force=force)
    if screen.as_json:
        screen.give(done)
    elif not screen.quiet:
        screen.show(backed_up(done))


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup, or any other history's file.")],
) -> None:
    """Put a copy of a backup in the place of the history, once it is found whole.

    The history that was there is kept beside it. While another program writes to it, nothing is done.

    A server shows the new one at once.
    """
    screen = screen_of(context)
    done = restore_history(file)
    if screen.as_json:
        screen.give(done)
    elif not screen.quiet:
        screen.show(*restored(done))


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
    """Take old runs out of the history, and what was spent on them out of its totals.

    Without --yes nothing is done. Runs at work stay, and so does a run whose age is not known.

    No sync brings them back while their files are still there, but sync --with-pruned.
    """
    if yes and _dry_run:
        raise InvalidQueryError("--yes and --dry-run say the opposite; give one of them")
    screen = screen_of(context)
    own = with_age(Rule(filter_of(context)), older_than, keep)
    if by_config and not (own.is_empty and keep == 0):
        raise InvalidQueryError(
            "--by-config takes all rules from the settings file; leave the other options out"
        )
    rules = read_retention(config) if by_config else [own]
    done = prune_history(rules, dry_run=not yes)
    if screen.as_json:
        screen.give(done)
        return
    if not screen.quiet:
        screen.show(pruned(done))
        if done["runs"] and yes:
            screen.next_steps(("workflow-history db vacuum", "give the space back"))


def vacuum(context: typer.Context) -> None:
    """Give back the space that deleted rows took; others wait for it meanwhile."""
    screen = screen_of(context)
    done = vacuum_history()
    if screen.as_json:
        screen.give(done)
    elif not screen.quiet:
        screen.show(vacuumed(done))
