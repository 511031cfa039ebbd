"""`workflow-history db`: path, schema version, integrity check and maintenance of the history database."""

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
from ...queries.database_info import database_info
from ...queries.json.types import DatabaseCheck, DatabasePath, DatabaseVersion, RedactionResult
from ...queries.settings_file import read_retention_rules
from ..common_options import Command, CommandGroup, HistoryCommand, Overwrite
from ..filter_options import FilteredCommand, get_filter
from ..output import get_output
from ..render.maintenance import (
    render_backup,
    render_database_info,
    render_prune,
    render_restore,
    render_vacuum,
)
from ..render.text import clean_text

EXAMPLES = """
Examples:
  workflow-history db info
  workflow-history db verify
  workflow-history db backup ~/backups/history.db
  workflow-history db restore ~/backups/history.db
  workflow-history db prune --older-than 18mo
  workflow-history db redact
"""

PRUNE_EXAMPLES = """
Examples:
  workflow-history db prune --older-than 18mo                  # lists what would be deleted
  workflow-history db prune --older-than 18mo --yes            # deletes it
  workflow-history db prune --older-than 90d --status failed --project sandbox --keep 20 --yes
  workflow-history db prune --use-retention --yes --quiet          # for cron: the rules of the config file
"""

REDACT_EXAMPLES = """
Examples:
  workflow-history db redact
  workflow-history db redact --no-text --yes
"""

VERIFY_EXAMPLE = "Example: workflow-history --db old.db db verify"

app = typer.Typer(
    help="Maintain the database: info, verify, backup, restore, prune, vacuum, redact.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    cls=CommandGroup,
    add_completion=False,
)


@app.command(epilog="Example: workflow-history db info", cls=HistoryCommand)
def info(context: typer.Context) -> None:
    """Show path, size, schema revision, number of runs and last sync."""
    output = get_output(context)
    result = database_info()
    if output.as_json:
        output.print_json(result)
    else:
        output.print(render_database_info(result))


@app.command(epilog="Example: workflow-history db path", cls=Command)
def path(context: typer.Context) -> None:
    """Print the path or URL of the history database."""
    output = get_output(context)
    if output.as_json:
        output.print_json(DatabasePath(database.database_name()))
    else:
        output.out.print(clean_text(database.database_name()), soft_wrap=True)


@app.command(epilog="Example: workflow-history db version", cls=HistoryCommand)
def version(context: typer.Context) -> None:
    """Print the schema version of the database."""
    output = get_output(context)
    if output.as_json:
        output.print_json(DatabaseVersion(database.schema_version()))
    else:
        output.print(clean_text(database.schema_version()))


@app.command(epilog=VERIFY_EXAMPLE, cls=Command)
@app.command(name="check", hidden=True, epilog=VERIFY_EXAMPLE, cls=Command)
def verify(context: typer.Context) -> None:
    """Check the database for corruption and inconsistent totals. Exit code 1 if there is a problem."""
    output = get_output(context)
    if database.schema_version() is None:
        raise database.missing_history_error()
    problems = database.check()
    if output.as_json:
        output.print_json(DatabaseCheck(not problems, problems))
    elif problems:
        output.print(*(Text.assemble(("✗ ", "red"), clean_text(problem)) for problem in problems))
    elif not output.quiet:
        output.print(Text("✓ no corruption and no inconsistent totals found", "green"))
    if problems:
        raise typer.Exit(1)


@app.command(epilog="Example: workflow-history db backup ~/backups/history.db", cls=HistoryCommand)
def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to create, an SQLite database.")],
    force: Overwrite = False,
) -> None:
    """Copy the history to a file and verify the copy.

    The file is complete or not created. Other programs may write meanwhile. A PostgreSQL history is copied to
    an SQLite file.
    """
    output = get_output(context)
    result = backup_history(file, force=force)
    if output.as_json:
        output.print_json(result)
    elif not output.quiet:
        output.print(render_backup(result))


@app.command(epilog="Example: workflow-history db restore ~/backups/history.db", cls=Command)
def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Backup or other history file.")],
) -> None:
    """Replace the history with a copy of a backup, after verifying the copy.

    The replaced history is kept next to it. Fails while another program writes to the history.

    A running server shows the restored history at once.
    """
    output = get_output(context)
    result = restore_history(file)
    if output.as_json:
        output.print_json(result)
    elif not output.quiet:
        output.print(*render_restore(result))


@app.command(epilog=PRUNE_EXAMPLES, cls=FilteredCommand)
def prune(  # noqa: PLR0917 - a command line has many options
    context: typer.Context,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Only runs created longer ago than this: 90d, 12w, 18mo, 2y."),
    ] = None,
    keep: Annotated[
        int, typer.Option(metavar="N", min=0, help="Keep the newest N of these runs in each project.")
    ] = 0,
    by_config: Annotated[
        bool, typer.Option("--use-retention", help="Use the rules under [\\[retention]] in the config file.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Config file; default: see config show.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Delete the runs; without it, they are only listed.")
    ] = False,
    _dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the runs, as without --yes.")
    ] = False,
) -> None:
    """Delete old runs from the history; their cost no longer counts in its totals.

    Without --yes, nothing is deleted. Running runs and runs of unknown age are never deleted.

    Even if their files still exist, only sync --include-pruned stores deleted runs again.
    """
    if yes and _dry_run:
        raise InvalidQueryError("--yes and --dry-run exclude each other. Use one of them.")
    output = get_output(context)
    rule = with_max_age(RetentionRule(get_filter(context)), older_than, keep)
    if by_config and not (rule.matches_all and keep == 0):
        raise InvalidQueryError(
            "--use-retention takes its rules from the config file. Omit the other filters."
        )
    rules = read_retention_rules(config) if by_config else [rule]
    result = prune_history(rules, dry_run=not yes)
    if output.as_json:
        output.print_json(result)
        return
    if not output.quiet:
        output.print(render_prune(result))
        if result.runs and yes:
            output.print_hints(("workflow-history db vacuum", "free the disk space"))


@app.command(epilog="Example: workflow-history db vacuum", cls=HistoryCommand)
def vacuum(context: typer.Context) -> None:
    """Free the disk space of deleted rows; other programs wait meanwhile."""
    output = get_output(context)
    result = vacuum_history()
    if output.as_json:
        output.print_json(result)
    elif not output.quiet:
        output.print(render_vacuum(result))


@app.command(epilog=REDACT_EXAMPLES, cls=HistoryCommand)
@app.command(name="scrub", hidden=True, epilog=REDACT_EXAMPLES, cls=HistoryCommand)
def redact(
    context: typer.Context,
    no_text: Annotated[
        bool,
        typer.Option(
            "--no-text", "--metadata-only", help="Permanently delete all prompts, responses and commands."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm --no-text.")] = False,
) -> None:
    """Redact secrets in stored text.

    Every sync redacts secrets before it stores text. Use this for text stored by an older version or with
    older rules.

    No redacted secret stays in the database files. Stop other programs that have the history open.
    """
    if no_text and not yes:
        raise InvalidQueryError(
            "--no-text permanently deletes all prompts, responses and commands. Back up first "
            "(workflow-history db backup FILE), then add --yes."
        )
    result = database.redact(no_text=no_text)
    output = get_output(context)
    if output.as_json:
        output.print_json(RedactionResult(result.rows, result.secrets, result.keeps_text))
    elif not output.quiet:
        redactions = describe_redactions(result.secrets) or "no secret was found"
        note = "; no text is kept from now on" if not result.keeps_text else ""
        output.print(Text(f"✓ {redactions}{note}", "green"))
