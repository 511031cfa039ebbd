"""`workflow-history sources`: list the places that a sync without a directory reads."""

from __future__ import annotations

import typer
from rich.text import Text

from ...common.formatting.numbers import format_count
from ...common.formatting.text import single_line
from ...common.spending import UNKNOWN
from ...queries.sources import PlaceState, SourcePlace, find_sources
from ..common_options import Command
from ..output import get_output
from ..render.table import build_table, fit_columns, number_column, text_column

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history sources
  workflow-history sync --source claude   # only sessions of Claude Code
"""


@app.command(epilog=EXAMPLES, cls=Command)
def sources(context: typer.Context) -> None:
    """List the places with runs and sessions on this machine.

    A sync without a directory reads all that exist. Nothing is stored. With --quiet, prints only the paths
    of those that exist.
    """
    output = get_output(context)
    report = find_sources()
    found = [place for place in report.places if place.state == PlaceState.FOUND]
    if output.as_json:
        output.print_json(report)
    elif output.quiet:
        output.print(*(Text(single_line(place.path)) for place in found))
    else:
        places = report.places
        columns = [
            text_column("source", "Source", [place.source for place in places]),
            text_column("title", "Program", [place.title for place in places]),
            number_column("runs", "Runs", [_count(place) for place in places]),
            text_column("state", "State", [_describe(place) for place in places]),
            text_column("path", "Place", [single_line(place.path) for place in places]),
        ]
        output.print(build_table(fit_columns(columns, output.width, ()), output.width))
        if found:
            output.print_hints(("workflow-history sync", "store all of them in a history"))
        else:
            output.print_hints(("workflow-history sync path/to/project", "sync another directory"))


def _count(place: SourcePlace) -> str:
    return format_count(place.runs) if place.state == PlaceState.FOUND else UNKNOWN


def _describe(place: SourcePlace) -> str:
    return place.state if place.reason is None else f"{place.state}: {single_line(place.reason)}"
