"""`workflow-history list`: a page of the history as a table."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.text import Text

from ...answers.finding import PART_SORTS, SORT_NAMES, check_sort, costs_of, find_runs
from ...wording.numbers import counted
from ...wording.runs import full_id
from ...zones import zone_named
from ..empty import show_no_runs
from ..filtering import FilterCommand, filter_of, zone_of
from ..render.runs import run_list
from ..screen import screen_of

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history list
  workflow-history list --status failed --since 7d
  workflow-history list --search '"csv export" invoices' --sort cost
  workflow-history list --template adw_sdlc_iso --cost 2.. --phase review
  workflow-history list --phase review --sort phase-cost
  workflow-history list --json | jq '.workflows[].total_cost'
"""


class Order(StrEnum):
    """Which end comes first."""

    DESC = "desc"
    ASC = "asc"


@app.command(epilog=EXAMPLES, cls=FilterCommand)
def list_runs(  # noqa: PLR0917 - a command line has many options
    context: typer.Context,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", help="Show at most this many.", min=0)
    ] = 20,
    offset: Annotated[int, typer.Option(metavar="N", help="Skip this many.", min=0)] = 0,
    after: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Go on after a page, by its next_cursor.")
    ] = None,
    sort: Annotated[
        str,
        typer.Option(metavar="KEY", help=f"Sort by {', '.join((*SORT_NAMES, *PART_SORTS))} or any column."),
    ] = "when",
    order: Annotated[Order, typer.Option(help="Largest or smallest first.")] = Order.DESC,
) -> None:
    """Find runs by words, status, cost, phase and more; the newest first.

    What narrows the list combines; where it can be given more than once, any of the values will do.

    Narrow terminals lose columns, not runs. With --quiet only the ids are printed.
    """
    screen, wanted = screen_of(context), filter_of(context)
    check_sort(sort, wanted, after, "--sort")
    page = find_runs(wanted, sort=sort, order=order.value, limit=limit, offset=offset, cursor=after)
    if screen.as_json:
        screen.answer(page)
    elif screen.quiet:
        screen.show(*(full_id(run) for run in page.workflows))
    elif page.workflows:
        costs, zone = costs_of(wanted), zone_named(zone_of(context))
        screen.show(run_list(page.workflows, page.total, costs, screen.width, page.part_costs, zone=zone))
    elif page.total:
        why = "that is after the last" if limit else "--limit 0"
        screen.show(Text(f"None of {counted(page.total, 'run')} shown: {why}."))
    else:
        show_no_runs(context)
