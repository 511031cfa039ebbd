"""`workflow-history stats`: what runs add up to, what was spent in vain and what changed."""

from __future__ import annotations

from typing import Annotated

import typer

from ...answers import statistics
from ...errors import InvalidQueryError
from ...filters import period_of
from ...zones import zone_named
from ..empty import show_no_runs
from ..filtering import FilterCommand, filter_of, zone_of
from ..render.overview import overview_report
from ..render.statistics import statistics_table, total_line
from ..render.trends import trend_report
from ..render.waste import waste_line, waste_report
from ..screen import screen_of

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
Second = Annotated[
    str | None, typer.Option("--across", metavar="KEY", help="Within each group, by this as well.")
]


@app.command(epilog=EXAMPLES, cls=FilterCommand)
def stats(
    context: typer.Context,
    by: Grouping = None,
    across: Second = None,
    waste: Annotated[bool, typer.Option("--waste", help="What was spent in vain, and where.")] = False,
    trend: Annotated[
        str | None,
        typer.Option(
            "--trend", metavar="PERIOD", help="This long until now against as long before: 30d, 4w."
        ),
    ] = None,
) -> None:
    """Tell what runs add up to, what was wasted and what changed.

    Without an option: the first look at all of it. Averages and percentiles are over the runs that know
    the figure.
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
    screen, found = screen_of(context), statistics.overview(filter_of(context), tz=zone_of(context))
    if screen.as_json:
        screen.answer(found)
    elif screen.quiet:
        screen.show(total_line(found.total))
    elif not found.total.runs:
        show_no_runs(context)
    else:
        screen.show(overview_report(found, screen.width))
        screen.next_steps(
            ("workflow-history stats --by month", "every month; also week, agent, model …"),
            ("workflow-history stats --waste", "what was spent in vain, and where"),
            ("workflow-history stats --trend 30d", "what changed"),
        )


def _groups(context: typer.Context, by: str, across: str | None) -> None:
    screen = screen_of(context)
    found = statistics.run_statistics(by, filter_of(context), across=across, tz=zone_of(context))
    if screen.as_json:
        screen.answer(found)
    elif screen.quiet:
        screen.show(total_line(found.total))
    elif not found.total.runs:
        show_no_runs(context)
    else:
        screen.show(statistics_table(found, screen.width))


def _waste(context: typer.Context) -> None:
    screen, found = screen_of(context), statistics.waste(filter_of(context))
    if screen.as_json:
        screen.answer(found)
    else:
        screen.show(waste_line(found) if screen.quiet else waste_report(found, screen.width))


def _trend(context: typer.Context, period: str) -> None:
    screen, found = screen_of(context), statistics.trend(period_of(period), filter_of(context))
    if screen.as_json:
        screen.answer(found)
    else:
        screen.show(trend_report(found, screen.width, zone_named(zone_of(context))))
