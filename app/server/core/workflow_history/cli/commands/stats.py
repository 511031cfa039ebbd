"""`workflow-history stats`: totals of runs by group, wasted spend and trends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import typer
from rich.console import RenderableType

from ...common.errors import InvalidQueryError
from ...common.filters import parse_period
from ...common.time_zones import zone_named
from ...queries import statistics
from ..filter_options import FilteredCommand, get_filter, get_time_zone
from ..no_runs import show_no_runs
from ..output import get_output
from ..render.overview import render_overview
from ..render.stats import render_statistics, render_total_cost, render_totals
from ..render.trends import render_trend
from ..render.waste import render_waste, render_waste_line

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history stats
  workflow-history stats --by week --tz Europe/Berlin
  workflow-history stats --by month --across workflow --status failed
  workflow-history stats --by pr --since 30d
  workflow-history stats --waste --since 30d
  workflow-history stats --trend 30d
  workflow-history stats --by model --json | jq '.groups[].cost.total'
"""

Grouping = Annotated[
    str | None,
    typer.Option("--by", metavar="KEY", help=f"Group by {', '.join(statistics.TYPED_GROUPINGS)}."),
]
Across = Annotated[
    str | None, typer.Option("--across", metavar="KEY", help="Within each group, also group by this key.")
]
Totals = TypeVar("Totals", statistics.Overview, statistics.RunStatistics)


@app.command(epilog=EXAMPLES, cls=FilteredCommand)
def stats(
    context: typer.Context,
    by: Grouping = None,
    across: Across = None,
    waste: Annotated[
        bool, typer.Option("--waste", help="Show wasted spend: failures, retries and more.")
    ] = False,
    trend: Annotated[
        str | None,
        typer.Option(
            "--trend", metavar="PERIOD", help="Compare the last 30d, 4w, … with the previous period."
        ),
    ] = None,
) -> None:
    """Show totals, wasted spend and trends.

    Without --by, --waste or --trend, shows an overview. Means and percentiles cover only runs with a known
    value. With --quiet, prints the total cost only.
    """
    if (by is not None) + waste + (trend is not None) > 1 or (across is not None and by is None):
        raise InvalidQueryError(
            "--by, --waste and --trend exclude each other, and --across needs --by. Use one of them."
        )
    if by is not None:
        _show_groups(context, by, across)
    elif waste:
        _show_waste(context)
    elif trend is not None:
        _show_trend(context, trend)
    else:
        _show_overview(context)


def _show_overview(context: typer.Context) -> None:
    _show_totals(
        context,
        statistics.overview(get_filter(context), tz=get_time_zone(context)),
        render_overview,
        ("workflow-history stats --by month", "by month; also week, agent, model …"),
        ("workflow-history stats --waste", "wasted spend"),
        ("workflow-history stats --trend 30d", "change to the previous 30 days"),
    )


def _show_groups(context: typer.Context, by: str, across: str | None) -> None:
    result = statistics.run_statistics(by, get_filter(context), across=across, tz=get_time_zone(context))
    _show_totals(context, result, render_statistics)


def _show_totals(
    context: typer.Context,
    result: Totals,
    render: Callable[[Totals, int], RenderableType],
    *hints: tuple[str, str],
) -> None:
    output, total = get_output(context), result.total
    if output.as_json:
        output.print_json(result)
    elif output.quiet:
        output.print(render_total_cost(total))
    elif total.runs:
        output.print(render(result, output.width))
        output.print_hints(*hints)
    elif total.copies:
        output.print(render_totals(total, output.width))
    else:
        show_no_runs(context)


def _show_waste(context: typer.Context) -> None:
    output, result = get_output(context), statistics.waste(get_filter(context))
    if output.as_json:
        output.print_json(result)
    elif not result.runs and not output.quiet:
        show_no_runs(context)
    else:
        output.print(render_waste_line(result) if output.quiet else render_waste(result, output.width))


def _show_trend(context: typer.Context, period: str) -> None:
    output, result = get_output(context), statistics.trend(parse_period(period, "trend"), get_filter(context))
    if output.as_json:
        output.print_json(result)
    else:
        output.print(render_trend(result, output.width, zone_named(get_time_zone(context))))
