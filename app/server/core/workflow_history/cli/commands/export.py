"""`workflow-history export`: write rows of the history to a file or to standard output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ...common.errors import InvalidQueryError
from ...exporting.formats import FORMATS
from ...queries.export import STATISTICS, TABLES, export, parse_columns
from ..common_options import Overwrite
from ..filter_options import FilteredCommand, get_filter, get_time_zone
from ..output import get_output
from ..render.maintenance import render_export

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history export --output runs.csv
  workflow-history export agent-runs --since 30d --output agents.parquet
  workflow-history export runs --status failed --columns id,status,total_cost
  workflow-history export runs --columns all --format jsonl | jq .id
  workflow-history export model-usage --since 30d --bom --output models.csv
  workflow-history export statistics --by week --tz UTC --output weeks.csv
  workflow-history export --pr 12 --format markdown
"""

STDOUT = Path("-")
OutputFile = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Output file; default: standard output.", show_default=False
    ),
]


@app.command(name="export", epilog=EXAMPLES, cls=FilteredCommand)
def export_rows(  # noqa: PLR0917 - a command line has many options
    context: typer.Context,
    table: Annotated[str, typer.Argument(metavar="WHAT", help=f"{', '.join(TABLES)}.")] = "runs",
    path: OutputFile = STDOUT,
    kind: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"{', '.join(FORMATS)}. Default: by the file extension; csv on standard output.",
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Columns, separated by commas; all: every column."),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Do not escape CSV cells that a spreadsheet would run.")
    ] = False,
    bom: Annotated[
        bool, typer.Option("--bom", help="Start CSV with a byte order mark, so that Excel reads UTF-8.")
    ] = False,
    by: Annotated[
        str | None, typer.Option(metavar="KEY", help="Group statistics by this key: month, workflow, phase …")
    ] = None,
    across: Annotated[
        str | None, typer.Option(metavar="KEY", help="Within each group, also group by this key.")
    ] = None,
    force: Overwrite = False,
) -> None:
    """Export runs, agent runs, patterns or statistics (CSV, JSON Lines, Parquet, Markdown).

    Rows are sorted oldest first. A file is written completely or not at all; only its owner can read it.

    In CSV, text that a spreadsheet would run as a formula gets a leading apostrophe. With --quiet, prints no
    summary.
    """
    output = get_output(context)
    piped = path == STDOUT
    result = export(
        table,
        sys.stdout.buffer if piped else path,
        format=_piped_format(kind, as_json=output.as_json) if piped else kind,
        columns=parse_columns(columns),
        where=get_filter(context),
        raw=raw,
        bom=bom,
        force=force,
        by=by,
        across=across,
        tz=get_time_zone(context) if table == STATISTICS else None,
    )
    if piped:
        sys.stdout.buffer.flush()
    elif output.as_json:
        output.print_json(result)
    elif not output.quiet:
        output.print(render_export(result))


def _piped_format(kind: str | None, *, as_json: bool) -> str | None:
    """Return the format for standard output: never Parquet, and with --json only JSON Lines."""
    name = kind or ("jsonl" if as_json else None)
    if name == "parquet" or (as_json and name != "jsonl"):
        raise InvalidQueryError(
            f"Cannot write {name} to standard output with these options. Add --output FILE."
        )
    return name
