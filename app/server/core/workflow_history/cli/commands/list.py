"""`workflow-history list`: show a page of the history's runs as a table."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.text import Text

from ...common.formatting.numbers import pluralize
from ...common.spending import Cost
from ...common.time_zones import zone_named
from ...presentation.run_list import qualified_id
from ...queries.list_runs import AGENT_SORT_KEYS, SORT_ALIASES, check_sort, costs_of, find_runs
from ..common_options import PageCursor
from ..filter_options import FilteredCommand, get_filter, get_time_zone
from ..no_runs import show_no_runs
from ..output import get_output
from ..render.run_list import render_run_list

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history list
  workflow-history list --status failed --since 7d
  workflow-history list --search '"csv export" invoices' --sort cost
  workflow-history list --workflow adw_sdlc_iso --cost 2.. --phase review
  workflow-history list --phase review --sort phase-cost
  workflow-history list --json | jq '.workflows[].total_cost'
"""


class SortOrder(StrEnum):
    """Sort direction."""

    DESC = "desc"
    ASC = "asc"


@app.command(epilog=EXAMPLES, cls=FilteredCommand)
def list_runs(  # noqa: PLR0917 - a command line has many options
    context: typer.Context,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", help="Show at most N runs.", min=0)
    ] = 20,
    offset: Annotated[int, typer.Option(metavar="N", help="Skip the first N runs.", min=0)] = 0,
    after: PageCursor = None,
    sort: Annotated[
        str,
        typer.Option(
            metavar="KEY", help=f"Sort by {', '.join((*SORT_ALIASES, *AGENT_SORT_KEYS))} or any column."
        ),
    ] = "when",
    order: Annotated[SortOrder, typer.Option(help="Descending or ascending.")] = SortOrder.DESC,
) -> None:
    """Find runs by text, status, cost, phase and more; newest first.

    Filters combine with AND. Repeat an option to match any of several values.

    Narrow terminals drop columns, not runs. With --quiet, prints run IDs only.
    """
    output, where = get_output(context), get_filter(context)
    check_sort(sort, where, after, "--sort")
    page = find_runs(where, sort=sort, order=order.value, limit=limit, offset=offset, cursor=after)
    if output.as_json:
        output.print_json(page)
    elif output.quiet:
        output.print(*(qualified_id(run) for run in page.workflows))
    elif page.workflows:
        part_costs, zone = None, zone_named(get_time_zone(context))
        if page.part_costs is not None and page.part_costs_partial is not None:
            amounts = zip(page.part_costs, page.part_costs_partial, strict=True)
            costs = [Cost.from_usd(amount, None, complete=not partial) for amount, partial in amounts]
            part_costs = sort.replace("-", " "), costs
        cost = costs_of(where)
        table = render_run_list(page.workflows, page.total, cost, output.width, part_costs, zone=zone)
        output.print(table)
    elif page.total:
        reason = "that is after the last" if limit else "--limit 0"
        output.print(Text(f"None of {pluralize(page.total, 'run')} shown: {reason}."))
    else:
        show_no_runs(context)
