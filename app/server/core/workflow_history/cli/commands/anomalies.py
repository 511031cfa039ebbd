"""`workflow-history anomalies`: recent regressions and improvements, and outlier runs."""

from __future__ import annotations

import shlex
from datetime import tzinfo
from typing import Annotated

import typer

from ...common.filter_options import parse_recent
from ...common.formatting.numbers import day
from ...common.time_zones import zone_named
from ...queries.anomalies import Anomalies, find_anomalies
from ..filter_options import FilteredCommand, get_filter, get_time_zone
from ..no_runs import show_no_runs
from ..output import get_output
from ..render.anomalies import render_anomalies, render_sentences

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history anomalies
  workflow-history anomalies --window 7d --workflow adw_sdlc_iso
  workflow-history anomalies --window 50 --phase plan
  workflow-history anomalies --json | jq '.regressions[].sentence'
"""


@app.command(name="anomalies", epilog=EXAMPLES, cls=FilteredCommand)
def anomalies(
    context: typer.Context,
    recent: Annotated[
        str,
        typer.Option("--window", metavar="AGE_OR_RUNS", help="Recent window: 7d, 4w, or a number of runs."),
    ] = "30d",
) -> None:
    """Show recent regressions, improvements and outliers.

    Tests cost, failures, duration, turns, cache hit rate and failed tool calls, by workflow and phase.

    The window is counted back from the latest run. Changes that may be due to chance are not shown. With
    --quiet, prints regressions only.
    """
    output = get_output(context)
    zone_name = get_time_zone(context)
    result = find_anomalies(get_filter(context), parse_recent(recent), tz=zone_name)
    zone = zone_named(zone_name)
    if output.as_json:
        output.print_json(result)
    elif not result.runs and not output.quiet:
        show_no_runs(context)
    elif output.quiet:
        output.print(*render_sentences(result.regressions))
    else:
        output.print(render_anomalies(result, output.width, zone))
        output.print_hints(*_hints(result, zone))


def _hints(result: Anomalies, zone: tzinfo | None) -> list[tuple[str, str]]:
    hints = []
    for finding in (*result.regressions, *result.improvements)[:1]:
        if finding.runs:
            hints.append((f"workflow-history show {shlex.quote(finding.runs[0].id)}", "an example run"))
        if finding.template is not None:
            filters = f"--workflow {shlex.quote(finding.template)} --since {day(finding.since, zone)}"
            hints.append((f"workflow-history list {filters}", "runs since the change"))
    if not hints and result.outliers:
        hints.append((f"workflow-history show {shlex.quote(result.outliers[0].id)}", "the largest outlier"))
    return hints
