"""`workflow-history stats`: totals of runs by group, wasted spend and trends."""

from __future__ import annotations

from typing import Annotated

import typer

from ...common.errors import InvalidQueryError
from ...common.filters import parse_period
from ...common.time_zones import zone_named
from ...queries import statistics
from ..empty import show_no_runs
from ..filter_options import FilteredCommand, get_filter, zone_of
from ..output import get_output
from ..render.overview import render_overview
from ..render.stats import render_statistics, render_totals, total_line
from ..render.trends import render_trend
from ..render.waste import render_waste, render_waste_line

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history stats
  workflow-history stats --by week --tz Europe/Berlin
  workflow-history stats --by month --across template --status failed
  workflow-history stats --waste --since 30d
  workflow-history stats --trend 30d
  workflow-history stats --by model --json | jq '.groups[].cost.total'
"""

Grouping = Annotated[
    str | None,
    typer.Option("--by", metavar="KEY", help=f"Group by {', '.join(statistics.GROUPINGS)}."),
]
Across = Annotated[
    str | None, typer.Option("--across", metavar="KEY", help="Within each group, by this as well.")
]


@app.command(epilog=EXAMPLES, cls=FilteredCommand)
def stats(
    context: typer.Context,
    by: Grouping = None,
    across: Across = None,
    waste: Annotated[bool, typer.Option("--waste", help="What was spent in vain, and where.")] = False,
    trend: Annotated[
        str | None,
        typer.Option(
            "--trend", metavar="PERIOD", help="This long until now against as long before: 30d, 4w."
        ),
    ] = None,
) -> None:
    """Tell what runs add up to, what was wasted and what changed.

    Without an option: an overview. Averages and percentiles cover only runs with a known value.
    """
    if (by is not None) + waste + (trend is not None) > 1 or (across is not None and by is None):
        raise InvalidQueryError("use one of --by, --waste and --trend; --across goes with --by")
    if by is not None:
        _groups(context, by, across)
    elif waste:
        _waste(context)
    elif trend is not None:
        _trend(context, trend)
    else:
        _overview(context)


def _overview(context: typer.Context) -> None:
    screen, found = get_output(context), statistics.overview(get_filter(context), tz=zone_of(context))
    if screen.as_json:
        screen.answer(found)
    elif screen.quiet:
        screen.print(total_line(found.total))
    elif not found.total.runs:
        _no_runs(context, found.total)
    else:
        screen.print(render_overview(found, screen.width))
        screen.print_hints(
            ("workflow-history stats --by month", "every month; also week, agent, model …"),
            ("workflow-history stats --waste", "what was spent in vain, and where"),
            ("workflow-history stats --trend 30d", "what changed"),
        )


def _groups(context: typer.Context, by: str, across: str | None) -> None:
    screen = get_output(context)
    found = statistics.run_statistics(by, get_filter(context), across=across, tz=zone_of(context))
    if screen.as_json:
        screen.answer(found)
    elif screen.quiet:
        screen.print(total_line(found.total))
    elif not found.total.runs:
        _no_runs(context, found.total)
    else:
        screen.print(render_statistics(found, screen.width))


def _no_runs(context: typer.Context, total: statistics.GroupStatistics) -> None:
    if total.copies:
        get_output(context).print(render_totals(total))
    else:
        show_no_runs(context)


def _waste(context: typer.Context) -> None:
    screen, found = get_output(context), statistics.waste(get_filter(context))
    if screen.as_json:
        screen.answer(found)
    else:
        screen.print(render_waste_line(found) if screen.quiet else render_waste(found, screen.width))


def _trend(context: typer.Context, period: str) -> None:
    screen, found = get_output(context), statistics.trend(parse_period(period), get_filter(context))
    if screen.as_json:
        screen.answer(found)
    else:
        screen.print(render_trend(found, screen.width, zone_named(zone_of(context))))
